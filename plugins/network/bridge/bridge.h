/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge network plugin: what its files share. Kept on disk: one file for
 * each address in use, DIRECTORY/addresses/ADDRESS, whose content is the id of
 * its sandbox; made by link(2), so that it is there whole or not at all; and one
 * file for each sandbox with ports of the machine, DIRECTORY/ports/ID, put in
 * place by rename(2). Everything else is read from the kernel.
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/netlink.h>
#include <coxswain/kit/text.h>
#include <coxswain/network.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <pthread.h>
#include <stdbool.h>

#define BRIDGE_FAMILIES 2 /* [0] IPv4, [1] IPv6 */
#define BRIDGE_MAX_RANGES 16

/* An address with the length of its network's prefix. */
struct bridge_address {
	int family; /* AF_INET, AF_INET6; 0: none */
	unsigned prefix;
	unsigned char bytes[16];
};

struct bridge {
	const struct cox_host *host;
	char *directory, *name;
	int64_t mtu; /* 0: the kernel's choice */
	bool masquerade;
	struct bridge_address direct[BRIDGE_MAX_RANGES]; /* not masqueraded to */
	size_t direct_count;

	pthread_mutex_t lock; /* everything below, and every change of the network */
	struct bridge_address ranges[BRIDGE_FAMILIES];
	uint32_t last[BRIDGE_FAMILIES]; /* host part given out last */
	bool ready;
	bool rules_old; /* the last try to write them failed */
};

/* address.c */
int bridge_parse_range(const char *text, struct bridge_address *out); /* 0 or -1 */
/* The address in `range` with this host part. */
struct bridge_address bridge_host(const struct bridge_address *range, uint32_t host);
struct bridge_address bridge_gateway(const struct bridge_address *range);
void bridge_format(const struct bridge_address *address, char out[INET6_ADDRSTRLEN]);
size_t bridge_address_size(const struct bridge_address *address);
bool bridge_in_range(const struct bridge_address *range, const struct bridge_address *address);

/* pool.c: addresses in use; `lock` is held. */
int bridge_take_address(struct bridge *bridge, int which, const char *id,
			struct bridge_address *out, struct cox_error *err);
/* The addresses of `id` (NULL: of everybody). `found` returns 0 to go on. */
int bridge_each_address(struct bridge *bridge, const char *id,
			int (*found)(void *context, const char *address, const char *id),
			void *context, struct cox_error *err);
int bridge_release(struct bridge *bridge, const char *id, struct cox_error *err);

/* link.c: links, addresses, routes. errno tells. */
int bridge_make(struct bridge *bridge, struct cox_error *err);
/* Whether the bridge may carry packets of 127.0.0.0/8. */
int bridge_open_loopback(struct bridge *bridge, bool open, struct cox_error *err);
/* The name of the machine's end; NAME has room for IFNAMSIZ. */
void bridge_link_name(const char *id, char *name);
int bridge_connect(struct bridge *bridge, const char *id, int namespace_fd,
		   const struct bridge_address *addresses, struct cox_error *err);
int bridge_disconnect(struct bridge *bridge, const char *id, struct cox_error *err);
/* Whether the pod's end is there, in this namespace. */
bool bridge_connected(const char *id, int namespace_fd);
int bridge_fail(struct bridge *bridge, struct cox_error *err, const char *format, ...)
	COX_PRINTF(3, 4);

/* A port of the machine that leads to one of a pod. */
struct bridge_port {
	unsigned char protocol; /* IPPROTO_TCP, ... */
	uint16_t host_port, container_port;
	struct bridge_address host; /* the machine's address; family 0: all of them */
};

/* ports.c: what is mapped, on disk; `lock` is held. */
int bridge_keep_ports(struct bridge *bridge, const struct cox_network_sandbox *sandbox,
		      struct cox_error *err);
/* Whether there were any. */
bool bridge_forget_ports(struct bridge *bridge, const char *id);
/* Once for each port and address of its pod. `found` returns 0 to go on. */
int bridge_each_port(struct bridge *bridge,
		     int (*found)(void *context, const struct bridge_port *port,
				  const struct bridge_address *pod),
		     void *context, struct cox_error *err);
/* The sandboxes that have any. */
int bridge_each_mapped(struct bridge *bridge, int (*found)(void *context, const char *id),
		       void *context, struct cox_error *err);

/* rules.c: the nftables table, written anew. */
int bridge_write_rules(struct bridge *bridge, struct cox_error *err);

#endif
