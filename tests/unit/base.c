/* SPDX-License-Identifier: Apache-2.0 */
/* Floor 1: arena, errors, clock. */
#include "unit.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"

#include <string.h>

static void test_arena(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	char *text = NULL;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		char *memory = arena_calloc(&arena, (size_t)i);

		assert_int_equal((uintptr_t)memory % 16, 0);
		memset(memory, i, (size_t)i);
	}
	for (size_t size = 1; size < 5000; size *= 3) {
		text = arena_grow(&arena, text, size / 3, size);
		memset(text, 'x', size);
	}
	assert_string_equal(arena_printf(&arena, "%d-%s", 5, "a"), "5-a");
	arena_reset(&arena);
	assert_int_equal(arena.used, 0);
	assert_string_equal(arena_strdup(&arena, "again"), "again");
}

static void test_errors(void **state)
{
	cox_autoerror err = COX_ERROR_INIT;
	cox_autoerror other = COX_ERROR_INIT;

	(void)state;
	assert_int_equal(error_set(NULL, COX_REASON_CONFLICT, "x"), -1);
	assert_int_equal(error_set(&err, COX_REASON_NOT_FOUND, "pods \"%s\" not found", "a"), -1);
	error_wrap(&err, "load %s", "cache");
	assert_string_equal(error_text(&err), "load cache: pods \"a\" not found");
	error_set(&err, err.reason, "%s, twice", err.message);
	assert_string_equal(error_text(&err), "load cache: pods \"a\" not found, twice");
	error_add_cause(&err, "FieldValueInvalid", "spec.x", "bad %d", 3);
	error_set_details(&err, "", "pods", "a");
	error_move(&other, &err);
	assert_null(err.message);
	assert_int_equal(other.cause_count, 1);
	assert_string_equal(error_reason_name(other.reason), "NotFound");
	assert_int_equal(error_http_code(other.reason), 404);
	assert_int_equal(error_http_code((enum cox_reason)999), 500);
}

static void test_clock(void **state)
{
	static const char *const bad[] = {"2026-13-01T00:00:00Z",      "2026-02-29T00:00:00Z",
					  "2026-01-01 00:00:00Z",      "2026-01-01T24:00:00Z",
					  "2026-01-01T00:00:00",       "2026-01-01T00:00:00.Z",
					  "2026-01-01T00:00:00+0100",  "1969-12-31T23:59:59Z",
					  "2026-01-01T00:00:00Z tail"};
	char text[CLOCK_RFC3339_SIZE];
	uint64_t when;

	(void)state;
	clock_format(1790000000 * CLOCK_SECOND + 123456789, text);
	assert_string_equal(text, "2026-09-21T14:13:20Z");
	assert_int_equal(clock_parse(text, strlen(text), &when), 0);
	assert_int_equal(when, 1790000000 * CLOCK_SECOND);
	clock_format_micro(1790000000 * CLOCK_SECOND + 123456789, text);
	assert_string_equal(text, "2026-09-21T14:13:20.123456Z");
	assert_int_equal(clock_parse(text, strlen(text), &when), 0);
	assert_int_equal(when, 1790000000 * CLOCK_SECOND + 123456000);
	assert_int_equal(clock_parse("2024-02-29T23:59:59-00:30", 25, &when), 0);
	clock_format(when, text);
	assert_string_equal(text, "2024-03-01T00:29:59Z");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(clock_parse(bad[i], strlen(bad[i]), &when), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
