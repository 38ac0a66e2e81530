/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over the tables that holds for every kind. */
#include "machinery/validate.h"

#include "machinery/json.h"
#include "machinery/metadata.h"
#include "machinery/names.h"

#include <coxswain/kit/map.h>
#include <string.h>

enum { DEPTH_MAX = JSON_DEPTH_MAX, SUPPORTED_MAX = 80 };

struct walk {
	struct validation *v;
	unsigned depth;
};

static bool is_nothing(const struct value *value)
{
	if (!value || value->kind == VALUE_NULL)
		return true;
	return (value->kind == VALUE_STRING || value->kind == VALUE_ARRAY ||
		value->kind == VALUE_OBJECT) &&
	       value->count == 0;
}

static void check_enum(struct validation *v, const struct schema_field *field,
		       const struct field_path *at, const struct value *value)
{
	const char *supported[SUPPORTED_MAX + 1];
	size_t count = schema_list_count(v->schema, field->enumeration), kept = 0;

	if (value->kind != VALUE_STRING ||
	    schema_list_has(v->schema, field->enumeration, value->text))
		return;
	for (size_t i = 0; i < count && kept < SUPPORTED_MAX; i++) {
		const char *word = schema_list_at(v->schema, field->enumeration, i);

		if (word[0] != '\0')
			supported[kept++] = word;
	}
	supported[kept] = NULL;
	field_not_supported(v, at, value, supported);
}

void validate_text(struct validation *v, const struct field_path *at, const struct value *value,
		   names_check check)
{
	struct names_problems problems = {.count = 0};

	if (!value_is(value, VALUE_STRING))
		return;
	check(value->text, value->count, &problems);
	for (size_t i = 0; i < problems.count; i++)
		field_invalid(v, at, value, "%s", problems.text[i]);
}

static void check_format(struct validation *v, const struct schema_field *field,
			 const struct field_path *at, const struct value *value)
{
	const char *format = schema_text(v->schema, field->format);
	names_check check;

	if (strcmp(format, "labels") == 0) {
		validate_labels(v, at, value);
		return;
	}
	if (strcmp(format, "annotations") == 0) {
		validate_annotations(v, at, value);
		return;
	}
	check = names_check_named(format);
	if (!check)
		return;
	if (value->kind == VALUE_ARRAY) {
		for (uint32_t i = 0; i < value->count; i++)
			validate_text(v, FIELD_INDEX(at, i), value->array.items[i], check);
	} else if (value->count > 0) {
		validate_text(v, at, value, check);
	}
}

static void check_range(struct validation *v, const struct schema_field *field,
			const struct field_path *at, const struct value *value)
{
	bool low = field->flags & SCHEMA_HAS_MINIMUM, high = field->flags & SCHEMA_HAS_MAXIMUM;
	int64_t number = value_is(value, VALUE_INT) ? value->integer : 0;
	const struct value zero = {.kind = VALUE_INT};

	if ((!low || number >= field->minimum) && (!high || number <= field->maximum))
		return;
	if (!value)
		value = &zero;
	if (low && high && field->minimum == 0 && field->maximum == 0777)
		field_invalid(v, at, value,
			      "must be a number between 0 and 0777 (octal), both inclusive");
	else if (low && high)
		field_invalid(v, at, value, "must be between %d and %d, inclusive", field->minimum,
			      field->maximum);
	else if (low && field->minimum == 1)
		field_invalid(v, at, value, "must be greater than 0");
	else if (low)
		field_invalid(v, at, value, "must be greater than or equal to %d", field->minimum);
	else
		field_invalid(v, at, value, "must be less than or equal to %d", field->maximum);
}

/* Entries with the same key (or, without keys, the same value). */
static void check_unique(struct validation *v, const struct schema_field *field,
			 const struct field_path *at, const struct value *list)
{
	struct cox_map seen = COX_MAP_INIT;
	const char *key = schema_list_count(v->schema, field->map_keys) == 1
				  ? schema_list_at(v->schema, field->map_keys, 0)
				  : NULL;

	for (size_t i = 0; value_at(list, i); i++) {
		const struct value *entry = value_at(list, i);
		const struct value *name = key ? value_get(entry, key) : entry;
		cox_autobuf text = COX_BUF_INIT;

		if (is_nothing(name))
			continue;
		json_write(&text, name, 0);
		if (cox_map_put(&seen, text.data, text.size, &seen))
			field_duplicate(
				v, key ? FIELD(FIELD_INDEX(at, i), key) : FIELD_INDEX(at, i), name);
	}
	cox_map_free(&seen);
}

static void walk_object(struct walk *w, const struct schema_type *type, const struct field_path *at,
			const struct value *object, const struct value *old);

