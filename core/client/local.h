/* SPDX-License-Identifier: Apache-2.0 */
/* The transport "local": an API server in the same process, as a function table. */
#ifndef COX_CLIENT_LOCAL_H
#define COX_CLIENT_LOCAL_H

#include "client/client.h"

struct client_local_event {
	enum client_event_type type;
	struct bytes *object; /* borrowed until the next call for this watch */
};

/*
 * The API server as a function table. `call` runs the whole request on the
 * caller's thread and fills code, body and content_type; -1 only if there is
 * no answer at all (the server is stopping), else 0 with the code, a Status
 * body included. Watches: `wake` is called from any thread whenever
 * watch_next could have something new (spurious calls are fine, and it may
 * come before watch_open returns); watch_next gives 1 and an event, 0 if there
 * is nothing now, -1 at the end with the Status in `err`, or with `err` left
 * alone for an ordinary end (timeoutSeconds). watch_close: no wake runs or
 * comes after it has returned.
 */
struct client_local {
	void *server;
	int (*call)(void *server, const struct client_identity *who,
		    const struct client_request *request, struct client_answer *answer,
		    struct cox_error *err);
	void *(*watch_open)(void *server, const struct client_identity *who,
			    const struct client_request *request, void (*wake)(void *waker),
			    void *waker, struct cox_error *err);
	int (*watch_next)(void *server, void *watch, struct client_local_event *event,
			  struct cox_error *err);
	void (*watch_close)(void *server, void *watch);
};

/* Copies table and identity; never fails. */
struct client *client_new_local(const struct client_local *local,
				const struct client_identity *who);

#endif
