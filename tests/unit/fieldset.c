/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of fields: FieldsV1 in and out, order, algebra, paths, filters. */
#include "unit.h"

#include "machinery/fieldset.h"
#include "machinery/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct fieldset *set_of(struct arena *arena, const char *json)
{
	const struct fieldset *set;
	struct value *tree = json_parse(arena, json, strlen(json), NULL, NULL);

	assert_non_null(tree);
	assert_int_equal(fieldset_read(arena, tree, &set, NULL), 0);
	return set;
}

static void check(struct arena *arena, const struct fieldset *set, const char *expected)
{
	cox_autobuf out = COX_BUF_INIT;

	json_write(&out, fieldset_write(arena, set), 0);
	assert_string_equal(cox_buf_cstr(&out), expected);
}

/* What comes in in any order and form, and the one form that goes out. */
static const struct {
	const char *in, *out;
} forms[] = {
	{"{}", "{}"},
	{"{\"f:b\":{},\"f:a\":{}}", "{\"f:a\":{},\"f:b\":{}}"},
	{"{\"f:a\":{\".\":{},\"f:x\":{}}}", "{\"f:a\":{\".\":{},\"f:x\":{}}}"},
	{"{\"f:a\":{\"f:x\":{},\".\":{}}}", "{\"f:a\":{\".\":{},\"f:x\":{}}}"},
	/* names, keys, values, places; numbers before texts, by their value */
	{"{\"i:10\":{},\"i:9\":{},\"v:\\\"b\\\"\":{},\"v:10\":{},\"v:9.5\":{},\"v:true\":{},"
	 "\"k:{\\\"b\\\":1}\":{},\"k:{\\\"a\\\":2}\":{},\"f:z\":{}}",
	 "{\"f:z\":{},\"k:{\\\"a\\\":2}\":{},\"k:{\\\"b\\\":1}\":{},\"v:9.5\":{},\"v:10\":{},"
	 "\"v:\\\"b\\\"\":{},\"v:true\":{},\"i:9\":{},\"i:10\":{}}"},
	/* keys are sorted, and blanks do not count; what is the same becomes one */
	{"{\"k:{ \\\"b\\\": 1, \\\"a\\\": \\\"x\\\" }\":{\"f:p\":{}},"
	 "\"k:{\\\"a\\\":\\\"x\\\",\\\"b\\\":1}\":{\"f:q\":{}}}",
	 "{\"k:{\\\"a\\\":\\\"x\\\",\\\"b\\\":1}\":{\"f:p\":{},\"f:q\":{}}}"},
	/* kinds of steps that are not known are left out; what is left is a leaf */
	{"{\"f:a\":{\"z:later\":{}},\"q:new\":{\"f:b\":{}}}", "{\"f:a\":{}}"},
	/* a name may be empty, or have anything in it */
	{"{\"f:\":{},\"f:a.b/c\":{},\"f:\\u00e4\":{}}",
	 "{\"f:\":{},\"f:a.b/c\":{},\"f:\303\244\":{}}"},
};

static void test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		cox_autoarena arena = ARENA_INIT;

		check(&arena, set_of(&arena, forms[i].in), forms[i].out);
		check(&arena, set_of(&arena, forms[i].out), forms[i].out);
	}
}

static const struct {
	const char *in, *why;
} refused[] = {
	{"[]", "fieldsV1: objects in objects are needed"},
	{"{\"f:a\":1}", "fieldsV1: objects in objects are needed"},
	{"{\"f:a\":{\"f:b\":null}}", "fieldsV1: objects in objects are needed"},
	{"{\"a\":{}}", "fieldsV1: \"a\": not a kind of field, a colon and the field"},
	{"{\"fa:\":{}}", "fieldsV1: \"fa:\": not a kind of field, a colon and the field"},
	{"{\"i:x\":{}}", "fieldsV1: \"i:x\": not a number"},
	{"{\"i: 1\":{}}", "fieldsV1: \"i: 1\": not a number"},
	{"{\"i:99999999999999999999\":{}}", "fieldsV1: \"i:99999999999999999999\": not a number"},
	{"{\"k:[1]\":{}}", "fieldsV1: \"k:[1]\": the keys of an entry must be an object"},
};

