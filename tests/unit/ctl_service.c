/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service controller with a cloud of the test's own: what it asks the cloud
 * for and when, what services say then, and what happens when the cloud fails.
 */
#include "unit.h"

#include "base/clock.h"
#include "lib/controllers.h"

#include <coxswain/cloud.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FINALIZER "service.kubernetes.io/load-balancer-cleanup"

/* ---- the cloud ---- */

enum { BALANCERS_MAX = 8 };

static struct {
	pthread_mutex_t mutex;
	char names[BALANCERS_MAX][33]; /* its number is the end of its address; "": free */
	struct cox_buf log;	       /* "OP SERVICE(NODES) ", get apart */
	unsigned calls;
	unsigned limit;	   /* of load balancers at a time */
	unsigned failures; /* that the next calls will be */
} sky = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void note(const char *op, const struct cox_cloud_balancer *balancer)
{
	const struct cox_objects *objects = balancer->objects;

	sky.calls++;
	cox_buf_printf(&sky.log, "%s %s", op, objects->name(balancer->service));
	for (size_t i = 0; i < balancer->node_count; i++)
		cox_buf_printf(&sky.log, "%s%s", i ? "," : "(", objects->name(balancer->nodes[i]));
	cox_buf_str(&sky.log, balancer->node_count ? ") " : " ");
}

static int number_of(const char *name)
{
	for (int i = 0; i < BALANCERS_MAX; i++) {
		if (!strcmp(sky.names[i], name))
			return i;
	}
	return -1;
}

static void tell(const struct cox_cloud_ingress_sink *sink, int number)
{
	char text[16];
	const struct cox_cloud_ingress ingress = {text, "", "VIP"};

	snprintf(text, sizeof(text), "192.0.2.%d", number);
	sink->ingress(sink, &ingress);
}

static int fails(struct cox_error *err)
{
	if (!sky.failures)
		return 0;
	sky.failures--;
	return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "it rains");
}

static int sky_get(void *self, const struct cox_call *call,
		   const struct cox_cloud_balancer *balancer,
		   const struct cox_cloud_ingress_sink *sink, struct cox_error *err)
{
	int number;

	(void)self;
	(void)call;
	pthread_mutex_lock(&sky.mutex);
	number = number_of(balancer->name);
	pthread_mutex_unlock(&sky.mutex);
	if (number < 0)
		return error_set(err, COX_REASON_NOT_FOUND, "nothing there");
	tell(sink, number);
	return 0;
}

static int sky_ensure(void *self, const struct cox_call *call,
		      const struct cox_cloud_balancer *balancer,
		      const struct cox_cloud_ingress_sink *sink, struct cox_error *err)
{
	int number, failed;

	(void)self;
	(void)call;
	pthread_mutex_lock(&sky.mutex);
	note("ensure", balancer);
	number = number_of(balancer->name);
	failed = fails(err);
	for (int i = 1; !failed && number < 0 && i < BALANCERS_MAX && (unsigned)i <= sky.limit;
	     i++) {
		if (!*sky.names[i]) {
			snprintf(sky.names[i], sizeof(sky.names[i]), "%s", balancer->name);
			number = i;
		}
	}
	pthread_mutex_unlock(&sky.mutex);
	if (failed)
		return -1;
	if (number < 0)
		return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "no room");
	tell(sink, number);
	return 0;
}

static int sky_update(void *self, const struct cox_call *call,
		      const struct cox_cloud_balancer *balancer, struct cox_error *err)
{
	int failed;

	(void)self;
	(void)call;
	pthread_mutex_lock(&sky.mutex);
	note("update", balancer);
	failed = fails(err);
	pthread_mutex_unlock(&sky.mutex);
	return failed;
}

static int sky_remove(void *self, const struct cox_call *call,
		      const struct cox_cloud_balancer *balancer, struct cox_error *err)
{
	int failed, number;

	(void)self;
	(void)call;
	pthread_mutex_lock(&sky.mutex);
	note("remove", balancer);
	failed = fails(err);
	number = number_of(balancer->name);
	if (!failed && number >= 0)
		sky.names[number][0] = '\0';
	pthread_mutex_unlock(&sky.mutex);
	return failed;
}

static int sky_restore(void *self, const struct cox_call *call,
		       const struct cox_cloud_balancer *balancers, size_t count,
		       struct cox_error *err)
{
	int failed;

