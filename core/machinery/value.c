/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Value trees; see the header. An object with more than INDEX_FROM members has
 * an index: an open-addressed table of member positions, hashed with a key
 * that is drawn once per process, because member names are foreign input.
 */
#include "machinery/value.h"

#include <coxswain/kit/map.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { INDEX_FROM = 16 };

/* A slot holds a member's position + 1; a removed one stays as REMOVED. */
#define SLOT_FREE 0u
#define SLOT_REMOVED UINT32_MAX

struct value_index {
	uint32_t capacity; /* power of two */
	uint32_t used;	   /* slots that are not free */
	uint32_t slots[];
};

static uint64_t hash_seed[2];
static pthread_once_t hash_seed_once = PTHREAD_ONCE_INIT;

static void draw_hash_seed(void)
{
	/* GRND_NONBLOCK: before the kernel's pool is ready the clock will do. */
	if (getrandom(hash_seed, sizeof(hash_seed), GRND_NONBLOCK) != (ssize_t)sizeof(hash_seed)) {
		struct timespec now;

		clock_gettime(CLOCK_MONOTONIC, &now);
		hash_seed[0] = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u;
		hash_seed[1] = (uint64_t)now.tv_sec ^ (uint64_t)(uintptr_t)&hash_seed;
	}
}

static uint32_t hash_key(const char *key, size_t size)
{
	pthread_once(&hash_seed_once, draw_hash_seed);
	return (uint32_t)cox_siphash13(hash_seed, key, size);
}

static bool same_key(const struct value_member *member, const char *key, size_t size)
{
	return member->key_size == size && memcmp(member->key, key, size) == 0;
}

/* The slot of a member, or NULL. */
static uint32_t *index_find(const struct value *object, const char *key, size_t size)
{
	struct value_index *index = object->object.index;
	uint32_t mask = index->capacity - 1;

	for (uint32_t i = hash_key(key, size) & mask;; i = (i + 1) & mask) {
		uint32_t slot = index->slots[i];

		if (slot == SLOT_FREE)
			return NULL;
		if (slot != SLOT_REMOVED && same_key(&object->object.members[slot - 1], key, size))
			return &index->slots[i];
	}
}

static void index_insert(struct value *object, uint32_t position)
{
	struct value_index *index = object->object.index;
	const struct value_member *member = &object->object.members[position];
	uint32_t mask = index->capacity - 1;
	uint32_t i = hash_key(member->key, member->key_size) & mask;

	while (index->slots[i] != SLOT_FREE)
		i = (i + 1) & mask;
	index->slots[i] = position + 1;
	index->used++;
}

static void index_refill(struct value *object)
{
	struct value_index *index = object->object.index;

	memset(index->slots, 0, index->capacity * sizeof(index->slots[0]));
	index->used = 0;
	for (uint32_t i = 0; i < object->count; i++)
		index_insert(object, i);
}

/* Gives the object an index with room for twice its members. */
static void index_make(struct arena *arena, struct value *object)
{
	uint32_t capacity = 64;
	struct value_index *index;

	while (capacity < object->count * 4u)
		capacity *= 2;
	index = arena_alloc(arena, sizeof(*index) + capacity * sizeof(index->slots[0]));
	index->capacity = capacity;
	object->object.index = index;
	index_refill(object);
}

/* Forgets a member and moves the positions behind it, as its caller does. */
static void index_remove(struct value *object, const char *key, size_t size, uint32_t position)
{
	struct value_index *index = object->object.index;
	uint32_t *slot = index_find(object, key, size);

	if (slot)
		*slot = SLOT_REMOVED;
	for (uint32_t i = 0; i < index->capacity; i++)
		if (index->slots[i] > position + 1 && index->slots[i] != SLOT_REMOVED)
			index->slots[i]--;
}

static struct value *new_value(struct arena *arena, enum value_kind kind)
{
	struct value *value = arena_new(arena, struct value);

	value->kind = (uint8_t)kind;
	return value;
}

struct value *value_null(struct arena *arena)
{
	return new_value(arena, VALUE_NULL);
}

struct value *value_bool(struct arena *arena, bool boolean)
{
	struct value *value = new_value(arena, VALUE_BOOL);

	value->boolean = boolean;
	return value;
}

struct value *value_int(struct arena *arena, int64_t integer)
{
	struct value *value = new_value(arena, VALUE_INT);

	value->integer = integer;
	return value;
}

