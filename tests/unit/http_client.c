/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP transport and the event recorder, over a real socket. */
#include "unit.h"

#include "base/clock.h"
#include "client/informer.h"
#include "client/module.h"
#include "client/recorder.h"
#include "lib/eventually.h"
#include "lib/fake_http.h"
#include "lib/fake_server.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
	struct fake_server *server;
	struct client *backend;
	struct fake_http *http;
	struct client *client;
	char token_path[64];
};

static void write_token(struct fixture *f, const char *text)
{
	char path[80];
	FILE *file;

	snprintf(path, sizeof(path), "%s.new", f->token_path);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(rename(path, f->token_path), 0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	cox_autoerror err = COX_ERROR_INIT;
	struct client_http_config config = {.token_file = f->token_path};
	int fd;

	snprintf(f->token_path, sizeof(f->token_path), "/tmp/cox-token-XXXXXX");
	fd = mkostemp(f->token_path, O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
	write_token(f, "first\n");
	f->server = fake_server_new();
	f->backend = fake_server_client(f->server);
	f->http = fake_http_new(f->backend);
	config.server = fake_http_url(f->http);
	f->client = client_new_http(&config, &err);
	if (!f->client)
		fail_msg("%s", error_text(&err));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	client_free(f->client);
	fake_http_free(f->http);
	client_free(f->backend);
	fake_server_free(f->server);
	unlink(f->token_path);
	free(f);
	return 0;
}

static int call(struct fixture *f, enum client_verb verb, const char *name, const char *body,
		struct client_answer *answer, struct cox_error *err)
{
	const struct client_request request = {
		.verb = verb,
		.version = "v1",
		.resource = "pods",
		.namespace = "n",
		.name = name,
		.content_type = verb == CLIENT_PATCH ? CLIENT_MERGE_PATCH : NULL,
		.body = body,
		.body_size = body ? strlen(body) : 0};

	return client_call(f->client, &request, answer, err);
}

static void test_calls(void **state)
{
	struct fixture *f = *state;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autoanswer answer = CLIENT_ANSWER_INIT;
	cox_autoobject *object = NULL;
	char authorization[256];

	assert_int_equal(call(f, CLIENT_CREATE, NULL,
			      "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}", &answer, &err),
			 0);
	assert_int_equal(answer.code, 201);
	assert_string_equal(answer.content_type, "application/json");
	fake_http_authorization(f->http, authorization);
	assert_string_equal(authorization, "Bearer first");
	write_token(f, "second");
	assert_int_equal(call(f, CLIENT_PATCH, "a", "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}",
			      &answer, &err),
			 0);
	fake_http_authorization(f->http, authorization);
	assert_string_equal(authorization, "Bearer second");
	assert_int_equal(call(f, CLIENT_GET, "a", NULL, &answer, &err), 0);
	object = object_new(answer.body.data, answer.body.size, NULL);
	assert_string_equal(value_text(object_path(object_root(object), "metadata.labels.x")), "y");
	assert_int_equal(call(f, CLIENT_UPDATE, "a",
			      "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\","
			      "\"resourceVersion\":\"1\"}}",
			      &answer, &err),
			 -1);
	assert_int_equal(err.reason, COX_REASON_CONFLICT);
	assert_int_equal(call(f, CLIENT_DELETE, "a", NULL, NULL, &err), 0);
	assert_int_equal(call(f, CLIENT_GET, "a", NULL, &answer, &err), -1);
	assert_int_equal(err.reason, COX_REASON_NOT_FOUND);
	assert_string_equal(error_text(&err), "pods \"a\" not found");
	assert_int_equal(answer.code, 404);
	assert_int_equal(fake_http_connections(f->http), 1); /* one connection did it all */
}

static void test_trouble(void **state)
{
	struct fixture *f = *state;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autoanswer answer = CLIENT_ANSWER_INIT;
	const struct client_http_config nowhere = {.server = "http://127.0.0.1:1"};
	const struct client_http_config wrong = {.server = "kube-master:8080"};
	const struct client_request late = {
		.verb = CLIENT_LIST, .version = "v1", .resource = "pods", .deadline = 1};
	struct client *client = client_new_http(&nowhere, &err);

	assert_non_null(client);
	assert_int_equal(
		client_call(client,
			    &(struct client_request){.verb = CLIENT_GET, .path = "/version"},
			    &answer, &err),
		-1);
	assert_int_equal(err.reason, COX_REASON_SERVICE_UNAVAILABLE);
	assert_int_equal(answer.code, 0);
	assert_memory_equal(error_text(&err), "GET http://127.0.0.1:1/version: ", 32);
	client_free(client);
	assert_null(client_new_http(&wrong, &err));
	assert_string_equal(error_text(&err), "server \"kube-master:8080\": https://HOST:PORT or "
					      "http://HOST:PORT is needed");
	assert_int_equal(client_call(f->client, &late, NULL, &err), -1);
	assert_int_equal(err.reason, COX_REASON_TIMEOUT);
}

static _Atomic unsigned changes;

static void on_change(void *self, const struct cox_object *old, const struct cox_object *now)
{
	(void)self;
	(void)old;
	(void)now;
	atomic_fetch_add(&changes, 1);
}

static void put(struct fixture *f, const char *name)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
		 "\"namespace\":\"n\"}}",
		 name);
	fake_put(f->server, "pods", text);
}

