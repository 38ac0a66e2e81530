/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives pods a node. One thread, the loop, owns queue and node table; what
 * changes in the cluster comes to it through an inbox, in which only the last
 * state of each object waits. Bindings are made by worker threads.
 */
#ifndef COX_SCHEDULER_SCHEDULER_H
#define COX_SCHEDULER_SCHEDULER_H

#include "client/client.h"
#include "scheduler/chain.h"

struct scheduler;

struct scheduler_options {
	const char *name; /* schedulerName of its pods; stays */
	double bind_qps;  /* bindings a second; 0: as many as it can */
	int64_t bind_burst;
};

/* Begins to watch pods and nodes. The client outlives it. */
struct scheduler *scheduler_new(struct client *client, const struct scheduler_options *options,
				struct cox_error *err);
/*
 * Starts the chain and works with it from then on; waits for its sources, 30 s
 * at most, if there was one before, which is closed. -1: nothing has changed.
 * The chain is the scheduler's in any case. One thread at a time.
 */
int scheduler_use(struct scheduler *scheduler, struct chain *chain,
		  struct cox_error *err) COX_MUST_CHECK;
/* Begins to work. Once, with a chain. */
int scheduler_start(struct scheduler *scheduler, struct cox_error *err) COX_MUST_CHECK;
bool scheduler_synced(struct scheduler *scheduler);
/* Ends what is under way. NULL is fine. */
void scheduler_free(struct scheduler *scheduler);

#endif
