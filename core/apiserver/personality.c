/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube-apiserver as a daemon: builds the server out of its parts, in the order
 * of their dependence, and takes it down in the reverse one.
 */
#include "apiserver/personality.h"

#include "apiserver/admission.h"
#include "apiserver/allocate.h"
#include "apiserver/chains.h"
#include "apiserver/collections.h"
#include "apiserver/credentials.h"
#include "apiserver/flags.h"
#include "apiserver/initial.h"
#include "apiserver/local.h"
#include "apiserver/podlog.h"
#include "apiserver/serving.h"
#include "apiserver/watch.h"
#include "base/clock.h"
#include "base/log.h"
#include "client/informer.h"
#include "client/module.h"
#include "client/recorder.h"
#include "host/host.h"
#include "pki/key.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORM_CACHE_BYTES = 4 << 20, WORKERS_RESERVED = 2, WORKER_STACK = 512 * 1024 };

struct apiserver_daemon {
	struct apiserver server;
	const struct apiserver_config *config;
	struct host_plugin *storage;
	struct chain_plan *plan;
	struct initial *initial;
	struct serving *serving;
	bool store_runs;
};

/* Which storage plugin: an etcd that is named alone chooses the etcd plugin. */
static const char *storage_name(const struct daemon *daemon, const struct apiserver_config *config)
{
	if (!flags_given(daemon->flags, "storage-backend") && config->etcd_servers.count)
		return "etcd";
	return config->storage_backend;
}

static int configure_storage(struct daemon *daemon, struct apiserver_daemon *api,
			     struct cox_error *err)
{
	const struct apiserver_config *config = api->config;
	const char *name = storage_name(daemon, config);
	cox_autobuf directory = COX_BUF_INIT;

	if (daemon_open_plugin(daemon, "storage", name, "storage-backend", &api->storage, err) != 0)
		return -1;
	if (!api->storage)
		return error_set(err, COX_REASON_INVALID, "the server needs a storage plugin");
	if (strcmp(name, "leveldb") == 0) {
		cox_buf_printf(&directory, "%s/leveldb", config->data_dir);
		if (host_set_option(api->storage, "directory", directory.data,
				    flags_origin(daemon->flags, "data-dir"), err) != 0)
			return -1;
	}
	return host_configure(api->storage, err);
}

static int check_config(struct daemon *daemon, struct cox_error *err)
{
	const struct apiserver_config *config = daemon->config;

	if (!*config->service_cluster_ip_range)
		return error_set(err, COX_REASON_INVALID,
				 "No --service-cluster-ip-range specified (name the network that "
				 "services get their addresses from, for example 10.254.0.0/16)");
	if (config->insecure_port == 0 && config->secure_port == 0)
		return error_set(err, COX_REASON_INVALID,
				 "--insecure-port=0 and --secure-port=0: no port is left to serve "
				 "on");
	return 0;
}

static int prepare(struct daemon *daemon, struct cox_error *err)
{
	struct apiserver_daemon *api = cox_new(struct apiserver_daemon);
	const struct apiserver_config *config = daemon->config;
	struct allocator_options ranges = {.address_range = config->service_cluster_ip_range,
					   .port_range = config->service_node_port_range};

	daemon->state = api;
	api->config = config;
	pthread_mutex_init(&api->server.chains_lock, NULL);
	api->server.schema = &schema_builtin;
	api->server.min_watch_seconds = (uint64_t)config->min_request_timeout;
	api->server.event_ttl_seconds = (uint32_t)(config->event_ttl / CLOCK_SECOND);
	api->server.external_hostname = config->external_hostname;
	api->server.offers_basic = *config->basic_auth_file != '\0';
	api->server.kubelets = kubelets_new(config);
	api->server.allocators = allocators_new(&ranges, err);
	if (!api->server.allocators || configure_storage(daemon, api, err) != 0)
		return -1;
	api->plan = chain_plan_new(daemon, config, err);
	return api->plan ? 0 : -1;
}

/* Around each call of the storage plugin; the store calls it from several threads. */
static _Thread_local struct host_call storage_call;

static void enter_storage(void *context)
{
	host_enter(&storage_call, context);
}

