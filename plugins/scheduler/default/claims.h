/* SPDX-License-Identifier: Apache-2.0 */
/* Persistent volume claims of pods: where their volumes are, and which they get. */
#ifndef COX_SCHEDULER_DEFAULT_CLAIMS_H
#define COX_SCHEDULER_DEFAULT_CLAIMS_H

#include "default.h"

struct claims;
struct claims_state; /* of one attempt */

struct claims *claims_new(void);
void claims_free(struct claims *claims);
int claims_open(struct claims *claims, const struct cox_scheduler_setup *setup,
		struct cox_error *err);

/* Fills state->claims. NULL, or why no node at all can take the pod. */
const char *claims_look(struct claims *claims, struct state *state,
			const struct cox_scheduler_pod *pod);
void claims_forget(struct claims *claims, struct claims_state *state);
void filter_claims(struct scheduler *scheduler, const struct use *use, struct state *state,
		   const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
		   const char **why);
/* Chooses volumes for the node, and keeps other attempts from them. */
int claims_reserve(struct scheduler *scheduler, struct claims_state *state,
		   const struct cox_scheduler_pod *pod, const struct cox_scheduler_node *node,
		   struct cox_error *err);
void claims_unreserve(struct scheduler *scheduler, struct claims_state *state);
/* Writes what was chosen, and waits until it is bound. */
int claims_permit(struct scheduler *scheduler, const struct cox_call *call,
		  struct claims_state *state, const char *node, uint64_t *again_ns,
		  struct cox_error *err);

#endif
