/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server over real sockets: answers, limits, deferring, closing. */
#include "unit.h"

#include "base/workers.h"
#include "net/server.h"
#include "http_peer.h"

#include <coxswain/kit/alloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <zlib.h>

static struct http_server *server;
static uint16_t port;
static struct workers *workers;
static struct http_request *_Atomic held; /* by /hold */
static _Atomic int gone, released, produced_ends;

static void count_release(void *owner)
{
	atomic_fetch_add(&released, 1);
	free(owner);
}

static struct http_piece owned_piece(const char *text)
{
	char *copy = cox_strdup(text);

	return (struct http_piece){
		.data = copy, .size = strlen(text), .release = count_release, .owner = copy};
}

/* Says all that the server says of a request. */
static void describe(struct http_request *request)
{
	cox_autobuf out = COX_BUF_INIT;

	cox_buf_printf(&out, "%s %s|", request->method_name, request->raw_path);
	for (size_t i = 0; i < request->segment_count; i++)
		cox_buf_printf(&out, "[%s]", request->segments[i]);
	cox_buf_str(&out, request->trailing_slash ? "/|" : "|");
	for (size_t i = 0; i < request->parameter_count; i++)
		cox_buf_printf(&out, "%s=%s;", request->parameters[i].name,
			       request->parameters[i].value);
	cox_buf_printf(&out, "|%s|%zu|", request->peer, request->body.size);
	cox_buf_add(&out, request->body.data, request->body.size < 64 ? request->body.size : 64);
	http_respond_text(request, 200, "text/plain", out.data, out.size);
}

static void respond_pieces(struct http_request *request)
{
	struct http_piece pieces[3] = {
		owned_piece("{\"a\":"), owned_piece("1"), {.data = "}", .size = 1}};
	struct http_header header = {"Audit-Id", "42"};
	struct http_response response = {.status = 201,
					 .content_type = "application/json",
					 .headers = &header,
					 .header_count = 1,
					 .pieces = pieces,
					 .piece_count = 3};

	http_respond(request, &response);
}

enum { BIG_PIECES = 300, BIG_PIECE = 1000 };

static void respond_big(struct http_request *request, unsigned flags)
{
	struct http_piece pieces[BIG_PIECES];
	struct http_response response = {.status = 200,
					 .flags = flags,
					 .content_type = "text/plain",
					 .pieces = pieces,
					 .piece_count = BIG_PIECES};
	char text[BIG_PIECE + 1];

	for (int i = 0; i < BIG_PIECES; i++) {
		memset(text, 'a' + i % 26, BIG_PIECE);
		text[BIG_PIECE] = '\0';
		pieces[i] = owned_piece(text);
	}
	http_respond(request, &response);
}

struct counter {
	int left;
};

static int64_t produce(void *context, char *out, size_t room)
{
	struct counter *counter = context;

	if (counter->left < 0)
		return -1;
	if (counter->left == 0)
		return 0;
	return snprintf(out, room, "line %d\n", counter->left--);
}

static void produce_end(void *context)
{
	atomic_fetch_add(&produced_ends, 1);
	free(context);
}

static void respond_produced(struct http_request *request, int lines)
{
	struct counter *counter = cox_new(struct counter);
	struct http_response response = {.status = 200,
					 .content_type = "text/plain",
					 .produce = produce,
					 .produce_end = produce_end,
					 .producer = counter,
					 .length = HTTP_LENGTH_UNKNOWN};

	counter->left = lines;
	http_respond(request, &response);
}

static void late(void *context)
{
	struct http_request *request = context;

	/* the arena of the request carries the body until it has left */
	const char *body = arena_printf(&request->arena, "late %zu\n", request->segment_count);

	http_respond_text(request, 200, "text/plain", body, strlen(body));
}

static void on_gone(void *context)
{
	(void)context;
	atomic_fetch_add(&gone, 1);
}

