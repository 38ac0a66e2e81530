/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a service's spec by its type; see the header. */
#include "apiserver/servicetype.h"

#include <string.h>

static bool is_type(const struct value *spec, const char *type)
{
	return value_string_is(value_get(spec, "type"), type);
}

static bool is_balanced(const struct value *spec)
{
	return is_type(spec, "LoadBalancer");
}

static bool uses_node_ports(const struct value *spec)
{
	const struct value *wanted = value_get(spec, "allocateLoadBalancerNodePorts");

	return is_type(spec, "NodePort") ||
	       (is_balanced(spec) && (!value_is(wanted, VALUE_BOOL) || wanted->boolean));
}

static bool is_reached_from_outside(const struct value *spec)
{
	const struct value *addresses = value_get(spec, "externalIPs");

	return is_type(spec, "NodePort") || is_balanced(spec) ||
	       (is_type(spec, "ClusterIP") && value_is(addresses, VALUE_ARRAY) && addresses->count);
}

static bool uses_health_port(const struct value *spec)
{
	return is_balanced(spec) &&
	       value_string_is(value_get(spec, "externalTrafficPolicy"), "Local");
}

/* Members of the spec that follow a type as a whole. */
static const struct {
	const char *name;
	bool (*used)(const struct value *spec);
} members[] = {
	/* before the policy, which decides about it */
	{"healthCheckNodePort", uses_health_port},
	{"externalTrafficPolicy", is_reached_from_outside},
	{"allocateLoadBalancerNodePorts", is_balanced},
	{"loadBalancerClass", is_balanced},
};

static bool had_node_port(const struct value *ports, int64_t node_port)
{
	for (size_t i = 0; value_is(ports, VALUE_ARRAY) && i < ports->count; i++)
		if (value_get_int(value_at(ports, i), "nodePort", 0) == node_port)
			return true;
	return false;
}

/* Node ports are the old ones as long as none is new; which port has which may change. */
static void drop_node_ports(struct value *spec, const struct value *old)
{
	const struct value *ports = value_get(spec, "ports");
	size_t count = value_is(ports, VALUE_ARRAY) ? ports->count : 0;

	if (!uses_node_ports(old) || uses_node_ports(spec))
		return;
	for (size_t i = 0; i < count; i++) {
		int64_t node_port = value_get_int(value_at(ports, i), "nodePort", 0);

		if (node_port && !had_node_port(value_get(old, "ports"), node_port))
			return;
	}
	for (size_t i = 0; i < count; i++)
		value_remove(value_at(ports, i), "nodePort");
}

void service_drop_unused(struct value *service, const struct value *old)
{
	struct value *spec = value_get(service, "spec");
	const struct value *before = value_get(old, "spec");

	if (!spec || !before)
		return;
	drop_node_ports(spec, before);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const char *name = members[i].name;

		if (members[i].used(before) && !members[i].used(spec) &&
		    value_equal(value_get(spec, name), value_get(before, name)))
			value_remove(spec, name);
	}
}
