/* SPDX-License-Identifier: Apache-2.0 */
/* The default plugin: pods near other pods, away from them, and spread evenly. */
#include "harness.h"

#include <coxswain/kit/cleanup.h>
#include <stdio.h>
#include <string.h>

#define ZONE "\"zone\":\"%s\",\"host\":\"%s\""
#define SELECT(app) "\"labelSelector\":{\"matchLabels\":{\"app\":\"" app "\"}}"
#define TERM(app, key) "{" SELECT(app) ",\"topologyKey\":\"" key "\"}"
#define MUST(term) "{\"requiredDuringSchedulingIgnoredDuringExecution\":[" term "]}"
#define MAY(term)                                                                                  \
	"{\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"weight\":100,"                   \
	"\"podAffinityTerm\":" term "}]}"
#define NEAR(rule) ",\"affinity\":{\"podAffinity\":" rule "}"
#define APART(rule) ",\"affinity\":{\"podAntiAffinity\":" rule "}"
#define ON(node) ",\"nodeName\":\"" node "\""
#define WEB "\"app\":\"web\""
#define DB "\"app\":\"db\""

static void put_zone_node(struct rig *rig, const char *name, const char *zone)
{
	char labels[128];

	snprintf(labels, sizeof(labels), ZONE, zone, name);
	put_node(rig, name, labels, "");
}

/* a1 and a2 are in one zone, b1 in another. */
static void start(struct rig *rig)
{
	rig_open(rig);
	put_zone_node(rig, "a1", "a");
	put_zone_node(rig, "a2", "a");
	put_zone_node(rig, "b1", "b");
}

static void put_elsewhere(struct rig *rig, const char *namespace, const char *name,
			  const char *labels, const char *spec)
{
	char json[2048];

	snprintf(json, sizeof(json),
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
		 "\"namespace\":\"%s\",\"labels\":{%s}},\"spec\":{\"schedulerName\":"
		 "\"default-scheduler\"%s}}",
		 name, namespace, labels, spec);
	fake_put(rig->server, "pods", json);
}

static void test_near(void **state)
{
	struct rig rig;
	char name[16];

	(void)state;
	start(&rig);
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "early", "", NEAR(MUST(TERM("db", "zone"))));
	eventually(is_told(&rig, "early",
			   "0/3 nodes are available: 3 node(s) didn't match pod affinity rules."));
	/* The pod it waits for comes, and it follows. */
	put_pod(&rig, "db", DB, ON("b1"));
	eventually(is_on(&rig, "early", "b1"));
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		put_pod(&rig, name, "", NEAR(MUST(TERM("db", "zone"))));
		eventually(is_on(&rig, name, "b1"));
	}
	/* Two terms mean pods that both of them select. */
	put_pod(&rig, "both", "", NEAR(MUST(TERM("db", "zone") "," TERM("web", "host"))));
	eventually(is_told(&rig, "both",
			   "0/3 nodes are available: 3 node(s) didn't match pod affinity rules."));
	rig_close(&rig);
}

/* The first of a group that wants to be together finds nobody, and begins. */
static void test_together(void **state)
{
	struct rig rig;
	char on[64];

	(void)state;
	start(&rig);
	put_node(&rig, "nowhere", "", "");
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "w0", WEB, NEAR(MUST(TERM("web", "host"))));
	eventually(is_on(&rig, "w0", NULL));
	node_of(&rig, "w0", on);
	assert_string_not_equal(on, "nowhere"); /* which has no host to share */
	put_pod(&rig, "w1", WEB, NEAR(MUST(TERM("web", "host"))));
	put_pod(&rig, "w2", WEB, NEAR(MUST(TERM("web", "host"))));
	eventually(is_on(&rig, "w1", on));
	eventually(is_on(&rig, "w2", on));
	rig_close(&rig);
}

static void test_apart(void **state)
{
	struct rig rig;
	char one[64], two[64];

	(void)state;
	start(&rig);
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "w0", WEB, APART(MUST(TERM("web", "zone"))));
	eventually(is_on(&rig, "w0", NULL));
	put_pod(&rig, "w1", WEB, APART(MUST(TERM("web", "zone"))));
	eventually(is_on(&rig, "w1", NULL));
	node_of(&rig, "w0", one);
	node_of(&rig, "w1", two);
	assert_int_not_equal(*one, *two);
	put_pod(&rig, "w2", WEB, APART(MUST(TERM("web", "zone"))));
	eventually(is_told(&rig, "w2",
			   "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity "
			   "rules."));
	/* One that goes makes room. */
	fake_remove(rig.server, "pods", "n", "w0");
	eventually(is_on(&rig, "w2", NULL));
	node_of(&rig, "w2", two);
	assert_int_equal(*one, *two);
	rig_close(&rig);
}

