/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists, streamed: the answer holds a snapshot and an iterator, and object after
 * object goes into the connection's buffer, as the store has it or transcoded
 * on its way. A list of 100,000 objects costs a few KB of its own, 128 KB if it
 * is transcoded. Short ones are made whole, so that their length is told.
 */
#ifndef COX_APISERVER_LISTSTREAM_H
#define COX_APISERVER_LISTSTREAM_H

#include "apiserver/call.h"
#include "apiserver/select.h"
#include "apiserver/shape.h"

struct list_source {
	struct shape shape;
	struct store_snapshot *snapshot; /* taken over, */
	struct selection *selection;	 /* and this */
	struct cox_bytes after;
	uint64_t limit; /* 0: all */
	struct list_meta meta;
};

/* 200 and the list of canonical bytes; the call is gone after. Does not block. */
void liststream_answer(struct api_call *call, const struct list_source *source);
/*
 * The same in any form. On a worker: the beginning is made here, and in
 * protobuf what is new to the store's notes of sizes is made once before, for
 * the length of all comes first.
 */
void liststream_answer_made(struct api_call *call, const struct list_source *source);

#endif
