/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods that talk to the world do so under the machine's address: one nftables
 * table of our own, coxswain_bridge, replaced whole in one transaction. What
 * stays on the bridge, and what goes to a range named direct, keeps its
 * source.
 */
#include "bridge.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#define TABLE "coxswain_bridge"
#define CHAIN "postrouting"
#define SOURCE_PRIORITY 100 /* where nat of sources happens */

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

static void add_chain(struct cox_buf *batch)
{
	size_t at = begin(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE), hook;

	cox_netlink_text(batch, NFTA_CHAIN_TABLE, TABLE);
	cox_netlink_text(batch, NFTA_CHAIN_NAME, CHAIN);
	hook = cox_netlink_nest(batch, NFTA_CHAIN_HOOK);
	cox_netlink_be32(batch, NFTA_HOOK_HOOKNUM, NF_INET_POST_ROUTING);
	cox_netlink_be32(batch, NFTA_HOOK_PRIORITY, SOURCE_PRIORITY);
	cox_netlink_close_nest(batch, hook);
	cox_netlink_text(batch, NFTA_CHAIN_TYPE, "nat");
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

/* Compares the packet's source or destination with a range. */
static void match_range(struct cox_buf *batch, bool source, uint32_t operation,
			const struct bridge_address *range)
{
	size_t size = bridge_address_size(range);
	uint32_t offset = range->family == AF_INET ? (source ? 12 : 16) : (source ? 8 : 24);
	unsigned char mask[16], zero[16] = {0};
	struct expression expression = open_expression(batch, "payload");

	for (size_t i = 0; i < size; i++) {
		unsigned bits = range->prefix > 8 * i ? range->prefix - (unsigned)(8 * i) : 0;

		mask[i] = bits >= 8 ? 0xff : (unsigned char)(0xff00 >> bits);
	}
	cox_netlink_be32(batch, NFTA_PAYLOAD_DREG, NFT_REG_1);
	cox_netlink_be32(batch, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	cox_netlink_be32(batch, NFTA_PAYLOAD_OFFSET, offset);
	cox_netlink_be32(batch, NFTA_PAYLOAD_LEN, (uint32_t)size);
	close_expression(batch, expression);
	expression = open_expression(batch, "bitwise");
	cox_netlink_be32(batch, NFTA_BITWISE_SREG, NFT_REG_1);
	cox_netlink_be32(batch, NFTA_BITWISE_DREG, NFT_REG_1);
	cox_netlink_be32(batch, NFTA_BITWISE_LEN, (uint32_t)size);
	add_value(batch, NFTA_BITWISE_MASK, mask, size);
	add_value(batch, NFTA_BITWISE_XOR, zero, size);
	close_expression(batch, expression);
	compare(batch, operation, range->bytes, size);
}

static void add_rule(struct cox_buf *batch, const struct bridge *bridge,
		     const struct bridge_address *range)
{
	size_t at = begin(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND), list;
	unsigned char family = range->family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;
	char name[IFNAMSIZ] = "";

	cox_netlink_text(batch, NFTA_RULE_TABLE, TABLE);
	cox_netlink_text(batch, NFTA_RULE_CHAIN, CHAIN);
	list = cox_netlink_nest(batch, NFTA_RULE_EXPRESSIONS);
	load_meta(batch, NFT_META_NFPROTO);
	compare(batch, NFT_CMP_EQ, &family, sizeof(family));
	match_range(batch, true, NFT_CMP_EQ, range);
	snprintf(name, sizeof(name), "%s", bridge->name);
	load_meta(batch, NFT_META_OIFNAME);
	compare(batch, NFT_CMP_NEQ, name, sizeof(name));
	for (size_t i = 0; i < bridge->direct_count; i++)
		if (bridge->direct[i].family == range->family)
			match_range(batch, false, NFT_CMP_NEQ, &bridge->direct[i]);
	close_expression(batch, open_expression(batch, "masq"));
	cox_netlink_close_nest(batch, list);
	cox_netlink_end(batch, at);
}

int bridge_masquerade(struct bridge *bridge, struct cox_error *err)
{
	cox_auto(cox_netlink_close) struct cox_netlink netlink = COX_NETLINK_INIT;
	cox_autobuf batch = COX_BUF_INIT;

	if (cox_netlink_open(&netlink, NETLINK_NETFILTER, -1) != 0)
		return bridge_fail(bridge, err, "open netlink for nftables");
	add_mark(&batch, NFNL_MSG_BATCH_BEGIN);
	/* Made first, so that taking it away cannot fail. */
	add_table(&batch, NFT_MSG_NEWTABLE);
	add_table(&batch, NFT_MSG_DELTABLE);
	if (bridge->masquerade) {
		add_table(&batch, NFT_MSG_NEWTABLE);
		add_chain(&batch);
		for (int i = 0; i < BRIDGE_FAMILIES; i++)
			if (bridge->ranges[i].family)
				add_rule(&batch, bridge, &bridge->ranges[i]);
	}
	add_mark(&batch, NFNL_MSG_BATCH_END);
	if (cox_netlink_ask(&netlink, &batch, NULL, NULL) != 0)
		return bridge_fail(bridge, err, "write the nftables table " TABLE);
	return 0;
}
