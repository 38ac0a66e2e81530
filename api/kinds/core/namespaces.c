/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces: who else has to agree to their end. */
#include "machinery/kinds.h"

static void validate_namespace(struct validation *v, const struct value *namespace)
{
	const struct value *finalizers = value_path(namespace, "spec.finalizers");
	const struct field_path *at = FIELD(FIELD(NULL, "spec"), "finalizers");

	for
		each_entry(finalizers, i)
		{
			const struct value *one = value_at(finalizers, i);

			if (!value_string_is(one, "kubernetes") && !strchr(value_text(one), '/'))
				field_invalid(v, FIELD_INDEX(at, i), one,
					      "name is neither a standard finalizer name nor is it "
					      "fully qualified");
		}
}

const struct kind_rules rules_namespaces = {"", "namespaces", validate_namespace, NULL};
