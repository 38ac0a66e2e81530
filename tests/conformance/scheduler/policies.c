/* SPDX-License-Identifier: Apache-2.0 */
/* The default plugin's predicates and priorities, policies, and swapping plugins. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

#define SELECTOR ",\"nodeSelector\":{\"disk\":\"ssd\"}"
#define CPU(amount)                                                                                \
	",\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"" amount "\"}}}]"
#define POLICY(rest) "{\"kind\":\"Policy\",\"apiVersion\":\"v1\"," rest "}"

static void one_node(struct rig *rig, const char *policy)
{
	rig_open(rig);
	put_node(rig, "a", "", "");
	rig_start(rig, "default", policy);
}

static void test_selector(void **state)
{
	static const char why[] = "0/1 nodes are available: 1 node(s) didn't match Pod's node "
				  "affinity/selector.";
	struct rig rig;

	(void)state;
	one_node(&rig, NULL);
	put_pod(&rig, "p", "", SELECTOR);
	eventually(is_told(&rig, "p", why));
	eventually(has_event(&rig, "p", "FailedScheduling", why));
	put_node(&rig, "a", "\"disk\":\"ssd\"", "");
	eventually(is_on(&rig, "p", "a"));
	/* Said once, though it was tried twice. */
	assert_int_equal(fake_requests(rig.server, CLIENT_PATCH, "pods"), 1);
	rig_close(&rig);
}

#define AFFINITY                                                                                   \
	",\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{"    \
	"\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"gen\",\"operator\":\"Gt\","      \
	"\"values\":[\"3\"]}]},{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\","  \
	"\"values\":[\"c\"]}]}]}}}"
#define PREFERENCE                                                                                 \
	",\"affinity\":{\"nodeAffinity\":{\"preferredDuringSchedulingIgnoredDuringExecution\":[{"  \
	"\"weight\":50,\"preference\":{\"matchExpressions\":[{\"key\":\"gen\",\"operator\":"       \
	"\"In\",\"values\":[\"2\"]}]}}]}}"

static void test_affinity(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	put_node(&rig, "a", "\"gen\":\"3\"", "");
	put_node(&rig, "b", "\"gen\":\"2\"", "");
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "liked", "", PREFERENCE);
	eventually(is_on(&rig, "liked", "b"));
	put_pod(&rig, "p", "", AFFINITY);
	eventually(is_told(&rig, "p",
			   "0/2 nodes are available: 2 node(s) didn't match Pod's node "
			   "affinity/selector."));
	put_node(&rig, "c", "", "");
	eventually(is_on(&rig, "p", "c"));
	put_pod(&rig, "q", "", AFFINITY);
	eventually(is_on(&rig, "q", "c"));
	rig_close(&rig);
}

#define TAINT(effect) "\"taints\":[{\"key\":\"gpu\",\"value\":\"yes\",\"effect\":\"" effect "\"}]"

static void test_taints(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	put_node(&rig, "hard", "", TAINT("NoSchedule"));
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "p", "", "");
	eventually(is_told(&rig, "p",
			   "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: "
			   "yes}."));
	put_pod(&rig, "tolerant", "",
		",\"tolerations\":[{\"key\":\"gpu\",\"operator\":\"Exists\"}]");
	eventually(is_on(&rig, "tolerant", "hard"));
	put_node(&rig, "soft", "", TAINT("PreferNoSchedule"));
	eventually(is_on(&rig, "p", "soft"));
	put_node(&rig, "free", "\"free\":\"yes\"", "");
	/* The node is known when a pod that can be nowhere else is there. */
	put_pod(&rig, "first", "", ",\"nodeSelector\":{\"free\":\"yes\"}");
	eventually(is_on(&rig, "first", "free"));
	put_pod(&rig, "picky", "", "");
	eventually(is_on(&rig, "picky", "free"));
	rig_close(&rig);
}

#define PORT ",\"containers\":[{\"name\":\"c\",\"ports\":[{\"containerPort\":80,\"hostPort\":80}]}]"
#define DISK(member, id) ",\"volumes\":[{\"name\":\"v\",\"" member "\":{" id "}}]"
#define GCE(only) DISK("gcePersistentDisk", "\"pdName\":\"d\",\"readOnly\":" only)
#define EBS DISK("awsElasticBlockStore", "\"volumeID\":\"d\",\"readOnly\":true")

static void second_waits(struct rig *rig, const char *name, const char *spec, const char *why)
{
	char first[32], second[32];

	snprintf(first, sizeof(first), "%s-1", name);
	snprintf(second, sizeof(second), "%s-2", name);
	put_pod(rig, first, "", spec);
	eventually(is_on(rig, first, "a"));
	put_pod(rig, second, "", spec);
	eventually(is_told(rig, second, why));
}

