/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of a store that owns its data; see the header. */
#include "engine.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/map.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)

struct outcome {
	enum cox_txn_result result;
	uint64_t revision;
	size_t index;
	enum cox_reason reason;
	char *why;
};

/* Transactions whose compares hold, and that the backend has not seen yet. */
struct group {
	COX_VEC(struct change) changes;
	struct cox_map latest; /* key -> position in changes + 1 */
	size_t bytes;
	size_t first; /* transaction */
	uint64_t revision;
	bool durable;
};

void engine_init(struct engine *engine, const struct cox_host *host, const struct backend *backend,
		 void *self, hub_read *read)
{
	pthread_condattr_t attributes;

	*engine = (struct engine){.host = host, .backend = backend, .self = self};
	hub_init(&engine->hub, host, read, self);
	pthread_mutex_init(&engine->write, NULL);
	pthread_mutex_init(&engine->sleep_lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&engine->sleep, &attributes);
	pthread_condattr_destroy(&attributes);
}

void engine_free(struct engine *engine)
{
	hub_free(&engine->hub);
	pthread_mutex_destroy(&engine->write);
	pthread_mutex_destroy(&engine->sleep_lock);
	pthread_cond_destroy(&engine->sleep);
}

void engine_begin(struct engine *engine, uint64_t revision, uint64_t compacted, uint64_t clock)
{
	uint64_t real = engine->host->realtime_ns();

	engine->revision = revision;
	engine->clock_start = real > clock ? real : clock;
	engine->monotonic_start = engine->host->monotonic_ns();
	hub_compact(&engine->hub, compacted);
	hub_advance(&engine->hub, revision, NULL, 0);
}

void engine_rejoin(struct engine *engine, uint64_t revision, uint64_t compacted)
{
	engine->revision = revision;
	hub_compact(&engine->hub, compacted);
	hub_rejoin(&engine->hub, revision);
}

uint64_t engine_clock(const struct engine *engine)
{
	return engine->clock_start + (engine->host->monotonic_ns() - engine->monotonic_start);
}

/* Checks */

static const char *check_key(struct cox_bytes key)
{
	if (key.size == 0)
		return "a key is empty";
	if (key.size > COX_STORAGE_KEY_MAX)
		return "a key is longer than 4096 bytes";
	return NULL;
}

static const char *check_unique(const struct cox_txn *txn)
{
	struct cox_map seen = COX_MAP_INIT;
	const char *wrong = NULL;

	if (txn->put_count + txn->delete_count < 2)
		return NULL;
	for (size_t i = 0; i < txn->put_count + txn->delete_count && !wrong; i++) {
		struct cox_bytes key =
			i < txn->put_count ? txn->puts[i].key : txn->deletes[i - txn->put_count];

		if (cox_map_put(&seen, key.data, key.size, &seen))
			wrong = "a key occurs twice";
	}
	cox_map_free(&seen);
	return wrong;
}

/* What is wrong with the transaction, or NULL. */
static const char *check_txn(const struct cox_txn *txn)
{
	const char *wrong = NULL;
	size_t bytes = 0;

	if (txn->put_count > COX_STORAGE_TXN_CHANGES_MAX ||
	    txn->delete_count > COX_STORAGE_TXN_CHANGES_MAX - txn->put_count)
		return "it has more than 4096 changes";
	if (txn->compare_count > COX_STORAGE_TXN_CHANGES_MAX)
		return "it has more than 4096 compares";
	if (txn->durability > COX_RELAXED)
		return "its durability is not known";
	for (size_t i = 0; i < txn->compare_count && !wrong; i++)
		wrong = check_key(txn->compares[i].key);
	for (size_t i = 0; i < txn->delete_count && !wrong; i++)
		wrong = check_key(txn->deletes[i]);
	for (size_t i = 0; i < txn->put_count && !wrong; i++) {
		wrong = check_key(txn->puts[i].key);
		if (txn->puts[i].value.size > COX_STORAGE_VALUE_MAX)
			return "a value is larger than 16 MiB";
		bytes += txn->puts[i].key.size + txn->puts[i].value.size;
	}
	if (!wrong && bytes > COX_STORAGE_TXN_BYTES_MAX)
		return "it is larger than 64 MiB";
	return wrong ? wrong : check_unique(txn);
}

