/* SPDX-License-Identifier: Apache-2.0 */
/* What the preflight checks read: lists of rules and files as machines have them. */
#include "unit.h"

#include "preflight/parse.h"

#include <arpa/inet.h>
#include <string.h>

static struct preflight_network network(const char *text)
{
	struct preflight_network result;

	assert_int_equal(preflight_parse_network(text, &result), 0);
	return result;
}

static void assert_covers(const char *outer, const char *inner, bool expected)
{
	struct preflight_network a = network(outer), b = network(inner);

	assert_int_equal(preflight_covers(&a, &b), expected);
}

static void networks_are_understood(void **state)
{
	static const char *const bad[] = {
		"",	  "10.0.0.0/33", "10.0.0/8",	  "10.0.0.0/",	"x",
		"::/129", "10.0.0.0/8x", "centos-master", "10.0.0.0/-1"};
	struct preflight_network result;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(preflight_parse_network(bad[i], &result), -1);
	assert_int_equal(network("10.254.0.0/16").bits, 16);
	assert_int_equal(network("192.168.1.1").bits, 32);
	assert_int_equal(network("fd00::/8").family, AF_INET6);
	assert_covers("10.0.0.0/8", "10.254.0.0/16", true);
	assert_covers("10.254.0.0/16", "10.254.0.0/16", true);
	assert_covers("10.254.0.0/16", "10.0.0.0/8", false);
	assert_covers("10.254.0.0/15", "10.255.0.0/16", true);
	assert_covers("10.254.0.0/15", "10.253.0.0/16", false);
	assert_covers("0.0.0.0/0", "10.244.0.0/16", true);
	assert_covers("::/0", "10.244.0.0/16", false);
}

/* The rules of a fresh CentOS 7 with iptables-services. */
static const char centos[] = "-P INPUT ACCEPT\n"
			     "-P FORWARD ACCEPT\n"
			     "-P OUTPUT ACCEPT\n"
			     "-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT\n"
			     "-A INPUT -p icmp -j ACCEPT\n"
			     "-A INPUT -i lo -j ACCEPT\n"
			     "-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT\n"
			     "-A INPUT -j REJECT --reject-with icmp-host-prohibited\n"
			     "-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n";

static void the_refusing_rule_has_a_number(void **state)
{
	struct preflight_refusal refusal;

	(void)state;
	assert_true(preflight_find_refusal(centos, "INPUT", NULL, 0, &refusal));
	assert_int_equal(refusal.number, 5);
	assert_string_equal(refusal.what, "REJECT icmp-host-prohibited");
	assert_false(refusal.allowed);
	assert_true(preflight_find_refusal(centos, "FORWARD", NULL, 0, &refusal));
	assert_int_equal(refusal.number, 1);
	assert_false(preflight_find_refusal(centos, "OUTPUT", NULL, 0, &refusal));
	/* A chain's name is the whole word. */
	assert_false(
		preflight_find_refusal("-A INPUT_direct -j DROP\n", "INPUT", NULL, 0, &refusal));
	assert_true(preflight_find_refusal("-A INPUT -j DROP", "INPUT", NULL, 0, &refusal));
	assert_string_equal(refusal.what, "DROP");
	assert_true(preflight_find_refusal("-A INPUT -j REJECT\n", "INPUT", NULL, 0, &refusal));
	assert_string_equal(refusal.what, "REJECT");
}

static void rules_with_conditions_refuse_not_all(void **state)
{
	struct preflight_refusal refusal;

	(void)state;
	assert_false(preflight_find_refusal("-A INPUT -s 1.2.3.4/32 -j DROP\n"
					    "-A INPUT -p tcp -m tcp --dport 25 -j REJECT "
					    "--reject-with icmp-port-unreachable\n",
					    "INPUT", NULL, 0, &refusal));
	/* Nothing comes past the first of these. */
	assert_false(preflight_find_refusal("-A INPUT -j ACCEPT\n-A INPUT -j DROP\n", "INPUT", NULL,
					    0, &refusal));
}

static void networks_that_are_let_in_before(void **state)
{
	static const char rules[] = "-A INPUT -s 192.168.0.0/16 -j ACCEPT\n"
				    "-A INPUT -s 10.244.0.0/16 -j ACCEPT\n"
				    "-A INPUT -s 10.254.0.0/16 -i eth1 -j ACCEPT\n"
				    "-A INPUT -j REJECT --reject-with icmp-host-prohibited\n"
				    "-A INPUT -s 10.254.0.0/16 -j ACCEPT\n";
	struct preflight_network networks[3] = {network("192.168.1.0/24"), network("10.244.0.0/16"),
						network("10.254.0.0/16")};
	struct preflight_refusal refusal;

	(void)state;
	assert_true(preflight_find_refusal(rules, "INPUT", networks, 2, &refusal));
	assert_int_equal(refusal.number, 4);
	assert_true(refusal.allowed);
	/* One with a further condition, and one behind the refusal, do not count. */
	assert_true(preflight_find_refusal(rules, "INPUT", networks, 3, &refusal));
	assert_false(refusal.allowed);
}

