/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON web tokens for service accounts: RS256 with RSA keys, ES256 with P-256
 * keys, nothing else, and the algorithm is the key's, never the token's word
 * for it. Claims are the caller's JSON; what they mean (issuer, audience,
 * times) is the authenticator's matter. Any thread.
 */
#ifndef COX_PKI_JWT_H
#define COX_PKI_JWT_H

#include "pki/key.h"

enum { JWT_MAX = 64 * 1024 }; /* longer tokens are refused unread */
enum { JWT_KEY_ID_SIZE = 44 };

/*
 * The key's id: base64url of the SHA-256 of its public part as DER, which
 * is what the clients of this API know as kid.
 */
int jwt_key_id(struct pki_key *key, char out[JWT_KEY_ID_SIZE],
	       struct cox_error *err) COX_MUST_CHECK;
/* Appends header.claims.signature to `out`. */
int jwt_sign(struct pki_key *key, const char *claims, size_t size, struct cox_buf *out,
	     struct cox_error *err) COX_MUST_CHECK;

#define JWT_NOT_OURS 1 /* well formed, but none of the keys signed it */

/*
 * Checks the signature with the keys, those of the token's kid first, and
 * puts the claims' bytes into `claims`. 0; JWT_NOT_OURS; or -1: not a token.
 * `err` is filled in both cases. Nothing in the claims was looked at.
 */
int jwt_verify(struct pki_key *const *keys, size_t key_count, const char *token, size_t size,
	       struct cox_buf *claims, struct cox_error *err) COX_MUST_CHECK;
/* Appends the JWKS document of the public keys. */
int jwt_key_set(struct pki_key *const *keys, size_t key_count, struct cox_buf *out,
		struct cox_error *err) COX_MUST_CHECK;

#endif
