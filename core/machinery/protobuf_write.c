/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing protobuf by the tables, byte for byte as today's servers do: fields
 * in the order of their numbers, those that are no pointers also when they are
 * zero, keys of maps sorted.
 */
#include "machinery/protobuf.h"
#include "machinery/protobuf_put.h"

#include "base/clock.h"
#include "machinery/json.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <stdlib.h>
#include <string.h>

enum { SORT_ON_STACK = 32, LOOK_NEAR = 4 };

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

static int write_base64(struct encoder *encoder, unsigned number, const struct value *value)
{
	char *room = cox_alloc(value->count + 1u);
	int64_t size = cox_base64_decode(value->text, value->count, room);

	if (size >= 0)
		put_bytes(encoder->out, number, room, (size_t)size);
	free(room);
	return size >= 0 ? 0 : refuse(encoder, "bytes are not in base64");
}

/* The inside of a Time; one that is not set is empty. */
static int write_time(struct encoder *encoder, const struct value *value, bool micro)
{
	uint64_t when, fraction;

	if (!value)
		return 0;
	if (value->kind != VALUE_STRING || clock_parse(value->text, value->count, &when) != 0)
		return refuse(encoder, "a time is malformed");
	fraction = when % CLOCK_SECOND;
	put_time(encoder->out, when / CLOCK_SECOND, micro ? fraction - fraction % 1000 : 0);
	return 0;
}

static int write_int_or_string(struct encoder *encoder, const struct value *value)
{
	bool text = value_is(value, VALUE_STRING);

	if (value && !text && value->kind != VALUE_INT)
		return refuse(encoder, "neither an integer nor a string");
	put_int_or_string(encoder->out, text || !value ? 0 : value->integer,
			  text ? value->text : NULL, text ? value->count : 0);
	return 0;
}

static int write_quantity(struct encoder *encoder, const struct value *value)
{
	if (value && value->kind != VALUE_STRING)
		return refuse(encoder, "a quantity is no string");
	put_bytes(encoder->out, 1, value ? value->text : "0", value ? value->count : 1);
	return 0;
}

static int write_strings(struct encoder *encoder, unsigned number, const struct value *value)
{
	if (value && value->kind != VALUE_ARRAY)
		return refuse(encoder, "a list is none");
	for (uint32_t i = 0; value && i < value->count; i++) {
		const struct value *item = value_at(value, i);

		if (item->kind != VALUE_STRING)
			return refuse(encoder, "a list of strings has something else in it");
		put_bytes(encoder->out, number, item->text, item->count);
	}
	return 0;
}

static void write_raw(struct encoder *encoder, const struct value *value)
{
	cox_autobuf json = COX_BUF_INIT;

	if (!value)
		return;
	json_write(&json, value, 0);
	put_bytes(encoder->out, 1, json.data, json.size);
}

static int write_message(struct encoder *encoder, const struct schema_type *type,
			 const struct value *value);

/* A message as field `number`. */
static int write_nested(struct encoder *encoder, unsigned number, const struct schema_type *type,
			const struct value *value)
{
	size_t start;

	start = put_open(encoder->out, number);
	if (write_message(encoder, type, value) != 0)
		return -1;
	put_close(encoder->out, start);
	return 0;
}

/* The values that are one of two things in JSON, and a message of both here. */
static int write_choice(struct encoder *encoder, enum schema_choice choice,
			const struct value *value)
{
	const struct schema_type *props = schema_type_named(encoder->schema, SCHEMA_CHOICE_TYPE);
	bool schema = value_is(value, VALUE_OBJECT);

	if (!value)
		return 0;
	if (choice == SCHEMA_CHOICE_BOOL) {
		if (!schema && value->kind != VALUE_BOOL)
			return refuse(encoder, "neither a schema nor a boolean");
		put_tag(encoder->out, 1, PROTOBUF_VARINT);
		put_varint(encoder->out, schema || value->boolean);
		return schema ? write_nested(encoder, 2, props, value) : 0;
	}
	if (schema)
		return write_nested(encoder, 1, props, value);
	if (choice == SCHEMA_CHOICE_STRINGS)
		return write_strings(encoder, 2, value);
	if (value->kind != VALUE_ARRAY)
		return refuse(encoder, "neither a schema nor a list of them");
	for (uint32_t i = 0; i < value->count; i++)
		if (write_nested(encoder, 2, props, value->array.items[i]) != 0)
			return -1;
	return 0;
}

