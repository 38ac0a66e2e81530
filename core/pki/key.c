/* SPDX-License-Identifier: Apache-2.0 */
/* Keys; see the header. */
#include "pki/private.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 16384 };

int pki_fail(struct cox_error *err, int code, const char *text)
{
	return error_set(err, COX_REASON_INVALID, "%s: %s", text, gnutls_strerror(code));
}

void pki_wipe(struct cox_buf *secret)
{
	if (secret->data)
		gnutls_memset(secret->data, 0, secret->capacity);
	cox_buf_free(secret);
}

void pki_key_free(struct pki_key *key)
{
	if (!key)
		return;
	if (key->private)
		gnutls_privkey_deinit(key->private);
	if (key->x509)
		gnutls_x509_privkey_deinit(key->x509);
	if (key->public)
		gnutls_pubkey_deinit(key->public);
	free(key);
}

bool pki_key_is_private(const struct pki_key *key)
{
	return key->private != NULL;
}

/* Only what we sign and verify with: P-256, and RSA that is neither weak nor absurd. */
static int find_kind(struct pki_key *key, struct cox_error *err)
{
	unsigned bits = 0;
	int algorithm = gnutls_pubkey_get_pk_algorithm(key->public, &bits);
	gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
	gnutls_datum_t x = {NULL, 0}, y = {NULL, 0};

	if (algorithm == GNUTLS_PK_RSA && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX) {
		key->kind = PKI_RSA_2048;
		return 0;
	}
	if (algorithm == GNUTLS_PK_ECDSA &&
	    gnutls_pubkey_export_ecc_raw(key->public, &curve, &x, &y) == 0) {
		gnutls_free(x.data);
		gnutls_free(y.data);
	}
	if (curve == GNUTLS_ECC_CURVE_SECP256R1) {
		key->kind = PKI_ECDSA_P256;
		return 0;
	}
	return error_set(err, COX_REASON_INVALID,
			 "a key of another kind than ECDSA P-256 or RSA of %d to %d bits",
			 RSA_BITS_MIN, RSA_BITS_MAX);
}

/* Makes `private` and `public` from `x509`. */
static int complete_private(struct pki_key *key, struct cox_error *err)
{
	int code = gnutls_privkey_init(&key->private);

	if (code == 0)
		code = gnutls_privkey_import_x509(key->private, key->x509, 0);
	if (code == 0)
		code = gnutls_pubkey_import_privkey(key->public, key->private, 0, 0);
	return code == 0 ? find_kind(key, err) : pki_fail(err, code, "use a private key");
}

static struct pki_key *new_key(void)
{
	struct pki_key *key = cox_new(struct pki_key);

	if (gnutls_pubkey_init(&key->public) != 0 || gnutls_x509_privkey_init(&key->x509) != 0) {
		pki_key_free(key);
		return NULL;
	}
	return key;
}

struct pki_key *pki_key_generate(enum pki_key_kind kind, struct cox_error *err)
{
	struct pki_key *key = new_key();
	int code;

	if (!key) {
		error_set(err, COX_REASON_INTERNAL_ERROR, "make a key");
		return NULL;
	}
	if (kind == PKI_ECDSA_P256)
		code = gnutls_x509_privkey_generate(
			key->x509, GNUTLS_PK_ECDSA,
			GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	else
		code = gnutls_x509_privkey_generate(key->x509, GNUTLS_PK_RSA, RSA_BITS_MIN, 0);
	if (code != 0)
		pki_fail(err, code, "generate a key");
	if (code != 0 || complete_private(key, err) != 0) {
		pki_key_free(key);
		return NULL;
	}
	return key;
}

/* A public key, or the one of a certificate. */
static int import_public(struct pki_key *key, const gnutls_datum_t *pem, struct cox_error *err)
{
	gnutls_x509_crt_t certificate = NULL;
	int code = gnutls_pubkey_import(key->public, pem, GNUTLS_X509_FMT_PEM);

	if (code != 0 && gnutls_x509_crt_init(&certificate) == 0) {
		code = gnutls_x509_crt_import(certificate, pem, GNUTLS_X509_FMT_PEM);
		if (code == 0)
			code = gnutls_pubkey_import_x509(key->public, certificate, 0);
		gnutls_x509_crt_deinit(certificate);
	}
	gnutls_x509_privkey_deinit(key->x509);
	key->x509 = NULL;
	return code == 0 ? find_kind(key, err) : pki_fail(err, code, "read a public key");
}

static bool contains(const gnutls_datum_t *text, const char *words)
{
	return memmem(text->data, text->size, words, strlen(words)) != NULL;
}

struct pki_key *pki_key_parse(const void *pem, size_t size, struct cox_error *err)
{
	gnutls_datum_t bytes = pki_datum(pem, size);
	struct pki_key *key;
	int failed;

	if (size == 0 || size > PKI_FILE_MAX || !contains(&bytes, "-----BEGIN ")) {
		error_set(err, COX_REASON_INVALID, "no key in PEM form");
		return NULL;
	}
	key = new_key();
	if (!key) {
		error_set(err, COX_REASON_INTERNAL_ERROR, "make a key");
		return NULL;
	}
	if (contains(&bytes, "PRIVATE KEY-----")) {
		int code = gnutls_x509_privkey_import2(key->x509, &bytes, GNUTLS_X509_FMT_PEM, NULL,
						       0);

		failed = code == 0 ? complete_private(key, err)
				   : pki_fail(err, code, "read a private key");
	} else {
		failed = import_public(key, &bytes, err);
	}
	if (failed) {
		pki_key_free(key);
		return NULL;
	}
	return key;
}

struct pki_key *pki_key_load(const char *path, struct cox_error *err)
{
	struct cox_buf pem = COX_BUF_INIT;
	struct pki_key *key = NULL;

	if (pki_file_read(path, &pem, err) == 0) {
		key = pki_key_parse(pem.data, pem.size, err);
		if (!key)
			error_wrap(err, "%s", path);
	}
	pki_wipe(&pem);
	return key;
}

int pki_key_pem(const struct pki_key *key, struct cox_buf *out, struct cox_error *err)
{
	gnutls_datum_t pem = {NULL, 0};
	int code;

	if (!key->x509)
		return error_set(err, COX_REASON_INVALID, "a public key only");
	code = gnutls_x509_privkey_export2_pkcs8(key->x509, GNUTLS_X509_FMT_PEM, NULL,
						 GNUTLS_PKCS_PLAIN, &pem);
	if (code != 0)
		return pki_fail(err, code, "write a private key");
	cox_buf_add(out, pem.data, pem.size);
	gnutls_memset(pem.data, 0, pem.size);
	gnutls_free(pem.data);
	return 0;
}

int pki_key_public_pem(const struct pki_key *key, struct cox_buf *out, struct cox_error *err)
{
	gnutls_datum_t pem = {NULL, 0};
	int code = gnutls_pubkey_export2(key->public, GNUTLS_X509_FMT_PEM, &pem);

	if (code != 0)
		return pki_fail(err, code, "write a public key");
	cox_buf_add(out, pem.data, pem.size);
	gnutls_free(pem.data);
	return 0;
}
