/* SPDX-License-Identifier: Apache-2.0 */
/* The judge of requests and the look-ups, without a socket. */
#include "unit.h"

#include "net/request.h"

#include <string.h>

static int judge(struct http_request *request, const char *target, struct request_body *body)
{
	request->method_name = "GET";
	request->target = target;
	return request_judge(request, "HTTP/1.1", body, NULL);
}

static void test_lookups(void **state)
{
	static const struct http_header headers[] = {{"Host", "a:6443"},
						     {"accept", "x"},
						     {"Connection", "keep-alive, Upgrade"},
						     {"ACCEPT", "y"},
						     {"Upgrade", "websocket;v=1 ,SPDY/3.1"}};
	struct http_request request = {.headers = headers, .header_count = 5};
	struct request_body body;

	(void)state;
	assert_int_equal(judge(&request, "/a/?x=1&y&x=2", &body), 0);
	assert_string_equal(http_header(&request, "Accept"), "x");
	assert_string_equal(http_header_at(&request, "Accept", 1), "y");
	assert_null(http_header_at(&request, "Accept", 2));
	assert_true(http_header_has(&request, "connection", "upgrade"));
	assert_false(http_header_has(&request, "connection", "up"));
	assert_true(http_header_has(&request, "Upgrade", "spdy/3.1"));
	assert_true(http_header_has(&request, "Upgrade", "websocket"));
	assert_false(http_takes_encoding(&request, "gzip"));
	assert_string_equal(http_parameter(&request, "x"), "1");
	assert_string_equal(http_parameter_at(&request, "x", 1), "2");
	assert_string_equal(http_parameter(&request, "y"), "");
	assert_null(http_parameter(&request, "X"));
	assert_string_equal(request.raw_path, "/a/");
	assert_string_equal(request.raw_query, "x=1&y&x=2");
	assert_true(request.trailing_slash);
	assert_int_equal(request.method, HTTP_GET);
	assert_false(body.known);
	arena_free(&request.arena);
}

static void test_encodings(void **state)
{
	static const struct {
		const char *accept;
		bool gzip;
	} cases[] = {
		{"gzip", true},
		{"GZip", true},
		{"br, gzip;q=0.5", true},
		{"gzip;q=0.001", true},
		{"gzip ; q=1", true},
		{"gzip;level=3;q=0.5", true},
		{"xgzip, gzip", true},
		{"", false},
		{"br", false},
		{"xgzip", false},
		{"gzip;q=0", false},
		{"gzip ; Q=0.000, br", false},
		{"gzip;level=3;q=0", false},
		{"br, gzip;q=0, *", false},
		{"*", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct http_header header = {"accept-encoding", cases[i].accept};
		const struct http_request request = {.headers = &header, .header_count = 1};

		if (http_takes_encoding(&request, "gzip") != cases[i].gzip)
			fail_msg("%s", cases[i].accept);
	}
}

static int judge_with(const char *name, const char *value, const char *version,
		      struct request_body *body)
{
	const struct http_header headers[] = {{"Host", "a"}, {name, value}};
	struct http_request request = {
		.method_name = "POST", .target = "/", .headers = headers, .header_count = 2};
	int result = request_judge(&request, version, body, NULL);

	arena_free(&request.arena);
	return result;
}

static void test_bodies(void **state)
{
	static const char *const wrong[] = {
		"", "-1", "+1", "1 ", "0x10", "1,1", "1\t2", "1e3", "9999999999999999999"};
	struct request_body body;

	(void)state;
	assert_int_equal(judge_with("content-length", "123456789012345678", "HTTP/1.1", &body), 0);
	assert_true(body.known);
	assert_int_equal(body.length, 123456789012345678);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(judge_with("Content-Length", wrong[i], "HTTP/1.1", &body), -1);
	assert_int_equal(judge_with("Transfer-Encoding", "Chunked", "HTTP/1.1", &body), 0);
	assert_true(body.chunked);
	assert_int_equal(judge_with("Transfer-Encoding", "chunked", "HTTP/1.0", &body), -1);
	assert_int_equal(judge_with("Transfer-Encoding", "identity", "HTTP/1.1", &body), -1);
	assert_int_equal(judge_with("X", "y", "HTTP/2.0", &body), -1);
	assert_int_equal(judge_with("X", "y\r\nZ: w", "HTTP/1.1", &body), -1);
	assert_int_equal(judge_with("X", "a\tb \xc3\xa9", "HTTP/1.1", &body), 0);
}

static void test_hidden(void **state)
{
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	assert_int_equal(request_judge_header("A\0B", 3, "x", 1, &err), -1);
	assert_string_equal(error_text(&err), "a header name has a character that is not allowed");
	assert_int_equal(request_judge_header("A", 1, "x\0y", 3, &err), -1);
	assert_string_equal(error_text(&err), "a header value has a control character");
	assert_int_equal(request_judge_header("", 0, "x", 1, NULL), -1);
	assert_int_equal(request_judge_header("A", 1, "x y", 3, NULL), 0);
}

static void test_many(void **state)
{
	static const struct http_header host = {"Host", "a"};
	struct http_request request = {.headers = &host, .header_count = 1};
	struct request_body body;
	char target[3000];

	(void)state;
	for (size_t i = 0; i < sizeof(target) - 1; i++)
		target[i] = i % 2 ? 'a' : '/';
	target[2 * REQUEST_SEGMENTS_MAX] = '\0';
	assert_int_equal(judge(&request, target, &body), 0);
	assert_int_equal(request.segment_count, REQUEST_SEGMENTS_MAX);
	target[2 * REQUEST_SEGMENTS_MAX] = '/';
	target[2 * REQUEST_SEGMENTS_MAX + 2] = '\0';
	assert_int_equal(judge(&request, target, &body), -1);
	memset(target, '&', sizeof(target) - 1);
	memcpy(target, "/?", 2);
	assert_int_equal(judge(&request, target, &body), -1);
	arena_free(&request.arena);
}

static void test_status(void **state)
{
	cox_autobuf out = COX_BUF_INIT;

	(void)state;
	request_status_json(&out, 413, "", "a \"b\"");
	assert_string_equal(out.data,
			    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
			    "\"status\":\"Failure\",\"message\":\"a \\\"b\\\"\",\"code\":413}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookups), cmocka_unit_test(test_encodings),
		cmocka_unit_test(test_bodies),	cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_many),	cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
