/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules as text, in the very form in which iptables-save prints them, so
 * that what is there can be compared with what should be. Nothing but checked
 * numbers, addresses and names gets in here: the text is a program for
 * iptables-restore.
 */
#include "userspace.h"

#include <arpa/inet.h>

enum { PORTALS_CONTAINER, PORTALS_HOST, NODEPORT_CONTAINER, NODEPORT_HOST };

const char *const rules_chain_names[CHAIN_COUNT] = {
	[PORTALS_CONTAINER] = "KUBE-PORTALS-CONTAINER",
	[PORTALS_HOST] = "KUBE-PORTALS-HOST",
	[NODEPORT_CONTAINER] = "KUBE-NODEPORT-CONTAINER",
	[NODEPORT_HOST] = "KUBE-NODEPORT-HOST",
};

#define PORTALS_COMMENT                                                                            \
	"-m comment --comment \"handle ClusterIPs; NOTE: this must be before the NodePort rules\""
#define NODEPORT_COMMENT                                                                           \
	"-m addrtype --dst-type LOCAL -m comment --comment "                                       \
	"\"handle service NodePorts; NOTE: this must be the last rule in the chain\""

const char *const rules_hooks[CHAIN_COUNT] = {
	[PORTALS_CONTAINER] = "PREROUTING " PORTALS_COMMENT " -j KUBE-PORTALS-CONTAINER",
	[PORTALS_HOST] = "OUTPUT " PORTALS_COMMENT " -j KUBE-PORTALS-HOST",
	[NODEPORT_CONTAINER] = "PREROUTING " NODEPORT_COMMENT " -j KUBE-NODEPORT-CONTAINER",
	[NODEPORT_HOST] = "OUTPUT " NODEPORT_COMMENT " -j KUBE-NODEPORT-HOST",
};

void rules_init(struct rules *rules)
{
	*rules = (struct rules){.chains = {COX_BUF_INIT}};
}

void rules_free(struct rules *rules)
{
	for (int i = 0; i < CHAIN_COUNT; i++)
		cox_buf_free(&rules->chains[i]);
}

/* What all rules begin with; `to` NULL: whatever address. */
static void begin_rule(struct rules *rules, int chain, const struct in_addr *to,
		       const struct port *port, uint16_t number)
{
	const char *protocol = port->udp ? "udp" : "tcp";
	struct cox_buf *out = &rules->chains[chain];
	char text[INET_ADDRSTRLEN];

	cox_buf_printf(out, "-A %s ", rules_chain_names[chain]);
	if (to)
		cox_buf_printf(out, "-d %s/32 ", inet_ntop(AF_INET, to, text, sizeof(text)));
	cox_buf_printf(out, "-p %s -m comment --comment \"%s\" -m %s --dport %u ", protocol,
		       port->label, protocol, number);
}

/* From containers and from outside: to this machine, which the packet has reached already. */
static void end_container(struct rules *rules, int chain, const struct rules_target *target,
			  const struct port *port)
{
	char text[INET_ADDRSTRLEN];

	if (target->bind.s_addr == INADDR_ANY)
		cox_buf_printf(&rules->chains[chain], "-j REDIRECT --to-ports %u\n",
			       port->local_port);
	else
		cox_buf_printf(&rules->chains[chain], "-j DNAT --to-destination %s:%u\n",
			       inet_ntop(AF_INET, &target->bind, text, sizeof(text)),
			       port->local_port);
}

/* From processes of this machine: to its main address, as a redirect would mean 127.0.0.1. */
static void end_host(struct rules *rules, int chain, const struct rules_target *target,
		     const struct port *port)
{
	const struct in_addr *to =
		target->bind.s_addr == INADDR_ANY ? &target->host : &target->bind;
	char text[INET_ADDRSTRLEN];

	cox_buf_printf(&rules->chains[chain], "-j DNAT --to-destination %s:%u\n",
		       inet_ntop(AF_INET, to, text, sizeof(text)), port->local_port);
}

void rules_add_port(struct rules *rules, const struct rules_target *target, const struct port *port)
{
	for (size_t i = 0; i < port->addresses.count; i++) {
		const struct in_addr *address = &port->addresses.items[i];

		begin_rule(rules, PORTALS_CONTAINER, address, port, port->number);
		end_container(rules, PORTALS_CONTAINER, target, port);
		begin_rule(rules, PORTALS_HOST, address, port, port->number);
		end_host(rules, PORTALS_HOST, target, port);
	}
	if (!port->node_port || !port->node_listener)
		return;
	begin_rule(rules, NODEPORT_CONTAINER, NULL, port, port->node_port);
	end_container(rules, NODEPORT_CONTAINER, target, port);
	begin_rule(rules, NODEPORT_HOST, NULL, port, port->node_port);
	end_host(rules, NODEPORT_HOST, target, port);
}
