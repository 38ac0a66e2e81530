/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds; see the header. */
#include "apiserver/feed.h"

#include "base/clock.h"

#include <coxswain/kit/alloc.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

static const uint64_t bookmark_period = 60 * CLOCK_SECOND;

struct feed {
	struct selection *selection;
	struct store_watch *watch;
	/* The state before the first event, as long as it is being told. */
	struct store_snapshot *initial;
	struct store_iterator iterator;
	bool mark_initial_end;
	bool bookmarks;
	bool last_bookmark; /* the one before the end was told */
	bool over;
	struct cox_error refused; /* told instead of events */
	uint64_t ends_at;
	_Atomic uint64_t bookmark_at;
};

static bool entry_selected(void *context, const struct store_entry *entry)
{
	return selection_matches(context, entry);
}

/* Without timeoutSeconds: once to twice the minimum, so that not all come back at once. */
static uint64_t seconds_of(const struct api_call *call)
{
	uint64_t least = call->server->min_watch_seconds;
	uint32_t chance = 0;

	if (call->list.timeout_seconds)
		return call->list.timeout_seconds;
	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) != (ssize_t)sizeof(chance))
		chance = 0;
	return least + (least ? chance % least : 0);
}

/* Where the watch begins, by the rules of resourceVersion and sendInitialEvents. */
static int open_watch(struct api_call *call, struct feed *feed,
		      const struct store_watch_options *options, struct cox_error *err)
{
	const struct list_options *list = &call->list;
	struct store_collection *collection = call->resource->collection;
	bool from_now = !list->version_set || list->version == 0;
	bool initial = list->initial_events_set ? list->initial_events : from_now;

	if (initial || from_now)
		feed->watch = store_watch_open_now(collection, options,
						   initial ? &feed->initial : NULL, err);
	else
		feed->watch = store_watch_open(collection, options, list->version, err);
	if (!feed->watch)
		return -1;
	if (initial)
		store_iterate(&feed->iterator, feed->initial, &feed->selection->scope,
			      (struct cox_bytes){NULL, 0});
	feed->mark_initial_end = initial && list->initial_events_set;
	return 0;
}

struct feed *feed_open(struct api_call *call, void (*wake)(void *context), void *context,
		       struct cox_error *err)
{
	struct feed *feed = cox_new(struct feed);
	struct store_watch_options options = {.match = entry_selected, .wake = wake};
	uint64_t now = clock_monotonic();

	feed->selection = selection_new(call, err);
	if (!feed->selection)
		goto fail;
	feed->bookmarks = call->list.bookmarks;
	feed->bookmark_at = now + bookmark_period;
	feed->ends_at = now + seconds_of(call) * CLOCK_SECOND;
	options.scope = feed->selection->scope;
	options.context = context;
	options.match_context = feed->selection;
	if (open_watch(call, feed, &options, err) == 0)
		return feed;
	/* Clients that retry whatever fails give up only on an event that says so. */
	if (err->reason == COX_REASON_EXPIRED) {
		error_move(&feed->refused, err);
		return feed;
	}
fail:
	feed_close(feed);
	return NULL;
}

void feed_close(struct feed *feed)
{
	if (!feed)
		return;
	store_watch_close(feed->watch);
	store_snapshot_unref(feed->initial);
	selection_free(feed->selection);
	error_clear(&feed->refused);
	free(feed);
}

void feed_item_clear(struct feed_item *item)
{
	store_entry_unref(item->entry);
	error_clear(&item->error);
	*item = (struct feed_item)FEED_ITEM_INIT;
}

static void tell_bookmark(struct feed *feed, struct feed_item *item, uint64_t revision)
{
	item->type = FEED_BOOKMARK;
	item->revision = revision;
	atomic_store(&feed->bookmark_at, clock_monotonic() + bookmark_period);
}

/* False: the initial state has been told, and nothing marks its end. */
static bool next_initial(struct feed *feed, struct feed_item *item)
{
	struct store_entry *entry;
	uint64_t revision;

	while ((entry = store_iterator_next(&feed->iterator))) {
		if (store_entry_error(entry) || !selection_matches(feed->selection, entry))
			continue;
		item->type = FEED_ADDED;
		item->entry = store_entry_ref(entry);
		return true;
	}
	revision = store_snapshot_revision(feed->initial);
	store_snapshot_unref(feed->initial);
	feed->initial = NULL;
	if (!feed->mark_initial_end)
		return false;
	tell_bookmark(feed, item, revision);
	item->initial_end = true;
	return true;
}

/* With no event pending: what the clock asks for. */
static void next_timely(struct feed *feed, struct feed_item *item)
{
	uint64_t now = clock_monotonic();
	bool end = now >= feed->ends_at;

	if (feed->bookmarks && !feed->last_bookmark &&
	    (end || now >= atomic_load(&feed->bookmark_at))) {
		feed->last_bookmark = end;
		tell_bookmark(feed, item, store_watch_revision(feed->watch));
	} else if (end) {
		feed->over = true;
		item->type = FEED_END;
	}
}

static void tell_error(struct feed *feed, struct feed_item *item, enum cox_reason reason,
		       const char *text)
{
	feed->over = true;
	item->type = FEED_ERROR;
	error_set(&item->error, reason, "%s", text);
}

void feed_next(struct feed *feed, struct feed_item *item)
{
	static const enum feed_item_type types[] = {[STORE_WATCH_ADDED] = FEED_ADDED,
						    [STORE_WATCH_MODIFIED] = FEED_MODIFIED,
						    [STORE_WATCH_DELETED] = FEED_DELETED};
	struct store_watch_event event = {0};

	*item = (struct feed_item)FEED_ITEM_INIT;
	if (feed->over || (feed->initial && next_initial(feed, item)))
		return;
	if (feed->refused.message) {
		feed->over = true;
		item->type = FEED_ERROR;
		error_move(&item->error, &feed->refused);
		return;
	}
	switch (store_watch_next(feed->watch, &event)) {
	case STORE_WATCH_NONE:
		next_timely(feed, item);
		return;
	case STORE_WATCH_ADDED:
	case STORE_WATCH_MODIFIED:
	case STORE_WATCH_DELETED:
		item->type = types[event.type];
		item->entry = store_entry_ref(event.entry);
		break;
	case STORE_WATCH_ERROR:
		tell_error(feed, item, COX_REASON_STORE_READ_ERROR,
			   store_entry_error(event.entry));
		break;
	case STORE_WATCH_EXPIRED:
		tell_error(feed, item, COX_REASON_EXPIRED,
			   "too old resource version: this watch was too slow and missed events; "
			   "list again");
		break;
	}
	store_watch_event_clear(&event);
}

uint64_t feed_due(struct feed *feed)
{
	uint64_t bookmark = feed->bookmarks ? atomic_load(&feed->bookmark_at) : UINT64_MAX;

	return bookmark < feed->ends_at ? bookmark : feed->ends_at;
}

void feed_bookmark_object(const struct api_resource *resource, const struct feed_item *item,
			  struct cox_buf *out)
{
	cox_buf_printf(out,
		       "{\"kind\":\"%s\",\"apiVersion\":\"%s%s%s\",\"metadata\":{"
		       "\"resourceVersion\":\"%" PRIu64 "\",\"creationTimestamp\":null%s}}",
		       resource->kind, resource->group, *resource->group ? "/" : "",
		       resource->version, item->revision,
		       item->initial_end
			       ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}"
			       : "");
}
