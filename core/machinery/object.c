/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counted objects. One allocation holds the head, the texts taken out of the
 * metadata and, for copies, the bytes.
 *
 * Locks: `readers` and the end of `tree` are under a mutex chosen by the
 * object's address. A tree begins without it, by compare and swap, which is
 * sound because only readers make trees and the last reader ends them.
 */
#include "machinery/object.h"

#include "machinery/json.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct object_tree {
	struct arena arena;
	const struct value *root;
};

enum object_text { TEXT_NAME, TEXT_NAMESPACE, TEXT_UID, TEXT_REVISION, TEXT_KIND, TEXT_API, TEXTS };

struct cox_object {
	_Atomic uint32_t references; /* readers and holders */
	uint32_t readers;
	_Atomic(struct object_tree *) tree;
	const char *data;
	size_t size;
	void (*release)(void *owner);
	void *owner;
	uint32_t texts[TEXTS]; /* offsets into `room` */
	char room[];
};

enum { LOCKS = 64 };

static pthread_mutex_t object_locks[LOCKS] = {[0 ... LOCKS - 1] = PTHREAD_MUTEX_INITIALIZER};

static pthread_mutex_t *object_lock(const struct cox_object *object)
{
	return &object_locks[((uintptr_t)object >> 6) % LOCKS];
}

/* ---- making ---- */

struct found {
	const char *text;
	size_t size;
	bool escaped;
};

static bool key_is(const struct json_reader *reader, const char *key)
{
	return !reader->escaped && reader->text_size == strlen(key) &&
	       !memcmp(reader->text, key, reader->text_size);
}

/* Reads the value behind a key; keeps it if it is a string. */
static int take_text(struct json_reader *reader, struct found *found)
{
	struct json_reader before = *reader;

	if (json_next(reader) == JSON_STRING) {
		*found = (struct found){reader->text, reader->text_size, reader->escaped};
		return 0;
	}
	*reader = before;
	return json_skip(reader);
}

static int scan_metadata(struct json_reader *reader, struct found *found)
{
	static const char *const keys[] = {"name", "namespace", "uid", "resourceVersion"};
	struct json_reader before = *reader;
	enum json_token token = json_next(reader);

	if (token != JSON_OBJECT_BEGIN) {
		*reader = before;
		return json_skip(reader);
	}
	while ((token = json_next(reader)) == JSON_KEY) {
		size_t i = 0;

		while (i < 4 && !key_is(reader, keys[i]))
			i++;
		if (i < 4 ? take_text(reader, &found[i]) : json_skip(reader))
			return -1;
	}
	return token == JSON_OBJECT_END ? 0 : -1;
}

/* Checks the whole text and finds what is asked for often. */
static int scan(struct json_reader *reader, struct found *found)
{
	enum json_token token = json_next(reader);
	int failed = 0;

	if (token != JSON_OBJECT_BEGIN)
		return -1;
	while (!failed && (token = json_next(reader)) == JSON_KEY) {
		if (key_is(reader, "metadata"))
			failed = scan_metadata(reader, found);
		else if (key_is(reader, "kind"))
			failed = take_text(reader, &found[TEXT_KIND]);
		else if (key_is(reader, "apiVersion"))
			failed = take_text(reader, &found[TEXT_API]);
		else
			failed = json_skip(reader);
	}
	if (failed || token != JSON_OBJECT_END)
		return -1;
	return json_next(reader) == JSON_END ? 0 : -1;
}

static struct cox_object *object_make(const void *data, size_t size, bool copy,
				      struct cox_error *err)
{
	struct found found[TEXTS] = {{NULL, 0, false}};
	struct json_reader reader;
	struct cox_object *object;
	size_t room = 1, at = 1;

