/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths and whole documents; see openapi_model.h. Every resource that is served
 * has its paths here: the collection, the object, subresources, all namespaces
 * at once, and the older watches; methods follow the verbs of discovery.
 */
#include "apiserver/openapi_model.h"

#include "base/version.h"

#include <coxswain/kit/text.h>
#include <string.h>

/* Which method a verb of the API is, on the object and on the collection. */
static const struct verb {
	enum schema_verb verb;
	const char *method;
	enum openapi_action action;
	bool collection;
} verbs[] = {
	{SCHEMA_GET, "get", ACTION_GET, false},
	{SCHEMA_UPDATE, "put", ACTION_PUT, false},
	{SCHEMA_PATCH, "patch", ACTION_PATCH, false},
	{SCHEMA_DELETE, "delete", ACTION_DELETE, false},
	{SCHEMA_LIST, "get", ACTION_LIST, true},
	{SCHEMA_CREATE, "post", ACTION_POST, true},
	{SCHEMA_DELETE_COLLECTION, "delete", ACTION_DELETE_COLLECTION, true},
};

enum { VERB_COUNT = sizeof(verbs) / sizeof(verbs[0]) };

/* Ends the item of a path: its own parameters, and nothing for no operation. */
static void add_path(struct openapi_model *model, struct value *paths, const char *path,
		     struct value *item)
{
	struct arena *arena = model->arena;
	struct value *list;

	if (item->count == 0)
		return;
	list = value_make_array(arena, item, "parameters");
	if (strstr(path, "{name}"))
		value_push(arena, list, openapi_path_parameter(model, "name"));
	if (strstr(path, "{namespace}"))
		value_push(arena, list, openapi_path_parameter(model, "namespace"));
	if (strstr(path, "{path}"))
		value_push(arena, list, openapi_path_parameter(model, "path"));
	value_push(arena, list, openapi_query_parameter(model, "pretty"));
	value_set(arena, paths, path, item);
}

/* `operation` is a copy, so that callers can go on with theirs. */
static void set_operation(struct openapi_model *model, struct value *item,
			  struct openapi_operation operation, const char *method,
			  enum openapi_action action)
{
	operation.method = method;
	operation.action = action;
	value_set(model->arena, item, method, openapi_operation(model, &operation));
}

/* The operations of an object, or of its collection. */
static void add_resource_path(struct openapi_model *model, struct value *paths, const char *path,
			      const struct openapi_operation *about, bool collection)
{
	struct value *item = value_object(model->arena);
	uint32_t allowed = about->resource->row->verbs;

	for (size_t i = 0; i < VERB_COUNT; i++)
		if ((allowed & verbs[i].verb) && verbs[i].collection == collection)
			set_operation(model, item, *about, verbs[i].method, verbs[i].action);
	add_path(model, paths, path, item);
}

/* A subresource whose kind is options is a connection: every verb is a method. */
static void add_subresource_path(struct openapi_model *model, struct value *paths,
				 const char *object, struct openapi_operation about,
				 const struct schema_subresource *sub)
{
	struct arena *arena = model->arena;
	const char *name = schema_text(model->schema, sub->name);
	bool connect = cox_ends_with(schema_text(model->schema, sub->kind), "Options");
	bool proxy = connect && strcmp(name, "proxy") == 0;

	about.subresource = sub;
	for (int rest = 0; rest <= proxy; rest++) {
		struct value *item = value_object(arena);

		about.rest = rest;
		for (size_t i = 0; i < VERB_COUNT; i++) {
			if (!(sub->verbs & verbs[i].verb))
				continue;
			set_operation(model, item, about, verbs[i].method,
				      connect ? ACTION_CONNECT : verbs[i].action);
		}
		add_path(model, paths,
			 arena_printf(arena, "%s/%s%s", object, name, rest ? "/{path}" : ""), item);
	}
}

/* One of the paths below, which have nothing but a GET. */
static void add_watch(struct openapi_model *model, struct value *paths, const char *path,
		      const struct openapi_operation *about, enum openapi_action action)
{
	struct value *item = value_object(model->arena);

	set_operation(model, item, *about, "get", action);
	add_path(model, paths, path, item);
}

/* ROOT/watch/…: older than the parameter, still served. */
static void add_watches(struct openapi_model *model, struct value *paths, const char *root,
			const char *below, const struct openapi_operation *about)
{
	struct arena *arena = model->arena;
	struct openapi_operation everywhere = *about;

	if (!(about->resource->row->verbs & SCHEMA_WATCH))
		return;
	add_watch(model, paths, arena_printf(arena, "%s/watch/%s", root, below), about,
		  ACTION_WATCHLIST);
	add_watch(model, paths, arena_printf(arena, "%s/watch/%s/{name}", root, below), about,
		  ACTION_WATCH);
	if (!about->resource->namespaced)
		return;
	everywhere.scope = "";
	everywhere.everywhere = true;
	add_watch(model, paths, arena_printf(arena, "%s/watch/%s", root, about->resource->name),
		  &everywhere, ACTION_WATCHLIST);
}

/* All paths of one resource, below ROOT. */
static void add_resource(struct openapi_model *model, struct value *paths, const char *root,
			 const struct api_resource *resource)
{
	struct arena *arena = model->arena;
	struct openapi_operation about = {.resource = resource,
					  .scope = resource->namespaced ? "Namespaced" : ""};
	const char *below =
		arena_printf(arena, "%s%s", resource->namespaced ? "namespaces/{namespace}/" : "",
			     resource->name);
	const char *object = arena_printf(arena, "%s/%s/{name}", root, below);

	add_resource_path(model, paths, arena_printf(arena, "%s/%s", root, below), &about, true);
	add_resource_path(model, paths, object, &about, false);
	for (unsigned i = 0; i < resource->row->subresource_count; i++)
		add_subresource_path(model, paths, object, about,
				     &model->schema->subresources[resource->row->subresources + i]);
	if (resource->namespaced && (resource->row->verbs & SCHEMA_LIST)) {
		struct openapi_operation everywhere = about;
		struct value *item = value_object(arena);

		everywhere.scope = "";
		everywhere.everywhere = true;
		set_operation(model, item, everywhere, "get", ACTION_LIST);
		add_path(model, paths, arena_printf(arena, "%s/%s", root, resource->name), item);
	}
	add_watches(model, paths, root, below, &about);
}

