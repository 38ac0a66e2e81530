/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a document to a tree and back. The input is copied into the arena once;
 * keys and strings are pieces of that copy, unescaped in place and ended with a
 * zero byte where their closing quote was. While a level is open its members
 * lie on a stack; when it closes they move to the arena in one piece.
 */
#include "machinery/json.h"
#include "machinery/json_scan.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/vec.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SIZE_LIMIT = 1 << 30, /* counts are 32 bits */
	NODES_AT_ONCE = 32,
	PENDING_AT_FIRST = 96,
	FEW_MEMBERS = 16
};

/* An open object or array. */
struct level {
	uint32_t first; /* of its members in `pending` */
	bool array;
};

struct parser {
	struct arena *arena;
	const char *data; /* as it came, for errors */
	size_t size;
	char *copy, *end;
	char *at;
	struct value_member *pending; /* of all open levels; items have no key */
	uint32_t count, capacity;
	struct value *nodes; /* cut from one piece of the arena */
	unsigned nodes_left;
	unsigned depth;
	struct json_duplicates *duplicates;
	struct level levels[JSON_DEPTH_MAX];
	struct value_member first_pending[PENDING_AT_FIRST];
};

static struct value *new_node(struct parser *parser, enum value_kind kind)
{
	struct value *node;

	if (!parser->nodes_left) {
		/* small documents must not pay for many */
		size_t left = (size_t)(parser->end - parser->at) / 8 + 1;

		parser->nodes_left = left < NODES_AT_ONCE ? (unsigned)left : NODES_AT_ONCE;
		parser->nodes =
			arena_alloc(parser->arena, parser->nodes_left * sizeof(struct value));
	}
	parser->nodes_left--;
	node = parser->nodes++;
	node->kind = (uint8_t)kind;
	node->count = 0;
	return node;
}

static int fail_at(struct parser *parser, const char *at, const char *why, struct cox_error *err)
{
	return json_error_at(parser->data, parser->size, (size_t)(at - parser->copy), why, err);
}

static struct value_member *push_pending(struct parser *parser)
{
	if (parser->count == parser->capacity) {
		struct value_member *old = parser->pending;

		parser->capacity *= 2;
		if (old == parser->first_pending)
			old = NULL;
		old = cox_reallocarray(old, parser->capacity, sizeof(*old));
		if (parser->pending == parser->first_pending)
			memcpy(old, parser->first_pending, sizeof(parser->first_pending));
		parser->pending = old;
	}
	return &parser->pending[parser->count++];
}

/* The path of member `which` of the innermost level, told to the caller. */
static void tell_duplicate(struct parser *parser, uint32_t which)
{
	cox_autobuf path = COX_BUF_INIT;

	if (!parser->duplicates)
		return;
	for (unsigned i = 0; i < parser->depth; i++) {
		const struct level *level = &parser->levels[i];
		uint32_t here = i + 1 < parser->depth ? parser->levels[i + 1].first - 1 : which;

		if (level->array)
			cox_buf_printf(&path, "[%" PRIu32 "]", here - level->first);
		else
			cox_buf_printf(&path, "%s%s", path.size ? "." : "",
				       parser->pending[here].key);
	}
	parser->duplicates->found(parser->duplicates, cox_buf_cstr(&path));
}

static bool same_member(const struct value_member *a, const struct value_member *b)
{
	return a->key_size == b->key_size && memcmp(a->key, b->key, a->key_size) == 0;
}

/* Marks the later of two: its value moves to the earlier, its key becomes NULL. */
static void drop_duplicate(struct parser *parser, uint32_t earlier, uint32_t later)
{
	tell_duplicate(parser, later);
	parser->pending[earlier].value = parser->pending[later].value;
	parser->pending[later].key = NULL;
}

static int compare_pending(const void *a, const void *b)
{
	const struct value_member *left = *(struct value_member *const *)a;
	const struct value_member *right = *(struct value_member *const *)b;
	uint32_t common = left->key_size < right->key_size ? left->key_size : right->key_size;
	int order = memcmp(left->key, right->key, common);

	if (!order)
		order = (left->key_size > right->key_size) - (left->key_size < right->key_size);
	return order ? order : (left > right) - (left < right);
}

