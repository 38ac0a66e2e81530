/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private and public keys, and the files that keys and certificates live in.
 * A key may be used by any number of threads once it is made. PEM everywhere.
 */
#ifndef COX_PKI_KEY_H
#define COX_PKI_KEY_H

#include "base/error.h"

#include <coxswain/kit/buf.h>
#include <stdbool.h>

/* Nothing in a key or certificate file is larger than this. */
enum { PKI_FILE_MAX = 1024 * 1024 };

enum pki_key_kind { PKI_ECDSA_P256, PKI_RSA_2048 };

struct pki_key;

struct pki_key *pki_key_generate(enum pki_key_kind kind, struct cox_error *err);
/*
 * The first key in the PEM text: PKCS #8, PKCS #1, SEC 1 (without a password),
 * or only a public key or a certificate, which can verify but not sign.
 */
struct pki_key *pki_key_parse(const void *pem, size_t size, struct cox_error *err);
struct pki_key *pki_key_load(const char *path, struct cox_error *err);
void pki_key_free(struct pki_key *key); /* NULL is fine; wipes */
bool pki_key_is_private(const struct pki_key *key);
/* PKCS #8 of a private key; wipe with pki_wipe before freeing. */
int pki_key_pem(const struct pki_key *key, struct cox_buf *out,
		struct cox_error *err) COX_MUST_CHECK;
int pki_key_public_pem(const struct pki_key *key, struct cox_buf *out,
		       struct cox_error *err) COX_MUST_CHECK;

static inline void pki_key_cleanup(struct pki_key **slot)
{
	pki_key_free(*slot);
}
#define cox_autokey __attribute__((cleanup(pki_key_cleanup))) struct pki_key *

/*
 * Writes a file whole or not at all: a temporary file beside it, synced, then
 * renamed. `mode` is 0600 for keys, 0644 for certificates.
 */
int pki_file_write(const char *path, const void *data, size_t size, unsigned mode,
		   struct cox_error *err) COX_MUST_CHECK;
int pki_file_read(const char *path, struct cox_buf *out, struct cox_error *err) COX_MUST_CHECK;
/* Overwrites with zeros and frees. */
void pki_wipe(struct cox_buf *secret);

#endif
