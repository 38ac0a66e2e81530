/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gRPC health check against a server that speaks HTTP/2 frame by frame, so
 * that everything a real one may do is done: settings, pings, padding, pieces.
 */
#include "unit.h"

#include "base/clock.h"
#include "kubelet/grpc.h"

#include <arpa/inet.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct server {
	int fd;
	uint16_t port;
	const char *answer;
	size_t answer_size;
	bool slow; /* a byte at a time */
	struct cox_buf got;
	pthread_t thread;
} server;

/* Whether the request is whole: a DATA frame that ends stream 1. */
static bool is_whole(void)
{
	const uint8_t *at = (const uint8_t *)server.got.data;
	size_t left = server.got.size;

	if (left < 24)
		return false;
	for (at += 24, left -= 24; left >= 9;) {
		size_t size = (size_t)(at[0] << 16 | at[1] << 8 | at[2]) + 9;

		if (size > left)
			return false;
		if (at[3] == 0 && at[4] & 1 && at[8] == 1)
			return true;
		at += size;
		left -= size;
	}
	return false;
}

static void *serve(void *context)
{
	int fd = accept(server.fd, NULL, NULL);
	ssize_t got = 1;

	(void)context;
	while (got > 0 && !is_whole()) {
		got = recv(fd, cox_buf_reserve(&server.got, 4096), 4096, 0);
		if (got > 0)
			cox_buf_added(&server.got, (size_t)got);
	}
	for (size_t i = 0; server.slow && i < server.answer_size; i++) {
		if (send(fd, server.answer + i, 1, MSG_NOSIGNAL) != 1)
			break;
		usleep(200);
	}
	if (!server.slow && server.answer_size)
		assert_int_equal(send(fd, server.answer, server.answer_size, MSG_NOSIGNAL),
				 server.answer_size);
	/* The client hangs up first. */
	shutdown(fd, SHUT_WR);
	while (recv(fd, cox_buf_reserve(&server.got, 4096), 4096, 0) > 0)
		;
	close(fd);
	return NULL;
}

static void start(const char *answer, size_t size, bool slow)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t room = sizeof(address);

	memset(&server, 0, sizeof(server));
	server.answer = answer;
	server.answer_size = size;
	server.slow = slow;
	server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server.fd, 1), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&address, &room), 0);
	server.port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void stop(void)
{
	pthread_join(server.thread, NULL);
	close(server.fd);
	cox_buf_free(&server.got);
}

static void expect(int outcome, const char *message)
{
	cox_autobuf output = COX_BUF_INIT;
	int found = grpc_check("127.0.0.1", server.port, "shop",
			       clock_monotonic() + 5 * CLOCK_SECOND, &output);

	assert_string_equal(cox_buf_cstr(&output), message);
	assert_int_equal(found, outcome);
}

#define SETTINGS "\0\0\6\4\0\0\0\0\0\0\3\0\0\0\144"
#define SETTINGS_ACK "\0\0\0\4\1\0\0\0\0"
#define PING "\0\0\10\6\0\0\0\0\0ABCDEFGH"
#define HEADERS "\0\0\1\1\4\0\0\0\1\210" /* :status 200 */
#define TRAILERS "\0\0\1\1\5\0\0\0\1\210"
#define WINDOW "\0\0\4\10\0\0\0\0\0\0\1\0\0"
#define MESSAGE(status) "\0\0\7\0\0\0\0\0\1\0\0\0\0\2\10" status
#define ANSWER(text) text, sizeof(text) - 1

static void test_serving(void **state)
{
	static const char request[] = "\xa\4shop";

	(void)state;
	start(ANSWER(SETTINGS SETTINGS_ACK WINDOW HEADERS PING MESSAGE("\1") TRAILERS), false);
	expect(0, "");
	/* What was asked: the preface, and the name of the service in a message. */
	assert_memory_equal(server.got.data, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	assert_non_null(memmem(server.got.data, server.got.size, request, 6));
	assert_non_null(
		memmem(server.got.data, server.got.size, "/grpc.health.v1.Health/Check", 28));
	stop();
	start(ANSWER(SETTINGS HEADERS MESSAGE("\1") TRAILERS), true);
	expect(0, "");
	stop();
	/* One byte of padding length, three of padding. */
	start(ANSWER(SETTINGS HEADERS "\0\0\13\0\11\0\0\0\1\3\0\0\0\0\2\10\1\0\0\0"), false);
	expect(0, "");
	stop();
}

static void test_not_serving(void **state)
{
	(void)state;
	start(ANSWER(SETTINGS HEADERS MESSAGE("\2") TRAILERS), false);
	expect(1, "service unhealthy (responded with \"NOT_SERVING\")");
	stop();
	start(ANSWER(SETTINGS HEADERS "\0\0\5\0\0\0\0\0\1\0\0\0\0\0" TRAILERS), false);
	expect(1, "service unhealthy (responded with \"UNKNOWN\")");
	stop();
	start(ANSWER(SETTINGS TRAILERS), false);
	expect(1, "error: this server does not implement the grpc health protocol "
		  "(grpc.health.v1.Health), or does not know the service");
	stop();
}

static void test_broken(void **state)
{
	static const char late[] = "error: health rpc did not complete in time, or the server "
				   "closed the connection";
	cox_autobuf output = COX_BUF_INIT;

	(void)state;
	start(ANSWER("HTTP/1.1 400 Bad Request\r\n\r\n"), false);
	expect(1, late);
	stop();
	start(ANSWER(SETTINGS "\0\0\4\3\0\0\0\0\1\0\0\0\7"), false); /* RST_STREAM */
	expect(1, late);
	stop();
	start(ANSWER(SETTINGS HEADERS "\0\0\2\0\11\0\0\0\1\11\0"),
	      false); /* more padding than frame */
	expect(1, late);
	stop();
	start(NULL, 0, false);
	expect(1, late);
	stop();
	assert_int_equal(grpc_check("127.0.0.1", 1, "", clock_monotonic() + CLOCK_SECOND, &output),
			 1);
	assert_non_null(strstr(cox_buf_cstr(&output), "failed to connect service"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_serving),
					   cmocka_unit_test(test_not_serving),
					   cmocka_unit_test(test_broken)};

	return cmocka_run_group_tests_name("grpc", tests, NULL, NULL);
}
