/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches: a watch is a position in one chain of events, a selector and a
 * wake-up. It has no queue of its own; an event exists once, however many
 * watch it, and holds the new and the previous entry, so that what it means is
 * seen through the selector: (no, yes) ADDED, (yes, yes) MODIFIED, (yes, no)
 * DELETED with the previous object at the event's revision.
 *
 * A watch with nothing pending stands at *now*, whatever was dropped. Only one
 * whose undelivered events were dropped is told STORE_WATCH_EXPIRED.
 *
 * watch_next and watch_revision of one watch are for one thread at a time. The
 * caller keeps time: bookmarks and time-outs are his timer wheel.
 */
#ifndef COX_STORE_WATCH_H
#define COX_STORE_WATCH_H

#include "store/snapshot.h"

struct store_watch;

struct store_watch_options {
	struct store_scope scope; /* copied */
	/*
	 * Whether the entry is selected; NULL: all of the scope. Called from
	 * the thread of watch_next, without a lock. Never sees an entry with an
	 * error.
	 */
	bool (*match)(void *match_context, const struct store_entry *entry);
	void *match_context;
	/*
	 * There is something for watch_next after it said STORE_WATCH_NONE (or
	 * after opening). Called once, until watch_next says NONE again. Must
	 * not call the store, except store_watch_next.
	 */
	void (*wake)(void *context);
	void *context;
};

/*
 * Follows everything after `revision`. Expired (410) if events of the
 * collection that came after it are gone.
 */
struct store_watch *store_watch_open(struct store_collection *collection,
				     const struct store_watch_options *options, uint64_t revision,
				     struct cox_error *err);
/*
 * From now: `snapshot` (may be NULL) becomes the state that the watch goes on
 * from, at one and the same revision: for sendInitialEvents, and for watches
 * without a revision.
 */
struct store_watch *store_watch_open_now(struct store_collection *collection,
					 const struct store_watch_options *options,
					 struct store_snapshot **snapshot, struct cox_error *err);
/* wake() is not running and not called any more once this returns. NULL is allowed. */
void store_watch_close(struct store_watch *watch);

enum store_watch_type {
	STORE_WATCH_NONE = 0, /* nothing now; wake() will tell */
	STORE_WATCH_ADDED,
	STORE_WATCH_MODIFIED,
	STORE_WATCH_DELETED,
	STORE_WATCH_ERROR,  /* `entry` has an error: tell it, then close */
	STORE_WATCH_EXPIRED /* 410: events were missed, or the collection is gone; close */
};

struct store_watch_event {
	enum store_watch_type type;
	/* What to send; for DELETED the last object at the event's revision. A
	 * reference of the caller's, end with store_watch_event_clear. */
	struct store_entry *entry;
	struct store_entry *previous; /* what it replaced or ended, or NULL; the caller's too */
	uint64_t revision;
};

/* Fills in `event` and returns its type. */
enum store_watch_type store_watch_next(struct store_watch *watch, struct store_watch_event *event);
void store_watch_event_clear(struct store_watch_event *event);

/*
 * Everything up to this revision was handed out by store_watch_next: the
 * revision for a bookmark. Never goes back, and is never before what
 * store_watch_open was given.
 */
uint64_t store_watch_revision(struct store_watch *watch);

#endif
