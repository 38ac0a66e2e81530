/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every kind of the tables, with random values in random fields: what was read
 * from JSON comes out of the store, of protobuf and of YAML as it went in. The
 * objects are made from the tables, always the same ones; COX_SEED makes others.
 */
#include "unit.h"

#include "machinery/decode.h"
#include "machinery/encode.h"
#include "machinery/protobuf.h"
#include "machinery/yaml.h"
#include "store/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OBJECTS = 25, DEPTH_MAX = 7, TEXT_MAX = 12 };

static const struct schema *const schema = &schema_builtin;

struct maker {
	struct arena *arena;
	uint64_t state;
	unsigned depth;
};

/* xorshift64*: the same on every machine */
static uint64_t draw(struct maker *maker, uint64_t below)
{
	maker->state ^= maker->state >> 12;
	maker->state ^= maker->state << 25;
	maker->state ^= maker->state >> 27;
	return (maker->state * UINT64_C(2685821657736338717) >> 11) % below;
}

static struct value *make_text(struct maker *maker)
{
	static const char *const pieces[] = {
		"a",  "Z",  "0",   "-",	  ".",	"/",	  " ",	  "é", "\u20ac", "\U0001F600",
		"\"", "\\", "\n",  "\t",  "{",	"}",	  ":",	  "#", "'",	 "no",
		"~",  "=",  "1e3", "0x1", "\r", "\u2028", "\x7f", "|", ">",	 "true"};
	cox_autobuf text = COX_BUF_INIT;

	for (uint64_t n = 1 + draw(maker, TEXT_MAX); n > 0; n--)
		cox_buf_str(&text, pieces[draw(maker, sizeof(pieces) / sizeof(pieces[0]))]);
	return value_string_n(maker->arena, text.data, text.size);
}

static struct value *make_json(struct maker *maker)
{
	struct value *object = value_object(maker->arena);
	struct value *list = value_array(maker->arena);

	value_push(maker->arena, list, value_null(maker->arena));
	value_push(maker->arena, list, value_bool(maker->arena, draw(maker, 2)));
	value_push(maker->arena, list, value_number_n(maker->arena, "-2.5e-7", 7));
	value_set(maker->arena, object, "text", make_text(maker));
	value_set(maker->arena, object, "list", list);
	value_set(maker->arena, object, "number",
		  value_int(maker->arena, (int64_t)draw(maker, UINT32_MAX)));
	return object;
}

static struct value *make_object(struct maker *maker, const struct schema_type *type);

/* A value of a field that is JSON, or one of two things. */
static struct value *make_any(struct maker *maker, const struct schema_field *field)
{
	const char *name =
		field->type ? schema_text(schema, schema->types[field->type - 1].name) : "";
	const struct schema_type *props =
		schema_type_named(schema, "apiextensions.v1.JSONSchemaProps");
	struct value *list = value_array(maker->arena);

	if (!strstr(name, "PropsOr"))
		return make_json(maker);
	if (maker->depth < DEPTH_MAX && draw(maker, 2))
		return make_object(maker, props);
	if (strstr(name, "OrBool"))
		return value_bool(maker->arena, draw(maker, 2));
	for (int i = 0; i < 2; i++)
		value_push(maker->arena, list,
			   strstr(name, "OrArray") ? make_object(maker, props) : make_text(maker));
	return list;
}

static struct value *make_one(struct maker *maker, const struct schema_field *field, uint8_t kind)
{
	static const char *const quantities[] = {"0", "1", "100m", "64Mi", "1500", "2Ti", "5e3"};
	static const char *const reals[] = {"0.1", "-2.25", "1e+300", "3.3333333333333335"};
	static const char *const bytes[] = {"AA==", "AAH/", "eHl6enk="};
	struct arena *arena = maker->arena;
	struct value *list;
	const char *text;

	switch ((enum schema_kind)kind) {
	case SCHEMA_BOOL:
		return value_bool(arena, draw(maker, 2));
	case SCHEMA_INT32:
		return value_int(arena, draw(maker, 4) ? (int32_t)draw(maker, UINT32_MAX)
						       : (int64_t)draw(maker, 2) - 1);
	case SCHEMA_INT64:
		return value_int(arena, (int64_t)(draw(maker, UINT64_MAX) << draw(maker, 12)));
	case SCHEMA_DOUBLE:
		text = reals[draw(maker, 4)];
		return value_number_n(arena, text, strlen(text));
	case SCHEMA_STRING:
		if (schema_list_count(schema, field->enumeration))
			return value_string(
				arena,
				schema_list_at(schema, field->enumeration,
					       draw(maker, schema_list_count(schema,
									     field->enumeration))));
		return make_text(maker);
	case SCHEMA_BYTES:
		return value_string(arena, bytes[draw(maker, 3)]);
	case SCHEMA_TIME:
		return value_printf(arena, "20%02d-0%d-1%dT1%d:00:5%dZ", 10 + (int)draw(maker, 80),
				    1 + (int)draw(maker, 9), (int)draw(maker, 10),
				    (int)draw(maker, 10), (int)draw(maker, 10));
	case SCHEMA_MICRO_TIME:
		return value_printf(arena, "2026-01-02T03:04:05.%06dZ", (int)draw(maker, 1000000));
	case SCHEMA_QUANTITY:
		return value_string(arena, quantities[draw(maker, 7)]);
	case SCHEMA_INT_OR_STRING:
		return draw(maker, 2) ? make_text(maker)
				      : value_int(arena, (int32_t)draw(maker, UINT32_MAX));
	case SCHEMA_OBJECT:
		return make_object(maker, schema_field_type(schema, field));
	case SCHEMA_RAW:
		return make_json(maker);
	case SCHEMA_ANY:
		return make_any(maker, field);
	case SCHEMA_STRINGS:
		list = value_array(arena);
		value_push(arena, list, make_text(maker));
		value_push(arena, list, make_text(maker));
		return list;
	case SCHEMA_ARRAY:
	case SCHEMA_MAP:
		break;
	}
	fail_msg("field %s has an unknown kind", schema_text(schema, field->name));
	return NULL;
}

