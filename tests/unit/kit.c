/* SPDX-License-Identifier: Apache-2.0 */
/* The helper library that plugins and the core share. */
#include "unit.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/expect.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/text.h>
#include <coxswain/kit/time.h>
#include <coxswain/kit/vec.h>
#include <stdio.h>
#include <string.h>

static void test_buf(void **state)
{
	cox_autobuf buf = COX_BUF_INIT;
	char *stolen;

	(void)state;
	assert_string_equal(cox_buf_cstr(&buf), "");
	for (int i = 0; i < 1000; i++)
		cox_buf_printf(&buf, "%d,", i);
	assert_int_equal(buf.size, 3890);
	assert_int_equal(strlen(buf.data), buf.size);
	cox_buf_truncate(&buf, 4);
	assert_string_equal(cox_buf_cstr(&buf), "0,1,");
	stolen = cox_buf_steal(&buf);
	assert_string_equal(stolen, "0,1,");
	free(stolen);
	assert_int_equal(buf.size, 0);
}

static void test_json_string(void **state)
{
	static const char text[] = "a\"\\\n\x01<é\u2028&\u2019";
	cox_autobuf buf = COX_BUF_INIT;

	(void)state;
	cox_buf_json_string(&buf, text, sizeof(text) - 1);
	assert_string_equal(buf.data, "\"a\\\"\\\\\\n\\u0001\\u003cé\\u2028\\u0026\u2019\"");
}

static void test_map(void **state)
{
	struct cox_map map = COX_MAP_INIT;
	char key[16];
	size_t at = 0, seen = 0;
	void *value;

	(void)state;
	assert_null(cox_map_get(&map, "x", 1));
	assert_null(cox_map_remove(&map, "x", 1));
	for (uintptr_t i = 1; i <= 5000; i++) {
		int size = snprintf(key, sizeof(key), "key%zu", (size_t)i);

		assert_null(cox_map_put(&map, key, (size_t)size, (void *)i));
	}
	for (uintptr_t i = 1; i <= 5000; i += 2) {
		int size = snprintf(key, sizeof(key), "key%zu", (size_t)i);

		assert_ptr_equal(cox_map_remove(&map, key, (size_t)size), (void *)i);
	}
	for (uintptr_t i = 1; i <= 5000; i++) {
		int size = snprintf(key, sizeof(key), "key%zu", (size_t)i);

		assert_ptr_equal(cox_map_get(&map, key, (size_t)size), i % 2 ? NULL : (void *)i);
	}
	while (cox_map_next(&map, &at, NULL, NULL, &value))
		seen++;
	assert_int_equal(seen, 2500);
	assert_int_equal(map.count, 2500);
	assert_ptr_equal(cox_map_put(&map, "key2", 4, &map), (void *)2);
	assert_true(cox_map_has(&map, "key2", 4));
	cox_map_free(&map);
}

static void test_siphash(void **state)
{
	/* SipHash-1-3 of 00 01 … 07 under the key 00 01 … 0f */
	unsigned char in[8], key_bytes[16];
	uint64_t key[2];

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		key_bytes[i] = (unsigned char)i;
	for (unsigned i = 0; i < 8; i++)
		in[i] = (unsigned char)i;
	memcpy(key, key_bytes, sizeof(key));
	assert_true(cox_siphash13(key, in, 8) != cox_siphash13(key, in, 7));
	assert_true(cox_siphash13(key, "", 0) == 0xabac0158050fc4dcu);
}

