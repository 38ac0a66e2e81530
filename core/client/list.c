/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list is read twice: once for its head (which may stand behind the items),
 * once for the items, which are cut out of the bytes as they are.
 */
#include "client/list.h"

#include "machinery/json.h"

#include <coxswain/kit/json.h>
#include <string.h>

/* Copies object bytes with `"kind":…,"apiVersion":…` put first. */
static struct cox_object *with_kind(const char *data, size_t size, const char *kind,
				    const char *api_version, struct cox_error *err)
{
	cox_autobuf whole = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&whole);
	const char *rest = memchr(data, '{', size);
	size_t skipped = rest ? (size_t)(rest + 1 - data) : size;

	while (skipped < size && strchr(" \t\r\n", data[skipped]))
		skipped++;
	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", kind);
	cox_json_text(&json, "apiVersion", api_version);
	if (skipped < size && data[skipped] != '}')
		cox_buf_char(&whole, ',');
	cox_buf_add(&whole, data + skipped, size - skipped);
	return object_new(whole.data, whole.size, err);
}

struct cox_object *list_item(const char *data, size_t size, const char *kind,
			     const char *api_version, struct cox_error *err)
{
	struct cox_object *object = object_new(data, size, err);

	if (!object || *object_kind(object) || !*kind)
		return object;
	object_unref(object);
	return with_kind(data, size, kind, api_version, err);
}

static bool key_is(const struct json_reader *reader, const char *key)
{
	return !reader->escaped && reader->text_size == strlen(key) &&
	       !memcmp(reader->text, key, reader->text_size);
}

static int items_parse(struct json_reader *reader, const char *kind, const char *api_version,
		       struct object_list *items, struct cox_error *err)
{
	struct json_reader before = *reader;
	enum json_token token = json_next(reader);

	if (token == JSON_NULL)
		return 0; /* Go writes an empty list so */
	if (token != JSON_ARRAY_BEGIN)
		return error_set(err, COX_REASON_INTERNAL_ERROR, "items is not an array");
	for (;;) {
		struct cox_object *object;
		size_t start;

		before = *reader;
		token = json_next(reader);
		if (token == JSON_ARRAY_END)
			return 0;
		if (token != JSON_OBJECT_BEGIN)
			return error_set(err, COX_REASON_INTERNAL_ERROR,
					 "an item of the list is not an object");
		start = reader->start;
		if (json_skip(reader))
			return error_set(err, COX_REASON_INTERNAL_ERROR, "item at byte %zu: %s",
					 before.at, reader->why ? reader->why : "broken");
		object =
			list_item(reader->data + start, reader->at - start, kind, api_version, err);
		if (!object)
			return -1;
		cox_vec_push(items, object);
	}
}

/* metadata.continue; everything else of the head is in the object's own texts. */
static int take_continue(struct json_reader *reader, struct cox_buf *next)
{
	enum json_token token = json_next(reader);

	if (token != JSON_OBJECT_BEGIN)
		return token == JSON_NULL ? 0 : -1;
	while ((token = json_next(reader)) == JSON_KEY) {
		if (!key_is(reader, "continue")) {
			if (json_skip(reader))
				return -1;
			continue;
		}
		if (json_next(reader) != JSON_STRING)
			return -1;
		cox_buf_clear(next);
		cox_buf_added(next, json_unescape(reader->text, reader->text_size,
						  cox_buf_reserve(next, reader->text_size)));
	}
	return token == JSON_OBJECT_END ? 0 : -1;
}

static int members_parse(struct json_reader *reader, const char *kind, const char *api_version,
			 struct object_list *items, struct cox_buf *next, struct cox_error *err)
{
	if (json_next(reader) != JSON_OBJECT_BEGIN)
		return error_set(err, COX_REASON_INTERNAL_ERROR, "not an object");
	while (json_next(reader) == JSON_KEY) {
		int failed;

		if (key_is(reader, "items"))
			failed = items_parse(reader, kind, api_version, items, err);
		else if (key_is(reader, "metadata"))
			failed = take_continue(reader, next);
		else
			failed = json_skip(reader);
		if (failed)
			return -1;
	}
	return 0;
}

int list_parse(const void *body, size_t size, struct object_list *items, struct cox_buf *revision,
	       struct cox_buf *next, struct cox_error *err)
{
	cox_autoobject *head = object_adopt(body, size, NULL, NULL, err);
	cox_autobuf kind = COX_BUF_INIT;
	struct json_reader reader;

	if (!head)
		return error_wrap(err, "list");
	cox_buf_str(&kind, object_kind(head));
	if (kind.size > 4 && !strcmp(kind.data + kind.size - 4, "List"))
		cox_buf_truncate(&kind, kind.size - 4);
	else
		return error_set(err, COX_REASON_INTERNAL_ERROR, "list: the server answered a %s",
				 kind.size ? kind.data : "document without a kind");
	cox_buf_clear(revision);
	cox_buf_str(revision, object_revision(head));
	cox_buf_clear(next);
	json_reader_init(&reader, body, size);
	if (members_parse(&reader, cox_buf_cstr(&kind), object_api_version(head), items, next, err))
		return error_wrap(err, "list");
	return 0;
}
