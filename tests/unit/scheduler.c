/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the scheduler: facts, node table, queue, policy, diagnosis, choosing. */
#include "unit.h"

#include "base/clock.h"
#include "scheduler/attempt.h"
#include "scheduler/diagnosis.h"
#include "scheduler/nodes.h"
#include "scheduler/pending.h"
#include "scheduler/policy.h"

#include <coxswain/kit/cleanup.h>
#include <stdio.h>
#include <string.h>

static struct pod_facts *pod_of(const char *json)
{
	cox_autoobject *object = object_new(json, strlen(json), NULL);

	assert_non_null(object);
	return pod_facts_new(object);
}

static struct pod_facts *named_pod(const char *name, int priority, const char *spec)
{
	char json[1024];

	snprintf(json, sizeof(json),
		 "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"n\",\"uid\":\"u-%s\"},\"spec\":{"
		 "\"priority\":%d%s}}",
		 name, name, priority, spec);
	return pod_of(json);
}

static struct node_facts *node_of(const char *json)
{
	cox_autoobject *object = object_new(json, strlen(json), NULL);

	assert_non_null(object);
	return node_facts_new(object);
}

/* ---- facts ---- */

static void test_requests(void **state)
{
	struct pod_facts *pod = pod_of(
		"{\"metadata\":{\"name\":\"p\",\"namespace\":\"n\",\"uid\":\"u\",\"labels\":{\"z\":"
		"\"1\",\"a\":\"2\"}},\"spec\":{\"containers\":[{\"resources\":{\"requests\":{"
		"\"cpu\":\"250m\",\"memory\":\"1Gi\",\"x/gpu\":\"2\"}},\"ports\":[{\"hostPort\":80,"
		"\"containerPort\":8080},{\"containerPort\":9}]},{}],\"initContainers\":[{"
		"\"restartPolicy\":\"Always\",\"resources\":{\"requests\":{\"cpu\":\"100m\"}}},{"
		"\"resources\":{\"requests\":{\"cpu\":\"2\"}}}],\"overhead\":{\"cpu\":\"10m\"},"
		"\"volumes\":[{\"gcePersistentDisk\":{\"pdName\":\"d\",\"readOnly\":true}},{"
		"\"emptyDir\":{}},{\"persistentVolumeClaim\":{\"claimName\":\"c\"}}]}}");
	const struct cox_scheduler_pod *row = &pod->row;

	(void)state;
	/* The second init container, beside the first, which keeps running. */
	assert_int_equal(row->requests.milli_cpu, 2110);
	assert_int_equal(row->requests.memory, INT64_C(1) << 30);
	assert_int_equal(row->requests.pods, 1);
	assert_int_equal(row->requests.other_count, 1);
	assert_string_equal(row->requests.others[0].name, "x/gpu");
	assert_int_equal(row->requests.others[0].amount, 2);
	assert_int_equal(row->score_memory, (INT64_C(1) << 30) + (INT64_C(400) << 20));
	assert_int_equal(row->port_count, 1);
	assert_int_equal(row->ports[0].port, 80);
	assert_string_equal(row->ports[0].address, "0.0.0.0");
	assert_string_equal(row->ports[0].protocol, "TCP");
	assert_int_equal(row->disk_count, 1);
	assert_string_equal(row->disks[0].id, "d");
	assert_int_equal(row->disks[0].read_only, 1);
	assert_int_equal(row->flags, COX_SCHEDULER_POD_CLAIMS);
	assert_string_equal(row->labels.items[0].key, "a");
	assert_string_equal(row->labels.items[1].key, "z");
	assert_string_equal(pod->scheduler_name, "default-scheduler");
	pod_facts_unref(pod);
}

static void test_digest(void **state)
{
	struct pod_facts *a = pod_of("{\"metadata\":{\"name\":\"p\",\"resourceVersion\":\"1\"},"
				     "\"spec\":{\"priority\":1}}");
	struct pod_facts *b = pod_of("{\"metadata\":{\"name\":\"p\",\"resourceVersion\":\"2\"},"
				     "\"spec\":{\"priority\":1},\"status\":{\"phase\":\"x\"}}");
	struct pod_facts *c = pod_of("{\"metadata\":{\"name\":\"p\"},\"spec\":{\"priority\":2}}");

	(void)state;
	assert_true(a->digest == b->digest);
	assert_true(a->digest != c->digest);
	pod_facts_unref(a);
	pod_facts_unref(b);
	pod_facts_unref(c);
}

/* ---- the node table ---- */

#define HUNGRY                                                                                     \
	",\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"1\",\"memory\":\"1Mi\",\"x/y\":" \
	"\"3\"}},\"ports\":[{\"hostPort\":80}]}]"

