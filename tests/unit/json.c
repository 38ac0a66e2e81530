/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what is taken, what is refused in which words, the reader, the writer. */
#include "unit.h"

#include "machinery/json.h"
#include "machinery/json_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *text;
	const char *written; /* NULL: as it came */
} good[] = {
	{"null", NULL},
	{" \t\r\n[ ] ", "[]"},
	{"{}", NULL},
	{"[1,-1,0,9223372036854775807,-9223372036854775808]", NULL},
	{"[9223372036854775808,1.50,1e5,-0.1E-2,-0]", "[9223372036854775808,1.50,1e5,-0.1E-2,0]"},
	{"{\"a\" : { \"b\" : [ true , false , null ] } }", "{\"a\":{\"b\":[true,false,null]}}"},
	{"\"\\u0041\\n\\t\\r\\b\\f\\/\\\\\\\"\"", "\"A\\n\\t\\r\\b\\f/\\\\\\\"\""},
	{"\"\\u00e9\\u20ac\\ud83d\\ude00\"", "\"é€😀\""},
	{"\"\\u2028<&>\"", "\"\\u2028\\u003c\\u0026\\u003e\""},
	{"\"x\\u0000y\"", NULL},
	{"[[],[[]],{\"a\":[]},[{}]]", NULL},
	{"\"a long text without anything special, and then é, more, and \\\\ the end\"", NULL},
	{"{\"\":\"\"}", NULL},
};

static const struct {
	const char *text;
	const char *error;
} bad[] = {
	{"", "line 1, column 1 (byte 0): found the end of the text: expected a value"},
	{"{", "line 1, column 2 (byte 1): found the end of the text: expected a key in double "
	      "quotes (U+0022) or '}'"},
	{"{\"a\":1,}",
	 "line 1, column 8 (byte 7): found '}': expected a key in double quotes (U+0022)"},
	{"[1,]", "line 1, column 4 (byte 3): found ']': expected a value"},
	{"[1 2]", "line 1, column 4 (byte 3): found '2': expected ',' or ']'"},
	{"{\"a\" 1}", "line 1, column 6 (byte 5): found '1': expected ':' after the key"},
	{"{\"a\":1]", "line 1, column 7 (byte 6): found ']': expected ',' or '}'"},
	{"nul", "line 1, column 4 (byte 3): found the end of the text: expected a value"},
	{"NaN", "line 1, column 1 (byte 0): found 'N': expected a value"},
	{"01", "line 1, column 2 (byte 1): found '1': a number must not begin with a zero"},
	{"-", "line 1, column 2 (byte 1): found the end of the text: expected a digit"},
	{"1.", "line 1, column 3 (byte 2): found the end of the text: expected a digit"},
	{"1e+", "line 1, column 4 (byte 3): found the end of the text: expected a digit"},
	{".5", "line 1, column 1 (byte 0): found '.': expected a value"},
	{"+1", "line 1, column 1 (byte 0): found '+': expected a value"},
	{"1 x", "line 1, column 3 (byte 2): found 'x': expected nothing more after the document"},
	{"'a'", "line 1, column 1 (byte 0): found ''': expected a value"},
	{"// c\n1", "line 1, column 1 (byte 0): found '/': expected a value"},
	{"\"a", "line 1, column 3 (byte 2): found the end of the text: expected the closing quote "
		"of the string"},
	{"\"a\nb\"", "line 1, column 3 (byte 2): found a line break: not allowed inside a string, "
		     "write an escape"},
	{"\"a\\x\"", "line 1, column 4 (byte 3): found 'x': expected one of \" \\ / b f n r t u "
		     "after a backslash"},
	{"\"\\u12g4\"", "line 1, column 6 (byte 5): found 'g': expected four hexadecimal digits "
			"after \\u"},
	{"\"\\ud800\"", "line 1, column 2 (byte 1): found '\\': half of a surrogate pair stands "
			"alone"},
	{"\"\\udc00x\"", "line 1, column 2 (byte 1): found '\\': half of a surrogate pair stands "
			 "alone"},
	{"\"\\ud800\\u0041\"", "line 1, column 2 (byte 1): found '\\': half of a surrogate pair "
			       "stands alone"},
	{"\"\xc0\xaf\"", "line 1, column 2 (byte 1): found byte 0xc0 (not UTF-8): strings must be "
			 "UTF-8"},
	{"\"\xed\xa0\x80\"", "line 1, column 2 (byte 1): found byte 0xed (not UTF-8): strings must "
			     "be UTF-8"},
	{"\"\xe2\x82\"", "line 1, column 2 (byte 1): found byte 0xe2 (not UTF-8): strings must be "
			 "UTF-8"},
	{"{\"spec\":1,\n “image”:2}",
	 "line 2, column 2 (byte 12): found “ (U+201C, a left typographic quote): expected a key "
	 "in double quotes (U+0022)"},
	{"‘{“spec”", "line 1, column 1 (byte 0): found ‘ (U+2018, a left single typographic "
		     "quote): expected a value"},
	{"{\"é\":\xc2\xa0 1}",
	 "line 1, column 6 (byte 6): found \xc2\xa0 (U+00A0, a no-break space): expected a value"},
	{"\xef\xbb\xbf{}", "line 1, column 1 (byte 0): found \xef\xbb\xbf (U+FEFF, a byte order "
			   "mark): expected a value"},
};

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cox_autoarena arena = ARENA_INIT;
		cox_autoerror err = COX_ERROR_INIT;
		cox_autobuf out = COX_BUF_INIT;
		struct value *value =
			json_parse(&arena, good[i].text, strlen(good[i].text), NULL, &err);

		if (!value)
			fail_msg("%s: %s", good[i].text, error_text(&err));
		json_write(&out, value, 0);
		assert_string_equal(cox_buf_cstr(&out),
				    good[i].written ? good[i].written : good[i].text);
	}
}

