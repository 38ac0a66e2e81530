/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leader election. The Lease is read, changed and put back with its
 * resourceVersion, so of two who write only one succeeds.
 *
 * Lock: `mutex` over `held_until` and `stopping`; all else belongs to the
 * election's thread.
 */
#include "client/leader.h"

#include "base/clock.h"
#include "base/log.h"
#include "client/identity.h"
#include "machinery/json.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

struct leader {
	struct client *client;
	struct leader_config config;
	char *namespace, *name, *identity;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	pthread_t thread;
	uint64_t held_until; /* 0: not the leader */
	bool stopping;
	/* what was last seen of somebody else's Lease, and when on our clock */
	struct cox_buf seen;
	uint64_t seen_at;
};

/* The Lease as it was read; the texts live in the arena. */
struct lease {
	struct arena arena;
	struct value *tree; /* NULL: there is none */
	const char *holder;
	const char *revision;
	int64_t duration_seconds;
	int64_t transitions;
	const char *acquired;
};

static int lease_call(struct leader *leader, enum client_verb verb, const struct cox_buf *body,
		      struct client_answer *answer, struct cox_error *err)
{
	const struct client_request request = {
		.verb = verb,
		.group = "coordination.k8s.io",
		.version = "v1",
		.resource = "leases",
		.namespace = leader->namespace,
		.name = verb == CLIENT_CREATE ? NULL : leader->name,
		.body = body ? body->data : NULL,
		.body_size = body ? body->size : 0,
		.deadline = clock_monotonic() + leader->config.renew_deadline / 2,
	};

	return client_call(leader->client, &request, answer, err);
}

/* 0 also if there is no Lease. */
static int lease_read(struct leader *leader, struct lease *lease, struct cox_error *err)
{
	cox_autoanswer answer = CLIENT_ANSWER_INIT;
	const struct value *spec;

	if (lease_call(leader, CLIENT_GET, NULL, &answer, err)) {
		if (!err || err->reason != COX_REASON_NOT_FOUND)
			return -1;
		error_clear(err);
		return 0;
	}
	lease->tree = json_parse(&lease->arena, answer.body.data, answer.body.size, NULL, err);
	if (!lease->tree)
		return -1;
	spec = value_get(lease->tree, "spec");
	lease->holder = value_get_text(spec, "holderIdentity");
	lease->revision = value_text(value_path(lease->tree, "metadata.resourceVersion"));
	lease->duration_seconds = value_get_int(spec, "leaseDurationSeconds", 0);
	lease->transitions = value_get_int(spec, "leaseTransitions", 0);
	lease->acquired = value_get_text(spec, "acquireTime");
	return 0;
}

/* `holder` "" gives the Lease back. */
static int lease_write(struct leader *leader, const struct lease *lease, const char *holder,
		       struct cox_error *err)
{
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);
	bool ours = lease->tree && !strcmp(lease->holder, leader->identity);
	bool renewal = ours && *holder;
	uint64_t seconds = *holder ? leader->config.duration / CLOCK_SECOND : 1;
	char now[CLOCK_RFC3339_SIZE];

	clock_format_micro(clock_realtime(), now);
	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", "Lease");
	cox_json_text(&json, "apiVersion", "coordination.k8s.io/v1");
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "name", leader->name);
	cox_json_text(&json, "namespace", leader->namespace);
	if (lease->tree)
		cox_json_text_set(&json, "resourceVersion", lease->revision);
	cox_json_end(&json);
	cox_json_object(&json, "spec");
	cox_json_text_set(&json, "holderIdentity", holder); /* "": given back */
	cox_json_int(&json, "leaseDurationSeconds", (int64_t)(seconds ? seconds : 1));
	cox_json_text(&json, "acquireTime", renewal && *lease->acquired ? lease->acquired : now);
	cox_json_text(&json, "renewTime", now);
	cox_json_int(&json, "leaseTransitions",
		     lease->tree && !ours ? lease->transitions + 1 : lease->transitions);
	cox_json_end(&json);
	cox_json_end(&json);
	return lease_call(leader, lease->tree ? CLIENT_UPDATE : CLIENT_CREATE, &body, NULL, err);
}

/*
 * Whether somebody else holds it: as long as it changes often enough. One that
 * has ended on this machine is not waited for.
 */
static bool held_by_other(struct leader *leader, const struct lease *lease)
{
	uint64_t now = clock_monotonic();

	if (!lease->tree || !*lease->holder || !strcmp(lease->holder, leader->identity))
		return false;
	if (strcmp(cox_buf_cstr(&leader->seen), lease->revision) != 0) {
		cox_buf_clear(&leader->seen);
		cox_buf_str(&leader->seen, lease->revision);
		leader->seen_at = now;
	}
	if (identity_has_ended(lease->holder))
		return false;
	return now - leader->seen_at < (uint64_t)lease->duration_seconds * CLOCK_SECOND;
}

