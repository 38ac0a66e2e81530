/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading whole collections: everything at the start and after a lost stream,
 * one collection when its kind is new or its schema has changed.
 *
 * One collection is loaded while the stream goes on: what the stream tells in
 * the meantime is kept as it came, and put on top at the moment of the switch.
 * If the stream breaks meanwhile, the load begins again.
 */
#include "base/clock.h"
#include "base/log.h"
#include "store/internal.h"

#include <coxswain/kit/alloc.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ATTEMPTS = 5 };

struct load {
	struct cox_range_sink sink;
	struct store *store;
	struct store_collection *only; /* NULL: all */
	uint32_t tag;		       /* of `only` */
	const struct store_decoder *decoder;
	struct arena scratch;
};

static int load_entry(const struct cox_range_sink *sink, const struct cox_entry *stored)
{
	struct load *load = (struct load *)(uintptr_t)sink;
	struct store_collection *collection = load->only;
	struct store_entry *entry = NULL;

	if (!collection)
		collection = collection_find(load->store, stored->key);
	if (!collection)
		return 0;
	if (!load->only) {
		/* After a lost stream most is as it was. */
		entry = version_get(collection->version, stored->key);
		if (entry && store_entry_revision(entry) == stored->revision)
			store_entry_ref(entry);
		else
			entry = ingest_value(collection, &load->scratch, collection->tag,
					     collection->decoder, stored);
	} else {
		entry = ingest_value(collection, &load->scratch, load->tag, load->decoder, stored);
	}
	if (entry) {
		version_apply(collection->load_version, NULL, entry);
		store_entry_unref(entry);
	}
	return 0;
}

/* The entries of [prefix, end of prefix) into the collections' load versions. */
static int range_prefix(struct load *load, const char *prefix, uint64_t at_revision,
			uint64_t *revision, struct cox_error *err)
{
	struct store *store = load->store;
	struct cox_call call = store_call(store->options.start_ns);
	char *end cox_autofree = cox_strdup(prefix);
	struct cox_range range = {.start = {prefix, strlen(prefix)},
				  .end = {end, strlen(prefix)},
				  .at_revision = at_revision};
	struct cox_range_result result = {0};
	int failed;

	end[strlen(prefix) - 1]++; /* '/' becomes '0' */
	load->sink = (struct cox_range_sink){sizeof(load->sink), 0, load_entry};
	store_enter(store);
	failed = store->backend.ops->range(store->backend.self, &call, &range, &load->sink, &result,
					   err);
	store_leave(store);
	arena_free(&load->scratch);
	*revision = result.revision;
	if (!failed && result.more)
		failed = error_set(err, COX_REASON_INTERNAL_ERROR,
				   "the storage plugin stopped before the end of the range");
	return failed ? error_wrap(err, "read %s", prefix) : 0;
}

/* The loaded version becomes what readers see; wake_lock and lock held. */
static void adopt(struct store_collection *collection, uint64_t revision, struct dropped *dropped)
{
	struct ptree_cursor cursor;
	struct store_entry *entry;

	history_drop_all(collection, dropped);
	cox_vec_push(&dropped->versions, collection->version);
	collection->version = cox_steal(collection->load_version);
	collection->loaded = collection->floor = collection->last_revision = revision;
	collection->entry_bytes = collection->bad_entries = 0;
	ptree_seek(&collection->version->entries, &cursor, NULL, false);
	while ((entry = ptree_next(&cursor))) {
		collection->entry_bytes += store_entry_memory(entry);
		collection->bad_entries += store_entry_error(entry) != NULL;
	}
	watch_end_all(collection);
}

static int begin_watch(struct store *store, uint64_t after, struct cox_error *err)
{
	struct cox_call call = store_call(store->options.start_ns);
	char *end cox_autofree = cox_strdup(store->prefix);
	size_t size = strlen(store->prefix);

	end[size - 1]++;
	store->watch_sink = (struct cox_watch_sink){sizeof(store->watch_sink), 0, ingest_event};
	store_enter(store);
	store->watch = store->backend.ops->watch(
		store->backend.self, &call, (struct cox_bytes){store->prefix, size},
		(struct cox_bytes){end, size}, after, &store->watch_sink, err);
	store_leave(store);
	return store->watch ? 0 : error_wrap(err, "follow %s", store->prefix);
}

