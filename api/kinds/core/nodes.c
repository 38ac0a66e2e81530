/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: taints, amounts, and what is given to a node for good. */
#include "machinery/kinds.h"

#include <coxswain/kit/map.h>

static void validate_taints(struct validation *v, const struct field_path *at,
			    const struct value *taints)
{
	static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute", NULL};
	struct cox_map seen = COX_MAP_INIT;

	for
		each_entry(taints, i)
		{
			const struct value *taint = value_at(taints, i);
			const struct value *effect = value_get(taint, "effect");
			const struct field_path *here = FIELD_INDEX(at, i);
			const char *key =
				arena_printf(v->arena, "%s %s", value_get_text(taint, "key"),
					     value_text(effect));

			if (is_unset(value_get(taint, "key")))
				field_invalid_text(v, FIELD(here, "key"), "",
						   "name part must be non-empty");
			validate_text(v, FIELD(here, "value"), value_get(taint, "value"),
				      names_label_value);
			if (is_unset(effect))
				field_required(v, FIELD(here, "effect"), "");
			else if (!value_string_is(effect, effects[0]) &&
				 !value_string_is(effect, effects[1]) &&
				 !value_string_is(effect, effects[2]))
				field_not_supported(v, FIELD(here, "effect"), effect, effects);
			if (cox_map_put(&seen, key, strlen(key), &seen))
				field_duplicate(v, here, taint);
		}
	cox_map_free(&seen);
}

static void validate_amounts(struct validation *v, const struct field_path *at,
			     const struct value *amounts)
{
	for
		each_member(amounts, i)
		{
			const struct value_member *member = &amounts->object.members[i];

			validate_not_negative(v, FIELD_KEY(at, member->key), member->value);
		}
}

static bool same_family(const struct value *ranges)
{
	return !strchr(value_text(value_at(ranges, 0)), ':') ==
	       !strchr(value_text(value_at(ranges, 1)), ':');
}

static void validate_node(struct validation *v, const struct value *node)
{
	const struct field_path *spec = FIELD(NULL, "spec"), *status = FIELD(NULL, "status");
	const struct value *ranges = value_path(node, "spec.podCIDRs");

	validate_taints(v, FIELD(spec, "taints"), value_path(node, "spec.taints"));
	validate_amounts(v, FIELD(status, "capacity"), value_path(node, "status.capacity"));
	validate_amounts(v, FIELD(status, "allocatable"), value_path(node, "status.allocatable"));
	if (value_is(ranges, VALUE_ARRAY) &&
	    (ranges->count > 2 || (ranges->count == 2 && same_family(ranges))))
		field_invalid(v, FIELD(spec, "podCIDRs"), ranges,
			      "may specify no more than one CIDR for each IP family");
}

static void validate_node_update(struct validation *v, const struct value *node,
				 const struct value *old, const char *subresource)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(node, "spec"), *before = value_get(old, "spec");

	(void)subresource;
	if (!is_unset(value_get(before, "podCIDRs")) &&
	    !values_same(value_get(spec, "podCIDRs"), value_get(before, "podCIDRs")))
		field_forbidden(v, FIELD(at, "podCIDRs"),
				"node updates may not change podCIDR except from \"\" to valid");
	if (!is_unset(value_get(before, "providerID")) &&
	    !values_same(value_get(spec, "providerID"), value_get(before, "providerID")))
		field_forbidden(v, FIELD(at, "providerID"),
				"node updates may not change providerID except from \"\" to valid");
}

const struct kind_rules rules_nodes = {"", "nodes", validate_node, validate_node_update};