/* Transactions */

static void set_failed(struct outcome *outcome, enum cox_txn_result result, enum cox_reason reason,
		       const char *why)
{
	free(outcome->why);
	*outcome = (struct outcome){.result = result, .reason = reason, .why = cox_strdup(why)};
}

static int find_version(struct engine *engine, const struct group *group, struct cox_bytes key,
			struct version *version, struct fault *fault)
{
	uintptr_t at = (uintptr_t)cox_map_get(&group->latest, key.data, key.size);

	if (at) {
		*version = group->changes.items[at - 1].now;
		return 0;
	}
	return engine->backend->lookup(engine->self, key, version, fault);
}

/* 1: they hold, 0: conflict (outcome filled), -1: fault. */
static int judge(struct engine *engine, const struct group *group, const struct cox_txn *txn,
		 struct outcome *outcome, struct fault *fault)
{
	for (size_t i = 0; i < txn->compare_count; i++) {
		struct version version;
		uint64_t revision;

		if (find_version(engine, group, txn->compares[i].key, &version, fault))
			return -1;
		revision = version.deleted ? 0 : version.revision;
		if (revision == txn->compares[i].revision)
			continue;
		*outcome = (struct outcome){
			.result = COX_TXN_CONFLICT, .revision = revision, .index = i};
		return 0;
	}
	return 1;
}

static void add_change(struct group *group, const struct change *change)
{
	cox_vec_push(&group->changes, *change);
	cox_map_put(&group->latest, change->key.data, change->key.size,
		    (void *)(uintptr_t)group->changes.count);
	group->bytes += change->key.size + change->value.size;
}

/* Adds the changes of one transaction to the group; fault: adds none. */
static int collect(struct engine *engine, struct group *group, const struct cox_txn *txn,
		   struct outcome *outcome, struct fault *fault)
{
	struct change change = {.now.revision = group->revision + 1};
	size_t count = txn->put_count + txn->delete_count;
	COX_VEC(struct change) changes = {0};

	for (size_t i = 0; i < count; i++) {
		const struct cox_put *put = i < txn->put_count ? &txn->puts[i] : NULL;

		change.key = put ? put->key : txn->deletes[i - txn->put_count];
		if (find_version(engine, group, change.key, &change.before, fault)) {
			cox_vec_free(&changes);
			return -1;
		}
		if (!put && (change.before.revision == 0 || change.before.deleted))
			continue;
		change.value = put ? put->value : (struct cox_bytes){NULL, 0};
		change.now.deleted = !put;
		change.now.tag = put ? put->tag : 0;
		change.now.size = change.value.size;
		change.now.expires = 0;
		if (put && put->ttl_seconds)
			change.now.expires = engine_clock(engine) + put->ttl_seconds * SECOND;
		cox_vec_push(&changes, change);
		change.now.index++;
	}
	for (size_t i = 0; i < changes.count; i++)
		add_change(group, &changes.items[i]);
	if (changes.count) {
		group->revision++;
		if (txn->durability == COX_DURABLE)
			group->durable = true;
	}
	cox_vec_free(&changes);
	*outcome = (struct outcome){.result = COX_TXN_COMMITTED, .revision = group->revision};
	return 0;
}

