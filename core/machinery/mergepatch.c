/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Merge Patch; see the header. Depth is that of the patch, which is bounded. */
#include "machinery/mergepatch.h"

struct value *mergepatch_apply(struct arena *arena, struct value *target, const struct value *patch)
{
	if (patch->kind != VALUE_OBJECT)
		return value_copy(arena, patch);
	if (!value_is(target, VALUE_OBJECT))
		target = value_object(arena);
	/* what is null goes in one sweep: object and patch may be large */
	for (uint32_t i = 0; i < patch->count; i++) {
		const struct value_member *member = &patch->object.members[i];
		struct value_member *old = value_find_n(target, member->key, member->key_size);

		if (old && member->value->kind == VALUE_NULL)
			old->value = NULL;
	}
	value_drop_unset(target);
	for (uint32_t i = 0; i < patch->count; i++) {
		const struct value_member *member = &patch->object.members[i];
		struct value *old = value_get_n(target, member->key, member->key_size);

		if (member->value->kind != VALUE_NULL)
			value_set_n(arena, target, member->key, member->key_size,
				    mergepatch_apply(arena, old, member->value));
	}
	return target;
}
