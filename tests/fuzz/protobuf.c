/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf bodies: never more than an error; what was read is the same once written. */
#include "machinery/encode.h"
#include "machinery/json.h"
#include "machinery/protobuf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* With and without a tree it is the same, or nothing. */
static void check_direct(const struct schema_type *type, const struct cox_buf *json)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf out = COX_BUF_INIT, direct = COX_BUF_INIT;
	struct value *value = json_parse(&arena, json->data, json->size, NULL, NULL);

	if (!value || protobuf_encode(&out, &schema_builtin, type, value, NULL) != 0)
		return;
	if (protobuf_encode_json(&direct, &schema_builtin, type, json->data, json->size, NULL) !=
		    0 ||
	    out.size != direct.size || memcmp(out.data, direct.data, out.size) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf out = COX_BUF_INIT, before = COX_BUF_INIT, after = COX_BUF_INIT;
	struct value *again;
	const struct schema_type *type = NULL;
	struct value *value =
		protobuf_decode_object(&arena, &schema_builtin, data, size, &type, &err);

	if (!value || !type)
		return 0;
	if (protobuf_encode_object(&out, &schema_builtin, type, value, &err) != 0)
		return 0;
	again = protobuf_decode_object(&arena, &schema_builtin, out.data, out.size, &type, &err);
	if (!again)
		abort();
	schema_encode(&before, &schema_builtin, type, value, 0);
	schema_encode(&after, &schema_builtin, type, again, 0);
	if (before.size != after.size || memcmp(before.data, after.data, before.size) != 0)
		abort();
	check_direct(type, &before);
	return 0;
}
