/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many watches of one collection of an API server, as 5,000 kubelets hold them:
 * opens them, changes one object again and again, and counts what arrives. What
 * the server's process PID takes for each watch that waits is read before that.
 *
 *   watchers PORT WATCHES CHANGES PID [SECURE-PORT TOKEN [SHARED]]
 *
 * With the next two the watches are over TLS, and with the last one SHARED of
 * them have one HTTP/2 connection; changes are made on the plain port.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <stdbool.h>
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

/* A connection with a watch, or with several. */
struct watch {
	int fd;
	gnutls_session_t session; /* NULL: plain */
	nghttp2_session *http;	  /* NULL: HTTP/1.1 */
	size_t found;		  /* of HTTP/2: events in what was read last */
};

static gnutls_certificate_credentials_t credentials;

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

static int connected(uint16_t port)
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

static void begin_tls(struct watch *watch, bool http2)
{
	static unsigned char name[] = "h2";
	const gnutls_datum_t protocol = {name, 2};
	int result;

	if (gnutls_init(&watch->session, GNUTLS_CLIENT) ||
	    gnutls_set_default_priority(watch->session) ||
	    (http2 && gnutls_alpn_set_protocols(watch->session, &protocol, 1, 0)) ||
	    gnutls_credentials_set(watch->session, GNUTLS_CRD_CERTIFICATE, credentials))
		give_up("gnutls");
	gnutls_transport_set_int(watch->session, watch->fd);
	do {
		result = gnutls_handshake(watch->session);
	} while (result < 0 && !gnutls_error_is_fatal(result));
	if (result < 0) {
		fprintf(stderr, "watchers: TLS: %s\n", gnutls_strerror(result));
		exit(1);
	}
}

static void begin_watch(struct watch *watch, uint16_t port, const char *token)
{
	char request[512];

	watch->fd = connected(port);
	snprintf(request, sizeof(request),
		 "GET " MAPS "?watch=true&fieldSelector=metadata.name%%3Dbench HTTP/1.1\r\n"
		 "Host: a\r\n%s%s%s\r\n",
		 token ? "Authorization: Bearer " : "", token ? token : "", token ? "\r\n" : "");
	if (!token) {
		send_all(watch->fd, request);
		return;
	}
	begin_tls(watch, false);
	if (gnutls_record_send(watch->session, request, strlen(request)) <= 0)
		give_up("send");
	/* From here on only what is there is read. */
	if (fcntl(watch->fd, F_SETFL, O_NONBLOCK) != 0)
		give_up("fcntl");
}

static ssize_t hear(struct watch *watch, char *room, size_t size)
{
	if (watch->session)
		return gnutls_record_recv(watch->session, room, size);
	return recv(watch->fd, room, size, MSG_DONTWAIT);
}

/* Each event has its type once. */
static size_t count_types(const char *room, ssize_t size)
{
	size_t found = 0;

	for (const char *at = room; size > 0 && at < room + size; at++) {
		at = memmem(at, (size_t)(room + size - at), "{\"type\":", 8);
		if (!at)
			break;
		found++;
	}
	return found;
}

static void say_frames(struct watch *watch)
{
	const uint8_t *data;
	ssize_t size;

	while ((size = nghttp2_session_mem_send(watch->http, &data)) > 0)
		if (gnutls_record_send(watch->session, data, (size_t)size) != size)
			give_up("send");
}

static int count_data(nghttp2_session *http, uint8_t flags, int32_t id, const uint8_t *data,
		      size_t size, void *context)
{
	struct watch *watch = context;

	(void)http;
	(void)flags;
	(void)id;
	watch->found += count_types((const char *)data, (ssize_t)size);
	return 0;
}

#define FIELD(name, value)                                                                         \
	{                                                                                          \
		(uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name),         \
			strlen(value), NGHTTP2_NV_FLAG_NONE                                        \
	}

