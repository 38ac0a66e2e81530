/* SPDX-License-Identifier: Apache-2.0 */
/* Objects, the local transport, reflectors and informers, on a fake server. */
#include "unit.h"

#include "base/clock.h"
#include "client/informer.h"
#include "client/outage.h"
#include "client/list.h"
#include "lib/eventually.h"
#include "lib/fake_server.h"

#include <coxswain/kit/json.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cox_resource pods = {"", "v1", "pods"};

static uint64_t soon(void)
{
	return clock_monotonic() + 10 * CLOCK_SECOND;
}

/* ---- objects ---- */

static void test_object(void **state)
{
	static const char text[] =
		"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\","
		"\"namespace\":"
		"\"n\",\"labels\":{\"x.y/z\":\"1\"},\"uid\":\"u\",\"resourceVersion\":\"7\"},"
		"\"spec\":{\"on\":true,\"c\":[{\"image\":\"i\"},{\"image\":\"j\"}],\"n\":-3}}";
	const struct cox_objects *objects = &object_table;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf buf = COX_BUF_INIT;
	cox_autoobject *object = object_new(text, strlen(text), &err);
	const struct cox_writer writer = {cox_buf_sink, &buf};
	const struct cox_value *root, *list;
	const char *key;

	(void)state;
	assert_non_null(object);
	assert_string_equal(objects->name(object), "a");
	assert_string_equal(objects->namespace_of(object), "n");
	assert_string_equal(objects->uid(object), "u");
	assert_string_equal(objects->revision(object), "7");
	assert_string_equal(object_kind(object), "Pod");
	root = objects->root(object);
	assert_string_equal(objects->text(root, "spec.c[1].image"), "j");
	assert_string_equal(objects->text(root, "metadata.labels[\"x.y/z\"]"), "1");
	assert_string_equal(objects->text(root, "spec.c[2].image"), "");
	assert_string_equal(objects->text(root, "spec.c[x].image"), "");
	assert_int_equal(objects->integer(root, "spec.n", 9), -3);
	assert_int_equal(objects->integer(root, "spec.m", 9), 9);
	assert_int_equal(objects->boolean(root, "spec.on"), 1);
	list = objects->get(root, "spec.c");
	assert_int_equal(objects->kind(list), COX_VALUE_ARRAY);
	assert_int_equal(objects->count(list), 2);
	assert_string_equal(objects->text(objects->at(list, 0, NULL), "image"), "i");
	assert_null(objects->at(list, 2, &key));
	list = objects->get(root, "metadata.labels");
	assert_string_equal(objects->text(objects->at(list, 0, &key), ""), "1");
	assert_string_equal(key, "x.y/z");
	assert_int_equal(objects->kind(objects->get(root, "status.phase")), COX_VALUE_NONE);
	objects->write(list, &writer);
	assert_string_equal(buf.data, "{\"x.y/z\":\"1\"}");
	/* A holder keeps the bytes while readers come and go. */
	{
		struct cox_object *held = object_hold(object);
		struct cox_object *reader = object_ref(held);

		assert_ptr_equal(object_root(reader), (const void *)root);
		object_unref(reader);
		object_release(held);
	}
	assert_null(object_new("{\"a\":1", 6, &err));
	assert_int_equal(err.reason, COX_REASON_BAD_REQUEST);
	assert_null(object_new("[]", 2, &err));
	assert_null(object_new("{} {}", 5, &err));
}

static void test_list_parse(void **state)
{
	static const char text[] =
		"{\"items\":[{\"metadata\":{\"name\":\"a\"}},{},{\"kind\":\"Own\",\"metadata\":{}}]"
		","
		"\"metadata\":{\"resourceVersion\":\"12\",\"continue\":\"t\\u006fk\"},"
		"\"apiVersion\":\"g/v1\",\"kind\":\"ThingList\"}";
	cox_autoerror err = COX_ERROR_INIT;
	struct object_list items = {0};
	cox_autobuf revision = COX_BUF_INIT, next = COX_BUF_INIT;

	(void)state;
	assert_int_equal(list_parse(text, strlen(text), &items, &revision, &next, &err), 0);
	assert_int_equal(items.count, 3);
	assert_string_equal(revision.data, "12");
	assert_string_equal(next.data, "tok");
	assert_string_equal(object_json(items.items[0]).data,
			    "{\"kind\":\"Thing\",\"apiVersion\":\"g/v1\",\"metadata\":{\"name\":"
			    "\"a\"}}");
	assert_string_equal(object_json(items.items[1]).data,
			    "{\"kind\":\"Thing\",\"apiVersion\":\"g/v1\"}");
	assert_string_equal(object_kind(items.items[2]), "Own");
	object_list_free(&items);
	assert_int_equal(list_parse("{\"kind\":\"Status\"}", 17, &items, &revision, &next, &err),
			 -1);
	assert_string_equal(error_text(&err), "list: the server answered a Status");
	object_list_free(&items);
}

