/* SPDX-License-Identifier: Apache-2.0 */
/* What the API server makes of a request before it looks at any object. */
#include "unit.h"

#include "apiserver/negotiate.h"
#include "apiserver/options.h"
#include "apiserver/route.h"
#include "apiserver/status.h"

#include <coxswain/kit/buf.h>
#include <stdio.h>
#include <string.h>

/* Splits "a/b/c" and parses it. */
static struct api_route parse(char *path)
{
	static const char *segments[16];
	struct api_route route;
	size_t count = 0;

	for (char *at = strsep(&path, "/"); at && *at; at = strsep(&path, "/"))
		segments[count++] = at;
	route_parse(segments, count, &route);
	return route;
}

static void test_routes(void **state)
{
	static const struct {
		const char *path, *method;
		bool watch;
		const char *group, *namespace_, *resource, *name, *subresource, *verb;
	} rows[] = {
		{"api/v1/pods", "GET", false, "", "", "pods", "", "", "list"},
		{"api/v1/pods", "GET", true, "", "", "pods", "", "", "watch"},
		{"api/v1/namespaces/a/pods/b", "GET", false, "", "a", "pods", "b", "", "get"},
		{"api/v1/namespaces/a/pods/b", "GET", true, "", "a", "pods", "b", "", "watch"},
		{"api/v1/namespaces/a/pods/b/log", "GET", true, "", "a", "pods", "b", "log", "get"},
		{"api/v1/namespaces/a", "DELETE", false, "", "a", "namespaces", "a", "", "delete"},
		{"api/v1/namespaces/a/status", "PUT", false, "", "a", "namespaces", "a", "status",
		 "update"},
		{"api/v1/namespaces/a/finalize", "PUT", false, "", "a", "namespaces", "a",
		 "finalize", "update"},
		{"api/v1/watch/namespaces/a/pods", "GET", false, "", "a", "pods", "", "", "watch"},
		{"apis/apps/v1/namespaces/a/deployments/b/scale", "PATCH", false, "apps", "a",
		 "deployments", "b", "scale", "patch"},
		{"api/v1/nodes", "DELETE", false, "", "", "nodes", "", "", "deletecollection"},
		{"api/v1/nodes/n", "PURGE", false, "", "", "nodes", "n", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[128];
		struct api_route route;

		memcpy(path, rows[i].path, strlen(rows[i].path) + 1);
		route = parse(path);
		assert_true(route.is_resource);
		assert_string_equal(route.group, rows[i].group);
		assert_string_equal(route.namespace_, rows[i].namespace_);
		assert_string_equal(route.resource, rows[i].resource);
		assert_string_equal(route.name, rows[i].name);
		assert_string_equal(route.subresource, rows[i].subresource);
		assert_string_equal(
			route_verb_name(route_verb(&route, rows[i].method, rows[i].watch)),
			rows[i].verb);
	}
}

static void test_no_resource(void **state)
{
	static const char *const paths[] = {
		"", "api", "apis", "api/v1", "apis/apps/v1", "healthz", "openapi/v3/api/v1"};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char path[64];

		memcpy(path, paths[i], strlen(paths[i]) + 1);
		assert_false(parse(path).is_resource);
	}
}

static void test_accept(void **state)
{
	static const char kubectl[] =
		"application/json;as=Table;v=v1;g=meta.k8s.io,"
		"application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
	static const unsigned all = OFFER_JSON | OFFER_TABLE | OFFER_PARTIAL_LIST;
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct media_choice choice;

	(void)state;
	assert_int_equal(negotiate_accept(kubectl, all, &choice, &err), 0);
	assert_int_equal(choice.shape, SHAPE_TABLE);
	assert_string_equal(negotiate_content_type(&choice, false, &arena),
			    "application/json;g=meta.k8s.io;v=v1;as=Table");
	/* The same where there are no tables: the plain one at the end. */
	assert_int_equal(negotiate_accept(kubectl, OFFER_JSON, &choice, &err), 0);
	assert_int_equal(choice.shape, SHAPE_OBJECT);
	assert_int_equal(negotiate_accept(NULL, all, &choice, &err), 0);
	assert_string_equal(negotiate_content_type(&choice, true, &arena), "application/json");
	assert_int_equal(
		negotiate_accept("text/html;q=0.9, */*;q=0.1;profile=nopeer", all, &choice, &err),
		0);
	assert_int_equal(choice.format, MEDIA_JSON);
	assert_int_equal(negotiate_accept("application/vnd.kubernetes.protobuf,application/json",
					  OFFER_JSON, &choice, &err),
			 0);
	assert_int_equal(choice.format, MEDIA_JSON);
	assert_int_equal(
		negotiate_accept("application/vnd.kubernetes.protobuf", OFFER_JSON, &choice, &err),
		-1);
	assert_int_equal(err.reason, COX_REASON_NOT_ACCEPTABLE);
	assert_string_equal(error_text(&err),
			    "only the following media types are accepted: application/json");
	assert_int_equal(negotiate_accept("application/json;q=0", OFFER_JSON, &choice, &err), -1);
	assert_int_equal(negotiate_accept("application/json;as=Table;v=v9;g=meta.k8s.io", all,
					  &choice, &err),
			 -1);
}

static void test_bodies(void **state)
{
	(void)state;
	assert_int_equal(negotiate_body(NULL), MEDIA_JSON);
	assert_int_equal(negotiate_body("Application/JSON; charset=utf-8"), MEDIA_JSON);
	assert_int_equal(negotiate_body("application/yaml"), MEDIA_YAML);
	assert_int_equal(negotiate_body("application/vnd.kubernetes.protobuf"), MEDIA_PROTOBUF);
	assert_int_equal(negotiate_body("application/x-www-form-urlencoded"), MEDIA_NONE);
	assert_int_equal(negotiate_body("text/plain"), MEDIA_NONE);
}