struct value *value_number_n(struct arena *arena, const char *text, size_t size)
{
	struct value *value = new_value(arena, VALUE_NUMBER);

	value->text = arena_strndup(arena, text, size);
	value->count = (uint32_t)size;
	return value;
}

struct value *value_string_n(struct arena *arena, const char *text, size_t size)
{
	struct value *value = new_value(arena, VALUE_STRING);

	value->text = arena_strndup(arena, text, size);
	value->count = (uint32_t)size;
	return value;
}

struct value *value_string(struct arena *arena, const char *text)
{
	return value_string_n(arena, text, strlen(text));
}

struct value *value_printf(struct arena *arena, const char *format, ...)
{
	struct value *value = new_value(arena, VALUE_STRING);
	char *text;
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (size < 0)
		size = 0;
	text = arena_calloc(arena, (size_t)size + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)size + 1, format, args);
	va_end(args);
	value->text = text;
	value->count = (uint32_t)size;
	return value;
}

struct value *value_array(struct arena *arena)
{
	return new_value(arena, VALUE_ARRAY);
}

struct value *value_object(struct arena *arena)
{
	return new_value(arena, VALUE_OBJECT);
}

struct value *value_object_of(struct arena *arena, struct value_member *members, uint32_t count)
{
	struct value *object = new_value(arena, VALUE_OBJECT);

	object->object.members = members;
	object->object.capacity = object->count = count;
	if (count > INDEX_FROM)
		index_make(arena, object);
	return object;
}

struct value *value_copy(struct arena *arena, const struct value *value)
{
	struct value *copy = arena_alloc(arena, sizeof(*copy));
	struct value_member *members;

	*copy = *value;
	switch ((enum value_kind)value->kind) {
	case VALUE_STRING:
	case VALUE_NUMBER:
		copy->text = arena_strndup(arena, value->text, value->count);
		break;
	case VALUE_ARRAY:
		copy->array.capacity = value->count;
		copy->array.items = arena_alloc(arena, value->count * sizeof(struct value *));
		for (uint32_t i = 0; i < value->count; i++)
			copy->array.items[i] = value_copy(arena, value->array.items[i]);
		break;
	case VALUE_OBJECT:
		members = arena_alloc(arena, value->count * sizeof(*members));
		for (uint32_t i = 0; i < value->count; i++) {
			const struct value_member *from = &value->object.members[i];

			members[i].key = arena_strndup(arena, from->key, from->key_size);
			members[i].key_size = from->key_size;
			members[i].value = value_copy(arena, from->value);
		}
		copy->object.members = members;
		copy->object.capacity = value->count;
		copy->object.index = NULL;
		if (value->count > INDEX_FROM)
			index_make(arena, copy);
		break;
	case VALUE_NULL:
	case VALUE_BOOL:
	case VALUE_INT:
		break;
	}
	return copy;
}

bool value_is(const struct value *value, enum value_kind kind)
{
	return value && value->kind == kind;
}

static struct value_member *find_member(const struct value *object, const char *key, size_t size)
{
	if (!value_is(object, VALUE_OBJECT))
		return NULL;
	if (object->object.index) {
		const uint32_t *slot = index_find(object, key, size);

		return slot ? &object->object.members[*slot - 1] : NULL;
	}
	for (uint32_t i = 0; i < object->count; i++)
		if (same_key(&object->object.members[i], key, size))
			return &object->object.members[i];
	return NULL;
}

struct value *value_get_n(const struct value *object, const char *key, size_t size)
{
	const struct value_member *member = find_member(object, key, size);

	return member ? member->value : NULL;
}

struct value *value_get(const struct value *object, const char *key)
{
	return value_get_n(object, key, strlen(key));
}

struct value *value_path(const struct value *object, const char *path)
{
	struct value *value;

	for (;;) {
		size_t size = strcspn(path, ".");

		value = value_get_n(object, path, size);
		if (!path[size] || !value)
			return value;
		object = value;
		path += size + 1;
	}
}

struct value *value_at(const struct value *array, size_t index)
{
	return value_is(array, VALUE_ARRAY) && index < array->count ? array->array.items[index]
								    : NULL;
}

const char *value_text(const struct value *string)
{
	return value_is(string, VALUE_STRING) ? string->text : "";
}

const char *value_get_text(const struct value *object, const char *key)
{
	return value_text(value_get(object, key));
}

int64_t value_get_int(const struct value *object, const char *key, int64_t fallback)
{
	const struct value *value = value_get(object, key);

	return value_is(value, VALUE_INT) ? value->integer : fallback;
}

