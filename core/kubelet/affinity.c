/* SPDX-License-Identifier: Apache-2.0 */
/* nodeSelector and required nodeAffinity. */
#include "kubelet/affinity.h"

#include <coxswain/kit/text.h>
#include <string.h>

static bool is_among(const struct value *values, const char *text)
{
	const struct value *value;

	for (size_t i = 0; (value = value_at(values, i)); i++)
		if (!strcmp(value_text(value), text))
			return true;
	return false;
}

/* Gt and Lt compare whole numbers. */
static bool compares(const struct value *values, const char *text, bool greater)
{
	int64_t have, wanted;

	if (cox_parse_int(text, INT64_MIN, INT64_MAX, &have) ||
	    cox_parse_int(value_text(value_at(values, 0)), INT64_MIN, INT64_MAX, &wanted))
		return false;
	return greater ? have > wanted : have < wanted;
}

static bool holds(const struct value *requirement, const struct value *have)
{
	const char *operator= value_get_text(requirement, "operator");
	const struct value *values = value_get(requirement, "values");

	if (!strcmp(operator, "Exists"))
		return have != NULL;
	if (!strcmp(operator, "DoesNotExist"))
		return !have;
	if (!strcmp(operator, "NotIn"))
		return !have || !is_among(values, value_text(have));
	if (!have)
		return false;
	if (!strcmp(operator, "In"))
		return is_among(values, value_text(have));
	if (!strcmp(operator, "Gt") || !strcmp(operator, "Lt"))
		return compares(values, value_text(have), *operator== 'G');
	return false;
}

static bool term_matches(const struct value *term, const struct value *node)
{
	const struct value *labels = value_path(node, "metadata.labels");
	const struct value *expressions = value_get(term, "matchExpressions");
	const struct value *fields = value_get(term, "matchFields"), *one;
	size_t count = 0;

	for (size_t i = 0; (one = value_at(expressions, i)); i++, count++)
		if (!holds(one, value_get(labels, value_get_text(one, "key"))))
			return false;
	for (size_t i = 0; (one = value_at(fields, i)); i++, count++)
		if (strcmp(value_get_text(one, "key"), "metadata.name") != 0 ||
		    !holds(one, value_path(node, "metadata.name")))
			return false;
	return count > 0; /* an empty term matches nothing */
}

bool affinity_matches(const struct value *pod, const struct value *node)
{
	const struct value *selector = value_path(pod, "spec.nodeSelector");
	const struct value *labels = value_path(node, "metadata.labels"), *terms, *term;
	const struct value *affinity = value_path(pod, "spec.affinity.nodeAffinity");
	const struct value *required =
		value_get(affinity, "requiredDuringSchedulingIgnoredDuringExecution");

	for (uint32_t i = 0; value_is(selector, VALUE_OBJECT) && i < selector->count; i++) {
		const struct value_member *wanted = &selector->object.members[i];
		const struct value *have = value_get(labels, wanted->key);

		if (!have || strcmp(value_text(have), value_text(wanted->value)) != 0)
			return false;
	}
	if (!required)
		return true;
	terms = value_get(required, "nodeSelectorTerms");
	for (size_t i = 0; (term = value_at(terms, i)); i++)
		if (term_matches(term, node))
			return true;
	return false;
}
