/* SPDX-License-Identifier: Apache-2.0 */
/* A scheduler with a plugin, working for the fake API server. */
#ifndef COX_TESTS_SCHEDULER_HARNESS_H
#define COX_TESTS_SCHEDULER_HARNESS_H

#include "../../unit/unit.h"

#include "base/clock.h"
#include "host/host.h"
#include "lib/eventually.h"
#include "lib/fake_server.h"
#include "scheduler/scheduler.h"

#include <sched.h>

struct rig {
	struct fake_server *server;
	struct client *client;
	struct host *host;
	struct scheduler *scheduler;
};

/* A chain of these plugins, separated by commas; `policy` is JSON or NULL. */
struct chain *rig_chain(struct rig *rig, const char *plugins, const char *policy,
			struct cox_error *err);
/* Makes the server; rig_start begins to schedule. */
void rig_open(struct rig *rig);
void rig_start(struct rig *rig, const char *plugins, const char *policy);
void rig_close(struct rig *rig);

/* A ready node with 4 CPUs, 8Gi and 110 pods; `labels` as JSON members. */
void put_node(struct rig *rig, const char *name, const char *labels, const char *spec);
/* `spec`: more members of the spec, beginning with a comma, or "". */
void put_pod(struct rig *rig, const char *name, const char *labels, const char *spec);
/* Whether the pod has this node; NULL: any. */
bool is_on(struct rig *rig, const char *pod, const char *node);
/* The pod's node; "" for none. */
void node_of(struct rig *rig, const char *pod, char out[64]);
/* Whether its condition PodScheduled is False with this message. */
bool is_told(struct rig *rig, const char *pod, const char *message);
/* Whether there is an Event about the pod. */
bool has_event(struct rig *rig, const char *pod, const char *reason, const char *message);

#endif