bool value_get_bool(const struct value *object, const char *key)
{
	const struct value *value = value_get(object, key);

	return value_is(value, VALUE_BOOL) && value->boolean;
}

bool value_string_is(const struct value *value, const char *text)
{
	return value_is(value, VALUE_STRING) && value->count == strlen(text) &&
	       memcmp(value->text, text, value->count) == 0;
}

void value_set_n(struct arena *arena, struct value *object, const char *key, size_t size,
		 struct value *value)
{
	struct value_member *member = find_member(object, key, size);

	if (member) {
		member->value = value;
		return;
	}
	if (object->count == object->object.capacity) {
		uint32_t capacity = object->count ? object->count * 2 : 4;

		object->object.members =
			arena_grow(arena, object->object.members, object->count * sizeof(*member),
				   capacity * sizeof(*member));
		object->object.capacity = capacity;
	}
	member = &object->object.members[object->count++];
	member->key = arena_strndup(arena, key, size);
	member->key_size = (uint32_t)size;
	member->value = value;
	if (object->count <= INDEX_FROM)
		return;
	if (!object->object.index)
		index_make(arena, object);
	else if (object->object.index->used >= object->object.index->capacity / 4 * 3)
		index_make(arena, object);
	else
		index_insert(object, object->count - 1);
}

void value_set(struct arena *arena, struct value *object, const char *key, struct value *value)
{
	value_set_n(arena, object, key, strlen(key), value);
}

void value_set_text(struct arena *arena, struct value *object, const char *key, const char *text)
{
	value_set(arena, object, key, value_string(arena, text));
}

void value_set_int(struct arena *arena, struct value *object, const char *key, int64_t integer)
{
	value_set(arena, object, key, value_int(arena, integer));
}

struct value *value_make_object(struct arena *arena, struct value *object, const char *key)
{
	struct value *value = value_get(object, key);

	if (!value || value->kind == VALUE_NULL) {
		value = value_object(arena);
		value_set(arena, object, key, value);
	}
	return value;
}

struct value *value_make_array(struct arena *arena, struct value *object, const char *key)
{
	struct value *value = value_get(object, key);

	if (!value || value->kind == VALUE_NULL) {
		value = value_array(arena);
		value_set(arena, object, key, value);
	}
	return value;
}

bool value_remove_n(struct value *object, const char *key, size_t size)
{
	struct value_member *member = find_member(object, key, size);
	uint32_t position;

	if (!member)
		return false;
	position = (uint32_t)(member - object->object.members);
	if (object->object.index)
		index_remove(object, key, size, position);
	memmove(member, member + 1, (object->count - position - 1) * sizeof(*member));
	object->count--;
	return true;
}

struct value_member *value_find_n(struct value *object, const char *key, size_t size)
{
	return find_member(object, key, size);
}

void value_drop_unset(struct value *object)
{
	uint32_t kept = 0;

	if (!value_is(object, VALUE_OBJECT))
		return;
	for (uint32_t i = 0; i < object->count; i++)
		if (object->object.members[i].value)
			object->object.members[kept++] = object->object.members[i];
	if (kept == object->count)
		return;
	object->count = kept;
	if (object->object.index)
		index_refill(object);
}

bool value_remove(struct value *object, const char *key)
{
	return value_remove_n(object, key, strlen(key));
}

void value_insert(struct arena *arena, struct value *array, size_t index, struct value *item)
{
	if (array->count == array->array.capacity) {
		uint32_t capacity = array->count ? array->count * 2 : 4;

		array->array.items =
			arena_grow(arena, array->array.items, array->count * sizeof(item),
				   capacity * sizeof(item));
		array->array.capacity = capacity;
	}
	if (index > array->count)
		index = array->count;
	memmove(array->array.items + index + 1, array->array.items + index,
		(array->count - index) * sizeof(item));
	array->array.items[index] = item;
	array->count++;
}

void value_push(struct arena *arena, struct value *array, struct value *item)
{
	value_insert(arena, array, array->count, item);
}

void value_remove_at(struct value *array, size_t index)
{
	if (!value_is(array, VALUE_ARRAY) || index >= array->count)
		return;
	memmove(array->array.items + index, array->array.items + index + 1,
		(array->count - index - 1) * sizeof(struct value *));
	array->count--;
}