	(void)self;
	(void)call;
	pthread_mutex_lock(&sky.mutex);
	cox_buf_printf(&sky.log, "restore[%zu] ", count);
	for (size_t i = 0; i < count; i++)
		note("-", &balancers[i]);
	failed = fails(err);
	pthread_mutex_unlock(&sky.mutex);
	return failed;
}

static const struct cox_cloud_ops sky_ops = {.balancer_get = sky_get,
					     .balancer_ensure = sky_ensure,
					     .balancer_update = sky_update,
					     .balancer_remove = sky_remove};
static const struct cox_cloud_ops restored_ops = {.balancer_get = sky_get,
						  .balancer_ensure = sky_ensure,
						  .balancer_update = sky_update,
						  .balancer_remove = sky_remove,
						  .balancer_restore = sky_restore};
static const struct cox_cloud_ops other_ops = {.balancer_get = NULL};
static const struct cox_cloud sky_cloud = {sizeof(sky_cloud), 0, "sky", NULL, &sky_ops};
static const struct cox_cloud restored_cloud = {sizeof(restored_cloud), 0, "sky", NULL,
						&restored_ops};
static const struct cox_cloud other_cloud = {sizeof(other_cloud), 0, "other", NULL, &other_ops};

static int begin(void **state)
{
	fixture_set_up(state);
	((struct fixture *)*state)->cloud = &sky_cloud;
	memset(sky.names, 0, sizeof(sky.names));
	sky.names[0][0] = '-'; /* nobody's */
	sky.calls = sky.failures = 0;
	sky.limit = BALANCERS_MAX;
	return 0;
}

static int end(void **state)
{
	fixture_tear_down(state);
	cox_buf_free(&sky.log);
	return 0;
}
#define with_sky(test) cmocka_unit_test_setup_teardown(test, begin, end)

static unsigned calls(void)
{
	unsigned count;

	pthread_mutex_lock(&sky.mutex);
	count = sky.calls;
	pthread_mutex_unlock(&sky.mutex);
	return count;
}

/* What was asked up to now. */
static bool asked(const char *wanted)
{
	bool same;

	pthread_mutex_lock(&sky.mutex);
	same = !strcmp(cox_buf_cstr(&sky.log), wanted);
	pthread_mutex_unlock(&sky.mutex);
	return same;
}

static const char *log_now(void)
{
	static char text[1024];

	pthread_mutex_lock(&sky.mutex);
	snprintf(text, sizeof(text), "%s", cox_buf_cstr(&sky.log));
	pthread_mutex_unlock(&sky.mutex);
	return text;
}

#define eventually_asked(wanted)                                                                   \
	eventually_or(asked(wanted), print_message("the cloud was asked: %s\n", log_now()))

/* ---- objects ---- */

static void put_service(struct fixture *f, const char *name, const char *spec, const char *more)
{
	put(f, "services",
	    "{'kind':'Service','apiVersion':'v1','metadata':{'name':'%s','namespace':'n'},"
	    "'spec':{'ports':[{'port':80}],%s}%s}",
	    name, spec, more);
}

static void put_node(struct fixture *f, const char *name, const char *ready, const char *metadata,
		     const char *spec, const char *beat)
{
	put(f, "nodes",
	    "{'kind':'Node','apiVersion':'v1','metadata':{'name':'%s'%s},'spec':{%s},'status':{"
	    "'addresses':[{'type':'InternalIP','address':'10.0.0.1'}],'conditions':[{'type':"
	    "'Ready','status':'%s','lastHeartbeatTime':'%s'}]}}",
	    name, metadata, spec, ready, beat);
}

static void request(struct fixture *f, enum client_verb verb, const char *name, const char *body)
{
	cox_autoerror err = COX_ERROR_INIT;
	cox_autofree char *json = cox_strdup(body);
	const struct client_request what = {
		.verb = verb,
		.version = "v1",
		.resource = "services",
		.namespace = "n",
		.name = name,
		.body = json,
		.body_size = strlen(json),
		.content_type = verb == CLIENT_PATCH ? CLIENT_MERGE_PATCH : NULL};

	for (char *at = json; *at; at++) {
		if (*at == '\'')
			*at = '"';
	}
	if (client_call(f->client, &what, NULL, &err))
		fail_msg("%s", error_text(&err));
}

static const char *of(struct fixture *f, const char *name, const char *path)
{
	return field(f, "services", "n", name, path);
}

static bool has_address(struct fixture *f, const char *name, const char *address)
{
	return !strcmp(of(f, name, "status.loadBalancer.ingress[0].ip"), address);
}

