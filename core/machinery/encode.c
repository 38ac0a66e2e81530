/* SPDX-License-Identifier: Apache-2.0 */
/* Writing canonical bytes. */
#include "machinery/encode.h"

#include "machinery/json.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <string.h>

enum { SORT_ON_STACK = 32 };

struct encoder {
	struct cox_buf *out;
	const struct schema *schema;
	unsigned flags;
	size_t *version_at; /* NULL: nobody asks */
};

static void encode_object(const struct encoder *e, const struct schema_type *type,
			  const struct value *object, bool root, bool root_metadata);

bool schema_writes_zero(const struct schema_field *field)
{
	if (!(field->flags & SCHEMA_OMIT_EMPTY))
		return true;
	if (field->flags & (SCHEMA_POINTER | SCHEMA_OMIT_ZERO))
		return false;
	/* These are structs to every server of this API, and structs are never empty. */
	return field->kind == SCHEMA_OBJECT || field->kind == SCHEMA_TIME ||
	       field->kind == SCHEMA_MICRO_TIME || field->kind == SCHEMA_QUANTITY ||
	       field->kind == SCHEMA_INT_OR_STRING || field->kind == SCHEMA_RAW;
}

static void encode_zero(const struct encoder *e, const struct schema_field *field,
			bool root_metadata)
{
	static const struct value empty = {.kind = VALUE_OBJECT};

	if (field->flags & SCHEMA_POINTER) {
		cox_buf_str(e->out, "null");
		return;
	}
	switch ((enum schema_kind)field->kind) {
	case SCHEMA_BOOL:
		cox_buf_str(e->out, "false");
		break;
	case SCHEMA_INT32:
	case SCHEMA_INT64:
	case SCHEMA_DOUBLE:
	case SCHEMA_INT_OR_STRING:
		cox_buf_char(e->out, '0');
		break;
	case SCHEMA_STRING:
		cox_buf_str(e->out, "\"\"");
		break;
	case SCHEMA_QUANTITY:
		cox_buf_str(e->out, "\"0\"");
		break;
	case SCHEMA_OBJECT:
		encode_object(e, schema_field_type(e->schema, field), &empty, false, root_metadata);
		break;
	case SCHEMA_BYTES:
	case SCHEMA_TIME:
	case SCHEMA_MICRO_TIME:
	case SCHEMA_RAW:
	case SCHEMA_ANY:
	case SCHEMA_STRINGS:
	case SCHEMA_ARRAY:
	case SCHEMA_MAP:
		cox_buf_str(e->out, "null");
		break;
	}
}

static bool is_empty(const struct schema_field *field, const struct value *value)
{
	if (!value || (value->kind == VALUE_NULL && field->kind != SCHEMA_ANY))
		return true;
	if (field->flags & SCHEMA_POINTER)
		return false;
	switch ((enum schema_kind)field->kind) {
	case SCHEMA_BOOL:
		return value->kind == VALUE_BOOL && !value->boolean;
	case SCHEMA_INT32:
	case SCHEMA_INT64:
	case SCHEMA_DOUBLE:
		return value->kind == VALUE_INT && value->integer == 0;
	case SCHEMA_STRING:
	case SCHEMA_BYTES:
		return value->kind == VALUE_STRING && value->count == 0;
	case SCHEMA_ARRAY:
	case SCHEMA_MAP:
		return value->count == 0 && (field->flags & SCHEMA_OMIT_EMPTY);
	case SCHEMA_TIME:
	case SCHEMA_MICRO_TIME:
	case SCHEMA_QUANTITY:
	case SCHEMA_INT_OR_STRING:
	case SCHEMA_OBJECT:
	case SCHEMA_RAW:
	case SCHEMA_ANY:
	case SCHEMA_STRINGS:
		break;
	}
	return false;
}

static int member_compare(const void *left, const void *right)
{
	const struct value_member *a = *(struct value_member *const *)left;
	const struct value_member *b = *(struct value_member *const *)right;
	uint32_t size = a->key_size < b->key_size ? a->key_size : b->key_size;
	int order = memcmp(a->key, b->key, size);

	return order ? order : (a->key_size > b->key_size) - (a->key_size < b->key_size);
}

/* Any JSON; schemas in it have the order of their fields, too. */
static void encode_any(const struct encoder *e, const struct schema_field *field,
		       const struct value *value)
{
	const struct schema_type *props;

	if (schema_choice_of(e->schema, field) == SCHEMA_CHOICE_NONE) {
		json_write(e->out, value, 0);
		return;
	}
	props = schema_type_named(e->schema, SCHEMA_CHOICE_TYPE);
	if (value->kind == VALUE_OBJECT) {
		encode_object(e, props, value, false, false);
		return;
	}
	if (value->kind != VALUE_ARRAY) {
		json_write(e->out, value, 0);
		return;
	}
	cox_buf_char(e->out, '[');
	for (uint32_t i = 0; i < value->count; i++) {
		const struct value *item = value->array.items[i];

		if (i > 0)
			cox_buf_char(e->out, ',');
		if (item->kind == VALUE_OBJECT)
			encode_object(e, props, item, false, false);
		else
			json_write(e->out, item, 0);
	}
	cox_buf_char(e->out, ']');
}

