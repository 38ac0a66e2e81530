/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whoever else filters packets: services that manage a firewall, and the rule
 * that distributions put at the end of INPUT and FORWARD. kube-proxy touches
 * the nat table alone, so such a rule has to be dealt with by hand.
 */
#include "preflight/internal.h"

#include <coxswain/kit/cleanup.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum { IPTABLES_SECONDS = 10, NETWORKS = 8 };

struct networks {
	struct preflight_network items[NETWORKS];
	size_t count;
	struct cox_buf text; /* "nodes (192.168.1.0/24), pods (…)" */
};

/* systemd keeps a link here for each unit that is active. */
static bool unit_is_active(const char *unit)
{
	cox_autobuf path = COX_BUF_INIT;
	char target[64];

	cox_buf_printf(&path, "/run/systemd/units/invocation:%s.service", unit);
	return readlink(path.data, target, sizeof(target)) > 0;
}

static void check_services(struct preflight *preflight)
{
	static const char *const services[] = {"firewalld", "iptables", "ip6tables", "nftables",
					       "ufw"};
	bool found = false;

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		cox_autobuf remedy = COX_BUF_INIT;
		/* The others set their rules and end. */
		pid_t process = i == 0 ? preflight_find_process(services[i]) : 0;

		if (!process && !unit_is_active(services[i]))
			continue;
		found = true;
		cox_buf_printf(&remedy, "systemctl disable --now %s", services[i]);
		preflight_say(
			preflight, PREFLIGHT_WARNING, "firewall service", remedy.data,
			"%s is active: its rules may refuse what nodes, pods and services say "
			"to each other, and a reload of it removes those of kube-proxy",
			services[i]);
	}
	if (!found)
		preflight_say(preflight, PREFLIGHT_OK, "firewall service", NULL, "none is active");
}

static void add_networks(struct networks *networks, const char *whose, const char *list,
			 const char *flag)
{
	cox_buf_printf(&networks->text, "%s%s (", networks->text.size ? ", " : "", whose);
	if (!list || !*list) {
		cox_buf_printf(&networks->text, "%s is not set)", flag);
		return;
	}
	cox_buf_printf(&networks->text, "%s)", list);
	for (const char *at = list; *at; at += strspn(at, ",")) {
		char item[64];
		size_t size = strcspn(at, ",");

		/* The list of rules is that of IPv4. */
		if (size < sizeof(item) && networks->count < NETWORKS) {
			memcpy(item, at, size);
			item[size] = '\0';
			if (preflight_parse_network(item, &networks->items[networks->count]) == 0 &&
			    networks->items[networks->count].family == AF_INET)
				networks->count++;
		}
		at += size;
	}
}

/* The networks that this machine itself is in, without those of its containers. */
static void find_node_networks(struct cox_buf *out)
{
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list) != 0)
		return;
	for (const struct ifaddrs *at = list; at; at = at->ifa_next) {
		struct sockaddr_in address, mask;
		const unsigned char *bytes = (const unsigned char *)&address.sin_addr;

		if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET || !at->ifa_netmask ||
		    at->ifa_flags & IFF_LOOPBACK || !(at->ifa_flags & IFF_UP) ||
		    strncmp(at->ifa_name, "cox", 3) == 0 || strncmp(at->ifa_name, "docker", 6) == 0)
			continue;
		memcpy(&address, at->ifa_addr, sizeof(address));
		memcpy(&mask, at->ifa_netmask, sizeof(mask));
		address.sin_addr.s_addr &= mask.sin_addr.s_addr;
		cox_buf_printf(out, "%s%u.%u.%u.%u/%d", out->size ? "," : "", bytes[0], bytes[1],
			       bytes[2], bytes[3], __builtin_popcount(mask.sin_addr.s_addr));
	}
	freeifaddrs(list);
}

static const char *first_of(const char *a, const char *b)
{
	return a && *a ? a : b;
}

/* Those that production has to let through. */
static void collect_networks(const struct preflight *preflight, struct networks *networks)
{
	cox_autobuf nodes = COX_BUF_INIT;
	const char *pods =
		first_of(preflight_any_flag(preflight, "kube-controller-manager", "cluster-cidr"),
			 first_of(preflight_any_flag(preflight, "kube-proxy", "cluster-cidr"),
				  preflight_any_flag(preflight, "kubelet", "pod-cidr")));
	const char *services = first_of(
		preflight_any_flag(preflight, "kube-apiserver", "service-cluster-ip-range"),
		preflight_any_flag(preflight, "kube-controller-manager",
				   "service-cluster-ip-range"));

	find_node_networks(&nodes);
	add_networks(networks, "nodes", cox_buf_cstr(&nodes), "no address of this machine");
	add_networks(networks, "pods", pods, "--cluster-cidr of kube-controller-manager");
	add_networks(networks, "services", services,
		     "--service-cluster-ip-range of kube-apiserver");
}

