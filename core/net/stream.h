/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams over a socket: connections that were taken over from the HTTP
 * library. A set of loops, each one thread with an epoll set, writes and reads
 * them until their end, and then hands the connection back. For the server only.
 */
#ifndef COX_NET_STREAM_H
#define COX_NET_STREAM_H

#include "net/transport.h"

#include <coxswain/kit/buf.h>
#include <gnutls/gnutls.h>

struct stream_set;

struct stream_set *stream_set_open(unsigned threads, size_t queue, uint64_t linger,
				   struct cox_error *err);
/* Ends (or cuts) all streams there are now. */
void stream_set_end(struct stream_set *set, bool cut);
size_t stream_set_count(struct stream_set *set);
void stream_set_close(struct stream_set *set); /* none is left */

struct stream_socket {
	int fd;			  /* non-blocking */
	gnutls_session_t session; /* NULL: plain */
	bool http10;
	bool no_body; /* HEAD: the head only */
	/* Called once, on the loop: fd and session are not used after this. */
	void (*finished)(void *owner);
	void *owner;
};

/*
 * Takes the socket. `head` is written, with chunked framing behind it, or raw
 * bytes if its status is 101 or its `length` is set (then the body has that
 * many bytes). With callbacks NULL nobody holds a reference.
 */
struct http_stream *stream_open(struct stream_set *set, const struct stream_socket *socket,
				const struct http_response *head,
				const struct http_stream_callbacks *callbacks, void *context);

/* Status line and headers; a `length` of 0 means chunks, or the end of an HTTP/1.0 body. */
void stream_head_write(struct cox_buf *out, const struct http_response *head, bool http10);
/* The present date as HTTP writes it. */
enum { STREAM_DATE_SIZE = 80 };
void stream_date(char out[STREAM_DATE_SIZE]);
/* The standing words of a status code; never NULL. */
const char *stream_status_text(unsigned status);

#endif
