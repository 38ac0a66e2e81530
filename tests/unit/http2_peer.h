/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/2 client for the tests of the server: nghttp2's client half over a
 * GnuTLS session, one thread, blocking with a deadline. What is sent below
 * nghttp2, byte for byte, goes through h2_peer_raw.
 */
#ifndef COX_TESTS_HTTP2_PEER_H
#define COX_TESTS_HTTP2_PEER_H

#include "http_peer.h"

#include <gnutls/gnutls.h>
#include <nghttp2/nghttp2.h>

enum { H2_PEER_STREAMS = 1100 };

/* What has come for one stream, by its number. */
struct h2_answer {
	struct cox_buf headers; /* "name: value\n" each */
	struct cox_buf body;
	unsigned status;
	bool headed, ended, closed;
	uint32_t code; /* of its end, when closed */
};

struct h2_peer {
	int fd;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	nghttp2_session *http;
	struct h2_answer answers[H2_PEER_STREAMS]; /* number / 2 */
	bool gone_away, ended, holds_windows;
	uint32_t away_code;
	int32_t away_last;
	uint32_t max_streams; /* that the server allows */
	unsigned pings;
	size_t dribble; /* set before opening: bytes that are sent at a time; 0: all */
};

struct h2_answer *h2_peer_answer(struct h2_peer *peer, int32_t id);
/* TLS only; 0, or -1. `protocols`: "h2", "http/1.1" or both with a comma. */
int h2_peer_open_tls(struct h2_peer *peer, uint16_t port, const struct cox_buf *ca,
		     const struct cox_buf *certificate, const struct cox_buf *key,
		     const char *priorities, const char *protocols);
void h2_peer_raw(struct h2_peer *peer, const void *data, size_t size);
void h2_peer_begin(struct h2_peer *peer, uint32_t window);
void h2_peer_send(struct h2_peer *peer);
/* Reads what comes within `ms`; false when the server has hung up. */
bool h2_peer_turn(struct h2_peer *peer, unsigned ms);
void h2_peer_close(struct h2_peer *peer);

/* Turns until the condition holds; it must within the deadline. */
#define h2_peer_wait(peer, condition)                                                              \
	do {                                                                                       \
		uint64_t h2_deadline = clock_monotonic() + PEER_PATIENCE * CLOCK_SECOND;           \
		while (!(condition) && clock_monotonic() < h2_deadline && h2_peer_turn(peer, 50))  \
			;                                                                          \
		if (!(condition))                                                                  \
			fail_msg("not: %s (ended %d, gone away %d %u)", #condition, (peer)->ended, \
				 (peer)->gone_away, (peer)->away_code);                            \
	} while (0)

#endif
