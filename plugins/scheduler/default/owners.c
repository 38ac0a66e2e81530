/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services and controllers with their selectors, by namespace, kept up to date
 * by listers' watchers so that an attempt parses nothing.
 *
 * Lock: owners.mutex over the map and the counts; nothing is called under it.
 */
#include "default.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <string.h>

enum { KINDS = 4 };

struct owner {
	struct selector selector;
	char *name;
	size_t kind;
	unsigned references; /* under the mutex */
};

struct namespace_owners {
	COX_VEC(struct owner *) items;
};

struct watcher {
	struct owners *owners;
	size_t kind;
	struct cox_lister_watcher watcher;
};

struct owners {
	const struct cox_objects *objects;
	pthread_mutex_t mutex;
	struct cox_map namespaces; /* -> struct namespace_owners */
	struct watcher watchers[KINDS];
	const struct cox_cluster *cluster;
	struct cox_lister *own[KINDS]; /* those that nobody waits for */
};

static const struct {
	struct cox_resource resource;
	bool map;      /* spec.selector is a plain map */
	bool optional; /* a server need not have it, so work begins without it */
} kinds[KINDS] = {
	{{"", "v1", "services"}, true, false},
	{{"", "v1", "replicationcontrollers"}, true, false},
	{{"apps", "v1", "replicasets"}, false, true},
	{{"apps", "v1", "statefulsets"}, false, true},
};

static void owner_unref(struct owner *owner)
{
	if (--owner->references)
		return;
	selector_free(&owner->selector);
	free(owner->name);
	free(owner);
}

/* NULL: it selects nothing. */
static struct owner *owner_new(struct owners *owners, size_t kind, const struct cox_object *object)
{
	const struct cox_objects *objects = owners->objects;
	const struct cox_value *from = objects->get(objects->root(object), "spec.selector");
	struct owner *owner = cox_new(struct owner);

	owner->references = 1;
	owner->kind = kind;
	owner->name = cox_strdup(objects->name(object));
	owner->selector.owned = true;
	if (kinds[kind].map) {
		selector_add_map(&owner->selector, objects, from);
	} else {
		selector_add_map(&owner->selector, objects, objects->get(from, "matchLabels"));
		selector_add_list(&owner->selector, objects,
				  objects->get(from, "matchExpressions"));
	}
	if (owner->selector.items.count)
		return owner;
	owner_unref(owner);
	return NULL;
}

static void replace(struct owners *owners, size_t kind, const char *namespace, const char *name,
		    struct owner *owner)
{
	size_t size = strlen(namespace);
	struct namespace_owners *all;

	cox_lock_scope(&owners->mutex);
	all = cox_map_get(&owners->namespaces, namespace, size);
	for (size_t i = 0; all && i < all->items.count; i++) {
		struct owner *at = all->items.items[i];

		if (at->kind == kind && !strcmp(at->name, name)) {
			all->items.items[i] = all->items.items[--all->items.count];
			owner_unref(at);
			break;
		}
	}
	if (owner && !all) {
		all = cox_new(struct namespace_owners);
		cox_map_put(&owners->namespaces, namespace, size, all);
	}
	if (owner)
		cox_vec_push(&all->items, owner);
	if (all && !all->items.count) {
		cox_map_remove(&owners->namespaces, namespace, size);
		cox_vec_free(&all->items);
		free(all);
	}
}

static void changed(void *self, const struct cox_object *old, const struct cox_object *now)
{
	const struct watcher *watcher = self;
	struct owners *owners = watcher->owners;
	const struct cox_object *object = now ? now : old;

	replace(owners, watcher->kind, owners->objects->namespace_of(object),
		owners->objects->name(object), now ? owner_new(owners, watcher->kind, now) : NULL);
}

struct owners *owners_new(void)
{
	struct owners *owners = cox_new(struct owners);

	pthread_mutex_init(&owners->mutex, NULL);
	return owners;
}

int owners_open(struct owners *owners, const struct cox_scheduler_setup *setup,
		struct cox_error *err)
{
	owners->cluster = setup->cluster;
	owners->objects = setup->cluster->objects;
	for (size_t i = 0; i < KINDS; i++) {
		struct watcher *watcher = &owners->watchers[i];
		const struct cox_lister *open = NULL;
		struct cox_lister_options options = {.struct_size = sizeof(options),
						     .resource = &kinds[i].resource,
						     .watcher = &watcher->watcher};

		watcher->owners = owners;
		watcher->kind = i;
		watcher->watcher = (struct cox_lister_watcher){changed, watcher};
		if (kinds[i].optional)
			owners->own[i] =
				setup->cluster->lister_open(setup->cluster->context, &options, err);
		else
			open = setup->source(setup->builder, &options, err);
		if (!open && !owners->own[i])
			return -1;
	}
	return 0;
}

void owners_free(struct owners *owners)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	if (!owners)
		return;
	for (size_t i = 0; i < KINDS; i++) {
		if (owners->own[i])
			owners->cluster->lister_close(owners->own[i]);
	}
	while (cox_map_next(&owners->namespaces, &at, &key, &size, &value)) {
		struct namespace_owners *all = value;

		for (size_t i = 0; i < all->items.count; i++)
			owner_unref(all->items.items[i]);
		cox_vec_free(&all->items);
		free(all);
	}
	cox_map_free(&owners->namespaces);
	pthread_mutex_destroy(&owners->mutex);
	free(owners);
}

void owners_find(struct owners *owners, const struct cox_scheduler_pod *pod, bool services_only,
		 struct owner_list *found)
{
	const struct namespace_owners *all;

	cox_lock_scope(&owners->mutex);
	all = cox_map_get(&owners->namespaces, pod->namespace_name, strlen(pod->namespace_name));
	for (size_t i = 0; all && i < all->items.count; i++) {
		struct owner *owner = all->items.items[i];

		if ((services_only && owner->kind != 0) ||
		    !selector_matches(&owner->selector, pod->labels))
			continue;
		owner->references++;
		cox_vec_push(found, owner);
	}
}

void owner_list_free(struct owners *owners, struct owner_list *list)
{
	if (!list->count)
		return;
	cox_lock_scope(&owners->mutex);
	for (size_t i = 0; i < list->count; i++)
		owner_unref(list->items[i]);
	cox_vec_free(list);
}

bool owner_list_matches(const struct owner_list *list, struct cox_scheduler_pairs labels)
{
	for (size_t i = 0; i < list->count; i++) {
		if (selector_matches(&list->items[i]->selector, labels))
			return true;
	}
	return false;
}
