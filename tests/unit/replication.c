/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replication controller, loaded as a plugin by the host, run by the
 * controllers' runner, on a fake API server.
 */
#include "unit.h"

#include "base/clock.h"
#include "controller/controller.h"
#include "host/host.h"
#include "lib/eventually.h"
#include "lib/fake_server.h"

#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RCS "replicationcontrollers"

struct fixture {
	struct fake_server *server;
	struct client *client;
	struct host *host;
	struct host_plugin *plugin;
	struct controllers *controllers;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *build = getenv("builddir");
	cox_autobuf directory = COX_BUF_INIT;

	cox_buf_printf(&directory, "%s/plugins/.libs", build ? build : ".");
	f->server = fake_server_new();
	f->client = fake_server_client(f->server);
	f->host = host_new("kube-controller-manager", directory.data);
	*state = f;
	return 0;
}

static void run(struct fixture *f)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct controller_plugin plugin = {.name = "replication"};

	f->plugin = host_open(f->host, "controller", "replication", "test", &err);
	if (!f->plugin || host_configure(f->plugin, &err) || host_get_ready(f->plugin, &err))
		fail_msg("%s", error_text(&err));
	f->controllers = controllers_new(f->client, "kube-controller-manager", &err);
	assert_non_null(f->controllers);
	plugin.plugin = f->plugin;
	plugin.ops = host_ops(f->plugin);
	plugin.self = host_self(f->plugin);
	assert_int_equal(controllers_add(f->controllers, &plugin, &err), 0);
	assert_int_equal(host_start(f->plugin, &err), 0);
	assert_int_equal(controllers_start(f->controllers, &err), 0);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	controllers_free(f->controllers);
	host_close(f->plugin);
	host_free(f->host);
	client_free(f->client);
	fake_server_free(f->server);
	free(f);
	return 0;
}

static void put_rc(struct fixture *f, const char *name, int replicas, const char *more)
{
	char text[1024];

	snprintf(
		text, sizeof(text),
		"{\"kind\":\"ReplicationController\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		"\"%s\",\"namespace\":\"default\"},\"spec\":{\"replicas\":%d,\"selector\":{\"app\":"
		"\"nginx\"},%s\"template\":{\"metadata\":{\"labels\":{\"app\":\"nginx\",\"v\":"
		"\"1\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"nginx\"}]}}}}",
		name, replicas, more);
	fake_put(f->server, RCS, text);
}

static void put_pod(struct fixture *f, const char *name, const char *labels, const char *more)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
		 "\"namespace\":\"default\",\"labels\":{%s}}%s}",
		 name, labels, more);
	fake_put(f->server, "pods", text);
}

/* Copies a text of an object that may not be there: "" then. */
static const char *field(struct fixture *f, const char *resource, const char *name,
			 const char *path, char out[256])
{
	cox_autoobject *object = fake_get(f->server, resource, "default", name);

	snprintf(out, 256, "%s", value_text(object_path(object_root(object), path)));
	return out;
}

static int64_t status(struct fixture *f, const char *name, const char *what)
{
	cox_autoobject *object = fake_get(f->server, RCS, "default", name);

	return value_get_int(value_get(object_root(object), "status"), what, -1);
}

static const struct value *find_event(struct fixture *f, const char *reason, const char *message,
				      struct cox_object **keep)
{
	for (size_t i = 0;; i++) {
		struct cox_object *event = fake_at(f->server, "events", i);
		const struct value *root = object_root(event);

		if (!event)
			return NULL;
		if (!strcmp(value_get_text(root, "reason"), reason) &&
		    (!message || !strcmp(value_get_text(root, "message"), message))) {
			*keep = event;
			return root;
		}
		object_unref(event);
	}
}

static bool has_event(struct fixture *f, const char *reason, const char *message)
{
	struct cox_object *event = NULL;
	bool found = find_event(f, reason, message, &event) != NULL;

	object_unref(event);
	return found;
}

/* ---- tests ---- */

