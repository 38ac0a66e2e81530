/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that do the same work, as many as there is work for: while a bound
 * allows it, one more than is busy. So work never waits for a thread to be
 * made, and a quiet process does not keep the stacks of its busiest time.
 *
 * A member runs this loop, with whatever it takes its work from:
 *
 *   for (;;) {
 *           item = take(..., crew_deadline(crew));
 *           if (!item) {
 *                   if (the end has come || crew_leave(crew))
 *                           return;
 *                   continue;
 *           }
 *           crew_busy(crew);
 *           ... do it ...
 *           crew_idle(crew);
 *   }
 *
 * crew_busy may make a thread; the others do not block.
 */
#ifndef COX_BASE_CREW_H
#define COX_BASE_CREW_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crew;

struct crew_config {
	const char *name;   /* of the threads; cut at 15 characters; NULL: the process's */
	unsigned most;	    /* at least 1 */
	size_t stack_bytes; /* 0: 256 KiB */
	uint64_t patience;  /* nanoseconds without work until one ends; 0: 10 s */
	void (*run)(void *context);
	void *context;
};

/* The first member begins at once. Its context must be complete. */
struct crew *crew_open(const struct crew_config *config, struct cox_error *err);
/* Waits for all members, who have been told the end. NULL is allowed. */
void crew_close(struct crew *crew);

/* Of a member: until when to wait for work (monotonic); 0: for as long as it takes. */
uint64_t crew_deadline(struct crew *crew);
/* Nothing came: whether there are others who wait, so that this one ends. */
bool crew_leave(struct crew *crew);
void crew_busy(struct crew *crew);
void crew_idle(struct crew *crew);

#endif
