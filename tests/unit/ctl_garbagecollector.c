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

/* Something that is in no namespace cannot be owned by what is in one: it is never deleted. */
static void test_namespaced_owner_of_cluster_object(void **state)
{
	struct fixture *f = *state;

	serve_discovery(f, KINDS " nodes/Node!");
	put_rc(f, "web");
	put(f, "nodes",
	    "{'kind':'Node','apiVersion':'v1','metadata':{'name':'a','ownerReferences':["
	    "{'apiVersion':'v1','kind':'ReplicationController','name':'web','uid':'%s'}]}}",
	    uid(f, "web"));
	put(f, "nodes",
	    "{'kind':'Node','apiVersion':'v1','metadata':{'name':'b','ownerReferences':["
	    "{'apiVersion':'v1','kind':'ReplicationController','name':'web','uid':'x'},"
	    "{'apiVersion':'v1','kind':'Node','name':'gone','uid':'y'}]}}");
	put(f, "nodes",
	    "{'kind':'Node','apiVersion':'v1','metadata':{'name':'c','ownerReferences':["
	    "{'apiVersion':'v1','kind':'Node','name':'gone','uid':'y'}]}}");
	fixture_run(f, "garbagecollector", NULL);
	eventually(has_event(f, "OwnerRefInvalidNamespace",
			     "ownerRef [v1/ReplicationController, namespace: , name: web, uid: x] "
			     "does not exist in namespace \"\""));
	eventually(!exists(f, "nodes", "", "c"));
	delete_rc(f, "web", "Background");
	put_pod(f, "mark", "web", "x");
	eventually(!exists(f, "pods", "n", "mark"));
	assert_int_equal(fake_requests(f->server, CLIENT_DELETE, "nodes"), 1);
	assert_int_equal(fake_count(f->server, "nodes"), 2);
}

/* What is in no namespace may own what is in any. */
static void test_cluster_owner(void **state)
{
	struct fixture *f = *state;

	serve_discovery(f, KINDS " nodes/Node!");
	put(f, "nodes", "{'kind':'Node','apiVersion':'v1','metadata':{'name':'a'}}");
	for (int i = 0; i < 2; i++)
		put(f, "pods",
		    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'p','namespace':'n%d',"
		    "'ownerReferences':[{'apiVersion':'v1','kind':'Node','name':'a','uid':'%s'}]}}",
		    i, field(f, "nodes", "", "a", "metadata.uid"));
	put_pod(f, "mark", "web", "gone");
	fixture_run(f, "garbagecollector", NULL);
	eventually(!exists(f, "pods", "n", "mark"));
	assert_int_equal(fake_count(f->server, "pods"), 2);
	fake_remove(f->server, "nodes", "", "a");
	eventually(fake_count(f->server, "pods") == 0);
}

/* An owner in another namespace is no owner; and people are told why their object went. */
static void test_owner_elsewhere(void **state)
{
	struct fixture *f = *state;
	char told[256];

	serve_discovery(f, KINDS);
	put_rc(f, "web");
	put_pod(f, "a", "web", uid(f, "web"));
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'b','namespace':'other',"
	    "'ownerReferences':[{'apiVersion':'v1','kind':'ReplicationController','name':'web',"
	    "'uid':'%s'}]}}",
	    uid(f, "web"));
	fixture_run(f, "garbagecollector", NULL);
	eventually(!exists(f, "pods", "other", "b"));
	snprintf(told, sizeof(told),
		 "ownerRef [v1/ReplicationController, namespace: other, name: web, uid: %s] does "
		 "not exist in namespace \"other\"",
		 uid(f, "web"));
	eventually(has_event(f, "OwnerRefInvalidNamespace", told));
	/* The owner is still known as what it is: its own pod goes with it, and not before. */
	assert_true(exists(f, "pods", "n", "a"));
	delete_rc(f, "web", "Background");
	eventually(!exists(f, "pods", "n", "a"));
}

/* Two that own each other and are both to wait for the other would wait for ever. */
static void test_circle(void **state)
{
	struct fixture *f = *state;

	serve_discovery(f, KINDS);
	put_rc(f, "web");
	put(f, "configmaps",
	    "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'m','namespace':'n',"
	    "'ownerReferences':[{'apiVersion':'v1','kind':'ReplicationController','name':'web',"
	    "'uid':'%s','blockOwnerDeletion':true}]}}",
	    uid(f, "web"));
	put(f, RCS,
	    "{'kind':'ReplicationController','apiVersion':'v1','metadata':{'name':'web',"
	    "'namespace':'n','ownerReferences':[{'apiVersion':'v1','kind':'ConfigMap','name':'m',"
	    "'uid':'%s','blockOwnerDeletion':true}]}}",
	    field(f, "configmaps", "n", "m", "metadata.uid"));
	fixture_run(f, "garbagecollector", NULL);
	delete_rc(f, "web", "Foreground");
	eventually(!exists(f, RCS, "n", "web"));
	eventually(!exists(f, "configmaps", "n", "m"));
}

/* Only those that say so block the deletion of their owner. */
static void test_not_blocking(void **state)
{
	struct fixture *f = *state;

	serve_discovery(f, KINDS);
	put_rc(f, "web");
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'a','namespace':'n','finalizers':"
	    "['x.io/hold'],'ownerReferences':[{'apiVersion':'v1','kind':"
	    "'ReplicationController','name':'web','uid':'%s'}]}}",
	    uid(f, "web"));
	fixture_run(f, "garbagecollector", NULL);
	delete_rc(f, "web", "Foreground");
	eventually(!exists(f, RCS, "n", "web"));
	eventually(*field(f, "pods", "n", "a", "metadata.deletionTimestamp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(test_background),
		with_server(test_already_gone),
		with_server(test_some_left),
		with_server(test_foreground),
		with_server(test_orphan),
		with_server(test_unknown_kind),
		with_server(test_failed_delete),
		with_server(test_namespaced_owner_of_cluster_object),
		with_server(test_cluster_owner),
		with_server(test_owner_elsewhere),
		with_server(test_circle),
		with_server(test_not_blocking),
	};

	return cmocka_run_group_tests_name("garbagecollector", tests, NULL, NULL);
}
