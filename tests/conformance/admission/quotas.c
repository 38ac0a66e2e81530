/* SPDX-License-Identifier: Apache-2.0 */
/* ResourceQuota: what is counted, what is refused, and that nobody slips through. */
#include "harness.h"

#include "base/clock.h"

#include <coxswain/kit/buf.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define QUOTAS "resourcequotas"
#define CLAIMS "persistentvolumeclaims"
#define RESOURCES(list) "\"resources\":{" list "}"
#define POD(resources)                                                                             \
	"{\"metadata\":{\"name\":\"web\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":"    \
	"\"i\"," RESOURCES(resources) "}]}}"

static const struct attempt pod = {.object = POD("")};

/* `spec` goes behind spec.hard, as in ",\"scopes\":[…]". */
static void put_quota(struct fixture *f, const char *name, const char *hard, const char *used,
		      const char *spec)
{
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_printf(&text,
		       "{\"kind\":\"ResourceQuota\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		       "\"%s\",\"namespace\":\"default\"},\"spec\":{\"hard\":%s%s},\"status\":{"
		       "\"hard\":%s,\"used\":%s}}",
		       name, hard, spec, hard, used);
	fake_put(f->server, QUOTAS, text.data);
}

static void used_is(struct fixture *f, const char *name, const char *json)
{
	stored_is(f, QUOTAS, name, "status.used", json);
}

static void pods_are_counted_up_to_the_limit(void **state)
{
	struct fixture *f = *state;
	struct attempt other = pod;

	put_quota(f, "q", "{\"pods\":\"2\"}", "{\"pods\":\"0\"}", "");
	add_plugin(f, "ResourceQuota", NULL, NULL);
	passes(f, &pod);
	passes(f, &pod);
	used_is(f, "q", "{\"pods\":\"2\"}");
	refused(f, &pod, COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, "
		"limited: pods=2");
	used_is(f, "q", "{\"pods\":\"2\"}");
	/* another namespace, another kind, no creation: not its business */
	other.namespace_ = "elsewhere";
	passes(f, &other);
	passes(f, &(struct attempt){.resource = "secrets",
				    .object = "{\"metadata\":{\"name\":\"web\"}}"});
	passes(f, &(struct attempt){.operation = WRITE_UPDATE, .object = POD(""), .old = POD("")});
	used_is(f, "q", "{\"pods\":\"2\"}");
}

static void dry_runs_leave_no_trace(void **state)
{
	struct fixture *f = *state;
	struct attempt dry = pod;

	dry.dry_run = true;
	put_quota(f, "q", "{\"pods\":\"1\"}", "{\"pods\":\"0\"}", "");
	add_plugin(f, "ResourceQuota", NULL, NULL);
	passes(f, &dry);
	used_is(f, "q", "{\"pods\":\"0\"}");
	assert_int_equal(fake_requests(f->server, CLIENT_PATCH, QUOTAS), 0);
	passes(f, &pod);
	refused(f, &dry, COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, "
		"limited: pods=1");
}

static void amounts_are_summed(void **state)
{
	struct fixture *f = *state;
	const struct attempt large = {
		.object = POD("\"requests\":{\"cpu\":\"300m\",\"memory\":\"256Mi\",\"ephemeral-"
			      "storage\":\"1Gi\"},\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}")};

	put_quota(f, "q",
		  "{\"cpu\":\"500m\",\"requests.memory\":\"1Gi\",\"limits.cpu\":\"2\","
		  "\"limits.memory\":\"2Gi\",\"requests.ephemeral-storage\":\"10Gi\","
		  "\"count/pods\":\"9\"}",
		  "{\"cpu\":\"0\",\"requests.memory\":\"0\",\"limits.cpu\":\"0\","
		  "\"limits.memory\":\"0\",\"requests.ephemeral-storage\":\"0\","
		  "\"count/pods\":\"0\"}",
		  "");
	add_plugin(f, "ResourceQuota", NULL, NULL);
	passes(f, &large);
	used_is(f, "q",
		"{\"cpu\":\"300m\",\"requests.memory\":\"256Mi\",\"limits.cpu\":\"1\","
		"\"limits.memory\":\"1Gi\",\"requests.ephemeral-storage\":\"1Gi\","
		"\"count/pods\":\"1\"}");
	refused(f, &large, COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: exceeded quota: q, requested: cpu=300m, used: "
		"cpu=300m, limited: cpu=500m");
}

