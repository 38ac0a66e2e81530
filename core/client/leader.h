/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leader election on a Lease: of several candidates one works. The leader
 * renews the Lease; a candidate takes it when it has seen no renewal for the
 * Lease's duration, measured on its own clock, so that clocks need not agree. A
 * leader of the same machine that has ended is not waited for (identity.h).
 *
 * Times as everywhere in Kubernetes: duration 15 s, renewed every 2 s, given up
 * when renewing has failed for 10 s.
 */
#ifndef COX_CLIENT_LEADER_H
#define COX_CLIENT_LEADER_H

#include "client/client.h"

struct leader_config {
	const char *namespace; /* "kube-system" */
	const char *name;      /* of the Lease: "kube-controller-manager" */
	const char *identity;  /* NULL: identity_make() */
	uint64_t duration;     /* nanoseconds; 0: the usual values */
	uint64_t renew_deadline;
	uint64_t retry;
	/* From the election's own thread. */
	void (*elected)(void *context);
	/* Not the leader any more: stop at once. Not called by leader_free. */
	void (*lost)(void *context);
	void *context;
};

struct leader;

/* Copies the strings. The client outlives it. */
struct leader *leader_new(struct client *client, const struct leader_config *config,
			  struct cox_error *err);
bool leader_is(struct leader *leader); /* a leader whose time runs out is none */
const char *leader_identity(const struct leader *leader);
/* Stops; a leader gives the Lease back, so that another need not wait. */
void leader_free(struct leader *leader);

#endif
