/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one method of one path does; see openapi_model.h. Client generators
 * make functions of these, kubectl asks them what the server can: names,
 * actions and kinds are those that every server of this API publishes; the
 * texts are ours. Media types are the ones this server reads and writes.
 */
#include "apiserver/openapi_model.h"

#include <coxswain/kit/text.h>
#include <ctype.h>
#include <string.h>

static const char media_json[] = "application/json";

/* The parameters that operations share, with what each is for. */
static const struct {
	const char *name, *type, *about;
} parameters[] = {
	{"allowWatchBookmarks", "boolean", "Ask a watch for events of type BOOKMARK."},
	{"continue", "string", "Where a list that was cut at its limit goes on."},
	{"dryRun", "string", "\"All\": do everything but keep the result."},
	{"fieldManager", "string", "Who changes these fields."},
	{"fieldSelector", "string", "Only objects whose fields match."},
	{"fieldValidation", "string",
	 "What unknown and duplicate fields are: Ignore, Warn or Strict."},
	{"force", "boolean", "Take fields over from other managers; for apply only."},
	{"gracePeriodSeconds", "integer", "How long the object may take to end; 0 is at once."},
	{"labelSelector", "string", "Only objects whose labels match."},
	{"limit", "integer", "How many objects at the most."},
	{"name", "string", "The name of the object."},
	{"namespace", "string", "The namespace of the object."},
	{"orphanDependents", "boolean", "The older form of propagationPolicy."},
	{"path", "string", "The path behind the proxy."},
	{"pretty", "string", "\"true\": written for people."},
	{"propagationPolicy", "string",
	 "What becomes of dependents: Orphan, Background or Foreground."},
	{"resourceVersion", "string", "The state of the store that is asked for."},
	{"resourceVersionMatch", "string", "How that state is meant: Exact or NotOlderThan."},
	{"sendInitialEvents", "boolean", "Begin a watch with what is there already."},
	{"timeoutSeconds", "integer", "How long a list or watch may last."},
	{"watch", "boolean", "Follow the changes instead of a list."},
};

/* Which of them each kind of operation takes, by name. */
static const char *const list_names[] = {"allowWatchBookmarks",
					 "continue",
					 "fieldSelector",
					 "labelSelector",
					 "limit",
					 "resourceVersion",
					 "resourceVersionMatch",
					 "sendInitialEvents",
					 "timeoutSeconds",
					 "watch",
					 NULL};
static const char *const write_names[] = {"dryRun", "fieldManager", "fieldValidation", NULL};
static const char *const patch_names[] = {"dryRun", "fieldManager", "fieldValidation", "force",
					  NULL};
static const char *const delete_names[] = {"dryRun", "gracePeriodSeconds", "orphanDependents",
					   "propagationPolicy", NULL};
static const char *const collection_names[] = {"continue",
					       "dryRun",
					       "fieldSelector",
					       "gracePeriodSeconds",
					       "labelSelector",
					       "limit",
					       "orphanDependents",
					       "propagationPolicy",
					       "resourceVersion",
					       "resourceVersionMatch",
					       "sendInitialEvents",
					       "timeoutSeconds",
					       NULL};

/* What the kinds of operations have in common. */
static const struct action {
	const char *name, *verb; /* as x-kubernetes-action; as operationId begins */
	const char *about;
	const char *const *parameters;
	enum { BODY_NONE, BODY_OBJECT, BODY_PATCH, BODY_DELETE } body;
	enum { ANSWER_OBJECT, ANSWER_LIST, ANSWER_EVENTS, ANSWER_STATUS, ANSWER_TEXT } answer;
	const char *codes[3];
} actions[] = {
	[ACTION_GET] = {"get", "read", "Read", NULL, BODY_NONE, ANSWER_OBJECT, {"200"}},
	[ACTION_LIST] = {"list",
			 "list",
			 "List or watch objects of kind",
			 list_names,
			 BODY_NONE,
			 ANSWER_LIST,
			 {"200"}},
	[ACTION_WATCH] = {"watch",
			  "watch",
			  "Watch; better list with watch and a fieldSelector:",
			  list_names,
			  BODY_NONE,
			  ANSWER_EVENTS,
			  {"200"}},
	[ACTION_WATCHLIST] = {"watchlist",
			      "watch",
			      "Watch; better list with watch:",
			      list_names,
			      BODY_NONE,
			      ANSWER_EVENTS,
			      {"200"}},
	[ACTION_POST] = {"post",
			 "create",
			 "Create",
			 write_names,
			 BODY_OBJECT,
			 ANSWER_OBJECT,
			 {"200", "201", "202"}},
	[ACTION_PUT] = {"put",
			"replace",
			"Replace",
			write_names,
			BODY_OBJECT,
			ANSWER_OBJECT,
			{"200", "201"}},
	[ACTION_PATCH] = {"patch",
			  "patch",
			  "Change parts of",
			  patch_names,
			  BODY_PATCH,
			  ANSWER_OBJECT,
			  {"200", "201"}},
	[ACTION_DELETE] = {"delete",
			   "delete",
			   "Delete",
			   delete_names,
			   BODY_DELETE,
			   ANSWER_STATUS,
			   {"200", "202"}},
	[ACTION_DELETE_COLLECTION] = {"deletecollection",
				      "delete",
				      "Delete objects of kind",
				      collection_names,
				      BODY_DELETE,
				      ANSWER_STATUS,
				      {"200"}},
	[ACTION_CONNECT] =
		{"connect", "connect", "Connect to", NULL, BODY_NONE, ANSWER_TEXT, {"200"}},
};

