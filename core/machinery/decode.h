/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From any tree that came in to a tree of its type: JSON types checked, unknown
 * fields taken out and reported, nulls dropped, quantities and times brought
 * into their canonical form. It works in place. Names are compared with their
 * letter case. Nothing is dropped without a word in the report, but for fields
 * behind a feature gate that is off: those are as if they had not been sent.
 */
#ifndef COX_MACHINERY_DECODE_H
#define COX_MACHINERY_DECODE_H

#include "base/error.h"
#include "machinery/json.h"
#include "machinery/schema.h"
#include "machinery/value.h"

enum { DECODE_PROBLEM_MAX = 100 }; /* more of them are counted only */

/*
 * What fieldValidation=Strict refuses and Warn warns of, each a sentence like
 *   unknown field "spec.containers[0].volumemounts" (did you mean "volumeMounts"?)
 *   duplicate field "spec.replicas"
 * Texts live in the arena. `duplicates` goes into json_parse, whose findings
 * then lead the list.
 */
struct decode_report {
	struct json_duplicates duplicates;
	struct arena *arena;
	const char *problems[DECODE_PROBLEM_MAX];
	size_t count; /* at most DECODE_PROBLEM_MAX */
	size_t left_out;
};

void decode_report_init(struct decode_report *report, struct arena *arena);
/* All problems in one line, as Strict answers: `strict decoding error: …, …`. */
const char *decode_report_text(const struct decode_report *report);

/*
 * `tree` must be an object. `report` may be NULL: unknown fields are then
 * dropped silently, as when a stored value of another version is read. Errors
 * are BadRequest: `spec.replicas: expected an integer, got a string`.
 */
int schema_decode(const struct schema *schema, const struct schema_type *type, struct arena *arena,
		  struct value *tree, struct decode_report *report,
		  struct cox_error *err) COX_MUST_CHECK;

#endif