static void test_refused(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	const struct fieldset *set;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		cox_autoerror err = COX_ERROR_INIT;
		struct value *tree =
			json_parse(&arena, refused[i].in, strlen(refused[i].in), NULL, NULL);

		assert_int_equal(fieldset_read(&arena, tree, &set, &err), -1);
		assert_string_equal(error_text(&err), refused[i].why);
		assert_int_equal(err.reason, COX_REASON_BAD_REQUEST);
	}
}

static void test_bound(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf text = COX_BUF_INIT;
	const struct fieldset *set;

	(void)state;
	cox_buf_char(&text, '{');
	for (int i = FIELDSET_STEPS_MAX; i >= 0; i--)
		cox_buf_printf(&text, "\"f:%d\":{}%s", i, i ? "," : "}");
	assert_int_equal(fieldset_read(&arena, json_parse(&arena, text.data, text.size, NULL, NULL),
				       &set, &err),
			 -1);
	assert_string_equal(error_text(&err), "fieldsV1: more than 500000 fields");
}

static void test_algebra(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	const struct fieldset *a = set_of(&arena, "{\"f:s\":{\".\":{},\"f:x\":{},\"f:y\":{}}}");
	const struct fieldset *b =
		set_of(&arena, "{\"f:s\":{\"f:y\":{},\"f:z\":{\"v:1\":{}}},\"f:t\":{}}");

	(void)state;
	check(&arena, fieldset_union(&arena, a, b),
	      "{\"f:s\":{\".\":{},\"f:x\":{},\"f:y\":{},\"f:z\":{\"v:1\":{}}},\"f:t\":{}}");
	check(&arena, fieldset_difference(&arena, a, b), "{\"f:s\":{\".\":{},\"f:x\":{}}}");
	check(&arena, fieldset_difference(&arena, b, a),
	      "{\"f:s\":{\"f:z\":{\"v:1\":{}}},\"f:t\":{}}");
	check(&arena, fieldset_intersection(&arena, a, b), "{\"f:s\":{\"f:y\":{}}}");
	/* The thing itself does not stand for what is below it. */
	check(&arena, fieldset_difference(&arena, a, set_of(&arena, "{\"f:s\":{}}")),
	      "{\"f:s\":{\"f:x\":{},\"f:y\":{}}}");
	assert_null(fieldset_difference(&arena, a, a));
	assert_null(fieldset_intersection(&arena, a, NULL));
	/* Nothing changes: the same set. */
	assert_ptr_equal(fieldset_union(&arena, a, set_of(&arena, "{\"f:s\":{\"f:x\":{}}}")), a);
	assert_ptr_equal(fieldset_difference(&arena, a, set_of(&arena, "{\"f:q\":{}}")), a);
	assert_true(fieldset_has(a, "s.x"));
	assert_true(fieldset_has(a, "s"));
	assert_false(fieldset_has(b, "s"));
	assert_false(fieldset_has(a, "s.x.y"));
	check(&arena, fieldset_of_path(&arena, "spec.replicas"),
	      "{\"f:spec\":{\"f:replicas\":{}}}");
}

/* A set of random steps, over few names so that sets meet. */
static const struct fieldset *random_set(struct arena *arena, unsigned *seed, int depth)
{
	static const char *const names[] = {"a", "b", "c", "d", "e"};
	struct fieldset set = {NULL, 0, 0};

	for (int i = rand_r(seed) % 5; i >= 0; i--) {
		struct field_step step = step_name(names[rand_r(seed) % 5], 1);
		const struct fieldset *below = NULL;

		if (rand_r(seed) % 3 == 0)
			step = (struct field_step){.kind = STEP_VALUE,
						   .value = value_int(arena, rand_r(seed) % 4)};
		if (depth && rand_r(seed) % 2)
			below = random_set(arena, seed, depth - 1);
		fieldset_append(arena, &set, step, rand_r(seed) % 2, below);
	}
	fieldset_finish(arena, &set);
	return fieldset_keep(arena, &set);
}

