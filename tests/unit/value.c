/* SPDX-License-Identifier: Apache-2.0 */
/* Value trees: building, reading, changing, comparing. */
#include "unit.h"

#include "machinery/json.h"
#include "machinery/value.h"

#include <stdio.h>
#include <string.h>

static struct value *tree(struct arena *arena, const char *json)
{
	struct value *value = json_parse(arena, json, strlen(json), NULL, NULL);

	assert_non_null(value);
	return value;
}

static void assert_json(const struct value *value, const char *wanted)
{
	cox_autobuf out = COX_BUF_INIT;

	json_write(&out, value, 0);
	assert_string_equal(cox_buf_cstr(&out), wanted);
}

static void test_reading(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *pod = tree(&arena, "{\"a\":{\"b\":{\"c\":\"deep\"}},\"n\":7,\"t\":true,"
					 "\"l\":[1,2],\"z\":null,\"f\":1.5}");

	(void)state;
	assert_string_equal(value_text(value_path(pod, "a.b.c")), "deep");
	assert_null(value_path(pod, "a.x.c"));
	assert_null(value_path(pod, "n.b"));
	assert_int_equal(value_get_int(pod, "n", -1), 7);
	assert_int_equal(value_get_int(pod, "f", -1), -1);
	assert_true(value_get_bool(pod, "t"));
	assert_false(value_get_bool(pod, "n"));
	assert_int_equal(value_at(value_get(pod, "l"), 1)->integer, 2);
	assert_null(value_at(value_get(pod, "l"), 2));
	assert_null(value_at(pod, 0));
	assert_true(value_is(value_get(pod, "z"), VALUE_NULL));
	assert_string_equal(value_get_text(pod, "absent"), "");
	assert_string_equal(value_get_text(NULL, "absent"), "");
	assert_true(value_number(value_get(pod, "f")) == 1.5);
	assert_true(value_string_is(value_path(pod, "a.b.c"), "deep"));
	assert_false(value_string_is(value_path(pod, "a.b.c"), "dee"));
}

static void test_changing(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *object = value_object(&arena);
	struct value *list;

	(void)state;
	value_set_text(&arena, object, "b", "1");
	value_set_int(&arena, object, "a", 2);
	value_set_text(&arena, object, "b", "3");
	assert_json(object, "{\"b\":\"3\",\"a\":2}");
	value_sort_keys(object);
	assert_json(object, "{\"a\":2,\"b\":\"3\"}");
	list = value_make_array(&arena, object, "l");
	assert_ptr_equal(list, value_make_array(&arena, object, "l"));
	value_push(&arena, list, value_int(&arena, 1));
	value_push(&arena, list, value_bool(&arena, false));
	value_insert(&arena, list, 0, value_null(&arena));
	value_insert(&arena, list, 99, value_printf(&arena, "%d!", 5));
	value_remove_at(list, 1);
	value_remove_at(list, 7);
	assert_json(object, "{\"a\":2,\"b\":\"3\",\"l\":[null,false,\"5!\"]}");
	value_set(&arena, object, "o", value_null(&arena));
	value_set_int(&arena, value_make_object(&arena, object, "o"), "x", 1);
	assert_true(value_remove(object, "a"));
	assert_false(value_remove(object, "a"));
	assert_json(object, "{\"b\":\"3\",\"l\":[null,false,\"5!\"],\"o\":{\"x\":1}}");
	assert_json(value_copy(&arena, object),
		    "{\"b\":\"3\",\"l\":[null,false,\"5!\"],\"o\":{\"x\":1}}");
}

/* The index of large objects must never differ from a plain search. */
static void test_index(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *object = value_object(&arena);
	unsigned random = 12345;
	bool present[300] = {false};
	char key[16];

	(void)state;
	for (int step = 0; step < 20000; step++) {
		unsigned which;

		random = random * 1103515245 + 12345;
		which = (random >> 8) % 300;
		snprintf(key, sizeof(key), "key-%u", which);
		if (random >> 28 & 1) {
			assert_int_equal(value_remove(object, key), present[which]);
			present[which] = false;
		} else {
			value_set_int(&arena, object, key, step);
			present[which] = true;
			assert_int_equal(value_get_int(object, key, -1), step);
		}
		if (step % 1000 == 500)
			value_sort_keys(object);
		if (step % 1000 == 600) {
			struct value_member *member;

			for (unsigned i = 0; i < 300; i += 3) {
				snprintf(key, sizeof(key), "key-%u", i);
				member = value_find_n(object, key, strlen(key));
				assert_int_equal(member != NULL, present[i]);
				if (member)
					member->value = NULL;
				present[i] = false;
			}
			value_drop_unset(object);
		}
		if (step % 1000 == 750)
			object = value_copy(&arena, object);
	}
	for (unsigned which = 0; which < 300; which++) {
		snprintf(key, sizeof(key), "key-%u", which);
		assert_int_equal(value_get(object, key) != NULL, present[which]);
	}
}

static void test_equality(void **state)
{
	static const char *const same[][2] = {
		{"{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}"},
		{"1", "1.0"},
		{"100", "1e2"},
		{"0.5", "5E-1"},
		{"-0", "0.0e99"},
		{"123456789012345678901", "1.23456789012345678901e20"},
		{"0.00120", "12e-4"},
		{"null", "null"},
	};
	static const char *const other[][2] = {
		{"1", "\"1\""},
		{"1", "-1"},
		{"9223372036854775808", "9223372036854775809"},
		{"1.5", "15"},
		{"10", "1"},
		{"[1]", "[1,1]"},
		{"{\"a\":null}", "{\"b\":null}"},
		{"{\"a\":1}", "{}"},
		{"true", "false"},
		{"\"a\"", "\"a\\u0000\""},
		{"null", "false"},
		{"1e400", "1e401"},
	};
	cox_autoarena arena = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (!value_equal(tree(&arena, same[i][0]), tree(&arena, same[i][1])))
			fail_msg("%s is not %s", same[i][0], same[i][1]);
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		if (value_equal(tree(&arena, other[i][0]), tree(&arena, other[i][1])))
			fail_msg("%s is %s", other[i][0], other[i][1]);
	assert_true(value_equal(NULL, NULL));
	assert_false(value_equal(NULL, tree(&arena, "null")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_changing),
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_equality),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
