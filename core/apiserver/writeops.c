/* SPDX-License-Identifier: Apache-2.0 */
/* create, update and patch: how each makes the new state; see write.h. */
#include "apiserver/write.h"

#include "apiserver/body.h"
#include "apiserver/fieldmanager.h"
#include "apiserver/handle.h"
#include "apiserver/metadata.h"
#include "apiserver/patch.h"
#include "apiserver/read.h"
#include "apiserver/status.h"
#include "machinery/convert.h"

#include <string.h>

/* What all three share: options, form of the answer. NULL: the call is answered. */
static struct write *begin(struct api_call *call, enum write_operation operation)
{
	struct write *write = write_new(call, call->resource, operation);
	cox_autoerror err = COX_ERROR_INIT;

	write->tracks = true;
	if (call_write_options(call, &write->options, &err) != 0 ||
	    read_negotiate(call, call->resource, false, &write->shape, &err) != 0) {
		call_fail(call, &err);
		return NULL;
	}
	return write;
}

static int take_version(struct write *write, struct value *object, struct cox_error *err)
{
	const char *version = value_get_text(value_get(object, "metadata"), "resourceVersion");

	if (version_parse(version, &write->wanted_version, err) != 0)
		return -1;
	return 0;
}

static int to_stored(struct write *write, struct value *object, struct cox_error *err)
{
	const struct api_resource *resource = write->resource;

	return schema_convert(write->call->server->schema, resource->row, resource->stored_row,
			      write->call->arena, object, err);
}

/* A fresh copy of the body, in the stored version. */
static int take_body(struct write *write, struct cox_error *err)
{
	write->object = value_copy(write->call->arena, write->job);
	return to_stored(write, write->object, err);
}

/* create */

static int make_created(struct write *write, struct cox_error *err)
{
	struct api_call *call = write->call;

	if (take_body(write, err) != 0 || metadata_match_route(call, write->object, true, err) != 0)
		return -1;
	write->generated_name = !*value_get_text(value_get(write->object, "metadata"), "name");
	if (metadata_generate_name(call->arena, write->object, err) != 0)
		return -1;
	write->name = value_get_text(value_get(write->object, "metadata"), "name");
	return 0;
}

static void create_on_worker(struct api_call *call)
{
	struct write *write = begin(call, WRITE_CREATE);
	cox_autoerror err = COX_ERROR_INIT;

	if (!write)
		return;
	write->make = make_created;
	write->job = body_decode(call, call->resource->type, write->options.validation, &err);
	if (!write->job)
		call_fail(call, &err);
	else
		write_run(write);
}

void write_create(struct api_call *call)
{
	call_work(call, create_on_worker);
}

/* update */

static int make_updated(struct write *write, struct cox_error *err)
{
	if (take_body(write, err) != 0 ||
	    metadata_match_route(write->call, write->object, false, err) != 0 ||
	    take_version(write, write->object, err) != 0)
		return -1;
	write->retry = write->wanted_version == 0;
	if (write->retry && !(write->resource->row->flags & SCHEMA_UNCONDITIONAL_UPDATE)) {
		error_set(err, COX_REASON_INVALID,
			  "%s%s%s \"%s\" is invalid: metadata.resourceVersion: Invalid value: 0x0: "
			  "must be specified for an update",
			  write->resource->kind, *write->resource->group ? "." : "",
			  write->resource->group, write->name);
		error_set_details(err, write->resource->group, write->resource->kind, write->name);
		error_add_cause(err, "FieldValueInvalid", "metadata.resourceVersion",
				"Invalid value: 0x0: must be specified for an update");
		return -1;
	}
	return 0;
}

/* What is asked for is not there and becomes a create, if that is allowed; else it has failed. */
static bool turn_into_create(struct write *write, const struct value *body)
{
	cox_autoerror err = COX_ERROR_INIT;
	uint64_t version = 0;

	if (handle_authorize_verb(write->call, VERB_CREATE, &err) != 0 ||
	    version_parse(value_get_text(value_get(body, "metadata"), "resourceVersion"), &version,
			  &err) != 0 ||
	    (version && status_not_found(&err, write->resource->group, write->resource->name,
					 write->name) != 0)) {
		call_fail(write->call, &err);
		return false;
	}
	write->operation = WRITE_CREATE;
	write->success_code = 201;
	return true;
}

