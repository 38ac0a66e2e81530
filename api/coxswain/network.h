/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network plugin: connects the network namespace of a pod sandbox to the
 * network of the pods, and takes it off again.
 *
 * The host calls set_pod_cidrs once it knows the node's ranges, then set_up
 * for each new sandbox that has a namespace of its own, and tear_down before
 * the sandbox is removed. All operations are idempotent: set_up of a sandbox
 * that is set up gives its present addresses, tear_down of an unknown one is
 * success. What is set up survives the end of this process; the next instance
 * finds it. reconcile() takes away what a crash left behind.
 */
#ifndef COXSWAIN_NETWORK_H
#define COXSWAIN_NETWORK_H

#include <coxswain/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COX_NETWORK_OPS_ABI 0u

/* A port of the machine that leads to a port of the pod. */
struct cox_port_mapping {
	const char *protocol; /* "TCP", "UDP", "SCTP" */
	const char *host_ip;  /* "": any */
	uint16_t host_port;   /* 0: no mapping */
	uint16_t container_port;
	uint32_t reserved;
};

struct cox_network_sandbox {
	uint32_t struct_size;
	uint32_t reserved;
	const char *id;		       /* the runtime's; the key of everything kept */
	const char *network_namespace; /* a path; tear_down: may be "" or gone */
	const char *pod_name;
	const char *pod_namespace;
	const char *pod_uid;
	const struct cox_port_mapping *ports;
	size_t port_count;
};

struct cox_network_address {
	const char *address; /* "10.1.0.7", "fd00::7" */
	const char *gateway; /* "": none */
	uint32_t prefix;
	uint32_t family; /* 4 or 6 */
};

/* Takes the addresses of a sandbox, the primary one first. Borrowed. */
struct cox_network_sink {
	uint32_t struct_size;
	uint32_t reserved;
	void (*address)(const struct cox_network_sink *sink,
			const struct cox_network_address *address);
};

struct cox_network_ops {
	/*
	 * 0: pods can be set up. -1: `err` says what is missing, in the words
	 * of the node's NetworkUnavailable condition. Required.
	 */
	int (*status)(void *self, const struct cox_call *call, struct cox_error *err);

	/*
	 * The node's ranges, at most one of each family. The same again is no
	 * change; others apply to sandboxes set up from now on. Optional: for
	 * networks that choose addresses by themselves.
	 */
	int (*set_pod_cidrs)(void *self, const struct cox_call *call, const char *const *cidrs,
			     size_t count, struct cox_error *err);

	/* Required. Fails with SERVICE_UNAVAILABLE while status() does. */
	int (*set_up)(void *self, const struct cox_call *call,
		      const struct cox_network_sandbox *sandbox,
		      const struct cox_network_sink *sink, struct cox_error *err);
	/* Required. */
	int (*tear_down)(void *self, const struct cox_call *call,
			 const struct cox_network_sandbox *sandbox, struct cox_error *err);
	/* The addresses a sandbox has; none is COX_REASON_NOT_FOUND. Required. */
	int (*addresses)(void *self, const struct cox_call *call, const char *id,
			 const struct cox_network_sink *sink, struct cox_error *err);

	/* Tears down every sandbox that is not among these. Required. */
	int (*reconcile)(void *self, const struct cox_call *call, const char *const *ids,
			 size_t count, struct cox_error *err);
};

COX_STATIC_ASSERT(sizeof(struct cox_network_ops) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_network_sandbox) % sizeof(void *) == 0, "no tail padding");

#define COX_NETWORK_PLUGIN(ops_table, ...)                                                         \
	COX_PLUGIN_DESCRIPTOR("network", COX_NETWORK_OPS_ABI, ops_table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
