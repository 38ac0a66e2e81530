/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists in every form; see shape.h. A list is a head, its items one by one and
 * a tail. YAML has its keys in the order of the alphabet, so that the items lie
 * in the middle; protobuf has the length of all before the first.
 */
#include "apiserver/shape.h"

#include "apiserver/table.h"
#include "base/log.h"
#include "machinery/json.h"
#include "machinery/protobuf.h"
#include "machinery/protobuf_put.h"
#include "machinery/yaml.h"

#include <inttypes.h>
#include <string.h>

enum { ITEM_LEVEL = 2, PROTOBUF_ITEMS = 2 };

static void write_kind(const struct shape *shape, struct cox_buf *kind, struct cox_buf *version)
{
	const struct api_resource *resource = shape->resource;

	if (shape->form == SHAPE_OBJECT) {
		cox_buf_str(kind, schema_text(resource->server->schema, resource->row->list_kind));
		cox_buf_printf(version, "%s%s%s", resource->group, *resource->group ? "/" : "",
			       resource->version);
		return;
	}
	cox_buf_str(kind, shape->form == SHAPE_TABLE ? "Table" : "PartialObjectMetadataList");
	cox_buf_printf(version, "meta.k8s.io/%s", shape->form_version);
}

static void write_meta(const struct list_meta *meta, struct cox_buf *out)
{
	cox_buf_printf(out, "{\"resourceVersion\":\"%" PRIu64 "\"", meta->version);
	if (*meta->continue_)
		cox_buf_printf(out, ",\"continue\":\"%s\"", meta->continue_);
	if (meta->remaining >= 0)
		cox_buf_printf(out, ",\"remainingItemCount\":%" PRId64, meta->remaining);
	cox_buf_char(out, '}');
}

static struct value *meta_tree(const struct list_meta *meta, struct arena *arena)
{
	cox_autobuf text = COX_BUF_INIT;

	write_meta(meta, &text);
	return json_parse(arena, text.data, text.size, NULL, NULL);
}

static struct value *columns_tree(const struct shape *shape, struct arena *arena)
{
	cox_autobuf text = COX_BUF_INIT;

	table_write_columns(shape->resource, &text);
	return json_parse(arena, text.data, text.size, NULL, NULL);
}

static const char *items_name(const struct shape *shape)
{
	return shape->form == SHAPE_TABLE ? "rows" : "items";
}

static void json_head(const struct shape *shape, const struct list_meta *meta, struct cox_buf *out)
{
	cox_autobuf kind = COX_BUF_INIT, version = COX_BUF_INIT;

	write_kind(shape, &kind, &version);
	cox_buf_printf(out, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":", kind.data,
		       version.data);
	write_meta(meta, out);
	if (shape->form == SHAPE_TABLE) {
		cox_buf_str(out, ",\"columnDefinitions\":");
		table_write_columns(shape->resource, out);
	}
	cox_buf_printf(out, ",\"%s\":[", items_name(shape));
}

static void pretty_head(const struct shape *shape, const struct list_meta *meta,
			struct cox_buf *out)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf kind = COX_BUF_INIT, version = COX_BUF_INIT;

	write_kind(shape, &kind, &version);
	cox_buf_printf(out, "{\n  \"kind\": \"%s\",\n  \"apiVersion\": \"%s\",\n  \"metadata\": ",
		       kind.data, version.data);
	json_write_inside(out, meta_tree(meta, &arena), 1);
	if (shape->form == SHAPE_TABLE) {
		cox_buf_str(out, ",\n  \"columnDefinitions\": ");
		json_write_inside(out, columns_tree(shape, &arena), 1);
	}
	cox_buf_printf(out, ",\n  \"%s\": [", items_name(shape));
}

/* What these trees hold is texts and numbers of our own. */
static void yaml_tree(const struct value *tree, struct cox_buf *out)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (yaml_write(out, tree, &err) != 0)
		log_error("%s", error_text(&err));
}

static void yaml_head(const struct shape *shape, const struct list_meta *meta, struct cox_buf *out)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf kind = COX_BUF_INIT, version = COX_BUF_INIT;
	struct value *tree = value_object(&arena);

	write_kind(shape, &kind, &version);
	value_set_text(&arena, tree, "apiVersion", version.data);
	if (shape->form == SHAPE_TABLE) {
		value_set_text(&arena, tree, "kind", kind.data);
		value_set(&arena, tree, "metadata", meta_tree(meta, &arena));
		value_set(&arena, tree, "columnDefinitions", columns_tree(shape, &arena));
	}
	yaml_tree(tree, out);
	cox_buf_printf(out, "%s:", items_name(shape));
}

static void yaml_tail(const struct shape *shape, const struct list_meta *meta, bool any,
		      struct cox_buf *out)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf kind = COX_BUF_INIT, version = COX_BUF_INIT;
	struct value *tree = value_object(&arena);

	if (!any)
		cox_buf_str(out, " []\n");
	if (shape->form == SHAPE_TABLE)
		return;
	write_kind(shape, &kind, &version);
	value_set_text(&arena, tree, "kind", kind.data);
	value_set(&arena, tree, "metadata", meta_tree(meta, &arena));
	yaml_tree(tree, out);
}

