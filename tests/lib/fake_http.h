/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake API server behind a real socket on loopback, plain HTTP/1.1 as
 * small as it can be: it hands what comes to a client of the fake server and
 * streams watches in chunks. For tests of the HTTP transport.
 */
#ifndef COX_TESTS_FAKE_HTTP_H
#define COX_TESTS_FAKE_HTTP_H

#include "client/client.h"

struct fake_http;

struct fake_http *fake_http_new(struct client *backend);
void fake_http_free(struct fake_http *http);
/* "http://127.0.0.1:PORT" */
const char *fake_http_url(const struct fake_http *http);
/* How many connections were accepted. */
unsigned fake_http_connections(struct fake_http *http);
/* The Authorization header of the last request; "" if none. */
void fake_http_authorization(struct fake_http *http, char out[256]);
/* Closes all connections hard, in the middle of whatever they do. */
void fake_http_cut(struct fake_http *http);

#endif
