/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing protobuf by the tables. A nested message is written in place and its
 * length put before it after; lengths are short, the move is small.
 */
#include "machinery/protobuf.h"
#include "machinery/protobuf_wire.h"

#include "base/clock.h"
#include "machinery/json.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 128 };

struct encoder {
	struct cox_buf *out;
	const struct schema *schema;
	struct cox_error *err;
};

static int refuse(struct encoder *encoder, const char *what)
{
	return error_set(encoder->err, COX_REASON_INTERNAL_ERROR, "cannot write protobuf: %s",
			 what);
}

static size_t varint_size(uint64_t number)
{
	size_t size = 1;

	for (; number >= 0x80; number >>= 7)
		size++;
	return size;
}

static void put_varint(char *out, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		*out++ = (char)(number | 0x80);
	*out = (char)number;
}

static void write_varint(struct encoder *encoder, uint64_t number)
{
	size_t size = varint_size(number);

	put_varint(cox_buf_reserve(encoder->out, size), number);
	cox_buf_added(encoder->out, size);
}

static void write_tag(struct encoder *encoder, unsigned number, enum protobuf_wire wire)
{
	write_varint(encoder, (uint64_t)number << 3 | wire);
}

static void write_bytes(struct encoder *encoder, unsigned number, const void *data, size_t size)
{
	write_tag(encoder, number, PROTOBUF_BYTES);
	write_varint(encoder, size);
	cox_buf_add(encoder->out, data, size);
}

/* What was written since `start` becomes a nested message: its length first. */
static void close_message(struct encoder *encoder, size_t start)
{
	size_t size = encoder->out->size - start, more = varint_size(size);

	cox_buf_reserve(encoder->out, more);
	memmove(encoder->out->data + start + more, encoder->out->data + start, size);
	put_varint(encoder->out->data + start, size);
	cox_buf_added(encoder->out, more);
}

static int write_base64(struct encoder *encoder, unsigned number, const struct value *value)
{
	char *room = cox_alloc(value->count + 1u);
	int64_t size = cox_base64_decode(value->text, value->count, room);

	if (size >= 0)
		write_bytes(encoder, number, room, (size_t)size);
	free(room);
	return size >= 0 ? 0 : refuse(encoder, "bytes are not in base64");
}

/* The inside of a Time; a null one is empty. */
static int write_time(struct encoder *encoder, const struct value *value)
{
	uint64_t when;

	if (value->kind == VALUE_NULL)
		return 0;
	if (value->kind != VALUE_STRING || clock_parse(value->text, value->count, &when) != 0)
		return refuse(encoder, "a time is malformed");
	write_tag(encoder, 1, PROTOBUF_VARINT);
	write_varint(encoder, when / CLOCK_SECOND);
	write_tag(encoder, 2, PROTOBUF_VARINT);
	write_varint(encoder, when % CLOCK_SECOND);
	return 0;
}

static int write_int_or_string(struct encoder *encoder, const struct value *value)
{
	bool text = value->kind == VALUE_STRING;

	if (!text && value->kind != VALUE_INT)
		return refuse(encoder, "neither an integer nor a string");
	write_tag(encoder, 1, PROTOBUF_VARINT);
	write_varint(encoder, text);
	write_tag(encoder, 2, PROTOBUF_VARINT);
	write_varint(encoder, text ? 0 : (uint64_t)value->integer);
	write_bytes(encoder, 3, text ? value->text : "", text ? value->count : 0);
	return 0;
}

static int write_strings(struct encoder *encoder, const struct value *value)
{
	for (uint32_t i = 0; i < value->count; i++) {
		const struct value *item = value_at(value, i);

		if (!value_is(item, VALUE_STRING))
			return refuse(encoder, "a list of strings has something else in it");
		write_bytes(encoder, 1, item->text, item->count);
	}
	return 0;
}

static void write_raw(struct encoder *encoder, const struct value *value)
{
	cox_autobuf json = COX_BUF_INIT;

	json_write(&json, value, 0);
	write_bytes(encoder, 1, json.data, json.size);
}

static int write_message(struct encoder *encoder, const struct schema_type *type,
			 const struct value *value);

