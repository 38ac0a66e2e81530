/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches: where each stands, and what an event means to it. A watch is in one
 * of two lists of its bucket: idle, when it has seen the whole chain, or
 * pending, when `position` is the next link it has to look at. A new event
 * moves the idle ones over and wakes those that were told NONE; the ones that
 * are behind cost nothing.
 */
#include "store/internal.h"

#include <coxswain/kit/alloc.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct store_watch {
	struct store_collection *collection;
	struct bucket *bucket;
	struct store_watch *next, **place; /* in a list of the bucket */
	struct store_watch *next_waking;
	struct event_link *position; /* NULL: idle */
	uint64_t position_revision;  /* valid even when the link is gone */
	uint64_t after;		     /* events up to here are not wanted */
	bool armed;		     /* was told NONE */
	bool ended;
	bool (*match)(void *context, const struct store_entry *entry);
	void *match_context;
	void (*wake)(void *context);
	void *context;
	struct store_scope scope;
	char text[];
};

/* --- lists; the store's lock is held --- */

static void list_remove(struct store_watch *watch)
{
	*watch->place = watch->next;
	if (watch->next)
		watch->next->place = watch->place;
}

static void list_add(struct store_watch **head, struct store_watch *watch)
{
	watch->next = *head;
	watch->place = head;
	if (watch->next)
		watch->next->place = &watch->next;
	*head = watch;
}

static void plan_wake(struct store *store, struct store_watch *watch)
{
	if (!watch->armed)
		return;
	watch->armed = false;
	watch->next_waking = store->waking;
	store->waking = watch;
}

static void set_position(struct store_watch *watch, struct event_link *link)
{
	list_remove(watch);
	watch->position = link;
	if (link)
		watch->position_revision = link->event->revision;
	list_add(link ? &watch->bucket->pending : &watch->bucket->idle, watch);
}

void watch_pending(struct store *store, struct store_watch *watch, struct event_link *link)
{
	set_position(watch, link);
	plan_wake(store, watch);
}

static void end_list(struct store *store, struct store_watch *watch)
{
	for (; watch; watch = watch->next) {
		watch->ended = true;
		plan_wake(store, watch);
	}
}

void watch_end_all(struct store_collection *collection)
{
	struct history *history = &collection->history;
	size_t at = 0;
	void *bucket;

	end_list(collection->store, history->all.idle);
	end_list(collection->store, history->all.pending);
	while (cox_map_next(&history->buckets, &at, NULL, NULL, &bucket)) {
		end_list(collection->store, ((struct bucket *)bucket)->idle);
		end_list(collection->store, ((struct bucket *)bucket)->pending);
	}
}

void watch_wake_all(struct store *store)
{
	while (store->waking) {
		struct store_watch *watch = store->waking;

		store->waking = watch->next_waking;
		watch->wake(watch->context);
	}
}

/* --- opening and closing --- */

static struct cox_bytes copy_text(char **at, struct cox_bytes text)
{
	struct cox_bytes copy = {*at, text.size};

	if (text.size > 0)
		memcpy(*at, text.data, text.size);
	*at += text.size;
	return copy;
}

static struct store_watch *make_watch(struct store_collection *collection,
				      const struct store_watch_options *options)
{
	const struct store_scope *scope = &options->scope;
	size_t size = scope->namespace.size + scope->name.size + scope->value.size;
	struct store_watch *watch = cox_calloc(1, sizeof(*watch) + size);
	char *at = watch->text;

	watch->collection = collection;
	watch->match = options->match;
	watch->match_context = options->match_context;
	watch->wake = options->wake;
	watch->context = options->context;
	watch->scope.namespace = copy_text(&at, scope->namespace);
	watch->scope.name = copy_text(&at, scope->name);
	watch->scope.field = scope->field;
	watch->scope.value = copy_text(&at, scope->value);
	return watch;
}

/* Puts the watch behind everything up to watch->after. */
static void enter_bucket(struct store *store, struct store_watch *watch)
{
	struct event_link *link, *position = NULL;

	watch->bucket = bucket_for(watch->collection, &watch->scope);
	list_add(&watch->bucket->idle, watch);
	/* From the new end: costs as much as there is to deliver. */
	for (link = watch->bucket->last; link; link = link->previous) {
		if (link->event->revision <= watch->after)
			break;
		position = link;
	}
	set_position(watch, position);
	store->watch_count++;
}

struct store_watch *store_watch_open(struct store_collection *collection,
				     const struct store_watch_options *options, uint64_t revision,
				     struct cox_error *err)
{
	struct store *store = collection->store;
	struct store_watch *watch = make_watch(collection, options);
	uint64_t floor;
	bool closed;

	watch->after = revision;
	pthread_mutex_lock(&store->lock);
	floor = collection->floor;
	closed = collection->removed || store->stopping;
	if (!closed && revision >= floor)
		enter_bucket(store, watch);
	pthread_mutex_unlock(&store->lock);
	if (!closed && revision >= floor)
		return watch;
	free(watch);
	if (closed)
		error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "%s is not served any more",
			  collection->name);
	else
		error_set(err, COX_REASON_EXPIRED,
			  "too old resource version: %" PRIu64 " (%" PRIu64 ")", revision, floor);
	return NULL;
}

