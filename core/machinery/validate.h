/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validation: first a walk over the tables (required, enum, format, range,
 * unique list entries, immutable), then the metadata rules, then those of the
 * kind that data cannot say (api/kinds/GROUP/RESOURCE.c). All problems are
 * collected; validation_result makes one Invalid error of them:
 *   Pod "x" is invalid: spec.containers[0].image: Required value
 */
#ifndef COX_MACHINERY_VALIDATE_H
#define COX_MACHINERY_VALIDATE_H

#include "base/arena.h"
#include "base/error.h"
#include "machinery/path.h"
#include "machinery/schema.h"
#include "machinery/value.h"

enum { VALIDATION_PROBLEM_MAX = 200 };

struct validation_problem {
	const char *reason; /* "FieldValueInvalid" */
	const char *field;
	const char *message; /* "Invalid value: \"x\": must be …" */
};

struct validation {
	struct arena *arena;
	const struct schema *schema;
	const struct schema_resource *resource;
	struct validation_problem *problems;
	size_t count, left_out;
	bool creating; /* there is no old object */
};

void validation_init(struct validation *v, struct arena *arena, const struct schema *schema,
		     const struct schema_resource *resource);

/* `value` may be NULL (written as null). `detail` may be "". */
void field_required(struct validation *v, const struct field_path *at, const char *detail);
void field_invalid(struct validation *v, const struct field_path *at, const struct value *value,
		   const char *format, ...) COX_PRINTF(4, 5);
void field_invalid_text(struct validation *v, const struct field_path *at, const char *value,
			const char *format, ...) COX_PRINTF(4, 5);
/* Where the value says nothing that the detail does not say: it is left out. */
void field_wrong(struct validation *v, const struct field_path *at, const char *detail);
/* `supported` ends with NULL. */
void field_not_supported(struct validation *v, const struct field_path *at,
			 const struct value *value, const char *const *supported);
void field_duplicate(struct validation *v, const struct field_path *at, const struct value *value);
void field_not_found(struct validation *v, const struct field_path *at, const struct value *value);
void field_forbidden(struct validation *v, const struct field_path *at, const char *format, ...)
	COX_PRINTF(3, 4);
void field_too_long(struct validation *v, const struct field_path *at, size_t most);
void field_too_many(struct validation *v, const struct field_path *at, size_t count, size_t most);

/*
 * `object` is decoded and defaulted, with its system fields set. `old` is NULL
 * on create. `subresource` is "" or one that writes the object ("status", …).
 */
void schema_validate(struct validation *v, const struct value *object, const struct value *old,
		     const char *subresource);
/* The walk over the tables alone, for what is no resource: Scale, Binding, options. */
void schema_validate_type(struct validation *v, const struct schema_type *type,
			  const struct value *object, const struct value *old);
/* 0, or -1 and an Invalid error with details and causes. */
int validation_result(const struct validation *v, const char *name,
		      struct cox_error *err) COX_MUST_CHECK;

/* What a kind adds; `update` comes after `create`'s rules were held for the new object. */
struct kind_rules {
	const char *group, *resource;
	void (*object)(struct validation *v, const struct value *object);
	void (*update)(struct validation *v, const struct value *object, const struct value *old,
		       const char *subresource);
};

const struct kind_rules *kind_rules_get(const char *group, const char *resource);

#endif