#define BALANCED "'type':'LoadBalancer'"
#define ENSURED "Ensured load balancer"

/* ---- tests ---- */

static void test_life(void **state)
{
	struct fixture *f = *state;

	put_node(f, "one", "True", "", "", "");
	put_service(f, "web", BALANCED, "");
	put_service(f, "inside", "'type':'ClusterIP'", "");
	put_service(f, "theirs", BALANCED ",'loadBalancerClass':'example.com/x'", "");
	fixture_run(f, "service", NULL);
	eventually(has_address(f, "web", "192.0.2.1"));
	assert_string_equal(of(f, "web", "status.loadBalancer"),
			    "{\"ingress\":[{\"ip\":\"192.0.2.1\",\"ipMode\":\"VIP\"}]}");
	assert_string_equal(of(f, "web", "metadata.finalizers"), "[\"" FINALIZER "\"]");
	eventually(has_event(f, "EnsuredLoadBalancer", ENSURED));
	assert_true(has_event(f, "EnsuringLoadBalancer", "Ensuring load balancer"));
	/* What does not concern the cloud is not told to it. */
	request(f, CLIENT_PATCH, "web", "{'metadata':{'labels':{'a':'b'}}}");
	request(f, CLIENT_PATCH, "web", "{'spec':{'ports':[{'port':81}]}}");
	eventually_asked("ensure web(one) ensure web(one) ");
	request(f, CLIENT_DELETE, "web", "{}");
	eventually(!exists(f, "services", "n", "web"));
	eventually_asked("ensure web(one) ensure web(one) remove web ");
	eventually(has_event(f, "DeletedLoadBalancer", "Deleted load balancer"));
	assert_true(has_event(f, "DeletingLoadBalancer", "Deleting load balancer"));
	assert_string_equal(of(f, "inside", "metadata.finalizers"), "");
	assert_string_equal(of(f, "theirs", "metadata.finalizers"), "");
}

/* Other finalizers stay, and keep a service whose load balancer is gone. */
static void test_type_changes(void **state)
{
	struct fixture *f = *state;

	put_node(f, "one", "True", "", "", "");
	put_service(f, "web", BALANCED, "");
	fixture_run(f, "service", NULL);
	eventually(has_address(f, "web", "192.0.2.1"));
	request(f, CLIENT_PATCH, "web",
		"{'metadata':{'finalizers':['example.com/mine','" FINALIZER "']}}");
	request(f, CLIENT_PATCH, "web", "{'spec':{'type':'ClusterIP'}}");
	eventually(!strcmp(of(f, "web", "metadata.finalizers"), "[\"example.com/mine\"]"));
	assert_string_equal(of(f, "web", "status.loadBalancer"), "{}");
	request(f, CLIENT_PATCH, "web", "{'spec':{'type':'LoadBalancer'}}");
	eventually(has_address(f, "web", "192.0.2.1"));
	request(f, CLIENT_DELETE, "web", "{}");
	eventually(!strcmp(of(f, "web", "metadata.finalizers"), "[\"example.com/mine\"]"));
	assert_string_equal(of(f, "web", "status.loadBalancer"), "{}");
	eventually_asked("ensure web(one) remove web ensure web(one) remove web ");
}

static void test_nodes(void **state)
{
	struct fixture *f = *state;

	put_service(f, "web", BALANCED, "");
	fixture_run(f, "service", NULL);
	eventually(has_address(f, "web", "192.0.2.1"));
	eventually(has_event(f, "UnAvailableLoadBalancer",
			     "There are no available nodes for LoadBalancer"));
	put_node(f, "two", "True", "", "", "");
	eventually_asked("ensure web update web(two) ");
	eventually(has_event(f, "UpdatedLoadBalancer", "Updated load balancer with new hosts"));
	/* None of these takes traffic. */
	put_node(f, "lost", "Unknown", "", "", "");
	put_node(f, "kept", "True",
		 ",'labels':{'node.kubernetes.io/exclude-from-external-load-balancers':''}", "",
		 "");
	put_node(f, "going", "True", "",
		 "'taints':[{'key':'ToBeDeletedByClusterAutoscaler','effect':'NoSchedule'}]", "");
	/* A heartbeat is nothing new. */
	put_node(f, "two", "True", "", "", "2026-01-01T00:00:00Z");
	put_node(f, "one", "True", "", "'providerID':'sky://1'", "");
	eventually_asked("ensure web update web(two) update web(one,two) ");
	put_node(f, "two", "False", "", "", "");
	eventually_asked("ensure web update web(two) update web(one,two) update web(one) ");
	put_node(f, "one", "True", "", "'providerID':'sky://2'", "");
	eventually_asked("ensure web update web(two) update web(one,two) update web(one) "
			 "update web(one) ");
}