static void test_conflicts(void **state)
{
	struct rig rig;

	(void)state;
	one_node(&rig, NULL);
	second_waits(&rig, "port", PORT,
		     "0/1 nodes are available: 1 node(s) didn't have free ports for the requested "
		     "pod ports.");
	put_pod(&rig, "reads-1", "", GCE("true"));
	eventually(is_on(&rig, "reads-1", "a"));
	put_pod(&rig, "reads-2", "", GCE("true"));
	eventually(is_on(&rig, "reads-2", "a"));
	put_pod(&rig, "writes", "", GCE("false"));
	eventually(is_told(&rig, "writes",
			   "0/1 nodes are available: 1 node(s) had no available disk."));
	second_waits(&rig, "ebs", EBS, "0/1 nodes are available: 1 node(s) had no available disk.");
	rig_close(&rig);
}

static void test_resources(void **state)
{
	struct rig rig;

	(void)state;
	one_node(&rig, NULL);
	put_pod(&rig, "p", "",
		",\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"5\","
		"\"memory\":\"9Gi\",\"example.com/gpu\":\"1\"}}}]");
	eventually(is_told(&rig, "p",
			   "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient "
			   "example.com/gpu, 1 Insufficient memory."));
	rig_close(&rig);
}

static void test_gates(void **state)
{
	struct rig rig;

	(void)state;
	one_node(&rig, NULL);
	put_pod(&rig, "gated", "", ",\"schedulingGates\":[{\"name\":\"wait\"}]");
	put_pod(&rig, "free", "", "");
	eventually(is_on(&rig, "free", "a"));
	assert_false(is_on(&rig, "gated", NULL));
	put_pod(&rig, "gated", "", "");
	eventually(is_on(&rig, "gated", "a"));
	rig_close(&rig);
}

static size_t count_on(struct rig *rig, const char *node, unsigned pods)
{
	size_t count = 0;
	char name[16];

	for (unsigned i = 0; i < pods; i++) {
		snprintf(name, sizeof(name), "w%u", i);
		count += is_on(rig, name, node);
	}
	return count;
}

static void put_service(struct rig *rig)
{
	fake_put(rig->server, "services",
		 "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\","
		 "\"namespace\":\"n\"},\"spec\":{\"selector\":{\"app\":\"web\"}}}");
}

static void put_webs(struct rig *rig, unsigned from, unsigned to)
{
	char name[16];

	for (unsigned i = from; i < to; i++) {
		snprintf(name, sizeof(name), "w%u", i);
		put_pod(rig, name, "\"app\":\"web\"", CPU("100m"));
		eventually(is_on(rig, name, NULL));
	}
}

static void three_nodes(struct rig *rig)
{
	rig_open(rig);
	put_service(rig);
	put_node(rig, "a", "\"rack\":\"1\"", "");
	put_node(rig, "b", "\"rack\":\"2\"", "");
	put_node(rig, "c", "\"rack\":\"2\"", "");
}

static void test_spreading(void **state)
{
	struct rig rig;

	(void)state;
	three_nodes(&rig);
	rig_start(&rig, "default",
		  POLICY("\"priorities\":[{\"name\":\"ServiceSpreadingPriority\",\"weight\":1}]"));
	put_webs(&rig, 0, 9);
	assert_int_equal(count_on(&rig, "a", 9), 3);
	assert_int_equal(count_on(&rig, "b", 9), 3);
	assert_int_equal(count_on(&rig, "c", 9), 3);
	rig_close(&rig);
}

/* The same pods, another plugin, other places. */
static void test_swap(void **state)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct chain *chain;
	struct rig rig;

	(void)state;
	three_nodes(&rig);
	rig_start(&rig, "default", NULL);
	put_webs(&rig, 0, 6);
	assert_int_equal(count_on(&rig, "a", 6), 2);
	assert_int_equal(count_on(&rig, "b", 6), 2);
	chain = rig_chain(&rig, "packed", NULL, &err);
	assert_non_null(chain);
	assert_int_equal(scheduler_use(rig.scheduler, chain, &err), 0);
	put_webs(&rig, 6, 12);
	assert_int_equal(count_on(&rig, "a", 12), 8);
	chain = rig_chain(&rig, "default", NULL, &err);
	assert_int_equal(scheduler_use(rig.scheduler, chain, &err), 0);
	put_webs(&rig, 12, 18);
	assert_int_equal(count_on(&rig, "a", 18), 8);
	rig_close(&rig);
}

