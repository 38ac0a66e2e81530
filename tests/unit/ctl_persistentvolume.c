/* SPDX-License-Identifier: Apache-2.0 */
/* The binder of volumes and claims. */
#include "unit.h"

#include "base/clock.h"
#include "lib/controllers.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VOLUMES "persistentvolumes"
#define CLAIMS "persistentvolumeclaims"

static void put_volume(struct fixture *f, const char *name, const char *size, const char *metadata,
		       const char *spec, const char *phase)
{
	put(f, VOLUMES,
	    "{'kind':'PersistentVolume','apiVersion':'v1','metadata':{'name':'%s'%s},'spec':{"
	    "'capacity':{'storage':'%s'},'accessModes':['ReadWriteOnce'],"
	    "'persistentVolumeReclaimPolicy':'Retain'%s},'status':{'phase':'%s'}}",
	    name, metadata, size, spec, phase);
}

static void put_claim(struct fixture *f, const char *name, const char *metadata, const char *spec)
{
	put(f, CLAIMS,
	    "{'kind':'PersistentVolumeClaim','apiVersion':'v1','metadata':{'name':'%s',"
	    "'namespace':'n'%s},'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{"
	    "'storage':'3Gi'}}%s},'status':{'phase':'Pending'}}",
	    name, metadata, spec);
}

static void put_class(struct fixture *f, const char *name, const char *provisioner,
		      const char *mode)
{
	put(f, "storageclasses",
	    "{'kind':'StorageClass','apiVersion':'storage.k8s.io/v1','metadata':{'name':'%s'},"
	    "'provisioner':'%s','volumeBindingMode':'%s'}",
	    name, provisioner, mode);
}

static bool volume_is(struct fixture *f, const char *name, const char *phase)
{
	return !strcmp(field(f, VOLUMES, "", name, "status.phase"), phase);
}

static bool claim_is(struct fixture *f, const char *name, const char *phase)
{
	return !strcmp(field(f, CLAIMS, "n", name, "status.phase"), phase);
}

static bool claim_has(struct fixture *f, const char *name, const char *volume)
{
	return claim_is(f, name, "Bound") && volume_is(f, volume, "Bound") &&
	       !strcmp(field(f, CLAIMS, "n", name, "spec.volumeName"), volume) &&
	       !strcmp(field(f, VOLUMES, "", volume, "spec.claimRef.name"), name) &&
	       !strcmp(field(f, VOLUMES, "", volume, "spec.claimRef.uid"),
		       field(f, CLAIMS, "n", name, "metadata.uid"));
}

static void remove_claim(struct fixture *f, const char *name)
{
	fake_remove(f->server, CLAIMS, "n", name);
}

/* ---- binding ---- */

static void test_smallest(void **state)
{
	struct fixture *f = *state;

	put_volume(f, "large", "10Gi", "", "", "Pending");
	put_volume(f, "right", "4Gi", "", "", "Pending");
	put_volume(f, "small", "2Gi", "", "", "Pending");
	fixture_run(f, "persistentvolume", NULL);
	eventually(volume_is(f, "large", "Available") && volume_is(f, "right", "Available") &&
		   volume_is(f, "small", "Available"));
	put_claim(f, "c", "", "");
	eventually(claim_has(f, "c", "right"));
	assert_string_equal(field(f, CLAIMS, "n", "c", "status.capacity.storage"), "4Gi");
	assert_string_equal(field(f, CLAIMS, "n", "c", "status.accessModes[0]"), "ReadWriteOnce");
	assert_string_equal(field(f, CLAIMS, "n", "c", "metadata.annotations"),
			    "{\"pv.kubernetes.io/bind-completed\":\"yes\","
			    "\"pv.kubernetes.io/bound-by-controller\":\"yes\"}");
	assert_string_equal(field(f, VOLUMES, "", "right", "metadata.annotations"),
			    "{\"pv.kubernetes.io/bound-by-controller\":\"yes\"}");
	assert_true(volume_is(f, "small", "Available"));
}

static void test_waits_for_one(void **state)
{
	struct fixture *f = *state;

	put_claim(f, "c", "", "");
	fixture_run(f, "persistentvolume", "resync", "0s", NULL);
	eventually(has_event(f, "FailedBinding",
			     "no persistent volumes available for this claim and no storage "
			     "class is set"));
	/* Each change alone brings the claim back: there are no other looks. */
	put_volume(f, "small", "2Gi", "", "", "Pending");
	eventually(volume_is(f, "small", "Available"));
	put_volume(f, "v", "3Gi", "", "", "Pending");
	eventually(claim_has(f, "c", "v"));
}

