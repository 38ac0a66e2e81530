/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon around the scheduler.
 *
 * Lock: manager.mutex, so that an election that is won while the daemon stops
 * starts nothing any more.
 */
#include "scheduler/manager.h"

#include "base/log.h"
#include "client/connect.h"
#include "client/leader.h"
#include "net/health.h"
#include "scheduler/flags.h"
#include "scheduler/scheduler.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <string.h>

static const char *const providers[] = {"DefaultProvider"};

struct manager {
	struct chain *chain; /* prepared, not in use yet */
	struct client *client;
	struct scheduler *scheduler;
	struct leader *leader;
	struct health *health;
	char *name; /* of the pods' scheduler */
	pthread_mutex_t mutex;
	bool running;
	bool stopping;
};

/* ---- the chain ---- */

static int check_provider(const char *name, struct cox_error *err)
{
	const char *meant;

	for (size_t i = 0; i < sizeof(providers) / sizeof(providers[0]); i++) {
		if (!strcmp(name, providers[i]))
			return 0;
	}
	meant = cox_nearest(name, providers, sizeof(providers) / sizeof(providers[0]));
	return error_set(err, COX_REASON_INVALID,
			 meant ? "--algorithm-provider: plugin \"%s\" has not been registered (did "
				 "you mean \"%s\"?)"
			       : "--algorithm-provider: plugin \"%s\" has not been registered",
			 name, meant);
}

static int choose_parts(struct chain *chain, const struct scheduler_config *config,
			struct cox_error *err)
{
	cox_auto(policy_free) struct policy policy = POLICY_INIT;
	const char *path = config->policy_config_file;
	bool found = false;

	if (path && *path) {
		if (policy_read(&policy, path, &found, err))
			return error_wrap(err, "--policy-config-file");
		if (!found)
			log_warning("--policy-config-file: %s does not exist: %s is used", path,
				    config->algorithm_provider);
	}
	return chain_choose(chain, found ? &policy : NULL, err);
}

static int open_plugins(struct daemon *daemon, struct chain *chain, struct cox_error *err)
{
	const struct scheduler_config *config = daemon->config;

	for (size_t i = 0; i < config->scheduler_plugins.count; i++) {
		struct host_plugin *plugin = NULL;
		struct chain_member member;

		if (daemon_open_plugin(daemon, "scheduler", config->scheduler_plugins.items[i],
				       "scheduler-plugins", &plugin, err))
			return -1;
		if (!plugin)
			continue;
		member = (struct chain_member){host_name(plugin), host_ops(plugin),
					       host_self(plugin), plugin};
		if (chain_add(chain, &member, err)) {
			host_close(plugin);
			return -1;
		}
		if (host_configure(plugin, err))
			return -1;
	}
	if (chain->member_count)
		return 0;
	return error_set(err, COX_REASON_INVALID, "--scheduler-plugins names no plugin");
}

static struct chain *make_chain(struct daemon *daemon, struct cox_error *err)
{
	const struct scheduler_config *config = daemon->config;
	struct chain *chain = chain_new();

	if (!check_provider(config->algorithm_provider, err) && !open_plugins(daemon, chain, err) &&
	    !choose_parts(chain, config, err))
		return chain;
	chain_free(chain);
	return NULL;
}

/* ---- life ---- */

static int manager_prepare(struct daemon *daemon, struct cox_error *err)
{
	struct manager *manager = cox_new(struct manager);

	daemon->state = manager;
	pthread_mutex_init(&manager->mutex, NULL);
	manager->chain = make_chain(daemon, err);
	return manager->chain ? 0 : -1;
}

static int connect_client(struct daemon *daemon, struct cox_error *err)
{
	static const struct client_identity who = {.user = "system:kube-scheduler",
						   .user_agent = "kube-scheduler"};
	const struct scheduler_config *config = daemon->config;
	struct manager *manager = daemon->state;

	manager->client = client_connect(daemon, config->kubeconfig, config->master, &who, err);
	return manager->client ? 0 : -1;
}

