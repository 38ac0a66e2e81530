/* SPDX-License-Identifier: Apache-2.0 */
/* The fixture and the requests; see the header. */
#include "harness.h"

#include "access/identity.h"
#include "apiserver/admission.h"
#include "apiserver/body.h"
#include "base/clock.h"
#include "client/informer.h"
#include "client/recorder.h"
#include "host/host.h"
#include "machinery/json.h"
#include "machinery/schema.h"

#include <coxswain/kit/cleanup.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture *fixture_new(void)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *build = getenv("builddir");
	cox_autobuf directory = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	assert_non_null(f);
	cox_buf_printf(&directory, "%s/plugins/.libs", build ? build : ".");
	f->server = fake_server_new();
	f->client = fake_server_client(f->server);
	f->informers = informers_new(f->client, &err);
	f->recorder = recorder_new(f->client, "test", NULL, &err);
	assert_non_null(f->informers);
	assert_non_null(f->recorder);
	f->host = host_new("kube-apiserver", directory.data);
	f->chain = admission_new();
	return f;
}

void fixture_free(struct fixture *f)
{
	admission_free(f->chain);
	host_free(f->host);
	recorder_free(f->recorder);
	informers_free(f->informers);
	client_free(f->client);
	fake_server_free(f->server);
	free(f);
}

struct admission *chain_new(void)
{
	return admission_new();
}

void chain_free(struct admission *chain)
{
	admission_free(chain);
}

int fixture_set_up(void **state)
{
	*state = fixture_new();
	return 0;
}

int fixture_tear_down(void **state)
{
	fixture_free(*state);
	return 0;
}

static void add(struct fixture *f, const char *name, const char *key, const char *value)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct host_plugin *plugin = host_open(f->host, "admission", name, "test", &err);

	if (!plugin || (key && host_set_option(plugin, key, value, "test", &err)) ||
	    host_configure(plugin, &err) || host_get_ready(plugin, &err) ||
	    admission_add(f->chain, plugin, fake_server_client(f->server), f->informers,
			  f->recorder, &err))
		fail_msg("%s: %s", name, error_text(&err));
}

void add_plugin(struct fixture *f, const char *name, const char *key, const char *value)
{
	add(f, name, key, value);
	eventually(admission_is_ready(f->chain));
}

void add_plugin_unready(struct fixture *f, const char *name)
{
	fake_hold_watches(f->server, true);
	add(f, name, NULL, NULL);
	assert_false(admission_is_ready(f->chain));
}

void refuse_option(struct fixture *f, const char *name, const char *key, const char *value,
		   const char *text)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct host_plugin *plugin = host_open(f->host, "admission", name, "test", &err);

	assert_non_null(plugin);
	if (host_set_option(plugin, key, value, "test", &err) == 0 &&
	    host_configure(plugin, &err) == 0)
		fail_msg("%s took %s=%s", name, key, value);
	assert_string_equal(error_text(&err), text);
	host_close(plugin);
}

/* Requests */

static struct value *read_tree(struct api_call *call, const struct api_resource *resource,
			       const char *json)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct value *tree = json_parse(call->arena, json, strlen(json), NULL, &err);

	if (!tree || body_check(call, resource->type, tree, VALIDATION_STRICT, &err) != 0)
		fail_msg("%s: %s", json, error_text(&err));
	return tree;
}

static void fill_resource(struct api_resource *resource, const struct attempt *attempt)
{
	const struct schema *schema = &schema_builtin;

	resource->group = attempt->group ? attempt->group : "";
	resource->version = "v1";
	resource->name = attempt->resource ? attempt->resource : "pods";
	resource->row = schema_resource_get(schema, resource->group, "v1", resource->name);
	assert_non_null(resource->row);
	resource->type = schema_resource_type(schema, resource->row);
	resource->kind = schema_text(schema, resource->type->kind);
	resource->stored_row = resource->row;
	resource->stored_type = resource->type;
}

