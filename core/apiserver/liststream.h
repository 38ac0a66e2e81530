/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of canonical bytes, streamed: the answer holds a snapshot and an
 * iterator, and copies object after object into the connection's buffer. A list
 * of 100,000 objects costs a few KB of its own.
 */
#ifndef COX_APISERVER_LISTSTREAM_H
#define COX_APISERVER_LISTSTREAM_H

#include "apiserver/call.h"
#include "apiserver/select.h"
#include "apiserver/shape.h"

struct list_source {
	const struct api_resource *resource;
	struct store_snapshot *snapshot; /* taken over, */
	struct selection *selection;	 /* and this */
	struct cox_bytes after;
	uint64_t limit; /* 0: all */
	struct list_meta meta;
};

/* 200 and the list; the call is gone after. */
void liststream_answer(struct api_call *call, const struct list_source *source);

#endif
