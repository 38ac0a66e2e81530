/* SPDX-License-Identifier: Apache-2.0 */
/* Formats of answers; see the header. */
#include "apiserver/transcode.h"

#include "machinery/encode.h"
#include "machinery/json.h"
#include "machinery/protobuf.h"
#include "machinery/yaml.h"

int transcode_tree(const struct schema *schema, const struct schema_type *type,
		   enum media_format format, bool pretty, const struct value *tree,
		   struct cox_buf *out, struct cox_error *err)
{
	switch (format) {
	case MEDIA_PROTOBUF:
		return protobuf_encode_object(out, schema, type, tree, err);
	case MEDIA_YAML:
		return yaml_write(out, tree, err);
	case MEDIA_JSON:
	case MEDIA_TEXT:
	case MEDIA_NONE:
		break;
	}
	if (pretty)
		json_write(out, tree, JSON_WRITE_PRETTY);
	else
		schema_encode(out, schema, type, tree, 0);
	return 0;
}

int transcode(const struct schema *schema, const struct schema_type *type, enum media_format format,
	      bool pretty, struct cox_bytes json, struct cox_buf *out, struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;
	const struct value *tree;

	if (format != MEDIA_PROTOBUF && format != MEDIA_YAML && !pretty) {
		cox_buf_add(out, json.data, json.size);
		return 0;
	}
	tree = json_parse(&arena, json.data, json.size, NULL, err);
	return tree ? transcode_tree(schema, type, format, pretty, tree, out, err) : -1;
}
