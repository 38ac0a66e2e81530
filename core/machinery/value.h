/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of one object on the write path: JSON, protobuf and YAML bodies all
 * become this, and patches, defaults, validation and admission work on it.
 * Everything lives in an arena; nothing is freed by itself. Texts are borrowed
 * from the arena or from input that outlives the tree; each is followed by a
 * zero byte, and may contain one. Members keep the order in which they came.
 * Not for use by two threads at a time, except that a tree nobody changes may
 * be read by all.
 *
 * Objects with many members stay fast: past 16 members an index is made when
 * the tree is built or grows, never by a lookup, so that reading writes nothing.
 */
#ifndef COX_MACHINERY_VALUE_H
#define COX_MACHINERY_VALUE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum value_kind {
	VALUE_NULL = 0,
	VALUE_BOOL,
	VALUE_INT,    /* fits in int64_t and was written without . or e */
	VALUE_NUMBER, /* any other number: its text as it was written */
	VALUE_STRING,
	VALUE_ARRAY,
	VALUE_OBJECT
};

struct value;
struct value_index;

struct value_member {
	const char *key;
	struct value *value;
	uint32_t key_size;
};

struct value {
	uint8_t kind;	/* enum value_kind */
	uint32_t count; /* items or members; bytes of a string or number */
	union {
		bool boolean;
		int64_t integer;
		const char *text; /* VALUE_STRING, VALUE_NUMBER */
		struct {
			struct value **items;
			uint32_t capacity;
		} array;
		struct {
			struct value_member *members;
			struct value_index *index; /* NULL: none */
			uint32_t capacity;
		} object;
	};
};

struct value *value_null(struct arena *arena);
struct value *value_bool(struct arena *arena, bool boolean);
struct value *value_int(struct arena *arena, int64_t integer);
struct value *value_string(struct arena *arena, const char *text); /* copied */
struct value *value_string_n(struct arena *arena, const char *text, size_t size);
struct value *value_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
struct value *value_array(struct arena *arena);
struct value *value_object(struct arena *arena);
/* A number by its JSON text, which the caller has checked; copied. */
struct value *value_number_n(struct arena *arena, const char *text, size_t size);
struct value *value_copy(struct arena *arena, const struct value *value); /* deep */
/* Makes an object of members that are in the arena; keys must be distinct. */
struct value *value_object_of(struct arena *arena, struct value_member *members, uint32_t count);

/*
 * Reading accepts NULL and the wrong kind: the answer is then NULL, "", 0 or
 * false, so that a chain of reads needs one check at its end.
 */
struct value *value_get(const struct value *object, const char *key);
struct value *value_get_n(const struct value *object, const char *key, size_t size);
/* "metadata.labels" style; keys that contain a dot need value_get. */
struct value *value_path(const struct value *object, const char *path);
struct value *value_at(const struct value *array, size_t index);
const char *value_text(const struct value *string);			 /* "" */
const char *value_get_text(const struct value *object, const char *key); /* "" */
int64_t value_get_int(const struct value *object, const char *key, int64_t fallback);
bool value_get_bool(const struct value *object, const char *key);
bool value_is(const struct value *value, enum value_kind kind); /* false for NULL */
bool value_string_is(const struct value *value, const char *text);

/* Replaces or appends; `key` is copied. The value is linked, not copied. */
void value_set(struct arena *arena, struct value *object, const char *key, struct value *value);
void value_set_n(struct arena *arena, struct value *object, const char *key, size_t size,
		 struct value *value);
void value_set_text(struct arena *arena, struct value *object, const char *key, const char *text);
void value_set_int(struct arena *arena, struct value *object, const char *key, int64_t integer);
/* The object under `key`, made if it is absent or null. */
struct value *value_make_object(struct arena *arena, struct value *object, const char *key);
struct value *value_make_array(struct arena *arena, struct value *object, const char *key);
bool value_remove(struct value *object, const char *key); /* whether it was there */
bool value_remove_n(struct value *object, const char *key, size_t size);
/*
 * Removing many at once: find each, set its `value` to NULL, then drop them all.
 * Between the two the object must not be read otherwise.
 */
struct value_member *value_find_n(struct value *object, const char *key, size_t size);
void value_drop_unset(struct value *object);
void value_push(struct arena *arena, struct value *array, struct value *item);
void value_insert(struct arena *arena, struct value *array, size_t index, struct value *item);
void value_remove_at(struct value *array, size_t index);
void value_sort_keys(struct value *object); /* by bytes, this level only */

/* Deep; the order of members does not count, 1 and 1.0 are equal. */
bool value_equal(const struct value *a, const struct value *b);
double value_number(const struct value *value); /* INT and NUMBER; else 0 */

#endif
