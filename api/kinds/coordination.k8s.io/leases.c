/* SPDX-License-Identifier: Apache-2.0 */
/* Leases. */
#include "machinery/kinds.h"

static void validate_lease(struct validation *v, const struct value *lease)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(lease, "spec");
	const struct value *holder = value_get(spec, "holderIdentity");
	const struct value *preferred = value_get(spec, "preferredHolder");

	if (value_is(holder, VALUE_STRING) && holder->count == 0)
		field_invalid(v, FIELD(at, "holderIdentity"), holder, "must not be empty");
	if (!is_unset(preferred) && is_unset(value_get(spec, "strategy")))
		field_forbidden(v, FIELD(at, "preferredHolder"),
				"may only be specified when `strategy` is defined");
}

const struct kind_rules rules_leases = {"coordination.k8s.io", "leases", validate_lease, NULL};