static void test_status(void **state)
{
	static const char text[] =
		"{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"pods \\\"a\\\" is "
		"wrong\",\"reason\":\"Invalid\",\"code\":422,\"details\":{\"kind\":\"Pod\","
		"\"name\":"
		"\"a\",\"retryAfterSeconds\":3,\"causes\":[{\"reason\":\"FieldValueRequired\","
		"\"message\":\"m\",\"field\":\"spec.x\"}]}}";
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	assert_int_equal(client_status_error(422, text, strlen(text), &err), -1);
	assert_int_equal(err.reason, COX_REASON_INVALID);
	assert_string_equal(err.message, "pods \"a\" is wrong");
	assert_string_equal(err.kind, "Pod");
	assert_int_equal(err.retry_after, 3);
	assert_int_equal(err.cause_count, 1);
	assert_string_equal(err.causes[0].reason, "FieldValueRequired");
	assert_string_equal(err.causes[0].field, "spec.x");
	assert_int_equal(client_status_error(503, "down\n", 5, &err), -1);
	assert_int_equal(err.reason, COX_REASON_SERVICE_UNAVAILABLE);
	assert_string_equal(err.message, "the server answered 503: down");
}

static void test_path(void **state)
{
	struct client_request request = {.version = "v1",
					 .resource = "pods",
					 .namespace = "a b",
					 .name = "x",
					 .subresource = "proxy/y"};
	cox_autobuf path = COX_BUF_INIT;

	(void)state;
	client_request_path(&path, &request);
	assert_string_equal(path.data, "/api/v1/namespaces/a%20b/pods/x/proxy/y");
	cox_buf_clear(&path);
	request = (struct client_request){.group = "apps", .version = "v1", .resource = "x/y"};
	client_request_path(&path, &request);
	assert_string_equal(path.data, "/apis/apps/v1/x%2Fy");
}

/* ---- informers ---- */

struct heard {
	pthread_mutex_t mutex;
	char text[4096]; /* "+a ~a -a " */
	_Atomic unsigned count;
};

static void hear(void *self, const struct cox_object *old, const struct cox_object *now)
{
	struct heard *heard = self;
	size_t size;

	pthread_mutex_lock(&heard->mutex);
	size = strlen(heard->text);
	snprintf(heard->text + size, sizeof(heard->text) - size, "%s%s ",
		 !old	? "+"
		 : !now ? "-"
			: "~",
		 object_name(now ? now : old));
	pthread_mutex_unlock(&heard->mutex);
	atomic_fetch_add(&heard->count, 1);
}

static bool heard_is(struct heard *heard, const char *text)
{
	bool same;

	pthread_mutex_lock(&heard->mutex);
	same = !strcmp(heard->text, text);
	pthread_mutex_unlock(&heard->mutex);
	return same;
}

static void by_node(const struct cox_objects *objects, const struct cox_object *object,
		    const struct cox_keys *values)
{
	const char *node = objects->text(objects->root(object), "spec.nodeName");

	if (*node)
		values->emit(values, node);
}