static void test_table(void **state)
{
	struct node_table *table = node_table_new();
	struct node_facts *facts = node_of("{\"metadata\":{\"name\":\"a\"},\"status\":{"
					   "\"allocatable\":{\"cpu\":\"4\",\"pods\":\"110\"}}}");
	struct pod_facts *one = named_pod("one", 0, HUNGRY), *two = named_pod("two", 0, HUNGRY);
	const struct cox_scheduler_node *row, *same;
	enum node_news news;
	uint64_t generation;

	(void)state;
	/* A pod may come before its node. */
	assert_null(node_table_add_pod(table, one, "a", false));
	assert_int_equal(node_table_rows(table).count, 0);
	row = node_table_set(table, facts, &news);
	assert_int_equal(news, NODE_NEW);
	assert_int_equal(node_table_rows(table).count, 1);
	assert_int_equal(row->requested.milli_cpu, 1000);
	generation = row->generation;
	assert_ptr_equal(node_table_add_pod(table, two, "a", true), row);
	assert_true(row->generation > generation);
	assert_true(node_table_is_assumed(table, "u-two"));
	assert_int_equal(row->requested.milli_cpu, 2000);
	assert_int_equal(row->requested.pods, 2);
	assert_int_equal(row->requested.others[0].amount, 6);
	assert_int_equal(row->port_count, 2);
	/* Told for good. */
	node_table_add_pod(table, two, "a", false);
	assert_false(node_table_is_assumed(table, "u-two"));
	assert_int_equal(row->pod_count, 2);
	pod_facts_unref(node_table_remove_pod(table, "u-one", &same));
	assert_ptr_equal(same, row);
	assert_int_equal(row->requested.milli_cpu, 1000);
	assert_int_equal(row->requested.others[0].amount, 3);
	assert_int_equal(row->port_count, 1);
	assert_null(node_table_remove_pod(table, "u-one", NULL));
	node_table_set(table, facts, &news);
	assert_int_equal(news, NODE_SAME);
	node_table_remove(table, "a");
	assert_int_equal(node_table_rows(table).count, 0);
	assert_null(node_table_find(table, "a"));
	assert_int_equal(node_table_pod_count(table), 1);
	node_table_free(table);
	node_facts_unref(facts);
	pod_facts_unref(one);
	pod_facts_unref(two);
}

/* ---- the queue ---- */

static void put(struct pending *pending, const char *name, int priority, uint64_t now)
{
	struct pod_facts *pod = named_pod(name, priority, "");

	pending_put(pending, pod, false, now);
	pod_facts_unref(pod);
}

static void taken_is(struct pending *pending, uint64_t now, const char *name)
{
	const struct pending_pod *pod = pending_take(pending, now);

	if (!name) {
		assert_null(pod);
		return;
	}
	assert_non_null(pod);
	assert_string_equal(pod->pod->row.name, name);
}

static void test_order(void **state)
{
	struct pending *pending = pending_new();

	(void)state;
	put(pending, "old", 0, 1);
	put(pending, "new", 0, 2);
	put(pending, "high", 5, 3);
	put(pending, "gone", 9, 3);
	pending_remove(pending, "u-gone");
	taken_is(pending, 4, "high");
	taken_is(pending, 4, "old");
	taken_is(pending, 4, "new");
	taken_is(pending, 4, NULL);
	pending_free(pending);
}

static void test_backoff(void **state)
{
	static const unsigned seconds[] = {1, 1, 2, 4, 8, 16, 32, 60, 60};
	struct pending *pending = pending_new();
	uint64_t now = CLOCK_SECOND, second = CLOCK_SECOND;

	(void)state;
	for (unsigned i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++)
		assert_int_equal(pending_backoff(i), seconds[i] * second);
	put(pending, "p", 0, now);
	taken_is(pending, now, "p");
	pending_return(pending, "u-p", false, now);
	assert_int_equal(pending_count(pending, PENDING_BACKOFF), 1);
	assert_int_equal(pending_advance(pending, now), now + second);
	taken_is(pending, now + second - 1, NULL);
	taken_is(pending, now + second, "p");
	/* It waits for a change, and rests when that comes at once: 2 s now. */
	pending_return(pending, "u-p", true, now);
	taken_is(pending, now + 100 * second, NULL);
	pending_move(pending, pending_find(pending, "u-p"), now + second);
	taken_is(pending, now + second, NULL);
	taken_is(pending, now + 2 * second, "p");
	/* Nothing changes: after five minutes all the same. */
	pending_return(pending, "u-p", true, now);
	taken_is(pending, now + 299 * second, NULL);
	taken_is(pending, now + 320 * second, "p");
	pending_free(pending);
}

static void test_news_of_waiting(void **state)
{
	struct pending *pending = pending_new();

	(void)state;
	put(pending, "p", 0, 1);
	taken_is(pending, 1, "p");
	pending_return(pending, "u-p", true, 1);
	put(pending, "p", 0, 2); /* the same spec: only its status is new */
	taken_is(pending, 2, NULL);
	put(pending, "p", 1, 2);
	taken_is(pending, 2, "p");
	pending_free(pending);
}

