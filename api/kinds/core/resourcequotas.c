/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource quotas: amounts that are not negative, whole where things are counted;
 * scopes only for what they can tell apart.
 */
#include "machinery/kinds.h"

#include <string.h>

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

static bool is_among(const struct value *text, const char *const *known)
{
	for (; *known; known++) {
		if (value_string_is(text, *known))
			return true;
	}
	return false;
}

static bool key_is_among(const char *key, const char *const *known)
{
	for (; *known; known++) {
		if (!strcmp(key, *known))
			return true;
	}
	return false;
}

/* Whether objects that the scope tells apart use of this. */
static bool applies(const struct value *scope, const char *resource)
{
	static const char *const standard[] = {"configmaps",
					       "cpu",
					       "ephemeral-storage",
					       "limits.cpu",
					       "limits.ephemeral-storage",
					       "limits.memory",
					       "memory",
					       "persistentvolumeclaims",
					       "pods",
					       "replicationcontrollers",
					       "requests.cpu",
					       "requests.ephemeral-storage",
					       "requests.memory",
					       "requests.storage",
					       "resourcequotas",
					       "secrets",
					       "services",
					       "services.loadbalancers",
					       "services.nodeports",
					       NULL};
	static const char *const best_effort[] = {"pods", NULL};
	static const char *const claims[] = {"persistentvolumeclaims", "requests.storage", NULL};
	static const char *const pods[] = {"cpu",  "limits.cpu",   "limits.memory",   "memory",
					   "pods", "requests.cpu", "requests.memory", NULL};

	if (!key_is_among(resource, standard))
		return true;
	if (value_string_is(scope, "BestEffort"))
		return key_is_among(resource, best_effort);
	if (value_string_is(scope, "VolumeAttributesClass"))
		return key_is_among(resource, claims);
	return key_is_among(resource, pods);
}

/* One scope; `whole` is what an error shows. */
static void validate_scope(struct validation *v, const struct field_path *at,
			   const struct value *whole, const struct value *scope,
			   const struct value *hard)
{
	static const char *const known[] = {"BestEffort",
					    "CrossNamespacePodAffinity",
					    "NotBestEffort",
					    "NotTerminating",
					    "PriorityClass",
					    "Terminating",
					    "VolumeAttributesClass",
					    NULL};

	if (!is_among(scope, known)) {
		field_invalid(v, at, whole, "unsupported scope");
		return;
	}
	for
		each_member(hard, i)
		{
			if (!applies(scope, hard->object.members[i].key))
				field_invalid(v, at, whole,
					      "unsupported scope applied to resource");
		}
}

static void validate_scopes(struct validation *v, const struct field_path *at,
			    const struct value *scopes, const struct value *hard)
{
	static const char *const pairs[][2] = {{"BestEffort", "NotBestEffort"},
					       {"Terminating", "NotTerminating"}};

	for
		each_entry(scopes, i)
		{
			validate_scope(v, at, scopes, value_at(scopes, i), hard);
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

static void validate_operator(struct validation *v, const struct field_path *at,
			      const struct value *expression)
{
	static const char *const valued[] = {"In", "NotIn", NULL};
	static const char *const bare[] = {"DoesNotExist", "Exists", NULL};
	static const char *const plain[] = {"BestEffort",    "CrossNamespacePodAffinity",
					    "NotBestEffort", "NotTerminating",
					    "Terminating",   NULL};
	const struct value *operator= value_get(expression, "operator");
	const struct value *values = value_get(expression, "values");
	size_t count = values ? values->count : 0;

	if (is_among(value_get(expression, "scopeName"), plain) &&
	    !value_string_is(operator, "Exists"))
		field_invalid(v, FIELD(at, "operator"), operator,
			      "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, "
			      "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
			      "ResourceQuotaScopeNotBestEffort or "
			      "ResourceQuotaScopeCrossNamespacePodAffinity");
	if (is_among(operator, valued)) {
		if (!count)
			field_required(v, FIELD(at, "values"),
				       "must be at least one value when `operator` is 'In' or "
				       "'NotIn' for scope selector");
	} else if (is_among(operator, bare)) {
		if (count)
			field_invalid(v, FIELD(at, "values"), values,
				      "must be no value when `operator` is 'Exist' or "
				      "'DoesNotExist' for scope selector");
	} else {
		field_invalid(v, FIELD(at, "operator"), operator, "not a valid selector operator");
	}
}

static void validate_selector(struct validation *v, const struct field_path *at,
			      const struct value *selector, const struct value *hard)
{
	const struct value *list = value_get(selector, "matchExpressions");
	const struct field_path *expressions = FIELD(at, "matchExpressions");

	for
		each_entry(list, i)
		{
			const struct value *expression = value_at(list, i);
			const struct value *scope = value_get(expression, "scopeName");
			const struct field_path *here = FIELD_INDEX(expressions, i);

			validate_scope(v, FIELD(here, "scopeName"), scope, scope, hard);
			validate_operator(v, here, expression);
		}
}

static void validate_quota(struct validation *v, const struct value *quota)
{
	const struct field_path *spec = FIELD(NULL, "spec"), *status = FIELD(NULL, "status");

	const struct value *hard = value_path(quota, "spec.hard");

	validate_amounts(v, FIELD(spec, "hard"), hard);
	validate_amounts(v, FIELD(status, "hard"), value_path(quota, "status.hard"));
	validate_amounts(v, FIELD(status, "used"), value_path(quota, "status.used"));
	validate_scopes(v, FIELD(spec, "scopes"), value_path(quota, "spec.scopes"), hard);
	validate_selector(v, FIELD(spec, "scopeSelector"), value_path(quota, "spec.scopeSelector"),
			  hard);
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
