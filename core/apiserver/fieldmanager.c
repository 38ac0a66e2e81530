/* SPDX-License-Identifier: Apache-2.0 */
/* Field tracking; see the header. The rules are in machinery/apply.c. */
#include "apiserver/fieldmanager.h"

#include "apiserver/body.h"
#include "apiserver/metadata.h"
#include "apiserver/patch.h"
#include "apiserver/status.h"
#include "base/clock.h"
#include "machinery/apply.h"
#include "machinery/convert.h"
#include "machinery/json.h"
#include "machinery/names.h"

#include <coxswain/kit/cleanup.h>
#include <ctype.h>
#include <string.h>

#define SCALE_VERSION "autoscaling/v1"
#define REPLICAS "spec.replicas"

/* Names */

const char *fieldmanager_name(const struct write *write)
{
	const char *agent = http_header(write->call->request, "User-Agent");
	char name[MANAGER_NAME_MAX + 1];
	size_t size = 0;

	if (*write->options.manager)
		return write->options.manager;
	for (; agent && *agent && *agent != '/' && size < MANAGER_NAME_MAX; agent++)
		if (isprint((unsigned char)*agent))
			name[size++] = *agent;
	return arena_strndup(write->call->arena, name, size);
}

/* What a request can change at all; all else of it is dropped, and so is nobody's. */

static const char *const is_status[] = {"status", NULL};
static const char *const is_finalizers[] = {"spec.finalizers", NULL};
static const char *const is_ephemeral[] = {"spec.ephemeralContainers", NULL};
static const char *const is_resources[] = {"spec.containers", NULL};
static const char *const is_replicas[] = {REPLICAS, NULL};
static const char *const of_status[] = {"status", "metadata", NULL};
static const char *const pod_status[] = {"metadata.deletionTimestamp", "metadata.ownerReferences",
					 NULL};
static const char *const no_labels[] = {"metadata.labels", NULL};
static const char *const no_metadata[] = {"metadata", NULL};

static const struct {
	const char *group, *resource; /* NULL: any */
	const char *subresource;
	struct field_filter filter;
} filters[] = {
	{"", "pods", "status", {of_status, pod_status}},
	{"apps", "deployments", "status", {of_status, no_labels}},
	{"storage.k8s.io", "volumeattachments", "status", {of_status, no_metadata}},
	{"apiextensions.k8s.io", "customresourcedefinitions", "status", {of_status, no_metadata}},
	{"flowcontrol.apiserver.k8s.io", "flowschemas", "status", {of_status, no_metadata}},
	{"flowcontrol.apiserver.k8s.io",
	 "prioritylevelconfigurations",
	 "status",
	 {of_status, no_metadata}},
	{NULL, NULL, "status", {of_status, NULL}},
	{NULL, NULL, "finalize", {is_finalizers, NULL}},
	{NULL, NULL, "ephemeralcontainers", {is_ephemeral, NULL}},
	{NULL, NULL, "resize", {is_resources, NULL}},
	{NULL, NULL, "scale", {is_replicas, NULL}},
};

static struct field_filter filter_of(const struct write *write)
{
	const struct api_resource *resource = write->resource;
	const unsigned has_status = SCHEMA_HAS_STATUS | SCHEMA_STATUS_DROPPED;

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		if (strcmp(filters[i].subresource, write->subresource) == 0 &&
		    (!filters[i].group || (strcmp(filters[i].group, resource->group) == 0 &&
					   strcmp(filters[i].resource, resource->name) == 0)))
			return filters[i].filter;
	return (struct field_filter){.except =
					     resource->row->flags & has_status ? is_status : NULL};
}

static struct field_context context_of(const struct write *write)
{
	const struct api_resource *resource = write->resource;
	struct arena *arena = write->call->arena;
	const struct schema *schema = write->call->server->schema;
	char now[CLOCK_RFC3339_SIZE];

	clock_format(clock_realtime(), now);
	return (struct field_context){.typed = {arena, schema, resource->type},
				      .row = resource->row,
				      .api_version =
					      schema_api_version(schema, arena, resource->row),
				      .manager = fieldmanager_name(write),
				      .subresource = write->subresource,
				      .filter = filter_of(write),
				      .now = arena_strdup(arena, now)};
}

/* The form in which the client sees the object; itself, if that is the stored one. */
static struct value *as_served(const struct write *write, struct value *object,
			       struct cox_error *err)
{
	const struct api_resource *resource = write->resource;
	struct arena *arena = write->call->arena;

	if (resource->row == resource->stored_row)
		return object;
	object = value_copy(arena, object);
	return schema_convert(write->call->server->schema, resource->stored_row, resource->row,
			      arena, object, err) == 0
		       ? object
		       : NULL;
}

