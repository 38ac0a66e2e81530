/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server: requests a second on 32 connections, deliveries to streams,
 * what a stream costs in memory. A client process, forked before any thread
 * exists, does as a client does; both share this machine. Compare the first
 * line with `wrk -t2 -c32` against any other server.
 */
#include "base/clock.h"
#include "net/server.h"
#include "pki/certificate.h"

#include <arpa/inet.h>
#include <coxswain/kit/alloc.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CONNECTIONS = 32,
	REQUESTS = 200000,
	WATCHERS = 5000,
	ROUNDS = 20,
	SINGLES = 20000,
	STREAMS_MAX = 10000,
	BODY = 2600 /* a pod */
};

static char body[BODY];
static struct http_stream *streams[STREAMS_MAX];
static _Atomic int stream_count, closed_count;
static struct cox_buf certificate, key;

/* The server's side */

static void on_closed(struct http_stream *stream, void *context, bool complete)
{
	(void)context;
	(void)complete;
	http_stream_release(stream);
	atomic_fetch_add(&closed_count, 1);
}

static void handle(struct http_request *request)
{
	static const struct http_stream_callbacks callbacks = {.closed = on_closed};
	static const struct http_header header = {"Cache-Control", "no-cache, private"};
	struct http_piece piece = {.data = body, .size = sizeof(body)};
	struct http_response response = {.status = 200,
					 .content_type = "application/json",
					 .headers = &header,
					 .header_count = 1,
					 .pieces = &piece,
					 .piece_count = 1};

	if (strcmp(request->raw_path, "/watch") != 0) {
		http_respond(request, &response);
		return;
	}
	response.piece_count = 0;
	streams[atomic_load(&stream_count)] =
		http_stream_open(request, &response, &callbacks, NULL);
	atomic_fetch_add(&stream_count, 1);
}

static struct http_server *open_server(bool tls, size_t head_bytes, uint16_t *port)
{
	struct http_tls with = {.certificate = {certificate.data, certificate.size},
				.key = {key.data, key.size}};
	struct http_listen where = {.address = "127.0.0.1"};
	/* One HTTP thread where streams are counted in an array. */
	struct http_config config = {.listens = &where,
				     .listen_count = 1,
				     .tls = tls ? &with : NULL,
				     .threads = head_bytes ? 1 : 0,
				     .head_bytes = head_bytes,
				     .head_time = 60 * CLOCK_SECOND,
				     .handler = handle};
	cox_autoerror err = COX_ERROR_INIT;
	struct http_server *server = http_server_open(&config, &err);

	if (!server) {
		fprintf(stderr, "%s\n", error_text(&err));
		exit(1);
	}
	*port = http_server_port(server, 0);
	atomic_store(&stream_count, 0);
	atomic_store(&closed_count, 0);
	return server;
}

/* The client's side: a process of its own that takes one order after another */

struct order {
	enum { GETS, WATCHES, QUIT } what;
	uint16_t port;
	bool tls;
	int count;	     /* connections */
	uint64_t deliveries; /* bytes to read from all together, then answer */
};

struct peer {
	int fd;
	gnutls_session_t session;
	size_t got;
};

static ssize_t peer_recv(struct peer *peer, char *out, size_t room)
{
	ssize_t size = peer->session ? gnutls_record_recv(peer->session, out, room)
				     : recv(peer->fd, out, room, MSG_DONTWAIT);

	if (peer->session)
		return size == GNUTLS_E_AGAIN || size == GNUTLS_E_INTERRUPTED ? 0 : size;
	return size < 0 && errno == EAGAIN ? 0 : size == 0 ? -1 : size;
}

static void peer_send(struct peer *peer, const char *text)
{
	ssize_t size = peer->session ? gnutls_record_send(peer->session, text, strlen(text))
				     : send(peer->fd, text, strlen(text), MSG_NOSIGNAL);

	if (size != (ssize_t)strlen(text))
		_exit(2);
}

