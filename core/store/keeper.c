/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: the store's one thread for everything that time brings. It ends
 * waits whose deadline has come, drops history that is too old, compacts the
 * plugin to the same age, thins records that take too much, and mends the event
 * stream when it has broken.
 */
#include "base/clock.h"
#include "base/log.h"
#include "store/internal.h"

#include <inttypes.h>
#include <stdio.h>

enum { TICKS = 60, COMPACT_TICKS = 12, READ_SHARE = 30 }; /* of one history */

void keeper_sample(struct store *store, uint64_t now)
{
	store->samples[store->sample_at % SAMPLES].ns = now;
	store->samples[store->sample_at++ % SAMPLES].revision = atomic_load(&store->applied);
}

/* The newest revision that is at least as old as the history may be. */
static void move_compacted(struct store *store, uint64_t now)
{
	uint64_t compacted = atomic_load(&store->compacted);

	for (unsigned i = 0; i < SAMPLES; i++)
		if (store->samples[i].ns > 0 &&
		    age_of(store->samples[i].ns, now) >= store->options.history_ns &&
		    store->samples[i].revision > compacted)
			compacted = store->samples[i].revision;
	atomic_store(&store->compacted, compacted);
}

static void drop_old(struct store *store, uint64_t now, struct dropped *dropped)
{
	uint64_t age = store->options.history_ns;

	for (size_t i = 0; i < store->collections.count; i++) {
		struct store_collection *collection = store->collections.items[i];

		while (collection->history.oldest &&
		       age_of(collection->history.oldest->last_ns, now) >= age)
			history_drop_oldest(collection, dropped);
		for (size_t k = 0; k < KEPT_MAX; k++) {
			uint64_t unused = age_of(collection->kept[k].used_ns, now);

			if (!collection->kept[k].version ||
			    unused < (collection->kept[k].readers ? age : age / READ_SHARE))
				continue;
			cox_vec_push(&dropped->versions, collection->kept[k].version);
			collection->kept[k].version = NULL;
		}
	}
}

/*
 * Up to where the plugin may forget. What a store that outlives this process has
 * is replayed at the next start, as far back as history goes; the past of one
 * that does not is of no use behind what the stream has passed, and would lie in
 * our memory beside our own history.
 */
static uint64_t compactable(const struct store *store)
{
	if (store->capabilities & (COX_STORAGE_PERSISTENT | COX_STORAGE_SHARED))
		return atomic_load(&store->compacted);
	/* a tick ago: the plugin's thread has long noted that we have it */
	return store->samples[(store->sample_at + SAMPLES - 2) % SAMPLES].revision;
}

static void compact_plugin(struct store *store)
{
	uint64_t revision = compactable(store);
	struct cox_call call = store_call(store->options.start_ns);
	cox_autoerror err = COX_ERROR_INIT;
	int failed;

	if (revision <= store->compact_sent)
		return;
	store_enter(store);
	failed = store->backend.ops->compact(store->backend.self, &call, revision, &err);
	store_leave(store);
	if (failed)
		log_warning("compact the store to revision %" PRIu64 ": %s", revision,
			    error_text(&err));
	store->compact_sent = revision; /* else again with the next, newer one */
}

enum mending { MENDED, MEND_LATER, MEND_FAILED };

/*
 * Reads everything again and follows from there. Never waits for a load that
 * is under way: that one may be waiting for a deadline that the keeper minds.
 */
static enum mending mend_stream(struct store *store)
{
	cox_autoerror err = COX_ERROR_INIT;
	int failed;

	if (pthread_mutex_trylock(&store->load_lock))
		return MEND_LATER;
	load_end_watch(store);
	failed = load_everything(store, 0, &err);
	pthread_mutex_unlock(&store->load_lock);
	atomic_fetch_add(&store->reloads, 1);
	if (!failed) {
		log_info("the cache is complete again at revision %" PRIu64, store_revision(store));
		return MENDED;
	}
	log_error("the event stream of the storage plugin cannot be mended yet: %s",
		  error_text(&err));
	pthread_mutex_lock(&store->lock);
	store->lost = true;
	snprintf(store->trouble, sizeof(store->trouble), "%s", error_text(&err));
	pthread_mutex_unlock(&store->lock);
	return MEND_FAILED;
}