static void policies_are_read(void **state)
{
	(void)state;
	assert_true(preflight_policy_drops("-P INPUT ACCEPT\n-P FORWARD DROP\n", "FORWARD"));
	assert_false(preflight_policy_drops("-P INPUT ACCEPT\n-P FORWARD DROP\n", "INPUT"));
	assert_false(preflight_policy_drops(centos, "FORWARD"));
}

/* Ports 10250 and 8080 listen, one for all addresses; the third is a connection. */
static const char tcp[] = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
			  "retrnsmt   uid  timeout "
			  "inode\n"
			  "   0: 00000000:280A 00000000:0000 0A 00000000:00000000 00:00000000 "
			  "00000000     0        0 "
			  "4711 1 0000000000000000 100 0 0 10 0\n"
			  "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 "
			  "00000000   103        0 "
			  "4712 1 0000000000000000 100 0 0 10 0\n"
			  "   2: 0100007F:B4A2 0100007F:1F90 01 00000000:00000000 00:00000000 "
			  "00000000     0        0 "
			  "4713 1 0000000000000000 20 4 30 10 -1\n";
static const char tcp6[] =
	"  sl  local_address                         remote_address                        st\n"
	"   0: 00000000000000000000000000000000:192B 00000000000000000000000000000000:0000 0A "
	"00000000:00000000 00:00000000 00000000     0        0 4714 1 0000000000000000 100 0 0 10 "
	"0\n"
	"   1: 00000000000000000000000001000000:192C 00000000000000000000000000000000:0000 0A "
	"00000000:00000000 00:00000000 00000000     0        0 4715 1 0000000000000000 100 0 0 10 "
	"0\n";

static void listeners_are_found(void **state)
{
	struct preflight_listener listener;
	const char *at = tcp;

	(void)state;
	assert_true(preflight_next_listener(&at, false, &listener));
	assert_int_equal(listener.port, 10250);
	assert_int_equal(listener.inode, 4711);
	assert_true(preflight_in_the_way(&listener, "127.0.0.1", 10250));
	assert_true(preflight_in_the_way(&listener, "0.0.0.0", 10250));
	assert_true(preflight_in_the_way(&listener, "a-name", 10250));
	assert_false(preflight_in_the_way(&listener, "0.0.0.0", 10251));
	assert_true(preflight_next_listener(&at, false, &listener));
	assert_int_equal(listener.port, 8080);
	assert_int_equal(listener.inode, 4712);
	assert_true(preflight_in_the_way(&listener, "127.0.0.1", 8080));
	assert_true(preflight_in_the_way(&listener, "0.0.0.0", 8080));
	assert_false(preflight_in_the_way(&listener, "192.168.1.11", 8080));
	assert_false(preflight_next_listener(&at, false, &listener));
	at = tcp6;
	assert_true(preflight_next_listener(&at, true, &listener));
	assert_int_equal(listener.port, 6443);
	assert_true(preflight_in_the_way(&listener, "0.0.0.0", 6443));
	assert_true(preflight_next_listener(&at, true, &listener));
	assert_int_equal(listener.port, 6444);
	assert_true(preflight_in_the_way(&listener, "::1", 6444));
	assert_false(preflight_in_the_way(&listener, "127.0.0.1", 6444));
	assert_false(preflight_next_listener(&at, true, &listener));
}

static void files_of_proc(void **state)
{
	static const char meminfo[] = "MemTotal:       24684544 kB\nMemFree:        12 kB\n"
				      "MemAvailable:   21218304 kB\n";
	static const char swaps[] = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
	uint64_t bytes;
	char names[64];

	(void)state;
	assert_int_equal(preflight_meminfo(meminfo, "MemTotal", &bytes), 0);
	assert_true(bytes == UINT64_C(24684544) * 1024);
	assert_int_equal(preflight_meminfo(meminfo, "MemAvailable", &bytes), 0);
	assert_int_equal(preflight_meminfo(meminfo, "Mem", &bytes), -1);
	assert_int_equal(preflight_meminfo("", "MemTotal", &bytes), -1);
	assert_int_equal(preflight_swaps(swaps, names, sizeof(names)), 0);
	assert_int_equal(preflight_swaps("Filename\t\tType\n/dev/dm-1   partition\t4\t0\t-2\n"
					 "/swapfile   file\t4\t0\t-3\n",
					 names, sizeof(names)),
			 2);
	assert_string_equal(names, "/dev/dm-1 /swapfile");
	/* However many there are, they stay in their room. */
	assert_int_equal(preflight_swaps("/a b\n/bcdefgh c\n/d e\n", names, 6), 3);
	assert_string_equal(names, "/a /b");
}