static int write_any(struct encoder *encoder, const struct schema_field *field,
		     const struct value *value)
{
	enum schema_choice choice = schema_choice_of(encoder->schema, field);

	if (choice != SCHEMA_CHOICE_NONE)
		return write_choice(encoder, choice, value);
	write_raw(encoder, value);
	return 0;
}

/* The inside of a value that is a nested message on the wire; NULL is its zero. */
static int write_inside(struct encoder *encoder, const struct schema_field *field, uint8_t kind,
			const struct value *value)
{
	switch ((enum schema_kind)kind) {
	case SCHEMA_TIME:
	case SCHEMA_MICRO_TIME:
		return write_time(encoder, value, kind == SCHEMA_MICRO_TIME);
	case SCHEMA_QUANTITY:
		return write_quantity(encoder, value);
	case SCHEMA_INT_OR_STRING:
		return write_int_or_string(encoder, value);
	case SCHEMA_STRINGS:
		return write_strings(encoder, 1, value);
	case SCHEMA_RAW:
		write_raw(encoder, value);
		return 0;
	case SCHEMA_ANY:
		return write_any(encoder, field, value);
	default:
		return write_message(encoder, schema_field_type(encoder->schema, field), value);
	}
}

static int write_number(struct encoder *encoder, unsigned number, uint8_t kind,
			const struct value *value)
{
	double real = value_number(value);
	uint64_t bits;

	if (kind == SCHEMA_BOOL) {
		if (value && value->kind != VALUE_BOOL)
			return refuse(encoder, "a boolean is none");
		put_tag(encoder->out, number, PROTOBUF_VARINT);
		put_varint(encoder->out, value && value->boolean);
		return 0;
	}
	if (kind == SCHEMA_DOUBLE) {
		if (value && value->kind != VALUE_INT && value->kind != VALUE_NUMBER)
			return refuse(encoder, "a number is none");
		memcpy(&bits, &real, sizeof(bits));
		put_tag(encoder->out, number, PROTOBUF_FIXED64);
		for (unsigned i = 0; i < 8; i++)
			cox_buf_char(encoder->out, (char)(bits >> (8 * i)));
		return 0;
	}
	if (value && value->kind != VALUE_INT)
		return refuse(encoder, "an integer is none");
	put_tag(encoder->out, number, PROTOBUF_VARINT);
	put_varint(encoder->out, value ? (uint64_t)value->integer : 0);
	return 0;
}

/* One value with its tag; NULL is the zero of its kind. */
static int write_value(struct encoder *encoder, const struct schema_field *field, uint8_t kind,
		       unsigned number, const struct value *value)
{
	size_t start;

	if (value && value->kind == VALUE_NULL)
		value = NULL;
	switch ((enum schema_kind)kind) {
	case SCHEMA_BOOL:
	case SCHEMA_INT32:
	case SCHEMA_INT64:
	case SCHEMA_DOUBLE:
		return write_number(encoder, number, kind, value);
	case SCHEMA_STRING:
	case SCHEMA_BYTES:
		if (value && value->kind != VALUE_STRING)
			return refuse(encoder, "a string is none");
		if (value && kind == SCHEMA_BYTES)
			return write_base64(encoder, number, value);
		put_bytes(encoder->out, number, value ? value->text : "", value ? value->count : 0);
		return 0;
	default:
		break;
	}
	start = put_open(encoder->out, number);
	if (write_inside(encoder, field, kind, value) != 0)
		return -1;
	put_close(encoder->out, start);
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct value_member *const *left = a, *const *right = b;
	size_t size =
		(*left)->key_size < (*right)->key_size ? (*left)->key_size : (*right)->key_size;
	int order = memcmp((*left)->key, (*right)->key, size);

	return order ? order : ((*left)->key_size > size) - ((*right)->key_size > size);
}