/* Hands the group to the backend and empties it; `end` is the next transaction. */
static int flush_group(struct engine *engine, struct group *group, struct outcome *outcomes,
		       size_t end, struct fault *fault)
{
	int failed = 0;

	if (group->changes.count) {
		failed = engine->backend->apply(engine->self, group->changes.items,
						group->changes.count, group->durable, fault);
		if (!failed) {
			engine->revision = group->revision;
			hub_advance(&engine->hub, engine->revision, group->changes.items,
				    group->changes.count);
		}
	}
	/* Conflicts may rest on changes that did not happen: they fail as well. */
	for (size_t i = group->first; failed && i < end; i++)
		if (outcomes[i].result != COX_TXN_FAILED)
			set_failed(&outcomes[i],
				   fault->unknown && outcomes[i].result == COX_TXN_COMMITTED
					   ? COX_TXN_UNKNOWN
					   : COX_TXN_FAILED,
				   fault->reason, fault->text);
	cox_vec_free(&group->changes);
	cox_map_free(&group->latest);
	*group = (struct group){.first = end, .revision = engine->revision};
	return failed;
}

static void run_txns(struct engine *engine, const struct cox_txn *txns, size_t count,
		     struct outcome *outcomes)
{
	struct group group = {.revision = engine->revision};
	struct fault fault = {0};
	bool broken = false;

	for (size_t i = 0; i < count; i++) {
		const char *wrong = check_txn(&txns[i]);
		int holds;

		if (wrong) {
			set_failed(&outcomes[i], COX_TXN_FAILED, COX_REASON_INVALID, wrong);
			continue;
		}
		if (broken) {
			set_failed(&outcomes[i], COX_TXN_FAILED, fault.reason, fault.text);
			continue;
		}
		holds = judge(engine, &group, &txns[i], &outcomes[i], &fault);
		if (holds > 0)
			holds = collect(engine, &group, &txns[i], &outcomes[i], &fault);
		if (holds < 0)
			set_failed(&outcomes[i], COX_TXN_FAILED, fault.reason, fault.text);
		if (group.bytes >= ENGINE_GROUP_BYTES)
			broken = flush_group(engine, &group, outcomes, i + 1, &fault) != 0;
	}
	flush_group(engine, &group, outcomes, count, &fault);
}

/* The shortest ttl among the puts; 0: none has one. */
static uint32_t shortest_ttl(const struct cox_txn *txns, size_t count)
{
	uint32_t shortest = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t put = 0; put < txns[i].put_count; put++) {
			uint32_t ttl = txns[i].puts[put].ttl_seconds;

			if (ttl && (!shortest || ttl < shortest))
				shortest = ttl;
		}
	return shortest;
}

int engine_submit(struct engine *engine, const struct cox_txn *txns, size_t count,
		  const struct cox_txn_sink *sink)
{
	cox_autofree struct outcome *outcomes = cox_calloc(count ? count : 1, sizeof(*outcomes));
	uint32_t ttl;

	pthread_mutex_lock(&engine->write);
	run_txns(engine, txns, count, outcomes);
	pthread_mutex_unlock(&engine->write);
	ttl = shortest_ttl(txns, count);
	if (ttl)
		engine_wake_at(engine, engine->host->monotonic_ns() + ttl * SECOND);
	for (size_t i = 0; i < count; i++) {
		sink->done(sink, txns[i].cookie, outcomes[i].result, outcomes[i].revision,
			   outcomes[i].index, outcomes[i].reason, outcomes[i].why);
		free(outcomes[i].why);
	}
	return 0;
}

int engine_check_at(struct engine *engine, uint64_t *at, struct cox_error *err)
{
	uint64_t revision, compacted;

	hub_position(&engine->hub, &revision, &compacted);
	if (*at == 0)
		*at = revision;
	if (*at > revision)
		return engine->host->fail(err, COX_REASON_TIMEOUT,
					  "revision %llu is in the future; the newest is %llu",
					  (unsigned long long)*at, (unsigned long long)revision);
	if (*at < compacted)
		return engine->host->fail(err, COX_REASON_EXPIRED,
					  "revision %llu has been compacted; the oldest is %llu",
					  (unsigned long long)*at, (unsigned long long)compacted);
	return 0;
}