/* Equal keys become neighbours, in the order they came. */
static void find_duplicates_of_many(struct parser *parser, uint32_t first)
{
	uint32_t count = parser->count - first, kept = 0;
	struct value_member **sorted = cox_reallocarray(NULL, count, sizeof(*sorted));

	for (uint32_t i = 0; i < count; i++)
		sorted[i] = &parser->pending[first + i];
	qsort(sorted, count, sizeof(*sorted), compare_pending);
	for (uint32_t i = 1; i < count; i++) {
		if (same_member(sorted[kept], sorted[i]))
			drop_duplicate(parser, (uint32_t)(sorted[kept] - parser->pending),
				       (uint32_t)(sorted[i] - parser->pending));
		else
			kept = i;
	}
	free(sorted);
}

static void find_duplicates_of_few(struct parser *parser, uint32_t first)
{
	struct value_member *members = parser->pending;

	for (uint32_t i = first; i < parser->count; i++) {
		for (uint32_t j = i + 1; members[i].key && j < parser->count; j++)
			if (members[j].key && same_member(&members[i], &members[j]))
				drop_duplicate(parser, i, j);
	}
}

static bool keys_ascend(const struct value_member *members, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		const struct value_member *a = &members[i - 1], *b = &members[i];

		if (compare_pending(&a, &b) >= 0 || same_member(a, b))
			return false;
	}
	return true;
}

/* Moves the pending members of the innermost level into `object`. */
static struct value *close_object(struct parser *parser, uint32_t first)
{
	struct value_member *members;
	uint32_t count = parser->count - first, kept = 0;

	if (count <= FEW_MEMBERS)
		find_duplicates_of_few(parser, first);
	else if (!keys_ascend(parser->pending + first, count))
		find_duplicates_of_many(parser, first);
	members = arena_alloc(parser->arena, count * sizeof(*members));
	for (uint32_t i = 0; i < count; i++)
		if (parser->pending[first + i].key)
			members[kept++] = parser->pending[first + i];
	if (kept > FEW_MEMBERS)
		return value_object_of(parser->arena, members, kept);
	struct value *object = new_node(parser, VALUE_OBJECT);

	object->count = object->object.capacity = kept;
	object->object.members = members;
	object->object.index = NULL;
	return object;
}

static struct value *close_array(struct parser *parser, uint32_t first)
{
	struct value *array = new_node(parser, VALUE_ARRAY);

	array->count = array->array.capacity = parser->count - first;
	array->array.items = arena_alloc(parser->arena, array->count * sizeof(struct value *));
	for (uint32_t i = 0; i < array->count; i++)
		array->array.items[i] = parser->pending[first + i].value;
	return array;
}

/* Reads the string whose opening quote is at parser->at; it ends up in *text. */
static int read_string(struct parser *parser, const char **text, uint32_t *size,
		       struct cox_error *err)
{
	const char *bad, *why, *close;
	char *start = parser->at + 1;
	bool escaped;
	size_t length;

	close = json_scan_string(start, parser->end, &escaped, &bad, &why);
	if (!close)
		return fail_at(parser, bad, why, err);
	length = (size_t)(close - start);
	if (escaped)
		length = json_unescape(start, length, start);
	start[length] = '\0';
	*text = start;
	*size = (uint32_t)length;
	parser->at = start + (close - start) + 1;
	return 0;
}

/* The integer between two places, if it fits. */
static bool read_int(const char *at, const char *end, int64_t *out)
{
	bool negative = *at == '-';
	int64_t sum = 0;

	for (at += negative; at < end; at++) {
		int digit = *at - '0';

		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, negative ? -digit : digit, &sum))
			return false;
	}
	*out = sum;
	return true;
}