/* Parameters */

/* A parameter with the schema of its value; version 2 mixes the two. */
static struct value *parameter(struct openapi_model *model, const char *name, const char *in,
			       const char *about, struct value *schema)
{
	struct arena *arena = model->arena;
	struct value *made = value_object(arena);

	if (*about)
		value_set_text(arena, made, "description", about);
	value_set_text(arena, made, "in", in);
	value_set_text(arena, made, "name", name);
	if (strcmp(in, "path") == 0)
		value_set(arena, made, "required", value_bool(arena, true));
	/* uniqueItems on a plain value is what clients expect to find here. */
	value_set(arena, schema, "uniqueItems", value_bool(arena, true));
	if (model->v3) {
		value_set(arena, made, "schema", schema);
		return made;
	}
	for (uint32_t i = 0; i < schema->count; i++)
		value_set(arena, made, schema->object.members[i].key,
			  schema->object.members[i].value);
	return made;
}

/* One value a name: hundreds of operations link the same few parameters. */
static struct value *shared_parameter(struct openapi_model *model, const char *name, const char *in)
{
	struct value *known = value_get(model->parameters, name), *schema;
	const char *type = "string", *about = "";

	if (known)
		return known;
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
		if (strcmp(parameters[i].name, name) == 0) {
			type = parameters[i].type;
			about = parameters[i].about;
		}
	schema = value_object(model->arena);
	value_set_text(model->arena, schema, "type", type);
	known = parameter(model, name, in, about, schema);
	value_set(model->arena, model->parameters, name, known);
	return known;
}

struct value *openapi_path_parameter(struct openapi_model *model, const char *name)
{
	return shared_parameter(model, name, "path");
}

struct value *openapi_query_parameter(struct openapi_model *model, const char *name)
{
	return shared_parameter(model, name, "query");
}

/* The fields of an options type, as exec and log take them in the query. */
static void add_options(struct openapi_model *model, const struct schema_type *type,
			struct value *list)
{
	for (size_t i = 0; type && i < type->field_count; i++) {
		const struct schema_field *field = schema_field_at(model->schema, type, i);
		const char *name = schema_text(model->schema, field->name);
		struct value *schema;

		if (strcmp(name, "kind") == 0 || strcmp(name, "apiVersion") == 0)
			continue;
		if (field->type || field->kind == SCHEMA_ARRAY) {
			schema = value_object(model->arena);
			value_set_text(model->arena, schema, "type", "string");
		} else {
			schema = openapi_field_schema(model, field);
		}
		value_push(model->arena, list,
			   parameter(model, name, "query",
				     schema_text(model->schema, field->description), schema));
	}
}

/* Bodies */

static const struct schema_type *meta_type(const struct openapi_model *model, const char *name)
{
	return schema_type_named(model->schema, name);
}

/* What goes in and out: the kind of the subresource, else that of the resource. */
static const struct schema_type *object_type(const struct openapi_model *model,
					     const struct openapi_operation *operation)
{
	const struct schema_subresource *sub = operation->subresource;

	if (!sub)
		return operation->resource->type;
	return sub->type ? &model->schema->types[sub->type - 1] : NULL;
}

/* Version 3: the schema under each media type. */
static struct value *content(struct openapi_model *model, const char *const *media,
			     struct value *schema)
{
	struct value *all = value_object(model->arena);

