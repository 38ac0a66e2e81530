/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting defaults in. A type's own fields come first, then its computed
 * defaults in their order, then what lies below it; types without defaults
 * below are not entered at all.
 */
#include "machinery/defaults.h"

#include "machinery/json.h"

#include <coxswain/kit/text.h>
#include <string.h>

enum { SEGMENT_MAX = 96, DEPTH_MAX = JSON_DEPTH_MAX };

struct defaulter {
	const struct schema *schema;
	struct arena *arena;
	unsigned depth;
};

/* JSON from the tables; the generator does not parse it, a unit test does. */
static struct value *literal(struct arena *arena, const char *json)
{
	size_t size = strlen(json);
	int64_t number;

	if (json[0] == '"' && !memchr(json, '\\', size))
		return value_string_n(arena, json + 1, size - 2);
	if (strcmp(json, "{}") == 0)
		return value_object(arena);
	if (cox_parse_int(json, INT64_MIN, INT64_MAX, &number) == 0)
		return value_int(arena, number);
	return json_parse(arena, json, size, NULL, NULL);
}

static bool is_set(const struct value *value)
{
	if (!value || value->kind == VALUE_NULL)
		return false;
	if (value->kind == VALUE_ARRAY)
		return value->count > 0;
	return true;
}

/* "a.b=X|Y", "a.b", "!a.b": one term. */
static bool term_holds(const struct value *object, const char *term, size_t size)
{
	char path[SEGMENT_MAX];
	bool negated = size > 0 && term[0] == '!';
	const char *equals = memchr(term, '=', size);
	const char *end = term + size;
	const struct value *value;
	size_t length;

	if (negated)
		term++;
	length = (size_t)((equals ? equals : end) - term);
	if (length >= sizeof(path))
		return false;
	memcpy(path, term, length);
	path[length] = '\0';
	value = value_path(object, path);
	if (!equals)
		return is_set(value) != negated;
	for (const char *at = equals + 1; at <= end;) {
		const char *bar = memchr(at, '|', (size_t)(end - at));
		size_t part = (size_t)((bar ? bar : end) - at);

		if (strlen(value_text(value)) == part && memcmp(value_text(value), at, part) == 0)
			return true;
		at += part + 1;
	}
	return false;
}

static bool condition_holds(const struct value *object, const char *condition)
{
	while (*condition) {
		const char *end = strstr(condition, " & ");
		size_t size = end ? (size_t)(end - condition) : strlen(condition);

		if (!term_holds(object, condition, size))
			return false;
		condition += size + (end ? strlen(" & ") : 0);
	}
	return true;
}

static bool wants(const struct schema_field *field, const struct value *value)
{
	if (!value || value->kind == VALUE_NULL)
		return true;
	if (field->flags & SCHEMA_POINTER)
		return false;
	return (value->kind == VALUE_STRING || value->kind == VALUE_ARRAY) && value->count == 0;
}

static void put_at(struct defaulter *d, const struct schema_type *type, struct value *object,
		   const char *path, const char *json)
{
	size_t size = strcspn(path, ".[");
	const struct schema_field *field = schema_field_get(d->schema, type, path, size);
	const char *rest = path + size;
	struct value *child;

	if (!field || !value_is(object, VALUE_OBJECT))
		return;
	child = value_get_n(object, path, size);
	if (*rest == '\0') {
		if (wants(field, child))
			value_set_n(d->arena, object, path, size, literal(d->arena, json));
		return;
	}
	type = schema_field_type(d->schema, field);
	if (!type)
		return;
	if (cox_starts_with(rest, "[].")) {
		for (uint32_t i = 0; value_is(child, VALUE_ARRAY) && i < child->count; i++)
			put_at(d, type, value_at(child, i), rest + 3, json);
		return;
	}
	if (!child || child->kind == VALUE_NULL) {
		if (field->flags & SCHEMA_POINTER)
			return;
		child = value_object(d->arena);
		value_set_n(d->arena, object, path, size, child);
	}
	put_at(d, type, child, rest + 1, json);
}

static void default_object(struct defaulter *d, const struct schema_type *type,
			   struct value *object);

static void default_children(struct defaulter *d, const struct schema_field *field,
			     struct value *value)
{
	const struct schema_type *type = schema_field_type(d->schema, field);

	if (field->kind == SCHEMA_OBJECT) {
		default_object(d, type, value);
	} else if (field->kind == SCHEMA_ARRAY && value->kind == VALUE_ARRAY) {
		for (uint32_t i = 0; i < value->count; i++)
			default_object(d, type, value->array.items[i]);
	} else if (field->kind == SCHEMA_MAP && value->kind == VALUE_OBJECT) {
		for (uint32_t i = 0; i < value->count; i++)
			default_object(d, type, value->object.members[i].value);
	}
}

static void default_fields(struct defaulter *d, const struct schema_type *type,
			   struct value *object)
{
	for (size_t i = 0; i < type->field_count; i++) {
		const struct schema_field *field = schema_field_at(d->schema, type, i);
		const char *name = schema_text(d->schema, field->name);

		if (field->applied && wants(field, value_get(object, name)))
			value_set(d->arena, object, name,
				  literal(d->arena, schema_text(d->schema, field->applied)));
	}
	for (size_t i = 0; i < type->default_count; i++) {
		const struct schema_default *row = &d->schema->defaults[type->defaults + i];

		default_rule rule = default_rule_named(schema_text(d->schema, row->rule));

		if (!condition_holds(object, schema_text(d->schema, row->condition)))
			continue;
		if (rule)
			rule(d->arena, object);
		else
			put_at(d, type, object, schema_text(d->schema, row->path),
			       schema_text(d->schema, row->value));
	}
}

static void default_object(struct defaulter *d, const struct schema_type *type,
			   struct value *object)
{
	if (!(type->flags & SCHEMA_TYPE_DEFAULTS) || !value_is(object, VALUE_OBJECT) ||
	    d->depth >= DEPTH_MAX)
		return;
	d->depth++;
	default_fields(d, type, object);
	for (size_t i = 0; i < type->field_count; i++) {
		const struct schema_field *field = schema_field_at(d->schema, type, i);
		const struct schema_type *below = schema_field_type(d->schema, field);
		const char *name;
		struct value *child;

		if (!below || !(below->flags & SCHEMA_TYPE_DEFAULTS))
			continue;
		name = schema_text(d->schema, field->name);
		child = value_get(object, name);
		if (child && child->kind != VALUE_NULL) {
			default_children(d, field, child);
		} else if (field->kind == SCHEMA_OBJECT && !(field->flags & SCHEMA_POINTER) &&
			   (below->flags & SCHEMA_TYPE_SPRINGS)) {
			child = value_object(d->arena);
			default_object(d, below, child);
			if (child->count > 0)
				value_set(d->arena, object, name, child);
		}
	}
	d->depth--;
}

void schema_apply_defaults(const struct schema *schema, const struct schema_type *type,
			   struct arena *arena, struct value *object)
{
	struct defaulter d = {schema, arena, 0};

	default_object(&d, type, object);
}
