/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side of TLS: certificates that can be exchanged while
 * connections go on, session tickets, and judging client certificates.
 */
#ifndef COX_NET_TLS_H
#define COX_NET_TLS_H

#include "net/server.h"

#include <gnutls/gnutls.h>

enum { TLS_CHAIN_MAX = 10, TLS_PROBLEM_SIZE = 200 };

#define TLS_PRIORITIES                                                                             \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:"        \
	"+CHACHA20-POLY1305:%SERVER_PRECEDENCE"

/* What one connection uses from its handshake to its end; counted, constant. */
struct tls_state;

struct tls_state *tls_state_open(const struct http_tls *tls, struct cox_error *err);
struct tls_state *tls_state_ref(struct tls_state *state);
void tls_state_unref(struct tls_state *state); /* NULL is allowed */

/* Gives a new session our certificate; before the handshake. 0 or -1. */
int tls_session_prepare(const struct tls_state *state, gnutls_session_t session,
			const gnutls_datum_t *ticket_key) COX_MUST_CHECK;

/*
 * The client's chain, judged against the state's client CA: `chain` borrows
 * from the session. Returns how many certificates it has, all good; 0: none was
 * given, or `problem` says why they do not count. `until`: the end
 * of their validity, seconds since 1970.
 */
size_t tls_session_peer(const struct tls_state *state, gnutls_session_t session,
			struct cox_bytes chain[TLS_CHAIN_MAX], uint64_t *until,
			char problem[TLS_PROBLEM_SIZE]);

#endif
