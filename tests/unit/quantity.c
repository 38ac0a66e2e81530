/* SPDX-License-Identifier: Apache-2.0 */
/* Quantities: what is read, its canonical form, arithmetic, rounding, limits. */
#include "unit.h"

#include "machinery/quantity.h"

#include <string.h>

static struct cox_quantity read_quantity(const char *text)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct cox_quantity quantity;

	if (quantity_parse(text, strlen(text), &quantity, &err) != 0)
		fail_msg("%s: %s", text, error_text(&err));
	return quantity;
}

static const char *const canonical[][2] = {
	{"0", "0"},
	{"0Ki", "0"},
	{"-0", "0"},
	{"100m", "100m"},
	{"0.1", "100m"},
	{".5", "500m"},
	{"1.", "1"},
	{"+1", "1"},
	{"1000m", "1"},
	{"1500m", "1500m"},
	{"1.5", "1500m"},
	{"2000", "2k"},
	{"1000000", "1M"},
	{"1234567", "1234567"},
	{"00010", "10"},
	{"1024", "1024"},
	{"1024Ki", "1Mi"},
	{"1.5Gi", "1536Mi"},
	{"0.5Mi", "512Ki"},
	{"1023Mi", "1023Mi"},
	{"0.5Ki", "512"},
	{"0.1Ki", "102400m"},
	{"1.1Ki", "1126400m"},
	{"0.001Ki", "1024m"},
	{"0.0001Ki", "102400u"},
	{"1E", "1E"},
	{"1000E", "1000E"},
	{"1e3", "1e3"},
	{"1E3", "1e3"},
	{"1e+3", "1e3"},
	{"12e6", "12e6"},
	{"1500e3", "1500e3"},
	{"1e-3", "1e-3"},
	{"1e5", "100e3"},
	{"1e0", "1"},
	{"1e20", "100e18"},
	{"-1.5", "-1500m"},
	{"-2Gi", "-2Gi"},
	{"1n", "1n"},
	{"1u", "1u"},
	{"0.1n", "1n"},
	{"-0.1n", "-1n"},
	{"1.0000000001", "1000000001n"},
	{"0.0000000000000000000000000000000000000000000000000000000000001", "1n"},
	{"1.000000000000000000000000000000000000000000000000000000000000", "1"},
	{"8Ei", "9223372036854775807"},
	{"9999Ei", "9223372036854775807"},
	{"7Ei", "7Ei"},
	{"100000000000000000000", "100E"},
	{"170141183460469231731687303715", "170141183460469231731687303715"},
};

static void test_canonical(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(canonical) / sizeof(canonical[0]); i++) {
		struct cox_quantity quantity = read_quantity(canonical[i][0]), again;
		char text[COX_QUANTITY_TEXT_MAX];
		size_t size = cox_quantity_format(&quantity, text);

		assert_string_equal(text, canonical[i][1]);
		assert_int_equal(size, strlen(text));
		again = read_quantity(text);
		assert_int_equal(cox_quantity_compare(&quantity, &again), 0);
	}
}

static void test_bad(void **state)
{
	static const char form[] = "quantities must match the regular expression "
				   "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
	static const char suffix[] = "unable to parse quantity's suffix";
	static const char range[] = "unable to parse numeric part of quantity: it is out of range";
	static const struct {
		const char *text, *error;
	} bad[] = {
		{"", form},
		{"-", form},
		{".", form},
		{"Mi", form},
		{"1.1.M", form},
		{"1+1.0M", form},
		{"0.1mi", suffix},
		{"0.1am", form},
		{"aoeu", form},
		{".5i", suffix},
		{"1i", suffix},
		{"-3.01i", suffix},
		{"-3.01e-", suffix},
		{" 1", form},
		{"1 ", form},
		{"1K", suffix},
		{"1KI", form},
		{"1e", suffix},
		{"1.2.3", form},
		{"0x10", form},
		{"1e3Ki", form},
		{"--1", form},
		{"1e30", range},
		{"1e999999999999", range},
		{"999999999999999999999999999999999999999999", range},
		{"1.00000000000000000000000000000000000000001Ei", range},
		{"1000000000000E", range},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cox_autoerror err = COX_ERROR_INIT;
		struct cox_quantity quantity;

		if (quantity_parse(bad[i].text, strlen(bad[i].text), &quantity, &err) == 0)
			fail_msg("\"%s\" was taken", bad[i].text);
		if (strcmp(error_text(&err), bad[i].error) != 0)
			fail_msg("\"%s\": %s", bad[i].text, error_text(&err));
		assert_int_equal(err.reason, COX_REASON_BAD_REQUEST);
	}
}

