/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing: transactions wait in a bounded queue (leases in one of their own,
 * served first) and one thread hands them to the plugin in batches. A result
 * is told after the event stream has passed its revision, so that whoever
 * reads after it sees the write, and a retry after a conflict sees what it
 * conflicted with.
 */
#ifndef COX_STORE_SUBMIT_H
#define COX_STORE_SUBMIT_H

#include "store/store.h"

enum store_result {
	STORE_COMMITTED = 0, /* `revision` is the new one; of a transaction that
			      * changed nothing, the store's present one */
	STORE_CONFLICT = 1,  /* compare `index` failed; `revision` is that key's (0: absent) */
	STORE_UNKNOWN = 2,   /* may yet happen; reading back did not show it. `err` is a Timeout */
	STORE_FAILED = 3     /* did not happen; `err` says why */
};

enum store_class {
	STORE_CLASS_NORMAL = 0,
	STORE_CLASS_LEASE = 1 /* goes first, and has room when the queue is full */
};

/*
 * One transaction. The caller owns it and everything it points to, and keeps
 * them unchanged until done() is called; from then on the store does not touch
 * it again. At most one put or delete for each collection. Values are as they
 * are to be stored: without resourceVersion, under the collection's tag.
 */
struct store_txn {
	const struct cox_compare *compares;
	size_t compare_count;
	const struct cox_put *puts;
	size_t put_count;
	const struct cox_bytes *deletes;
	size_t delete_count;
	enum cox_durability durability;
	enum store_class class;

	/*
	 * Called once, on a thread of the store or of the plugin. May call
	 * store_get, store_snapshot and store_submit.
	 */
	void (*done)(struct store_txn *txn);

	/* The result, for done(). */
	enum store_result result;
	size_t index;
	uint64_t revision;
	enum cox_reason reason; /* for UNKNOWN and FAILED */
	char why[160];

	/* The store's own. */
	struct store_txn *next, *previous;
	uint64_t queued_ns;
	uint64_t visible_at; /* revision that the stream must pass */
	size_t bytes;
};

/*
 * 0: done() will be called. -1: refused at once and done() is not called:
 * TooManyRequests with retry-after when the queue is full or slow,
 * RequestEntityTooLarge for what the plugin could not take,
 * ServiceUnavailable when the store is stopping.
 */
int store_submit(struct store *store, struct store_txn *txn, struct cox_error *err) COX_MUST_CHECK;

/* Submits and waits for the result. Blocks: never on an HTTP thread or in a callback. */
int store_submit_wait(struct store *store, struct store_txn *txn,
		      struct cox_error *err) COX_MUST_CHECK;

#endif
