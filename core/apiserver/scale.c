/* SPDX-License-Identifier: Apache-2.0 */
/* Scale; see the header. */
#include "apiserver/scale.h"

#include "apiserver/answer.h"
#include "apiserver/body.h"
#include "apiserver/fieldmanager.h"
#include "apiserver/metadata.h"
#include "apiserver/patch.h"
#include "apiserver/read.h"
#include "apiserver/status.h"
#include "apiserver/table.h"
#include "apiserver/transcode.h"
#include "apiserver/write.h"
#include "base/clock.h"
#include "machinery/encode.h"
#include "machinery/json.h"
#include "machinery/selector.h"
#include "store/snapshot.h"

#include <coxswain/kit/cleanup.h>
#include <inttypes.h>
#include <string.h>

static const struct schema_type *scale_type(const struct api_call *call)
{
	return schema_type_named(call->server->schema, "autoscaling.v1.Scale");
}

/* Replication controllers select by a map, everything newer by a LabelSelector. */
static char *selector_text(struct arena *arena, const struct value *object)
{
	const struct value *selector = value_path(object, "spec.selector");
	bool structured =
		value_get(selector, "matchLabels") || value_get(selector, "matchExpressions");
	struct label_selector *parsed = structured ? label_selector_from_object(selector, NULL)
						   : label_selector_from_map(selector, NULL);
	cox_autobuf out = COX_BUF_INIT;

	if (parsed)
		label_selector_format(parsed, &out);
	free(parsed);
	return arena_strndup(arena, cox_buf_cstr(&out), out.size);
}

static struct value *scale_of(struct arena *arena, const struct value *object)
{
	static const char *const kept[] = {"name", "namespace", "uid", "resourceVersion",
					   "creationTimestamp"};
	struct value *scale = value_object(arena);
	struct value *metadata = value_make_object(arena, scale, "metadata");
	struct value *status;

	value_set_text(arena, scale, "kind", "Scale");
	value_set_text(arena, scale, "apiVersion", "autoscaling/v1");
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		struct value *value = value_get(value_get(object, "metadata"), kept[i]);

		if (value)
			value_set(arena, metadata, kept[i], value_copy(arena, value));
	}
	value_set_int(arena, value_make_object(arena, scale, "spec"), "replicas",
		      value_get_int(value_get(object, "spec"), "replicas", 0));
	status = value_make_object(arena, scale, "status");
	value_set_int(arena, status, "replicas",
		      value_get_int(value_get(object, "status"), "replicas", 0));
	value_set_text(arena, status, "selector", selector_text(arena, object));
	return scale;
}

static void answer_scale(struct api_call *call, unsigned code, const struct value *scale)
{
	cox_autobuf out = COX_BUF_INIT;

	schema_encode(&out, call->server->schema, scale_type(call), scale, 0);
	answer_json(call, code, "autoscaling.v1.Scale", out.data, out.size);
}

/* The columns are the same for every kind that can be scaled. */
static const char scale_columns[] =
	"[{\"name\":\"Name\",\"type\":\"string\",\"format\":\"\","
	"\"description\":\"The name of the object.\",\"priority\":0},"
	"{\"name\":\"Desired\",\"type\":\"integer\",\"format\":\"\","
	"\"description\":\"How many pods are wanted.\",\"priority\":0},"
	"{\"name\":\"Available\",\"type\":\"integer\",\"format\":\"\","
	"\"description\":\"How many pods there are.\",\"priority\":0},"
	"{\"name\":\"Age\",\"type\":\"string\",\"format\":\"\","
	"\"description\":\"The time since the object was made.\",\"priority\":0}]";

static void write_partial(const struct shape *shape, const struct value *scale, struct cox_buf *out)
{
	cox_buf_printf(out,
		       "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/%s\","
		       "\"metadata\":",
		       shape->form_version);
	json_write(out, value_get(scale, "metadata"), 0);
	cox_buf_char(out, '}');
}

static void write_table(const struct shape *shape, const struct value *scale, struct cox_buf *out)
{
	const struct value *metadata = value_get(scale, "metadata");
	struct table_row row = {.out = out, .object = scale, .now = clock_realtime()};

	cox_buf_printf(out,
		       "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/%s\","
		       "\"metadata\":{\"resourceVersion\":\"%s\"},"
		       "\"columnDefinitions\":%s,\"rows\":[{\"cells\":[",
		       shape->form_version, value_get_text(metadata, "resourceVersion"),
		       scale_columns);
	cell_text(&row, value_get_text(metadata, "name"));
	cell_int(&row, value_get_int(value_get(scale, "spec"), "replicas", 0));
	cell_int(&row, value_get_int(value_get(scale, "status"), "replicas", 0));
	cell_age(&row, value_get_text(metadata, "creationTimestamp"));
	cox_buf_str(out, "],\"object\":");
	if (shape->include == INCLUDE_NONE)
		cox_buf_str(out, "null");
	else if (shape->include == INCLUDE_OBJECT)
		json_write(out, scale, 0);
	else
		write_partial(shape, scale, out);
	cox_buf_str(out, "}]}");
}

static void answer_shape(struct api_call *call, const struct shape *shape,
			 const struct value *scale)
{
	const struct schema *schema = call->server->schema;
	const struct schema_type *type = NULL; /* of a Table */
	cox_autobuf json = COX_BUF_INIT, out = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	if (shape->form == SHAPE_TABLE) {
		write_table(shape, scale, &json);
	} else {
		type = schema_type_named(schema, "meta.v1.PartialObjectMetadata");
		write_partial(shape, scale, &json);
	}
	if (transcode(schema, type, shape->format, shape->pretty,
		      (struct cox_bytes){json.data, json.size}, &out, &err) != 0)
		call_fail(call, &err);
	else
		call_answer_buf(call, 200, negotiate_content_type(&call->media, false, call->arena),
				&out);
}

