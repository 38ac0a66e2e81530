/* SPDX-License-Identifier: Apache-2.0 */
/* YAML: what is read can be written, also as JSON, and reads as the same tree. */
#include "machinery/yaml.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_yaml(const struct value *value)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf out = COX_BUF_INIT, list = COX_BUF_INIT;
	struct value *again;

	if (yaml_write(&out, value, &err) != 0)
		abort();
	again = yaml_parse(&arena, out.data, out.size, NULL, &err);
	if (!again || !value_equal(value, again))
		abort();
	cox_buf_str(&list, "items:\n");
	if (yaml_write_item(&list, value, &err) != 0)
		abort();
	/* What is as deep as can be is too deep for a list. */
	again = yaml_parse(&arena, list.data, list.size, NULL, &err);
	if (again ? !value_equal(value, value_at(value_get(again, "items"), 0))
		  : !strstr(error_text(&err), "deep"))
		abort();
}

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
	check_yaml(value);
	return 0;
}
