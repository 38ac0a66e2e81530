/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a watch tells, before it has a form: the state at the beginning if it
 * is wanted, then event after event, bookmarks in between, an error or the
 * time-out at the end. Streams and callers inside the process read feeds.
 *
 * A feed belongs to one thread at a time; `wake` comes from any.
 */
#ifndef COX_APISERVER_FEED_H
#define COX_APISERVER_FEED_H

#include "apiserver/call.h"
#include "apiserver/select.h"
#include "store/watch.h"

enum feed_item_type {
	FEED_NONE = 0, /* nothing now; wake will tell */
	FEED_ADDED,
	FEED_MODIFIED,
	FEED_DELETED,
	FEED_BOOKMARK,
	FEED_ERROR, /* `error` says why; nothing follows */
	FEED_END    /* the time is over; nothing follows */
};

struct feed_item {
	enum feed_item_type type;
	struct store_entry *entry; /* a reference of the caller's; NULL for the rest */
	uint64_t revision;	   /* of a bookmark */
	bool initial_end;	   /* the bookmark that ends the initial state */
	struct cox_error error;
};

#define FEED_ITEM_INIT {FEED_NONE, NULL, 0, false, COX_ERROR_INIT}

struct feed;

/*
 * Opens what call->list asks for. `wake` may be called as soon as this begins;
 * nothing is to be done with it before the feed is known.
 */
struct feed *feed_open(struct api_call *call, void (*wake)(void *context), void *context,
		       struct cox_error *err);
void feed_close(struct feed *feed); /* NULL is fine; no wake runs or comes after */

void feed_next(struct feed *feed, struct feed_item *item);
void feed_item_clear(struct feed_item *item);
/* Monotonic time at which feed_next has something to say without an event. */
uint64_t feed_due(struct feed *feed);

/* The object of a bookmark: kind, apiVersion, and the revision in its metadata. */
void feed_bookmark_object(const struct api_resource *resource, const struct feed_item *item,
			  struct cox_buf *out);

#endif