/* The inside of a value that is a nested message on the wire. */
static int write_inside(struct encoder *encoder, const struct schema_field *field, uint8_t kind,
			const struct value *value)
{
	const struct schema_type *type = schema_field_type(encoder->schema, field);

	switch ((enum schema_kind)kind) {
	case SCHEMA_TIME:
	case SCHEMA_MICRO_TIME:
		return write_time(encoder, value);
	case SCHEMA_QUANTITY:
		if (value->kind != VALUE_STRING)
			return refuse(encoder, "a quantity is no string");
		write_bytes(encoder, 1, value->text, value->count);
		return 0;
	case SCHEMA_INT_OR_STRING:
		return write_int_or_string(encoder, value);
	case SCHEMA_STRINGS:
		return write_strings(encoder, value);
	case SCHEMA_RAW:
	case SCHEMA_ANY:
		write_raw(encoder, value);
		return 0;
	default:
		if (!type || value->kind != VALUE_OBJECT)
			return refuse(encoder, "an object is none");
		return write_message(encoder, type, value);
	}
}

static int write_number(struct encoder *encoder, unsigned number, uint8_t kind,
			const struct value *value)
{
	double real = value_number(value);
	uint64_t bits;

	if (kind == SCHEMA_BOOL) {
		if (value->kind != VALUE_BOOL)
			return refuse(encoder, "a boolean is none");
		write_tag(encoder, number, PROTOBUF_VARINT);
		write_varint(encoder, value->boolean);
		return 0;
	}
	if (kind == SCHEMA_DOUBLE) {
		if (value->kind != VALUE_INT && value->kind != VALUE_NUMBER)
			return refuse(encoder, "a number is none");
		memcpy(&bits, &real, sizeof(bits));
		write_tag(encoder, number, PROTOBUF_FIXED64);
		for (unsigned i = 0; i < 8; i++)
			cox_buf_char(encoder->out, (char)(bits >> (8 * i)));
		return 0;
	}
	if (value->kind != VALUE_INT)
		return refuse(encoder, "an integer is none");
	write_tag(encoder, number, PROTOBUF_VARINT);
	write_varint(encoder, (uint64_t)value->integer);
	return 0;
}

/* One value with its tag. */
static int write_value(struct encoder *encoder, const struct schema_field *field, uint8_t kind,
		       unsigned number, const struct value *value)
{
	size_t start;

	switch ((enum schema_kind)kind) {
	case SCHEMA_BOOL:
	case SCHEMA_INT32:
	case SCHEMA_INT64:
	case SCHEMA_DOUBLE:
		return write_number(encoder, number, kind, value);
	case SCHEMA_STRING:
	case SCHEMA_BYTES:
		if (value->kind != VALUE_STRING)
			return refuse(encoder, "a string is none");
		if (kind == SCHEMA_BYTES)
			return write_base64(encoder, number, value);
		write_bytes(encoder, number, value->text, value->count);
		return 0;
	default:
		break;
	}
	write_tag(encoder, number, PROTOBUF_BYTES);
	start = encoder->out->size;
	if (write_inside(encoder, field, kind, value) != 0)
		return -1;
	close_message(encoder, start);
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct value_member *const *left = a, *const *right = b;

	return strcmp((*left)->key, (*right)->key);
}

static int write_map(struct encoder *encoder, const struct schema_field *field, unsigned number,
		     const struct value *map)
{
	const struct value_member **sorted =
		cox_reallocarray(NULL, map->count + 1u, sizeof(*sorted));
	int status = 0;

	for (uint32_t i = 0; i < map->count; i++)
		sorted[i] = &map->object.members[i];
	qsort(sorted, map->count, sizeof(*sorted), compare_keys);
	for (uint32_t i = 0; i < map->count && status == 0; i++) {
		size_t start;

		write_tag(encoder, number, PROTOBUF_BYTES);
		start = encoder->out->size;
		write_bytes(encoder, 1, sorted[i]->key, sorted[i]->key_size);
		status = write_value(encoder, field, field->element, 2, sorted[i]->value);
		if (status == 0)
			close_message(encoder, start);
	}
	free(sorted);
	return status;
}

