/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of service account tokens; see the header. */
#include "keys.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/vec.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_MAX = 64, RSA_BITS_MIN = 2048, RSA_BITS_MAX = 16384, P256_SIZE = 32, LABEL_MAX = 64 };

struct key {
	gnutls_pubkey_t public;
	bool rsa;
};

struct keys {
	COX_VEC(struct key) list;
};

void keys_free(struct keys *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < keys->list.count; i++)
		gnutls_pubkey_deinit(keys->list.items[i].public);
	cox_vec_free(&keys->list);
	free(keys);
}

/* Only what RS256 and ES256 verify with, neither weak nor absurd. 0 or -1. */
static int find_kind(struct key *key)
{
	gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
	gnutls_datum_t x = {NULL, 0}, y = {NULL, 0};
	unsigned bits = 0;
	int algorithm = gnutls_pubkey_get_pk_algorithm(key->public, &bits);

	key->rsa = algorithm == GNUTLS_PK_RSA;
	if (key->rsa)
		return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX ? 0 : -1;
	if (algorithm != GNUTLS_PK_ECDSA ||
	    gnutls_pubkey_export_ecc_raw(key->public, &curve, &x, &y) != 0)
		return -1;
	gnutls_free(x.data);
	gnutls_free(y.data);
	return curve == GNUTLS_ECC_CURVE_SECP256R1 ? 0 : -1;
}