static void test_arithmetic(void **state)
{
	struct cox_quantity sum = read_quantity("0"), part = read_quantity("1Gi");
	struct cox_quantity most = read_quantity("170141183460469231731687303715");
	char text[COX_QUANTITY_TEXT_MAX];

	(void)state;
	assert_int_equal(cox_quantity_add(&sum, &part), 0);
	cox_quantity_format(&sum, text);
	assert_string_equal(text, "1Gi");
	part = read_quantity("1k");
	assert_int_equal(cox_quantity_add(&sum, &part), 0);
	cox_quantity_format(&sum, text);
	assert_string_equal(text, "1073742824");
	part = read_quantity("1.5Gi");
	assert_int_equal(cox_quantity_sub(&sum, &part), 0);
	cox_quantity_format(&sum, text);
	assert_string_equal(text, "-536869912");
	assert_int_equal(cox_quantity_sign(&sum), -1);
	part = most;
	assert_int_equal(cox_quantity_add(&most, &part), -1);
	assert_int_equal(cox_quantity_compare(&most, &part), 0);
	assert_int_equal(cox_quantity_compare(&sum, &part), -1);
	sum = cox_quantity_from_milli(2500, COX_QUANTITY_DECIMAL_SI);
	cox_quantity_format(&sum, text);
	assert_string_equal(text, "2500m");
	/* a tenth ten times is one, exactly */
	sum = cox_quantity_from_int(0, COX_QUANTITY_DECIMAL_SI);
	part = read_quantity("0.1");
	for (int i = 0; i < 10; i++)
		assert_int_equal(cox_quantity_add(&sum, &part), 0);
	cox_quantity_format(&sum, text);
	assert_string_equal(text, "1");
}

static void test_rounding(void **state)
{
	static const struct {
		const char *text;
		int64_t units, milli;
		bool whole;
	} cases[] = {
		{"1", 1, 1000, true},
		{"1m", 1, 1, false},
		{"1u", 1, 1, false},
		{"1001u", 1, 2, false},
		{"-1500m", -2, -1500, false},
		{"-1500001u", -2, -1501, false},
		{"7Ei", 8070450532247928832, INT64_MAX, true},
		{"-100E", INT64_MIN, INT64_MIN, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cox_quantity quantity = read_quantity(cases[i].text);

		assert_int_equal(cox_quantity_units(&quantity), cases[i].units);
		assert_int_equal(cox_quantity_milli(&quantity), cases[i].milli);
		assert_int_equal(cox_quantity_is_whole(&quantity), cases[i].whole);
	}
}

static void test_values(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct cox_quantity quantity;

	(void)state;
	assert_int_equal(quantity_from_value(NULL, &quantity, &err), 0);
	assert_int_equal(cox_quantity_sign(&quantity), 0);
	assert_int_equal(quantity_from_value(value_int(&arena, 5), &quantity, &err), 0);
	assert_string_equal(value_text(quantity_to_value(&arena, &quantity)), "5");
	assert_int_equal(quantity_from_value(value_number_n(&arena, "0.5", 3), &quantity, &err), 0);
	assert_string_equal(value_text(quantity_to_value(&arena, &quantity)), "500m");
	assert_int_equal(quantity_from_value(value_string(&arena, "2Ki"), &quantity, &err), 0);
	assert_string_equal(value_text(quantity_to_value(&arena, &quantity)), "2Ki");
	assert_int_equal(quantity_from_value(value_bool(&arena, true), &quantity, &err), -1);
	assert_int_equal(quantity_from_value(value_string_n(&arena, "1\0k", 3), &quantity, &err),
			 -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_canonical),  cmocka_unit_test(test_bad),
		cmocka_unit_test(test_arithmetic), cmocka_unit_test(test_rounding),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
