/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of objects and of the events of a watch; see the header. */
#include "apiserver/shape.h"

#include "apiserver/table.h"
#include "apiserver/transcode.h"
#include "base/clock.h"
#include "machinery/convert.h"
#include "machinery/json.h"
#include "machinery/protobuf.h"

#include <string.h>

bool shape_is_canonical(const struct shape *shape)
{
	return shape->format == MEDIA_JSON && shape->form == SHAPE_OBJECT && !shape->pretty &&
	       shape->resource->row == shape->resource->stored_row;
}

uint64_t shape_form(const struct shape *shape, enum shape_part part)
{
	uint64_t view = (uint64_t)(shape->resource - shape->resource->server->resources);

	if (shape->form == SHAPE_TABLE || shape->pretty || shape->format == MEDIA_YAML)
		return 0;
	return part | (uint64_t)shape->format << 8 | (uint64_t)shape->form << 16 |
	       (uint64_t)(strcmp(shape->form_version, "v1beta1") == 0) << 24 | view << 32;
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

/* The bytes of metadata among canonical ones, of which it is a member near the front. */
static struct cox_bytes find_metadata(struct cox_bytes json)
{
	struct json_reader reader;
	const char *from;

	json_reader_init(&reader, json.data, json.size);
	if (json_next(&reader) != JSON_OBJECT_BEGIN)
		return (struct cox_bytes){NULL, 0};
	while (json_next(&reader) == JSON_KEY) {
		bool found = reader.text_size == strlen("metadata") &&
			     memcmp(reader.text, "metadata", reader.text_size) == 0;

		from = reader.data + reader.at;
		if (json_skip(&reader) != 0)
			break;
		if (found)
			return (struct cox_bytes){from, (size_t)(reader.data + reader.at - from)};
	}
	return (struct cox_bytes){NULL, 0};
}

/* PartialObjectMetadata as canonical JSON: no version of a kind changes its metadata. */
static void write_partial(const struct shape *shape, struct cox_bytes json, struct cox_buf *out)
{
	struct cox_bytes metadata = find_metadata(json);

	cox_buf_printf(out,
		       "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/%s\","
		       "\"metadata\":",
		       shape->form_version);
	if (metadata.data)
		cox_buf_add(out, metadata.data, metadata.size);
	else
		cox_buf_str(out, "{}");
	cox_buf_char(out, '}');
}

static const struct schema_type *answered_type(const struct shape *shape)
{
	return shape->form == SHAPE_OBJECT ? shape->resource->type
					   : schema_type_named(shape->resource->server->schema,
							       "meta.v1.PartialObjectMetadata");
}

/* The tree of what is answered, which is no Table. */
static struct value *read_answered(const struct shape *shape, struct arena *arena,
				   struct cox_bytes json, struct cox_error *err)
{
	cox_autobuf partial = COX_BUF_INIT;

	if (shape->form == SHAPE_OBJECT)
		return read_object(shape, arena, json, err);
	write_partial(shape, json, &partial);
	return json_parse(arena, partial.data, partial.size, NULL, err);
}

static void write_row(const struct shape *shape, struct value *object, struct cox_bytes json,
		      struct cox_buf *out)
{
	cox_buf_str(out, "{\"cells\":");
	table_write_cells(shape->resource, object, clock_realtime(), out);
	cox_buf_str(out, ",\"object\":");
	if (shape->include == INCLUDE_NONE)
		cox_buf_str(out, "null");
	else if (shape->include == INCLUDE_OBJECT)
		json_write(out, object, 0);
	else
		write_partial(shape, json, out);
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

static void write_table(const struct shape *shape, struct value *object, struct cox_bytes json,
			struct cox_buf *out)
{
	cox_autobuf metadata = COX_BUF_INIT;
	const char *version = value_text(value_path(object, "metadata.resourceVersion"));

	cox_buf_str(&metadata, "{");
	if (*version)
		cox_buf_printf(&metadata, "\"resourceVersion\":\"%s\"", version);
	cox_buf_str(&metadata, "}");
	open_table(shape, metadata.data, out);
	write_row(shape, object, json, out);
	cox_buf_str(out, "]}");
}

static int table_object(const struct shape *shape, struct cox_bytes json, struct cox_buf *out,
			struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf table = COX_BUF_INIT;
	struct value *object = read_object(shape, &arena, json, err);

	if (!object)
		return -1;
	write_table(shape, object, json, &table);
	return transcode(shape->resource->server->schema, NULL, shape->format, shape->pretty,
			 (struct cox_bytes){table.data, table.size}, out, err);
}

int shape_row(const struct shape *shape, struct cox_bytes json, struct cox_buf *out,
	      struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *object = read_object(shape, &arena, json, err);

	if (!object)
		return -1;
	write_row(shape, object, json, out);
	return 0;
}

/* The message by itself: without a tree, if no other version has to be made first. */
static int protobuf_item(const struct shape *shape, struct cox_bytes json, struct cox_buf *out,
			 struct cox_error *err)
{
	const struct api_resource *resource = shape->resource;
	const struct schema *schema = resource->server->schema;
	cox_autobuf partial = COX_BUF_INIT;
	cox_autoarena arena = ARENA_INIT;
	struct value *object;

	if (shape->form != SHAPE_OBJECT) {
		write_partial(shape, json, &partial);
		json = (struct cox_bytes){partial.data, partial.size};
	} else if (resource->row != resource->stored_row) {
		object = read_object(shape, &arena, json, err);
		return object ? protobuf_encode(out, schema, answered_type(shape), object, err)
			      : -1;
	}
	return protobuf_encode_json(out, schema, answered_type(shape), json.data, json.size, err);
}

static int protobuf_object(const struct shape *shape, struct cox_bytes json, struct cox_buf *out,
			   struct cox_error *err)
{
	cox_autobuf item = COX_BUF_INIT;

	if (protobuf_item(shape, json, &item, err) != 0)
		return -1;
	shape_open(shape, item.size, out);
	cox_buf_add(out, item.data, item.size);
	shape_close(shape, out);
	return 0;
}

int shape_object(const struct shape *shape, struct cox_bytes json, struct cox_buf *out,
		 struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *object;

	if (shape_is_canonical(shape)) {
		cox_buf_add(out, json.data, json.size);
		return 0;
	}
	if (shape->form == SHAPE_TABLE)
		return table_object(shape, json, out, err);
	if (shape->form != SHAPE_OBJECT && shape->format == MEDIA_JSON && !shape->pretty) {
		write_partial(shape, json, out);
		return 0;
	}
	if (shape->format == MEDIA_PROTOBUF)
		return protobuf_object(shape, json, out, err);
	object = read_answered(shape, &arena, json, err);
	if (!object)
		return -1;
	return transcode_tree(shape->resource->server->schema, answered_type(shape), shape->format,
			      shape->pretty, object, out, err);
}

int shape_item(const struct shape *shape, struct cox_bytes json, struct cox_buf *out,
	       struct cox_error *err)
{
	return shape->format == MEDIA_PROTOBUF ? protobuf_item(shape, json, out, err)
					       : shape_object(shape, json, out, err);
}

void shape_open(const struct shape *shape, size_t size, struct cox_buf *out)
{
	const struct api_resource *resource = shape->resource;
	cox_autobuf version = COX_BUF_INIT;

	if (shape->format != MEDIA_PROTOBUF)
		return;
	if (shape->form == SHAPE_OBJECT)
		cox_buf_printf(&version, "%s%s%s", resource->group, *resource->group ? "/" : "",
			       resource->version);
	else
		cox_buf_printf(&version, "meta.k8s.io/%s", shape->form_version);
	protobuf_open_object(out, version.data,
			     shape->form == SHAPE_OBJECT ? resource->kind : "PartialObjectMetadata",
			     size);
}

void shape_close(const struct shape *shape, struct cox_buf *out)
{
	if (shape->format == MEDIA_PROTOBUF)
		protobuf_close_object(out);
}

/* Watches */

/* A bookmark has no cells: a Table without rows that carries the revision. */
static int table_event(const struct shape *shape, const char *type, struct cox_bytes json,
		       struct cox_buf *out, struct cox_error *err)
{
	struct cox_bytes metadata = find_metadata(json);
	cox_autobuf text = COX_BUF_INIT;

	if (strcmp(type, "BOOKMARK") != 0)
		return table_object(shape, json, out, err);
	cox_buf_add(&text, metadata.data, metadata.size);
	open_table(shape, cox_buf_cstr(&text), out);
	/* client-go looks for the annotation in the row's object. */
	cox_buf_str(out, "{\"cells\":[],\"object\":");
	write_partial(shape, json, out);
	cox_buf_str(out, "}]}");
	return 0;
}

/* The object of an event by itself. */
static int event_object(const struct shape *shape, const char *type, struct cox_bytes json,
			struct cox_buf *out, struct cox_error *err)
{
	const struct schema *schema = shape->resource->server->schema;

	if (strcmp(type, "ERROR") == 0)
		return transcode(schema, schema_type_named(schema, "meta.v1.Status"), shape->format,
				 false, json, out, err);
	if (shape->form == SHAPE_TABLE)
		return table_event(shape, type, json, out, err);
	/* It is in the version that is asked for already. */
	if (strcmp(type, "BOOKMARK") == 0 && shape->form == SHAPE_OBJECT)
		return transcode(schema, shape->resource->type, shape->format, false, json, out,
				 err);
	return shape_object(shape, json, out, err);
}

/* The length of what was written since `start`, in front of it. */
static void put_length(struct cox_buf *out, size_t start)
{
	size_t size = out->size - start - 4;

	for (int i = 0; i < 4; i++)
		out->data[start + (size_t)i] = (char)(size >> (24 - 8 * i));
}

int shape_watch_frame(const struct shape *shape, const char *type, struct cox_bytes json,
		      struct cox_buf *out, struct cox_error *err)
{
	struct shape compact = *shape;
	cox_autobuf object = COX_BUF_INIT, raw = COX_BUF_INIT;
	size_t start = out->size;

	compact.pretty = false;
	if (shape->format != MEDIA_PROTOBUF) {
		cox_buf_printf(out, "{\"type\":\"%s\",\"object\":", type);
		if (event_object(&compact, type, json, out, err) != 0)
			return -1;
		cox_buf_str(out, "}\n");
		return 0;
	}
	if (event_object(&compact, type, json, &object, err) != 0)
		return -1;
	protobuf_write_bytes(&raw, 1, object.data, object.size);
	cox_buf_add(out, "\0\0\0\0", 4);
	protobuf_write_bytes(out, 1, type, strlen(type));
	protobuf_write_bytes(out, 2, raw.data, raw.size);
	put_length(out, start);
	return 0;
}
