/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources that are never stored: bindings, componentstatuses, and the
 * reviews by which a client asks what the server thinks of somebody.
 */
#ifndef COX_APISERVER_VIRTUAL_H
#define COX_APISERVER_VIRTUAL_H

#include "apiserver/call.h"

struct arena;
struct identity;
struct value;

/* The resource has no collection, and allows the verb. */
void virtual_serve(struct api_call *call);

/* A UserInfo: username, uid, groups, extra. */
struct value *user_value(struct arena *arena, const struct identity *identity);

#endif
