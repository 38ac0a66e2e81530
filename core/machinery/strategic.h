/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strategic merge patch: a merge patch that knows the types. Lists with a merge
 * key are merged entry by entry, lists of plain values that are said to merge
 * become sets, all others are replaced. Directives in the patch:
 *   $patch: replace | delete | merge       of an object, or of a list's entry
 *   $retainKeys: [names]                   all other fields of the object go
 *   $setElementOrder/FIELD: [entries]      the order of a merged list
 *   $deleteFromPrimitiveList/FIELD: [...]  entries to take out of a set
 */
#ifndef COX_MACHINERY_STRATEGIC_H
#define COX_MACHINERY_STRATEGIC_H

#include "base/error.h"
#include "machinery/schema.h"
#include "machinery/value.h"

/*
 * Merges `patch` into a tree that the caller owns, in place, and returns its
 * root. Values of the patch are copied. `type` NULL: every list is replaced.
 * Fields that the type does not have are merged like a merge patch would, for
 * the decoder to report. NULL with a BadRequest, or Invalid for an entry that
 * lacks its merge key; the tree is half patched then: drop it.
 */
struct value *strategic_apply(struct arena *arena, const struct schema *schema,
			      const struct schema_type *type, struct value *original,
			      const struct value *patch, struct cox_error *err) COX_MUST_CHECK;

#endif
