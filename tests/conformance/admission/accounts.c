/* SPDX-License-Identifier: Apache-2.0 */
/* ServiceAccount. */
#include "harness.h"

#include "base/clock.h"

#include <coxswain/kit/buf.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define POD_OF(metadata, spec, container)                                                          \
	"{\"metadata\":{\"name\":\"web\"" metadata "},\"spec\":{" spec                             \
	"\"containers\":[{\"name\":\"c\",\"image\":\"i\"" container "}]}}"
#define POD(spec, container) POD_OF("", spec, container)
#define MOUNT_PATH "/var/run/secrets/kubernetes.io/serviceaccount"
#define NO_TOKEN                                                                                   \
	"Pod \"web\" is forbidden: no API token found for service account default/default, retry " \
	"after the token is automatically created and added to the service account"

/* `more` goes on after the name: it ends the metadata, and may say more behind. */
static void put_account(struct fixture *f, const char *name, const char *more)
{
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_printf(&text,
		       "{\"kind\":\"ServiceAccount\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		       "\"%s\",\"namespace\":\"default\"%s}",
		       name, more);
	fake_put(f->server, "serviceaccounts", text.data);
}

static struct cox_object *with_default(struct fixture *f, const char *object)
{
	put_account(f, "default", "}");
	add_plugin(f, "ServiceAccount", NULL, NULL);
	return admitted(f, &(struct attempt){.object = object});
}

static void pods_get_an_account_and_its_token(void **state)
{
	struct cox_object *object = with_default(
		*state, POD("\"initContainers\":[{\"name\":\"i\",\"image\":\"i\"}],", ""));
	const char *volume = value_text(object_path(object_root(object), "spec.volumes[0].name"));
	char mounts[256];

	is_json(object, "spec.serviceAccountName", "\"default\"");
	is_json(object, "spec.serviceAccount", "\"default\"");
	assert_memory_equal(volume, "kube-api-access-", 16);
	assert_int_equal(strlen(volume), 21);
	assert_int_equal(strspn(volume + 16, "bcdfghjklmnpqrstvwxz2456789"), 5);
	is_json(object, "spec.volumes[0].projected",
		"{\"sources\":[{\"serviceAccountToken\":{\"expirationSeconds\":3607,\"path\":"
		"\"token\"}},{\"configMap\":{\"name\":\"kube-root-ca.crt\",\"items\":[{\"key\":"
		"\"ca.crt\",\"path\":\"ca.crt\"}]}},{\"downwardAPI\":{\"items\":[{\"path\":"
		"\"namespace\",\"fieldRef\":{\"apiVersion\":\"v1\",\"fieldPath\":"
		"\"metadata.namespace\"}}]}}],\"defaultMode\":420}");
	snprintf(mounts, sizeof(mounts),
		 "[{\"name\":\"%s\",\"readOnly\":true,\"mountPath\":\"" MOUNT_PATH "\"}]", volume);
	is_json(object, "spec.containers[0].volumeMounts", mounts);
	is_json(object, "spec.initContainers[0].volumeMounts", mounts);
	object_unref(object);
}

static void own_volumes_and_mounts_stay(void **state)
{
	struct cox_object *object = with_default(
		*state,
		"{\"metadata\":{\"name\":\"web\"},\"spec\":{\"volumes\":[{\"name\":\"v\","
		"\"emptyDir\":"
		"{}}],\"containers\":[{\"name\":\"a\",\"image\":\"i\",\"volumeMounts\":[{\"name\":"
		"\"v\",\"mountPath\":\"" MOUNT_PATH "\"}]},{\"name\":\"b\",\"image\":\"i\","
		"\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"}]}]}}");

	is_json(object, "spec.volumes[0].name", "\"v\"");
	assert_non_null(object_path(object_root(object), "spec.volumes[1].projected"));
	is_json(object, "spec.containers[0].volumeMounts",
		"[{\"name\":\"v\",\"mountPath\":\"" MOUNT_PATH "\"}]");
	is_json(object, "spec.containers[1].volumeMounts[0].mountPath", "\"/v\"");
	is_json(object, "spec.containers[1].volumeMounts[1].mountPath", "\"" MOUNT_PATH "\"");
	object_unref(object);
}

static void volumes_that_are_there_are_used(void **state)
{
	struct cox_object *object = with_default(
		*state,
		POD("\"volumes\":[{\"name\":\"kube-api-access-mine\",\"emptyDir\":{}}],", ""));

	is_json(object, "spec.volumes[1]", "nothing");
	is_json(object, "spec.containers[0].volumeMounts[0].name", "\"kube-api-access-mine\"");
	object_unref(object);
}

