/* SPDX-License-Identifier: Apache-2.0 */
/* The default plugin: pods with persistent volume claims. The test is the binder. */
#include "harness.h"

#include <coxswain/kit/cleanup.h>
#include <stdio.h>
#include <string.h>

#define CLAIMED(name)                                                                              \
	",\"volumes\":[{\"name\":\"v\",\"persistentVolumeClaim\":{\"claimName\":\"" name "\"}}]"
#define EPHEMERAL                                                                                  \
	",\"volumes\":[{\"name\":\"v\",\"ephemeral\":{\"volumeClaimTemplate\":{\"spec\":{}}}}]"
#define BOUND ",\"annotations\":{\"pv.kubernetes.io/bind-completed\":\"yes\"}"
#define GOING ",\"finalizers\":[\"x.io/y\"],\"deletionTimestamp\":\"2026-01-01T00:00:00Z\""
#define OF_CLASS(class) ",\"storageClassName\":\"" class "\""
#define HAS(volume) ",\"volumeName\":\"" volume "\""
#define ZONE(zone)                                                                                 \
	",\"nodeAffinity\":{\"required\":{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":" \
	"\"zone\",\"operator\":\"In\",\"values\":[\"" zone "\"]}]}]}}"

static void put_claim(struct rig *rig, const char *name, const char *size, const char *metadata,
		      const char *spec)
{
	char json[1024];

	snprintf(json, sizeof(json),
		 "{\"kind\":\"PersistentVolumeClaim\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		 "\"%s\",\"namespace\":\"n\"%s},\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],"
		 "\"resources\":{\"requests\":{\"storage\":\"%s\"}}%s}}",
		 name, metadata, size, spec);
	fake_put(rig->server, "persistentvolumeclaims", json);
}

static void put_volume(struct rig *rig, const char *name, const char *size, const char *spec)
{
	char json[1024];

	snprintf(json, sizeof(json),
		 "{\"kind\":\"PersistentVolume\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		 "\"%s\"},\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"capacity\":{"
		 "\"storage\":\"%s\"}%s},\"status\":{\"phase\":\"Available\"}}",
		 name, size, spec);
	fake_put(rig->server, "persistentvolumes", json);
}

static void put_class(struct rig *rig, const char *name, const char *provisioner, const char *more)
{
	char json[512];

	snprintf(json, sizeof(json),
		 "{\"kind\":\"StorageClass\",\"apiVersion\":\"storage.k8s.io/v1\",\"metadata\":{"
		 "\"name\":\"%s\"},\"provisioner\":\"%s\",\"volumeBindingMode\":"
		 "\"WaitForFirstConsumer\"%s}",
		 name, provisioner, more);
	fake_put(rig->server, "storageclasses", json);
}

/* One node a zone. */
static void start(struct rig *rig)
{
	rig_open(rig);
	put_node(rig, "a", "\"zone\":\"a\"", "");
	put_node(rig, "b", "\"zone\":\"b\"", "");
	put_class(rig, "late", "kubernetes.io/no-provisioner", "");
	put_class(rig, "made", "x.io/maker", "");
}

/* A text of an object, "" if there is none. */
static bool has(struct rig *rig, const char *resource, const char *namespace, const char *name,
		const char *path, const char *text)
{
	cox_autoobject *object = fake_get(rig->server, resource, namespace, name);

	return object && !strcmp(value_text(object_path(object_root(object), path)), text);
}

static bool volume_is_for(struct rig *rig, const char *volume, const char *claim)
{
	return has(rig, "persistentvolumes", "", volume, "spec.claimRef.name", claim);
}

/* What a binder does when a volume was set aside. */
static void bind(struct rig *rig, const char *claim, const char *spec)
{
	put_claim(rig, claim, "1Gi", BOUND, spec);
}