static void test_failures(void **state)
{
	struct fixture *f = *state;

	put_node(f, "one", "True", "", "", "");
	put_service(f, "web", BALANCED, "");
	sky.failures = 1;
	fixture_run(f, "service", NULL);
	eventually(has_event(f, "SyncLoadBalancerFailed",
			     "Error syncing load balancer: failed to ensure load balancer: it "
			     "rains"));
	assert_true(asked("ensure web(one) "));
	/* Labels, and nodes, are no reason to be asked again before the time has come. */
	request(f, CLIENT_PATCH, "web", "{'metadata':{'labels':{'a':'b'}}}");
	put_node(f, "two", "True", "", "", "");
	put_service(f, "next", BALANCED, "");
	eventually(has_address(f, "next", "192.0.2.1"));
	assert_null(strstr(log_now() + strlen("ensure web"), "ensure web"));
	/* Another wish is. */
	request(f, CLIENT_PATCH, "web", "{'metadata':{'annotations':{'size':'small'}}}");
	eventually(has_address(f, "web", "192.0.2.2"));
	eventually(has_event(f, "EnsuredLoadBalancer", ENSURED));
}

/* After five seconds by itself. */
static void test_backs_off(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	put_node(f, "one", "True", "", "", "");
	put_service(f, "web", BALANCED, "");
	sky.failures = 1;
	fixture_run(f, "service", NULL);
	eventually(calls() == 1);
	before = clock_monotonic();
	eventually(has_address(f, "web", "192.0.2.1"));
	assert_true(clock_monotonic() - before > 4 * CLOCK_SECOND);
	assert_int_equal(calls(), 2);
}

/* What cannot be taken away keeps its service; what is given back goes to who waits. */
static void test_room(void **state)
{
	struct fixture *f = *state;

	put_node(f, "one", "True", "", "", "");
	put_service(f, "first", BALANCED, "");
	sky.limit = 1;
	fixture_run(f, "service", NULL);
	eventually(has_address(f, "first", "192.0.2.1"));
	put_service(f, "second", BALANCED, "");
	eventually(has_event(f, "SyncLoadBalancerFailed",
			     "Error syncing load balancer: failed to ensure load balancer: no "
			     "room"));
	pthread_mutex_lock(&sky.mutex);
	sky.failures = 1;
	pthread_mutex_unlock(&sky.mutex);
	request(f, CLIENT_DELETE, "first", "{}");
	eventually(has_event(f, "SyncLoadBalancerFailed",
			     "Error syncing load balancer: failed to delete load balancer: it "
			     "rains"));
	assert_true(has_address(f, "first", "192.0.2.1"));
	eventually(!exists(f, "services", "n", "first"));
	eventually(has_address(f, "second", "192.0.2.1"));
}

#define OLD "'finalizers':['" FINALIZER "']"

static void put_old(struct fixture *f, const char *name, const char *created, const char *address)
{
	put(f, "services",
	    "{'kind':'Service','apiVersion':'v1','metadata':{'name':'%s','namespace':'n',"
	    "'creationTimestamp':'%s'," OLD "},'spec':{'ports':[{'port':80}],'type':"
	    "'LoadBalancer'},'status':{'loadBalancer':{'ingress':[{'ip':'%s','ipMode':'VIP'}]}}}",
	    name, created, address);
}

/* A new process tells the cloud what there is before it asks for anything. */
static void test_restart(void **state)
{
	struct fixture *f = *state;

	f->cloud = &restored_cloud;
	put_node(f, "one", "True", "", "", "");
	put_old(f, "young", "2026-01-02T00:00:00Z", "192.0.2.1");
	put_old(f, "old", "2026-01-01T00:00:00Z", "192.0.2.9");
	put_service(f, "web", "'type':'ClusterIP'", "");
	fixture_run(f, "service", "workers", "4", NULL);
	eventually(calls() == 4);
	assert_true(cox_starts_with(log_now(), "restore[2] - old - young ensure "));
	/* The cloud has the last word; what it confirms is no news. */
	eventually(!has_address(f, "old", "192.0.2.9"));
	eventually(has_event(f, "EnsuredLoadBalancer", ENSURED));
	assert_false(has_event(f, "EnsuringLoadBalancer", "Ensuring load balancer"));
}