	for (size_t i = 0; media[i]; i++) {
		struct value *one = value_object(model->arena);

		value_set(model->arena, one, "schema", schema);
		value_set(model->arena, all, media[i], one);
	}
	return all;
}

static struct value *texts(struct arena *arena, const char *const *list)
{
	struct value *array = value_array(arena);

	for (size_t i = 0; list[i]; i++)
		value_push(arena, array, value_string(arena, list[i]));
	return array;
}

/*
 * Version 2 has the body among the parameters and its media types beside them,
 * version 3 has a requestBody. Options of a delete may be left out.
 */
static void add_body(struct openapi_model *model, const struct openapi_operation *operation,
		     const struct action *action, struct value *made, struct value *list)
{
	static const char *const any_media[] = {"*/*", NULL};
	static const char *const patch_media[] = {"application/json-patch+json",
						  "application/merge-patch+json",
						  "application/strategic-merge-patch+json",
						  "application/apply-patch+yaml", NULL};
	struct arena *arena = model->arena;
	const char *const *media = action->body == BODY_PATCH ? patch_media : any_media;
	const struct schema_type *type =
		action->body == BODY_PATCH    ? meta_type(model, "meta.v1.Patch")
		: action->body == BODY_DELETE ? meta_type(model, "meta.v1.DeleteOptions")
					      : object_type(model, operation);
	struct value *body, *schema;

	if (!model->v3)
		value_set(arena, made, "consumes", texts(arena, media));
	if (action->body == BODY_NONE)
		return;
	body = value_object(arena);
	schema = openapi_reference(model, type);
	if (action->body != BODY_DELETE)
		value_set(arena, body, "required", value_bool(arena, true));
	if (model->v3) {
		value_set(arena, body, "content", content(model, media, schema));
		value_set(arena, made, "requestBody", body);
		return;
	}
	value_set_text(arena, body, "in", "body");
	value_set_text(arena, body, "name", "body");
	value_set(arena, body, "schema", schema);
	value_push(arena, list, body);
}

/* Answers */

/* The log and connections answer with bytes, deletes with a Status. */
static struct value *answer_schema(struct openapi_model *model,
				   const struct openapi_operation *operation, unsigned answer)
{
	const struct api_resource *resource = operation->resource;
	struct value *schema;

	switch (answer) {
	case ANSWER_LIST:
		return openapi_reference(
			model,
			schema_type_of_kind(model->schema, resource->group, resource->version,
					    schema_text(model->schema, resource->row->list_kind)));
	case ANSWER_EVENTS:
		return openapi_reference(model, meta_type(model, "meta.v1.WatchEvent"));
	case ANSWER_STATUS:
		return openapi_reference(model, meta_type(model, "meta.v1.Status"));
	case ANSWER_TEXT:
		schema = value_object(model->arena);
		value_set_text(model->arena, schema, "type", "string");
		return schema;
	default:
		return openapi_reference(model, object_type(model, operation));
	}
}

/* A code each that means success, and the one failure that is not the API's own. */
static void add_answers(struct openapi_model *model, const struct openapi_operation *operation,
			const struct action *action, unsigned answer, struct value *made)
{
	static const char *const object_media[] = {media_json, NULL};
	static const char *const list_media[] = {media_json, "application/json;stream=watch", NULL};
	static const char *const text_media[] = {"*/*", NULL};
	static const char *const about[] = {"OK", "Created", "Accepted"};
	struct arena *arena = model->arena;
	const char *const *media = answer == ANSWER_TEXT ? text_media
				   : answer == ANSWER_LIST || answer == ANSWER_EVENTS
					   ? list_media
					   : object_media;
	struct value *schema = answer_schema(model, operation, answer);
	struct value *answers = value_make_object(arena, made, "responses");

	for (size_t i = 0; i < 3 && action->codes[i]; i++) {
		struct value *one = value_make_object(arena, answers, action->codes[i]);

		value_set_text(arena, one, "description", about[action->codes[i][2] - '0']);
		if (model->v3)
			value_set(arena, one, "content", content(model, media, schema));
		else
			value_set(arena, one, "schema", schema);
	}
	value_set_text(arena, value_make_object(arena, answers, "401"), "description",
		       "Unauthorized");
	if (!model->v3)
		value_set(arena, made, "produces", texts(arena, media));
}

/* The operation */

