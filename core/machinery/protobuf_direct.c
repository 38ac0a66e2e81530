/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf straight from canonical JSON: without blanks, members in the order
 * of the type's fields, keys of maps ascending. Most types have their numbers
 * in that order too, so each member is written where it belongs as it is read; of
 * the others the pieces are put in order after. Whatever is not as expected, or rare,
 * makes these functions say false: then the object goes through a tree, which
 * also knows how to say what is wrong with it.
 */
#include "machinery/protobuf.h"
#include "machinery/protobuf_put.h"

#include "base/clock.h"
#include "machinery/json.h"
#include "machinery/json_scan.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>

struct direct {
	struct cox_buf *out;
	const struct schema *schema;
	const char *at, *end;
	unsigned depth;
};

struct text {
	const char *data;
	size_t size;
	bool escaped;
};

static bool take(struct direct *direct, char c)
{
	if (direct->at == direct->end || *direct->at != c)
		return false;
	direct->at++;
	return true;
}

static bool take_text(struct direct *direct, struct text *text)
{
	const char *close, *bad, *why;

	if (!take(direct, '"'))
		return false;
	close = json_scan_string(direct->at, direct->end, &text->escaped, &bad, &why);
	if (!close)
		return false;
	text->data = direct->at;
	text->size = (size_t)(close - direct->at);
	direct->at = close + 1;
	return true;
}

/* A member's name, its colon with it. */
static bool take_key(struct direct *direct, struct text *key)
{
	return take_text(direct, key) && !key->escaped && take(direct, ':');
}

static inline bool take_word(struct direct *direct, const char *word)
{
	size_t size = strlen(word);

	if ((size_t)(direct->end - direct->at) < size || *direct->at != *word ||
	    memcmp(direct->at, word, size) != 0)
		return false;
	direct->at += size;
	return true;
}

static bool take_integer(struct direct *direct, int64_t *integer)
{
	bool negative = take(direct, '-');
	const char *start = direct->at;
	int64_t sum = 0;

	for (; direct->at < direct->end && *direct->at >= '0' && *direct->at <= '9'; direct->at++) {
		int digit = *direct->at - '0';

		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, negative ? -digit : digit, &sum))
			return false;
	}
	*integer = sum;
	return direct->at > start &&
	       (direct->at == direct->end || (*direct->at != '.' && (*direct->at | 0x20) != 'e'));
}

/* Behind any value; *from is where it began. */
static bool take_value(struct direct *direct, const char **from)
{
	struct text text;

	*from = direct->at;
	if (direct->at == direct->end)
		return false;
	if (*direct->at == '"')
		return take_text(direct, &text);
	if (*direct->at == '{' || *direct->at == '[') {
		direct->at = json_jump(direct->at, direct->end);
		return direct->at != NULL;
	}
	while (direct->at < direct->end && *direct->at != ',' && *direct->at != '}' &&
	       *direct->at != ']')
		direct->at++;
	return direct->at > *from;
}

static void write_text(struct direct *direct, unsigned number, const struct text *text)
{
	size_t start;

	if (!text->escaped) {
		put_bytes(direct->out, number, text->data, text->size);
		return;
	}
	start = put_open(direct->out, number);
	cox_buf_added(direct->out, json_unescape(text->data, text->size,
						 cox_buf_reserve(direct->out, text->size)));
	put_close(direct->out, start);
}

static bool write_base64(struct direct *direct, unsigned number)
{
	struct text text;
	size_t start;
	int64_t size;

	if (!take_text(direct, &text) || text.escaped)
		return false;
	start = put_open(direct->out, number);
	size = cox_base64_decode(text.data, text.size, cox_buf_reserve(direct->out, text.size + 1));
	if (size < 0)
		return false;
	cox_buf_added(direct->out, (size_t)size);
	put_close(direct->out, start);
	return true;
}

static bool write_time(struct direct *direct, bool micro)
{
	struct text text;
	uint64_t when, fraction;

	if (!take_text(direct, &text) || text.escaped ||
	    clock_parse(text.data, text.size, &when) != 0)
		return false;
	fraction = when % CLOCK_SECOND;
	put_time(direct->out, when / CLOCK_SECOND, micro ? fraction - fraction % 1000 : 0);
	return true;
}

