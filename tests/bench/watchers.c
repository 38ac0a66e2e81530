/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many watches of one collection of an API server, as 5,000 kubelets hold them:
 * opens them, changes one object again and again, and counts what arrives.
 *
 *   watchers PORT WATCHES CHANGES
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAPS "/api/v1/namespaces/default/configmaps"

enum { WAIT_MS = 20000 };

static uint16_t port;

static void give_up(const char *what)
{
	fprintf(stderr, "watchers: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int connected(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		give_up("connect");
	return fd;
}

static void send_all(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		give_up("send");
}

/* One request with a body on a connection that stays; the answer is read away. */
static void change(int fd, const char *method, const char *path, int value)
{
	char body[256], request[512], answer[8192];

	snprintf(body, sizeof(body),
		 "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"bench\"},"
		 "\"data\":{\"n\":\"%d\"}}",
		 value);
	snprintf(request, sizeof(request),
		 "%s %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
		 "Content-Length: %zu\r\n\r\n%s",
		 method, path, strlen(body), body);
	send_all(fd, request);
	if (recv(fd, answer, sizeof(answer), 0) <= 0)
		give_up("answer");
}

/* Events that came in on `epoll` until `wanted` are there, or too long nothing. */
static size_t count_events(int epoll, size_t wanted)
{
	static char room[65536];
	struct epoll_event ready[256];
	size_t found = 0;

	while (found < wanted) {
		int count = epoll_wait(epoll, ready, 256, WAIT_MS);

		if (count <= 0)
			break;
		for (int i = 0; i < count; i++) {
			ssize_t size = recv(ready[i].data.fd, room, sizeof(room), MSG_DONTWAIT);

			/* Each event has its type once. */
			for (const char *at = room; size > 0 && at < room + size; at++) {
				at = memmem(at, (size_t)(room + size - at), "{\"type\":", 8);
				if (!at)
					break;
				found++;
			}
		}
	}
	return found;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	int epoll = epoll_create1(EPOLL_CLOEXEC), writer;
	int watches = argc > 3 ? atoi(argv[2]) : 0, changes = argc > 3 ? atoi(argv[3]) : 0;
	double begin, spent;
	size_t found;

	if (watches <= 0 || changes <= 0) {
		fprintf(stderr, "usage: watchers PORT WATCHES CHANGES\n");
		return 2;
	}
	port = (uint16_t)atoi(argv[1]);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	writer = connected();
	change(writer, "POST", MAPS, -1);
	for (int i = 0; i < watches; i++) {
		struct epoll_event event = {.events = EPOLLIN};

		event.data.fd = connected();
		send_all(event.data.fd,
			 "GET " MAPS "?watch=true&fieldSelector=metadata.name%3Dbench HTTP/1.1\r\n"
			 "Host: a\r\n\r\n");
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event) != 0)
			give_up("epoll");
	}
	found = count_events(epoll, (size_t)watches); /* the present state */
	if (found != (size_t)watches) {
		fprintf(stderr, "watchers: only %zu of %d watches began\n", found, watches);
		return 1;
	}
	begin = now();
	for (int i = 0; i < changes; i++) {
		change(writer, "PUT", MAPS "/bench", i);
		found = count_events(epoll, (size_t)watches);
		if (found != (size_t)watches) {
			fprintf(stderr, "watchers: only %zu of %d events came\n", found, watches);
			return 1;
		}
	}
	spent = now() - begin;
	printf("%.1f k/s\n", (double)watches * changes / spent / 1000);
	return 0;
}
