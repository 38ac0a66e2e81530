/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the leveldb store that its files share.
 *
 * leveldb is used so that the holes of its crash safety cannot be reached:
 *   - while a store is opened, hard links keep the files of before, so an open
 *     that a power cut tears apart is undone (directory.c);
 *   - the newest log is read by ourselves first and cut where unsynced writes
 *     may have been lost, so none that came later survives (logfile.c);
 *   - nothing unsynced is left behind when leveldb switches logs, and the new
 *     log's name is on disk before a write to it is acknowledged (write.c);
 *   - after a failed write nothing more goes to that log (write.c);
 *   - RepairDB is never used.
 *
 * Locks, in order: engine.write, handle. Readers hold `handle` shared while
 * they use db; only the reopening after a failed write holds it alone, and it
 * gives way instead of waiting. engine.write guards state and all that
 * write.c owns.
 */
#ifndef STORAGE_LEVELDB_LEVEL_H
#define STORAGE_LEVELDB_LEVEL_H

#include "../common/engine.h"
#include "format.h"

#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>
#include <dirent.h>
#include <leveldb/c.h>
#include <stdatomic.h>

/* What the database does not yet say of the keys; see index.c. */
struct index {
	struct cox_map recent; /* key -> struct version */
	uint64_t writes;       /* since the index was written */
	uint64_t record_bytes; /* of them */
};

struct level {
	const struct cox_host *host;
	struct engine engine;
	/* Options */
	char *directory;
	uint64_t write_buffer, cache_size;

	int directory_fd; /* -1: not open */
	int lock_fd;
	pthread_rwlock_t handle;
	leveldb_t *db; /* NULL: could not be opened again yet */
	leveldb_options_t *options;
	leveldb_cache_t *cache;
	leveldb_readoptions_t *read;	  /* through the cache */
	leveldb_readoptions_t *read_once; /* past the cache */
	leveldb_writeoptions_t *write, *write_sync;

	/* Owned by write.c */
	struct state state;
	uint64_t log_number;
	int log_fd;
	uint64_t memtable;	 /* leveldb's, at the most */
	uint64_t unsynced_since; /* monotonic; 0: everything is on disk */
	uint64_t retry_at, retry_after;
	/* Owned by index.c */
	struct index index;
	leveldb_iterator_t *lookups; /* NULL: none since the last batch */

	_Atomic bool broken; /* no writes until reopened */
	pthread_mutex_t why_lock;
	struct fault why;
};

/* directory.c: files, before leveldb sees them and around its opening */
DIR *directory_list(int fd); /* from the start; NULL and errno */
/* Whether a name is a number with this ending. */
bool directory_number(const char *name, const char *ending, uint64_t *number);
int directory_lock(struct level *level, struct cox_error *err);
void directory_unlock(struct level *level);
int directory_recover(struct level *level, struct cox_error *err);
int directory_check(struct level *level, struct cox_error *err);
int directory_guard(struct level *level, struct cox_error *err);
int directory_undo(struct level *level, struct cox_error *err);
int directory_release(struct level *level, struct cox_error *err);
int directory_check_tables(struct level *level, struct cox_error *err);
/* The number of the newest log (0: none), or -1. */
int directory_newest_log(const struct level *level, uint64_t *number);
uint64_t directory_bytes(const struct level *level);
int directory_sync_all(const char *path);
/* "the store ... is damaged: ...; restore a snapshot: ..."; -1 */
int directory_damaged(const struct level *level, struct cox_error *err, const char *format, ...)
	COX_PRINTF(3, 4);

/* The directory holds a database of somebody else; -1. */
int directory_foreign(const struct level *level, struct cox_error *err);

/* logfile.c */
int logfile_check_all(struct level *level, struct cox_error *err);

/* open.c */
int level_open(struct level *level, struct cox_error *err);
void level_close(struct level *level);

/* write.c */
struct batch {
	leveldb_writebatch_t *batch;
	struct state state; /* as it will be */
	uint64_t memtable;  /* room that it takes there, at the most */
};

/* All with engine.write held. A batch is used up by batch_write. */
void batch_begin(struct batch *batch, const struct level *level, const struct state *state);
void batch_put(struct batch *batch, struct cox_bytes key, struct cox_bytes value);
void batch_delete(struct batch *batch, struct cox_bytes key);
int batch_write(struct batch *batch, struct level *level, bool durable, struct fault *fault);
int write_apply(void *self, const struct change *changes, size_t count, bool durable,
		struct fault *fault);
uint64_t write_tick(void *self, uint64_t now);
/* Makes the log that leveldb writes to ours to sync; after every opening. */
int write_begin(struct level *level, struct cox_error *err);
void write_end(struct level *level);

/* index.c: all but the steps of a walk with engine.write held */
int index_lookup(void *self, struct cox_bytes key, struct version *version, struct fault *fault);
/* Before what lookups see changes. */
void index_forget_lookups(struct level *level);
/* A version that has been written. */
void index_note(struct level *level, struct cox_bytes key, const struct version *version);
bool index_due(const struct level *level);
int index_write(struct level *level, struct fault *fault);
int index_load(struct level *level, struct cox_error *err);
void index_clear(struct level *level);

/* The newest version of each key of a range, in the keys' order. */
struct recent {
	struct cox_buf key;
	struct version version;
};

struct walk {
	struct cox_bytes key; /* until the next step */
	struct version version;
	/* Of index.c */
	struct key_range range;
	COX_VEC(struct recent) recent;
	size_t at;
	leveldb_iterator_t *stored;
	bool on_stored;
};

/*
 * First, when the snapshot is taken that `options` of walk_open has; the
 * range's bytes stay the caller's, until the end.
 */
void walk_begin(struct walk *walk, const struct level *level, const struct key_range *range);
void walk_open(struct walk *walk, const struct level *level, const leveldb_readoptions_t *options);
int walk_next(struct walk *walk, struct fault *fault); /* 1: at a key, 0: at the end, -1 */
void walk_end(struct walk *walk);

/* read.c */
size_t read_expired(void *self, uint64_t now, struct expired *out, size_t max, uint64_t *next);
int read_history(void *self, uint64_t after, uint64_t upto, const struct key_range *range,
		 struct chunk *chunk);
int read_range(void *self, const struct cox_call *call, const struct cox_range *range,
	       const struct cox_range_sink *sink, struct cox_range_result *result,
	       struct cox_error *err);
/* Holds db for reading, or fails; end with read_leave. */
int read_enter(struct level *level, struct cox_error *err);
void read_leave(struct level *level);
/* leveldb_get into a buffer; 1: found, 0: absent, -1: failed. */
int read_get(struct level *level, const leveldb_readoptions_t *options, struct cox_bytes key,
	     char **value, size_t *size, struct fault *fault);

/* maintain.c */
int maintain_compact(void *self, const struct cox_call *call, uint64_t revision,
		     struct cox_error *err);
int maintain_snapshot(void *self, const struct cox_call *call, const char *directory,
		      struct cox_error *err);

/* Takes over a text of leveldb's. Says whether space ran out. */
void fault_from(struct fault *fault, char *leveldb_text, enum cox_reason otherwise);
void fault_set(struct fault *fault, enum cox_reason reason, const char *format, ...)
	COX_PRINTF(3, 4);

#endif