static void handle(struct http_request *request)
{
	const char *first = request->segment_count ? request->segments[0] : "";

	assert_ptr_equal(request->context, &held);
	if (strcmp(first, "pieces") == 0) {
		respond_pieces(request);
	} else if (strcmp(first, "big") == 0) {
		respond_big(request, HTTP_RESPONSE_GZIP);
	} else if (strcmp(first, "lines") == 0) {
		respond_produced(request, 1000);
	} else if (strcmp(first, "broken") == 0) {
		respond_produced(request, -1);
	} else if (strcmp(first, "nothing") == 0) {
		return;
	} else if (strcmp(first, "late") == 0) {
		http_defer(request, on_gone, NULL);
		if (workers_run(workers, WORKERS_ORDINARY, late, request) != 0)
			late(request);
	} else if (strcmp(first, "hold") == 0) {
		http_defer(request, on_gone, NULL);
		atomic_store(&held, request);
	} else {
		describe(request);
	}
}

static void open_server(const struct http_config *changes)
{
	struct http_listen where = {.address = "127.0.0.1"};
	struct http_config config = *changes;
	cox_autoerror err = COX_ERROR_INIT;

	config.listens = &where;
	config.listen_count = 1;
	config.handler = handle;
	config.context = &held;
	server = http_server_open(&config, &err);
	if (!server)
		fail_msg("%s", error_text(&err));
	port = http_server_port(server, 0);
	assert_true(port > 0);
}

static void close_server(void)
{
	http_server_close(server, 2 * CLOCK_SECOND);
	server = NULL;
}

/* Sends, and compares what comes back: status line, and the body's end. */
static void expect(const char *request, const char *status, const char *body)
{
	cox_autobuf out = COX_BUF_INIT;
	const char *end;

	if (peer_exchange(port, request, &out) != 0)
		fail_msg("no proper end after: %s\ngot: %s", request, cox_buf_cstr(&out));
	if (strncmp(cox_buf_cstr(&out), status, strlen(status)) != 0)
		fail_msg("%s\ngot: %s", request, cox_buf_cstr(&out));
	end = strstr(cox_buf_cstr(&out), "\r\n\r\n");
	assert_non_null(end);
	if (strcmp(end + 4, body) != 0)
		fail_msg("%s\ngot: %s\nnot: %s", request, end + 4, body);
}

#define HOST "Host: a\r\nConnection: close\r\n"

static void test_answers(void **state)
{
	(void)state;
	open_server(&(struct http_config){.threads = 2});
	expect("GET / HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 200 OK\r\n", "GET /|/||127.0.0.1|0|");
	expect("GET /api/v1/?a=1&b=x%20y&a=2+3&c&=d&& HTTP/1.1\r\n" HOST "\r\n",
	       "HTTP/1.1 200 OK\r\n",
	       "GET /api/v1/|[api][v1]/|a=1;b=x y;a=2 3;c=;=d;|127.0.0.1|0|");
	expect("GET /%61b/c%3a HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 200 OK\r\n",
	       "GET /%61b/c%3a|[ab][c:]||127.0.0.1|0|");
	expect("POST /p HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\n",
	       "POST /p|[p]||127.0.0.1|5|hello");
	expect("POST /p HTTP/1.1\r\n" HOST
	       "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
	       "HTTP/1.1 200 OK\r\n", "POST /p|[p]||127.0.0.1|7|abcdefg");
	expect("FROB /p HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 200 OK\r\n",
	       "FROB /p|[p]||127.0.0.1|0|");
	expect("GET /old HTTP/1.0\r\n\r\n", "HTTP/1.", "GET /old|[old]||127.0.0.1|0|");
	expect("GET /nothing HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 500 Internal Server Error\r\n",
	       "no answer\n");
	expect("GET /late/x HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 200 OK\r\n", "late 2\n");
	close_server();
}

