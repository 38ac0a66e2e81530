/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets, and who is at the other end of an accepted one. */
#ifndef COX_NET_LISTEN_H
#define COX_NET_LISTEN_H

#include "net/server.h"

/*
 * A listening socket with what connections inherit from it: keep-alive, and an
 * end for a peer that stays silent. -1: see err. A unix socket that nobody
 * listens on any more is replaced.
 */
int listen_open(const struct http_listen *where, struct cox_error *err) COX_MUST_CHECK;
/* The port, 0 for a unix socket. */
uint16_t listen_port(int fd);
/*
 * Ends a socket that was made here: nobody connects to it any more, and the
 * file of a unix socket goes. The number stays taken, by a descriptor on which
 * nothing ever happens, for threads that still have it.
 */
void listen_end(int fd, const struct http_listen *where);

enum { LISTEN_PEER_SIZE = 46 };

/* Fills in peer, peer_port, peer_uid and loopback of a request. */
void listen_describe_peer(int fd, char peer[LISTEN_PEER_SIZE], uint16_t *port, uint32_t *uid,
			  bool *loopback);

#endif
