/* SPDX-License-Identifier: Apache-2.0 */
/* Cluster addresses and the ranges they come from. */
#include "machinery/kinds.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* A name must be the address as it is always written, or one could take it twice. */
static void validate_ip_address(struct validation *v, const struct value *object)
{
	const struct value *name = value_path(object, "metadata.name");
	char canonical[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (inet_pton(AF_INET6, value_text(name), &address) == 1 &&
	    inet_ntop(AF_INET6, &address, canonical, sizeof(canonical)) &&
	    !value_string_is(name, canonical))
		field_invalid(v, FIELD(FIELD(NULL, "metadata"), "name"), name,
			      "must be a valid IP address in canonical form (%s)", canonical);
}

const struct kind_rules rules_ipaddresses = {"networking.k8s.io", "ipaddresses",
					     validate_ip_address, NULL};

static bool is_six(const struct value *range)
{
	return strchr(value_text(range), ':') != NULL;
}

/* Clears the bits behind a prefix. */
static void mask(unsigned char *bytes, size_t size, unsigned prefix)
{
	for (size_t i = 0; i < size; i++) {
		unsigned kept = prefix >= 8 * (i + 1) ? 8
				: prefix > 8 * i      ? prefix - 8 * (unsigned)i
						      : 0;

		bytes[i] &= (unsigned char)(0xff00u >> kept);
	}
}

/* A network is written in one way: no bits behind the prefix, no odd zeros. */
static void validate_range(struct validation *v, const struct field_path *at,
			   const struct value *range)
{
	struct names_problems problems = {.count = 0};
	char text[INET6_ADDRSTRLEN + 4], canonical[INET6_ADDRSTRLEN];
	int family = is_six(range) ? AF_INET6 : AF_INET;
	unsigned char bytes[16];
	const char *slash = strchr(value_text(range), '/');
	const char *whole;

	validate_text(v, at, range, names_cidr);
	names_cidr(value_text(range), range->count, &problems);
	if (problems.count || !slash || range->count >= sizeof(text))
		return;
	memcpy(text, range->text, range->count + 1);
	text[slash - value_text(range)] = '\0';
	if (inet_pton(family, text, bytes) != 1)
		return;
	mask(bytes, family == AF_INET6 ? 16 : 4, (unsigned)strtoul(slash + 1, NULL, 10));
	whole = arena_printf(v->arena, "%s%s",
			     inet_ntop(family, bytes, canonical, sizeof(canonical)), slash);
	if (!value_string_is(range, whole))
		field_invalid(v, at, range, "must be in canonical form (\"%s\")", whole);
}

static void validate_ranges(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(FIELD(NULL, "spec"), "cidrs");
	const struct value *ranges = value_path(object, "spec.cidrs");

	if (is_unset(ranges)) {
		field_required(v, at, "at least one CIDR required");
		return;
	}
	if (ranges->count > 2) {
		field_invalid(v, at, ranges, "may only hold up to 2 values");
		return;
	}
	if (ranges->count == 2 && is_six(value_at(ranges, 0)) == is_six(value_at(ranges, 1)))
		field_invalid(v, at, ranges,
			      "may specify no more than one IP for each IP family, i.e [IPv4, "
			      "IPv6] or [IPv6, IPv4]");
	for
		each_entry(ranges, i) validate_range(v, FIELD_INDEX(at, i), value_at(ranges, i));
}

static void validate_ranges_update(struct validation *v, const struct value *object,
				   const struct value *old, const char *subresource)
{
	const struct field_path *at = FIELD(FIELD(NULL, "spec"), "cidrs");
	const struct value *now = value_path(object, "spec.cidrs");
	const struct value *before = value_path(old, "spec.cidrs");

	(void)subresource;
	/* A second family can come; what is there stays. */
	for
		each_entry(before, i)
		{
			if (!values_same(value_at(now, i), value_at(before, i))) {
				field_invalid(v, FIELD_INDEX(at, i), value_at(now, i),
					      "field is immutable");
				return;
			}
		}
}

const struct kind_rules rules_servicecidrs = {"networking.k8s.io", "servicecidrs", validate_ranges,
					      validate_ranges_update};
