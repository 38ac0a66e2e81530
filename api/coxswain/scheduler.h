/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler plugin: which node is fit for a pod, and which fits best.
 *
 * A plugin offers parts, which have the names that a Policy uses: a filter
 * (there: a predicate) says which nodes can take a pod, a score (a priority)
 * how good they are. The host chooses the parts (by the provider or a policy),
 * calls each with many nodes at a time, adds scores up by weight and binds.
 * Besides parts there are the extension points of the ops table. Several
 * plugins form a chain; of parts with the same name the first counts.
 *
 * One attempt at one pod: pre_filter, filter, (post_filter if none was left,)
 * pre_score, score, normalize, reserve on the host's loop thread; permit,
 * pre_bind, bind, post_bind on a worker; finish. A plugin may keep a state for
 * the attempt, which only one thread at a time is given.
 *
 * Pods and nodes are the host's. They do not change during a call, and what a
 * call is given may not be kept beyond it.
 */
#ifndef COXSWAIN_SCHEDULER_H
#define COXSWAIN_SCHEDULER_H

#include <coxswain/cluster.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COX_SCHEDULER_OPS_ABI 0u

#define COX_SCHEDULER_SCORE_MAX 100 /* of one score, before its weight */

struct cox_scheduler_pair {
	const char *key;
	const char *value;
};

/* Lists of pairs are sorted by key, in the order of bytes. */
struct cox_scheduler_pairs {
	const struct cox_scheduler_pair *items;
	size_t count;
};

struct cox_scheduler_amount {
	const char *name; /* "example.com/gpu" */
	int64_t amount;
};

struct cox_scheduler_resources {
	int64_t milli_cpu;
	int64_t memory; /* bytes, as the next */
	int64_t ephemeral_storage;
	int64_t pods;
	const struct cox_scheduler_amount *others; /* sorted by name */
	size_t other_count;
};

struct cox_scheduler_port {
	const char *address;  /* "0.0.0.0": all */
	const char *protocol; /* "TCP", "UDP", "SCTP" */
	uint64_t port;
};

/* effect "": all effects (of tolerations only). */
struct cox_scheduler_taint {
	const char *key, *value, *effect;
};

struct cox_scheduler_toleration {
	const char *key;      /* "": all keys, where relation is "Exists" */
	const char *relation; /* "Equal", "Exists" */
	const char *value;
	const char *effect;
};

/* A volume that cannot be anywhere twice. */
enum cox_scheduler_disk_type {
	COX_SCHEDULER_DISK_GCE = 1, /* twice if both only read */
	COX_SCHEDULER_DISK_EBS = 2,
	COX_SCHEDULER_DISK_RBD = 3,  /* as GCE; id: monitors, pool and image */
	COX_SCHEDULER_DISK_ISCSI = 4 /* as GCE; id: the qualified name and the unit */
};

struct cox_scheduler_disk {
	const char *id;
	uint32_t type; /* enum cox_scheduler_disk_type */
	uint32_t read_only;
};

/* relation: "In", "NotIn", "Exists", "DoesNotExist"; anything else never holds. */
struct cox_scheduler_requirement {
	const char *key, *relation;
	const char *const *values;
	size_t value_count;
};

/* All requirements must hold; without any everything is selected. */
struct cox_scheduler_selector {
	const struct cox_scheduler_requirement *items;
	size_t count;
	uint64_t nothing; /* 1: it was not given and selects nothing */
};

#define COX_SCHEDULER_TERM_REQUIRED 1u /* else it counts `weight` */
#define COX_SCHEDULER_TERM_APART 2u    /* away from those pods, not near them */

/* Where a pod wants to be, seen from other pods: a term of pod (anti-)affinity. */
struct cox_scheduler_term {
	uint32_t flags;
	int32_t weight;
	const char *topology_key;      /* nodes with the same value of this label are one place */
	const char *const *namespaces; /* of the other pods; or those of the selector */
	size_t namespace_count;
	struct cox_scheduler_selector namespace_selector;
	struct cox_scheduler_selector pods;
};

