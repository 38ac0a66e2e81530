/* SPDX-License-Identifier: Apache-2.0 */
/* NamespaceLifecycle, NamespaceExists, NamespaceAutoProvision. */
#include "harness.h"

#include "base/clock.h"

#include <sched.h>
#include <string.h>

#define SECRET "{\"metadata\":{\"name\":\"web\"}}"

static const struct attempt create_in_nowhere = {
	.resource = "secrets", .namespace_ = "nowhere", .object = SECRET};
static const struct attempt create = {.resource = "secrets", .object = SECRET};

static void lifecycle_wants_a_namespace(void **state)
{
	struct fixture *f = *state;
	const struct attempt update = {.operation = WRITE_UPDATE,
				       .resource = "secrets",
				       .namespace_ = "nowhere",
				       .object = SECRET,
				       .old = SECRET};
	const struct attempt removal = {.operation = WRITE_DELETE,
					.resource = "secrets",
					.namespace_ = "nowhere",
					.old = SECRET};
	struct answer answer;

	put_namespace(f, "default", "Active");
	add_plugin(f, "NamespaceLifecycle", NULL, NULL);
	passes(f, &create);
	refused(f, &create_in_nowhere, COX_REASON_NOT_FOUND, "namespaces \"nowhere\" not found");
	refused(f, &update, COX_REASON_NOT_FOUND, "namespaces \"nowhere\" not found");
	passes(f, &removal);
	answer = answer_to(f, &create_in_nowhere);
	assert_string_equal(answer.err.kind, "namespaces");
	assert_string_equal(answer.err.name, "nowhere");
	answer_free(&answer);
}

static void lifecycle_asks_past_its_lister(void **state)
{
	struct fixture *f = *state;

	add_plugin(f, "NamespaceLifecycle", NULL, NULL);
	fake_hold_watches(f->server, true);
	put_namespace(f, "default", "Active");
	passes(f, &create);
	fake_fail(f->server, CLIENT_GET, "namespaces", 503, "ServiceUnavailable", "no disk", 1);
	refused(f, &create_in_nowhere, COX_REASON_SERVICE_UNAVAILABLE,
		"look up namespaces \"nowhere\": no disk");
	fake_hold_watches(f->server, false);
}

static void lifecycle_lets_nothing_into_what_goes(void **state)
{
	struct fixture *f = *state;
	const struct attempt update = {
		.operation = WRITE_UPDATE, .resource = "secrets", .object = SECRET, .old = SECRET};
	struct answer answer;

	put_namespace(f, "default", "Terminating");
	add_plugin(f, "NamespaceLifecycle", NULL, NULL);
	refused(f, &create, COX_REASON_FORBIDDEN,
		"secrets \"web\" is forbidden: unable to create new content in namespace default "
		"because it is being terminated");
	answer = answer_to(f, &create);
	assert_int_equal(answer.err.cause_count, 1);
	assert_string_equal(answer.err.causes[0].reason, "NamespaceTerminating");
	assert_string_equal(answer.err.causes[0].field, "metadata.namespace");
	assert_string_equal(answer.err.causes[0].message, "namespace default is being terminated");
	answer_free(&answer);
	passes(f, &update);
}

static struct attempt removal_of(const char *name)
{
	return (struct attempt){.operation = WRITE_DELETE,
				.resource = "namespaces",
				.namespace_ = "",
				.name = name,
				.old = "{\"metadata\":{\"name\":\"x\"}}"};
}

static void lifecycle_keeps_what_the_cluster_lives_on(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *name, *text;
	} kept[] = {{"default",
		     "namespaces \"default\" is forbidden: this namespace may not be deleted"},
		    {"kube-system",
		     "namespaces \"kube-system\" is forbidden: this namespace may not be deleted"},
		    {"kube-public",
		     "namespaces \"kube-public\" is forbidden: this namespace may not be deleted"}};
	const struct attempt other = removal_of("mine");

	add_plugin(f, "NamespaceLifecycle", NULL, NULL);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		const struct attempt removal = removal_of(kept[i].name);

		refused(f, &removal, COX_REASON_FORBIDDEN, kept[i].text);
	}
	passes(f, &other);
}

