/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the node controller. One worker does it all, so no part locks. */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include <coxswain/controller.h>
#include <coxswain/kit/map.h>
#include <stdbool.h>

#define QUEUE "nodes"
#define ALL_KEY "/all" /* no node is called so: look at all of them */
#define SECOND UINT64_C(1000000000)

/* What is remembered of a node between two looks. */
struct health {
	char *heartbeat;     /* of the Ready condition, as last seen */
	char *renewal;	     /* of the lease */
	uint64_t seen_alive; /* monotonic; when one of them last changed */
	char *range;	     /* pod addresses given to it and not seen in its spec yet */
	bool visited;	     /* in the present pass */
};

struct nodes {
	const struct cox_host *host;
	const struct cox_controller_setup *setup;
	const struct cox_cluster *cluster;
	const struct cox_objects *objects;
	struct cox_lister *node_lister;
	struct cox_lister *lease_lister;
	struct cox_lister *pod_lister; /* indexed "node" */
	struct cox_map healths;	       /* by name */
	/* options */
	uint64_t monitor_period, grace_period, startup_grace_period, eviction_timeout;
	double eviction_rate;
	int64_t eviction_burst;
	bool allocate;
	char *cluster_range, *service_range;
	unsigned mask_size;
	/* how many nodes may be emptied now, filled up with time */
	double eviction_tokens;
	uint64_t tokens_at;
};

extern const struct cox_resource nodes_resource;
extern const struct cox_resource pods_resource;

/* "True", "False", "Unknown" or "" of a condition of the node. */
const char *node_condition(const struct nodes *self, const struct cox_object *node,
			   const char *type);

/* Taints that follow from the conditions; `evict`: NoExecute ones may be added. */
int taints_update(struct nodes *self, const struct cox_call *call, const struct cox_object *node,
		  bool evict, struct cox_error *err);
/* Whether a NoExecute taint for its state is missing: it costs a token to add. */
bool taints_wait(const struct nodes *self, const struct cox_object *node);
/* Deletes the pods that do not tolerate it; comes back when the next one is due. */
int taints_evict(struct nodes *self, const struct cox_call *call, const struct cox_object *node,
		 struct cox_error *err);
/* The pods of a lost node are not ready. */
int pods_not_ready(struct nodes *self, const struct cox_call *call, const struct cox_object *node,
		   struct cox_error *err);

/* Checks the options of ranges. */
int ranges_check(struct nodes *self, struct cox_error *err);
/* Gives the node a range of pod addresses if it has none. */
int ranges_assign(struct nodes *self, const struct cox_call *call, const struct cox_object *node,
		  struct health *health, struct cox_error *err);

#endif