	json_reader_init(&reader, data, size);
	if (size > UINT32_MAX / 4 || scan(&reader, found)) {
		error_set(err, COX_REASON_BAD_REQUEST, "not a JSON object: %s at byte %zu",
			  reader.why ? reader.why : "it does not begin with {", reader.at);
		return NULL;
	}
	for (size_t i = 0; i < TEXTS; i++)
		room += found[i].size + 1;
	object = cox_alloc(sizeof(*object) + room + (copy ? size + 1 : 0));
	*object = (struct cox_object){.references = 1, .readers = 1, .data = data, .size = size};
	object->room[0] = '\0'; /* what absent texts point to */
	for (size_t i = 0; i < TEXTS; i++) {
		if (!found[i].size)
			continue;
		object->texts[i] = (uint32_t)at;
		if (found[i].escaped) {
			at += json_unescape(found[i].text, found[i].size, object->room + at);
		} else {
			memcpy(object->room + at, found[i].text, found[i].size);
			at += found[i].size;
		}
		object->room[at++] = '\0';
	}
	if (copy) {
		memcpy(object->room + room, data, size);
		object->room[room + size] = '\0';
		object->data = object->room + room;
	}
	return object;
}

struct cox_object *object_new(const void *data, size_t size, struct cox_error *err)
{
	return object_make(data, size, true, err);
}

struct cox_object *object_adopt(const void *data, size_t size, void (*release)(void *owner),
				void *owner, struct cox_error *err)
{
	struct cox_object *object = object_make(data, size, false, err);

	if (object) {
		object->release = release;
		object->owner = owner;
	}
	return object;
}

/* ---- counting ---- */

static void tree_free(struct object_tree *tree)
{
	if (!tree)
		return;
	arena_free(&tree->arena);
	free(tree);
}

struct cox_object *object_hold(const struct cox_object *borrowed)
{
	struct cox_object *object = (struct cox_object *)borrowed;

	if (object)
		atomic_fetch_add_explicit(&object->references, 1, memory_order_relaxed);
	return object;
}

void object_release(struct cox_object *object)
{
	if (!object || atomic_fetch_sub_explicit(&object->references, 1, memory_order_acq_rel) != 1)
		return;
	tree_free(atomic_load(&object->tree));
	if (object->release)
		object->release(object->owner);
	free(object);
}

struct cox_object *object_ref(const struct cox_object *borrowed)
{
	struct cox_object *object = object_hold(borrowed);

	if (object) {
		cox_lock_scope(object_lock(object));
		object->readers++;
	}
	return object;
}

void object_unref(struct cox_object *object)
{
	struct object_tree *tree = NULL;

	if (!object)
		return;
	{
		cox_lock_scope(object_lock(object));
		if (--object->readers == 0)
			tree = atomic_exchange(&object->tree, NULL);
	}
	tree_free(tree);
	object_release(object);
}

/* ---- reading ---- */

static const char *object_text(const struct cox_object *object, enum object_text which)
{
	return object ? object->room + object->texts[which] : "";
}

const char *object_name(const struct cox_object *object)
{
	return object_text(object, TEXT_NAME);
}

const char *object_namespace(const struct cox_object *object)
{
	return object_text(object, TEXT_NAMESPACE);
}

const char *object_uid(const struct cox_object *object)
{
	return object_text(object, TEXT_UID);
}

const char *object_revision(const struct cox_object *object)
{
	return object_text(object, TEXT_REVISION);
}

const char *object_kind(const struct cox_object *object)
{
	return object_text(object, TEXT_KIND);
}

const char *object_api_version(const struct cox_object *object)
{
	return object_text(object, TEXT_API);
}

struct cox_bytes object_json(const struct cox_object *object)
{
	if (!object)
		return (struct cox_bytes){NULL, 0};
	return (struct cox_bytes){object->data, object->size};
}

const struct value *object_root(const struct cox_object *borrowed)
{
	struct cox_object *object = (struct cox_object *)borrowed;
	struct object_tree *tree, *none = NULL;

	if (!object)
		return NULL;
	tree = atomic_load_explicit(&object->tree, memory_order_acquire);
	if (tree)
		return tree->root;
	tree = cox_new(struct object_tree);
	tree->root = json_parse(&tree->arena, object->data, object->size, NULL, NULL);
	if (!atomic_compare_exchange_strong(&object->tree, &none, tree)) {
		tree_free(tree); /* another reader was faster */
		tree = none;
	}
	return tree->root;
}

