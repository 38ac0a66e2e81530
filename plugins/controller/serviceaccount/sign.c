/* SPDX-License-Identifier: Apache-2.0 */
/* Signing tokens; see the header. */
#include "sign.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	KEY_FILE_MAX = 64 * 1024,
	RSA_BITS_MIN = 2048,
	RSA_BITS_MAX = 16384,
	NUMBER_SIZE = 32, /* of P-256 */
	DIGEST_SIZE = 32,
	KEY_ID_SIZE = 44 /* base64url of a digest */
};

struct signer {
	const struct cox_host *host;
	gnutls_privkey_t private;
	bool rsa;
	char id[KEY_ID_SIZE];
};

int read_file(const char *path, size_t most, struct cox_buf *out)
{
	cox_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -1;
	while ((got = read(fd, cox_buf_reserve(out, 4096), 4096)) > 0) {
		cox_buf_added(out, (size_t)got);
		if (out->size > most) {
			errno = EFBIG;
			return -1;
		}
	}
	return got < 0 ? -1 : 0;
}

/* ---- the key ---- */

static int import_key(struct signer *signer, const struct cox_buf *pem)
{
	const gnutls_datum_t data = {(unsigned char *)pem->data, (unsigned)pem->size};
	gnutls_x509_privkey_t key = NULL;
	int code = gnutls_x509_privkey_init(&key);

	if (code == 0)
		code = gnutls_x509_privkey_import2(key, &data, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (code == 0)
		code = gnutls_privkey_init(&signer->private);
	if (code == 0)
		code = gnutls_privkey_import_x509(signer->private, key, GNUTLS_PRIVKEY_IMPORT_COPY);
	if (key)
		gnutls_x509_privkey_deinit(key);
	return code;
}

/* The id by which servers find the key: of its public part as DER. */
static int make_id(struct signer *signer, gnutls_pubkey_t public)
{
	gnutls_datum_t der = {NULL, 0};
	unsigned char digest[DIGEST_SIZE];
	int code = gnutls_pubkey_export2(public, GNUTLS_X509_FMT_DER, &der);

	if (code == 0)
		code = gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.size, digest);
	gnutls_free(der.data);
	if (code == 0)
		cox_base64url_encode(digest, sizeof(digest), signer->id);
	return code;
}

