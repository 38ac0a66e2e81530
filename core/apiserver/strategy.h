/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is special about writing a kind, beyond the tables: what a create or an
 * update sets or takes back before validation, and what is reserved with it in
 * the same transaction. Most kinds have nothing special.
 */
#ifndef COX_APISERVER_STRATEGY_H
#define COX_APISERVER_STRATEGY_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct delete_options;
struct value;
struct write;

struct strategy {
	const char *group, *resource;
	/* `object` is decoded, defaulted and has its metadata. */
	int (*prepare_create)(struct write *write, struct value *object, struct cox_error *err);
	int (*prepare_update)(struct write *write, struct value *object, const struct value *old,
			      struct cox_error *err);
	/*
	 * After admission and validation: reserves addresses and ports, adding
	 * to the transaction. `old` NULL: create; `object` NULL: delete. Called
	 * again for each attempt.
	 */
	int (*allocate)(struct write *write, struct value *object, const struct value *old,
			struct cox_error *err);
	/*
	 * The transaction is in force, or was refused for its part `index`
	 * (which then is known to be taken). On a thread of the store: quick.
	 */
	void (*committed)(struct write *write);
	void (*refused)(struct write *write, size_t index);
	/*
	 * The grace period of a delete in seconds: the one asked for, or the
	 * object's own. NULL: the kind knows no grace, it is 0.
	 */
	int64_t (*grace_seconds)(const struct value *object, const struct delete_options *options);
	/* What a delete leaves in the object besides its metadata: a phase, say. */
	void (*begin_delete)(struct write *write, struct value *object);
	/* Whether a deleted object still waits for more than its finalizers. */
	bool (*waits)(const struct value *object);
};

/* Never NULL. */
const struct strategy *strategy_get(const char *group, const char *resource);

#endif
