/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens; see the header. Signatures of ECDSA go as two numbers of 32 bytes
 * (RFC 7518, 3.4), not in the DER form that GnuTLS speaks.
 */
#include "pki/jwt.h"
#include "base/arena.h"
#include "machinery/json.h"
#include "pki/private.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { P256_SIZE = 32, HEADER_MAX = 4096, SIGNATURE_MAX = 2048 };

static void add_base64url(struct cox_buf *out, const void *data, size_t size)
{
	char *room = cox_buf_reserve(out, cox_base64_size(size));

	cox_base64url_encode(data, size, room);
	cox_buf_added(out, strlen(room));
}

int jwt_key_id(struct pki_key *key, char out[JWT_KEY_ID_SIZE], struct cox_error *err)
{
	gnutls_datum_t der = {NULL, 0};
	unsigned char digest[32];
	int code = gnutls_pubkey_export2(key->public, GNUTLS_X509_FMT_DER, &der);

	if (code == 0)
		code = gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.size, digest);
	gnutls_free(der.data);
	if (code != 0)
		return pki_fail(err, code, "make a key id");
	cox_base64url_encode(digest, sizeof(digest), out);
	return 0;
}

static gnutls_sign_algorithm_t algorithm_of(const struct pki_key *key)
{
	return key->kind == PKI_RSA_2048 ? GNUTLS_SIGN_RSA_SHA256 : GNUTLS_SIGN_ECDSA_SHA256;
}

static const char *algorithm_name(const struct pki_key *key)
{
	return key->kind == PKI_RSA_2048 ? "RS256" : "ES256";
}

/* A number of any length as exactly 32 bytes; -1 if it is too large. */
static int fixed_number(const gnutls_datum_t *number, unsigned char out[P256_SIZE])
{
	const unsigned char *data = number->data;
	size_t size = number->size;

	while (size && !*data) {
		data++;
		size--;
	}
	if (size > P256_SIZE)
		return -1;
	memset(out, 0, P256_SIZE - size);
	memcpy(out + P256_SIZE - size, data, size);
	return 0;
}

static int add_signature(struct pki_key *key, const gnutls_datum_t *signature, struct cox_buf *out,
			 struct cox_error *err)
{
	gnutls_datum_t r = {NULL, 0}, s = {NULL, 0};
	unsigned char raw[2 * P256_SIZE];
	int code;

	if (key->kind == PKI_RSA_2048) {
		add_base64url(out, signature->data, signature->size);
		return 0;
	}
	code = gnutls_decode_rs_value(signature, &r, &s);
	if (code == 0 && (fixed_number(&r, raw) != 0 || fixed_number(&s, raw + P256_SIZE) != 0))
		code = GNUTLS_E_INTERNAL_ERROR;
	gnutls_free(r.data);
	gnutls_free(s.data);
	if (code != 0)
		return pki_fail(err, code, "sign a token");
	add_base64url(out, raw, sizeof(raw));
	return 0;
}

int jwt_sign(struct pki_key *key, const char *claims, size_t size, struct cox_buf *out,
	     struct cox_error *err)
{
	cox_autobuf header = COX_BUF_INIT, token = COX_BUF_INIT;
	gnutls_datum_t signature = {NULL, 0}, bytes;
	char id[JWT_KEY_ID_SIZE];
	int code, result;

	if (!key->private)
		return error_set(err, COX_REASON_INVALID, "a public key cannot sign tokens");
	if (jwt_key_id(key, id, err) != 0)
		return -1;
	cox_buf_printf(&header, "{\"alg\":\"%s\",\"kid\":\"%s\"}", algorithm_name(key), id);
	add_base64url(&token, header.data, header.size);
	cox_buf_char(&token, '.');
	add_base64url(&token, claims, size);
	bytes = pki_datum(token.data, token.size);
	code = gnutls_privkey_sign_data2(key->private, algorithm_of(key), 0, &bytes, &signature);
	if (code != 0)
		return pki_fail(err, code, "sign a token");
	cox_buf_char(&token, '.');
	result = add_signature(key, &signature, &token, err);
	gnutls_free(signature.data);
	if (result == 0)
		cox_buf_add(out, token.data, token.size);
	return result;
}