static void protobuf_head(const struct shape *shape, const struct list_meta *meta, uint64_t size,
			  struct cox_buf *out)
{
	const struct schema *schema = shape->resource->server->schema;
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf kind = COX_BUF_INIT, version = COX_BUF_INIT;
	cox_autobuf inside = COX_BUF_INIT, field = COX_BUF_INIT;

	write_kind(shape, &kind, &version);
	/* Two texts and a number: they fit their type. */
	if (protobuf_encode(&inside, schema, schema_type_named(schema, "meta.v1.ListMeta"),
			    meta_tree(meta, &arena), NULL) != 0)
		cox_buf_clear(&inside);
	protobuf_write_bytes(&field, 1, inside.data, inside.size);
	protobuf_open_object(out, version.data, kind.data, size + field.size);
	cox_buf_add(out, field.data, field.size);
}

void shape_list_head(const struct shape *shape, const struct list_meta *meta, uint64_t size,
		     struct cox_buf *out)
{
	if (shape->format == MEDIA_PROTOBUF)
		protobuf_head(shape, meta, size, out);
	else if (shape->format == MEDIA_YAML)
		yaml_head(shape, meta, out);
	else if (shape->pretty)
		pretty_head(shape, meta, out);
	else
		json_head(shape, meta, out);
}

void shape_list_tail(const struct shape *shape, const struct list_meta *meta, bool any,
		     struct cox_buf *out)
{
	if (shape->format == MEDIA_PROTOBUF)
		protobuf_close_object(out);
	else if (shape->format == MEDIA_YAML)
		yaml_tail(shape, meta, any, out);
	else if (shape->pretty)
		cox_buf_str(out, any ? "\n  ]\n}" : "]\n}");
	else
		cox_buf_str(out, "]}");
}

void shape_list_begin(struct shape_list *list, const struct shape *shape,
		      const struct list_meta *meta, struct cox_buf *out)
{
	*list = (struct shape_list){.shape = shape, .out = out, .meta = *meta, .start = out->size};
	/* Protobuf's head waits for the length. */
	if (shape->format != MEDIA_PROTOBUF)
		shape_list_head(shape, meta, 0, out);
}

void shape_list_add_item(struct shape_list *list, struct cox_bytes item)
{
	if (list->shape->format == MEDIA_PROTOBUF) {
		protobuf_write_bytes(list->out, PROTOBUF_ITEMS, item.data, item.size);
	} else {
		if (list->count)
			cox_buf_char(list->out, ',');
		cox_buf_add(list->out, item.data, item.size);
	}
	list->count++;
}

/* What people read: made anew for its place in the list. */
static int add_tree(struct shape_list *list, struct cox_bytes json, struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *tree = json_parse(&arena, json.data, json.size, NULL, err);

	if (!tree)
		return -1;
	if (list->shape->format == MEDIA_YAML) {
		if (list->count == 0)
			cox_buf_char(list->out, '\n');
		list->count++;
		return yaml_write_item(list->out, tree, err);
	}
	cox_buf_str(list->out, list->count++ ? ",\n    " : "\n    ");
	json_write_inside(list->out, tree, ITEM_LEVEL);
	return 0;
}

int shape_list_add(struct shape_list *list, struct cox_bytes json, struct cox_error *err)
{
	const struct shape *shape = list->shape;
	bool for_people = shape->format == MEDIA_YAML || shape->pretty;
	struct shape plain = *shape;
	cox_autobuf item = COX_BUF_INIT;
	size_t start;
	int status;

	if (shape->format == MEDIA_PROTOBUF) {
		start = put_open(list->out, PROTOBUF_ITEMS);
		if (shape_item(shape, json, list->out, err) != 0)
			return -1;
		put_close(list->out, start);
		list->count++;
		return 0;
	}
	if (for_people) {
		plain.pretty = false;
		plain.format = MEDIA_JSON;
	}
	status = shape->form == SHAPE_TABLE ? shape_row(&plain, json, &item, err)
					    : shape_item(&plain, json, &item, err);
	if (status != 0)
		return -1;
	if (for_people)
		return add_tree(list, (struct cox_bytes){item.data, item.size}, err);
	shape_list_add_item(list, (struct cox_bytes){item.data, item.size});
	return 0;
}

void shape_list_end(struct shape_list *list)
{
	cox_autobuf head = COX_BUF_INIT;
	struct cox_buf *out = list->out;

	if (list->shape->format == MEDIA_PROTOBUF) {
		size_t size = out->size - list->start;

		shape_list_head(list->shape, &list->meta, size, &head);
		cox_buf_reserve(out, head.size);
		memmove(out->data + list->start + head.size, out->data + list->start, size);
		memcpy(out->data + list->start, head.data, head.size);
		cox_buf_added(out, head.size);
	}
	shape_list_tail(list->shape, &list->meta, list->count > 0, out);
}
