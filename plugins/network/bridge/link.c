/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links: the bridge with the gateway's addresses, and for each pod a pair of
 * veth devices, one end in the bridge, the other as eth0 in the pod.
 */
#include "bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#define POD_LINK "eth0"

int bridge_fail(struct bridge *bridge, struct cox_error *err, const char *format, ...)
{
	int number = errno;
	cox_autobuf text = COX_BUF_INIT;
	char buffer[128];
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	return bridge->host->fail(err, COX_REASON_INTERNAL_ERROR, "%s: %s", cox_buf_cstr(&text),
				  strerror_r(number, buffer, sizeof(buffer)));
}

void bridge_link_name(const char *id, char *name)
{
	/* The same name in every run, so that a later one finds it. */
	static const uint64_t seed[2] = {0x636f787377616e21, 0x6272696467650000};
	uint64_t hash = cox_siphash13(seed, id, strlen(id));

	snprintf(name, IFNAMSIZ, "cox%011" PRIx64, hash & 0xfffffffffff);
}

static int take_index(const struct nlmsghdr *answer, void *context)
{
	const struct ifinfomsg *info = NLMSG_DATA(answer);

	*(int *)context = info->ifi_index;
	return 0;
}

/* The number of a link; 0 with errno. */
static int link_index(struct cox_netlink *netlink, const char *name)
{
	const struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	cox_autobuf message = COX_BUF_INIT;
	size_t at = cox_netlink_begin(&message, RTM_GETLINK, NLM_F_ACK, &info, sizeof(info));
	int index = 0;

	cox_netlink_text(&message, IFLA_IFNAME, name);
	cox_netlink_end(&message, at);
	return cox_netlink_ask(netlink, &message, take_index, &index) == 0 ? index : 0;
}

static int set_up_link(struct cox_netlink *netlink, int index)
{
	const struct ifinfomsg info = {.ifi_family = AF_UNSPEC,
				       .ifi_index = index,
				       .ifi_flags = IFF_UP,
				       .ifi_change = IFF_UP};
	cox_autobuf message = COX_BUF_INIT;
	size_t at = cox_netlink_begin(&message, RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));

	cox_netlink_end(&message, at);
	return cox_netlink_ask(netlink, &message, NULL, NULL);
}

/* An address that is there already is no error. */
static int add_address(struct cox_netlink *netlink, int index, const struct bridge_address *address)
{
	const struct ifaddrmsg info = {.ifa_family = (unsigned char)address->family,
				       .ifa_prefixlen = (unsigned char)address->prefix,
				       .ifa_index = (uint32_t)index};
	cox_autobuf message = COX_BUF_INIT;
	size_t at = cox_netlink_begin(&message, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
				      &info, sizeof(info));
	size_t size = bridge_address_size(address);

	cox_netlink_put(&message, IFA_LOCAL, address->bytes, size);
	cox_netlink_put(&message, IFA_ADDRESS, address->bytes, size);
	/* We give each address out once: nobody needs to be asked about it. */
	if (address->family == AF_INET6)
		cox_netlink_u32(&message, IFA_FLAGS, IFA_F_NODAD);
	cox_netlink_end(&message, at);
	if (cox_netlink_ask(netlink, &message, NULL, NULL) != 0 && errno != EEXIST)
		return -1;
	return 0;
}

static int add_default_route(struct cox_netlink *netlink, int index,
			     const struct bridge_address *gateway)
{
	const struct rtmsg info = {.rtm_family = (unsigned char)gateway->family,
				   .rtm_table = RT_TABLE_MAIN,
				   .rtm_protocol = RTPROT_STATIC,
				   .rtm_scope = RT_SCOPE_UNIVERSE,
				   .rtm_type = RTN_UNICAST};
	cox_autobuf message = COX_BUF_INIT;
	size_t at =
		cox_netlink_begin(&message, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
				  &info, sizeof(info));

	cox_netlink_put(&message, RTA_GATEWAY, gateway->bytes, bridge_address_size(gateway));
	cox_netlink_u32(&message, RTA_OIF, (uint32_t)index);
	cox_netlink_end(&message, at);
	return cox_netlink_ask(netlink, &message, NULL, NULL);
}

static int write_setting(struct bridge *bridge, const char *path, const char *value,
			 struct cox_error *err)
{
	cox_autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return bridge_fail(bridge, err, "set %s to %s", path, value);
	return 0;
}