#define WAITS_FOR_NEAR "0/3 nodes are available: 3 node(s) didn't match pod affinity rules."
#define WAITS_FOR_APART "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules."

/* What becomes of other pods wakes those that look at them: long before they are due. */
static void test_woken_by_choice(void **state)
{
	struct rig rig;
	char one[64], two[64];

	(void)state;
	start(&rig);
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "early", "", NEAR(MUST(TERM("db", "host"))));
	eventually(is_told(&rig, "early", WAITS_FOR_NEAR));
	/* This one gets its node from the same scheduler. */
	put_pod(&rig, "db", DB, "");
	eventually(is_on(&rig, "early", NULL));
	node_of(&rig, "early", one);
	node_of(&rig, "db", two);
	assert_string_equal(one, two);
	rig_close(&rig);
}

static void test_woken_by_labels(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig);
	put_pod(&rig, "plain", "", ON("b1"));
	put_pod(&rig, "web0", WEB, ON("a1"));
	put_pod(&rig, "web1", WEB, ON("b1"));
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "near", "", NEAR(MUST(TERM("db", "zone"))));
	put_pod(&rig, "apart", "", APART(MUST(TERM("web", "zone"))));
	eventually(is_told(&rig, "near", WAITS_FOR_NEAR));
	eventually(is_told(&rig, "apart", WAITS_FOR_APART));
	put_pod(&rig, "plain", DB, ON("b1"));
	eventually(is_on(&rig, "near", "b1"));
	put_pod(&rig, "web1", DB, ON("b1"));
	eventually(is_on(&rig, "apart", "b1"));
	rig_close(&rig);
}

#define EVENLY                                                                                     \
	",\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"zone\","                 \
	"\"whenUnsatisfiable\":\"DoNotSchedule\"," SELECT("web") "}]"

static void test_woken_by_counts(void **state)
{
	static const char waits[] = "0/2 nodes are available: 1 node(s) didn't match pod topology "
				    "spread constraints, 1 node(s) were unschedulable.";
	struct rig rig;

	(void)state;
	rig_open(&rig);
	put_zone_node(&rig, "a1", "a");
	put_node(&rig, "b1", "\"zone\":\"b\",\"host\":\"b1\"", "\"unschedulable\":true");
	put_pod(&rig, "w0", WEB, ON("a1"));
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "w1", WEB, EVENLY);
	eventually(is_told(&rig, "w1", waits));
	put_pod(&rig, "w2", WEB, ON("b1"));
	eventually(is_on(&rig, "w1", "a1"));
	put_pod(&rig, "w3", WEB, EVENLY);
	eventually(is_told(&rig, "w3", waits));
	put_pod(&rig, "w0", DB, ON("a1"));
	eventually(is_on(&rig, "w3", "a1"));
	rig_close(&rig);
}

#define ASKS(cpu) ",\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"" cpu "\"}}}]"

static void test_woken_by_less(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	put_zone_node(&rig, "a1", "a");
	put_pod(&rig, "large", "", ON("a1") ASKS("3"));
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "next", "", ASKS("2"));
	eventually(is_told(&rig, "next", "0/1 nodes are available: 1 Insufficient cpu."));
	put_pod(&rig, "large", "", ON("a1") ASKS("1"));
	eventually(is_on(&rig, "next", "a1"));
	rig_close(&rig);
}

