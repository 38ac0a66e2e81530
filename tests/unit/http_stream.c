/* SPDX-License-Identifier: Apache-2.0 */
/* Connections taken over: framing, bounds, ends of all kinds, many at a time. */
#include "unit.h"

#include "net/server.h"
#include "http_peer.h"

#include <coxswain/kit/alloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static struct http_server *server;
static uint16_t port;
static struct http_stream *_Atomic held; /* the newest of /hold */
static struct http_request *_Atomic deferred;
static _Atomic int opened, closed, completed, writables, released;
static _Atomic size_t input_bytes;

static void on_closed(struct http_stream *stream, void *context, bool complete)
{
	if (complete)
		atomic_fetch_add(&completed, 1);
	/* otherwise the opener goes on using it, and releases it */
	if (context != &opened && stream != atomic_load(&held))
		http_stream_release(stream);
	atomic_fetch_add(&closed, 1);
}

static void on_writable(struct http_stream *stream, void *context)
{
	(void)stream;
	(void)context;
	atomic_fetch_add(&writables, 1);
}

static void on_input(struct http_stream *stream, void *context, const void *data, size_t size)
{
	(void)context;
	atomic_fetch_add(&input_bytes, size);
	if (http_stream_copy(stream, data, size) != 0)
		http_stream_abort(stream);
}

static const struct http_stream_callbacks callbacks = {
	.writable = on_writable, .input = on_input, .closed = on_closed};

/* Writes `left` lines, one more each time there is room. */
struct pump {
	int left;
};

static void pump_writable(struct http_stream *stream, void *context)
{
	struct pump *pump = context;
	char line[32];

	while (pump->left > 0) {
		int size = snprintf(line, sizeof(line), "line %d\n", pump->left);

		if (http_stream_copy(stream, line, (size_t)size) != 0)
			return;
		pump->left--;
	}
	http_stream_end(stream);
}

static void pump_closed(struct http_stream *stream, void *context, bool complete)
{
	free(context);
	on_closed(stream, NULL, complete);
}

static const struct http_stream_callbacks pump_callbacks = {.writable = pump_writable,
							    .closed = pump_closed};

static void start_pump(struct http_request *request)
{
	struct http_response head = {.status = 200, .content_type = "text/plain"};
	struct pump *pump = cox_new(struct pump);

	pump->left = 20000;
	http_stream_open(request, &head, &pump_callbacks, pump);
}

