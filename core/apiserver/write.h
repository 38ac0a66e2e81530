/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of objects. A write is one attempt after another of the same steps,
 * each from the freshly read object: make the new state, admission, strategy,
 * validation, validating admission, encode, submit. Nobody waits for the disk:
 * the store's callback goes on with the answer or with the next attempt.
 *
 * A write lives in its call's arena. The subresources that change an object
 * (status, scale, binding, eviction, finalize) are writes with another `make`.
 */
#ifndef COX_APISERVER_WRITE_H
#define COX_APISERVER_WRITE_H

#include "apiserver/call.h"
#include "apiserver/shape.h"
#include "machinery/value.h"
#include "store/entry.h"
#include "store/submit.h"

enum {
	WRITE_NAME_ATTEMPTS = 8, /* generated names that may be taken */
	WRITE_ATTEMPTS = 128,	 /* states of an object, each changed by somebody else in between */
	WRITE_PARTS_MAX = 1024,
	WRITE_MANAGED_MAX = 3 * 1024 * 1024 /* bytes of an object with its managedFields */
};

enum write_operation {
	WRITE_CREATE,
	WRITE_UPDATE,
	WRITE_DELETE
};

struct write {
	struct api_call *call;
	const struct api_resource *resource; /* whose object changes */
	enum write_operation operation;
	const char *namespace_, *name; /* of the object; name "" until generated */
	const char *subresource;       /* as strategies and admission see it */
	struct write_options options;
	struct shape shape;
	unsigned success_code;
	void *job;	       /* of whoever made the write */
	uint64_t admission_id; /* the same for all attempts; 0: not asked yet */

	/* Of this attempt */
	struct store_entry *current; /* NULL: create */
	struct value *old;	     /* the tree of `current` */
	struct value *object;	     /* what is to be stored */
	uint64_t wanted_version;     /* the client's resourceVersion; 0: any */
	bool remove;		     /* the object goes */
	unsigned attempts;

	/*
	 * Makes `object` (decoded and defaulted) out of `old`; sets
	 * wanted_version if the client named one. Called once an attempt.
	 */
	int (*make)(struct write *write, struct cox_error *err);
	/* Whether a conflict is tried again: the client named no version. */
	bool retry;
	/* What `make` changes is tracked after it: the client manages it from now on. */
	bool tracks;
	/* An update that becomes a create where there is nothing, and the other way round. */
	bool creates_absent;
	/* Answers after the commit. NULL: the object, under success_code. */
	void (*answer)(struct write *write, uint64_t revision);
	/* Instead of NotFound when there is nothing to update; NULL: none. */
	void (*absent)(struct write *write);

	/* The transaction of this attempt; parts live in the arena. */
	struct cox_compare *compares;
	struct cox_put *puts;
	struct cox_bytes *deletes;
	struct store_txn txn;
	bool generated_name;
	struct cox_bytes stored; /* the object as it is put; NULL data: not made */
	size_t version_at;	 /* where in them its version belongs; 0: nowhere */
};

struct write *write_new(struct api_call *call, const struct api_resource *resource,
			enum write_operation operation);
/* Begins, on a worker. The call is answered in the end. */
void write_run(struct write *write);

/* A deleted object that nothing holds back any more: no finalizer, no grace. */
bool write_end_reached(const struct api_resource *resource, const struct value *object);

/* For strategies: more parts of the same transaction. -1: no room. */
int write_add_compare(struct write *write, const char *key, size_t size, uint64_t revision,
		      struct cox_error *err) COX_MUST_CHECK;
int write_add_put(struct write *write, const char *key, size_t key_size, const void *value,
		  size_t value_size, uint32_t tag, struct cox_error *err) COX_MUST_CHECK;
int write_add_delete(struct write *write, const char *key, size_t size,
		     struct cox_error *err) COX_MUST_CHECK;

/* Canonical bytes of the object with that revision, in the arena. */
struct cox_bytes write_encode(struct write *write, const struct value *object, uint64_t revision);

/* create, update and patch of an object or of its status. */
void write_create(struct api_call *call);
void write_update(struct api_call *call);
void write_patch(struct api_call *call);

#endif
