/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kubelet as a daemon: opens the runtime, network and volume plugins that
 * its flags name, connects to the API server, and runs until it is told to
 * stop. Containers outlive it.
 */
#include "kubelet/personality.h"

#include "base/clock.h"
#include "base/log.h"
#include "client/connect.h"
#include "client/local.h"
#include "client/module.h"
#include "kubelet/kubelet.h"
#include "kubelet/node.h"
#include "kubelet/run_once.h"
#include "kubelet/server.h"
#include "kubelet/volumes.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Every pod may use them, so all are there. */
static const char *const volume_plugins[] = {"emptydir",  "hostpath",	 "secret", "configmap",
					     "projected", "downwardapi", "local"};

enum { VOLUME_PLUGINS = sizeof(volume_plugins) / sizeof(volume_plugins[0]) };

/* --runonce: images have to be pulled in it. */
#define RUN_ONCE_LONGEST (1000 * CLOCK_SECOND)

struct kubelet_daemon {
	struct kubelet_config *config;
	struct host_plugin *runtime, *network;
	struct host_plugin *volumes[VOLUME_PLUGINS];
	size_t volume_count;
	char *name;
	COX_VEC(const char *) imported; /* ids of images; the arena's */
	struct arena arena;
	struct client *client;
	bool standalone;
	struct kubelet *kubelet;
	struct kubelet_server *server;
	pthread_t once; /* --runonce */
	bool once_runs;
};

/* Empty, or such that nothing outside of the hierarchy can be meant. */
static bool is_cgroup_path(const char *path)
{
	if (*path && *path != '/')
		return false;
	while (*path) {
		size_t length = strcspn(++path, "/");

		if ((length == 1 && path[0] == '.') || (length == 2 && strncmp(path, "..", 2) == 0))
			return false;
		path += length;
	}
	return true;
}

/* Who asks for pods, or answers, has no part in --runonce. */
static int check_once(const struct daemon *daemon, struct cox_error *err)
{
	const struct kubelet_config *config = daemon->config;
	const char *other = NULL;

	if (config->api_servers.count || daemon->local || daemon->server_socket)
		other = "an API server";
	else if (flags_given(daemon->flags, "kubeconfig") && *config->kubeconfig)
		other = "--kubeconfig";
	else if (flags_given(daemon->flags, "enable-server") && config->enable_server)
		other = "--enable-server";
	if (other)
		return error_set(err, COX_REASON_INVALID, "--runonce and %s exclude each other",
				 other);
	if (!*config->config && !*config->manifest_url)
		return error_set(err, COX_REASON_INVALID,
				 "--runonce needs --config or --manifest-url");
	return 0;
}

static int check(struct daemon *daemon, struct cox_error *err)
{
	const struct kubelet_config *config = daemon->config;
	const char *url = config->manifest_url, *header = config->manifest_url_header;

	if (config->runonce && check_once(daemon, err))
		return -1;
	if (config->event_qps < 0)
		return error_set(err, COX_REASON_INVALID, "--event-qps must not be negative");
	if (url && *url && !cox_starts_with(url, "http://") && !cox_starts_with(url, "https://"))
		return error_set(err, COX_REASON_INVALID,
				 "--manifest-url \"%s\" is no http or https URL", url);
	if (header && *header && (!strchr(header, ':') || strpbrk(header, "\r\n")))
		return error_set(err, COX_REASON_INVALID,
				 "--manifest-url-header must be \"name:value\"");
	if (config->cgroup_root && !is_cgroup_path(config->cgroup_root))
		return error_set(err, COX_REASON_INVALID,
				 "--cgroup-root: \"%s\" must be absolute, without \".\" and \"..\"",
				 config->cgroup_root);
	if (config->image_gc_low_threshold > config->image_gc_high_threshold)
		return error_set(err, COX_REASON_INVALID,
				 "--image-gc-low-threshold must not be above "
				 "--image-gc-high-threshold");
	return 0;
}

static int open_one(struct daemon *daemon, const char *kind, const char *name, const char *flag,
		    struct host_plugin **plugin, struct cox_error *err)
{
	if (daemon_open_plugin(daemon, kind, name, flag, plugin, err))
		return -1;
	return *plugin ? host_configure(*plugin, err) : 0;
}

