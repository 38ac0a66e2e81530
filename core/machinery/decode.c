/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding in place. After it a tree has one form for each meaning: what is
 * absent, null or zero without being a pointer is not in the tree, so the code
 * behind needs one check, and equal objects have equal trees.
 */
#include "machinery/decode.h"

#include "base/character.h"
#include "base/clock.h"
#include "machinery/path.h"
#include "machinery/quantity.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <string.h>

enum { SHOWN_MAX = 64, DEPTH_MAX = JSON_DEPTH_MAX };

struct decoder {
	const struct schema *schema;
	struct arena *arena;
	struct decode_report *report; /* NULL: nobody wants to know */
	struct cox_error *err;
	unsigned depth;
};

static void report_add(struct decode_report *report, const char *text)
{
	if (report->count < DECODE_PROBLEM_MAX)
		report->problems[report->count++] = text;
	else
		report->left_out++;
}

static void duplicate_found(struct json_duplicates *self, const char *path)
{
	struct decode_report *report = (struct decode_report *)self; /* its first member */

	report_add(report, arena_printf(report->arena, "duplicate field \"%s\"", path));
}

void decode_report_init(struct decode_report *report, struct arena *arena)
{
	*report = (struct decode_report){.duplicates = {duplicate_found}, .arena = arena};
}

const char *decode_report_text(const struct decode_report *report)
{
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_str(&text, "strict decoding error: ");
	for (size_t i = 0; i < report->count; i++)
		cox_buf_printf(&text, "%s%s", i ? ", " : "", report->problems[i]);
	if (report->left_out)
		cox_buf_printf(&text, ", and %zu more", report->left_out);
	return arena_strndup(report->arena, text.data, text.size);
}

static const char *kind_name(const struct value *value)
{
	static const char *const names[] = {"null",	"a boolean", "a number", "a number",
					    "a string", "a list",    "an object"};

	return names[value->kind];
}

/* The value itself, if it is short enough to be helpful. */
static const char *shown(struct decoder *d, const struct value *value)
{
	switch ((enum value_kind)value->kind) {
	case VALUE_BOOL:
		return value->boolean ? " (true)" : " (false)";
	case VALUE_INT:
		return arena_printf(d->arena, " (%lld)", (long long)value->integer);
	case VALUE_NUMBER:
		if (value->count <= SHOWN_MAX)
			return arena_printf(d->arena, " (%s)", value->text);
		break;
	case VALUE_STRING:
		if (value->count <= SHOWN_MAX)
			return arena_printf(d->arena, " (\"%s\")", value->text);
		break;
	case VALUE_NULL:
	case VALUE_ARRAY:
	case VALUE_OBJECT:
		break;
	}
	return "";
}

static int wrong(struct decoder *d, const struct field_path *at, const struct value *value,
		 const char *expected)
{
	return error_set(d->err, COX_REASON_BAD_REQUEST, "%s: expected %s, got %s%s",
			 field_path_text(d->arena, at), expected, kind_name(value),
			 shown(d, value));
}

static int decode_integer(struct decoder *d, const struct field_path *at, const struct value *value,
			  bool wide)
{
	if (value->kind != VALUE_INT)
		return wrong(d, at, value, "an integer");
	if (!wide && (value->integer < INT32_MIN || value->integer > INT32_MAX))
		return wrong(d, at, value, "an integer of 32 bits");
	return 0;
}

static int decode_bytes(struct decoder *d, const struct field_path *at, struct value *value)
{
	cox_autofree char *packed = NULL;
	cox_autofree unsigned char *plain = NULL;
	size_t size = 0;

	if (value->kind != VALUE_STRING)
		return wrong(d, at, value, "a string in base64");
	packed = cox_alloc((size_t)value->count + 1);
	for (uint32_t i = 0; i < value->count; i++) {
		if (value->text[i] != '\n' && value->text[i] != '\r')
			packed[size++] = value->text[i];
	}
	plain = cox_alloc(size + 1);
	if (cox_base64_decode(packed, size, plain) < 0)
		return wrong(d, at, value, "a string in base64");
	if (size != value->count) {
		value->text = arena_strndup(d->arena, packed, size);
		value->count = (uint32_t)size;
	}
	return 0;
}

