/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Patch and JSON Merge Patch. */
#include "unit.h"

#include "machinery/json.h"
#include "machinery/jsonpatch.h"
#include "machinery/mergepatch.h"

#include <stdio.h>
#include <string.h>

static struct value *tree(struct arena *arena, const char *json)
{
	struct value *value = json_parse(arena, json, strlen(json), NULL, NULL);

	if (!value)
		fail_msg("%s", json);
	return value;
}

/* Document, patch, result or error. */
static const struct {
	const char *document, *patch, *result;
} json_patches[] = {
	/* the examples of RFC 6902, appendix A */
	{"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
	 "{\"foo\":\"bar\",\"baz\":\"qux\"}"},
	{"{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
	 "{\"foo\":[\"bar\",\"qux\",\"baz\"]}"},
	{"{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]",
	 "{\"foo\":\"bar\"}"},
	{"{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
	 "{\"foo\":[\"bar\",\"baz\"]}"},
	{"{\"baz\":\"qux\",\"foo\":\"bar\"}",
	 "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
	 "{\"baz\":\"boo\",\"foo\":\"bar\"}"},
	{"{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}",
	 "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"}]",
	 "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}"},
	{"{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
	 "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
	 "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}"},
	{"{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
	 "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},"
	 "{\"op\":\"test\",\"path\":\"/foo/1\",\"value\":2.0}]",
	 "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}"},
	{"{\"baz\":\"qux\"}", "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"bar\"}]",
	 "the JSON patch does not apply: operation 1 (test \"/baz\"): the value there is another "
	 "one"},
	{"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{\"g\":{}}}]",
	 "{\"foo\":\"bar\",\"child\":{\"g\":{}}}"},
	{"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":123}]",
	 "{\"foo\":\"bar\",\"baz\":\"qux\"}"},
	{"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":\"qux\"}]",
	 "the JSON patch does not apply: operation 1 (add \"/baz/bat\"): the path does not exist"},
	{"{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]",
	 "{\"/\":9,\"~1\":10}"},
	{"{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":\"10\"}]",
	 "the JSON patch does not apply: operation 1 (test \"/~01\"): the value there is another "
	 "one"},
	{"{\"foo\":[\"bar\"]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"a\"]}]",
	 "{\"foo\":[\"bar\",[\"a\"]]}"},
	/* escapes, empty keys, the root */
	{"{\"metadata\":{\"annotations\":{\"a/b\":\"1\"}}}",
	 "[{\"op\":\"replace\",\"path\":\"/metadata/annotations/a~1b\",\"value\":\"2\"}]",
	 "{\"metadata\":{\"annotations\":{\"a/b\":\"2\"}}}"},
	{"{\"\":{\"\":1}}", "[{\"op\":\"replace\",\"path\":\"//\",\"value\":null}]",
	 "{\"\":{\"\":null}}"},
	{"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"b\":2}}]", "{\"b\":2}"},
	{"{\"a\":1}",
	 "[{\"op\":\"add\",\"path\":\"\",\"value\":[]},"
	 "{\"op\":\"add\",\"path\":\"/0\",\"value\":1}]",
	 "[1]"},
	{"{\"a\":{\"b\":1}}",
	 "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/c\"},"
	 "{\"op\":\"replace\",\"path\":\"/a/c/b\",\"value\":2}]",
	 "{\"a\":{\"b\":1,\"c\":{\"b\":2}}}"},
	{"{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]", "{\"a\":1}"},
	{"{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"\"}]", "{\"b\":1}"},
	{"{\"a\":1}", "[]", "{\"a\":1}"},
	{"[1,2]", "[{\"op\":\"replace\",\"path\":\"/1\",\"value\":3}]", "[1,3]"},
	{"{\"a\":null}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":null}]", "{\"a\":null}"},
	/* what does not apply */
	{"{}", "[{\"op\":\"remove\",\"path\":\"/a\"}]",
	 "the JSON patch does not apply: operation 1 (remove \"/a\"): the path does not exist"},
	{"{}", "[{\"op\":\"remove\",\"path\":\"\"}]",
	 "the JSON patch does not apply: operation 1 (remove \"\"): the whole document cannot be "
	 "removed"},
	{"{}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]",
	 "the JSON patch does not apply: operation 1 (replace \"/a\"): the path does not exist"},
	{"{}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":null}]",
	 "the JSON patch does not apply: operation 1 (test \"/a\"): the path does not exist"},
	{"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":1}]",
	 "the JSON patch does not apply: operation 1 (add \"/a/b\"): the path leads into a plain "
	 "value"},
	{"{\"a\":{}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]",
	 "the JSON patch does not apply: operation 1 (move \"/a/b\"): a value cannot be moved into "
	 "itself"},
	{"{\"a\":{}}", "[{\"op\":\"copy\",\"from\":\"/b\",\"path\":\"/c\"}]",
	 "the JSON patch does not apply: operation 1 (copy \"/c\"): the path in \"from\" does not "
	 "exist"},
	{"[1]", "[{\"op\":\"add\",\"path\":\"/2\",\"value\":1}]",
	 "the JSON patch does not apply: operation 1 (add \"/2\"): the index is beyond the end of "
	 "the list"},
	{"[1]", "[{\"op\":\"replace\",\"path\":\"/1\",\"value\":1}]",
	 "the JSON patch does not apply: operation 1 (replace \"/1\"): the index is beyond the end "
	 "of the list"},
	{"[1]", "[{\"op\":\"remove\",\"path\":\"/-\"}]",
	 "the JSON patch does not apply: operation 1 (remove \"/-\"): there is nothing at \"-\""},
	{"[1]", "[{\"op\":\"remove\",\"path\":\"/00\"}]",
	 "the JSON patch does not apply: operation 1 (remove \"/00\"): the path has no valid index "
	 "of a list"},
	{"[1]", "[{\"op\":\"remove\",\"path\":\"/-1\"}]",
	 "the JSON patch does not apply: operation 1 (remove \"/-1\"): the path has no valid index "
	 "of a list"},
	/* what is no patch */
	{"{}", "{}", "invalid JSON patch: it must be a list of operations"},
	{"{}", "[1]", "invalid JSON patch: operation 1: it must be an object"},
	{"{}", "[{}]", "invalid JSON patch: operation 1: \"op\" must be a string"},
	{"{}", "[{\"op\":\"add\",\"value\":1}]",
	 "invalid JSON patch: operation 1: \"path\" must be a string"},
	{"{}", "[{\"op\":\"add\",\"path\":\"/a\"}]",
	 "invalid JSON patch: operation 1: \"value\" is missing"},
	{"{}", "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]",
	 "invalid JSON patch: operation 1: a path must be empty or begin with /"},
	{"{}", "[{\"op\":\"move\",\"path\":\"/a\"}]",
	 "invalid JSON patch: operation 1: \"from\" must be a string"},
	{"{}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":1},{\"op\":\"put\",\"path\":\"/a\"}]",
	 "invalid JSON patch: operation 2: \"op\" must be add, remove, replace, move, copy or "
	 "test"},
	{"{\"~2\":1}", "[{\"op\":\"remove\",\"path\":\"/~2\"}]",
	 "invalid JSON patch: operation 1: a path has ~ without 0 or 1 behind it"},
	{"{\"~\":1}", "[{\"op\":\"remove\",\"path\":\"/~\"}]",
	 "invalid JSON patch: operation 1: a path has ~ without 0 or 1 behind it"},
};