static struct value *read_number(struct parser *parser, struct cox_error *err)
{
	const char *bad, *why, *stop;
	const char *start = parser->at;
	struct value *node;
	bool whole;
	int64_t integer;

	stop = json_scan_number(start, parser->end, &whole, &bad, &why);
	if (!stop) {
		fail_at(parser, bad, why, err);
		return NULL;
	}
	parser->at += stop - start;
	if (whole && read_int(start, stop, &integer)) {
		node = new_node(parser, VALUE_INT);
		node->integer = integer;
		return node;
	}
	return value_number_n(parser->arena, start, (size_t)(stop - start));
}

static struct value *read_scalar(struct parser *parser, struct cox_error *err)
{
	const char *bad = parser->at, *why = JSON_WHY_VALUE, *stop;
	char c = parser->at < parser->end ? *parser->at : '\0';
	struct value *node;

	if (c == '"') {
		node = new_node(parser, VALUE_STRING);
		return read_string(parser, &node->text, &node->count, err) == 0 ? node : NULL;
	}
	if (c == '-' || (c >= '0' && c <= '9'))
		return read_number(parser, err);
	if (c != 't' && c != 'f' && c != 'n') {
		fail_at(parser, bad, why, err);
		return NULL;
	}
	stop = json_scan_word(parser->at, parser->end, &bad, &why);
	if (!stop) {
		fail_at(parser, bad, why, err);
		return NULL;
	}
	parser->at += stop - parser->at;
	node = new_node(parser, c == 'n' ? VALUE_NULL : VALUE_BOOL);
	node->boolean = c == 't';
	return node;
}

static void skip_blanks(struct parser *parser)
{
	parser->at += json_skip_blanks(parser->at, parser->end) - parser->at;
}

static bool at_char(const struct parser *parser, char c)
{
	return parser->at < parser->end && *parser->at == c;
}

/* A key and its colon, into a new pending member. */
static int read_key(struct parser *parser, const char *why, struct cox_error *err)
{
	struct value_member *member;

	if (!at_char(parser, '"'))
		return fail_at(parser, parser->at, why, err);
	member = push_pending(parser);
	if (read_string(parser, &member->key, &member->key_size, err) != 0)
		return -1;
	skip_blanks(parser);
	if (!at_char(parser, ':'))
		return fail_at(parser, parser->at, JSON_WHY_COLON, err);
	parser->at++;
	skip_blanks(parser);
	return 0;
}

/* The place of the next item or member, its key read. */
static int begin_element(struct parser *parser, bool first, struct cox_error *err)
{
	if (!parser->levels[parser->depth - 1].array)
		return read_key(parser, first ? JSON_WHY_FIRST_KEY : JSON_WHY_KEY, err);
	*push_pending(parser) = (struct value_member){"", NULL, 0};
	return 0;
}

/* Opens a level if one begins here. 1: opened, 0: no bracket, -1: too deep. */
static int open_level(struct parser *parser, struct cox_error *err)
{
	bool array = at_char(parser, '[');

	if (!array && !at_char(parser, '{'))
		return 0;
	if (parser->depth == JSON_DEPTH_MAX)
		return fail_at(parser, parser->at, JSON_WHY_DEPTH, err);
	parser->levels[parser->depth++] = (struct level){parser->count, array};
	parser->at++;
	return 1;
}

/*
 * Behind a value: stores it in its place, closes the levels that end here.
 * 1: `*value` is the whole document; 0: an element follows; -1.
 */
static int end_values(struct parser *parser, struct value **value, bool closing,
		      struct cox_error *err)
{
	for (;;) {
		const struct level *level;

		if (!closing) {
			if (!parser->depth)
				return 1;
			parser->pending[parser->count - 1].value = *value;
			skip_blanks(parser);
		}
		level = &parser->levels[parser->depth - 1];
		if (at_char(parser, level->array ? ']' : '}')) {
			*value = level->array ? close_array(parser, level->first)
					      : close_object(parser, level->first);
			parser->count = level->first;
			parser->depth--;
			parser->at++;
			closing = false;
			continue;
		}
		if (closing)
			return begin_element(parser, true, err);
		if (!at_char(parser, ','))
			return fail_at(parser, parser->at,
				       level->array ? JSON_WHY_ITEM_END : JSON_WHY_MEMBER_END, err);
		parser->at++;
		skip_blanks(parser);
		return begin_element(parser, false, err);
	}
}