static void layouts_of_cgroups(void **state)
{
	static const char hybrid[] =
		"25 20 0:22 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755\n"
		"26 25 0:23 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
		"27 25 0:24 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
		"30 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup "
		"rw,cpu,cpuacct\n"
		"31 25 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
	struct preflight_cgroups cgroups;

	(void)state;
	preflight_find_cgroups(hybrid, &cgroups);
	assert_true(cgroups.v2);
	assert_int_equal(cgroups.v1, 3);
	assert_string_equal(cgroups.v2_mount, "/sys/fs/cgroup/unified");
	assert_true(preflight_has_word(cgroups.controllers, "cpu"));
	assert_true(preflight_has_word(cgroups.controllers, "memory"));
	assert_false(preflight_has_word(cgroups.controllers, "pids"));
	assert_false(preflight_has_word(cgroups.controllers, "cpua"));
	preflight_find_cgroups("30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 "
			       "rw,nsdelegate,memory_recursiveprot\n",
			       &cgroups);
	assert_true(cgroups.v2);
	assert_int_equal(cgroups.v1, 0);
	assert_string_equal(cgroups.v2_mount, "/sys/fs/cgroup");
	preflight_find_cgroups("", &cgroups);
	assert_false(cgroups.v2 || cgroups.v1);
	assert_true(preflight_has_word("cpuset cpu io\n", "io"));
}

static void assert_url(const char *text, bool tls, const char *host, unsigned port)
{
	struct preflight_url url;

	assert_int_equal(preflight_parse_url(text, &url), 0);
	assert_int_equal(url.tls, tls);
	assert_string_equal(url.host, host);
	assert_int_equal(url.port, port);
}

static void urls_are_taken_apart(void **state)
{
	static const char *const bad[] = {
		"",	      "http://",     "ftp://a:1",   "http://a:0",    "http://a:65536",
		"http://a:x", "http://[::1", "http://[]:1", "http://[::1]x", "http://a:/path"};
	struct preflight_url url;

	(void)state;
	assert_url("http://centos-master:8080", false, "centos-master", 8080);
	assert_url("https://10.20.161.77:6443/", true, "10.20.161.77", 6443);
	assert_url("https://master", true, "master", 443);
	assert_url("http://master?x", false, "master", 80);
	assert_url("http://[fd00::1]:4001", false, "fd00::1", 4001);
	assert_url("centos-master:8080", false, "centos-master", 8080);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(preflight_parse_url(bad[i], &url), -1);
}

static void dates_of_answers(void **state)
{
	time_t when;

	(void)state;
	assert_int_equal(preflight_parse_date("HTTP/1.1 200 OK\r\nDate: Tue, 15 Nov 1994 08:12:31 "
					      "GMT\r\n\r\nok",
					      &when),
			 0);
	assert_int_equal(when, 784887151);
	assert_int_equal(preflight_parse_date("HTTP/1.1 200 OK\r\nDate: now\r\n\r\n", &when), -1);
	/* What stands in a body is no header. */
	assert_int_equal(preflight_parse_date("HTTP/1.1 200 OK\r\n\r\n"
					      "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n",
					      &when),
			 -1);
}

static void thresholds_of_eviction(void **state)
{
	static const char list[] =
		"memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%";
	uint64_t amount;

	(void)state;
	assert_int_equal(preflight_parse_threshold(list, "memory.available", 1, &amount), 0);
	assert_true(amount == 100 << 20);
	assert_int_equal(preflight_parse_threshold(list, "nodefs.available", 2000, &amount), 0);
	assert_int_equal(amount, 200);
	assert_int_equal(preflight_parse_threshold(list, "nodefs", 1, &amount), -1);
	assert_int_equal(preflight_parse_threshold("a<101%", "a", 1, &amount), -1);
	assert_int_equal(preflight_parse_threshold("a<%x", "a", 1, &amount), -1);
	assert_int_equal(preflight_parse_threshold("", "a", 1, &amount), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_are_understood),
		cmocka_unit_test(the_refusing_rule_has_a_number),
		cmocka_unit_test(rules_with_conditions_refuse_not_all),
		cmocka_unit_test(networks_that_are_let_in_before),
		cmocka_unit_test(policies_are_read),
		cmocka_unit_test(listeners_are_found),
		cmocka_unit_test(files_of_proc),
		cmocka_unit_test(layouts_of_cgroups),
		cmocka_unit_test(urls_are_taken_apart),
		cmocka_unit_test(dates_of_answers),
		cmocka_unit_test(thresholds_of_eviction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