static void test_informer(void **state)
{
	struct fixture *f = *state;
	const struct cox_resource pods = {"", "v1", "pods"};
	const struct cox_lister_watcher watcher = {on_change, NULL};
	const struct cox_lister_options options = {
		.struct_size = sizeof(options), .resource = &pods, .watcher = &watcher};
	struct informers *informers = informers_new(f->client, NULL);
	struct cox_lister *lister;

	put(f, "a");
	lister = lister_open(informers, &options, NULL);
	assert_true(lister_wait(lister, clock_monotonic() + 10 * CLOCK_SECOND));
	assert_int_equal(lister_count(lister), 1);
	put(f, "b");
	eventually(lister_count(lister) == 2);
	/* The network fails; what happens meanwhile is not lost. */
	fake_http_cut(f->http);
	put(f, "c");
	fake_remove(f->server, "pods", "n", "a");
	eventually(atomic_load(&changes) == 4);
	assert_int_equal(lister_count(lister), 2);
	assert_null(lister_get(lister, "n", "a"));
	/* The history too: the collection is filled again. */
	fake_hold_watches(f->server, true);
	fake_remove(f->server, "pods", "n", "b");
	fake_compact(f->server);
	fake_end_watches(f->server);
	fake_hold_watches(f->server, false);
	eventually(lister_count(lister) == 1);
	lister_close(lister);
	informers_free(informers);
}

/* ---- the recorder ---- */

static int64_t event_count(struct fixture *f, size_t index, char message[256])
{
	cox_autoobject *event = fake_at(f->server, "events", index);
	const struct value *root = object_root(event);

	snprintf(message, 256, "%s", value_get_text(root, "message"));
	return value_get_int(root, "count", 0);
}

static uint64_t time_of_events(struct fixture *f, double rate, int64_t burst, int count)
{
	static const char pod[] = "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
				  "\"p\",\"namespace\":\"n\",\"uid\":\"u\"}}";
	cox_autoobject *object = object_new(pod, strlen(pod), NULL);
	struct recorder *recorder = recorder_new(f->client, "kubelet", "node1", NULL);
	uint64_t began = clock_monotonic();

	assert_non_null(recorder);
	recorder_limit(recorder, rate, burst);
	for (int i = 0; i < count; i++)
		recorder_event(recorder, object, "Normal", "Pulled", "limited %d", i);
	recorder_flush(recorder, began + 20 * CLOCK_SECOND);
	began = clock_monotonic() - began;
	recorder_free(recorder);
	return began;
}

/* --event-qps: what goes beyond the burst waits for its second. */
static void test_recorder_limit(void **state)
{
	struct fixture *f = *state;

	/* Two at once, the third and the fourth 200 ms later each. */
	assert_in_range(time_of_events(f, 5, 2, 4), 390 * CLOCK_MILLISECOND, 10 * CLOCK_SECOND);
	assert_in_range(time_of_events(f, 0, 0, 4), 0, 10 * CLOCK_SECOND);
}

static void test_recorder(void **state)
{
	static const char pod[] = "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
				  "\"p\",\"namespace\":"
				  "\"n\",\"uid\":\"u\"}}";
	struct fixture *f = *state;
	struct recorder *recorder = recorder_new(f->client, "kubelet", "node1", NULL);
	cox_autoobject *object = object_new(pod, strlen(pod), NULL), *event = NULL;
	uint64_t deadline = clock_monotonic() + 10 * CLOCK_SECOND;
	char message[256];
	const struct value *root;

	for (int i = 0; i < 3; i++)
		recorder_event(recorder, object, "Warning", "BackOff", "Back-off restarting %s",
			       "c");
	recorder_flush(recorder, deadline);
	assert_int_equal(fake_count(f->server, "events"), 1);
	assert_int_equal(event_count(f, 0, message), 3);
	assert_string_equal(message, "Back-off restarting c");
	event = fake_at(f->server, "events", 0);
	root = object_root(event);
	assert_string_equal(object_namespace(event), "n");
	assert_memory_equal(object_name(event), "p.", 2);
	assert_int_equal(strlen(object_name(event)), 18); /* p. and 16 hexadecimal digits */
	assert_string_equal(value_text(value_path(root, "source.host")), "node1");
	assert_string_equal(value_text(value_path(root, "reportingComponent")), "kubelet");
	assert_string_equal(value_text(value_path(root, "reportingInstance")), "node1");
	assert_string_equal(value_text(value_path(root, "involvedObject.uid")), "u");
	assert_string_equal(value_text(value_path(root, "involvedObject.apiVersion")), "v1");
	assert_int_equal(value_get(root, "eventTime")->kind, VALUE_NULL);
	/* An Event that ran out is written anew, with its count. */
	fake_remove(f->server, "events", "n", object_name(event));
	recorder_event(recorder, object, "Warning", "BackOff", "Back-off restarting %s", "c");
	recorder_flush(recorder, deadline);
	assert_int_equal(event_count(f, 0, message), 4);
	/* The eleventh wording of one thing joins the others that follow it. */
	for (int i = 0; i < 13; i++)
		recorder_event(recorder, object, "Normal", "Pulled", "pulled %d", i);
	recorder_flush(recorder, deadline);
	assert_int_equal(fake_count(f->server, "events"), 1 + 10 + 1);
	assert_int_equal(event_count(f, 11, message), 3);
	assert_string_equal(message, "(combined from similar events): pulled 12");
	/* More than 25 about one object in a short time are too many: 17 were said. */
	for (int i = 0; i < 30; i++)
		recorder_event(recorder, object, "Normal", "Noise", "again");
	recorder_flush(recorder, deadline);
	assert_int_equal(event_count(f, 12, message), 8);
	recorder_free(recorder);
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const char *build = getenv("builddir");
	char directory[4096];
	const struct CMUnitTest tests[] = {
		with_server(test_calls),	  with_server(test_trouble),
		with_server(test_informer),	  with_server(test_recorder),
		with_server(test_recorder_limit),
	};

	snprintf(directory, sizeof(directory), "%s/plugins/.libs", build ? build : ".");
	client_module_directory(directory);
	return cmocka_run_group_tests_name("http_client", tests, NULL, NULL);
}