static void test_bodies(void **state)
{
	cox_autobuf out = COX_BUF_INIT;
	const char *body;

	(void)state;
	open_server(&(struct http_config){.threads = 1, .gzip_loopback = true});
	atomic_store(&released, 0);
	atomic_store(&produced_ends, 0);
	expect("GET /pieces HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 201 Created\r\n", "{\"a\":1}");
	peer_wait(atomic_load(&released) == 2);

	assert_int_equal(peer_exchange(port, "HEAD /pieces HTTP/1.1\r\n" HOST "\r\n", &out), 0);
	assert_non_null(strstr(out.data, "Content-Length: 7\r\n"));
	assert_non_null(strstr(out.data, "Audit-Id: 42\r\n"));
	assert_non_null(strstr(out.data, "Content-Type: application/json\r\n"));
	assert_string_equal(out.data + out.size - 4, "\r\n\r\n");

	atomic_store(&released, 0);
	assert_int_equal(peer_exchange(port, "GET /big HTTP/1.1\r\n" HOST "\r\n", &out), 0);
	assert_non_null(strstr(out.data, "Content-Length: 300000\r\n"));
	body = strstr(out.data, "\r\n\r\n") + 4;
	assert_int_equal(out.data + out.size - body, BIG_PIECES * BIG_PIECE);
	for (int i = 0; i < BIG_PIECES * BIG_PIECE; i++)
		assert_int_equal(body[i], 'a' + i / BIG_PIECE % 26);
	peer_wait(atomic_load(&released) == BIG_PIECES);

	assert_int_equal(peer_exchange(port, "GET /lines HTTP/1.0\r\n\r\n", &out), 0);
	assert_non_null(strstr(out.data, "\r\n\r\nline 1000\nline 999\n"));
	assert_string_equal(out.data + out.size - 14, "line 2\nline 1\n");
	/* a producer that fails: the end of the body is missing */
	peer_exchange(port, "GET /broken HTTP/1.1\r\n" HOST "\r\n", &out);
	assert_null(strstr(cox_buf_cstr(&out), "0\r\n\r\n"));
	peer_wait(atomic_load(&produced_ends) == 2);
	close_server();
}

/* Undoes chunks, then gzip. */
static void unpack(const char *data, size_t size, struct cox_buf *out)
{
	cox_autobuf packed = COX_BUF_INIT;
	z_stream stream = {0};
	const char *at = data;

	while (at < data + size) {
		char *end;
		unsigned long chunk = strtoul(at, &end, 16);

		if (chunk == 0)
			break;
		cox_buf_add(&packed, end + 2, chunk);
		at = end + 2 + chunk + 2;
	}
	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	stream.next_in = (unsigned char *)packed.data;
	stream.avail_in = (unsigned)packed.size;
	stream.next_out = (unsigned char *)cox_buf_reserve(out, 1 << 20);
	stream.avail_out = 1 << 20;
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	cox_buf_added(out, stream.total_out);
	inflateEnd(&stream);
}

static void test_gzip(void **state)
{
	static const char *const refusals[] = {"identity", "gzip;q=0", "gzip; q=0.0", "br"};
	cox_autobuf out = COX_BUF_INIT, plain = COX_BUF_INIT;
	const char *body;
	char request[200];

	(void)state;
	open_server(&(struct http_config){.threads = 1, .gzip_loopback = true});
	assert_int_equal(
		peer_exchange(port,
			      "GET /big HTTP/1.1\r\nAccept-Encoding: br, gzip;q=0.5\r\n" HOST
			      "\r\n",
			      &out),
		0);
	assert_non_null(strstr(out.data, "Content-Encoding: gzip\r\n"));
	assert_non_null(strstr(out.data, "Vary: Accept-Encoding\r\n"));
	assert_true(out.size < 20000);
	body = strstr(out.data, "\r\n\r\n") + 4;
	unpack(body, (size_t)(out.data + out.size - body), &plain);
	assert_int_equal(plain.size, BIG_PIECES * BIG_PIECE);
	assert_int_equal(plain.data[plain.size - 1], 'a' + (BIG_PIECES - 1) % 26);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		snprintf(request, sizeof(request),
			 "GET /big HTTP/1.1\r\nAccept-Encoding: %s\r\n" HOST "\r\n", refusals[i]);
		assert_int_equal(peer_exchange(port, request, &out), 0);
		assert_non_null(strstr(out.data, "Content-Length: 300000\r\n"));
	}
	close_server();
	/* this host gets it plain */
	open_server(&(struct http_config){.threads = 1});
	peer_exchange(port, "GET /big HTTP/1.1\r\nAccept-Encoding: gzip\r\n" HOST "\r\n", &out);
	assert_non_null(strstr(out.data, "Content-Length: 300000\r\n"));
	close_server();
}

#define STATUS(message, reason, code)                                                              \
	"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","       \
	"\"message\":\"" message "\",\"reason\":\"" reason "\",\"code\":" code "}\n"

