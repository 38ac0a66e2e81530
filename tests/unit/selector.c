/* SPDX-License-Identifier: Apache-2.0 */
/* Label sets, label selectors from all three sources, field selectors. */
#include "unit.h"

#include "machinery/selector.h"

#include <coxswain/kit/cleanup.h>

#include <stdlib.h>
#include <string.h>

static struct value *tree(struct arena *arena, const char *json)
{
	struct value *value = json_parse(arena, json, strlen(json), NULL, NULL);

	assert_non_null(value);
	return value;
}

static void test_label_set(void **state)
{
	static const char text[] = "{\"b\":\"2\",\"a\\u0062\":\"\\\"\",\"a\":\"\",\"n\":5,"
				   "\"z\\u0000\":\"1\",\"l\":[\"x\"]}tail";
	static const char packed[] = "a\0\0ab\0\"\0b\0"
				     "2";
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf from_tree = COX_BUF_INIT, from_json = COX_BUF_INIT;
	struct json_reader reader;
	struct label_set set;
	const char *key, *value;
	uint32_t at = 0;

	(void)state;
	label_set_pack(&from_tree,
		       json_parse(&arena, text, sizeof(text) - 1 - strlen("tail"), NULL, NULL));
	assert_int_equal(from_tree.size, sizeof(packed));
	assert_memory_equal(from_tree.data, packed, sizeof(packed));
	json_reader_init(&reader, text, sizeof(text) - 1);
	assert_int_equal(json_next(&reader), JSON_OBJECT_BEGIN);
	assert_int_equal(label_set_pack_json(&from_json, &reader), 0);
	assert_string_equal(text + reader.at, "tail");
	assert_int_equal(from_json.size, sizeof(packed));
	assert_memory_equal(from_json.data, packed, sizeof(packed));
	set = (struct label_set){from_json.data, (uint32_t)from_json.size};
	assert_string_equal(label_set_get(&set, "ab"), "\"");
	assert_string_equal(label_set_get(&set, "a"), "");
	assert_null(label_set_get(&set, "aa"));
	assert_null(label_set_get(&set, "z"));
	assert_true(label_set_next(&set, &at, &key, &value));
	assert_true(label_set_next(&set, &at, &key, &value));
	assert_string_equal(key, "ab");
	assert_true(label_set_next(&set, &at, &key, &value));
	assert_false(label_set_next(&set, &at, &key, &value));
	json_reader_init(&reader, "{\"a\":\"b\",}", 10);
	assert_int_equal(json_next(&reader), JSON_OBJECT_BEGIN);
	assert_int_equal(label_set_pack_json(&from_json, &reader), -1);
	at = 0;
	set = (struct label_set){NULL, 0};
	assert_false(label_set_next(&set, &at, &key, &value));
}

/* Selector, labels, whether they match. */
static const struct {
	const char *selector, *labels;
	bool match;
} matching[] = {
	{"", "{}", true},
	{"", "null", true},
	{"a=b", "{\"a\":\"b\"}", true},
	{"a==b", "{\"a\":\"b\"}", true},
	{" a = b ", "{\"a\":\"b\"}", true},
	{"a=b", "{\"a\":\"c\"}", false},
	{"a=b", "{}", false},
	{"a=", "{\"a\":\"\"}", true},
	{"a=,b=1", "{\"a\":\"\",\"b\":\"1\"}", true},
	{"a=", "{}", false},
	{"a!=b", "{}", true},
	{"a!=b", "{\"a\":\"b\"}", false},
	{"a!=b", "{\"a\":\"c\"}", true},
	{"a", "{\"a\":\"\"}", true},
	{"a", "{\"b\":\"\"}", false},
	{"!a", "{\"b\":\"\"}", true},
	{"!a", "{\"a\":\"x\"}", false},
	{"a in (x,y)", "{\"a\":\"y\"}", true},
	{"a in (x, y ,x)", "{\"a\":\"z\"}", false},
	{"a in (,y)", "{\"a\":\"\"}", true},
	{"a in (,,)", "{\"a\":\"\"}", true},
	{"a in (y,)", "{\"a\":\"\"}", true},
	{"a in (in,notin)", "{\"a\":\"in\"}", true},
	{"in in (x)", "{\"in\":\"x\"}", true},
	{"a notin (x,y)", "{\"a\":\"y\"}", false},
	{"a notin (x,y)", "{}", true},
	{"a>5", "{\"a\":\"6\"}", true},
	{"a>5", "{\"a\":\"5\"}", false},
	{"a>5", "{\"a\":\"x\"}", false},
	{"a>5", "{}", false},
	{"a<7", "{\"a\":\"-6\"}", true},
	{"a=b,c in (d),!e", "{\"a\":\"b\",\"c\":\"d\"}", true},
	{"a=b,c in (d),!e", "{\"a\":\"b\",\"c\":\"d\",\"e\":\"\"}", false},
	{"a=b,a!=b", "{\"a\":\"b\"}", false},
	{"example.com/a_b.c=D-1", "{\"example.com/a_b.c\":\"D-1\"}", true},
};

