/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Patch (RFC 6902) on value trees. The number of operations is bounded,
 * and so is what `copy` adds (copies of copies double) and the work done.
 */
#ifndef COX_MACHINERY_JSONPATCH_H
#define COX_MACHINERY_JSONPATCH_H

#include "base/error.h"
#include "machinery/value.h"

enum {
	JSONPATCH_OPERATIONS_MAX = 10000,
	JSONPATCH_COPIED_MAX = 16 * 1024 * 1024, /* bytes that copies may take in all */
	JSONPATCH_WORK_MAX = 4 * 1000 * 1000	 /* values visited or moved in all */
};

/*
 * Applies `patch`, an array of operations, to a tree that the caller owns, in
 * place, and returns its root (which the patch may replace). Values of the
 * patch are copied. On error the tree is half patched: drop it. BadRequest for
 * a patch that is none, RequestEntityTooLarge for too many operations, Invalid
 * for one that does not apply.
 */
struct value *jsonpatch_apply(struct arena *arena, struct value *document,
			      const struct value *patch, struct cox_error *err) COX_MUST_CHECK;

#endif
