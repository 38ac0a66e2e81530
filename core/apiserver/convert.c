/* SPDX-License-Identifier: Apache-2.0 */
/* Conversion by renaming; see the header. */
#include "apiserver/convert.h"

#include <string.h>

static void rename_member(struct arena *arena, struct value *object, const char *from,
			  size_t from_size, const char *to, size_t to_size)
{
	struct value *value = value_get_n(object, from, from_size);

	if (!value)
		return;
	value_remove_n(object, from, from_size);
	value_set_n(arena, object, to, to_size, value);
}

static void set_kind(const struct schema *schema, const struct schema_resource *row,
		     struct arena *arena, struct value *object)
{
	const char *group = schema_text(schema, row->group);

	value_set_text(arena, object, "kind", schema_text(schema, row->kind));
	value_set(arena, object, "apiVersion",
		  value_printf(arena, "%s%s%s", group, *group ? "/" : "",
			       schema_text(schema, row->version)));
}

static void convert(const struct api_resource *resource, struct arena *arena, struct value *object,
		    bool to_stored)
{
	const struct schema *schema = resource->server->schema;
	uint32_t list = resource->row->conversion;

	if (resource->row == resource->stored_row)
		return;
	for (size_t i = 0; i < schema_list_count(schema, list); i++) {
		const char *pair = schema_list_at(schema, list, i); /* "new=stored" */
		const char *stored = strchr(pair, '=') + 1;
		size_t size = (size_t)(stored - pair) - 1;

		if (to_stored)
			rename_member(arena, object, pair, size, stored, strlen(stored));
		else
			rename_member(arena, object, stored, strlen(stored), pair, size);
	}
	set_kind(schema, to_stored ? resource->stored_row : resource->row, arena, object);
}

void convert_to_stored(const struct api_resource *resource, struct arena *arena,
		       struct value *object)
{
	convert(resource, arena, object, true);
}

void convert_from_stored(const struct api_resource *resource, struct arena *arena,
			 struct value *object)
{
	convert(resource, arena, object, false);
}
