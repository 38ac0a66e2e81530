/* SPDX-License-Identifier: Apache-2.0 */
/* The ranges of addresses that the cloud plugin "local" gives out. */
#include "ranges.h"
#include "unit.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <string.h>

/* Takes the first free one until there is none: at most `limit`, as text with blanks. */
struct taken {
	struct cox_map map;
};

static bool is_taken(const void *context, const struct address *address)
{
	return cox_map_has(&((const struct taken *)context)->map, (const char *)address,
			   sizeof(*address));
}

static void gives(const char *list, unsigned family, size_t limit, const char *wanted)
{
	struct ranges ranges = {0};
	struct taken taken = {COX_MAP_INIT};
	cox_autobuf why = COX_BUF_INIT;
	cox_autobuf got = COX_BUF_INIT;
	char text[ADDRESS_TEXT_SIZE];
	struct address found;

	if (ranges_parse(&ranges, list, &why))
		fail_msg("%s", why.data);
	while (limit-- && ranges_find(&ranges, family, is_taken, &taken, &found)) {
		assert_true(ranges_have(&ranges, &found));
		address_format(&found, text);
		cox_buf_printf(&got, "%s ", text);
		cox_map_put(&taken.map, (const char *)&found, sizeof(found), &taken);
	}
	assert_string_equal(cox_buf_cstr(&got), wanted);
	cox_map_free(&taken.map);
	ranges_free(&ranges);
}

static void test_order(void **state)
{
	(void)state;
	gives("192.0.2.0/29", 4, 99,
	      "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 192.0.2.6 ");
	gives("192.0.2.0/30", 4, 99, "192.0.2.1 192.0.2.2 ");
	gives("192.0.2.0/31", 4, 99, "192.0.2.0 192.0.2.1 ");
	gives("192.0.2.7/32", 4, 99, "192.0.2.7 ");
	gives("192.0.2.7", 4, 99, "192.0.2.7 ");
	gives("192.0.2.254-192.0.3.1", 4, 99, "192.0.2.254 192.0.2.255 192.0.3.0 192.0.3.1 ");
	gives("198.51.100.9,192.0.2.1-192.0.2.2", 4, 99, "198.51.100.9 192.0.2.1 192.0.2.2 ");
	gives("223.255.255.254-223.255.255.255", 4, 99, "223.255.255.254 223.255.255.255 ");
	gives("10.0.0.0/8", 4, 2, "10.0.0.1 10.0.0.2 ");
	gives("2001:db8::/32", 6, 2, "2001:db8:: 2001:db8::1 ");
	gives("2001:db8::ffff-2001:db8::1:1", 6, 99, "2001:db8::ffff 2001:db8::1:0 2001:db8::1:1 ");
	gives("192.0.2.1,2001:db8::7", 6, 99, "2001:db8::7 ");
	gives("192.0.2.1", 6, 99, "");
}

static void refuses(const char *list, const char *wanted)
{
	struct ranges ranges = {0};
	cox_autobuf why = COX_BUF_INIT;

	assert_int_equal(ranges_parse(&ranges, list, &why), -1);
	assert_string_equal(why.data, wanted);
	ranges_free(&ranges);
}

static void test_refusals(void **state)
{
	static const char *const none[] = {
		"nowhere",
		"192.0.2",
		"192.0.2.300",
		"192.0.2.1/33",
		"192.0.2.1/",
		"192.0.2.1/+8",
		"0.0.0.0/0",
		"192.0.2.1-",
		"-192.0.2.1",
		"192.0.2.1 - 192.0.2.3",
		"192.0.2.1-2001:db8::1",
		" 192.0.2.1",
		"192.0.2.0/24-192.0.3.0",
		"2001:db8::/129",
		"192.0.2.01",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		cox_autobuf wanted = COX_BUF_INIT;

		cox_buf_printf(&wanted,
			       "\"%s\": no range of addresses; want 192.0.2.0/28, "
			       "192.0.2.10-192.0.2.19 or 192.0.2.7",
			       none[i]);
		refuses(none[i], wanted.data);
	}
	refuses("192.0.2.1,", "\"\": no range of addresses; want 192.0.2.0/28, "
			      "192.0.2.10-192.0.2.19 or 192.0.2.7");
	refuses("192.0.2.1/24", "\"192.0.2.1/24\": bits are set behind the prefix");
	refuses("2001:db8::1/64", "\"2001:db8::1/64\": bits are set behind the prefix");
	refuses("192.0.2.9-192.0.2.8",
		"\"192.0.2.9-192.0.2.8\": the last address comes before the first");
	refuses("192.0.2.1-192.0.2.5,192.0.2.5", "\"192.0.2.5\": overlaps with a range before it");
	refuses("192.0.2.7,192.0.2.0/24", "\"192.0.2.0/24\": overlaps with a range before it");
	refuses("127.0.0.0/8", "\"127.0.0.0/8\": 127.0.0.0/8 is the loopback");
	refuses("126.0.0.0-128.0.0.0", "\"126.0.0.0-128.0.0.0\": 127.0.0.0/8 is the loopback");
	refuses("224.0.0.5", "\"224.0.0.5\": 224.0.0.0/3 is for multicast, and reserved");
	refuses("0.0.0.0/1", "\"0.0.0.0/1\": 0.0.0.0/8 stands for no address");
	refuses("::1", "\"::1\": ::/127 is the loopback");
	refuses("::ffff:192.0.2.1", "\"::ffff:192.0.2.1\": ::ffff:0:0/96 is IPv4");
	refuses("fe80::1", "\"fe80::1\": fe80::/10 is link-local");
	refuses("ff02::1", "\"ff02::1\": ff00::/8 is multicast");
}

static void test_bound(void **state)
{
	struct ranges ranges = {0};
	cox_autobuf list = COX_BUF_INIT;
	cox_autobuf why = COX_BUF_INIT;

	(void)state;
	for (unsigned i = 0; i < RANGES_MAX; i++)
		cox_buf_printf(&list, "%s10.0.%u.1", i ? "," : "", i);
	assert_int_equal(ranges_parse(&ranges, list.data, &why), 0);
	assert_int_equal(ranges.count, RANGES_MAX);
	assert_int_equal(ranges_parse(&ranges, "10.1.0.1", &why), -1);
	assert_string_equal(why.data, "\"10.1.0.1\": too many ranges, 64 are possible");
	ranges_free(&ranges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