static struct value *make_field(struct maker *maker, const struct schema_field *field)
{
	struct value *value;
	uint64_t count = 1 + draw(maker, 3);

	if (field->kind == SCHEMA_ARRAY) {
		value = value_array(maker->arena);
		for (uint64_t i = 0; i < count; i++)
			value_push(maker->arena, value, make_one(maker, field, field->element));
		return value;
	}
	if (field->kind == SCHEMA_MAP) {
		value = value_object(maker->arena);
		for (uint64_t i = 0; i < count; i++)
			value_set(maker->arena, value, make_text(maker)->text,
				  make_one(maker, field, field->element));
		return value;
	}
	return make_one(maker, field, field->kind);
}

static struct value *make_object(struct maker *maker, const struct schema_type *type)
{
	struct value *object = value_object(maker->arena);

	maker->depth++;
	for (size_t i = 0; i < type->field_count; i++) {
		const struct schema_field *field = schema_field_at(schema, type, i);
		const char *name = schema_text(schema, field->name);

		/* A root says what it is by itself; fields without a number are not on the wire. */
		if (!field->depth || (field->flags & SCHEMA_DISABLED) ||
		    (maker->depth >= DEPTH_MAX && field->type) || draw(maker, maker->depth + 1) > 1)
			continue;
		value_set(maker->arena, object, name, make_field(maker, field));
	}
	maker->depth--;
	return object;
}

static void decode(struct arena *arena, const struct schema_type *type, struct value *tree)
{
	struct decode_report report;
	cox_autoerror err = COX_ERROR_INIT;

	decode_report_init(&report, arena);
	if (schema_decode(schema, type, arena, tree, &report, &err) != 0)
		fail_msg("%s: %s", schema_text(schema, type->name), error_text(&err));
	assert_int_equal(report.count, 0);
}

/* Equal as canonical bytes. */
static void assert_same(const struct schema_type *type, const char *way, struct arena *arena,
			const struct cox_buf *before, struct value *tree)
{
	cox_autobuf after = COX_BUF_INIT;

	decode(arena, type, tree);
	schema_encode(&after, schema, type, tree, 0);
	if (after.size == before->size && memcmp(after.data, before->data, after.size) == 0)
		return;
	fail_msg("%s by way of %s:\n%s\nbecame\n%s", schema_text(schema, type->name), way,
		 before->data, after.data);
}

static void check_json(const struct schema_type *type, const struct cox_buf *json)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *tree = json_parse(&arena, json->data, json->size, NULL, NULL);

	assert_non_null(tree);
	assert_same(type, "JSON", &arena, json, tree);
}

static void check_protobuf(const struct schema_type *type, const struct cox_buf *json)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf wire = COX_BUF_INIT;
	const struct schema_type *found = NULL;
	struct value *tree = json_parse(&arena, json->data, json->size, NULL, NULL);

	if (protobuf_encode_object(&wire, schema, type, tree, &err) != 0)
		fail_msg("%s: %s: %s", schema_text(schema, type->name), error_text(&err),
			 json->data);
	tree = protobuf_decode_object(&arena, schema, wire.data, wire.size, &found, &err);
	if (!tree)
		fail_msg("%s: %s", schema_text(schema, type->name), error_text(&err));
	assert_ptr_equal(type, found);
	assert_same(type, "protobuf", &arena, json, tree);
}

/* Without a tree it is the same, to the byte. */
static void check_direct(const struct schema_type *type, const struct cox_buf *json)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf expected = COX_BUF_INIT, found = COX_BUF_INIT;
	struct value *tree = json_parse(&arena, json->data, json->size, NULL, NULL);

	assert_int_equal(protobuf_encode(&expected, schema, type, tree, &err), 0);
	if (protobuf_encode_json(&found, schema, type, json->data, json->size, &err) != 0)
		fail_msg("%s: %s: %s", schema_text(schema, type->name), error_text(&err),
			 json->data);
	if (found.size != expected.size || memcmp(found.data, expected.data, found.size) != 0)
		fail_msg("%s: %s", schema_text(schema, type->name), json->data);
}

