/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: collections of objects kept as trees of canonical bytes, fed only
 * by the event stream of a storage plugin (ingest is the one door), read
 * through snapshots (snapshot.h), followed by watches (watch.h) and changed by
 * transactions (submit.h). One sequence of revisions for everything.
 *
 * Life: store_create, store_add_collection for each resource, store_start,
 * ..., store_stop, store_free. Collections may be added, reloaded and removed
 * while it runs. Unless said otherwise functions may be called from any thread
 * and do not block.
 *
 * Callbacks (waiters, watch wakes, transaction results) run on threads of the
 * store or of the plugin: they must be quick, must not block, and may call
 * only what their own header allows.
 */
#ifndef COX_STORE_STORE_H
#define COX_STORE_STORE_H

#include "base/error.h"
#include "store/entry.h"

#include <coxswain/kit/buf.h>
#include <coxswain/storage.h>

struct store;
struct store_collection;

/* The opened storage plugin. enter and leave (may be NULL) go around each call of it. */
struct store_backend {
	const struct cox_storage_ops *ops;
	void *self;
	void (*enter)(void *context);
	void (*leave)(void *context);
	void *context;
};

/* Bounds; 0 stands for the value in parentheses. */
struct store_options {
	const char *prefix;  /* keys that are ours ("/registry/") */
	uint64_t history_ns; /* how long the past is kept (5 minutes) */
	/*
	 * Of old objects in memory, all collections together (an eighth of what
	 * the present ones take, but 1 MiB at the least and 64 MiB at the most).
	 */
	size_t history_bytes;
	/*
	 * Of a collection of records: past it the oldest are deleted (half of
	 * what all the others take, but 1 MiB at the least).
	 */
	size_t record_bytes;
	size_t batch_count;	 /* transactions in one batch (256) */
	size_t batch_bytes;	 /* (4 MiB) */
	size_t queue_count;	 /* waiting transactions (8,192) */
	size_t queue_bytes;	 /* (64 MiB) */
	uint64_t queue_delay_ns; /* past this the queue refuses: 429 (1 s) */
	uint64_t visible_ns;	 /* from commit to event, at most (30 s) */
	size_t waiter_count;	 /* store_wait entries (65,536) */
	uint64_t start_ns;	 /* to catch up at start, at most (60 s) */
};

struct store *store_create(const struct store_backend *backend,
			   const struct store_options *options); /* NULL: all defaults */
/*
 * Reads everything, begins to follow the plugin, and returns when the cache
 * has reached the plugin's revision at the time of the call. Blocks.
 */
int store_start(struct store *store, struct cox_error *err) COX_MUST_CHECK;
/*
 * Ends the threads. Waiting transactions, waiters and the like get their
 * callback with ServiceUnavailable; watches end. Blocks.
 */
void store_stop(struct store *store);
/* After store_stop; snapshots, entries and watches must be gone. */
void store_free(struct store *store);

/* A selectable field of a collection's objects. */
struct store_field {
	const char *label; /* as a field selector names it: "spec.nodeName" */
	/*
	 * Where it is: member names joined by '.', "x[0]" is the first item.
	 * Several, joined by '|': the first that is there and not empty.
	 * "metadata.name" and "metadata.namespace" come from the key.
	 */
	const char *path;
	const char *absent; /* the value when it is not there; NULL: "" */
	bool indexed;	    /* lists and watches by it are cheap */
};

enum { STORE_FIELDS_MAX = 32 };

/* Makes canonical bytes out of what was stored under a tag that is not the current one. */
struct store_decoder {
	/*
	 * Decrypts, decodes, converts to the storage version, defaults,
	 * encodes: `out` becomes canonical JSON without resourceVersion. Called
	 * from one thread at a time per collection, may take its time, must not
	 * call the store. -1: the value is kept aside with the error's text.
	 */
	int (*decode)(const struct store_decoder *self, struct cox_bytes key,
		      struct cox_bytes value, uint32_t tag, struct cox_buf *out,
		      struct cox_error *err);
};

