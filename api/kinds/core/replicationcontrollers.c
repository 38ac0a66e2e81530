/* SPDX-License-Identifier: Apache-2.0 */
/* Replication controllers: the selector must choose what the template makes. */
#include "machinery/kinds.h"

static void validate_controller(struct validation *v, const struct value *object)
{
	static const char *const parts[] = {"fullyLabeledReplicas", "readyReplicas",
					    "availableReplicas", NULL};
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *template = value_get(spec, "template");

	if (is_unset(value_get(spec, "selector")))
		field_required(v, FIELD(at, "selector"), "");
	if (template)
		validate_lasting_template(v, FIELD(at, "template"), template,
					  value_get(spec, "selector"), false,
					  "ReplicationController");
	else
		field_required(v, FIELD(at, "template"), "");
	validate_status_counts(v, object, parts, "replicas", "status.replicas");
	validate_status_counts(v, object, parts + 2, "readyReplicas", "readyReplicas");
}

const struct kind_rules rules_replicationcontrollers = {"", "replicationcontrollers",
							validate_controller, NULL};
