/* SPDX-License-Identifier: Apache-2.0 */
/* Replication controllers: the selector must choose what the template makes. */
#include "machinery/kinds.h"

static bool selects(const struct value *selector, const struct value *labels)
{
	for
		each_member(selector, i)
		{
			const struct value_member *member = &selector->object.members[i];

			if (!values_same(value_get_n(labels, member->key, member->key_size),
					 member->value))
				return false;
		}
	return true;
}

static void validate_template(struct validation *v, const struct field_path *at,
			      const struct value *template, const struct value *selector)
{
	static const char *const policies[] = {"Always", NULL};
	const struct value *labels = value_path(template, "metadata.labels");
	const struct value *spec = value_get(template, "spec");
	const struct value *policy = value_get(spec, "restartPolicy");
	const struct value nothing = {.kind = VALUE_OBJECT};

	if (!is_unset(selector) && !selects(selector, labels))
		field_invalid(v, FIELD(FIELD(at, "metadata"), "labels"), labels ? labels : &nothing,
			      "`selector` does not match template `labels`");
	validate_pod_template(v, at, template);
	if (!is_unset(policy) && !value_string_is(policy, "Always"))
		field_not_supported(v, FIELD(FIELD(at, "spec"), "restartPolicy"), policy, policies);
	if (value_get(spec, "activeDeadlineSeconds"))
		field_forbidden(v, FIELD(FIELD(at, "spec"), "activeDeadlineSeconds"),
				"activeDeadlineSeconds in ReplicationController is not Supported");
}

static void validate_controller(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *template = value_get(spec, "template");

	if (is_unset(value_get(spec, "selector")))
		field_required(v, FIELD(at, "selector"), "");
	if (template)
		validate_template(v, FIELD(at, "template"), template, value_get(spec, "selector"));
	else
		field_required(v, FIELD(at, "template"), "");
}

const struct kind_rules rules_replicationcontrollers = {"", "replicationcontrollers",
							validate_controller, NULL};
