/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates for the tests of TLS. */
#ifndef COX_TESTS_HTTP_IDENTITY_H
#define COX_TESTS_HTTP_IDENTITY_H

#include "net/server.h"
#include "pki/certificate.h"
#include "unit.h"

/* A certificate with its key, made by one of the two CAs. */
struct identity {
	struct cox_buf certificate, key;
};

static inline void make_identity(struct identity *identity, const struct cox_buf *issuer,
				 struct pki_key *issuer_key, const char *name, unsigned usage,
				 uint64_t lifetime)
{
	static const char *const organization = "system:masters";
	static const char *const address = "127.0.0.1";
	const struct pki_subject subject = {.common_name = name,
					    .organizations = &organization,
					    .organization_count = 1,
					    .addresses = &address,
					    .address_count = 1,
					    .usage = usage,
					    .lifetime = lifetime,
					    .backdated = 60};
	cox_autokey key = pki_key_generate(PKI_ECDSA_P256, NULL);

	assert_non_null(key);
	assert_int_equal(pki_key_pem(key, &identity->key, NULL), 0);
	assert_int_equal(pki_sign(issuer->data, issuer->size, issuer_key, key, &subject,
				  &identity->certificate, NULL),
			 0);
}

static inline struct cox_bytes bytes_of(const struct cox_buf *buf)
{
	return (struct cox_bytes){buf->data, buf->size};
}

static inline struct http_tls tls_of(const struct identity *identity,
				     const struct cox_buf *client_ca)
{
	return (struct http_tls){.certificate = bytes_of(&identity->certificate),
				 .key = bytes_of(&identity->key),
				 .client_ca = bytes_of(client_ca)};
}

#endif
