/* SPDX-License-Identifier: Apache-2.0 */
/* Places in the schema, and the steps to the entries of lists. */
#include "machinery/typed.h"

#include "machinery/encode.h"
#include "machinery/json.h"

#include <stdlib.h>
#include <string.h>

enum { KEYS_MAX = 8 };

struct typed typed_of_type(const struct schema_type *type)
{
	return (struct typed){
		.form = TYPED_STRUCT, .atomic = type->flags & SCHEMA_TYPE_ATOMIC, .type = type};
}

static bool is_keyed(const struct schema_field *field)
{
	return field->list_type == SCHEMA_LIST_MAP ||
	       (field->list_type == SCHEMA_LIST_NONE && (field->flags & SCHEMA_MERGE) &&
		field->merge_key);
}

static bool is_set(const struct schema_field *field)
{
	return field->list_type == SCHEMA_LIST_SET ||
	       (field->list_type == SCHEMA_LIST_NONE && (field->flags & SCHEMA_MERGE) &&
		!field->merge_key);
}

static struct typed of_kind(const struct schema *schema, const struct schema_field *field,
			    uint8_t kind)
{
	struct typed at = {.form = TYPED_SCALAR, .scalar = kind, .field = field};

	switch ((enum schema_kind)kind) {
	case SCHEMA_OBJECT:
		at = typed_of_type(schema_field_type(schema, field));
		break;
	case SCHEMA_RAW:
	case SCHEMA_ANY:
		at.form = TYPED_FREE;
		break;
	case SCHEMA_STRINGS: /* no field says more about what is in it */
		at = (struct typed){.form = TYPED_LIST, .atomic = true};
		break;
	default:
		break;
	}
	return at;
}

struct typed typed_of_field(const struct schema *schema, const struct schema_field *field)
{
	struct typed at = {.field = field};

	switch ((enum schema_kind)field->kind) {
	case SCHEMA_ARRAY:
		at.form = TYPED_LIST;
		at.atomic = !is_keyed(field) && !is_set(field);
		return at;
	case SCHEMA_MAP:
		at.form = TYPED_MAP;
		at.atomic = field->flags & SCHEMA_ATOMIC_MAP;
		return at;
	default:
		at = of_kind(schema, field, field->kind);
		break;
	}
	if (field->flags & SCHEMA_ATOMIC_MAP)
		at.atomic = true;
	else if (field->flags & SCHEMA_GRANULAR_MAP)
		at.atomic = false;
	return at;
}

struct typed typed_element(const struct schema *schema, const struct typed *at)
{
	if (at->form == TYPED_FREE)
		return *at;
	if (!at->field)
		return (struct typed){.form = TYPED_SCALAR, .scalar = SCHEMA_STRING};
	return of_kind(schema, at->field, at->field->element);
}

struct typed typed_member(const struct schema *schema, const struct typed *at, const char *name,
			  size_t size, bool *declared)
{
	const struct schema_field *field =
		at->form == TYPED_STRUCT ? schema_field_get(schema, at->type, name, size) : NULL;

	*declared = field != NULL;
	if (field)
		return typed_of_field(schema, field);
	if (at->form == TYPED_MAP)
		return typed_element(schema, at);
	return (struct typed){.form = TYPED_FREE};
}

struct typed typed_resolve(const struct typed *at, const struct value *value)
{
	struct typed resolved = *at;

	if (at->form != TYPED_FREE)
		return resolved;
	if (value_is(value, VALUE_ARRAY))
		resolved.atomic = true;
	else if (!value_is(value, VALUE_OBJECT))
		resolved = (struct typed){.form = TYPED_SCALAR, .scalar = SCHEMA_ANY};
	return resolved;
}

/* Zeros */

static const struct value *zero_of(const struct schema_field *field)
{
	static const struct value none = {.kind = VALUE_NULL};
	static const struct value no = {.kind = VALUE_BOOL};
	static const struct value number = {.kind = VALUE_INT};
	static const struct value text = {.kind = VALUE_STRING, .text = ""};
	static const struct value quantity = {.kind = VALUE_STRING, .count = 1, .text = "0"};
	static const struct value object = {.kind = VALUE_OBJECT};

	if (!schema_writes_zero(field))
		return NULL;
	if (field->flags & SCHEMA_POINTER)
		return &none;
	switch ((enum schema_kind)field->kind) {
	case SCHEMA_BOOL:
		return &no;
	case SCHEMA_INT32:
	case SCHEMA_INT64:
	case SCHEMA_DOUBLE:
	case SCHEMA_INT_OR_STRING:
		return &number;
	case SCHEMA_STRING:
		return &text;
	case SCHEMA_QUANTITY:
		return &quantity;
	case SCHEMA_OBJECT:
		return &object;
	default:
		return &none;
	}
}

void typed_slots(const struct schema *schema, const struct schema_type *type,
		 const struct value *object, unsigned flags,
		 const struct value *slots[SCHEMA_FIELDS_MAX])
{
	const struct schema_field *fields = schema_field_at(schema, type, 0);

	memset(slots, 0, type->field_count * sizeof(*slots));
	for (uint32_t i = 0; value_is(object, VALUE_OBJECT) && i < object->count; i++) {
		const struct value_member *member = &object->object.members[i];
		const struct schema_field *field =
			schema_field_get(schema, type, member->key, member->key_size);

		if (field)
			slots[field - fields] = member->value;
	}
	if (!object || !(flags & TYPED_ZEROS))
		return;
	for (size_t i = 0; i < type->field_count; i++)
		if (!slots[i])
			slots[i] = zero_of(&fields[i]);
}

bool typed_is_empty(const struct value *value)
{
	return !value || value->kind == VALUE_NULL ||
	       ((value->kind == VALUE_ARRAY || value->kind == VALUE_OBJECT) && value->count == 0);
}