static void test_cannot_be(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig);
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "p", "", CLAIMED("c"));
	eventually(is_told(&rig, "p",
			   "0/2 nodes are available: persistentvolumeclaim \"c\" not found."));
	put_claim(&rig, "c", "1Gi", "", "");
	eventually(is_told(&rig, "p",
			   "0/2 nodes are available: pod has unbound immediate "
			   "PersistentVolumeClaims."));
	put_claim(&rig, "c", "1Gi", BOUND, HAS("v"));
	eventually(is_told(&rig, "p",
			   "0/2 nodes are available: persistentvolumeclaim \"c\" bound to "
			   "non-existent persistentvolume \"v\"."));
	put_volume(&rig, "v", "1Gi", "");
	eventually(is_on(&rig, "p", NULL));
	put_claim(&rig, "gone", "1Gi", GOING, "");
	put_pod(&rig, "q", "", CLAIMED("gone"));
	eventually(is_told(&rig, "q",
			   "0/2 nodes are available: persistentvolumeclaim \"gone\" is being "
			   "deleted."));
	rig_close(&rig);
}

static void test_ephemeral(void **state)
{
	struct rig rig;
	char owner[160];
	cox_autoobject *pod = NULL;

	(void)state;
	start(&rig);
	rig_start(&rig, "default", NULL);
	put_volume(&rig, "v", "1Gi", "");
	put_pod(&rig, "p", "", EPHEMERAL);
	eventually(is_told(&rig, "p",
			   "0/2 nodes are available: waiting for ephemeral volume controller to "
			   "create the persistentvolumeclaim \"p-v\"."));
	put_claim(&rig, "p-v", "1Gi", BOUND, HAS("v"));
	eventually(is_told(&rig, "p",
			   "0/2 nodes are available: persistentvolumeclaim \"p-v\" was not "
			   "created for the pod, which is not its owner."));
	fake_remove(rig.server, "persistentvolumeclaims", "n", "p-v");
	pod = fake_get(rig.server, "pods", "n", "p");
	snprintf(owner, sizeof(owner), BOUND ",\"ownerReferences\":[{\"uid\":\"%s\"}]",
		 object_uid(pod));
	put_claim(&rig, "p-v", "1Gi", owner, HAS("v"));
	eventually(is_on(&rig, "p", NULL));
	rig_close(&rig);
}

static void test_where_the_volume_is(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig);
	put_volume(&rig, "in-b", "1Gi", ZONE("b"));
	put_volume(&rig, "in-c", "1Gi", ZONE("c"));
	put_claim(&rig, "b", "1Gi", BOUND, HAS("in-b"));
	put_claim(&rig, "c", "1Gi", BOUND, HAS("in-c"));
	rig_start(&rig, "default", NULL);
	for (int i = 0; i < 4; i++) {
		char name[8] = {'p', (char)('0' + i), 0};

		put_pod(&rig, name, "", CLAIMED("b"));
		eventually(is_on(&rig, name, "b"));
	}
	put_pod(&rig, "nowhere", "", CLAIMED("c"));
	eventually(is_told(&rig, "nowhere",
			   "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's "
			   "node affinity."));
	put_node(&rig, "c", "\"zone\":\"c\"", "");
	eventually(is_on(&rig, "nowhere", "c"));
	rig_close(&rig);
}

/* Two claims of one pod, a volume for both in one zone only; the binder takes its time. */
static void test_set_aside(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig);
	put_volume(&rig, "lonely", "1Gi", OF_CLASS("late") ZONE("a"));
	put_volume(&rig, "small", "1Gi", OF_CLASS("late") ZONE("b"));
	put_volume(&rig, "large", "9Gi", OF_CLASS("late") ZONE("b"));
	put_volume(&rig, "larger", "20Gi", OF_CLASS("late") ZONE("b"));
	put_claim(&rig, "much", "5Gi", "", OF_CLASS("late"));
	put_claim(&rig, "little", "1Gi", "", OF_CLASS("late"));
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "p", "",
		",\"volumes\":[{\"name\":\"v\",\"persistentVolumeClaim\":{\"claimName\":\"much\"}},"
		"{\"name\":\"w\",\"persistentVolumeClaim\":{\"claimName\":\"little\"}}]");
	eventually(volume_is_for(&rig, "small", "little") && volume_is_for(&rig, "large", "much"));
	assert_true(volume_is_for(&rig, "lonely", "") && volume_is_for(&rig, "larger", ""));
	assert_true(has(&rig, "persistentvolumes", "", "large",
			"metadata.annotations[\"pv.kubernetes.io/bound-by-controller\"]", "yes"));
	bind(&rig, "little", OF_CLASS("late") HAS("small"));
	/* One of them is not bound. */
	assert_false(is_on(&rig, "p", NULL));
	bind(&rig, "much", OF_CLASS("late") HAS("large"));
	eventually(is_on(&rig, "p", "b"));
	rig_close(&rig);
}

