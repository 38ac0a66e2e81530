/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over all kinds that live in namespaces. Each is deleted as a whole
 * where the server can do that, else object by object, and then listed to see
 * what is still there.
 */
#include "content.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/discovery.h>
#include <coxswain/kit/request.h>
#include <stdlib.h>
#include <string.h>

enum { FINALIZERS_MAX = 256 }; /* different names that are told */

struct tally {
	char *name;
	size_t count;
};

struct pass {
	const struct cox_cluster *cluster;
	const struct cox_call *call;
	const char *namespace_name;
	struct content *content;
	COX_VEC(struct tally) kinds; /* "pods." and how many are left */
	COX_VEC(struct tally) finalizers;
	struct cox_buf failures;
	size_t failed; /* kinds */
};

static void note_failure(struct pass *pass, const struct cox_discovered *kind,
			 const struct cox_error *err)
{
	cox_buf_printf(&pass->failures, "%s%s: %s", pass->failures.size ? ", " : "",
		       kind->resource.resource, pass->cluster->message(err));
	pass->failed++;
}

/* ---- what is left ---- */

static void count_finalizer(struct pass *pass, const char *name)
{
	for (size_t i = 0; i < pass->finalizers.count; i++) {
		if (!strcmp(pass->finalizers.items[i].name, name)) {
			pass->finalizers.items[i].count++;
			return;
		}
	}
	if (pass->finalizers.count < FINALIZERS_MAX)
		cox_vec_push(&pass->finalizers, (struct tally){cox_strdup(name), 1});
}

/* Returns how many there are. */
static size_t count_items(struct pass *pass, const struct cox_discovered *kind,
			  const struct cox_object *list)
{
	const struct cox_objects *objects = pass->cluster->objects;
	const struct cox_value *items = objects->get(objects->root(list), "items"), *item, *name;
	struct cox_buf label = COX_BUF_INIT;
	size_t count;

	for (count = 0; (item = objects->at(items, count, NULL)); count++) {
		const struct cox_value *held = objects->get(item, "metadata.finalizers");

		for (size_t i = 0; (name = objects->at(held, i, NULL)); i++)
			count_finalizer(pass, objects->text(name, ""));
	}
	if (count) {
		cox_buf_printf(&label, "%s.%s", kind->resource.resource, kind->resource.group);
		cox_vec_push(&pass->kinds, (struct tally){cox_buf_steal(&label), count});
	}
	return count;
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct tally *)left)->name, ((const struct tally *)right)->name);
}

static void describe(struct pass *pass)
{
	struct cox_buf *remaining = &pass->content->remaining;
	struct cox_buf *finalizers = &pass->content->finalizers;

	if (pass->kinds.count)
		qsort(pass->kinds.items, pass->kinds.count, sizeof(struct tally), by_name);
	if (pass->finalizers.count)
		qsort(pass->finalizers.items, pass->finalizers.count, sizeof(struct tally),
		      by_name);
	for (size_t i = 0; i < pass->kinds.count; i++)
		cox_buf_printf(remaining, "%s%s has %zu resource instances",
			       i ? ", " : "Some resources are remaining: ",
			       pass->kinds.items[i].name, pass->kinds.items[i].count);
	for (size_t i = 0; i < pass->finalizers.count; i++)
		cox_buf_printf(finalizers, "%s%s in %zu resource instances",
			       i ? ", "
				 : "Some content in the namespace has finalizers remaining: ",
			       pass->finalizers.items[i].name, pass->finalizers.items[i].count);
}

/* ---- one kind ---- */

static int list_kind(struct pass *pass, const struct cox_discovered *kind, struct cox_object **list,
		     struct cox_error *err)
{
	const struct cox_request request = {.struct_size = sizeof(request),
					    .verb = COX_LIST,
					    .resource = &kind->resource,
					    .namespace_name = pass->namespace_name};

	return pass->cluster->request(pass->cluster->context, pass->call, &request, list, err);
}

