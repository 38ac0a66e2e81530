/* SPDX-License-Identifier: Apache-2.0 */
/* Priority classes: the highest numbers are the system's, and none changes. */
#include "machinery/kinds.h"

#include <inttypes.h>

enum { VALUE_MAX = 1000000000 };

static const struct {
	const char *name;
	int64_t value;
} known[] = {
	{"system-node-critical", INT64_C(2000001000)},
	{"system-cluster-critical", INT64_C(2000000000)},
};

/* NULL: it is one of the system's, as it must be. */
static const char *why_not_system(struct validation *v, const struct value *object,
				  const char *name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(known[i].name, name) != 0)
			continue;
		if (value_get_int(object, "value", 0) != known[i].value)
			return arena_printf(v->arena, "value of %s PriorityClass must be %" PRId64,
					    name, known[i].value);
		if (value_get_bool(object, "globalDefault"))
			return arena_printf(
				v->arena, "globalDefault of %s PriorityClass must be false", name);
		return NULL;
	}
	return arena_printf(v->arena, "%s is not a known system priority class", name);
}

static void validate_class(struct validation *v, const struct value *object)
{
	static const char *const policies[] = {"Never", "PreemptLowerPriority", NULL};
	const char *name = value_text(value_path(object, "metadata.name")), *why;
	const struct value *policy = value_get(object, "preemptionPolicy");

	if (cox_starts_with(name, "system-")) {
		why = why_not_system(v, object, name);
		if (why)
			field_forbidden(v, FIELD(FIELD(NULL, "metadata"), "name"),
					"priority class names with 'system-' prefix are reserved "
					"for system use only. error: %s",
					why);
	} else if (value_get_int(object, "value", 0) > VALUE_MAX) {
		field_forbidden(v, FIELD(NULL, "value"),
				"maximum allowed value of a user defined priority is %d",
				VALUE_MAX);
	}
	if (policy && !value_string_is(policy, policies[0]) &&
	    !value_string_is(policy, policies[1]))
		field_not_supported(v, FIELD(NULL, "preemptionPolicy"), policy, policies);
}

static void validate_class_update(struct validation *v, const struct value *object,
				  const struct value *old, const char *subresource)
{
	(void)subresource;
	if (value_get_int(object, "value", 0) != value_get_int(old, "value", 0))
		field_forbidden(v, FIELD(NULL, "value"), "may not be changed in an update.");
}

const struct kind_rules rules_priorityclasses = {"scheduling.k8s.io", "priorityclasses",
						 validate_class, validate_class_update};
