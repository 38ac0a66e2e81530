/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making certificates and signing requests; reading them is facts.c. See the
 * header. Serial numbers are 16 random bytes, so that no state is kept.
 */
#include "pki/certificate.h"
#include "pki/private.h"

#include <arpa/inet.h>
#include <coxswain/kit/alloc.h>
#include <gnutls/crypto.h>
#include <string.h>
#include <time.h>

enum { SERIAL_SIZE = 16, CA_BACKDATED = 60 /* seconds */ };

static void free_certificate(gnutls_x509_crt_t *slot)
{
	if (*slot)
		gnutls_x509_crt_deinit(*slot);
}

static void free_request(gnutls_x509_crq_t *slot)
{
	if (*slot)
		gnutls_x509_crq_deinit(*slot);
}

#define auto_certificate __attribute__((cleanup(free_certificate))) gnutls_x509_crt_t
#define auto_request __attribute__((cleanup(free_request))) gnutls_x509_crq_t

static int read_ca(const char *pem, size_t size, gnutls_x509_crt_t *ca, struct cox_error *err)
{
	gnutls_datum_t bytes = pki_datum(pem, size);
	int code = gnutls_x509_crt_init(ca);

	if (code == 0)
		code = gnutls_x509_crt_import(*ca, &bytes, GNUTLS_X509_FMT_PEM);
	return code == 0 ? 0 : pki_fail(err, code, "read the CA certificate");
}

/* Version, serial number, times and key: what all certificates have. */
static int begin(gnutls_x509_crt_t certificate, uint64_t lifetime, uint64_t backdated)
{
	unsigned char serial[SERIAL_SIZE];
	time_t now = time(NULL);
	int code = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));

	serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and always as long */
	if (code == 0)
		code = gnutls_x509_crt_set_version(certificate, 3);
	if (code == 0)
		code = gnutls_x509_crt_set_serial(certificate, serial, sizeof(serial));
	if (code == 0)
		code = gnutls_x509_crt_set_activation_time(certificate, now - (time_t)backdated);
	if (code == 0)
		code = gnutls_x509_crt_set_expiration_time(certificate, now + (time_t)lifetime);
	return code;
}

static int sign_and_write(gnutls_x509_crt_t certificate, gnutls_x509_crt_t ca,
			  struct pki_key *ca_key, struct cox_buf *out, struct cox_error *err)
{
	unsigned char id[64];
	size_t size = sizeof(id);
	gnutls_datum_t pem = {NULL, 0};
	int code = gnutls_x509_crt_get_key_id(certificate, 0, id, &size);

	if (code == 0)
		code = gnutls_x509_crt_set_subject_key_id(certificate, id, size);
	size = sizeof(id);
	if (code == 0 && ca != certificate &&
	    gnutls_x509_crt_get_subject_key_id(ca, id, &size, NULL) == 0)
		code = gnutls_x509_crt_set_authority_key_id(certificate, id, size);
	if (code == 0)
		code = gnutls_x509_crt_privkey_sign(certificate, ca, ca_key->private,
						    GNUTLS_DIG_SHA256, 0);
	if (code == 0)
		code = gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem);
	if (code != 0)
		return pki_fail(err, code, "sign a certificate");
	cox_buf_add(out, pem.data, pem.size);
	gnutls_free(pem.data);
	return 0;
}

int pki_make_ca(struct pki_key *key, const char *common_name, uint64_t lifetime,
		struct cox_buf *out, struct cox_error *err)
{
	auto_certificate certificate = NULL;
	int code = gnutls_x509_crt_init(&certificate);

	if (!key->private)
		return error_set(err, COX_REASON_INVALID, "a CA needs a private key");
	if (code == 0)
		code = begin(certificate, lifetime, CA_BACKDATED);
	if (code == 0)
		code = gnutls_x509_crt_set_pubkey(certificate, key->public);
	if (code == 0)
		code = gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0,
						     common_name, (unsigned)strlen(common_name));
	if (code == 0)
		code = gnutls_x509_crt_set_basic_constraints(certificate, 1, -1);
	if (code == 0)
		code = gnutls_x509_crt_set_key_usage(
			certificate, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN |
					     GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (code != 0)
		return pki_fail(err, code, "make a CA");
	return sign_and_write(certificate, certificate, key, out, err);
}