/* A pod that is there and wants to be alone keeps others away, though they ask for nothing. */
static void test_kept_away(void **state)
{
	struct rig rig;
	char name[16];

	(void)state;
	start(&rig);
	put_pod(&rig, "alone", DB, ON("b1") APART(MUST(TERM("web", "host"))));
	rig_start(&rig, "default", NULL);
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		put_pod(&rig, name, WEB, "");
		eventually(is_on(&rig, name, NULL));
		assert_false(is_on(&rig, name, "b1"));
	}
	put_pod(&rig, "w", WEB, ",\"nodeSelector\":{\"host\":\"b1\"}");
	eventually(is_told(&rig, "w",
			   "0/3 nodes are available: 1 node(s) didn't satisfy existing pods "
			   "anti-affinity rules, 2 node(s) didn't match Pod's node "
			   "affinity/selector."));
	/* What it does not mean may come. */
	put_pod(&rig, "other", DB, ",\"nodeSelector\":{\"host\":\"b1\"}");
	eventually(is_on(&rig, "other", "b1"));
	/* It also goes for pods that this scheduler has just placed itself. */
	put_pod(&rig, "late", "\"app\":\"late\"",
		",\"nodeSelector\":{\"host\":\"a1\"}" APART(MUST(TERM("late", "zone"))));
	eventually(is_on(&rig, "late", "a1"));
	put_pod(&rig, "later", "\"app\":\"late\"", ",\"nodeSelector\":{\"zone\":\"a\"}");
	eventually(is_told(&rig, "later",
			   "0/3 nodes are available: 1 node(s) didn't match Pod's node "
			   "affinity/selector, 2 node(s) didn't satisfy existing pods "
			   "anti-affinity rules."));
	rig_close(&rig);
}

#define TERM_IN(where) "{" SELECT("db") ",\"topologyKey\":\"host\"," where "}"

static void test_namespaces(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig);
	fake_put(rig.server, "namespaces",
		 "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"far\","
		 "\"labels\":{\"team\":\"x\"}}}");
	put_elsewhere(&rig, "far", "db", DB, ON("b1"));
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "own", "", NEAR(MUST(TERM("db", "host"))));
	put_pod(&rig, "named", "", NEAR(MUST(TERM_IN("\"namespaces\":[\"far\"]"))));
	put_pod(&rig, "any", "", NEAR(MUST(TERM_IN("\"namespaceSelector\":{}"))));
	put_pod(&rig, "labelled", "",
		NEAR(MUST(TERM_IN("\"namespaceSelector\":{\"matchLabels\":{\"team\":\"x\"}}"))));
	put_pod(&rig, "wrong", "",
		NEAR(MUST(TERM_IN("\"namespaceSelector\":{\"matchLabels\":{\"team\":\"y\"}}"))));
	eventually(is_on(&rig, "named", "b1"));
	eventually(is_on(&rig, "any", "b1"));
	eventually(is_on(&rig, "labelled", "b1"));
	eventually(is_told(&rig, "own",
			   "0/3 nodes are available: 3 node(s) didn't match pod affinity rules."));
	eventually(is_told(&rig, "wrong",
			   "0/3 nodes are available: 3 node(s) didn't match pod affinity rules."));
	rig_close(&rig);
}

static void test_preferred(void **state)
{
	struct rig rig;
	char name[16];

	(void)state;
	start(&rig);
	put_pod(&rig, "db", DB, ON("b1"));
	rig_start(&rig, "default", NULL);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "near%d", i);
		put_pod(&rig, name, "", NEAR(MAY(TERM("db", "zone"))));
		eventually(is_on(&rig, name, "b1"));
		snprintf(name, sizeof(name), "apart%d", i);
		put_pod(&rig, name, "", APART(MAY(TERM("db", "zone"))));
		eventually(is_on(&rig, name, NULL));
		assert_false(is_on(&rig, name, "b1"));
	}
	/* It is a wish only, and one that pods which are there have, too. */
	put_pod(&rig, "still", "",
		",\"nodeSelector\":{\"zone\":\"b\"}" APART(MAY(TERM("db", "zone"))));
	eventually(is_on(&rig, "still", "b1"));
	put_pod(&rig, "magnet", "", ON("a2") NEAR(MAY(TERM("web", "host"))));
	put_pod(&rig, "web", WEB, "");
	eventually(is_on(&rig, "web", "a2"));
	rig_close(&rig);
}

#define SPREAD(when, rest)                                                                         \
	",\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"zone\","                 \
	"\"whenUnsatisfiable\":\"" when "\"," SELECT("web") rest "}]"

static size_t count_in(struct rig *rig, char zone)
{
	size_t count = 0;

	for (size_t i = 0; i < fake_count(rig->server, "pods"); i++) {
		cox_autoobject *pod = fake_at(rig->server, "pods", i);

		count += *value_text(value_path(object_root(pod), "spec.nodeName")) == zone;
	}
	return count;
}