/* Parses "a=b&c" as options of a list; the message of an error, or "". */
static const char *list_error(const char *query, bool watch)
{
	static char text[512];
	static char copy[256];
	struct http_parameter parameters[16];
	struct list_options options;
	cox_autoerror err = COX_ERROR_INIT;
	char *rest = copy;
	size_t count = 0;

	memcpy(copy, query, strlen(query) + 1);
	for (char *at = strsep(&rest, "&"); at; at = strsep(&rest, "&")) {
		char *equals = strchr(at, '=');

		*equals = '\0';
		parameters[count++] = (struct http_parameter){at, equals + 1};
	}
	if (list_options_parse(parameters, count, watch, &options, &err) == 0) {
		list_options_clear(&options);
		return "";
	}
	snprintf(text, sizeof(text), "%d %s", error_http_code(err.reason), error_text(&err));
	return text;
}

static void test_list_options(void **state)
{
	(void)state;
	assert_string_equal(list_error("limit=500&labelSelector=app=nginx", false), "");
	assert_string_equal(list_error("resourceVersion=5&resourceVersionMatch=Exact", false), "");
	assert_string_equal(list_error("resourceVersion=x", false),
			    "400 invalid resource version \"x\": it must be a decimal number that "
			    "this server gave out");
	assert_string_equal(
		list_error("resourceVersionMatch=Exact", false),
		"422 ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: "
		"Forbidden: resourceVersionMatch is forbidden unless resourceVersion is "
		"provided");
	assert_string_equal(list_error("resourceVersion=0&resourceVersionMatch=Exact", false),
			    "422 ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: "
			    "Forbidden: resourceVersionMatch \"exact\" is forbidden for "
			    "resourceVersion \"0\"");
	assert_string_equal(list_error("resourceVersion=3&resourceVersionMatch=exact", false),
			    "422 ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: "
			    "Unsupported value: \"exact\": supported values: \"Exact\", "
			    "\"NotOlderThan\"");
	assert_string_equal(list_error("sendInitialEvents=true", false),
			    "422 ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: "
			    "Forbidden: sendInitialEvents is forbidden for list");
	assert_string_equal(list_error("sendInitialEvents=true", true),
			    "422 ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: "
			    "Forbidden: sendInitialEvents requires setting resourceVersionMatch to "
			    "NotOlderThan");
	assert_string_equal(
		list_error("sendInitialEvents=true&resourceVersionMatch=NotOlderThan", true), "");
	assert_string_equal(list_error("limit=-1", false),
			    "400 query parameter limit must not be negative");
	assert_string_equal(
		list_error("allowWatchBookmarks=maybe", true),
		"400 query parameter allowWatchBookmarks: \"maybe\" is neither true nor "
		"false");
}

static void test_continue(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	const char *start = NULL;
	uint64_t revision = 0;
	size_t size = 0;
	char *token = continue_make(&arena, "default/pod-17", 14, 9007199254740993);

	(void)state;
	assert_int_equal(continue_read(&arena, token, &start, &size, &revision, &err), 0);
	assert_string_equal(start, "default/pod-17");
	assert_int_equal(size, 14);
	assert_true(revision == 9007199254740993);
	assert_int_equal(continue_read(&arena, "bm8", &start, &size, &revision, &err), -1);
	assert_string_equal(error_text(&err), "continue key is not valid");
	assert_int_equal(continue_read(&arena, "e30", &start, &size, &revision, &err), -1);
	assert_int_equal(continue_read(&arena, "%%%", &start, &size, &revision, &err), -1);
}

static void test_delete_options(void **state)
{
	const struct http_parameter both[] = {{"propagationPolicy", "Orphan"},
					      {"gracePeriodSeconds", "0"}};
	const struct http_parameter twice[] = {{"propagationPolicy", "Orphan"},
					       {"orphanDependents", "true"}};
	const struct http_parameter wrong[] = {{"propagationPolicy", "Later"}};
	struct delete_options options;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	assert_int_equal(delete_options_parse(both, 2, NULL, &options, &err), 0);
	assert_int_equal(options.propagation, PROPAGATION_ORPHAN);
	assert_true(options.grace_set);
	assert_int_equal(options.grace_seconds, 0);
	assert_int_equal(delete_options_parse(twice, 2, NULL, &options, &err), -1);
	assert_int_equal(err.reason, COX_REASON_INVALID);
	assert_int_equal(delete_options_parse(wrong, 1, NULL, &options, &err), -1);
}

static void test_status(void **state)
{
	cox_autobuf out = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	status_not_found(&err, "apps", "deployments", "we\"b");
	status_write_error(&out, &err);
	assert_string_equal(
		out.data,
		"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
		"\"Failure\",\"message\":\"deployments.apps \\\"we\\\"b\\\" not found\","
		"\"reason\":\"NotFound\",\"details\":{\"name\":\"we\\\"b\",\"group\":\"apps\","
		"\"kind\":\"deployments\"},\"code\":404}");
	cox_buf_clear(&out);
	status_write_success(&out, "", "pods", "nginx", "u1");
	assert_string_equal(out.data,
			    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
			    "\"status\":\"Success\",\"details\":{\"name\":\"nginx\",\"kind\":"
			    "\"pods\",\"uid\":\"u1\"}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),	       cmocka_unit_test(test_no_resource),
		cmocka_unit_test(test_accept),	       cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_list_options),   cmocka_unit_test(test_continue),
		cmocka_unit_test(test_delete_options), cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests_name("api_request", tests, NULL, NULL);
}
