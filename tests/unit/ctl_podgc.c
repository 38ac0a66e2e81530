/* SPDX-License-Identifier: Apache-2.0 */
/* The pod garbage collector. */
#include "unit.h"

#include "base/clock.h"
#include "lib/controllers.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

static void put_pod(struct fixture *f, const char *name, const char *metadata, const char *node,
		    const char *status)
{
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'%s','namespace':'n'%s},'spec':{"
	    "'nodeName':'%s'},'status':{%s}}",
	    name, metadata, node, status);
}

static void test_ended(void **state)
{
	struct fixture *f = *state;

	put(f, "nodes", "{'kind':'Node','apiVersion':'v1','metadata':{'name':'m'}}");
	put_pod(f, "young", ",'creationTimestamp':'2026-01-03T00:00:00Z'", "m",
		"'phase':'Succeeded'");
	put_pod(f, "old", ",'creationTimestamp':'2026-01-01T00:00:00Z'", "m", "'phase':'Failed'");
	put_pod(f, "evicted", ",'creationTimestamp':'2026-01-04T00:00:00Z'", "m",
		"'phase':'Failed','reason':'Evicted'");
	put_pod(f, "runs", ",'creationTimestamp':'2025-01-01T00:00:00Z'", "m", "'phase':'Running'");
	fixture_run(f, "podgc", "threshold", "1", "period", "20ms", NULL);
	eventually(fake_count(f->server, "pods") == 2);
	assert_true(exists(f, "pods", "n", "young"));
	assert_true(exists(f, "pods", "n", "runs"));
}

static void test_unscheduled(void **state)
{
	struct fixture *f = *state;

	put_pod(f, "waiting", "", "", "'phase':'Pending'");
	put_pod(f, "gone",
		",'deletionTimestamp':'2026-01-01T00:00:00Z','deletionGracePeriodSeconds':30", "",
		"'phase':'Pending'");
	fixture_run(f, "podgc", "period", "20ms", NULL);
	eventually(!exists(f, "pods", "n", "gone"));
	assert_true(exists(f, "pods", "n", "waiting"));
}

static void test_orphans(void **state)
{
	struct fixture *f = *state;

	put(f, "nodes", "{'kind':'Node','apiVersion':'v1','metadata':{'name':'m'}}");
	put(f, "nodes", "{'kind':'Node','apiVersion':'v1','metadata':{'name':'goes'}}");
	put_pod(f, "stays", "", "m", "'phase':'Running'");
	put_pod(f, "orphan", ",'finalizers':['x.io/look']", "never", "'phase':'Running'");
	put_pod(f, "later", "", "goes", "'phase':'Running'");
	fixture_run(f, "podgc", "quarantine", "50ms", NULL);
	eventually(*field(f, "pods", "n", "orphan", "metadata.deletionTimestamp"));
	assert_string_equal(field(f, "pods", "n", "orphan", "status.phase"), "Failed");
	assert_string_equal(field(f, "pods", "n", "orphan", "status.conditions[0].reason"),
			    "DeletionByPodGC");
	assert_string_equal(field(f, "pods", "n", "orphan", "status.conditions[0].message"),
			    "PodGC: node no longer exists");
	assert_true(exists(f, "pods", "n", "later"));
	fake_remove(f->server, "nodes", "", "goes");
	eventually(!exists(f, "pods", "n", "later"));
	assert_true(exists(f, "pods", "n", "stays"));
}

static void test_asks_first(void **state)
{
	struct fixture *f = *state;

	/* The server cannot say: no pod may go. */
	fake_fail(f->server, CLIENT_GET, "nodes", 503, "ServiceUnavailable", "not now", 3);
	put_pod(f, "a", "", "never", "'phase':'Running'");
	fixture_run(f, "podgc", "quarantine", "0", NULL);
	eventually(!exists(f, "pods", "n", "a"));
	assert_int_equal(fake_requests(f->server, CLIENT_GET, "nodes"), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(test_ended),
		with_server(test_unscheduled),
		with_server(test_orphans),
		with_server(test_asks_first),
	};

	return cmocka_run_group_tests_name("podgc", tests, NULL, NULL);
}
