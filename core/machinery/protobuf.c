/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading protobuf by the tables; see the header. The wire format carries zero
 * values that JSON leaves out; they are dropped where the JSON form would not
 * have them, so that both forms of an object become the same tree.
 */
#include "machinery/protobuf.h"
#include "machinery/protobuf_wire.h"

#include "base/clock.h"
#include "machinery/json.h"

#include <coxswain/kit/text.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct decoder {
	struct arena *arena;
	const struct schema *schema;
	struct cox_error *err;
	unsigned depth;
};

/* A run of bytes that is being read. */
struct input {
	const unsigned char *at, *end;
};

/* One field as it came. */
struct wire_field {
	uint32_t number;
	uint8_t wire;	  /* enum protobuf_wire */
	uint64_t integer; /* of a varint or a fixed number */
	struct input bytes;
};

static int refuse(struct decoder *decoder, const char *what)
{
	return error_set(decoder->err, COX_REASON_BAD_REQUEST, "invalid protobuf: %s", what);
}

static int read_varint(struct decoder *decoder, struct input *in, uint64_t *out)
{
	uint64_t sum = 0;

	for (unsigned shift = 0; shift < 64 && in->at < in->end; shift += 7) {
		unsigned char byte = *in->at++;

		sum |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*out = sum;
			return 0;
		}
	}
	return refuse(decoder, in->at == in->end ? "it ends inside a number"
						 : "a number is longer than ten bytes");
}

static int read_fixed(struct decoder *decoder, struct input *in, unsigned size, uint64_t *out)
{
	if ((size_t)(in->end - in->at) < size)
		return refuse(decoder, "it ends inside a number");
	*out = 0;
	for (unsigned i = 0; i < size; i++)
		*out |= (uint64_t)in->at[i] << (8 * i);
	in->at += size;
	return 0;
}

/* The next field: 1, 0 at the end, -1. */
static int read_field(struct decoder *decoder, struct input *in, struct wire_field *field)
{
	uint64_t tag, size;

	if (in->at == in->end)
		return 0;
	if (read_varint(decoder, in, &tag) != 0)
		return -1;
	field->wire = tag & 7;
	if (tag >> 3 == 0 || tag >> 3 > PROTOBUF_NUMBER_MAX)
		return refuse(decoder, "a field number is out of range");
	field->number = (uint32_t)(tag >> 3);
	switch (field->wire) {
	case PROTOBUF_VARINT:
		return read_varint(decoder, in, &field->integer) == 0 ? 1 : -1;
	case PROTOBUF_FIXED64:
		return read_fixed(decoder, in, 8, &field->integer) == 0 ? 1 : -1;
	case PROTOBUF_FIXED32:
		return read_fixed(decoder, in, 4, &field->integer) == 0 ? 1 : -1;
	case PROTOBUF_BYTES:
		if (read_varint(decoder, in, &size) != 0)
			return -1;
		if (size > (uint64_t)(in->end - in->at))
			return refuse(decoder, "a field is longer than what holds it");
		field->bytes = (struct input){in->at, in->at + size};
		in->at += size;
		return 1;
	default:
		return refuse(decoder, "a field has an unknown wire type");
	}
}

static size_t input_size(const struct input *in)
{
	return (size_t)(in->end - in->at);
}

static struct value *read_string(struct decoder *decoder, const struct input *in)
{
	if (!cox_utf8_valid((const char *)in->at, input_size(in), NULL)) {
		refuse(decoder, "a string is not UTF-8");
		return NULL;
	}
	return value_string_n(decoder->arena, (const char *)in->at, input_size(in));
}

static struct value *read_base64(struct decoder *decoder, const struct input *in)
{
	size_t size = cox_base64_size(input_size(in));
	char *text = arena_alloc(decoder->arena, size);

	cox_base64_encode(in->at, input_size(in), text);
	return value_string_n(decoder->arena, text, size - 1);
}

/* The last field of a small message with that number, or none (wire 255). */
static int find_field(struct decoder *decoder, struct input in, uint32_t number,
		      struct wire_field *found)
{
	struct wire_field field;
	int status;

	found->wire = UINT8_MAX;
	while ((status = read_field(decoder, &in, &field)) > 0)
		if (field.number == number)
			*found = field;
	return status;
}

static struct value *read_time(struct decoder *decoder, const struct input *in, bool micro)
{
	struct wire_field seconds, nanos;
	char text[CLOCK_RFC3339_SIZE];
	uint64_t when = 0;

