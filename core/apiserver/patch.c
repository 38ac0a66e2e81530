/* SPDX-License-Identifier: Apache-2.0 */
/* Patches; see the header. */
#include "apiserver/patch.h"

#include "apiserver/body.h"
#include "machinery/jsonpatch.h"
#include "machinery/mergepatch.h"
#include "machinery/strategic.h"

#include <string.h>

static int kind_of(const struct api_call *call, enum patch_kind *kind, struct cox_error *err)
{
	static const char *const types[] = {[PATCH_JSON] = "application/json-patch+json",
					    [PATCH_MERGE] = "application/merge-patch+json",
					    [PATCH_STRATEGIC] =
						    "application/strategic-merge-patch+json",
					    [PATCH_APPLY] = "application/apply-patch+yaml"};
	const char *header = http_header(call->request, "Content-Type");
	char type[64];

	negotiate_bare_type(header ? header : "", type, sizeof(type));
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i]) == 0) {
			*kind = (enum patch_kind)i;
			return 0;
		}
	return error_set(err, COX_REASON_UNSUPPORTED_MEDIA,
			 "the body of the request was in an unknown format - accepted media types "
			 "include: %s, %s, %s, %s",
			 types[0], types[1], types[2], types[3]);
}

static int check_options(enum patch_kind kind, const struct write_options *options,
			 struct cox_error *err)
{
	if (kind != PATCH_APPLY && options->force_set)
		return option_invalid(err, "PatchOptions", "force", "FieldValueForbidden",
				      "Forbidden: may not be specified for non-apply patch");
	if (kind == PATCH_APPLY && !*options->manager)
		return option_invalid(err, "PatchOptions", "fieldManager", "FieldValueRequired",
				      "Required value: is required for apply patch");
	return 0;
}

int patch_read(struct api_call *call, const struct write_options *options, struct patch *patch,
	       struct cox_error *err)
{
	if (kind_of(call, &patch->kind, err) != 0 || check_options(patch->kind, options, err) != 0)
		return -1;
	patch->body = patch->kind == PATCH_APPLY ? body_config(call, options->validation, err)
						 : body_tree(call, false, err);
	if (!patch->body)
		return -1;
	if (patch->kind != PATCH_JSON && !value_is(patch->body, VALUE_OBJECT))
		return error_set(err, COX_REASON_BAD_REQUEST, "the patch must be a JSON object");
	return 0;
}

struct value *patch_apply(struct api_call *call, const struct patch *patch,
			  const struct schema_type *type, struct value *target,
			  struct cox_error *err)
{
	switch (patch->kind) {
	case PATCH_JSON:
		return jsonpatch_apply(call->arena, target, patch->body, err);
	case PATCH_MERGE:
		return mergepatch_apply(call->arena, target, patch->body);
	case PATCH_STRATEGIC:
		return strategic_apply(call->arena, call->server->schema, type, target, patch->body,
				       err);
	case PATCH_APPLY:
		break;
	}
	error_set(err, COX_REASON_INTERNAL_ERROR, "an apply patch is no change of a tree");
	return NULL;
}
