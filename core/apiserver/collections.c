/* SPDX-License-Identifier: Apache-2.0 */
/* Served resources and their collections; see the header. */
#include "apiserver/collections.h"

#include "apiserver/measure.h"
#include "apiserver/strategy.h"
#include "machinery/decode.h"
#include "machinery/defaults.h"
#include "machinery/encode.h"
#include "machinery/json.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A value written under another schema, or by somebody else: brought into
 * today's canonical form. What today's types do not know is left out.
 */
static int decode_stored(const struct store_decoder *self, struct cox_bytes key,
			 struct cox_bytes value, uint32_t tag, struct cox_buf *out,
			 struct cox_error *err)
{
	const struct api_resource *resource =
		(const struct api_resource *)(const void *)((const char *)self -
							    offsetof(struct api_resource, decoder));
	const struct schema *schema = resource->server->schema;
	cox_autoarena arena = ARENA_INIT;
	struct value *tree;

	(void)key;
	(void)tag;
	tree = json_parse(&arena, value.data, value.size, NULL, err);
	if (!tree || schema_decode(schema, resource->stored_type, &arena, tree, NULL, err) != 0)
		return -1;
	schema_apply_defaults(schema, resource->stored_type, &arena, tree);
	schema_encode(out, schema, resource->stored_type, tree, ENCODE_STORAGE);
	return 0;
}

/* Paths of a label, in the form that the store takes: joined by '|'. */
static char *label_paths(const struct schema *schema, const struct schema_label *label)
{
	cox_autobuf paths = COX_BUF_INIT;

	for (size_t i = 0; i < schema_list_count(schema, label->values); i++)
		cox_buf_printf(&paths, "%s%s", i ? "|" : "",
			       schema_list_at(schema, label->values, i));
	return cox_buf_steal(&paths);
}

static int add_collection(struct apiserver *server, struct api_resource *resource,
			  struct cox_error *err)
{
	const struct schema *schema = server->schema;
	const struct schema_resource *row = resource->row;
	struct store_field fields[STORE_FIELDS_MAX];
	char *paths[STORE_FIELDS_MAX];
	struct store_collection_options options = {.name = resource->name,
						   .prefix = schema_text(schema, row->prefix),
						   .namespaced = resource->namespaced,
						   .records = !strcmp(resource->name, "events"),
						   .tag = schema->epoch,
						   .fields = fields,
						   .decoder = &resource->decoder};

	for (unsigned i = 0; i < row->label_count; i++) {
		const struct schema_label *label = &schema->labels[row->labels + i];
		const char *name = schema_text(schema, label->maps_to);

		/* Labels that are another one by a second name have no field of their own. */
		if (!(label->flags & SCHEMA_LABEL_MATCHED) ||
		    strcmp(name, schema_text(schema, label->name)) != 0 ||
		    options.field_count == STORE_FIELDS_MAX)
			continue;
		paths[options.field_count] = label_paths(schema, label);
		fields[options.field_count] = (struct store_field){
			.label = name,
			.path = paths[options.field_count],
			.absent = label->flags & SCHEMA_LABEL_BOOLEAN ? "false" : NULL,
			.indexed = strcmp(name, "spec.nodeName") == 0};
		options.field_count++;
	}
	resource->collection = store_add_collection(server->store, &options, err);
	for (size_t i = 0; i < options.field_count; i++)
		free(paths[i]);
	return resource->collection ? 0 : -1;
}

static void fill_resource(struct apiserver *server, struct api_resource *resource,
			  const struct schema_resource *row)
{
	const struct schema *schema = server->schema;

	*resource = (struct api_resource){.server = server,
					  .row = row,
					  .type = schema_resource_type(schema, row),
					  .group = schema_text(schema, row->group),
					  .version = schema_text(schema, row->version),
					  .name = schema_text(schema, row->name),
					  .kind = schema_text(schema, row->kind),
					  .namespaced = row->flags & SCHEMA_NAMESPACED,
					  .stored_row = schema_resource_stored(schema, row),
					  .decoder = {.decode = decode_stored}};
	resource->stored_type = schema_resource_type(schema, resource->stored_row);
	resource->strategy = strategy_get(resource->group, resource->name);
	resource->measures = cox_new(struct measures);
}

/* Views take over the collection of the version that is stored. */
static void link_views(struct apiserver *server)
{
	for (size_t i = 0; i < server->resource_count; i++) {
		struct api_resource *view = &server->resources[i];

		if (view->row == view->stored_row || (view->row->flags & SCHEMA_VIRTUAL))
			continue;
		for (size_t k = 0; k < server->resource_count; k++)
			if (server->resources[k].row == view->stored_row)
				view->collection = server->resources[k].collection;
	}
}

int collections_add(struct apiserver *server, struct cox_error *err)
{
	const struct schema *schema = server->schema;

	server->resources = cox_calloc(schema->resource_count, sizeof(*server->resources));
	for (uint32_t i = 0; i < schema->resource_count; i++) {
		const struct schema_resource *row = &schema->resources[i];
		struct api_resource *resource = &server->resources[server->resource_count];
		char key[512];
		int size;

		fill_resource(server, resource, row);
		server->resource_count++;
		size = snprintf(key, sizeof(key), "%s/%s/%s", resource->group, resource->version,
				resource->name);
		cox_map_put(&server->resource_map, key, (size_t)size, resource);
		if (!(row->flags & SCHEMA_VIRTUAL) && resource->row == resource->stored_row &&
		    add_collection(server, resource, err) != 0)
			return error_wrap(err, "collection of %s", resource->name);
	}
	link_views(server);
	return 0;
}

void collections_free(struct apiserver *server)
{
	cox_map_free(&server->resource_map);
	for (size_t i = 0; i < server->resource_count; i++)
		free(server->resources[i].measures);
	free(server->resources);
	server->resources = NULL;
	server->resource_count = 0;
}