static void test_laws(void **state)
{
	(void)state;
	for (unsigned round = 1; round <= 2000; round++) {
		cox_autoarena arena = ARENA_INIT;
		unsigned seed = round;
		const struct fieldset *a = random_set(&arena, &seed, 3);
		const struct fieldset *b = random_set(&arena, &seed, 3);
		const struct fieldset *c = random_set(&arena, &seed, 3);
		const struct fieldset *both = fieldset_intersection(&arena, a, b);
		const struct fieldset *again;

		assert_true(
			fieldset_equal(fieldset_union(&arena, a, b), fieldset_union(&arena, b, a)));
		assert_true(fieldset_equal(both, fieldset_intersection(&arena, b, a)));
		assert_true(
			fieldset_equal(fieldset_union(&arena, fieldset_union(&arena, a, b), c),
				       fieldset_union(&arena, a, fieldset_union(&arena, b, c))));
		/* a = (a - b) + (a & b), and the two have nothing in common */
		assert_true(fieldset_equal(
			fieldset_union(&arena, fieldset_difference(&arena, a, b), both), a));
		assert_null(fieldset_intersection(&arena, fieldset_difference(&arena, a, b), b));
		/* a - b - c = a - (b + c) */
		assert_true(fieldset_equal(
			fieldset_difference(&arena, fieldset_difference(&arena, a, b), c),
			fieldset_difference(&arena, a, fieldset_union(&arena, b, c))));
		assert_int_equal(fieldset_read(&arena, fieldset_write(&arena, a), &again, NULL), 0);
		/* Only the empty set at the top has no form of its own. */
		assert_true(fieldset_equal(a, again));
	}
}

static void add_path(void *context, const struct step_path *path)
{
	step_path_text(context, path);
	cox_buf_char(context, '\n');
}

static void test_paths(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf out = COX_BUF_INIT;

	(void)state;
	fieldset_each(set_of(&arena,
			     "{\"f:spec\":{\"f:ports\":{\"k:{\\\"port\\\":80,\\\"protocol\\\":"
			     "\\\"TCP\\\"}\":{\".\":{},\"f:name\":{}}},\"f:replicas\":{}},"
			     "\"f:list\":{\"v:\\\"a\\\"\":{},\"i:3\":{}}}"),
		      add_path, &out);
	assert_string_equal(cox_buf_cstr(&out), ".list[=\"a\"]\n.list[3]\n.spec.replicas\n"
						".spec.ports[port=80,protocol=\"TCP\"]\n"
						".spec.ports[port=80,protocol=\"TCP\"].name\n");
}

static void test_filters(void **state)
{
	static const char *const status[] = {"status", NULL};
	static const char *const labels[] = {"metadata.labels", "spec", NULL};
	cox_autoarena arena = ARENA_INIT;
	const struct fieldset *set =
		set_of(&arena, "{\"f:metadata\":{\"f:labels\":{\".\":{},\"f:a\":{}},\"f:name\":{}},"
			       "\"f:spec\":{\"f:x\":{}},\"f:status\":{\".\":{},\"f:y\":{}}}");

	(void)state;
	check(&arena, fieldset_filter(&arena, set, &(struct field_filter){NULL, status}),
	      "{\"f:metadata\":{\"f:labels\":{\".\":{},\"f:a\":{}},\"f:name\":{}},"
	      "\"f:spec\":{\"f:x\":{}}}");
	check(&arena, fieldset_filter(&arena, set, &(struct field_filter){labels, NULL}),
	      "{\"f:metadata\":{\"f:labels\":{\".\":{},\"f:a\":{}}},\"f:spec\":{\"f:x\":{}}}");
	check(&arena, fieldset_filter(&arena, set, &(struct field_filter){status, status}), "{}");
	assert_ptr_equal(fieldset_filter(&arena, set, &(struct field_filter){NULL, NULL}), set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),	cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bound),	cmocka_unit_test(test_algebra),
		cmocka_unit_test(test_laws),	cmocka_unit_test(test_paths),
		cmocka_unit_test(test_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