static int create_bridge(struct cox_netlink *netlink, const struct bridge *bridge)
{
	const struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	cox_autobuf message = COX_BUF_INIT;
	size_t at = cox_netlink_begin(&message, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
				      &info, sizeof(info));
	unsigned char hardware[6] = {0x0a, 0x58};
	size_t nest;

	/* Else the bridge's address would change with every pod that comes. */
	memcpy(hardware + 2, bridge->ranges[bridge->ranges[0].family ? 0 : 1].bytes, 4);
	cox_netlink_text(&message, IFLA_IFNAME, bridge->name);
	cox_netlink_put(&message, IFLA_ADDRESS, hardware, sizeof(hardware));
	if (bridge->mtu)
		cox_netlink_u32(&message, IFLA_MTU, (uint32_t)bridge->mtu);
	nest = cox_netlink_nest(&message, IFLA_LINKINFO);
	cox_netlink_text(&message, IFLA_INFO_KIND, "bridge");
	cox_netlink_close_nest(&message, nest);
	cox_netlink_end(&message, at);
	return cox_netlink_ask(netlink, &message, NULL, NULL);
}

int bridge_make(struct bridge *bridge, struct cox_error *err)
{
	static const char *const forwarding[] = {"/proc/sys/net/ipv4/ip_forward",
						 "/proc/sys/net/ipv6/conf/all/forwarding"};
	cox_auto(cox_netlink_close) struct cox_netlink netlink = COX_NETLINK_INIT;
	int index;

	if (cox_netlink_open(&netlink, NETLINK_ROUTE, -1) != 0)
		return bridge_fail(bridge, err, "open netlink");
	if (create_bridge(&netlink, bridge) != 0 && errno != EEXIST)
		return bridge_fail(bridge, err, "create the bridge %s", bridge->name);
	index = link_index(&netlink, bridge->name);
	if (!index || set_up_link(&netlink, index) != 0)
		return bridge_fail(bridge, err, "set up the bridge %s", bridge->name);
	for (int i = 0; i < BRIDGE_FAMILIES; i++) {
		struct bridge_address gateway = bridge_gateway(&bridge->ranges[i]);

		if (!bridge->ranges[i].family)
			continue;
		if (add_address(&netlink, index, &gateway) != 0)
			return bridge_fail(bridge, err, "give %s its address", bridge->name);
		if (write_setting(bridge, forwarding[i], "1", err) != 0)
			return -1;
	}
	return 0;
}

int bridge_open_loopback(struct bridge *bridge, bool open, struct cox_error *err)
{
	char path[64 + IFNAMSIZ];

	/* A node of IPv6 alone has nothing to close. */
	if (!open && !bridge->ranges[0].family)
		return 0;
	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/route_localnet", bridge->name);
	return write_setting(bridge, path, open ? "1" : "0", err);
}