static void test_numbers(void **state)
{
	int64_t i = 7;
	uint64_t u = 7;
	bool b = false;

	(void)state;
	assert_int_equal(cox_parse_int("-12", -12, 0, &i), 0);
	assert_int_equal(i, -12);
	assert_int_equal(cox_parse_int("9223372036854775807", 0, INT64_MAX, &i), 0);
	assert_int_equal(cox_parse_int("9223372036854775808", 0, INT64_MAX, &i), -1);
	assert_int_equal(cox_parse_int("-9223372036854775808", INT64_MIN, 0, &i), 0);
	assert_int_equal(cox_parse_int("1 ", 0, 9, &i), -1);
	assert_int_equal(cox_parse_int("", 0, 9, &i), -1);
	assert_int_equal(cox_parse_int("-", -9, 9, &i), -1);
	assert_int_equal(cox_parse_int("10", 0, 9, &i), -1);
	assert_int_equal(cox_parse_bool("true", &b), 0);
	assert_true(b);
	assert_int_equal(cox_parse_bool("yes", &b), -1);
	assert_int_equal(cox_parse_size("4Ki", &u), 0);
	assert_int_equal(u, 4096);
	assert_int_equal(cox_parse_size("2G", &u), 0);
	assert_int_equal(u, 2000000000);
	assert_int_equal(cox_parse_size("16777216Ti", &u), -1);
	assert_int_equal(cox_parse_size("1.5Gi", &u), -1);
	assert_int_equal(cox_parse_size("-1", &u), -1);
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
		const char *again;
	} good[] = {{"0", 0, "0s"},
		    {"1h0m0s", 3600000000000, "1h0m0s"},
		    {"90m", 5400000000000, "1h30m0s"},
		    {"250ms", 250000000, "250ms"},
		    {"1.5s", 1500000000, "1.5s"},
		    {"1m0.5s", 60500000000, "1m0.5s"},
		    {"1500us", 1500000, "1.5ms"},
		    {"10ns", 10, "10ns"}};
	static const char *const bad[] = {"", "3", "s", "1d", "-1s", "1s ", "1..5s", "99999999h"};
	uint64_t ns;
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(cox_parse_duration(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
		cox_format_duration(ns, text);
		assert_string_equal(text, good[i].again);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(cox_parse_duration(bad[i], &ns), -1);
}

static void test_utf8(void **state)
{
	static const char *const bad[] = {
		"\x80", "\xc0\x80",	"\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xc3", "\xf0\x9f\x98", "\xff"};
	size_t at = 99;

	(void)state;
	assert_true(cox_utf8_valid("aé€😀", strlen("aé€😀"), NULL));
	assert_true(cox_utf8_valid("\0", 1, NULL));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(cox_utf8_valid(bad[i], strlen(bad[i]), &at));
	assert_false(cox_utf8_valid("ab\xff", 3, &at));
	assert_int_equal(at, 2);
}

static void test_nearest(void **state)
{
	static const char *const names[] = {"labels", "name", "namespace", "volumeMounts"};

	(void)state;
	assert_string_equal(cox_nearest("lables", names, 4), "labels");
	assert_string_equal(cox_nearest("VolumeMounts", names, 4), "volumeMounts");
	assert_string_equal(cox_nearest("nmae", names, 4), "name");
	assert_null(cox_nearest("spec", names, 4));
	assert_int_equal(cox_edit_distance("ab", "ba", 3), 1);
	assert_int_equal(cox_edit_distance("kitten", "sitting", 9), 3);
	assert_int_equal(cox_edit_distance("abcdef", "x", 2), 3);
}

static void test_base64(void **state)
{
	static const char *const plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
	static const char *const coded[] = {"",		"Zg==",	    "Zm8=",    "Zm9v",
					    "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	char text[32];
	unsigned char bytes[32];

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		cox_base64_encode(plain[i], strlen(plain[i]), text);
		assert_string_equal(text, coded[i]);
		assert_int_equal(cox_base64_decode(text, strlen(text), bytes), strlen(plain[i]));
		assert_memory_equal(bytes, plain[i], strlen(plain[i]));
	}
	assert_int_equal(cox_base64_decode("Zg=", 3, bytes), -1);
	assert_int_equal(cox_base64_decode("Zh==", 4, bytes), -1);
	assert_int_equal(cox_base64_decode("Z g=", 4, bytes), -1);
	cox_base64url_encode("\xfb\xff", 2, text);
	assert_string_equal(text, "-_8");
	assert_int_equal(cox_base64url_decode("-_8", 3, bytes), 2);
	assert_int_equal(cox_base64url_decode("+/8", 3, bytes), -1);
	assert_true(cox_equal_secret("abc", "abc", 3));
	assert_false(cox_equal_secret("abc", "abd", 3));
}

static void test_vec_and_steal(void **state)
{
	COX_VEC(int) numbers = {0};
	char *text = cox_strdup("x");
	char *taken = cox_steal(text);

	(void)state;
	for (int i = 0; i < 100; i++)
		cox_vec_push(&numbers, i);
	assert_int_equal(numbers.count, 100);
	assert_int_equal(numbers.items[99], 99);
	cox_vec_free(&numbers);
	assert_null(text);
	free(taken);
}

static void test_json_writer(void **state)
{
	cox_autobuf buf = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&buf);

	(void)state;
	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", "a\"b");
	cox_json_text_set(&json, "empty", "");
	cox_json_array(&json, "args");
	cox_json_int(&json, NULL, -5);
	cox_json_bool(&json, NULL, true);
	cox_json_object(&json, NULL);
	cox_json_end(&json);
	cox_json_array(&json, NULL);
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_null(&json, "none");
	cox_json_text(&json, "also", NULL);
	cox_json_raw(&json, "raw", "[1]", 3);
	cox_json_end(&json);
	assert_string_equal(buf.data, "{\"kind\":\"a\\\"b\",\"args\":[-5,true,{},[]],\"none\":null,"
				      "\"also\":null,\"raw\":[1]}");
	cox_buf_clear(&buf);
	cox_json_text_n(&json, NULL, "rooted", 4);
	assert_string_equal(buf.data, "\"root\"");
}

