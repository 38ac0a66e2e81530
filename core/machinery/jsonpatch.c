/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Patch; see the header. An operation finds the container of its path and
 * the last part of it, its `place`; all operations are changes at places.
 */
#include "machinery/jsonpatch.h"

#include "machinery/json.h"

#include <string.h>

struct patcher {
	struct arena *arena;
	struct cox_error *err;
	struct value *root;
	/* the operation at hand, for errors */
	uint32_t number;
	const char *operation;
	const char *path;
	size_t copied, work;
};

/* Where a pointer leads: a member of a container, or the root. */
struct place {
	struct value *container; /* NULL: the root itself */
	const char *key;	 /* of a member of an object */
	size_t key_size;
	size_t index;	/* of an item of an array; its count: behind the last */
	unsigned depth; /* of the value at this place; the root has 1 */
};

static int does_not_apply(struct patcher *patcher, const char *why)
{
	return error_set(patcher->err, COX_REASON_INVALID,
			 "the JSON patch does not apply: operation %u (%s \"%s\"): %s",
			 patcher->number, patcher->operation, patcher->path, why);
}

static int malformed(struct patcher *patcher, const char *why)
{
	return error_set(patcher->err, COX_REASON_BAD_REQUEST,
			 "invalid JSON patch: operation %u: %s", patcher->number, why);
}

static int count_work(struct patcher *patcher, size_t work)
{
	patcher->work += work;
	if (patcher->work <= JSONPATCH_WORK_MAX)
		return 0;
	return error_set(patcher->err, COX_REASON_ENTITY_TOO_LARGE,
			 "the JSON patch is too large: it would touch more than %d values",
			 JSONPATCH_WORK_MAX);
}

/* Reads one part of a pointer, ~0 and ~1 made plain. */
static int read_part(struct patcher *patcher, const char **at, const char *end, const char **part,
		     size_t *size)
{
	const char *slash = memchr(*at + 1, '/', (size_t)(end - *at - 1));
	char *out = arena_alloc(patcher->arena, (size_t)((slash ? slash : end) - *at));

	*part = out;
	for (++*at; *at < end && **at != '/'; ++*at) {
		char c = **at;

		if (c == '~') {
			++*at;
			if (*at == end || (**at != '0' && **at != '1'))
				return malformed(patcher, "a path has ~ without 0 or 1 behind it");
			c = **at == '0' ? '~' : '/';
		}
		*out++ = c;
	}
	*out = '\0';
	*size = (size_t)(out - *part);
	return 0;
}

/* An index as RFC 6901 writes it: digits without a leading zero. */
static int read_index(struct patcher *patcher, const struct value *array, const char *part,
		      size_t size, bool may_append, size_t *index)
{
	size_t sum = 0;

	if (size == 1 && *part == '-') {
		if (!may_append)
			return does_not_apply(patcher, "there is nothing at \"-\"");
		*index = array->count;
		return 0;
	}
	if (!size || size > 9 || (size > 1 && *part == '0'))
		return does_not_apply(patcher, "the path has no valid index of a list");
	for (size_t i = 0; i < size; i++) {
		if (part[i] < '0' || part[i] > '9')
			return does_not_apply(patcher, "the path has no valid index of a list");
		sum = sum * 10 + (size_t)(part[i] - '0');
	}
	if (sum > array->count || (sum == array->count && !may_append))
		return does_not_apply(patcher, "the index is beyond the end of the list");
	*index = sum;
	return 0;
}

/* The value at a place; NULL if there is none. */
static struct value *value_of(const struct patcher *patcher, const struct place *place)
{
	if (!place->container)
		return patcher->root;
	if (place->container->kind == VALUE_OBJECT)
		return value_get_n(place->container, place->key, place->key_size);
	return value_at(place->container, place->index);
}

/* Follows a pointer to its place; only the last part may be absent. */
static int find_place(struct patcher *patcher, const struct value *pointer, bool may_append,
		      struct place *place)
{
	const char *at = pointer->text, *end = at + pointer->count;

