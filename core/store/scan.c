/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From stored bytes to an entry in one pass of the JSON reader and one copy.
 * Nothing is allocated but the entry, unless texts have escapes. Members that
 * nobody asked for are skipped whole.
 */
#include "store/scan.h"

#include "machinery/json.h"
#include "store/entry_layout.h"

#include <coxswain/kit/alloc.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS_MAX = 4096, OWNERS_MAX = 4096 };

struct label {
	struct cox_bytes key, value;
};

/* What one scan found; texts are borrowed from the value or the scratch. */
struct scan {
	const struct scan_plan *plan;
	struct arena *scratch;
	struct json_reader reader;
	struct cox_bytes json;
	struct cox_bytes name, namespace; /* as the key says */
	struct cox_error *err;

	size_t metadata_at;
	size_t splice_at, splice_end; /* what the new text replaces */
	bool replaces;		      /* there was a resourceVersion */
	bool comma_before, comma_after;
	struct cox_bytes uid;
	bool deleting, has_metadata;
	struct label *labels;
	size_t label_count, label_room;
	struct cox_bytes *owners;
	size_t owner_count, owner_room;
	struct cox_bytes values[SCAN_PATHS_MAX]; /* one a path */
};

static bool same(struct cox_bytes a, struct cox_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool token_is(const struct json_reader *reader, const char *text, size_t size)
{
	return !reader->escaped && reader->text_size == size &&
	       memcmp(reader->text, text, size) == 0;
}

#define TOKEN_IS(reader, text) token_is(reader, text, sizeof(text) - 1)

/* The text of the token just read, plain. */
static struct cox_bytes token_text(struct scan *scan)
{
	const struct json_reader *reader = &scan->reader;
	char *plain;

	if (!reader->escaped)
		return (struct cox_bytes){reader->text, reader->text_size};
	plain = arena_alloc(scan->scratch, reader->text_size + 1);
	return (struct cox_bytes){plain, json_unescape(reader->text, reader->text_size, plain)};
}

static int bad_json(struct scan *scan)
{
	return error_set(scan->err, COX_REASON_STORE_READ_ERROR, "not JSON: %s at byte %zu",
			 scan->reader.why ? scan->reader.why : "unexpected token", scan->reader.at);
}

static int bad_value(struct scan *scan, const char *what)
{
	return error_set(scan->err, COX_REASON_STORE_READ_ERROR, "%s", what);
}

/* A token that begins a value was read: skip what is left of it. */
static int skip_rest(struct scan *scan, enum json_token token)
{
	if (token == JSON_BAD)
		return bad_json(scan);
	if ((token == JSON_OBJECT_BEGIN || token == JSON_ARRAY_BEGIN) && json_skip(&scan->reader))
		return bad_json(scan);
	return 0;
}

static int skip_value(struct scan *scan)
{
	return json_skip(&scan->reader) ? bad_json(scan) : 0;
}

/* Room for one more in an array of the scratch; doubles. */
static void *make_room(struct arena *scratch, void *items, size_t count, size_t *room,
		       size_t item_size)
{
	size_t wanted = *room ? *room * 2 : 8;

	if (count < *room)
		return items;
	items = arena_grow(scratch, items, *room * item_size, wanted * item_size);
	*room = wanted;
	return items;
}

static int scan_labels(struct scan *scan)
{
	struct json_reader *reader = &scan->reader;
	enum json_token token = json_next(reader);

	if (token == JSON_NULL)
		return 0;
	if (token != JSON_OBJECT_BEGIN)
		return token == JSON_BAD ? bad_json(scan)
					 : bad_value(scan, "metadata.labels is not an object");
	for (;;) {
		struct label *label;

		token = json_next(reader);
		if (token == JSON_OBJECT_END)
			return 0;
		if (token != JSON_KEY)
			return bad_json(scan);
		if (scan->label_count >= LABELS_MAX)
			return bad_value(scan, "metadata.labels has too many members");
		scan->labels = make_room(scan->scratch, scan->labels, scan->label_count,
					 &scan->label_room, sizeof(*scan->labels));
		label = &scan->labels[scan->label_count++];
		label->key = token_text(scan);
		token = json_next(reader);
		if (token != JSON_STRING)
			return token == JSON_BAD
				       ? bad_json(scan)
				       : bad_value(scan, "a label's value is not a string");
		label->value = token_text(scan);
		if (memchr(label->key.data, 0, label->key.size) ||
		    memchr(label->value.data, 0, label->value.size))
			return bad_value(scan, "a label contains a zero byte");
	}
}

/* One owner reference: its uid. */
static int scan_owner(struct scan *scan)
{
	struct json_reader *reader = &scan->reader;

	for (;;) {
		enum json_token token = json_next(reader);

		if (token == JSON_OBJECT_END)
			return 0;
		if (token != JSON_KEY)
			return bad_json(scan);
		if (!TOKEN_IS(reader, "uid")) {
			if (skip_value(scan))
				return -1;
			continue;
		}
		token = json_next(reader);
		if (token != JSON_STRING) {
			if (skip_rest(scan, token))
				return -1;
			continue;
		}
		if (scan->owner_count >= OWNERS_MAX)
			return bad_value(scan, "metadata.ownerReferences has too many items");
		scan->owners = make_room(scan->scratch, scan->owners, scan->owner_count,
					 &scan->owner_room, sizeof(*scan->owners));
		scan->owners[scan->owner_count++] = token_text(scan);
	}
}

static int scan_owners(struct scan *scan)
{
	enum json_token token = json_next(&scan->reader);

	if (token != JSON_ARRAY_BEGIN)
		return skip_rest(scan, token);
	for (;;) {
		token = json_next(&scan->reader);
		if (token == JSON_ARRAY_END)
			return 0;
		if (token == JSON_OBJECT_BEGIN) {
			if (scan_owner(scan))
				return -1;
		} else if (skip_rest(scan, token)) {
			return -1;
		}
	}
}

/* resourceVersion goes behind the members that it follows when the API writes it. */
static void splice_behind(struct scan *scan)
{
	if (scan->replaces)
		return;
	scan->splice_at = scan->splice_end = scan->reader.at;
	scan->comma_before = true;
	scan->comma_after = false;
}

/* A text that must be what the key says. */
static int check_text(struct scan *scan, struct cox_bytes expected, const char *what)
{
	enum json_token token = json_next(&scan->reader);

	if (token != JSON_STRING)
		return skip_rest(scan, token);
	if (!same(token_text(scan), expected))
		return error_set(scan->err, COX_REASON_STORE_READ_ERROR,
				 "metadata.%s \"%.*s\" is not that of the key", what,
				 (int)(scan->reader.text_size > 256 ? 256 : scan->reader.text_size),
				 scan->reader.text);
	splice_behind(scan);
	return 0;
}

static int scan_uid(struct scan *scan)
{
	enum json_token token = json_next(&scan->reader);

	if (token != JSON_STRING)
		return skip_rest(scan, token);
	if (scan->reader.text_size > UINT16_MAX)
		return bad_value(scan, "metadata.uid is too long");
	if (!scan->reader.escaped)
		scan->uid = (struct cox_bytes){scan->reader.text, scan->reader.text_size};
	splice_behind(scan);
	return 0;
}

static int scan_revision(struct scan *scan)
{
	enum json_token token = json_next(&scan->reader);
	size_t start = scan->reader.start;

	if (skip_rest(scan, token))
		return -1;
	scan->splice_at = start;
	scan->splice_end = scan->reader.at;
	scan->replaces = true;
	scan->comma_before = scan->comma_after = false;
	return 0;
}

static int scan_metadata_member(struct scan *scan)
{
	struct json_reader *reader = &scan->reader;

	if (TOKEN_IS(reader, "name"))
		return check_text(scan, scan->name, "name");
	if (TOKEN_IS(reader, "namespace"))
		return check_text(scan, scan->namespace, "namespace");
	if (TOKEN_IS(reader, "uid"))
		return scan_uid(scan);
	if (TOKEN_IS(reader, "resourceVersion"))
		return scan_revision(scan);
	if (TOKEN_IS(reader, "labels"))
		return scan_labels(scan);
	if (TOKEN_IS(reader, "ownerReferences"))
		return scan_owners(scan);
	if (TOKEN_IS(reader, "deletionTimestamp")) {
		enum json_token token = json_next(reader);

		scan->deleting = token != JSON_NULL;
		return skip_rest(scan, token);
	}
	return skip_value(scan);
}

static int scan_metadata(struct scan *scan)
{
	struct json_reader *reader = &scan->reader;
	enum json_token token = json_next(reader);
	size_t members = 0;

	if (token != JSON_OBJECT_BEGIN)
		return token == JSON_BAD ? bad_json(scan)
					 : bad_value(scan, "metadata is not an object");
	if (scan->has_metadata)
		return bad_value(scan, "metadata is there twice");
	scan->has_metadata = true;
	scan->metadata_at = reader->start;
	scan->splice_at = scan->splice_end = reader->at;
	for (;; members++) {
		token = json_next(reader);
		if (token == JSON_OBJECT_END)
			break;
		if (token != JSON_KEY)
			return bad_json(scan);
		if (scan_metadata_member(scan))
			return -1;
	}
	if (!scan->replaces && !scan->comma_before)
		scan->comma_after = members > 0;
	return 0;
}

/* Keeps a scalar for every path of the mask that ends here. */
static int keep_scalar(struct scan *scan, uint64_t mask, unsigned depth, bool item,
		       enum json_token token)
{
	struct cox_bytes text = {NULL, 0};

	if (token == JSON_STRING)
		text = token_text(scan);
	else if (token == JSON_NUMBER)
		text = (struct cox_bytes){scan->reader.text, scan->reader.text_size};
	else if (token == JSON_TRUE)
		text = (struct cox_bytes){"true", 4};
	else if (token == JSON_FALSE)
		text = (struct cox_bytes){"false", 5};
	else
		return skip_rest(scan, token);
	for (; mask; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctzll(mask);
		const struct scan_path *path = &scan->plan->path[i];

		if (path->step_count == depth + 1 && path->step[depth].first_item == item)
			scan->values[i] = text;
	}
	return 0;
}

/* The paths of the mask that go on below this step. */
static uint64_t going_on(const struct scan *scan, uint64_t mask, unsigned depth, bool item)
{
	uint64_t left = 0;

	for (uint64_t rest = mask; rest; rest &= rest - 1) {
		unsigned i = (unsigned)__builtin_ctzll(rest);
		const struct scan_path *path = &scan->plan->path[i];

		if (path->step_count > depth + 1 && path->step[depth].first_item == item)
			left |= UINT64_C(1) << i;
	}
	return left;
}

static int scan_members(struct scan *scan, uint64_t mask, unsigned depth);

static int scan_item(struct scan *scan, uint64_t mask, unsigned depth, bool item,
		     enum json_token token)
{
	uint64_t deeper = token == JSON_OBJECT_BEGIN ? going_on(scan, mask, depth, item) : 0;

	if (deeper)
		return scan_members(scan, deeper, depth + 1);
	return keep_scalar(scan, mask, depth, item, token);
}

/* The value of a member that paths of the mask name at this step. */
static int scan_member(struct scan *scan, uint64_t mask, unsigned depth)
{
	enum json_token token = json_next(&scan->reader);

	if (token != JSON_ARRAY_BEGIN)
		return scan_item(scan, mask, depth, false, token);
	token = json_next(&scan->reader);
	if (token == JSON_ARRAY_END)
		return 0;
	if (scan_item(scan, mask, depth, true, token))
		return -1;
	while ((token = json_next(&scan->reader)) != JSON_ARRAY_END)
		if (skip_rest(scan, token))
			return -1;
	return 0;
}

/* The members of an object that began. At the top `depth` is 0. */
static int scan_members(struct scan *scan, uint64_t mask, unsigned depth)
{
	struct json_reader *reader = &scan->reader;

	for (;;) {
		enum json_token token = json_next(reader);
		uint64_t named = 0;

		if (token == JSON_OBJECT_END)
			return 0;
		if (token != JSON_KEY)
			return bad_json(scan);
		if (depth == 0 && TOKEN_IS(reader, "metadata")) {
			if (scan_metadata(scan))
				return -1;
			continue;
		}
		for (uint64_t rest = mask; rest; rest &= rest - 1) {
			unsigned i = (unsigned)__builtin_ctzll(rest);
			const struct scan_path *path = &scan->plan->path[i];

			if (token_is(reader, path->step[depth].name, path->step[depth].size))
				named |= UINT64_C(1) << i;
		}
		if (named ? scan_member(scan, named, depth) : skip_value(scan))
			return -1;
	}
}

static int scan_value(struct scan *scan)
{
	uint64_t all = scan->plan->path_count == 64 ? UINT64_MAX
						    : (UINT64_C(1) << scan->plan->path_count) - 1;

	json_reader_init(&scan->reader, scan->json.data, scan->json.size);
	if (json_next(&scan->reader) != JSON_OBJECT_BEGIN)
		return scan->reader.why ? bad_json(scan) : bad_value(scan, "not a JSON object");
	if (scan_members(scan, all, 0))
		return -1;
	if (json_next(&scan->reader) != JSON_END)
		return bad_json(scan);
	if (!scan->has_metadata)
		return bad_value(scan, "no metadata");
	return 0;
}

static int compare_labels(const void *a, const void *b)
{
	const struct label *one = a, *other = b;
	size_t shorter = one->key.size < other->key.size ? one->key.size : other->key.size;
	int order = memcmp(one->key.data, other->key.data, shorter);

	return order ? order
		     : (one->key.size > other->key.size) - (one->key.size < other->key.size);
}

static struct cox_bytes field_value(const struct scan *scan, size_t field)
{
	const struct scan_plan *plan = scan->plan;

	if (plan->field[field].source == SCAN_FROM_NAME)
		return scan->name;
	if (plan->field[field].source == SCAN_FROM_NAMESPACE)
		return scan->namespace;
	for (size_t i = 0; i < plan->path_count; i++)
		if (plan->path[i].field == field && scan->values[i].size > 0)
			return scan->values[i];
	return (struct cox_bytes){plan->field[field].absent, strlen(plan->field[field].absent)};
}

static char *add(char *at, const void *data, size_t size)
{
	if (size > 0)
		memcpy(at, data, size);
	return at + size;
}

static char *add_text(char *at, struct cox_bytes text)
{
	at = add(at, text.data, text.size);
	*at = '\0';
	return at + 1;
}

static char *add_sized(char *at, struct cox_bytes text)
{
	uint32_t size = (uint32_t)text.size;

	return add_text(add(at, &size, sizeof(size)), text);
}

/* Takes the key apart; it fits the plan. */
static void split_key(const struct scan_plan *plan, struct cox_bytes key,
		      struct cox_bytes *namespace, struct cox_bytes *name)
{
	const char *rest = (const char *)key.data + plan->prefix_size;
	size_t size = key.size - plan->prefix_size;
	const char *slash = plan->namespaced ? memchr(rest, '/', size) : NULL;

	*namespace = (struct cox_bytes){rest, slash ? (size_t)(slash - rest) : 0};
	*name = (struct cox_bytes){slash ? slash + 1 : rest,
				   slash ? size - namespace->size - 1 : size};
}

bool scan_key_fits(const struct scan_plan *plan, struct cox_bytes key)
{
	struct cox_bytes namespace, name;

	if (key.size <= plan->prefix_size || key.size > COX_STORAGE_KEY_MAX)
		return false;
	split_key(plan, key, &namespace, &name);
	return name.size > 0 && !memchr(name.data, '/', name.size) &&
	       (namespace.size > 0) == plan->namespaced;
}

static void fill_key(struct store_entry *entry, const struct scan_plan *plan, struct cox_bytes key,
		     struct cox_bytes namespace)
{
	entry->key_size = (uint16_t)key.size;
	entry->prefix_size = (uint16_t)plan->prefix_size;
	entry->namespace_size = (uint16_t) namespace.size;
	add_text(entry->tail, key);
}

static struct store_entry *build_entry(struct scan *scan, struct cox_bytes key, uint64_t revision)
{
	const struct scan_plan *plan = scan->plan;
	const char *json = scan->json.data;
	struct store_entry *entry;
	char splice[64], number[24];
	const char *lead;
	size_t splice_size, json_size, labels_size = 0, rest = 0;
	int digits;
	char *at;

	lead = scan->replaces	    ? "\""
	       : scan->comma_before ? ",\"resourceVersion\":\""
				    : "\"resourceVersion\":\"";
	digits = snprintf(number, sizeof(number), "%" PRIu64, revision);
	splice_size = (size_t)snprintf(splice, sizeof(splice), "%s%s\"%s", lead, number,
				       scan->comma_after ? "," : "");
	json_size = scan->json.size - (scan->splice_end - scan->splice_at) + splice_size;
	if (scan->label_count > 1)
		qsort(scan->labels, scan->label_count, sizeof(*scan->labels), compare_labels);
	for (size_t i = 0; i < scan->label_count; i++)
		labels_size += scan->labels[i].key.size + scan->labels[i].value.size + 2;
	for (size_t i = 0; i < plan->field_count; i++)
		rest += sizeof(uint32_t) + field_value(scan, i).size + 1;
	for (size_t i = 0; i < scan->owner_count; i++)
		rest += sizeof(uint32_t) + scan->owners[i].size + 1;

	entry = entry_new(key.size + 1 + json_size + 1 + labels_size + rest);
	fill_key(entry, plan, key, scan->namespace);
	entry->revision = revision;
	entry->json_size = (uint32_t)json_size;
	entry->metadata_at = (uint32_t)scan->metadata_at;
	entry->revision_at = (uint32_t)(scan->splice_at + strlen(lead));
	entry->revision_digits = (uint8_t)digits;
	entry->labels_size = (uint32_t)labels_size;
	entry->label_count = (uint16_t)scan->label_count;
	entry->owner_count = (uint16_t)scan->owner_count;
	entry->field_count = (uint8_t)plan->field_count;
	entry->flags = scan->deleting ? ENTRY_DELETING : 0;
	if (scan->uid.size > 0) {
		entry->uid_at = (uint32_t)((const char *)scan->uid.data - json);
		entry->uid_size = (uint16_t)scan->uid.size;
		if (entry->uid_at >= scan->splice_end)
			entry->uid_at += (uint32_t)(json_size - scan->json.size);
	}
	at = add(entry_json(entry), json, scan->splice_at);
	at = add(at, splice, splice_size);
	at = add_text(at, (struct cox_bytes){json + scan->splice_end,
					     scan->json.size - scan->splice_end});
	for (size_t i = 0; i < scan->label_count; i++)
		at = add_text(add_text(at, scan->labels[i].key), scan->labels[i].value);
	for (size_t i = 0; i < plan->field_count; i++)
		at = add_sized(at, field_value(scan, i));
	for (size_t i = 0; i < scan->owner_count; i++)
		at = add_sized(at, scan->owners[i]);
	return entry;
}

struct store_entry *scan_entry(const struct scan_plan *plan, struct arena *scratch,
			       struct cox_bytes key, struct cox_bytes json, uint64_t revision,
			       struct cox_error *err)
{
	struct scan scan = {.plan = plan, .scratch = scratch, .json = json, .err = err};

	arena_reset(scratch);
	if (json.size > COX_STORAGE_VALUE_MAX) {
		error_set(err, COX_REASON_STORE_READ_ERROR, "longer than %u bytes",
			  COX_STORAGE_VALUE_MAX);
		return NULL;
	}
	split_key(plan, key, &scan.namespace, &scan.name);
	if (scan_value(&scan))
		return NULL;
	return build_entry(&scan, key, revision);
}

struct store_entry *scan_bad_entry(const struct scan_plan *plan, struct cox_bytes key,
				   uint64_t revision, const char *why)
{
	size_t size = strnlen(why, 4096);
	struct store_entry *entry = entry_new(key.size + 1 + size + 1);
	struct cox_bytes namespace, name;

	split_key(plan, key, &namespace, &name);
	fill_key(entry, plan, key, namespace);
	entry->revision = revision;
	entry->json_size = (uint32_t)size;
	entry->flags = ENTRY_BAD;
	add_text(entry_json(entry), (struct cox_bytes){why, size});
	return entry;
}
