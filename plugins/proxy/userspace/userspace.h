/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the userspace proxy share. Three layers:
 *   userspace.c, ports.c  what services there are: ports and their listeners
 *   rules.c, iptables.c   the nat rules that bring packets to the listeners
 *   loop.c, stream.c, datagram.c, balance.c   moves the bytes
 * userspace.mutex guards the first two layers. A loop's things belong to its
 * thread, which others talk to by commands; a balance has a lock of its own.
 */
#ifndef USERSPACE_H
#define USERSPACE_H

#include <coxswain/kit/buf.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>
#include <coxswain/proxy.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define MILLISECOND UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

enum { ADDRESS_TEXT_SIZE = 64 };

/* ---- address.c ---- */

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t size;
};

/* 0, or -1: no IP address. */
int address_parse(struct address *address, const char *text, uint16_t port);
bool address_equal(const struct address *a, const struct address *b);
/* A v4 address that came in through a v6 socket becomes what it is. */
void address_unmap(struct address *address);
/* "10.0.0.1:80", "[fd00::1]:80" */
void address_text(const struct address *address, char out[ADDRESS_TEXT_SIZE]);
/* The IPv4 address that the machine is known by; 0 or -1. */
int address_of_host(const char *host_name, struct in_addr *address);
/*
 * A bound socket, listening if it is TCP, on `at` (NULL or 0.0.0.0: everywhere,
 * both families) and `port` (0: any); the descriptor, or -1 with errno.
 */
int address_listen(const struct in_addr *at, uint16_t port, bool udp);
uint16_t address_port_of(int fd);

/* ---- balance.c: the endpoints of one service port, by turns ---- */

struct balance;

struct balance *balance_new(const char *label);
struct balance *balance_ref(struct balance *balance);
void balance_unref(struct balance *balance);
const char *balance_label(const struct balance *balance);
/* Copies; the same set in another order is no change. `random` shuffles. */
void balance_set(struct balance *balance, const struct address *endpoints, size_t count,
		 void (*random)(void *data, size_t size));
void balance_set_affinity(struct balance *balance, uint64_t idle_ns); /* 0: none */
/* False: there are none. `again`: the client's last endpoint did not answer. */
bool balance_pick(struct balance *balance, const struct address *client, uint64_t now, bool again,
		  struct address *endpoint);
bool balance_has(struct balance *balance, const struct address *endpoint);
/* Whether it is time to say again that there are none. */
bool balance_may_complain(struct balance *balance, uint64_t now);

/* ---- loop.c ---- */

struct relay;
struct listener;

struct relay_config {
	const struct cox_host *host;
	unsigned threads;
	uint32_t connections; /* streams and UDP clients at a time */
	uint64_t udp_timeout;
};

struct relay *relay_start(const struct relay_config *config, struct cox_error *err);
void relay_stop(struct relay *relay); /* closes all that is left */
/* Serves what comes in on `fd`, which it takes. */
struct listener *relay_listen(struct relay *relay, int fd, bool udp, struct balance *balance);
/* The descriptor is closed when this returns; its streams go on. */
void relay_unlisten(struct relay *relay, struct listener *listener);

/* ---- rules.c ---- */

enum { CHAIN_COUNT = 4 };

struct rules {
	struct cox_buf chains[CHAIN_COUNT]; /* lines as iptables-save prints them */
};

struct port;
extern const char *const rules_chain_names[CHAIN_COUNT];
extern const char *const rules_hooks[CHAIN_COUNT]; /* without "-A " */
void rules_init(struct rules *rules);
void rules_free(struct rules *rules);

struct rules_target {
	struct in_addr bind; /* 0.0.0.0: everywhere */
	struct in_addr host;
};
void rules_add_port(struct rules *rules, const struct rules_target *target,
		    const struct port *port);

/* ---- iptables.c ---- */

struct iptables {
	const struct cox_host *host;
	const char *program; /* "/usr/sbin/iptables": -save and -restore lie beside it */
};

/*
 * Makes the chains hold just `rules`, and the hooks be there. `*changed` may be
 * NULL; with `err` NULL what goes wrong is logged.
 */
int iptables_ensure(const struct iptables *iptables, const struct rules *rules, bool *changed,
		    struct cox_error *err);
/* Takes chains and hooks away. */
int iptables_remove(const struct iptables *iptables, struct cox_error *err);

/* ---- ports.c ---- */

/* One port of one service, or just its endpoints if the service is not known yet. */
struct port {
	char *label; /* "namespace/name:port" */
	char *owner; /* "namespace/name" */
	struct balance *balance;
	bool exposed;
	bool named;  /* by the update that is being taken over */
	bool wanted; /* likewise, as a port of a service */
	bool complained;
	bool udp;
	uint16_t number;
	uint16_t node_port;
	uint16_t local_port;
	bool affinity;
	COX_VEC(struct in_addr) addresses; /* of cluster, outside and load balancers */
	struct listener *listener;
	struct listener *node_listener; /* holds the node port */
	uint16_t held_port;
};

struct ports {
	const struct cox_host *host;
	struct relay *relay;
	struct in_addr bind;
	uint16_t range_low, range_high; /* 0: any */
	COX_VEC(struct port *) all;	/* in the order in which they came */
	struct cox_map by_label;
};

void ports_free(struct ports *ports);
/* Takes an update over. What cannot be opened is logged and left out. */
void ports_update(struct ports *ports, const struct cox_proxy_update *update);
/* Tries again what could not be opened. */
void ports_open(struct ports *ports);

#endif
