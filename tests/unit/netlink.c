/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink messages of the kit: their bytes, and a question to the kernel. */
#include "unit.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

static void test_bytes(void **state)
{
	static const unsigned char expected[] = {
		/* length 44, type 16, flags 5 (request, acknowledge), sequence, port */
		44, 0, 0, 0, 16, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		/* the fixed header */
		'h', 'e', 'a', 'd',
		/* length 7, type 3, "lo" and its zero byte, padding */
		7, 0, 3, 0, 'l', 'o', 0, 0,
		/* length 16, type 18 nested; in it: length 12, type 1, one number */
		16, 0, 18, 128, 12, 0, 1, 0, 0, 0, 0, 9, 0, 0, 0, 7};
	cox_autobuf message = COX_BUF_INIT;
	size_t at = cox_netlink_begin(&message, 16, NLM_F_ACK, "head", 4), nest;

	(void)state;
	cox_netlink_text(&message, 3, "lo");
	nest = cox_netlink_nest(&message, 18);
	cox_netlink_put(&message, 1, "\0\0\0\x09\0\0\0\x07", 8);
	cox_netlink_close_nest(&message, nest);
	cox_netlink_end(&message, at);
	assert_int_equal(message.size, sizeof(expected));
	assert_memory_equal(message.data, expected, sizeof(expected));
}

struct found {
	int index, links;
};

static int take_link(const struct nlmsghdr *answer, void *context)
{
	struct found *found = context;
	const struct ifinfomsg *info = NLMSG_DATA(answer);
	size_t size;
	const char *name = cox_netlink_find(answer, sizeof(*info), IFLA_IFNAME, &size);

	found->links++;
	if (name && size == 3 && memcmp(name, "lo", 3) == 0)
		found->index = info->ifi_index;
	assert_null(cox_netlink_find(answer, sizeof(*info), 0x3ffe, &size));
	return 0;
}

static void test_ask(void **state)
{
	const struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	struct cox_netlink netlink = COX_NETLINK_INIT;
	struct found found = {0, 0};
	cox_autobuf message = COX_BUF_INIT;
	size_t at;

	(void)state;
	assert_int_equal(cox_netlink_open(&netlink, NETLINK_ROUTE, -1), 0);
	at = cox_netlink_begin(&message, RTM_GETLINK, NLM_F_DUMP, &info, sizeof(info));
	cox_netlink_end(&message, at);
	assert_int_equal(cox_netlink_ask(&netlink, &message, take_link, &found), 0);
	assert_int_equal(found.index, 1); /* loopback comes first in every namespace */
	assert_true(found.links >= 1);
	/* An error comes back as errno, and the socket goes on working. */
	cox_buf_clear(&message);
	at = cox_netlink_begin(&message, RTM_GETLINK, NLM_F_ACK, &info, sizeof(info));
	cox_netlink_text(&message, IFLA_IFNAME, "no-such-link");
	cox_netlink_end(&message, at);
	assert_int_equal(cox_netlink_ask(&netlink, &message, NULL, NULL), -1);
	assert_int_equal(errno, ENODEV);
	cox_netlink_close(&netlink);
	assert_int_equal(netlink.fd, -1);
	assert_int_equal(cox_netlink_open(&netlink, NETLINK_ROUTE, 0x7fffffff), -1);
	assert_int_equal(errno, EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bytes),
					   cmocka_unit_test(test_ask)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
