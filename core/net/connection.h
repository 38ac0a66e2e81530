/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's own record of itself and of each connection, for the files of
 * this room. The library underneath shows here only as opaque pointers.
 *
 * Who touches a connection: its HTTP thread; while a request is deferred, the
 * thread that answers it; while it is a stream, the stream's loop. Hand-overs
 * go through the library's suspend and resume, which order memory. What the
 * sweeper reads from outside is atomic or under `server->mutex`.
 */
#ifndef COX_NET_CONNECTION_H
#define COX_NET_CONNECTION_H

#include "net/listen.h"
#include "net/request.h"
#include "net/stream.h"
#include "net/tls.h"

#include <pthread.h>
#include <stdatomic.h>

struct listener {
	struct http_listen where;
	char *address; /* our copy */
	int fd;
	bool quiet; /* takes no connections any more */
	uint16_t port;
	void *daemon;
};

struct http_server {
	struct http_config config; /* with the defaults filled in; listens and tls NULL */
	struct listener *listeners;
	size_t listener_count;
	struct stream_set *streams;
	struct http2_set *http2;    /* NULL without TLS */
	unsigned most;		    /* connections */
	_Atomic unsigned detaching; /* that the library has not forgotten yet */

	bool has_tls;
	gnutls_datum_t ticket_key;
	pthread_mutex_t tls_mutex;
	struct tls_state *tls; /* for new connections; under tls_mutex */
	_Atomic unsigned tls_generation;

	pthread_mutex_t mutex; /* the two lists; `gone` is called under it */
	struct connection *connections;
	struct deferred *deferred;
	size_t deferred_count;

	pthread_t sweeper;
	pthread_cond_t sweeper_wake; /* with `mutex` */
	bool sweeper_started, sweeper_stop;

	_Atomic bool closing; /* answers end their connections */
	_Atomic bool cutting; /* new requests are not served */
	_Atomic uint64_t accepted, requests, refused, cut, open, body_now;
};

/*
 * A request that was taken away and has no answer yet. On the sweeper's list,
 * with everything in it under server->mutex.
 */
struct deferred {
	struct deferred *next, **link;
	void (*gone)(void *context);
	void *gone_context;
	uint64_t since;
	int fd; /* to be looked at for a client that hangs up; -1: somebody else does */
	bool listed, told;
};

enum connection_stage {
	CONNECTION_IDLE,     /* no request */
	CONNECTION_HEAD,     /* its request line has come */
	CONNECTION_BODY,     /* its body is coming */
	CONNECTION_HANDED,   /* the handler has it */
	CONNECTION_ANSWERED, /* `answer` waits to be queued */
	CONNECTION_TAKEN,    /* a stream has it, or HTTP/2 */
	CONNECTION_OVER	     /* nothing more may happen but closing */
};

struct connection {
	struct http_request request; /* first: one is got from the other */
	struct http_server *server;
	void *library;		     /* the connection there */
	_Atomic unsigned references; /* the library's, and HTTP/2's of one that is detached */
	int fd;			     /* changes once, under server->mutex */
	uint8_t stage;
	bool detached;	/* from the library, for which it is over (mhd_detach) */
	bool suspended; /* by the handler's or a handshake's wish */
	bool settled;	/* it does not speak HTTP/2 */
	bool shaken;	/* and its handshake is over */

	struct connection *next, **link;  /* under server->mutex */
	struct connection *next_arriving; /* at HTTP/2 */
	struct deferred deferred;

	/* Monotonic time when the sweeper cuts it; 0: not. */
	_Atomic uint64_t deadline;
	_Atomic bool idle;
	uint64_t idle_bytes; /* the sweeper's: received when it last looked */
	uint64_t idle_deadline;

	struct request_body expected;
	struct cox_buf body;
	uint64_t body_started;

	void *answer;
	unsigned status;

	gnutls_session_t session;
	struct tls_state *tls;
	struct cox_bytes *chain; /* TLS_CHAIN_MAX, once a certificate was seen */
	size_t chain_count;
	char *problem;
	bool peer_judged;
	unsigned peer_generation;
	uint64_t peer_until;

	char peer[LISTEN_PEER_SIZE];
};

/* sweep.c: the thread that cuts what is too slow and tells who is gone. */
int sweep_start(struct http_server *server, struct cox_error *err) COX_MUST_CHECK;
void sweep_stop(struct http_server *server);
/* Cuts connections: those between requests, or all that no stream has. */
void sweep_cut(struct http_server *server, bool all);
/* Puts a request on the list of the deferred, and takes it off again. */
void sweep_defer(struct http_server *server, struct deferred *deferred, int fd,
		 void (*gone)(void *context), void *context);
void sweep_undefer(struct http_server *server, struct deferred *deferred);
/* Tells a request that it is gone, if it is deferred; or all of them. */
void sweep_tell_gone(struct http_server *server, struct deferred *deferred);
void sweep_tell_all_gone(struct http_server *server);
size_t sweep_deferred(struct http_server *server);

/* mhd.c: all that touches the library. */
int mhd_start(struct http_server *server, struct listener *listener, unsigned connections,
	      struct cox_error *err) COX_MUST_CHECK;
void mhd_quiesce(struct listener *listener);
void mhd_stop(struct listener *listener);
/*
 * Takes the socket of a connection that was taken away from the library, which
 * then forgets the connection with all the memory that it takes; 0 or -1.
 */
int mhd_detach(struct connection *connection) COX_MUST_CHECK;
/* Gives back a connection that was taken: to go on with its handshake, or to be closed. */
void mhd_go_on(struct connection *connection);
void mhd_give_back(struct connection *connection);

#endif