/* One entry. Bytes that are null, not empty, have no value at all. */
static int write_entry(struct encoder *encoder, const struct schema_field *field, unsigned number,
		       const struct value_member *member)
{
	size_t start;

	start = put_open(encoder->out, number);
	put_bytes(encoder->out, 1, member->key, member->key_size);
	if (!(field->element == SCHEMA_BYTES && value_is(member->value, VALUE_NULL)) &&
	    write_value(encoder, field, field->element, 2, member->value) != 0)
		return -1;
	put_close(encoder->out, start);
	return 0;
}

static int write_map(struct encoder *encoder, const struct schema_field *field, unsigned number,
		     const struct value *map)
{
	const struct value_member *few[SORT_ON_STACK];
	cox_autofree const struct value_member **many = NULL;
	const struct value_member **sorted = few;

	if (map->kind != VALUE_OBJECT)
		return refuse(encoder, "a map is none");
	if (map->count > SORT_ON_STACK)
		sorted = many = cox_reallocarray(NULL, map->count, sizeof(*many));
	for (uint32_t i = 0; i < map->count; i++)
		sorted[i] = &map->object.members[i];
	if (map->count > 1)
		qsort(sorted, map->count, sizeof(*sorted), compare_keys);
	for (uint32_t i = 0; i < map->count; i++)
		if (write_entry(encoder, field, number, sorted[i]) != 0)
			return -1;
	return 0;
}

static int write_list(struct encoder *encoder, const struct schema_field *field, unsigned number,
		      const struct value *list)
{
	if (list->kind != VALUE_ARRAY)
		return refuse(encoder, "a list is none");
	for (uint32_t i = 0; i < list->count; i++)
		if (write_value(encoder, field, field->element, number, list->array.items[i]) != 0)
			return -1;
	return 0;
}

/* A list of strings that is a message of its own. */
static int write_wrapped(struct encoder *encoder, unsigned number, const struct value *list)
{
	size_t start;

	start = put_open(encoder->out, number);
	if (write_strings(encoder, 1, list) != 0)
		return -1;
	put_close(encoder->out, start);
	return 0;
}

/* `value` NULL: the object has none. */
static int write_field(struct encoder *encoder, const struct schema_field *field,
		       const struct value *value)
{
	unsigned number = field->number[field->depth - 1];
	int status;

	if (!value && put_nothing(field))
		return 0;
	if (field->wrapped)
		status = write_wrapped(encoder, number, value);
	else if (field->kind == SCHEMA_ARRAY)
		status = write_list(encoder, field, number, value);
	else if (field->kind == SCHEMA_MAP)
		status = write_map(encoder, field, number, value);
	else
		status = write_value(encoder, field, field->kind, number, value);
	return status == 0
		       ? 0
		       : error_wrap(encoder->err, "%s", schema_text(encoder->schema, field->name));
}

/* What is being written: a type's fields in the order of their numbers, and their values. */
struct message {
	const struct schema_field *fields; /* of the type */
	const uint16_t *order;
	size_t count;				       /* that have a number */
	const struct value *values[SCHEMA_FIELDS_MAX]; /* by place in the type */
};

/* The fields from `at` on that share `level` embedded messages; sets `at` behind them. */
static int write_fields(struct encoder *encoder, const struct message *message, unsigned level,
			size_t *at)
{
	const uint8_t *path = message->fields[message->order[*at]].number;

	while (*at < message->count) {
		uint16_t place = message->order[*at];
		const struct schema_field *field = &message->fields[place];
		size_t start;

		if (level && memcmp(field->number, path, level) != 0)
			return 0;
		if (field->depth == level + 1) {
			if (write_field(encoder, field, message->values[place]) != 0)
				return -1;
			++*at;
			continue;
		}
		start = put_open(encoder->out, field->number[level]);
		if (write_fields(encoder, message, level + 1, at) != 0)
			return -1;
		put_close(encoder->out, start);
	}
	return 0;
}