int fieldmanager_track(struct write *write, struct cox_error *err)
{
	const struct field_context context = context_of(write);
	struct arena *arena = write->call->arena;
	struct value *before = value_object(arena);
	struct value *after = as_served(write, write->object, err);
	struct value *list;

	if (write->old && write->operation != WRITE_CREATE)
		before = as_served(write, write->old, err);
	if (!before || !after)
		return -1;
	fields_track(&context, before, after, write->operation != WRITE_CREATE);
	if (after == write->object)
		return 0;
	list = value_get(value_get(after, "metadata"), "managedFields");
	if (list)
		value_set(arena, metadata_of(arena, write->object), "managedFields", list);
	else
		value_remove(metadata_of(arena, write->object), "managedFields");
	return 0;
}

/* Apply */

/* The object as its bytes say, in the client's form; an empty one before a create. */
static struct value *live_object(struct write *write, struct cox_error *err)
{
	struct arena *arena = write->call->arena;
	struct cox_bytes json;
	struct value *live;

	if (!write->current)
		return value_object(arena);
	json = store_entry_json(write->current);
	live = json_parse(arena, json.data, json.size, NULL, err);
	return live ? as_served(write, live, err) : NULL;
}

static int check_kind(const struct write *write, const struct field_context *context,
		      const struct value *config, struct cox_error *err)
{
	const char *version = value_get_text(config, "apiVersion");
	const char *kind = value_get_text(config, "kind");

	if (strcmp(version, context->api_version) == 0 && strcmp(kind, write->resource->kind) == 0)
		return 0;
	return error_set(err, COX_REASON_BAD_REQUEST, "invalid object type: %s%s, Kind=%s",
			 strchr(version, '/') ? "" : "/", version, kind);
}

static int check_create(const struct write *write, const struct value *config,
			struct cox_error *err)
{
	const struct api_resource *resource = write->resource;
	const struct value *metadata = value_get(config, "metadata");
	const char *uid = value_get_text(metadata, "uid");

	if (write->current)
		return 0;
	if (!*value_get_text(metadata, "name"))
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "the name of the object (%s based on URL) was undeterminable: "
				 "name must be provided",
				 write->call->route.name);
	if (!*uid)
		return 0;
	error_set(err, COX_REASON_CONFLICT,
		  "Operation cannot be fulfilled on %s%s%s \"%s\": uid mismatch: the provided "
		  "object specified uid %s, and no existing object was found",
		  resource->name, *resource->group ? "." : "", resource->group,
		  write->call->route.name, uid);
	error_set_details(err, *resource->group ? resource->group : NULL, resource->name,
			  write->call->route.name);
	return -1;
}

/*
 * kubectl keeps what it applied in an annotation, if it did so before, for
 * those who go on to apply on the client's side.
 */
static void keep_last_applied(struct write *write, const struct value *config)
{
	struct arena *arena = write->call->arena;
	struct value *annotations = value_get(value_get(write->object, "metadata"), "annotations");
	cox_autobuf text = COX_BUF_INIT;
	struct value *copy;

	if (strcmp(fieldmanager_name(write), "kubectl") != 0 ||
	    !*value_get_text(annotations, LAST_APPLIED_ANNOTATION))
		return;
	copy = value_copy(arena, config);
	value_remove(value_get(value_get(copy, "metadata"), "annotations"),
		     LAST_APPLIED_ANNOTATION);
	json_write(&text, copy, 0);
	cox_buf_char(&text, '\n');
	if (text.size > NAMES_ANNOTATIONS_MAX)
		cox_buf_truncate(&text, 0);
	value_set_text(arena, annotations, LAST_APPLIED_ANNOTATION, cox_buf_cstr(&text));
}

/* The merged tree becomes an object: decoded, defaulted, in the stored version. */
static int take_merged(struct write *write, const struct value *merged, struct value *list,
		       struct cox_error *err)
{
	const struct api_resource *resource = write->resource;
	struct api_call *call = write->call;
	struct value *object = value_copy(call->arena, merged);

	value_remove(value_get(object, "metadata"), "managedFields");
	if (body_check(call, resource->type, object, VALIDATION_IGNORE, err) != 0 ||
	    schema_convert(call->server->schema, resource->row, resource->stored_row, call->arena,
			   object, err) != 0)
		return -1;
	if (list)
		value_set(call->arena, metadata_of(call->arena, object), "managedFields", list);
	write->object = object;
	return 0;
}

int fieldmanager_apply(struct write *write, const struct value *config, struct cox_error *err)
{
	const struct field_context context = context_of(write);
	struct managers managers;
	struct value *live, *merged;

	if (check_kind(write, &context, config, err) != 0 || check_create(write, config, err) != 0)
		return -1;
	live = live_object(write, err);
	if (!live)
		return -1;
	if (managers_read(&managers, write->call->arena,
			  value_get(value_get(live, "metadata"), "managedFields"), false,
			  err) != 0) {
		err->reason = COX_REASON_INTERNAL_ERROR;
		return error_wrap(err, "failed to decode managed fields");
	}
	if (fields_apply(&context, &managers, live, config, write->options.force, &merged, err) !=
		    0 ||
	    take_merged(write, merged, managers_write(&managers), err) != 0)
		return -1;
	keep_last_applied(write, config);
	return 0;
}

