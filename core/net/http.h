/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server as its users see it: requests come in whole and judged, go
 * out once as an answer or as a stream. Nothing of the library underneath
 * shows here, and a request may just as well come from a transport without
 * sockets (transport.h).
 *
 * Life of a request. The handler gets it on an HTTP thread and must not block.
 * It does exactly one of these:
 *   http_respond      the answer, at once;
 *   http_defer        takes the request away; any thread calls http_respond or
 *                     http_stream_open later, exactly once;
 *   http_stream_open  takes the connection over.
 * Until http_respond is called the request belongs to the handler and to one
 * thread at a time; after it nobody touches it. Its arena lives until the
 * answer has left, so that bodies may point into it. http_stream_open ends the
 * request and its arena before it returns.
 */
#ifndef COX_NET_HTTP_H
#define COX_NET_HTTP_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_OTHER /* any other token: see method_name */
};

struct http_header {
	const char *name;
	const char *value;
};

/* One name=value of the query, decoded; "a" and "a=" are both {"a", ""}. */
struct http_parameter {
	const char *name;
	const char *value;
};

struct http_request_ops;

struct http_request {
	const struct http_request_ops *ops;
	struct arena arena;
	void *context; /* of the server's configuration */
	void *user;    /* the handler's own */

	enum http_method method;
	const char *method_name;
	const char *target;			 /* as it came: path and query, still encoded */
	const char *raw_path;			 /* the target up to its '?' */
	const char *raw_query;			 /* behind the '?'; "" if none */
	const char *const *segments;		 /* decoded: none empty, ".", ".." or with '/' */
	size_t segment_count;			 /* 0: "/" */
	bool trailing_slash;			 /* "/a/b/"; "/" has it too */
	const struct http_parameter *parameters; /* in their order */
	size_t parameter_count;
	const struct http_header *headers; /* in their order, blanks trimmed */
	size_t header_count;
	struct cox_bytes body; /* whole */

	bool http10;
	bool tls;
	bool loopback;	  /* the peer is this host (also: a unix socket) */
	const char *peer; /* "10.0.0.7", "fd00::1"; "@" for a unix socket */
	uint16_t peer_port;
	uint32_t peer_uid; /* unix socket: the peer's user; else UINT32_MAX */
	/*
	 * The client's certificates, leaf first, as DER, only if they verify
	 * against the client CA now; else none, and if some were presented the
	 * problem says why they do not count.
	 */
	const struct cox_bytes *certificates;
	size_t certificate_count;
	const char *certificate_problem;

	uint64_t arrived;  /* monotonic: its head was complete */
	uint64_t deadline; /* monotonic; 0: none. The handler may change it */
};

/* The first header of that name (any case), or NULL. */
const char *http_header(const struct http_request *request, const char *name);
/* The index-th of several (0 first), or NULL. */
const char *http_header_at(const struct http_request *request, const char *name, size_t index);
/* Whether a comma list header holds the token (any case): Connection: Upgrade */
bool http_header_has(const struct http_request *request, const char *name, const char *token);
/* Whether Accept-Encoding names the coding and does not exclude it (q=0). */
bool http_takes_encoding(const struct http_request *request, const char *coding);
/* The first parameter of that name (exact), or NULL; the index-th of several. */
const char *http_parameter(const struct http_request *request, const char *name);
const char *http_parameter_at(const struct http_request *request, const char *name, size_t index);

/*
 * Bytes that somebody keeps until `release(owner)`, which is called once, on
 * any thread, also when the bytes were never sent. NULL: they are constant or,
 * in a response, live as long as the request's arena.
 */
struct http_piece {
	const void *data;
	size_t size;
	void (*release)(void *owner);
	void *owner;
	/* Of a stream: constant texts of less than 256 bytes that go with it; NULL: none. */
	const char *before, *after;
};

#define HTTP_LENGTH_UNKNOWN UINT64_MAX

#define HTTP_RESPONSE_GZIP 1u  /* compress if it is worth it and accepted */
#define HTTP_RESPONSE_CLOSE 2u /* end the connection after it */