/* One try to get or keep the Lease: 0 if it is ours now. */
static int try_once(struct leader *leader, struct cox_error *err)
{
	struct lease lease = {.holder = "", .revision = "", .acquired = ""};
	uint64_t before = clock_monotonic();
	int failed = lease_read(leader, &lease, err);

	if (!failed && held_by_other(leader, &lease))
		failed = error_set(err, COX_REASON_CONFLICT, "the lease is held by %s",
				   lease.holder);
	if (!failed)
		failed = lease_write(leader, &lease, leader->identity, err);
	arena_free(&lease.arena);
	if (failed)
		return -1;
	cox_lock_scope(&leader->mutex);
	leader->held_until = before + leader->config.duration;
	return 0;
}

static void give_back(struct leader *leader)
{
	struct lease lease = {.holder = "", .revision = "", .acquired = ""};
	cox_autoerror err = COX_ERROR_INIT;

	if (lease_read(leader, &lease, &err) ||
	    (lease.tree && !strcmp(lease.holder, leader->identity) &&
	     lease_write(leader, &lease, "", &err)))
		log_warning("lease %s was not given back: %s", leader->name, error_text(&err));
	arena_free(&lease.arena);
}

/* False: it is time to stop. */
static bool pause_for(struct leader *leader, uint64_t time)
{
	uint64_t until = clock_monotonic() + time;
	struct timespec when = {.tv_sec = (time_t)(until / CLOCK_SECOND),
				.tv_nsec = (long)(until % CLOCK_SECOND)};

	cox_lock_scope(&leader->mutex);
	while (!leader->stopping && clock_monotonic() < until)
		pthread_cond_timedwait(&leader->changed, &leader->mutex, &when);
	return !leader->stopping;
}

/* Candidates come at times that differ, so that they do not disturb each other. */
static uint64_t with_jitter(uint64_t time)
{
	uint64_t number = 0;

	while (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		;
	return time + number % (time / 5 + 1);
}

static bool become_leader(struct leader *leader)
{
	for (;;) {
		cox_autoerror err = COX_ERROR_INIT;

		if (!try_once(leader, &err))
			return true;
		log_verbose(err.reason == COX_REASON_CONFLICT ? 4 : 1, "lease %s: %s", leader->name,
			    error_text(&err));
		if (!pause_for(leader, with_jitter(leader->config.retry)))
			return false;
	}
}

/* Renews until it cannot (true) or is told to stop (false). */
static bool stay_leader(struct leader *leader)
{
	uint64_t renewed = clock_monotonic();

	while (pause_for(leader, leader->config.retry)) {
		cox_autoerror err = COX_ERROR_INIT;
		uint64_t before = clock_monotonic();

		if (!try_once(leader, &err)) {
			renewed = before;
			continue;
		}
		if (clock_monotonic() - renewed < leader->config.renew_deadline)
			continue;
		log_error("lease %s is lost: %s", leader->name, error_text(&err));
		return true;
	}
	return false;
}

static void *leader_run(void *argument)
{
	struct leader *leader = argument;

	while (become_leader(leader)) {
		log_info("%s is the leader of %s", leader->identity, leader->name);
		leader->config.elected(leader->config.context);
		if (!stay_leader(leader))
			break;
		{
			cox_lock_scope(&leader->mutex);
			leader->held_until = 0;
		}
		leader->config.lost(leader->config.context);
	}
	return NULL;
}

struct leader *leader_new(struct client *client, const struct leader_config *config,
			  struct cox_error *err)
{
	struct leader *leader = cox_new(struct leader);
	pthread_condattr_t attributes;
	int failed;

	leader->client = client;
	leader->config = *config;
	if (!config->duration)
		leader->config.duration = 15 * CLOCK_SECOND;
	if (!config->renew_deadline)
		leader->config.renew_deadline = 10 * CLOCK_SECOND;
	if (!config->retry)
		leader->config.retry = 2 * CLOCK_SECOND;
	leader->namespace = cox_strdup(config->namespace);
	leader->name = cox_strdup(config->name);
	leader->identity = config->identity ? cox_strdup(config->identity) : identity_make();
	pthread_mutex_init(&leader->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&leader->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	failed = pthread_create(&leader->thread, NULL, leader_run, leader);
	if (!failed)
		return leader;
	error_errno(err, failed, "start the leader election");
	pthread_cond_destroy(&leader->changed);
	pthread_mutex_destroy(&leader->mutex);
	free(leader->namespace);
	free(leader->name);
	free(leader->identity);
	free(leader);
	return NULL;
}

bool leader_is(struct leader *leader)
{
	cox_lock_scope(&leader->mutex);
	return leader->held_until > clock_monotonic();
}

const char *leader_identity(const struct leader *leader)
{
	return leader->identity;
}

void leader_free(struct leader *leader)
{
	if (!leader)
		return;
	pthread_mutex_lock(&leader->mutex);
	leader->stopping = true;
	pthread_cond_broadcast(&leader->changed);
	pthread_mutex_unlock(&leader->mutex);
	pthread_join(leader->thread, NULL);
	if (leader_is(leader))
		give_back(leader);
	cox_buf_free(&leader->seen);
	pthread_cond_destroy(&leader->changed);
	pthread_mutex_destroy(&leader->mutex);
	free(leader->namespace);
	free(leader->name);
	free(leader->identity);
	free(leader);
}
