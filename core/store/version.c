/* SPDX-License-Identifier: Apache-2.0 */
/* Versions: a collection at one revision, as persistent trees of entries. */
#include "store/internal.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

static int compare_key(const struct ptree_type *type, const void *item, const void *key)
{
	(void)type;
	return compare_bytes(store_entry_key(item), *(const struct cox_bytes *)key);
}

static void take_key(const struct ptree_type *type, const void *item, void *key)
{
	(void)type;
	*(struct cox_bytes *)key = store_entry_key(item);
}

static int compare_index(const struct ptree_type *type, const void *item, const void *key)
{
	const struct index_key *wanted = key;
	size_t field = ((const struct index_type *)type)->field;
	int order = compare_bytes(store_entry_field(item, field), wanted->value);

	return order ? order : compare_bytes(store_entry_key(item), wanted->key);
}

static void take_index(const struct ptree_type *type, const void *item, void *key)
{
	struct index_key *taken = key;

	taken->value = store_entry_field(item, ((const struct index_type *)type)->field);
	taken->key = store_entry_key(item);
}

static void ref_entry(void *item)
{
	store_entry_ref(item);
}

static void unref_entry(void *item)
{
	store_entry_unref(item);
}

void version_types_init(struct store_collection *collection)
{
	_Static_assert(sizeof(struct index_key) <= PTREE_KEY_SIZE, "keys fit");
	collection->by_key = (struct ptree_type){compare_key, take_key, ref_entry, unref_entry};
	collection->by_field =
		cox_calloc(collection->plan.field_count, sizeof(*collection->by_field));
	for (size_t i = 0; i < collection->plan.field_count; i++) {
		struct index_type *type;

		if (!collection->plan.field[i].indexed)
			continue;
		type = &collection->by_field[collection->index_count++];
		type->type = (struct ptree_type){compare_index, take_index, ref_entry, unref_entry};
		type->field = i;
	}
}

static struct version *allocate(size_t index_count)
{
	struct version *version =
		cox_alloc(sizeof(*version) + index_count * sizeof(version->index[0]));

	atomic_init(&version->references, 1);
	version->index_count = (uint32_t)index_count;
	return version;
}

struct version *version_new(const struct store_collection *collection)
{
	struct version *version = allocate(collection->index_count);

	ptree_init(&version->entries, &collection->by_key);
	for (size_t i = 0; i < collection->index_count; i++)
		ptree_init(&version->index[i], &collection->by_field[i].type);
	return version;
}

struct version *version_copy(const struct version *version)
{
	struct version *copy = allocate(version->index_count);

	ptree_copy(&copy->entries, &version->entries);
	for (size_t i = 0; i < version->index_count; i++)
		ptree_copy(&copy->index[i], &version->index[i]);
	return copy;
}

struct version *version_ref(struct version *version)
{
	atomic_fetch_add_explicit(&version->references, 1, memory_order_relaxed);
	return version;
}

void version_unref(struct version *version)
{
	if (!version ||
	    atomic_fetch_sub_explicit(&version->references, 1, memory_order_acq_rel) != 1)
		return;
	ptree_clear(&version->entries);
	for (size_t i = 0; i < version->index_count; i++)
		ptree_clear(&version->index[i]);
	free(version);
}

struct store_entry *version_get(const struct version *version, struct cox_bytes key)
{
	return ptree_get(&version->entries, &key);
}

void version_apply(struct version *version, struct store_entry *before, struct store_entry *now)
{
	for (size_t i = 0; i < version->index_count; i++) {
		struct ptree *tree = &version->index[i];
		struct index_key key;

		if (before) {
			take_index(tree->type, before, &key);
			/* An equal place is simply replaced below. */
			if (!now || compare_index(tree->type, now, &key) != 0)
				ptree_remove(tree, &key);
		}
		if (now)
			ptree_put(tree, now);
	}
	if (now) {
		ptree_put(&version->entries, now);
	} else if (before) {
		struct cox_bytes key = store_entry_key(before);

		ptree_remove(&version->entries, &key);
	}
}
