/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What needs the API server once the loop has decided: bindings, and telling
 * people why a pod has no node. Worker threads do it; each job ends as a
 * result in the inbox.
 */
#ifndef COX_SCHEDULER_BINDER_H
#define COX_SCHEDULER_BINDER_H

#include "client/recorder.h"
#include "scheduler/inbox.h"

struct binder;

enum { BINDER_JOBS_MAX = 1024 };

/* All of them outlive the binder. */
struct binder *binder_new(struct client *client, struct recorder *recorder, struct inbox *inbox,
			  struct cox_error *err);
/* Does what waits; the results are in the inbox then. NULL is fine. */
void binder_free(struct binder *binder);

/*
 * Permit, pre-bind, bind. OUTCOME_BOUND, OUTCOME_AGAIN (attempt->parked says
 * when), or OUTCOME_FAILED, unreserved and told. At most BINDER_JOBS_MAX jobs
 * may be under way.
 */
void binder_bind(struct binder *binder, struct attempt *attempt);
/* attempt->message becomes an event and the pod's condition; OUTCOME_TOLD. */
void binder_tell(struct binder *binder, struct attempt *attempt, const char *reason);

#endif
