/* SPDX-License-Identifier: Apache-2.0 */
/* What the two transports of a client have in common; for core/client only. */
#ifndef COX_CLIENT_TRANSPORT_H
#define COX_CLIENT_TRANSPORT_H

#include "client/client.h"
#include "client/outage.h"

struct client_transport {
	int (*call)(struct client *client, const struct client_request *request,
		    struct client_answer *answer, struct cox_error *err);
	struct client_watch *(*watch_open)(struct client *client,
					   const struct client_request *request,
					   const struct client_watcher *watcher, void *context,
					   struct cox_error *err);
	void (*watch_close)(struct client_watch *watch);
	void (*free)(struct client *client);
};

/* The first member of a transport's own client and watch. */
struct client {
	const struct client_transport *transport;
	struct outage outage;
};

struct client_watch {
	struct client *client;
};

/* "GET", "POST", … */
const char *client_method(enum client_verb verb);
/* "limit=500&labelSelector=a%3Db" of the options; a watch gets watch=true. */
void client_request_query(struct cox_buf *out, const struct client_request *request);
/* The request with the default deadline filled in. */
struct client_request client_request_bounded(const struct client_request *request);
/* A deep copy, in one allocation that free() ends; for watches. */
struct client_request *client_request_copy(const struct client_request *request);

#endif
