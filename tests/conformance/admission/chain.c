/* SPDX-License-Identifier: Apache-2.0 */
/* The chain: order, first refusal, what everybody may; AlwaysAdmit, AlwaysDeny. */
#include "harness.h"

#define POD(more)                                                                                  \
	"{\"metadata\":{\"name\":\"web\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":"    \
	"\"i\"" more "}]}}"

static const struct attempt create = {.object = POD("")};

static void admit_admits(void **state)
{
	struct fixture *f = *state;
	struct cox_object *object;

	add_plugin(f, "AlwaysAdmit", NULL, NULL);
	object = admitted(f, &create);
	is_json(object, "spec.containers[0].name", "\"c\"");
	object_unref(object);
}

static void deny_denies(void **state)
{
	struct fixture *f = *state;
	const struct attempt removal = {.operation = WRITE_DELETE,
					.resource = "nodes",
					.namespace_ = "",
					.name = "n",
					.old = "{\"metadata\":{\"name\":\"n\"}}"};

	add_plugin(f, "AlwaysDeny", NULL, NULL);
	refused(f, &create, COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: Admission control is denying all modifications");
	refused(f, &removal, COX_REASON_FORBIDDEN,
		"nodes \"n\" is forbidden: Admission control is denying all modifications");
}

static void nameless_objects_are_told_by_their_prefix(void **state)
{
	struct fixture *f = *state;
	const struct attempt generated = {
		.name = "",
		.object = "{\"metadata\":{\"generateName\":\"web-\"},\"spec\":{"
			  "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"};

	add_plugin(f, "AlwaysDeny", NULL, NULL);
	refused(f, &generated, COX_REASON_FORBIDDEN,
		"pods \"web-\" is forbidden: Admission control is denying all modifications");
}

static void first_refusal_wins(void **state)
{
	struct fixture *f = *state;

	add_plugin(f, "AlwaysAdmit", NULL, NULL);
	add_plugin(f, "NamespaceLifecycle", NULL, NULL);
	add_plugin(f, "AlwaysDeny", NULL, NULL);
	refused(f, &create, COX_REASON_NOT_FOUND, "namespaces \"default\" not found");
	put_namespace(f, "default", "Active");
	refused(f, &create, COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: Admission control is denying all modifications");
}

static void order_is_kept(void **state)
{
	struct fixture *f = *state;

	add_plugin(f, "AlwaysDeny", NULL, NULL);
	add_plugin(f, "NamespaceLifecycle", NULL, NULL);
	refused(f, &create, COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: Admission control is denying all modifications");
}

/* What one plugin changes the next one sees. */
static void changes_are_seen_by_the_next(void **state)
{
	struct fixture *f = *state;
	struct cox_object *object;

	fake_put(f->server, "limitranges",
		 "{\"kind\":\"LimitRange\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"l\","
		 "\"namespace\":\"default\"},\"spec\":{\"limits\":[{\"type\":\"Container\","
		 "\"default\":{\"cpu\":\"2\"}}]}}");
	fake_put(f->server, "resourcequotas",
		 "{\"kind\":\"ResourceQuota\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"q\","
		 "\"namespace\":\"default\"},\"spec\":{\"hard\":{\"limits.cpu\":\"3\"}},"
		 "\"status\":{\"hard\":{\"limits.cpu\":\"3\"},\"used\":{\"limits.cpu\":\"0\"}}}");
	add_plugin(f, "LimitRanger", NULL, NULL);
	add_plugin(f, "ResourceQuota", NULL, NULL);
	object = admitted(f, &create);
	is_json(object, "spec.containers[0].resources.limits", "{\"cpu\":\"2\"}");
	/* defaults ran again: a limit alone is a request, too */
	is_json(object, "spec.containers[0].resources.requests", "{\"cpu\":\"2\"}");
	object_unref(object);
	stored_is(f, "resourcequotas", "q", "status.used", "{\"limits.cpu\":\"2\"}");
	refused(f, &create, COX_REASON_FORBIDDEN,
		"pods \"web\" is forbidden: exceeded quota: q, requested: limits.cpu=2, used: "
		"limits.cpu=2, limited: limits.cpu=3");
}

const struct CMUnitTest chain_tests[] = {
	SUITE_TEST(admit_admits),
	SUITE_TEST(deny_denies),
	SUITE_TEST(nameless_objects_are_told_by_their_prefix),
	SUITE_TEST(first_refusal_wins),
	SUITE_TEST(order_is_kept),
	SUITE_TEST(changes_are_seen_by_the_next),
};
SUITE_END(chain);
