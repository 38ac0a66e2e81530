/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kernel can do is best known by doing it. This part runs in a process
 * of its own, in a mount and a network namespace that vanish with it: a bridge,
 * a pair of links, a nat chain, an overlay of two directories. A line for each
 * is a name and an error number, 0 for none.
 */
#include "preflight/internal.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/netlink.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static int number_of(int result)
{
	return result == 0 ? 0 : errno;
}

static int try_link(const char *kind)
{
	const struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	cox_auto(cox_netlink_close) struct cox_netlink netlink = COX_NETLINK_INIT;
	cox_autobuf message = COX_BUF_INIT;
	size_t at, nest;

	if (cox_netlink_open(&netlink, NETLINK_ROUTE, -1) != 0)
		return errno;
	at = cox_netlink_begin(&message, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &info,
			       sizeof(info));
	nest = cox_netlink_nest(&message, IFLA_LINKINFO);
	cox_netlink_text(&message, IFLA_INFO_KIND, kind);
	cox_netlink_close_nest(&message, nest);
	cox_netlink_end(&message, at);
	return number_of(cox_netlink_ask(&netlink, &message, NULL, NULL));
}

static void mark(struct cox_buf *batch, uint16_t type)
{
	const struct nfgenmsg header = {.nfgen_family = AF_UNSPEC,
					.version = NFNETLINK_V0,
					.res_id = htons(NFNL_SUBSYS_NFTABLES)};

	cox_netlink_end(batch, cox_netlink_begin(batch, type, 0, &header, sizeof(header)));
}

/* The table that the network plugin bridge makes: nftables, with a nat chain. */
static int try_nat(void)
{
	const struct nfgenmsg header = {.nfgen_family = AF_INET, .version = NFNETLINK_V0};
	const uint16_t flags = NLM_F_ACK | NLM_F_CREATE, subsystem = NFNL_SUBSYS_NFTABLES << 8;
	cox_auto(cox_netlink_close) struct cox_netlink netlink = COX_NETLINK_INIT;
	cox_autobuf batch = COX_BUF_INIT;
	size_t at, nest;

	if (cox_netlink_open(&netlink, NETLINK_NETFILTER, -1) != 0)
		return errno;
	mark(&batch, NFNL_MSG_BATCH_BEGIN);
	at = cox_netlink_begin(&batch, subsystem | NFT_MSG_NEWTABLE, flags, &header,
			       sizeof(header));
	cox_netlink_text(&batch, NFTA_TABLE_NAME, "probe");
	cox_netlink_end(&batch, at);
	at = cox_netlink_begin(&batch, subsystem | NFT_MSG_NEWCHAIN, flags, &header,
			       sizeof(header));
	cox_netlink_text(&batch, NFTA_CHAIN_TABLE, "probe");
	cox_netlink_text(&batch, NFTA_CHAIN_NAME, "probe");
	nest = cox_netlink_nest(&batch, NFTA_CHAIN_HOOK);
	cox_netlink_be32(&batch, NFTA_HOOK_HOOKNUM, NF_INET_POST_ROUTING);
	cox_netlink_be32(&batch, NFTA_HOOK_PRIORITY, 100);
	cox_netlink_close_nest(&batch, nest);
	cox_netlink_text(&batch, NFTA_CHAIN_TYPE, "nat");
	cox_netlink_end(&batch, at);
	mark(&batch, NFNL_MSG_BATCH_END);
	return number_of(cox_netlink_ask(&netlink, &batch, NULL, NULL));
}

/* As the runtime plugin oci mounts them: the user's attributes, of other hosts too. */
static int try_overlay(void)
{
	static const char *const directories[] = {"/tmp/a", "/tmp/b", "/tmp/root"};

	if (mount("probe", "/tmp", "tmpfs", 0, "size=64k") != 0)
		return errno;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		if (mkdir(directories[i], 0700) != 0)
			return errno;
	return number_of(
		mount("overlay", "/tmp/root", "overlay", 0, "lowerdir=/tmp/a:/tmp/b,userxattr"));
}

int preflight_probe(FILE *out)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
		fprintf(out, "namespaces %d\n", errno);
		return EXIT_SUCCESS;
	}
	fprintf(out, "namespaces 0\n");
	fprintf(out, "bridge %d\n", try_link("bridge"));
	fprintf(out, "veth %d\n", try_link("veth"));
	fprintf(out, "nat %d\n", try_nat());
	fprintf(out, "overlay %d\n", try_overlay());
	return EXIT_SUCCESS;
}
