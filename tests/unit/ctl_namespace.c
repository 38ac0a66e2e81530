/* SPDX-License-Identifier: Apache-2.0 */
/* The namespace controller: order, conditions, failures and the end. */
#include "unit.h"

#include "base/clock.h"
#include "lib/controllers.h"

#include <coxswain/kit/time.h>
#include <stdio.h>
#include <string.h>

/* Deleted just now: what takes long is looked at more seldom. */
static void put_deleted(struct fixture *f, const char *name)
{
	char now[COX_TIME_SIZE];

	cox_format_time(clock_realtime(), now);
	put(f, "namespaces",
	    "{'kind':'Namespace','apiVersion':'v1','metadata':{'name':'%s','deletionTimestamp':"
	    "'%s'},'spec':{'finalizers':['kubernetes']},'status':{'phase':'Terminating'}}",
	    name, now);
}

static void put_in(struct fixture *f, const char *resource, const char *namespace, const char *name,
		   const char *more)
{
	put(f, resource,
	    "{'kind':'X','apiVersion':'v1','metadata':{'name':'%s','namespace':'%s'%s}}", name,
	    namespace, more);
}

static const char *condition(struct fixture *f, const char *type, const char *what)
{
	for (int i = 0; i < 5; i++) {
		char path[64];

		snprintf(path, sizeof(path), "status.conditions[%d].type", i);
		if (strcmp(field(f, "namespaces", "", "old", path), type) != 0)
			continue;
		snprintf(path, sizeof(path), "status.conditions[%d].%s", i, what);
		return field(f, "namespaces", "", "old", path);
	}
	return "";
}

static void test_empties(void **state)
{
	struct fixture *f = *state;

	serve_discovery(f, "pods/Pod services/Service configmaps/ConfigMap");
	put_deleted(f, "old");
	put(f, "namespaces",
	    "{'kind':'Namespace','apiVersion':'v1','metadata':{'name':'live'},'spec':{"
	    "'finalizers':['kubernetes']}}");
	put_in(f, "pods", "old", "a", "");
	put_in(f, "services", "old", "b", "");
	put_in(f, "configmaps", "old", "c", "");
	put_in(f, "configmaps", "live", "c", "");
	fixture_run(f, "namespace", NULL);
	eventually(!exists(f, "namespaces", "", "old"));
	assert_int_equal(fake_count(f->server, "pods"), 0);
	assert_int_equal(fake_count(f->server, "services"), 0);
	assert_true(exists(f, "configmaps", "live", "c"));
	assert_int_equal(fake_count(f->server, "configmaps"), 1);
	assert_true(exists(f, "namespaces", "", "live"));
}

static void test_pods_first(void **state)
{
	struct fixture *f = *state;

	serve_discovery(f, "configmaps/ConfigMap pods/Pod");
	put_deleted(f, "old");
	put_in(f, "pods", "old", "a", ",'finalizers':['x.io/hold']");
	put_in(f, "configmaps", "old", "c", "");
	fixture_run(f, "namespace", NULL);
	eventually(!strcmp(condition(f, "NamespaceContentRemaining", "status"), "True"));
	assert_string_equal(condition(f, "NamespaceContentRemaining", "reason"),
			    "SomeResourcesRemain");
	assert_string_equal(condition(f, "NamespaceContentRemaining", "message"),
			    "Some resources are remaining: pods. has 1 resource instances");
	assert_string_equal(
		condition(f, "NamespaceFinalizersRemaining", "message"),
		"Some content in the namespace has finalizers remaining: x.io/hold in 1 "
		"resource instances");
	assert_string_equal(condition(f, "NamespaceDeletionContentFailure", "status"), "False");
	assert_true(exists(f, "configmaps", "old", "c"));
	/* Let go, and everything follows. */
	put_in(f, "pods", "old", "a", "");
	eventually(!exists(f, "namespaces", "", "old"));
	assert_int_equal(fake_count(f->server, "configmaps"), 0);
}

static void test_failure(void **state)
{
	struct fixture *f = *state;

	serve_discovery(f, "configmaps/ConfigMap secrets/Secret");
	fake_fail(f->server, CLIENT_DELETE_COLLECTION, "secrets", 403, "Forbidden", "no right", 4);
	put_deleted(f, "old");
	put_in(f, "secrets", "old", "s", "");
	put_in(f, "configmaps", "old", "c", "");
	fixture_run(f, "namespace", NULL);
	eventually(!strcmp(condition(f, "NamespaceDeletionContentFailure", "message"),
			   "Failed to delete all resource types, 1 remaining: secrets: no right"));
	/* One kind that fails does not keep the others. */
	eventually(fake_count(f->server, "configmaps") == 0);
	eventually(!exists(f, "namespaces", "", "old"));
	assert_int_equal(fake_count(f->server, "secrets"), 0);
}

static void test_undiscovered(void **state)
{
	struct fixture *f = *state;

	put_deleted(f, "old");
	fixture_run(f, "namespace", NULL);
	eventually(!strcmp(condition(f, "NamespaceDeletionDiscoveryFailure", "reason"),
			   "DiscoveryFailed"));
	assert_string_equal(condition(f, "NamespaceDeletionDiscoveryFailure", "message"),
			    "404 page not found");
	assert_true(exists(f, "namespaces", "", "old"));
	serve_discovery(f, "configmaps/ConfigMap");
	eventually(!exists(f, "namespaces", "", "old"));
}

static void test_one_by_one(void **state)
{
	struct fixture *f = *state;

	serve_discovery(f, "services/Service");
	fake_fail(f->server, CLIENT_DELETE_COLLECTION, "services", 405, "MethodNotAllowed", "no",
		  1000);
	put_deleted(f, "old");
	put_in(f, "services", "old", "a", "");
	put_in(f, "services", "old", "b", "");
	fixture_run(f, "namespace", NULL);
	eventually(!exists(f, "namespaces", "", "old"));
	assert_int_equal(fake_requests(f->server, CLIENT_DELETE, "services"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(test_empties),    with_server(test_pods_first),
		with_server(test_failure),    with_server(test_undiscovered),
		with_server(test_one_by_one),
	};

	return cmocka_run_group_tests_name("namespace", tests, NULL, NULL);
}
