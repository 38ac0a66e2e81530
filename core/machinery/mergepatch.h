/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Merge Patch (RFC 7386) on value trees. */
#ifndef COX_MACHINERY_MERGEPATCH_H
#define COX_MACHINERY_MERGEPATCH_H

#include "machinery/value.h"

/*
 * Merges `patch` into a tree that the caller owns, in place, and returns its
 * root (another one if either is no object). Values of the patch are copied.
 */
struct value *mergepatch_apply(struct arena *arena, struct value *target,
			       const struct value *patch);

#endif