/* Many claims and as many volumes at once: everybody gets one, nobody two. */
static void test_crowd(void **state)
{
	struct fixture *f = *state;
	char name[16], volume[16];
	size_t bound = 0;

	fixture_run(f, "persistentvolume", "workers", "8", "resync", "0s", NULL);
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		put_claim(f, name, "", "");
		snprintf(name, sizeof(name), "v%d", i);
		put_volume(f, name, "3Gi", "", "", "Pending");
	}
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		eventually(claim_is(f, name, "Bound"));
		snprintf(volume, sizeof(volume), "%s",
			 field(f, CLAIMS, "n", name, "spec.volumeName"));
		assert_true(claim_has(f, name, volume));
	}
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "v%d", i);
		bound += volume_is(f, name, "Bound");
	}
	assert_int_equal(bound, 60);
}

static void test_named(void **state)
{
	struct fixture *f = *state;

	put_volume(f, "first", "3Gi", "", "", "Pending");
	put_volume(f, "wanted", "30Gi", "", "", "Pending");
	put_volume(f, "small", "1Gi", "", "", "Pending");
	fixture_run(f, "persistentvolume", NULL);
	put_claim(f, "c", "", ",'volumeName':'wanted'");
	eventually(claim_has(f, "c", "wanted"));
	assert_string_equal(field(f, CLAIMS, "n", "c", "metadata.annotations"),
			    "{\"pv.kubernetes.io/bind-completed\":\"yes\"}");
	put_claim(f, "late", "", ",'volumeName':'wanted'");
	eventually(has_event(f, "FailedBinding",
			     "volume \"wanted\" is bound to another claim already"));
	put_claim(f, "bad", "", ",'volumeName':'small'");
	eventually(
		has_event(f, "VolumeMismatch",
			  "Cannot bind to requested volume \"small\": requested PV is too small"));
	put_claim(f, "early", "", ",'volumeName':'later'");
	put_volume(f, "later", "3Gi", "", "", "Pending");
	eventually(claim_has(f, "early", "later"));
	assert_true(volume_is(f, "first", "Available"));
}

static void test_set_aside(void **state)
{
	struct fixture *f = *state;

	put_volume(f, "mine", "30Gi", "", ",'claimRef':{'namespace':'n','name':'c'}", "Pending");
	put_volume(f, "other", "3Gi", "", ",'claimRef':{'namespace':'n','name':'d','uid':'gone'}",
		   "Pending");
	fixture_run(f, "persistentvolume", NULL);
	eventually(volume_is(f, "mine", "Available"));
	eventually(volume_is(f, "other", "Released"));
	put_claim(f, "d", "", "");
	put_claim(f, "c", "", "");
	eventually(claim_has(f, "c", "mine"));
	/* The uid is of an earlier claim of the name. */
	assert_true(claim_is(f, "d", "Pending"));
	assert_string_equal(field(f, VOLUMES, "", "mine", "metadata.annotations"), "");
}

/* What a binder has left that was killed between two writes, after each of them. */
static void test_resume(void **state)
{
	struct fixture *f = *state;
	char ref[160];

	put_claim(f, "one", "", "");
	snprintf(ref, sizeof(ref),
		 ",'claimRef':{'kind':'PersistentVolumeClaim','apiVersion':'v1','namespace':'n',"
		 "'name':'one','uid':'%s'}",
		 field(f, CLAIMS, "n", "one", "metadata.uid"));
	put_volume(f, "v1", "3Gi", ",'annotations':{'pv.kubernetes.io/bound-by-controller':'yes'}",
		   ref, "Available");
	put_claim(f, "two",
		  ",'annotations':{'pv.kubernetes.io/bind-completed':'yes',"
		  "'pv.kubernetes.io/bound-by-controller':'yes'}",
		  ",'volumeName':'v2'");
	snprintf(ref, sizeof(ref), ",'claimRef':{'namespace':'n','name':'two','uid':'%s'}",
		 field(f, CLAIMS, "n", "two", "metadata.uid"));
	put_volume(f, "v2", "3Gi", "", ref, "Available");
	put_claim(f, "three", ",'annotations':{'pv.kubernetes.io/bind-completed':'yes'}",
		  ",'volumeName':'v3'");
	snprintf(ref, sizeof(ref), ",'claimRef':{'namespace':'n','name':'three','uid':'%s'}",
		 field(f, CLAIMS, "n", "three", "metadata.uid"));
	put_volume(f, "v3", "3Gi", "", ref, "Bound");
	fixture_run(f, "persistentvolume", NULL);
	eventually(claim_has(f, "one", "v1") && claim_has(f, "two", "v2") &&
		   claim_has(f, "three", "v3"));
	assert_string_equal(field(f, CLAIMS, "n", "three", "status.capacity.storage"), "3Gi");
}

