/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one door into the cache: the plugin's event stream. Each value is made
 * an entry when it comes; when its revision is complete, new versions are
 * built beside the old ones and then published with their events and the
 * revision in one step.
 *
 * Runs on the plugin's thread, one event at a time, and never calls the plugin.
 */
#include "base/clock.h"
#include "base/log.h"
#include "store/internal.h"

#include <coxswain/kit/alloc.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct store_entry *bad_value(struct store_collection *collection,
				     const struct cox_entry *stored, const struct cox_error *err)
{
	log_error("%s: the stored value of %.*s at revision %" PRIu64
		  " (tag %08x) cannot be used: %s; it can only be deleted or overwritten",
		  collection->name, (int)stored->key.size, (const char *)stored->key.data,
		  stored->revision, stored->tag, error_text(err));
	return scan_bad_entry(&collection->plan, stored->key, stored->revision, error_text(err));
}

struct store_entry *ingest_value(struct store_collection *collection, struct arena *scratch,
				 uint32_t current, const struct store_decoder *decoder,
				 const struct cox_entry *stored)
{
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf canonical = COX_BUF_INIT;
	struct cox_bytes json = stored->value;
	struct store_entry *entry;

	if (!scan_key_fits(&collection->plan, stored->key)) {
		atomic_fetch_add(&collection->store->misplaced, 1);
		log_error("%s: the key %.*s at revision %" PRIu64
			  " is not one of an object; ignored",
			  collection->name, (int)stored->key.size, (const char *)stored->key.data,
			  stored->revision);
		return NULL;
	}
	if (stored->tag != current) {
		if (!decoder) {
			error_set(&err, COX_REASON_STORE_READ_ERROR, "unknown tag");
			return bad_value(collection, stored, &err);
		}
		if (decoder->decode(decoder, stored->key, stored->value, stored->tag, &canonical,
				    &err))
			return bad_value(collection, stored, &err);
		json = (struct cox_bytes){cox_buf_cstr(&canonical), canonical.size};
	}
	entry = scan_entry(&collection->plan, scratch, stored->key, json, stored->revision, &err);
	return entry ? entry : bad_value(collection, stored, &err);
}

static void keep_raw(struct store_collection *collection, const struct cox_watch_event *event)
{
	struct raw_change raw = {.tag = event->tag, .revision = event->revision};

	if (collection->raw.count >= RAW_CHANGES_MAX) {
		collection->load_over = true; /* more than a load can catch up with */
		return;
	}
	raw.key = bytes_copy(event->key.data, event->key.size);
	if (event->type == COX_EVENT_PUT)
		raw.value = bytes_copy(event->value.data, event->value.size);
	cox_vec_push(&collection->raw, raw);
}

static void take_change(struct store *store, const struct cox_watch_event *event)
{
	struct store_collection *collection = collection_find(store, event->key);
	struct change change = {.collection = collection, .revision = event->revision};

	if (!collection)
		return; /* a kind that nobody serves now */
	if (collection->loading)
		keep_raw(collection, event);
	if (!collection->live)
		return;
	if (event->type == COX_EVENT_PUT) {
		struct cox_entry stored = {event->key, event->value, event->revision, event->tag,
					   0};

		change.entry = ingest_value(collection, &collection->scratch, collection->tag,
					    collection->decoder, &stored);
		if (!change.entry)
			return;
	} else {
		change.key = bytes_copy(event->key.data, event->key.size);
	}
	cox_vec_push(&store->pending, change);
}

void ingest_drop_pending(struct store *store)
{
	for (size_t i = 0; i < store->pending.count; i++) {
		store_entry_unref(store->pending.items[i].entry);
		bytes_unref(store->pending.items[i].key);
	}
	store->pending.count = 0;
}

/*
 * One change into the next version; returns its event, or NULL if the version
 * has it already (it came with a load).
 */
static struct event *apply_change(const struct change *change)
{
	struct store_collection *collection = change->collection;
	struct version *next = collection->next_version;
	struct store_entry *before;
	struct event *event;
	struct cox_bytes key;

	if (change->entry)
		key = store_entry_key(change->entry);
	else
		key = (struct cox_bytes){change->key->data, change->key->size};
	before = version_get(next, key);
	if (change->revision <= collection->loaded || (!change->entry && !before))
		return NULL;
	event = event_new(collection, change->revision, change->entry, before);
	version_apply(next, before, change->entry);
	return event;
}

