/* SPDX-License-Identifier: Apache-2.0 */
/* The quota controller: full counts, scopes, what is freed. */
#include "unit.h"

#include "base/clock.h"
#include "lib/controllers.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

static void put_quota(struct fixture *f, const char *name, const char *spec)
{
	put(f, "resourcequotas",
	    "{'kind':'ResourceQuota','apiVersion':'v1','metadata':{'name':'%s','namespace':'n'},"
	    "'spec':{%s}}",
	    name, spec);
}

static void put_pod(struct fixture *f, const char *name, const char *requests, const char *phase)
{
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'%s','namespace':'n'},'spec':{"
	    "'containers':[{'name':'c','resources':{'requests':{%s}}}]},'status':{'phase':'%s'}}",
	    name, requests, phase);
}

static const char *used(struct fixture *f, const char *name)
{
	return field(f, "resourcequotas", "n", name, "status.used");
}

static void test_counts(void **state)
{
	struct fixture *f = *state;

	put_pod(f, "a", "'cpu':'300m','memory':'1Gi'", "Running");
	put_pod(f, "b", "'cpu':'700m'", "Pending");
	put_pod(f, "ended", "'cpu':'5'", "Succeeded");
	put(f, "secrets",
	    "{'kind':'Secret','apiVersion':'v1','metadata':{'name':'s','namespace':'other'}}");
	put_quota(f, "q",
		  "'hard':{'pods':'10','requests.cpu':'4','requests.memory':'2Gi','secrets':'3'}");
	fixture_run(f, "resourcequota", NULL);
	eventually(!strcmp(used(f, "q"), "{\"pods\":\"2\",\"requests.cpu\":\"1\","
					 "\"requests.memory\":\"1Gi\",\"secrets\":\"0\"}"));
	assert_string_equal(field(f, "resourcequotas", "n", "q", "status.hard"),
			    field(f, "resourcequotas", "n", "q", "spec.hard"));
	/* What goes, and what ends, is free again at once: the full count is 10 s away. */
	fake_remove(f->server, "pods", "n", "a");
	eventually(!strcmp(field(f, "resourcequotas", "n", "q", "status.used[\"requests.memory\"]"),
			   "0"));
	put_pod(f, "b", "'cpu':'700m'", "Failed");
	eventually(!strcmp(field(f, "resourcequotas", "n", "q", "status.used.pods"), "0"));
	/* Other limits, other counts. */
	put_quota(f, "q", "'hard':{'resourcequotas':'1'}");
	eventually(!strcmp(used(f, "q"), "{\"resourcequotas\":\"1\"}"));
}

static void test_scope(void **state)
{
	struct fixture *f = *state;

	put_pod(f, "a", "'cpu':'300m'", "Running");
	put_pod(f, "b", "", "Running");
	put_pod(f, "c", "", "Running");
	put_quota(f, "best", "'hard':{'pods':'5'},'scopes':['BestEffort']");
	put_quota(f, "rest", "'hard':{'pods':'5'},'scopes':['NotBestEffort']");
	fixture_run(f, "resourcequota", NULL);
	eventually(!strcmp(used(f, "best"), "{\"pods\":\"2\"}"));
	eventually(!strcmp(used(f, "rest"), "{\"pods\":\"1\"}"));
}

static void put_claim(struct fixture *f, const char *class, const char *now)
{
	put(f, "persistentvolumeclaims",
	    "{'kind':'PersistentVolumeClaim','apiVersion':'v1','metadata':{'name':'c','namespace':"
	    "'n'},'spec':{'volumeAttributesClassName':'%s'},'status':{"
	    "'currentVolumeAttributesClassName':'%s'}}",
	    class, now);
}

/* A claim changes its class: for a while it is of both. */
static void test_claim_scope(void **state)
{
	struct fixture *f = *state;

	put_claim(f, "gold", "gold");
	put_quota(f, "gold",
		  "'hard':{'persistentvolumeclaims':'5'},'scopeSelector':{'matchExpressions':[{"
		  "'scopeName':'VolumeAttributesClass','operator':'In','values':['gold']}]}");
	put_quota(f, "tin",
		  "'hard':{'persistentvolumeclaims':'5'},'scopeSelector':{'matchExpressions':[{"
		  "'scopeName':'VolumeAttributesClass','operator':'In','values':['tin']}]}");
	put_quota(f, "none",
		  "'hard':{'persistentvolumeclaims':'5'},'scopeSelector':{'matchExpressions':[{"
		  "'scopeName':'VolumeAttributesClass','operator':'DoesNotExist'}]}");
	fixture_run(f, "resourcequota", NULL);
	eventually(!strcmp(used(f, "gold"), "{\"persistentvolumeclaims\":\"1\"}"));
	eventually(!strcmp(used(f, "tin"), "{\"persistentvolumeclaims\":\"0\"}"));
	eventually(!strcmp(used(f, "none"), "{\"persistentvolumeclaims\":\"0\"}"));
	put_claim(f, "tin", "gold");
	eventually(!strcmp(used(f, "tin"), "{\"persistentvolumeclaims\":\"1\"}"));
	assert_string_equal(used(f, "gold"), "{\"persistentvolumeclaims\":\"1\"}");
	put_claim(f, "tin", "tin");
	eventually(!strcmp(used(f, "gold"), "{\"persistentvolumeclaims\":\"0\"}"));
}