static int compare_members(const void *a, const void *b)
{
	const struct value_member *left = a, *right = b;
	uint32_t common = left->key_size < right->key_size ? left->key_size : right->key_size;
	int order = memcmp(left->key, right->key, common);

	return order ? order
		     : (left->key_size > right->key_size) - (left->key_size < right->key_size);
}

void value_sort_keys(struct value *object)
{
	bool sorted = true;

	if (!value_is(object, VALUE_OBJECT))
		return;
	for (uint32_t i = 1; i < object->count && sorted; i++)
		sorted = compare_members(&object->object.members[i - 1],
					 &object->object.members[i]) < 0;
	if (sorted)
		return;
	qsort(object->object.members, object->count, sizeof(struct value_member), compare_members);
	if (object->object.index)
		index_refill(object);
}

double value_number(const struct value *value)
{
	if (value_is(value, VALUE_INT))
		return (double)value->integer;
	return value_is(value, VALUE_NUMBER) ? strtod(value->text, NULL) : 0;
}

/* A JSON number taken apart: ± 0.DIGITS × 10^exponent, without outer zeros. */
struct decimal {
	bool negative;
	const char *digits; /* may have a point in it */
	size_t size;
	int64_t exponent;
};

static void read_decimal(const char *text, struct decimal *out)
{
	const char *end = text + strcspn(text, "eE");
	const char *point = memchr(text, '.', (size_t)(end - text));
	const char *last = end;

	out->negative = *text == '-';
	text += out->negative;
	out->exponent = (point ? point : end) - text;
	if (*end) {
		/* what lies beyond is so far off that it can stand for itself */
		long long exponent = strtoll(end + 1, NULL, 10);

		out->exponent += exponent > INT32_MAX	? INT32_MAX
				 : exponent < INT32_MIN ? INT32_MIN
							: exponent;
	}
	for (; text < end && (*text == '0' || *text == '.'); text++)
		if (*text == '0')
			out->exponent--;
	while (last > text && (last[-1] == '0' || last[-1] == '.'))
		last--;
	out->digits = text;
	out->size = (size_t)(last - text);
	if (!out->size) /* zero has one form */
		*out = (struct decimal){false, text, 0, 0};
}

static bool same_decimal(const char *left, const char *right)
{
	struct decimal a, b;
	size_t i = 0, j = 0;

	read_decimal(left, &a);
	read_decimal(right, &b);
	if (a.negative != b.negative || a.exponent != b.exponent)
		return false;
	for (;;) {
		if (i < a.size && a.digits[i] == '.')
			i++;
		if (j < b.size && b.digits[j] == '.')
			j++;
		if (i == a.size || j == b.size)
			return i == a.size && j == b.size;
		if (a.digits[i++] != b.digits[j++])
			return false;
	}
}

static bool same_number(const struct value *a, const struct value *b)
{
	char left[24], right[24];

	if (a->kind == VALUE_INT && b->kind == VALUE_INT)
		return a->integer == b->integer;
	snprintf(left, sizeof(left), "%lld", a->kind == VALUE_INT ? (long long)a->integer : 0);
	snprintf(right, sizeof(right), "%lld", b->kind == VALUE_INT ? (long long)b->integer : 0);
	return same_decimal(a->kind == VALUE_INT ? left : a->text,
			    b->kind == VALUE_INT ? right : b->text);
}

static bool is_number(const struct value *value)
{
	return value->kind == VALUE_INT || value->kind == VALUE_NUMBER;
}

bool value_equal(const struct value *a, const struct value *b)
{
	if (!a || !b)
		return a == b;
	if (is_number(a) && is_number(b))
		return same_number(a, b);
	if (a->kind != b->kind)
		return false;
	switch ((enum value_kind)a->kind) {
	case VALUE_BOOL:
		return a->boolean == b->boolean;
	case VALUE_STRING:
		return a->count == b->count && memcmp(a->text, b->text, a->count) == 0;
	case VALUE_ARRAY:
		if (a->count != b->count)
			return false;
		for (uint32_t i = 0; i < a->count; i++)
			if (!value_equal(a->array.items[i], b->array.items[i]))
				return false;
		return true;
	case VALUE_OBJECT:
		if (a->count != b->count)
			return false;
		for (uint32_t i = 0; i < a->count; i++) {
			const struct value_member *member = &a->object.members[i];
			const struct value *other = value_get_n(b, member->key, member->key_size);

			if (!other || !value_equal(member->value, other))
				return false;
		}
		return true;
	default:
		return true;
	}
}