static void test_json_patch(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(json_patches) / sizeof(json_patches[0]); i++) {
		cox_autoarena arena = ARENA_INIT;
		cox_autoerror err = COX_ERROR_INIT;
		cox_autobuf out = COX_BUF_INIT;
		struct value *result =
			jsonpatch_apply(&arena, tree(&arena, json_patches[i].document),
					tree(&arena, json_patches[i].patch), &err);

		if (result)
			json_write(&out, result, 0);
		assert_string_equal(result ? cox_buf_cstr(&out) : error_text(&err),
				    json_patches[i].result);
		if (!result)
			assert_int_equal(err.reason, strncmp(error_text(&err), "inv", 3) == 0
							     ? COX_REASON_BAD_REQUEST
							     : COX_REASON_INVALID);
	}
}

/* Small patches that would make much of little. */
static void test_json_patch_bounds(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf patch = COX_BUF_INIT;

	(void)state;
	/* doubling */
	cox_buf_char(&patch, '[');
	for (int i = 0; i < 40; i++)
		cox_buf_printf(&patch, "%s{\"op\":\"copy\",\"from\":\"\",\"path\":\"/k%d\"}",
			       i ? "," : "", i);
	cox_buf_char(&patch, ']');
	assert_null(jsonpatch_apply(&arena, tree(&arena, "{\"a\":{\"b\":1}}"),
				    tree(&arena, patch.data), &err));
	assert_string_equal(error_text(&err),
			    "the JSON patch is too large: it copies more than 16777216 bytes");
	assert_int_equal(error_http_code(err.reason), 413);
	/* nesting by one level an operation */
	cox_buf_clear(&patch);
	cox_buf_char(&patch, '[');
	for (int i = 0; i < 300; i++)
		cox_buf_printf(&patch,
			       "%s{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/t\"},"
			       "{\"op\":\"add\",\"path\":\"/a\",\"value\":{}},"
			       "{\"op\":\"move\",\"from\":\"/t\",\"path\":\"/a/a\"}",
			       i ? "," : "");
	cox_buf_char(&patch, ']');
	assert_null(jsonpatch_apply(&arena, tree(&arena, "{\"a\":{}}"), tree(&arena, patch.data),
				    &err));
	assert_string_equal(error_text(&err),
			    "the JSON patch does not apply: operation 765 (move \"/a/a\"): the "
			    "result would be nested too deeply");
	/* too many */
	cox_buf_clear(&patch);
	cox_buf_char(&patch, '[');
	for (int i = 0; i <= JSONPATCH_OPERATIONS_MAX; i++)
		cox_buf_str(&patch, i ? ",0" : "0");
	cox_buf_char(&patch, ']');
	assert_null(jsonpatch_apply(&arena, tree(&arena, "{}"), tree(&arena, patch.data), &err));
	assert_string_equal(error_text(&err), "The allowed maximum operations in a JSON patch is "
					      "10000, got 10001");
	assert_int_equal(error_http_code(err.reason), 413);
}

static void test_merge_patch(void **state)
{
	/* RFC 7386, appendix A, and two of our own */
	static const char *const cases[][3] = {
		{"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
		{"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
		{"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
		{"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
		 "{\"a\":{\"b\":\"d\"}}"},
		{"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
		{"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
		{"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
		{"{\"a\":\"foo\"}", "null", "null"},
		{"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
		{"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
		{"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
		{"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
		{"{}", "{\"a\":[{\"b\":null}]}", "{\"a\":[{\"b\":null}]}"},
		{"{\"a\":1,\"b\":2,\"c\":3}", "{\"c\":null,\"a\":null,\"b\":{\"x\":1}}",
		 "{\"b\":{\"x\":1}}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cox_autoarena arena = ARENA_INIT;
		cox_autobuf out = COX_BUF_INIT;

		json_write(&out,
			   mergepatch_apply(&arena, tree(&arena, cases[i][0]),
					    tree(&arena, cases[i][1])),
			   0);
		assert_string_equal(cox_buf_cstr(&out), cases[i][2]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_patch),
		cmocka_unit_test(test_json_patch_bounds),
		cmocka_unit_test(test_merge_patch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