#define COX_SCHEDULER_SPREAD_REQUIRED 1u  /* DoNotSchedule */
#define COX_SCHEDULER_SPREAD_ANY_NODE 2u  /* counts nodes too that node affinity excludes */
#define COX_SCHEDULER_SPREAD_UNTAINTED 4u /* does not count nodes with taints in the way */

/* A topology spread constraint: of the pods in its namespace that it selects. */
struct cox_scheduler_spread {
	uint32_t flags;
	int32_t most_skew;
	const char *topology_key;
	int64_t least_places; /* 0: not said */
	struct cox_scheduler_selector pods;
};

#define COX_SCHEDULER_POD_AFFINITY 1u /* spec.affinity has something in it */
#define COX_SCHEDULER_POD_GATED 2u    /* spec.schedulingGates is not empty */
#define COX_SCHEDULER_POD_CLAIMS 4u   /* it has volumes of claims */
#define COX_SCHEDULER_POD_DELETED 8u  /* it is being deleted */

struct cox_scheduler_pod {
	uint32_t struct_size;
	uint32_t flags;
	const char *namespace_name, *name, *uid;
	const char *node_name; /* "" until it is chosen; asked for by name otherwise */
	struct cox_scheduler_pairs labels;
	uint64_t labels_digest; /* of namespace and labels: differs if one of them does */
	struct cox_scheduler_pairs node_selector;
	int64_t priority;
	struct cox_scheduler_resources requests; /* pods: 1 */
	/* For scores: containers that ask for nothing count 100m and 200 MiB. */
	int64_t score_milli_cpu, score_memory;
	const struct cox_scheduler_port *ports; /* host ports */
	size_t port_count;
	const struct cox_scheduler_toleration *tolerations;
	size_t toleration_count;
	const struct cox_scheduler_disk *disks;
	size_t disk_count;
	const struct cox_scheduler_pair *images; /* key: the name as in the pod; value: "" */
	size_t image_count;
	const char *owner_uid; /* of the controller that made it; "" */
	/* The whole pod; NULL for pods that have a node. */
	const struct cox_object *object;
	const void *host_data; /* the host's */
	const struct cox_scheduler_term *terms;
	size_t term_count;
	const struct cox_scheduler_spread *spreads;
	size_t spread_count;
};

#define COX_SCHEDULER_NODE_READY 1u	    /* its condition Ready is True */
#define COX_SCHEDULER_NODE_UNSCHEDULABLE 2u /* spec.unschedulable */

struct cox_scheduler_image {
	const char *name;
	int64_t size;
};

/* A row of the node table. Pods that were given the node a moment ago count. */
struct cox_scheduler_node {
	uint32_t struct_size;
	uint32_t flags;
	const char *name;
	struct cox_scheduler_pairs labels;
	const struct cox_scheduler_taint *taints;
	size_t taint_count;
	struct cox_scheduler_resources allocatable;
	struct cox_scheduler_resources requested; /* pods: how many there are */
	int64_t score_milli_cpu, score_memory;	  /* sums of the pods' */
	const struct cox_scheduler_port *ports;	  /* in use */
	size_t port_count;
	const struct cox_scheduler_image *images;
	size_t image_count;
	const struct cox_scheduler_pod *const *pods;
	size_t pod_count;
	uint64_t generation;   /* another one after every change of the row */
	const void *host_data; /* the host's */
	size_t term_count;     /* pods on it that have terms */
};

/* Nodes that an operation is asked about at once. */
struct cox_scheduler_nodes {
	const struct cox_scheduler_node *const *items;
	size_t count;
};

enum cox_scheduler_part_type { COX_SCHEDULER_FILTER = 1, COX_SCHEDULER_SCORE = 2 };