/* Skips a whole document; JSON_END or JSON_BAD. */
static enum json_token skip_all(struct json_reader *reader)
{
	enum json_token token = json_next(reader);

	if (token == JSON_BAD || json_skip(reader) != 0)
		return JSON_BAD;
	return json_next(reader);
}

static enum json_token read_all(struct json_reader *reader)
{
	enum json_token token;

	while ((token = json_next(reader)) != JSON_END && token != JSON_BAD)
		;
	return token;
}

/* Tree, reader and skip must agree, in the place of the error too. */
static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cox_autoarena arena = ARENA_INIT;
		cox_autoerror err = COX_ERROR_INIT;
		struct json_reader reader;
		/* exactly as long as it is, so that a sanitizer sees a read beyond */
		size_t size = strlen(bad[i].text);
		char *exact = malloc(size ? size : 1);
		char wanted[256];

		memcpy(exact, bad[i].text, size);
		snprintf(wanted, sizeof(wanted), "invalid JSON at %s", bad[i].error);
		assert_null(json_parse(&arena, exact, size, NULL, &err));
		assert_string_equal(error_text(&err), wanted);
		assert_int_equal(err.reason, COX_REASON_BAD_REQUEST);
		json_reader_init(&reader, exact, size);
		assert_int_equal(read_all(&reader), JSON_BAD);
		json_reader_error(&reader, &err);
		assert_string_equal(error_text(&err), wanted);
		assert_int_equal(json_next(&reader), JSON_BAD);
		json_reader_init(&reader, exact, size);
		assert_int_equal(skip_all(&reader), JSON_BAD);
		json_reader_error(&reader, &err);
		assert_string_equal(error_text(&err), wanted);
		free(exact);
	}
}

static void test_depth(void **state)
{
	(void)state;
	for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
		cox_autoarena arena = ARENA_INIT;
		cox_autoerror err = COX_ERROR_INIT;
		cox_autobuf text = COX_BUF_INIT;
		struct json_reader reader;
		bool fits = depth == JSON_DEPTH_MAX;

		for (size_t i = 0; i < depth; i++)
			cox_buf_str(&text, i % 2 ? "{\"a\":" : "[");
		cox_buf_char(&text, '1');
		for (size_t i = depth; i > 0; i--)
			cox_buf_char(&text, i % 2 ? ']' : '}');
		assert_int_equal(json_parse(&arena, text.data, text.size, NULL, &err) != NULL,
				 fits);
		json_reader_init(&reader, text.data, text.size);
		assert_int_equal(read_all(&reader), fits ? JSON_END : JSON_BAD);
		json_reader_init(&reader, text.data, text.size);
		assert_int_equal(skip_all(&reader), fits ? JSON_END : JSON_BAD);
		if (!fits)
			assert_non_null(strstr(error_text(&err), "nested too deeply (256 levels"));
	}
}

struct heard {
	struct json_duplicates base;
	struct cox_buf paths;
};

static void hear(struct json_duplicates *base, const char *path)
{
	struct heard *heard = (struct heard *)base;

	cox_buf_printf(&heard->paths, "%s;", path);
}

