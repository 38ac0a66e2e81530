/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x509: client certificates. The chain that the client sent must lead to a
 * certificate of the CA file and be meant for clients; then the common name is
 * the user and the organizations are the groups. That the client holds the key
 * was proven by the handshake.
 *
 * `lock` is over `trust`, which a changed CA file replaces. Verifying only
 * reads it, so any number of calls do it at a time.
 */
#include "watched.h"

#include <coxswain/authenticator.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

enum { CHAIN_MAX = 10, NAME_SIZE = 1024, GROUPS_MAX = 256, DIGEST_SIZE = 32 };

#define SECOND UINT64_C(1000000000)

/* The attribute of a subject that carries the user's uid. */
#define OID_UID "1.3.6.1.4.1.57683.2"

struct x509 {
	const struct cox_host *host;
	struct watched file;
	pthread_rwlock_t lock;
	gnutls_x509_trust_list_t trust;
};

struct chain {
	gnutls_x509_crt_t certificates[CHAIN_MAX];
	unsigned count;
};

/* Takes the CA file over; see watched.h. */
static int x509_take(void *owner, const char *path, const char *data, size_t size,
		     struct cox_buf *why)
{
	struct x509 *self = owner;
	gnutls_datum_t bytes = {(unsigned char *)(uintptr_t)data, (unsigned)size};
	gnutls_x509_trust_list_t trust = NULL, old;
	int count = gnutls_x509_trust_list_init(&trust, 0);

	if (count == 0)
		count = gnutls_x509_trust_list_add_trust_mem(trust, &bytes, NULL,
							     GNUTLS_X509_FMT_PEM, 0, 0);
	if (count <= 0) {
		cox_buf_printf(why, "%s: no CA certificate in PEM form (%s)", path,
			       count ? gnutls_strerror(count) : "it has none");
		if (trust)
			gnutls_x509_trust_list_deinit(trust, 1);
		return -1;
	}
	pthread_rwlock_wrlock(&self->lock);
	old = self->trust;
	self->trust = trust;
	pthread_rwlock_unlock(&self->lock);
	if (old)
		gnutls_x509_trust_list_deinit(old, 1);
	return 0;
}

static void *x509_create(const struct cox_host *host, struct cox_error *err)
{
	struct x509 *self = cox_new(struct x509);

	(void)err;
	self->host = host;
	self->file = (struct watched){.host = host, .take = x509_take, .owner = self};
	pthread_rwlock_init(&self->lock, NULL);
	return self;
}

static int x509_config(void *instance, const char *key, const char *value, struct cox_error *err)
{
	struct x509 *self = instance;
	int64_t interval;

	if (strcmp(key, "ca-file") == 0) {
		watched_init(&self->file, value);
		return 0;
	}
	if (cox_parse_int(value, 0, INT64_MAX, &interval) != 0)
		return self->host->fail(err, COX_REASON_INVALID, "not a duration");
	self->file.interval_ns = (uint64_t)interval;
	return 0;
}

static int x509_get_ready(void *instance, struct cox_error *err)
{
	return watched_load(&((struct x509 *)instance)->file, err);
}

static void x509_destroy(void *instance)
{
	struct x509 *self = instance;

	watched_free(&self->file);
	if (self->trust)
		gnutls_x509_trust_list_deinit(self->trust, 1);
	pthread_rwlock_destroy(&self->lock);
	free(self);
}

static void chain_free(struct chain *chain)
{
	while (chain->count > 0)
		gnutls_x509_crt_deinit(chain->certificates[--chain->count]);
}

static enum cox_authn_answer bad(const struct x509 *self, struct cox_error *err, const char *text)
{
	self->host->fail(err, COX_REASON_UNAUTHORIZED, "%s", text);
	return COX_AUTHN_BAD;
}