static int delete_each(struct pass *pass, const struct cox_discovered *kind, struct cox_error *err)
{
	const struct cox_objects *objects = pass->cluster->objects;
	const struct cox_value *items, *item;
	struct cox_object *list = NULL;
	int failed;

	failed = list_kind(pass, kind, &list, err);
	items = objects->get(objects->root(list), "items");
	for (size_t i = 0; !failed && (item = objects->at(items, i, NULL)); i++) {
		const struct cox_place place = {&kind->resource, pass->namespace_name,
						objects->text(item, "metadata.name"), NULL};
		const struct cox_delete how = {.policy = "Background", .grace = -1};

		failed = cox_delete(pass->cluster, pass->call, &place, &how, err);
		if (failed && cox_failed_so(pass->cluster, COX_REASON_NOT_FOUND, err))
			failed = 0;
	}
	objects->unref(list);
	return failed;
}

static int delete_collection(struct pass *pass, const struct cox_discovered *kind,
			     struct cox_error *err)
{
	static const char body[] = "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\","
				   "\"propagationPolicy\":\"Background\"}";
	const struct cox_request request = {.struct_size = sizeof(request),
					    .verb = COX_DELETE_COLLECTION,
					    .resource = &kind->resource,
					    .namespace_name = pass->namespace_name,
					    .body = body,
					    .body_size = sizeof(body) - 1};

	if (!pass->cluster->request(pass->cluster->context, pass->call, &request, NULL, err))
		return 0;
	if (pass->cluster->reason(err) != COX_REASON_METHOD_NOT_ALLOWED)
		return -1;
	pass->cluster->error_clear(err);
	return delete_each(pass, kind, err);
}

/* How many are left; a failure is noted. */
static size_t delete_kind(struct pass *pass, const struct cox_discovered *kind)
{
	struct cox_error *err = pass->cluster->error_new();
	struct cox_object *list = NULL;
	size_t left = 0;
	int failed;

	failed = kind->can_delete_collection ? delete_collection(pass, kind, err)
					     : delete_each(pass, kind, err);
	if (!failed)
		failed = list_kind(pass, kind, &list, err);
	/* A kind that went meanwhile has nothing left. */
	if (failed && cox_failed_so(pass->cluster, COX_REASON_NOT_FOUND, err))
		failed = 0;
	if (failed)
		note_failure(pass, kind, err);
	else if (list)
		left = count_items(pass, kind, list);
	pass->cluster->objects->unref(list);
	pass->cluster->error_free(err);
	return left;
}

static bool is_pods(const struct cox_discovered *kind)
{
	return !*kind->resource.group && !strcmp(kind->resource.resource, "pods");
}

static void delete_kinds(struct pass *pass, const struct cox_discovered_list *kinds, bool pods,
			 size_t *left)
{
	for (size_t i = 0; i < kinds->count; i++) {
		const struct cox_discovered *kind = &kinds->items[i];

		if (kind->namespaced && kind->can_list &&
		    (kind->can_delete || kind->can_delete_collection) && is_pods(kind) == pods)
			*left += delete_kind(pass, kind);
	}
}

static void free_tallies(struct tally *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(items[i].name);
	free(items);
}

void content_delete(struct content *content, const struct cox_cluster *cluster,
		    const struct cox_call *call, const char *namespace_name)
{
	struct pass pass = {.cluster = cluster,
			    .call = call,
			    .namespace_name = namespace_name,
			    .content = content};
	struct cox_discovered_list kinds = {0};
	struct cox_error *err = cluster->error_new();
	size_t left = 0;

	if (cox_discover(cluster, call, &kinds, &content->undiscovered, err))
		cox_buf_printf(&content->undiscovered, "%s%s",
			       content->undiscovered.size ? ", " : "", cluster->message(err));
	delete_kinds(&pass, &kinds, true, &left);
	if (!left && !pass.failed)
		delete_kinds(&pass, &kinds, false, &left);
	if (pass.failed)
		cox_buf_printf(&content->failures,
			       "Failed to delete all resource types, %zu remaining: %s",
			       pass.failed, pass.failures.data);
	cox_buf_free(&pass.failures);
	describe(&pass);
	free_tallies(pass.kinds.items, pass.kinds.count);
	free_tallies(pass.finalizers.items, pass.finalizers.count);
	cluster->error_free(err);
	cox_discovered_free(&kinds);
}

void content_free(struct content *content)
{
	cox_buf_free(&content->undiscovered);
	cox_buf_free(&content->failures);
	cox_buf_free(&content->remaining);
	cox_buf_free(&content->finalizers);
}