static bool write_int_or_string(struct direct *direct)
{
	int64_t integer = 0;
	struct text text;

	if (direct->at < direct->end && *direct->at == '"') {
		if (!take_text(direct, &text) || text.escaped)
			return false;
		put_int_or_string(direct->out, 0, text.data, text.size);
		return true;
	}
	if (!take_integer(direct, &integer))
		return false;
	put_int_or_string(direct->out, integer, NULL, 0);
	return true;
}

static bool write_strings(struct direct *direct, unsigned number)
{
	struct text text;

	if (!take(direct, '['))
		return false;
	if (take(direct, ']'))
		return true;
	do {
		if (!take_text(direct, &text))
			return false;
		write_text(direct, number, &text);
	} while (take(direct, ','));
	return take(direct, ']');
}

/* What is any JSON goes out as it is. */
static bool write_raw(struct direct *direct)
{
	const char *from;

	if (!take_value(direct, &from))
		return false;
	put_bytes(direct->out, 1, from, (size_t)(direct->at - from));
	return true;
}

static bool write_message(struct direct *direct, const struct schema_type *type);

static bool write_inside(struct direct *direct, const struct schema_field *field, uint8_t kind)
{
	struct text text;

	switch ((enum schema_kind)kind) {
	case SCHEMA_TIME:
	case SCHEMA_MICRO_TIME:
		return write_time(direct, kind == SCHEMA_MICRO_TIME);
	case SCHEMA_QUANTITY:
		if (!take_text(direct, &text))
			return false;
		write_text(direct, 1, &text);
		return true;
	case SCHEMA_INT_OR_STRING:
		return write_int_or_string(direct);
	case SCHEMA_STRINGS:
		return write_strings(direct, 1);
	case SCHEMA_RAW:
		return write_raw(direct);
	case SCHEMA_ANY:
		return schema_choice_of(direct->schema, field) == SCHEMA_CHOICE_NONE &&
		       write_raw(direct);
	case SCHEMA_OBJECT:
		return write_message(direct, schema_field_type(direct->schema, field));
	default:
		return false;
	}
}

static bool write_value(struct direct *direct, const struct schema_field *field, uint8_t kind,
			unsigned number)
{
	struct text text;
	int64_t integer;
	size_t start;
	bool yes;

	if (take_word(direct, "null"))
		return protobuf_put_null(direct->out, direct->schema, field, kind, number, NULL) ==
		       0;
	switch ((enum schema_kind)kind) {
	case SCHEMA_BOOL:
		yes = take_word(direct, "true");
		if (!yes && !take_word(direct, "false"))
			return false;
		put_tag(direct->out, number, PROTOBUF_VARINT);
		put_varint(direct->out, yes);
		return true;
	case SCHEMA_INT32:
	case SCHEMA_INT64:
		if (!take_integer(direct, &integer))
			return false;
		put_tag(direct->out, number, PROTOBUF_VARINT);
		put_varint(direct->out, (uint64_t)integer);
		return true;
	case SCHEMA_STRING:
		if (!take_text(direct, &text))
			return false;
		write_text(direct, number, &text);
		return true;
	case SCHEMA_BYTES:
		return write_base64(direct, number);
	default:
		break;
	}
	start = put_open(direct->out, number);
	if (!write_inside(direct, field, kind))
		return false;
	put_close(direct->out, start);
	return true;
}

static bool write_entry(struct direct *direct, const struct schema_field *field, unsigned number,
			struct text *before)
{
	size_t start = put_open(direct->out, number);
	struct text key;
	int order;

	if (!take_key(direct, &key))
		return false;
	if (before->data) {
		order = memcmp(before->data, key.data,
			       before->size < key.size ? before->size : key.size);
		if (order > 0 || (order == 0 && before->size >= key.size))
			return false;
	}
	*before = key;
	write_text(direct, 1, &key);
	/* Bytes that are null, not empty, have no value at all. */
	if (!(field->element == SCHEMA_BYTES && take_word(direct, "null")) &&
	    !write_value(direct, field, field->element, 2))
		return false;
	put_close(direct->out, start);
	return true;
}

