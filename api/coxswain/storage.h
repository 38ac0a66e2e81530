/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The storage plugin: an ordered map from keys to values under one sequence of
 * revisions, with transactions, ranges and a stream of events.
 *
 * The plugin is the only judge of order and of conflict. The host's caches are
 * fed by its event stream and by nothing else, whether the plugin keeps the
 * data in this process or in a server that several hosts share.
 *
 * Revisions. One 64-bit sequence for the whole store, never 0; it only
 * grows, also across crashes, and no revision is ever given to two
 * transactions. A transaction that changes anything takes one revision, and
 * all its keys carry it. Revisions may be skipped. After a stop that was not
 * clean, the store's revision is at least as high as any that was ever
 * reported, so that no client comes back with one "from the future"; a watch
 * after a revision whose relaxed writes may be gone fails with
 * COX_REASON_EXPIRED, as does one after a revision from before a restore.
 *
 * Durability. A write with COX_DURABLE is on stable storage before its result
 * is reported. One with COX_RELAXED may be lost together with all relaxed
 * writes after it by a crash of the machine (not of the process), never out of
 * order and never together with a durable write that was acknowledged later:
 * syncing a durable write also syncs the relaxed ones before it.
 *
 * Keys are bytes, 1 to 4,096 long, compared as unsigned bytes; values are
 * bytes, at most 16 MiB, possibly none. Ranges are half open: start <= key <
 * end; an `end` of size 0 has no upper end, an `end` that is not after `start`
 * is an empty range.
 */
#ifndef COXSWAIN_STORAGE_H
#define COXSWAIN_STORAGE_H

#include <coxswain/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COX_STORAGE_OPS_ABI 0u

#define COX_STORAGE_KEY_MAX 4096u
#define COX_STORAGE_VALUE_MAX (16u << 20)
#define COX_STORAGE_TXN_CHANGES_MAX 4096u      /* puts and deletes */
#define COX_STORAGE_TXN_BYTES_MAX (64u << 20)  /* keys and values together */

/* What a store can do beyond the required operations. */
enum cox_storage_capability {
	COX_STORAGE_PERSISTENT = 1 << 0, /* survives the end of the process */
	COX_STORAGE_SHARED = 1 << 1,     /* other processes may write to it */
	COX_STORAGE_AT_REVISION = 1 << 2,/* range at an older revision */
	COX_STORAGE_TTL = 1 << 3,        /* ends keys by itself */
	COX_STORAGE_PROGRESS = 1 << 4,   /* sends COX_EVENT_PROGRESS, promptly */
	COX_STORAGE_SNAPSHOT = 1 << 5    /* snapshot operation present */
};

enum cox_durability {
	COX_DURABLE = 0,
	COX_RELAXED = 1
};

/* `revision` 0: the key must be absent. */
struct cox_compare {
	struct cox_bytes key;
	uint64_t revision; /* of the key's last change */
};

struct cox_put {
	struct cox_bytes key;
	struct cox_bytes value;
	uint32_t tag;         /* kept with the value, opaque to the plugin */
	uint32_t ttl_seconds; /* 0: none */
};

/*
 * One transaction: if every compare holds, all puts and deletes are done
 * under one new revision; else nothing is. A key occurs at most once among
 * puts and deletes. Deleting an absent key is no change and no error; a put is
 * always a change, also with the bytes that are there. One that breaks a bound
 * of this header fails alone, with COX_REASON_INVALID.
 *
 * A put sets the key's ttl anew: 0 takes an earlier one away. A key that ends
 * by its ttl is deleted under a revision of its own, at most a few seconds
 * late, never early, also if the store was closed at the time.
 */
struct cox_txn {
	const struct cox_compare *compares;
	size_t compare_count;
	const struct cox_put *puts;
	size_t put_count;
	const struct cox_bytes *deletes;
	size_t delete_count;
	uint32_t durability; /* enum cox_durability */
	uint32_t reserved;
	void *cookie; /* the host's; comes back with the result */
};

enum cox_txn_result {
	COX_TXN_COMMITTED = 0, /* `revision` is the new one, or the store's
				* present one if nothing had to change */
	COX_TXN_CONFLICT = 1,  /* `index` is the first compare that failed;
				* `revision` is that key's (0: absent) */
	COX_TXN_UNKNOWN = 2,   /* may or may not have happened (a lost server);
				* the host reads the keys back */
	COX_TXN_FAILED = 3     /* did not happen; `err` says why */
};

/*
 * Takes the results of a batch. Called once for each transaction, in any
 * order, from any thread, possibly before submit() returns. `reason` and `why`
 * (borrowed) say what went wrong with COX_TXN_FAILED and COX_TXN_UNKNOWN, and are
 * COX_REASON_NONE and NULL otherwise.
 */
struct cox_txn_sink {
	uint32_t struct_size;
	uint32_t reserved;
	void (*done)(const struct cox_txn_sink *sink, void *cookie, enum cox_txn_result result,
		     uint64_t revision, size_t index, enum cox_reason reason, const char *why);
};

/* Borrowed for the call of the sink. */
struct cox_entry {
	struct cox_bytes key;
	struct cox_bytes value; /* {NULL, 0} with COX_RANGE_KEYS_ONLY */
	uint64_t revision;      /* of this value */
	uint32_t tag;
	uint32_t reserved;
};

#define COX_RANGE_KEYS_ONLY 1u

struct cox_range {
	struct cox_bytes start;
	struct cox_bytes end;
	uint64_t at_revision; /* 0: now */
	uint64_t limit;       /* 0: none */
	uint32_t flags;
	uint32_t reserved;
};

