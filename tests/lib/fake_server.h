/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An API server for tests: keeps JSON objects in memory by resource, namespace
 * and name, gives uid, resourceVersion, generation and generated names, checks
 * revisions and preconditions, merges patches, pages lists and streams watches
 * with history. Service accounts get tokens of two seconds. What has
 * finalizers is only marked by a delete, and goes with the last of them. It is
 * spoken to through the local transport. Any thread.
 */
#ifndef COX_TESTS_FAKE_SERVER_H
#define COX_TESTS_FAKE_SERVER_H

#include "client/client.h"
#include "machinery/object.h"

struct fake_server;

struct fake_server *fake_server_new(void);
void fake_server_free(struct fake_server *server); /* its clients are gone */
struct client *fake_server_client(struct fake_server *server);

/* ---- what a test does behind the clients' back ---- */

/* Creates or replaces, as any client would; the test fails if it cannot. */
void fake_put(struct fake_server *server, const char *resource, const char *json);
void fake_remove(struct fake_server *server, const char *resource, const char *namespace,
		 const char *name);
/* A reader, or NULL. */
struct cox_object *fake_get(struct fake_server *server, const char *resource, const char *namespace,
			    const char *name);
size_t fake_count(struct fake_server *server, const char *resource);
/* The `index`th in the order of creation; a reader, or NULL. */
struct cox_object *fake_at(struct fake_server *server, const char *resource, size_t index);

/* What GET of a path that is no resource ("/apis") answers. */
void fake_document(struct fake_server *server, const char *path, const char *json);

/* ---- trouble ---- */

/* The next `times` requests of this verb and resource fail so. */
void fake_fail(struct fake_server *server, enum client_verb verb, const char *resource, int code,
	       const char *reason, const char *message, unsigned times);
/* Watches with sendInitialEvents are refused with 422. */
void fake_no_stream(struct fake_server *server);
/* Ends all watches in the ordinary way. */
void fake_end_watches(struct fake_server *server);
/* Forgets the history: watches from older revisions get 410. */
void fake_compact(struct fake_server *server);
/* While stopped, watches hear nothing. */
void fake_hold_watches(struct fake_server *server, bool hold);

/* How many requests of this verb and resource came; writes that lost a race apart. */
unsigned fake_requests(struct fake_server *server, enum client_verb verb, const char *resource);

#endif
