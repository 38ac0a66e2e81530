/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects by key and by index. An item stays the same when its object is
 * replaced, so an update touches an index only where its values changed.
 */
#include "client/mirror.h"

#include <string.h>

/* ---- sets of items ---- */

static size_t set_place(const struct item_set *set, const struct mirror_item *item)
{
	uint64_t hash = (uint64_t)(uintptr_t)item * UINT64_C(0x9e3779b97f4a7c15);
	size_t place = (size_t)(hash >> 32) & (set->capacity - 1);

	while (set->slots[place] && set->slots[place] != item)
		place = (place + 1) & (set->capacity - 1);
	return place;
}

static void set_resize(struct item_set *set, size_t capacity)
{
	struct item_set next = {cox_calloc(capacity, sizeof(*next.slots)), set->count, capacity};

	for (size_t i = 0; i < set->capacity; i++) {
		if (set->slots[i])
			next.slots[set_place(&next, set->slots[i])] = set->slots[i];
	}
	free(set->slots);
	*set = next;
}

static void set_add(struct item_set *set, struct mirror_item *item)
{
	size_t place;

	if ((set->count + 1) * 4 > set->capacity * 3)
		set_resize(set, set->capacity ? set->capacity * 2 : 4);
	place = set_place(set, item);
	if (!set->slots[place]) {
		set->slots[place] = item;
		set->count++;
	}
}

static void set_remove(struct item_set *set, struct mirror_item *item)
{
	size_t place, next;

	if (!set->count)
		return;
	place = set_place(set, item);
	if (!set->slots[place])
		return;
	set->slots[place] = NULL;
	set->count--;
	/* Those behind it may have been pushed on by it: place them again. */
	for (next = (place + 1) & (set->capacity - 1); set->slots[next];
	     next = (next + 1) & (set->capacity - 1)) {
		struct mirror_item *moved = set->slots[next];

		set->slots[next] = NULL;
		set->slots[set_place(set, moved)] = moved;
	}
}

/* ---- indexes ---- */

struct value_list {
	struct cox_keys sink;
	COX_VEC(char *) items;
};

static void value_list_add(const struct cox_keys *sink, const char *value)
{
	struct value_list *list = (struct value_list *)(void *)sink;

	cox_vec_push(&list->items, cox_strdup(value));
}

static void value_list_free(struct value_list *list)
{
	for (size_t i = 0; i < list->items.count; i++)
		free(list->items.items[i]);
	cox_vec_free(&list->items);
}

static bool value_list_has(const struct value_list *list, const char *value)
{
	for (size_t i = 0; i < list->items.count; i++) {
		if (!strcmp(list->items.items[i], value))
			return true;
	}
	return false;
}

static void index_values(const struct mirror_index *index, const struct cox_object *object,
			 struct value_list *list)
{
	cox_autoobject *reader = object_ref(object);

	list->sink.emit = value_list_add;
	if (reader)
		index->values(&object_table, reader, &list->sink);
}

static void bucket_add(struct mirror_index *index, const char *value, struct mirror_item *item)
{
	struct item_set *set = cox_map_get(&index->buckets, value, strlen(value));

	if (!set) {
		set = cox_new(struct item_set);
		cox_map_put(&index->buckets, value, strlen(value), set);
	}
	set_add(set, item);
}

static void bucket_remove(struct mirror_index *index, const char *value, struct mirror_item *item)
{
	struct item_set *set = cox_map_get(&index->buckets, value, strlen(value));

	if (!set)
		return;
	set_remove(set, item);
	if (set->count)
		return;
	cox_map_remove(&index->buckets, value, strlen(value));
	free(set->slots);
	free(set);
}

static void index_update(struct mirror_index *index, struct mirror_item *item,
			 const struct cox_object *old, const struct cox_object *now)
{
	struct value_list before = {0}, after = {0};

	index_values(index, old, &before);
	index_values(index, now, &after);
	for (size_t i = 0; i < before.items.count; i++) {
		if (!value_list_has(&after, before.items.items[i]))
			bucket_remove(index, before.items.items[i], item);
	}
	for (size_t i = 0; i < after.items.count; i++)
		bucket_add(index, after.items.items[i], item);
	value_list_free(&before);
	value_list_free(&after);
}