static void containers_must_say_what_they_take(void **state)
{
	struct fixture *f = *state;
	const struct attempt half = {
		.object =
			"{\"metadata\":{\"name\":\"web\"},\"spec\":{\"containers\":[{\"name\":"
			"\"b\","
			"\"image\":\"i\"},{\"name\":\"a\",\"image\":\"i\"},{\"name\":\"c\","
			"\"image\":\"i\"," RESOURCES(
				"\"limits\":{\"cpu\":\"1\"},\"requests\":{\"cpu\":\"1\"}") "}]}}"};

	put_quota(f, "q", "{\"limits.cpu\":\"4\",\"requests.memory\":\"1Gi\",\"pods\":\"5\"}",
		  "{\"limits.cpu\":\"0\",\"requests.memory\":\"0\",\"pods\":\"0\"}", "");
	add_plugin(f, "ResourceQuota", NULL, NULL);
	refused(f, &half, COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: failed quota: q: must specify limits.cpu for: a,b; "
		"requests.memory for: a,b,c");
}

static void unknown_usage_is_refused(void **state)
{
	struct fixture *f = *state;

	put_quota(f, "q", "{\"pods\":\"2\",\"requests.cpu\":\"1\"}", "{}", "");
	add_plugin(f, "ResourceQuota", NULL, NULL);
	refused(f, &(struct attempt){.object = POD("\"requests\":{\"cpu\":\"1\"}")},
		COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: status unknown for quota: q, resources: "
		"pods,requests.cpu");
}

/* What each kind is counted as. */
static void every_kind_is_counted(void **state)
{
	static const struct {
		const char *group, *resource, *object, *used;
	} rows[] = {
		{"", "secrets", "{\"metadata\":{\"name\":\"web\"}}",
		 "{\"secrets\":\"1\",\"count/secrets\":\"1\"}"},
		{"", "configmaps", "{\"metadata\":{\"name\":\"web\"}}",
		 "{\"configmaps\":\"1\",\"count/configmaps\":\"1\"}"},
		{"", "resourcequotas", "{\"metadata\":{\"name\":\"web\"}}",
		 "{\"resourcequotas\":\"1\"}"},
		{"", "replicationcontrollers", "{\"metadata\":{\"name\":\"web\"}}",
		 "{\"replicationcontrollers\":\"1\"}"},
		{"apps", "deployments",
		 "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"selector\":{\"matchLabels\":{\"a\":"
		 "\"b\"}},\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{"
		 "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}",
		 "{\"count/deployments.apps\":\"1\"}"},
		{"", "services",
		 "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"type\":\"LoadBalancer\",\"ports\":[{"
		 "\"port\":80},{\"name\":\"b\",\"port\":81}]}}",
		 "{\"services\":\"1\",\"services.nodeports\":\"2\",\"services.loadbalancers\":"
		 "\"1\"}"},
		{"", "services",
		 "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"type\":\"LoadBalancer\","
		 "\"allocateLoadBalancerNodePorts\":false,\"ports\":[{\"port\":80},{\"name\":\"b\","
		 "\"port\":81,\"nodePort\":30001}]}}",
		 "{\"services\":\"1\",\"services.nodeports\":\"1\",\"services.loadbalancers\":"
		 "\"1\"}"},
		{"", "services",
		 "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"ports\":[{\"port\":80}]}}",
		 "{\"services\":\"1\",\"services.nodeports\":\"0\",\"services.loadbalancers\":"
		 "\"0\"}"},
		{"", "persistentvolumeclaims",
		 "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"storageClassName\":\"gold\","
		 "\"resources\":{\"requests\":{\"storage\":\"3Gi\"}}}}",
		 "{\"persistentvolumeclaims\":\"1\",\"requests.storage\":\"3Gi\","
		 "\"gold.storageclass.storage.k8s.io/requests.storage\":\"3Gi\","
		 "\"gold.storageclass.storage.k8s.io/persistentvolumeclaims\":\"1\","
		 "\"iron.storageclass.storage.k8s.io/requests.storage\":\"0\"}"},
		{"", "pods",
		 POD("\"requests\":{\"hugepages-2Mi\":\"4Mi\",\"cpu\":\"1\",\"example.com/gpu\":"
		     "\"2\"},\"limits\":{\"hugepages-2Mi\":\"4Mi\",\"example.com/gpu\":\"2\"}"),
		 "{\"hugepages-2Mi\":\"4Mi\",\"requests.example.com/gpu\":\"2\"}"},
	};
	cox_autobuf hard = COX_BUF_INIT, zero = COX_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *own = fixture_new();
		const struct attempt create = {.group = rows[i].group,
					       .resource = rows[i].resource,
					       .object = rows[i].object};

		/* the names of `used`, with room, from zero */
		cox_buf_clear(&hard);
		cox_buf_clear(&zero);
		for (const char *at = rows[i].used; *at; at++) {
			bool value = *at == ':';

			cox_buf_char(&hard, *at);
			cox_buf_char(&zero, *at);
			if (!value)
				continue;
			cox_buf_str(&hard, "\"100Gi\"");
			cox_buf_str(&zero, "\"0\"");
			at += strcspn(at, ",}") - 1;
		}
		put_quota(own, "q", hard.data, zero.data, "");
		add_plugin(own, "ResourceQuota", NULL, NULL);
		passes(own, &create);
		used_is(own, "q", rows[i].used);
		fixture_free(own);
	}
}

