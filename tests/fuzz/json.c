/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: tree, reader and skip agree; what is written reads as the same tree. */
#include "machinery/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool reads(const void *data, size_t size, bool skip)
{
	struct json_reader reader;
	enum json_token token;

	json_reader_init(&reader, data, size);
	do {
		token = json_next(&reader);
		if (skip && token != JSON_BAD && json_skip(&reader) != 0)
			return false;
	} while (token != JSON_END && token != JSON_BAD);
	return token == JSON_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf out = COX_BUF_INIT;
	struct value *value = json_parse(&arena, data, size, NULL, &err);

	if (reads(data, size, false) != (value != NULL) ||
	    reads(data, size, true) != (value != NULL))
		abort();
	if (!value)
		return 0;
	json_write(&out, value, 0);
	if (!value_equal(value, json_parse(&arena, out.data, out.size, NULL, NULL)))
		abort();
	return 0;
}