static void encode_entry(const struct encoder *e, const struct schema_field *field,
			 const struct value *value)
{
	if (field->element == SCHEMA_OBJECT && value->kind == VALUE_OBJECT)
		encode_object(e, schema_field_type(e->schema, field), value, false, false);
	else if (field->element == SCHEMA_ANY)
		encode_any(e, field, value);
	else
		json_write(e->out, value, 0);
}

static void encode_map(const struct encoder *e, const struct schema_field *field,
		       const struct value *map)
{
	const struct value_member *few[SORT_ON_STACK];
	cox_autofree const struct value_member **many = NULL;
	const struct value_member **sorted = few;

	if (map->count > SORT_ON_STACK)
		sorted = many = cox_calloc(map->count, sizeof(*many));
	for (uint32_t i = 0; i < map->count; i++)
		sorted[i] = &map->object.members[i];
	if (map->count > 1)
		qsort(sorted, map->count, sizeof(*sorted), member_compare);
	cox_buf_char(e->out, '{');
	for (uint32_t i = 0; i < map->count; i++) {
		if (i > 0)
			cox_buf_char(e->out, ',');
		cox_buf_json_string(e->out, sorted[i]->key, sorted[i]->key_size);
		cox_buf_char(e->out, ':');
		encode_entry(e, field, sorted[i]->value);
	}
	cox_buf_char(e->out, '}');
}

static void encode_field(const struct encoder *e, const struct schema_field *field,
			 const struct value *value, bool root_metadata)
{
	if (field->kind == SCHEMA_ARRAY && value->kind == VALUE_ARRAY) {
		cox_buf_char(e->out, '[');
		for (uint32_t i = 0; i < value->count; i++) {
			if (i > 0)
				cox_buf_char(e->out, ',');
			encode_entry(e, field, value->array.items[i]);
		}
		cox_buf_char(e->out, ']');
	} else if (field->kind == SCHEMA_MAP && value->kind == VALUE_OBJECT) {
		encode_map(e, field, value);
	} else if (field->kind == SCHEMA_OBJECT && value->kind == VALUE_OBJECT) {
		encode_object(e, schema_field_type(e->schema, field), value, false, root_metadata);
	} else if (field->kind == SCHEMA_ANY) {
		encode_any(e, field, value);
	} else {
		json_write(e->out, value, 0);
	}
}

static bool left_out(const struct encoder *e, const char *name)
{
	if ((e->flags & ENCODE_STORAGE) &&
	    (strcmp(name, "resourceVersion") == 0 || strcmp(name, "selfLink") == 0))
		return true;
	return (e->flags & ENCODE_NO_MANAGED_FIELDS) && strcmp(name, "managedFields") == 0;
}

static void encode_object(const struct encoder *e, const struct schema_type *type,
			  const struct value *object, bool root, bool root_metadata)
{
	const struct value *slots[SCHEMA_FIELDS_MAX] = {NULL};
	const struct schema_field *fields = schema_field_at(e->schema, type, 0);
	bool first = true;

	for (uint32_t i = 0; i < object->count; i++) {
		const struct value_member *member = &object->object.members[i];
		const struct schema_field *field =
			schema_field_get(e->schema, type, member->key, member->key_size);

		if (field)
			slots[field - fields] = member->value;
	}
	cox_buf_char(e->out, '{');
	for (size_t i = 0; i < type->field_count; i++) {
		const struct schema_field *field = &fields[i];
		const char *name = schema_text(e->schema, field->name);
		bool metadata = root && strcmp(name, "metadata") == 0;
		bool empty = is_empty(field, slots[i]);

		if (root_metadata && e->version_at && !first &&
		    strcmp(name, "resourceVersion") == 0)
			*e->version_at = e->out->size;
		if ((empty && !schema_writes_zero(field)) || (root_metadata && left_out(e, name)))
			continue;
		if (!first)
			cox_buf_char(e->out, ',');
		first = false;
		cox_buf_char(e->out, '"');
		cox_buf_str(e->out, name);
		cox_buf_str(e->out, "\":");
		if (empty)
			encode_zero(e, field, metadata);
		else
			encode_field(e, field, slots[i], metadata);
	}
	cox_buf_char(e->out, '}');
}

void schema_encode(struct cox_buf *out, const struct schema *schema, const struct schema_type *type,
		   const struct value *value, unsigned flags)
{
	const struct encoder e = {out, schema, flags, NULL};

	encode_object(&e, type, value, true, false);
}

void schema_encode_stored(struct cox_buf *out, const struct schema *schema,
			  const struct schema_type *type, const struct value *value,
			  size_t *version_at)
{
	const struct encoder e = {out, schema, ENCODE_STORAGE, version_at};

	*version_at = 0;
	encode_object(&e, type, value, true, false);
}
