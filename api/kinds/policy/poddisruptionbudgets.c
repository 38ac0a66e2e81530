/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets of disruption: one bound, as a number or a share. */
#include "machinery/kinds.h"

static void validate_budget(struct validation *v, const struct value *object)
{
	static const char *const bounds[] = {"minAvailable", "maxUnavailable"};
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");

	if (value_get(spec, bounds[0]) && value_get(spec, bounds[1]))
		field_invalid(v, at, spec, "minAvailable and maxUnavailable cannot be both set");
	for (size_t i = 0; i < 2; i++)
		validate_share(v, FIELD(at, bounds[i]), value_get(spec, bounds[i]), true);
	validate_label_selector(v, FIELD(at, "selector"), value_get(spec, "selector"));
}

const struct kind_rules rules_poddisruptionbudgets = {"policy", "poddisruptionbudgets",
						      validate_budget, NULL};
