/* SPDX-License-Identifier: Apache-2.0 */
/* Services: ports, cluster addresses, and what each type allows. */
#include "machinery/kinds.h"

#include <coxswain/kit/map.h>

static bool is_headless(const struct value *spec)
{
	return text_is(spec, "clusterIP", "None");
}

static bool takes_outside_traffic(const struct value *spec)
{
	return text_is(spec, "type", "LoadBalancer") || text_is(spec, "type", "NodePort") ||
	       (text_is(spec, "type", "ClusterIP") && !is_unset(value_get(spec, "externalIPs")));
}

static void validate_port(struct validation *v, const struct field_path *at,
			  const struct value *spec, const struct value *port, bool name_needed)
{
	const struct value *node_port = value_get(port, "nodePort");

	if (name_needed && is_unset(value_get(port, "name")))
		field_required(v, FIELD(at, "name"), "");
	validate_port_or_name(v, FIELD(at, "targetPort"), value_get(port, "targetPort"));
	if (value_get_int(port, "nodePort", 0) == 0)
		return;
	if (text_is(spec, "type", "ClusterIP") || text_is(spec, "type", "ExternalName"))
		field_forbidden(v, FIELD(at, "nodePort"), "may not be used when `type` is '%s'",
				value_get_text(spec, "type"));
	else if (node_port->integer < 0 || node_port->integer > 65535)
		field_invalid(v, FIELD(at, "nodePort"), node_port,
			      "must be between 1 and 65535, inclusive");
}

/* Told with the two parts that make the port what it is. */
static void check_twin_port(struct validation *v, const struct field_path *at,
			    const struct value *port, struct cox_map *seen, const char *number)
{
	long long value = (long long)value_get_int(port, number, 0);
	const char *key = arena_printf(v->arena, "%s %s/%lld", number,
				       value_get_text(port, "protocol"), value);
	struct value *shown;

	if (value == 0 || !cox_map_put(seen, key, strlen(key), seen))
		return;
	if (strcmp(number, "nodePort") == 0) {
		field_duplicate(v, FIELD(at, "nodePort"), value_get(port, "nodePort"));
		return;
	}
	shown = value_object(v->arena);
	value_set_int(v->arena, shown, "port", value);
	value_set_text(v->arena, shown, "protocol", value_get_text(port, "protocol"));
	field_duplicate(v, at, shown);
}

static void validate_ports(struct validation *v, const struct field_path *at,
			   const struct value *spec)
{
	const struct value *ports = value_get(spec, "ports");
	const struct field_path *list = FIELD(at, "ports");
	struct cox_map seen = COX_MAP_INIT;

	if (is_unset(ports) && !is_headless(spec) && !text_is(spec, "type", "ExternalName"))
		field_required(v, list, "");
	for
		each_entry(ports, i)
		{
			const struct value *port = value_at(ports, i);
			const struct value *name = value_get(port, "name");
			const struct field_path *here = FIELD_INDEX(list, i);

			validate_port(v, here, spec, port, ports->count > 1);
			if (!is_unset(name)) {
				const char *key =
					arena_printf(v->arena, "name %s", value_text(name));

				if (cox_map_put(&seen, key, strlen(key), &seen))
					field_duplicate(v, FIELD(here, "name"), name);
			}
			check_twin_port(v, here, port, &seen, "port");
			check_twin_port(v, here, port, &seen, "nodePort");
		}
	cox_map_free(&seen);
}

static void validate_external_name(struct validation *v, const struct field_path *at,
				   const struct value *spec)
{
	static const char *const others[] = {"ipFamilies", "ipFamilyPolicy"};
	const struct value *name = value_get(spec, "externalName");
	char *host;

	if (!is_unset(value_get(spec, "clusterIP")) || !is_unset(value_get(spec, "clusterIPs")))
		field_forbidden(v, FIELD(at, "clusterIPs"),
				"may not be set for ExternalName services");
	for (size_t i = 0; i < 2; i++)
		if (!is_unset(value_get(spec, others[i])))
			field_forbidden(v, FIELD(at, others[i]),
					"may not be set for ExternalName services");
	if (is_unset(name)) {
		field_required(v, FIELD(at, "externalName"), "");
		return;
	}
	host = arena_strndup(v->arena, name->text, name->count);
	if (name->count > 1 && host[name->count - 1] == '.')
		host[name->count - 1] = '\0';
	validate_text(v, FIELD(at, "externalName"), value_string(v->arena, host),
		      names_dns_subdomain);
}

static void validate_cluster_ips(struct validation *v, const struct field_path *at,
				 const struct value *spec)
{
	const struct value *ips = value_get(spec, "clusterIPs"), *ip = value_get(spec, "clusterIP");
	const struct field_path *list = FIELD(at, "clusterIPs");
	const char *type = value_get_text(spec, "type");

	if (is_unset(ips) && !is_unset(ip)) {
		ips = value_array(v->arena);
		value_push(v->arena, (struct value *)ips, (struct value *)ip);
	} else if (!is_unset(ips) && !value_string_is(value_at(ips, 0), value_text(ip))) {
		field_invalid(v, list, ips, "first value must match `clusterIP`");
	}
	if (value_is(ips, VALUE_ARRAY) && ips->count > 2)
		field_invalid(v, list, ips, "may only hold up to 2 values");
	for
		each_entry(ips, i)
		{
			const struct value *one = value_at(ips, i);

			if (!value_string_is(one, "None"))
				validate_text(v, FIELD_INDEX(list, i), one, names_ip);
			else if (i > 0 || ips->count > 1)
				field_invalid(v, list, ips,
					      "'None' must be the first and only value");
			else if (strcmp(type, "NodePort") == 0 || strcmp(type, "LoadBalancer") == 0)
				field_invalid(v, FIELD_INDEX(list, 0), one,
					      "may not be set to 'None' for %s services", type);
		}
}