/* So many watches on one connection. */
static void begin_shared(struct watch *watch, uint16_t port, const char *token, int count)
{
	char authorization[256];
	nghttp2_session_callbacks *callbacks;
	const nghttp2_nv fields[] = {
		FIELD(":method", "GET"), FIELD(":scheme", "https"), FIELD(":authority", "a"),
		FIELD(":path", MAPS "?watch=true&fieldSelector=metadata.name%3Dbench"),
		FIELD("authorization", authorization)};
	nghttp2_nv own[5];

	snprintf(authorization, sizeof(authorization), "Bearer %s", token);
	memcpy(own, fields, sizeof(own));
	own[4].valuelen = strlen(authorization);
	watch->fd = connected(port);
	begin_tls(watch, true);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, count_data);
	if (nghttp2_session_client_new(&watch->http, callbacks, watch))
		give_up("nghttp2");
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(watch->http, 0, NULL, 0);
	for (int i = 0; i < count; i++)
		nghttp2_submit_request(watch->http, NULL, own, 5, NULL, NULL);
	say_frames(watch);
	if (fcntl(watch->fd, F_SETFL, O_NONBLOCK) != 0)
		give_up("fcntl");
}

/* Events in what came; 0 when nothing more is there. */
static size_t hear_frames(struct watch *watch, char *room, ssize_t size)
{
	watch->found = 0;
	if (size > 0 &&
	    nghttp2_session_mem_recv(watch->http, (const uint8_t *)room, (size_t)size) < 0)
		give_up("HTTP/2");
	say_frames(watch);
	return watch->found;
}

/* Private dirty memory of a process, in KB. */
static long memory_of(const char *pid)
{
	char path[64], line[256];
	long value = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/smaps_rollup", pid);
	file = fopen(path, "re");
	if (!file)
		give_up(path);
	while (fgets(line, sizeof(line), file) && sscanf(line, "Private_Dirty: %ld", &value) != 1)
		;
	fclose(file);
	return value;
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
			struct watch *watch = ready[i].data.ptr;
			ssize_t size;

			do {
				size = hear(watch, room, sizeof(room));
				found += watch->http ? hear_frames(watch, room, size)
						     : count_types(room, size);
			} while (size > 0 && watch->session);
		}
	}
	return found;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	int epoll = epoll_create1(EPOLL_CLOEXEC), writer;
	int watches = argc > 4 ? atoi(argv[2]) : 0, changes = argc > 4 ? atoi(argv[3]) : 0;
	const char *token = argc > 6 ? argv[6] : NULL;
	int shared = argc > 7 ? atoi(argv[7]) : 1;
	uint16_t port = argc > 1 ? (uint16_t)atoi(argv[1]) : 0;
	uint16_t watch_port = token ? (uint16_t)atoi(argv[5]) : port;
	struct watch *all;
	long before;
	double begin;
	size_t found;

	if (watches <= 0 || changes <= 0 || shared <= 0 || watches % shared) {
		fprintf(stderr, "usage: watchers PORT WATCHES CHANGES PID [SECURE-PORT TOKEN "
				"[SHARED]]\n");
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	all = calloc((size_t)watches, sizeof(*all));
	if (!all || gnutls_certificate_allocate_credentials(&credentials))
		give_up("memory");
	writer = connected(port);
	change(writer, "POST", MAPS, -1);
	before = memory_of(argv[4]);
	for (int i = 0; i < watches / shared; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};

		if (shared > 1)
			begin_shared(&all[i], watch_port, token, shared);
		else
			begin_watch(&all[i], watch_port, token);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event) != 0)
			give_up("epoll");
	}
	found = count_events(epoll, (size_t)watches); /* the present state */
	if (found != (size_t)watches) {
		fprintf(stderr, "watchers: only %zu of %d watches began\n", found, watches);
		return 1;
	}
	printf("%.1f KB a watch that waits; ",
	       (double)(memory_of(argv[4]) - before) / (double)watches);
	begin = now();
	for (int i = 0; i < changes; i++) {
		change(writer, "PUT", MAPS "/bench", i);
		found = count_events(epoll, (size_t)watches);
		if (found != (size_t)watches) {
			fprintf(stderr, "watchers: only %zu of %d events came\n", found, watches);
			return 1;
		}
	}
	printf("%.1f k/s\n", (double)watches * changes / (now() - begin) / 1000);
	return 0;
}
