/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes and pods have in common, and the nodes. */
#include "scheduler/facts.h"

#include "machinery/json.h"
#include "machinery/quantity.h"
#include "scheduler/facts_internal.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/map.h>
#include <stdlib.h>

int64_t facts_amount(const struct value *value, bool milli)
{
	struct cox_quantity quantity;

	if (!value || quantity_from_value(value, &quantity, NULL))
		return 0;
	return milli ? cox_quantity_milli(&quantity) : cox_quantity_units(&quantity);
}

static int compare_pairs(const void *a, const void *b)
{
	return strcmp(((const struct cox_scheduler_pair *)a)->key,
		      ((const struct cox_scheduler_pair *)b)->key);
}

struct cox_scheduler_pairs facts_pairs(struct pack *pack, const struct value *map)
{
	size_t count = value_is(map, VALUE_OBJECT) ? map->count : 0;
	struct cox_scheduler_pair *items = pack_alloc(pack, count * sizeof(*items));

	for (size_t i = 0; i < count; i++) {
		items[i].key = pack_text(pack, map->object.members[i].key);
		items[i].value = pack_text(pack, value_text(map->object.members[i].value));
	}
	if (count > 1)
		qsort(items, count, sizeof(*items), compare_pairs);
	return (struct cox_scheduler_pairs){items, count};
}

/* ---- resources ---- */

static int compare_amounts(const void *a, const void *b)
{
	return strcmp(((const struct cox_scheduler_amount *)a)->name,
		      ((const struct cox_scheduler_amount *)b)->name);
}

/* Where an amount belongs; NULL: it is none of the usual. */
int64_t *facts_usual(struct cox_scheduler_resources *resources, const char *name)
{
	if (!strcmp(name, "cpu"))
		return &resources->milli_cpu;
	if (!strcmp(name, "memory"))
		return &resources->memory;
	if (!strcmp(name, "ephemeral-storage"))
		return &resources->ephemeral_storage;
	if (!strcmp(name, "pods"))
		return &resources->pods;
	return NULL;
}

struct cox_scheduler_resources facts_resources(struct pack *pack, const struct value *map)
{
	struct cox_scheduler_resources resources = {0};
	size_t count = value_is(map, VALUE_OBJECT) ? map->count : 0;
	struct cox_scheduler_amount *others = pack_alloc(pack, count * sizeof(*others));

	for (size_t i = 0; i < count; i++) {
		const struct value_member *member = &map->object.members[i];
		int64_t *usual = facts_usual(&resources, member->key);

		if (usual)
			*usual = facts_amount(member->value, usual == &resources.milli_cpu);
		else
			others[resources.other_count++] = (struct cox_scheduler_amount){
				pack_text(pack, member->key), facts_amount(member->value, false)};
	}
	if (resources.other_count > 1)
		qsort(others, resources.other_count, sizeof(*others), compare_amounts);
	resources.others = others;
	return resources;
}

/* ---- nodes ---- */

static bool is_ready(const struct value *status)
{
	const struct value *conditions = value_get(status, "conditions"), *item;

	for (size_t i = 0; (item = value_at(conditions, i)); i++) {
		if (value_string_is(value_get(item, "type"), "Ready"))
			return value_string_is(value_get(item, "status"), "True");
	}
	return false;
}

static void fill_taints(struct pack *pack, struct cox_scheduler_node *row, const struct value *list)
{
	size_t count = value_is(list, VALUE_ARRAY) ? list->count : 0;
	struct cox_scheduler_taint *taints = pack_alloc(pack, count * sizeof(*taints));

	for (size_t i = 0; i < count; i++) {
		const struct value *item = value_at(list, i);

		taints[i].key = pack_text(pack, value_get_text(item, "key"));
		taints[i].value = pack_text(pack, value_get_text(item, "value"));
		taints[i].effect = pack_text(pack, value_get_text(item, "effect"));
	}
	row->taints = taints;
	row->taint_count = count;
}

/* An image is found by each of its names. */
static void fill_images(struct pack *pack, struct cox_scheduler_node *row, const struct value *list)
{
	size_t count = 0, at;
	const struct value *item, *name;
	struct cox_scheduler_image *images;

	for (size_t i = 0; (item = value_at(list, i)); i++)
		for (at = 0; value_at(value_get(item, "names"), at); at++)
			count++;
	images = pack_alloc(pack, count * sizeof(*images));
	row->image_count = 0;
	for (size_t i = 0; (item = value_at(list, i)); i++) {
		for (at = 0; (name = value_at(value_get(item, "names"), at)); at++) {
			if (row->image_count < count)
				images[row->image_count++] = (struct cox_scheduler_image){
					pack_text(pack, value_text(name)),
					value_get_int(item, "sizeBytes", 0)};
		}
	}
	row->images = images;
}

static uint64_t digest_of(const struct value *root, uint32_t flags)
{
	static const char *const paths[] = {"metadata.labels", "spec.taints", "status.allocatable",
					    "status.capacity"};
	static const uint64_t seed[2] = {1, 2}; /* compared within this process only */
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_printf(&text, "%u", flags);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct value *value = value_path(root, paths[i]);

		if (value)
			json_write(&text, value, 0);
	}
	return cox_siphash13(seed, text.data, text.size);
}

static struct node_facts *fill_node(struct pack *pack, const struct cox_object *object)
{
	struct node_facts *node = pack_alloc(pack, sizeof(*node));
	struct cox_scheduler_node *row = &node->row;
	const struct value *root = object_root(object);
	const struct value *spec = value_get(root, "spec"), *status = value_get(root, "status");
	const struct value *allocatable = value_get(status, "allocatable");

	memset(node, 0, sizeof(*node));
	row->struct_size = sizeof(*row);
	row->name = pack_text(pack, object_name(object));
	row->labels = facts_pairs(pack, value_path(root, "metadata.labels"));
	/* Nodes of the first release tell their capacity only. */
	row->allocatable =
		facts_resources(pack, allocatable ? allocatable : value_get(status, "capacity"));
	fill_taints(pack, row, value_get(spec, "taints"));
	fill_images(pack, row, value_get(status, "images"));
	if (is_ready(status))
		row->flags |= COX_SCHEDULER_NODE_READY;
	if (value_get_bool(spec, "unschedulable"))
		row->flags |= COX_SCHEDULER_NODE_UNSCHEDULABLE;
	atomic_init(&node->references, 1);
	return node;
}

struct node_facts *node_facts_new(const struct cox_object *object)
{
	cox_autoarena scratch = ARENA_INIT;
	struct pack pack = {.scratch = &scratch};
	struct node_facts *node;

	fill_node(&pack, object);
	pack = (struct pack){.block = cox_alloc(pack.used)};
	node = fill_node(&pack, object);
	node->digest = digest_of(object_root(object), node->row.flags);
	return node;
}

struct node_facts *node_facts_ref(struct node_facts *node)
{
	atomic_fetch_add_explicit(&node->references, 1, memory_order_relaxed);
	return node;
}

void node_facts_unref(struct node_facts *node)
{
	if (node && atomic_fetch_sub_explicit(&node->references, 1, memory_order_acq_rel) == 1)
		free(node);
}