static void handle(struct http_request *request)
{
	/* the head may lie in the request's own arena */
	struct http_header header = {"X-Test", arena_strdup(&request->arena, "yes")};
	struct http_response head = {.status = 200,
				     .content_type = "application/json",
				     .headers = &header,
				     .header_count = 1};
	const char *first = request->segment_count ? request->segments[0] : "";
	struct http_stream *stream;

	if (strcmp(first, "defer") == 0) {
		http_defer(request, NULL, NULL);
		atomic_store(&deferred, request);
	} else if (strcmp(first, "pump") == 0) {
		start_pump(request);
	} else if (strcmp(first, "up") == 0) {
		header = (struct http_header){"Upgrade", "echo"};
		head.status = 101;
		head.content_type = NULL;
		atomic_store(&held, http_stream_open(request, &head, &callbacks, NULL));
		atomic_fetch_add(&opened, 1);
	} else if (strcmp(first, "hold") == 0) {
		atomic_store(&held, http_stream_open(request, &head, &callbacks, NULL));
		atomic_fetch_add(&opened, 1);
	} else {
		stream = http_stream_open(request, &head, &callbacks, &opened);
		http_stream_copy(stream, "one\n", 4);
		http_stream_copy(stream, "", 0);
		http_stream_copy(stream, "three\n", 6);
		http_stream_end(stream);
		assert_int_equal(http_stream_copy(stream, "no", 2), -1);
		http_stream_release(stream);
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
	config.threads = config.threads ? config.threads : 2;
	server = http_server_open(&config, &err);
	if (!server)
		fail_msg("%s", error_text(&err));
	port = http_server_port(server, 0);
	atomic_store(&opened, 0);
	atomic_store(&closed, 0);
	atomic_store(&completed, 0);
	atomic_store(&writables, 0);
	atomic_store(&input_bytes, 0);
}

static void close_server(void)
{
	http_server_close(server, 2 * CLOCK_SECOND);
	server = NULL;
}

static struct http_stream *hold(const char *request, int *fd, int count)
{
	*fd = peer_connect(port);
	assert_true(*fd >= 0);
	peer_say(*fd, request);
	peer_wait(atomic_load(&opened) == count);
	return atomic_load(&held);
}

static void release_held(void)
{
	http_stream_release(atomic_exchange(&held, NULL));
}

static void test_framing(void **state)
{
	cox_autobuf out = COX_BUF_INIT;

	(void)state;
	open_server(&(struct http_config){0});
	assert_int_equal(peer_exchange(port, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", &out), 0);
	assert_true(strncmp(out.data, "HTTP/1.1 200 OK\r\nDate: ", 23) == 0);
	assert_non_null(strstr(out.data, " GMT\r\nContent-Type: application/json\r\nX-Test: yes\r\n"
					 "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
					 "4\r\none\n\r\n6\r\nthree\n\r\n0\r\n\r\n"));
	assert_int_equal(peer_exchange(port, "GET /a HTTP/1.0\r\n\r\n", &out), 0);
	assert_true(strncmp(out.data, "HTTP/1.0 200 OK\r\n", 17) == 0);
	assert_non_null(strstr(out.data, "Connection: close\r\n\r\none\nthree\n"));
	assert_null(strstr(out.data, "chunked"));
	assert_int_equal(peer_exchange(port, "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n", &out), 0);
	assert_string_equal(out.data + out.size - 32, "\r\nTransfer-Encoding: chunked\r\n\r\n");
	peer_wait(atomic_load(&completed) == 3);
	close_server();
}

static void test_pump(void **state)
{
	cox_autobuf out = COX_BUF_INIT;

	(void)state;
	/* the queue is small: the lines go out in many rounds of "writable" */
	open_server(&(struct http_config){.stream_queue = 3000, .stream_threads = 1});
	assert_int_equal(peer_exchange(port, "GET /pump HTTP/1.0\r\n\r\n", &out), 0);
	assert_non_null(strstr(out.data, "\r\n\r\nline 20000\nline 19999\n"));
	assert_string_equal(out.data + out.size - 14, "line 2\nline 1\n");
	peer_wait(atomic_load(&completed) == 1);
	close_server();
}

static void test_from_other_thread(void **state)
{
	struct http_response head = {.status = 200};
	cox_autobuf out = COX_BUF_INIT;
	struct http_stream *stream;
	int fd, seen;

	(void)state;
	open_server(&(struct http_config){0});
	fd = peer_connect(port);
	peer_say(fd, "GET /defer HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_wait(atomic_load(&deferred));
	stream = http_stream_open(atomic_exchange(&deferred, NULL), &head, &callbacks, NULL);
	atomic_store(&held, stream);
	assert_int_equal(http_stream_copy(stream, "first", 5), 0);
	assert_int_equal(peer_read(fd, &out, "5\r\nfirst\r\n"), 1);
	/* the head left, or the head with the text; then the wake */
	seen = atomic_load(&writables);
	http_stream_wake(stream);
	peer_wait(atomic_load(&writables) > seen);
	http_stream_end(stream);
	assert_int_equal(peer_read(fd, &out, NULL), 0);
	assert_string_equal(out.data + out.size - 15, "5\r\nfirst\r\n0\r\n\r\n");
	peer_wait(atomic_load(&closed) == 1);
	assert_int_equal(http_stream_copy(stream, "late", 4), -1);
	release_held();
	close(fd);
	close_server();
}

static void test_hang_up(void **state)
{
	struct http_server_counts counts;
	uint64_t begun;
	int fd;

	(void)state;
	open_server(&(struct http_config){0});
	hold("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n", &fd, 1);
	begun = clock_monotonic();
	close(fd);
	peer_wait(atomic_load(&closed) == 1);
	/* by an event, not by looking now and then */
	assert_in_range((clock_monotonic() - begun) / CLOCK_MILLISECOND, 0, 200);
	assert_int_equal(atomic_load(&completed), 0);
	peer_wait((http_server_count(server, &counts), counts.connections == 0));
	assert_int_equal(http_stream_copy(atomic_load(&held), "x", 1), -1);
	release_held();
	close_server();
}

static void test_abort(void **state)
{
	cox_autobuf out = COX_BUF_INIT;
	struct http_stream *stream;
	int fd;

	(void)state;
	open_server(&(struct http_config){0});
	stream = hold("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n", &fd, 1);
	assert_int_equal(http_stream_copy(stream, "half", 4), 0);
	assert_int_equal(peer_read(fd, &out, "4\r\nhalf\r\n"), 1);
	http_stream_abort(stream);
	peer_read(fd, &out, NULL);
	assert_string_equal(out.data + out.size - 9, "4\r\nhalf\r\n"); /* no last chunk */
	peer_wait(atomic_load(&closed) == 1);
	assert_int_equal(atomic_load(&completed), 0);
	release_held();
	close(fd);
	close_server();
}

static void count_release(void *owner)
{
	(void)owner;
	atomic_fetch_add(&released, 1);
}

static void test_full(void **state)
{
	static char block[65536];
	struct http_piece piece = {.data = block, .size = sizeof(block), .release = count_release};
	struct http_stream *stream;
	cox_autobuf out = COX_BUF_INIT;
	int fd, accepted = 0;

	(void)state;
	memset(block, 'b', sizeof(block));
	open_server(&(struct http_config){.stream_queue = 1 << 20});
	stream = hold("GET /hold HTTP/1.0\r\n\r\n", &fd, 1);
	/* a client that does not read: the socket fills, then the queue */
	atomic_store(&released, 0);
	peer_wait(atomic_load(&writables) == 1); /* the head */

	while (accepted < 10000 && http_stream_write(stream, &piece) == 0)
		accepted++;
	assert_in_range(accepted, 16, 9999);
	assert_in_range(http_stream_queued(stream), 1 << 20, (1 << 20) + sizeof(block));
	/* now it reads: everything comes, once each, and there is room again */
	http_stream_end(stream);
	assert_int_equal(peer_read(fd, &out, NULL), 0);
	assert_int_equal(out.data + out.size - (strstr(out.data, "\r\n\r\n") + 4),
			 (size_t)accepted * sizeof(block));
	peer_wait(atomic_load(&closed) == 1);
	assert_int_equal(atomic_load(&released), accepted + 1);
	release_held();
	close(fd);
	close_server();
}

static void test_upgrade(void **state)
{
	cox_autobuf out = COX_BUF_INIT;
	struct http_stream *stream;
	int fd;

	(void)state;
	open_server(&(struct http_config){0});
	stream = hold("GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
		      &fd, 1);
	assert_int_equal(peer_read(fd, &out, "\r\n\r\n"), 1);
	assert_non_null(strstr(out.data, "HTTP/1.1 101 Switching Protocols\r\n"));
	assert_non_null(strstr(out.data, "Upgrade: echo\r\nConnection: Upgrade\r\n\r\n"));
	peer_say(fd, "hello");
	assert_int_equal(peer_read(fd, &out, "\r\n\r\nhello"), 1);
	/* paused: what comes waits in the socket */
	http_stream_pause(stream, true);
	peer_wait(atomic_load(&writables) == 2); /* the head, and the echo */
	http_stream_wake(stream);
	peer_wait(atomic_load(&writables) == 3);
	peer_say(fd, "waits");
	poll(NULL, 0, 100);
	assert_int_equal(atomic_load(&input_bytes), 5);
	http_stream_pause(stream, false);
	assert_int_equal(peer_read(fd, &out, "hellowaits"), 1);
	close(fd);
	peer_wait(atomic_load(&closed) == 1);
	release_held();
	close_server();
}

enum { MANY = 1000 };

static void test_many(void **state)
{
	static int fds[MANY];
	static struct http_stream *streams[MANY];
	struct http_server_counts counts;

	(void)state;
	open_server(&(struct http_config){0});
	for (int i = 0; i < MANY; i++)
		streams[i] = hold("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n", &fds[i], i + 1);
	atomic_store(&held, NULL);
	http_server_count(server, &counts);
	assert_int_equal(counts.streams, MANY);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < MANY; i++)
			assert_int_equal(http_stream_copy(streams[i], "event\n", 6), 0);
	for (int i = 0; i < MANY; i++) {
		cox_autobuf out = COX_BUF_INIT;

		assert_int_equal(
			peer_read(fds[i], &out, "6\r\nevent\n\r\n6\r\nevent\n\r\n6\r\nevent\n\r\n"),
			1);
		if (i % 2)
			close(fds[i]);
	}
	peer_wait(atomic_load(&closed) == MANY / 2);
	/* the server ends the others properly */
	close_server();
	assert_int_equal(atomic_load(&closed), MANY);
	assert_int_equal(atomic_load(&completed), MANY / 2);
	for (int i = 0; i < MANY; i += 2) {
		cox_autobuf out = COX_BUF_INIT;

		assert_int_equal(peer_read(fds[i], &out, NULL), 0);
		assert_string_equal(out.data, "0\r\n\r\n");
		close(fds[i]);
	}
}

static int ignore_pipe(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_pump),
		cmocka_unit_test(test_from_other_thread),
		cmocka_unit_test(test_hang_up),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("http stream", tests, ignore_pipe, NULL);
}
