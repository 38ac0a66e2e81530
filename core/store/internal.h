/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the store share. Locks, in the order in which they are
 * taken (core/base/lock.h):
 *
 *   load_lock    one load at a time; the only one held while the plugin is called.
 *   ingest_lock  the stream: pending changes, the table of collections, what is
 *                being loaded. Held while the results of a commit are told.
 *   wake_lock    held from linking an event until the last wake() it caused, so
 *                that closing a watch can wait for wakes and readers need not.
 *   lock         what readers see: versions, chains, watches, waiters, the
 *                revision. Held for moments only; no callback under it.
 *   queue_lock   the committer's queues and results.
 *
 * A commit is published under `lock` as a whole: the new versions of all
 * collections, their events and the revision become visible at once.
 */
#ifndef COX_STORE_INTERNAL_H
#define COX_STORE_INTERNAL_H

#include "base/bytes.h"
#include "store/committer.h"
#include "store/history.h"
#include "store/scan.h"
#include "store/submit.h"
#include "store/thin.h"
#include "store/watch.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* As memcmp does; the shorter comes first. */
static inline int compare_bytes(struct cox_bytes a, struct cox_bytes b)
{
	size_t shorter = a.size < b.size ? a.size : b.size;
	int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* How long ago; clocks that were read on two threads may come in any order. */
static inline uint64_t age_of(uint64_t then, uint64_t now)
{
	return now > then ? now - then : 0;
}

/* A put or delete that the stream told, until its revision is complete. */
struct change {
	struct store_collection *collection;
	struct store_entry *entry; /* NULL: deleted */
	struct bytes *key;	   /* of a deletion */
	uint64_t revision;
};

/* The same, as it came, for a collection that is being loaded. */
struct raw_change {
	struct bytes *key, *value; /* value NULL: deleted */
	uint32_t tag;
	uint64_t revision;
};

enum { KEPT_MAX = 8, SAMPLES = 64, RAW_CHANGES_MAX = 1 << 20 };

struct store_collection {
	struct store *store;
	char *name, *prefix;
	struct scan_plan plan;
	bool records; /* thin.c keeps it small */
	struct ptree_type by_key;
	struct index_type *by_field; /* constant once made, as the plan is */
	size_t index_count;

	/* ingest_lock */
	uint32_t tag;
	const struct store_decoder *decoder;
	struct arena scratch;
	bool live;	/* the stream changes it */
	bool loading;	/* the stream is also kept in `raw` */
	bool load_over; /* the stream broke meanwhile: load again */
	COX_VEC(struct raw_change) raw;
	struct version *next_version; /* being made by a commit */
	struct version *load_version; /* being made by a load; load_lock */

	/* lock */
	struct version *version;
	uint64_t loaded;	/* older events are in the version already */
	uint64_t last_revision; /* of the newest change, or of the load */
	uint64_t floor;		/* all events after it are in the history */
	uint64_t entry_bytes;
	uint64_t bad_entries;
	bool in_round;	 /* thin.c is at it */
	size_t thinning; /* deletions under way */
	struct history history;
	uint64_t past_bytes; /* of all that the history has dropped */
	struct {
		struct version *version;
		uint64_t revision, used_ns;
		uint64_t past_bytes; /* at the time it was kept */
		size_t readers;	     /* who have not come to its end */
	} kept[KEPT_MAX];
	bool removed;

	struct thin_round round; /* keeper */
};

struct waiter_list {
	struct store_waiter *first, *last;
};

struct store {
	struct store_backend backend;
	struct store_options options;
	char *prefix;
	uint32_t capabilities;

	pthread_mutex_t load_lock;
	pthread_mutex_t ingest_lock;
	COX_VEC(struct store_collection *) collections; /* by prefix; also under lock */
	COX_VEC(struct store_collection *) removed;
	COX_VEC(struct change) pending;
	COX_VEC(struct event *) fresh; /* scratch of a commit */
	bool stream_broken;	       /* nothing is taken from it until all is read again */
	bool progress_ignored;	       /* the plugin sent a notice before its event once */
	struct cox_watch_sink watch_sink;
	void *watch; /* the plugin's; start, stop and the keeper */
	bool started;

	pthread_mutex_t wake_lock;
	struct store_watch *waking;

	pthread_mutex_t lock;
	_Atomic uint64_t applied;
	_Atomic uint64_t compacted;
	struct waiter_list waiters;
	size_t waiter_count;
	struct result_list awaiting; /* by visible_at */
	size_t history_bytes;
	uint64_t watch_count;
	bool stopping;
	bool crowded;	   /* thin.c has work, for the keeper */
	bool lost;	   /* the stream has broken; the keeper mends it */
	char trouble[200]; /* why the stream could not be mended yet */
	pthread_cond_t keeper_wake;
	uint64_t keeper_until; /* when it looks next */
	pthread_t keeper;
	struct {
		uint64_t ns, revision;
	} samples[SAMPLES]; /* a ring: which revision was when */
	unsigned sample_at;
	uint64_t compact_sent;

	pthread_mutex_t queue_lock;
	pthread_cond_t queue_wake;
	struct result_list queue[2]; /* by enum store_class */
	size_t queue_count, queue_bytes;
	struct result_list results;
	size_t outstanding; /* handed over, without a result yet */
	uint64_t committed_high;
	bool committer_stop;
	pthread_t committer;

	_Atomic uint64_t batches, committed, conflicts, unknown, failed, refused, reloads;
	_Atomic uint64_t misplaced;
};

/* collection.c */
struct store_collection *collection_make(struct store *store,
					 const struct store_collection_options *options,
					 struct cox_error *err);
void collection_free(struct store_collection *collection);
/* Whose key it is, or NULL; ingest_lock or lock held. */
struct store_collection *collection_find(struct store *store, struct cox_bytes key);

/* ingest.c */
void ingest_event(const struct cox_watch_sink *sink, const struct cox_watch_event *event);
struct store_entry *ingest_value(struct store_collection *collection, struct arena *scratch,
				 uint32_t current, const struct store_decoder *decoder,
				 const struct cox_entry *stored);
void ingest_drop_pending(struct store *store);
/* Tells `applied` to those who wait; the locks are free, ingest_lock may be held. */
void ingest_commit(struct store *store, uint64_t revision);

/* load.c */
/* Reads all collections and follows from there; load_lock held, no stream. */
int load_everything(struct store *store, uint64_t at_revision,
		    struct cox_error *err) COX_MUST_CHECK;
void load_end_watch(struct store *store);
int load_collection(struct store_collection *collection, uint32_t tag,
		    const struct store_decoder *decoder, struct cox_error *err) COX_MUST_CHECK;

/* snapshot.c: takes the reference of the version */
struct store_snapshot *snapshot_make(struct store_collection *collection, struct version *version,
				     uint64_t revision);

/* watch.c; wake_lock and lock held */
void watch_pending(struct store *store, struct store_watch *watch, struct event_link *link);
void watch_end_all(struct store_collection *collection);
/* wake_lock held, lock free */
void watch_wake_all(struct store *store);

/* wait.c; lock held: moves out who has waited long enough */
void wait_take_reached(struct store *store, struct waiter_list *reached);
uint64_t wait_take_late(struct store *store, uint64_t now, struct waiter_list *late);
void wait_tell(struct waiter_list *list, int reached); /* no lock */
/* Blocks until the revision is there; 0, or -1 with Timeout or ServiceUnavailable. */
int wait_blocking(struct store *store, uint64_t revision, uint64_t deadline_ns,
		  struct cox_error *err) COX_MUST_CHECK;

/* keeper.c */
void *keeper_run(void *store);
void keeper_sample(struct store *store, uint64_t now); /* lock held */

void store_enter(struct store *store);
void store_leave(struct store *store);
struct cox_call store_call(uint64_t timeout_ns);

#endif
