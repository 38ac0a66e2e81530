/* SPDX-License-Identifier: Apache-2.0 */
/* YAML: what is read can be written as JSON and reads as the same tree. */
#include "machinery/yaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf out = COX_BUF_INIT;
	struct value *value = yaml_parse(&arena, data, size, NULL, &err);

	if (!value)
		return 0;
	json_write(&out, value, 0);
	if (!value_equal(value, json_parse(&arena, out.data, out.size, NULL, NULL)))
		abort();
	return 0;
}