struct fixture {
	struct fake_server *server;
	struct client *client;
	struct informers *informers;
	struct heard heard;
	struct cox_lister_watcher watcher;
	struct cox_index indexes[2];
	struct cox_lister_options options;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->server = fake_server_new();
	f->client = fake_server_client(f->server);
	f->informers = informers_new(f->client, NULL);
	pthread_mutex_init(&f->heard.mutex, NULL);
	f->watcher = (struct cox_lister_watcher){hear, &f->heard};
	f->indexes[0] = (struct cox_index){"node", by_node};
	f->options = (struct cox_lister_options){.struct_size = sizeof(f->options),
						 .resource = &pods,
						 .indexes = f->indexes,
						 .watcher = &f->watcher};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	informers_free(f->informers);
	client_free(f->client);
	fake_server_free(f->server);
	free(f);
	return 0;
}

static void put(struct fixture *f, const char *name, const char *node)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
		 "\"namespace\":\"n\"},\"spec\":{\"nodeName\":\"%s\"}}",
		 name, node);
	fake_put(f->server, "pods", text);
}

static int count_one(void *to, const struct cox_object *object)
{
	(void)object;
	++*(int *)to;
	return 0;
}

static int on_node(struct cox_lister *lister, const char *node)
{
	int count = 0;
	const struct cox_object_sink sink = {count_one, &count};

	lister_find(lister, "node", node, &sink);
	return count;
}

static void follow(struct fixture *f)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct cox_lister *lister;
	struct cox_object *object;
	int count = 0;
	const struct cox_object_sink sink = {count_one, &count};

	put(f, "a", "n1");
	lister = lister_open(f->informers, &f->options, &err);
	assert_non_null(lister);
	assert_true(lister_wait(lister, soon()));
	assert_true(heard_is(&f->heard, "+a "));
	put(f, "b", "n1");
	put(f, "a", "n2");
	fake_remove(f->server, "pods", "n", "b");
	eventually(heard_is(&f->heard, "+a +b ~a -b "));
	assert_int_equal(on_node(lister, "n1"), 0);
	assert_int_equal(on_node(lister, "n2"), 1);
	object = lister_get(lister, "n", "a");
	assert_string_equal(object_kind(object), "Pod");
	object_unref(object);
	assert_null(lister_get(lister, "n", "b"));
	assert_null(lister_get(lister, "other", "a"));
	lister_list(lister, "n", &sink);
	assert_int_equal(count, 1);
	lister_list(lister, "m", &sink);
	assert_int_equal(count, 1);
	lister_close(lister);
}

static void test_stream(void **state)
{
	struct fixture *f = *state;

	follow(f);
	assert_int_equal(fake_requests(f->server, CLIENT_LIST, "pods"), 0);
}

static void test_list_and_watch(void **state)
{
	struct fixture *f = *state;

	fake_no_stream(f->server);
	follow(f);
	assert_int_equal(fake_requests(f->server, CLIENT_LIST, "pods"), 1);
}

static void test_pages(void **state)
{
	struct fixture *f = *state;
	struct cox_lister *lister;
	char name[16];

	fake_no_stream(f->server);
	for (int i = 0; i < 1201; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		put(f, name, i % 2 ? "odd" : "even");
	}
	f->options.watcher = NULL;
	lister = lister_open(f->informers, &f->options, NULL);
	assert_true(lister_wait(lister, soon()));
	assert_int_equal(lister_count(lister), 1201);
	assert_int_equal(fake_requests(f->server, CLIENT_LIST, "pods"), 3);
	assert_int_equal(on_node(lister, "odd"), 600);
	for (int i = 0; i < 1200; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		fake_remove(f->server, "pods", "n", name);
	}
	eventually(lister_count(lister) == 1);
	assert_int_equal(on_node(lister, "odd"), 0);
	assert_int_equal(on_node(lister, "even"), 1);
	lister_close(lister);
}

static void test_resume(void **state)
{
	struct fixture *f = *state;
	struct cox_lister *lister = lister_open(f->informers, &f->options, NULL);

	assert_true(lister_wait(lister, soon()));
	put(f, "a", "");
	eventually(heard_is(&f->heard, "+a "));
	/* What happens while the watch is down comes from its history. */
	fake_hold_watches(f->server, true);
	put(f, "b", "");
	fake_remove(f->server, "pods", "n", "a");
	fake_end_watches(f->server);
	fake_hold_watches(f->server, false);
	eventually(heard_is(&f->heard, "+a +b -a "));
	assert_true(fake_requests(f->server, CLIENT_WATCH, "pods") >= 2);
	lister_close(lister);
}

