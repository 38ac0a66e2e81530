/* SPDX-License-Identifier: Apache-2.0 */
/* StorageObjectInUseProtection, DefaultStorageClass. */
#include "harness.h"

#include <stdio.h>

#define CLAIM(metadata, spec)                                                                      \
	"{\"metadata\":{\"name\":\"web\"" metadata "},\"spec\":{\"accessModes\":["                 \
	"\"ReadWriteOnce\"],\"resources\":{\"requests\":{\"storage\":\"1Gi\"}}" spec "}}"
#define VOLUME(metadata)                                                                           \
	"{\"metadata\":{\"name\":\"web\"" metadata "},\"spec\":{\"capacity\":{\"storage\":"        \
	"\"1Gi\"},\"accessModes\":[\"ReadWriteOnce\"],\"hostPath\":{\"path\":\"/v\"}}}"

static void becomes(struct fixture *f, const struct attempt *attempt, const char *path,
		    const char *json)
{
	cox_autoobject *object = admitted(f, attempt);

	is_json(object, path, json);
}

static void claims_and_volumes_are_protected(void **state)
{
	struct fixture *f = *state;
	const struct attempt claim = {.resource = "persistentvolumeclaims",
				      .object = CLAIM("", "")};
	const struct attempt held = {.resource = "persistentvolumeclaims",
				     .object = CLAIM(",\"finalizers\":[\"x.io/mine\"]", "")};
	const struct attempt again = {
		.resource = "persistentvolumeclaims",
		.object = CLAIM(",\"finalizers\":[\"kubernetes.io/pvc-protection\"]", "")};
	const struct attempt update = {.operation = WRITE_UPDATE,
				       .resource = "persistentvolumeclaims",
				       .object = CLAIM("", ""),
				       .old = CLAIM("", "")};
	const struct attempt volume = {
		.resource = "persistentvolumes", .namespace_ = "", .object = VOLUME("")};
	const struct attempt pod = {
		.object = "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"containers\":[{"
			  "\"name\":\"c\",\"image\":\"i\"}]}}"};

	add_plugin(f, "StorageObjectInUseProtection", NULL, NULL);
	becomes(f, &claim, "metadata.finalizers", "[\"kubernetes.io/pvc-protection\"]");
	becomes(f, &held, "metadata.finalizers",
		"[\"x.io/mine\",\"kubernetes.io/pvc-protection\"]");
	becomes(f, &again, "metadata.finalizers", "[\"kubernetes.io/pvc-protection\"]");
	becomes(f, &volume, "metadata.finalizers", "[\"kubernetes.io/pv-protection\"]");
	/* Who takes it away may do so, and other kinds have none. */
	becomes(f, &update, "metadata.finalizers", "nothing");
	becomes(f, &pod, "metadata.finalizers", "nothing");
}

static void put_class(struct fixture *f, const char *name, const char *time,
		      const char *annotations)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"kind\":\"StorageClass\",\"apiVersion\":\"storage.k8s.io/v1\",\"metadata\":{"
		 "\"name\":\"%s\",\"creationTimestamp\":\"%s\",\"annotations\":{%s}},"
		 "\"provisioner\":\"x.io/p\"}",
		 name, time, annotations);
	fake_put(f->server, "storageclasses", text);
}

#define IS_DEFAULT "\"storageclass.kubernetes.io/is-default-class\":\"true\""

static const struct attempt classless = {.resource = "persistentvolumeclaims",
					 .object = CLAIM("", "")};

static void no_class_is_the_default(void **state)
{
	struct fixture *f = *state;

	put_class(f, "fast", "2026-01-01T00:00:00Z", "");
	put_class(f, "off", "2026-01-01T00:00:00Z",
		  "\"storageclass.kubernetes.io/is-default-class\":\"false\"");
	add_plugin(f, "DefaultStorageClass", NULL, NULL);
	becomes(f, &classless, "spec.storageClassName", "nothing");
}

static void the_newest_default_is_taken(void **state)
{
	struct fixture *f = *state;
	const struct attempt none = {.resource = "persistentvolumeclaims",
				     .object = CLAIM("", ",\"storageClassName\":\"\"")};
	const struct attempt named = {.resource = "persistentvolumeclaims",
				      .object = CLAIM("", ",\"storageClassName\":\"slow\"")};
	const struct attempt annotated = {
		.resource = "persistentvolumeclaims",
		.object = CLAIM(",\"annotations\":{\"volume.beta.kubernetes.io/storage-class\":"
				"\"slow\"}",
				"")};
	const struct attempt update = {.operation = WRITE_UPDATE,
				       .resource = "persistentvolumeclaims",
				       .object = CLAIM("", ""),
				       .old = CLAIM("", "")};

	put_class(f, "old", "2026-01-01T00:00:00Z", IS_DEFAULT);
	put_class(f, "zeta", "2026-02-01T00:00:00Z", IS_DEFAULT);
	put_class(f, "beta", "2026-02-01T00:00:00Z",
		  "\"storageclass.beta.kubernetes.io/is-default-class\":\"true\"");
	put_class(f, "latest", "2026-03-01T00:00:00Z", "");
	add_plugin(f, "DefaultStorageClass", NULL, NULL);
	becomes(f, &classless, "spec.storageClassName", "\"beta\"");
	becomes(f, &none, "spec.storageClassName", "\"\"");
	becomes(f, &named, "spec.storageClassName", "\"slow\"");
	becomes(f, &annotated, "spec.storageClassName", "nothing");
	becomes(f, &update, "spec.storageClassName", "nothing");
}

const struct CMUnitTest volume_tests[] = {
	SUITE_TEST(claims_and_volumes_are_protected),
	SUITE_TEST(no_class_is_the_default),
	SUITE_TEST(the_newest_default_is_taken),
};
SUITE_END(volume);
