/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of metadata that hold for all kinds: who may set what, and what the
 * server sets itself (API conventions, "Metadata").
 */
#ifndef COX_APISERVER_METADATA_H
#define COX_APISERVER_METADATA_H

#include "apiserver/call.h"
#include "machinery/value.h"

struct value *metadata_of(struct arena *arena, struct value *object);

/*
 * Name and namespace against those of the request: mismatches are refused, an
 * absent namespace is filled in.
 */
int metadata_match_route(struct api_call *call, struct value *object, bool create,
			 struct cox_error *err) COX_MUST_CHECK;
/* name out of generateName, unless there is a name. */
int metadata_generate_name(struct arena *arena, struct value *object,
			   struct cox_error *err) COX_MUST_CHECK;
/* uid, creationTimestamp, generation; takes back what only the server sets. */
int metadata_prepare_create(struct arena *arena, struct value *object, bool generation,
			    struct cox_error *err) COX_MUST_CHECK;
/* Restores what may not change; a uid that differs is a conflict. */
int metadata_prepare_update(const struct api_resource *resource, struct arena *arena,
			    struct value *object, const struct value *old,
			    struct cox_error *err) COX_MUST_CHECK;
/* generation + 1 if something besides metadata and status differs. */
void metadata_bump_generation(struct arena *arena, struct value *object, const struct value *old);

bool metadata_deleting(const struct value *object);
bool metadata_has_finalizer(const struct value *object, const char *name);
size_t metadata_finalizer_count(const struct value *object);
void metadata_add_finalizer(struct arena *arena, struct value *object, const char *name);
void metadata_remove_finalizer(struct value *object, const char *name);

#endif