/* Canonical objects have their members in the order of the fields: look near the last one. */
static const struct schema_field *find_field(const struct encoder *encoder,
					     const struct schema_type *type,
					     const struct value_member *member, size_t near)
{
	for (size_t i = near; i < type->field_count && i < near + LOOK_NEAR; i++) {
		const struct schema_field *field = schema_field_at(encoder->schema, type, i);
		const char *name = schema_text(encoder->schema, field->name);

		if (strlen(name) == member->key_size &&
		    memcmp(name, member->key, member->key_size) == 0)
			return field;
	}
	return schema_field_get(encoder->schema, type, member->key, member->key_size);
}

static int write_message(struct encoder *encoder, const struct schema_type *type,
			 const struct value *value)
{
	struct message message = {.fields = schema_field_at(encoder->schema, type, 0),
				  .order = schema_wire_order(encoder->schema, type)};
	size_t at = 0, near = 0;

	if (value && value->kind == VALUE_NULL)
		value = NULL;
	if (value && value->kind != VALUE_OBJECT)
		return refuse(encoder, "an object is none");
	for (uint32_t i = 0; value && i < value->count; i++) {
		const struct value_member *member = &value->object.members[i];
		const struct schema_field *field = find_field(encoder, type, member, near);

		if (!field)
			continue;
		near = (size_t)(field - message.fields) + 1;
		if (member->value->kind != VALUE_NULL)
			message.values[near - 1] = member->value;
	}
	/* Those without a number come last. */
	for (message.count = type->field_count; message.count > 0; message.count--)
		if (message.fields[message.order[message.count - 1]].depth)
			break;
	return message.count ? write_fields(encoder, &message, 0, &at) : 0;
}

int protobuf_put_absent(struct cox_buf *out, const struct schema *schema,
			const struct schema_field *field, struct cox_error *err)
{
	struct encoder encoder = {out, schema, err};

	return write_field(&encoder, field, NULL);
}

int protobuf_put_null(struct cox_buf *out, const struct schema *schema,
		      const struct schema_field *field, uint8_t kind, unsigned number,
		      struct cox_error *err)
{
	struct encoder encoder = {out, schema, err};

	return write_value(&encoder, field, kind, number, NULL);
}

int protobuf_encode(struct cox_buf *out, const struct schema *schema,
		    const struct schema_type *type, const struct value *value,
		    struct cox_error *err)
{
	struct encoder encoder = {out, schema, err};

	return write_message(&encoder, type, value);
}

void protobuf_open_object(struct cox_buf *out, const char *version, const char *kind, size_t size)
{
	size_t start;

	cox_buf_add(out, PROTOBUF_MAGIC, PROTOBUF_MAGIC_SIZE);
	start = put_open(out, 1);
	put_bytes(out, 1, version, strlen(version));
	put_bytes(out, 2, kind, strlen(kind));
	put_close(out, start);
	put_tag(out, 2, PROTOBUF_BYTES);
	put_varint(out, size);
}

void protobuf_close_object(struct cox_buf *out)
{
	put_bytes(out, 3, "", 0);
	put_bytes(out, 4, "", 0);
}

void protobuf_write_bytes(struct cox_buf *out, unsigned number, const void *data, size_t size)
{
	put_bytes(out, number, data, size);
}

int protobuf_encode_object(struct cox_buf *out, const struct schema *schema,
			   const struct schema_type *type, const struct value *value,
			   struct cox_error *err)
{
	cox_autobuf raw = COX_BUF_INIT, version = COX_BUF_INIT;
	const char *group = schema_text(schema, type->group);
	const char *said = value_get_text(value, "apiVersion");

	/* A type that several versions have says in the object which one this is. */
	cox_buf_printf(&version, "%s%s%s", group, *group ? "/" : "",
		       schema_text(schema, type->version));
	if (protobuf_encode(&raw, schema, type, value, err) != 0)
		return -1;
	protobuf_open_object(out, *said ? said : version.data, schema_text(schema, type->kind),
			     raw.size);
	cox_buf_add(out, raw.data, raw.size);
	protobuf_close_object(out);
	return 0;
}
