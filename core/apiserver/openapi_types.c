/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas of types; see openapi_model.h. A type gets a definition when the
 * first reference to it is made, so a document holds just what it needs.
 * Zero values of plain fields are not told as defaults: nobody sets them.
 */
#include "apiserver/openapi_model.h"

#include "machinery/json.h"

#include <string.h>

/* Where the packages of the tables lie in the names that clients know. */
static const struct {
	const char *package, *prefix;
} places[] = {
	{"apiextensions", "io.k8s.apiextensions-apiserver.pkg.apis."},
	{"apiregistration", "io.k8s.kube-aggregator.pkg.apis."},
	{"intstr", "io.k8s.apimachinery.pkg.util."},
	{"meta", "io.k8s.apimachinery.pkg.apis."},
	{"runtime", "io.k8s.apimachinery.pkg."},
	{"version", "io.k8s.apimachinery.pkg."},
};

const char *openapi_type_name(struct arena *arena, const struct schema *schema,
			      const struct schema_type *type)
{
	const char *name = schema_text(schema, type->name);
	size_t size = strcspn(name, ".");

	/* resource.v1 is a group, resource.Quantity is not of it. */
	if (strcmp(name, "resource.Quantity") == 0)
		return arena_printf(arena, "io.k8s.apimachinery.pkg.api.%s", name);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strlen(places[i].package) == size && memcmp(places[i].package, name, size) == 0)
			return arena_printf(arena, "%s%s", places[i].prefix, name);
	return arena_printf(arena, "io.k8s.api.%s", name);
}

/* {"type": …, "format": …}, what every schema begins with. */
static struct value *typed(struct openapi_model *model, const char *type, const char *format)
{
	struct value *schema = value_object(model->arena);

	value_set_text(model->arena, schema, "type", type);
	if (format)
		value_set_text(model->arena, schema, "format", format);
	return schema;
}

struct value *openapi_reference(struct openapi_model *model, const struct schema_type *type)
{
	struct value *reference;
	size_t index;

	if (!type || (type->flags & SCHEMA_TYPE_PRIVATE))
		return typed(model, "object", NULL);
	reference = value_object(model->arena);
	index = (size_t)(type - model->schema->types);
	if (!model->wanted[index]) {
		model->wanted[index] = true;
		model->queue[model->queued++] = (uint32_t)index;
	}
	value_set(model->arena, reference, "$ref",
		  value_printf(model->arena, "#/%s/%s",
			       model->v3 ? "components/schemas" : "definitions",
			       openapi_type_name(model->arena, model->schema, type)));
	return reference;
}

/*
 * How the basic kinds look in JSON. Times, quantities and the like have types of
 * their own and get here only as the definitions of those.
 */
static struct value *plain_schema(struct openapi_model *model, unsigned kind)
{
	switch (kind) {
	case SCHEMA_BOOL:
		return typed(model, "boolean", NULL);
	case SCHEMA_INT32:
		return typed(model, "integer", "int32");
	case SCHEMA_INT64:
		return typed(model, "integer", "int64");
	case SCHEMA_DOUBLE:
		return typed(model, "number", "double");
	case SCHEMA_STRING:
		return typed(model, "string", NULL);
	case SCHEMA_BYTES:
		return typed(model, "string", "byte");
	case SCHEMA_TIME:
	case SCHEMA_MICRO_TIME:
		return typed(model, "string", "date-time");
	case SCHEMA_OBJECT:
	case SCHEMA_RAW:
		return typed(model, "object", NULL);
	default:
		return value_object(model->arena); /* any value */
	}
}

/* Version 3 can say that a quantity or a port is one of two. */
static struct value *form_schema(struct openapi_model *model, unsigned form)
{
	struct arena *arena = model->arena;
	bool quantity = form == SCHEMA_QUANTITY;
	struct value *schema, *choices;

