/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server and the client of the tests of HTTP/2. The handler's paths: /big,
 * /lines and /broken answer at length, /late by another thread, /keep puts the
 * request into `kept`, /hold, /pump and /up open streams; the rest is described.
 */
#ifndef COX_TESTS_HTTP2_FIXTURE_H
#define COX_TESTS_HTTP2_FIXTURE_H

#include "unit.h"

#include "http2_peer.h"
#include "http_identity.h"
#include "net/server.h"

#include <stdatomic.h>

enum { BIG_PIECES = 300, BIG_PIECE = 1000, WINDOW = 1 << 20, PLAIN = 0, FLAG_END = 1 };

/* What a refusal says; `reason` with its name, or empty. */
#define STATUS(message, reason, code)                                                              \
	"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","       \
	"\"message\":\"" message "\"" reason ",\"code\":" code "}\n"

extern struct http_server *server;
extern uint16_t port;
extern struct cox_buf ca, other_ca; /* PEM */
extern struct pki_key *ca_key, *other_ca_key;
extern struct identity server_identity, client, stranger;
extern struct h2_peer peer;

extern struct http_stream *_Atomic held; /* the newest of /hold */
extern _Atomic int opened, closed, completed, writables, released, gone, produced_ends;
extern struct http_request *_Atomic kept[300];
extern _Atomic int kept_count;
extern uint64_t calmed; /* connections that were ended for a flood */

/* Answers with all that is to be seen of a request. */
void describe(struct http_request *request);
/* Of a piece: counts it in `released`, and frees its owner. */
void count_release(void *owner);
/* One at a time; what the handler counts begins anew. */
void open_server(const struct http_config *changes);
void close_server(void);
/* The client `peer` begins, with a certificate or NULL. */
void join_as(const struct identity *identity);
void open_both(const struct http_config *changes);
void close_both(void);
/* Begins a request; `extra`: pairs of name and value, NULL at the end. */
int32_t ask_with(const char *method, const char *path, uint8_t flags, const char **extra);
int32_t ask(const char *path);
/* Waits until the stream is over. */
struct h2_answer *answer_of(int32_t id);
/* And for an answer that is just so. */
void expect(int32_t id, unsigned status, const char *body);
/* Sends a buffer as a body, and takes off it what was sent. */
ssize_t read_text(nghttp2_session *http, int32_t id, uint8_t *out, size_t room, uint32_t *flags,
		  nghttp2_data_source *source, void *context);
void send_body(int32_t id, struct cox_buf *text);
int http2_prepare(void **state);
int http2_clean(void **state);
/* Asks for the count-th stream that the handler holds open. */
int32_t hold(int count);
void release_held(void);

#endif
