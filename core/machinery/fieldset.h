/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of fields: who manages what of an object. A set is a tree whose steps
 * are those of FieldsV1, the JSON that metadata.managedFields holds:
 *   f:NAME       a field, or an entry of a map
 *   k:{...}      an entry of a list, by the values of its keys
 *   v:VALUE      an entry of a list of plain values
 *   i:NUMBER     an entry of a list, by its place
 *   .            the thing itself, where steps below it follow
 * Steps of one level are kept sorted: names by bytes, then keys, values, places.
 *
 * NULL is the empty set. A set that is made is not changed any more: results
 * share what they can with the sets they are made of, and an operation that
 * changes nothing answers its first operand itself. All of it lives in arenas;
 * texts and values are borrowed.
 */
#ifndef COX_MACHINERY_FIELDSET_H
#define COX_MACHINERY_FIELDSET_H

#include "base/error.h"
#include "machinery/value.h"

#include <coxswain/kit/buf.h>

enum { FIELDSET_STEPS_MAX = 500000 }; /* of one set that is read */

enum step_kind {
	STEP_NAME = 0,
	STEP_KEY,   /* value: an object, its members sorted */
	STEP_VALUE, /* value: what the entry is */
	STEP_INDEX
};

struct field_step {
	uint8_t kind;  /* enum step_kind */
	uint32_t size; /* of the text of STEP_NAME */
	union {
		const char *text;
		const struct value *value;
		int64_t index;
	};
};

struct fieldset_entry {
	struct field_step step;
	bool member;		      /* the thing itself is in the set */
	const struct fieldset *below; /* NULL: nothing below it is */
};

struct fieldset {
	struct fieldset_entry *entries;
	uint32_t count, capacity;
};

static inline struct field_step step_name(const char *text, size_t size)
{
	return (struct field_step){.kind = STEP_NAME, .size = (uint32_t)size, .text = text};
}

int step_compare(const struct field_step *a, const struct field_step *b);
/* Any two values: numbers, strings, booleans, lists, objects, null, in this order. */
int step_compare_values(const struct value *a, const struct value *b);

/*
 * Building. Nothing is added if it is neither a member nor has anything below.
 * Steps may come in any order, but fieldset_finish must be called if they did
 * not come sorted or came twice.
 */
void fieldset_append(struct arena *arena, struct fieldset *set, struct field_step step, bool member,
		     const struct fieldset *below);
void fieldset_finish(struct arena *arena, struct fieldset *set);
/* What was built, out of the stack; NULL if it is empty. */
const struct fieldset *fieldset_keep(struct arena *arena, const struct fieldset *built);

const struct fieldset_entry *fieldset_find(const struct fieldset *set,
					   const struct field_step *step);
/* The names of a path with dots in between: "spec.replicas". */
bool fieldset_has(const struct fieldset *set, const char *path);
const struct fieldset *fieldset_of_path(struct arena *arena, const char *path);

const struct fieldset *fieldset_union(struct arena *arena, const struct fieldset *a,
				      const struct fieldset *b);
/* Members of `a` that are not members of `b`; what lies below is judged by itself. */
const struct fieldset *fieldset_difference(struct arena *arena, const struct fieldset *a,
					   const struct fieldset *b);
const struct fieldset *fieldset_intersection(struct arena *arena, const struct fieldset *a,
					     const struct fieldset *b);
bool fieldset_equal(const struct fieldset *a, const struct fieldset *b);

/*
 * Which fields count: those at and below a path of `only` (NULL: all), but
 * none at or below a path of `except` (may be NULL). Both end with NULL.
 */
struct field_filter {
	const char *const *only;
	const char *const *except;
};

const struct fieldset *fieldset_filter(struct arena *arena, const struct fieldset *set,
				       const struct field_filter *filter);

/* FieldsV1, as a tree. NULL is read as the empty set; errors are BadRequest. */
int fieldset_read(struct arena *arena, const struct value *fields, const struct fieldset **set,
		  struct cox_error *err) COX_MUST_CHECK;
struct value *fieldset_write(struct arena *arena, const struct fieldset *set);

/* A path on the stack, the outermost step without a parent; and its text: .spec.ports[port=80]. */
struct step_path {
	const struct step_path *up;
	const struct field_step *step;
};

void step_path_text(struct cox_buf *out, const struct step_path *path);
/* Calls back for each member, those of one level before what lies below them. */
void fieldset_each(const struct fieldset *set,
		   void (*found)(void *context, const struct step_path *path), void *context);

#endif
