/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for what other threads do: looks again and again, a millisecond
 * apart, so that they have the processor. The time is for a machine that does
 * ten other things; a test that works does not come near it.
 */
#ifndef COX_TESTS_EVENTUALLY_H
#define COX_TESTS_EVENTUALLY_H

#include "base/clock.h"

#include <poll.h>

#define EVENTUALLY_TIME (60 * CLOCK_SECOND)

/* Until `condition` is true or the time is over; `last` is done before the test fails. */
#define eventually_or(condition, last)                                                             \
	do {                                                                                       \
		uint64_t until_ = clock_monotonic() + EVENTUALLY_TIME;                             \
		while (!(condition) && clock_monotonic() < until_)                                 \
			poll(NULL, 0, 1);                                                          \
		if (!(condition))                                                                  \
			last;                                                                      \
		assert_true(condition);                                                            \
	} while (0)
#define eventually(condition) eventually_or(condition, (void)0)

#endif