/* The zero of the clients' clock; the same as no time at all. */
static bool is_zero_time(const struct value *value)
{
	return value_string_is(value, "0001-01-01T00:00:00Z");
}

static int decode_time(struct decoder *d, const struct field_path *at, struct value *value,
		       bool micro)
{
	char text[CLOCK_RFC3339_SIZE];
	uint64_t when;

	if (value->kind != VALUE_STRING)
		return wrong(d, at, value, "a time (RFC 3339)");
	if (is_zero_time(value)) {
		*value = (struct value){.kind = VALUE_NULL};
		return 0;
	}
	if (clock_parse(value->text, value->count, &when))
		return wrong(d, at, value, "a time like 2006-01-02T15:04:05Z");
	if (micro)
		clock_format_micro(when, text);
	else
		clock_format(when, text);
	if (strcmp(text, value->text) != 0) {
		value->text = arena_strdup(d->arena, text);
		value->count = (uint32_t)strlen(text);
	}
	return 0;
}

static int decode_quantity(struct decoder *d, const struct field_path *at, struct value *value,
			   bool milli)
{
	char text[COX_QUANTITY_TEXT_MAX];
	struct cox_quantity quantity;

	if (value->kind != VALUE_STRING && value->kind != VALUE_INT && value->kind != VALUE_NUMBER)
		return wrong(d, at, value, "a quantity like \"100m\" or \"1Gi\"");
	if (quantity_from_value(value, &quantity, d->err))
		return error_wrap(d->err, "%s", field_path_text(d->arena, at));
	if (milli && quantity.nano % 1000000 != 0) {
		int sign = quantity.nano < 0 ? -1 : 1;

		quantity.nano = (quantity.nano / 1000000 + sign) * 1000000;
	}
	value->count = (uint32_t)cox_quantity_format(&quantity, text);
	value->kind = VALUE_STRING;
	value->text = arena_strdup(d->arena, text);
	return 0;
}

static int decode_strings(struct decoder *d, const struct field_path *at, struct value *value)
{
	if (value->kind != VALUE_ARRAY)
		return wrong(d, at, value, "a list of strings");
	for (uint32_t i = 0; i < value->count; i++) {
		struct value *item = value->array.items[i];

		if (item->kind == VALUE_NULL)
			value->array.items[i] = value_string(d->arena, "");
		else if (item->kind != VALUE_STRING)
			return wrong(d, FIELD_INDEX(at, i), item, "a string");
	}
	return 0;
}

static int decode_object(struct decoder *d, const struct field_path *at,
			 const struct schema_type *type, struct value *object);

/* Any JSON, or one of two things, of which one is a schema. */
static int decode_any(struct decoder *d, const struct field_path *at, enum schema_choice choice,
		      struct value *value)
{
	static const char *const wanted[] = {[SCHEMA_CHOICE_SCHEMAS] = "a schema or a list of them",
					     [SCHEMA_CHOICE_BOOL] = "a schema, true or false"};
	const struct schema_type *props;

	if (choice == SCHEMA_CHOICE_NONE)
		return 0;
	props = schema_type_named(d->schema, SCHEMA_CHOICE_TYPE);
	if (value->kind == VALUE_OBJECT)
		return decode_object(d, at, props, value);
	if (choice == SCHEMA_CHOICE_STRINGS)
		return decode_strings(d, at, value);
	if (choice == SCHEMA_CHOICE_BOOL && value->kind == VALUE_BOOL)
		return 0;
	if (choice == SCHEMA_CHOICE_BOOL || value->kind != VALUE_ARRAY)
		return wrong(d, at, value, wanted[choice]);
	for (uint32_t i = 0; i < value->count; i++)
		if (decode_object(d, FIELD_INDEX(at, i), props, value->array.items[i]) != 0)
			return -1;
	return 0;
}

