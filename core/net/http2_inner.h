/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between http2.c, which moves bytes, http2_request.c, which makes requests of
 * them, and http2_stream.c, where answers and streams are.
 *
 * A connection, its nghttp2 session and all that is not said to be otherwise
 * belong to the loop's thread. Other threads reach a stream through what the
 * loop's mutex guards, and the list of streams that want attention. A stream
 * has a reference for nghttp2, one for whoever has the request (which becomes
 * that of the http_stream's owner), and one for its place in the list.
 *
 * A connection that has ended is given back once nobody has one of its requests
 * any more: they look at its certificates and its peer's address.
 */
#ifndef COX_NET_HTTP2_INNER_H
#define COX_NET_HTTP2_INNER_H

#include "net/body.h"
#include "net/http2.h"
#include "net/pieces.h"
#include "net/transport.h"

#include <nghttp2/nghttp2.h>

enum { H2_RECORD = 16 * 1024, /* the largest TLS record */ H2_FRAME_HEAD = 9 };

enum h2_connection_state {
	H2_WAIT, /* for something to read */
	H2_HANDSHAKE,
	H2_OPEN,
	H2_LINGER, /* all was said; waits a bounded time for the client to hang up */
	H2_OVER	   /* waits for those who have its requests */
};

struct h2_connection {
	struct h2_loop *loop;
	struct connection *base;
	nghttp2_session *http;
	struct h2_connection *next, **link; /* all of the loop */
	struct h2_connection *next_dirty;
	struct h2_stream *streams; /* that nghttp2 knows */
	struct h2_stream *owed;	   /* are to be told that they may write */
	const uint8_t *pending;	   /* of a frame that was partly sent */
	size_t pending_size;
	void *frames; /* nghttp2's buffer for them, if it has pages of its own */
	size_t frames_size;
	unsigned timed;	  /* streams with a time limit */
	unsigned held;	  /* requests that somebody has */
	unsigned lost;	  /* those of them whose stream is over */
	unsigned updates; /* of windows, that what we sent may bring about */
	size_t weight;	  /* bytes of requests that nobody has answered */
	uint8_t state;
	bool dirty;   /* has something to send, maybe */
	bool blocked; /* the socket takes no more */
	bool tls_unsent, registered, greeted, ending;
	uint32_t events;
	int64_t budget; /* for what a client may do without a purpose; thousandths */
	uint64_t budget_at;
	uint64_t heard, pinged, idle_since;
	uint64_t until; /* the end of lingering, and of what is being ended; 0: none */
};

enum h2_stage {
	H2_HEAD,
	H2_BODY,
	H2_HANDED,
	H2_ANSWERED, /* `answer` leaves */
	H2_STREAMING
};

/* What another thread has done with a request. */
enum h2_turn { H2_NOTHING, H2_ANSWER, H2_STREAM };

struct h2_head;

struct h2_stream {
	struct http_request request; /* first: one is got from the other */
	struct http_stream stream;
	struct http_server *server;
	struct h2_loop *loop;
	struct h2_connection *connection; /* of use while it is not over, or held */
	int32_t id;
	_Atomic unsigned references;
	_Atomic size_t queued;
	struct h2_stream *next, **link; /* of the connection */
	struct h2_stream *next_owed;
	struct deferred deferred;

	/* under the loop's mutex */
	struct h2_stream *next_ready;
	struct piece_queue incoming;
	struct h2_head *head;
	uint8_t turn;
	bool in_ready, taken, woken, ended, cut, closed, upgrade;

	/* reading */
	uint8_t stage;
	bool over, input_ended, too_large, is_head, in_owed;
	bool data_waits; /* nghttp2 was told that there is nothing to send */
	bool last_sent, last_seen;
	const char *problem; /* for which it is refused */
	const char *authority;
	size_t head_size, header_capacity, weight;
	size_t charged; /* of its head, in the account of bodies */
	struct request_body expected;
	struct cox_buf body;
	uint64_t since; /* the stage, or its last progress */

	/* answering */
	struct body *answer;
	uint64_t sent;
	struct piece_queue outgoing;
	size_t offset; /* sent of outgoing.first */
	struct http_stream_callbacks callbacks;
	void *context;
};

struct h2_loop {
	struct http2_set *set;
	pthread_t thread;
	pthread_mutex_t mutex;
	int epoll, event;
	_Atomic unsigned connections;			   /* that it has, or is to take */
	bool sleeping, stopping, end_streams, cut_streams; /* under the mutex */
	uint8_t leaving;				   /* likewise */
	struct connection *arriving, **arriving_last;	   /* likewise */
	struct h2_stream *ready, **ready_last;		   /* likewise */
	/* the thread's own */
	struct h2_connection *all, *dirty;
	uint64_t now, ticked;
	uint8_t left;	     /* how far `leaving` was done */
	size_t filled, room; /* of the buffer, while a record is made in it */
	char buffer[2 * H2_RECORD];
};

struct http2_set {
	struct http_server *server;
	gnutls_priority_t priorities;
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *options;
	_Atomic size_t streams;
	unsigned most;
	pthread_mutex_t mutex;	/* from here on; loops are there for good once they are */
	bool prepared, failing; /* failing: to begin a loop, and it was said */
	uint8_t leaving;
	unsigned count;
	struct h2_loop *loops[];
};

/* http2.c */

/* With the loop's mutex held: has the loop look at the stream. */
void h2_make_ready(struct h2_stream *stream);
/* Has what nghttp2 wants to send sent in this round. */
void h2_make_dirty(struct h2_connection *connection);
/* Charges a client for something without a purpose; ends the connection of one that has none left.
 */
void h2_charge(struct h2_connection *connection, unsigned cost);

/* http2_request.c */

void h2_callbacks_fill(nghttp2_session_callbacks *callbacks);

/* http2_stream.c */

/* Puts the frame around data that was read to behind where its head is to be. */
int h2_put_data(nghttp2_session *http, nghttp2_frame *frame, const uint8_t *head, size_t size,
		nghttp2_data_source *source, void *context);
extern const struct http_request_ops h2_request_ops;

/* By its number; NULL when we have done with it. */
struct h2_stream *h2_find(nghttp2_session *http, int32_t id);
void h2_set_stage(struct h2_stream *stream, uint8_t stage);
void h2_reset(struct h2_stream *stream, uint32_t code);
/* The request is nobody's any more: it has been answered, or never will be. */
void h2_release_weight(struct h2_stream *stream);
/* An answer of our own, on the loop, to a request that nobody else has. */
void h2_answer_here(struct h2_stream *stream, const struct http_response *response);
/* After a wake or a change by another thread. */
void h2_stream_attend(struct h2_stream *stream);
/* nghttp2 has done with it, or the connection is over. */
void h2_stream_close(struct h2_stream *stream);
/* Ends it if it is an http_stream. */
void h2_stream_finish(struct h2_stream *stream, bool cut);
/* Those that wait to write may; while the connection takes more. */
void h2_streams_tell_writable(struct h2_connection *connection);
/* Resets what is too slow; true: the connection is to be cut. */
bool h2_streams_check_time(struct h2_connection *connection);
void h2_stream_unref(struct h2_stream *stream);

#endif