static void test_spread(void **state)
{
	struct rig rig;
	char name[16];

	(void)state;
	start(&rig);
	rig_start(&rig, "default", NULL);
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		put_pod(&rig, name, WEB, SPREAD("DoNotSchedule", ""));
		eventually(is_on(&rig, name, NULL));
	}
	/* By zone, and not by node. */
	assert_int_equal(count_in(&rig, 'a'), 3);
	assert_int_equal(count_in(&rig, 'b'), 3);
	put_pod(&rig, "last", WEB,
		",\"nodeSelector\":{\"zone\":\"b\"}" SPREAD("DoNotSchedule",
							    ",\"nodeAffinityPolicy\":\"Ignore\""));
	eventually(is_on(&rig, "last", "b1"));
	put_pod(&rig, "over", WEB,
		",\"nodeSelector\":{\"zone\":\"b\"}" SPREAD("DoNotSchedule",
							    ",\"nodeAffinityPolicy\":\"Ignore\""));
	eventually(is_told(&rig, "over",
			   "0/3 nodes are available: 1 node(s) didn't match pod topology spread "
			   "constraints, 2 node(s) didn't match Pod's node affinity/selector."));
	/* Zones that it could not be in do not count unless they are asked to. */
	put_pod(&rig, "bound", WEB,
		",\"nodeSelector\":{\"zone\":\"b\"}" SPREAD("DoNotSchedule", ""));
	eventually(is_on(&rig, "bound", "b1"));
	/* Pods of others are not counted. */
	put_pod(&rig, "db", DB,
		SPREAD("DoNotSchedule",
		       ",\"nodeAffinityPolicy\":\"Ignore\"") ",\"nodeSelector\":{\"zone\":\"a\"}");
	eventually(is_on(&rig, "db", NULL));
	rig_close(&rig);
}

static void test_spread_labels(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	put_node(&rig, "bare", "", "");
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "w", WEB, SPREAD("DoNotSchedule", ""));
	eventually(is_told(&rig, "w",
			   "0/1 nodes are available: 1 node(s) didn't match pod topology spread "
			   "constraints (missing required label)."));
	put_zone_node(&rig, "a1", "a");
	eventually(is_on(&rig, "w", "a1"));
	/* There should be two places, so the one that is missing has none. */
	put_pod(&rig, "two", WEB, SPREAD("DoNotSchedule", ",\"minDomains\":2"));
	eventually(is_told(&rig, "two",
			   "0/2 nodes are available: 1 node(s) didn't match pod topology spread "
			   "constraints, 1 node(s) didn't match pod topology spread constraints "
			   "(missing required label)."));
	put_zone_node(&rig, "b1", "b");
	eventually(is_on(&rig, "two", "b1"));
	rig_close(&rig);
}

/* Each revision of a set is spread by itself. */
static void test_spread_own_keys(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig);
	put_pod(&rig, "old0", WEB ",\"rev\":\"1\"", ON("a1"));
	put_pod(&rig, "old1", WEB ",\"rev\":\"1\"", ON("a1"));
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "new", WEB ",\"rev\":\"2\"",
		",\"nodeSelector\":{\"zone\":\"a\"}" SPREAD(
			"DoNotSchedule",
			",\"nodeAffinityPolicy\":\"Ignore\",\"matchLabelKeys\":[\"rev\"]"));
	eventually(is_on(&rig, "new", NULL));
	put_pod(&rig, "all", WEB ",\"rev\":\"2\"",
		",\"nodeSelector\":{\"zone\":\"a\"}" SPREAD("DoNotSchedule",
							    ",\"nodeAffinityPolicy\":\"Ignore\""));
	eventually(is_told(&rig, "all",
			   "0/3 nodes are available: 1 node(s) didn't match Pod's node "
			   "affinity/selector, 2 node(s) didn't match pod topology spread "
			   "constraints."));
	rig_close(&rig);
}

static void test_spread_wish(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig);
	put_pod(&rig, "w0", WEB, ON("b1"));
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "w1", WEB, SPREAD("ScheduleAnyway", ""));
	eventually(is_on(&rig, "w1", NULL));
	assert_false(is_on(&rig, "w1", "b1"));
	put_pod(&rig, "w2", WEB, ",\"nodeSelector\":{\"zone\":\"b\"}" SPREAD("ScheduleAnyway", ""));
	eventually(is_on(&rig, "w2", "b1"));
	rig_close(&rig);
}

enum { ROOM_SIZE = 64 };