static void leave_storage(void *context)
{
	(void)context;
	host_leave(&storage_call);
}

static int start_store(struct apiserver_daemon *api, struct cox_error *err)
{
	struct apiserver *server = &api->server;
	struct store_backend backend = {
		.enter = enter_storage, .leave = leave_storage, .context = api->storage};

	if (host_get_ready(api->storage, err) != 0 || host_start(api->storage, err) != 0)
		return -1;
	backend.ops = host_ops(api->storage);
	backend.self = host_self(api->storage);
	server->store = store_create(&backend, NULL);
	if (collections_add(server, err) != 0 || store_start(server->store, err) != 0)
		return -1;
	api->store_runs = true;
	return allocators_load(server->allocators, &backend, err);
}

static int start_tokens(struct apiserver_daemon *api, struct cox_error *err)
{
	const struct apiserver_config *config = api->config;
	struct apiserver *server = &api->server;
	static const char *const default_audiences[] = {CREDENTIALS_ISSUER};

	server->issuer = config->service_account_issuer.count
				 ? config->service_account_issuer.items[0]
				 : CREDENTIALS_ISSUER;
	server->audiences = default_audiences;
	server->audience_count = 1;
	if (config->api_audiences.count) {
		server->audiences = (const char *const *)config->api_audiences.items;
		server->audience_count = config->api_audiences.count;
	}
	server->token_key = credentials_signing_key(config, err);
	return server->token_key || !err->message ? 0 : -1;
}

static struct client *own_client(struct apiserver *server)
{
	static const char *const groups[] = {"system:masters"};
	const struct client_identity who = {.user = "system:apiserver",
					    .groups = groups,
					    .group_count = 1,
					    .user_agent = "kube-apiserver"};
	struct client_local local = apiserver_local(server);

	return client_new_local(&local, &who);
}

/* While plugins come and go, their listers already (or still) call the server. */
static void close_chains(struct apiserver *server)
{
	struct api_chains *closed = api_chains_new();

	closed->closed = true;
	apiserver_swap_chains(server, closed);
}

static int start_parts(struct apiserver_daemon *api, struct cox_error *err)
{
	struct apiserver *server = &api->server;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct workers_config pool = {.name = "api",
				      .threads = (unsigned)(cores < 1 ? 1 : cores) * 4 +
						 WORKERS_RESERVED,
				      .reserved = WORKERS_RESERVED,
				      .queue = 4096,
				      .stack_bytes = WORKER_STACK};

	server->forms = store_forms_create(FORM_CACHE_BYTES);
	server->workers = workers_open(&pool, err);
	server->watches = server->workers ? watch_hub_new(err) : NULL;
	if (!server->watches)
		return -1;
	close_chains(server);
	server->client = own_client(server);
	server->informers = informers_new(server->client, err);
	if (!server->informers)
		return -1;
	server->recorder = recorder_new(server->client, "kube-apiserver", NULL, err);
	return server->recorder ? 0 : -1;
}

static int start_chains(struct apiserver_daemon *api, struct cox_error *err)
{
	struct api_chains *chains = chain_plan_start(api->plan, &api->server, err);

	if (!chains)
		return -1;
	apiserver_swap_chains(&api->server, chains);
	return 0;
}

static int start_initial(struct apiserver_daemon *api, struct cox_error *err)
{
	const struct apiserver_config *config = api->config;
	char advertised[64] = "";
	cox_autoerror why = COX_ERROR_INIT;
	struct initial_options options = {
		.address_range = config->service_cluster_ip_range,
		.service_address = allocators_first_address(api->server.allocators),
		.advertised = advertised,
		.port = config->secure_port ? (unsigned)config->secure_port : 6443};

	/* A host without a network can still serve itself. */
	if (serving_advertised(config, advertised, sizeof(advertised), &why) != 0)
		log_warning("The service \"kubernetes\" has no endpoint: %s", error_text(&why));
	api->initial = initial_start(api->server.client, &options, err);
	return api->initial ? 0 : -1;
}

