/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a store, and what is asked of it as a whole. */
#include "store/store.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/internal.h"

#include <coxswain/kit/alloc.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * This far the plugin's own history is replayed at the start, so that watches of
 * before the restart go on. Revisions are reserved in blocks of 2^20: one crash
 * makes a gap of that size that has no events in it.
 */
#define REPLAY_REVISIONS (UINT64_C(1) << 21)

static void fill_options(struct store_options *options)
{
	static const struct store_options defaults = {
		.prefix = "/registry/",
		.history_ns = 300 * CLOCK_SECOND,
		.batch_count = 256,
		.batch_bytes = 4 << 20,
		.queue_count = 8192,
		.queue_bytes = 64 << 20,
		.queue_delay_ns = CLOCK_SECOND,
		.visible_ns = 30 * CLOCK_SECOND,
		.waiter_count = 65536,
		.start_ns = 60 * CLOCK_SECOND,
	};

#define FILL(member) options->member = options->member ? options->member : defaults.member
	FILL(prefix);
	FILL(history_ns);
	FILL(batch_count);
	FILL(batch_bytes);
	FILL(queue_count);
	FILL(queue_bytes);
	FILL(queue_delay_ns);
	FILL(visible_ns);
	FILL(waiter_count);
	FILL(start_ns);
#undef FILL
}

struct store *store_create(const struct store_backend *backend, const struct store_options *options)
{
	struct store *store = cox_new(struct store);
	pthread_condattr_t monotonic;

	store->backend = *backend;
	if (options)
		store->options = *options;
	fill_options(&store->options);
	store->prefix = cox_strdup(store->options.prefix);
	store->options.prefix = store->prefix;
	pthread_mutex_init(&store->load_lock, NULL);
	pthread_mutex_init(&store->ingest_lock, NULL);
	pthread_mutex_init(&store->wake_lock, NULL);
	pthread_mutex_init(&store->lock, NULL);
	pthread_mutex_init(&store->queue_lock, NULL);
	pthread_cond_init(&store->queue_wake, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&store->keeper_wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return store;
}

void store_enter(struct store *store)
{
	if (store->backend.enter)
		store->backend.enter(store->backend.context);
}

void store_leave(struct store *store)
{
	if (store->backend.leave)
		store->backend.leave(store->backend.context);
}

struct cox_call store_call(uint64_t timeout_ns)
{
	return (struct cox_call){.struct_size = sizeof(struct cox_call),
				 .deadline_ns = clock_monotonic() + timeout_ns};
}

/* The revision to begin at: the oldest that the plugin can still tell of, or 0 for now. */
static uint64_t first_revision(struct store *store, uint64_t newest)
{
	struct cox_storage_stats stats = {0};
	cox_autoerror err = COX_ERROR_INIT;
	int failed;

	/* Without progress events nothing would tell that skipped revisions are passed. */
	if (!(store->capabilities & COX_STORAGE_AT_REVISION) ||
	    !(store->capabilities & COX_STORAGE_PROGRESS) || newest == 0)
		return 0;
	store_enter(store);
	failed = store->backend.ops->stats(store->backend.self, &stats, &err);
	store_leave(store);
	if (failed || stats.compact_revision == 0 || stats.compact_revision > newest ||
	    newest - stats.compact_revision > REPLAY_REVISIONS)
		return 0;
	return stats.compact_revision;
}

static uint64_t plugin_revision(struct store *store, struct cox_error *err)
{
	struct cox_call call = store_call(store->options.start_ns);
	uint64_t revision;

	store_enter(store);
	revision = store->backend.ops->revision(store->backend.self, &call, err);
	store_leave(store);
	return revision;
}

static int begin(struct store *store, uint64_t newest, struct cox_error *err)
{
	uint64_t first = first_revision(store, newest);

	if (load_everything(store, first, err) == 0)
		return 0;
	load_end_watch(store);
	/* Compacted in this moment, perhaps: begin with the present then. */
	if (first == 0 || !err || err->reason != COX_REASON_EXPIRED)
		return -1;
	error_clear(err);
	return load_everything(store, 0, err);
}

int store_start(struct store *store, struct cox_error *err)
{
	cox_autoerror local = COX_ERROR_INIT;
	struct cox_error *why = err ? err : &local;
	uint64_t newest;
	int failed;

	store_enter(store);
	store->capabilities = store->backend.ops->capabilities(store->backend.self);
	store_leave(store);
	newest = plugin_revision(store, why);
	if (newest == 0 && why->reason != COX_REASON_NONE)
		return error_wrap(why, "start the store");
	pthread_mutex_lock(&store->load_lock);
	failed = begin(store, newest, why);
	store->started = !failed;
	pthread_mutex_unlock(&store->load_lock);
	if (failed) {
		load_end_watch(store);
		return error_wrap(why, "start the store");
	}
	keeper_sample(store, clock_monotonic());
	failed = pthread_create(&store->keeper, NULL, keeper_run, store);
	if (!failed) {
		failed = pthread_create(&store->committer, NULL, committer_run, store);
		if (failed) {
			pthread_mutex_lock(&store->lock);
			store->stopping = true;
			pthread_cond_signal(&store->keeper_wake);
			pthread_mutex_unlock(&store->lock);
			pthread_join(store->keeper, NULL);
		}
	}
	if (failed) {
		load_end_watch(store);
		store->started = false;
		return error_errno(why, failed, "start the store: begin a thread");
	}
	if (wait_blocking(store, newest, clock_monotonic() + store->options.start_ns, why)) {
		store_stop(store);
		return error_wrap(why, "start the store: catch up with its history");
	}
	return 0;
}

/* Nothing more will come: everybody who waits is told. */
static void end_waits(struct store *store)
{
	struct waiter_list waiters;
	struct result_list ready = {0};

	pthread_mutex_lock(&store->wake_lock);
	pthread_mutex_lock(&store->lock);
	for (struct store_waiter *one = store->waiters.first; one; one = one->next)
		one->waiting = false;
	waiters = store->waiters;
	store->waiters = (struct waiter_list){0};
	store->waiter_count = 0;
	/* What was committed is, whether or not its event came. */
	while (store->awaiting.first)
		result_push(&ready, result_pop(&store->awaiting));
	for (size_t i = 0; i < store->collections.count; i++)
		watch_end_all(store->collections.items[i]);
	pthread_mutex_unlock(&store->lock);
	watch_wake_all(store);
	pthread_mutex_unlock(&store->wake_lock);
	committer_tell(store, &ready);
	wait_tell(&waiters, -1);
}

void store_stop(struct store *store)
{
	if (!store->started)
		return;
	pthread_mutex_lock(&store->queue_lock);
	store->committer_stop = true;
	pthread_cond_signal(&store->queue_wake);
	pthread_mutex_unlock(&store->queue_lock);
	pthread_join(store->committer, NULL);
	pthread_mutex_lock(&store->lock);
	store->stopping = true;
	pthread_cond_signal(&store->keeper_wake);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->keeper, NULL);
	load_end_watch(store);
	end_waits(store);
	store->started = false;
}

