/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at a TLS ClientHello before anybody reads it, for the protocols that
 * the client offers (RFC 8446 4.1.2, RFC 7301). Pure; no I/O.
 */
#ifndef COX_NET_HELLO_H
#define COX_NET_HELLO_H

#include <stddef.h>
#include <stdint.h>

/* The most that is looked at: one TLS record, which holds any usual ClientHello. */
enum { HELLO_MAX = 5 + 16 * 1024 };

enum hello {
	HELLO_MORE, /* what is here may become anything */
	HELLO_H2,   /* it offers HTTP/2 */
	HELLO_OTHER /* it does not, or it is none that we can read */
};

enum hello hello_read(const uint8_t *data, size_t size);

#endif