static void check_yaml(const struct schema_type *type, const struct cox_buf *json)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf text = COX_BUF_INIT, list = COX_BUF_INIT;
	struct value *before = json_parse(&arena, json->data, json->size, NULL, NULL);
	struct value *tree;

	if (yaml_write(&text, before, &err) != 0)
		fail_msg("%s: %s", schema_text(schema, type->name), error_text(&err));
	tree = yaml_parse(&arena, text.data, text.size, NULL, &err);
	if (!tree)
		fail_msg("%s: %s\n%s", schema_text(schema, type->name), error_text(&err),
			 text.data);
	if (!value_equal(before, tree))
		fail_msg("%s: %s\n%s", schema_text(schema, type->name), json->data, text.data);
	cox_buf_str(&list, "items:\n");
	for (int i = 0; i < 2; i++)
		assert_int_equal(yaml_write_item(&list, before, &err), 0);
	tree = yaml_parse(&arena, list.data, list.size, NULL, &err);
	if (!tree)
		fail_msg("%s\n%s", error_text(&err), list.data);
	tree = value_get(tree, "items");
	assert_int_equal(tree->count, 2);
	assert_true(value_equal(before, value_at(tree, 0)));
	assert_true(value_equal(before, value_at(tree, 1)));
}

/* What the store keeps has no resourceVersion; what it gives has its own. */
static void check_store(const struct schema_type *type, struct value *tree)
{
	static const struct store_collection_options options = {
		.name = "all", .prefix = "/registry/all/", .namespaced = true, .tag = 1};
	static const char key[] = "/registry/all/default/name";
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf stored = COX_BUF_INIT, before = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct scan_plan plan;
	struct store_entry *entry;
	struct value *metadata;
	struct cox_bytes json;

	metadata = value_make_object(&arena, tree, "metadata");
	value_set_text(&arena, metadata, "resourceVersion", "4711");
	value_set_text(&arena, metadata, "name", "name");
	value_set_text(&arena, metadata, "namespace", "default");
	value_remove(metadata, "selfLink"); /* never kept, by nobody any more */
	schema_encode(&before, schema, type, tree, 0);
	schema_encode(&stored, schema, type, tree, ENCODE_STORAGE);
	assert_int_equal(scan_plan_init(&plan, &options, NULL), 0);
	entry = scan_entry(&plan, &arena, (struct cox_bytes){key, sizeof(key) - 1},
			   (struct cox_bytes){stored.data, stored.size}, 4711, &err);
	if (!entry)
		fail_msg("%s: %s", schema_text(schema, type->name), error_text(&err));
	json = store_entry_json(entry);
	assert_same(type, "the store", &arena, &before,
		    json_parse(&arena, json.data, json.size, NULL, NULL));
	assert_int_equal(json.size, before.size);
	store_entry_unref(entry);
	scan_plan_free(&plan);
}

static bool is_stored(const struct schema_type *type)
{
	for (uint32_t i = 0; i < schema->resource_count; i++)
		if (schema->resources[i].type &&
		    schema_resource_type(schema, &schema->resources[i]) == type &&
		    !(schema->resources[i].flags & SCHEMA_VIRTUAL))
			return true;
	return false;
}

static void check_type(const struct schema_type *type, uint64_t seed)
{
	cox_autoarena arena = ARENA_INIT;
	struct maker maker = {.arena = &arena, .state = seed};
	cox_autobuf json = COX_BUF_INIT;
	const char *group = schema_text(schema, type->group);
	struct value *tree = make_object(&maker, type);

	value_set_text(&arena, tree, "kind", schema_text(schema, type->kind));
	value_set(&arena, tree, "apiVersion",
		  value_printf(&arena, "%s%s%s", group, *group ? "/" : "",
			       schema_text(schema, type->version)));
	decode(&arena, type, tree);
	schema_encode(&json, schema, type, tree, 0);
	check_json(type, &json);
	check_protobuf(type, &json);
	check_direct(type, &json);
	check_yaml(type, &json);
	if (is_stored(type))
		check_store(type, tree);
}

/* A type that has a place in protobuf at all. */
static bool is_numbered(const struct schema_type *type)
{
	for (size_t i = 0; i < type->field_count; i++)
		if (schema_field_at(schema, type, i)->depth)
			return true;
	return false;
}

static void test_every_kind(void **state)
{
	const char *given = getenv("COX_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
	size_t kinds = 0, stored = 0;

	(void)state;
	for (uint32_t i = 0; i < schema->type_count; i++) {
		const struct schema_type *type = &schema->types[i];

		if (!*schema_text(schema, type->kind) || (type->flags & SCHEMA_TYPE_ANY_GROUP) ||
		    !is_numbered(type))
			continue;
		kinds++;
		stored += is_stored(type);
		for (uint64_t n = 1; n <= OBJECTS; n++)
			check_type(type, seed * 1000003 + i * 1009 + n);
	}
	/* Nothing was left out by mistake. */
	assert_true(stored >= 60);
	assert_true(kinds >= stored + 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_kind)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