static void test_creates(void **state)
{
	struct fixture *f = *state;
	cox_autoobject *pod = NULL, *event = NULL;
	const struct value *root, *owner;
	char text[256];

	run(f);
	put_rc(f, "web", 2, "");
	eventually(fake_count(f->server, "pods") == 2);
	eventually(status(f, "web", "replicas") == 2);
	assert_int_equal(status(f, "web", "fullyLabeledReplicas"), 2);
	assert_int_equal(status(f, "web", "readyReplicas"), 0);
	assert_int_equal(status(f, "web", "observedGeneration"), 1);
	pod = fake_at(f->server, "pods", 0);
	root = object_root(pod);
	assert_memory_equal(object_name(pod), "web-", 4);
	assert_string_equal(object_namespace(pod), "default");
	assert_string_equal(value_text(value_path(root, "metadata.labels.v")), "1");
	assert_string_equal(value_text(object_path(root, "spec.containers[0].image")), "nginx");
	owner = object_path(root, "metadata.ownerReferences[0]");
	assert_string_equal(value_get_text(owner, "kind"), "ReplicationController");
	assert_string_equal(value_get_text(owner, "name"), "web");
	assert_string_equal(value_get_text(owner, "uid"),
			    field(f, RCS, "web", "metadata.uid", text));
	assert_true(value_get_bool(owner, "controller"));
	assert_true(value_get_bool(owner, "blockOwnerDeletion"));
	snprintf(text, sizeof(text), "Created pod: %s", object_name(pod));
	eventually(has_event(f, "SuccessfulCreate", text));
	root = find_event(f, "SuccessfulCreate", text, &event);
	assert_string_equal(value_get_text(root, "type"), "Normal");
	assert_int_equal(value_get_int(root, "count", 0), 1);
	assert_string_equal(value_text(value_path(root, "source.component")),
			    "replication-controller");
	assert_string_equal(value_text(value_path(root, "involvedObject.kind")),
			    "ReplicationController");
	assert_string_equal(value_text(value_path(root, "involvedObject.name")), "web");
}

static void test_replaces(void **state)
{
	struct fixture *f = *state;
	cox_autoobject *pod = NULL;
	char name[64];

	run(f);
	put_rc(f, "web", 2, "");
	eventually(fake_count(f->server, "pods") == 2);
	pod = fake_at(f->server, "pods", 0);
	snprintf(name, sizeof(name), "%s", object_name(pod));
	fake_remove(f->server, "pods", "default", name);
	eventually(fake_requests(f->server, CLIENT_CREATE, "pods") == 3);
	eventually(fake_count(f->server, "pods") == 2);
	/* A pod that has ended does not count either. */
	object_unref(cox_steal(pod));
	pod = fake_at(f->server, "pods", 0);
	put_pod(f, object_name(pod), "\"app\":\"nginx\"", ",\"status\":{\"phase\":\"Failed\"}");
	eventually(fake_requests(f->server, CLIENT_CREATE, "pods") == 4);
}

static void test_not_twice(void **state)
{
	struct fixture *f = *state;

	run(f);
	put_rc(f, "web", 3, "");
	eventually(fake_count(f->server, "pods") == 3);
	/* Its lister is blind: what it created must hold it back. */
	fake_hold_watches(f->server, true);
	put_rc(f, "web", 7, "");
	fake_hold_watches(f->server, false);
	eventually(status(f, "web", "replicas") == 7);
	assert_int_equal(fake_count(f->server, "pods"), 7);
	assert_int_equal(fake_requests(f->server, CLIENT_CREATE, "pods"), 7);
	assert_int_equal(fake_requests(f->server, CLIENT_DELETE, "pods"), 0);
}

