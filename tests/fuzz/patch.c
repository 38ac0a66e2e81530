/* SPDX-License-Identifier: Apache-2.0 */
/* Patches: [document, patch] with each of the three kinds, as a pod. */
#include "machinery/json.h"
#include "machinery/jsonpatch.h"
#include "machinery/mergepatch.h"
#include "machinery/strategic.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What comes out must be a tree that can be written and read. */
static void check(struct arena *arena, const struct value *result)
{
	cox_autobuf out = COX_BUF_INIT;

	if (!result)
		return;
	json_write(&out, result, 0);
	if (!value_equal(result, json_parse(arena, out.data, out.size, NULL, NULL)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	const struct schema_type *type = schema_type_named(&schema_builtin, "core.v1.Pod");
	const struct value *both = json_parse(&arena, data, size, NULL, NULL);
	const struct value *document = value_at(both, 0), *patch = value_at(both, 1);

	if (!document || !patch)
		return 0;
	check(&arena, jsonpatch_apply(&arena, value_copy(&arena, document), patch, &err));
	check(&arena, mergepatch_apply(&arena, value_copy(&arena, document), patch));
	check(&arena, strategic_apply(&arena, &schema_builtin, type, value_copy(&arena, document),
				      patch, &err));
	return 0;
}