struct store_collection_options {
	const char *name;   /* "pods", for messages */
	const char *prefix; /* "/registry/pods/": then [namespace '/'] name */
	bool namespaced;
	bool records;			     /* bounded by record_bytes */
	uint32_t tag;			     /* the current one; never 0 */
	const struct store_field *fields;    /* copied */
	size_t field_count;		     /* at most STORE_FIELDS_MAX */
	const struct store_decoder *decoder; /* outlives the collection */
};

/*
 * Before store_start: remembers it. After: also loads it, and blocks for that.
 * Fails if the prefix lies inside another's, or another's inside it, or
 * outside the store's. Returns a borrowed handle, valid until removal.
 */
struct store_collection *store_add_collection(struct store *store,
					      const struct store_collection_options *options,
					      struct cox_error *err);
/*
 * The schema changed: ingests everything again under the new tag and decoder
 * (NULL: keep). Fields and prefix stay. Watches get 410. Blocks.
 */
int store_reload_collection(struct store_collection *collection, uint32_t tag,
			    const struct store_decoder *decoder,
			    struct cox_error *err) COX_MUST_CHECK;
/*
 * Watches get 410, snapshots stay valid. Nobody may begin to use the handle
 * any more; it is freed by store_free. Values stay in the plugin. The prefix
 * can be added again.
 */
void store_remove_collection(struct store_collection *collection);

/* How many of its values could not be ingested: a list that leaves them out is not whole. */
size_t store_collection_errors(struct store_collection *collection);
struct store *store_of(const struct store_collection *collection);
/* The index of a selectable field, or -1. */
int store_field_index(const struct store_collection *collection, const char *label);
/*
 * The key of an object. -1 with BadRequest if namespace (NULL or "" for
 * cluster scope) or name is empty, ".", "..", or contains '/' or a zero byte,
 * so that no name leads out of the collection.
 */
int store_key(const struct store_collection *collection, const char *namespace, const char *name,
	      struct cox_buf *key, struct cox_error *err) COX_MUST_CHECK;

/* Everything up to this revision is in the cache and seen by all readers. */
uint64_t store_revision(const struct store *store);
/*
 * The revision that a read "not older than now" has to wait for. Blocks (asks
 * the plugin) only if the store is shared with others.
 */
int store_fresh_revision(struct store *store, uint64_t *revision,
			 struct cox_error *err) COX_MUST_CHECK;
bool store_shared(const struct store *store);
/* Exact reads and continue tokens below this revision are refused. */
uint64_t store_compacted(const struct store *store);
/* Health of plugin and stream: 0, or -1 with what is wrong. May block. */
int store_health(struct store *store, struct cox_error *err) COX_MUST_CHECK;

/* A request that waits for a revision; embedded by the caller, who keeps it. */
struct store_waiter {
	/* `reached`: 1, or 0 for the deadline, or -1 when the store stops. */
	void (*done)(struct store_waiter *waiter, int reached);
	uint64_t revision;		      /* wanted */
	uint64_t deadline_ns;		      /* monotonic */
	struct store_waiter *next, *previous; /* the store's */
	bool waiting;			      /* the store's */
};

/*
 * 1: reached already, no callback; 0: done() will be called once; -1: too many
 * wait (TooManyRequests) or the store stops. done() may call store_get,
 * store_snapshot and store_submit.
 */
int store_wait(struct store *store, struct store_waiter *waiter,
	       struct cox_error *err) COX_MUST_CHECK;
/* True: done() was not and will not be called. False: it was, or is just now. */
bool store_wait_cancel(struct store *store, struct store_waiter *waiter);

struct store_figures {
	uint64_t entries;     /* live objects */
	uint64_t entry_bytes; /* memory of them */
	uint64_t bad_entries; /* live values that could not be ingested */
	uint64_t history_events;
	uint64_t history_bytes;
	uint64_t watches;
	uint64_t queued; /* transactions waiting for the committer */
	uint64_t batches, committed, conflicts, unknown, failed, refused;
	uint64_t reloads; /* after a lost stream */
};
void store_figures(struct store *store, struct store_figures *figures);

#endif