static const struct cox_scheduler_part *no_part(void *self, size_t index)
{
	(void)self;
	(void)index;
	return NULL;
}

/* Tries each node without its pods, as preemption does, and as it is again afterwards. */
static int try_nodes(void *self, const struct cox_call *call, void *state,
		     const struct cox_scheduler_pod *pod, const struct cox_scheduler_trial *trial,
		     const char **note, struct cox_error *err)
{
	char *room = self;
	size_t used = 0;

	(void)call;
	(void)state;
	(void)pod;
	(void)err;
	*room = '\0';
	for (size_t i = 0; i < trial->nodes.count; i++) {
		const struct cox_scheduler_node *node = trial->nodes.items[i];

		if (trial->fits(trial, node, NULL, 0) ||
		    !trial->fits(trial, node, node->pods, node->pod_count) ||
		    trial->fits(trial, node, NULL, 0))
			continue;
		used += (size_t)snprintf(room + used, ROOM_SIZE - used, "%s", node->name);
		assert_true(used < ROOM_SIZE);
	}
	*note = room;
	return 0;
}

/* The default plugin, and behind it one that tries nodes out. */
static void start_with_trials(struct rig *rig, char room[ROOM_SIZE])
{
	static const struct cox_scheduler_ops ops = {.part = no_part, .post_filter = try_nodes};
	const struct scheduler_options options = {.name = "default-scheduler"};
	cox_autoerror err = COX_ERROR_INIT;
	struct host_plugin *plugin = host_open(rig->host, "scheduler", "default", NULL, &err);
	struct chain *chain = chain_new();
	struct chain_member first, second = {"trials", &ops, room, NULL};

	assert_non_null(plugin);
	first = (struct chain_member){host_name(plugin), host_ops(plugin), host_self(plugin),
				      plugin};
	if (chain_add(chain, &first, &err) || host_configure(plugin, &err) ||
	    chain_add(chain, &second, &err) || chain_choose(chain, NULL, &err))
		fail_msg("%s", error_text(&err));
	rig->scheduler = scheduler_new(rig->client, &options, &err);
	if (!rig->scheduler || scheduler_use(rig->scheduler, chain, &err) ||
	    scheduler_start(rig->scheduler, &err))
		fail_msg("%s", error_text(&err));
}

/* Who makes room is told what would be if the pods were gone. */
static void test_trials(void **state)
{
	struct rig rig;
	char room[ROOM_SIZE];

	(void)state;
	start(&rig);
	put_pod(&rig, "alone", DB, ON("b1") APART(MUST(TERM("web", "zone"))));
	put_pod(&rig, "w0", WEB, ON("a1"));
	put_pod(&rig, "w1", WEB, ON("a1"));
	start_with_trials(&rig, room);
	put_pod(&rig, "kept", WEB, ",\"nodeSelector\":{\"zone\":\"b\"}");
	eventually(is_told(&rig, "kept",
			   "0/3 nodes are available: 1 node(s) didn't satisfy existing pods "
			   "anti-affinity rules, 2 node(s) didn't match Pod's node "
			   "affinity/selector. b1"));
	put_pod(&rig, "apart", "",
		",\"nodeSelector\":{\"host\":\"a1\"}" APART(MUST(TERM("web", "zone"))));
	eventually(is_told(&rig, "apart",
			   "0/3 nodes are available: 1 node(s) didn't match pod anti-affinity "
			   "rules, 2 node(s) didn't match Pod's node affinity/selector. a1"));
	put_pod(&rig, "even", WEB,
		",\"nodeSelector\":{\"host\":\"a1\"}" SPREAD("DoNotSchedule",
							     ",\"nodeAffinityPolicy\":\"Ignore\""));
	eventually(is_told(&rig, "even",
			   "0/3 nodes are available: 1 node(s) didn't match pod topology spread "
			   "constraints, 2 node(s) didn't match Pod's node affinity/selector. a1"));
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_woken_by_choice),
		cmocka_unit_test(test_woken_by_labels),
		cmocka_unit_test(test_woken_by_counts),
		cmocka_unit_test(test_woken_by_less),
		cmocka_unit_test(test_kept_away),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_preferred),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_spread_labels),
		cmocka_unit_test(test_spread_own_keys),
		cmocka_unit_test(test_spread_wish),
		cmocka_unit_test(test_trials),
	};

	return cmocka_run_group_tests_name("scheduler places", tests, NULL, NULL);
}