static void validate_affinity(struct validation *v, const struct field_path *at,
			      const struct value *spec)
{
	const struct value *seconds =
		value_path(spec, "sessionAffinityConfig.clientIP.timeoutSeconds");
	const struct field_path *config = FIELD(at, "sessionAffinityConfig");

	if (text_is(spec, "sessionAffinity", "None") && value_get(spec, "sessionAffinityConfig"))
		field_forbidden(v, config, "must not be set when session affinity is None");
	if (value_is(seconds, VALUE_INT) && (seconds->integer <= 0 || seconds->integer > 86400))
		field_invalid(v, FIELD(FIELD(config, "clientIP"), "timeoutSeconds"), seconds,
			      "must be greater than 0 and less than 86400");
}

static void validate_policies(struct validation *v, const struct field_path *at,
			      const struct value *spec)
{
	static const char *const policies[] = {"Cluster", "Local", NULL};
	static const char *const names[] = {"externalTrafficPolicy", "internalTrafficPolicy"};
	const struct value *external = value_get(spec, "externalTrafficPolicy");

	if (!is_unset(external) && !takes_outside_traffic(spec)) {
		field_invalid(v, FIELD(at, "externalTrafficPolicy"), external,
			      "may only be set for externally-accessible services");
		external = NULL;
	}
	for (size_t i = 0; i < 2; i++) {
		const struct value *policy = i == 0 ? external : value_get(spec, names[i]);

		if (!is_unset(policy) && !value_string_is(policy, "Cluster") &&
		    !value_string_is(policy, "Local"))
			field_not_supported(v, FIELD(at, names[i]), policy, policies);
	}
	if (value_get_int(spec, "healthCheckNodePort", 0) != 0 &&
	    !(text_is(spec, "type", "LoadBalancer") &&
	      text_is(spec, "externalTrafficPolicy", "Local")))
		field_invalid(v, FIELD(at, "healthCheckNodePort"),
			      value_get(spec, "healthCheckNodePort"),
			      "may only be set when `type` is 'LoadBalancer' and "
			      "`externalTrafficPolicy` is 'Local'");
}

static void validate_balancer(struct validation *v, const struct field_path *at,
			      const struct value *spec)
{
	static const char *const only[] = {"loadBalancerClass", "allocateLoadBalancerNodePorts",
					   "loadBalancerSourceRanges"};
	const struct value *ranges = value_get(spec, "loadBalancerSourceRanges");

	for (size_t i = 0; i < sizeof(only) / sizeof(*only); i++) {
		if (!is_unset(value_get(spec, only[i])) && !text_is(spec, "type", "LoadBalancer"))
			field_forbidden(v, FIELD(at, only[i]),
					"may only be used when `type` is 'LoadBalancer'");
	}
	for
		each_entry(ranges, i)
			validate_text(v, FIELD_INDEX(FIELD(at, "loadBalancerSourceRanges"), i),
				      value_at(ranges, i), names_cidr);
}

static void validate_families(struct validation *v, const struct field_path *at,
			      const struct value *spec)
{
	static const char *const known[] = {"IPv4", "IPv6", NULL};
	const struct value *families = value_get(spec, "ipFamilies");

	for
		each_entry(families, i)
		{
			const struct value *family = value_at(families, i);
			const struct field_path *here = FIELD_INDEX(FIELD(at, "ipFamilies"), i);

			if (!value_string_is(family, "IPv4") && !value_string_is(family, "IPv6"))
				field_not_supported(v, here, family, known);
			else if (i > 0 && value_equal(family, value_at(families, 0)))
				field_duplicate(v, here, family);
		}
}

static void validate_service(struct validation *v, const struct value *service)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(service, "spec");
	const struct value *outside = value_get(spec, "externalIPs");

	validate_ports(v, at, spec);
	if (text_is(spec, "type", "ExternalName"))
		validate_external_name(v, at, spec);
	else
		validate_cluster_ips(v, at, spec);
	for
		each_entry(outside, i) validate_reachable_ip(
			v, FIELD_INDEX(FIELD(at, "externalIPs"), i), value_at(outside, i));
	validate_affinity(v, at, spec);
	validate_policies(v, at, spec);
	validate_balancer(v, at, spec);
	validate_families(v, at, spec);
}

static void validate_service_update(struct validation *v, const struct value *service,
				    const struct value *old, const char *subresource)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(service, "spec"), *before = value_get(old, "spec");
	const struct value *ip = value_get(spec, "clusterIP");

	(void)subresource;
	if (text_is(spec, "type", "ExternalName") || text_is(before, "type", "ExternalName"))
		return;
	if (!is_unset(value_get(before, "clusterIP")) &&
	    !values_same(ip, value_get(before, "clusterIP"))) {
		struct value *shown = value_array(v->arena);

		if (ip)
			value_push(v->arena, shown, (struct value *)ip);
		field_invalid(v, FIELD_INDEX(FIELD(at, "clusterIPs"), 0), shown,
			      "may not change once set");
	}
	if (text_is(spec, "type", "LoadBalancer") && text_is(before, "type", "LoadBalancer"))
		validate_same(v, FIELD(at, "loadBalancerClass"),
			      value_get(spec, "loadBalancerClass"),
			      value_get(before, "loadBalancerClass"));
}

const struct kind_rules rules_services = {"", "services", validate_service,
					  validate_service_update};
