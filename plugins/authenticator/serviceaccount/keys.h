/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys that tokens may be signed with: RSA for RS256 and P-256 for ES256,
 * from PEM text with any number of public keys, private keys (of which only the
 * public half is kept) and certificates. Immutable once made.
 */
#ifndef COX_SERVICEACCOUNT_KEYS_H
#define COX_SERVICEACCOUNT_KEYS_H

#include "jwt.h"

#include <coxswain/kit/buf.h>
#include <stdbool.h>

struct keys;

/* NULL: `why` says what is wrong; no key at all is wrong, too. */
struct keys *keys_parse(const char *path, const char *data, size_t size, struct cox_buf *why);
void keys_free(struct keys *keys); /* NULL is fine */
/* Whether one of them made the signature, with the algorithm that is the key's own. */
bool keys_signed(const struct keys *keys, const struct jwt *jwt);

#endif