	/* Only nothing at all is no time: the beginning of 1970 is one. */
	if (in->at == in->end)
		return value_null(decoder->arena);
	if (find_field(decoder, *in, 1, &seconds) != 0 || find_field(decoder, *in, 2, &nanos) != 0)
		return NULL;
	if (seconds.wire != PROTOBUF_VARINT)
		seconds.integer = 0;
	if (nanos.wire != PROTOBUF_VARINT)
		nanos.integer = 0;
	/* year 2500, as far as clock_parse goes */
	if (seconds.integer > PROTOBUF_SECONDS_MAX || nanos.integer >= CLOCK_SECOND) {
		refuse(decoder, "a time is out of range");
		return NULL;
	}
	when = seconds.integer * CLOCK_SECOND + (micro ? nanos.integer : 0);
	if (micro)
		clock_format_micro(when, text);
	else
		clock_format(when, text);
	return value_string(decoder->arena, text);
}

static struct value *read_int_or_string(struct decoder *decoder, const struct input *in)
{
	struct wire_field type, number, text;

	if (find_field(decoder, *in, 1, &type) != 0 || find_field(decoder, *in, 2, &number) != 0 ||
	    find_field(decoder, *in, 3, &text) != 0)
		return NULL;
	if (type.wire == PROTOBUF_VARINT && type.integer == 1)
		return text.wire == PROTOBUF_BYTES ? read_string(decoder, &text.bytes)
						   : value_string(decoder->arena, "");
	return value_int(decoder->arena,
			 number.wire == PROTOBUF_VARINT ? (int32_t)number.integer : 0);
}

static struct value *decode_envelope(struct decoder *decoder, struct input in,
				     const struct schema_type **type);

/* A message whose field 1 holds JSON, or an object in an envelope of its own. */
static struct value *read_raw(struct decoder *decoder, const struct input *in)
{
	struct wire_field raw;

	if (find_field(decoder, *in, 1, &raw) != 0)
		return NULL;
	if (raw.wire == UINT8_MAX)
		return value_null(decoder->arena);
	if (raw.wire != PROTOBUF_BYTES) {
		refuse(decoder, "a value of any type can only be read from JSON");
		return NULL;
	}
	if (protobuf_is_object(raw.bytes.at, input_size(&raw.bytes)))
		return decode_envelope(decoder, raw.bytes, NULL);
	if (raw.bytes.at == raw.bytes.end)
		return value_null(decoder->arena);
	return json_parse(decoder->arena, raw.bytes.at, input_size(&raw.bytes), NULL, decoder->err);
}

static struct value *read_quantity(struct decoder *decoder, const struct input *in)
{
	struct wire_field text;

	if (find_field(decoder, *in, 1, &text) != 0)
		return NULL;
	return text.wire == PROTOBUF_BYTES ? read_string(decoder, &text.bytes)
					   : value_string(decoder->arena, "0");
}

static struct value *read_strings(struct decoder *decoder, const struct input *from,
				  uint32_t number)
{
	struct value *list = value_array(decoder->arena);
	struct input in = *from;
	struct wire_field field;
	int status;

	while ((status = read_field(decoder, &in, &field)) > 0) {
		struct value *item;

		if (field.number != number || field.wire != PROTOBUF_BYTES)
			continue;
		item = read_string(decoder, &field.bytes);
		if (!item)
			return NULL;
		value_push(decoder->arena, list, item);
	}
	return status == 0 ? list : NULL;
}

static struct value *read_double(struct decoder *decoder, uint64_t bits)
{
	char text[40];
	double number;
	int size = 0;

