/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport without sockets: components of the same process reach the API
 * server through a table of functions (client.h), with an identity of their
 * own, and pass authorization and admission like everybody else.
 */
#ifndef COX_APISERVER_LOCAL_H
#define COX_APISERVER_LOCAL_H

#include "client/local.h"
#include "net/http.h"

struct apiserver;

/* The table to hand to client_new_local; valid while the server lives. */
struct client_local apiserver_local(struct apiserver *server);

bool local_is(const struct http_request *request);
/* The identity of a local request: borrowed. */
struct identity *local_identity(const struct http_request *request);
/* A watch of a local caller: opens its feed and hands it over. */
struct api_call;
void local_watch_fresh(struct api_call *call);
/* Has the thread that waits for this local request run a job. Any thread. */
void local_post(struct http_request *request, void (*run)(void *context), void *context);

#endif
