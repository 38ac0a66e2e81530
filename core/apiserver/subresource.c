/* SPDX-License-Identifier: Apache-2.0 */
/* From a subresource to the part that does it; see the header. */
#include "apiserver/subresource.h"

#include "apiserver/binding.h"
#include "apiserver/podlog.h"
#include "apiserver/read.h"
#include "apiserver/scale.h"
#include "apiserver/token.h"
#include "apiserver/write.h"

#include <string.h>

/* A part of the object itself, written through the object. */
static void serve_part(struct api_call *call)
{
	switch (call->verb) {
	case VERB_GET:
		read_get(call);
		break;
	case VERB_UPDATE:
		write_update(call);
		break;
	default: /* the table allows no other */
		write_patch(call);
		break;
	}
}

/* What only a node can answer. */
static void serve_elsewhere(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;

	error_set(&err, COX_REASON_METHOD_NOT_ALLOWED,
		  "%s/%s is not offered by this server",
		  call->resource->name, call->route.subresource);
	call_fail(call, &err);
}

void subresource_serve(struct api_call *call)
{
	static const struct {
		const char *name;
		void (*serve)(struct api_call *call);
	} parts[] = {
		{"status", serve_part},	    {"approval", serve_part},
		{"finalize", serve_part},   {"ephemeralcontainers", serve_part},
		{"resize", serve_part},	    {"scale", scale_serve},
		{"binding", binding_serve}, {"eviction", binding_serve_eviction},
		{"token", token_serve},	    {"log", podlog_serve},
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strcmp(call->route.subresource, parts[i].name) == 0) {
			parts[i].serve(call);
			return;
		}
	serve_elsewhere(call);
}
