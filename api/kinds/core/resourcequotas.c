/* SPDX-License-Identifier: Apache-2.0 */
/* Resource quotas: amounts that are not negative, whole where things are counted. */
#include "machinery/kinds.h"

static void validate_amounts(struct validation *v, const struct field_path *at,
			     const struct value *amounts)
{
	for
		each_member(amounts, i)
		{
			const struct value_member *member = &amounts->object.members[i];
			const struct field_path *here = FIELD_KEY(at, member->key);
			struct cox_quantity amount = quantity_of(member->value);

			validate_resource_name(v, here, member->key);
			validate_not_negative(v, here, member->value);
			if (is_counted_resource(member->key) && !cox_quantity_is_whole(&amount))
				field_invalid(v, here, member->value, "must be an integer");
		}
}

static bool is_scope(const struct value *scope, const char *const *known)
{
	for (; *known; known++) {
		if (value_string_is(scope, *known))
			return true;
	}
	return false;
}

static void validate_scopes(struct validation *v, const struct field_path *at,
			    const struct value *scopes)
{
	static const char *const known[] = {"BestEffort",
					    "CrossNamespacePodAffinity",
					    "NotBestEffort",
					    "NotTerminating",
					    "PriorityClass",
					    "Terminating",
					    "VolumeAttributesClass",
					    NULL};
	static const char *const pairs[][2] = {{"BestEffort", "NotBestEffort"},
					       {"Terminating", "NotTerminating"}};

	for
		each_entry(scopes, i)
		{
			if (!is_scope(value_at(scopes, i), known))
				field_invalid(v, at, scopes, "unsupported scope");
		}
	for (size_t p = 0; p < 2; p++) {
		bool first = false, second = false;

		for
			each_entry(scopes, i)
			{
				first = first || value_string_is(value_at(scopes, i), pairs[p][0]);
				second =
					second || value_string_is(value_at(scopes, i), pairs[p][1]);
			}
		if (first && second)
			field_invalid(v, at, scopes, "conflicting scopes");
	}
}

static void validate_quota(struct validation *v, const struct value *quota)
{
	const struct field_path *spec = FIELD(NULL, "spec"), *status = FIELD(NULL, "status");

	validate_amounts(v, FIELD(spec, "hard"), value_path(quota, "spec.hard"));
	validate_amounts(v, FIELD(status, "hard"), value_path(quota, "status.hard"));
	validate_amounts(v, FIELD(status, "used"), value_path(quota, "status.used"));
	validate_scopes(v, FIELD(spec, "scopes"), value_path(quota, "spec.scopes"));
}

static void validate_quota_update(struct validation *v, const struct value *quota,
				  const struct value *old, const char *subresource)
{
	(void)subresource;
	validate_same(v, FIELD(FIELD(NULL, "spec"), "scopes"), value_path(quota, "spec.scopes"),
		      value_path(old, "spec.scopes"));
}

const struct kind_rules rules_resourcequotas = {"", "resourcequotas", validate_quota,
						validate_quota_update};
