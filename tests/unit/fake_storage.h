/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A storage plugin that a test holds by the strings: events can be held back,
 * results made unknown or failing, the stream broken, foreign values put in.
 * Events come from a thread of its own, as those of real plugins do.
 */
#ifndef COX_TESTS_FAKE_STORAGE_H
#define COX_TESTS_FAKE_STORAGE_H

#include "store/store.h"

#include <coxswain/kit/vec.h>
#include <pthread.h>
#include <stdbool.h>

struct fake_value {
	struct cox_bytes key, value; /* owned */
	uint64_t revision;
	uint32_t tag;
};

struct fake_event {
	uint32_t type;
	uint64_t revision;
	struct fake_value value;
};

struct fake {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	COX_VEC(struct fake_value) values; /* by key */
	COX_VEC(struct fake_event) log;
	uint64_t revision, compacted;
	const struct cox_watch_sink *sink;
	size_t delivered; /* of the log */
	bool delivering;
	pthread_t pump;

	/* The strings. */
	bool hold_events;
	bool hold_submit;   /* submit() blocks */
	int overtake;	    /* so many events have a progress notice before them */
	bool lose;	    /* the pump sends LOST and ends the watch */
	int unknown_done;   /* so many transactions happen and answer UNKNOWN */
	int unknown_undone; /* and so many do not */
	int fail_batches;   /* submit() returns -1 */
	int fail_ranges;    /* range() returns -1 */
	uint32_t capabilities;
	bool stop;
	/* What was seen. */
	size_t batches, largest_batch, submitting, ranges, watches, entered;
	int first_lease_at; /* place of the first key with "lease" in the last batch; -1 */
};

void fake_start(struct fake *fake);
void fake_stop(struct fake *fake);
struct store_backend fake_backend(struct fake *fake);

/* Like another process that shares the store. Returns the revision. */
uint64_t fake_put(struct fake *fake, const char *key, const char *value, uint32_t tag);
uint64_t fake_delete(struct fake *fake, const char *key);
void fake_set(struct fake *fake, bool *string, bool value);
/* A member, read under the lock. */
#define fake_get(fake, member)                                                                     \
	__extension__({                                                                            \
		pthread_mutex_lock(&(fake)->lock);                                                 \
		__typeof__((fake)->member) fake_value_ = (fake)->member;                           \
		pthread_mutex_unlock(&(fake)->lock);                                               \
		fake_value_;                                                                       \
	})
uint64_t fake_revision(struct fake *fake);

#endif