static void test_matching(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(matching) / sizeof(matching[0]); i++) {
		cox_autoarena arena = ARENA_INIT;
		cox_autoerror err = COX_ERROR_INIT;
		cox_autobuf packed = COX_BUF_INIT, again = COX_BUF_INIT, first = COX_BUF_INIT;
		cox_autofree struct label_selector *selector = label_selector_parse(
			matching[i].selector, strlen(matching[i].selector), &err);
		struct value *labels = tree(&arena, matching[i].labels);
		struct label_set set;

		if (!selector)
			fail_msg("%s: %s", matching[i].selector, error_text(&err));
		label_set_pack(&packed, labels);
		set = (struct label_set){packed.data, (uint32_t)packed.size};
		if (label_selector_matches(selector, &set) != matching[i].match ||
		    label_selector_matches_tree(selector, labels) != matching[i].match)
			fail_msg("%s of %s", matching[i].selector, matching[i].labels);
		/* the text form means the same */
		label_selector_format(selector, &first);
		free(selector);
		selector = label_selector_parse(cox_buf_cstr(&first), first.size, &err);
		assert_non_null(selector);
		label_selector_format(selector, &again);
		assert_string_equal(cox_buf_cstr(&first), cox_buf_cstr(&again));
		assert_int_equal(label_selector_matches(selector, &set), matching[i].match);
	}
	assert_true(label_selector_matches(NULL, &(struct label_set){NULL, 0}));
}

#define NAME_RULE                                                                                  \
	"name part must consist of alphanumeric characters, '-', '_' or '.', and must start "      \
	"and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "               \
	"'123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
#define VALUE_RULE                                                                                 \
	"a valid label must be an empty string or consist of alphanumeric characters, '-', "       \
	"'_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  "     \
	"or 'my_value',  or '12345', regex used for validation is "                                \
	"'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

static const struct {
	const char *text, *error;
} bad[] = {
	{",", "found ',', expected: !, identifier, or 'end of string'"},
	{"a,", "found '', expected: identifier after ','"},
	{"a,,b", "found ',', expected: identifier after ','"},
	{"=b", "found '=', expected: !, identifier, or 'end of string'"},
	{"a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"},
	{"a=b c", "found 'c', expected: ',' or 'end of string'"},
	{"a in b", "unable to parse requirement: found 'b', expected: '('"},
	{"a in (b", "unable to parse requirement: found '', expected: ',' or ')'"},
	{"a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"},
	{"a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"},
	{"a in ()", "unable to parse requirement: values: Invalid value: \"\": for 'in', 'notin' "
		    "operators, values set can't be empty"},
	{"!", "unable to parse requirement: found '', expected: identifier"},
	{"!a=b", "found '=', expected: ',' or 'end of string'"},
	{"a=!b", "unable to parse requirement: found '!', expected: identifier"},
	{"a===b", "unable to parse requirement: found '=', expected: identifier"},
	{"a>x", "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' "
		"operators, the value must be an integer"},
	{"a$=b", "unable to parse requirement: key: Invalid value: \"a$\": " NAME_RULE},
	{"a=-b", "unable to parse requirement: values[0]: Invalid value: \"-b\": " VALUE_RULE},
	{"a in (x,-b)",
	 "unable to parse requirement: values[0]: Invalid value: \"-b\": " VALUE_RULE},
};

static void test_bad(void **state)
{
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(label_selector_parse(bad[i].text, strlen(bad[i].text), &err));
		assert_string_equal(error_text(&err), bad[i].error);
		assert_int_equal(err.reason, COX_REASON_BAD_REQUEST);
	}
	assert_null(label_selector_parse("a\0b", 3, &err));
	assert_string_equal(error_text(&err), "a selector must not contain a zero byte");
}

static void assert_object(const char *json, const char *wanted)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf out = COX_BUF_INIT;
	cox_autofree struct label_selector *selector =
		label_selector_from_object(tree(&arena, json), &err);

	if (selector)
		label_selector_format(selector, &out);
	assert_string_equal(selector ? cox_buf_cstr(&out) : error_text(&err), wanted);
}