static int import_private(gnutls_pubkey_t public, const gnutls_datum_t *pem)
{
	gnutls_x509_privkey_t x509 = NULL;
	gnutls_privkey_t private = NULL;
	int code = gnutls_x509_privkey_init(&x509);

	if (code == 0)
		code = gnutls_privkey_init(&private);
	if (code == 0)
		code = gnutls_x509_privkey_import2(x509, pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (code == 0)
		code = gnutls_privkey_import_x509(private, x509, 0);
	if (code == 0)
		code = gnutls_pubkey_import_privkey(public, private, 0, 0);
	if (private)
		gnutls_privkey_deinit(private);
	if (x509)
		gnutls_x509_privkey_deinit(x509);
	return code;
}

static int import_certificate(gnutls_pubkey_t public, const gnutls_datum_t *pem)
{
	gnutls_x509_crt_t certificate = NULL;
	int code = gnutls_x509_crt_init(&certificate);

	if (code == 0)
		code = gnutls_x509_crt_import(certificate, pem, GNUTLS_X509_FMT_PEM);
	if (code == 0)
		code = gnutls_pubkey_import_x509(public, certificate, 0);
	if (certificate)
		gnutls_x509_crt_deinit(certificate);
	return code;
}

/* Head and length of a DER value below 64 KiB. */
static void add_der_head(struct cox_buf *out, unsigned char tag, size_t size)
{
	cox_buf_char(out, (char)tag);
	if (size >= 128)
		cox_buf_char(out, (char)(size < 256 ? 0x81 : 0x82));
	if (size >= 256)
		cox_buf_char(out, (char)(size >> 8));
	cox_buf_char(out, (char)(size & 255));
}

/* PKCS #1 lacks the head that says what it is (RFC 5280, 4.1), so that is put before it. */
static int import_pkcs1(gnutls_pubkey_t public, const gnutls_datum_t *pem)
{
	static const unsigned char rsa[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
					    0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
	cox_autobuf bits = COX_BUF_INIT, whole = COX_BUF_INIT;
	gnutls_datum_t der = {NULL, 0}, key;
	int code = gnutls_pem_base64_decode2("RSA PUBLIC KEY", pem, &der);

	if (code != 0 || der.size > RSA_BITS_MAX) {
		gnutls_free(der.data);
		return code ? code : GNUTLS_E_UNIMPLEMENTED_FEATURE;
	}
	cox_buf_add(&bits, rsa, sizeof(rsa));
	add_der_head(&bits, 0x03, (size_t)der.size + 1);
	cox_buf_char(&bits, '\0'); /* no unused bits */
	cox_buf_add(&bits, der.data, der.size);
	gnutls_free(der.data);
	add_der_head(&whole, 0x30, bits.size);
	cox_buf_add(&whole, bits.data, bits.size);
	key = (gnutls_datum_t){(unsigned char *)whole.data, (unsigned)whole.size};
	return gnutls_pubkey_import(public, &key, GNUTLS_X509_FMT_DER);
}

/* One PEM block. 0 or a code of GnuTLS. */
static int import_block(gnutls_pubkey_t public, const char *label, const gnutls_datum_t *pem)
{
	if (strcmp(label, "PUBLIC KEY") == 0)
		return gnutls_pubkey_import(public, pem, GNUTLS_X509_FMT_PEM);
	if (strcmp(label, "RSA PUBLIC KEY") == 0)
		return import_pkcs1(public, pem);
	if (strcmp(label, "CERTIFICATE") == 0)
		return import_certificate(public, pem);
	return import_private(public, pem);
}

static bool is_key(const char *label)
{
	static const char *const labels[] = {"PUBLIC KEY",  "RSA PUBLIC KEY",  "CERTIFICATE",
					     "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"};

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (strcmp(label, labels[i]) == 0)
			return true;
	return false;
}

static int add_block(struct keys *keys, const char *label, const gnutls_datum_t *pem,
		     struct cox_buf *why)
{
	struct key key = {NULL, false};
	int code = gnutls_pubkey_init(&key.public);

	if (code == 0)
		code = import_block(key.public, label, pem);
	if (code == 0 && find_kind(&key) == 0 && keys->list.count < KEYS_MAX) {
		cox_vec_push(&keys->list, key);
		return 0;
	}
	if (key.public)
		gnutls_pubkey_deinit(key.public);
	if (code != 0)
		cox_buf_printf(why, "%s number %zu: %s", label, keys->list.count + 1,
			       gnutls_strerror(code));
	else if (keys->list.count == KEYS_MAX)
		cox_buf_printf(why, "more than %d keys", KEYS_MAX);
	else
		cox_buf_printf(why,
			       "%s number %zu is of another kind than ECDSA P-256 or RSA of %d to "
			       "%d bits",
			       label, keys->list.count + 1, RSA_BITS_MIN, RSA_BITS_MAX);
	return -1;
}

/* Finds the next block and its label: 1, or 0 at the end. */
static int next_block(const char **at, const char *end, char label[LABEL_MAX],
		      gnutls_datum_t *block)
{
	static const char begin_mark[] = "-----BEGIN ", end_mark[] = "-----END ";
	const char *begin = memmem(*at, (size_t)(end - *at), begin_mark, strlen(begin_mark));
	const char *name, *stop, *last;

	if (!begin)
		return 0;
	name = begin + strlen(begin_mark);
	stop = memmem(name, (size_t)(end - name), "-----", 5);
	if (!stop || stop - name >= LABEL_MAX)
		return 0;
	memcpy(label, name, (size_t)(stop - name));
	label[stop - name] = '\0';
	last = memmem(stop, (size_t)(end - stop), end_mark, strlen(end_mark));
	if (!last)
		return 0;
	last = memmem(last + strlen(end_mark), (size_t)(end - last) - strlen(end_mark), "-----", 5);
	if (!last)
		return 0;
	*at = last + 5;
	*block = (gnutls_datum_t){(unsigned char *)(uintptr_t)begin, (unsigned)(*at - begin)};
	return 1;
}

struct keys *keys_parse(const char *path, const char *data, size_t size, struct cox_buf *why)
{
	struct keys *keys = cox_new(struct keys);
	cox_autobuf wrong = COX_BUF_INIT;
	const char *at = data;
	char label[LABEL_MAX];
	gnutls_datum_t block;

	while (wrong.size == 0 && next_block(&at, data + size, label, &block))
		if (is_key(label))
			(void)add_block(keys, label, &block, &wrong);
	if (wrong.size == 0 && keys->list.count == 0)
		cox_buf_str(&wrong, "no key in PEM form");
	if (wrong.size == 0)
		return keys;
	cox_buf_printf(why, "%s: %s", path, wrong.data);
	keys_free(keys);
	return NULL;
}

/* ES256 signs with two numbers side by side (RFC 7518, 3.4); GnuTLS wants them as DER. */
static bool signed_by_p256(gnutls_pubkey_t public, const gnutls_datum_t *text,
			   const gnutls_datum_t *signature)
{
	gnutls_datum_t r = {signature->data, P256_SIZE}, s, der = {NULL, 0};
	int code;

	if (signature->size != 2 * P256_SIZE)
		return false;
	s = (gnutls_datum_t){signature->data + P256_SIZE, P256_SIZE};
	if (gnutls_encode_rs_value(&der, &r, &s) != 0)
		return false;
	code = gnutls_pubkey_verify_data2(public, GNUTLS_SIGN_ECDSA_SHA256, 0, text, &der);
	gnutls_free(der.data);
	return code >= 0;
}

bool keys_signed(const struct keys *keys, const struct jwt *jwt)
{
	gnutls_datum_t text = {(unsigned char *)(uintptr_t)jwt->signed_text,
			       (unsigned)jwt->signed_size};
	gnutls_datum_t signature = {(unsigned char *)(uintptr_t)jwt->signature,
				    (unsigned)jwt->signature_size};

	for (size_t i = 0; i < keys->list.count; i++) {
		const struct key *key = &keys->list.items[i];

		if (strcmp(jwt->algorithm, key->rsa ? "RS256" : "ES256") != 0)
			continue;
		if (key->rsa ? gnutls_pubkey_verify_data2(key->public, GNUTLS_SIGN_RSA_SHA256, 0,
							  &text, &signature) >= 0
			     : signed_by_p256(key->public, &text, &signature))
			return true;
	}
	return false;
}