/* "rbac.authorization.k8s.io", "ephemeralcontainers" as RbacAuthorization, Ephemeralcontainers. */
static const char *camel(struct arena *arena, const char *text)
{
	static const char suffix[] = ".k8s.io";
	size_t size = strlen(text), used = 0;
	char *made = arena_strndup(arena, text, size);
	bool upper = true;

	if (cox_ends_with(text, suffix))
		size -= sizeof(suffix) - 1;
	for (size_t i = 0; i < size; i++) {
		if (!isalnum((unsigned char)text[i])) {
			upper = true;
			continue;
		}
		made[used++] = upper ? (char)toupper((unsigned char)text[i]) : text[i];
		upper = false;
	}
	made[used] = '\0';
	return made;
}

/* "getCoreV1APIResources" */
const char *openapi_group_id(struct arena *arena, const char *verb,
			     const struct api_resource *resource, const char *what)
{
	return arena_printf(arena, "%s%s%s%s", verb,
			    camel(arena, *resource->group ? resource->group : "core"),
			    camel(arena, resource->version), what);
}

/* "readCoreV1NamespacedPodStatus": client generators make function names of it. */
static struct value *operation_id(struct openapi_model *model,
				  const struct openapi_operation *operation,
				  const struct action *action)
{
	const struct api_resource *resource = operation->resource;
	struct arena *arena = model->arena;
	bool connect = operation->action == ACTION_CONNECT;
	bool watch_list = operation->action == ACTION_WATCHLIST;
	bool collection = operation->action == ACTION_DELETE_COLLECTION;

	return value_printf(
		arena, "%s%s%s%s%s%s%s%s%s", openapi_group_id(arena, action->verb, resource, ""),
		connect ? camel(arena, operation->method) : "", collection ? "Collection" : "",
		operation->scope, resource->kind,
		operation->subresource
			? camel(arena, schema_text(model->schema, operation->subresource->name))
			: "",
		watch_list ? "List" : "", operation->everywhere ? "ForAllNamespaces" : "",
		operation->rest ? "WithPath" : "");
}

/* "core_v1": generators make one class of the operations of a tag. */
static struct value *operation_tag(struct openapi_model *model, const struct api_resource *resource)
{
	const char *group = camel(model->arena, *resource->group ? resource->group : "core");

	return value_printf(model->arena, "%c%s_%s", tolower((unsigned char)group[0]), group + 1,
			    resource->version);
}

static void add_kind(struct openapi_model *model, const struct openapi_operation *operation,
		     struct value *made)
{
	const struct api_resource *resource = operation->resource;
	const struct schema_subresource *sub = operation->subresource;
	const struct schema *schema = model->schema;
	struct arena *arena = model->arena;
	struct value *kind = value_make_object(arena, made, "x-kubernetes-group-version-kind");

	/* Clients look for an object here, on PATCH, to learn what the server can. */
	value_set_text(arena, kind, "group",
		       sub ? schema_text(schema, sub->group) : resource->group);
	value_set_text(arena, kind, "kind", sub ? schema_text(schema, sub->kind) : resource->kind);
	value_set_text(arena, kind, "version",
		       sub ? schema_text(schema, sub->version) : resource->version);
}

struct value *openapi_operation(struct openapi_model *model,
				const struct openapi_operation *operation)
{
	const struct action *action = &actions[operation->action];
	const struct schema_subresource *sub = operation->subresource;
	const char *sub_name = sub ? schema_text(model->schema, sub->name) : "";
	bool log = strcmp(sub_name, "log") == 0;
	struct arena *arena = model->arena;
	struct value *made = value_object(arena), *list = value_array(arena);

	value_push(arena, value_make_array(arena, made, "tags"),
		   operation_tag(model, operation->resource));
	value_set(arena, made, "description",
		  value_printf(arena, "%s %s%s%s", action->about, operation->resource->kind,
			       *sub_name ? ", " : "", sub_name));
	value_set(arena, made, "operationId", operation_id(model, operation, action));
	add_body(model, operation, action, made, list);
	for (size_t i = 0; action->parameters && action->parameters[i]; i++)
		value_push(arena, list, openapi_query_parameter(model, action->parameters[i]));
	if (operation->action == ACTION_CONNECT)
		add_options(model, object_type(model, operation), list);
	else if (log)
		add_options(model, schema_type_named(model->schema, "core.v1.PodLogOptions"), list);
	if (list->count)
		value_set(arena, made, "parameters", list);
	add_answers(model, operation, action, log ? (unsigned)ANSWER_TEXT : action->answer, made);
	if (!model->v3)
		value_push(arena, value_make_array(arena, made, "schemes"),
			   value_string(arena, "https"));
	value_set_text(arena, made, "x-kubernetes-action", action->name);
	add_kind(model, operation, made);
	return made;
}
