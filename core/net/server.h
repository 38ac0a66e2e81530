/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening, changing and closing an HTTP server. A server is a set of listeners
 * with one handler; secure and insecure ports are two servers. These functions
 * belong to one thread at a time, which is not one of the server's own.
 */
#ifndef COX_NET_SERVER_H
#define COX_NET_SERVER_H

#include "net/http.h"

struct http_server;

struct http_listen {
	const char *address; /* "0.0.0.0", "::1", "unix:/run/x.sock" */
	uint16_t port;	     /* 0: any free one, see http_server_port */
	bool inherited;	     /* `fd` is a listening socket; the server takes it */
	int fd;
};

/* PEM from files, or from memory where data is not NULL. */
struct http_tls {
	const char *certificate_file; /* leaf first, then what signed it */
	const char *key_file;
	const char *client_ca_file; /* NULL and no client_ca: none is asked for */
	struct cox_bytes certificate;
	struct cox_bytes key;
	struct cox_bytes client_ca;
};

/* Zero means the default in brackets. */
struct http_config {
	const struct http_listen *listens;
	size_t listen_count;
	const struct http_tls *tls; /* NULL: plain */
	void (*handler)(struct http_request *request);
	void *context;

	unsigned threads;	 /* HTTP threads of each listener [one a core, 16 at most] */
	unsigned stream_threads; /* [one a core, 4 at most] */
	unsigned connections;	 /* [soft RLIMIT_NOFILE less 256] */
	size_t head_bytes;	 /* memory for a head [64 KiB] */
	uint64_t head_time;	 /* ns, handshake included [10 s] */
	uint64_t body_time;	 /* ns, and 1 s more every 100 KB [30 s] */
	uint64_t body_bytes;	 /* [3 MiB] */
	uint64_t body_total;	 /* bytes of all bodies at a time; more is 429 [192 MiB] */
	uint64_t idle_time;	 /* ns between requests [3 min] */
	uint64_t request_time;	 /* ns until http_request.deadline [60 s] */
	size_t stream_queue;	 /* bytes that wait in one stream [1 MiB] */
	uint64_t linger_time;	 /* ns to wait for a client at the end [3 s] */
	bool gzip_loopback;	 /* compress even for this host */
	/* Of HTTP/2, which all clients get who ask for it in TLS: */
	unsigned http2_streams; /* requests and streams of a connection at a time [250] */
	uint64_t ping_time;	/* ns of silence until a client is asked, and cut [30 s] */
};

struct http_server *http_server_open(const struct http_config *config, struct cox_error *err);
/* The port of the index-th listener; 0 for a unix socket. */
uint16_t http_server_port(const struct http_server *server, size_t index);
/*
 * Other certificates and client CA for connections made from now on; 0, or -1
 * and nothing has changed. Only for a server that was opened with TLS.
 */
int http_server_set_tls(struct http_server *server, const struct http_tls *tls,
			struct cox_error *err) COX_MUST_CHECK;
/* Accepts no more connections; those there are go on. Any number of times. */
void http_server_quiesce(struct http_server *server);
/*
 * Ends everything: quiesces, ends streams, tells deferred requests that they
 * are gone, gives what is being answered `grace` nanoseconds, then cuts. Waits
 * without a bound for deferred requests to be answered, since somebody holds
 * them, and says so in the log.
 */
void http_server_close(struct http_server *server, uint64_t grace);

struct http_server_counts {
	uint64_t accepted;    /* connections since the start */
	uint64_t requests;    /* given to the handler */
	uint64_t refused;     /* answered here: ambiguous, too big */
	uint64_t cut;	      /* too slow */
	uint64_t connections; /* now */
	uint64_t deferred;    /* now */
	uint64_t streams;     /* now */
};
void http_server_count(struct http_server *server, struct http_server_counts *counts);

#endif