static void refused(const char *request, const char *message)
{
	char body[400];

	snprintf(body, sizeof(body), STATUS("%s", "BadRequest", "400"), message);
	expect(request, "HTTP/1.1 400 Bad Request\r\n", body);
}

static void test_ambiguous(void **state)
{
	static const char bad_escape[] = "the request path has a broken escape, a zero byte or "
					 "text that is not UTF-8";
	static const char library_refusal[] =
		"<html><head><title>Request malformed</title></head><body>Your HTTP request was "
		"syntactically incorrect.</body></html>";
	struct http_server_counts counts;
	cox_autobuf out = COX_BUF_INIT;

	(void)state;
	open_server(&(struct http_config){.threads = 2});
	refused("GET /a//b HTTP/1.1\r\n" HOST "\r\n", "the request path has an empty segment");
	refused("GET //a HTTP/1.1\r\n" HOST "\r\n", "the request path has an empty segment");
	refused("GET /a/../b HTTP/1.1\r\n" HOST "\r\n",
		"the request path has a \\\".\\\" or \\\"..\\\" segment");
	refused("GET /a/%2e%2E/b HTTP/1.1\r\n" HOST "\r\n",
		"the request path has a \\\".\\\" or \\\"..\\\" segment");
	refused("GET /a/. HTTP/1.1\r\n" HOST "\r\n",
		"the request path has a \\\".\\\" or \\\"..\\\" segment");
	refused("GET /a%2fb HTTP/1.1\r\n" HOST "\r\n", "the request path has an encoded slash");
	refused("GET /a%00b HTTP/1.1\r\n" HOST "\r\n", bad_escape);
	refused("GET /a%4 HTTP/1.1\r\n" HOST "\r\n", bad_escape);
	refused("GET /a%ff HTTP/1.1\r\n" HOST "\r\n", bad_escape);
	refused("GET http://a/b HTTP/1.1\r\n" HOST "\r\n",
		"the request target does not begin with \\\"/\\\"");
	refused("OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
		"the request target does not begin with \\\"/\\\"");
	refused("GET /a\\b HTTP/1.1\r\n" HOST "\r\n",
		"the request target has a character that must be encoded");
	refused("GET /?a=%zz HTTP/1.1\r\n" HOST "\r\n",
		"the request query has a broken escape, a zero byte or text that is not UTF-8");
	refused("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "the request has no Host header");
	refused("GET / HTTP/1.1\r\nHost: b\r\n" HOST "\r\n",
		"the request has more than one Host header");
	refused("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
		"the Host header has a character that is not allowed");
	refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab",
		"the request has more than one Content-Length header");
	refused("POST / HTTP/1.1\r\n" HOST
		"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"the request has both Content-Length and Transfer-Encoding");
	refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"the only Transfer-Encoding supported is chunked");
	refused("GET / HTTP/1.1\r\n" HOST "A(B): c\r\n\r\n",
		"a header name has a character that is not allowed");
	refused("GET / HTTP/1.1\r\n" HOST
		"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
		"the request has more than one Authorization header");
	/* these the library refuses by itself, in its own words */
	expect("GET / HTTP/1.1\r\n" HOST "A B: c\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n",
	       library_refusal);
	expect("GET / HTTP/1.1\r\n" HOST "Content-Length : 0\r\n\r\n",
	       "HTTP/1.1 400 Bad Request\r\n", library_refusal);
	assert_int_equal(
		peer_exchange(port, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1x\r\n\r\na", &out),
		0);
	assert_true(strncmp(out.data, "HTTP/1.1 400 Bad Request\r\n", 26) == 0);
	http_server_count(server, &counts);
	assert_int_equal(counts.refused, 21);
	assert_int_equal(counts.requests, 0);
	close_server();
}

static void test_too_big(void **state)
{
	static const char message[] =
		STATUS("Request entity too large", "RequestEntityTooLarge", "413");
	cox_autobuf out = COX_BUF_INIT;
	char *zeros = cox_calloc(1, 1 << 20);
	int fd;

	(void)state;
	open_server(&(struct http_config){.threads = 1, .body_bytes = 100000});
	/* told beforehand, and all of it sent before the answer is read */
	fd = peer_connect(port);
	peer_say(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n");
	peer_send(fd, zeros, 1 << 20);
	shutdown(fd, SHUT_WR);
	assert_int_equal(peer_read(fd, &out, NULL), 0);
	assert_non_null(strstr(cox_buf_cstr(&out), "HTTP/1.1 413 Content Too Large\r\n"));
	assert_non_null(strstr(cox_buf_cstr(&out), message));
	close(fd);
	/* found out on the way */
	cox_buf_clear(&out);
	fd = peer_connect(port);
	peer_say(fd, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n");
	peer_send(fd, zeros, 0x20000);
	assert_int_equal(peer_read(fd, &out, NULL), 0);
	assert_non_null(strstr(cox_buf_cstr(&out), message));
	close(fd);
	/* the limit itself is fine */
	cox_buf_clear(&out);
	fd = peer_connect(port);
	peer_say(fd, "POST /x HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n");
	memset(zeros, 'z', 100000);
	peer_send(fd, zeros, 100000);
	assert_int_equal(peer_read(fd, &out, NULL), 0);
	assert_non_null(strstr(cox_buf_cstr(&out), "|100000|zzzz"));
	close(fd);
	free(zeros);
	close_server();
}

static void test_all_bodies(void **state)
{
	cox_autobuf out = COX_BUF_INIT;
	char filler[60000];
	int first, second;

	(void)state;
	memset(filler, 'f', sizeof(filler));
	open_server(
		&(struct http_config){.threads = 1, .body_bytes = 100000, .body_total = 120000});
	first = peer_connect(port);
	peer_say(first, "POST /1 HTTP/1.1\r\n" HOST "Content-Length: 60001\r\n\r\n");
	peer_send(first, filler, sizeof(filler));
	/* nothing tells that the first has been read: the second is sent until it is */
	for (int i = 0; i < 1000; i++) {
		cox_buf_clear(&out);
		second = peer_connect(port);
		peer_say(second, "POST /2 HTTP/1.1\r\n" HOST "Content-Length: 60000\r\n\r\n");
		peer_send(second, filler, sizeof(filler));
		assert_int_equal(peer_read(second, &out, NULL), 0);
		close(second);
		if (strstr(out.data, "HTTP/1.1 429 "))
			break;
	}
	assert_non_null(strstr(out.data, "HTTP/1.1 429 Too Many Requests\r\n"));
	assert_non_null(strstr(out.data, "Retry-After: 1\r\n"));
	cox_buf_clear(&out);
	peer_say(first, "x");
	assert_int_equal(peer_read(first, &out, NULL), 0);
	assert_non_null(strstr(out.data, "POST /1|[1]||127.0.0.1|60001|"));
	close(first);
	close_server();
}

static void test_heads(void **state)
{
	cox_autobuf request = COX_BUF_INIT, out = COX_BUF_INIT;
	struct http_server_counts counts;

	(void)state;
	open_server(&(struct http_config){.threads = 1});
	/* a long token and a long path are fine */
	cox_buf_str(&request, "GET /");
	for (int i = 0; i < 6000; i++)
		cox_buf_char(&request, 'p');
	cox_buf_str(&request, " HTTP/1.1\r\n" HOST "Authorization: Bearer ");
	for (int i = 0; i < 16000; i++)
		cox_buf_char(&request, 't');
	cox_buf_str(&request, "\r\n\r\n");
	assert_int_equal(peer_exchange(port, request.data, &out), 0);
	assert_true(strncmp(out.data, "HTTP/1.1 200 OK\r\n", 17) == 0);
	/* more than the head may take is not */
	cox_buf_truncate(&request, request.size - 4);
	for (int i = 0; i < 60000; i++)
		cox_buf_char(&request, 't');
	cox_buf_str(&request, "\r\n\r\n");
	peer_exchange(port, request.data, &out);
	assert_true(out.size == 0 || strncmp(out.data, "HTTP/1.1 4", 10) == 0);
	http_server_count(server, &counts);
	assert_int_equal(counts.requests, 1);
	close_server();
}

static void test_continue(void **state)
{
	cox_autobuf out = COX_BUF_INIT;
	int fd;

	(void)state;
	open_server(&(struct http_config){.threads = 1, .body_bytes = 1000});
	fd = peer_connect(port);
	peer_say(fd,
		 "POST /c HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	assert_int_equal(peer_read(fd, &out, "HTTP/1.1 100 Continue\r\n\r\n"), 1);
	peer_say(fd, "abc");
	assert_int_equal(peer_read(fd, &out, NULL), 0);
	assert_non_null(strstr(out.data, "POST /c|[c]||127.0.0.1|3|abc"));
	close(fd);
	/* too big: refused before anything was sent */
	cox_buf_clear(&out);
	fd = peer_connect(port);
	peer_say(fd, "POST /c HTTP/1.1\r\n" HOST
		     "Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n");
	assert_int_equal(peer_read(fd, &out, NULL), 0);
	assert_true(strncmp(out.data, "HTTP/1.1 413 Content Too Large\r\n", 31) == 0);
	close(fd);
	close_server();
}

static uint64_t wait_for_cut(int fd)
{
	cox_autobuf out = COX_BUF_INIT;
	uint64_t begun = clock_monotonic();

	assert_int_equal(peer_read(fd, &out, NULL), 0);
	assert_int_equal(out.size, 0);
	close(fd);
	return (clock_monotonic() - begun) / CLOCK_MILLISECOND;
}

static void test_slow(void **state)
{
	struct http_server_counts counts;
	cox_autobuf out = COX_BUF_INIT;
	int fd;

	(void)state;
	open_server(&(struct http_config){.threads = 1,
					  .head_time = 400 * CLOCK_MILLISECOND,
					  .body_time = 600 * CLOCK_MILLISECOND});
	fd = peer_connect(port); /* says nothing */
	assert_in_range(wait_for_cut(fd), 300, 10000);
	fd = peer_connect(port); /* half a head */
	peer_say(fd, "GET / HTTP/1.1\r\nHost");
	assert_in_range(wait_for_cut(fd), 300, 10000);
	fd = peer_connect(port); /* half a body */
	peer_say(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
	assert_in_range(wait_for_cut(fd), 500, 10000);
	/* a good request, then half a head on the same connection */
	fd = peer_connect(port);
	peer_say(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(peer_read(fd, &out, "|127.0.0.1|0|"), 1);
	poll(NULL, 0, 700); /* idle longer than a head may take: nothing happens */
	peer_say(fd, "GE");
	assert_in_range(wait_for_cut(fd), 300, 10000);
	http_server_count(server, &counts);
	assert_int_equal(counts.cut, 4);
	close_server();
}

static void test_keep_alive(void **state)
{
	struct http_server_counts counts;
	int fd;

	(void)state;
	open_server(&(struct http_config){.threads = 2});
	fd = peer_connect(port);
	for (int i = 0; i < 50; i++) {
		static const char *const paths[] = {"/x", "/late", "/lines", "/big"};
		static const char *const ends[] = {"|127.0.0.1|0|", "late 1\n",
						   "line 1\n\r\n0\r\n\r\n", NULL};
		cox_autobuf out = COX_BUF_INIT;
		char request[100], end[BIG_PIECE + 1];

		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
			 paths[i % 4]);
		memset(end, 'a' + (BIG_PIECES - 1) % 26, BIG_PIECE);
		end[BIG_PIECE] = '\0';
		peer_say(fd, request);
		assert_int_equal(peer_read(fd, &out, ends[i % 4] ? ends[i % 4] : end), 1);
	}
	http_server_count(server, &counts);
	assert_int_equal(counts.accepted, 1);
	assert_int_equal(counts.requests, 50);
	assert_int_equal(counts.connections, 1);
	close(fd);
	close_server();
}

static void answer_held(void)
{
	http_respond_text(atomic_exchange(&held, NULL), 200, "text/plain", "held\n", 5);
}

static void test_gone(void **state)
{
	struct http_server_counts counts;
	cox_autobuf out = COX_BUF_INIT;
	int fd;

	(void)state;
	open_server(&(struct http_config){.threads = 1});
	atomic_store(&gone, 0);
	fd = peer_connect(port);
	peer_say(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_wait(atomic_load(&held));
	http_server_count(server, &counts);
	assert_int_equal(counts.deferred, 1);
	close(fd);
	peer_wait(atomic_load(&gone) == 1);
	answer_held();
	peer_wait((http_server_count(server, &counts), counts.connections == 0));
	assert_int_equal(atomic_load(&gone), 1);
	/* and one who stays gets the answer */
	fd = peer_connect(port);
	peer_say(fd, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
	peer_wait(atomic_load(&held));
	poll(NULL, 0, 600); /* the sweeper looks, and finds it there */
	answer_held();
	assert_int_equal(peer_read(fd, &out, NULL), 0);
	assert_non_null(strstr(out.data, "\r\n\r\nheld\n"));
	assert_int_equal(atomic_load(&gone), 1);
	close(fd);
	close_server();
}

static void *close_in_thread(void *context)
{
	(void)context;
	close_server();
	return NULL;
}

static void test_close(void **state)
{
	cox_autobuf out = COX_BUF_INIT;
	int idle, waiting, fd;
	pthread_t closer;

	(void)state;
	open_server(&(struct http_config){.threads = 2});
	atomic_store(&gone, 0);
	idle = peer_connect(port);
	peer_say(idle, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(peer_read(idle, &out, "|127.0.0.1|0|"), 1);
	waiting = peer_connect(port);
	peer_say(waiting, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_wait(atomic_load(&held));
	http_server_quiesce(server);
	fd = peer_connect(port);
	assert_int_equal(fd, -1);
	assert_int_equal(errno, ECONNREFUSED);
	pthread_create(&closer, NULL, close_in_thread, NULL);
	peer_wait(atomic_load(&gone) == 1);
	/* the idle one ends; the waiting one is answered, and told that it was the last */
	cox_buf_clear(&out);
	assert_int_equal(peer_read(idle, &out, NULL), 0);
	answer_held();
	cox_buf_clear(&out);
	assert_int_equal(peer_read(waiting, &out, NULL), 0);
	assert_non_null(strstr(out.data, "\r\n\r\nheld\n"));
	assert_non_null(strstr(out.data, "Connection: close\r\n"));
	pthread_join(closer, NULL);
	close(idle);
	close(waiting);
}

static void test_listen(void **state)
{
	char path[] = "/tmp/cox-http-XXXXXX", address[100];
	struct http_listen where[2] = {{.address = address}, {.address = "::1"}};
	struct http_config config = {.listens = where,
				     .listen_count = 2,
				     .threads = 1,
				     .handler = handle,
				     .context = &held};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	cox_autobuf out = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(path));
	snprintf(address, sizeof(address), "unix:%s/s", path);
	memcpy(un.sun_path, address + 5, strlen(address + 5));
	server = http_server_open(&config, &err);
	if (!server)
		fail_msg("%s", error_text(&err));
	assert_int_equal(http_server_port(server, 0), 0);
	assert_true(http_server_port(server, 1) > 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	peer_say(fd, "GET /u HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(peer_read(fd, &out, NULL), 0);
	assert_non_null(strstr(cox_buf_cstr(&out), "GET /u|[u]||@|0|"));
	close(fd);
	close_server();
	assert_int_equal(access(un.sun_path, F_OK), -1);
	assert_int_equal(rmdir(path), 0);

	where[0].address = "localhost";
	assert_null(http_server_open(&config, &err));
	assert_string_equal(error_text(&err),
			    "listen on \"localhost\": neither an IP address nor unix:/path");
}

static int start_workers(void **state)
{
	struct workers_config config = {.name = "test", .threads = 2, .queue = 100};

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	workers = workers_open(&config, NULL);
	return workers ? 0 : -1;
}

static int stop_workers(void **state)
{
	(void)state;
	workers_close(workers);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers), cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_gzip),	cmocka_unit_test(test_ambiguous),
		cmocka_unit_test(test_too_big), cmocka_unit_test(test_all_bodies),
		cmocka_unit_test(test_heads),	cmocka_unit_test(test_continue),
		cmocka_unit_test(test_slow),	cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_gone),	cmocka_unit_test(test_close),
		cmocka_unit_test(test_listen),
	};

	return cmocka_run_group_tests_name("http", tests, start_workers, stop_workers);
}