static enum cox_authn_answer chain_read(const struct x509 *self,
					const struct cox_authn_request *request,
					struct chain *chain, struct cox_error *err)
{
	if (request->certificate_count > CHAIN_MAX) {
		self->host->fail(err, COX_REASON_UNAUTHORIZED,
				 "a chain of %zu certificates; at most %d are looked at",
				 request->certificate_count, CHAIN_MAX);
		return COX_AUTHN_BAD;
	}
	for (size_t i = 0; i < request->certificate_count; i++) {
		const struct cox_bytes *der = &request->certificates[i];
		gnutls_datum_t bytes = {(unsigned char *)(uintptr_t)der->data, (unsigned)der->size};
		gnutls_x509_crt_t *certificate = &chain->certificates[i];
		int code = gnutls_x509_crt_init(certificate);

		if (code != 0)
			return bad(self, err, gnutls_strerror(code));
		chain->count++;
		code = gnutls_x509_crt_import(*certificate, &bytes, GNUTLS_X509_FMT_DER);
		if (code != 0) {
			self->host->fail(err, COX_REASON_UNAUTHORIZED,
					 "a certificate cannot be read: %s", gnutls_strerror(code));
			return COX_AUTHN_BAD;
		}
	}
	return COX_AUTHN_YES;
}

/* What GnuTLS has against the chain, in its own words. */
static enum cox_authn_answer say_status(const struct x509 *self, unsigned status,
					struct cox_error *err)
{
	gnutls_datum_t text = {NULL, 0};

	if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) != 0)
		return bad(self, err, "the certificate is not trusted");
	while (text.size && text.data[text.size - 1] == ' ')
		text.size--;
	self->host->fail(err, COX_REASON_UNAUTHORIZED, "%.*s", (int)text.size,
			 (const char *)text.data);
	gnutls_free(text.data);
	return COX_AUTHN_BAD;
}

static enum cox_authn_answer chain_verify(struct x509 *self, struct chain *chain,
					  struct cox_error *err)
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
	unsigned status = 0;
	int code;

	pthread_rwlock_rdlock(&self->lock);
	code = gnutls_x509_trust_list_verify_crt2(self->trust, chain->certificates, chain->count,
						  &purpose, 1, 0, &status, NULL);
	pthread_rwlock_unlock(&self->lock);
	if (code < 0)
		return bad(self, err, gnutls_strerror(code));
	return status ? say_status(self, status, err) : COX_AUTHN_YES;
}

/*
 * The text in a DER value: a UTF8String (12), PrintableString (19) or IA5String
 * (22) with its length in one to three bytes. -1: anything else, and what two
 * readers could read in two ways.
 */
static int decode_text(const unsigned char *der, size_t size, char name[NAME_SIZE])
{
	size_t head = 2, length;

	if (size < 3 || (der[0] != 12 && der[0] != 19 && der[0] != 22))
		return -1;
	length = der[1];
	if (length >= 0x80) {
		head += length & 0x7f;
		if (length > 0x82 || head >= size)
			return -1;
		length = length == 0x81 ? der[2] : (size_t)der[2] << 8 | der[3];
	}
	if (length != size - head || length >= NAME_SIZE || memchr(der + head, '\0', length) ||
	    !cox_utf8_valid((const char *)der + head, length, NULL))
		return -1;
	memcpy(name, der + head, length);
	name[length] = '\0';
	return 1;
}

/*
 * 1: the subject's `index`th name of a kind; 0: there is none; -1: a bad one.
 * Taken as DER, because GnuTLS escapes the text that it makes (RFC 4514) and
 * so would rename a user with a comma in the name.
 */
