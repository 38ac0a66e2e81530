/* SPDX-License-Identifier: Apache-2.0 */
/* Network policies: peers of one sort, ports in order, exceptions inside their block. */
#include "machinery/kinds.h"

#include <arpa/inet.h>
#include <stdlib.h>

static void validate_policy_port(struct validation *v, const struct field_path *at,
				 const struct value *entry)
{
	const struct value *port = value_get(entry, "port");
	const struct value *end = value_get(entry, "endPort");

	if (port)
		validate_port_or_name(v, FIELD(at, "port"), port);
	if (!end)
		return;
	if (!port) {
		field_invalid(v, FIELD(at, "endPort"), end,
			      "may not be specified when `port` is not specified");
	} else if (value_is(port, VALUE_STRING)) {
		field_invalid(v, FIELD(at, "endPort"), end,
			      "may not be specified when `port` is non-numeric");
	} else {
		if (end->integer < port->integer)
			field_invalid(v, FIELD(at, "endPort"), end,
				      "must be greater than or equal to `port`");
		if (end->integer < 1 || end->integer > 65535)
			field_invalid(v, FIELD(at, "endPort"), end,
				      "must be between 1 and 65535, inclusive");
	}
}

struct block {
	unsigned char bytes[16];
	unsigned prefix;
	int family;
};

static bool read_block(const struct value *text, struct block *block)
{
	struct names_problems problems = {.count = 0};
	const char *slash = strchr(value_text(text), '/');
	char address[INET6_ADDRSTRLEN];
	size_t size = slash ? (size_t)(slash - value_text(text)) : 0;

	if (!value_is(text, VALUE_STRING))
		return false;
	names_cidr(text->text, text->count, &problems);
	if (problems.count || size >= sizeof(address))
		return false;
	memcpy(address, text->text, size);
	address[size] = '\0';
	block->family = strchr(address, ':') ? AF_INET6 : AF_INET;
	block->prefix = (unsigned)strtoul(slash + 1, NULL, 10);
	return inet_pton(block->family, address, block->bytes) == 1;
}

/* Whether all of `inner` is in `outer`, which has more. */
static bool is_strictly_inside(const struct block *inner, const struct block *outer)
{
	unsigned whole = outer->prefix / 8, rest = outer->prefix % 8;
	unsigned char mask = (unsigned char)(0xff00u >> rest);

	if (inner->family != outer->family || inner->prefix <= outer->prefix ||
	    memcmp(inner->bytes, outer->bytes, whole) != 0)
		return false;
	return !rest || ((inner->bytes[whole] ^ outer->bytes[whole]) & mask) == 0;
}

static void validate_block(struct validation *v, const struct field_path *at,
			   const struct value *given)
{
	const struct value *text = value_get(given, "cidr");
	const struct value *except = value_get(given, "except");
	struct block block = {.family = 0}, part = {.family = 0};

	if (is_unset(text))
		return;
	validate_text(v, FIELD(at, "cidr"), text, names_cidr);
	if (!read_block(text, &block))
		return;
	for
		each_entry(except, i)
		{
			const struct field_path *here = FIELD_INDEX(FIELD(at, "except"), i);
			const struct value *one = value_at(except, i);

			validate_text(v, here, one, names_cidr);
			if (read_block(one, &part) && !is_strictly_inside(&part, &block))
				field_invalid(v, here, one, "must be a strict subset of `cidr`");
		}
}

static void validate_peer(struct validation *v, const struct field_path *at,
			  const struct value *peer)
{
	const struct value *pods = value_get(peer, "podSelector");
	const struct value *namespaces = value_get(peer, "namespaceSelector");
	const struct value *block = value_get(peer, "ipBlock");

	validate_label_selector(v, FIELD(at, "podSelector"), pods);
	validate_label_selector(v, FIELD(at, "namespaceSelector"), namespaces);
	validate_block(v, FIELD(at, "ipBlock"), block);
	if (!pods && !namespaces && !block)
		field_required(v, at, "must specify a peer");
	else if (block && (pods || namespaces))
		field_forbidden(v, at, "may not specify both ipBlock and another peer");
}

static void validate_rules(struct validation *v, const struct field_path *at,
			   const struct value *rules, const char *peers_name)
{
	for
		each_entry(rules, i)
		{
			const struct value *ports = value_get(value_at(rules, i), "ports");
			const struct value *peers = value_get(value_at(rules, i), peers_name);
			const struct field_path *here = FIELD_INDEX(at, i);

		for
			each_entry(ports, k) validate_policy_port(
				v, FIELD_INDEX(FIELD(here, "ports"), k), value_at(ports, k));
		for
			each_entry(peers, k) validate_peer(
				v, FIELD_INDEX(FIELD(here, peers_name), k), value_at(peers, k));
		}
}

static void validate_policy(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *types = value_get(spec, "policyTypes");

	validate_label_selector(v, FIELD(at, "podSelector"), value_get(spec, "podSelector"));
	validate_rules(v, FIELD(at, "ingress"), value_get(spec, "ingress"), "from");
	validate_rules(v, FIELD(at, "egress"), value_get(spec, "egress"), "to");
	if (value_is(types, VALUE_ARRAY) && types->count > 2)
		field_invalid(v, FIELD(at, "policyTypes"), types,
			      "may not specify more than two policyTypes");
}

const struct kind_rules rules_networkpolicies = {"networking.k8s.io", "networkpolicies",
						 validate_policy, NULL};