/* A write that is refused leaves nothing behind that is in the way. */
static void test_trouble(void **state)
{
	struct fixture *f = *state;

	put_volume(f, "v", "3Gi", "", "", "Available");
	put_claim(f, "c", "", "");
	fake_fail(f->server, CLIENT_PATCH, VOLUMES, 500, "InternalError", "no", 3);
	fake_fail(f->server, CLIENT_PATCH, CLAIMS, 500, "InternalError", "no", 2);
	fixture_run(f, "persistentvolume", "resync", "0s", NULL);
	eventually(claim_has(f, "c", "v"));
}

static void test_consumer(void **state)
{
	struct fixture *f = *state;
	static const char zone[] =
		",'storageClassName':'near','nodeAffinity':{'required':{'nodeSelectorTerms':[{"
		"'matchExpressions':[{'key':'zone','operator':'In','values':['%s']}]}]}}";
	char spec[256];

	put_class(f, "near", "kubernetes.io/no-provisioner", "WaitForFirstConsumer");
	put(f, "nodes",
	    "{'kind':'Node','apiVersion':'v1','metadata':{'name':'m','labels':{"
	    "'zone':'west'}}}");
	snprintf(spec, sizeof(spec), zone, "east");
	put_volume(f, "east", "3Gi", "", spec, "Pending");
	snprintf(spec, sizeof(spec), zone, "west");
	put_volume(f, "west", "30Gi", "", spec, "Pending");
	put_claim(f, "c", "", ",'storageClassName':'near'");
	fixture_run(f, "persistentvolume", NULL);
	eventually(has_event(f, "WaitForFirstConsumer",
			     "waiting for first consumer to be created before binding"));
	assert_true(claim_is(f, "c", "Pending"));
	put_claim(f, "chosen", ",'annotations':{'volume.kubernetes.io/selected-node':'m'}",
		  ",'storageClassName':'near'");
	eventually(claim_has(f, "chosen", "west"));
	assert_true(volume_is(f, "east", "Available"));
	assert_string_equal(field(f, CLAIMS, "n", "c", "spec.volumeName"), "");
}

static void test_provisioner(void **state)
{
	struct fixture *f = *state;

	put_claim(f, "c", "", ",'storageClassName':'made'");
	fixture_run(f, "persistentvolume", "resync", "0s", NULL);
	eventually(has_event(f, "ProvisioningFailed",
			     "storageclass.storage.k8s.io \"made\" not found"));
	put_class(f, "made", "example.com/disks", "Immediate");
	eventually(has_event(f, "ExternalProvisioning",
			     "waiting for a volume to be made by the external provisioner "
			     "\"example.com/disks\" or by an administrator"));
	assert_string_equal(field(f, CLAIMS, "n", "c",
				  "metadata.annotations[\"volume.kubernetes.io/"
				  "storage-provisioner\"]"),
			    "example.com/disks");
	put_class(f, "none", "kubernetes.io/no-provisioner", "Immediate");
	put_claim(f, "d", "", ",'storageClassName':'none'");
	eventually(has_event(f, "FailedBinding",
			     "no persistent volumes available for this claim, and nobody makes "
			     "any of storage class \"none\""));
}

/* ---- afterwards ---- */

static void test_lost(void **state)
{
	struct fixture *f = *state;

	put_volume(f, "v", "3Gi", "", "", "Pending");
	put_claim(f, "c", "", "");
	fixture_run(f, "persistentvolume", "resync", "0s", NULL);
	eventually(claim_has(f, "c", "v"));
	fake_remove(f->server, VOLUMES, "", "v");
	eventually(claim_is(f, "c", "Lost"));
	assert_string_equal(field(f, CLAIMS, "n", "c", "status.capacity"), "");
	eventually(has_event(f, "ClaimLost",
			     "the volume of the bound claim is gone, and its data is lost"));
}

