/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef COX_PKI_PRIVATE_H
#define COX_PKI_PRIVATE_H

#include "pki/key.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

struct pki_key {
	enum pki_key_kind kind;
	gnutls_pubkey_t public;
	gnutls_privkey_t private;   /* NULL: can verify only */
	gnutls_x509_privkey_t x509; /* the same as `private`, for writing */
};

static inline gnutls_datum_t pki_datum(const void *data, size_t size)
{
	return (gnutls_datum_t){(unsigned char *)(uintptr_t)data, (unsigned)size};
}

/* Fills in err with "text: what GnuTLS says"; returns -1. */
int pki_fail(struct cox_error *err, int code, const char *text);

#endif
