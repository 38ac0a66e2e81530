/* SPDX-License-Identifier: Apache-2.0 */
/* Runtime classes: a handler that stays, what it costs, where it is. */
#include "machinery/kinds.h"

static void validate_class(struct validation *v, const struct value *object)
{
	static const struct value nothing = {.kind = VALUE_STRING, .text = ""};
	const struct value *handler = value_get(object, "handler");
	const struct value *overhead = value_path(object, "overhead.podFixed");
	const struct value *labels = value_path(object, "scheduling.nodeSelector");
	const struct value *tolerations = value_path(object, "scheduling.tolerations");
	const struct field_path *at = FIELD(NULL, "scheduling");

	validate_text(v, FIELD(NULL, "handler"), handler ? handler : &nothing, names_dns_label);
	for
		each_member(overhead, i)
		{
			const struct value_member *member = &overhead->object.members[i];
			const struct field_path *here =
				FIELD_KEY(FIELD(FIELD(NULL, "overhead"), "podFixed"), member->key);

			validate_resource_name(v, here, member->key);
			validate_not_negative(v, here, member->value);
		}
	validate_labels(v, FIELD(at, "nodeSelector"), labels);
	validate_tolerations(v, FIELD(at, "tolerations"), tolerations);
	for
		each_entry(tolerations, i) for (size_t k = 0; k < i; k++)
		{
			if (value_equal(value_at(tolerations, i), value_at(tolerations, k))) {
				field_duplicate(v, FIELD_INDEX(FIELD(at, "tolerations"), i),
						value_at(tolerations, i));
				break;
			}
		}
}

const struct kind_rules rules_runtimeclasses = {"node.k8s.io", "runtimeclasses", validate_class,
						NULL};
