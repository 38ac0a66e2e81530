/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a store that owns its data: checks transactions, judges their
 * compares, gives out revisions, hands the changes to the backend in groups,
 * reports results, feeds the watches and ends keys whose time has come. The
 * backend only keeps versions.
 *
 * Locks, in order: engine.write (one writer at a time: submit, expiry, steps of
 * compaction), then the backend's own, then hub.lock. No lock is held while a
 * sink is called.
 */
#ifndef STORAGE_COMMON_ENGINE_H
#define STORAGE_COMMON_ENGINE_H

#include "hub.h"
#include "version.h"

#include <coxswain/kit/cleanup.h>

enum {
	/* Changes of one submit go to the backend in groups of about this size. */
	ENGINE_GROUP_BYTES = 32 * 1024 * 1024,
	ENGINE_EXPIRE_MAX = 256 /* keys ended in one go */
};

/* A key whose time has come. */
struct expired {
	struct cox_buf key;
	uint64_t revision;
};

/* All but `tick` are called with engine.write held. */
struct backend {
	/* The newest version of a key; revision 0: none is known. 0 or -1. */
	int (*lookup)(void *self, struct cox_bytes key, struct version *version,
		      struct fault *fault);
	/*
	 * Keeps all the changes or none; they come in growing order of
	 * (revision, index). Readers of the backend see them on return.
	 */
	int (*apply)(void *self, const struct change *changes, size_t count, bool durable,
		     struct fault *fault);
	/*
	 * Copies up to `max` keys that end at or before `now` and returns how
	 * many. `*next` is when the next one after them ends (0: none).
	 */
	size_t (*expired)(void *self, uint64_t now, struct expired *out, size_t max,
			  uint64_t *next);
	/* Housekeeping; returns when to be called again, monotonic (0: no need). May be NULL. */
	uint64_t (*tick)(void *self, uint64_t now);
};

struct engine {
	const struct cox_host *host;
	const struct backend *backend;
	void *self;
	struct hub hub;
	pthread_mutex_t write;
	uint64_t revision; /* newest that is in force */
	uint64_t clock_start, monotonic_start;

	pthread_t thread;
	bool running;
	pthread_mutex_t sleep_lock;
	pthread_cond_t sleep;
	uint64_t planned; /* the thread sleeps until then; 0: no end, or awake */
	bool kicked, stopping;
};

void engine_init(struct engine *engine, const struct cox_host *host, const struct backend *backend,
		 void *self, hub_read *read);
void engine_free(struct engine *engine);

/*
 * Where the store begins. `clock` is the latest time that the engine's clock
 * has shown in earlier lives: it never goes back, whatever the machine's does.
 */
void engine_begin(struct engine *engine, uint64_t revision, uint64_t compacted, uint64_t clock);
/* The backend was opened anew and is at `revision`; engine.write is held. */
void engine_rejoin(struct engine *engine, uint64_t revision, uint64_t compacted);
int engine_start(struct engine *engine, struct cox_error *err);
void engine_stop(struct engine *engine);
/* The engine's thread is needed at this monotonic time, or earlier. */
void engine_wake_at(struct engine *engine, uint64_t when);
/* For ttl: real time at the start, then moved on by the monotonic clock. */
uint64_t engine_clock(const struct engine *engine);

int engine_submit(struct engine *engine, const struct cox_txn *txns, size_t count,
		  const struct cox_txn_sink *sink);
/* Checks a range's revision and replaces 0 by the newest. */
int engine_check_at(struct engine *engine, uint64_t *at, struct cox_error *err);
/* Whether `revision` can be compacted: 1 yes, 0 has been, -1 no. */
int engine_check_compact(struct engine *engine, uint64_t revision, struct cox_error *err);

#endif