/* ---- the policy ---- */

static void policy_says(const char *json, const char *wanted)
{
	cox_auto(policy_free) struct policy policy = POLICY_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	assert_int_equal(policy_parse(&policy, json, strlen(json), &err), -1);
	assert_string_equal(error_text(&err), wanted);
}

#define POLICY(rest) "{\"kind\":\"Policy\",\"apiVersion\":\"v1\"," rest "}"

static void test_policy(void **state)
{
	static const char good[] =
		POLICY("\"predicates\":[{\"name\":\"HostName\"},{\"name\":\"Mine\",\"argument\":{"
		       "\"serviceAffinity\":{\"labels\":[\"a\"]}}}],\"priorities\":[{\"name\":"
		       "\"EqualPriority\",\"weight\":3}]");
	cox_auto(policy_free) struct policy policy = POLICY_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	assert_int_equal(policy_parse(&policy, good, strlen(good), &err), 0);
	assert_int_equal(policy.predicates.count, 2);
	assert_string_equal(policy.predicates.items[0].part, "HostName");
	assert_string_equal(policy.predicates.items[1].name, "Mine");
	assert_string_equal(policy.predicates.items[1].part, "serviceAffinity");
	assert_int_equal(policy.priorities.items[0].weight, 3);
	policy_says(POLICY("\"priorities\":[{\"name\":\"EqualPriority\",\"weight\":0}]"),
		    "Priority EqualPriority should have a positive weight applied to it");
	policy_says(POLICY("\"priorities\":[{\"name\":\"EqualPriority\"}]"),
		    "Priority EqualPriority should have a positive weight applied to it");
	policy_says(POLICY("\"predicates\":[{\"name\":\"Aa\",\"argument\":{}}]"),
		    "Exactly 1 predicate argument is required");
	policy_says(POLICY("\"predicates\":[{\"name\":\"-a\"}]"),
		    "predicate name -a does not match the name validation regexp "
		    "\"^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])$\".");
	policy_says(POLICY("\"predicate\":[]"),
		    "Policy: unknown field \"predicate\" (did you mean \"predicates\"?)");
	policy_says("{\"kind\":\"Pod\",\"apiVersion\":\"v1\"}",
		    "kind Policy, apiVersion v1 is needed");
}

/* ---- diagnosis ---- */

static void test_diagnosis(void **state)
{
	struct diagnosis diagnosis = {0};
	cox_autobuf message = COX_BUF_INIT, log = COX_BUF_INIT;

	(void)state;
	diagnosis_add(&diagnosis, "centos-minion01", "MatchNodeSelector",
		      "node(s) didn't match Pod's node affinity/selector");
	diagnosis_add(&diagnosis, "centos-minion02", "PodFitsResources",
		      "Insufficient cpu\nInsufficient memory");
	diagnosis_add(&diagnosis, "centos-minion03", "PodFitsResources", "Insufficient cpu");
	diagnosis_tell(&diagnosis, "redis-master-1nd8y", 3, NULL, &message, &log);
	assert_string_equal(message.data, "0/3 nodes are available: 1 Insufficient memory, 1 "
					  "node(s) didn't match Pod's node affinity/selector, 2 "
					  "Insufficient cpu.");
	assert_string_equal(log.data, "failed to find fit for pod redis-master-1nd8y on node "
				      "centos-minion01: MatchNodeSelector\n"
				      "failed to find fit for pod redis-master-1nd8y on node "
				      "centos-minion02: PodFitsResources\n"
				      "failed to find fit for pod redis-master-1nd8y on node "
				      "centos-minion03: PodFitsResources\n");
	cox_buf_clear(&message);
	diagnosis_tell(&diagnosis, "p", 0, NULL, &message, &log);
	assert_string_equal(message.data, "no nodes available to schedule pods");
	diagnosis_clear(&diagnosis);
}

static void test_enough(void **state)
{
	(void)state;
	assert_int_equal(attempt_enough(0), 0);
	assert_int_equal(attempt_enough(100), 100);
	assert_int_equal(attempt_enough(150), 100);
	assert_int_equal(attempt_enough(1000), 420);
	assert_int_equal(attempt_enough(5000), 500);
	assert_int_equal(attempt_enough(50000), 2500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests), cmocka_unit_test(test_digest),
		cmocka_unit_test(test_table),	 cmocka_unit_test(test_order),
		cmocka_unit_test(test_backoff),	 cmocka_unit_test(test_news_of_waiting),
		cmocka_unit_test(test_policy),	 cmocka_unit_test(test_diagnosis),
		cmocka_unit_test(test_enough),
	};

	return cmocka_run_group_tests_name("scheduler", tests, NULL, NULL);
}
