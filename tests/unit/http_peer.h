/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client made of bare sockets for the tests of the HTTP server: it sends
 * exactly the bytes it is told to, and reads with a deadline.
 */
#ifndef COX_TESTS_HTTP_PEER_H
#define COX_TESTS_HTTP_PEER_H

#include "base/clock.h"

#include <arpa/inet.h>
#include <coxswain/kit/buf.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PEER_PATIENCE = 20 }; /* seconds */

static inline int peer_connect(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* -1 if the other side does not take them. */
static inline int peer_send(int fd, const void *data, size_t size)
{
	while (size) {
		ssize_t done = send(fd, data, size, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		data = (const char *)data + done;
		size -= (size_t)done;
	}
	return 0;
}

static inline int peer_say(int fd, const char *text)
{
	return peer_send(fd, text, strlen(text));
}

/*
 * Reads until the text `until` was seen (NULL: until the end). 1: seen; 0: the
 * end came; -1: a reset, or nothing more within the deadline.
 */
static inline int peer_read(int fd, struct cox_buf *out, const char *until)
{
	uint64_t deadline = clock_monotonic() + PEER_PATIENCE * CLOCK_SECOND;

	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		uint64_t now = clock_monotonic();
		ssize_t size;

		if (until && out->size && memmem(out->data, out->size, until, strlen(until)))
			return 1;
		if (now >= deadline ||
		    poll(&poll_fd, 1, (int)((deadline - now) / CLOCK_MILLISECOND) + 1) <= 0)
			return -1;
		size = recv(fd, cox_buf_reserve(out, 65536), 65536, 0);
		if (size < 0 && errno == EINTR)
			continue;
		if (size <= 0)
			return size == 0 ? 0 : -1;
		cox_buf_added(out, (size_t)size);
	}
}

/* One request on a connection of its own, all that came back; -1 as above. */
static inline int peer_exchange(uint16_t port, const char *request, struct cox_buf *out)
{
	int fd = peer_connect(port), result;

	cox_buf_clear(out);
	if (fd < 0)
		return -1;
	peer_say(fd, request);
	result = peer_read(fd, out, NULL);
	close(fd);
	return result;
}

/* Waits for a condition that other threads bring about. */
#define peer_wait(condition)                                                                       \
	do {                                                                                       \
		uint64_t peer_deadline = clock_monotonic() + PEER_PATIENCE * CLOCK_SECOND;         \
		while (!(condition) && clock_monotonic() < peer_deadline)                          \
			poll(NULL, 0, 5);                                                          \
		assert_true(condition);                                                            \
	} while (0)

#endif