#define COX_SCHEDULER_PART_DEFAULT 1u  /* in use when no policy says otherwise */
#define COX_SCHEDULER_PART_ALWAYS 2u   /* in use whatever a policy says */
#define COX_SCHEDULER_PART_ARGUMENT 4u /* `name` is a member of a policy's argument */

struct cox_scheduler_part {
	uint32_t struct_size;
	uint32_t type; /* enum cox_scheduler_part_type */
	const char *name;
	uint32_t flags;
	int32_t weight; /* of a score; a policy says its own */
};

/* What setup() is given; valid until stop(). */
struct cox_scheduler_setup {
	uint32_t struct_size;
	uint32_t reserved;
	const struct cox_cluster *cluster;
	/* A lister that this daemon's work waits for; the host closes it. */
	struct cox_lister *(*source)(void *builder, const struct cox_lister_options *options,
				     struct cox_error *err);
	void *builder;
	/*
	 * Something that is no pod and no node has changed so that pods may fit
	 * now: all that wait are tried again. Any thread, never blocks.
	 */
	void (*changed)(void *builder);
	/*
	 * All nodes, in calls from pre_filter to normalize only and for that
	 * call. `*term_count`, if not NULL: how many pods have terms in all.
	 */
	struct cox_scheduler_nodes (*nodes)(void *builder, size_t *term_count);
};

enum cox_scheduler_event_type {
	COX_SCHEDULER_NODE_ADDED = 1,
	COX_SCHEDULER_NODE_CHANGED = 2,
	COX_SCHEDULER_POD_PLACED = 3, /* has a node now */
	COX_SCHEDULER_POD_GONE = 4,   /* has left its node */
	COX_SCHEDULER_POD_CHANGED = 5 /* on its node: other labels, or asks for less */
};

struct cox_scheduler_event {
	uint32_t struct_size;
	uint32_t type;				/* enum cox_scheduler_event_type */
	const struct cox_scheduler_node *node;	/* as it is now */
	const struct cox_scheduler_pod *pod;	/* of the POD events */
	const struct cox_scheduler_pod *before; /* as it was, of POD_CHANGED */
};

/* Trying nodes out in post_filter. */
struct cox_scheduler_trial {
	uint32_t struct_size;
	uint32_t reserved;
	struct cox_scheduler_nodes nodes; /* all, also those that fit nothing */
	/*
	 * 1: the pod would fit on the node if these pods of it were gone. All
	 * states are told by remove_pod, and afterwards by add_pod.
	 */
	int (*fits)(const struct cox_scheduler_trial *trial, const struct cox_scheduler_node *node,
		    const struct cox_scheduler_pod *const *without, size_t count);
};

/* Optional unless it says otherwise. `state` is the plugin's of this attempt. */
struct cox_scheduler_ops {
	/* The index-th part that the plugin offers; NULL: no more. Required. */
	const struct cox_scheduler_part *(*part)(void *self, size_t index);
	/* Before start(), once. */
	int (*setup)(void *self, const struct cox_scheduler_setup *setup, struct cox_error *err);
	/*
	 * A part is going to be used as `name`; `argument` is the value of the
	 * policy's argument member (NULL: none). `*use` comes back in filter
	 * and score, and lives as long as the instance.
	 */
	int (*use)(void *self, const struct cox_scheduler_part *part, const char *name,
		   const struct cox_value *argument, const struct cox_objects *objects, void **use,
		   struct cox_error *err);

	/* Less than 0: a before b. NULL: by priority, then by time. First of the chain only. */
	int (*order)(void *self, const struct cox_scheduler_pod *a, uint64_t a_since,
		     const struct cox_scheduler_pod *b, uint64_t b_since);
	/* NULL: may wait for a node; else why not yet, a constant. */
	const char *(*pre_enqueue)(void *self, const struct cox_scheduler_pod *pod);
	/* 1: the event may help a pod that waits. NULL: every event may. Quick. */
	int (*hint)(void *self, const struct cox_scheduler_pod *pod,
		    const struct cox_scheduler_event *event);