/* Scale */

static bool has_replicas(const struct manager *manager)
{
	return fieldset_has(manager->fields, REPLICAS);
}

/* From the object's managers to those of its scale. */
static struct managers to_scale(struct arena *arena, const struct managers *parent)
{
	struct managers scale = {.arena = arena};

	for (size_t i = 0; i < parent->count; i++) {
		struct manager manager = parent->list[i];

		if (!has_replicas(&manager))
			continue;
		manager.api_version = SCALE_VERSION;
		manager.entry = NULL;
		manager.fields = fieldset_of_path(arena, REPLICAS);
		managers_add(&scale, &manager);
	}
	return scale;
}

/* Back: who manages the scale's replicas has the object's, all others lose them. */
static void to_parent(struct managers *parent, const struct managers *scale,
		      const char *api_version)
{
	const struct fieldset *replicas = fieldset_of_path(parent->arena, REPLICAS);

	for (size_t i = 0; i < parent->count; i++) {
		struct manager as_scale = parent->list[i];

		as_scale.api_version = SCALE_VERSION;
		if (has_replicas(&as_scale) && !managers_find(scale, &as_scale))
			manager_set(&parent->list[i],
				    fieldset_difference(parent->arena, parent->list[i].fields,
							replicas));
	}
	managers_drop_empty(parent);
	for (size_t i = 0; i < scale->count; i++) {
		struct manager manager = scale->list[i];
		struct manager *known;

		if (!has_replicas(&manager))
			continue;
		manager.api_version = api_version;
		manager.entry = NULL;
		manager.fields = replicas;
		known = managers_find(parent, &manager);
		if (!known) {
			managers_add(parent, &manager);
			continue;
		}
		manager_set(known, fieldset_union(parent->arena, known->fields, manager.fields));
		if (strcmp(known->time, manager.time) != 0) {
			known->time = manager.time;
			known->entry = NULL;
		}
	}
}

int fieldmanager_apply_scale(struct write *write, const struct schema_type *type,
			     struct value *scale, const struct value *config, struct value **merged,
			     struct value **list, struct cox_error *err)
{
	struct field_context context = context_of(write);
	const char *version = value_get_text(config, "apiVersion");
	const char *kind = value_get_text(config, "kind");
	const char *api_version = context.api_version;
	struct managers parent, managers;

	if (strcmp(version, SCALE_VERSION) != 0 || strcmp(kind, "Scale") != 0)
		return error_set(err, COX_REASON_BAD_REQUEST, "invalid object type: %s%s, Kind=%s",
				 strchr(version, '/') ? "" : "/", version, kind);
	if (managers_read(&parent, write->call->arena,
			  value_get(value_get(write->old, "metadata"), "managedFields"), false,
			  err) != 0) {
		err->reason = COX_REASON_INTERNAL_ERROR;
		return error_wrap(err, "failed to decode managed fields");
	}
	managers = to_scale(write->call->arena, &parent);
	context.typed.type = type;
	context.row = NULL;
	context.api_version = SCALE_VERSION;
	if (fields_apply(&context, &managers, scale, config, write->options.force, merged, err) !=
	    0)
		return -1;
	to_parent(&parent, &managers, api_version);
	*list = managers_write(&parent);
	return 0;
}

/* Comparing */

static bool same_entry(const struct value *a, const struct value *b)
{
	static const char *const parts[] = {"manager",	  "operation",	 "apiVersion",
					    "fieldsType", "subresource", "fieldsV1"};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const struct value *left = value_get(a, parts[i]), *right = value_get(b, parts[i]);

		if (left != right && !value_equal(left, right))
			return false;
	}
	return true;
}

bool fieldmanager_same(const struct value *object, const struct value *old)
{
	const struct value *a = value_get(value_get(object, "metadata"), "managedFields");
	const struct value *b = value_get(value_get(old, "metadata"), "managedFields");
	const size_t count = value_is(a, VALUE_ARRAY) ? a->count : 0;

	if (count != (value_is(b, VALUE_ARRAY) ? b->count : 0))
		return false;
	/* Their order follows the times. */
	for (size_t i = 0; i < count; i++) {
		bool found = same_entry(value_at(a, i), value_at(b, i));

		for (size_t k = 0; !found && k < count; k++)
			found = same_entry(value_at(a, i), value_at(b, k));
		if (!found)
			return false;
	}
	return true;
}