static void test_restore_fails(void **state)
{
	struct fixture *f = *state;

	f->cloud = &restored_cloud;
	put_node(f, "one", "True", "", "", "");
	put_old(f, "web", "2026-01-02T00:00:00Z", "192.0.2.1");
	sky.failures = 2;
	fixture_run(f, "service", NULL);
	eventually_asked("restore[1] - web restore[1] - web restore[1] - web ensure web(one) ");
}

/* Somebody took the finalizer and the service away: the load balancer goes all the same. */
static void test_taken_away(void **state)
{
	struct fixture *f = *state;

	put_node(f, "one", "True", "", "", "");
	put_service(f, "web", BALANCED, "");
	put_service(f, "other", BALANCED, "");
	fixture_run(f, "service", NULL);
	eventually(*of(f, "web", "status.loadBalancer.ingress[0].ip") &&
		   *of(f, "other", "status.loadBalancer.ingress[0].ip"));
	fake_remove(f->server, "services", "n", "web");
	eventually(calls() == 3);
	assert_true(cox_ends_with(log_now(), "remove web "));
	/* And when another one has its name at once. */
	fake_hold_watches(f->server, true);
	fake_remove(f->server, "services", "n", "other");
	put_service(f, "other", BALANCED, "");
	fake_hold_watches(f->server, false);
	eventually(calls() == 5);
	assert_true(cox_ends_with(log_now(), "remove other ensure other(one) "));
	eventually(*of(f, "other", "status.loadBalancer.ingress[0].ip"));
}

static void test_resync(void **state)
{
	struct fixture *f = *state;

	put_node(f, "one", "True", "", "", "");
	put_service(f, "web", BALANCED, "");
	fixture_run(f, "service", "resync", "1s", NULL);
	eventually(has_address(f, "web", "192.0.2.1"));
	/* The cloud gave the address to somebody else; nobody in the cluster knows. */
	pthread_mutex_lock(&sky.mutex);
	memcpy(sky.names[2], sky.names[1], sizeof(sky.names[1]));
	snprintf(sky.names[1], sizeof(sky.names[1]), "stranger");
	pthread_mutex_unlock(&sky.mutex);
	eventually(has_address(f, "web", "192.0.2.2"));
	assert_true(calls() >= 2);
	assert_true(cox_starts_with(log_now(), "ensure web(one) ensure web(one) "));
}

static void test_status_comes_back(void **state)
{
	struct fixture *f = *state;

	put_node(f, "one", "True", "", "", "");
	put_service(f, "web", BALANCED, "");
	fixture_run(f, "service", NULL);
	eventually(has_address(f, "web", "192.0.2.1"));
	request(f, CLIENT_PATCH, "web", "{'status':{'loadBalancer':{'ingress':null}}}");
	eventually(has_address(f, "web", "192.0.2.1"));
	assert_true(asked("ensure web(one) "));
	/* So does the finalizer. */
	request(f, CLIENT_PATCH, "web", "{'metadata':{'finalizers':null}}");
	eventually(!strcmp(of(f, "web", "metadata.finalizers"), "[\"" FINALIZER "\"]"));
}

/* Without load balancers the daemon goes on, and leaves services alone. */
static void leaves_alone(struct fixture *f, const struct cox_cloud *cloud)
{
	f->cloud = cloud;
	put_service(f, "web", BALANCED, "");
	fixture_run(f, "service", NULL);
	assert_int_equal(fake_requests(f->server, CLIENT_LIST, "services"), 0);
	assert_int_equal(fake_requests(f->server, CLIENT_WATCH, "services"), 0);
	assert_string_equal(of(f, "web", "metadata.finalizers"), "");
}

static void test_no_cloud(void **state)
{
	leaves_alone(*state, NULL);
}

static void test_cloud_without(void **state)
{
	leaves_alone(*state, &other_cloud);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_sky(test_life),	      with_sky(test_type_changes),
		with_sky(test_nodes),	      with_sky(test_failures),
		with_sky(test_backs_off),     with_sky(test_room),
		with_sky(test_restart),	      with_sky(test_restore_fails),
		with_sky(test_taken_away),    with_sky(test_resync),
		with_sky(test_no_cloud),      with_sky(test_status_comes_back),
		with_sky(test_cloud_without),
	};

	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
