/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf bodies: never more than an error; what was read is the same once written. */
#include "machinery/encode.h"
#include "machinery/protobuf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	return 0;
}
