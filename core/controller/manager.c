/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon around the controllers.
 *
 * Lock: manager.mutex, so that an election that is won while the daemon stops
 * starts nothing any more.
 */
#include "controller/manager.h"

#include "base/log.h"
#include "client/connect.h"
#include "client/leader.h"
#include "controller/cloud.h"
#include "controller/controller.h"
#include "controller/flags.h"
#include "controller/options.h"
#include "host/host.h"
#include "net/health.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* On by default, in the order in which they are started. */
/* clang-format off */
static const char *const by_default[] = {
	"serviceaccount",
	"namespace",
	"endpoints",
	"endpointslice",
	"garbagecollector",
	"node",
	"persistentvolume",
	"podgc",
	"resourcequota",
	"service",
	"cloudnode",
	"ephemeralvolume",
	"volumeprotection",
	"replication",
};
/* clang-format on */

/* Names by which others know a controller of ours. */
static const struct {
	const char *name, *ours;
} aliases[] = {
	{"replicationcontroller", "replication"},
	{"replicationcontroller-controller", "replication"},
	{"serviceaccount-controller", "serviceaccount"},
	{"root-ca-certificate-publisher-controller", "serviceaccount"},
	{"root-ca-cert-publisher", "serviceaccount"},
	{"serviceaccount-token", "serviceaccount"},
	{"serviceaccount-token-controller", "serviceaccount"},
	{"namespace-controller", "namespace"},
	{"endpoint", "endpoints"},
	{"endpoints-controller", "endpoints"},
	{"endpointslice-controller", "endpointslice"},
	{"endpointslicemirroring", "endpointslice"},
	{"endpointslice-mirroring-controller", "endpointslice"},
	{"garbage-collector-controller", "garbagecollector"},
	{"nodelifecycle", "node"},
	{"node-lifecycle-controller", "node"},
	{"nodeipam", "node"},
	{"node-ipam-controller", "node"},
	{"taint-eviction-controller", "node"},
	{"persistentvolume-binder", "persistentvolume"},
	{"persistentvolume-binder-controller", "persistentvolume"},
	{"ephemeral-volume", "ephemeralvolume"},
	{"ephemeral-volume-controller", "ephemeralvolume"},
	{"pvc-protection", "volumeprotection"},
	{"persistentvolumeclaim-protection-controller", "volumeprotection"},
	{"pv-protection", "volumeprotection"},
	{"persistentvolume-protection-controller", "volumeprotection"},
	{"podgc-controller", "podgc"},
	{"pod-garbage-collector-controller", "podgc"},
	{"resourcequota-controller", "resourcequota"},
	{"service-lb-controller", "service"},
	{"cloud-node-controller", "cloudnode"},
	{"cloud-node-lifecycle", "cloudnode"},
	{"cloud-node-lifecycle-controller", "cloudnode"},
};

struct manager {
	struct controller_manager_config *config;
	COX_VEC(struct host_plugin *) plugins;
	size_t started_plugins;
	struct cloud cloud;
	struct client *client;
	struct controllers *controllers;
	struct leader *leader;
	struct health *health;
	pthread_mutex_t mutex;
	bool running;
	bool stopping;
};

/* ---- which controllers ---- */

static const char *our_name(const char *name)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (!strcmp(aliases[i].name, name))
			return aliases[i].ours;
	}
	return name;
}

static bool list_has(const struct flag_list *list, const char *sign, const char *name)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *item = list->items[i];
		size_t size = strlen(sign);

		if (!strncmp(item, sign, size) && !strcmp(our_name(item + size), name))
			return true;
	}
	return false;
}

static void choose(struct controller_names *chosen, const char *name)
{
	for (size_t i = 0; i < chosen->count; i++) {
		if (!strcmp(chosen->items[i], name))
			return;
	}
	cox_vec_push(chosen, name);
}

void controller_names_choose(const struct flag_list *flag, struct controller_names *chosen)
{
	for (size_t i = 0; i < sizeof(by_default) / sizeof(by_default[0]); i++) {
		if (list_has(flag, "", "*") && !list_has(flag, "-", by_default[i]))
			choose(chosen, by_default[i]);
	}
	for (size_t i = 0; i < flag->count; i++) {
		const char *name = our_name(flag->items[i]);

		if (*name && *name != '-' && strcmp(name, "*") != 0 && !list_has(flag, "-", name))
			choose(chosen, name);
	}
}

/* ---- life ---- */

static int open_plugin(struct daemon *daemon, const char *name, struct cox_error *err)
{
	struct manager *manager = daemon->state;
	struct host_plugin *plugin = NULL;

	if (daemon_open_plugin(daemon, "controller", name, "controllers", &plugin, err))
		return -1;
	if (!plugin)
		return 0;
	cox_vec_push(&manager->plugins, plugin);
	if (controller_options_set(plugin, manager->config, err))
		return -1;
	return host_configure(plugin, err);
}

