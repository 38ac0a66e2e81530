/* SPDX-License-Identifier: Apache-2.0 */
/* Listers with a way past them; see the header. */
#include "lookup.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/vec.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 10000 }; /* limit ranges or quotas of one namespace */

int lookup_open(struct lookup *lookup, const struct cox_host *host,
		const struct cox_cluster *cluster, const char *resource, struct cox_error *err)
{
	struct cox_lister_options options = {.struct_size = sizeof(options)};

	lookup->host = host;
	lookup->cluster = cluster;
	lookup->resource = (struct cox_resource){"", "v1", resource};
	options.resource = &lookup->resource;
	lookup->lister = cluster->lister_open(cluster->context, &options, err);
	return lookup->lister ? 0 : -1;
}

void lookup_close(struct lookup *lookup)
{
	if (lookup->lister)
		lookup->cluster->lister_close(lookup->lister);
	lookup->lister = NULL;
}

int lookup_is_ready(const struct lookup *lookup)
{
	return lookup->lister && lookup->cluster->lister_synced(lookup->lister);
}

struct cox_object *lookup_known(const struct lookup *lookup, const char *namespace_name,
				const char *name)
{
	return lookup->cluster->get(lookup->lister, namespace_name, name);
}

struct cox_object *lookup_ask(const struct lookup *lookup, const struct cox_call *call,
			      const char *namespace_name, const char *name, int *missing,
			      struct cox_error *err)
{
	const struct cox_cluster *cluster = lookup->cluster;
	const struct cox_request request = {.struct_size = sizeof(request),
					    .verb = COX_GET,
					    .resource = &lookup->resource,
					    .namespace_name = namespace_name,
					    .name = name};
	struct cox_error *why = cluster->error_new();
	struct cox_object *object = NULL;

	*missing = 0;
	if (cluster->request(cluster->context, call, &request, &object, why) != 0) {
		*missing = cluster->reason(why) == COX_REASON_NOT_FOUND;
		if (!*missing)
			lookup->host->fail(err, cluster->reason(why), "look up %s \"%s\": %s",
					   lookup->resource.resource, name, cluster->message(why));
	}
	cluster->error_free(why);
	return object;
}

struct cox_object *lookup_find(const struct lookup *lookup, const struct cox_call *call,
			       const char *namespace_name, const char *name, int *missing,
			       struct cox_error *err)
{
	struct cox_object *object = lookup_known(lookup, namespace_name, name);

	*missing = 0;
	return object ? object : lookup_ask(lookup, call, namespace_name, name, missing, err);
}

/* Lists */

struct gathering {
	const struct cox_objects *objects;
	COX_VEC(struct cox_object *) found;
};

static int gather(void *to, const struct cox_object *object)
{
	struct gathering *gathering = to;

	cox_vec_push(&gathering->found, gathering->objects->ref(object));
	return gathering->found.count >= LIST_MAX;
}

/* Items of an answered list, each an object of its own. */
static int gather_items(struct gathering *gathering, const struct cox_object *answer,
			struct cox_error *err)
{
	const struct cox_objects *objects = gathering->objects;
	const struct cox_value *items = objects->get(objects->root(answer), "items"), *item;

	for (size_t i = 0; i < LIST_MAX && (item = objects->at(items, i, NULL)); i++) {
		cox_autobuf text = COX_BUF_INIT;
		const struct cox_writer writer = {cox_buf_sink, &text};
		struct cox_object *object;

		objects->write(item, &writer);
		object = objects->from_json(cox_buf_cstr(&text), text.size, err);
		if (!object)
			return -1;
		cox_vec_push(&gathering->found, object);
	}
	return 0;
}

static int ask_all(const struct lookup *lookup, const struct cox_call *call,
		   const char *namespace_name, struct gathering *gathering, struct cox_error *err)
{
	const struct cox_cluster *cluster = lookup->cluster;
	const struct cox_request request = {.struct_size = sizeof(request),
					    .verb = COX_LIST,
					    .resource = &lookup->resource,
					    .namespace_name = namespace_name};
	lookup_auto_hold answer = {cluster->objects, NULL};

	return cluster->request(cluster->context, call, &request, &answer.object, err) == 0
		       ? gather_items(gathering, answer.object, err)
		       : -1;
}

/* qsort has no context of its own; the objects' table is the same for all. */
static int compare_names(const void *a, const void *b, void *objects)
{
	const struct cox_objects *table = objects;

	return strcmp(table->name(*(struct cox_object *const *)a),
		      table->name(*(struct cox_object *const *)b));
}

int lookup_all(const struct lookup *lookup, const struct cox_call *call, const char *namespace_name,
	       struct lookup_list *list, struct cox_error *err)
{
	const struct cox_cluster *cluster = lookup->cluster;
	struct gathering gathering = {.objects = cluster->objects};
	const struct cox_object_sink sink = {gather, &gathering};
	int status = 0;

	if (lookup_is_ready(lookup))
		cluster->list(lookup->lister, namespace_name, &sink);
	else
		status = ask_all(lookup, call, namespace_name, &gathering, err);
	if (gathering.found.count)
		qsort_r(gathering.found.items, gathering.found.count,
			sizeof(*gathering.found.items), compare_names,
			(void *)(uintptr_t)cluster->objects);
	list->objects = cluster->objects;
	list->items = gathering.found.items;
	list->count = gathering.found.count;
	return status;
}

void lookup_list_free(struct lookup_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		list->objects->unref(list->items[i]);
	free(list->items);
	list->items = NULL;
	list->count = 0;
}

void lookup_hold_end(struct lookup_hold *hold)
{
	if (hold->object)
		hold->objects->unref(hold->object);
	hold->object = NULL;
}