/* What is not about objects: discovery and the version. */
static void add_document(struct openapi_model *model, struct value *paths, const char *path,
			 const char *about, const char *id, const char *type)
{
	struct arena *arena = model->arena;
	struct value *item = value_object(arena);
	struct value *made = value_make_object(arena, item, "get");
	struct value *answer = value_object(arena);
	struct value *schema = openapi_reference(model, schema_type_named(model->schema, type));
	struct value *answers;

	value_set_text(arena, made, "description", about);
	value_set_text(arena, made, "operationId", id);
	answers = value_make_object(arena, made, "responses");
	value_set_text(arena, answer, "description", "OK");
	if (model->v3)
		value_set(arena,
			  value_make_object(arena, value_make_object(arena, answer, "content"),
					    "application/json"),
			  "schema", schema);
	else
		value_set(arena, answer, "schema", schema);
	value_set(arena, answers, "200", answer);
	value_set(arena, paths, path, item);
}

/* The core group is older than groups and has a root of its own. */
static const char *root_of(struct arena *arena, const struct api_resource *resource)
{
	if (!*resource->group)
		return arena_printf(arena, "/api/%s", resource->version);
	return arena_printf(arena, "/apis/%s/%s", resource->group, resource->version);
}

struct value *openapi_paths(struct openapi_model *model, const char *group, const char *version)
{
	struct arena *arena = model->arena;
	struct value *paths = value_object(arena);

	for (size_t i = 0; i < model->resource_count; i++) {
		const struct api_resource *resource = &model->resources[i];
		const char *root, *list;

		if (group && (strcmp(resource->group, group) != 0 ||
			      strcmp(resource->version, version) != 0))
			continue;
		root = root_of(arena, resource);
		list = arena_printf(arena, "%s/", root);
		if (!value_get(paths, list))
			add_document(model, paths, list, "List what this version serves",
				     openapi_group_id(arena, "get", resource, "APIResources"),
				     "meta.v1.APIResourceList");
		add_resource(model, paths, root, resource);
	}
	if (!group) {
		add_document(model, paths, "/api/", "List the versions of the core group",
			     "getCoreAPIVersions", "meta.v1.APIVersions");
		add_document(model, paths, "/apis/", "List the groups", "getAPIVersions",
			     "meta.v1.APIGroupList");
		add_document(model, paths, "/version/", "The version of the server",
			     "getCodeVersion", "version.Info");
	}
	value_sort_keys(paths);
	return paths;
}

/* Documents */

/* Room for every type there is: each is queued once at the most. */
static void begin(struct openapi_model *model, struct arena *arena, const struct apiserver *server,
		  bool v3)
{
	uint32_t types = server->schema->type_count;

	*model = (struct openapi_model){.arena = arena,
					.schema = server->schema,
					.resources = server->resources,
					.resource_count = server->resource_count,
					.v3 = v3};
	model->wanted = arena_calloc(arena, types * sizeof(*model->wanted));
	model->queue = arena_alloc(arena, types * sizeof(*model->queue));
	model->parameters = value_object(arena);
}

/* The document with what tells its form and the server's release. */
static struct value *head(struct arena *arena, const char *key, const char *version)
{
	struct value *document = value_object(arena);
	struct value *info;

	value_set_text(arena, document, key, version);
	info = value_make_object(arena, document, "info");
	value_set_text(arena, info, "title", "Kubernetes");
	value_set_text(arena, info, "version", COX_KUBERNETES_VERSION);
	return document;
}

/* Both versions say it in the same words. */
static struct value *security_schemes(struct arena *arena)
{
	struct value *schemes = value_object(arena);
	struct value *token = value_make_object(arena, schemes, "BearerToken");

	value_set_text(arena, token, "type", "apiKey");
	value_set_text(arena, token, "name", "authorization");
	value_set_text(arena, token, "in", "header");
	value_set_text(arena, token, "description", "A token, as: Bearer TOKEN");
	return schemes;
}

struct value *openapi_build_v2(struct arena *arena, const struct apiserver *server)
{
	struct value *document = head(arena, "swagger", "2.0"), *need;
	struct openapi_model model;

	begin(&model, arena, server, false);
	value_set(arena, document, "paths", openapi_paths(&model, NULL, NULL));
	value_set(arena, document, "definitions", openapi_definitions(&model));
	value_set(arena, document, "securityDefinitions", security_schemes(arena));
	need = value_object(arena);
	value_make_array(arena, need, "BearerToken");
	value_push(arena, value_make_array(arena, document, "security"), need);
	return document;
}

struct value *openapi_build_v3(struct arena *arena, const struct apiserver *server,
			       const char *group, const char *version)
{
	struct value *document, *components, *paths;
	struct openapi_model model;

	begin(&model, arena, server, true);
	paths = openapi_paths(&model, group, version);
	if (paths->count == 0)
		return NULL;
	document = head(arena, "openapi", "3.0.0");
	value_set(arena, document, "paths", paths);
	components = value_make_object(arena, document, "components");
	value_set(arena, components, "schemas", openapi_definitions(&model));
	value_set(arena, components, "securitySchemes", security_schemes(arena));
	return document;
}