static int manager_prepare(struct daemon *daemon, struct cox_error *err)
{
	struct manager *manager = cox_new(struct manager);
	struct controller_names names = {0};
	int failed = 0;

	daemon->state = manager;
	manager->config = daemon->config;
	pthread_mutex_init(&manager->mutex, NULL);
	if (cloud_open(&manager->cloud, daemon, manager->config, err))
		return -1;
	controller_names_choose(&manager->config->controllers, &names);
	for (size_t i = 0; i < names.count && !failed; i++)
		failed = open_plugin(daemon, names.items[i], err);
	cox_vec_free(&names);
	return failed;
}

static int connect_client(struct daemon *daemon, struct cox_error *err)
{
	static const struct client_identity who = {.user = "system:kube-controller-manager",
						   .user_agent = "kube-controller-manager"};
	struct manager *manager = daemon->state;

	manager->client = client_connect(daemon, manager->config->kubeconfig,
					 manager->config->master, &who, err);
	return manager->client ? 0 : -1;
}

static int add_controllers(struct manager *manager, struct cox_error *err)
{
	for (size_t i = 0; i < manager->plugins.count; i++) {
		struct host_plugin *plugin = manager->plugins.items[i];
		const struct controller_plugin added = {.name = host_name(plugin),
							.ops = host_ops(plugin),
							.self = host_self(plugin),
							.plugin = plugin,
							.cloud = cloud_table(&manager->cloud)};

		if (host_get_ready(plugin, err) ||
		    controllers_add(manager->controllers, &added, err) || host_start(plugin, err))
			return -1;
		manager->started_plugins = i + 1;
	}
	return 0;
}

static void on_elected(void *context)
{
	struct manager *manager = context;
	cox_autoerror err = COX_ERROR_INIT;

	cox_lock_scope(&manager->mutex);
	if (manager->stopping || manager->running)
		return;
	manager->running = true;
	if (controllers_start(manager->controllers, &err)) {
		log_error("start the controllers: %s", error_text(&err));
		daemon_stop();
	}
}

static void on_lost(void *context)
{
	(void)context;
	log_error("another one may be the leader now: stopping");
	daemon_stop();
}

static int start_work(struct manager *manager, struct cox_error *err)
{
	const struct leader_config config = {
		.namespace = "kube-system",
		.name = "kube-controller-manager",
		.duration = manager->config->leader_elect_lease_duration,
		.renew_deadline = manager->config->leader_elect_renew_deadline,
		.retry = manager->config->leader_elect_retry_period,
		.elected = on_elected,
		.lost = on_lost,
		.context = manager,
	};

	if (!manager->config->leader_elect) {
		manager->running = true;
		return controllers_start(manager->controllers, err);
	}
	manager->leader = leader_new(manager->client, &config, err);
	return manager->leader ? 0 : -1;
}

static int open_health(struct manager *manager, struct cox_error *err)
{
	const struct health_config config = {.address = manager->config->address,
					     .port = (uint16_t)manager->config->port};

	if (!config.port)
		return 0;
	manager->health = health_open(&config, err);
	return manager->health ? 0 : error_wrap(err, "--address and --port");
}

static int manager_start(struct daemon *daemon, struct cox_error *err)
{
	struct manager *manager = daemon->state;

	if (connect_client(daemon, err) || open_health(manager, err))
		return -1;
	manager->controllers = controllers_new(manager->client, "kube-controller-manager", err);
	if (!manager->controllers || cloud_start(&manager->cloud, err) ||
	    add_controllers(manager, err))
		return -1;
	return start_work(manager, err);
}

static void manager_stop(struct daemon *daemon)
{
	struct manager *manager = daemon->state;

	if (!manager)
		return;
	pthread_mutex_lock(&manager->mutex);
	manager->stopping = true;
	pthread_mutex_unlock(&manager->mutex);
	health_close(manager->health);
	controllers_free(manager->controllers);
	leader_free(manager->leader); /* given back only when no work is under way */
	for (size_t i = manager->plugins.count; i > 0; i--)
		host_close(manager->plugins.items[i - 1]);
	cox_vec_free(&manager->plugins);
	cloud_close(&manager->cloud);
	client_free(manager->client);
	pthread_mutex_destroy(&manager->mutex);
	free(manager);
	daemon->state = NULL;
}

static int manager_check(struct daemon *daemon, struct cox_error *err)
{
	const struct controller_manager_config *config = daemon->config;

	if (config->leader_elect &&
	    (config->leader_elect_lease_duration <= config->leader_elect_renew_deadline ||
	     config->leader_elect_renew_deadline <= config->leader_elect_retry_period))
		return error_set(err, COX_REASON_INVALID,
				 "--leader-elect-lease-duration must be longer than "
				 "--leader-elect-renew-deadline, and that longer than "
				 "--leader-elect-retry-period");
	return 0;
}

const struct personality controller_manager_personality = {
	.name = "kube-controller-manager",
	.description = "runs the controllers, which bring the cluster towards what is wanted",
	.flags = controller_manager_flags,
	.flag_count = &controller_manager_flag_count,
	.config_size = sizeof(struct controller_manager_config),
	.env_file = CONTROLLER_MANAGER_ENV_FILE,
	.env_keys = controller_manager_env_keys,
	.check = manager_check,
	.prepare = manager_prepare,
	.start = manager_start,
	.stop = manager_stop,
};