static struct value *parse_document(struct parser *parser, struct cox_error *err)
{
	struct value *value = NULL;
	int state = 0;

	skip_blanks(parser);
	while (state == 0) {
		bool opened;

		state = open_level(parser, err);
		if (state < 0)
			return NULL;
		opened = state == 1;
		if (opened)
			skip_blanks(parser);
		else if (!(value = read_scalar(parser, err)))
			return NULL;
		state = end_values(parser, &value, opened, err);
	}
	if (state < 0)
		return NULL;
	skip_blanks(parser);
	if (parser->at != parser->end) {
		fail_at(parser, parser->at, JSON_WHY_TRAILING, err);
		return NULL;
	}
	return value;
}

struct value *json_parse(struct arena *arena, const void *data, size_t size,
			 struct json_duplicates *duplicates, struct cox_error *err)
{
	struct parser parser;
	struct value *value;

	if (size >= SIZE_LIMIT) {
		error_set(err, COX_REASON_ENTITY_TOO_LARGE, "JSON of %zu bytes is too large", size);
		return NULL;
	}
	/* not cleared as a whole: the stacks are large */
	parser.arena = arena;
	parser.data = data;
	parser.size = size;
	parser.copy = parser.at = arena_strndup(arena, data, size);
	parser.end = parser.copy + size;
	parser.pending = parser.first_pending;
	parser.count = parser.depth = parser.nodes_left = 0;
	parser.capacity = PENDING_AT_FIRST;
	parser.duplicates = duplicates;
	value = parse_document(&parser, err);
	if (parser.pending != parser.first_pending)
		free(parser.pending);
	return value;
}

static void write_line(struct cox_buf *out, unsigned level)
{
	char *room = cox_buf_reserve(out, level * 2 + 1u);

	memset(room, ' ', level * 2 + 1u);
	*room = '\n';
	cox_buf_added(out, level * 2 + 1u);
}

static void write_value(struct cox_buf *out, const struct value *value, bool pretty, unsigned level)
{
	bool object = value->kind == VALUE_OBJECT;

	switch ((enum value_kind)value->kind) {
	case VALUE_NULL:
		cox_buf_add(out, "null", 4);
		return;
	case VALUE_BOOL:
		cox_buf_str(out, value->boolean ? "true" : "false");
		return;
	case VALUE_INT:
		cox_buf_printf(out, "%" PRId64, value->integer);
		return;
	case VALUE_NUMBER:
		cox_buf_add(out, value->text, value->count);
		return;
	case VALUE_STRING:
		cox_buf_json_string(out, value->text, value->count);
		return;
	case VALUE_ARRAY:
	case VALUE_OBJECT:
		break;
	}
	cox_buf_char(out, object ? '{' : '[');
	for (uint32_t i = 0; i < value->count; i++) {
		const struct value_member *member = object ? &value->object.members[i] : NULL;

		if (i)
			cox_buf_char(out, ',');
		if (pretty)
			write_line(out, level + 1);
		if (member) {
			cox_buf_json_string(out, member->key, member->key_size);
			cox_buf_add(out, ": ", pretty ? 2 : 1);
		}
		write_value(out, member ? member->value : value->array.items[i], pretty, level + 1);
	}
	if (pretty && value->count)
		write_line(out, level);
	cox_buf_char(out, object ? '}' : ']');
}

void json_write(struct cox_buf *out, const struct value *value, unsigned flags)
{
	if (value)
		write_value(out, value, flags & JSON_WRITE_PRETTY, 0);
	else
		cox_buf_str(out, "null");
}

void json_write_inside(struct cox_buf *out, const struct value *value, unsigned level)
{
	write_value(out, value, true, level);
}
