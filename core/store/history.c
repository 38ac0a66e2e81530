/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events, their chains and segments. Everything here costs as much as the
 * buckets and watches that an event concerns, never as much as there are.
 *
 * Events leave in the order in which they came, and a chain is in that order
 * too: so what is dropped is always the head of each of its chains.
 */
#include "store/history.h"

#include "base/clock.h"
#include "store/internal.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

enum {
	HISTORY_LEAST = 1 << 20,
	HISTORY_MOST = 64 << 20,
	HISTORY_SHARE = 8, /* of what the present takes, one part */
	KEPT_LEAST = 2 << 20,
	KEPT_SHARE = 4
};

static size_t event_bytes(const struct event *event)
{
	size_t size = sizeof(*event) + event->link_count * sizeof(event->links[0]);

	/* The entry after is alive anyway, or is the one before of a later event. */
	return size + (event->before ? store_entry_memory(event->before) : 0);
}

struct event *event_new(const struct store_collection *collection, uint64_t revision,
			struct store_entry *now, struct store_entry *before)
{
	/* whole collection, namespace, name; old and new value of each index */
	size_t room = 3 + 2 * collection->index_count;
	struct event *event = cox_alloc(sizeof(*event) + room * sizeof(event->links[0]));

	atomic_init(&event->references, 1);
	atomic_init(&event->gone, NULL);
	event->link_count = 0;
	event->revision = revision;
	event->now = now ? store_entry_ref(now) : NULL;
	event->before = before ? store_entry_ref(before) : NULL;
	return event;
}

struct event *event_ref(struct event *event)
{
	atomic_fetch_add_explicit(&event->references, 1, memory_order_relaxed);
	return event;
}

void event_unref(struct event *event)
{
	if (atomic_fetch_sub_explicit(&event->references, 1, memory_order_acq_rel) != 1)
		return;
	store_entry_unref(event->now);
	store_entry_unref(event->before);
	store_entry_unref(atomic_load(&event->gone));
	free(event);
}

struct store_entry *event_gone(struct event *event)
{
	struct store_entry *gone = atomic_load(&event->gone);
	struct store_entry *made;

	if (gone)
		return store_entry_ref(gone);
	made = store_entry_at_revision(event->before, event->revision);
	if (atomic_compare_exchange_strong(&event->gone, &gone, made))
		return store_entry_ref(made);
	store_entry_unref(made); /* another watcher was faster */
	return store_entry_ref(gone);
}

void dropped_free(struct dropped *dropped)
{
	for (size_t i = 0; i < dropped->events.count; i++)
		event_unref(dropped->events.items[i]);
	for (size_t i = 0; i < dropped->versions.count; i++)
		version_unref(dropped->versions.items[i]);
	cox_vec_free(&dropped->events);
	cox_vec_free(&dropped->versions);
}

/* --- buckets --- */

static struct bucket *bucket_named(struct store_collection *collection, char kind, int field,
				   struct cox_bytes value)
{
	char key[BUCKET_KEY_MAX];
	struct bucket *bucket;
	size_t size = 0;

	if (value.size > sizeof(key) - 2)
		return NULL; /* too long for a chain of its own */
	key[size++] = kind;
	if (kind == 'f')
		key[size++] = (char)field;
	if (value.size > 0)
		memcpy(key + size, value.data, value.size);
	size += value.size;
	bucket = cox_map_get(&collection->history.buckets, key, size);
	if (bucket)
		return bucket;
	bucket = cox_new(struct bucket);
	bucket->key = cox_memdup(key, size);
	bucket->key_size = size;
	/* What was in such a chain before may be gone: as the collection's floor says. */
	bucket->dropped = collection->floor;
	cox_map_put(&collection->history.buckets, key, size, bucket);
	return bucket;
}

struct bucket *bucket_for(struct store_collection *collection, const struct store_scope *scope)
{
	struct bucket *bucket = NULL;

	if (scope->name.size > 0)
		bucket = bucket_named(collection, 'm', 0, scope->name);
	else if (scope->field >= 0 && collection->plan.field[scope->field].indexed)
		bucket = bucket_named(collection, 'f', scope->field, scope->value);
	else if (scope->namespace.size > 0)
		bucket = bucket_named(collection, 'n', 0, scope->namespace);
	return bucket ? bucket : &collection->history.all;
}

void bucket_settle(struct store_collection *collection, struct bucket *bucket)
{
	if (!bucket->key || bucket->first || bucket->idle || bucket->pending)
		return;
	cox_map_remove(&collection->history.buckets, bucket->key, bucket->key_size);
	free(bucket->key);
	free(bucket);
}

static void link_event(struct store *store, struct event *event, struct bucket *bucket)
{
	struct event_link *link;

	if (!bucket)
		return;
	for (uint32_t i = 0; i < event->link_count; i++)
		if (event->links[i].bucket == bucket)
			return;
	link = &event->links[event->link_count++];
	*link = (struct event_link){event, bucket, NULL, bucket->last};
	if (bucket->last)
		bucket->last->next = link;
	else
		bucket->first = link;
	bucket->last = link;
	while (bucket->idle)
		watch_pending(store, bucket->idle, link);
}