static int write_field(struct encoder *encoder, const struct schema_field *field,
		       const struct value *object)
{
	const char *name = schema_text(encoder->schema, field->name);
	const struct value *value = value_get(object, name);
	unsigned number = field->number[field->depth - 1];
	int status = 0;

	if (!value || (value->kind == VALUE_NULL && field->kind != SCHEMA_TIME))
		return 0;
	if (field->kind == SCHEMA_ARRAY) {
		if (value->kind != VALUE_ARRAY)
			status = refuse(encoder, "a list is none");
		for (uint32_t i = 0; i < value->count && status == 0; i++)
			status = write_value(encoder, field, field->element, number,
					     value->array.items[i]);
	} else if (field->kind == SCHEMA_MAP) {
		status = value->kind == VALUE_OBJECT ? write_map(encoder, field, number, value)
						     : refuse(encoder, "a map is none");
	} else {
		status = write_value(encoder, field, field->kind, number, value);
	}
	return status == 0 ? 0 : error_wrap(encoder->err, "%s", name);
}

static int compare_numbers(const void *a, const void *b)
{
	const struct schema_field *const *left = a, *const *right = b;

	return memcmp((*left)->number, (*right)->number, sizeof((*left)->number));
}

/* Fields that share `level` embedded messages, sorted by number. */
static int write_fields(struct encoder *encoder, const struct schema_field **fields, size_t count,
			unsigned level, const struct value *object)
{
	for (size_t i = 0; i < count;) {
		size_t run = 1, start;

		if (fields[i]->depth == level + 1) {
			if (write_field(encoder, fields[i], object) != 0)
				return -1;
			i++;
			continue;
		}
		while (i + run < count &&
		       fields[i + run]->number[level] == fields[i]->number[level])
			run++;
		write_tag(encoder, fields[i]->number[level], PROTOBUF_BYTES);
		start = encoder->out->size;
		if (write_fields(encoder, fields + i, run, level + 1, object) != 0)
			return -1;
		close_message(encoder, start);
		i += run;
	}
	return 0;
}

static int write_message(struct encoder *encoder, const struct schema_type *type,
			 const struct value *value)
{
	const struct schema_field *fields[FIELDS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < type->field_count; i++) {
		const struct schema_field *field = schema_field_at(encoder->schema, type, i);

		if (!field->depth)
			continue;
		if (count == FIELDS_MAX)
			return refuse(encoder, "a type has too many fields");
		fields[count++] = field;
	}
	qsort(fields, count, sizeof(fields[0]), compare_numbers);
	return write_fields(encoder, fields, count, 0, value);
}

int protobuf_encode(struct cox_buf *out, const struct schema *schema,
		    const struct schema_type *type, const struct value *value,
		    struct cox_error *err)
{
	struct encoder encoder = {out, schema, err};

	return write_message(&encoder, type, value);
}

int protobuf_encode_object(struct cox_buf *out, const struct schema *schema,
			   const struct schema_type *type, const struct value *value,
			   struct cox_error *err)
{
	struct encoder encoder = {out, schema, err};
	const char *group = schema_text(schema, type->group);
	size_t start, version;

	cox_buf_add(out, PROTOBUF_MAGIC, PROTOBUF_MAGIC_SIZE);
	write_tag(&encoder, 1, PROTOBUF_BYTES);
	start = out->size;
	write_tag(&encoder, 1, PROTOBUF_BYTES);
	version = out->size;
	cox_buf_printf(out, "%s%s%s", group, *group ? "/" : "", schema_text(schema, type->version));
	close_message(&encoder, version);
	write_bytes(&encoder, 2, schema_text(schema, type->kind),
		    strlen(schema_text(schema, type->kind)));
	close_message(&encoder, start);
	write_tag(&encoder, 2, PROTOBUF_BYTES);
	start = out->size;
	if (write_message(&encoder, type, value) != 0)
		return -1;
	close_message(&encoder, start);
	write_bytes(&encoder, 3, "", 0);
	write_bytes(&encoder, 4, "", 0);
	return 0;
}
