/* SPDX-License-Identifier: Apache-2.0 */
/* What kube-scheduler must do with any plugin: bind, tell, try again, leave alone. */
#include "harness.h"

#include <string.h>

static void test_binds(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	put_pod(&rig, "early", "", "");
	put_node(&rig, "a", "", "");
	rig_start(&rig, PLUGIN, NULL);
	eventually(is_on(&rig, "early", "a"));
	put_pod(&rig, "late", "", "");
	eventually(is_on(&rig, "late", "a"));
	eventually(has_event(&rig, "late", "Scheduled", "Successfully assigned n/late to a"));
	assert_false(has_event(&rig, "late", "FailedScheduling", ""));
	rig_close(&rig);
}

static void test_no_node(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	rig_start(&rig, PLUGIN, NULL);
	put_pod(&rig, "p", "", "");
	eventually(is_told(&rig, "p", "no nodes available to schedule pods"));
	eventually(has_event(&rig, "p", "FailedScheduling", "no nodes available to schedule pods"));
	put_node(&rig, "a", "", "");
	eventually(is_on(&rig, "p", "a"));
	rig_close(&rig);
}

static void test_unusable(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	put_node(&rig, "cordoned", "", "\"unschedulable\":true");
	fake_put(rig.server, "nodes",
		 "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"down\"},"
		 "\"status\":{\"allocatable\":{\"cpu\":\"4\",\"memory\":\"8Gi\",\"pods\":\"110\"},"
		 "\"conditions\":[{\"type\":\"Ready\",\"status\":\"Unknown\"}]}}");
	put_node(&rig, "good", "", "");
	rig_start(&rig, PLUGIN, NULL);
	for (int i = 0; i < 8; i++) {
		char name[8] = {'p', (char)('0' + i), 0};

		put_pod(&rig, name, "", "");
		eventually(is_on(&rig, name, "good"));
	}
	rig_close(&rig);
}

#define CPU(amount)                                                                                \
	",\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"" amount "\"}}}]"

static void test_room(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	put_node(&rig, "a", "", "");
	rig_start(&rig, PLUGIN, NULL);
	put_pod(&rig, "half", "", CPU("2"));
	eventually(is_on(&rig, "half", "a"));
	put_pod(&rig, "other", "", CPU("2"));
	eventually(is_on(&rig, "other", "a"));
	put_pod(&rig, "third", "", CPU("1"));
	eventually(fake_requests(rig.server, CLIENT_PATCH, "pods") == 1);
	assert_false(is_on(&rig, "third", NULL));
	/* What has ended, and what is gone, makes room. */
	fake_remove(rig.server, "pods", "n", "half");
	eventually(is_on(&rig, "third", "a"));
	rig_close(&rig);
}

static void test_not_ours(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	put_node(&rig, "a", "", "");
	fake_put(rig.server, "pods",
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"theirs\","
		 "\"namespace\":\"n\"},\"spec\":{\"schedulerName\":\"mine\"}}");
	fake_put(rig.server, "pods",
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"unnamed\","
		 "\"namespace\":\"n\"},\"spec\":{}}");
	rig_start(&rig, PLUGIN, NULL);
	eventually(is_on(&rig, "unnamed", "a"));
	put_pod(&rig, "ours", "", "");
	eventually(is_on(&rig, "ours", "a"));
	assert_false(is_on(&rig, "theirs", NULL));
	assert_int_equal(fake_requests(rig.server, CLIENT_CREATE, "pods"), 2);
	rig_close(&rig);
}

static void test_refused(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	put_node(&rig, "a", "", "");
	fake_fail(rig.server, CLIENT_CREATE, "pods", 409, "Conflict", "not today", 1);
	put_pod(&rig, "p", "", CPU("3"));
	rig_start(&rig, PLUGIN, NULL);
	eventually(has_event(&rig, "p", "FailedScheduling", "binding rejected: not today"));
	/* What was set aside for it is free again, for itself after a second too. */
	eventually(is_on(&rig, "p", "a"));
	assert_int_equal(fake_requests(rig.server, CLIENT_CREATE, "pods"), 2);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_binds),	 cmocka_unit_test(test_no_node),
		cmocka_unit_test(test_unusable), cmocka_unit_test(test_room),
		cmocka_unit_test(test_not_ours), cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("scheduler " PLUGIN, tests, NULL, NULL);
}
