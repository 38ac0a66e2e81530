/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan. For each group: endpoints that a slice has stay where they are;
 * what is new goes into slices that are written anyway, then into the fullest
 * one that has room for all, then into new ones. A slice that would be
 * deleted is written over instead if another one would be made.
 */
#include "slices.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/vec.h>
#include <stdlib.h>
#include <string.h>

const struct cox_resource slices_resource = {"discovery.k8s.io", "v1", "endpointslices"};

struct plan {
	struct cox_object *old; /* borrowed; NULL: a new slice */
	const char *address_type;
	const char *ports;
	COX_VEC(const struct cox_value *) endpoints;
	bool changed;
	bool placeholder; /* is there although it has no endpoints */
};

struct plans {
	const struct slices *self;
	struct cox_object *wanted; /* {"groups": […], "labels": {…}, "annotations": {…}} */
	COX_VEC(struct plan) items;
	bool *used; /* a flag an existing slice */
};

struct slice_group *slices_group(struct slices *self, const char *address_type, const char *ports)
{
	struct slice_group *group;

	for (size_t i = 0; i < self->group_count; i++) {
		group = &self->groups[i];
		if (!strcmp(group->address_type, address_type) && !strcmp(group->ports, ports))
			return group;
	}
	if (self->group_count == self->group_capacity) {
		self->group_capacity = self->group_capacity ? self->group_capacity * 2 : 4;
		self->groups =
			cox_reallocarray(self->groups, self->group_capacity, sizeof(*self->groups));
	}
	group = &self->groups[self->group_count++];
	*group = (struct slice_group){.address_type = address_type, .ports = cox_strdup(ports)};
	return group;
}

void slices_add(struct slice_group *group, char *endpoint)
{
	if (group->count == group->capacity) {
		group->capacity = group->capacity ? group->capacity * 2 : 8;
		group->endpoints = cox_reallocarray(group->endpoints, group->capacity,
						    sizeof(*group->endpoints));
	}
	group->endpoints[group->count++] = endpoint;
}

/* ---- the plan ---- */

/* An endpoint is the same one while its pod (or what it stands for) and address are. */
static bool same_endpoint(const struct cox_objects *objects, const struct cox_value *a,
			  const struct cox_value *b)
{
	return !strcmp(objects->text(a, "addresses[0]"), objects->text(b, "addresses[0]")) &&
	       !strcmp(objects->text(a, "targetRef.uid"), objects->text(b, "targetRef.uid"));
}

/* Puts what the slice has and what is still wanted into its plan. */
static void keep_endpoints(const struct plans *plans, struct plan *plan,
			   const struct cox_value *wanted, bool *taken)
{
	const struct cox_objects *objects = plans->self->cluster->objects;
	const struct cox_value *has = objects->get(objects->root(plan->old), "endpoints");
	const struct cox_value *old, *now;

	for (size_t i = 0; (old = objects->at(has, i, NULL)); i++) {
		bool found = false;

		for (size_t j = 0; !found && (now = objects->at(wanted, j, NULL)); j++) {
			if (taken[j] || !same_endpoint(objects, old, now))
				continue;
			found = taken[j] = true;
			plan->changed |= !objects->equal(old, now);
			cox_vec_push(&plan->endpoints, now);
		}
		plan->changed |= !found;
	}
}

static size_t fill(struct plan *plan, const struct cox_objects *objects,
		   const struct cox_value *wanted, bool *taken)
{
	const struct cox_value *endpoint;
	size_t added = 0;

	for (size_t i = 0; plan->endpoints.count < SLICE_ENDPOINTS_MAX &&
			   (endpoint = objects->at(wanted, i, NULL));
	     i++) {
		if (taken[i])
			continue;
		taken[i] = true;
		plan->changed = true;
		cox_vec_push(&plan->endpoints, endpoint);
		added++;
	}
	return added;
}

/* The fullest one that can take `count` more; NULL: none. */
static struct plan *roomy(struct plans *plans, size_t first, size_t count)
{
	struct plan *best = NULL;

	for (size_t i = first; i < plans->items.count; i++) {
		struct plan *plan = &plans->items.items[i];

		if (plan->endpoints.count && plan->endpoints.count + count <= SLICE_ENDPOINTS_MAX &&
		    (!best || plan->endpoints.count > best->endpoints.count))
			best = plan;
	}
	return best;
}

static bool fits_group(const struct cox_objects *objects, const struct cox_object *slice,
		       const struct cox_value *group)
{
	const struct cox_value *has = objects->get(objects->root(slice), "ports");
	const struct cox_value *want = objects->get(group, "ports");

	return !strcmp(objects->text(objects->root(slice), "addressType"),
		       objects->text(group, "addressType")) &&
	       (objects->equal(has, want) || (!objects->count(has) && !objects->count(want)));
}

static bool same_map(const struct cox_objects *objects, const struct cox_value *a,
		     const struct cox_value *b)
{
	return objects->equal(a, b) || (!objects->count(a) && !objects->count(b));
}