static void nobody_needs_a_token(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *account, *pod;
		bool token;
	} rows[] = {
		{"yes", POD("\"serviceAccountName\":\"yes\",", ""), true},
		{"no", POD("\"serviceAccountName\":\"no\",", ""), false},
		{"no",
		 POD("\"serviceAccountName\":\"no\",\"automountServiceAccountToken\":true,", ""),
		 true},
		{"yes",
		 POD("\"serviceAccountName\":\"yes\",\"automountServiceAccountToken\":false,", ""),
		 false},
	};

	put_account(f, "yes", "}");
	put_account(f, "no", "},\"automountServiceAccountToken\":false");
	add_plugin(f, "ServiceAccount", NULL, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cox_object *object = admitted(f, &(struct attempt){.object = rows[i].pod});

		assert_int_equal(object_path(object_root(object), "spec.volumes[0]") != NULL,
				 rows[i].token);
		object_unref(object);
	}
}

static void pull_secrets_are_lent(void **state)
{
	struct fixture *f = *state;
	struct cox_object *object;

	put_account(f, "default", "},\"imagePullSecrets\":[{\"name\":\"theirs\"}]");
	add_plugin(f, "ServiceAccount", NULL, NULL);
	object = admitted(f, &(struct attempt){.object = POD("", "")});
	is_json(object, "spec.imagePullSecrets", "[{\"name\":\"theirs\"}]");
	object_unref(object);
	object = admitted(
		f, &(struct attempt){
			   .object = POD("\"imagePullSecrets\":[{\"name\":\"mine\"}],", "")});
	is_json(object, "spec.imagePullSecrets", "[{\"name\":\"mine\"}]");
	object_unref(object);
}

static void missing_accounts_are_refused(void **state)
{
	struct fixture *f = *state;

	add_plugin(f, "ServiceAccount", "default-interval", "1ms");
	refused(f, &(struct attempt){.object = POD("\"serviceAccountName\":\"nobody\",", "")},
		COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: error looking up service account default/nobody: "
		"serviceaccount \"nobody\" not found");
	assert_int_equal(fake_requests(f->server, CLIENT_GET, "serviceaccounts"), 1);
	refused(f, &(struct attempt){.object = POD("", "")}, COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: error looking up service account default/default: "
		"serviceaccount \"default\" not found");
	assert_int_equal(fake_requests(f->server, CLIENT_GET, "serviceaccounts"), 11);
}

/* Makes the account when the plugin has looked for it in vain. */
static void *make_account_late(void *context)
{
	struct fixture *f = context;
	uint64_t until = clock_monotonic() + 20 * CLOCK_SECOND;

	while (fake_requests(f->server, CLIENT_GET, "serviceaccounts") < 2 &&
	       clock_monotonic() < until)
		sched_yield();
	put_account(f, "default", "}");
	return NULL;
}

static void a_late_default_account_is_waited_for(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	add_plugin(f, "ServiceAccount", NULL, NULL);
	assert_int_equal(pthread_create(&thread, NULL, make_account_late, f), 0);
	passes(f, &(struct attempt){.object = POD("", "")});
	pthread_join(thread, NULL);
}

static void without_tokens_it_says_so(void **state)
{
	struct fixture *f = *state;
	struct answer answer;

	put_account(f, "default", "}");
	add_plugin(f, "ServiceAccount", "token-signing", "false");
	refused(f, &(struct attempt){.object = POD("", "")}, COX_REASON_FORBIDDEN, NO_TOKEN);
	answer = answer_to(f, &(struct attempt){.object = POD("", "")});
	assert_string_equal(answer.err.kind, "pods");
	assert_string_equal(answer.err.name, "web");
	answer_free(&answer);
	passes(f, &(struct attempt){.object = POD("\"automountServiceAccountToken\":false,", "")});
}

#define MIRROR ",\"annotations\":{\"kubernetes.io/config.mirror\":\"x\"}"
#define PROJECTED(source)                                                                          \
	"\"volumes\":[{\"name\":\"v\",\"projected\":{\"sources\":[{" source "}]}}],"

