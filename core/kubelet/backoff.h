/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting longer after each failure: 10 s, doubling to 5 minutes, and from the
 * start again when all went well for twice the longest time. Times are the
 * caller's, any clock.
 */
#ifndef COX_KUBELET_BACKOFF_H
#define COX_KUBELET_BACKOFF_H

#include <stdint.h>

struct backoff {
	uint64_t delay; /* ns; 0: no failure yet */
	uint64_t since; /* of the last failure */
};

/* A failure at `now`: the next wait. `first` and `last` 0: the standing steps. */
void backoff_next(struct backoff *backoff, uint64_t now, uint64_t first, uint64_t last);
/*
 * How long to wait yet, for something that failed at `since`, whose last wait began
 * when it was started; 0: not at all.
 */
uint64_t backoff_left(const struct backoff *backoff, uint64_t since, uint64_t now, uint64_t last);

#endif
