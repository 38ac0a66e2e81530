/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The past of a collection. Internal to the store.
 *
 * A version is the collection at one revision: persistent trees by key and by
 * indexed field. An event is one change, with the entries before and after,
 * and a link in the chain of every bucket that can be watched for it. Events
 * are grouped in segments that begin with a version, so that any revision of
 * the past is a version and at most SEGMENT_EVENTS events on top; and history
 * is dropped by the segment, oldest first.
 *
 * The functions work under the store's `lock`, unless said otherwise.
 */
#ifndef COX_STORE_HISTORY_H
#define COX_STORE_HISTORY_H

#include "base/ptree.h"
#include "store/snapshot.h"

#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>
#include <stdatomic.h>

struct index_type {
	struct ptree_type type; /* first */
	size_t field;
};

/* What the index trees compare: the field's value, then the key. */
struct index_key {
	struct cox_bytes value, key;
};

struct version {
	_Atomic uint32_t references;
	uint32_t index_count;
	struct ptree entries;
	struct ptree index[];
};

/* Any thread; the first two without a lock, by whoever holds a reference. */
struct version *version_new(const struct store_collection *collection);
struct version *version_copy(const struct version *version);
struct version *version_ref(struct version *version);
void version_unref(struct version *version);
struct store_entry *version_get(const struct version *version, struct cox_bytes key);
/* `before`: what is there under the key (NULL: nothing); `now`: what shall be. */
void version_apply(struct version *version, struct store_entry *before, struct store_entry *now);
void version_types_init(struct store_collection *collection);

struct event;
struct bucket;

struct event_link {
	struct event *event;
	struct bucket *bucket;
	struct event_link *next, *previous; /* in the bucket's chain */
};

enum { EVENT_LINKS_ALL = 0 }; /* link 0 is in the chain of the whole collection */

struct event {
	_Atomic uint32_t references;
	uint32_t link_count;
	uint64_t revision;
	struct store_entry *now;	    /* NULL: deleted */
	struct store_entry *before;	    /* NULL: created */
	_Atomic(struct store_entry *) gone; /* `before` at this revision, once asked for */
	struct event_link links[];
};

/* No lock. `now` and `before` get references of their own. */
struct event *event_new(const struct store_collection *collection, uint64_t revision,
			struct store_entry *now, struct store_entry *before);
struct event *event_ref(struct event *event);
void event_unref(struct event *event);
/* What a DELETED sends: a new reference. No lock. */
struct store_entry *event_gone(struct event *event);

/* A chain of events and those who follow it. */
struct bucket {
	char *key; /* in the map; NULL: of the whole collection */
	size_t key_size;
	struct event_link *first, *last;
	uint64_t dropped;	     /* revision of the newest event that left the chain */
	struct store_watch *idle;    /* nothing pending */
	struct store_watch *pending; /* something is */
};

enum { SEGMENT_EVENTS = 256 };

struct segment {
	struct segment *next;
	struct version *base;
	uint64_t base_revision; /* `base` is the state from here to the first event */
	uint64_t last_revision, last_ns;
	struct event *first;
	size_t count, bytes;
};

struct history {
	struct segment *oldest, *newest;
	size_t events, bytes;
	struct bucket all;
	struct cox_map buckets;
};

/* What was unlinked under the lock and is freed without it. */
struct dropped {
	COX_VEC(struct event *) events;
	COX_VEC(struct version *) versions;
};
void dropped_free(struct dropped *dropped); /* no lock */

/* Begins a commit at that time: may close the newest segment. */
void history_begin(struct store_collection *collection, uint64_t now);
/* Takes the reference. Links it everywhere and moves watches along (wake_lock held, too). */
void history_append(struct store_collection *collection, struct event *event, uint64_t now);
void history_drop_oldest(struct store_collection *collection, struct dropped *dropped);
void history_drop_all(struct store_collection *collection, struct dropped *dropped);
/* Drops until the store's bytes are within the bound. */
void history_trim(struct store *store, struct dropped *dropped);

/* The bucket that a scope is watched in; made if need be. */
struct bucket *bucket_for(struct store_collection *collection, const struct store_scope *scope);
void bucket_settle(struct store_collection *collection, struct bucket *bucket); /* may free it */

/* Key of a bucket: 'n' namespace, 'm' name, 'f' and the field's index, then the value. */
enum { BUCKET_KEY_MAX = 2048 };

#endif