/* One step: [N], ["key"] or a name; moves `path` behind it. NULL: nothing. */
static const struct value *path_step(const struct value *from, const char **path)
{
	const char *at = *path;
	size_t index = 0;

	if (*at != '[') {
		size_t size = strcspn(at, ".[");

		*path = at + size;
		return value_get_n(from, at, size);
	}
	if (at[1] == '"') {
		const char *end = strstr(at + 2, "\"]");

		if (!end)
			return NULL;
		*path = end + 2;
		return value_get_n(from, at + 2, (size_t)(end - at) - 2);
	}
	for (at++; *at >= '0' && *at <= '9' && index < UINT32_MAX; at++)
		index = index * 10 + (size_t)(*at - '0');
	if (*at != ']')
		return NULL;
	*path = at + 1;
	return value_at(from, index);
}

const struct value *object_path(const struct value *from, const char *path)
{
	while (from && path && *path) {
		if (*path == '.')
			path++;
		from = path_step(from, &path);
	}
	return from;
}

/* ---- the plugin's view ---- */

static const struct value *inner(const struct cox_value *value)
{
	return (const struct value *)(const void *)value;
}

static const struct cox_value *outer(const struct value *value)
{
	return (const struct cox_value *)(const void *)value;
}

static const struct cox_value *table_root(const struct cox_object *object)
{
	return outer(object_root(object));
}

static const struct cox_value *table_get(const struct cox_value *from, const char *path)
{
	return outer(object_path(inner(from), path));
}

static const struct cox_value *table_member(const struct cox_value *map, const char *key)
{
	return outer(value_get(inner(map), key));
}

static enum cox_value_kind table_kind(const struct cox_value *value)
{
	static const enum cox_value_kind kinds[] = {
		[VALUE_NULL] = COX_VALUE_NULL,	   [VALUE_BOOL] = COX_VALUE_BOOL,
		[VALUE_INT] = COX_VALUE_INTEGER,   [VALUE_NUMBER] = COX_VALUE_NUMBER,
		[VALUE_STRING] = COX_VALUE_STRING, [VALUE_ARRAY] = COX_VALUE_ARRAY,
		[VALUE_OBJECT] = COX_VALUE_MAP,
	};

	return value ? kinds[inner(value)->kind] : COX_VALUE_NONE;
}

static const char *table_text(const struct cox_value *from, const char *path)
{
	return value_text(object_path(inner(from), path));
}

static int64_t table_integer(const struct cox_value *from, const char *path, int64_t fallback)
{
	const struct value *value = object_path(inner(from), path);

	return value_is(value, VALUE_INT) ? value->integer : fallback;
}

static int table_boolean(const struct cox_value *from, const char *path)
{
	const struct value *value = object_path(inner(from), path);

	return value_is(value, VALUE_BOOL) && value->boolean;
}

static size_t table_count(const struct cox_value *value)
{
	const struct value *list = inner(value);

	return value_is(list, VALUE_ARRAY) || value_is(list, VALUE_OBJECT) ? list->count : 0;
}

static const struct cox_value *table_at(const struct cox_value *value, size_t index,
					const char **key)
{
	const struct value *list = inner(value);

	if (key)
		*key = "";
	if (index >= table_count(value))
		return NULL;
	if (list->kind == VALUE_ARRAY)
		return outer(list->array.items[index]);
	if (key)
		*key = list->object.members[index].key;
	return outer(list->object.members[index].value);
}

static int table_equal(const struct cox_value *a, const struct cox_value *b)
{
	return a && b ? value_equal(inner(a), inner(b)) : a == b;
}

static void table_write(const struct cox_value *value, const struct cox_writer *writer)
{
	cox_autobuf text = COX_BUF_INIT;

	if (!value)
		return;
	json_write(&text, inner(value), 0);
	writer->write(writer->to, cox_buf_cstr(&text), text.size);
}

const struct cox_objects object_table = {
	.struct_size = sizeof(struct cox_objects),
	.ref = object_ref,
	.unref = object_unref,
	.from_json = object_new,
	.json = object_json,
	.name = object_name,
	.namespace_of = object_namespace,
	.uid = object_uid,
	.revision = object_revision,
	.root = table_root,
	.get = table_get,
	.member = table_member,
	.kind = table_kind,
	.text = table_text,
	.integer = table_integer,
	.boolean = table_boolean,
	.count = table_count,
	.at = table_at,
	.equal = table_equal,
	.write = table_write,
};