/* The bytes of an IP address; their number, or 0. */
static size_t address_bytes(const char *text, unsigned char out[16])
{
	if (inet_pton(AF_INET, text, out) == 1)
		return 4;
	return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

static int check_subject(const struct pki_subject *subject, struct cox_error *err)
{
	unsigned char bytes[16];

	if (subject->organization_count > PKI_NAMES_MAX || subject->dns_count > PKI_NAMES_MAX ||
	    subject->address_count > PKI_NAMES_MAX)
		return error_set(err, COX_REASON_INVALID, "more than %d names in a certificate",
				 PKI_NAMES_MAX);
	for (size_t i = 0; i < subject->address_count; i++)
		if (!address_bytes(subject->addresses[i], bytes))
			return error_set(err, COX_REASON_INVALID, "\"%s\" is not an IP address",
					 subject->addresses[i]);
	return 0;
}

static int set_name(gnutls_x509_crt_t certificate, const struct pki_subject *subject)
{
	int code = 0;

	for (size_t i = 0; i < subject->organization_count && code == 0; i++)
		code = gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_ORGANIZATION_NAME,
						     0, subject->organizations[i],
						     (unsigned)strlen(subject->organizations[i]));
	if (code == 0 && subject->common_name)
		code = gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0,
						     subject->common_name,
						     (unsigned)strlen(subject->common_name));
	return code;
}

static int set_alternatives(gnutls_x509_crt_t certificate, const struct pki_subject *subject)
{
	unsigned char bytes[16];
	int code = 0;

	for (size_t i = 0; i < subject->dns_count && code == 0; i++)
		code = gnutls_x509_crt_set_subject_alt_name(
			certificate, GNUTLS_SAN_DNSNAME, subject->dns_names[i],
			(unsigned)strlen(subject->dns_names[i]), GNUTLS_FSAN_APPEND);
	for (size_t i = 0; i < subject->address_count && code == 0; i++)
		code = gnutls_x509_crt_set_subject_alt_name(
			certificate, GNUTLS_SAN_IPADDRESS, bytes,
			(unsigned)address_bytes(subject->addresses[i], bytes), GNUTLS_FSAN_APPEND);
	return code;
}

/* What a leaf may be used for. RSA keys encipher in TLS 1.2 without ECDHE. */
static int set_usage(gnutls_x509_crt_t certificate, enum pki_key_kind kind, unsigned usage)
{
	unsigned key_usage = GNUTLS_KEY_DIGITAL_SIGNATURE;
	int code = gnutls_x509_crt_set_basic_constraints(certificate, 0, -1);

	if (kind == PKI_RSA_2048)
		key_usage |= GNUTLS_KEY_KEY_ENCIPHERMENT;
	if (code == 0)
		code = gnutls_x509_crt_set_key_usage(certificate, key_usage);
	if (code == 0 && (usage & PKI_SERVER))
		code = gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER,
							   0);
	if (code == 0 && (usage & PKI_CLIENT))
		code = gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_CLIENT,
							   0);
	return code;
}

int pki_sign(const char *ca, size_t ca_size, struct pki_key *ca_key, struct pki_key *key,
	     const struct pki_subject *subject, struct cox_buf *out, struct cox_error *err)
{
	auto_certificate certificate = NULL;
	auto_certificate issuer = NULL;
	int code;

	if (!ca_key->private)
		return error_set(err, COX_REASON_INVALID, "signing needs the CA's private key");
	if (check_subject(subject, err) != 0 || read_ca(ca, ca_size, &issuer, err) != 0)
		return -1;
	code = gnutls_x509_crt_init(&certificate);
	if (code == 0)
		code = begin(certificate, subject->lifetime, subject->backdated);
	if (code == 0)
		code = gnutls_x509_crt_set_pubkey(certificate, key->public);
	if (code == 0)
		code = set_name(certificate, subject);
	if (code == 0)
		code = set_alternatives(certificate, subject);
	if (code == 0)
		code = set_usage(certificate, key->kind, subject->usage);
	if (code != 0)
		return pki_fail(err, code, "make a certificate");
	return sign_and_write(certificate, issuer, ca_key, out, err);
}