static void test_scale_down_order(void **state)
{
	static const char ready[] =
		",\"spec\":{\"nodeName\":\"n%d\"},\"status\":{\"phase\":\"%s\",\"conditions\":[{"
		"\"type\":\"Ready\",\"status\":\"%s\",\"lastTransitionTime\":"
		"\"2026-01-01T00:00:00Z\"}]}";
	struct fixture *f = *state;
	char more[512];

	/* In the order in which they must go. */
	put_pod(f, "unassigned", "\"app\":\"nginx\"", ",\"status\":{\"phase\":\"Pending\"}");
	snprintf(more, sizeof(more), ready, 1, "Pending", "False");
	put_pod(f, "pending", "\"app\":\"nginx\"", more);
	snprintf(more, sizeof(more), ready, 2, "Running", "False");
	put_pod(f, "unready", "\"app\":\"nginx\"", more);
	snprintf(more, sizeof(more),
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"cheap\","
		 "\"namespace\":\"default\",\"labels\":{\"app\":\"nginx\"},\"annotations\":{"
		 "\"controller.kubernetes.io/pod-deletion-cost\":\"-5\"}},\"spec\":{\"nodeName\":"
		 "\"n3\"},\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\","
		 "\"status\":\"True\",\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"}]}}");
	fake_put(f->server, "pods", more);
	snprintf(more, sizeof(more), ready, 4, "Running", "True");
	put_pod(f, "pair-a", "\"app\":\"nginx\"", more);
	put_pod(f, "pair-b", "\"app\":\"nginx\"", more);
	snprintf(more, sizeof(more), ready, 5, "Running", "True");
	put_pod(f, "alone", "\"app\":\"nginx\"", more);
	put_rc(f, "web", 6, "");
	run(f);
	eventually(fake_count(f->server, "pods") == 6);
	assert_null(fake_get(f->server, "pods", "default", "unassigned"));
	put_rc(f, "web", 5, "");
	eventually(fake_count(f->server, "pods") == 5);
	assert_null(fake_get(f->server, "pods", "default", "pending"));
	put_rc(f, "web", 4, "");
	eventually(fake_count(f->server, "pods") == 4);
	assert_null(fake_get(f->server, "pods", "default", "unready"));
	put_rc(f, "web", 3, "");
	eventually(fake_count(f->server, "pods") == 3);
	assert_null(fake_get(f->server, "pods", "default", "cheap"));
	put_rc(f, "web", 2, "");
	eventually(fake_count(f->server, "pods") == 2);
	{
		cox_autoobject *alone = fake_get(f->server, "pods", "default", "alone");

		assert_non_null(alone);
	}
	eventually(status(f, "web", "readyReplicas") == 2);
	assert_int_equal(status(f, "web", "availableReplicas"), 2);
	eventually(has_event(f, "SuccessfulDelete", "Deleted pod: unassigned"));
}

static void test_adopts_and_releases(void **state)
{
	struct fixture *f = *state;
	char text[256];

	run(f);
	put_pod(f, "stray", "\"app\":\"nginx\"", "");
	put_pod(f, "other", "\"app\":\"db\"", "");
	put_rc(f, "web", 1, "");
	eventually(!strcmp(field(f, "pods", "stray", "metadata.ownerReferences[0].name", text),
			   "web"));
	eventually(status(f, "web", "replicas") == 1);
	assert_int_equal(fake_count(f->server, "pods"), 2);
	assert_string_equal(field(f, "pods", "other", "metadata.ownerReferences[0].name", text),
			    "");
	assert_int_equal(status(f, "web", "fullyLabeledReplicas"), 0);
	/* Another label, and it is let go and replaced. */
	{
		cox_autoerror err = COX_ERROR_INIT;
		const struct client_request request = {
			.verb = CLIENT_PATCH,
			.version = "v1",
			.resource = "pods",
			.namespace = "default",
			.name = "stray",
			.content_type = CLIENT_MERGE_PATCH,
			.body = "{\"metadata\":{\"labels\":{\"app\":\"debug\"}}}",
			.body_size = 39};

		assert_int_equal(client_call(f->client, &request, NULL, &err), 0);
	}
	eventually(fake_count(f->server, "pods") == 3);
	eventually(!*field(f, "pods", "stray", "metadata.ownerReferences[0].name", text));
	/* A bare pod that matches is one too many, and one goes. */
	put_pod(f, "bare", "\"app\":\"nginx\"", "");
	eventually(fake_requests(f->server, CLIENT_DELETE, "pods") == 1);
	assert_int_equal(fake_count(f->server, "pods"), 3);
}