static bool write_map(struct direct *direct, const struct schema_field *field, unsigned number)
{
	struct text before = {0};

	if (!take(direct, '{'))
		return false;
	if (take(direct, '}'))
		return true;
	do {
		if (!write_entry(direct, field, number, &before))
			return false;
	} while (take(direct, ','));
	return take(direct, '}');
}

static bool write_list(struct direct *direct, const struct schema_field *field, unsigned number)
{
	if (!take(direct, '['))
		return false;
	if (take(direct, ']'))
		return true;
	do {
		if (!write_value(direct, field, field->element, number))
			return false;
	} while (take(direct, ','));
	return take(direct, ']');
}

static inline bool write_absent(struct direct *direct, const struct schema_field *field)
{
	return put_nothing(field) ||
	       protobuf_put_absent(direct->out, direct->schema, field, NULL) == 0;
}

static bool write_field(struct direct *direct, const struct schema_field *field)
{
	unsigned number = field->number[field->depth - 1];
	size_t start;

	if (take_word(direct, "null"))
		return write_absent(direct, field);
	if (field->wrapped) {
		start = put_open(direct->out, number);
		if (!write_strings(direct, 1))
			return false;
		put_close(direct->out, start);
		return true;
	}
	if (field->kind == SCHEMA_ARRAY)
		return write_list(direct, field, number);
	if (field->kind == SCHEMA_MAP)
		return write_map(direct, field, number);
	return write_value(direct, field, field->kind, number);
}

static bool has_name(const struct direct *direct, const struct schema_field *field,
		     const struct text *key)
{
	const char *name = schema_text(direct->schema, field->name);

	for (size_t i = 0; i < key->size; i++)
		if (name[i] != key->data[i])
			return false; /* its end, too: there is no zero byte in a key */
	return !name[key->size];
}

/* The place of the member's field, which is not before `from`; the type's count: unknown. */
static bool find_place(const struct direct *direct, const struct schema_type *type,
		       const struct text *key, size_t from, size_t *place)
{
	for (*place = from; *place < type->field_count; ++*place)
		if (has_name(direct, schema_field_at(direct->schema, type, *place), key))
			return true;
	return !schema_field_get(direct->schema, type, key->data, key->size);
}

/* The fields from *next up to `place` are not in the object. */
static bool pass_absent(struct direct *direct, const struct schema_type *type, size_t *next,
			size_t place)
{
	for (; *next < place; ++*next) {
		const struct schema_field *field = schema_field_at(direct->schema, type, *next);

		if (field->depth && !write_absent(direct, field))
			return false;
	}
	return true;
}

/* Of a type whose numbers ascend: each member is written as it comes. */
static bool write_ascending(struct direct *direct, const struct schema_type *type)
{
	size_t next = 0, place;
	const char *from;
	struct text key;

	if (!take(direct, '}')) {
		do {
			if (!take_key(direct, &key) ||
			    !find_place(direct, type, &key, next, &place))
				return false;
			if (place == type->field_count) {
				if (!take_value(direct, &from))
					return false;
				continue;
			}
			if (!pass_absent(direct, type, &next, place))
				return false;
			next++;
			if (!(schema_field_at(direct->schema, type, place)->depth
				      ? write_field(direct,
						    schema_field_at(direct->schema, type, place))
				      : take_value(direct, &from)))
				return false;
		} while (take(direct, ','));
		if (!take(direct, '}'))
			return false;
	}
	return pass_absent(direct, type, &next, type->field_count);
}

/* Where the fields of an object lie in `out`, by their places; first written as they came. */
struct pieces {
	const struct schema_field *fields;
	const uint16_t *order;
	size_t count; /* that have a number */
	uint64_t there;
	struct {
		size_t start, end;
	} at[SCHEMA_FIELDS_MAX];
};

static bool write_pieces(struct direct *direct, const struct schema_type *type,
			 struct pieces *pieces)
{
	size_t next = 0, place;
	const char *from;
	struct text key;

