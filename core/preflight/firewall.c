/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whoever else filters packets: services that manage a firewall, and the rule
 * that distributions put at the end of INPUT and FORWARD. kube-proxy touches
 * the nat table alone, so such a rule has to be dealt with by hand. IPv6 has
 * rules of its own, which are an error where the cluster uses it, and a warning
 * where just this machine does.
 */
#include "preflight/internal.h"

#include <arpa/inet.h>
#include <coxswain/kit/cleanup.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum { IPTABLES_SECONDS = 10, NETWORKS = 8 };

/* The rules of one kind of address. */
struct family {
	int number;
	const char *thing, *program; /* what is spoken of; as people type it */
	enum preflight_level level;  /* of a refusal */
};

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

/* Those of the list that are of this family: into the array, and their texts. */
static void pick_networks(struct networks *networks, int family, const char *list,
			  struct cox_buf *texts)
{
	for (const char *at = list; *at; at += strspn(at, ",")) {
		char item[64];
		size_t size = strcspn(at, ",");

		if (size < sizeof(item) && networks->count < NETWORKS) {
			struct preflight_network *network = &networks->items[networks->count];

			memcpy(item, at, size);
			item[size] = '\0';
			if (preflight_parse_network(item, network) == 0 &&
			    network->family == family) {
				networks->count++;
				cox_buf_printf(texts, "%s%s", texts->size ? "," : "", item);
			}
		}
		at += size;
	}
}

static void add_networks(struct networks *networks, int family, const char *whose, const char *list,
			 const char *flag)
{
	cox_autobuf texts = COX_BUF_INIT;

	if (!list || !*list) {
		/* Nobody has to have IPv6. */
		if (family == AF_INET)
			cox_buf_printf(&networks->text, "%s%s (%s is not set)",
				       networks->text.size ? ", " : "", whose, flag);
		return;
	}
	pick_networks(networks, family, list, &texts);
	if (texts.size)
		cox_buf_printf(&networks->text, "%s%s (%s)", networks->text.size ? ", " : "", whose,
			       texts.data);
}

static bool is_own_link(const struct ifaddrs *at)
{
	return !(at->ifa_flags & IFF_LOOPBACK) && at->ifa_flags & IFF_UP &&
	       strncmp(at->ifa_name, "cox", 3) != 0 && strncmp(at->ifa_name, "docker", 6) != 0;
}

static void add_own_network(const struct ifaddrs *at, int family, struct cox_buf *out)
{
	unsigned char bytes[16], mask[16];
	char text[INET6_ADDRSTRLEN];
	unsigned bits = 0;

	if (family == AF_INET) {
		memcpy(bytes, &((const struct sockaddr_in *)(const void *)at->ifa_addr)->sin_addr,
		       4);
		memcpy(mask, &((const struct sockaddr_in *)(const void *)at->ifa_netmask)->sin_addr,
		       4);
	} else {
		memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)at->ifa_addr)->sin6_addr,
		       16);
		memcpy(mask,
		       &((const struct sockaddr_in6 *)(const void *)at->ifa_netmask)->sin6_addr,
		       16);
		/* fe80::/10 is of one link: no part of a cluster is told by it. */
		if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
			return;
	}
	for (size_t i = 0; i < (family == AF_INET ? 4 : 16); i++) {
		bytes[i] &= mask[i];
		bits += (unsigned)__builtin_popcount(mask[i]);
	}
	cox_buf_printf(out, "%s%s/%u", out->size ? "," : "",
		       inet_ntop(family, bytes, text, sizeof(text)), bits);
}

/* The networks that this machine itself is in, without those of its containers. */
static void find_node_networks(int family, struct cox_buf *out)
{
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list) != 0)
		return;
	for (const struct ifaddrs *at = list; at; at = at->ifa_next)
		if (at->ifa_addr && at->ifa_addr->sa_family == family && at->ifa_netmask &&
		    is_own_link(at))
			add_own_network(at, family, out);
	freeifaddrs(list);
}

static const char *first_of(const char *a, const char *b)
{
	return a && *a ? a : b;
}

/* Those that production has to let through. */
static void collect_networks(const struct preflight *preflight, int family,
			     struct networks *networks)
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

	find_node_networks(family, &nodes);
	add_networks(networks, family, "nodes", cox_buf_cstr(&nodes), "no address of this machine");
	add_networks(networks, family, "pods", pods, "--cluster-cidr of kube-controller-manager");
	add_networks(networks, family, "services", services,
		     "--service-cluster-ip-range of kube-apiserver");
}

static void say_refusals(struct preflight *preflight, const struct family *family,
			 const struct networks *networks, const struct preflight_refusal *input,
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
		cox_buf_printf(&remedy, "%s%s -D %s %u", remedy.size ? " && " : "", family->program,
			       chains[i], both[i]->number);
	}
	cox_buf_printf(&remedy,
		       "; or, in production, let in the networks of %s: for each of them %s "
		       "-I INPUT -s NETWORK -j ACCEPT && %s -I FORWARD -s NETWORK -j ACCEPT",
		       cox_buf_cstr(&networks->text), family->program, family->program);
	preflight_say(preflight, family->level, family->thing, remedy.data,
		      "%s of the filter table: what no rule before lets in is refused", found.data);
}