void store_free(struct store *store)
{
	if (!store)
		return;
	ingest_drop_pending(store);
	for (size_t i = 0; i < store->collections.count; i++)
		collection_free(store->collections.items[i]);
	for (size_t i = 0; i < store->removed.count; i++)
		collection_free(store->removed.items[i]);
	cox_vec_free(&store->collections);
	cox_vec_free(&store->removed);
	cox_vec_free(&store->pending);
	cox_vec_free(&store->fresh);
	pthread_mutex_destroy(&store->load_lock);
	pthread_mutex_destroy(&store->ingest_lock);
	pthread_mutex_destroy(&store->wake_lock);
	pthread_mutex_destroy(&store->lock);
	pthread_mutex_destroy(&store->queue_lock);
	pthread_cond_destroy(&store->queue_wake);
	pthread_cond_destroy(&store->keeper_wake);
	free(store->prefix);
	free(store);
}

uint64_t store_revision(const struct store *store)
{
	return atomic_load(&store->applied);
}

uint64_t store_compacted(const struct store *store)
{
	return atomic_load(&store->compacted);
}

bool store_shared(const struct store *store)
{
	return (store->capabilities & COX_STORAGE_SHARED) != 0;
}

int store_fresh_revision(struct store *store, uint64_t *revision, struct cox_error *err)
{
	cox_autoerror local = COX_ERROR_INIT;
	struct cox_error *why = err ? err : &local;

	/* Every acknowledged write of this process has passed the stream. */
	*revision = store_revision(store);
	if (!store_shared(store))
		return 0;
	*revision = plugin_revision(store, why);
	if (*revision > 0)
		return 0;
	if (why->reason == COX_REASON_NONE)
		error_set(why, COX_REASON_SERVICE_UNAVAILABLE,
			  "the store cannot tell its revision");
	return -1;
}

int store_health(struct store *store, struct cox_error *err)
{
	struct cox_call call = store_call(store->options.visible_ns);
	int failed = 0;

	pthread_mutex_lock(&store->lock);
	if (store->stopping || !store->started)
		failed = error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "the store is not running");
	else if (store->lost)
		failed = error_set(err, COX_REASON_SERVICE_UNAVAILABLE,
				   "the cache does not follow the store: %s",
				   store->trouble[0] ? store->trouble : "reading it again");
	pthread_mutex_unlock(&store->lock);
	if (failed)
		return -1;
	store_enter(store);
	failed = store->backend.ops->health(store->backend.self, &call, err);
	store_leave(store);
	return failed;
}

void store_figures(struct store *store, struct store_figures *figures)
{
	memset(figures, 0, sizeof(*figures));
	pthread_mutex_lock(&store->lock);
	for (size_t i = 0; i < store->collections.count; i++) {
		const struct store_collection *one = store->collections.items[i];

		figures->entries += one->version->entries.count;
		figures->entry_bytes += one->entry_bytes;
		figures->bad_entries += one->bad_entries;
		figures->history_events += one->history.events;
		figures->history_bytes += one->history.bytes;
	}
	figures->watches = store->watch_count;
	pthread_mutex_unlock(&store->lock);
	pthread_mutex_lock(&store->queue_lock);
	figures->queued = store->queue_count;
	pthread_mutex_unlock(&store->queue_lock);
	figures->bad_entries += atomic_load(&store->misplaced);
	figures->batches = atomic_load(&store->batches);
	figures->committed = atomic_load(&store->committed);
	figures->conflicts = atomic_load(&store->conflicts);
	figures->unknown = atomic_load(&store->unknown);
	figures->failed = atomic_load(&store->failed);
	figures->refused = atomic_load(&store->refused);
	figures->reloads = atomic_load(&store->reloads);
}