static void mirror_pods_have_nothing(void **state)
{
	struct fixture *f = *state;
	static const char secrets[] =
		"pods \"web\" is forbidden: a mirror pod may not reference secrets";
	static const struct {
		const char *pod, *text;
	} rows[] = {
		{POD_OF(MIRROR, "\"serviceAccountName\":\"default\",", ""),
		 "pods \"web\" is forbidden: a mirror pod may not reference service accounts"},
		{POD_OF(MIRROR, "\"imagePullSecrets\":[{\"name\":\"s\"}],", ""), secrets},
		{POD_OF(MIRROR, "\"volumes\":[{\"name\":\"v\",\"secret\":{\"secretName\":\"s\"}}],",
			""),
		 secrets},
		{POD_OF(MIRROR, PROJECTED("\"secret\":{\"name\":\"s\"}"), ""), secrets},
		{POD_OF(MIRROR, "",
			",\"env\":[{\"name\":\"E\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"s\","
			"\"key\":\"k\"}}}]"),
		 secrets},
		{POD_OF(MIRROR, "", ",\"envFrom\":[{\"secretRef\":{\"name\":\"s\"}}]"), secrets},
		{POD_OF(MIRROR, PROJECTED("\"serviceAccountToken\":{\"path\":\"t\"}"), ""),
		 "pods \"web\" is forbidden: a mirror pod may not use ServiceAccountToken volume "
		 "projections"},
	};
	struct cox_object *object;

	add_plugin(f, "ServiceAccount", NULL, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refused(f, &(struct attempt){.object = rows[i].pod}, COX_REASON_FORBIDDEN,
			rows[i].text);
	object = admitted(f, &(struct attempt){.object = POD_OF(MIRROR, "", "")});
	is_json(object, "spec.serviceAccountName", "nothing");
	is_json(object, "spec.volumes", "nothing");
	object_unref(object);
}

#define ENV(secret)                                                                                \
	",\"env\":[{\"name\":\"E\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"" secret            \
	"\",\"key\":\"k\"}}}]"

static void accounts_may_lend_a_few_secrets_only(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *pod, *text;
	} rows[] = {
		{POD("\"volumes\":[{\"name\":\"v\",\"secret\":{\"secretName\":\"other\"}}],", ""),
		 "pods \"web\" is forbidden: volume with secret.secretName=\"other\" is not "
		 "allowed because service account default does not reference that secret"},
		{POD("", ENV("other")),
		 "pods \"web\" is forbidden: container c with envVar E referencing "
		 "secret.secretName=\"other\" is not allowed because service account default does "
		 "not reference that secret"},
		{POD("\"initContainers\":[{\"name\":\"i\",\"image\":\"i\"" ENV("other") "}],", ""),
		 "pods \"web\" is forbidden: init container i with envVar E referencing "
		 "secret.secretName=\"other\" is not allowed because service account default does "
		 "not reference that secret"},
		{POD("", ",\"envFrom\":[{\"secretRef\":{\"name\":\"other\"}}]"),
		 "pods \"web\" is forbidden: container c with envFrom referencing "
		 "secret.secretName=\"other\" is not allowed because service account default does "
		 "not reference that secret"},
		{POD("\"imagePullSecrets\":[{\"name\":\"other\"}],", ""),
		 "pods \"web\" is forbidden: imagePullSecrets[].name=\"other\" is not allowed "
		 "because service account default does not reference that imagePullSecret"},
	};

	put_account(f, "default",
		    ",\"annotations\":{\"kubernetes.io/enforce-mountable-secrets\":\"true\"}},"
		    "\"secrets\":[{\"name\":\"lent\"}],\"imagePullSecrets\":[{\"name\":\"pull\"}]");
	add_plugin(f, "ServiceAccount", NULL, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refused(f, &(struct attempt){.object = rows[i].pod}, COX_REASON_FORBIDDEN,
			rows[i].text);
	passes(f, &(struct attempt){.object = POD("", ENV("lent"))});
}

static void options_are_checked(void **state)
{
	struct fixture *f = *state;

	refuse_option(f, "ServiceAccount", "default-attempts", "101",
		      "admission plugin \"ServiceAccount\": option \"default-attempts\": 101 is "
		      "not between 1 and 100");
	refuse_option(f, "ServiceAccount", "default-interval", "11s",
		      "admission plugin \"ServiceAccount\": option \"default-interval\": it is "
		      "longer than 10s");
}

const struct CMUnitTest account_tests[] = {
	SUITE_TEST(pods_get_an_account_and_its_token),
	SUITE_TEST(own_volumes_and_mounts_stay),
	SUITE_TEST(volumes_that_are_there_are_used),
	SUITE_TEST(nobody_needs_a_token),
	SUITE_TEST(pull_secrets_are_lent),
	SUITE_TEST(missing_accounts_are_refused),
	SUITE_TEST(a_late_default_account_is_waited_for),
	SUITE_TEST(without_tokens_it_says_so),
	SUITE_TEST(mirror_pods_have_nothing),
	SUITE_TEST(accounts_may_lend_a_few_secrets_only),
	SUITE_TEST(options_are_checked),
};
SUITE_END(account);
