/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For protobuf_protoc.sh: `decode` reads a protobuf body on standard input and
 * writes JSON, `encode` the other way.
 */
#include "machinery/encode.h"
#include "machinery/json.h"
#include "machinery/protobuf.h"

#include <stdio.h>
#include <string.h>

static int fail(const struct cox_error *err)
{
	fprintf(stderr, "protobuf_tool: %s\n", error_text(err));
	return 1;
}

static int encode(struct arena *arena, const struct cox_buf *in, struct cox_buf *out,
		  struct cox_error *err)
{
	const struct value *value = json_parse(arena, in->data, in->size, NULL, err);
	const struct schema_type *type;
	const char *version, *slash, *group;

	if (!value)
		return -1;
	version = value_get_text(value, "apiVersion");
	slash = strchr(version, '/');
	group = slash ? arena_strndup(arena, version, (size_t)(slash - version)) : "";
	type = schema_type_of_kind(&schema_builtin, group, slash ? slash + 1 : version,
				   value_get_text(value, "kind"));
	if (!type)
		return error_set(err, COX_REASON_BAD_REQUEST, "unknown kind");
	return protobuf_encode_object(out, &schema_builtin, type, value, err);
}

int main(int count, char **words)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf in = COX_BUF_INIT, out = COX_BUF_INIT;
	const struct schema_type *type = NULL;
	const struct value *value;
	size_t got;

	while ((got = fread(cox_buf_reserve(&in, 4096), 1, 4096, stdin)) > 0)
		cox_buf_added(&in, got);
	if (count == 2 && strcmp(words[1], "encode") == 0) {
		if (encode(&arena, &in, &out, &err) != 0)
			return fail(&err);
	} else {
		value = protobuf_decode_object(&arena, &schema_builtin, in.data, in.size, &type,
					       &err);
		if (!value)
			return fail(&err);
		/* in the canonical form, so that the order of fields is no matter */
		schema_encode(&out, &schema_builtin, type, value, 0);
		cox_buf_char(&out, '\n');
	}
	return fwrite(out.data, 1, out.size, stdout) == out.size ? 0 : 1;
}