	*place = (struct place){.depth = 1};
	if (at < end && *at != '/')
		return malformed(patcher, "a path must be empty or begin with /");
	while (at < end) {
		struct value *here = value_of(patcher, place);

		if (!here)
			return does_not_apply(patcher, "the path does not exist");
		if (here->kind != VALUE_OBJECT && here->kind != VALUE_ARRAY)
			return does_not_apply(patcher, "the path leads into a plain value");
		place->container = here;
		place->depth++;
		if (read_part(patcher, &at, end, &place->key, &place->key_size) != 0)
			return -1;
		if (here->kind == VALUE_ARRAY &&
		    read_index(patcher, here, place->key, place->key_size, may_append && at == end,
			       &place->index) != 0)
			return -1;
	}
	return 0;
}

/* Depth of a tree, and what a copy of it takes; visits are counted. */
static int weigh(struct patcher *patcher, const struct value *value, unsigned *depth, size_t *bytes)
{
	unsigned deepest = 0;

	*bytes += sizeof(*value);
	if (value->kind == VALUE_STRING || value->kind == VALUE_NUMBER)
		*bytes += value->count + 1u;
	*depth = 1;
	if (value->kind != VALUE_OBJECT && value->kind != VALUE_ARRAY)
		return 0;
	if (count_work(patcher, value->count + 1u) != 0)
		return -1;
	for (uint32_t i = 0; i < value->count; i++) {
		bool object = value->kind == VALUE_OBJECT;
		unsigned below;

		if (object)
			*bytes += sizeof(struct value_member) + value->object.members[i].key_size;
		if (weigh(patcher, object ? value->object.members[i].value : value->array.items[i],
			  &below, bytes) != 0)
			return -1;
		if (below > deepest)
			deepest = below;
	}
	*depth += deepest;
	return 0;
}

/* A tree must not become deeper than one that could have been read. */
static int check_depth(struct patcher *patcher, const struct place *place,
		       const struct value *value, size_t *bytes)
{
	unsigned depth = 0;

	*bytes = 0;
	if (weigh(patcher, value, &depth, bytes) != 0)
		return -1;
	return place->depth + depth - 1 > JSON_DEPTH_MAX
		       ? does_not_apply(patcher, "the result would be nested too deeply")
		       : 0;
}

static int add_at(struct patcher *patcher, const struct place *place, struct value *value)
{
	struct value *container = place->container;
	size_t bytes;

	if (check_depth(patcher, place, value, &bytes) != 0)
		return -1;
	if (!container) {
		patcher->root = value;
	} else if (container->kind == VALUE_OBJECT) {
		value_set_n(patcher->arena, container, place->key, place->key_size, value);
	} else {
		if (count_work(patcher, (container->count - place->index) / 16) != 0)
			return -1;
		value_insert(patcher->arena, container, place->index, value);
	}
	return 0;
}

static int replace_at(struct patcher *patcher, const struct place *place, struct value *value)
{
	size_t bytes;

	if (!value_of(patcher, place))
		return does_not_apply(patcher, "the path does not exist");
	if (!place->container || place->container->kind == VALUE_OBJECT)
		return add_at(patcher, place, value);
	if (check_depth(patcher, place, value, &bytes) != 0)
		return -1;
	place->container->array.items[place->index] = value;
	return 0;
}

static int remove_at(struct patcher *patcher, const struct place *place)
{
	if (!place->container)
		return does_not_apply(patcher, "the whole document cannot be removed");
	if (count_work(patcher, place->container->count / 16) != 0)
		return -1;
	if (place->container->kind == VALUE_ARRAY)
		value_remove_at(place->container, place->index);
	else if (!value_remove_n(place->container, place->key, place->key_size))
		return does_not_apply(patcher, "the path does not exist");
	return 0;
}

static int test_at(struct patcher *patcher, const struct place *place, const struct value *value)
{
	const struct value *here = value_of(patcher, place);

	if (!here)
		return does_not_apply(patcher, "the path does not exist");
	return value_equal(here, value) ? 0
					: does_not_apply(patcher, "the value there is another one");
}

/* Whether `path` lies below `from`. */
static bool is_below(const struct value *from, const struct value *path)
{
	return path->count > from->count && memcmp(path->text, from->text, from->count) == 0 &&
	       path->text[from->count] == '/';
}