/* One value that is not null, of a kind that is no list or map. */
static int decode_single(struct decoder *d, const struct field_path *at,
			 const struct schema_field *field, uint8_t kind, struct value *value)
{
	switch ((enum schema_kind)kind) {
	case SCHEMA_BOOL:
		return value->kind == VALUE_BOOL ? 0 : wrong(d, at, value, "true or false");
	case SCHEMA_INT32:
	case SCHEMA_INT64:
		return decode_integer(d, at, value, kind == SCHEMA_INT64);
	case SCHEMA_DOUBLE:
		return value->kind == VALUE_INT || value->kind == VALUE_NUMBER
			       ? 0
			       : wrong(d, at, value, "a number");
	case SCHEMA_STRING:
		return value->kind == VALUE_STRING ? 0 : wrong(d, at, value, "a string");
	case SCHEMA_BYTES:
		return decode_bytes(d, at, value);
	case SCHEMA_TIME:
	case SCHEMA_MICRO_TIME:
		return decode_time(d, at, value, kind == SCHEMA_MICRO_TIME);
	case SCHEMA_QUANTITY:
		return decode_quantity(d, at, value,
				       strcmp(schema_text(d->schema, field->format), "milli") == 0);
	case SCHEMA_INT_OR_STRING:
		return value->kind == VALUE_STRING ? 0 : decode_integer(d, at, value, false);
	case SCHEMA_OBJECT:
		return decode_object(d, at, &d->schema->types[field->type - 1], value);
	case SCHEMA_RAW:
		return value->kind == VALUE_OBJECT ? 0 : wrong(d, at, value, "an object");
	case SCHEMA_STRINGS:
		return decode_strings(d, at, value);
	case SCHEMA_ANY:
		return decode_any(d, at, schema_choice_of(d->schema, field), value);
	case SCHEMA_ARRAY:
	case SCHEMA_MAP:
		break;
	}
	return 0;
}

/* An entry that was null is the zero of its kind. */
static struct value *zero_entry(struct decoder *d, uint8_t kind)
{
	switch ((enum schema_kind)kind) {
	case SCHEMA_BOOL:
		return value_bool(d->arena, false);
	case SCHEMA_INT32:
	case SCHEMA_INT64:
	case SCHEMA_DOUBLE:
	case SCHEMA_INT_OR_STRING:
		return value_int(d->arena, 0);
	case SCHEMA_STRING:
	case SCHEMA_BYTES:
		return value_string(d->arena, "");
	case SCHEMA_QUANTITY:
		return value_string(d->arena, "0");
	case SCHEMA_OBJECT:
		return value_object(d->arena);
	case SCHEMA_STRINGS:
		return value_array(d->arena);
	case SCHEMA_TIME:
	case SCHEMA_MICRO_TIME:
	case SCHEMA_RAW:
	case SCHEMA_ANY:
	case SCHEMA_ARRAY:
	case SCHEMA_MAP:
		break;
	}
	return NULL;
}

static int decode_entries(struct decoder *d, const struct field_path *at,
			  const struct schema_field *field, struct value *value)
{
	bool map = field->kind == SCHEMA_MAP;

	if (value->kind != (map ? VALUE_OBJECT : VALUE_ARRAY))
		return wrong(d, at, value, map ? "an object" : "a list");
	for (uint32_t i = 0; i < value->count; i++) {
		struct value **slot =
			map ? &value->object.members[i].value : &value->array.items[i];
		const struct field_path *entry =
			map ? FIELD_KEY(at, value->object.members[i].key) : FIELD_INDEX(at, i);

		if ((*slot)->kind == VALUE_NULL) {
			struct value *zero = zero_entry(d, field->element);

			if (zero)
				*slot = zero;
		} else if (decode_single(d, entry, field, field->element, *slot)) {
			return -1;
		}
	}
	return 0;
}

static int decode_field(struct decoder *d, const struct field_path *at,
			const struct schema_field *field, struct value *value)
{
	int result;

	if (field->kind != SCHEMA_ARRAY && field->kind != SCHEMA_MAP)
		return decode_single(d, at, field, field->kind, value);
	if (++d->depth > DEPTH_MAX)
		return error_set(d->err, COX_REASON_BAD_REQUEST, "%s: nested too deeply",
				 field_path_text(d->arena, at));
	result = decode_entries(d, at, field, value);
	d->depth--;
	return result;
}

