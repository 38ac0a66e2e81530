/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel: what containers are made of, forwarding, and control groups. */
#include "preflight/internal.h"

#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { PROBE_SECONDS = 15 };

struct feature {
	const char *name; /* as preflight_probe prints it */
	const char *why;
	const char *remedy;
};

static const struct feature features[] = {
	{"bridge", "pods are joined by one", "modprobe bridge, or a kernel with CONFIG_BRIDGE"},
	{"veth", "each pod has such a pair of links",
	 "modprobe veth, or a kernel with CONFIG_VETH"},
	{"nat", "pods leave the node under its address",
	 "modprobe nft_chain_nat, or a kernel with CONFIG_NF_TABLES and CONFIG_NFT_NAT"},
	{"overlay", "containers share the layers of their images",
	 "modprobe overlay, or a kernel since 5.11 with CONFIG_OVERLAY_FS"},
};

/* The number behind "NAME " in what the probe said, or -1. */
static int result_of(const char *said, const char *name)
{
	size_t size = strlen(name);

	for (const char *at = said; *at; at += strspn(at, "\n")) {
		if (strncmp(at, name, size) == 0 && at[size] == ' ')
			return atoi(at + size + 1);
		at += strcspn(at, "\n");
	}
	return -1;
}

static void judge_feature(struct preflight *preflight, const struct feature *feature,
			  const char *said)
{
	cox_autobuf thing = COX_BUF_INIT;
	int number = result_of(said, feature->name);

	cox_buf_printf(&thing, "kernel %s", feature->name);
	if (number == 0)
		preflight_say(preflight, PREFLIGHT_OK, thing.data, NULL, "works");
	else
		preflight_say(preflight, PREFLIGHT_ERROR, thing.data, feature->remedy,
			      "does not work (%s), and %s",
			      number < 0 ? "the try did not end" : strerror(number), feature->why);
}

static void check_features(struct preflight *preflight)
{
	char program[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	const char *const argv[] = {program, "preflight", "--probe", NULL};
	cox_autobuf said = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	int status = 0, number;

	program[length > 0 ? length : 0] = '\0';
	if (preflight_run(argv, PROBE_SECONDS, &said, NULL, &status, &err) != 0) {
		preflight_say(preflight, PREFLIGHT_WARNING, "kernel", NULL,
			      "its features could not be tried: %s", error_text(&err));
		return;
	}
	number = result_of(cox_buf_cstr(&said), "namespaces");
	if (number != 0) {
		preflight_say(preflight, geteuid() == 0 ? PREFLIGHT_ERROR : PREFLIGHT_WARNING,
			      "kernel namespaces",
			      geteuid() == 0
				      ? "a kernel with CONFIG_NAMESPACES, and not a container "
					"that may not make any"
				      : "start it as root",
			      "none can be made (%s), so nothing else was tried",
			      number < 0 ? "the try did not end" : strerror(number));
		return;
	}
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		judge_feature(preflight, &features[i], cox_buf_cstr(&said));
}

static void check_forwarding(struct preflight *preflight)
{
	static const char path[] = "/proc/sys/net/ipv4/ip_forward";
	const char *plugin = preflight_flag(preflight, "kubelet", "network-plugin");
	cox_autobuf value = COX_BUF_INIT;

	if (preflight_read(path, &value) == 0 && strcmp(preflight_last_line(&value), "1") == 0)
		preflight_say(preflight, PREFLIGHT_OK, "ip_forward", NULL, "on");
	else if (plugin && strcmp(plugin, "bridge") == 0 && access(path, W_OK) == 0)
		preflight_say(preflight, PREFLIGHT_OK, "ip_forward", NULL,
			      "off; the kubelet turns it on");
	else
		preflight_say(preflight, PREFLIGHT_ERROR, "ip_forward",
			      "sysctl -w net.ipv4.ip_forward=1, and in /etc/sysctl.d for the next "
			      "start",
			      "off, and the kubelet may not turn it on: pods reach nobody outside");
}

/* Whether what a bridge carries passes the rules of iptables. */
static void check_bridge_filter(struct preflight *preflight)
{
	const char *mode = preflight_flag(preflight, "kube-proxy", "proxy-mode");
	cox_autobuf value = COX_BUF_INIT;

	if (!mode || strcmp(mode, "userspace") == 0)
		return; /* connections end in the proxy, so they leave the bridge */
	if (preflight_read("/proc/sys/net/bridge/bridge-nf-call-iptables", &value) == 0 &&
	    strcmp(preflight_last_line(&value), "1") == 0)
		preflight_say(preflight, PREFLIGHT_OK, "br_netfilter", NULL, "on");
	else
		preflight_say(preflight, PREFLIGHT_WARNING, "br_netfilter",
			      "modprobe br_netfilter && sysctl -w "
			      "net.bridge.bridge-nf-call-iptables=1",
			      "off: a pod does not reach itself, or one beside it, by a service "
			      "with --proxy-mode=%s",
			      mode);
}

void preflight_check_kernel(struct preflight *preflight)
{
	if (!preflight->node)
		return;
	check_features(preflight);
	check_forwarding(preflight);
	check_bridge_filter(preflight);
}

/* ---- control groups ---- */

static const char *layout_name(const struct preflight_cgroups *cgroups)
{
	if (!cgroups->v1)
		return "version 2";
	return cgroups->v2 ? "version 1, with version 2 beside it" : "version 1";
}

void preflight_check_cgroups(struct preflight *preflight)
{
	static const char *const needed[] = {"cpu", "memory", "pids"};
	cox_autobuf text = COX_BUF_INIT, controllers = COX_BUF_INIT, missing = COX_BUF_INIT;
	struct preflight_cgroups cgroups;

	if (!preflight->node)
		return;
	if (preflight_read("/proc/self/mountinfo", &text) == 0)
		preflight_find_cgroups(cox_buf_cstr(&text), &cgroups);
	else
		memset(&cgroups, 0, sizeof(cgroups));
	if (!cgroups.v1 && !cgroups.v2) {
		preflight_say(preflight, PREFLIGHT_ERROR, "cgroups",
			      "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
			      "no hierarchy is mounted, and containers cannot run without");
		return;
	}
	if (cgroups.v2) {
		cox_buf_clear(&text);
		cox_buf_printf(&text, "%s/cgroup.controllers", cgroups.v2_mount);
		if (preflight_read(text.data, &controllers) != 0)
			cox_buf_clear(&controllers);
	}
	cox_buf_printf(&controllers, " %s", cgroups.controllers);
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!preflight_has_word(controllers.data, needed[i]))
			cox_buf_printf(&missing, "%s%s", missing.size ? ", " : "", needed[i]);
	if (missing.size)
		preflight_say(preflight, PREFLIGHT_ERROR, "cgroups",
			      "start the kernel with cgroup_enable=memory, or one with "
			      "CONFIG_MEMCG, CONFIG_CGROUP_SCHED and CONFIG_CGROUP_PIDS",
			      "%s, without the controllers %s: no limit of containers is kept",
			      layout_name(&cgroups), missing.data);
	else
		preflight_say(preflight, PREFLIGHT_OK, "cgroups", NULL,
			      "%s, with cpu, memory and pids", layout_name(&cgroups));
}