static void test_arguments(void **state)
{
	static const char policy[] =
		POLICY("\"predicates\":[{\"name\":\"Racks\",\"argument\":{\"serviceAffinity\":{"
		       "\"labels\":[\"rack\"]}}},{\"name\":\"NotRetired\",\"argument\":{"
		       "\"labelsPresence\":{\"labels\":[\"retiring\"],\"presence\":false}}}],"
		       "\"priorities\":[{\"name\":\"Good\",\"weight\":1,\"argument\":{"
		       "\"labelPreference\":{\"label\":\"good\",\"presence\":true}}}]");
	struct rig rig;

	(void)state;
	rig_open(&rig);
	put_service(&rig);
	put_node(&rig, "a", "\"rack\":\"1\",\"good\":\"\"", "");
	put_node(&rig, "b", "\"rack\":\"1\"", "");
	put_node(&rig, "c", "\"rack\":\"2\",\"good\":\"\",\"retiring\":\"\"", "");
	rig_start(&rig, "default", policy);
	put_webs(&rig, 0, 4);
	assert_int_equal(count_on(&rig, "a", 4), 4);
	/* Not where the service is: it follows, though another is better. */
	put_node(&rig, "a", "\"rack\":\"3\",\"good\":\"\"", "");
	put_pod(&rig, "alone", "", "");
	eventually(is_on(&rig, "alone", "a"));
	put_webs(&rig, 4, 5);
	assert_int_equal(count_on(&rig, "a", 5), 5);
	put_pod(&rig, "nowhere", "\"app\":\"web\"", ",\"nodeSelector\":{\"rack\":\"2\"}");
	eventually(is_told(&rig, "nowhere",
			   "0/3 nodes are available: 1 node(s) didn't have the requested labels, 2 "
			   "node(s) didn't match service affinity."));
	rig_close(&rig);
}

static void test_anti_affinity(void **state)
{
	static const char policy[] =
		POLICY("\"priorities\":[{\"name\":\"OverRacks\",\"weight\":1,\"argument\":{"
		       "\"serviceAntiAffinity\":{\"label\":\"rack\"}}}]");
	struct rig rig;

	(void)state;
	three_nodes(&rig);
	rig_start(&rig, "default", policy);
	put_webs(&rig, 0, 1);
	/* The listers may not have seen the last one yet, so the first decides. */
	put_webs(&rig, 1, 8);
	assert_in_range(count_on(&rig, "a", 8), 3, 5);
	rig_close(&rig);
}

static void refused(const char *policy, const char *why)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct rig rig;

	rig_open(&rig);
	assert_null(rig_chain(&rig, "default", policy, &err));
	assert_string_equal(error_text(&err), why);
	rig_close(&rig);
}

static void test_refused_policies(void **state)
{
	(void)state;
	refused(POLICY("\"predicates\":[{\"name\":\"NoSuch\"}]"),
		"Invalid configuration: Predicate type not found for NoSuch");
	refused(POLICY("\"priorities\":[{\"name\":\"NoSuch\",\"weight\":1}]"),
		"Invalid configuration: Priority type not found for NoSuch");
	refused(POLICY("\"predicates\":[{\"name\":\"Aa\",\"argument\":{\"serviceAffinity\":{}}}]"),
		"Aa: the argument of serviceAffinity needs \"labels\"");
	refused(POLICY("\"predicates\":[{\"name\":\"serviceAffinity\"}]"),
		"Invalid configuration: Predicate type not found for serviceAffinity");
}

/* Only what the policy names counts: with no PodFitsResources a full node is fine. */
static void test_policy_rules(void **state)
{
	struct rig rig;

	(void)state;
	one_node(&rig, POLICY("\"predicates\":[{\"name\":\"PodFitsPorts\"}]"));
	put_pod(&rig, "big", "", CPU("64"));
	eventually(is_on(&rig, "big", "a"));
	second_waits(&rig, "port", PORT,
		     "0/1 nodes are available: 1 node(s) didn't have free ports for the requested "
		     "pod ports.");
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selector),     cmocka_unit_test(test_affinity),
		cmocka_unit_test(test_taints),	     cmocka_unit_test(test_conflicts),
		cmocka_unit_test(test_resources),    cmocka_unit_test(test_gates),
		cmocka_unit_test(test_spreading),    cmocka_unit_test(test_swap),
		cmocka_unit_test(test_arguments),    cmocka_unit_test(test_anti_affinity),
		cmocka_unit_test(test_policy_rules), cmocka_unit_test(test_refused_policies),
	};

	return cmocka_run_group_tests_name("scheduler policies", tests, NULL, NULL);
}