void load_end_watch(struct store *store)
{
	void *watch = cox_steal(store->watch);

	if (!watch)
		return;
	store_enter(store);
	store->backend.ops->watch_cancel(store->backend.self, watch);
	store_leave(store);
}

static void adopt_everything(struct store *store, uint64_t revision)
{
	struct dropped dropped = {0};
	struct waiter_list reached = {0};
	struct result_list ready = {0};

	pthread_mutex_lock(&store->ingest_lock);
	ingest_drop_pending(store);
	pthread_mutex_lock(&store->wake_lock);
	pthread_mutex_lock(&store->lock);
	for (size_t i = 0; i < store->collections.count; i++) {
		adopt(store->collections.items[i], revision, &dropped);
		store->collections.items[i]->live = true;
	}
	atomic_store(&store->applied, revision);
	store->stream_broken = false;
	store->lost = false;
	wait_take_reached(store, &reached);
	committer_take_visible(store, &ready);
	pthread_mutex_unlock(&store->lock);
	watch_wake_all(store);
	pthread_mutex_unlock(&store->wake_lock);
	pthread_mutex_unlock(&store->ingest_lock);
	committer_tell(store, &ready);
	wait_tell(&reached, 1);
	dropped_free(&dropped);
}

int load_everything(struct store *store, uint64_t at_revision, struct cox_error *err)
{
	struct load load = {.store = store};
	uint64_t revision = 0;
	int failed;

	for (size_t i = 0; i < store->collections.count; i++)
		store->collections.items[i]->load_version =
			version_new(store->collections.items[i]);
	failed = range_prefix(&load, store->prefix, at_revision, &revision, err);
	if (!failed && revision < atomic_load(&store->applied))
		failed = error_set(err, COX_REASON_INTERNAL_ERROR,
				   "the store went back in time: it is at revision %" PRIu64
				   " and was at %" PRIu64 "; restart to accept that",
				   revision, (uint64_t)atomic_load(&store->applied));
	if (!failed) {
		adopt_everything(store, revision);
		return begin_watch(store, revision, err);
	}
	for (size_t i = 0; i < store->collections.count; i++) {
		version_unref(store->collections.items[i]->load_version);
		store->collections.items[i]->load_version = NULL;
	}
	return -1;
}

/* --- one collection beside the running stream --- */

static void drop_raw(struct store_collection *collection)
{
	for (size_t i = 0; i < collection->raw.count; i++) {
		bytes_unref(collection->raw.items[i].key);
		bytes_unref(collection->raw.items[i].value);
	}
	cox_vec_free(&collection->raw);
}

static void set_loading(struct store_collection *collection, bool loading)
{
	cox_lock_scope(&collection->store->ingest_lock);
	collection->loading = loading;
	collection->load_over = false;
	drop_raw(collection);
}

static bool load_is_over(struct store_collection *collection)
{
	struct store *store = collection->store;

	cox_lock_scope(&store->ingest_lock);
	cox_lock_scope(&store->lock);
	/* It may have broken before this load began, and not be mended yet. */
	return collection->load_over || store->lost;
}

/* Until the stream has passed what was read; gives up early if it broke. */
static int wait_for_stream(struct store_collection *collection, uint64_t revision,
			   struct cox_error *err)
{
	struct store *store = collection->store;
	uint64_t end = clock_monotonic() + store->options.start_ns;

	for (;;) {
		uint64_t now = clock_monotonic();
		uint64_t step = now + 100 * CLOCK_MILLISECOND;

		if (load_is_over(collection))
			return 0;
		if (!wait_blocking(store, revision, step < end ? step : end, err))
			return 0;
		if (now >= end || err->reason != COX_REASON_TIMEOUT)
			return error_wrap(err, "load %s", collection->name);
		error_clear(err);
	}
}

/*
 * What the stream told during the load: up to `applied` it belongs into the
 * version, behind that into the revision that is just being received.
 */
