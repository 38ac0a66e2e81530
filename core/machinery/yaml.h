/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML bodies and files into value trees, and back. One document (an empty one is null).
 * Plain scalars are typed as today's servers and kubectl type them, by YAML
 * 1.1 where it differs from JSON:
 *   null, Null, NULL, ~ and nothing             null
 *   true, yes, on, y (also Yes, YES) / false …  booleans
 *   12, 0x1f, 0o17, 017, 0b11, 1_000            integers
 *   1.5, 6e3, .5                                numbers
 *   anything else, and whatever is quoted       strings
 * .inf and .nan are errors, for JSON has no such numbers; dates stay strings.
 * Keys are strings as they are written, also `y: 1`. `<<` merges mappings.
 *
 * Bounded: depth JSON_DEPTH_MAX, values made (aliases count each time)
 * YAML_VALUES_MAX. No-break spaces and typographic quotes where only blanks and
 * quotes make sense are errors that name the character, line and column.
 */
#ifndef COX_MACHINERY_YAML_H
#define COX_MACHINERY_YAML_H

#include "base/error.h"
#include "machinery/json.h"
#include "machinery/value.h"

enum { YAML_VALUES_MAX = 1000000 };

/* Of a key given twice the last counts; `duplicates` (may be NULL) hears of it. */
struct value *yaml_parse(struct arena *arena, const void *data, size_t size,
			 struct json_duplicates *duplicates, struct cox_error *err) COX_MUST_CHECK;

/*
 * The other way, one document in block style: keys sorted by bytes, lines as
 * long as they get, texts in quotes where they could be read as anything else
 * and as a block where they have several lines. InternalError if it fails.
 */
int yaml_write(struct cox_buf *out, const struct value *value,
	       struct cox_error *err) COX_MUST_CHECK;
/* The same as an entry of a list that is not indented. */
int yaml_write_item(struct cox_buf *out, const struct value *value,
		    struct cox_error *err) COX_MUST_CHECK;

#endif