int engine_check_compact(struct engine *engine, uint64_t revision, struct cox_error *err)
{
	uint64_t newest, compacted;

	hub_position(&engine->hub, &newest, &compacted);
	if (revision > newest)
		return engine->host->fail(err, COX_REASON_INVALID,
					  "revision %llu is in the future; the newest is %llu",
					  (unsigned long long)revision, (unsigned long long)newest);
	return revision > compacted;
}

/* Expiry */

/* Deletes what has ended, each key under a revision of its own. */
static uint64_t expire(struct engine *engine)
{
	cox_autofree struct expired *ended = cox_calloc(ENGINE_EXPIRE_MAX, sizeof(*ended));
	struct fault fault = {0};
	struct group group;
	uint64_t now, next = 0;
	size_t count;
	cox_lock_scope(&engine->write);

	now = engine_clock(engine);
	count = engine->backend->expired(engine->self, now, ended, ENGINE_EXPIRE_MAX, &next);
	group = (struct group){.revision = engine->revision};
	for (size_t i = 0; i < count; i++) {
		struct cox_bytes key = {ended[i].key.data, ended[i].key.size};
		struct cox_txn txn = {
			.deletes = &key, .delete_count = 1, .durability = COX_RELAXED};
		struct outcome outcome;
		struct version version;

		if (!engine->backend->lookup(engine->self, key, &version, &fault) &&
		    version.revision == ended[i].revision)
			(void)collect(engine, &group, &txn, &outcome, &fault);
	}
	/* What fails is tried again; what ends soon is gathered, for an idle machine's sake. */
	if (flush_group(engine, &group, NULL, 0, &fault) || (next && next < now + SECOND))
		next = now + SECOND;
	else if (count == ENGINE_EXPIRE_MAX)
		next = now;
	for (size_t i = 0; i < count; i++)
		cox_buf_free(&ended[i].key);
	/* From the engine's clock to the monotonic one. */
	return next ? next - engine->clock_start + engine->monotonic_start : 0;
}

static bool sleep_until(struct engine *engine, uint64_t when)
{
	struct timespec until = {(time_t)(when / SECOND), (long)(when % SECOND)};
	int late = 0;
	cox_lock_scope(&engine->sleep_lock);

	engine->planned = when;
	while (!engine->kicked && !engine->stopping && late != ETIMEDOUT) {
		if (when)
			late = pthread_cond_timedwait(&engine->sleep, &engine->sleep_lock, &until);
		else
			pthread_cond_wait(&engine->sleep, &engine->sleep_lock);
	}
	engine->kicked = false;
	engine->planned = 0;
	return !engine->stopping;
}

static void *engine_run(void *argument)
{
	struct engine *engine = argument;
	uint64_t when;

	do {
		uint64_t tick = 0;

		when = expire(engine);
		if (engine->backend->tick)
			tick = engine->backend->tick(engine->self, engine->host->monotonic_ns());
		if (tick && (!when || tick < when))
			when = tick;
	} while (sleep_until(engine, when));
	return NULL;
}

int engine_start(struct engine *engine, struct cox_error *err)
{
	int failed = quiet_thread(&engine->thread, engine_run, engine);

	if (failed)
		return engine->host->fail(err, COX_REASON_INTERNAL_ERROR,
					  "cannot start the thread of the store: %s",
					  strerror(failed));
	engine->running = true;
	return 0;
}

void engine_stop(struct engine *engine)
{
	if (!engine->running)
		return;
	pthread_mutex_lock(&engine->sleep_lock);
	engine->stopping = true;
	pthread_cond_signal(&engine->sleep);
	pthread_mutex_unlock(&engine->sleep_lock);
	pthread_join(engine->thread, NULL);
	engine->running = false;
	engine->stopping = false;
}

void engine_wake_at(struct engine *engine, uint64_t when)
{
	cox_lock_scope(&engine->sleep_lock);

	if (engine->planned && engine->planned <= when)
		return;
	engine->kicked = true;
	pthread_cond_signal(&engine->sleep);
}
