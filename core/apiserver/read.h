/* SPDX-License-Identifier: Apache-2.0 */
/*
 * get and list. Canonical bytes are answered from where the request stands,
 * without parsing; other forms are made on a worker. KEP-2340 and the API
 * concepts' tables say what a resourceVersion means.
 */
#ifndef COX_APISERVER_READ_H
#define COX_APISERVER_READ_H

#include "apiserver/call.h"
#include "apiserver/shape.h"

void read_get(struct api_call *call);
void read_list(struct api_call *call);

/*
 * Negotiates the form of an answer that has objects of `resource`; `list` adds
 * the list shapes. Fills call->media. NotAcceptable if there is none.
 */
int read_negotiate(struct api_call *call, const struct api_resource *resource, bool list,
		   struct shape *shape, struct cox_error *err) COX_MUST_CHECK;

/*
 * Continues with `next` when the cache has reached what the request's
 * resourceVersion asks for; a request that has to wait is an entry in the
 * store's list, not a thread. Too far in the future: 504 after 3 s.
 */
void read_when_fresh(struct api_call *call, bool version_set, uint64_t version,
		     void (*next)(struct api_call *call));

/* Answers with one object, in the form that call->media asks for. */
void read_answer_json(struct api_call *call, unsigned code, const struct shape *shape,
		      struct cox_bytes json);

#endif