static bool has_metadata(const struct plans *plans, const struct cox_object *slice)
{
	const struct cox_objects *objects = plans->self->cluster->objects;
	const struct cox_value *has = objects->get(objects->root(slice), "metadata");
	const struct cox_value *want = objects->root(plans->wanted);

	return same_map(objects, objects->get(has, "labels"), objects->get(want, "labels")) &&
	       (!plans->self->annotated || same_map(objects, objects->get(has, "annotations"),
						    objects->get(want, "annotations")));
}

static void plan_group(struct plans *plans, const struct slice_group *given,
		       const struct cox_value *group)
{
	const struct slices *self = plans->self;
	const struct cox_objects *objects = self->cluster->objects;
	const struct cox_value *wanted = objects->get(group, "endpoints");
	size_t count = given->count, first = plans->items.count;
	bool *taken = cox_calloc(count + 1, sizeof(bool));

	for (size_t i = 0; i < self->existing_count; i++) {
		struct cox_object *slice = self->existing[i];
		struct plan plan = {
			.old = slice, .address_type = given->address_type, .ports = given->ports};

		if (plans->used[i] || !fits_group(objects, slice, group))
			continue;
		plans->used[i] = true;
		plan.changed = !has_metadata(plans, slice);
		keep_endpoints(plans, &plan, wanted, taken);
		count -= plan.endpoints.count;
		cox_vec_push(&plans->items, plan);
	}
	for (size_t i = first; count && i < plans->items.count; i++) {
		if (plans->items.items[i].changed)
			count -= fill(&plans->items.items[i], objects, wanted, taken);
	}
	while (count) {
		struct plan *plan = roomy(plans, first, count);

		if (!plan) {
			cox_vec_push(&plans->items,
				     ((struct plan){.address_type = given->address_type,
						    .ports = given->ports,
						    .changed = true}));
			plan = &plans->items.items[plans->items.count - 1];
		}
		count -= fill(plan, objects, wanted, taken);
	}
	free(taken);
}

static struct cox_object *parse_wanted(const struct slices *self, struct cox_error *err)
{
	cox_autobuf text = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&text);

	cox_json_object(&json, NULL);
	cox_json_raw(&json, "labels", self->labels, strlen(self->labels));
	cox_json_raw(&json, "annotations", self->annotations, strlen(self->annotations));
	cox_json_array(&json, "groups");
	for (size_t i = 0; i < self->group_count; i++) {
		const struct slice_group *group = &self->groups[i];

		cox_json_object(&json, NULL);
		cox_json_text(&json, "addressType", group->address_type);
		cox_json_raw(&json, "ports", group->ports, strlen(group->ports));
		cox_json_array(&json, "endpoints");
		for (size_t j = 0; j < group->count; j++)
			cox_json_raw(&json, NULL, group->endpoints[j], strlen(group->endpoints[j]));
		cox_json_end(&json);
		cox_json_end(&json);
	}
	cox_json_end(&json);
	cox_json_end(&json);
	return self->cluster->objects->from_json(text.data, text.size, err);
}

/* ---- writes ---- */

static void write_slice(const struct slices *self, const struct plan *plan,
			const struct cox_object *over, struct cox_buf *body)
{
	const struct cox_objects *objects = self->cluster->objects;
	struct cox_json json = COX_JSON_INIT(body);
	cox_autobuf prefix = COX_BUF_INIT;

	cox_buf_printf(&prefix, "%s-", self->name);
	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", "EndpointSlice");
	cox_json_text(&json, "apiVersion", "discovery.k8s.io/v1");
	cox_json_object(&json, "metadata");
	if (over) {
		cox_json_text(&json, "name", objects->name(over));
		cox_json_text(&json, "uid", objects->uid(over));
		cox_json_text(&json, "resourceVersion", objects->revision(over));
	} else {
		cox_json_text(&json, "generateName", prefix.data);
	}
	cox_json_text(&json, "namespace", self->namespace_name);
	cox_json_raw(&json, "labels", self->labels, strlen(self->labels));
	cox_json_raw(&json, "annotations", self->annotations, strlen(self->annotations));
	cox_json_raw(&json, "ownerReferences", self->owners, strlen(self->owners));
	cox_json_end(&json);
	cox_json_text(&json, "addressType", plan->address_type);
	cox_json_array(&json, "endpoints");
	for (size_t i = 0; i < plan->endpoints.count; i++)
		cox_json_value(&json, NULL, objects, plan->endpoints.items[i]);
	cox_json_end(&json);
	cox_json_raw(&json, "ports", plan->ports, strlen(plan->ports));
	cox_json_end(&json);
}

static int put_slice(const struct slices *self, const struct plan *plan,
		     const struct cox_object *over, struct cox_error *err)
{
	const struct cox_place place = {&slices_resource, self->namespace_name,
					over ? self->cluster->objects->name(over) : NULL, NULL};
	cox_autobuf body = COX_BUF_INIT;

	write_slice(self, plan, over, &body);
	if (!over)
		cox_expect_creations(self->expect, self->key, 1);
	if (!cox_write(self->cluster, self->call, over ? COX_UPDATE : COX_CREATE, &place, &body,
		       NULL, err))
		return 0;
	if (!over)
		cox_expect_created(self->expect, self->key); /* it will not show up */
	/* The namespace or the slice is gone: there will be an event. */
	return cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
}

