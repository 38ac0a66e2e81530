/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views: a resource whose form is not the stored one (events.k8s.io/v1 events
 * are stored as v1 events) is brought there and back by the names that its
 * `convert:` lists in api/kinds. And what field selectors see of an object.
 */
#ifndef COX_MACHINERY_CONVERT_H
#define COX_MACHINERY_CONVERT_H

#include "base/error.h"
#include "machinery/schema.h"
#include "machinery/value.h"

/*
 * In place, from the form of `from` to that of `to`: the same resource, one of
 * them in its stored form. apiVersion is set. Fields that the other form lacks
 * are dropped. Error (NotAcceptable): there is no way between the two.
 */
int schema_convert(const struct schema *schema, const struct schema_resource *from,
		   const struct schema_resource *to, struct arena *arena, struct value *object,
		   struct cox_error *err) COX_MUST_CHECK;

/*
 * The text that a field label compares with; "" where nothing is. Numbers and
 * booleans are written as text, into the arena.
 */
const char *schema_label_value(const struct schema *schema, const struct schema_label *label,
			       struct arena *arena, const struct value *object);

/* "v1", "apps/v1". */
const char *schema_api_version(const struct schema *schema, struct arena *arena,
			       const struct schema_resource *resource);

#endif
