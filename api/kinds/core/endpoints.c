/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints: addresses that can be reached from elsewhere. */
#include "machinery/kinds.h"

static void validate_list(struct validation *v, const struct field_path *at,
			  const struct value *list)
{
	for
		each_entry(list, i) validate_reachable_ip(v, FIELD(FIELD_INDEX(at, i), "ip"),
							  value_get(value_at(list, i), "ip"));
}

static void validate_ports(struct validation *v, const struct field_path *at,
			   const struct value *ports)
{
	static const char *const protocols[] = {"TCP", "UDP", "SCTP", NULL};

	for
		each_entry(ports, i)
		{
			const struct value *port = value_at(ports, i);
			const struct value *protocol = value_get(port, "protocol");
			const struct field_path *here = FIELD_INDEX(at, i);

			if (ports->count > 1 && is_unset(value_get(port, "name")))
				field_required(v, FIELD(here, "name"), "");
			if (is_unset(protocol))
				field_required(v, FIELD(here, "protocol"), "");
			else if (!value_string_is(protocol, "TCP") &&
				 !value_string_is(protocol, "UDP") &&
				 !value_string_is(protocol, "SCTP"))
				field_not_supported(v, FIELD(here, "protocol"), protocol,
						    protocols);
		}
}

static void validate_endpoints(struct validation *v, const struct value *endpoints)
{
	const struct value *subsets = value_get(endpoints, "subsets");

	for
		each_entry(subsets, i)
		{
			const struct value *subset = value_at(subsets, i);
			const struct field_path *at = FIELD_INDEX(FIELD(NULL, "subsets"), i);
			const struct value *ready = value_get(subset, "addresses");
			const struct value *unready = value_get(subset, "notReadyAddresses");

			if (is_unset(ready) && is_unset(unready))
				field_required(v, at,
					       "must specify `addresses` or `notReadyAddresses`");
			validate_list(v, FIELD(at, "addresses"), ready);
			validate_list(v, FIELD(at, "notReadyAddresses"), unready);
			validate_ports(v, FIELD(at, "ports"), value_get(subset, "ports"));
		}
}

const struct kind_rules rules_endpoints = {"", "endpoints", validate_endpoints, NULL};