static void test_made(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig);
	put_class(&rig, "in-b", "x.io/maker",
		  ",\"allowedTopologies\":[{\"matchLabelExpressions\":[{\"key\":\"zone\","
		  "\"values\":[\"b\",\"c\"]}]}]");
	put_claim(&rig, "c", "1Gi", "", OF_CLASS("in-b"));
	put_claim(&rig, "none", "1Gi", "", OF_CLASS("late"));
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "p", "", CLAIMED("c"));
	eventually(has(&rig, "persistentvolumeclaims", "n", "c",
		       "metadata.annotations[\"volume.kubernetes.io/selected-node\"]", "b"));
	put_volume(&rig, "fresh", "1Gi", ZONE("b"));
	bind(&rig, "c", OF_CLASS("in-b") HAS("fresh"));
	eventually(is_on(&rig, "p", "b"));
	put_pod(&rig, "q", "", CLAIMED("none"));
	eventually(is_told(&rig, "q",
			   "0/2 nodes are available: 2 node(s) didn't find available persistent "
			   "volumes to bind."));
	/* A volume comes: that pod is looked at again. */
	put_volume(&rig, "late", "2Gi", OF_CLASS("late"));
	eventually(volume_is_for(&rig, "late", "none"));
	bind(&rig, "none", OF_CLASS("late") HAS("late"));
	eventually(is_on(&rig, "q", NULL));
	rig_close(&rig);
}

/* The provisioner gives up on a node, before or after the scheduler saw that it began. */
static void test_not_made(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig);
	put_claim(&rig, "c", "1Gi", "", OF_CLASS("made"));
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "p", "", CLAIMED("c"));
	eventually(!has(&rig, "persistentvolumeclaims", "n", "c",
			"metadata.annotations[\"volume.kubernetes.io/selected-node\"]", ""));
	put_claim(&rig, "c", "1Gi", "", OF_CLASS("made"));
	eventually(!has(&rig, "persistentvolumeclaims", "n", "c",
			"metadata.annotations[\"volume.kubernetes.io/selected-node\"]", ""));
	rig_close(&rig);
}

static void test_two_pods_one_volume(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig);
	put_volume(&rig, "only", "1Gi", OF_CLASS("late"));
	put_claim(&rig, "first", "1Gi", "", OF_CLASS("late"));
	put_claim(&rig, "second", "1Gi", "", OF_CLASS("late"));
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "p", "", CLAIMED("first"));
	eventually(volume_is_for(&rig, "only", "first"));
	put_pod(&rig, "q", "", CLAIMED("second"));
	eventually(is_told(&rig, "q",
			   "0/2 nodes are available: 2 node(s) didn't find available persistent "
			   "volumes to bind."));
	bind(&rig, "first", OF_CLASS("late") HAS("only"));
	eventually(is_on(&rig, "p", NULL));
	assert_true(volume_is_for(&rig, "only", "first"));
	rig_close(&rig);
}

static void test_one_pod_only(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig);
	put_volume(&rig, "v", "1Gi", "");
	fake_put(rig.server, "persistentvolumeclaims",
		 "{\"kind\":\"PersistentVolumeClaim\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		 "\"c\",\"namespace\":\"n\"" BOUND "},\"spec\":{\"accessModes\":["
		 "\"ReadWriteOncePod\"],\"volumeName\":\"v\"}}");
	rig_start(&rig, "default", NULL);
	put_pod(&rig, "p", "", CLAIMED("c"));
	eventually(is_on(&rig, "p", NULL));
	put_pod(&rig, "q", "", CLAIMED("c"));
	eventually(is_told(&rig, "q",
			   "0/2 nodes are available: node has pod using PersistentVolumeClaim "
			   "with the same name and ReadWriteOncePod access mode."));
	fake_remove(rig.server, "pods", "n", "p");
	eventually(is_on(&rig, "q", NULL));
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cannot_be),
		cmocka_unit_test(test_ephemeral),
		cmocka_unit_test(test_where_the_volume_is),
		cmocka_unit_test(test_set_aside),
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_not_made),
		cmocka_unit_test(test_two_pods_one_volume),
		cmocka_unit_test(test_one_pod_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