/* The lister says Active for a while after the deletion. */
static void lifecycle_remembers_deletions(void **state)
{
	struct fixture *f = *state;
	const struct attempt removal = removal_of("mine");
	const struct attempt in_mine = {
		.resource = "secrets", .namespace_ = "mine", .object = SECRET};

	put_namespace(f, "mine", "Active");
	add_plugin(f, "NamespaceLifecycle", NULL, NULL);
	passes(f, &in_mine);
	fake_hold_watches(f->server, true);
	passes(f, &removal);
	put_namespace(f, "mine", "Terminating");
	refused(f, &in_mine, COX_REASON_FORBIDDEN,
		"secrets \"web\" is forbidden: unable to create new content in namespace mine "
		"because it is being terminated");
	fake_hold_watches(f->server, false);
}

static void exists_wants_a_namespace(void **state)
{
	struct fixture *f = *state;
	const struct attempt removal = {.operation = WRITE_DELETE,
					.resource = "secrets",
					.namespace_ = "nowhere",
					.old = SECRET};
	const struct attempt itself = {.resource = "namespaces",
				       .namespace_ = "",
				       .object = "{\"metadata\":{\"name\":\"new\"}}"};

	put_namespace(f, "default", "Active");
	add_plugin(f, "NamespaceExists", NULL, NULL);
	passes(f, &create);
	passes(f, &itself);
	refused(f, &create_in_nowhere, COX_REASON_NOT_FOUND, "namespaces \"nowhere\" not found");
	refused(f, &removal, COX_REASON_NOT_FOUND, "namespaces \"nowhere\" not found");
	fake_hold_watches(f->server, true);
	put_namespace(f, "nowhere", "Active");
	passes(f, &create_in_nowhere);
	fake_hold_watches(f->server, false);
}

static void provision_makes_namespaces(void **state)
{
	struct fixture *f = *state;
	struct attempt dry = create_in_nowhere;

	dry.dry_run = true;
	add_plugin(f, "NamespaceAutoProvision", NULL, NULL);
	passes(f, &dry);
	assert_int_equal(fake_count(f->server, "namespaces"), 0);
	passes(f, &create_in_nowhere);
	passes(f, &create_in_nowhere);
	assert_int_equal(fake_count(f->server, "namespaces"), 1);
	/* another server was faster */
	fake_hold_watches(f->server, true);
	fake_fail(f->server, CLIENT_CREATE, "namespaces", 409, "AlreadyExists", "exists", 1);
	passes(f, &create);
	fake_fail(f->server, CLIENT_CREATE, "namespaces", 403, "Forbidden", "no more of these", 1);
	refused(f, &create, COX_REASON_FORBIDDEN, "secrets \"web\" is forbidden: no more of these");
	fake_hold_watches(f->server, false);
}

static void provision_comes_before_lifecycle(void **state)
{
	struct fixture *f = *state;

	add_plugin(f, "NamespaceAutoProvision", NULL, NULL);
	add_plugin(f, "NamespaceLifecycle", NULL, NULL);
	passes(f, &create_in_nowhere);
}

const struct CMUnitTest namespace_tests[] = {
	SUITE_TEST(lifecycle_wants_a_namespace),
	SUITE_TEST(lifecycle_asks_past_its_lister),
	SUITE_TEST(lifecycle_lets_nothing_into_what_goes),
	SUITE_TEST(lifecycle_keeps_what_the_cluster_lives_on),
	SUITE_TEST(lifecycle_remembers_deletions),
	SUITE_TEST(exists_wants_a_namespace),
	SUITE_TEST(provision_makes_namespaces),
	SUITE_TEST(provision_comes_before_lifecycle),
};
SUITE_END(namespace);