static void unlink_head(struct store_collection *collection, struct event_link *link)
{
	struct bucket *bucket = link->bucket;

	bucket->first = link->next;
	if (link->next)
		link->next->previous = NULL;
	else
		bucket->last = NULL;
	bucket->dropped = link->event->revision;
	bucket_settle(collection, bucket);
}

/* --- segments --- */

/* A small cluster pays for a short past, a large one has room for a longer one. */
static size_t history_limit(const struct store *store)
{
	size_t present = 0;

	if (store->options.history_bytes)
		return store->options.history_bytes;
	for (size_t i = 0; i < store->collections.count; i++)
		present += store->collections.items[i]->entry_bytes;
	present /= HISTORY_SHARE;
	if (present < HISTORY_LEAST)
		return HISTORY_LEAST;
	return present < HISTORY_MOST ? present : HISTORY_MOST;
}

void history_begin(struct store_collection *collection, uint64_t now)
{
	struct history *history = &collection->history;
	const struct store_options *options = &collection->store->options;
	struct segment *segment = history->newest;

	/* Small enough that dropping one does not drop most of the past. */
	if (segment && segment->count < SEGMENT_EVENTS &&
	    segment->bytes < history_limit(collection->store) / 16 &&
	    age_of(segment->last_ns, now) < options->history_ns / 60)
		return;
	segment = cox_new(struct segment);
	segment->base = version_ref(collection->version);
	segment->base_revision = collection->last_revision;
	if (history->newest)
		history->newest->next = segment;
	else
		history->oldest = segment;
	history->newest = segment;
}

void history_append(struct store_collection *collection, struct event *event, uint64_t now)
{
	struct history *history = &collection->history;
	struct segment *segment = history->newest;
	struct store_entry *both[2] = {event->before, event->now};
	const struct store_entry *entry = event->now ? event->now : event->before;
	struct store *store = collection->store;
	size_t size;

	link_event(store, event, &history->all);
	if (collection->plan.namespaced)
		link_event(store, event,
			   bucket_named(collection, 'n', 0, store_entry_namespace(entry)));
	link_event(store, event, bucket_named(collection, 'm', 0, store_entry_name(entry)));
	for (size_t i = 0; i < collection->index_count; i++) {
		size_t field = collection->by_field[i].field;

		for (int side = 0; side < 2; side++)
			if (both[side])
				link_event(store, event,
					   bucket_named(collection, 'f', (int)field,
							store_entry_field(both[side], field)));
	}
	size = event_bytes(event);
	if (segment->count++ == 0)
		segment->first = event;
	segment->bytes += size;
	segment->last_revision = event->revision;
	segment->last_ns = now;
	history->events++;
	history->bytes += size;
	store->history_bytes += size;
	collection->last_revision = event->revision;
}

/* Kept versions hold what the history has dropped since; the oldest of them all of it. */
static void drop_kept(struct store_collection *collection, struct dropped *dropped)
{
	uint64_t most = collection->entry_bytes / KEPT_SHARE;

	if (most < KEPT_LEAST)
		most = KEPT_LEAST;
	for (size_t i = 0; i < KEPT_MAX; i++) {
		if (!collection->kept[i].version ||
		    collection->past_bytes - collection->kept[i].past_bytes <= most)
			continue;
		cox_vec_push(&dropped->versions, collection->kept[i].version);
		collection->kept[i].version = NULL;
	}
}

void history_drop_oldest(struct store_collection *collection, struct dropped *dropped)
{
	struct history *history = &collection->history;
	struct segment *segment = history->oldest;
	struct event *event = segment->first;

	collection->floor = segment->count ? segment->last_revision : collection->floor;
	for (size_t i = 0; i < segment->count; i++) {
		struct event_link *next = event->links[EVENT_LINKS_ALL].next;

		for (uint32_t k = 0; k < event->link_count; k++)
			unlink_head(collection, &event->links[k]);
		cox_vec_push(&dropped->events, event);
		event = next ? next->event : NULL;
	}
	history->events -= segment->count;
	history->bytes -= segment->bytes;
	collection->store->history_bytes -= segment->bytes;
	history->oldest = segment->next;
	if (!history->oldest)
		history->newest = NULL;
	cox_vec_push(&dropped->versions, segment->base);
	collection->past_bytes += segment->bytes;
	drop_kept(collection, dropped);
	free(segment);
}

void history_drop_all(struct store_collection *collection, struct dropped *dropped)
{
	while (collection->history.oldest)
		history_drop_oldest(collection, dropped);
	for (size_t i = 0; i < KEPT_MAX; i++) {
		if (collection->kept[i].version)
			cox_vec_push(&dropped->versions, collection->kept[i].version);
		collection->kept[i].version = NULL;
	}
}

void history_trim(struct store *store, struct dropped *dropped)
{
	size_t limit = history_limit(store);

	while (store->history_bytes > limit) {
		struct store_collection *largest = NULL;

		/* From whoever has most: a busy collection does not cost a quiet one its past. */
		for (size_t i = 0; i < store->collections.count; i++) {
			struct store_collection *one = store->collections.items[i];

			if (!largest || one->history.bytes > largest->history.bytes)
				largest = one;
		}
		if (!largest || !largest->history.oldest)
			break;
		history_drop_oldest(largest, dropped);
	}
}