int pki_request_make(struct pki_key *key, const struct pki_subject *subject, struct cox_buf *out,
		     struct cox_error *err)
{
	auto_request request = NULL;
	gnutls_datum_t pem = {NULL, 0};
	unsigned char bytes[16];
	int code;

	if (!key->private)
		return error_set(err, COX_REASON_INVALID, "a request needs a private key");
	if (check_subject(subject, err) != 0)
		return -1;
	code = gnutls_x509_crq_init(&request);
	if (code == 0)
		code = gnutls_x509_crq_set_version(request, 1);
	if (code == 0)
		code = gnutls_x509_crq_set_pubkey(request, key->public);
	for (size_t i = 0; i < subject->organization_count && code == 0; i++)
		code = gnutls_x509_crq_set_dn_by_oid(request, GNUTLS_OID_X520_ORGANIZATION_NAME, 0,
						     subject->organizations[i],
						     (unsigned)strlen(subject->organizations[i]));
	if (code == 0 && subject->common_name)
		code = gnutls_x509_crq_set_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME, 0,
						     subject->common_name,
						     (unsigned)strlen(subject->common_name));
	for (size_t i = 0; i < subject->dns_count && code == 0; i++)
		code = gnutls_x509_crq_set_subject_alt_name(
			request, GNUTLS_SAN_DNSNAME, subject->dns_names[i],
			(unsigned)strlen(subject->dns_names[i]), GNUTLS_FSAN_APPEND);
	for (size_t i = 0; i < subject->address_count && code == 0; i++)
		code = gnutls_x509_crq_set_subject_alt_name(
			request, GNUTLS_SAN_IPADDRESS, bytes,
			(unsigned)address_bytes(subject->addresses[i], bytes), GNUTLS_FSAN_APPEND);
	if (code == 0)
		code = gnutls_x509_crq_privkey_sign(request, key->private, GNUTLS_DIG_SHA256, 0);
	if (code == 0)
		code = gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_PEM, &pem);
	if (code != 0)
		return pki_fail(err, code, "make a signing request");
	cox_buf_add(out, pem.data, pem.size);
	gnutls_free(pem.data);
	return 0;
}

static int key_of_request(const void *pem, size_t size, struct pki_key *key, struct cox_error *err)
{
	gnutls_datum_t bytes = pki_datum(pem, size);
	auto_request request = NULL;
	int code = gnutls_x509_crq_init(&request);

	if (code == 0)
		code = gnutls_x509_crq_import(request, &bytes, GNUTLS_X509_FMT_PEM);
	if (code == 0)
		code = gnutls_pubkey_init(&key->public);
	if (code == 0)
		code = gnutls_pubkey_import_x509_crq(key->public, request, 0);
	if (code != 0)
		return pki_fail(err, code, "read the key of a signing request");
	key->kind = gnutls_pubkey_get_pk_algorithm(key->public, NULL) == GNUTLS_PK_RSA
			    ? PKI_RSA_2048
			    : PKI_ECDSA_P256;
	return 0;
}

int pki_request_sign(const char *ca, size_t ca_size, struct pki_key *ca_key, const void *pem,
		     size_t size, unsigned usage, uint64_t lifetime, uint64_t backdated,
		     struct cox_buf *out, struct cox_error *err)
{
	cox_autofacts facts = {0};
	struct pki_key key = {0};
	struct pki_subject subject = {.usage = usage, .lifetime = lifetime, .backdated = backdated};
	int result;

	if (pki_request_read(pem, size, &facts, err) != 0)
		return -1;
	if (facts.other_count)
		return error_set(err, COX_REASON_INVALID,
				 "the request has an alternative name that is neither DNS nor IP: "
				 "%s",
				 facts.others[0]);
	subject.common_name = *facts.common_name ? facts.common_name : NULL;
	subject.organizations = (const char *const *)facts.organizations;
	subject.organization_count = facts.organization_count;
	subject.dns_names = (const char *const *)facts.dns_names;
	subject.dns_count = facts.dns_count;
	subject.addresses = (const char *const *)facts.addresses;
	subject.address_count = facts.address_count;
	if (key_of_request(pem, size, &key, err) != 0)
		result = -1;
	else
		result = pki_sign(ca, ca_size, ca_key, &key, &subject, out, err);
	if (key.public)
		gnutls_pubkey_deinit(key.public);
	return result;
}