/* PUT of what is not there creates it, where the kind allows that. */
static void create_absent(struct write *write)
{
	if (!turn_into_create(write, write->job))
		return;
	write->make = make_created;
	write->absent = NULL;
	write_run(write);
}

static void update_on_worker(struct api_call *call)
{
	struct write *write = begin(call, WRITE_UPDATE);
	cox_autoerror err = COX_ERROR_INIT;

	if (!write)
		return;
	write->make = make_updated;
	if ((call->resource->row->flags & SCHEMA_CREATE_ON_UPDATE) && !*call->route.subresource)
		write->absent = create_absent;
	write->job = body_decode(call, call->resource->type, write->options.validation, &err);
	if (!write->job)
		call_fail(call, &err);
	else
		write_run(write);
}

void write_update(struct api_call *call)
{
	call_work(call, update_on_worker);
}

/* patch */

static int make_patched(struct write *write, struct cox_error *err)
{
	struct api_call *call = write->call;
	struct value *target = value_copy(call->arena, write->old);
	uint64_t before, after;
	struct value *patched;

	if (schema_convert(call->server->schema, write->resource->stored_row, write->resource->row,
			   call->arena, target, err) != 0 ||
	    version_parse(value_get_text(value_get(target, "metadata"), "resourceVersion"), &before,
			  err) != 0)
		return -1;
	patched = patch_apply(call, write->job, write->resource->type, target, err);
	if (!patched)
		return -1;
	/* Warnings of the first attempt are those of all. */
	if (body_check(call, write->resource->type, patched,
		       write->attempts > 1 ? VALIDATION_IGNORE : write->options.validation,
		       err) != 0)
		return -1;
	write->object = patched;
	if (to_stored(write, patched, err) != 0 ||
	    metadata_match_route(call, patched, false, err) != 0 ||
	    version_parse(value_get_text(value_get(patched, "metadata"), "resourceVersion"), &after,
			  err) != 0)
		return -1;
	write->wanted_version = after != before ? after : 0;
	write->retry = after == before;
	return 0;
}

/* apply */

static int make_applied(struct write *write, struct cox_error *err)
{
	const struct patch *patch = write->job;
	uint64_t before, after;

	write->generated_name = false;
	if (fieldmanager_apply(write, patch->body, err) != 0)
		return -1;
	write->name = write->call->route.name;
	before = write->current ? store_entry_revision(write->current) : 0;
	if (metadata_match_route(write->call, write->object, false, err) != 0 ||
	    version_parse(value_get_text(value_get(write->object, "metadata"), "resourceVersion"),
			  &after, err) != 0)
		return -1;
	write->wanted_version = after != before ? after : 0;
	write->retry = after == before;
	return 0;
}

/* What is not there is created; if somebody else is quicker, it is there, after all. */
static void apply_absent(struct write *write)
{
	const struct patch *patch = write->job;

	if (!turn_into_create(write, patch->body))
		return;
	write->old = NULL; /* of an object that is gone since */
	write_run(write);
}

static void patch_on_worker(struct api_call *call)
{
	struct patch *patch = arena_new(call->arena, struct patch);
	struct write *write = begin(call, WRITE_UPDATE);
	cox_autoerror err = COX_ERROR_INIT;

	if (!write)
		return;
	write->job = patch;
	if (patch_read(call, &write->options, patch, &err) != 0) {
		call_fail(call, &err);
		return;
	}
	if (patch->kind == PATCH_APPLY) {
		write->make = make_applied;
		write->tracks = false;
		if (!*call->route.subresource) {
			write->creates_absent = true;
			write->absent = apply_absent;
		}
	} else {
		write->make = make_patched;
	}
	write_run(write);
}

void write_patch(struct api_call *call)
{
	call_work(call, patch_on_worker);
}