static int read_name(gnutls_x509_crt_t leaf, const char *oid, unsigned index, char name[NAME_SIZE])
{
	unsigned char der[NAME_SIZE + 4];
	size_t size = sizeof(der);
	int code = gnutls_x509_crt_get_dn_by_oid(leaf, oid, index, 1, der, &size);

	name[0] = '\0';
	if (code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return 0;
	return code == 0 ? decode_text(der, size, name) : -1;
}

/* The audit log tells certificates of one user apart by this. */
static void tell_fingerprint(gnutls_x509_crt_t leaf, const struct cox_identity_sink *sink)
{
	static const char digits[] = "0123456789abcdef";
	char text[16 + 2 * DIGEST_SIZE] = "X509SHA256=";
	size_t size = DIGEST_SIZE, at = strlen(text);
	unsigned char digest[DIGEST_SIZE];

	if (gnutls_x509_crt_get_fingerprint(leaf, GNUTLS_DIG_SHA256, digest, &size) != 0)
		return;
	for (size_t i = 0; i < size; i++) {
		text[at++] = digits[digest[i] >> 4];
		text[at++] = digits[digest[i] & 15];
	}
	text[at] = '\0';
	sink->extra(sink, "authentication.kubernetes.io/credential-id", text);
}

static enum cox_authn_answer tell(const struct x509 *self, gnutls_x509_crt_t leaf,
				  const struct cox_identity_sink *sink, struct cox_error *err)
{
	char user[NAME_SIZE], name[NAME_SIZE], uid[NAME_SIZE];
	time_t end = gnutls_x509_crt_get_expiration_time(leaf);
	int found = read_name(leaf, GNUTLS_OID_X520_COMMON_NAME, 0, user);

	if (found < 0)
		return bad(self, err, "the common name is not plain text");
	if (found == 0 || !*user)
		return bad(self, err, "the certificate has no common name, so it names no user");
	if (read_name(leaf, GNUTLS_OID_X520_COMMON_NAME, 1, name) != 0)
		return bad(self, err, "the certificate has two common names");
	if (read_name(leaf, OID_UID, 0, uid) < 0 || read_name(leaf, OID_UID, 1, name) != 0)
		return bad(self, err, "the uid attribute " OID_UID " is not one text");
	for (unsigned i = 0; (found = read_name(leaf, GNUTLS_OID_X520_ORGANIZATION_NAME, i, name));
	     i++) {
		if (found < 0)
			return bad(self, err, "an organization is not plain text");
		if (i >= GROUPS_MAX)
			return bad(self, err, "the certificate has too many organizations");
		sink->group(sink, name);
	}
	sink->user(sink, user, uid);
	tell_fingerprint(leaf, sink);
	/* The last day that a certificate can name does not fit, and is no end. */
	if (end > 0 && (uint64_t)end < UINT64_MAX / SECOND)
		sink->expires(sink, (uint64_t)end * SECOND);
	return COX_AUTHN_YES;
}

static enum cox_authn_answer x509_authenticate(void *instance, const struct cox_call *call,
					       const struct cox_authn_request *request,
					       const struct cox_identity_sink *sink,
					       struct cox_error *err)
{
	struct x509 *self = instance;
	struct chain chain = {.count = 0};
	enum cox_authn_answer answer;

	(void)call;
	if (request->certificate_count == 0)
		return COX_AUTHN_NOT_MINE;
	watched_refresh(&self->file);
	answer = chain_read(self, request, &chain, err);
	if (answer == COX_AUTHN_YES)
		answer = chain_verify(self, &chain, err);
	if (answer == COX_AUTHN_YES)
		answer = tell(self, chain.certificates[0], sink, err);
	chain_free(&chain);
	return answer;
}

static const struct cox_option x509_options[] = {
	{"ca-file", NULL, "file with the CA certificates, PEM", COX_OPT_PATH, COX_OPTION_REQUIRED},
	{"check-interval", "10s", "how often the file is looked at for changes", COX_OPT_DURATION,
	 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_authenticator_ops x509_ops = {.authenticate = x509_authenticate};

COX_AUTHENTICATOR_PLUGIN(x509_ops, .name = "x509", .version = COX_RELEASE,
			 .description = "client certificates", .thread_model = COX_THREADS_PARALLEL,
			 .options = x509_options, .create = x509_create, .config = x509_config,
			 .get_ready = x509_get_ready, .destroy = x509_destroy);