static uint64_t expect_now;

static uint64_t expect_clock(void)
{
	return expect_now;
}

static void test_expect(void **state)
{
	static const char *const uids[] = {"u1", "u2"};
	struct cox_expect *expect = cox_expect_new(expect_clock);

	(void)state;
	assert_true(cox_expect_met(expect, "k"));
	cox_expect_creations(expect, "k", 2);
	cox_expect_created(expect, "k");
	assert_false(cox_expect_met(expect, "k"));
	assert_true(cox_expect_met(expect, "other"));
	cox_expect_created(expect, "k");
	assert_true(cox_expect_met(expect, "k"));
	cox_expect_deletions(expect, "k", uids, 2);
	cox_expect_deleted(expect, "k", "u3");
	cox_expect_deleted(expect, "k", "u1");
	cox_expect_deleted(expect, "k", "u1");
	assert_false(cox_expect_met(expect, "k"));
	expect_now += UINT64_C(300000000000); /* not seen in five minutes */
	assert_true(cox_expect_met(expect, "k"));
	cox_expect_deletions(expect, "k", uids, 1);
	cox_expect_forget(expect, "k");
	assert_true(cox_expect_met(expect, "k"));
	cox_expect_creations(expect, "k", 1);
	cox_expect_free(expect);
}

static void test_time(void **state)
{
	static const char *const bad[] = {"",
					  "2026-01-01T00:00:00",
					  "2026-13-01T00:00:00Z",
					  "2026-02-29T00:00:00Z",
					  " 026-01-01T00:00:00Z",
					  "2026-01-01T00:00:00.5Z",
					  "1969-12-31T23:59:59Z"};
	char text[COX_TIME_SIZE];
	uint64_t when;

	(void)state;
	assert_int_equal(cox_parse_time("2026-09-21T14:13:20Z", &when), 0);
	assert_int_equal(when, UINT64_C(1790000000) * 1000000000);
	cox_format_time(when + 999999999, text);
	assert_string_equal(text, "2026-09-21T14:13:20Z");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(cox_parse_time(bad[i], &when), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf),	    cmocka_unit_test(test_json_string),
		cmocka_unit_test(test_map),	    cmocka_unit_test(test_siphash),
		cmocka_unit_test(test_numbers),	    cmocka_unit_test(test_durations),
		cmocka_unit_test(test_utf8),	    cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_base64),	    cmocka_unit_test(test_vec_and_steal),
		cmocka_unit_test(test_time),	    cmocka_unit_test(test_expect),
		cmocka_unit_test(test_json_writer),
	};

	return cmocka_run_group_tests_name("kit", tests, NULL, NULL);
}
