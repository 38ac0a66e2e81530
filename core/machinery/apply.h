/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field ownership: what an update takes from the managers of an object, and
 * server-side apply, which merges a configuration into an object unless that
 * changes what others manage.
 *
 * Everything lives in the context's arena and may share parts with what went
 * in: copy a result before it is changed in place.
 */
#ifndef COX_MACHINERY_APPLY_H
#define COX_MACHINERY_APPLY_H

#include "machinery/managers.h"
#include "machinery/typed.h"

#define LAST_APPLIED_ANNOTATION "kubectl.kubernetes.io/last-applied-configuration"

struct field_context {
	struct typed_context typed;	   /* in the version of the request */
	const struct schema_resource *row; /* has other versions, perhaps; NULL: has none */
	const char *api_version;	   /* of the request: "apps/v1" */
	const char *manager;		   /* who asks */
	const char *subresource;	   /* "" */
	struct field_filter filter;	   /* what this request can change at all */
	const char *now;		   /* RFC 3339 */
};

/*
 * Whoever sends `after` instead of `before` manages what differs, and nobody
 * else does any more. Both are decoded; `before` is an empty object for a
 * create. `flags`: TYPED_ZEROS, unless they are trees of JSON.
 */
void fields_update(const struct field_context *context, struct managers *managers,
		   const struct value *before, const struct value *after, unsigned flags);

/*
 * Merges `config` into `live`, both trees of JSON, and sets who manages what.
 * *merged is `live` itself if nothing changes. Errors: what is wrong with the
 * configuration; a Conflict with causes, unless `force` is set.
 */
int fields_apply(const struct field_context *context, struct managers *managers, struct value *live,
		 const struct value *config, bool force, struct value **merged,
		 struct cox_error *err) COX_MUST_CHECK;

/*
 * The whole of an update: takes managedFields out of `after` or, if it has none
 * that can be read, out of `before`, and puts them into `after` as they are now.
 * An object that nobody manages (they were wiped out) stays so until somebody
 * applies. `exists`: it is no create.
 */
void fields_track(const struct field_context *context, const struct value *before,
		  struct value *after, bool exists);

#endif
