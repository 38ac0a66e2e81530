/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watches of one store. Each has a thread of its own and a cursor: the
 * revision up to which its sink has everything. The thread copies the next
 * piece of history into a bounded chunk, and calls the sink with no lock and no
 * piece of the store held, so a sink that blocks delays nobody else and the
 * writer never waits. A watch that compaction overtakes ends with
 * COX_EVENT_LOST.
 */
#ifndef STORAGE_COMMON_HUB_H
#define STORAGE_COMMON_HUB_H

#include "version.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/vec.h>
#include <pthread.h>

enum {
	HUB_WATCH_MAX = 1024,
	HUB_CHUNK_BYTES = 256 * 1024, /* a chunk ends after the revision that passes this */
	HUB_CHUNK_EVENTS = 1024
};

/* An event whose bytes are in the chunk. */
struct chunk_event {
	uint64_t revision;
	uint32_t type;
	uint32_t tag;
	size_t at; /* of the key; the value follows it */
	size_t key_size;
	size_t value_size;
};

/* A copied piece of history, made of whole revisions. */
struct chunk {
	COX_VEC(struct chunk_event) events;
	struct cox_buf bytes;
	uint64_t upto; /* every event up to this revision is in */
};

/*
 * Fills `chunk` with the events of the range after `after` up to `upto`, or up
 * to an earlier whole revision once chunk_full says so, and sets chunk->upto.
 * Called from the threads of the watches. 0, or -1: the history is not there.
 */
typedef int hub_read(void *self, uint64_t after, uint64_t upto, const struct key_range *range,
		     struct chunk *chunk);

struct watch;

struct hub {
	const struct cox_host *host;
	hub_read *read;
	void *self;
	pthread_mutex_t lock; /* innermost; guards all below and the watches */
	struct watch *watches;
	size_t count;
	uint64_t revision;
	uint64_t compacted;
};

void hub_init(struct hub *hub, const struct cox_host *host, hub_read *read, void *self);
/* All watches have been cancelled. */
void hub_free(struct hub *hub);

/* The store is at `revision`, by these changes. */
void hub_advance(struct hub *hub, uint64_t revision, const struct change *changes, size_t count);
/* The store is at `revision`, and what led there is to be read. */
void hub_rejoin(struct hub *hub, uint64_t revision);
/* History up to and including `revision` is about to go. */
void hub_compact(struct hub *hub, uint64_t revision);
void hub_position(struct hub *hub, uint64_t *revision, uint64_t *compacted);

struct watch *hub_watch(struct hub *hub, const struct key_range *range, uint64_t after,
			const struct cox_watch_sink *sink, struct cox_error *err);
void hub_cancel(struct hub *hub, struct watch *watch);

bool chunk_full(const struct chunk *chunk);
void chunk_add(struct chunk *chunk, uint32_t type, uint32_t tag, uint64_t revision,
	       struct cox_bytes key, struct cox_bytes value);

/* A thread with all signals blocked: they belong to the daemon. 0 or errno. */
int quiet_thread(pthread_t *thread, void *(*run)(void *), void *argument);

#endif
