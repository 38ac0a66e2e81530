/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of PATCH: which kind they are by their media type, and what they do to a tree. */
#ifndef COX_APISERVER_PATCH_H
#define COX_APISERVER_PATCH_H

#include "apiserver/call.h"
#include "machinery/value.h"

enum patch_kind {
	PATCH_JSON,
	PATCH_MERGE,
	PATCH_STRATEGIC,
	PATCH_APPLY /* a configuration for server-side apply */
};

struct patch {
	enum patch_kind kind;
	struct value *body; /* not to be changed: it is used again for each attempt */
};

/* Reads what was sent, with the rules of its kind about the options. */
int patch_read(struct api_call *call, const struct write_options *options, struct patch *patch,
	       struct cox_error *err) COX_MUST_CHECK;
/* The target, which is changed, after a patch of any kind but PATCH_APPLY. NULL: error. */
struct value *patch_apply(struct api_call *call, const struct patch *patch,
			  const struct schema_type *type, struct value *target,
			  struct cox_error *err) COX_MUST_CHECK;

#endif