static void events_are_free(void **state)
{
	struct fixture *f = *state;
	const struct attempt event = {
		.resource = "events",
		.object = "{\"metadata\":{\"name\":\"web\"},\"involvedObject\":{}}"};

	put_quota(f, "q", "{\"count/events\":\"0\"}", "{\"count/events\":\"0\"}", "");
	add_plugin(f, "ResourceQuota", NULL, NULL);
	passes(f, &event);
}

#define SERVICE(type)                                                                              \
	"{\"metadata\":{\"name\":\"web\"},\"spec\":{\"type\":\"" type "\",\"ports\":[{\"port\":"   \
	"80}]}}"

static void changes_cost_the_difference(void **state)
{
	struct fixture *f = *state;
	struct attempt update = {.operation = WRITE_UPDATE,
				 .resource = "services",
				 .old = SERVICE("ClusterIP"),
				 .object = SERVICE("NodePort")};

	put_quota(f, "q", "{\"services\":\"1\",\"services.nodeports\":\"1\"}",
		  "{\"services\":\"1\",\"services.nodeports\":\"0\"}", "");
	add_plugin(f, "ResourceQuota", NULL, NULL);
	passes(f, &update);
	used_is(f, "q", "{\"services\":\"1\",\"services.nodeports\":\"1\"}");
	refused(f, &update, COX_REASON_FORBIDDEN,
		"services \"web\" is forbidden: exceeded quota: q, requested: "
		"services.nodeports=1, used: services.nodeports=1, limited: "
		"services.nodeports=1");
	update.old = SERVICE("NodePort");
	update.object = SERVICE("ClusterIP");
	passes(f, &update);
	used_is(f, "q", "{\"services\":\"1\",\"services.nodeports\":\"0\"}");
}

static void less_is_always_allowed(void **state)
{
	struct fixture *f = *state;
	const struct attempt update = {.operation = WRITE_UPDATE,
				       .resource = "services",
				       .old = SERVICE("NodePort"),
				       .object = SERVICE("ClusterIP")};

	put_quota(f, "q", "{\"services.nodeports\":\"1\"}", "{\"services.nodeports\":\"5\"}", "");
	add_plugin(f, "ResourceQuota", NULL, NULL);
	passes(f, &update);
	used_is(f, "q", "{\"services.nodeports\":\"4\"}");
}

#define SCOPED(spec, resources)                                                                    \
	"{\"metadata\":{\"name\":\"web\"},\"spec\":{" spec "\"containers\":[{\"name\":\"c\","      \
	"\"image\":\"i\"," RESOURCES(resources) "}]}}"
#define CLASSES(operator, values)                                                                  \
	",\"scopeSelector\":{\"matchExpressions\":[{\"scopeName\":\"PriorityClass\",\"operator\":" \
	"\""                                                                                       \
	operator"\"" values "}]}"