struct store_watch *store_watch_open_now(struct store_collection *collection,
					 const struct store_watch_options *options,
					 struct store_snapshot **snapshot, struct cox_error *err)
{
	struct store *store = collection->store;
	struct store_watch *watch = make_watch(collection, options);
	struct version *version = NULL;
	bool closed;

	pthread_mutex_lock(&store->lock);
	closed = collection->removed || store->stopping;
	if (!closed) {
		watch->after = atomic_load(&store->applied);
		version = version_ref(collection->version);
		enter_bucket(store, watch);
	}
	pthread_mutex_unlock(&store->lock);
	if (closed) {
		free(watch);
		error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "%s is not served any more",
			  collection->name);
		return NULL;
	}
	if (snapshot)
		*snapshot = snapshot_make(collection, version, watch->after);
	else
		version_unref(version);
	return watch;
}

void store_watch_close(struct store_watch *watch)
{
	struct store *store;

	if (!watch)
		return;
	store = watch->collection->store;
	pthread_mutex_lock(&store->wake_lock);
	pthread_mutex_lock(&store->lock);
	list_remove(watch);
	bucket_settle(watch->collection, watch->bucket);
	store->watch_count--;
	pthread_mutex_unlock(&store->lock);
	pthread_mutex_unlock(&store->wake_lock);
	free(watch);
}

/* --- delivery --- */

/* Steps over one event; NULL with `type` NONE or EXPIRED. */
static struct event *take_event(struct store_watch *watch, enum store_watch_type *type)
{
	struct store *store = watch->collection->store;
	struct event *event;

	cox_lock_scope(&store->lock);
	*type = STORE_WATCH_EXPIRED;
	if (watch->ended)
		return NULL;
	if (!watch->position) {
		watch->armed = true;
		*type = STORE_WATCH_NONE;
		return NULL;
	}
	if (watch->position_revision <= watch->bucket->dropped) {
		watch->ended = true; /* the link is gone: do not look at it */
		return NULL;
	}
	event = event_ref(watch->position->event);
	set_position(watch, watch->position->next);
	return event;
}

static bool sees(const struct store_watch *watch, const struct store_entry *entry)
{
	return entry && !store_entry_error(entry) && store_scope_has(&watch->scope, entry) &&
	       (!watch->match || watch->match(watch->match_context, entry));
}

/*
 * A value that cannot be read: nobody can say whether it is selected. Told to
 * whom it would concern: who saw the object before, and who selects by name
 * and namespace only.
 */
static bool concerns(const struct store_watch *watch, const struct event *event)
{
	struct store_scope place = watch->scope;

	place.field = -1;
	if (!store_scope_has(&place, event->now))
		return false;
	return sees(watch, event->before) || (!watch->match && watch->scope.field < 0);
}

/* What the event means through the selector. */
static enum store_watch_type judge(const struct store_watch *watch, const struct event *event)
{
	bool before, now;

	if (event->revision <= watch->after)
		return STORE_WATCH_NONE;
	if (event->now && store_entry_error(event->now))
		return concerns(watch, event) ? STORE_WATCH_ERROR : STORE_WATCH_NONE;
	before = sees(watch, event->before);
	now = sees(watch, event->now);
	if (now)
		return before ? STORE_WATCH_MODIFIED : STORE_WATCH_ADDED;
	return before ? STORE_WATCH_DELETED : STORE_WATCH_NONE;
}

enum store_watch_type store_watch_next(struct store_watch *watch, struct store_watch_event *told)
{
	enum store_watch_type type;
	struct event *event;

	memset(told, 0, sizeof(*told));
	while ((event = take_event(watch, &type))) {
		type = judge(watch, event);
		if (type == STORE_WATCH_NONE) {
			event_unref(event);
			continue;
		}
		told->revision = event->revision;
		told->entry = type == STORE_WATCH_DELETED ? event_gone(event)
							  : store_entry_ref(event->now);
		if (event->before && type != STORE_WATCH_ADDED)
			told->previous = store_entry_ref(event->before);
		event_unref(event);
		break;
	}
	told->type = type;
	return type;
}

void store_watch_event_clear(struct store_watch_event *event)
{
	store_entry_unref(event->entry);
	store_entry_unref(event->previous);
	event->entry = event->previous = NULL;
}

uint64_t store_watch_revision(struct store_watch *watch)
{
	struct store *store = watch->collection->store;
	uint64_t revision;

	cox_lock_scope(&store->lock);
	/* All of a revision's events count as delivered only with the last of them. */
	if (watch->ended || watch->position)
		revision = watch->position ? watch->position_revision - 1 : watch->after;
	else
		revision = atomic_load(&store->applied);
	return revision > watch->after ? revision : watch->after;
}
