/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf bodies: never more than an error; what was read can be written. */
#include "machinery/protobuf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf out = COX_BUF_INIT;
	const struct schema_type *type = NULL;
	struct value *value =
		protobuf_decode_object(&arena, &schema_builtin, data, size, &type, &err);

	if (!value || !type)
		return 0;
	if (protobuf_encode_object(&out, &schema_builtin, type, value, &err) == 0 &&
	    !protobuf_decode_object(&arena, &schema_builtin, out.data, out.size, &type, &err))
		abort();
	return 0;
}