/*
 * What to answer. The struct, its arrays and texts are borrowed for the call;
 * pieces and producer are taken over, whatever becomes of the answer. The body
 * is the pieces one after the other, or else what `produce` makes: it fills up
 * to `room` bytes and returns how many, 0 at the end, -1 to cut the connection;
 * it runs on an HTTP thread and must not block. Content-Length, Date,
 * Connection and Transfer-Encoding are the server's own to write.
 */
struct http_response {
	unsigned status;
	unsigned flags;
	const char *content_type; /* NULL: none */
	const struct http_header *headers;
	size_t header_count;
	const struct http_piece *pieces;
	size_t piece_count;
	int64_t (*produce)(void *producer, char *out, size_t room);
	void (*produce_end)(void *producer); /* once, on any thread; may be NULL */
	void *producer;
	uint64_t length; /* of what is produced, or HTTP_LENGTH_UNKNOWN */
};

/* Answers the request. Any thread. */
void http_respond(struct http_request *request, const struct http_response *response);
/* Answers with one body that is copied, and no other headers. */
void http_respond_text(struct http_request *request, unsigned status, const char *content_type,
		       const void *body, size_t size);
/*
 * Takes the request away from the HTTP thread; in the handler only. `gone` (may
 * be NULL) is called at most once if the client hangs up or the server closes
 * before the answer, within about half a second, and never after http_respond
 * has returned. It is called under a lock: it sets a flag or queues a job and
 * does not call into this header. The request must be answered all the same.
 */
void http_defer(struct http_request *request, void (*gone)(void *context), void *context);

/* Streams */

struct http_stream;

/*
 * All are called on the stream's own thread, one at a time, without a lock,
 * never after `closed` has returned; they must not block. NULL where not wanted.
 */
struct http_stream_callbacks {
	/*
	 * After http_stream_wake, and each time all that was queued has left
	 * (the head too): the time to write more. It is not called while
	 * something waits, so that the client's pace is the writer's.
	 */
	void (*writable)(struct http_stream *stream, void *context);
	/* Bytes of the client, of an upgraded connection only. */
	void (*input)(struct http_stream *stream, void *context, const void *data, size_t size);
	/*
	 * The end, once: the client hung up, a write failed, or everything was
	 * written after http_stream_end. `complete`: everything was written.
	 */
	void (*closed)(struct http_stream *stream, void *context, bool complete);
};

/*
 * Takes the connection over: the status line and headers of `head` leave at
 * once (its body is ignored), then what is written, as chunks, or raw after
 * status 101; only such a head may borrow from the request. The request and its
 * arena are gone. There is one reference for
 * the caller to give back with http_stream_release. The callbacks may come
 * before this returns, `closed` too: where `closed` releases, the opener must
 * not use what is returned here, or the two count who is the last.
 */
struct http_stream *http_stream_open(struct http_request *request, const struct http_response *head,
				     const struct http_stream_callbacks *callbacks, void *context);
/*
 * The rest may be called from any thread while the reference is held, also
 * after the end. Writing queues the piece and returns 0, or releases it and
 * returns -1 when the stream has ended or more than the server's stream_queue
 * bytes wait already.
 */
int http_stream_write(struct http_stream *stream, const struct http_piece *piece);
/* The same with a copy of the bytes. */
int http_stream_copy(struct http_stream *stream, const void *data, size_t size);
/* Has `writable` called soon; many wakes before it runs are one. */
void http_stream_wake(struct http_stream *stream);
/* Stops and restarts `input`, so that a slow reader slows the client down. */
void http_stream_pause(struct http_stream *stream, bool paused);
size_t http_stream_queued(struct http_stream *stream); /* bytes not yet written */
/* Ends it: what is queued leaves, then the last chunk. More writes fail. */
void http_stream_end(struct http_stream *stream);
/* Cuts it: the client sees that something is missing. */
void http_stream_abort(struct http_stream *stream);
/* Gives the reference back; from `closed` on, not before. */
void http_stream_release(struct http_stream *stream);

#endif