static void scopes_choose_pods(void **state)
{
	static const char none[] = SCOPED("", "");
	static const char burst[] = SCOPED("", "\"requests\":{\"cpu\":\"1\"}");
	static const char ends[] = SCOPED("\"activeDeadlineSeconds\":5,", "");
	static const char high[] = SCOPED("\"priorityClassName\":\"high\",", "");
	static const char crossing[] =
		SCOPED("\"affinity\":{\"podAffinity\":{"
		       "\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"weight\":1,"
		       "\"podAffinityTerm\":{\"topologyKey\":\"k\",\"namespaces\":[\"n\"]}}]}},",
		       "");
	static const struct {
		const char *spec, *yes, *no;
	} rows[] = {
		{",\"scopes\":[\"BestEffort\"]", none, burst},
		{",\"scopes\":[\"NotBestEffort\"]", burst, none},
		{",\"scopes\":[\"Terminating\"]", ends, none},
		{",\"scopes\":[\"NotTerminating\"]", none, ends},
		{",\"scopes\":[\"NotTerminating\",\"BestEffort\"]", none, burst},
		{",\"scopes\":[\"PriorityClass\"]", high, none},
		{",\"scopes\":[\"CrossNamespacePodAffinity\"]", crossing, none},
		{CLASSES("In", ",\"values\":[\"low\",\"high\"]"), high, none},
		{CLASSES("NotIn", ",\"values\":[\"high\"]"), none, high},
		{CLASSES("Exists", ""), high, none},
		{CLASSES("DoesNotExist", ""), none, high},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *own = fixture_new();

		put_quota(own, "q", "{\"pods\":\"0\"}", "{\"pods\":\"0\"}", rows[i].spec);
		add_plugin(own, "ResourceQuota", NULL, NULL);
		passes(own, &(struct attempt){.object = rows[i].no});
		refused(own, &(struct attempt){.object = rows[i].yes}, COX_REASON_FORBIDDEN,
			"pods \"web\" is forbidden: exceeded quota: q, requested: pods=1, used: "
			"pods=0, limited: pods=0");
		fixture_free(own);
	}
}

#define CLAIM(class, status)                                                                       \
	"{\"metadata\":{\"name\":\"web\"},\"spec\":{" class "\"resources\":{\"requests\":{"        \
							    "\"storage\":\"1Gi\"}}}" status "}"
#define OF(class) "\"volumeAttributesClassName\":\"" class "\","
#define VOLUME_CLASSES(operator, values)                                                           \
	",\"scopeSelector\":{\"matchExpressions\":[{\"scopeName\":\"VolumeAttributesClass\","      \
	"\"operator\":\""                                                                          \
	operator"\"" values "}]}"

static void scopes_choose_claims(void **state)
{
	static const char none[] = CLAIM("", "");
	static const char gold[] = CLAIM(OF("gold"), "");
	static const char goes[] =
		CLAIM(OF("tin"), ",\"status\":{\"currentVolumeAttributesClassName\":\"gold\"}");
	static const char comes[] =
		CLAIM(OF("tin"), ",\"status\":{\"modifyVolumeStatus\":{"
				 "\"targetVolumeAttributesClassName\":\"gold\"}}");
	static const struct {
		const char *spec, *yes, *no;
	} rows[] = {
		{",\"scopes\":[\"VolumeAttributesClass\"]", gold, none},
		{VOLUME_CLASSES("In", ",\"values\":[\"gold\"]"), gold, none},
		{VOLUME_CLASSES("In", ",\"values\":[\"gold\"]"), goes, none},
		{VOLUME_CLASSES("In", ",\"values\":[\"gold\"]"), comes, CLAIM(OF("tin"), "")},
		{VOLUME_CLASSES("NotIn", ",\"values\":[\"gold\"]"), none, gold},
		{VOLUME_CLASSES("Exists", ""), gold, none},
		{VOLUME_CLASSES("DoesNotExist", ""), none, gold},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct attempt yes = {.resource = CLAIMS, .object = rows[i].yes};
		struct fixture *own = fixture_new();

		put_quota(own, "q", "{\"persistentvolumeclaims\":\"0\"}",
			  "{\"persistentvolumeclaims\":\"0\"}", rows[i].spec);
		put_quota(own, "pods", "{\"persistentvolumeclaims\":\"0\"}",
			  "{\"persistentvolumeclaims\":\"0\"}", ",\"scopes\":[\"BestEffort\"]");
		add_plugin(own, "ResourceQuota", NULL, NULL);
		passes(own, &(struct attempt){.resource = CLAIMS, .object = rows[i].no});
		refused(own, &yes, COX_REASON_FORBIDDEN,
			"persistentvolumeclaims \"web\" is forbidden: exceeded quota: q, "
			"requested: "
			"persistentvolumeclaims=1, used: persistentvolumeclaims=0, limited: "
			"persistentvolumeclaims=0");
		fixture_free(own);
	}
}