static int prepare(struct daemon *daemon, struct cox_error *err)
{
	struct kubelet_daemon *self = cox_new(struct kubelet_daemon);
	const char *network;

	daemon->state = self;
	self->config = daemon->config;
	network = self->config->network_plugin;
	if (open_one(daemon, "runtime", self->config->container_runtime, "container-runtime",
		     &self->runtime, err))
		return -1;
	if (!self->runtime)
		return error_set(err, COX_REASON_INVALID, "the kubelet needs a runtime plugin");
	/* Containers that exist on paper only have no network either. */
	if (network && *network && strcmp(network, "none") != 0 &&
	    strcmp(self->config->container_runtime, "hollow") != 0 &&
	    open_one(daemon, "network", network, "network-plugin", &self->network, err))
		return -1;
	for (size_t i = 0; i < VOLUME_PLUGINS; i++) {
		struct host_plugin *plugin = NULL;

		if (open_one(daemon, "volume", volume_plugins[i], "volume-plugin-dir", &plugin,
			     err))
			return -1;
		if (plugin)
			self->volumes[self->volume_count++] = plugin;
	}
	return 0;
}

static int start_plugins(struct kubelet_daemon *self, struct cox_error *err)
{
	struct host_plugin *all[VOLUME_PLUGINS + 2] = {self->runtime, self->network};

	for (size_t i = 0; i < self->volume_count; i++)
		all[i + 2] = self->volumes[i];
	for (size_t i = 0; i < self->volume_count + 2; i++)
		if (all[i] && (host_get_ready(all[i], err) || host_start(all[i], err)))
			return -1;
	return 0;
}

struct import_taker {
	struct cox_image_sink sink;
	struct kubelet_daemon *self;
};

static int take_imported(const struct cox_image_sink *sink, const struct cox_image *image)
{
	struct kubelet_daemon *self = ((const struct import_taker *)(const void *)sink)->self;

	cox_vec_push(&self->imported, arena_strdup(&self->arena, image->id));
	log_info("Imported image %s (%s)", image->tags.count ? image->tags.items[0] : "<none>",
		 image->id);
	return 0;
}

/* So that a node without a registry has the images that its pods name. */
static int import_images(struct kubelet_daemon *self, struct cox_error *err)
{
	const struct import_taker taker = {{sizeof(taker.sink), 0, take_imported}, self};
	const struct cox_runtime_ops *ops = host_ops(self->runtime);
	const struct cox_call call = {.struct_size = sizeof(call)};

	for (size_t i = 0; i < self->config->import_images.count; i++) {
		const char *path = self->config->import_images.items[i];
		cox_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
		int status;

		if (fd < 0)
			return error_errno(err, errno, "--import-images: open %s", path);
		{
			host_call_scope(self->runtime);
			status = ops->image_import(host_self(self->runtime), &call, fd, NULL,
						   &taker.sink, err);
		}
		if (status != 0) {
			host_op_failed(self->runtime, "image_import", err);
			return error_wrap(err, "--import-images: %s", path);
		}
	}
	return 0;
}

/* ---- without an API server ---- */

static int refuse_call(void *server, const struct client_identity *who,
		       const struct client_request *request, struct client_answer *answer,
		       struct cox_error *err)
{
	(void)server;
	(void)who;
	(void)request;
	(void)answer;
	return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "this kubelet has no API server");
}

static void *refuse_watch(void *server, const struct client_identity *who,
			  const struct client_request *request, void (*wake)(void *waker),
			  void *waker, struct cox_error *err)
{
	(void)wake;
	(void)waker;
	refuse_call(server, who, request, NULL, err);
	return NULL;
}

static int no_event(void *server, void *watch, struct client_local_event *event,
		    struct cox_error *err)
{
	(void)watch;
	(void)event;
	return refuse_call(server, NULL, NULL, NULL, err);
}

static void no_close(void *server, void *watch)
{
	(void)server;
	(void)watch;
}

static void stand_alone(struct kubelet_daemon *self)
{
	static const struct client_local nobody = {NULL, refuse_call, refuse_watch, no_event,
						   no_close};
	static const struct client_identity me = {.user = "kubelet", .user_agent = "kubelet"};

	if (!self->config->runonce)
		log_warning("No API client: neither --api-servers nor a kubeconfig says where an "
			    "API server is, so only pods of --config and --manifest-url run");
	self->standalone = true;
	self->client = client_new_local(&nobody, &me);
}

