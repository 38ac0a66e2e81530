/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strategic merge patch: lists. Entries are found by their key through a hash
 * map, so that long lists cost no more than they weigh. The order of the result:
 * entries that the patch (or its $setElementOrder) names stand in that order;
 * the others keep theirs, and go where they stood relative to the named ones.
 */
#include "machinery/strategic_merge.h"

#include "machinery/json.h"

#include <coxswain/kit/map.h>
#include <stdlib.h>
#include <string.h>

#define NOWHERE UINT32_MAX
#define auto_map __attribute__((cleanup(cox_map_free))) struct cox_map

/* One entry of the result while it is made. */
struct entry {
	struct value *value; /* NULL: deleted */
	const char *key;     /* NULL: it has none */
	size_t key_size;
	uint32_t place;	 /* in `entries`, for a stable order */
	uint32_t before; /* its index in the original list, or NOWHERE */
	uint32_t rank;	 /* in the order that the patch asks for, or NOWHERE */
};

struct list_merge {
	struct merge *merge;
	const struct list_patch *list;
	const struct field_path *at;
	const char *merge_key; /* NULL: plain values are their own keys */
	struct entry *entries;
	uint32_t count;
	struct cox_map places; /* key → place + 1 */
};

/* The text by which an entry is known; false if it has none. */
static bool key_of(const struct list_merge *self, const struct value *item, const char **key,
		   size_t *size)
{
	cox_autobuf text = COX_BUF_INIT;

	if (self->merge_key)
		item = value_get(item, self->merge_key);
	if (!item || item->kind == VALUE_NULL)
		return false;
	if (item->kind == VALUE_STRING) {
		*key = item->text;
		*size = item->count;
		return true;
	}
	json_write(&text, item, 0);
	*key = arena_strndup(self->merge->arena, text.data, text.size);
	*size = text.size;
	return true;
}

static void add_entry(struct list_merge *self, struct value *value, const char *key, size_t size,
		      uint32_t before)
{
	struct entry *entry = &self->entries[self->count];

	*entry = (struct entry){value, key, size, self->count, before, NOWHERE};
	self->count++;
	/* of two with one key the first is merged with, as ever */
	if (key && !cox_map_has(&self->places, key, size))
		cox_map_put(&self->places, key, size, (void *)(uintptr_t)self->count);
}

static void load_original(struct list_merge *self)
{
	const struct value *original = self->list->original;

	for (uint32_t i = 0; value_is(original, VALUE_ARRAY) && i < original->count; i++) {
		const char *key = NULL;
		size_t size = 0;

		if (!key_of(self, original->array.items[i], &key, &size))
			key = NULL;
		add_entry(self, original->array.items[i], key, size, i);
	}
}

static int lacks_key(struct list_merge *self, uint32_t index)
{
	const char *where = field_path_text(self->merge->arena, FIELD_INDEX(self->at, index));

	return error_set(self->merge->err, COX_REASON_INVALID,
			 "invalid strategic merge patch: %s: the entry does not have the merge key "
			 "\"%s\"",
			 where, self->merge_key);
}

/* Drops every entry whose key is in the set. */
static void delete_keys(struct list_merge *self, const struct cox_map *keys)
{
	for (uint32_t i = 0; keys->count && i < self->count; i++) {
		struct entry *entry = &self->entries[i];

		if (!entry->key || !cox_map_has(keys, entry->key, entry->key_size))
			continue;
		entry->value = NULL;
		cox_map_remove(&self->places, entry->key, entry->key_size);
	}
}

/* Entries of the patch that are `$patch: delete` or `replace`. */
static bool is_special(const struct list_merge *self, const struct value *item)
{
	const struct value *directive = self->merge_key ? value_get(item, "$patch") : NULL;

	return directive && !value_string_is(directive, "merge");
}

static int obey_special(struct list_merge *self, bool *replace)
{
	const struct value *patch = self->list->entries;
	auto_map doomed = COX_MAP_INIT;

	for (uint32_t i = 0; patch && i < patch->count; i++) {
		const struct value *item = patch->array.items[i];
		const char *key;
		size_t size;

		if (!is_special(self, item))
			continue;
		if (value_string_is(value_get(item, "$patch"), "replace")) {
			*replace = true;
			continue;
		}
		if (!value_string_is(value_get(item, "$patch"), "delete"))
			return strategic_refuse(self->merge, FIELD_INDEX(self->at, i),
						"$patch must be replace, delete or merge");
		if (!key_of(self, item, &key, &size))
			return lacks_key(self, i);
		cox_map_put(&doomed, key, size, self);
	}
	delete_keys(self, &doomed);
	return 0;
}

static void obey_deletions(struct list_merge *self)
{
	const struct value *deletions = self->list->deletions;
	auto_map doomed = COX_MAP_INIT;
	const char *key;
	size_t size;

	if (!deletions || self->merge_key)
		return;
	for (uint32_t i = 0; i < deletions->count; i++)
		if (key_of(self, deletions->array.items[i], &key, &size))
			cox_map_put(&doomed, key, size, self);
	delete_keys(self, &doomed);
}

