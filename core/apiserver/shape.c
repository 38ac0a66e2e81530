/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of objects; see the header. */
#include "apiserver/shape.h"

#include "apiserver/table.h"
#include "base/clock.h"
#include "machinery/convert.h"
#include "machinery/encode.h"
#include "machinery/json.h"

#include <inttypes.h>
#include <string.h>

bool shape_is_canonical(const struct shape *shape)
{
	return shape->form == SHAPE_OBJECT && !shape->pretty &&
	       shape->resource->row == shape->resource->stored_row;
}

/* The object in the version that is asked for. */
static struct value *read_object(const struct shape *shape, struct arena *arena,
				 struct cox_bytes json, struct cox_error *err)
{
	const struct api_resource *resource = shape->resource;
	struct value *object = json_parse(arena, json.data, json.size, NULL, err);

	if (!object || schema_convert(resource->server->schema, resource->stored_row, resource->row,
				      arena, object, err) != 0)
		return NULL;
	return object;
}

static struct value *partial_object(const struct shape *shape, struct arena *arena,
				    struct value *object)
{
	struct value *partial = value_object(arena);
	struct value *metadata = value_get(object, "metadata");

	value_set_text(arena, partial, "kind", "PartialObjectMetadata");
	value_set(arena, partial, "apiVersion",
		  value_printf(arena, "meta.k8s.io/%s", shape->form_version));
	value_set(arena, partial, "metadata", metadata ? metadata : value_object(arena));
	return partial;
}

static void write_included(const struct shape *shape, struct arena *arena, struct value *object,
			   struct cox_buf *out)
{
	if (shape->include == INCLUDE_NONE) {
		cox_buf_str(out, "null");
		return;
	}
	json_write(out,
		   shape->include == INCLUDE_OBJECT ? object
						    : partial_object(shape, arena, object),
		   0);
}

static void write_row(const struct shape *shape, struct arena *arena, struct value *object,
		      struct cox_buf *out)
{
	cox_buf_str(out, "{\"cells\":");
	table_write_cells(shape->resource, object, clock_realtime(), out);
	cox_buf_str(out, ",\"object\":");
	write_included(shape, arena, object, out);
	cox_buf_char(out, '}');
}

static void open_table(const struct shape *shape, const char *metadata, struct cox_buf *out)
{
	cox_buf_printf(out,
		       "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/%s\",\"metadata\":%s,"
		       "\"columnDefinitions\":",
		       shape->form_version, metadata);
	if (shape->no_columns)
		cox_buf_str(out, "[]");
	else
		table_write_columns(shape->resource, out);
	cox_buf_str(out, ",\"rows\":[");
}

static void write_table(const struct shape *shape, struct arena *arena, struct value *object,
			struct cox_buf *out)
{
	cox_autobuf metadata = COX_BUF_INIT;
	const char *version = value_text(value_path(object, "metadata.resourceVersion"));

	cox_buf_str(&metadata, "{");
	if (*version)
		cox_buf_printf(&metadata, "\"resourceVersion\":\"%s\"", version);
	cox_buf_str(&metadata, "}");
	open_table(shape, metadata.data, out);
	write_row(shape, arena, object, out);
	cox_buf_str(out, "]}");
}

int shape_object(const struct shape *shape, struct cox_bytes json, struct cox_buf *out,
		 struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;
	const struct schema *schema = shape->resource->server->schema;
	struct value *object;

	if (shape_is_canonical(shape)) {
		cox_buf_add(out, json.data, json.size);
		return 0;
	}
	object = read_object(shape, &arena, json, err);
	if (!object)
		return -1;
	if (shape->form == SHAPE_TABLE) {
		write_table(shape, &arena, object, out);
		return 0;
	}
	if (shape->form != SHAPE_OBJECT) {
		object = partial_object(shape, &arena, object);
	} else if (!shape->pretty) {
		schema_encode(out, schema, shape->resource->type, object, 0);
		return 0;
	}
	json_write(out, object, shape->pretty ? JSON_WRITE_PRETTY : 0);
	return 0;
}

/* Lists */

