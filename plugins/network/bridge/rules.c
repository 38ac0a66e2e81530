/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One nftables table of our own, coxswain_bridge, replaced whole in one
 * transaction. Pods that talk to the world do so under the machine's address;
 * what stays on the bridge, and what goes to a range named direct, keeps its
 * source. Ports of the machine lead to ports of pods: those of its own
 * addresses, asked for from outside or by the machine itself. For those of
 * 127.0.0.1 the kernel has to let packets of the loopback onto the bridge
 * (route_localnet). That is so of no other link, only while there is such a
 * port, and never without the rule by which nothing that arrives on the bridge
 * may come from the loopback or go there: pods would reach what listens there
 * alone (CVE-2020-8558).
 */
#include "bridge.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

#define TABLE "coxswain_bridge"
#define SOURCES "postrouting"
#define ARRIVING "prerouting"
#define OWN "output"
#define GUARD "guard"
#define SOURCE_PRIORITY 100  /* where nat of sources happens */
#define PORT_PRIORITY (-100) /* where nat of destinations happens */
#define RAW_PRIORITY (-300)  /* before an answer's nat is undone */

static const struct bridge_address loopbacks[BRIDGE_FAMILIES] = {{AF_INET, 8, {127}},
								 {AF_INET6, 128, {[15] = 1}}};

static size_t begin(struct cox_buf *batch, uint16_t type, uint16_t flags)
{
	const struct nfgenmsg header = {.nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0};

	return cox_netlink_begin(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
				 (uint16_t)(flags | NLM_F_ACK), &header, sizeof(header));
}

/* The messages between these two take effect together, or not at all. */
static void add_mark(struct cox_buf *batch, uint16_t type)
{
	const struct nfgenmsg header = {.version = NFNETLINK_V0,
					.res_id = htons(NFNL_SUBSYS_NFTABLES)};

	cox_netlink_end(batch, cox_netlink_begin(batch, type, 0, &header, sizeof(header)));
}

static void add_table(struct cox_buf *batch, uint16_t type)
{
	size_t at = begin(batch, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0);

	cox_netlink_text(batch, NFTA_TABLE_NAME, TABLE);
	cox_netlink_end(batch, at);
}