	if (!quantity && form != SCHEMA_INT_OR_STRING)
		return plain_schema(model, form);
	if (!model->v3)
		return typed(model, "string", quantity ? NULL : "int-or-string");
	schema = value_object(arena);
	choices = value_make_array(arena, schema, "oneOf");
	value_push(arena, choices, typed(model, quantity ? "string" : "integer", NULL));
	value_push(arena, choices, typed(model, quantity ? "number" : "string", NULL));
	if (!quantity)
		value_set_text(arena, schema, "format", "int-or-string");
	return schema;
}

/* Of a field that is no array or map, or of the elements of one that is. */
static struct value *single_schema(struct openapi_model *model, const struct schema_field *field,
				   unsigned kind)
{
	struct arena *arena = model->arena;
	struct value *schema;

	if (kind == SCHEMA_STRINGS) {
		schema = typed(model, "array", NULL);
		value_set(arena, schema, "items", plain_schema(model, SCHEMA_STRING));
		return schema;
	}
	if (field->type)
		return openapi_reference(model, &model->schema->types[field->type - 1]);
	schema = plain_schema(model, kind);
	if (field->enumeration) {
		struct value *list = value_make_array(arena, schema, "enum");

		for (size_t i = 0; i < schema_list_count(model->schema, field->enumeration); i++)
			value_push(arena, list,
				   value_string(arena, schema_list_at(model->schema,
								      field->enumeration, i)));
	}
	return schema;
}

/* How server-side apply merges lists (KEP-555); kubectl explain shows it, too. */
static void add_list_facts(struct openapi_model *model, const struct schema_field *field,
			   struct value *schema)
{
	static const char *const types[] = {[SCHEMA_LIST_ATOMIC] = "atomic",
					    [SCHEMA_LIST_SET] = "set",
					    [SCHEMA_LIST_MAP] = "map"};
	struct arena *arena = model->arena;

	if (field->list_type == SCHEMA_LIST_MAP) {
		struct value *keys = value_make_array(arena, schema, "x-kubernetes-list-map-keys");

		for (size_t i = 0; i < schema_list_count(model->schema, field->map_keys); i++)
			value_push(arena, keys,
				   value_string(arena,
						schema_list_at(model->schema, field->map_keys, i)));
	}
	if (field->list_type != SCHEMA_LIST_NONE)
		value_set_text(arena, schema, "x-kubernetes-list-type", types[field->list_type]);
}

/* How clients merge it: strategic merge patch and server-side apply. */
static void add_merge_facts(struct openapi_model *model, const struct schema_field *field,
			    struct value *schema)
{
	struct arena *arena = model->arena;
	const char *key = schema_text(model->schema, field->merge_key);
	const char *first = field->flags & SCHEMA_MERGE	    ? "merge"
			    : field->flags & SCHEMA_REPLACE ? "replace"
							    : "";
	bool retain = field->flags & SCHEMA_RETAIN_KEYS;

	add_list_facts(model, field, schema);
	if (field->flags & (SCHEMA_ATOMIC_MAP | SCHEMA_GRANULAR_MAP))
		value_set_text(arena, schema, "x-kubernetes-map-type",
			       field->flags & SCHEMA_ATOMIC_MAP ? "atomic" : "granular");
	if (*key)
		value_set_text(arena, schema, "x-kubernetes-patch-merge-key", key);
	if (*first || retain)
		value_set(arena, schema, "x-kubernetes-patch-strategy",
			  value_printf(arena, "%s%s%s", first, *first && retain ? "," : "",
				       retain ? "retainKeys" : ""));
}

struct value *openapi_field_schema(struct openapi_model *model, const struct schema_field *field)
{
	struct arena *arena = model->arena;
	struct value *schema;

	if (field->kind != SCHEMA_ARRAY && field->kind != SCHEMA_MAP)
		return single_schema(model, field, field->kind);
	schema = typed(model, field->kind == SCHEMA_ARRAY ? "array" : "object", NULL);
	value_set(arena, schema, field->kind == SCHEMA_ARRAY ? "items" : "additionalProperties",
		  single_schema(model, field, field->element));
	return schema;
}