static void test_failed_create(void **state)
{
	struct fixture *f = *state;
	char text[256];

	fake_fail(f->server, CLIENT_CREATE, "pods", 403, "Forbidden",
		  "pods \"web-\" is forbidden: no quota", 2);
	run(f);
	put_rc(f, "web", 9, "");
	eventually(has_event(f, "FailedCreate",
			     "Error creating: pods \"web-\" is forbidden: no quota"));
	/* The first failure of a batch ends the pass: no nine tries at once. */
	eventually(fake_count(f->server, "pods") == 9);
	assert_int_equal(fake_requests(f->server, CLIENT_CREATE, "pods"), 11);
	eventually(status(f, "web", "replicas") == 9);
	eventually(!*field(f, RCS, "web", "status.conditions[0].type", text));
}

static void test_failure_condition(void **state)
{
	struct fixture *f = *state;
	char text[256];

	fake_fail(f->server, CLIENT_CREATE, "pods", 403, "Forbidden", "no", 1000000);
	run(f);
	put_rc(f, "web", 1, "");
	eventually(
		!strcmp(field(f, RCS, "web", "status.conditions[0].reason", text), "FailedCreate"));
	assert_string_equal(field(f, RCS, "web", "status.conditions[0].type", text),
			    "ReplicaFailure");
	assert_string_equal(field(f, RCS, "web", "status.conditions[0].status", text), "True");
	assert_string_equal(field(f, RCS, "web", "status.conditions[0].message", text), "no");
}

static void test_min_ready(void **state)
{
	struct fixture *f = *state;
	char more[512], now[CLOCK_RFC3339_SIZE];

	clock_format(clock_realtime(), now);
	snprintf(
		more, sizeof(more),
		",\"spec\":{\"nodeName\":\"n\"},\"status\":{\"phase\":\"Running\",\"conditions\":[{"
		"\"type\":\"Ready\",\"status\":\"True\",\"lastTransitionTime\":\"%s\"}]}",
		now);
	put_pod(f, "a", "\"app\":\"nginx\"", more);
	put_rc(f, "web", 1, "\"minReadySeconds\":2,");
	run(f);
	eventually(status(f, "web", "readyReplicas") == 1);
	assert_int_equal(status(f, "web", "availableReplicas"), 0);
	/* Nothing changes any more: the controller comes back by itself. */
	eventually(status(f, "web", "availableReplicas") == 1);
}

static void test_deleting(void **state)
{
	struct fixture *f = *state;

	put_pod(f, "stray", "\"app\":\"nginx\"", "");
	fake_put(
		f->server, RCS,
		"{\"kind\":\"ReplicationController\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		"\"old\",\"namespace\":\"default\",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\","
		"\"finalizers\":[\"x\"]},\"spec\":{\"replicas\":3,\"selector\":{\"app\":\"nginx\"},"
		"\"template\":{\"metadata\":{\"labels\":{\"app\":\"nginx\"}}}}}");
	put_rc(f, "mark", 1, "");
	run(f);
	/* Observed, but nothing adopted or created for it. */
	eventually(status(f, "old", "observedGeneration") == 1);
	assert_int_equal(status(f, "old", "replicas"), 0);
	eventually(status(f, "mark", "replicas") == 1);
	assert_int_equal(fake_requests(f->server, CLIENT_CREATE, "pods"), 0);
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(test_creates),
		with_server(test_replaces),
		with_server(test_not_twice),
		with_server(test_scale_down_order),
		with_server(test_adopts_and_releases),
		with_server(test_failed_create),
		with_server(test_failure_condition),
		with_server(test_min_ready),
		with_server(test_deleting),
	};

	return cmocka_run_group_tests_name("replication", tests, NULL, NULL);
}