static void add_chain(struct cox_buf *batch, const char *name, const char *type, uint32_t number,
		      int priority)
{
	size_t at = begin(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE), hook;

	cox_netlink_text(batch, NFTA_CHAIN_TABLE, TABLE);
	cox_netlink_text(batch, NFTA_CHAIN_NAME, name);
	hook = cox_netlink_nest(batch, NFTA_CHAIN_HOOK);
	cox_netlink_be32(batch, NFTA_HOOK_HOOKNUM, number);
	cox_netlink_be32(batch, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	cox_netlink_close_nest(batch, hook);
	cox_netlink_text(batch, NFTA_CHAIN_TYPE, type);
	cox_netlink_be32(batch, NFTA_CHAIN_POLICY, NF_ACCEPT);
	cox_netlink_end(batch, at);
}

struct expression {
	size_t element, data;
};

static struct expression open_expression(struct cox_buf *batch, const char *name)
{
	struct expression result;

	result.element = cox_netlink_nest(batch, NFTA_LIST_ELEM);
	cox_netlink_text(batch, NFTA_EXPR_NAME, name);
	result.data = cox_netlink_nest(batch, NFTA_EXPR_DATA);
	return result;
}

static void close_expression(struct cox_buf *batch, struct expression expression)
{
	cox_netlink_close_nest(batch, expression.data);
	cox_netlink_close_nest(batch, expression.element);
}

static void add_value(struct cox_buf *batch, uint16_t type, const void *data, size_t size)
{
	size_t nest = cox_netlink_nest(batch, type);

	cox_netlink_put(batch, NFTA_DATA_VALUE, data, size);
	cox_netlink_close_nest(batch, nest);
}

static void compare(struct cox_buf *batch, uint32_t operation, const void *data, size_t size)
{
	struct expression expression = open_expression(batch, "cmp");

	cox_netlink_be32(batch, NFTA_CMP_SREG, NFT_REG_1);
	cox_netlink_be32(batch, NFTA_CMP_OP, operation);
	add_value(batch, NFTA_CMP_DATA, data, size);
	close_expression(batch, expression);
}

static void load_meta(struct cox_buf *batch, uint32_t key)
{
	struct expression expression = open_expression(batch, "meta");

	cox_netlink_be32(batch, NFTA_META_DREG, NFT_REG_1);
	cox_netlink_be32(batch, NFTA_META_KEY, key);
	close_expression(batch, expression);
}

/* Loads a piece of the packet. */
static void load_payload(struct cox_buf *batch, uint32_t base, uint32_t offset, uint32_t size)
{
	struct expression expression = open_expression(batch, "payload");

	cox_netlink_be32(batch, NFTA_PAYLOAD_DREG, NFT_REG_1);
	cox_netlink_be32(batch, NFTA_PAYLOAD_BASE, base);
	cox_netlink_be32(batch, NFTA_PAYLOAD_OFFSET, offset);
	cox_netlink_be32(batch, NFTA_PAYLOAD_LEN, size);
	close_expression(batch, expression);
}

static void mask_with(struct cox_buf *batch, const void *mask, size_t size)
{
	static const unsigned char zero[16];
	struct expression expression = open_expression(batch, "bitwise");

	cox_netlink_be32(batch, NFTA_BITWISE_SREG, NFT_REG_1);
	cox_netlink_be32(batch, NFTA_BITWISE_DREG, NFT_REG_1);
	cox_netlink_be32(batch, NFTA_BITWISE_LEN, (uint32_t)size);
	add_value(batch, NFTA_BITWISE_MASK, mask, size);
	add_value(batch, NFTA_BITWISE_XOR, zero, size);
	close_expression(batch, expression);
}

/* Compares the packet's source or destination with a range. */
static void match_range(struct cox_buf *batch, bool source, uint32_t operation,
			const struct bridge_address *range)
{
	size_t size = bridge_address_size(range);
	uint32_t offset = range->family == AF_INET ? (source ? 12 : 16) : (source ? 8 : 24);
	unsigned char mask[16];

	for (size_t i = 0; i < size; i++) {
		unsigned bits = range->prefix > 8 * i ? range->prefix - (unsigned)(8 * i) : 0;

		mask[i] = bits >= 8 ? 0xff : (unsigned char)(0xff00 >> bits);
	}
	load_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, offset, (uint32_t)size);
	mask_with(batch, mask, size);
	compare(batch, operation, range->bytes, size);
}

struct rule {
	size_t message, list;
};

/* Begins with what every rule asks for: the family. */
static struct rule open_rule(struct cox_buf *batch, const char *chain, int family)
{
	unsigned char protocol = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;
	struct rule rule;