static void test_resync(void **state)
{
	struct fixture *f = *state;

	put_quota(f, "q", "'hard':{'count/configmaps':'5','count/deployments.apps':'3'}");
	fixture_run(f, "resourcequota", "resync", "50ms", NULL);
	eventually(!strcmp(used(f, "q"),
			   "{\"count/configmaps\":\"0\",\"count/deployments.apps\":\"0\"}"));
	put(f, "configmaps",
	    "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'m','namespace':'n'}}");
	put(f, "deployments",
	    "{'kind':'Deployment','apiVersion':'apps/v1','metadata':{'name':'d','namespace':'n'}}");
	eventually(!strcmp(used(f, "q"),
			   "{\"count/configmaps\":\"1\",\"count/deployments.apps\":\"1\"}"));
	/* Counting writes only what has changed. */
	assert_int_equal(fake_requests(f->server, CLIENT_UPDATE, "resourcequotas") <= 3, 1);
}

/* A pod whose node is lost is never reported gone; it is not paid for for ever. */
static void test_overdue(void **state)
{
	static const char form[] =
		"{'kind':'Pod','apiVersion':'v1','metadata':{'name':'%s','namespace':'n',"
		"'deletionTimestamp':'%s','deletionGracePeriodSeconds':%d,'finalizers':['x.io/y']},"
		"'spec':{'containers':[{'name':'c','resources':{'requests':{'cpu':'1'}}}]},"
		"'status':{'phase':'Running'}}";
	struct fixture *f = *state;

	put(f, "pods", form, "stuck", "2026-01-01T00:00:00Z", 30);
	put(f, "pods", form, "slow", "2026-01-01T00:00:00Z", 2000000000);
	put(f, "pods", form, "going", "2100-01-01T00:00:00Z", 30);
	put_quota(f, "q", "'hard':{'pods':'5','requests.cpu':'5','count/pods':'5'}");
	fixture_run(f, "resourcequota", NULL);
	eventually(!strcmp(used(f, "q"), "{\"count/pods\":\"3\",\"pods\":\"2\","
					 "\"requests.cpu\":\"2\"}"));
}

/* Groups need not have a version v1. */
static void test_other_versions(void **state)
{
	struct fixture *f = *state;

	fake_document(f->server, "/apis/x.io",
		      "{\"kind\":\"APIGroup\",\"preferredVersion\":{\"version\":\"v2beta1\"}}");
	fake_fail(f->server, CLIENT_LIST, "widgets", 404, "NotFound", "no", 1);
	fake_fail(f->server, CLIENT_LIST, "gadgets", 404, "NotFound", "no", 1);
	put(f, "widgets",
	    "{'kind':'Widget','apiVersion':'x.io/"
	    "v2beta1','metadata':{'name':'w','namespace':'n'}}");
	put_quota(f, "q", "'hard':{'count/gadgets.y.io':'2','count/widgets.x.io':'2'}");
	fixture_run(f, "resourcequota", "resync", "1h", NULL);
	eventually(!strcmp(used(f, "q"),
			   "{\"count/gadgets.y.io\":\"0\",\"count/widgets.x.io\":\"1\"}"));
	assert_int_equal(fake_requests(f->server, CLIENT_LIST, "widgets"), 2);
	assert_int_equal(fake_requests(f->server, CLIENT_LIST, "gadgets"), 1);
}

/* A count that cannot be had is not taken for none. */
static void test_failed_count(void **state)
{
	struct fixture *f = *state;

	fake_fail(f->server, CLIENT_LIST, "widgets", 500, "InternalError", "not now", 2);
	put(f, "widgets",
	    "{'kind':'Widget','apiVersion':'x.io/v1','metadata':{'name':'w','namespace':'n'}}");
	put_quota(f, "q", "'hard':{'count/widgets.x.io':'2'}");
	fixture_run(f, "resourcequota", "resync", "1h", NULL);
	eventually(!strcmp(used(f, "q"), "{\"count/widgets.x.io\":\"1\"}"));
	assert_int_equal(fake_requests(f->server, CLIENT_UPDATE, "resourcequotas"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(test_counts),	with_server(test_scope),
		with_server(test_claim_scope),	with_server(test_resync),
		with_server(test_overdue),	with_server(test_other_versions),
		with_server(test_failed_count),
	};

	return cmocka_run_group_tests_name("resourcequota", tests, NULL, NULL);
}