/* Another class, another quota: nothing of the one, all of the other. */
static void claims_change_their_quota(void **state)
{
	static const struct attempt change = {.operation = WRITE_UPDATE,
					      .resource = CLAIMS,
					      .old = CLAIM(OF("gold"), ""),
					      .object = CLAIM(OF("tin"), "")};
	struct fixture *f = *state;

	put_quota(f, "gold", "{\"requests.storage\":\"5Gi\"}", "{\"requests.storage\":\"3Gi\"}",
		  VOLUME_CLASSES("In", ",\"values\":[\"gold\"]"));
	put_quota(f, "tin", "{\"requests.storage\":\"2Gi\"}", "{\"requests.storage\":\"1Gi\"}",
		  VOLUME_CLASSES("In", ",\"values\":[\"tin\"]"));
	add_plugin(f, "ResourceQuota", NULL, NULL);
	passes(f, &change);
	used_is(f, "gold", "{\"requests.storage\":\"2Gi\"}");
	used_is(f, "tin", "{\"requests.storage\":\"2Gi\"}");
	refused(f, &change, COX_REASON_FORBIDDEN,
		"persistentvolumeclaims \"web\" is forbidden: exceeded quota: tin, requested: "
		"requests.storage=1Gi, used: requests.storage=2Gi, limited: requests.storage=2Gi");
	used_is(f, "gold", "{\"requests.storage\":\"2Gi\"}");
}

/* An attempt that was charged is not charged again when it is made again. */
static void attempts_of_one_request_are_charged_once(void **state)
{
	struct fixture *f = *state;
	struct attempt again = pod;

	put_quota(f, "q", "{\"pods\":\"2\"}", "{\"pods\":\"0\"}", "");
	add_plugin(f, "ResourceQuota", NULL, NULL);
	again.id = UINT64_C(1) << 40;
	passes(f, &again);
	used_is(f, "q", "{\"pods\":\"1\"}");
	for (again.number = 2; again.number < 5; again.number++)
		passes(f, &again);
	used_is(f, "q", "{\"pods\":\"1\"}");
	again.id++;
	again.number = 1;
	passes(f, &again);
	used_is(f, "q", "{\"pods\":\"2\"}");
	/* what is full stays open for whom it was charged */
	again.number = 2;
	passes(f, &again);
	used_is(f, "q", "{\"pods\":\"2\"}");
}

static void one_refusal_charges_no_other_quota(void **state)
{
	struct fixture *f = *state;

	put_quota(f, "a", "{\"pods\":\"5\"}", "{\"pods\":\"0\"}", "");
	put_quota(f, "b", "{\"pods\":\"5\"}", "{\"pods\":\"5\"}", "");
	add_plugin(f, "ResourceQuota", NULL, NULL);
	refused(f, &pod, COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: exceeded quota: b, requested: pods=1, used: pods=5, "
		"limited: pods=5");
	used_is(f, "a", "{\"pods\":\"0\"}");
}

/* The lister says that b has room; a is charged before b's newest state says no. */
static void late_refusals_are_paid_back(void **state)
{
	struct fixture *f = *state;

	put_quota(f, "a", "{\"pods\":\"5\"}", "{\"pods\":\"0\"}", "");
	put_quota(f, "b", "{\"pods\":\"5\"}", "{\"pods\":\"4\"}", "");
	add_plugin(f, "ResourceQuota", NULL, NULL);
	fake_hold_watches(f->server, true);
	put_quota(f, "b", "{\"pods\":\"5\"}", "{\"pods\":\"5\"}", "");
	refused(f, &pod, COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: exceeded quota: b, requested: pods=1, used: pods=5, "
		"limited: pods=5");
	/* to a, to b in vain, to a again */
	assert_int_equal(fake_requests(f->server, CLIENT_PATCH, QUOTAS), 3);
	used_is(f, "a", "{\"pods\":\"0\"}");
	fake_hold_watches(f->server, false);
}

/* The lister says that there is no room; the server knows better. */
static void refusals_are_checked_with_the_server(void **state)
{
	struct fixture *f = *state;

	put_quota(f, "gone", "{\"pods\":\"1\"}", "{\"pods\":\"1\"}", "");
	put_quota(f, "q", "{\"pods\":\"1\"}", "{\"pods\":\"1\"}", "");
	add_plugin(f, "ResourceQuota", NULL, NULL);
	fake_hold_watches(f->server, true);
	put_quota(f, "q", "{\"pods\":\"1\"}", "{\"pods\":\"0\"}", "");
	fake_remove(f->server, QUOTAS, "default", "gone");
	passes(f, &pod);
	used_is(f, "q", "{\"pods\":\"1\"}");
	refused(f, &pod, COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, "
		"limited: pods=1");
	fake_hold_watches(f->server, false);
}