static int connect_client(struct daemon *daemon, struct cox_error *err)
{
	struct kubelet_daemon *self = daemon->state;
	const struct kubelet_config *config = self->config;
	const char *path = config->kubeconfig;
	const char *server = config->api_servers.count ? config->api_servers.items[0] : NULL;
	static const char *const groups[] = {"system:nodes"};
	struct client_identity who = {.groups = groups, .group_count = 1, .user_agent = "kubelet"};
	cox_autobuf user = COX_BUF_INIT;

	/* The default name is where a file may be; one that was given must be there. */
	if (path && !flags_given(daemon->flags, "kubeconfig") && access(path, R_OK) != 0)
		path = NULL;
	client_module_directory(host_directory(daemon->host));
	if (config->runonce) {
		stand_alone(self);
		return 0;
	}
	if (!daemon->local && !daemon->server_socket && (!path || !*path) &&
	    (!server || !*server)) {
		stand_alone(self);
		return 0;
	}
	cox_buf_printf(&user, "system:node:%s", self->name);
	who.user = user.data;
	self->client = client_connect(daemon, path, server, &who, err);
	return self->client ? 0 : -1;
}

/* ---- --runonce ---- */

static void *run_once(void *context)
{
	struct kubelet_daemon *self = context;
	cox_autoerror err = COX_ERROR_INIT;

	if (run_once_wait(self->kubelet, clock_monotonic() + RUN_ONCE_LONGEST, &err) == 0) {
		log_info("--runonce: all pods run");
		daemon_stop();
	} else if (err.message) {
		log_error("--runonce: %s", error_text(&err));
		daemon_fail();
	}
	return NULL;
}

static int start_once(struct kubelet_daemon *self, struct cox_error *err)
{
	int failure = pthread_create(&self->once, NULL, run_once, self);

	self->once_runs = !failure;
	return failure ? error_errno(err, failure, "start the thread of --runonce") : 0;
}

static int start(struct daemon *daemon, struct cox_error *err)
{
	struct kubelet_daemon *self = daemon->state;
	struct kubelet_parts parts = {.config = self->config,
				      .runtime = self->runtime,
				      .network = self->network,
				      .volumes = self->volumes,
				      .volume_count = self->volume_count,
				      .port = self->config->enable_server && !self->config->runonce
						      ? (uint16_t)self->config->port
						      : 0};

	self->name = node_make_name(self->config, err);
	if (!self->name || volumes_make_directory(self->config->root_dir, 0750, err) ||
	    start_plugins(self, err) || import_images(self, err) || connect_client(daemon, err))
		return -1;
	parts.node_name = self->name;
	parts.client = self->client;
	parts.standalone = self->standalone;
	parts.kept_images = self->imported.items;
	parts.kept_image_count = self->imported.count;
	self->kubelet = kubelet_new(&parts, err);
	if (!self->kubelet || kubelet_start(self->kubelet, err))
		return -1;
	if (self->config->runonce)
		return start_once(self, err);
	self->server = kubelet_server_open(self->kubelet, err);
	if (!self->server)
		return -1;
	log_info("Starting kubelet for node %s with runtime %s", self->name,
		 host_name(self->runtime));
	return 0;
}

static void stop(struct daemon *daemon)
{
	struct kubelet_daemon *self = daemon->state;

	if (!self)
		return;
	kubelet_server_close(self->server);
	if (self->kubelet)
		kubelet_stop(self->kubelet);
	if (self->once_runs)
		pthread_join(self->once, NULL);
	kubelet_free(self->kubelet);
	for (size_t i = self->volume_count; i > 0; i--)
		host_close(self->volumes[i - 1]);
	host_close(self->network);
	host_close(self->runtime);
	client_free(self->client);
	cox_vec_free(&self->imported);
	arena_free(&self->arena);
	free(self->name);
	free(self);
	daemon->state = NULL;
}

const struct personality kubelet_personality = {
	.name = "kubelet",
	.description = "runs the pods of this node",
	.flags = kubelet_flags,
	.flag_count = &kubelet_flag_count,
	.config_size = sizeof(struct kubelet_config),
	.umask = 022,
	.env_file = KUBELET_ENV_FILE,
	.env_keys = kubelet_env_keys,
	.check = check,
	.prepare = prepare,
	.start = start,
	.stop = stop,
};