	if (take(direct, '}'))
		return true;
	do {
		if (!take_key(direct, &key) || !find_place(direct, type, &key, next, &place))
			return false;
		if (place == type->field_count || !pieces->fields[place].depth) {
			if (!take_value(direct, &from))
				return false;
			continue;
		}
		next = place + 1;
		pieces->there |= UINT64_C(1) << place;
		pieces->at[place].start = direct->out->size;
		if (!write_field(direct, &pieces->fields[place]))
			return false;
		pieces->at[place].end = direct->out->size;
	} while (take(direct, ','));
	return take(direct, '}');
}

/* Appends the pieces from *at on that share `level` embedded messages; sets *at behind them. */
static bool gather_pieces(struct direct *direct, const struct pieces *pieces, unsigned level,
			  size_t *at)
{
	const uint8_t *path = pieces->fields[pieces->order[*at]].number;
	struct cox_buf *out = direct->out;

	while (*at < pieces->count) {
		uint16_t place = pieces->order[*at];
		const struct schema_field *field = &pieces->fields[place];
		size_t start, size;
		char *room;

		if (level && memcmp(field->number, path, level) != 0)
			return true;
		if (field->depth > level + 1) {
			start = put_open(out, field->number[level]);
			if (!gather_pieces(direct, pieces, level + 1, at))
				return false;
			put_close(out, start);
			continue;
		}
		if (pieces->there >> place & 1) {
			size = pieces->at[place].end - pieces->at[place].start;
			room = put_room(out, size);
			memcpy(room, out->data + pieces->at[place].start, size);
			cox_buf_added(out, size);
		} else if (!write_absent(direct, field)) {
			return false;
		}
		++*at;
	}
	return true;
}

static bool write_by_number(struct direct *direct, const struct schema_type *type, size_t count)
{
	struct pieces pieces; /* what is not there has no start and end: they are not set */
	struct cox_buf *out = direct->out;
	size_t start = out->size, written, at = 0;

	pieces.fields = schema_field_at(direct->schema, type, 0);
	pieces.order = schema_wire_order(direct->schema, type);
	pieces.count = count;
	pieces.there = 0;
	if (!write_pieces(direct, type, &pieces))
		return false;
	written = out->size;
	if (count && !gather_pieces(direct, &pieces, 0, &at))
		return false;
	if (out->size > written)
		memmove(out->data + start, out->data + written, out->size - written);
	cox_buf_truncate(out, start + out->size - written);
	return true;
}

/* How many of the fields have a number, which come first in the order; and whether it ascends. */
static bool ascends(const struct direct *direct, const struct schema_type *type, size_t *count)
{
	const struct schema_field *fields = schema_field_at(direct->schema, type, 0);
	const uint16_t *order = schema_wire_order(direct->schema, type);

	for (*count = type->field_count; *count && !fields[order[*count - 1]].depth;)
		--*count;
	for (size_t i = 0; i < *count; i++)
		if (fields[order[i]].depth > 1 || (i && order[i] < order[i - 1]))
			return false;
	return true;
}

static bool write_message(struct direct *direct, const struct schema_type *type)
{
	size_t count;
	bool done;

	if (!take(direct, '{') || direct->depth == JSON_DEPTH_MAX)
		return false;
	direct->depth++;
	done = ascends(direct, type, &count) ? write_ascending(direct, type)
					     : write_by_number(direct, type, count);
	direct->depth--;
	return done;
}

int protobuf_encode_json(struct cox_buf *out, const struct schema *schema,
			 const struct schema_type *type, const void *json, size_t size,
			 struct cox_error *err)
{
	struct direct direct = {
		.out = out, .schema = schema, .at = json, .end = (const char *)json + size};
	cox_autoarena arena = ARENA_INIT;
	size_t start = out->size;
	struct value *tree;

	if (write_message(&direct, type) && direct.at == direct.end)
		return 0;
	if (out->size > start)
		cox_buf_truncate(out, start);
	tree = json_parse(&arena, json, size, NULL, err);
	return tree ? protobuf_encode(out, schema, type, tree, err) : -1;
}