static void account(struct store_collection *collection, const struct event *event)
{
	const struct store_entry *before = event->before, *now = event->now;

	if (before) {
		collection->entry_bytes -= store_entry_memory(before);
		collection->bad_entries -= store_entry_error(before) != NULL;
	}
	if (now) {
		collection->entry_bytes += store_entry_memory(now);
		collection->bad_entries += store_entry_error(now) != NULL;
	}
	if (!collection->store->crowded && thin_is_due(collection)) {
		collection->store->crowded = true;
		pthread_cond_signal(&collection->store->keeper_wake);
	}
}

/* The next versions and the events of the pending changes. */
static void prepare(struct store *store)
{
	store->fresh.count = 0;
	for (size_t i = 0; i < store->pending.count; i++) {
		struct store_collection *collection = store->pending.items[i].collection;

		if (!collection->next_version)
			collection->next_version = version_copy(collection->version);
		cox_vec_push(&store->fresh, apply_change(&store->pending.items[i]));
	}
}

/* Makes it all visible; wake_lock and lock held. */
static void publish(struct store *store, uint64_t revision, struct dropped *dropped)
{
	uint64_t now = clock_monotonic();

	for (size_t i = 0; i < store->pending.count; i++) {
		struct store_collection *collection = store->pending.items[i].collection;
		struct event *event = store->fresh.items[i];

		if (!event)
			continue;
		if (collection->last_revision != event->revision)
			history_begin(collection, now);
		account(collection, event);
		history_append(collection, event, now);
	}
	for (size_t i = 0; i < store->pending.count; i++) {
		struct store_collection *collection = store->pending.items[i].collection;

		if (!collection->next_version)
			continue;
		cox_vec_push(&dropped->versions, collection->version);
		collection->version = cox_steal(collection->next_version);
	}
	atomic_store(&store->applied, revision);
	history_trim(store, dropped);
}

void ingest_commit(struct store *store, uint64_t revision)
{
	struct dropped dropped = {0};
	struct waiter_list reached = {0};
	struct result_list ready = {0};

	if (revision <= atomic_load(&store->applied)) {
		ingest_drop_pending(store); /* seen already */
		return;
	}
	prepare(store);
	pthread_mutex_lock(&store->wake_lock);
	pthread_mutex_lock(&store->lock);
	publish(store, revision, &dropped);
	wait_take_reached(store, &reached);
	committer_take_visible(store, &ready);
	pthread_mutex_unlock(&store->lock);
	watch_wake_all(store);
	pthread_mutex_unlock(&store->wake_lock);
	ingest_drop_pending(store);
	committer_tell(store, &ready);
	wait_tell(&reached, 1);
	dropped_free(&dropped);
}

static void break_stream(struct store *store)
{
	store->stream_broken = true;
	ingest_drop_pending(store);
	for (size_t i = 0; i < store->collections.count; i++)
		store->collections.items[i]->load_over = true;
	pthread_mutex_lock(&store->lock);
	store->lost = true;
	store->keeper_until = 0;
	pthread_cond_signal(&store->keeper_wake);
	pthread_mutex_unlock(&store->lock);
}

/*
 * A change of a revision that was said to be complete. Stores are known whose
 * progress notices overtake their events: with those the cache would lose the
 * change without a trace. Such notices are not believed again; the commits of
 * the one watch decide then.
 */
static void take_overtaken(struct store *store, uint64_t revision)
{
	log_error("the storage plugin sent a change of revision %" PRIu64
		  " after it had said that all up to %" PRIu64
		  " was sent; its progress notices are ignored from now on, and everything is "
		  "read again",
		  revision, (uint64_t)atomic_load(&store->applied));
	store->progress_ignored = true;
	break_stream(store);
}

void ingest_event(const struct cox_watch_sink *sink, const struct cox_watch_event *event)
{
	struct store *store =
		(struct store *)((char *)(uintptr_t)sink - offsetof(struct store, watch_sink));

	cox_lock_scope(&store->ingest_lock);
	if (store->stream_broken)
		return;
	switch (event->type) {
	case COX_EVENT_PUT:
	case COX_EVENT_DELETE:
		if (event->revision <= atomic_load(&store->applied))
			take_overtaken(store, event->revision);
		else
			take_change(store, event);
		break;
	case COX_EVENT_PROGRESS:
		if (store->progress_ignored)
			break;
		ingest_commit(store, event->revision);
		break;
	case COX_EVENT_COMMIT:
		ingest_commit(store, event->revision);
		break;
	case COX_EVENT_LOST:
		log_warning("the storage plugin dropped events before revision %" PRIu64
			    "; reading everything again",
			    event->revision);
		break_stream(store);
		break;
	default:
		log_warning("the storage plugin sent an event of unknown type %u", event->type);
	}
}