/* A token taken apart: borrowed pieces of its text. */
struct parts {
	const char *header, *claims, *signature;
	size_t header_size, claims_size, signature_size, signed_size;
};

static int split(const char *token, size_t size, struct parts *parts)
{
	const char *first = memchr(token, '.', size), *second;

	if (!first)
		return -1;
	second = memchr(first + 1, '.', (size_t)(token + size - first - 1));
	if (!second)
		return -1;
	*parts = (struct parts){
		.header = token,
		.header_size = (size_t)(first - token),
		.claims = first + 1,
		.claims_size = (size_t)(second - first - 1),
		.signature = second + 1,
		.signature_size = (size_t)(token + size - second - 1),
		.signed_size = (size_t)(second - token),
	};
	return parts->header_size && parts->claims_size && parts->signature_size ? 0 : -1;
}

/* Checks one key; whether it made the signature. */
static bool signed_by(struct pki_key *key, const gnutls_datum_t *bytes,
		      const gnutls_datum_t *signature)
{
	gnutls_datum_t der = {NULL, 0}, r, s;
	int code;

	if (key->kind == PKI_RSA_2048)
		return gnutls_pubkey_verify_data2(key->public, GNUTLS_SIGN_RSA_SHA256, 0, bytes,
						  signature) >= 0;
	if (signature->size != 2 * P256_SIZE)
		return false;
	r = (gnutls_datum_t){signature->data, P256_SIZE};
	s = (gnutls_datum_t){signature->data + P256_SIZE, P256_SIZE};
	if (gnutls_encode_rs_value(&der, &r, &s) != 0)
		return false;
	code = gnutls_pubkey_verify_data2(key->public, GNUTLS_SIGN_ECDSA_SHA256, 0, bytes, &der);
	gnutls_free(der.data);
	return code >= 0;
}

/* The token's algorithm and kid choose among our keys; they are never believed. */
static int read_header(const struct parts *parts, struct arena *arena, const char **algorithm,
		       const char **id, struct cox_error *err)
{
	char *json;
	int64_t size;
	struct value *header;

	if (parts->header_size > HEADER_MAX)
		return error_set(err, COX_REASON_UNAUTHORIZED, "the token's header is too long");
	json = arena_alloc(arena, parts->header_size);
	size = cox_base64url_decode(parts->header, parts->header_size, json);
	header = size > 0 ? json_parse(arena, json, (size_t)size, NULL, NULL) : NULL;
	if (!value_is(header, VALUE_OBJECT))
		return error_set(err, COX_REASON_UNAUTHORIZED, "the token's header is not JSON");
	/* RFC 7515, 4.1.11: what is critical and not understood refuses the token */
	if (value_get(header, "crit"))
		return error_set(err, COX_REASON_UNAUTHORIZED,
				 "the token's header has critical extensions");
	*algorithm = value_get_text(header, "alg");
	*id = value_get_text(header, "kid");
	return 0;
}

static bool find_signer(struct pki_key *const *keys, size_t key_count, const char *algorithm,
			const char *id, const gnutls_datum_t *bytes,
			const gnutls_datum_t *signature)
{
	/* First the keys of that id, then the rest: keys may have been renamed. */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < key_count; i++) {
			char own[JWT_KEY_ID_SIZE] = "";

			if (strcmp(algorithm, algorithm_name(keys[i])) != 0 ||
			    jwt_key_id(keys[i], own, NULL) != 0)
				continue;
			if ((strcmp(own, id) == 0) == (pass == 0) &&
			    signed_by(keys[i], bytes, signature))
				return true;
		}
	}
	return false;
}