static int delete_slice(const struct slices *self, const struct cox_object *slice,
			struct cox_error *err)
{
	const struct cox_objects *objects = self->cluster->objects;
	const struct cox_place place = {&slices_resource, self->namespace_name,
					objects->name(slice), NULL};
	const struct cox_delete how = {.uid = objects->uid(slice), .grace = -1};

	if (!cox_delete(self->cluster, self->call, &place, &how, err))
		return 0;
	return cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
}

/* The next existing slice of this address type that no plan uses; NULL: none. */
static struct cox_object *take_spare(const struct plans *plans, const char *address_type)
{
	const struct cox_objects *objects = plans->self->cluster->objects;

	for (size_t i = 0; i < plans->self->existing_count; i++) {
		struct cox_object *slice = plans->self->existing[i];

		/* The address type of a slice cannot change. */
		if (plans->used[i] ||
		    (address_type &&
		     strcmp(objects->text(objects->root(slice), "addressType"), address_type) != 0))
			continue;
		plans->used[i] = true;
		return slice;
	}
	return NULL;
}

/* Slices that lost all their endpoints are spare again. */
static void give_back(const struct plans *plans, const struct cox_object *slice)
{
	for (size_t i = 0; i < plans->self->existing_count; i++) {
		if (plans->self->existing[i] == slice)
			plans->used[i] = false;
	}
}

static void empty_plans(struct plans *plans)
{
	for (size_t i = 0; i < plans->items.count; i++) {
		struct plan *plan = &plans->items.items[i];

		if (!plan->endpoints.count && plan->old) {
			give_back(plans, plan->old);
			plan->old = NULL;
		}
	}
}

static bool anything_left(const struct plans *plans, const char *address_type)
{
	for (size_t i = 0; i < plans->items.count; i++) {
		if (plans->items.items[i].endpoints.count &&
		    !strcmp(plans->items.items[i].address_type, address_type))
			return true;
	}
	return false;
}

/* One slice without endpoints, so that the service is seen to have none. */
static void plan_placeholder(struct plans *plans, const char *address_type)
{
	const struct cox_objects *objects = plans->self->cluster->objects;
	struct plan plan = {.address_type = address_type, .ports = "[]", .placeholder = true};
	const struct cox_value *root;

	plan.old = take_spare(plans, plan.address_type);
	root = objects->root(plan.old);
	plan.changed = !plan.old || objects->count(objects->get(root, "endpoints")) ||
		       objects->count(objects->get(root, "ports")) ||
		       !has_metadata(plans, plan.old);
	cox_vec_push(&plans->items, plan);
}

static int execute(struct plans *plans, struct cox_error *err)
{
	const struct slices *self = plans->self;
	struct cox_object *slice;

	empty_plans(plans);
	for (size_t i = 0; i < self->placeholder_count; i++) {
		if (!anything_left(plans, self->placeholders[i]))
			plan_placeholder(plans, self->placeholders[i]);
	}
	for (size_t i = 0; i < plans->items.count; i++) {
		struct plan *plan = &plans->items.items[i];

		if (!plan->changed || (!plan->endpoints.count && !plan->placeholder))
			continue;
		if (put_slice(self, plan,
			      plan->old ? plan->old : take_spare(plans, plan->address_type), err))
			return -1;
	}
	while ((slice = take_spare(plans, NULL))) {
		if (delete_slice(self, slice, err))
			return -1;
	}
	return 0;
}

int slices_reconcile(struct slices *self, struct cox_error *err)
{
	const struct cox_objects *objects = self->cluster->objects;
	struct plans plans = {.self = self};
	const struct cox_value *groups, *group;
	int failed;

	plans.wanted = parse_wanted(self, err);
	if (!plans.wanted)
		return -1;
	plans.used = cox_calloc(self->existing_count + 1, sizeof(bool));
	groups = objects->get(objects->root(plans.wanted), "groups");
	for (size_t i = 0; (group = objects->at(groups, i, NULL)); i++)
		plan_group(&plans, &self->groups[i], group);
	failed = execute(&plans, err);
	for (size_t i = 0; i < plans.items.count; i++)
		cox_vec_free(&plans.items.items[i].endpoints);
	cox_vec_free(&plans.items);
	free(plans.used);
	objects->unref(plans.wanted);
	return failed;
}

void slices_free(struct slices *self)
{
	for (size_t i = 0; i < self->group_count; i++) {
		for (size_t j = 0; j < self->groups[i].count; j++)
			free(self->groups[i].endpoints[j]);
		free(self->groups[i].endpoints);
		free(self->groups[i].ports);
	}
	free(self->groups);
	for (size_t i = 0; i < self->existing_count; i++)
		self->cluster->objects->unref(self->existing[i]);
	free(self->existing);
}