	rule.message = begin(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	cox_netlink_text(batch, NFTA_RULE_TABLE, TABLE);
	cox_netlink_text(batch, NFTA_RULE_CHAIN, chain);
	rule.list = cox_netlink_nest(batch, NFTA_RULE_EXPRESSIONS);
	load_meta(batch, NFT_META_NFPROTO);
	compare(batch, NFT_CMP_EQ, &protocol, sizeof(protocol));
	return rule;
}

static void close_rule(struct cox_buf *batch, struct rule rule)
{
	cox_netlink_close_nest(batch, rule.list);
	cox_netlink_end(batch, rule.message);
}

/* ---- sources ---- */

static void match_bridge(struct cox_buf *batch, const struct bridge *bridge, uint32_t key,
			 uint32_t operation)
{
	char name[IFNAMSIZ] = "";

	snprintf(name, sizeof(name), "%s", bridge->name);
	load_meta(batch, key);
	compare(batch, operation, name, sizeof(name));
}

static void match_output(struct cox_buf *batch, const struct bridge *bridge, uint32_t operation)
{
	match_bridge(batch, bridge, NFT_META_OIFNAME, operation);
}

static void add_masquerade(struct cox_buf *batch, const struct bridge *bridge,
			   const struct bridge_address *range)
{
	struct rule rule = open_rule(batch, SOURCES, range->family);

	match_range(batch, true, NFT_CMP_EQ, range);
	match_output(batch, bridge, NFT_CMP_NEQ);
	for (size_t i = 0; i < bridge->direct_count; i++)
		if (bridge->direct[i].family == range->family)
			match_range(batch, false, NFT_CMP_NEQ, &bridge->direct[i]);
	close_expression(batch, open_expression(batch, "masq"));
	close_rule(batch, rule);
}

/* A pod that came by a port of the machine must be answered by that way, too. */
static void add_return(struct cox_buf *batch, const struct bridge *bridge,
		       const struct bridge_address *range)
{
	static const uint32_t zero, translated = IPS_DST_NAT;
	struct rule rule = open_rule(batch, SOURCES, range->family);
	struct expression expression;

	match_range(batch, true, NFT_CMP_EQ, range);
	match_output(batch, bridge, NFT_CMP_EQ);
	expression = open_expression(batch, "ct");
	cox_netlink_be32(batch, NFTA_CT_DREG, NFT_REG_1);
	cox_netlink_be32(batch, NFTA_CT_KEY, NFT_CT_STATUS);
	close_expression(batch, expression);
	mask_with(batch, &translated, sizeof(translated));
	compare(batch, NFT_CMP_NEQ, &zero, sizeof(zero));
	close_expression(batch, open_expression(batch, "masq"));
	close_rule(batch, rule);
}

/* ---- the loopback ---- */

/* A pod cannot answer to 127.0.0.1, which is its own. */
static void add_loopback(struct cox_buf *batch, const struct bridge *bridge)
{
	struct rule rule = open_rule(batch, SOURCES, AF_INET);

	match_range(batch, true, NFT_CMP_EQ, &loopbacks[0]);
	match_output(batch, bridge, NFT_CMP_EQ);
	close_expression(batch, open_expression(batch, "masq"));
	close_rule(batch, rule);
}

static void add_drop(struct cox_buf *batch)
{
	struct expression expression = open_expression(batch, "immediate");
	size_t data, verdict;

	cox_netlink_be32(batch, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = cox_netlink_nest(batch, NFTA_IMMEDIATE_DATA);
	verdict = cox_netlink_nest(batch, NFTA_DATA_VERDICT);
	cox_netlink_be32(batch, NFTA_VERDICT_CODE, NF_DROP);
	cox_netlink_close_nest(batch, verdict);
	cox_netlink_close_nest(batch, data);
	close_expression(batch, expression);
}

static void add_guard(struct cox_buf *batch, const struct bridge *bridge, bool source)
{
	struct rule rule = open_rule(batch, GUARD, AF_INET);

	match_bridge(batch, bridge, NFT_META_IIFNAME, NFT_CMP_EQ);
	match_range(batch, source, NFT_CMP_EQ, &loopbacks[0]);
	add_drop(batch);
	close_rule(batch, rule);
}

/* ---- ports of the machine ---- */

/* Only what is for the machine itself: pods may ask the world for the same port. */
static void match_local(struct cox_buf *batch)
{
	static const uint32_t local = RTN_LOCAL;
	struct expression expression = open_expression(batch, "fib");

	cox_netlink_be32(batch, NFTA_FIB_DREG, NFT_REG_1);
	cox_netlink_be32(batch, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	cox_netlink_be32(batch, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
	close_expression(batch, expression);
	compare(batch, NFT_CMP_EQ, &local, sizeof(local));
}

static void load_immediate(struct cox_buf *batch, uint32_t reg, const void *data, size_t size)
{
	struct expression expression = open_expression(batch, "immediate");

	cox_netlink_be32(batch, NFTA_IMMEDIATE_DREG, reg);
	add_value(batch, NFTA_IMMEDIATE_DATA, data, size);
	close_expression(batch, expression);
}

static void add_port(struct cox_buf *batch, const char *chain, const struct bridge_port *port,
		     const struct bridge_address *pod)
{
	bool loopback = pod->family == AF_INET && strcmp(chain, OWN) == 0;
	uint16_t from = htons(port->host_port), to = htons(port->container_port);
	struct rule rule = open_rule(batch, chain, pod->family);
	struct expression expression;

	load_meta(batch, NFT_META_L4PROTO);
	compare(batch, NFT_CMP_EQ, &port->protocol, sizeof(port->protocol));
	load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof(from));
	compare(batch, NFT_CMP_EQ, &from, sizeof(from));
	if (!loopback)
		match_range(batch, false, NFT_CMP_NEQ, &loopbacks[pod->family == AF_INET ? 0 : 1]);
	if (port->host.family)
		match_range(batch, false, NFT_CMP_EQ, &port->host);
	match_local(batch);
	load_immediate(batch, NFT_REG_1, pod->bytes, bridge_address_size(pod));
	load_immediate(batch, NFT_REG_2, &to, sizeof(to));
	expression = open_expression(batch, "nat");
	cox_netlink_be32(batch, NFTA_NAT_TYPE, NFT_NAT_DNAT);
	cox_netlink_be32(batch, NFTA_NAT_FAMILY,
			 pod->family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
	cox_netlink_be32(batch, NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
	cox_netlink_be32(batch, NFTA_NAT_REG_PROTO_MIN, NFT_REG_2);
	cox_netlink_be32(batch, NFTA_NAT_FLAGS,
			 NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED);
	close_expression(batch, expression);
	close_rule(batch, rule);
}

struct ports_pass {
	struct cox_buf *batch;
	size_t count;
	bool loopback; /* one of them is of 127.0.0.0/8 */
};

static bool is_of_loopback(const struct bridge_port *port, const struct bridge_address *pod)
{
	return pod->family == AF_INET &&
	       (!port->host.family || bridge_in_range(&loopbacks[0], &port->host));
}

static int write_port(void *context, const struct bridge_port *port,
		      const struct bridge_address *pod)
{
	struct ports_pass *pass = context;

	if (port->host.family && port->host.family != pod->family)
		return 0;
	add_port(pass->batch, ARRIVING, port, pod);
	add_port(pass->batch, OWN, port, pod);
	pass->count++;
	pass->loopback |= is_of_loopback(port, pod);
	return 0;
}

/* ---- the table ---- */

static int fill_table(struct bridge *bridge, struct cox_buf *batch, bool *loopback,
		      struct cox_error *err)
{
	struct ports_pass pass = {.batch = batch};

	add_table(batch, NFT_MSG_NEWTABLE);
	add_chain(batch, SOURCES, "nat", NF_INET_POST_ROUTING, SOURCE_PRIORITY);
	add_chain(batch, ARRIVING, "nat", NF_INET_PRE_ROUTING, PORT_PRIORITY);
	add_chain(batch, OWN, "nat", NF_INET_LOCAL_OUT, PORT_PRIORITY);
	if (bridge_each_port(bridge, write_port, &pass, err) != 0)
		return -1;
	for (int i = 0; i < BRIDGE_FAMILIES; i++) {
		if (bridge->ranges[i].family && bridge->masquerade)
			add_masquerade(batch, bridge, &bridge->ranges[i]);
		if (bridge->ranges[i].family && pass.count)
			add_return(batch, bridge, &bridge->ranges[i]);
	}
	*loopback = pass.loopback;
	if (pass.loopback) {
		add_loopback(batch, bridge);
		add_chain(batch, GUARD, "filter", NF_INET_PRE_ROUTING, RAW_PRIORITY);
		add_guard(batch, bridge, true);
		add_guard(batch, bridge, false);
	}
	return 0;
}

int bridge_write_rules(struct bridge *bridge, struct cox_error *err)
{
	cox_auto(cox_netlink_close) struct cox_netlink netlink = COX_NETLINK_INIT;
	cox_autobuf batch = COX_BUF_INIT;
	bool loopback;

	bridge->rules_old = true;
	if (cox_netlink_open(&netlink, NETLINK_NETFILTER, -1) != 0)
		return bridge_fail(bridge, err, "open netlink for nftables");
	add_mark(&batch, NFNL_MSG_BATCH_BEGIN);
	/* Made first, so that taking it away cannot fail. */
	add_table(&batch, NFT_MSG_NEWTABLE);
	add_table(&batch, NFT_MSG_DELTABLE);
	if (fill_table(bridge, &batch, &loopback, err) != 0)
		return -1;
	add_mark(&batch, NFNL_MSG_BATCH_END);
	/* Never open without the guard. */
	if (!loopback && bridge_open_loopback(bridge, false, err) != 0)
		return -1;
	if (cox_netlink_ask(&netlink, &batch, NULL, NULL) != 0)
		return bridge_fail(bridge, err, "write the nftables table " TABLE);
	if (loopback && bridge_open_loopback(bridge, true, err) != 0)
		return -1;
	bridge->rules_old = false;
	return 0;
}