struct cox_range_sink {
	uint32_t struct_size;
	uint32_t reserved;
	/* 0: go on, anything else: enough, range() returns 0. Key order. */
	int (*entry)(const struct cox_range_sink *sink, const struct cox_entry *entry);
};

/* What range() tells besides the entries. */
struct cox_range_result {
	uint64_t revision; /* the entries are exactly the state at this one */
	uint32_t more;     /* 1: stopped by the limit or by the sink, and
			    * there are keys behind the last entry */
	uint32_t reserved;
};

enum cox_watch_event_type {
	COX_EVENT_PUT = 1,
	COX_EVENT_DELETE = 2,  /* also a TTL that ran out; value is empty */
	COX_EVENT_COMMIT = 3,  /* all events of `revision` were delivered */
	COX_EVENT_PROGRESS = 4,/* everything up to `revision` was delivered:
				* sent once the past is, and whenever the store
				* has gone on without a change in the range */
	COX_EVENT_LOST = 5     /* events are gone; `revision` is the oldest that
				* a watch could still start from. The watch has
				* ended; the host ranges again */
};

struct cox_watch_event {
	uint32_t type;
	uint32_t tag;
	uint64_t revision;
	struct cox_bytes key;
	struct cox_bytes value;
};

/*
 * Takes events: revisions in growing order, each ended by COX_EVENT_COMMIT.
 * Revisions of COMMIT and PROGRESS never go back. Within a revision, keys come
 * in the order of the transaction, puts first. Called from one thread at a time
 * per watch, with no lock of the plugin held: a sink that blocks delays its own
 * watch and nothing else. An event's bytes are borrowed for the call.
 */
struct cox_watch_sink {
	uint32_t struct_size;
	uint32_t reserved;
	void (*event)(const struct cox_watch_sink *sink, const struct cox_watch_event *event);
};

struct cox_storage_stats {
	uint64_t keys;
	uint64_t value_bytes; /* live values */
	uint64_t disk_bytes;  /* 0: not on disk or not known */
	uint64_t revision;
	uint64_t compact_revision;
};

struct cox_storage_ops {
	/* enum cox_storage_capability bits. FAST. Required. */
	uint32_t (*capabilities)(void *self);

	/*
	 * n independent transactions. The arrays and what they point to are
	 * borrowed until the last result is in. The order of the array is the
	 * order in which they take effect. May block for the disk; the host
	 * calls it from its committer only, one batch at a time. Returns 0 if
	 * every transaction has had or will have its result, -1 if none will
	 * (nothing was done). Required.
	 */
	int (*submit)(void *self, const struct cox_call *call, const struct cox_txn *txns,
		      size_t n, const struct cox_txn_sink *sink, struct cox_error *err);

	/*
	 * Entries in key order. An at_revision before the compact revision
	 * fails with COX_REASON_EXPIRED, one in the future with
	 * COX_REASON_TIMEOUT, both before the first entry. No lock of the
	 * plugin is held while the sink is called. Required.
	 */
	int (*range)(void *self, const struct cox_call *call, const struct cox_range *range,
		     const struct cox_range_sink *sink, struct cox_range_result *result,
		     struct cox_error *err);

	/*
	 * Streams every change of keys in the range with a revision greater
	 * than `after`, the past ones first, and returns a handle at once.
	 * Fails with COX_REASON_EXPIRED if `after` is before the compact
	 * revision, with COX_REASON_TIMEOUT if it is in the future. A watch
	 * may cost a thread: few and broad ones are meant. Required.
	 */
	void *(*watch)(void *self, const struct cox_call *call, struct cox_bytes start,
		       struct cox_bytes end, uint64_t after, const struct cox_watch_sink *sink,
		       struct cox_error *err);
	/*
	 * No event is delivered after it returned. Called once for every
	 * watch, also for one that has ended with COX_EVENT_LOST; never from
	 * inside its sink. All watches are cancelled before stop. Required.
	 */
	void (*watch_cancel)(void *self, void *watch);

	/* The newest revision that is in force; 0: cannot be told. Required. */
	uint64_t (*revision)(void *self, const struct cox_call *call, struct cox_error *err);

	/*
	 * Forgets history up to and including `revision`; live keys stay.
	 * Ranges at and watches after an older revision are refused from now
	 * on (at and after `revision` itself they work), watches under way get
	 * COX_EVENT_LOST if they need it. Compacting to less than was is no
	 * change and no error, to a revision in the future COX_REASON_INVALID.
	 * May take long; submit and range go on meanwhile. Required.
	 */
	int (*compact)(void *self, const struct cox_call *call, uint64_t revision,
		       struct cox_error *err);

	/*
	 * Writes a consistent copy of the live keys into `directory` (absolute,
	 * must not exist, its parent must). The copy is a store that the plugin
	 * can be started on; its revisions then go on so far above those of the
	 * copy that none is given twice. Optional.
	 */
	int (*snapshot)(void *self, const struct cox_call *call, const char *directory,
			struct cox_error *err);

	/* Required. */
	int (*stats)(void *self, struct cox_storage_stats *stats, struct cox_error *err);

	/* 0: reads and writes work. -1: `err` says what does not. Required. */
	int (*health)(void *self, const struct cox_call *call, struct cox_error *err);
};

COX_STATIC_ASSERT(sizeof(struct cox_storage_ops) % sizeof(void *) == 0, "no tail padding");

/* The descriptor of a storage plugin, for example:
 *   COX_STORAGE_PLUGIN(memory_ops, .name = "memory", .version = "1",
 *                      .thread_model = COX_THREADS_PARALLEL, .create = memory_create);
 */
#define COX_STORAGE_PLUGIN(ops_table, ...)                                                     \
	COX_PLUGIN_DESCRIPTOR("storage", COX_STORAGE_OPS_ABI, ops_table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