static void test_expired(void **state)
{
	struct fixture *f = *state;
	struct cox_lister *lister = lister_open(f->informers, &f->options, NULL);

	assert_true(lister_wait(lister, soon()));
	put(f, "a", "");
	put(f, "b", "");
	eventually(heard_is(&f->heard, "+a +b "));
	/* The history is gone: the gap is told as changes all the same. */
	fake_hold_watches(f->server, true);
	fake_remove(f->server, "pods", "n", "a");
	put(f, "b", "x");
	fake_compact(f->server);
	fake_end_watches(f->server);
	fake_hold_watches(f->server, false);
	eventually(heard_is(&f->heard, "+a +b -a ~b "));
	lister_close(lister);
}

static void test_shared(void **state)
{
	struct fixture *f = *state;
	struct heard other = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	struct cox_lister *first = lister_open(f->informers, &f->options, NULL), *second;

	assert_true(lister_wait(first, soon()));
	put(f, "a", "n1");
	eventually(heard_is(&f->heard, "+a "));
	f->watcher.self = &other;
	second = lister_open(f->informers, &f->options, NULL);
	assert_true(heard_is(&other, "+a ")); /* before it returned */
	assert_int_equal(on_node(second, "n1"), 1);
	lister_repeat(second);
	assert_true(heard_is(&other, "+a ~a "));
	lister_close(first);
	put(f, "b", "");
	eventually(heard_is(&other, "+a ~a +b "));
	assert_true(heard_is(&f->heard, "+a "));
	assert_int_equal(fake_requests(f->server, CLIENT_WATCH, "pods"), 1);
	lister_close(second);
}

static void test_resync(void **state)
{
	struct fixture *f = *state;
	struct cox_lister *lister;

	f->options.resync_ns = 20 * CLOCK_MILLISECOND;
	put(f, "a", "");
	lister = lister_open(f->informers, &f->options, NULL);
	eventually(atomic_load(&f->heard.count) >= 4);
	assert_memory_equal(f->heard.text, "+a ~a ~a ~a", 11);
	lister_close(lister);
}

static void test_failures(void **state)
{
	struct fixture *f = *state;
	struct cox_lister *lister;

	fake_no_stream(f->server);
	fake_fail(f->server, CLIENT_LIST, "pods", 503, "ServiceUnavailable", "starting", 1);
	put(f, "a", "");
	lister = lister_open(f->informers, &f->options, NULL);
	assert_false(lister_wait(lister, clock_monotonic() + 50 * CLOCK_MILLISECOND));
	assert_true(lister_wait(lister, soon()));
	assert_int_equal(fake_requests(f->server, CLIENT_LIST, "pods"), 2);
	lister_close(lister);
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* One of all who find the server away tells of it, and once a minute. */
static void test_outage(void **state)
{
	struct outage outage = {0};
	uint64_t now = 1000 * CLOCK_SECOND;

	(void)state;
	assert_int_equal(outage_is_over(&outage, now), 0);
	assert_true(outage_goes_on(&outage, now));
	assert_false(outage_goes_on(&outage, now));
	assert_false(outage_goes_on(&outage, now + 59 * CLOCK_SECOND));
	assert_true(outage_goes_on(&outage, now + 61 * CLOCK_SECOND));
	assert_false(outage_goes_on(&outage, now + 62 * CLOCK_SECOND));
	assert_int_equal(outage_is_over(&outage, now + 63 * CLOCK_SECOND), 63 * CLOCK_SECOND);
	assert_int_equal(outage_is_over(&outage, now + 64 * CLOCK_SECOND), 0);
	/* The next one is told at once. */
	assert_true(outage_goes_on(&outage, now + 65 * CLOCK_SECOND));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outage),	   cmocka_unit_test(test_object),
		cmocka_unit_test(test_list_parse), cmocka_unit_test(test_status),
		cmocka_unit_test(test_path),	   with_server(test_stream),
		with_server(test_list_and_watch),  with_server(test_pages),
		with_server(test_resume),	   with_server(test_expired),
		with_server(test_shared),	   with_server(test_resync),
		with_server(test_failures),
	};

	return cmocka_run_group_tests_name("informer", tests, NULL, NULL);
}