static void on_elected(void *context)
{
	struct manager *manager = context;
	cox_autoerror err = COX_ERROR_INIT;

	cox_lock_scope(&manager->mutex);
	if (manager->stopping || manager->running)
		return;
	manager->running = true;
	if (scheduler_start(manager->scheduler, &err)) {
		log_error("%s", error_text(&err));
		daemon_stop();
	}
}

static void on_lost(void *context)
{
	(void)context;
	log_error("another one may be the leader now: stopping");
	daemon_stop();
}

static int start_work(struct manager *manager, const struct scheduler_config *config,
		      struct cox_error *err)
{
	const struct leader_config election = {
		.namespace = "kube-system",
		.name = "kube-scheduler",
		.duration = config->leader_elect_lease_duration,
		.renew_deadline = config->leader_elect_renew_deadline,
		.retry = config->leader_elect_retry_period,
		.elected = on_elected,
		.lost = on_lost,
		.context = manager,
	};

	if (!config->leader_elect)
		return scheduler_start(manager->scheduler, err);
	manager->leader = leader_new(manager->client, &election, err);
	return manager->leader ? 0 : -1;
}

static bool is_ready(void *context)
{
	return scheduler_synced(((struct manager *)context)->scheduler);
}

static int open_health(struct manager *manager, const struct scheduler_config *config,
		       struct cox_error *err)
{
	const struct health_config health = {.address = config->address,
					     .port = (uint16_t)config->port,
					     .ready = is_ready,
					     .context = manager,
					     .unready = "the copies of pods and nodes are not "
							"complete\n"};

	manager->health = health_open(&health, err);
	return manager->health ? 0 : error_wrap(err, "--address and --port");
}

static int manager_start(struct daemon *daemon, struct cox_error *err)
{
	const struct scheduler_config *config = daemon->config;
	struct manager *manager = daemon->state;
	struct scheduler_options options = {.bind_qps = config->bind_pods_qps,
					    .bind_burst = config->bind_pods_burst};

	if (connect_client(daemon, err))
		return -1;
	manager->name = cox_strdup(config->scheduler_name);
	options.name = manager->name;
	manager->scheduler = scheduler_new(manager->client, &options, err);
	if (!manager->scheduler ||
	    scheduler_use(manager->scheduler, cox_steal(manager->chain), err))
		return -1;
	if (config->port && open_health(manager, config, err))
		return -1;
	return start_work(manager, config, err);
}

/* The same plugins and policy, or others, as the files say now. */
static int manager_reload(struct daemon *daemon, struct cox_error *err)
{
	struct manager *manager = daemon->state;
	struct chain *chain = make_chain(daemon, err);

	if (!chain || scheduler_use(manager->scheduler, chain, err))
		return -1;
	log_info("Scheduler plugins and policy were loaded again");
	return 0;
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
	scheduler_free(manager->scheduler);
	leader_free(manager->leader); /* given back only when no work is under way */
	chain_free(manager->chain);
	client_free(manager->client);
	pthread_mutex_destroy(&manager->mutex);
	free(manager->name);
	free(manager);
	daemon->state = NULL;
}

static int manager_check(struct daemon *daemon, struct cox_error *err)
{
	const struct scheduler_config *config = daemon->config;

	if (config->leader_elect &&
	    (config->leader_elect_lease_duration <= config->leader_elect_renew_deadline ||
	     config->leader_elect_renew_deadline <= config->leader_elect_retry_period))
		return error_set(err, COX_REASON_INVALID,
				 "--leader-elect-lease-duration must be longer than "
				 "--leader-elect-renew-deadline, and that longer than "
				 "--leader-elect-retry-period");
	return 0;
}

const struct personality scheduler_personality = {
	.name = "kube-scheduler",
	.description = "gives every pod a node",
	.flags = scheduler_flags,
	.flag_count = &scheduler_flag_count,
	.config_size = sizeof(struct scheduler_config),
	.env_file = SCHEDULER_ENV_FILE,
	.env_keys = scheduler_env_keys,
	.check = manager_check,
	.prepare = manager_prepare,
	.start = manager_start,
	.reload = manager_reload,
	.stop = manager_stop,
};
