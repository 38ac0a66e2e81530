/* SPDX-License-Identifier: Apache-2.0 */
/* The garbage collector: gone owners, foreground, orphans, and what stays. */
#include "unit.h"

#include "base/clock.h"
#include "lib/controllers.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#define KINDS "pods/Pod replicationcontrollers/ReplicationController configmaps/ConfigMap"
#define RCS "replicationcontrollers"

static void put_rc(struct fixture *f, const char *name)
{
	put(f, RCS,
	    "{'kind':'ReplicationController','apiVersion':'v1','metadata':{'name':'%s',"
	    "'namespace':'n'}}",
	    name);
}

/* A pod that belongs to a replication controller with this uid. */
static void put_pod(struct fixture *f, const char *name, const char *owner, const char *uid)
{
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'%s','namespace':'n',"
	    "'ownerReferences':[{'apiVersion':'v1','kind':'ReplicationController','name':'%s',"
	    "'uid':'%s','controller':true,'blockOwnerDeletion':true}]}}",
	    name, owner, uid);
}

static const char *uid(struct fixture *f, const char *name)
{
	return field(f, RCS, "n", name, "metadata.uid");
}

static void delete_rc(struct fixture *f, const char *name, const char *policy)
{
	cox_autoerror err = COX_ERROR_INIT;
	char body[128];
	const struct client_request request = {
		.verb = CLIENT_DELETE,
		.version = "v1",
		.resource = RCS,
		.namespace = "n",
		.name = name,
		.body = body,
		.body_size = (size_t)snprintf(body, sizeof(body), "{\"propagationPolicy\":\"%s\"}",
					      policy)};

	assert_int_equal(client_call(f->client, &request, NULL, &err), 0);
}

static void test_background(void **state)
{
	struct fixture *f = *state;

	serve_discovery(f, KINDS);
	put_rc(f, "web");
	put_rc(f, "other");
	put_pod(f, "a", "web", uid(f, "web"));
	put_pod(f, "b", "other", uid(f, "other"));
	put(f, "pods", "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'c','namespace':'n'}}");
	fixture_run(f, "garbagecollector", NULL);
	delete_rc(f, "web", "Background");
	eventually(!exists(f, "pods", "n", "a"));
	assert_true(exists(f, "pods", "n", "b"));
	assert_true(exists(f, "pods", "n", "c"));
	/* The same name with another uid is another owner. */
	put_rc(f, "web");
	put_pod(f, "d", "web", "long-gone");
	eventually(!exists(f, "pods", "n", "d"));
	assert_int_equal(fake_count(f->server, "pods"), 2);
}

static void test_already_gone(void **state)
{
	struct fixture *f = *state;

	serve_discovery(f, KINDS);
	put_pod(f, "a", "web", "x");
	put_pod(f, "b", "web", "x");
	fixture_run(f, "garbagecollector", NULL);
	eventually(fake_count(f->server, "pods") == 0);
}

static void test_some_left(void **state)
{
	struct fixture *f = *state;

	serve_discovery(f, KINDS);
	put_rc(f, "web");
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'a','namespace':'n',"
	    "'ownerReferences':[{'apiVersion':'v1','kind':'ReplicationController','name':'web',"
	    "'uid':'%s'},{'apiVersion':'v1','kind':'ConfigMap','name':'m','uid':'gone'}]}}",
	    uid(f, "web"));
	fixture_run(f, "garbagecollector", NULL);
	eventually(!*field(f, "pods", "n", "a", "metadata.ownerReferences[1].name"));
	assert_string_equal(field(f, "pods", "n", "a", "metadata.ownerReferences[0].name"), "web");
	assert_int_equal(fake_requests(f->server, CLIENT_DELETE, "pods"), 0);
}

static void test_foreground(void **state)
{
	struct fixture *f = *state;

	serve_discovery(f, KINDS);
	put_rc(f, "web");
	put_pod(f, "a", "web", uid(f, "web"));
	/* This one takes its time. */
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'b','namespace':'n','finalizers':"
	    "['x.io/hold'],'ownerReferences':[{'apiVersion':'v1','kind':"
	    "'ReplicationController','name':'web','uid':'%s','blockOwnerDeletion':true}]}}",
	    uid(f, "web"));
	fixture_run(f, "garbagecollector", NULL);
	delete_rc(f, "web", "Foreground");
	eventually(!exists(f, "pods", "n", "a"));
	eventually(*field(f, "pods", "n", "b", "metadata.deletionTimestamp"));
	assert_true(exists(f, RCS, "n", "web"));
	assert_string_equal(field(f, RCS, "n", "web", "metadata.finalizers"),
			    "[\"foregroundDeletion\"]");
	fake_remove(f->server, "pods", "n", "b");
	eventually(!exists(f, RCS, "n", "web"));
}

static void test_orphan(void **state)
{
	struct fixture *f = *state;

	serve_discovery(f, KINDS);
	put_rc(f, "web");
	put_pod(f, "a", "web", uid(f, "web"));
	fixture_run(f, "garbagecollector", NULL);
	delete_rc(f, "web", "Orphan");
	eventually(!exists(f, RCS, "n", "web"));
	assert_int_equal(fake_requests(f->server, CLIENT_DELETE, "pods"), 0);
	assert_true(exists(f, "pods", "n", "a"));
	assert_string_equal(field(f, "pods", "n", "a", "metadata.ownerReferences"), "[]");
}

static void test_unknown_kind(void **state)
{
	struct fixture *f = *state;

	serve_discovery(f, KINDS);
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'a','namespace':'n',"
	    "'ownerReferences':[{'apiVersion':'x.io/v1','kind':'Thing','name':'t','uid':'t1'}]}}");
	put_pod(f, "mark", "web", "gone");
	fixture_run(f, "garbagecollector", NULL);
	eventually(!exists(f, "pods", "n", "mark"));
	/* Whether its owner is gone cannot be known. */
	assert_true(exists(f, "pods", "n", "a"));
}

static void test_failed_delete(void **state)
{
	struct fixture *f = *state;

	serve_discovery(f, KINDS);
	fake_fail(f->server, CLIENT_DELETE, "pods", 500, "InternalError", "not now", 3);
	fake_fail(f->server, CLIENT_GET, RCS, 503, "ServiceUnavailable", "not now", 2);
	put_pod(f, "a", "web", "x");
	fixture_run(f, "garbagecollector", NULL);
	eventually(!exists(f, "pods", "n", "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(test_background),	 with_server(test_already_gone),
		with_server(test_some_left),	 with_server(test_foreground),
		with_server(test_orphan),	 with_server(test_unknown_kind),
		with_server(test_failed_delete),
	};

	return cmocka_run_group_tests_name("garbagecollector", tests, NULL, NULL);
}