static int copy_or_move(struct patcher *patcher, const struct value *from, const struct value *path,
			bool move)
{
	struct place source, target;
	struct value *value;
	unsigned depth;
	size_t bytes = 0;

	if (find_place(patcher, from, false, &source) != 0)
		return -1;
	value = value_of(patcher, &source);
	if (!value)
		return does_not_apply(patcher, "the path in \"from\" does not exist");
	if (move && is_below(from, path))
		return does_not_apply(patcher, "a value cannot be moved into itself");
	if (move && from->count == path->count && memcmp(from->text, path->text, from->count) == 0)
		return 0;
	if (move) {
		if (remove_at(patcher, &source) != 0)
			return -1;
	} else {
		if (weigh(patcher, value, &depth, &bytes) != 0)
			return -1;
		patcher->copied += bytes;
		if (patcher->copied > JSONPATCH_COPIED_MAX)
			return error_set(patcher->err, COX_REASON_ENTITY_TOO_LARGE,
					 "the JSON patch is too large: it copies more than %d "
					 "bytes",
					 JSONPATCH_COPIED_MAX);
		value = value_copy(patcher->arena, value);
	}
	if (find_place(patcher, path, true, &target) != 0)
		return -1;
	return add_at(patcher, &target, value);
}

/* A member that must be a string, or NULL after saying so. */
static const struct value *need_string(struct patcher *patcher, const struct value *operation,
				       const char *name)
{
	const struct value *value = value_get(operation, name);

	if (value_is(value, VALUE_STRING))
		return value;
	error_set(patcher->err, COX_REASON_BAD_REQUEST,
		  "invalid JSON patch: operation %u: \"%s\" must be a string", patcher->number,
		  name);
	return NULL;
}

static int apply_one(struct patcher *patcher, const struct value *operation)
{
	const struct value *name, *path, *value = value_get(operation, "value"), *from;
	struct place place;
	bool add;

	if (operation->kind != VALUE_OBJECT)
		return malformed(patcher, "it must be an object");
	name = need_string(patcher, operation, "op");
	path = name ? need_string(patcher, operation, "path") : NULL;
	if (!path)
		return -1;
	patcher->operation = name->text;
	patcher->path = path->text;
	if (value_string_is(name, "move") || value_string_is(name, "copy")) {
		from = need_string(patcher, operation, "from");
		return from ? copy_or_move(patcher, from, path, *name->text == 'm') : -1;
	}
	if (value_string_is(name, "remove"))
		return find_place(patcher, path, false, &place) != 0 ? -1
								     : remove_at(patcher, &place);
	add = value_string_is(name, "add");
	if (!add && !value_string_is(name, "replace") && !value_string_is(name, "test"))
		return malformed(patcher,
				 "\"op\" must be add, remove, replace, move, copy or test");
	if (!value)
		return malformed(patcher, "\"value\" is missing");
	if (find_place(patcher, path, add, &place) != 0)
		return -1;
	if (*name->text == 't')
		return test_at(patcher, &place, value);
	return (add ? add_at : replace_at)(patcher, &place, value_copy(patcher->arena, value));
}

struct value *jsonpatch_apply(struct arena *arena, struct value *document,
			      const struct value *patch, struct cox_error *err)
{
	struct patcher patcher = {.arena = arena, .err = err, .root = document};

	if (patch->kind != VALUE_ARRAY) {
		error_set(err, COX_REASON_BAD_REQUEST,
			  "invalid JSON patch: it must be a list of operations");
		return NULL;
	}
	if (patch->count > JSONPATCH_OPERATIONS_MAX) {
		error_set(err, COX_REASON_ENTITY_TOO_LARGE,
			  "The allowed maximum operations in a JSON patch is %d, got %u",
			  JSONPATCH_OPERATIONS_MAX, patch->count);
		return NULL;
	}
	for (uint32_t i = 0; i < patch->count; i++) {
		patcher.number = i + 1;
		if (apply_one(&patcher, patch->array.items[i]) != 0)
			return NULL;
	}
	return patcher.root;
}