static void test_duplicates(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf many = COX_BUF_INIT, out = COX_BUF_INIT;
	struct heard heard = {{hear}, COX_BUF_INIT};
	static const char text[] = "{\"spec\":{\"containers\":[{},{\"name\":\"a\",\"image\":1,"
				   "\"name\":\"b\",\"name\":\"c\"}]},\"spec2\":1,\"spec2\":2}";
	struct value *value;

	(void)state;
	value = json_parse(&arena, text, sizeof(text) - 1, &heard.base, NULL);
	json_write(&out, value, 0);
	assert_string_equal(cox_buf_cstr(&out),
			    "{\"spec\":{\"containers\":[{},{\"name\":\"c\",\"image\":1}]},"
			    "\"spec2\":2}");
	assert_string_equal(heard.paths.data,
			    "spec.containers[1].name;spec.containers[1].name;spec2;");
	cox_buf_clear(&heard.paths);
	/* many members take the other way */
	for (int i = 0; i < 200; i++)
		cox_buf_printf(&many, "%c\"k%d\":%d", i ? ',' : '{', i * 7 % 197, i);
	cox_buf_char(&many, '}');
	value = json_parse(&arena, many.data, many.size, &heard.base, NULL);
	assert_int_equal(value->count, 197);
	assert_int_equal(value_get_int(value, "k0", -1), 197);
	assert_int_equal(value_get_int(value, "k7", -1), 198);
	assert_int_equal(value_get_int(value, "k15", -1), 171);
	assert_string_equal(heard.paths.data, "k0;k14;k7;");
	cox_buf_free(&heard.paths);
}

static void test_reader(void **state)
{
	static const char text[] =
		"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\\\"b\",\"l\":[{},[1]]},\"n\":12}";
	struct json_reader reader;
	char plain[8];

	(void)state;
	json_reader_init(&reader, text, sizeof(text) - 1);
	assert_int_equal(json_next(&reader), JSON_OBJECT_BEGIN);
	assert_int_equal(json_next(&reader), JSON_KEY);
	assert_memory_equal(reader.text, "kind", reader.text_size);
	assert_int_equal(json_skip(&reader), 0);
	assert_memory_equal(text + reader.start, "\"Pod\"", reader.at - reader.start);
	assert_int_equal(json_next(&reader), JSON_KEY);
	assert_int_equal(json_next(&reader), JSON_OBJECT_BEGIN);
	assert_memory_equal(text + reader.start, "{\"name", 6);
	assert_int_equal(json_next(&reader), JSON_KEY);
	assert_int_equal(json_next(&reader), JSON_STRING);
	assert_true(reader.escaped);
	assert_int_equal(json_unescape(reader.text, reader.text_size, plain), 3);
	assert_memory_equal(plain, "a\"b", 3);
	assert_int_equal(json_next(&reader), JSON_KEY);
	assert_int_equal(json_next(&reader), JSON_ARRAY_BEGIN);
	assert_int_equal(json_skip(&reader), 0);
	assert_memory_equal(text + reader.at - 2, "]]}", 3);
	assert_int_equal(json_next(&reader), JSON_OBJECT_END);
	assert_int_equal(json_next(&reader), JSON_KEY);
	assert_int_equal(json_next(&reader), JSON_NUMBER);
	assert_int_equal(reader.text_size, 2);
	assert_int_equal(json_next(&reader), JSON_OBJECT_END);
	assert_int_equal(json_next(&reader), JSON_END);
	assert_int_equal(json_next(&reader), JSON_END);
}

static void test_pretty(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf out = COX_BUF_INIT;
	static const char text[] = "{\"a\":[1,{\"b\":{}}],\"c\":[]}";

	(void)state;
	json_write(&out, json_parse(&arena, text, sizeof(text) - 1, NULL, NULL), JSON_WRITE_PRETTY);
	assert_string_equal(cox_buf_cstr(&out), "{\n  \"a\": [\n    1,\n    {\n      \"b\": {}\n"
						"    }\n  ],\n  \"c\": []\n}");
}

/* Where a value ends, found without reading it, wherever it lies between the blocks. */
static void test_jump(void **state)
{
	static const char *const values[] = {
		"{}",
		"[]",
		"[[],{},[{}]]",
		"{\"a\":\"}\",\"b\":[\"]\",\"{[\"]}",
		"{\"\\\\\":\"\\\"}\"}",
		"[\"\\\\\\\\\\\\\\\\\",\"\\\\\\\\\\\\\\\"]\"]",
		"{\"k:{\\\"name\\\":\\\"web\\\"}\":{\".\":{},\"f:image\":{}}}",
		"[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		for (size_t before = 0; before < 130; before++) {
			size_t size = strlen(values[i]), all = before + size + 6;
			char *text = malloc(all); /* without a byte behind */

			assert_non_null(text);
			text[0] = '[';
			memset(text + 1, '1', before);
			memcpy(text + 1 + before, values[i], size);
			memcpy(text + 1 + before + size, ",[\"]]", 5);
			assert_ptr_equal(json_jump(text + 1 + before, text + all),
					 text + 1 + before + size);
			assert_ptr_equal(json_jump(text + 1 + before, text + 1 + before + size),
					 text + 1 + before + size);
			assert_null(json_jump(text, text + 1 + before + size));
			if (size > 2)
				assert_null(json_jump(text + 1 + before, text + before + size));
			free(text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),   cmocka_unit_test(test_bad),
		cmocka_unit_test(test_depth),  cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_reader), cmocka_unit_test(test_pretty),
		cmocka_unit_test(test_jump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