static int start(struct daemon *daemon, struct cox_error *err)
{
	struct apiserver_daemon *api = daemon->state;

	client_module_directory(host_directory(daemon->host));
	if (credentials_prepare(api->config, err) != 0 ||
	    credentials_make_clients(api->config, err) != 0 || start_store(api, err) != 0 ||
	    start_tokens(api, err) != 0 || start_parts(api, err) != 0 ||
	    start_chains(api, err) != 0 || start_initial(api, err) != 0)
		return -1;
	api->serving = serving_start(&api->server, api->config, daemon->own_socket, err);
	if (!api->serving)
		return -1;
	atomic_store(&api->server.ready, true);
	return 0;
}

/* Chains are built beside the old ones and switched when they stand. */
static int reload(struct daemon *daemon, struct cox_error *err)
{
	struct apiserver_daemon *api = daemon->state;
	struct chain_plan *plan = chain_plan_new(daemon, daemon->config, err);
	struct api_chains *chains = plan ? chain_plan_start(plan, &api->server, err) : NULL;

	chain_plan_free(plan);
	if (!chains)
		return -1;
	apiserver_swap_chains(&api->server, chains);
	return 0;
}

static void stop(struct daemon *daemon)
{
	struct apiserver_daemon *api = daemon->state;
	struct apiserver *server;

	if (!api)
		return;
	server = &api->server;
	atomic_store(&server->stopping, true);
	initial_stop(api->initial);
	kubelets_stop(server->kubelets);
	serving_stop(api->serving);
	close_chains(server);
	apiserver_settle_chains(server);
	if (server->recorder)
		recorder_free(server->recorder);
	if (server->informers)
		informers_free(server->informers);
	if (server->client)
		client_free(server->client);
	apiserver_swap_chains(server, NULL);
	if (api->store_runs)
		store_stop(server->store);
	kubelets_free(server->kubelets);
	if (server->workers)
		workers_close(server->workers);
	watch_hub_free(server->watches);
	store_forms_free(server->forms);
	collections_free(server);
	if (server->store)
		store_free(server->store);
	chain_plan_free(api->plan);
	host_close(api->storage);
	allocators_free(server->allocators);
	pki_key_free(server->token_key);
	pthread_mutex_destroy(&server->chains_lock);
	free(api);
	daemon->state = NULL;
}

static int hand_over_one(int directory, const char *name, uid_t user, gid_t group,
			 struct cox_error *err)
{
	if (fchownat(directory, name, user, group, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return error_errno(err, errno, "give %s to the user %u", name, (unsigned)user);
}

/* What lies below, too; links are not followed, mounts not left. */
static int hand_over_tree(const char *path, uid_t user, gid_t group, struct cox_error *err)
{
	char *const paths[] = {(char *)path, NULL};
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_XDEV, NULL);
	FTSENT *entry;
	int status = 0;

	if (!tree)
		return error_errno(err, errno, "read the directory %s", path);
	while (status == 0 && (entry = fts_read(tree)))
		if (entry->fts_info != FTS_DP && entry->fts_statp->st_uid != user)
			status = hand_over_one(AT_FDCWD, entry->fts_path, user, group, err);
	fts_close(tree);
	return status;
}

int apiserver_hand_over(const struct daemon *daemon, uid_t user, gid_t group, struct cox_error *err)
{
	const struct apiserver_config *config = daemon->config;
	const char *const paths[] = {config->data_dir, config->cert_dir};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (mkdir(paths[i], 0755) != 0 && errno != EEXIST)
			return error_errno(err, errno, "make the directory %s", paths[i]);
		if (hand_over_tree(paths[i], user, group, err) != 0)
			return -1;
	}
	return 0;
}

struct apiserver *apiserver_of(const struct daemon *daemon)
{
	struct apiserver_daemon *api = daemon->state;

	return &api->server;
}

const struct personality apiserver_personality = {
	.name = "kube-apiserver",
	.description = "serves the API and keeps the state of the cluster",
	.flags = apiserver_flags,
	.flag_count = &apiserver_flag_count,
	.config_size = sizeof(struct apiserver_config),
	.env_file = APISERVER_ENV_FILE,
	.env_keys = apiserver_env_keys,
	.check = check_config,
	.prepare = prepare,
	.start = start,
	.reload = reload,
	.stop = stop,
};
