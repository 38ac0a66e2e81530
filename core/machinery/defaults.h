/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defaults: what the tables say of a type (`default`, `set`), at every place
 * where the type occurs, and the computed ones of whole kinds. Applying them
 * twice changes nothing.
 */
#ifndef COX_MACHINERY_DEFAULTS_H
#define COX_MACHINERY_DEFAULTS_H

#include "base/arena.h"
#include "machinery/schema.h"
#include "machinery/value.h"

/* `object` has been decoded; it is changed in place. */
void schema_apply_defaults(const struct schema *schema, const struct schema_type *type,
			   struct arena *arena, struct value *object);

/* Rules that the tables name; NULL for no such rule. */
typedef void (*default_rule)(struct arena *arena, struct value *object);
default_rule default_rule_named(const char *name);

#endif