	/* `*why` set (until finish): no node at all can take it. */
	int (*pre_filter)(void *self, const struct cox_call *call,
			  const struct cox_scheduler_pod *pod, void **state, const char **why,
			  struct cox_error *err);
	/* The state as if `other` were on, or gone from, the node; with trials only. */
	void (*add_pod)(void *self, void *state, const struct cox_scheduler_pod *pod,
			const struct cox_scheduler_pod *other,
			const struct cox_scheduler_node *node);
	void (*remove_pod)(void *self, void *state, const struct cox_scheduler_pod *pod,
			   const struct cox_scheduler_pod *other,
			   const struct cox_scheduler_node *node);
	/*
	 * Sets why[i] for each node that does not fit: a text that lives until
	 * finish, several reasons on a line each. The rest is NULL already.
	 */
	int (*filter)(void *self, const struct cox_call *call, void *use, void *state,
		      const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
		      const char **why, struct cox_error *err);
	/*
	 * No node fits. May make room; `*note` (until finish) is put behind the
	 * message that the pod is given.
	 */
	int (*post_filter)(void *self, const struct cox_call *call, void *state,
			   const struct cox_scheduler_pod *pod,
			   const struct cox_scheduler_trial *trial, const char **note,
			   struct cox_error *err);

	/* Once for all nodes that fit, before score. */
	int (*pre_score)(void *self, const struct cox_call *call, void *state,
			 const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			 struct cox_error *err);
	/* scores[i] is 0; 0 to COX_SCHEDULER_SCORE_MAX at the end of normalize. */
	int (*score)(void *self, const struct cox_call *call, void *use, void *state,
		     const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
		     int64_t *scores, struct cox_error *err);
	int (*normalize)(void *self, const struct cox_call *call, void *use, void *state,
			 const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			 int64_t *scores, struct cox_error *err);

	/* The pod is going to have this node; -1: it is not. */
	int (*reserve)(void *self, const struct cox_call *call, void *state,
		       const struct cox_scheduler_pod *pod, const struct cox_scheduler_node *node,
		       struct cox_error *err);
	/* It did not get it after all; for every reserve that succeeded. */
	void (*unreserve)(void *self, void *state, const struct cox_scheduler_pod *pod,
			  const char *node);
	/* Success with `*again_ns` > 0: not yet, ask again after that time. */
	int (*permit)(void *self, const struct cox_call *call, void *state,
		      const struct cox_scheduler_pod *pod, const char *node, uint64_t *again_ns,
		      struct cox_error *err);
	int (*pre_bind)(void *self, const struct cox_call *call, void *state,
			const struct cox_scheduler_pod *pod, const char *node,
			struct cox_error *err);
	/* `*done` = 1: the plugin has bound it. Nobody did: the host does. */
	int (*bind)(void *self, const struct cox_call *call, void *state,
		    const struct cox_scheduler_pod *pod, const char *node, int *done,
		    struct cox_error *err);
	void (*post_bind)(void *self, void *state, const struct cox_scheduler_pod *pod,
			  const char *node);
	/* Frees the state; the last call of the attempt, if pre_filter set one. */
	void (*finish)(void *self, void *state);
};

COX_STATIC_ASSERT(sizeof(struct cox_scheduler_pod) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_scheduler_term) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_scheduler_spread) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_scheduler_node) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_scheduler_part) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_scheduler_setup) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_scheduler_event) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_scheduler_trial) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_scheduler_ops) % sizeof(void *) == 0, "no tail padding");

/* The descriptor of a scheduler plugin, for example:
 *   COX_SCHEDULER_PLUGIN(packed_ops, .name = "packed", .version = "1",
 *                        .thread_model = COX_THREADS_PARALLEL, .create = packed_create);
 */
#define COX_SCHEDULER_PLUGIN(ops_table, ...)                                                       \
	COX_PLUGIN_DESCRIPTOR("scheduler", COX_SCHEDULER_OPS_ABI, ops_table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