struct answer answer_to(struct fixture *f, const struct attempt *attempt)
{
	struct apiserver server = {.schema = &schema_builtin};
	struct http_request request = {.deadline = clock_monotonic() + 30 * CLOCK_SECOND};
	struct identity *identity = identity_new("alice", NULL, 0);
	struct api_resource resource = {.server = &server};
	struct api_call call = {.server = &server,
				.request = &request,
				.arena = &request.arena,
				.identity = identity};
	struct write write = {.call = &call,
			      .resource = &resource,
			      .operation = attempt->operation,
			      .namespace_ = attempt->namespace_ ? attempt->namespace_ : "default",
			      .name = attempt->name ? attempt->name : "web",
			      .subresource = attempt->subresource ? attempt->subresource : "",
			      .options = {.dry_run = attempt->dry_run},
			      .attempts = attempt->number ? attempt->number : 1,
			      .admission_id = attempt->id};
	struct answer answer = {.err = COX_ERROR_INIT};

	fill_resource(&resource, attempt);
	if (attempt->object)
		write.object = read_tree(&call, &resource, attempt->object);
	if (attempt->old)
		write.old = read_tree(&call, &resource, attempt->old);
	answer.status = admission_admit(f->chain, &write, &answer.err);
	if (answer.status == 0)
		answer.status = admission_validate(f->chain, &write, &answer.err);
	if (write.object) {
		cox_autobuf text = COX_BUF_INIT;

		json_write(&text, write.object, 0);
		answer.object = object_new(text.data, text.size, NULL);
	}
	arena_free(&request.arena);
	identity_unref(identity);
	return answer;
}

void answer_free(struct answer *answer)
{
	error_clear(&answer->err);
	object_unref(answer->object);
}

struct cox_object *admitted(struct fixture *f, const struct attempt *attempt)
{
	struct answer answer = answer_to(f, attempt);

	if (answer.status != 0)
		fail_msg("refused: %s", error_text(&answer.err));
	return answer.object;
}

void passes(struct fixture *f, const struct attempt *attempt)
{
	object_unref(admitted(f, attempt));
}

void refused(struct fixture *f, const struct attempt *attempt, enum cox_reason reason,
	     const char *text)
{
	struct answer answer = answer_to(f, attempt);

	if (answer.status == 0)
		fail_msg("passed, not refused with: %s", text);
	assert_string_equal(error_text(&answer.err), text);
	assert_int_equal(answer.err.reason, reason);
	answer_free(&answer);
}

/* Objects */

void is_json(const struct cox_object *object, const char *path, const char *json)
{
	const struct value *value = object_path(object_root(object), path);
	cox_autobuf text = COX_BUF_INIT;

	if (value)
		json_write(&text, value, 0);
	assert_string_equal(value ? text.data : "nothing", json);
}

void stored_is(struct fixture *f, const char *resource, const char *name, const char *path,
	       const char *json)
{
	cox_autoobject *object = fake_get(f->server, resource, "default", name);

	assert_non_null(object);
	is_json(object, path, json);
}

void put_namespace(struct fixture *f, const char *name, const char *phase)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\"},"
		 "\"status\":{\"phase\":\"%s\"}}",
		 name, phase);
	fake_put(f->server, "namespaces", text);
}

int main(void)
{
	static const struct {
		const char *name;
		const struct CMUnitTest *tests;
		const size_t *count;
	} suites[] = {{"chain", chain_tests, &chain_test_count},
		      {"namespaces", namespace_tests, &namespace_test_count},
		      {"pods", pod_tests, &pod_test_count},
		      {"limits", limit_tests, &limit_test_count},
		      {"quotas", quota_tests, &quota_test_count},
		      {"accounts", account_tests, &account_test_count},
		      {"volumes", volume_tests, &volume_test_count}};
	struct CMUnitTest all[128];
	size_t count = 0;

	/* One group, because a TAP stream has one plan. */
	for (size_t s = 0; s < sizeof(suites) / sizeof(suites[0]); s++)
		for (size_t i = 0; i < *suites[s].count; i++) {
			assert_true(count < sizeof(all) / sizeof(all[0]));
			all[count++] = suites[s].tests[i];
		}
	return _cmocka_run_group_tests("admission", all, count, NULL, NULL);
}