static void test_retain(void **state)
{
	struct fixture *f = *state;

	put_volume(f, "v", "3Gi", "", "", "Pending");
	put_claim(f, "c", "", "");
	fixture_run(f, "persistentvolume", "resync", "0s", NULL);
	eventually(claim_has(f, "c", "v"));
	remove_claim(f, "c");
	eventually(volume_is(f, "v", "Released"));
	put_claim(f, "c", "", ""); /* not the one that it was bound to */
	eventually(has_event(f, "FailedBinding",
			     "no persistent volumes available for this claim and no storage "
			     "class is set"));
	assert_true(volume_is(f, "v", "Released"));
}

/* The server cannot say whether the claim is there: nothing is released. */
static void test_asks_first(void **state)
{
	struct fixture *f = *state;

	put_volume(f, "v", "3Gi", "",
		   ",'claimRef':{'namespace':'n','name':'c','uid':'gone'},"
		   "'hostPath':{'path':'/tmp/x'}",
		   "Bound");
	fake_fail(f->server, CLIENT_GET, CLAIMS, 503, "ServiceUnavailable", "not now", 4);
	fixture_run(f, "persistentvolume", "resync", "0s", NULL);
	eventually(volume_is(f, "v", "Released"));
	assert_true(fake_requests(f->server, CLIENT_GET, CLAIMS) > 4);
}

#define GONE ",'claimRef':{'namespace':'n','name':'c','uid':'gone'}"

static void put_released(struct fixture *f, const char *name, const char *metadata,
			 const char *policy, const char *source)
{
	put(f, VOLUMES,
	    "{'kind':'PersistentVolume','apiVersion':'v1','metadata':{'name':'%s'%s},'spec':{"
	    "'capacity':{'storage':'5Gi'},'accessModes':['ReadWriteOnce']" GONE
	    ",'persistentVolumeReclaimPolicy':'%s',%s},'status':{'phase':'Bound'}}",
	    name, metadata, policy, source);
}

static void make_file(const char *directory, const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void test_delete(void **state)
{
	struct fixture *f = *state;
	char place[] = "/tmp/coxswain-volume.XXXXXX", kept[] = "/tmp/coxswain-kept.XXXXXX";
	char inner[64], link[64], source[96];

	assert_non_null(mkdtemp(place));
	assert_non_null(mkdtemp(kept));
	make_file(kept, "file");
	snprintf(inner, sizeof(inner), "%s/inner", place);
	assert_int_equal(mkdir(inner, 0700), 0);
	make_file(inner, ".hidden");
	snprintf(link, sizeof(link), "%s/link", place);
	assert_int_equal(symlink(kept, link), 0);
	snprintf(source, sizeof(source), "'hostPath':{'path':'%s'}", place);
	put_released(f, "v", "", "Delete", source);
	put_released(f, "away", "", "Delete", "'hostPath':{'path':'/srv/data'}");
	put_released(f, "tricky", "", "Delete", "'hostPath':{'path':'/tmp/../srv'}");
	put_released(f, "nfs", "", "Delete", "'nfs':{'server':'a','path':'/b'}");
	put_released(f, "made", ",'annotations':{'pv.kubernetes.io/provisioned-by':'x.io/y'}",
		     "Delete", "'csi':{'driver':'x.io/y','volumeHandle':'1'}");
	fixture_run(f, "persistentvolume", "resync", "0s", NULL);
	eventually(!exists(f, VOLUMES, "", "v"));
	assert_int_equal(access(place, F_OK), -1);
	eventually(volume_is(f, "away", "Failed") && volume_is(f, "tricky", "Failed") &&
		   volume_is(f, "nfs", "Failed") && volume_is(f, "made", "Released"));
	eventually(has_event(
		f, "VolumeFailedDelete",
		"host_path deleter only supports /tmp/.+ but received provided /srv/data"));
	assert_string_equal(
		field(f, VOLUMES, "", "tricky", "status.message"),
		"host_path deleter only supports /tmp/.+ but received provided /tmp/../srv");
	eventually(has_event(f, "VolumeFailedDelete",
			     "error getting deleter volume plugin for volume \"nfs\": no deletable "
			     "volume plugin matched"));
	/* Links are removed, not what they lead to. */
	snprintf(link, sizeof(link), "%s/file", kept);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(kept), 0);
}

