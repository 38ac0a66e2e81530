/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proxy plugin: brings what is sent to the addresses of services to their
 * endpoints, on this node.
 *
 * The host keeps the services and endpoints of the cluster and hands them over
 * by sync(): first everything, with COX_PROXY_FULL, then only what has changed.
 * An update that failed is followed by a full one. What a full update does not
 * name is gone. The plugin puts back by itself what others take away from the
 * machine's tables, and takes nothing away when it stops.
 *
 * Services without an address of their own (headless, external names) are never
 * handed over. Text is never NULL. Everything is borrowed for the call.
 */
#ifndef COXSWAIN_PROXY_H
#define COXSWAIN_PROXY_H

#include <coxswain/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COX_PROXY_OPS_ABI 0u

struct cox_proxy_port {
	const char *name;     /* "": the only one */
	const char *protocol; /* "TCP", "UDP", "SCTP" */
	uint16_t port;
	uint16_t node_port; /* 0: none */
	uint32_t reserved;
};

enum cox_proxy_affinity {
	COX_PROXY_AFFINITY_NONE = 0,
	COX_PROXY_AFFINITY_CLIENT_IP = 1 /* a client stays with its endpoint */
};

/* struct cox_proxy_service.flags */
#define COX_PROXY_EXTERNAL_LOCAL 1u /* from outside: endpoints of this node only */
#define COX_PROXY_INTERNAL_LOCAL 2u /* from inside: likewise */

struct cox_proxy_service {
	uint32_t struct_size;
	uint32_t flags;
	const char *namespace_name;
	const char *name;
	const char *const *cluster_ips; /* one or two; the first is the main one */
	size_t cluster_ip_count;
	const char *const *external_ips;
	size_t external_ip_count;
	const char *const *load_balancer_ips; /* of its status, with ipMode VIP */
	size_t load_balancer_ip_count;
	const struct cox_proxy_port *ports;
	size_t port_count;
	uint32_t affinity;	    /* enum cox_proxy_affinity */
	uint32_t affinity_seconds;  /* after which an idle client is forgotten */
	uint32_t health_check_port; /* 0: none */
	uint32_t reserved;
};

/* struct cox_proxy_endpoint.flags */
#define COX_PROXY_READY 1u
#define COX_PROXY_SERVING 2u /* answers, though it may be terminating */
#define COX_PROXY_TERMINATING 4u
#define COX_PROXY_LOCAL 8u /* on this node */

struct cox_proxy_endpoint {
	const char *address; /* IPv4 or IPv6 */
	const char *node_name;
	const char *zone;
	uint16_t port;
	uint16_t reserved;
	uint32_t flags;
};

/* All endpoints of one port of a service; none: it has lost the last one. */
struct cox_proxy_endpoints {
	uint32_t struct_size;
	uint32_t reserved;
	const char *namespace_name;
	const char *service;
	const char *port_name;
	const char *protocol;
	const struct cox_proxy_endpoint *endpoints;
	size_t endpoint_count;
};

/* A service that is gone, and its endpoints with it. */
struct cox_proxy_name {
	const char *namespace_name;
	const char *name;
};

#define COX_PROXY_FULL 1u /* this is everything */

struct cox_proxy_update {
	uint32_t struct_size;
	uint32_t flags;
	const struct cox_proxy_service *services; /* new or changed, each whole */
	size_t service_count;
	const struct cox_proxy_endpoints *endpoints; /* new or changed, each list whole */
	size_t endpoints_count;
	const struct cox_proxy_name *gone;
	size_t gone_count;
};

struct cox_proxy_ops {
	/*
	 * Takes over an update; one call at a time, after start(). 0: the
	 * machine does what the update says. Required.
	 */
	int (*sync)(void *self, const struct cox_call *call, const struct cox_proxy_update *update,
		    struct cox_error *err);
	/*
	 * Takes everything of the plugin's away from the machine, for good.
	 * Called instead of get_ready() and start(). Optional.
	 */
	int (*cleanup)(void *self, const struct cox_call *call, struct cox_error *err);
};

COX_STATIC_ASSERT(sizeof(struct cox_proxy_service) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_proxy_endpoint) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_proxy_endpoints) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_proxy_update) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_proxy_ops) % sizeof(void *) == 0, "no tail padding");

/*
 * The flags of kube-proxy reach a plugin as options, if it has them: host-name,
 * bind-address, port-range, sync-period, udp-timeout, cluster-cidr,
 * masquerade-all, node-port-addresses.
 */
#define COX_PROXY_PLUGIN(ops_table, ...)                                                           \
	COX_PLUGIN_DESCRIPTOR("proxy", COX_PROXY_OPS_ABI, ops_table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