/* Entries of maps */

static int compare_members(const void *left, const void *right)
{
	const struct value_member *a = *(struct value_member *const *)left;
	const struct value_member *b = *(struct value_member *const *)right;
	const struct field_step one = step_name(a->key, a->key_size);
	const struct field_step other = step_name(b->key, b->key_size);

	return step_compare(&one, &other);
}

const struct value_member **typed_sorted(struct arena *arena, const struct value *object,
					 uint32_t *count)
{
	const struct value_member **sorted;
	bool in_order = true;

	*count = value_is(object, VALUE_OBJECT) ? object->count : 0;
	sorted = arena_alloc(arena, *count * sizeof(*sorted));
	for (uint32_t i = 0; i < *count; i++) {
		sorted[i] = &object->object.members[i];
		in_order = in_order && (i == 0 || compare_members(&sorted[i - 1], &sorted[i]) < 0);
	}
	if (!in_order)
		qsort(sorted, *count, sizeof(*sorted), compare_members);
	return sorted;
}

/* Entries of lists */

/* The names of the keys, sorted. */
static size_t keys_of(const struct schema *schema, const struct schema_field *field,
		      const char *keys[KEYS_MAX])
{
	size_t count = schema_list_count(schema, field->map_keys);

	if (field->list_type != SCHEMA_LIST_MAP) {
		keys[0] = schema_text(schema, field->merge_key);
		return 1;
	}
	if (count > KEYS_MAX)
		count = KEYS_MAX;
	for (size_t i = 0; i < count; i++) {
		const char *key = schema_list_at(schema, field->map_keys, i);
		size_t at = i;

		for (; at > 0 && strcmp(keys[at - 1], key) > 0; at--)
			keys[at] = keys[at - 1];
		keys[at] = key;
	}
	return count;
}

static struct value *key_value(const struct typed_context *context, const struct schema_type *type,
			       const struct value *entry, const char *key, unsigned flags)
{
	const struct schema_field *field =
		type ? schema_field_get(context->schema, type, key, strlen(key)) : NULL;
	struct value *value = value_get(entry, key);
	const char *published;

	if (value || !field)
		return value;
	if (flags & TYPED_ZEROS) {
		value = (struct value *)zero_of(field);
		if (value)
			return value;
	}
	published = schema_text(context->schema, field->published);
	return *published ? json_parse(context->arena, published, strlen(published), NULL, NULL)
			  : NULL;
}

static const char *keyed_step(const struct typed_context *context, const struct typed *list,
			      const struct value *entry, unsigned flags, struct field_step *step)
{
	const struct schema_type *type = schema_field_type(context->schema, list->field);
	const char *keys[KEYS_MAX];
	size_t count = keys_of(context->schema, list->field, keys);
	struct value_member *members;

	if (entry->kind == VALUE_NULL)
		return "associative list with keys may not have null elements";
	if (entry->kind != VALUE_OBJECT)
		return "associative list with keys may not have non-map elements";
	members = arena_alloc(context->arena, count * sizeof(*members));
	for (size_t i = 0; i < count; i++) {
		struct value *value = key_value(context, type, entry, keys[i], flags);

		if (!value)
			return arena_printf(context->arena,
					    "associative list with keys has an element that omits "
					    "key field \"%s\" (and doesn't have default value)",
					    keys[i]);
		members[i] = (struct value_member){keys[i], value, (uint32_t)strlen(keys[i])};
	}
	step->kind = STEP_KEY;
	step->value = value_object_of(context->arena, members, (uint32_t)count);
	return NULL;
}

const char *typed_entry_step(const struct typed_context *context, const struct typed *list,
			     const struct value *entry, unsigned flags, struct field_step *step)
{
	if (is_keyed(list->field))
		return keyed_step(context, list, entry, flags, step);
	switch ((enum value_kind)entry->kind) {
	case VALUE_NULL:
		return "associative list without keys has an element that's an explicit null";
	case VALUE_OBJECT:
		return "associative list without keys has an element that's a map type";
	case VALUE_ARRAY:
		return "not supported: associative list with lists as elements";
	default:
		step->kind = STEP_VALUE;
		step->value = entry;
		return NULL;
	}
}

/* By step, then by place; what has no step last. */
static int compare_indexed(const void *left, const void *right)
{
	const struct typed_entry *a = left, *b = right;
	int order;

	if (a->why || b->why)
		return (a->why != NULL) - (b->why != NULL);
	order = step_compare(&a->step, &b->step);
	return order ? order : (a->place > b->place) - (a->place < b->place);
}

struct typed_entry *typed_index(const struct typed_context *context, const struct typed *at,
				const struct value *list, unsigned flags, uint32_t *count)
{
	uint32_t all = value_is(list, VALUE_ARRAY) ? list->count : 0;
	struct typed_entry *entries = arena_alloc(context->arena, all * sizeof(*entries));

	for (uint32_t i = 0; i < all; i++) {
		entries[i] = (struct typed_entry){.value = list->array.items[i], .place = i};
		entries[i].why =
			typed_entry_step(context, at, entries[i].value, flags, &entries[i].step);
	}
	if (all > 1)
		qsort(entries, all, sizeof(*entries), compare_indexed);
	for (*count = all; *count > 0 && entries[*count - 1].why;)
		--*count;
	return entries;
}

const struct typed_entry *typed_find(const struct typed_entry *entries, uint32_t count,
				     const struct field_step *step)
{
	uint32_t low = 0, high = count;

	/* The first of equal ones. */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (step_compare(&entries[middle].step, step) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && step_compare(&entries[low].step, step) == 0 ? &entries[low] : NULL;
}