/* What is due at `now`; returns when to look next. */
static uint64_t look(struct store *store, uint64_t now, bool tick)
{
	struct waiter_list late_waiters = {0};
	struct result_list late_results = {0};
	struct dropped dropped = {0};
	uint64_t next;

	pthread_mutex_lock(&store->lock);
	next = wait_take_late(store, now, &late_waiters);
	if (tick) {
		committer_take_late(store, now, &late_results);
		keeper_sample(store, now);
		move_compacted(store, now);
		drop_old(store, now, &dropped);
	}
	pthread_mutex_unlock(&store->lock);
	wait_tell(&late_waiters, 0);
	committer_tell(store, &late_results);
	dropped_free(&dropped);
	return next;
}

/* Sleeps until then, or until someone needs the keeper earlier. True: the end. */
static bool sleep_until(struct store *store, uint64_t until, bool *lost)
{
	bool stopping;

	pthread_mutex_lock(&store->lock);
	/* A wait that was added since look() has its own deadline in the list. */
	for (struct store_waiter *one = store->waiters.first; one; one = one->next)
		if (one->deadline_ns < until)
			until = one->deadline_ns;
	store->keeper_until = until;
	while (!store->stopping && !store->lost && !store->crowded &&
	       clock_monotonic() < store->keeper_until) {
		struct timespec when = {(time_t)(store->keeper_until / CLOCK_SECOND),
					(long)(store->keeper_until % CLOCK_SECOND)};

		pthread_cond_timedwait(&store->keeper_wake, &store->lock, &when);
	}
	stopping = store->stopping;
	*lost = store->lost;
	pthread_mutex_unlock(&store->lock);
	return stopping;
}

/* While the stream is broken: not again before `until`, but waits still end. */
static bool pause_until(struct store *store, uint64_t until)
{
	bool stopping = false;

	while (!stopping && clock_monotonic() < until) {
		struct timespec when;
		uint64_t now = clock_monotonic(), step = now + 100 * CLOCK_MILLISECOND;

		if (step > until)
			step = until;
		when = (struct timespec){(time_t)(step / CLOCK_SECOND),
					 (long)(step % CLOCK_SECOND)};
		look(store, now, false);
		pthread_mutex_lock(&store->lock);
		if (!store->stopping)
			pthread_cond_timedwait(&store->keeper_wake, &store->lock, &when);
		stopping = store->stopping;
		pthread_mutex_unlock(&store->lock);
	}
	return stopping;
}

void *keeper_run(void *argument)
{
	struct store *store = argument;
	uint64_t tick = store->options.history_ns / TICKS;
	uint64_t next_tick, pause = 0;
	unsigned ticks = 0;
	bool lost;

	if (tick > 5 * CLOCK_SECOND)
		tick = 5 * CLOCK_SECOND;
	if (tick < CLOCK_MILLISECOND)
		tick = CLOCK_MILLISECOND;
	next_tick = clock_monotonic() + tick;
	for (;;) {
		uint64_t now = clock_monotonic();
		bool due = now >= next_tick;
		uint64_t next = look(store, now, due);

		if (due) {
			next_tick = now + tick;
			if (++ticks % COMPACT_TICKS == 0 ||
			    !(store->capabilities & COX_STORAGE_PERSISTENT))
				compact_plugin(store);
		}
		thin_all(store);
		if (sleep_until(store, next < next_tick ? next : next_tick, &lost))
			return NULL;
		if (!lost) {
			pause = 0;
			continue;
		}
		if (pause > 0 && pause_until(store, clock_monotonic() + pause))
			return NULL;
		switch (mend_stream(store)) {
		case MENDED:
			pause = 0;
			break;
		case MEND_LATER:
			pause = 5 * CLOCK_MILLISECOND;
			break;
		case MEND_FAILED:
			pause = pause < CLOCK_SECOND / 4 ? CLOCK_SECOND / 4 : pause * 2;
			if (pause > 30 * CLOCK_SECOND)
				pause = 30 * CLOCK_SECOND;
			break;
		}
	}
}
