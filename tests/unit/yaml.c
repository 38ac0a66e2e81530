/* SPDX-License-Identifier: Apache-2.0 */
/* YAML bodies: typing, structure, bounds, and the characters that look right. */
#include "unit.h"

#include "machinery/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct heard {
	struct json_duplicates base;
	struct cox_buf paths;
};

static void hear(struct json_duplicates *base, const char *path)
{
	cox_buf_printf(&((struct heard *)base)->paths, "%s;", path);
}

/* The JSON form of a text, or the error. */
static void assert_yaml(const char *text, const char *wanted)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf out = COX_BUF_INIT;
	size_t size = strlen(text);
	char *exact = malloc(size ? size : 1);
	struct value *value;

	memcpy(exact, text, size);
	value = yaml_parse(&arena, exact, size, NULL, &err);
	if (value)
		json_write(&out, value, 0);
	else
		assert_int_equal(err.reason, COX_REASON_BAD_REQUEST);
	assert_string_equal(value ? cox_buf_cstr(&out) : error_text(&err), wanted);
	free(exact);
}

static void test_typing(void **state)
{
	static const char *const cases[][2] = {
		{"", "null"},
		{"~", "null"},
		{"a:", "{\"a\":null}"},
		{"[null, Null, '', \"null\"]", "[null,null,\"\",\"null\"]"},
		{"[true, no, Yes, off, 'yes', \"true\", yess]",
		 "[true,false,true,false,\"yes\",\"true\",\"yess\"]"},
		{"[1, -1, +1, 0, 0x1F, 0o17, 017, 0b11, 1_000]", "[1,-1,1,0,31,15,15,3,1000]"},
		{"[9223372036854775807, 9223372036854775808, -9223372036854775808]",
		 "[9223372036854775807,9223372036854775808,-9223372036854775808]"},
		{"[123456789012345678901234]", "[123456789012345678901234]"},
		{"[1.5, .5, 5., -0.5e-3, 1e3, 089]", "[1.5,0.5,5.0,-0.5e-3,1e3,89]"},
		{"[1.2.3, 1a, ., -, +, 0x, 08:30, 2026-01-01, 1Gi, 100m]",
		 "[\"1.2.3\",\"1a\",\".\",\"-\",\"+\",\"0x\",\"08:30\",\"2026-01-01\",\"1Gi\","
		 "\"100m\"]"},
		{"[!!str 5, !!int \"5\", !!binary aGk=, ! 5, !!float 5]",
		 "[\"5\",5,\"aGk=\",\"5\",5]"},
		{"{1: a, true: b, y: 1, ~: c}", "{\"1\":\"a\",\"true\":\"b\",\"y\":1,\"~\":\"c\"}"},
		{"a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{\"a\":\"x\\ny\\n\",\"b\":\"x y\"}"},
		{"{\"a\": [1, {\"b\": null}]}", "{\"a\":[1,{\"b\":null}]}"},
		{"a: .nan", "invalid YAML at line 1, column 4: JSON has no such number"},
		{"a: !foo b",
		 "invalid YAML at line 1, column 4: the tag is unknown or does not fit"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_yaml(cases[i][0], cases[i][1]);
}

static void test_structure(void **state)
{
	(void)state;
	assert_yaml("# a pod\napiVersion: v1\nkind: Pod   #comment\nspec:\n    containers:\n"
		    "    - name: nginx\n      image: nginx #x\n      ports:\n"
		    "      - containerPort: 80\n",
		    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\":{\"containers\":[{\"name\":"
		    "\"nginx\",\"image\":\"nginx\",\"ports\":[{\"containerPort\":80}]}]}}");
	assert_yaml("---\na: 1\n...\n", "{\"a\":1}");
	assert_yaml("a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n  e: 2\nf:\n  b: 3\n  <<: [*x, {g: 4}]\n",
		    "{\"a\":{\"b\":1},\"c\":{\"b\":1},\"d\":{\"e\":2,\"b\":1},"
		    "\"f\":{\"b\":3,\"g\":4}}");
	assert_yaml("a: 1\n---\nb: 2\n",
		    "invalid YAML at line 2, column 1: expected one document only");
	assert_yaml("a: *x\n",
		    "invalid YAML at line 1, column 4: an alias names no anchor before it");
	assert_yaml("a: &x [*x]\n",
		    "invalid YAML at line 1, column 8: an alias names no anchor before it");
	assert_yaml("? [a]\n: 1\n", "invalid YAML at line 1, column 3: a key must be a plain text");
	assert_yaml("<<: 5\n", "invalid YAML at line 2, column 1: << wants a mapping");
	assert_yaml("a: [1, 2\nb: 3\n",
		    "invalid YAML at line 2, column 2: did not find expected ',' or ']'");
	assert_yaml("a: 1\n\tb: 2\n", "invalid YAML at line 2, column 1: found a tab "
				      "character that violates indentation");
	assert_yaml("a: \"\xff\"", "invalid YAML at byte 4: found byte 0xff (not UTF-8): invalid "
				   "leading UTF-8 octet");
}

static void test_duplicates(void **state)
{
	static const char text[] = "a: 1\nb:\n- c: 1\n  d: 2\n  c: 3\na: 2\n";
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf out = COX_BUF_INIT;
	struct heard heard = {{hear}, COX_BUF_INIT};

	(void)state;
	json_write(&out, yaml_parse(&arena, text, sizeof(text) - 1, &heard.base, NULL), 0);
	assert_string_equal(cox_buf_cstr(&out), "{\"a\":2,\"b\":[{\"c\":3,\"d\":2}]}");
	assert_string_equal(cox_buf_cstr(&heard.paths), "b[0].c;a;");
	cox_buf_free(&heard.paths);
}

static void test_traps(void **state)
{
	static const char nbsp[] = "\xc2\xa0 (U+00A0, a no-break space): write a blank";
	char wanted[256];

	(void)state;
	snprintf(wanted, sizeof(wanted), "invalid YAML at line 2: found %s", nbsp);
	assert_yaml("metadata:\n\xc2\xa0\xc2\xa0name: nginx\n", wanted);
	assert_yaml("a: 1\nb: x\xc2\xa0\n", wanted);
	assert_yaml("a: b\nc: x\n   \xc2\xa0y\n", wanted);
	snprintf(wanted, sizeof(wanted), "invalid YAML at line 3: found %s", nbsp);
	assert_yaml("a:\n - b: c\n\xc2\xa0\xc2\xa0 d: e\n", wanted);
	snprintf(wanted, sizeof(wanted), "invalid YAML at line 2, column 6: found %s", nbsp);
	assert_yaml("a: 1\nname:\xc2\xa0nginx\n", wanted);
	snprintf(wanted, sizeof(wanted), "invalid YAML at line 2: found %s", nbsp);
	assert_yaml("a:\n  -\xc2\xa0name: c\n    image: i\n", wanted);
	assert_yaml("a:\n  -\xc2\xa0x\n", wanted);
	assert_yaml("a: 1\nimage: nginx\xc2\xa0#of Debian\n", wanted);
	assert_yaml("a: 1\nimage\xc2\xa0: nginx\n", wanted);
	assert_yaml("a: “x”\n", "invalid YAML at line 1: found “ (U+201C, a left typographic "
				"quote): write \" or '");
	assert_yaml("”a”: 1\n", "invalid YAML at line 1: found ” (U+201D, a right typographic "
				"quote): write \" or '");
	/* inside a text they are a part of it */
	assert_yaml("a: x\xc2\xa0y “z”\nb: \"\xc2\xa0\"\nc: 'it’s'\nd: -x\xc2\xa0-y#z\n",
		    "{\"a\":\"x\xc2\xa0y “z”\",\"b\":\"\xc2\xa0\",\"c\":\"it’s\","
		    "\"d\":\"-x\xc2\xa0-y#z\"}");
}

static void test_bounds(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf text = COX_BUF_INIT;

	(void)state;
	/* a billion laughs */
	cox_buf_str(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 10; i++) {
		cox_buf_printf(&text, "a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++)
			cox_buf_printf(&text, "%s*a%d", j ? "," : "", i - 1);
		cox_buf_str(&text, "]\n");
	}
	assert_null(yaml_parse(&arena, text.data, text.size, NULL, &err));
	assert_non_null(strstr(error_text(&err), ": it makes more than 1000000 values"));
	/* depth, written out */
	for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
		cox_buf_clear(&text);
		for (int i = 0; i < depth; i++)
			cox_buf_char(&text, '[');
		for (int i = 0; i < depth; i++)
			cox_buf_char(&text, ']');
		assert_int_equal(yaml_parse(&arena, text.data, text.size, NULL, &err) != NULL,
				 depth == JSON_DEPTH_MAX);
	}
	assert_string_equal(error_text(&err), "invalid YAML at line 1, column 257: nested too "
					      "deeply (256 levels at most)");
	/* and by aliases */
	cox_buf_clear(&text);
	cox_buf_str(&text, "a0: &a0 []\n");
	for (int i = 1; i < 300; i++)
		cox_buf_printf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	assert_null(yaml_parse(&arena, text.data, text.size, NULL, &err));
	assert_non_null(strstr(error_text(&err), "nested too deeply (256 levels at most)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_typing),	   cmocka_unit_test(test_structure),
		cmocka_unit_test(test_duplicates), cmocka_unit_test(test_traps),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
