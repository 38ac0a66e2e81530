/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 over TLS, by nghttp2: loops of their own, each one thread with an epoll
 * set, speak it on connections that the HTTP library has accepted and that wait
 * there, suspended, until they are given back. For the server only.
 */
#ifndef COX_NET_HTTP2_H
#define COX_NET_HTTP2_H

#include "net/connection.h"

struct http2_set;

/* At most so many loops, which begin as connections come. */
struct http2_set *http2_set_open(struct http_server *server, unsigned threads);
/* Before http2_set_take: sees to it that there is a loop; -1: none could begin. */
int http2_set_begin(struct http2_set *set) COX_MUST_CHECK;
/*
 * Takes a connection that waits for its client in the TLS handshake. As soon as
 * there is something to read, it goes back by mhd_go_on; unless nothing was read
 * yet and the client offers HTTP/2: then the TLS session is made here, and it
 * ends with mhd_give_back, once.
 */
void http2_set_take(struct http2_set *set, struct connection *connection);
/* Tells all clients to go elsewhere; `now`: with what they have asked up to now. */
void http2_set_go_away(struct http2_set *set, bool now);
/* Ends (or cuts) all http_streams there are now, and counts those. */
void http2_set_end(struct http2_set *set, bool cut);
size_t http2_set_count(struct http2_set *set);
void http2_set_close(struct http2_set *set); /* no connection is left */

#endif