static int create_pair(struct cox_netlink *netlink, const struct bridge *bridge, const char *name,
		       int master, int namespace_fd)
{
	const struct ifinfomsg info = {
		.ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	const struct ifinfomsg peer = {.ifi_family = AF_UNSPEC};
	cox_autobuf message = COX_BUF_INIT;
	size_t at = cox_netlink_begin(&message, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
				      &info, sizeof(info));
	size_t link, data, other;

	cox_netlink_text(&message, IFLA_IFNAME, name);
	cox_netlink_u32(&message, IFLA_MASTER, (uint32_t)master);
	if (bridge->mtu)
		cox_netlink_u32(&message, IFLA_MTU, (uint32_t)bridge->mtu);
	link = cox_netlink_nest(&message, IFLA_LINKINFO);
	cox_netlink_text(&message, IFLA_INFO_KIND, "veth");
	data = cox_netlink_nest(&message, IFLA_INFO_DATA);
	other = cox_netlink_nest(&message, VETH_INFO_PEER);
	cox_buf_add(&message, &peer, sizeof(peer));
	cox_netlink_text(&message, IFLA_IFNAME, POD_LINK);
	if (bridge->mtu)
		cox_netlink_u32(&message, IFLA_MTU, (uint32_t)bridge->mtu);
	cox_netlink_u32(&message, IFLA_NET_NS_FD, (uint32_t)namespace_fd);
	cox_netlink_close_nest(&message, other);
	cox_netlink_close_nest(&message, data);
	cox_netlink_close_nest(&message, link);
	cox_netlink_end(&message, at);
	return cox_netlink_ask(netlink, &message, NULL, NULL);
}

/* Lets a pod reach itself through a service. */
static int set_hairpin(struct cox_netlink *netlink, int index)
{
	const struct ifinfomsg info = {.ifi_family = AF_BRIDGE, .ifi_index = index};
	const unsigned char on = 1;
	cox_autobuf message = COX_BUF_INIT;
	size_t at = cox_netlink_begin(&message, RTM_SETLINK, NLM_F_ACK, &info, sizeof(info));
	size_t nest = cox_netlink_nest(&message, IFLA_PROTINFO);

	cox_netlink_put(&message, IFLA_BRPORT_MODE, &on, sizeof(on));
	cox_netlink_close_nest(&message, nest);
	cox_netlink_end(&message, at);
	return cox_netlink_ask(netlink, &message, NULL, NULL);
}

static int set_up_pod(struct bridge *bridge, int namespace_fd,
		      const struct bridge_address *addresses, struct cox_error *err)
{
	cox_auto(cox_netlink_close) struct cox_netlink netlink = COX_NETLINK_INIT;
	int loopback, index;

	if (cox_netlink_open(&netlink, NETLINK_ROUTE, namespace_fd) != 0)
		return bridge_fail(bridge, err, "open netlink in the pod");
	loopback = link_index(&netlink, "lo");
	index = link_index(&netlink, POD_LINK);
	if (!loopback || !index || set_up_link(&netlink, loopback) != 0 ||
	    set_up_link(&netlink, index) != 0)
		return bridge_fail(bridge, err, "set up the pod's links");
	for (int i = 0; i < BRIDGE_FAMILIES; i++) {
		struct bridge_address gateway = bridge_gateway(&bridge->ranges[i]);

		if (!addresses[i].family)
			continue;
		if (add_address(&netlink, index, &addresses[i]) != 0 ||
		    add_default_route(&netlink, index, &gateway) != 0)
			return bridge_fail(bridge, err, "set the pod's address and route");
	}
	return 0;
}

int bridge_connect(struct bridge *bridge, const char *id, int namespace_fd,
		   const struct bridge_address *addresses, struct cox_error *err)
{
	cox_auto(cox_netlink_close) struct cox_netlink netlink = COX_NETLINK_INIT;
	char name[IFNAMSIZ];
	int master, index;

	bridge_link_name(id, name);
	if (cox_netlink_open(&netlink, NETLINK_ROUTE, -1) != 0)
		return bridge_fail(bridge, err, "open netlink");
	master = link_index(&netlink, bridge->name);
	if (!master)
		return bridge_fail(bridge, err, "the bridge %s", bridge->name);
	if (create_pair(&netlink, bridge, name, master, namespace_fd) != 0)
		return bridge_fail(bridge, err, "create the links of the pod");
	index = link_index(&netlink, name);
	if (!index || set_hairpin(&netlink, index) != 0)
		return bridge_fail(bridge, err, "set up %s", name);
	return set_up_pod(bridge, namespace_fd, addresses, err);
}

int bridge_disconnect(struct bridge *bridge, const char *id, struct cox_error *err)
{
	cox_auto(cox_netlink_close) struct cox_netlink netlink = COX_NETLINK_INIT;
	const struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	cox_autobuf message = COX_BUF_INIT;
	char name[IFNAMSIZ];
	size_t at;

	bridge_link_name(id, name);
	if (cox_netlink_open(&netlink, NETLINK_ROUTE, -1) != 0)
		return bridge_fail(bridge, err, "open netlink");
	at = cox_netlink_begin(&message, RTM_DELLINK, NLM_F_ACK, &info, sizeof(info));
	cox_netlink_text(&message, IFLA_IFNAME, name);
	cox_netlink_end(&message, at);
	/* Its peer may have gone with the pod, and it with its peer. */
	if (cox_netlink_ask(&netlink, &message, NULL, NULL) != 0 && errno != ENODEV)
		return bridge_fail(bridge, err, "remove %s", name);
	return 0;
}

bool bridge_connected(const char *id, int namespace_fd)
{
	cox_auto(cox_netlink_close) struct cox_netlink here = COX_NETLINK_INIT;
	cox_auto(cox_netlink_close) struct cox_netlink there = COX_NETLINK_INIT;
	char name[IFNAMSIZ];

	bridge_link_name(id, name);
	return cox_netlink_open(&here, NETLINK_ROUTE, -1) == 0 &&
	       cox_netlink_open(&there, NETLINK_ROUTE, namespace_fd) == 0 &&
	       link_index(&here, name) != 0 && link_index(&there, POD_LINK) != 0;
}