/* What the two algorithms can use: neither weak nor absurd. */
static int check_kind(struct signer *signer, gnutls_pubkey_t public, const char **why)
{
	gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
	gnutls_datum_t x = {NULL, 0}, y = {NULL, 0};
	unsigned bits = 0;
	int algorithm = gnutls_pubkey_get_pk_algorithm(public, &bits);

	signer->rsa = algorithm == GNUTLS_PK_RSA;
	if (signer->rsa && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
		return 0;
	if (algorithm == GNUTLS_PK_ECDSA &&
	    gnutls_pubkey_export_ecc_raw(public, &curve, &x, &y) == 0) {
		gnutls_free(x.data);
		gnutls_free(y.data);
		if (curve == GNUTLS_ECC_CURVE_SECP256R1)
			return 0;
	}
	*why = "it is neither an RSA key of 2048 to 16384 bits nor one on the curve P-256";
	return -1;
}

static int learn_key(struct signer *signer, const char **why)
{
	gnutls_pubkey_t public = NULL;
	int code = gnutls_pubkey_init(&public), failed;

	if (code == 0)
		code = gnutls_pubkey_import_privkey(public, signer->private, 0, 0);
	if (code == 0)
		code = make_id(signer, public);
	failed = code == 0 ? check_kind(signer, public, why) : -1;
	if (code != 0)
		*why = gnutls_strerror(code);
	if (public)
		gnutls_pubkey_deinit(public);
	return failed;
}

struct signer *signer_load(const struct cox_host *host, const char *path, struct cox_error *err)
{
	struct signer *signer = cox_new(struct signer);
	struct cox_buf pem = COX_BUF_INIT;
	const char *why = NULL;
	int code = 0;

	signer->host = host;
	if (read_file(path, KEY_FILE_MAX, &pem) != 0)
		why = errno == ENOENT
			      ? "there is none; kube-apiserver makes it at its first start, "
				"so start that first"
			      : strerror(errno);
	else
		code = import_key(signer, &pem);
	if (code != 0)
		why = gnutls_strerror(code);
	if (pem.data)
		explicit_bzero(pem.data, pem.size);
	cox_buf_free(&pem);
	if (!why && learn_key(signer, &why) == 0)
		return signer;
	host->fail(err, COX_REASON_INVALID, "key of service account tokens: %s: %s", path, why);
	signer_free(signer);
	return NULL;
}

void signer_free(struct signer *signer)
{
	if (!signer)
		return;
	if (signer->private)
		gnutls_privkey_deinit(signer->private);
	free(signer);
}

/* ---- tokens ---- */

static void add_base64url(struct cox_buf *out, const void *data, size_t size)
{
	char *room = cox_buf_reserve(out, cox_base64_size(size));

	cox_base64url_encode(data, size, room);
	cox_buf_added(out, strlen(room));
}

/* A number of DER, which may have a zero before it or be short, as exactly 32 bytes. */
static int write_number(const gnutls_datum_t *number, unsigned char out[NUMBER_SIZE])
{
	size_t zeros = 0, size;

	while (zeros < number->size && !number->data[zeros])
		zeros++;
	size = number->size - zeros;
	if (size > NUMBER_SIZE)
		return -1;
	memset(out, 0, NUMBER_SIZE - size);
	memcpy(out + NUMBER_SIZE - size, number->data + zeros, size);
	return 0;
}

/* RFC 7518, 3.4: two numbers, not the DER that GnuTLS makes. */
static int add_pair(const gnutls_datum_t *signature, struct cox_buf *out)
{
	gnutls_datum_t r = {NULL, 0}, s = {NULL, 0};
	unsigned char pair[2 * NUMBER_SIZE];
	int code = gnutls_decode_rs_value(signature, &r, &s);

	if (code == 0 && (write_number(&r, pair) != 0 || write_number(&s, pair + NUMBER_SIZE) != 0))
		code = GNUTLS_E_INTERNAL_ERROR;
	gnutls_free(r.data);
	gnutls_free(s.data);
	if (code == 0)
		add_base64url(out, pair, sizeof(pair));
	return code;
}

int signer_sign(const struct signer *signer, const struct cox_buf *claims, struct cox_buf *out,
		struct cox_error *err)
{
	cox_autobuf header = COX_BUF_INIT;
	cox_autobuf token = COX_BUF_INIT;
	gnutls_datum_t bytes, signature = {NULL, 0};
	int code;

	cox_buf_printf(&header, "{\"alg\":\"%s\",\"kid\":\"%s\"}", signer->rsa ? "RS256" : "ES256",
		       signer->id);
	add_base64url(&token, header.data, header.size);
	cox_buf_char(&token, '.');
	add_base64url(&token, claims->data, claims->size);
	bytes = (gnutls_datum_t){(unsigned char *)token.data, (unsigned)token.size};
	code = gnutls_privkey_sign_data2(
		signer->private, signer->rsa ? GNUTLS_SIGN_RSA_SHA256 : GNUTLS_SIGN_ECDSA_SHA256, 0,
		&bytes, &signature);
	cox_buf_char(&token, '.');
	if (code == 0 && signer->rsa)
		add_base64url(&token, signature.data, signature.size);
	else if (code == 0)
		code = add_pair(&signature, &token);
	gnutls_free(signature.data);
	if (code != 0)
		return signer->host->fail(err, COX_REASON_INTERNAL_ERROR, "sign a token: %s",
					  gnutls_strerror(code));
	cox_buf_add(out, token.data, token.size);
	return 0;
}