static void get_scale(struct api_call *call)
{
	const struct api_resource *resource = call->resource;
	struct store_entry *entry cox_auto(store_entry_release) =
		store_get(resource->collection, call->route.namespace_, call->route.name);
	cox_autoerror err = COX_ERROR_INIT;
	struct value *object = NULL;
	struct shape shape;

	if (read_negotiate(call, resource, false, &shape, &err) != 0) {
		call_fail(call, &err);
		return;
	}
	if (!entry || store_entry_error(entry)) {
		status_not_found(&err, resource->group, resource->name, call->route.name);
	} else {
		struct cox_bytes json = store_entry_json(entry);

		object = json_parse(call->arena, json.data, json.size, NULL, &err);
	}
	if (!object)
		call_fail(call, &err);
	else if (shape.form == SHAPE_OBJECT)
		answer_scale(call, 200, scale_of(call->arena, object));
	else
		answer_shape(call, &shape, scale_of(call->arena, object));
}

/* Takes the number over into the object. */
static int take_scale(struct write *write, struct value *scale, struct cox_error *err)
{
	struct arena *arena = write->call->arena;
	const struct value *metadata = value_get(scale, "metadata");
	const char *name = value_get_text(metadata, "name");
	int64_t replicas = value_get_int(value_get(scale, "spec"), "replicas", 0);

	if (*name && strcmp(name, write->name) != 0)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "the name of the object (%s) does not match the name on the URL "
				 "(%s)",
				 name, write->name);
	if (replicas < 0) {
		error_set(err, COX_REASON_INVALID,
			  "Scale.autoscaling \"%s\" is invalid: spec.replicas: Invalid value: "
			  "%" PRId64 ": must be greater than or equal to 0",
			  write->name, replicas);
		error_set_details(err, "autoscaling", "Scale", write->name);
		error_add_cause(err, "FieldValueInvalid", "spec.replicas",
				"Invalid value: %" PRId64 ": must be greater than or equal to 0",
				replicas);
		return -1;
	}
	if (version_parse(value_get_text(metadata, "resourceVersion"), &write->wanted_version,
			  err) != 0)
		return -1;
	write->object = value_copy(arena, write->old);
	value_set_int(arena, value_make_object(arena, write->object, "spec"), "replicas", replicas);
	return 0;
}

static int make_put(struct write *write, struct cox_error *err)
{
	int status = take_scale(write, write->job, err);

	write->retry = write->wanted_version == 0;
	return status;
}

static int make_patched(struct write *write, struct cox_error *err)
{
	struct api_call *call = write->call;
	struct value *scale = patch_apply(call, write->job, scale_type(call),
					  scale_of(call->arena, write->old), err);

	if (!scale ||
	    body_check(call, scale_type(call), scale, write->options.validation, err) != 0)
		return -1;
	/* The version that the scale was made with is the present one. */
	if (take_scale(write, scale, err) != 0)
		return -1;
	write->retry = write->wanted_version == store_entry_revision(write->current);
	return 0;
}

static int make_applied(struct write *write, struct cox_error *err)
{
	struct api_call *call = write->call;
	const struct patch *patch = write->job;
	struct value *metadata, *scale, *list;

	if (fieldmanager_apply_scale(write, scale_type(call), scale_of(call->arena, write->old),
				     patch->body, &scale, &list, err) != 0)
		return -1;
	scale = value_copy(call->arena, scale);
	if (body_check(call, scale_type(call), scale, VALIDATION_IGNORE, err) != 0 ||
	    take_scale(write, scale, err) != 0)
		return -1;
	metadata = metadata_of(call->arena, write->object);
	if (list)
		value_set(call->arena, metadata, "managedFields", list);
	else
		value_remove(metadata, "managedFields");
	write->retry = write->wanted_version == store_entry_revision(write->current);
	return 0;
}

static void answer_write(struct write *write, uint64_t revision)
{
	struct arena *arena = write->call->arena;
	struct value *object = value_copy(arena, write->object);

	value_set(arena, metadata_of(arena, object), "resourceVersion",
		  value_printf(arena, "%" PRIu64, revision));
	answer_scale(write->call, 200, scale_of(arena, object));
}

static void write_scale(struct api_call *call)
{
	struct write *write = write_new(call, call->resource, WRITE_UPDATE);
	cox_autoerror err = COX_ERROR_INIT;
	struct patch *patch;

	write->tracks = true;
	write->answer = answer_write;
	write->shape = (struct shape){.resource = call->resource, .form_version = ""};
	if (answer_negotiate(call, ANSWER_FORMATS, &err) != 0 ||
	    call_write_options(call, &write->options, &err) != 0)
		goto fail;
	if (call->verb == VERB_UPDATE) {
		write->make = make_put;
		write->job = body_decode(call, scale_type(call), write->options.validation, &err);
	} else {
		patch = arena_new(call->arena, struct patch);
		if (patch_read(call, &write->options, patch, &err) != 0)
			goto fail;
		write->make = patch->kind == PATCH_APPLY ? make_applied : make_patched;
		write->tracks = patch->kind != PATCH_APPLY;
		write->job = patch;
	}
	if (write->job) {
		write_run(write);
		return;
	}
fail:
	call_fail(call, &err);
}

void scale_serve(struct api_call *call)
{
	call_work(call, call->verb == VERB_GET ? get_scale : write_scale);
}
