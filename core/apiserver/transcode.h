/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical JSON of one object in the formats that answers have. Any thread. */
#ifndef COX_APISERVER_TRANSCODE_H
#define COX_APISERVER_TRANSCODE_H

#include "apiserver/negotiate.h"
#include "machinery/schema.h"
#include "machinery/value.h"

#include <coxswain/kit/buf.h>

/* Appends `json`, which is of `type`; `pretty` counts for JSON only. */
int transcode(const struct schema *schema, const struct schema_type *type, enum media_format format,
	      bool pretty, struct cox_bytes json, struct cox_buf *out,
	      struct cox_error *err) COX_MUST_CHECK;
/*
 * The same for a tree that was read from such bytes; JSON that is not pretty
 * is encoded by the tables.
 */
int transcode_tree(const struct schema *schema, const struct schema_type *type,
		   enum media_format format, bool pretty, const struct value *tree,
		   struct cox_buf *out, struct cox_error *err) COX_MUST_CHECK;

#endif
