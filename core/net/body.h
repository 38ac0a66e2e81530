/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer's body is read from: pieces one after the other, or what a
 * producer makes, compressed or not. Owns what the response brought along.
 */
#ifndef COX_NET_BODY_H
#define COX_NET_BODY_H

#include "net/http.h"

enum { BODY_GZIP_MIN = 128 * 1024 };

struct body;

/* Takes over the pieces or the producer. */
struct body *body_new(const struct http_response *response);
/* The body of an answer, compressed if it asks for it, is worth it and accepted. */
struct body *body_for(const struct http_request *request, const struct http_response *response,
		      bool gzip_loopback, bool *gzip);
/*
 * Compresses from here on: nothing was read yet; the length is then unknown. -1: it
 * stays as it is, for want of memory or since so many are compressed already.
 */
int body_compress(struct body *body);
uint64_t body_length(const struct body *body);
/* The whole body if it is one run of bytes that need not be made, else NULL. */
const void *body_single(const struct body *body);
/* Fills in up to `room` (at least 1); bytes, 0 at the end, -1. One thread at a time. */
int64_t body_read(struct body *body, char *out, size_t room);
void body_free(struct body *body);

#endif
