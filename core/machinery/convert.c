/* SPDX-License-Identifier: Apache-2.0 */
/* Conversion by names, and the values of field labels. */
#include "machinery/convert.h"

#include "machinery/convert_autoscaler.h"

#include <coxswain/kit/text.h>
#include <string.h>

const char *schema_api_version(const struct schema *schema, struct arena *arena,
			       const struct schema_resource *resource)
{
	const char *group = schema_text(schema, resource->group);
	const char *version = schema_text(schema, resource->version);

	return group[0] ? arena_printf(arena, "%s/%s", group, version) : version;
}

/* Renames members: "note=message" from left to right, or back. */
static void rename_members(const struct schema *schema, uint32_t names, bool back,
			   struct arena *arena, struct value *object)
{
	size_t count = schema_list_count(schema, names);

	for (uint32_t m = 0; m < object->count; m++) {
		struct value_member *member = &object->object.members[m];

		for (size_t i = 0; i < count; i++) {
			const char *pair = schema_list_at(schema, names, i);
			size_t left = strcspn(pair, "=");
			const char *right = pair + left + 1; /* the generator wrote the = */
			const char *from = back ? right : pair;
			size_t from_size = back ? strlen(right) : left;

			if (member->key_size != from_size ||
			    memcmp(member->key, from, from_size) != 0)
				continue;
			member->key = back ? arena_strndup(arena, pair, left) : right;
			member->key_size = (uint32_t)strlen(member->key);
			break;
		}
	}
	object->object.index = NULL;
}

static void drop_unknown(const struct schema *schema, const struct schema_type *type,
			 struct value *object)
{
	uint32_t kept = 0;

	for (uint32_t m = 0; m < object->count; m++) {
		const struct value_member *member = &object->object.members[m];

		if (schema_field_get(schema, type, member->key, member->key_size))
			object->object.members[kept++] = *member;
	}
	object->count = kept;
	object->object.index = NULL;
}

int schema_convert(const struct schema *schema, const struct schema_resource *from,
		   const struct schema_resource *to, struct arena *arena, struct value *object,
		   struct cox_error *err)
{
	bool up = schema_resource_stored(schema, from) == to;
	bool down = schema_resource_stored(schema, to) == from;
	uint32_t names = up ? from->conversion : to->conversion;

	if (from == to)
		return 0;
	if ((up || down) && strcmp(schema_text(schema, to->kind), "HorizontalPodAutoscaler") == 0) {
		autoscaler_convert(arena, object, up);
		value_set_text(arena, object, "apiVersion", schema_api_version(schema, arena, to));
		return 0;
	}
	if ((!up && !down) || !names || !value_is(object, VALUE_OBJECT))
		return error_set(
			err, COX_REASON_NOT_ACCEPTABLE, "%s cannot be converted from %s to %s",
			schema_text(schema, from->name), schema_api_version(schema, arena, from),
			schema_api_version(schema, arena, to));
	rename_members(schema, names, !up, arena, object);
	drop_unknown(schema, schema_resource_type(schema, to), object);
	value_set_text(arena, object, "kind", schema_text(schema, to->kind));
	value_set_text(arena, object, "apiVersion", schema_api_version(schema, arena, to));
	return 0;
}

/* "status.podIPs[0].ip" */
static const struct value *value_along(const struct value *object, const char *path)
{
	while (object && *path) {
		size_t size = strcspn(path, ".[");

		if (size > 0)
			object = value_get_n(object, path, size);
		path += size;
		if (*path == '[') {
			size_t digits = strspn(path + 1, "0123456789");
			size_t index = 0;

			for (size_t i = 0; i < digits; i++)
				index = index * 10 + (size_t)(path[1 + i] - '0');
			object = value_at(object, index);
			path += digits + 2;
		}
		if (*path == '.')
			path++;
	}
	return object;
}

static const char *text_of(struct arena *arena, const struct value *value)
{
	if (value_is(value, VALUE_STRING))
		return value->text;
	if (value_is(value, VALUE_BOOL))
		return value->boolean ? "true" : "false";
	if (value_is(value, VALUE_INT))
		return arena_printf(arena, "%lld", (long long)value->integer);
	return "";
}

const char *schema_label_value(const struct schema *schema, const struct schema_label *label,
			       struct arena *arena, const struct value *object)
{
	size_t count = schema_list_count(schema, label->values);

	if (!(label->flags & SCHEMA_LABEL_MATCHED))
		return "";
	for (size_t i = 0; i < count; i++) {
		const char *path = schema_list_at(schema, label->values, i);
		const char *text = text_of(arena, value_along(object, path));

		if (text[0] != '\0')
			return text;
	}
	if (label->flags & SCHEMA_LABEL_NUMBER)
		return "0";
	return label->flags & SCHEMA_LABEL_BOOLEAN ? "false" : "";
}
