/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps claims and volumes that are used. */
#include "unit.h"

#include "base/clock.h"
#include "lib/controllers.h"

#include <sched.h>
#include <string.h>

#define CLAIMS "persistentvolumeclaims"
#define VOLUMES "persistentvolumes"
#define GOING ",'deletionTimestamp':'2026-01-01T00:00:00Z'"
#define CLAIM_HELD ",'finalizers':['kubernetes.io/pvc-protection']"
#define VOLUME_HELD ",'finalizers':['kubernetes.io/pv-protection']"

static void put_claim(struct fixture *f, const char *name, const char *metadata)
{
	put(f, CLAIMS,
	    "{'kind':'PersistentVolumeClaim','apiVersion':'v1','metadata':{'name':'%s',"
	    "'namespace':'n'%s},'spec':{}}",
	    name, metadata);
}

static void put_volume(struct fixture *f, const char *name, const char *metadata, const char *phase)
{
	put(f, VOLUMES,
	    "{'kind':'PersistentVolume','apiVersion':'v1','metadata':{'name':'%s'%s},'spec':{},"
	    "'status':{'phase':'%s'}}",
	    name, metadata, phase);
}

static void put_pod(struct fixture *f, const char *name, const char *node, const char *volume,
		    const char *phase)
{
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'%s','namespace':'n'},'spec':{"
	    "'nodeName':'%s','volumes':[{'name':'v',%s}]},'status':{'phase':'%s'}}",
	    name, node, volume, phase);
}

#define OF(claim) "'persistentVolumeClaim':{'claimName':'" claim "'}"

static bool has_finalizers(struct fixture *f, const char *resource, const char *namespace,
			   const char *name, const char *json)
{
	return !strcmp(field(f, resource, namespace, name, "metadata.finalizers"), json);
}

static void test_gives_what_lacks_it(void **state)
{
	struct fixture *f = *state;

	put_claim(f, "bare", "");
	put_claim(f, "mine", ",'finalizers':['x.io/mine']");
	put_volume(f, "bare", "", "Available");
	fixture_run(f, "volumeprotection", NULL);
	eventually(has_finalizers(f, CLAIMS, "n", "bare", "[\"kubernetes.io/pvc-protection\"]"));
	eventually(has_finalizers(f, CLAIMS, "n", "mine",
				  "[\"x.io/mine\",\"kubernetes.io/pvc-protection\"]"));
	eventually(has_finalizers(f, VOLUMES, "", "bare", "[\"kubernetes.io/pv-protection\"]"));
}

static void test_claims(void **state)
{
	struct fixture *f = *state;

	put_claim(f, "unused", GOING CLAIM_HELD);
	put_claim(f, "waited", GOING CLAIM_HELD);
	put_claim(f, "used", GOING CLAIM_HELD);
	put_claim(f, "ended", GOING CLAIM_HELD);
	put_claim(f, "web-v", GOING CLAIM_HELD);
	put_claim(f, "others", GOING ",'finalizers':['kubernetes.io/pvc-protection','x.io/mine']");
	put_pod(f, "waits", "", OF("waited"), "Pending");
	put_pod(f, "runs", "m", OF("used"), "Running");
	put_pod(f, "done", "m", OF("ended"), "Succeeded");
	put_pod(f, "web", "m", "'ephemeral':{'volumeClaimTemplate':{'spec':{}}}", "Running");
	fixture_run(f, "volumeprotection", NULL);
	eventually(!exists(f, CLAIMS, "n", "unused") && !exists(f, CLAIMS, "n", "waited"));
	eventually(has_finalizers(f, CLAIMS, "n", "others", "[\"x.io/mine\"]"));
	/* A pod that has ended is there still. */
	assert_true(exists(f, CLAIMS, "n", "used") && exists(f, CLAIMS, "n", "ended") &&
		    exists(f, CLAIMS, "n", "web-v"));
	fake_remove(f->server, "pods", "n", "runs");
	eventually(!exists(f, CLAIMS, "n", "used"));
	fake_remove(f->server, "pods", "n", "done");
	eventually(!exists(f, CLAIMS, "n", "ended"));
	fake_remove(f->server, "pods", "n", "web");
	eventually(!exists(f, CLAIMS, "n", "web-v"));
}

static void test_volumes(void **state)
{
	struct fixture *f = *state;

	put_volume(f, "free", GOING VOLUME_HELD, "Available");
	put_volume(f, "bound", GOING VOLUME_HELD, "Bound");
	fixture_run(f, "volumeprotection", NULL);
	eventually(!exists(f, VOLUMES, "", "free"));
	assert_true(exists(f, VOLUMES, "", "bound"));
	put_volume(f, "bound", GOING VOLUME_HELD, "Released");
	eventually(!exists(f, VOLUMES, "", "bound"));
}

/* The server is asked before a claim goes; while it cannot say, no claim does. */
static void test_asks_first(void **state)
{
	struct fixture *f = *state;

	put_claim(f, "used", CLAIM_HELD);
	fixture_run(f, "volumeprotection", NULL);
	put_pod(f, "runs", "m", OF("used"), "Running");
	fake_fail(f->server, CLIENT_LIST, "pods", 503, "ServiceUnavailable", "not now", 2);
	put_claim(f, "used", GOING CLAIM_HELD);
	put_claim(f, "after", GOING CLAIM_HELD);
	eventually(!exists(f, CLAIMS, "n", "after"));
	assert_true(exists(f, CLAIMS, "n", "used"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(test_gives_what_lacks_it),
		with_server(test_claims),
		with_server(test_volumes),
		with_server(test_asks_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
