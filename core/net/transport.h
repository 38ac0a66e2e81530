/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands behind a request and a stream. The functions of http.h go
 * through these tables, so that the same handler serves sockets and callers
 * inside the process. Only those who bring requests in include this.
 */
#ifndef COX_NET_TRANSPORT_H
#define COX_NET_TRANSPORT_H

#include "net/http.h"

/* Each keeps the promise of the function of its name in http.h. */
struct http_request_ops {
	void (*respond)(struct http_request *request, const struct http_response *response);
	void (*defer)(struct http_request *request, void (*gone)(void *context), void *context);
	struct http_stream *(*stream)(struct http_request *request,
				      const struct http_response *head,
				      const struct http_stream_callbacks *callbacks, void *context);
};

struct http_stream_ops {
	int (*write)(struct http_stream *stream, const struct http_piece *piece);
	int (*copy)(struct http_stream *stream, const void *data, size_t size); /* or NULL */
	void (*wake)(struct http_stream *stream);
	void (*pause)(struct http_stream *stream, bool paused);
	size_t (*queued)(struct http_stream *stream);
	void (*end)(struct http_stream *stream);
	void (*abort)(struct http_stream *stream);
	void (*release)(struct http_stream *stream);
};

/* The head of every stream object. */
struct http_stream {
	const struct http_stream_ops *ops;
};

/* Releases what a response brought along and nobody will send. */
void http_response_discard(const struct http_response *response);

#endif
