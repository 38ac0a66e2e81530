/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canonical bytes: compact JSON, kind and apiVersion first, fields in the order
 * of the tables, keys of maps sorted by bytes, and left out what the omit rules
 * leave out. Equal objects have equal bytes.
 */
#ifndef COX_MACHINERY_ENCODE_H
#define COX_MACHINERY_ENCODE_H

#include "machinery/schema.h"
#include "machinery/value.h"

#include <coxswain/kit/buf.h>

#define ENCODE_STORAGE 1u	    /* without metadata.resourceVersion and selfLink */
#define ENCODE_NO_MANAGED_FIELDS 2u /* to compare two objects, their managers apart */

/* Whether a field that holds nothing is written all the same, as the zero of its kind. */
bool schema_writes_zero(const struct schema_field *field);

/* `value` has been decoded against `type`. */
void schema_encode(struct cox_buf *out, const struct schema *schema, const struct schema_type *type,
		   const struct value *value, unsigned flags);
/*
 * As with ENCODE_STORAGE. *version_at is where metadata.resourceVersion belongs, with a
 * comma before it; 0 if the metadata has nothing that comes before it.
 */
void schema_encode_stored(struct cox_buf *out, const struct schema *schema,
			  const struct schema_type *type, const struct value *value,
			  size_t *version_at);

#endif
