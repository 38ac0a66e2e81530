/* SPDX-License-Identifier: Apache-2.0 */
/*
 * API objects as plugins see them: opaque, immutable, counted, read through a
 * table of functions. An object may be read by any number of threads.
 *
 * A `struct cox_value` is a place inside an object (or the object's root). It
 * is borrowed from the object and lives as long as the caller's reference to
 * it. Reading forgives: NULL, a missing member and a value of the wrong kind
 * all read as NULL, "", the fallback or false, so a chain of reads needs one
 * check at its end.
 *
 *	const struct cox_value *pod = objects->root(object);
 *	const char *node = objects->text(pod, "spec.nodeName");
 *	for (size_t i = 0; (c = objects->at(list, i, NULL)); i++) ...
 *
 * Paths: member names joined by '.', [N] for the Nth item, ["key"] for a member
 * whose name contains a dot: metadata.labels["app.kubernetes.io/name"].
 */
#ifndef COXSWAIN_OBJECT_H
#define COXSWAIN_OBJECT_H

#include <coxswain/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cox_object;
struct cox_value;

enum cox_value_kind {
	COX_VALUE_NONE = 0, /* absent */
	COX_VALUE_NULL = 1,
	COX_VALUE_BOOL = 2,
	COX_VALUE_INTEGER = 3,
	COX_VALUE_NUMBER = 4, /* not an integer that fits 64 bits */
	COX_VALUE_STRING = 5,
	COX_VALUE_ARRAY = 6,
	COX_VALUE_MAP = 7
};

/* Takes text in pieces; cox_buf_sink of the kit fits a struct cox_buf. */
struct cox_writer {
	void (*write)(void *to, const void *data, size_t size);
	void *to;
};

struct cox_objects {
	uint32_t struct_size;
	uint32_t reserved;

	/*
	 * A reference more, and one less. NULL is allowed. Every object that a
	 * function hands out as `*object` or as its result is a reference of
	 * the caller's; an object that comes as an argument is borrowed.
	 */
	struct cox_object *(*ref)(const struct cox_object *object);
	void (*unref)(struct cox_object *object);

	/* A new object from JSON text, which is copied. NULL: `err` says why. */
	struct cox_object *(*from_json)(const void *data, size_t size, struct cox_error *err);
	/* The whole object as JSON; borrowed from it. */
	struct cox_bytes (*json)(const struct cox_object *object);

	/* What everybody asks for; "" where not set. Borrowed. */
	const char *(*name)(const struct cox_object *object);
	const char *(*namespace_of)(const struct cox_object *object);
	const char *(*uid)(const struct cox_object *object);
	const char *(*revision)(const struct cox_object *object); /* resourceVersion */

	const struct cox_value *(*root)(const struct cox_object *object);
	/* NULL if there is nothing; path "" is `from` itself. */
	const struct cox_value *(*get)(const struct cox_value *from, const char *path);
	/* A member by its exact name, dots and all. */
	const struct cox_value *(*member)(const struct cox_value *map, const char *key);
	enum cox_value_kind (*kind)(const struct cox_value *value);

	const char *(*text)(const struct cox_value *from, const char *path); /* "" */
	int64_t (*integer)(const struct cox_value *from, const char *path, int64_t fallback);
	int (*boolean)(const struct cox_value *from, const char *path); /* 0 or 1 */

	/* Items of an array, members of a map; `key` (may be NULL) for maps. */
	size_t (*count)(const struct cox_value *value);
	const struct cox_value *(*at)(const struct cox_value *value, size_t index,
				      const char **key);

	/* Deep; the order of members does not count. NULL equals NULL only. */
	int (*equal)(const struct cox_value *a, const struct cox_value *b);
	/* The value as JSON. */
	void (*write)(const struct cox_value *value, const struct cox_writer *writer);
};

COX_STATIC_ASSERT(sizeof(struct cox_objects) % sizeof(void *) == 0, "no tail padding");

#ifdef __cplusplus
}
#endif

#endif
