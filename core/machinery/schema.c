/* SPDX-License-Identifier: Apache-2.0 */
/* Lookups in the schema tables. */
#include "machinery/schema.h"

#include <string.h>

static const char *const verb_names[] = {"create", "delete", "deletecollection", "get",
					 "list",   "patch",  "update",		 "watch"};

bool schema_list_has(const struct schema *schema, uint32_t list, const char *text)
{
	size_t count = schema_list_count(schema, list);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(schema_list_at(schema, list, i), text) == 0)
			return true;
	}
	return false;
}

const struct schema_type *schema_type_named(const struct schema *schema, const char *name)
{
	uint32_t low = 0, high = schema->type_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = strcmp(name, schema_text(schema, schema->types[middle].name));

		if (order == 0)
			return &schema->types[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct schema_type *schema_type_of_kind(const struct schema *schema, const char *group,
					      const char *version, const char *kind)
{
	const struct schema_type *any = NULL;

	for (uint32_t i = 0; i < schema->type_count; i++) {
		const struct schema_type *type = &schema->types[i];

		if (!type->kind || strcmp(schema_text(schema, type->kind), kind) != 0)
			continue;
		if (type->flags & SCHEMA_TYPE_ANY_GROUP)
			any = type;
		else if (strcmp(schema_text(schema, type->version), version) == 0 &&
			 strcmp(schema_text(schema, type->group), group) == 0)
			return type;
	}
	return any;
}

/* `name` need not end with a zero byte, and may contain one. */
static int compare_name(const char *name, size_t size, const char *field)
{
	size_t field_size = strlen(field);
	int order = memcmp(name, field, size < field_size ? size : field_size);

	return order ? order : (size > field_size) - (size < field_size);
}

const struct schema_field *schema_field_get(const struct schema *schema,
					    const struct schema_type *type, const char *name,
					    size_t size)
{
	const uint16_t *order = schema->orders + type->order;
	size_t low = 0, high = type->field_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct schema_field *field = schema_field_at(schema, type, order[middle]);
		int compared = compare_name(name, size, schema_text(schema, field->name));

		if (compared == 0)
			return field;
		if (compared < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct schema_field *schema_field_numbered(const struct schema *schema,
						 const struct schema_type *type,
						 const uint8_t *path, unsigned depth,
						 uint32_t number, bool *embedded)
{
	*embedded = false;
	for (size_t i = 0; i < type->field_count; i++) {
		const struct schema_field *field = schema_field_at(schema, type, i);

		if (field->depth <= depth || field->number[depth] != number ||
		    (depth > 0 && memcmp(field->number, path, depth) != 0))
			continue;
		if (field->depth == depth + 1)
			return field;
		*embedded = true;
	}
	return NULL;
}

enum schema_choice schema_choice_of(const struct schema *schema, const struct schema_field *field)
{
	static const char *const names[] = {[SCHEMA_CHOICE_SCHEMAS] = SCHEMA_CHOICE_TYPE "OrArray",
					    [SCHEMA_CHOICE_BOOL] = SCHEMA_CHOICE_TYPE "OrBool",
					    [SCHEMA_CHOICE_STRINGS] =
						    SCHEMA_CHOICE_TYPE "OrStringArray"};
	const char *name;

	if (!field->type)
		return SCHEMA_CHOICE_NONE;
	name = schema_text(schema, schema->types[field->type - 1].name);
	for (int i = SCHEMA_CHOICE_SCHEMAS; i <= SCHEMA_CHOICE_STRINGS; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum schema_choice)i;
	return SCHEMA_CHOICE_NONE;
}

const struct schema_resource *schema_resource_get(const struct schema *schema, const char *group,
						  const char *version, const char *name)
{
	for (uint32_t i = 0; i < schema->resource_count; i++) {
		const struct schema_resource *resource = &schema->resources[i];

		if (strcmp(schema_text(schema, resource->name), name) == 0 &&
		    strcmp(schema_text(schema, resource->version), version) == 0 &&
		    strcmp(schema_text(schema, resource->group), group) == 0)
			return resource;
	}
	return NULL;
}

const struct schema_resource *schema_resource_of_kind(const struct schema *schema,
						      const char *group, const char *version,
						      const char *kind)
{
	for (uint32_t i = 0; i < schema->resource_count; i++) {
		const struct schema_resource *resource = &schema->resources[i];

		if (strcmp(schema_text(schema, resource->kind), kind) == 0 &&
		    strcmp(schema_text(schema, resource->version), version) == 0 &&
		    strcmp(schema_text(schema, resource->group), group) == 0)
			return resource;
	}
	return NULL;
}

const struct schema_resource *schema_resource_stored(const struct schema *schema,
						     const struct schema_resource *resource)
{
	const struct schema_resource *stored;

	if (resource->flags & SCHEMA_VIRTUAL)
		return resource;
	stored = schema_resource_get(schema, schema_text(schema, resource->storage_group),
				     schema_text(schema, resource->storage_version),
				     schema_text(schema, resource->storage_resource));
	return stored ? stored : resource;
}

const struct schema_type *schema_resource_type(const struct schema *schema,
					       const struct schema_resource *resource)
{
	return &schema->types[resource->type - 1];
}

const struct schema_subresource *schema_subresource_get(const struct schema *schema,
							const struct schema_resource *resource,
							const char *name)
{
	for (size_t i = 0; i < resource->subresource_count; i++) {
		const struct schema_subresource *sub =
			&schema->subresources[resource->subresources + i];

		if (strcmp(schema_text(schema, sub->name), name) == 0)
			return sub;
	}
	return NULL;
}

const struct schema_label *schema_label_get(const struct schema *schema,
					    const struct schema_resource *resource,
					    const char *name)
{
	for (size_t i = 0; i < resource->label_count; i++) {
		const struct schema_label *label = &schema->labels[resource->labels + i];

		if (strcmp(schema_text(schema, label->name), name) == 0)
			return label;
	}
	return NULL;
}

const char *schema_verb_name(unsigned bit)
{
	return bit < sizeof(verb_names) / sizeof(*verb_names) ? verb_names[bit] : NULL;
}

unsigned schema_verb_bit(const char *name)
{
	for (unsigned i = 0; i < sizeof(verb_names) / sizeof(*verb_names); i++) {
		if (strcmp(verb_names[i], name) == 0)
			return 1u << i;
	}
	return 0;
}
