/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of strategic merge patch share. */
#ifndef COX_MACHINERY_STRATEGIC_MERGE_H
#define COX_MACHINERY_STRATEGIC_MERGE_H

#include "machinery/path.h"
#include "machinery/strategic.h"

struct merge {
	struct arena *arena;
	const struct schema *schema;
	struct cox_error *err;
};

/* All that a patch says of one list; what it does not say is NULL. */
struct list_patch {
	const struct schema_field *field;
	const struct value *original;
	const struct value *entries;
	const struct value *order;     /* $setElementOrder */
	const struct value *deletions; /* $deleteFromPrimitiveList */
};

/* BadRequest: "invalid strategic merge patch: spec.x: why"; returns -1. */
int strategic_refuse(struct merge *merge, const struct field_path *at, const char *why);
bool strategic_is_directive(const struct value_member *member);
/* A copy of a value of the patch, without nulls and directives. */
struct value *strategic_copy(struct merge *merge, const struct value *patch);
/* `map`: the object is a map, `type` that of its values. */
struct value *strategic_merge_object(struct merge *merge, const struct schema_type *type, bool map,
				     struct value *original, const struct value *patch,
				     const struct field_path *at);
int strategic_merge_list(struct merge *merge, const struct list_patch *list,
			 const struct field_path *at, struct value **result);

#endif