static void say_refusals(struct preflight *preflight, const struct networks *networks,
			 const struct preflight_refusal *input,
			 const struct preflight_refusal *forward)
{
	cox_autobuf found = COX_BUF_INIT, remedy = COX_BUF_INIT;
	const struct preflight_refusal *const both[] = {input, forward};
	const char *const chains[] = {"INPUT", "FORWARD"};

	for (int i = 0; i < 2; i++) {
		if (!both[i]->number || both[i]->allowed)
			continue;
		cox_buf_printf(&found, "%srule %u of %s (%s)", found.size ? " and " : "",
			       both[i]->number, chains[i], both[i]->what);
		cox_buf_printf(&remedy, "%siptables -D %s %u", remedy.size ? " && " : "", chains[i],
			       both[i]->number);
	}
	cox_buf_printf(&remedy,
		       "; or, in production, let in the networks of %s: for each of them iptables "
		       "-I INPUT -s NETWORK -j ACCEPT && iptables -I FORWARD -s NETWORK -j ACCEPT",
		       cox_buf_cstr(&networks->text));
	preflight_say(preflight, PREFLIGHT_ERROR, "firewall rules", remedy.data,
		      "%s of the filter table: what no rule before lets in is refused", found.data);
}

static void judge_rules(struct preflight *preflight, const char *rules)
{
	struct networks networks = {.text = COX_BUF_INIT};
	struct preflight_refusal input = {0}, forward = {0};
	bool refuses;

	collect_networks(preflight, &networks);
	if (!preflight_find_refusal(rules, "INPUT", networks.items, networks.count, &input))
		input.number = 0;
	/* Only a node forwards. */
	if (!preflight->node ||
	    !preflight_find_refusal(rules, "FORWARD", networks.items, networks.count, &forward))
		forward.number = 0;
	refuses = (input.number && !input.allowed) || (forward.number && !forward.allowed);
	if (refuses)
		say_refusals(preflight, &networks, &input, &forward);
	if (preflight->node && !forward.number && preflight_policy_drops(rules, "FORWARD"))
		preflight_say(preflight, PREFLIGHT_WARNING, "firewall rules",
			      "iptables -P FORWARD ACCEPT; Docker sets it to DROP when it starts",
			      "the policy of FORWARD is DROP: pods may not reach those of other "
			      "nodes");
	else if (!refuses)
		preflight_say(preflight, PREFLIGHT_OK, "firewall rules", NULL,
			      input.number || forward.number
				      ? "INPUT and FORWARD let in the networks of %s"
				      : "INPUT and FORWARD end without a refusal",
			      networks.text.data);
	cox_buf_free(&networks.text);
}

void preflight_check_firewall(struct preflight *preflight)
{
	cox_autobuf program = COX_BUF_INIT, rules = COX_BUF_INIT, complaint = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	int status = 0;

	check_services(preflight);
	preflight_plugin_option(preflight, "kube-proxy", "proxy/userspace:iptables", "iptables",
				&rules);
	if (preflight_find_program(cox_buf_cstr(&rules), &program) != 0) {
		preflight_say(preflight, preflight->node ? PREFLIGHT_ERROR : PREFLIGHT_OK,
			      "iptables", preflight->node ? "install the package iptables" : NULL,
			      "%s is not there%s", cox_buf_cstr(&rules),
			      preflight->node ? ", and kube-proxy makes its rules with it" : "");
		return;
	}
	{
		const char *const filter[] = {program.data, "-w", "5", "-S", NULL};
		const char *const nat[] = {program.data, "-w", "5", "-t", "nat", "-S", NULL};

		cox_buf_clear(&rules);
		if (preflight_run(filter, IPTABLES_SECONDS, &rules, &complaint, &status, &err) ==
			    0 &&
		    status == 0)
			judge_rules(preflight, cox_buf_cstr(&rules));
		else
			preflight_say(preflight, PREFLIGHT_WARNING, "firewall rules",
				      "look at them as root: iptables -nL --line-numbers",
				      "not to be seen: %s",
				      err.message ? err.message : preflight_last_line(&complaint));
		if (!preflight->node)
			return;
		error_clear(&err);
		if (preflight_run(nat, IPTABLES_SECONDS, NULL, &complaint, &status, &err) == 0 &&
		    status == 0)
			preflight_say(preflight, PREFLIGHT_OK, "iptables", NULL,
				      "%s has a nat table", program.data);
		else
			preflight_say(preflight, PREFLIGHT_ERROR, "iptables",
				      "modprobe iptable_nat, or a kernel that has it",
				      "the nat table, where kube-proxy makes its rules: %s",
				      err.message ? err.message : preflight_last_line(&complaint));
	}
}
