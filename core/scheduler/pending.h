/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pods that have no node yet:
 *   ready        the next to be tried, in order
 *   backing off  failed a moment ago: 1 s, doubled with each try up to 60 s
 *   waiting      no node fits until something changes; tried again after
 *                five minutes all the same
 *   gated        may not be tried before the pod itself changes
 *   in flight    an attempt is under way
 * It belongs to one thread.
 */
#ifndef COX_SCHEDULER_PENDING_H
#define COX_SCHEDULER_PENDING_H

#include "scheduler/facts.h"

struct pending;

enum pending_place {
	PENDING_READY,
	PENDING_BACKOFF,
	PENDING_WAITING,
	PENDING_GATED,
	PENDING_FLYING
};

struct pending_pod {
	struct pod_facts *pod; /* a reference of the queue's */
	enum pending_place place;
	unsigned attempts;
	uint64_t since; /* when it came; monotonic, as the next */
	uint64_t due;	/* of the back-off, or when waiting ends */
	size_t at;	/* in its heap or list */
};

/* NULL `order`: by priority, then by age; else less than 0: `a` first. */
typedef int pending_order(void *context, const struct pending_pod *a, const struct pending_pod *b);

struct pending *pending_new(void);
void pending_free(struct pending *pending);
/* Another order from now on. */
void pending_set_order(struct pending *pending, pending_order *order, void *context);

/*
 * A new pod, or a change of one: it becomes ready (or gated); a change during a
 * flight is only remembered. Takes a reference of its own.
 */
void pending_put(struct pending *pending, struct pod_facts *pod, bool gated, uint64_t now);
void pending_remove(struct pending *pending, const char *uid);
struct pending_pod *pending_find(const struct pending *pending, const char *uid);

/* The first ready one, in flight from now on; NULL: none. */
struct pending_pod *pending_take(struct pending *pending, uint64_t now);
/* The flight failed. `wait`: nothing but a change helps; else after its back-off. */
void pending_return(struct pending *pending, const char *uid, bool wait, uint64_t now);
/* Its back-off counts from the beginning again. */
void pending_move(struct pending *pending, struct pending_pod *pod, uint64_t now);
/* Makes ready what is due; the next time that something is (0: never). */
uint64_t pending_advance(struct pending *pending, uint64_t now);

/* The index-th there, in no particular order; NULL: no more. */
struct pending_pod *pending_at(const struct pending *pending, enum pending_place place,
			       size_t index);
/* One that was gated is not any more. */
void pending_open_gate(struct pending *pending, struct pending_pod *pod);
size_t pending_count(const struct pending *pending, enum pending_place place);

/* How long a pod that failed `attempts` times rests. */
uint64_t pending_backoff(unsigned attempts);

#endif
