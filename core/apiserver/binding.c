/* SPDX-License-Identifier: Apache-2.0 */
/* Bindings and evictions; see the header. */
#include "apiserver/binding.h"

#include "apiserver/answer.h"
#include "apiserver/body.h"
#include "apiserver/delete.h"
#include "apiserver/metadata.h"
#include "apiserver/status.h"
#include "apiserver/write.h"
#include "base/clock.h"

#include <string.h>

static void answer_created(struct write *write, uint64_t revision)
{
	static const char body[] = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
				   "\"status\":\"Success\",\"code\":201}";

	(void)revision;
	answer_json(write->call, 201, "meta.v1.Status", body, sizeof(body) - 1);
}

static int refuse(struct write *write, const char *why, struct cox_error *err)
{
	error_set(err, COX_REASON_CONFLICT,
		  "Operation cannot be fulfilled on pods/binding \"%s\": %s", write->name, why);
	error_set_details(err, NULL, "pods/binding", write->name);
	return -1;
}

/* The condition that says when the pod got its node. */
static void set_scheduled(struct arena *arena, struct value *pod)
{
	struct value *status = value_make_object(arena, pod, "status");
	struct value *conditions = value_make_array(arena, status, "conditions");
	struct value *condition = NULL;
	char now[CLOCK_RFC3339_SIZE];

	for (size_t i = 0; i < conditions->count; i++)
		if (value_string_is(value_get(value_at(conditions, i), "type"), "PodScheduled"))
			condition = value_at(conditions, i);
	if (!condition) {
		condition = value_object(arena);
		value_set_text(arena, condition, "type", "PodScheduled");
		value_push(arena, conditions, condition);
	}
	clock_format(clock_realtime(), now);
	value_set_text(arena, condition, "status", "True");
	value_set_text(arena, condition, "lastTransitionTime", now);
	value_remove(condition, "reason");
	value_remove(condition, "message");
}

/* Annotations and labels of the binding go over to the pod. */
static void merge_map(struct arena *arena, struct value *pod, const struct value *binding,
		      const char *name)
{
	const struct value *from = value_get(value_get(binding, "metadata"), name);
	struct value *to;

	if (!value_is(from, VALUE_OBJECT) || from->count == 0)
		return;
	to = value_make_object(arena, metadata_of(arena, pod), name);
	for (uint32_t i = 0; i < from->count; i++)
		value_set_n(arena, to, from->object.members[i].key,
			    from->object.members[i].key_size,
			    value_copy(arena, from->object.members[i].value));
}

static int make_bound(struct write *write, struct cox_error *err)
{
	struct arena *arena = write->call->arena;
	const struct value *binding = write->job;
	const char *node = value_text(value_path(binding, "target.name"));
	const char *uid = value_get_text(value_get(binding, "metadata"), "uid");
	const char *bound = value_text(value_path(write->old, "spec.nodeName"));
	const struct value *gates = value_path(write->old, "spec.schedulingGates");

	if (*uid && strcmp(uid, value_get_text(value_get(write->old, "metadata"), "uid")) != 0)
		return refuse(write, "the pod of that name is another one", err);
	if (metadata_deleting(write->old))
		return refuse(write,
			      arena_printf(arena,
					   "pod %s is being deleted, cannot be assigned to "
					   "a host",
					   write->name),
			      err);
	if (*bound)
		return refuse(write,
			      arena_printf(arena, "pod %s is already assigned to node \"%s\"",
					   write->name, bound),
			      err);
	if (value_is(gates, VALUE_ARRAY) && gates->count)
		return refuse(write, "pod has non-empty .spec.schedulingGates", err);
	write->object = value_copy(arena, write->old);
	value_set_text(arena, value_make_object(arena, write->object, "spec"), "nodeName", node);
	merge_map(arena, write->object, binding, "annotations");
	merge_map(arena, write->object, binding, "labels");
	set_scheduled(arena, write->object);
	return 0;
}

static int check_binding(const struct value *binding, struct cox_error *err)
{
	const char *kind = value_text(value_path(binding, "target.kind"));
	const char *name = value_text(value_path(binding, "target.name"));

	if (*kind && strcmp(kind, "Node") != 0) {
		error_set(err, COX_REASON_INVALID,
			  "Binding \"%s\" is invalid: target.kind: Unsupported value: \"%s\": "
			  "supported values: \"Node\", \"<empty>\"",
			  value_get_text(value_get(binding, "metadata"), "name"), kind);
		error_add_cause(err, "FieldValueNotSupported", "target.kind",
				"Unsupported value: \"%s\": supported values: \"Node\", "
				"\"<empty>\"",
				kind);
		return -1;
	}
	if (*name)
		return 0;
	error_set(err, COX_REASON_INVALID, "Binding \"%s\" is invalid: target.name: Required value",
		  value_get_text(value_get(binding, "metadata"), "name"));
	error_add_cause(err, "FieldValueRequired", "target.name", "Required value");
	return -1;
}

static void bind(struct api_call *call)
{
	const struct schema_type *type = schema_type_named(call->server->schema, "core.v1.Binding");
	struct api_resource *pods = apiserver_stored(call->server, "", "pods");
	struct write *write = write_new(call, pods, WRITE_UPDATE);
	cox_autoerror err = COX_ERROR_INIT;

	write->shape = (struct shape){.resource = pods, .form_version = ""};
	write->subresource = "binding";
	write->make = make_bound;
	write->answer = answer_created;
	if (answer_negotiate(call, ANSWER_FORMATS, &err) != 0 ||
	    call_write_options(call, &write->options, &err) != 0)
		goto fail;
	write->job = body_decode(call, type, write->options.validation, &err);
	if (!write->job || check_binding(write->job, &err) != 0)
		goto fail;
	if (!*write->name)
		write->name = value_get_text(value_get(write->job, "metadata"), "name");
	write->retry = true;
	write_run(write);
	return;
fail:
	call_fail(call, &err);
}

void binding_serve(struct api_call *call)
{
	call_work(call, bind);
}

void binding_serve_collection(struct api_call *call)
{
	call_work(call, bind);
}

static void evict(struct api_call *call)
{
	const struct schema_type *type =
		schema_type_named(call->server->schema, "policy.v1.Eviction");
	struct delete_options *options = arena_new(call->arena, struct delete_options);
	struct write *write = write_new(call, call->resource, WRITE_DELETE);
	cox_autoerror err = COX_ERROR_INIT;
	struct value *eviction;

	write->shape = (struct shape){.resource = call->resource, .form_version = ""};
	if (answer_negotiate(call, ANSWER_FORMATS, &err) != 0 ||
	    call_write_options(call, &write->options, &err) != 0)
		goto fail;
	eviction = body_decode(call, type, write->options.validation, &err);
	if (!eviction ||
	    delete_options_parse(NULL, 0, value_get(eviction, "deleteOptions"), options, &err) != 0)
		goto fail;
	options->dry_run |= write->options.dry_run;
	delete_prepare(write, options);
	write->answer = answer_created;
	write_run(write);
	return;
fail:
	call_fail(call, &err);
}

void binding_serve_eviction(struct api_call *call)
{
	call_work(call, evict);
}