struct mirror_index *mirror_index(struct mirror *mirror, mirror_values *values)
{
	struct mirror_index *index;
	size_t at = 0, size;
	const char *key;
	void *item;

	for (size_t i = 0; i < mirror->indexes.count; i++) {
		if (mirror->indexes.items[i]->values == values)
			return mirror->indexes.items[i];
	}
	index = cox_new(struct mirror_index);
	index->values = values;
	cox_vec_push(&mirror->indexes, index);
	while (cox_map_next(&mirror->items, &at, &key, &size, &item))
		index_update(index, item, NULL, ((struct mirror_item *)item)->object);
	return index;
}

/* ---- objects ---- */

void mirror_key(struct cox_buf *out, const char *namespace, const char *name)
{
	if (namespace && *namespace) {
		cox_buf_str(out, namespace);
		cox_buf_char(out, '/');
	}
	cox_buf_str(out, name);
}

static struct cox_object *to_reader(struct cox_object *held)
{
	struct cox_object *reader = object_ref(held);

	object_release(held);
	return reader;
}

struct cox_object *mirror_put(struct mirror *mirror, struct cox_object *object)
{
	cox_autobuf key = COX_BUF_INIT;
	struct mirror_item *item;
	struct cox_object *old;

	mirror_key(&key, object_namespace(object), object_name(object));
	item = cox_map_get(&mirror->items, key.data, key.size);
	if (!item) {
		item = cox_new(struct mirror_item);
		cox_map_put(&mirror->items, key.data, key.size, item);
	}
	old = item->object;
	item->object = object_hold(object);
	for (size_t i = 0; i < mirror->indexes.count; i++)
		index_update(mirror->indexes.items[i], item, old, object);
	return to_reader(old);
}

struct cox_object *mirror_remove(struct mirror *mirror, const char *key)
{
	struct mirror_item *item = cox_map_remove(&mirror->items, key, strlen(key));
	struct cox_object *old;

	if (!item)
		return NULL;
	old = item->object;
	for (size_t i = 0; i < mirror->indexes.count; i++)
		index_update(mirror->indexes.items[i], item, old, NULL);
	free(item);
	return to_reader(old);
}

struct cox_object *mirror_get(const struct mirror *mirror, const char *key)
{
	const struct mirror_item *item = cox_map_get(&mirror->items, key, strlen(key));

	return item ? item->object : NULL;
}

void mirror_all(const struct mirror *mirror, struct object_list *out)
{
	size_t at = 0, size;
	const char *key;
	void *item;

	cox_vec_reserve(out, out->count + mirror->items.count);
	while (cox_map_next(&mirror->items, &at, &key, &size, &item))
		cox_vec_push(out, object_ref(((struct mirror_item *)item)->object));
}

void mirror_find(const struct mirror_index *index, const char *value, struct object_list *out)
{
	const struct item_set *set = cox_map_get(&index->buckets, value, strlen(value));

	for (size_t i = 0; set && i < set->capacity; i++) {
		if (set->slots[i])
			cox_vec_push(out, object_ref(set->slots[i]->object));
	}
}

void object_list_free(struct object_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		object_unref(list->items[i]);
	cox_vec_free(list);
}

static void index_free(struct mirror_index *index)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	while (cox_map_next(&index->buckets, &at, &key, &size, &value)) {
		free(((struct item_set *)value)->slots);
		free(value);
	}
	cox_map_free(&index->buckets);
	free(index);
}

void mirror_free(struct mirror *mirror)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	for (size_t i = 0; i < mirror->indexes.count; i++)
		index_free(mirror->indexes.items[i]);
	cox_vec_free(&mirror->indexes);
	while (cox_map_next(&mirror->items, &at, &key, &size, &value)) {
		object_release(((struct mirror_item *)value)->object);
		free(value);
	}
	cox_map_free(&mirror->items);
}