static void judge_rules(struct preflight *preflight, const struct family *family,
			const struct networks *networks, const char *rules)
{
	struct preflight_refusal input = {0}, forward = {0};
	bool refuses;

	if (!preflight_find_refusal(rules, "INPUT", networks->items, networks->count, &input))
		input.number = 0;
	/* Only a node forwards. */
	if (!preflight->node ||
	    !preflight_find_refusal(rules, "FORWARD", networks->items, networks->count, &forward))
		forward.number = 0;
	refuses = (input.number && !input.allowed) || (forward.number && !forward.allowed);
	if (refuses)
		say_refusals(preflight, family, networks, &input, &forward);
	if (preflight->node && !forward.number && preflight_policy_drops(rules, "FORWARD")) {
		cox_autobuf remedy = COX_BUF_INIT;

		cox_buf_printf(&remedy,
			       "%s -P FORWARD ACCEPT; Docker sets it to DROP when it starts",
			       family->program);
		preflight_say(preflight, PREFLIGHT_WARNING, family->thing, remedy.data,
			      "the policy of FORWARD is DROP: pods may not reach those of other "
			      "nodes");
	} else if (!refuses) {
		preflight_say(preflight, PREFLIGHT_OK, family->thing, NULL,
			      input.number || forward.number
				      ? "INPUT and FORWARD let in the networks of %s"
				      : "INPUT and FORWARD end without a refusal",
			      cox_buf_cstr(&networks->text));
	}
}

static void check_filter(struct preflight *preflight, const struct family *family,
			 const struct networks *networks, const char *program)
{
	const char *const filter[] = {program, "-w", "5", "-S", NULL};
	cox_autobuf rules = COX_BUF_INIT, complaint = COX_BUF_INIT, remedy = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	int status = 0;

	if (preflight_run(filter, IPTABLES_SECONDS, &rules, &complaint, &status, &err) == 0 &&
	    status == 0) {
		judge_rules(preflight, family, networks, cox_buf_cstr(&rules));
		return;
	}
	cox_buf_printf(&remedy, "look at them as root: %s -nL --line-numbers", family->program);
	preflight_say(preflight, PREFLIGHT_WARNING, family->thing, remedy.data,
		      "not to be seen: %s",
		      err.message ? err.message : preflight_last_line(&complaint));
}

/* The program for IPv6 that stands beside the one for IPv4. */
static void name_for_v6(const char *name, struct cox_buf *out)
{
	static const char v4[] = "iptables";
	const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;

	if (strncmp(last, v4, sizeof(v4) - 1) == 0)
		cox_buf_printf(out, "%.*sip6tables%s", (int)(last - name), name,
			       last + sizeof(v4) - 1);
	else
		cox_buf_str(out, "ip6tables");
}

static void check_v6(struct preflight *preflight, const char *v4_program)
{
	struct family family = {AF_INET6, "firewall rules IPv6", "ip6tables", PREFLIGHT_WARNING};
	struct networks networks = {.text = COX_BUF_INIT};
	cox_autobuf own = COX_BUF_INIT, other = COX_BUF_INIT, name = COX_BUF_INIT,
		    program = COX_BUF_INIT;
	size_t of_node = 0;

	collect_networks(preflight, AF_INET6, &networks);
	find_node_networks(AF_INET6, &own);
	find_node_networks(AF_INET, &other);
	for (const char *at = own.size ? own.data : NULL; at; at = strchr(at + 1, ','))
		of_node++;
	/* Pods or services have it, or this machine has nothing else. */
	if (networks.count > of_node || (of_node && !other.size))
		family.level = PREFLIGHT_ERROR;
	name_for_v6(v4_program, &name);
	if (!networks.count)
		preflight_say(preflight, PREFLIGHT_OK, family.thing, NULL,
			      "neither this machine nor the cluster uses IPv6");
	else if (preflight_find_program(cox_buf_cstr(&name), &program) != 0)
		preflight_say(preflight, PREFLIGHT_WARNING, family.thing,
			      "install the package iptables", "not to be seen: %s is not there",
			      cox_buf_cstr(&name));
	else
		check_filter(preflight, &family, &networks, program.data);
	cox_buf_free(&networks.text);
}

static void check_nat(struct preflight *preflight, const char *program)
{
	const char *const nat[] = {program, "-w", "5", "-t", "nat", "-S", NULL};
	cox_autobuf complaint = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	int status = 0;

	if (preflight_run(nat, IPTABLES_SECONDS, NULL, &complaint, &status, &err) == 0 &&
	    status == 0)
		preflight_say(preflight, PREFLIGHT_OK, "iptables", NULL, "%s has a nat table",
			      program);
	else
		preflight_say(preflight, PREFLIGHT_ERROR, "iptables",
			      "modprobe iptable_nat, or a kernel that has it",
			      "the nat table, where kube-proxy makes its rules: %s",
			      err.message ? err.message : preflight_last_line(&complaint));
}

void preflight_check_firewall(struct preflight *preflight)
{
	static const struct family v4 = {AF_INET, "firewall rules", "iptables", PREFLIGHT_ERROR};
	struct networks networks = {.text = COX_BUF_INIT};
	cox_autobuf program = COX_BUF_INIT, name = COX_BUF_INIT;

	check_services(preflight);
	preflight_plugin_option(preflight, "kube-proxy", "proxy/userspace:iptables", "iptables",
				&name);
	if (preflight_find_program(cox_buf_cstr(&name), &program) != 0) {
		preflight_say(preflight, preflight->node ? PREFLIGHT_ERROR : PREFLIGHT_OK,
			      "iptables", preflight->node ? "install the package iptables" : NULL,
			      "%s is not there%s", cox_buf_cstr(&name),
			      preflight->node ? ", and kube-proxy makes its rules with it" : "");
	} else {
		collect_networks(preflight, AF_INET, &networks);
		check_filter(preflight, &v4, &networks, program.data);
		cox_buf_free(&networks.text);
		if (preflight->node)
			check_nat(preflight, program.data);
	}
	check_v6(preflight, cox_buf_cstr(&name));
}
