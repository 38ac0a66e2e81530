/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of requests as trees of the right type: JSON, YAML or protobuf,
 * checked, with the field validation that the client asked for, and defaulted.
 */
#ifndef COX_APISERVER_BODY_H
#define COX_APISERVER_BODY_H

#include "apiserver/call.h"
#include "machinery/value.h"

/*
 * The body as an object of `type`, which is the kind of group, version, kind.
 * What fieldValidation finds is refused (Strict) or told as warnings (Warn).
 * NULL with BadRequest or UnsupportedMediaType.
 */
struct value *body_decode(struct api_call *call, const struct schema_type *type,
			  enum field_validation validation, struct cox_error *err);
/* The body as a tree of any content, for patches: JSON or YAML. */
struct value *body_tree(struct api_call *call, bool yaml, struct cox_error *err);
/* The body as a configuration to apply: YAML, or JSON, with duplicate keys told. */
struct value *body_config(struct api_call *call, enum field_validation validation,
			  struct cox_error *err);
/* Like body_decode for a tree that a patch made. `where` begins messages. */
int body_check(struct api_call *call, const struct schema_type *type, struct value *tree,
	       enum field_validation validation, struct cox_error *err) COX_MUST_CHECK;

/* The DeleteOptions of a body, or NULL with no error for an empty one. */
struct value *body_delete_options(struct api_call *call, struct cox_error *err);

#endif