/* A field as a member of its type: schema, text, default, merging. */
static struct value *property(struct openapi_model *model, const struct schema_field *field)
{
	struct arena *arena = model->arena;
	const char *about = schema_text(model->schema, field->description);
	const char *published = schema_text(model->schema, field->published);
	struct value *schema = openapi_field_schema(model, field);
	struct value *reference = value_get(schema, "$ref");

	if (*about)
		value_set_text(arena, schema, "description", about);
	if (*published) {
		struct value *value = json_parse(arena, published, strlen(published), NULL, NULL);

		if (value)
			value_set(arena, schema, "default", value);
	}
	add_merge_facts(model, field, schema);
	/* In version 3 nothing counts beside a reference. */
	if (reference && model->v3 && schema->count > 1) {
		struct value *inner = value_object(arena);

		value_set(arena, inner, "$ref", reference);
		value_remove(schema, "$ref");
		value_push(arena, value_make_array(arena, schema, "allOf"), inner);
	}
	return schema;
}

/* Members in the order of the alphabet, as all documents have them. */
static void push_kind(struct openapi_model *model, struct value *list, const char *group,
		      const char *version, const char *kind)
{
	struct value *entry = value_object(model->arena);

	value_set_text(model->arena, entry, "group", group);
	value_set_text(model->arena, entry, "kind", kind);
	value_set_text(model->arena, entry, "version", version);
	value_push(model->arena, list, entry);
}

/* As which objects the type is written; the options are objects of every group. */
static void add_kinds(struct openapi_model *model, const struct schema_type *type,
		      struct value *definition)
{
	const struct schema *schema = model->schema;
	const char *name = schema_text(schema, type->name);
	struct value *list;

	if (!(type->flags & SCHEMA_TYPE_ANY_GROUP) && !*schema_text(schema, type->kind))
		return;
	list = value_make_array(model->arena, definition, "x-kubernetes-group-version-kind");
	if (!(type->flags & SCHEMA_TYPE_ANY_GROUP)) {
		push_kind(model, list, schema_text(schema, type->group),
			  schema_text(schema, type->version), schema_text(schema, type->kind));
		return;
	}
	for (uint32_t i = 0; i < schema->group_count; i++)
		for (size_t v = 0; v < schema_list_count(schema, schema->groups[i].versions); v++)
			push_kind(model, list, schema_text(schema, schema->groups[i].name),
				  schema_list_at(schema, schema->groups[i].versions, v),
				  strrchr(name, '.') + 1);
}

/* A type by itself. Fields go by name: the order in Go or YAML means nothing here. */
static struct value *definition(struct openapi_model *model, const struct schema_type *type)
{
	struct arena *arena = model->arena;
	const char *about = schema_text(model->schema, type->description);
	struct value *schema = form_schema(model, type->form);
	struct value *required = NULL, *properties = NULL;

	if (*about)
		value_set_text(arena, schema, "description", about);
	for (size_t i = 0; i < type->field_count; i++) {
		const struct schema_field *field = schema_field_at(model->schema, type, i);
		const char *name = schema_text(model->schema, field->name);

		if (!properties)
			properties = value_make_object(arena, schema, "properties");
		value_set(arena, properties, name, property(model, field));
		if (!(field->flags & SCHEMA_REQUIRED))
			continue;
		if (!required)
			required = value_make_array(arena, schema, "required");
		value_push(arena, required, value_string(arena, name));
	}
	if (properties)
		value_sort_keys(properties);
	if (type->flags & SCHEMA_TYPE_ATOMIC)
		value_set_text(arena, schema, "x-kubernetes-map-type", "atomic");
	add_kinds(model, type, schema);
	return schema;
}

/* Making one definition may want more types: the queue grows meanwhile. */
struct value *openapi_definitions(struct openapi_model *model)
{
	struct value *definitions = value_object(model->arena);

	for (size_t i = 0; i < model->queued; i++) {
		const struct schema_type *type = &model->schema->types[model->queue[i]];

		value_set(model->arena, definitions,
			  openapi_type_name(model->arena, model->schema, type),
			  definition(model, type));
	}
	value_sort_keys(definitions);
	return definitions;
}
