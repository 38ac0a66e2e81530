/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a server is away, so that all who follow its collections say so with
 * one voice: when it begins, once a minute while it lasts, and when it is over.
 * Any thread; zeros are a server that is there.
 */
#ifndef COX_CLIENT_OUTAGE_H
#define COX_CLIENT_OUTAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct outage {
	_Atomic uint64_t since; /* clock_monotonic; 0: it is there */
	_Atomic uint64_t told;	/* the last time that it was */
};

/* It is away at `now`; true: the caller tells of it. */
bool outage_goes_on(struct outage *outage, uint64_t now);
/* It is there. Nanoseconds for which it was away, to one caller; 0: it was not. */
uint64_t outage_is_over(struct outage *outage, uint64_t now);

#endif