static void test_objects(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autofree struct label_selector *nothing = label_selector_from_object(NULL, NULL);
	cox_autofree struct label_selector *everything =
		label_selector_from_object(tree(&arena, "{}"), NULL);
	cox_autofree struct label_selector *map =
		label_selector_from_map(tree(&arena, "{\"b\":\"2\",\"a\":\"1\"}"), NULL);
	cox_autofree struct label_selector *none = label_selector_from_map(NULL, NULL);
	cox_autobuf out = COX_BUF_INIT;

	(void)state;
	assert_false(label_selector_matches_tree(nothing, tree(&arena, "{}")));
	assert_false(label_selector_is_everything(nothing));
	assert_true(label_selector_matches_tree(everything, NULL));
	assert_true(label_selector_is_everything(everything));
	assert_true(label_selector_is_everything(none));
	label_selector_format(map, &out);
	assert_string_equal(cox_buf_cstr(&out), "a=1,b=2");
	assert_string_equal(label_selector_equality(map, "b"), "2");
	assert_null(label_selector_equality(map, "c"));
	assert_object("{\"matchLabels\":{\"z\":\"1\"},\"matchExpressions\":[{\"key\":\"a\","
		      "\"operator\":\"In\",\"values\":[\"y\",\"x\",\"y\"]},{\"key\":\"b\","
		      "\"operator\":\"DoesNotExist\"},{\"key\":\"c\",\"operator\":\"NotIn\","
		      "\"values\":[\"v\"]},{\"key\":\"d\",\"operator\":\"Exists\","
		      "\"values\":null}]}",
		      "a in (x,y),!b,c notin (v),d,z=1");
	assert_object("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Gt\","
		      "\"values\":[\"1\"]}]}",
		      "\"Gt\" is not a valid label selector operator");
	assert_object("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\"}]}",
		      "values: Invalid value: \"\": for 'in', 'notin' operators, values set can't "
		      "be empty");
	assert_object("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\","
		      "\"values\":[\"x\"]}]}",
		      "values: Invalid value: \"\": values set must be empty for exists and does "
		      "not exist");
	assert_object("{\"matchExpressions\":[{\"operator\":\"Exists\"}]}",
		      "invalid label selector: matchExpressions need a key and an operator");
	assert_object("{\"matchLabels\":{\"a\":1}}",
		      "invalid label selector: matchLabels must be a map of strings");
	assert_object("{\"matchLabels\":{\"a\":\"x\\u0000\"}}",
		      "invalid label selector: matchLabels must be a map of strings");
	assert_object("[]", "invalid label selector: it must be an object");
}

static const char *get_field(void *context, const char *field)
{
	return value_get_text(context, field);
}

static void test_fields(void **state)
{
	static const struct {
		const char *selector, *fields;
		bool match;
	} cases[] = {
		{"", "{}", true},
		{"metadata.name=a", "{\"metadata.name\":\"a\"}", true},
		{"metadata.name==a", "{\"metadata.name\":\"a\"}", true},
		{"metadata.name!=a", "{\"metadata.name\":\"a\"}", false},
		{"metadata.name!=a", "{}", true},
		{"spec.nodeName=", "{}", true},
		{"spec.nodeName=n,status.phase!=Failed,", "{\"spec.nodeName\":\"n\"}", true},
		{"a=x\\,y\\=z\\\\", "{\"a\":\"x,y=z\\\\\"}", true},
		{"a= b", "{\"a\":\"b\"}", false},
		{",,a=b,,", "{\"a\":\"b\"}", true},
	};
	static const char *const wrong[][2] = {
		{"a", "invalid selector: 'a'; can't understand it: expected field=value, "
		      "field==value or field!=value"},
		{"a=b,c", "invalid selector: 'c'; can't understand it: expected field=value, "
			  "field==value or field!=value"},
		{"a=b=c", "invalid field selector: unescaped character in value: ="},
		{"a=b\\c", "invalid field selector: invalid escape sequence: \\c"},
		{"a=b\\", "invalid field selector: invalid escape sequence: \\"},
	};
	cox_autoerror err = COX_ERROR_INIT;
	struct field_selector *selector;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cox_autoarena arena = ARENA_INIT;
		cox_autobuf out = COX_BUF_INIT;

		selector = field_selector_parse(cases[i].selector, strlen(cases[i].selector), &err);
		if (!selector)
			fail_msg("%s: %s", cases[i].selector, error_text(&err));
		if (field_selector_matches(selector, get_field, tree(&arena, cases[i].fields)) !=
		    cases[i].match)
			fail_msg("%s of %s", cases[i].selector, cases[i].fields);
		field_selector_format(selector, &out);
		free(selector);
		selector = field_selector_parse(cox_buf_cstr(&out), out.size, &err);
		assert_non_null(selector);
		assert_int_equal(
			field_selector_matches(selector, get_field, tree(&arena, cases[i].fields)),
			cases[i].match);
		free(selector);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_null(field_selector_parse(wrong[i][0], strlen(wrong[i][0]), &err));
		assert_string_equal(error_text(&err), wrong[i][1]);
		assert_int_equal(err.reason, COX_REASON_BAD_REQUEST);
	}
	selector = field_selector_parse("metadata.name!=a,spec.nodeName=n1", 33, &err);
	assert_string_equal(field_selector_equality(selector, "spec.nodeName"), "n1");
	assert_null(field_selector_equality(selector, "metadata.name"));
	free(selector);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_label_set), cmocka_unit_test(test_matching),
		cmocka_unit_test(test_bad),	  cmocka_unit_test(test_objects),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