static void conflicts_are_tried_again_and_not_for_ever(void **state)
{
	struct fixture *f = *state;

	put_quota(f, "q", "{\"pods\":\"5\"}", "{\"pods\":\"0\"}", "");
	add_plugin(f, "ResourceQuota", NULL, NULL);
	fake_fail(f->server, CLIENT_PATCH, QUOTAS, 409, "Conflict", "changed", 3);
	passes(f, &pod);
	used_is(f, "q", "{\"pods\":\"1\"}");
	fake_fail(f->server, CLIENT_PATCH, QUOTAS, 409, "Conflict", "changed", 10);
	refused(f, &pod, COX_REASON_CONFLICT, "quota q is changing too fast, try again");
	fake_fail(f->server, CLIENT_PATCH, QUOTAS, 500, "InternalError", "no disk", 1);
	refused(f, &pod, COX_REASON_INTERNAL_ERROR, "write the usage of quota q: no disk");
	used_is(f, "q", "{\"pods\":\"1\"}");
}

/* Two servers, several clients each, one quota. */
enum { SERVERS = 2, CLIENTS = 4, EACH = 12, ROOM = 40 };

struct crowd {
	struct fixture *f;
	atomic_uint *let_through;
};

static void *crowd_run(void *context)
{
	struct crowd *crowd = context;

	for (unsigned i = 0; i < EACH; i++) {
		struct answer answer = answer_to(crowd->f, &pod);

		if (answer.status == 0)
			atomic_fetch_add(crowd->let_through, 1);
		answer_free(&answer);
	}
	return NULL;
}

static void crowds_do_not_slip_through(void **state)
{
	struct fixture *f = *state;
	struct fixture other = *f;
	struct crowd crowds[SERVERS];
	pthread_t threads[SERVERS * CLIENTS];
	atomic_uint let_through = 0;
	char used[32];

	put_quota(f, "q", "{\"pods\":\"40\"}", "{\"pods\":\"0\"}", "");
	add_plugin(f, "ResourceQuota", NULL, NULL);
	other.chain = chain_new();
	add_plugin(&other, "ResourceQuota", NULL, NULL);
	crowds[0] = (struct crowd){f, &let_through};
	crowds[1] = (struct crowd){&other, &let_through};
	for (unsigned i = 0; i < SERVERS * CLIENTS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, crowd_run, &crowds[i % SERVERS]),
				 0);
	for (unsigned i = 0; i < SERVERS * CLIENTS; i++)
		pthread_join(threads[i], NULL);
	chain_free(other.chain);
	/* some may have been told to try again; nobody was let in for nothing */
	assert_in_range(atomic_load(&let_through), 1, ROOM);
	snprintf(used, sizeof(used), "{\"pods\":\"%u\"}", atomic_load(&let_through));
	used_is(f, "q", used);
	/* now one by one the rest, and not one more */
	while (atomic_load(&let_through) < ROOM) {
		passes(f, &pod);
		atomic_fetch_add(&let_through, 1);
	}
	refused(f, &pod, COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=40, "
		"limited: pods=40");
}

const struct CMUnitTest quota_tests[] = {
	SUITE_TEST(pods_are_counted_up_to_the_limit),
	SUITE_TEST(dry_runs_leave_no_trace),
	SUITE_TEST(amounts_are_summed),
	SUITE_TEST(containers_must_say_what_they_take),
	SUITE_TEST(unknown_usage_is_refused),
	SUITE_TEST(every_kind_is_counted),
	SUITE_TEST(events_are_free),
	SUITE_TEST(changes_cost_the_difference),
	SUITE_TEST(less_is_always_allowed),
	SUITE_TEST(scopes_choose_pods),
	SUITE_TEST(scopes_choose_claims),
	SUITE_TEST(claims_change_their_quota),
	SUITE_TEST(attempts_of_one_request_are_charged_once),
	SUITE_TEST(one_refusal_charges_no_other_quota),
	SUITE_TEST(late_refusals_are_paid_back),
	SUITE_TEST(refusals_are_checked_with_the_server),
	SUITE_TEST(conflicts_are_tried_again_and_not_for_ever),
	SUITE_TEST(crowds_do_not_slip_through),
};
SUITE_END(quota);