	memcpy(&number, &bits, sizeof(number));
	if (!isfinite(number)) {
		refuse(decoder, "a number is not finite");
		return NULL;
	}
	if (number == (double)(int64_t)(number > -1e15 && number < 1e15 ? number : 0.5))
		return value_int(decoder->arena, (int64_t)number);
	/* the shortest text that is this number again */
	for (int digits = 15; digits <= 17; digits++) {
		size = snprintf(text, sizeof(text), "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	return value_number_n(decoder->arena, text, (size_t)size);
}

static int decode_fields(struct decoder *decoder, const struct schema_type *type, uint8_t *path,
			 unsigned level, struct input in, struct value *object);

static struct value *read_message(struct decoder *decoder, const struct schema_type *type,
				  const struct input *in, struct value *into)
{
	uint8_t path[4] = {0};

	if (!type) {
		refuse(decoder, "a message has no known type");
		return NULL;
	}
	if (decoder->depth == JSON_DEPTH_MAX) {
		refuse(decoder, "nested too deeply (256 levels at most)");
		return NULL;
	}
	if (!value_is(into, VALUE_OBJECT))
		into = value_object(decoder->arena);
	decoder->depth++;
	if (decode_fields(decoder, type, path, 0, *in, into) != 0)
		return NULL;
	decoder->depth--;
	return into;
}

static struct value *read_schemas(struct decoder *decoder, const struct schema_type *props,
				  struct input in)
{
	struct value *list = value_array(decoder->arena);
	struct wire_field field;
	int status;

	while ((status = read_field(decoder, &in, &field)) > 0) {
		struct value *item;

		if (field.number != 2 || field.wire != PROTOBUF_BYTES)
			continue;
		item = read_message(decoder, props, &field.bytes, NULL);
		if (!item)
			return NULL;
		value_push(decoder->arena, list, item);
	}
	return status == 0 ? list : NULL;
}

/* One of two things: a schema wins over a boolean, a list over a schema. */
static struct value *read_choice(struct decoder *decoder, enum schema_choice choice,
				 const struct input *in)
{
	const struct schema_type *props = schema_type_named(decoder->schema, SCHEMA_CHOICE_TYPE);
	struct wire_field first, second;
	struct value *list;

	if (find_field(decoder, *in, 1, &first) != 0 || find_field(decoder, *in, 2, &second) != 0)
		return NULL;
	if (choice == SCHEMA_CHOICE_BOOL) {
		if (second.wire == PROTOBUF_BYTES)
			return read_message(decoder, props, &second.bytes, NULL);
		return value_bool(decoder->arena,
				  first.wire == PROTOBUF_VARINT && first.integer != 0);
	}
	list = choice == SCHEMA_CHOICE_STRINGS ? read_strings(decoder, in, 2)
					       : read_schemas(decoder, props, *in);
	if (!list || list->count > 0 || first.wire != PROTOBUF_BYTES)
		return list;
	return read_message(decoder, props, &first.bytes, NULL);
}

static struct value *read_any(struct decoder *decoder, const struct schema_field *field,
			      const struct input *in)
{
	enum schema_choice choice = schema_choice_of(decoder->schema, field);

	return choice == SCHEMA_CHOICE_NONE ? read_raw(decoder, in)
					    : read_choice(decoder, choice, in);
}

/* Which wire type a value of that kind has. */
static bool fits_wire(uint8_t kind, uint8_t wire)
{
	switch ((enum schema_kind)kind) {
	case SCHEMA_BOOL:
	case SCHEMA_INT32:
	case SCHEMA_INT64:
		return wire == PROTOBUF_VARINT;
	case SCHEMA_DOUBLE:
		return wire == PROTOBUF_FIXED64;
	default:
		return wire == PROTOBUF_BYTES;
	}
}

/* One value; `into` is what stood in a singular message's place before. */
static struct value *read_value(struct decoder *decoder, const struct schema_field *field,
				uint8_t kind, const struct wire_field *wire, struct value *into)
{
	if (!fits_wire(kind, wire->wire)) {
		refuse(decoder, "a field has the wrong wire type");
		return NULL;
	}
	switch ((enum schema_kind)kind) {
	case SCHEMA_BOOL:
		return value_bool(decoder->arena, wire->integer != 0);
	case SCHEMA_INT32:
		return value_int(decoder->arena, (int32_t)wire->integer);
	case SCHEMA_INT64:
		return value_int(decoder->arena, (int64_t)wire->integer);
	case SCHEMA_DOUBLE:
		return read_double(decoder, wire->integer);
	case SCHEMA_STRING:
		return read_string(decoder, &wire->bytes);
	case SCHEMA_BYTES:
		return read_base64(decoder, &wire->bytes);
	case SCHEMA_TIME:
	case SCHEMA_MICRO_TIME:
		return read_time(decoder, &wire->bytes, kind == SCHEMA_MICRO_TIME);
	case SCHEMA_QUANTITY:
		return read_quantity(decoder, &wire->bytes);
	case SCHEMA_INT_OR_STRING:
		return read_int_or_string(decoder, &wire->bytes);
	case SCHEMA_OBJECT:
		return read_message(decoder, schema_field_type(decoder->schema, field),
				    &wire->bytes, into);
	case SCHEMA_RAW:
		return read_raw(decoder, &wire->bytes);
	case SCHEMA_ANY:
		return read_any(decoder, field, &wire->bytes);
	case SCHEMA_STRINGS:
		return read_strings(decoder, &wire->bytes, 1);
	case SCHEMA_ARRAY:
	case SCHEMA_MAP:
		break;
	}
	refuse(decoder, "a list of lists");
	return NULL;
}

/* Numbers of a list may come packed into one field. */
static int read_packed(struct decoder *decoder, const struct schema_field *field,
		       const struct wire_field *wire, struct value *list)
{
	struct wire_field one = {.number = wire->number, .wire = PROTOBUF_VARINT};
	struct input in = wire->bytes;

	while (in.at < in.end) {
		struct value *item;

		if (field->element == SCHEMA_DOUBLE)
			one.wire = PROTOBUF_FIXED64;
		if ((field->element == SCHEMA_DOUBLE
			     ? read_fixed(decoder, &in, 8, &one.integer)
			     : read_varint(decoder, &in, &one.integer)) != 0)
			return -1;
		item = read_value(decoder, field, field->element, &one, NULL);
		if (!item)
			return -1;
		value_push(decoder->arena, list, item);
	}
	return 0;
}

static int read_item(struct decoder *decoder, const struct schema_field *field,
		     const struct wire_field *wire, struct value *list)
{
	struct value *item;

	if (wire->wire == PROTOBUF_BYTES && !fits_wire(field->element, PROTOBUF_BYTES))
		return read_packed(decoder, field, wire, list);
	item = read_value(decoder, field, field->element, wire, NULL);
	if (!item)
		return -1;
	value_push(decoder->arena, list, item);
	return 0;
}

/* What a map's entry has if its value is not said. */
static struct value *empty_value(struct decoder *decoder, const struct schema_field *field)
{
	static const struct input nothing = {(const unsigned char *)"", (const unsigned char *)""};
	struct wire_field wire = {.wire = PROTOBUF_BYTES, .bytes = nothing};

	if (!fits_wire(field->element, PROTOBUF_BYTES))
		wire.wire = field->element == SCHEMA_DOUBLE ? PROTOBUF_FIXED64 : PROTOBUF_VARINT;
	return read_value(decoder, field, field->element, &wire, NULL);
}

static int read_map_entry(struct decoder *decoder, const struct schema_field *field,
			  const struct wire_field *wire, struct value *map)
{
	struct wire_field key, value;
	struct value *item;

	if (wire->wire != PROTOBUF_BYTES)
		return refuse(decoder, "a field has the wrong wire type");
	if (find_field(decoder, wire->bytes, 1, &key) != 0 ||
	    find_field(decoder, wire->bytes, 2, &value) != 0)
		return -1;
	if (key.wire != PROTOBUF_BYTES)
		key.bytes = (struct input){wire->bytes.at, wire->bytes.at};
	if (!cox_utf8_valid((const char *)key.bytes.at, input_size(&key.bytes), NULL))
		return refuse(decoder, "a string is not UTF-8");
	item = value.wire == UINT8_MAX ? empty_value(decoder, field)
				       : read_value(decoder, field, field->element, &value, NULL);
	if (!item)
		return -1;
	value_set_n(decoder->arena, map, (const char *)key.bytes.at, input_size(&key.bytes), item);
	return 0;
}

static bool is_zero(const struct value *value)
{
	switch ((enum value_kind)value->kind) {
	case VALUE_NULL:
		return true;
	case VALUE_BOOL:
		return !value->boolean;
	case VALUE_INT:
		return value->integer == 0;
	case VALUE_STRING:
		return value->count == 0;
	default:
		return false;
	}
}

/* One field of an object: sets, appends, or leaves it out. */
static int decode_field(struct decoder *decoder, const struct schema_field *field,
			const struct wire_field *wire, struct value *object)
{
	const char *name = schema_text(decoder->schema, field->name);
	struct value *value;

	if (field->wrapped) {
		if (wire->wire != PROTOBUF_BYTES)
			return refuse(decoder, "a field has the wrong wire type");
		value = read_strings(decoder, &wire->bytes, 1);
		if (!value)
			return -1;
		value_set(decoder->arena, object, name, value);
		return 0;
	}
	if (field->kind == SCHEMA_ARRAY)
		return read_item(decoder, field, wire,
				 value_make_array(decoder->arena, object, name));
	if (field->kind == SCHEMA_MAP)
		return read_map_entry(decoder, field, wire,
				      value_make_object(decoder->arena, object, name));
	value = read_value(decoder, field, field->kind, wire, value_get(object, name));
	if (!value)
		return -1;
	if (is_zero(value) && !(field->flags & SCHEMA_POINTER) &&
	    (field->flags & (SCHEMA_OMIT_EMPTY | SCHEMA_OMIT_ZERO)))
		value_remove(object, name); /* the last one counts, also if it is zero */
	else
		value_set(decoder->arena, object, name, value);
	return 0;
}

/* The fields of a type, below `level` embedded messages on `path`. */
static int decode_fields(struct decoder *decoder, const struct schema_type *type, uint8_t *path,
			 unsigned level, struct input in, struct value *object)
{
	struct wire_field wire = {0};
	int status;

	while ((status = read_field(decoder, &in, &wire)) > 0) {
		bool embedded = false;
		const struct schema_field *field =
			wire.number > UINT8_MAX
				? NULL
				: schema_field_numbered(decoder->schema, type, path, level,
							wire.number, &embedded);

		if (field) {
			if (decode_field(decoder, field, &wire, object) != 0)
				return error_wrap(decoder->err, "%s",
						  schema_text(decoder->schema, field->name));
		} else if (embedded && wire.wire == PROTOBUF_BYTES && level < 3) {
			path[level] = (uint8_t)wire.number;
			if (decode_fields(decoder, type, path, level + 1, wire.bytes, object) != 0)
				return -1;
		}
	}
	return status;
}

bool protobuf_is_object(const void *data, size_t size)
{
	return size >= PROTOBUF_MAGIC_SIZE &&
	       memcmp(data, PROTOBUF_MAGIC, PROTOBUF_MAGIC_SIZE) == 0;
}

/* The type that an envelope names; NULL after saying that there is none. */
static const struct schema_type *find_type(struct decoder *decoder, const char *version,
					   const char *kind)
{
	const char *slash = strchr(version, '/');
	const char *group =
		slash ? arena_strndup(decoder->arena, version, (size_t)(slash - version)) : "";
	const struct schema_type *type =
		schema_type_of_kind(decoder->schema, group, slash ? slash + 1 : version, kind);

	if (!type)
		error_set(decoder->err, COX_REASON_BAD_REQUEST,
			  "no kind \"%s\" is registered for version \"%s\"", kind, version);
	return type;
}

/* Field `number` of a message as a text; "" if it is absent. */
static const char *text_field(struct decoder *decoder, const struct input *in, uint32_t number)
{
	struct wire_field field;
	struct value *text;

	if (find_field(decoder, *in, number, &field) != 0)
		return NULL;
	if (field.wire != PROTOBUF_BYTES)
		return "";
	text = read_string(decoder, &field.bytes);
	return text ? text->text : NULL;
}

static struct value *decode_envelope(struct decoder *decoder, struct input in,
				     const struct schema_type **type)
{
	const char *version = "", *kind = "", *encoding;
	const struct schema_type *found;
	struct wire_field meta, raw;
	struct value *object;

	in.at += PROTOBUF_MAGIC_SIZE;
	encoding = text_field(decoder, &in, 3);
	if (!encoding || find_field(decoder, in, 1, &meta) != 0 ||
	    find_field(decoder, in, 2, &raw) != 0)
		return NULL;
	if (meta.wire == PROTOBUF_BYTES) {
		version = text_field(decoder, &meta.bytes, 1);
		kind = text_field(decoder, &meta.bytes, 2);
	}
	if (!version || !kind)
		return NULL;
	if (*encoding) {
		refuse(decoder, "the object has a content encoding");
		return NULL;
	}
	found = find_type(decoder, version, kind);
	if (!found)
		return NULL;
	object = value_object(decoder->arena);
	value_set_text(decoder->arena, object, "kind", kind);
	value_set_text(decoder->arena, object, "apiVersion", version);
	if (raw.wire != PROTOBUF_BYTES)
		raw.bytes = (struct input){in.end, in.end};
	if (type)
		*type = found;
	return read_message(decoder, found, &raw.bytes, object);
}

struct value *protobuf_decode_object(struct arena *arena, const struct schema *schema,
				     const void *data, size_t size, const struct schema_type **type,
				     struct cox_error *err)
{
	struct decoder decoder = {arena, schema, err, 0};

	if (!protobuf_is_object(data, size)) {
		refuse(&decoder, "it does not begin with the four bytes \"k8s\\0\"");
		return NULL;
	}
	return decode_envelope(&decoder, (struct input){data, (const unsigned char *)data + size},
			       type);
}

struct value *protobuf_decode(struct arena *arena, const struct schema *schema,
			      const struct schema_type *type, const void *data, size_t size,
			      struct cox_error *err)
{
	struct decoder decoder = {arena, schema, err, 0};
	struct input in = {data, (const unsigned char *)data + size};

	return read_message(&decoder, type, &in, NULL);
}