int jwt_verify(struct pki_key *const *keys, size_t key_count, const char *token, size_t size,
	       struct cox_buf *claims, struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;
	const char *algorithm = "", *id = "";
	gnutls_datum_t bytes, signature;
	struct parts parts;
	int64_t decoded;
	char *room;

	if (size > JWT_MAX)
		return error_set(err, COX_REASON_UNAUTHORIZED, "the token is longer than %d bytes",
				 JWT_MAX);
	if (split(token, size, &parts) != 0)
		return error_set(err, COX_REASON_UNAUTHORIZED,
				 "the token is not of the form header.claims.signature");
	if (read_header(&parts, &arena, &algorithm, &id, err) != 0)
		return -1;
	room = arena_alloc(&arena, parts.signature_size);
	decoded = cox_base64url_decode(parts.signature, parts.signature_size, room);
	if (decoded <= 0 || decoded > SIGNATURE_MAX)
		return error_set(err, COX_REASON_UNAUTHORIZED,
				 "the token's signature is not base64url");
	signature = pki_datum(room, (size_t)decoded);
	bytes = pki_datum(token, parts.signed_size);
	room = arena_alloc(&arena, parts.claims_size);
	decoded = cox_base64url_decode(parts.claims, parts.claims_size, room);
	if (decoded < 0)
		return error_set(err, COX_REASON_UNAUTHORIZED,
				 "the token's claims are not base64url");
	if (!find_signer(keys, key_count, algorithm, id, &bytes, &signature)) {
		error_set(err, COX_REASON_UNAUTHORIZED, "none of the keys signed the token");
		return JWT_NOT_OURS;
	}
	cox_buf_add(claims, room, (size_t)decoded);
	return 0;
}

/* Appends one member: "name":"base64url of the number". */
static void add_number(struct cox_buf *out, const char *name, const gnutls_datum_t *number,
		       bool fixed)
{
	unsigned char raw[P256_SIZE];
	const unsigned char *data = number->data;
	size_t size = number->size;

	while (size > 1 && !*data) {
		data++;
		size--;
	}
	cox_buf_printf(out, ",\"%s\":\"", name);
	if (fixed && fixed_number(number, raw) == 0)
		add_base64url(out, raw, sizeof(raw));
	else
		add_base64url(out, data, size);
	cox_buf_char(out, '"');
}

static int add_key(struct pki_key *key, struct cox_buf *out, struct cox_error *err)
{
	gnutls_datum_t first = {NULL, 0}, second = {NULL, 0};
	gnutls_ecc_curve_t curve;
	char id[JWT_KEY_ID_SIZE];
	bool rsa = key->kind == PKI_RSA_2048;
	int code;

	if (jwt_key_id(key, id, err) != 0)
		return -1;
	code = rsa ? gnutls_pubkey_export_rsa_raw(key->public, &first, &second)
		   : gnutls_pubkey_export_ecc_raw(key->public, &curve, &first, &second);
	if (code != 0)
		return pki_fail(err, code, "write a public key");
	cox_buf_printf(out, "{\"use\":\"sig\",\"kty\":\"%s\",\"kid\":\"%s\"%s,\"alg\":\"%s\"",
		       rsa ? "RSA" : "EC", id, rsa ? "" : ",\"crv\":\"P-256\"",
		       algorithm_name(key));
	add_number(out, rsa ? "n" : "x", &first, !rsa);
	add_number(out, rsa ? "e" : "y", &second, !rsa);
	cox_buf_char(out, '}');
	gnutls_free(first.data);
	gnutls_free(second.data);
	return 0;
}

int jwt_key_set(struct pki_key *const *keys, size_t key_count, struct cox_buf *out,
		struct cox_error *err)
{
	cox_buf_str(out, "{\"keys\":[");
	for (size_t i = 0; i < key_count; i++) {
		if (i)
			cox_buf_char(out, ',');
		if (add_key(keys[i], out, err) != 0)
			return -1;
	}
	cox_buf_str(out, "]}");
	return 0;
}
