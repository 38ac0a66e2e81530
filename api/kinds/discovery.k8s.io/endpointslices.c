/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoint slices: addresses of one family, ports with names of their own. */
#include "machinery/kinds.h"

#include <coxswain/kit/map.h>

enum { ENDPOINTS_MAX = 1000, ADDRESSES_MAX = 100, PORTS_MAX = 20000, HINTS_MAX = 8 };

static void validate_address(struct validation *v, const struct field_path *at,
			     const struct value *address, const char *family)
{
	const char *text = value_text(address);

	if (strcmp(family, "FQDN") == 0) {
		validate_text(v, at, address, names_dns_subdomain);
	} else if (strcmp(family, "IPv4") == 0 && !names_is_ipv4(text, strlen(text))) {
		field_invalid(v, at, address, "must be an IPv4 address");
	} else if (strcmp(family, "IPv6") == 0 && !names_is_ipv6(text, strlen(text))) {
		field_invalid(v, at, address, "must be an IPv6 address");
	} else if (strcmp(family, "IPv4") == 0 || strcmp(family, "IPv6") == 0) {
		validate_reachable_ip(v, at, address);
	}
}

static void validate_endpoint(struct validation *v, const struct field_path *at,
			      const struct value *endpoint, const char *family)
{
	const struct value *addresses = value_get(endpoint, "addresses");
	const struct value *zones = value_path(endpoint, "hints.forZones");
	const struct field_path *list = FIELD(at, "addresses");

	if (is_unset(addresses))
		field_required(v, list, "must contain at least 1 address");
	else if (addresses->count > ADDRESSES_MAX)
		field_too_many(v, list, addresses->count, ADDRESSES_MAX);
	for
		each_entry(addresses, i)
			validate_address(v, FIELD_INDEX(list, i), value_at(addresses, i), family);
	if (value_is(zones, VALUE_ARRAY) && zones->count > HINTS_MAX)
		field_too_many(v, FIELD(FIELD(at, "hints"), "forZones"), zones->count, HINTS_MAX);
}

static void validate_ports(struct validation *v, const struct value *ports)
{
	const struct field_path *at = FIELD(NULL, "ports");
	struct cox_map names = COX_MAP_INIT;

	if (value_is(ports, VALUE_ARRAY) && ports->count > PORTS_MAX)
		field_too_many(v, at, ports->count, PORTS_MAX);
	for
		each_entry(ports, i)
		{
			const struct value *name = value_get(value_at(ports, i), "name");
			const struct field_path *here = FIELD(FIELD_INDEX(at, i), "name");
			const char *text = value_text(name);

			if (text[0] != '\0')
				validate_text(v, here, name, names_dns_label);
			if (cox_map_put(&names, text, strlen(text), &names))
				field_duplicate(v, here, value_string(v->arena, text));
		}
	cox_map_free(&names);
}

static void validate_slice(struct validation *v, const struct value *slice)
{
	const struct value *endpoints = value_get(slice, "endpoints");
	const struct field_path *at = FIELD(NULL, "endpoints");
	const char *family = value_get_text(slice, "addressType");

	if (value_is(endpoints, VALUE_ARRAY) && endpoints->count > ENDPOINTS_MAX) {
		field_too_many(v, at, endpoints->count, ENDPOINTS_MAX);
		return;
	}
	for
		each_entry(endpoints, i)
			validate_endpoint(v, FIELD_INDEX(at, i), value_at(endpoints, i), family);
	validate_ports(v, value_get(slice, "ports"));
}

const struct kind_rules rules_endpointslices = {"discovery.k8s.io", "endpointslices",
						validate_slice, NULL};
