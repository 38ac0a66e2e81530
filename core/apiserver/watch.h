/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches: a stream of events over a connection that was taken over. A watch
 * has a position in the store, a selection and a form; frames of canonical
 * objects are made once per event and shared by all watchers.
 *
 * One thread, the hub's, keeps time for all of them: bookmarks about once a
 * minute and one before the end, and the end itself.
 */
#ifndef COX_APISERVER_WATCH_H
#define COX_APISERVER_WATCH_H

#include "apiserver/call.h"

struct watch_hub;

struct watch_hub *watch_hub_new(struct cox_error *err);
/* Every watch must have ended: close the servers first. */
void watch_hub_free(struct watch_hub *hub); /* NULL is fine */
size_t watch_hub_count(struct watch_hub *hub);

struct feed;

/*
 * A feed that the hub keeps time for: `wake` is called, with the hub's lock
 * held, when the feed is due. Fill in the first three.
 */
struct watch_timer {
	struct feed *feed;
	void (*wake)(void *context);
	void *context;
	struct watch_timer *next, *previous; /* the hub's */
};

void watch_hub_add(struct watch_hub *hub, struct watch_timer *timer);
/* `wake` is not running and not called any more once this returns. */
void watch_hub_remove(struct watch_hub *hub, struct watch_timer *timer);

/* Answers a watch. */
void watch_serve(struct api_call *call);

#endif