/* Whether leaving the value out says the same. */
static bool means_absent(const struct schema_field *field, const struct value *value)
{
	if (value->kind == VALUE_NULL)
		return field->kind != SCHEMA_ANY;
	if (field->flags & SCHEMA_POINTER)
		return false;
	switch ((enum value_kind)value->kind) {
	case VALUE_NULL:
		return true;
	case VALUE_BOOL:
		return field->kind == SCHEMA_BOOL && !value->boolean;
	case VALUE_INT:
		return field->kind != SCHEMA_ANY && value->integer == 0;
	case VALUE_STRING:
		return (field->kind == SCHEMA_STRING || field->kind == SCHEMA_BYTES) &&
		       value->count == 0;
	case VALUE_ARRAY:
		return field->kind == SCHEMA_ARRAY && value->count == 0 &&
		       (field->flags & SCHEMA_OMIT_EMPTY);
	case VALUE_OBJECT:
		if (value->count > 0)
			return false;
		return field->kind == SCHEMA_OBJECT ||
		       (field->kind == SCHEMA_MAP && (field->flags & SCHEMA_OMIT_EMPTY));
	case VALUE_NUMBER:
		break;
	}
	return false;
}

static void unknown(struct decoder *d, const struct field_path *at, const struct schema_type *type,
		    const struct value_member *member)
{
	const char *names[SCHEMA_FIELDS_MAX];
	const char *near, *path;
	char note[CHARACTER_TEXT_SIZE];

	if (!d->report)
		return;
	for (size_t i = 0; i < type->field_count; i++)
		names[i] = schema_text(d->schema, schema_field_at(d->schema, type, i)->name);
	near = cox_nearest(member->key, names, type->field_count);
	path = field_path_text(d->arena, FIELD(at, member->key));
	/* An indent of no-break spaces, say, has become a part of the name. */
	character_note(member->key, strlen(member->key), note);
	report_add(d->report,
		   near ? arena_printf(d->report->arena,
				       "unknown field \"%s\"%s (did you mean \"%s\"?)", path, note,
				       near)
			: arena_printf(d->report->arena, "unknown field \"%s\"%s", path, note));
}

static int decode_object(struct decoder *d, const struct field_path *at,
			 const struct schema_type *type, struct value *object)
{
	struct value_member *members;
	uint32_t kept = 0;

	if (object->kind != VALUE_OBJECT)
		return wrong(d, at, object, "an object");
	if (++d->depth > DEPTH_MAX)
		return error_set(d->err, COX_REASON_BAD_REQUEST, "%s: nested too deeply",
				 field_path_text(d->arena, at));
	members = object->object.members;
	for (uint32_t i = 0; i < object->count; i++) {
		struct value_member member = members[i];
		const struct schema_field *field =
			schema_field_get(d->schema, type, member.key, member.key_size);

		if (!field) {
			unknown(d, at, type, &member);
			continue;
		}
		if (field->flags & SCHEMA_DISABLED)
			continue;
		if (member.value->kind != VALUE_NULL &&
		    decode_field(d, FIELD(at, member.key), field, member.value))
			return -1;
		if (!means_absent(field, member.value))
			members[kept++] = member;
	}
	if (kept != object->count) {
		object->count = kept;
		object->object.index = NULL;
	}
	d->depth--;
	return 0;
}

int schema_decode(const struct schema *schema, const struct schema_type *type, struct arena *arena,
		  struct value *tree, struct decode_report *report, struct cox_error *err)
{
	struct decoder d = {schema, arena, report, err, 0};

	if (!value_is(tree, VALUE_OBJECT))
		return error_set(err, COX_REASON_BAD_REQUEST, "expected an object, got %s",
				 tree ? kind_name(tree) : "nothing");
	return decode_object(&d, NULL, type, tree);
}
