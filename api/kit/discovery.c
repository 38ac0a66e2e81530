/* SPDX-License-Identifier: Apache-2.0 */
/* Asks /api/v1, /apis, and each group's preferred version. */
#include <coxswain/kit/discovery.h>

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/request.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS_MAX = 4096 }; /* more than any cluster has */

void cox_discovered_free(struct cox_discovered_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free((char *)list->items[i].resource.group);
		free((char *)list->items[i].resource.version);
		free((char *)list->items[i].resource.resource);
		free(list->items[i].kind);
		free(list->items[i].api_version);
	}
	cox_vec_free(list);
}

static void add_verb(struct cox_discovered *kind, const char *verb)
{
	kind->can_list |= !strcmp(verb, "list");
	kind->can_watch |= !strcmp(verb, "watch");
	kind->can_delete |= !strcmp(verb, "delete");
	kind->can_delete_collection |= !strcmp(verb, "deletecollection");
}

static void add_kinds(const struct cox_objects *objects, const struct cox_object *document,
		      const char *group, const char *version, struct cox_discovered_list *list)
{
	const struct cox_value *all = objects->get(objects->root(document), "resources"), *item;

	for (size_t i = 0; (item = objects->at(all, i, NULL)) && list->count < KINDS_MAX; i++) {
		const struct cox_value *verbs = objects->get(item, "verbs"), *verb;
		const char *name = objects->text(item, "name");
		struct cox_discovered kind = {.namespaced = objects->boolean(item, "namespaced")};
		struct cox_buf api_version = COX_BUF_INIT;

		if (!*name || strchr(name, '/'))
			continue;
		kind.resource = (struct cox_resource){cox_strdup(group), cox_strdup(version),
						      cox_strdup(name)};
		kind.kind = cox_strdup(objects->text(item, "kind"));
		cox_buf_printf(&api_version, "%s%s%s", group, *group ? "/" : "", version);
		kind.api_version = cox_buf_steal(&api_version);
		for (size_t j = 0; (verb = objects->at(verbs, j, NULL)); j++)
			add_verb(&kind, objects->text(verb, ""));
		cox_vec_push(list, kind);
	}
}

static int ask(const struct cox_cluster *cluster, const struct cox_call *call, const char *group,
	       const char *version, struct cox_discovered_list *list, struct cox_error *err)
{
	struct cox_buf path = COX_BUF_INIT;
	struct cox_object *document = NULL;
	int failed;

	if (*group)
		cox_buf_printf(&path, "/apis/%s/%s", group, version);
	else
		cox_buf_printf(&path, "/api/%s", version);
	failed = cox_get_path(cluster, call, path.data, &document, err);
	if (!failed)
		add_kinds(cluster->objects, document, group, version, list);
	cluster->objects->unref(document);
	cox_buf_free(&path);
	return failed;
}

/* A group that does not answer must not hide the others. */
static void ask_group(const struct cox_cluster *cluster, const struct cox_call *call,
		      const struct cox_value *group, struct cox_discovered_list *list,
		      struct cox_buf *missing)
{
	const struct cox_objects *objects = cluster->objects;
	const char *name = objects->text(group, "name");
	const char *version = objects->text(group, "preferredVersion.version");
	struct cox_error *err = cluster->error_new();

	if (*name && *version && ask(cluster, call, name, version, list, err) && missing)
		cox_buf_printf(missing, "%s%s/%s: %s", missing->size ? ", " : "", name, version,
			       cluster->message(err));
	cluster->error_free(err);
}

int cox_discover(const struct cox_cluster *cluster, const struct cox_call *call,
		 struct cox_discovered_list *list, struct cox_buf *missing, struct cox_error *err)
{
	const struct cox_objects *objects = cluster->objects;
	const struct cox_value *groups, *group;
	struct cox_object *document = NULL;

	if (ask(cluster, call, "", "v1", list, err) ||
	    cox_get_path(cluster, call, "/apis", &document, err))
		return -1;
	groups = objects->get(objects->root(document), "groups");
	for (size_t i = 0; (group = objects->at(groups, i, NULL)); i++)
		ask_group(cluster, call, group, list, missing);
	objects->unref(document);
	return 0;
}
