/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all requests that come in through sockets have in common, whatever
 * protocol they speak: who is at the other end, and how much of a body the
 * server takes.
 */
#ifndef COX_NET_INTAKE_H
#define COX_NET_INTAKE_H

#include "net/connection.h"

#define INTAKE_FULL "the server has too many request bodies at a time, please try again later"

/*
 * Fills in the certificates of a request: the client's are judged once, and
 * again when they or the CA have changed. The chain and the problem are the
 * connection's until it is judged again.
 */
void intake_judge_peer(struct connection *connection, struct http_request *request);

/* Makes room in a body, within what all bodies together may take; 0 or -1. */
int intake_grow_body(struct http_server *server, struct cox_buf *body,
		     const struct request_body *expected, size_t more) COX_MUST_CHECK;
void intake_free_body(struct http_server *server, struct cox_buf *body);
/* When a body that began then, and of which so much is here, is too slow. */
uint64_t intake_body_deadline(const struct http_server *server, uint64_t begun, size_t size);

#endif