/* On the way to the volume nobody is followed elsewhere. */
static void test_delete_link(void **state)
{
	struct fixture *f = *state;
	char place[] = "/tmp/coxswain-volume.XXXXXX", kept[] = "/tmp/coxswain-kept.XXXXXX";
	char path[64], source[96];

	assert_non_null(mkdtemp(place));
	assert_non_null(mkdtemp(kept));
	make_file(kept, "file");
	snprintf(path, sizeof(path), "%s/link", place);
	assert_int_equal(symlink(kept, path), 0);
	snprintf(source, sizeof(source), "'hostPath':{'path':'%s/link/file'}", place);
	put_released(f, "v", "", "Delete", source);
	fixture_run(f, "persistentvolume", "resync", "0s", NULL);
	eventually(volume_is(f, "v", "Failed"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(place), 0);
	snprintf(path, sizeof(path), "%s/file", kept);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(kept), 0);
}

static void end_pod(struct fixture *f, const char *name, const char *phase)
{
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'%s','namespace':'default',"
	    "'ownerReferences':[{'apiVersion':'v1','kind':'PersistentVolume','name':'v','uid':'%s',"
	    "'controller':true}]},'status':{'phase':'%s'}}",
	    name, field(f, VOLUMES, "", "v", "metadata.uid"), phase);
}

static void test_recycle(void **state)
{
	struct fixture *f = *state;

	put_released(f, "v", ",'annotations':{'pv.kubernetes.io/bound-by-controller':'yes'}",
		     "Recycle", "'hostPath':{'path':'/srv/data'}");
	put(f, "pods",
	    "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'user','namespace':'n'},'spec':{"
	    "'volumes':[{'name':'a','persistentVolumeClaim':{'claimName':'c'}}]},'status':{"
	    "'phase':'Running'}}");
	fixture_run(f, "persistentvolume", "resync", "0s", "recycler-image", "tools:1", NULL);
	eventually(volume_is(f, "v", "Released"));
	assert_int_equal(fake_count(f->server, "pods"), 1); /* it is in use still */
	fake_remove(f->server, "pods", "n", "user");
	eventually(exists(f, "pods", "default", "recycler-for-v"));
	assert_string_equal(
		field(f, "pods", "default", "recycler-for-v", "spec.volumes[0].hostPath.path"),
		"/srv/data");
	assert_string_equal(
		field(f, "pods", "default", "recycler-for-v", "spec.activeDeadlineSeconds"), "210");
	assert_string_equal(
		field(f, "pods", "default", "recycler-for-v", "spec.containers[0].image"),
		"tools:1");
	end_pod(f, "recycler-for-v", "Succeeded");
	eventually(volume_is(f, "v", "Available"));
	assert_string_equal(field(f, VOLUMES, "", "v", "spec.claimRef"), "");
	assert_string_equal(field(f, VOLUMES, "", "v", "metadata.annotations"), "{}");
	assert_false(exists(f, "pods", "default", "recycler-for-v"));
	eventually(has_event(f, "VolumeRecycled", "Volume recycled"));
	assert_int_equal(fake_requests(f->server, CLIENT_CREATE, "pods"), 1);
}

static void test_recycle_fails(void **state)
{
	struct fixture *f = *state;

	put_released(f, "v", "", "Recycle", "'nfs':{'server':'a','path':'/b'}");
	put_released(f, "odd", "", "Recycle", "'csi':{'driver':'x.io/y','volumeHandle':'1'}");
	fixture_run(f, "persistentvolume", "resync", "0s", NULL);
	eventually(exists(f, "pods", "default", "recycler-for-v"));
	end_pod(f, "recycler-for-v", "Failed");
	eventually(volume_is(f, "v", "Failed"));
	assert_string_equal(field(f, VOLUMES, "", "v", "status.message"),
			    "Recycle failed: the pod that empties the volume has failed");
	assert_false(exists(f, "pods", "default", "recycler-for-v"));
	eventually(volume_is(f, "odd", "Failed"));
	assert_string_equal(field(f, VOLUMES, "", "odd", "status.message"),
			    "no volume plugin can recycle this volume");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(test_smallest),    with_server(test_waits_for_one),
		with_server(test_crowd),       with_server(test_named),
		with_server(test_set_aside),   with_server(test_resume),
		with_server(test_trouble),     with_server(test_consumer),
		with_server(test_provisioner), with_server(test_lost),
		with_server(test_retain),      with_server(test_asks_first),
		with_server(test_delete),      with_server(test_delete_link),
		with_server(test_recycle),     with_server(test_recycle_fails),
	};

	return cmocka_run_group_tests_name("persistentvolume", tests, NULL, NULL);
}
