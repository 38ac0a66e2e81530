/* SPDX-License-Identifier: Apache-2.0 */
/* The claims of ephemeral volumes. */
#include "unit.h"

#include "base/clock.h"
#include "lib/controllers.h"

#include <sched.h>
#include <string.h>

#define CLAIMS "persistentvolumeclaims"

static void put_pod(struct fixture *f, const char *name, const char *metadata, const char *phase)
{
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'%s','namespace':'n'%s},'spec':{"
	    "'volumes':[{'name':'plain','emptyDir':{}},{'name':'v','ephemeral':{"
	    "'volumeClaimTemplate':{'metadata':{'labels':{'a':'b'},'annotations':{'c':'d'}},"
	    "'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}}}}}"
	    "}]},'status':{'phase':'%s'}}",
	    name, metadata, phase);
}

static void test_makes_it(void **state)
{
	struct fixture *f = *state;

	put_pod(f, "web", "", "Pending");
	put_pod(f, "done", "", "Succeeded");
	put_pod(f, "going", ",'finalizers':['x.io/y'],'deletionTimestamp':'2026-01-01T00:00:00Z'",
		"Pending");
	fixture_run(f, "ephemeralvolume", NULL);
	eventually(exists(f, CLAIMS, "n", "web-v"));
	assert_string_equal(field(f, CLAIMS, "n", "web-v", "metadata.labels"), "{\"a\":\"b\"}");
	assert_string_equal(field(f, CLAIMS, "n", "web-v", "metadata.annotations"),
			    "{\"c\":\"d\"}");
	assert_string_equal(field(f, CLAIMS, "n", "web-v", "spec"),
			    "{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{"
			    "\"storage\":\"1Gi\"}}}");
	assert_string_equal(field(f, CLAIMS, "n", "web-v", "metadata.ownerReferences[0].kind"),
			    "Pod");
	assert_string_equal(field(f, CLAIMS, "n", "web-v", "metadata.ownerReferences[0].uid"),
			    field(f, "pods", "n", "web", "metadata.uid"));
	put_pod(f, "later", "", "Pending");
	eventually(exists(f, CLAIMS, "n", "later-v"));
	assert_int_equal(fake_count(f->server, CLAIMS), 2);
	/* Somebody took it away: the pod gets another. */
	fake_remove(f->server, CLAIMS, "n", "web-v");
	eventually(exists(f, CLAIMS, "n", "web-v"));
}

static void test_taken(void **state)
{
	struct fixture *f = *state;

	put(f, CLAIMS,
	    "{'kind':'PersistentVolumeClaim','apiVersion':'v1','metadata':{'name':'web-v',"
	    "'namespace':'n'},'spec':{'storageClassName':'mine'}}");
	put_pod(f, "web", "", "Pending");
	fixture_run(f, "ephemeralvolume", NULL);
	eventually(has_event(f, "FailedBinding",
			     "ephemeral volume v: the claim web-v is there already, and was not "
			     "made for this pod; delete it, or rename the pod"));
	assert_string_equal(field(f, CLAIMS, "n", "web-v", "spec.storageClassName"), "mine");
	fake_remove(f->server, CLAIMS, "n", "web-v");
	eventually(exists(f, CLAIMS, "n", "web-v"));
	assert_string_equal(field(f, CLAIMS, "n", "web-v", "metadata.ownerReferences[0].name"),
			    "web");
}

static void test_refused(void **state)
{
	struct fixture *f = *state;

	fake_fail(f->server, CLIENT_CREATE, CLAIMS, 403, "Forbidden", "exceeded quota: q", 2);
	put_pod(f, "web", "", "Pending");
	fixture_run(f, "ephemeralvolume", NULL);
	eventually(has_event(f, "FailedBinding",
			     "ephemeral volume v: make the claim web-v: exceeded quota: q"));
	eventually(exists(f, CLAIMS, "n", "web-v"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(test_makes_it),
		with_server(test_taken),
		with_server(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
