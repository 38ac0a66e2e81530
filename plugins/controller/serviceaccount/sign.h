/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signs JSON web tokens (RFC 7515, compact form) with the key of a file: RS256
 * with RSA keys, ES256 with keys on P-256, as RFC 7518 says. Any thread.
 */
#ifndef SERVICEACCOUNT_SIGN_H
#define SERVICEACCOUNT_SIGN_H

#include <coxswain/kit/buf.h>
#include <coxswain/plugin.h>

struct signer;

/* NULL: `err` says what is wrong with the file or the key in it. */
struct signer *signer_load(const struct cox_host *host, const char *path, struct cox_error *err);
void signer_free(struct signer *signer);

/* Appends header.claims.signature to `out`. */
int signer_sign(const struct signer *signer, const struct cox_buf *claims, struct cox_buf *out,
		struct cox_error *err) COX_MUST_CHECK;

/* The whole file, at most `most` bytes; else -1 and errno. */
int read_file(const char *path, size_t most, struct cox_buf *out) COX_MUST_CHECK;

#endif