static void put_raw_on_top(struct load *load, uint64_t revision, uint64_t applied)
{
	struct store_collection *collection = load->only;
	struct store *store = load->store;

	for (size_t i = 0; i < store->pending.count;) {
		struct change *change = &store->pending.items[i];

		if (change->collection != collection) {
			i++;
			continue;
		}
		store_entry_unref(change->entry); /* made under the old schema */
		bytes_unref(change->key);
		*change = store->pending.items[--store->pending.count];
	}
	for (size_t i = 0; i < collection->raw.count; i++) {
		struct raw_change *raw = &collection->raw.items[i];
		struct change change = {.collection = collection, .revision = raw->revision};
		struct cox_bytes key = {raw->key->data, raw->key->size};
		struct store_entry *before = version_get(collection->load_version, key);

		if (raw->revision <= revision)
			continue;
		if (raw->value) {
			struct cox_entry stored = {key,
						   {raw->value->data, raw->value->size},
						   raw->revision,
						   raw->tag,
						   0};

			change.entry = ingest_value(collection, &load->scratch, load->tag,
						    load->decoder, &stored);
			if (!change.entry)
				continue;
		} else {
			change.key = bytes_ref(raw->key);
		}
		if (raw->revision > applied) {
			cox_vec_push(&store->pending, change);
			continue;
		}
		version_apply(collection->load_version, before, change.entry);
		store_entry_unref(change.entry);
		bytes_unref(change.key);
	}
	arena_free(&load->scratch);
}

/* True if the switch was made. */
static bool switch_over(struct load *load, uint64_t revision)
{
	struct store_collection *collection = load->only;
	struct store *store = load->store;
	struct dropped dropped = {0};
	uint64_t applied;

	if (load_is_over(collection))
		return false;
	pthread_mutex_lock(&store->ingest_lock);
	if (collection->load_over) { /* since just now */
		pthread_mutex_unlock(&store->ingest_lock);
		return false;
	}
	applied = atomic_load(&store->applied);
	put_raw_on_top(load, revision, applied);
	collection->tag = load->tag;
	collection->decoder = load->decoder;
	pthread_mutex_lock(&store->wake_lock);
	pthread_mutex_lock(&store->lock);
	adopt(collection, applied, &dropped);
	collection->live = true;
	pthread_mutex_unlock(&store->lock);
	watch_wake_all(store);
	pthread_mutex_unlock(&store->wake_lock);
	pthread_mutex_unlock(&store->ingest_lock);
	dropped_free(&dropped);
	return true;
}

/* 1: done, 0: again, -1: failed. load_lock held. */
static int try_load(struct load *load, struct cox_error *err)
{
	struct store_collection *collection = load->only;
	uint64_t revision = 0;
	int done = -1;

	set_loading(collection, true);
	collection->load_version = version_new(collection);
	if (!range_prefix(load, collection->prefix, 0, &revision, err) &&
	    !wait_for_stream(collection, revision, err))
		done = switch_over(load, revision);
	version_unref(collection->load_version);
	collection->load_version = NULL;
	set_loading(collection, false);
	return done;
}

int load_collection(struct store_collection *collection, uint32_t tag,
		    const struct store_decoder *decoder, struct cox_error *err)
{
	struct store *store = collection->store;
	cox_autoerror why = COX_ERROR_INIT;

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		struct load load = {
			.store = store, .only = collection, .tag = tag, .decoder = decoder};
		int done;

		pthread_mutex_lock(&store->load_lock);
		done = try_load(&load, &why);
		pthread_mutex_unlock(&store->load_lock);
		if (done > 0)
			return 0;
		if (done < 0) {
			if (err)
				error_move(err, &why);
			return -1;
		}
		log_warning("%s: the event stream broke during the load; loading again",
			    collection->name);
		/* The keeper wants load_lock to mend the stream: let it be first. */
		if (wait_blocking(store, UINT64_MAX, clock_monotonic() + CLOCK_SECOND, &why))
			error_clear(&why);
	}
	return error_set(err, COX_REASON_SERVICE_UNAVAILABLE,
			 "load %s: the event stream broke %d times", collection->name, ATTEMPTS);
}