/* The old entry that an entry stands for: by its key, else by its place. */
static const struct value *old_entry(const struct validation *v, const struct schema_field *field,
				     const struct value *entry, size_t index,
				     const struct value *old)
{
	const char *key;

	if (schema_list_count(v->schema, field->map_keys) != 1)
		return value_at(old, index);
	key = schema_list_at(v->schema, field->map_keys, 0);
	for (size_t i = 0; value_at(old, i); i++) {
		if (value_get(entry, key) && value_get(value_at(old, i), key) &&
		    value_equal(value_get(entry, key), value_get(value_at(old, i), key)))
			return value_at(old, i);
	}
	return NULL;
}

static void walk_children(struct walk *w, const struct schema_field *field,
			  const struct field_path *at, const struct value *value,
			  const struct value *old)
{
	const struct schema_type *type = schema_field_type(w->v->schema, field);

	if (!type || !(type->flags & SCHEMA_TYPE_CHECKED))
		return;
	if (field->kind == SCHEMA_OBJECT) {
		walk_object(w, type, at, value, old);
	} else if (field->kind == SCHEMA_ARRAY) {
		for (size_t i = 0; value_at(value, i); i++)
			walk_object(w, type, FIELD_INDEX(at, i), value_at(value, i),
				    old_entry(w->v, field, value_at(value, i), i, old));
	} else if (value->kind == VALUE_OBJECT) {
		for (uint32_t i = 0; i < value->count; i++) {
			const struct value_member *member = &value->object.members[i];

			walk_object(w, type, FIELD_KEY(at, member->key), member->value,
				    value_get_n(old, member->key, member->key_size));
		}
	}
}

static void check_field(struct walk *w, const struct schema_field *field,
			const struct field_path *at, const struct value *value,
			const struct value *old)
{
	static const struct value nothing = {.kind = VALUE_OBJECT};
	struct validation *v = w->v;

	if (is_nothing(value) && (field->flags & SCHEMA_NEEDED)) {
		field_required(v, at, "");
		return;
	}
	if (!value || value->kind == VALUE_NULL) {
		if (!(field->flags & SCHEMA_OMIT_EMPTY) && (field->flags & SCHEMA_HAS_MINIMUM))
			check_range(v, field, at, NULL);
		/* What is no pointer is there, though empty: it may need something. */
		if (field->kind == SCHEMA_OBJECT && !(field->flags & SCHEMA_POINTER))
			walk_children(w, field, at, &nothing, old);
		return;
	}
	if (field->enumeration && !(field->flags & SCHEMA_ENUM_OPEN)) {
		if (value->kind == VALUE_ARRAY) {
			for (uint32_t i = 0; i < value->count; i++)
				check_enum(v, field, FIELD_INDEX(at, i), value->array.items[i]);
		} else {
			check_enum(v, field, at, value);
		}
	}
	if (field->format)
		check_format(v, field, at, value);
	if (value->kind == VALUE_INT)
		check_range(v, field, at, value);
	if (field->flags & SCHEMA_UNIQUE)
		check_unique(v, field, at, value);
	if (v->count < VALIDATION_PROBLEM_MAX)
		walk_children(w, field, at, value, old);
}

static void walk_object(struct walk *w, const struct schema_type *type, const struct field_path *at,
			const struct value *object, const struct value *old)
{
	const struct schema *schema = w->v->schema;
	const struct schema_field *fields = schema_field_at(schema, type, 0);
	const struct value *slots[SCHEMA_FIELDS_MAX] = {NULL};

	if (!(type->flags & SCHEMA_TYPE_CHECKED) || !value_is(object, VALUE_OBJECT) ||
	    w->depth >= DEPTH_MAX)
		return;
	w->depth++;
	for (uint32_t i = 0; i < object->count; i++) {
		const struct value_member *member = &object->object.members[i];
		const struct schema_field *field =
			schema_field_get(schema, type, member->key, member->key_size);

		if (field)
			slots[field - fields] = member->value;
	}
	for (size_t i = 0; i < type->field_count; i++) {
		const struct schema_field *field = &fields[i];
		const char *name = schema_text(schema, field->name);
		const struct value *before = old ? value_get(old, name) : NULL;
		const struct field_path *here = FIELD(at, name);

		check_field(w, field, here, slots[i], before);
		if ((field->flags & SCHEMA_IMMUTABLE) && old)
			validate_same(w->v, here, slots[i], before);
	}
	w->depth--;
}

void schema_validate_type(struct validation *v, const struct schema_type *type,
			  const struct value *object, const struct value *old)
{
	struct walk w = {v, 0};

	walk_object(&w, type, NULL, object, old);
}

void schema_validate(struct validation *v, const struct value *object, const struct value *old,
		     const char *subresource)
{
	const struct kind_rules *rules = kind_rules_get(schema_text(v->schema, v->resource->group),
							schema_text(v->schema, v->resource->name));

	v->creating = !old;
	validate_metadata(v, object, old);
	schema_validate_type(v, schema_resource_type(v->schema, v->resource), object, old);
	if (rules && rules->object)
		rules->object(v, object);
	if (rules && rules->update && old)
		rules->update(v, object, old, subresource);
}