static int merge_entry(struct list_merge *self, const struct value *item, uint32_t index)
{
	const struct schema_type *type = schema_field_type(self->merge->schema, self->list->field);
	struct entry *entry;
	uintptr_t place;
	const char *key;
	size_t size;

	if (self->merge_key && item->kind != VALUE_OBJECT)
		return strategic_refuse(self->merge, FIELD_INDEX(self->at, index),
					"the entry must be an object");
	if (!key_of(self, item, &key, &size))
		return self->merge_key ? lacks_key(self, index) : 0;
	place = (uintptr_t)cox_map_get(&self->places, key, size);
	if (!place) {
		struct value *copy =
			self->merge_key ? strategic_merge_object(self->merge, type, false,
								 value_object(self->merge->arena),
								 item, FIELD_INDEX(self->at, index))
					: strategic_copy(self->merge, item);

		if (!copy)
			return -1;
		add_entry(self, copy, key, size, NOWHERE);
		return 0;
	}
	if (!self->merge_key)
		return 0;
	entry = &self->entries[place - 1];
	if (entry->value->kind != VALUE_OBJECT)
		entry->value = value_object(self->merge->arena);
	entry->value = strategic_merge_object(self->merge, type, false, entry->value, item,
					      FIELD_INDEX(self->at, index));
	return entry->value ? 0 : -1;
}

/*
 * Gives each entry its rank in the wanted order. With $setElementOrder the
 * patch's own entries must stand in that order too: else patch and order were
 * made from different lists.
 */
static int rank_entries(struct list_merge *self)
{
	const struct value *order = self->list->order ? self->list->order : self->list->entries;
	const struct value *patch = self->list->order ? self->list->entries : NULL;
	auto_map ranks = COX_MAP_INIT;
	uintptr_t last = 0;
	const char *key;
	size_t size;

	for (uint32_t i = 0; order && i < order->count; i++)
		if (!is_special(self, order->array.items[i]) &&
		    key_of(self, order->array.items[i], &key, &size) &&
		    !cox_map_has(&ranks, key, size))
			cox_map_put(&ranks, key, size, (void *)(uintptr_t)(i + 1));
	for (uint32_t i = 0; patch && i < patch->count; i++) {
		uintptr_t rank;

		if (is_special(self, patch->array.items[i]) ||
		    !key_of(self, patch->array.items[i], &key, &size))
			continue;
		rank = (uintptr_t)cox_map_get(&ranks, key, size);
		if (rank <= last)
			return strategic_refuse(self->merge, FIELD_INDEX(self->at, i),
						"the order of the entries does not match "
						"$setElementOrder");
		last = rank;
	}
	for (uint32_t i = 0; i < self->count; i++) {
		struct entry *entry = &self->entries[i];
		uintptr_t rank =
			entry->key ? (uintptr_t)cox_map_get(&ranks, entry->key, entry->key_size)
				   : 0;

		entry->rank = rank ? (uint32_t)(rank - 1) : NOWHERE;
	}
	return 0;
}

static int compare_rank(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;

	if (left->rank != right->rank)
		return left->rank < right->rank ? -1 : 1;
	return left->place < right->place ? -1 : 1;
}

/* Named entries by rank first, then the others; interleaves the two. */
static struct value *weave(struct list_merge *self)
{
	struct value *result = value_array(self->merge->arena);
	uint32_t kept = 0, named = 0, i, j;

	for (i = 0; i < self->count; i++)
		if (self->entries[i].value)
			self->entries[kept++] = self->entries[i];
	qsort(self->entries, kept, sizeof(*self->entries), compare_rank);
	while (named < kept && self->entries[named].rank != NOWHERE)
		named++;
	for (i = named, j = 0; i < kept || j < named;) {
		const struct entry *other = &self->entries[i], *next = &self->entries[j];
		bool first = j == named ||
			     (i < kept && next->before != NOWHERE && other->before < next->before);

		value_push(self->merge->arena, result, first ? other->value : next->value);
		if (first)
			i++;
		else
			j++;
	}
	return result;
}

static int merge_list(struct list_merge *self, struct value **result)
{
	const struct value *patch = self->list->entries;
	bool replace = false;

	load_original(self);
	if (obey_special(self, &replace) != 0)
		return -1;
	if (replace) {
		*result = strategic_copy(self->merge, patch);
		return 0;
	}
	obey_deletions(self);
	for (uint32_t i = 0; patch && i < patch->count; i++)
		if (!is_special(self, patch->array.items[i]) &&
		    merge_entry(self, patch->array.items[i], i) != 0)
			return -1;
	if (rank_entries(self) != 0)
		return -1;
	*result = weave(self);
	return 0;
}

int strategic_merge_list(struct merge *merge, const struct list_patch *list,
			 const struct field_path *at, struct value **result)
{
	const char *merge_key = schema_text(merge->schema, list->field->merge_key);
	struct list_merge self = {.merge = merge, .list = list, .at = at, .places = COX_MAP_INIT};
	size_t most = (list->original ? list->original->count : 0u) +
		      (list->entries ? list->entries->count : 0u);
	int status;

	if (list->field->element == SCHEMA_OBJECT) {
		/* entries that nothing tells apart cannot be merged */
		if (!*merge_key) {
			*result = list->entries ? strategic_copy(merge, list->entries)
						: value_copy(merge->arena, list->original);
			return 0;
		}
		self.merge_key = merge_key;
	}
	/* one more: weave() looks at the end of both runs */
	self.entries = arena_calloc(merge->arena, (most + 1) * sizeof(*self.entries));
	status = merge_list(&self, result);
	cox_map_free(&self.places);
	return status;
}
