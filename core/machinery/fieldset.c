/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of fields: order, building, algebra. Depth is that of the documents the
 * sets were made of, which their parsers bound.
 */
#include "machinery/fieldset.h"

#include <stdlib.h>
#include <string.h>

/* Order */

static int compare_bytes(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t least = a_size < b_size ? a_size : b_size;
	int order = least ? memcmp(a, b, least) : 0;

	return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int kind_rank(const struct value *value)
{
	static const uint8_t ranks[] = {
		[VALUE_INT] = 0,   [VALUE_NUMBER] = 0, [VALUE_STRING] = 1, [VALUE_BOOL] = 2,
		[VALUE_ARRAY] = 3, [VALUE_OBJECT] = 4, [VALUE_NULL] = 5};

	return ranks[value->kind];
}

static int compare_numbers(const struct value *a, const struct value *b)
{
	double left, right;

	if (a->kind == VALUE_INT && b->kind == VALUE_INT)
		return (a->integer > b->integer) - (a->integer < b->integer);
	left = value_number(a);
	right = value_number(b);
	return (left > right) - (left < right);
}

static int compare_lists(const struct value *a, const struct value *b)
{
	for (uint32_t i = 0; i < a->count && i < b->count; i++) {
		int order = step_compare_values(a->array.items[i], b->array.items[i]);

		if (order)
			return order;
	}
	return (a->count > b->count) - (a->count < b->count);
}

/* Both have their members sorted. */
static int compare_objects(const struct value *a, const struct value *b)
{
	for (uint32_t i = 0; i < a->count && i < b->count; i++) {
		const struct value_member *left = &a->object.members[i];
		const struct value_member *right = &b->object.members[i];
		int order = compare_bytes(left->key, left->key_size, right->key, right->key_size);

		if (!order)
			order = step_compare_values(left->value, right->value);
		if (order)
			return order;
	}
	return (a->count > b->count) - (a->count < b->count);
}

int step_compare_values(const struct value *a, const struct value *b)
{
	int order = kind_rank(a) - kind_rank(b);

	if (order)
		return order;
	switch ((enum value_kind)a->kind) {
	case VALUE_INT:
	case VALUE_NUMBER:
		return compare_numbers(a, b);
	case VALUE_STRING:
		return compare_bytes(a->text, a->count, b->text, b->count);
	case VALUE_BOOL:
		return a->boolean - b->boolean;
	case VALUE_ARRAY:
		return compare_lists(a, b);
	case VALUE_OBJECT:
		return compare_objects(a, b);
	case VALUE_NULL:
		break;
	}
	return 0;
}

int step_compare(const struct field_step *a, const struct field_step *b)
{
	if (a->kind != b->kind)
		return (int)a->kind - (int)b->kind;
	switch ((enum step_kind)a->kind) {
	case STEP_NAME:
		return compare_bytes(a->text, a->size, b->text, b->size);
	case STEP_KEY:
	case STEP_VALUE:
		return step_compare_values(a->value, b->value);
	case STEP_INDEX:
		break;
	}
	return (a->index > b->index) - (a->index < b->index);
}

/* Building */

static struct fieldset *new_set(struct arena *arena, uint32_t capacity)
{
	struct fieldset *set = arena_new(arena, struct fieldset);

	set->entries = arena_alloc(arena, capacity * sizeof(*set->entries));
	set->capacity = capacity;
	return set;
}

static void push(struct arena *arena, struct fieldset *set, const struct fieldset_entry *entry)
{
	if (set->count == set->capacity) {
		uint32_t capacity = set->capacity ? set->capacity * 2 : 4;

		set->entries = arena_grow(arena, set->entries, set->count * sizeof(*set->entries),
					  capacity * sizeof(*set->entries));
		set->capacity = capacity;
	}
	set->entries[set->count++] = *entry;
}

void fieldset_append(struct arena *arena, struct fieldset *set, struct field_step step, bool member,
		     const struct fieldset *below)
{
	const struct fieldset_entry entry = {step, member, below && below->count ? below : NULL};

	if (entry.member || entry.below)
		push(arena, set, &entry);
}

static int compare_entries(const void *left, const void *right)
{
	const struct fieldset_entry *a = left, *b = right;

	return step_compare(&a->step, &b->step);
}

void fieldset_finish(struct arena *arena, struct fieldset *set)
{
	uint32_t kept = 0;

	if (set->count < 2)
		return;
	for (uint32_t i = 1; i < set->count; i++)
		if (compare_entries(&set->entries[i - 1], &set->entries[i]) >= 0)
			goto sort;
	return;
sort:
	qsort(set->entries, set->count, sizeof(*set->entries), compare_entries);
	for (uint32_t i = 1; i < set->count; i++) {
		struct fieldset_entry *last = &set->entries[kept];
		const struct fieldset_entry *entry = &set->entries[i];

		if (compare_entries(last, entry) != 0) {
			set->entries[++kept] = *entry;
			continue;
		}
		last->member = last->member || entry->member;
		last->below = fieldset_union(arena, last->below, entry->below);
	}
	set->count = kept + 1;
}

const struct fieldset *fieldset_keep(struct arena *arena, const struct fieldset *built)
{
	struct fieldset *set;

	if (!built->count)
		return NULL;
	set = arena_new(arena, struct fieldset);
	*set = *built;
	return set;
}

/* Looking */

const struct fieldset_entry *fieldset_find(const struct fieldset *set,
					   const struct field_step *step)
{
	uint32_t low = 0, high = set ? set->count : 0;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = step_compare(step, &set->entries[middle].step);

		if (order == 0)
			return &set->entries[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

bool fieldset_has(const struct fieldset *set, const char *path)
{
	for (;;) {
		size_t size = strcspn(path, ".");
		const struct field_step step = step_name(path, size);
		const struct fieldset_entry *entry = fieldset_find(set, &step);

		if (!entry)
			return false;
		if (!path[size])
			return entry->member;
		set = entry->below;
		path += size + 1;
	}
}

const struct fieldset *fieldset_of_path(struct arena *arena, const char *path)
{
	struct fieldset *set = new_set(arena, 1);
	size_t size = strcspn(path, ".");

	fieldset_append(arena, set, step_name(path, size), !path[size],
			path[size] ? fieldset_of_path(arena, path + size + 1) : NULL);
	return set;
}

bool fieldset_equal(const struct fieldset *a, const struct fieldset *b)
{
	if (a == b)
		return true;
	if (!a || !b || a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		const struct fieldset_entry *left = &a->entries[i], *right = &b->entries[i];

		if (left->member != right->member || step_compare(&left->step, &right->step) != 0 ||
		    !fieldset_equal(left->below, right->below))
			return false;
	}
	return true;
}

/* Algebra */

const struct fieldset *fieldset_union(struct arena *arena, const struct fieldset *a,
				      const struct fieldset *b)
{
	struct fieldset *out;
	uint32_t i = 0, j = 0;
	bool same = true;

	if (!a || !b || a == b)
		return a ? a : b;
	out = new_set(arena, a->count + b->count);
	while (i < a->count || j < b->count) {
		int order = i == a->count   ? 1
			    : j == b->count ? -1
					    : compare_entries(&a->entries[i], &b->entries[j]);
		struct fieldset_entry entry = order <= 0 ? a->entries[i] : b->entries[j];

		if (order == 0) {
			entry.member = entry.member || b->entries[j].member;
			entry.below = fieldset_union(arena, entry.below, b->entries[j].below);
		}
		same = same && order <= 0 && entry.member == a->entries[i].member &&
		       entry.below == a->entries[i].below;
		i += order <= 0;
		j += order >= 0;
		push(arena, out, &entry);
	}
	return same ? a : out;
}

const struct fieldset *fieldset_difference(struct arena *arena, const struct fieldset *a,
					   const struct fieldset *b)
{
	struct fieldset *out = NULL;
	uint32_t j = 0;

	if (!a || !b)
		return a;
	for (uint32_t i = 0; i < a->count; i++) {
		struct fieldset_entry entry = a->entries[i];
		int order = -1;

		while (j < b->count && (order = compare_entries(&b->entries[j], &entry)) < 0)
			j++;
		if (j < b->count && order == 0) {
			entry.member = entry.member && !b->entries[j].member;
			entry.below = fieldset_difference(arena, entry.below, b->entries[j].below);
		}
		if (!out && entry.member == a->entries[i].member &&
		    entry.below == a->entries[i].below)
			continue;
		if (!out) {
			out = new_set(arena, a->count);
			memcpy(out->entries, a->entries, i * sizeof(*out->entries));
			out->count = i;
		}
		fieldset_append(arena, out, entry.step, entry.member, entry.below);
	}
	if (!out)
		return a;
	return out->count ? out : NULL;
}

const struct fieldset *fieldset_intersection(struct arena *arena, const struct fieldset *a,
					     const struct fieldset *b)
{
	struct fieldset out = {NULL, 0, 0};
	uint32_t i = 0, j = 0;

	while (a && b && i < a->count && j < b->count) {
		const struct fieldset_entry *left = &a->entries[i], *right = &b->entries[j];
		int order = compare_entries(left, right);

		if (order == 0)
			fieldset_append(arena, &out, left->step, left->member && right->member,
					fieldset_intersection(arena, left->below, right->below));
		i += order <= 0;
		j += order >= 0;
	}
	return fieldset_keep(arena, &out);
}

/* Filters */

/* How a step relates to the rest of a path: not on it, on it, or at its end. */
enum path_match { PATH_OFF, PATH_ON, PATH_END };

static enum path_match match_step(const struct field_step *step, const char *path,
				  const char **rest)
{
	size_t size = strcspn(path, ".");

	if (step->kind != STEP_NAME || step->size != size || memcmp(step->text, path, size) != 0)
		return PATH_OFF;
	*rest = path[size] ? path + size + 1 : path + size;
	return path[size] ? PATH_ON : PATH_END;
}

static const struct fieldset *take_path(struct arena *arena, const struct fieldset *set,
					const char *path)
{
	struct fieldset out = {NULL, 0, 0};

	for (uint32_t i = 0; set && i < set->count; i++) {
		const struct fieldset_entry *entry = &set->entries[i];
		const char *rest;

		switch (match_step(&entry->step, path, &rest)) {
		case PATH_END:
			fieldset_append(arena, &out, entry->step, entry->member, entry->below);
			break;
		case PATH_ON:
			fieldset_append(arena, &out, entry->step, false,
					take_path(arena, entry->below, rest));
			break;
		case PATH_OFF:
			break;
		}
	}
	return fieldset_keep(arena, &out);
}

static const struct fieldset *drop_path(struct arena *arena, const struct fieldset *set,
					const char *path)
{
	struct fieldset out = {NULL, 0, 0};
	bool same = true;

	for (uint32_t i = 0; set && i < set->count; i++) {
		struct fieldset_entry entry = set->entries[i];
		const char *rest;
		enum path_match match = match_step(&entry.step, path, &rest);

		if (match == PATH_ON)
			entry.below = drop_path(arena, entry.below, rest);
		same = same && match != PATH_END && entry.below == set->entries[i].below;
		if (match != PATH_END)
			fieldset_append(arena, &out, entry.step, entry.member, entry.below);
	}
	return same ? set : fieldset_keep(arena, &out);
}

const struct fieldset *fieldset_filter(struct arena *arena, const struct fieldset *set,
				       const struct field_filter *filter)
{
	const struct fieldset *out = filter->only ? NULL : set;

	for (size_t i = 0; filter->only && filter->only[i]; i++)
		out = fieldset_union(arena, out, take_path(arena, set, filter->only[i]));
	for (size_t i = 0; filter->except && filter->except[i]; i++)
		out = drop_path(arena, out, filter->except[i]);
	return out;
}
