/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading: a snapshot is a collection as of one revision. Taking one costs a
 * reference and copies nothing; it never changes and is valid for as long as
 * it is held. Any thread may use it, several at a time; an iterator belongs to
 * one thread at a time.
 */
#ifndef COX_STORE_SNAPSHOT_H
#define COX_STORE_SNAPSHOT_H

#include "store/store.h"

struct store_snapshot;

/*
 * Which part of a collection. Parts left empty do not restrict; the store
 * picks the cheapest way itself. Texts are borrowed (watches copy them).
 */
struct store_scope {
	struct cox_bytes namespace;
	struct cox_bytes name;
	int field;		/* index of a selectable field, or -1 */
	struct cox_bytes value; /* that it must have */
};
#define STORE_SCOPE_ALL                                                                            \
	{                                                                                          \
		{NULL, 0}, {NULL, 0}, -1,                                                          \
		{                                                                                  \
			NULL, 0                                                                    \
		}                                                                                  \
	}

bool store_scope_has(const struct store_scope *scope, const struct store_entry *entry);

/* The newest state. Its revision is the store's, not older than any acknowledged write. */
struct store_snapshot *store_snapshot(struct store_collection *collection);
/*
 * The state at exactly that revision, for resourceVersionMatch=Exact and
 * continue tokens: Expired (410) if it was compacted or dropped, Timeout (504)
 * if it lies in the future.
 */
struct store_snapshot *store_snapshot_at(struct store_collection *collection, uint64_t revision,
					 struct cox_error *err);
/*
 * Keeps the snapshot for store_snapshot_at even if its history is dropped for
 * lack of room: of someone who reads it in pieces, `begins` with the first. The
 * newest few of a collection are kept, for as long as history is, as long as
 * what only they hold is not more than a quarter of the present objects.
 */
void store_snapshot_keep(struct store_snapshot *snapshot, bool begins);
/* Who began is through. Once all are, it is kept for some seconds, for a piece that got lost. */
void store_snapshot_finish(struct store_snapshot *snapshot);
struct store_snapshot *store_snapshot_ref(struct store_snapshot *snapshot);
void store_snapshot_unref(struct store_snapshot *snapshot); /* NULL is allowed */

uint64_t store_snapshot_revision(const struct store_snapshot *snapshot);
size_t store_snapshot_count(const struct store_snapshot *snapshot); /* of the whole collection */
/* A new reference, or NULL. `namespace` NULL or "" for cluster scope. */
struct store_entry *store_snapshot_get(const struct store_snapshot *snapshot, const char *namespace,
				       const char *name);
/* The same on the newest state, without a snapshot in between. */
struct store_entry *store_get(struct store_collection *collection, const char *namespace,
			      const char *name);

enum { STORE_ITERATOR_SIZE = 30 };

/* Opaque; needs no end. The snapshot and the scope's texts must outlive it. */
struct store_iterator {
	uint64_t opaque[STORE_ITERATOR_SIZE];
};

/*
 * Entries in the order of their keys. `after` (may be empty) is the key to
 * continue behind: the key of the last entry of the page before.
 */
void store_iterate(struct store_iterator *iterator, const struct store_snapshot *snapshot,
		   const struct store_scope *scope, struct cox_bytes after);
/* Borrowed from the snapshot; NULL at the end. Entries with an error come too. */
struct store_entry *store_iterator_next(struct store_iterator *iterator);
/*
 * How many would still come, for remainingItemCount: exact without a scope
 * or with a namespace alone, else counted one by one.
 */
size_t store_iterator_count(const struct store_iterator *iterator);

#endif
