/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API as data: types, their fields, and resources, in constant tables that
 * the generator (api/gen) makes of api/types and api/kinds. Tables hold 32-bit
 * offsets and no pointers, so the built-in ones are read-only memory that all
 * processes share. A custom definition is the same struct, filled at run time.
 *
 * A text is an offset into one pool: schema_text(schema, field->name) is never
 * NULL, 0 is "". A list of texts is an offset too; see schema_list_at. What a
 * lookup returns points into the tables and lives as long as they do. All
 * functions here may be called from any thread.
 */
#ifndef COX_MACHINERY_SCHEMA_H
#define COX_MACHINERY_SCHEMA_H

#include "machinery/tables.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const struct schema schema_builtin;

static inline const char *schema_text(const struct schema *schema, uint32_t text)
{
	return schema->texts + text;
}

static inline size_t schema_list_count(const struct schema *schema, uint32_t list)
{
	return list ? schema->lists[list] : 0;
}

static inline const char *schema_list_at(const struct schema *schema, uint32_t list, size_t index)
{
	return schema->texts + schema->lists[list + 1 + index];
}

bool schema_list_has(const struct schema *schema, uint32_t list, const char *text);

/* By "core.v1.Pod"; by group, version and kind ("", "v1", "Pod"). NULL: none. */
const struct schema_type *schema_type_named(const struct schema *schema, const char *name);
const struct schema_type *schema_type_of_kind(const struct schema *schema, const char *group,
					      const char *version, const char *kind);

static inline const struct schema_field *
schema_field_at(const struct schema *schema, const struct schema_type *type, size_t index)
{
	return &schema->fields[type->fields + index];
}

/* By JSON name, letter case counts; a binary search. NULL: none. */
const struct schema_field *schema_field_get(const struct schema *schema,
					    const struct schema_type *type, const char *name,
					    size_t size);
/*
 * By protobuf number below `depth` embedded messages. `*embedded` tells that
 * fields lie deeper under this number, then NULL is returned: descend into it.
 */
const struct schema_field *schema_field_numbered(const struct schema *schema,
						 const struct schema_type *type,
						 const uint8_t *path, unsigned depth,
						 uint32_t number, bool *embedded);
/* The type of a SCHEMA_OBJECT field, or of its elements if those are objects; else NULL. */
static inline const struct schema_type *schema_field_type(const struct schema *schema,
							  const struct schema_field *field)
{
	if (field->kind != SCHEMA_OBJECT && field->element != SCHEMA_OBJECT)
		return NULL;
	return &schema->types[field->type - 1];
}

/*
 * Values that are one of two things in JSON: a schema (an object), or else what
 * the name says. In protobuf they are messages with the schema as field 1 and
 * the other as field 2, but for the boolean, which comes first.
 */
enum schema_choice {
	SCHEMA_CHOICE_NONE = 0, /* any JSON */
	SCHEMA_CHOICE_SCHEMAS,
	SCHEMA_CHOICE_BOOL,
	SCHEMA_CHOICE_STRINGS
};
#define SCHEMA_CHOICE_TYPE "apiextensions.v1.JSONSchemaProps"

/* Of a SCHEMA_ANY field, or one with such elements. */
enum schema_choice schema_choice_of(const struct schema *schema, const struct schema_field *field);

/* The places of a type's fields in the order of their protobuf numbers; 0 comes last. */
static inline const uint16_t *schema_wire_order(const struct schema *schema,
						const struct schema_type *type)
{
	return schema->orders + type->order + type->field_count;
}

/* By group, version and plural ("", "v1", "pods"). NULL: none. */
const struct schema_resource *schema_resource_get(const struct schema *schema, const char *group,
						  const char *version, const char *name);
const struct schema_resource *schema_resource_of_kind(const struct schema *schema,
						      const char *group, const char *version,
						      const char *kind);
/* The resource whose form is stored; the same one if it stores itself. */
const struct schema_resource *schema_resource_stored(const struct schema *schema,
						     const struct schema_resource *resource);
const struct schema_type *schema_resource_type(const struct schema *schema,
					       const struct schema_resource *resource);
const struct schema_subresource *schema_subresource_get(const struct schema *schema,
							const struct schema_resource *resource,
							const char *name);
const struct schema_label *schema_label_get(const struct schema *schema,
					    const struct schema_resource *resource,
					    const char *name);

/* "create", "delete", … in discovery's order for bit 0, 1, …; NULL: no such bit. */
const char *schema_verb_name(unsigned bit);
unsigned schema_verb_bit(const char *name); /* 0: none */

#endif
