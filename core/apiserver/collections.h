/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the schema tables to what is served: a resource for each served row, a
 * collection of the store for each that stores its objects.
 */
#ifndef COX_APISERVER_COLLECTIONS_H
#define COX_APISERVER_COLLECTIONS_H

#include "apiserver/server.h"

/* Fills server->resources; server->schema and server->store are set. */
int collections_add(struct apiserver *server, struct cox_error *err) COX_MUST_CHECK;
void collections_free(struct apiserver *server);

#endif
