/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values by the schema's word on how they are merged: which lists are lists by
 * keys or sets, which lists and maps are one thing only ("atomic"), all others
 * being the sum of their entries. From this come the fields that a value has,
 * what differs between two, the merge of two and the removal of fields.
 *
 * Trees that were decoded leave out what is zero, while an object that is
 * written has the fields that are always written; TYPED_ZEROS counts these in.
 * Trees of JSON as it was sent or stored are taken as they are.
 */
#ifndef COX_MACHINERY_TYPED_H
#define COX_MACHINERY_TYPED_H

#include "machinery/fieldset.h"
#include "machinery/schema.h"

enum typed_form {
	TYPED_SCALAR = 0,
	TYPED_STRUCT, /* of `type` */
	TYPED_MAP,
	TYPED_LIST,
	TYPED_FREE /* of any content: maps by entry, lists as one thing */
};

/* Where in the schema a value stands. */
struct typed {
	uint8_t form;	/* enum typed_form */
	uint8_t scalar; /* enum schema_kind of TYPED_SCALAR */
	bool atomic;
	const struct schema_field *field; /* of lists and maps: what says what is in them */
	const struct schema_type *type;
};

struct typed_context {
	struct arena *arena;
	const struct schema *schema;
	const struct schema_type *type; /* of the whole object */
};

#define TYPED_ZEROS 1u /* the value was decoded: see above */

struct typed typed_of_type(const struct schema_type *type);
struct typed typed_of_field(const struct schema *schema, const struct schema_field *field);
/* What is in a list or map. */
struct typed typed_element(const struct schema *schema, const struct typed *at);
/* The value below a name of a struct, map or free value. `declared`: it is a struct's field. */
struct typed typed_member(const struct schema *schema, const struct typed *at, const char *name,
			  size_t size, bool *declared);
/* What a free value is, as it stands; others as they are. */
struct typed typed_resolve(const struct typed *at, const struct value *value);

/*
 * The step to an entry of a list by keys or of a set. NULL, or why it has none:
 * it lacks a key, or is nothing that a set can hold.
 */
const char *typed_entry_step(const struct typed_context *context, const struct typed *list,
			     const struct value *entry, unsigned flags, struct field_step *step);

/* An entry of a list with its step and its place; see typed_index. */
struct typed_entry {
	struct field_step step;
	struct value *value;
	uint32_t place;
	const char *why; /* it has no step */
};

/*
 * All entries, sorted by step and, if equal, by place; those without a step
 * come last and are not counted. `list` may be NULL or null.
 */
struct typed_entry *typed_index(const struct typed_context *context, const struct typed *at,
				const struct value *list, unsigned flags, uint32_t *count);
const struct typed_entry *typed_find(const struct typed_entry *entries, uint32_t count,
				     const struct field_step *step);

/* The value of every field of a struct in the order of the tables; NULL: not there. */
void typed_slots(const struct schema *schema, const struct schema_type *type,
		 const struct value *object, unsigned flags,
		 const struct value *slots[SCHEMA_FIELDS_MAX]);
/* Members sorted by key; the array lives in the arena. NULL or no object: none. */
const struct value_member **typed_sorted(struct arena *arena, const struct value *object,
					 uint32_t *count);
/* Absent, null, or without entries. */
bool typed_is_empty(const struct value *value);

/*
 * The fields that a configuration sets. Those that tell one object from
 * another or that the server keeps (name, uid, version, …) are left out, here
 * and in comparisons.
 */
const struct fieldset *typed_fields(const struct typed_context *context, const struct value *value);
/* The same with all of them: for a tree that parts are taken out of. */
const struct fieldset *typed_all_fields(const struct typed_context *context,
					const struct value *value);

struct typed_changes {
	const struct fieldset *added, *modified, *removed;
};

void typed_compare(const struct typed_context *context, const struct value *before,
		   const struct value *after, unsigned flags, struct typed_changes *changes);

/* The set, and each struct's field that has something in the set below it. */
const struct fieldset *typed_with_fields(const struct typed_context *context,
					 const struct fieldset *set);
/* Steps below what has become one thing are replaced by the thing. */
const struct fieldset *typed_reconcile(const struct typed_context *context,
				       const struct fieldset *set);

/* Problems are told in one text ("errors:\n  …" if there are several); NULL: none. */
enum { TYPED_PROBLEMS_MAX = 20 };
const char *typed_check(const struct typed_context *context, const struct value *value);

/*
 * `config`, which was checked, merged over `live`. The result shares its parts
 * with both: copy it before something else changes it.
 */
struct value *typed_merge(const struct typed_context *context, const struct value *live,
			  const struct value *config);
/* Without the members of the set; what is shared stays as it is. */
struct value *typed_remove(const struct typed_context *context, const struct value *value,
			   const struct fieldset *set);

#endif
