/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt at giving a pod a node. It begins on the loop's thread, which
 * owns the node table; once a node is chosen it may go to a worker. One thread
 * at a time has it.
 */
#ifndef COX_SCHEDULER_ATTEMPT_H
#define COX_SCHEDULER_ATTEMPT_H

#include "base/cancel.h"
#include "scheduler/chain.h"
#include "scheduler/facts.h"
#include "scheduler/nodes.h"

struct attempt {
	struct chain *chain;
	struct pod_facts *pod;	      /* a reference */
	struct cox_scheduler_pod row; /* the pod's, with its object */
	struct cox_call call;
	void *states[CHAIN_PLUGINS_MAX];
	size_t reserved; /* so many members of the chain have */
	char *node;	 /* chosen; NULL: none */
	uint64_t began;
	uint64_t parked; /* until then it waits for a permit */
	/* why there is none, when there is none and no error */
	struct cox_buf message; /* as people are told */
	struct cox_buf log;	/* a line a node */
};

/* What remains from one attempt to the next. */
struct attempt_memory {
	size_t start;	 /* the node to look at first */
	uint64_t random; /* not 0 */
};

/* Takes references of pod and chain. `cancel` (may be NULL) outlives it. */
struct attempt *attempt_new(struct chain *chain, struct pod_facts *pod, struct cox_cancel *cancel);
/* Ends the plugins' states. NULL is fine. */
void attempt_free(struct attempt *attempt);

/*
 * Chooses a node: attempt->node, or a message. -1: something broke. Of many
 * nodes only as many are looked at as are needed to find enough that fit.
 */
int attempt_choose(struct attempt *attempt, struct cox_scheduler_nodes rows,
		   struct attempt_memory *memory, struct cox_error *err) COX_MUST_CHECK;
/* How many that fit are enough of `total`. */
size_t attempt_enough(size_t total);

/* The operations from reserve on, each for the whole chain. */
int attempt_reserve(struct attempt *attempt, const struct cox_scheduler_node *node,
		    struct cox_error *err) COX_MUST_CHECK;
void attempt_unreserve(struct attempt *attempt);
int attempt_permit(struct attempt *attempt, uint64_t *again_ns,
		   struct cox_error *err) COX_MUST_CHECK;
/* `*done`: a plugin has bound it. */
int attempt_bind(struct attempt *attempt, bool *done, struct cox_error *err) COX_MUST_CHECK;
void attempt_bound(struct attempt *attempt);

#endif