static void write_list_meta(const struct list_meta *meta, struct cox_buf *out)
{
	cox_buf_printf(out, "{\"resourceVersion\":\"%" PRIu64 "\"", meta->version);
	if (*meta->continue_)
		cox_buf_printf(out, ",\"continue\":\"%s\"", meta->continue_);
	if (meta->remaining >= 0)
		cox_buf_printf(out, ",\"remainingItemCount\":%" PRId64, meta->remaining);
	cox_buf_char(out, '}');
}

void shape_list_open(const struct api_resource *resource, const struct list_meta *meta,
		     struct cox_buf *out)
{
	cox_buf_printf(out, "{\"kind\":\"%s\",\"apiVersion\":\"%s%s%s\",\"metadata\":",
		       schema_text(resource->server->schema, resource->row->list_kind),
		       resource->group, *resource->group ? "/" : "", resource->version);
	write_list_meta(meta, out);
	cox_buf_str(out, ",\"items\":[");
}

void shape_list_close(struct cox_buf *out)
{
	cox_buf_str(out, "]}");
}

void shape_list_begin(struct shape_list *list, const struct shape *shape,
		      const struct list_meta *meta, struct cox_buf *out)
{
	cox_autobuf metadata = COX_BUF_INIT;

	*list = (struct shape_list){.shape = shape, .out = out, .meta = *meta};
	if (shape->form == SHAPE_OBJECT) {
		shape_list_open(shape->resource, meta, out);
		return;
	}
	write_list_meta(meta, &metadata);
	if (shape->form == SHAPE_TABLE)
		open_table(shape, metadata.data, out);
	else
		cox_buf_printf(out,
			       "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":"
			       "\"meta.k8s.io/%s\",\"metadata\":%s,\"items\":[",
			       shape->form_version, metadata.data);
}

int shape_list_add(struct shape_list *list, struct cox_bytes json, struct cox_error *err)
{
	const struct shape *shape = list->shape;
	cox_autoarena arena = ARENA_INIT;
	struct value *object;

	if (list->count++)
		cox_buf_char(list->out, ',');
	if (shape->form != SHAPE_TABLE)
		return shape_object(shape, json, list->out, err);
	object = read_object(shape, &arena, json, err);
	if (!object)
		return -1;
	write_row(shape, &arena, object, list->out);
	return 0;
}

void shape_list_end(struct shape_list *list)
{
	shape_list_close(list->out);
}

/* Watches */

/* A bookmark has no cells: a Table without rows that carries the revision. */
static int table_frame(const struct shape *shape, const char *type, struct cox_bytes json,
		       struct cox_buf *out, struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf metadata = COX_BUF_INIT;
	bool bookmark = strcmp(type, "BOOKMARK") == 0;
	struct value *object = bookmark ? json_parse(&arena, json.data, json.size, NULL, err)
					: read_object(shape, &arena, json, err);

	if (!object)
		return -1;
	if (!bookmark) {
		write_table(shape, &arena, object, out);
		return 0;
	}
	json_write(&metadata, value_get(object, "metadata"), 0);
	open_table(shape, metadata.data, out);
	/* client-go looks for the annotation in the row's object. */
	cox_buf_str(out, "{\"cells\":[],\"object\":");
	json_write(out, partial_object(shape, &arena, object), 0);
	cox_buf_str(out, "}]}");
	return 0;
}

int shape_watch_frame(const struct shape *shape, const char *type, struct cox_bytes json,
		      struct cox_buf *out, struct cox_error *err)
{
	bool as_it_is = strcmp(type, "ERROR") == 0 ||
			(strcmp(type, "BOOKMARK") == 0 && shape->form == SHAPE_OBJECT);
	struct shape compact = *shape;
	int status = 0;

	compact.pretty = false;
	cox_buf_printf(out, "{\"type\":\"%s\",\"object\":", type);
	if (as_it_is)
		cox_buf_add(out, json.data, json.size);
	else if (shape->form == SHAPE_TABLE)
		status = table_frame(&compact, type, json, out, err);
	else
		status = shape_object(&compact, json, out, err);
	cox_buf_str(out, "}\n");
	return status;
}