static void peer_open(struct peer *peer, const struct order *order, int epoll,
		      gnutls_certificate_credentials_t credentials)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(order->port)};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
	int one = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*peer = (struct peer){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	if (connect(peer->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		_exit(3);
	setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (order->tls) {
		gnutls_init(&peer->session, GNUTLS_CLIENT);
		gnutls_set_default_priority(peer->session);
		gnutls_credentials_set(peer->session, GNUTLS_CRD_CERTIFICATE, credentials);
		gnutls_transport_set_int(peer->session, peer->fd);
		if (gnutls_handshake(peer->session) < 0)
			_exit(4);
	}
	fcntl(peer->fd, F_SETFL, fcntl(peer->fd, F_GETFL) | O_NONBLOCK);
	epoll_ctl(epoll, EPOLL_CTL_ADD, peer->fd, &event);
}

/* Reads what is there. Of a GET, its whole answer brings the next request. */
static uint64_t peer_read(struct peer *peer, const struct order *order)
{
	static char buffer[65536];
	uint64_t done = 0;
	ssize_t size;

	while ((size = peer_recv(peer, buffer, sizeof(buffer))) > 0) {
		peer->got += (size_t)size;
		if (order->what == WATCHES)
			done += (uint64_t)size;
		else if (peer->got > BODY && buffer[size - 1] == '!') {
			peer->got = 0;
			done++;
			peer_send(peer, "GET /pod HTTP/1.1\r\nHost: a\r\n\r\n");
		}
	}
	return size < 0 ? UINT64_MAX / 2 : done;
}

/* Until as much was read as ordered; then says so. */
static void read_all(const struct order *order, int epoll, uint64_t wanted, int answers)
{
	struct epoll_event events[256];
	uint64_t done = 0;

	while (done < wanted) {
		int count = epoll_wait(epoll, events, 256, -1);

		for (int i = 0; i < count; i++)
			done += peer_read(events[i].data.ptr, order);
	}
	if (write(answers, "k", 1) != 1)
		_exit(5);
}

static void carry_out(const struct order *order, int orders, int answers)
{
	struct peer *peers = cox_calloc((size_t)order->count, sizeof(*peers));
	gnutls_certificate_credentials_t credentials;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	uint64_t wanted;

	gnutls_certificate_allocate_credentials(&credentials);
	for (int i = 0; i < order->count; i++) {
		peer_open(&peers[i], order, epoll, credentials);
		peer_send(&peers[i], order->what == GETS ? "GET /pod HTTP/1.1\r\nHost: a\r\n\r\n"
							 : "GET /watch HTTP/1.0\r\n\r\n");
	}
	if (write(answers, "o", 1) != 1)
		_exit(5);
	/* Further numbers of bytes to wait for; 0 ends. */
	while (read(orders, &wanted, sizeof(wanted)) == sizeof(wanted) && wanted)
		read_all(order, epoll, wanted, answers);
	for (int i = 0; i < order->count; i++) {
		if (peers[i].session)
			gnutls_deinit(peers[i].session);
		close(peers[i].fd);
	}
	close(epoll);
	free(peers);
	gnutls_certificate_free_credentials(credentials);
}

static int to_client[2], from_client[2];

static void client(void)
{
	struct order order;

	close(to_client[1]); /* or it would not see the end of a parent that died */
	while (read(to_client[0], &order, sizeof(order)) == sizeof(order) && order.what != QUIT)
		carry_out(&order, to_client[0], from_client[1]);
	_exit(0);
}

static void tell(const void *what, size_t size)
{
	if (write(to_client[1], what, size) != (ssize_t)size)
		exit(1);
}

static void hear(void)
{
	char answer;

	if (read(from_client[0], &answer, 1) != 1)
		exit(1);
}

/* The measurements */

static double seconds_since(uint64_t begun)
{
	return (double)(clock_monotonic() - begun) / (double)CLOCK_SECOND;
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Bytes of memory in use that belong to this process alone. */
static double resident(void)
{
	unsigned long size = 0, pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file || fscanf(file, "%lu %lu", &size, &pages) != 2)
		exit(1);
	fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void measure_gets(bool tls)
{
	struct order order = {.what = GETS, .tls = tls, .count = CONNECTIONS};
	struct http_server *server = open_server(tls, 0, &order.port);
	uint64_t wanted = REQUESTS, none = 0, begun;
	double seconds;

	tell(&order, sizeof(order));
	hear();
	begun = clock_monotonic();
	tell(&wanted, sizeof(wanted));
	hear();
	seconds = seconds_since(begun);
	printf("http: GET 2.6 KB, keep-alive, %d connections, %s: %.1f k/s (bar %d, limit %s)\n",
	       CONNECTIONS, tls ? "TLS" : "plain", REQUESTS / seconds / 1000, tls ? 30 : 50,
	       tls ? "48" : "86-114");
	tell(&none, sizeof(none));
	http_server_close(server, CLOCK_SECOND);
}

static void wait_for_streams(int count)
{
	while (atomic_load(&stream_count) < count)
		poll(NULL, 0, 2);
	poll(NULL, 0, 200); /* the heads leave */
}

static void deliver(int stream, const char *event, size_t size)
{
	if (http_stream_copy(streams[stream], event, size) != 0)
		fprintf(stderr, "a stream did not take an event\n");
}

static void measure_streams(bool tls, int count, size_t head_bytes)
{
	struct order order = {.what = WATCHES, .tls = tls, .count = count};
	struct http_server *server = open_server(tls, head_bytes, &order.port);
	double before = resident(), cpu, seconds;
	uint64_t wanted, none = 0, begun;
	char event[1000];

	memset(event, 'e', sizeof(event));
	tell(&order, sizeof(order));
	hear();
	wait_for_streams(count);
	printf("http: an idle stream, %s, pool %zu KiB: %.1f KB (bar %d, limit %s with pool 4)\n",
	       tls ? "TLS" : "plain", head_bytes / 1024, (resident() - before) / count / 1000,
	       tls ? 16 : 5, tls ? "15" : "4.7");
	/* the heads count as bytes too: each is as long as any other */
	wanted = 1;
	tell(&wanted, sizeof(wanted));
	hear();

	cpu = cpu_seconds();
	for (int i = 0; i < SINGLES; i++) {
		deliver(i * 7 % count, event, sizeof(event));
		if (i % 4 == 3)
			poll(NULL, 0, 0);
	}
	wanted = (uint64_t)SINGLES * sizeof(event);
	tell(&wanted, sizeof(wanted));
	hear();
	printf("http: one event to one of %d streams, %s: %.1f us CPU (bar 40, limit 15)\n", count,
	       tls ? "TLS" : "plain", (cpu_seconds() - cpu) * 1e6 / SINGLES);

	/* Each round is waited for, else several events would leave in one write. */
	begun = clock_monotonic();
	wanted = (uint64_t)(count < WATCHERS ? count : WATCHERS) * sizeof(event);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < WATCHERS && i < count; i++)
			deliver(i, event, sizeof(event));
		tell(&wanted, sizeof(wanted));
		hear();
	}
	wanted *= ROUNDS;
	seconds = seconds_since(begun);
	printf("http: deliveries to %d streams, %s: %.1f k/s (bar %d, limit %s a core)\n",
	       count < WATCHERS ? count : WATCHERS, tls ? "TLS" : "plain",
	       (double)wanted / sizeof(event) / seconds / 1000, tls ? 60 : 80,
	       tls ? "55-68" : "80-94");
	tell(&none, sizeof(none));
	http_server_close(server, CLOCK_SECOND);
}

static void make_certificate(void)
{
	static const char *const address = "127.0.0.1";
	struct pki_subject subject = {.common_name = "bench",
				      .addresses = &address,
				      .address_count = 1,
				      .usage = PKI_SERVER,
				      .lifetime = 3600};
	cox_autokey ca_key = pki_key_generate(PKI_ECDSA_P256, NULL);
	cox_autokey own = pki_key_generate(PKI_ECDSA_P256, NULL);
	cox_autobuf ca = COX_BUF_INIT;

	if (pki_make_ca(ca_key, "ca", 3600, &ca, NULL) != 0 ||
	    pki_sign(ca.data, ca.size, ca_key, own, &subject, &certificate, NULL) != 0 ||
	    pki_key_pem(own, &key, NULL) != 0)
		exit(1);
}

int main(void)
{
	struct rlimit files;
	int many = STREAMS_MAX;
	struct order quit = {.what = QUIT};
	pid_t child;

	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < (rlim_t)many + 600)
		many = (int)files.rlim_cur - 600;
	if (pipe2(to_client, O_CLOEXEC) != 0 || pipe2(from_client, O_CLOEXEC) != 0)
		return 1;
	fflush(stdout);
	child = fork();
	if (child == 0)
		client();
	memset(body, 'p', sizeof(body));
	body[BODY - 1] = '!';
	make_certificate();
	measure_gets(false);
	measure_gets(true);
	measure_streams(false, many, 64 * 1024);
	measure_streams(false, many, 4 * 1024);
	measure_streams(true, many, 64 * 1024);
	tell(&quit, sizeof(quit));
	waitpid(child, NULL, 0);
	cox_buf_free(&certificate);
	cox_buf_free(&key);
	return 0;
}
