/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cloud plugin: what the world around the cluster can do for it. It has
 * load balancers, which bring traffic from outside to services, or knows the
 * machines that nodes are, or both. What it cannot do it leaves NULL, but a
 * group of operations is there as a whole or not at all.
 *
 * The controllers `service` and `cloudnode` call it, through the struct
 * cox_cloud that every controller finds in its setup(). They decide what is
 * wanted, when to ask again and what people are told; the plugin does it.
 *
 * Operations may block, for as long as the call's deadline allows (seconds to
 * minutes: a cloud is far away), and come from any of the host's workers, as
 * the thread model lets them. For one load balancer they never overlap. All of
 * them are idempotent: after a crash, or a failure half way, the same is asked
 * again, and an answer that never arrived must not leave anything behind that a
 * second request would not find.
 *
 * Errors: what a failed operation says is told to people as an Event of the
 * service, so it is a sentence in their words. Whatever the reason, the caller
 * tries again later; COX_REASON_NOT_FOUND has a meaning where it is said.
 *
 * Text is never NULL. Everything is borrowed for the call.
 */
#ifndef COXSWAIN_CLOUD_H
#define COXSWAIN_CLOUD_H

#include <coxswain/object.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COX_CLOUD_OPS_ABI 0u

/* A load balancer that somebody wants, had, or asks about. */
struct cox_cloud_balancer {
	uint32_t struct_size;
	uint32_t reserved;
	const struct cox_objects *objects; /* to read service and nodes with */
	/*
	 * Made of the service's uid: unique, and the same as long as the service
	 * lives. A letter, then small letters and digits, 32 characters at the
	 * most. The key of everything that is kept.
	 */
	const char *name;
	const char *cluster; /* --cluster-name, for people */
	/*
	 * The Service, as the API has it. In ensure and update spec.type is
	 * LoadBalancer; in get and remove it may have become another.
	 */
	const struct cox_object *service;
	/* Nodes that take its traffic, by name: Node objects. get, remove, restore: none. */
	const struct cox_object *const *nodes;
	size_t node_count;
};

/* Where clients reach a load balancer: one of the two. */
struct cox_cloud_ingress {
	const char *ip;	      /* "192.0.2.7", "2001:db8::7"; "": none */
	const char *hostname; /* "": none */
	/*
	 * With an ip: "VIP" if packets arrive at the nodes with this address, which
	 * is what the proxy of a node then handles; "Proxy" if they arrive with the
	 * node's.
	 */
	const char *ip_mode;
};

/* Takes all that a load balancer has, in order. Borrowed. */
struct cox_cloud_ingress_sink {
	uint32_t struct_size;
	uint32_t reserved;
	void (*ingress)(const struct cox_cloud_ingress_sink *sink,
			const struct cox_cloud_ingress *ingress);
};

/* A node that somebody asks about. */
struct cox_cloud_node {
	uint32_t struct_size;
	uint32_t reserved;
	const struct cox_objects *objects; /* to read it with */
	const struct cox_object *node;	   /* the Node, as the API has it */
};

struct cox_cloud_address {
	const char *type; /* "ExternalIP", "ExternalDNS", "InternalDNS" */
	const char *address;
};

/* struct cox_cloud_instance.flags */
#define COX_CLOUD_SHUT_DOWN 1u /* exists, but is switched off */

/* The machine that a node is; "" where there is nothing to say. */
struct cox_cloud_instance {
	uint32_t struct_size;
	uint32_t flags;
	const char *provider_id; /* for spec.providerID: "CLOUD://..." */
	const char *type;	 /* "large": the label node.kubernetes.io/instance-type */
	const char *zone;	 /* the label topology.kubernetes.io/zone, and its region */
	const char *region;
	/* Besides those that the node knows of itself. */
	const struct cox_cloud_address *addresses;
	size_t address_count;
};

/* Takes one instance, or none. Borrowed. */
struct cox_cloud_instance_sink {
	uint32_t struct_size;
	uint32_t reserved;
	void (*instance)(const struct cox_cloud_instance_sink *sink,
			 const struct cox_cloud_instance *instance);
};

struct cox_cloud_ops {
	/*
	 * Load balancers. The load balancer as it is; COX_REASON_NOT_FOUND: there
	 * is none of that name.
	 */
	int (*balancer_get)(void *self, const struct cox_call *call,
			    const struct cox_cloud_balancer *balancer,
			    const struct cox_cloud_ingress_sink *sink, struct cox_error *err);
	/*
	 * Makes it, or makes it what the service says: its ports, its
	 * loadBalancerIP, its source ranges, its annotations, these nodes. What it
	 * cannot do is an error, not something left out. An address that the
	 * service has in its status already stays, if it can.
	 */
	int (*balancer_ensure)(void *self, const struct cox_call *call,
			       const struct cox_cloud_balancer *balancer,
			       const struct cox_cloud_ingress_sink *sink, struct cox_error *err);
	/* Other nodes, and nothing else, for one that was made. */
	int (*balancer_update)(void *self, const struct cox_call *call,
			       const struct cox_cloud_balancer *balancer, struct cox_error *err);
	/* Takes it away with all that belongs to it. 0, too, if there is none. */
	int (*balancer_remove)(void *self, const struct cox_call *call,
			       const struct cox_cloud_balancer *balancer, struct cox_error *err);
	/*
	 * Those that the cluster knows of, oldest service first: for plugins that
	 * keep no record of their own. Called once, before any of the four
	 * above; what was made stands in status.loadBalancer.ingress of each
	 * service. Again if it failed. Optional even with the four.
	 */
	int (*balancer_restore)(void *self, const struct cox_call *call,
				const struct cox_cloud_balancer *balancers, size_t count,
				struct cox_error *err);

	/*
	 * Instances. Tells the sink what the machine of a node is; nothing, if the
	 * node is no business of this cloud's. COX_REASON_NOT_FOUND: its machine is
	 * gone for good, so that the Node may go too once it is silent. Optional.
	 */
	int (*instance)(void *self, const struct cox_call *call, const struct cox_cloud_node *node,
			const struct cox_cloud_instance_sink *sink, struct cox_error *err);
};

/*
 * A cloud as other plugins have it. `ops` are the host's, with the thread model
 * kept; what the plugin lacks is NULL there. `self` goes first into them.
 */
struct cox_cloud {
	uint32_t struct_size;
	uint32_t reserved;
	const char *name; /* the plugin's */
	void *self;
	const struct cox_cloud_ops *ops;
};

COX_STATIC_ASSERT(sizeof(struct cox_cloud_balancer) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_cloud_ingress) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_cloud_node) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_cloud_instance) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_cloud_ops) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_cloud) % sizeof(void *) == 0, "no tail padding");

#define COX_CLOUD_PLUGIN(ops_table, ...)                                                           \
	COX_PLUGIN_DESCRIPTOR("cloud", COX_CLOUD_OPS_ABI, ops_table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
