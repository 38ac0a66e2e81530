/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and verifying certificates and signing requests; see certificate.h. */
#include "pki/certificate.h"
#include "pki/private.h"

#include <arpa/inet.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 1024, CHAIN_MAX = 10 };

static void free_list(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

void pki_facts_free(struct pki_facts *facts)
{
	free(facts->common_name);
	free_list(facts->organizations, facts->organization_count);
	free_list(facts->dns_names, facts->dns_count);
	free_list(facts->addresses, facts->address_count);
	free_list(facts->others, facts->other_count);
	*facts = (struct pki_facts){0};
}

static int add(char ***list, size_t *count, const char *text, size_t size, struct cox_error *err)
{
	if (*count == PKI_NAMES_MAX)
		return error_set(err, COX_REASON_INVALID, "more than %d names in a certificate",
				 PKI_NAMES_MAX);
	/* A name with a zero byte would be two names to two readers. */
	if (memchr(text, '\0', size) || !cox_utf8_valid(text, size, NULL))
		return error_set(err, COX_REASON_INVALID,
				 "a name in a certificate has a zero byte or is not UTF-8");
	*list = cox_reallocarray(*list, *count + 1, sizeof(**list));
	(*list)[(*count)++] = cox_strndup(text, size);
	return 0;
}

/* The same questions to a certificate and to a request. */
struct source {
	gnutls_x509_crt_t certificate;
	gnutls_x509_crq_t request;
};

static int get_name(const struct source *source, const char *oid, unsigned index, char *out,
		    size_t *size)
{
	if (source->certificate)
		return gnutls_x509_crt_get_dn_by_oid(source->certificate, oid, index, 0, out, size);
	return gnutls_x509_crq_get_dn_by_oid(source->request, oid, (int)index, 0, out, size);
}

static int read_names(const struct source *source, struct pki_facts *facts, struct cox_error *err)
{
	char name[NAME_MAX_BYTES];
	size_t size = sizeof(name);
	int code = get_name(source, GNUTLS_OID_X520_COMMON_NAME, 0, name, &size);

	if (code == 0) {
		if (memchr(name, '\0', size) || !cox_utf8_valid(name, size, NULL))
			return error_set(err, COX_REASON_INVALID,
					 "the common name has a zero byte or is not UTF-8");
		facts->common_name = cox_strndup(name, size);
	} else if (code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
		facts->common_name = cox_strdup("");
	} else {
		return pki_fail(err, code, "read the common name");
	}
	for (unsigned i = 0;; i++) {
		size = sizeof(name);
		code = get_name(source, GNUTLS_OID_X520_ORGANIZATION_NAME, i, name, &size);
		if (code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return 0;
		if (code != 0)
			return pki_fail(err, code, "read the organizations");
		if (add(&facts->organizations, &facts->organization_count, name, size, err) != 0)
			return -1;
	}
}

static int add_alternative(struct pki_facts *facts, unsigned type, const char *name, size_t size,
			   struct cox_error *err)
{
	char text[INET6_ADDRSTRLEN];

	if (type == GNUTLS_SAN_DNSNAME)
		return add(&facts->dns_names, &facts->dns_count, name, size, err);
	if (type == GNUTLS_SAN_IPADDRESS && (size == 4 || size == 16) &&
	    inet_ntop(size == 4 ? AF_INET : AF_INET6, name, text, sizeof(text)))
		return add(&facts->addresses, &facts->address_count, text, strlen(text), err);
	if (type == GNUTLS_SAN_URI || type == GNUTLS_SAN_RFC822NAME)
		return add(&facts->others, &facts->other_count, name, size, err);
	return add(&facts->others, &facts->other_count, "(of an unknown kind)", 20, err);
}

static int read_alternatives(const struct source *source, struct pki_facts *facts,
			     struct cox_error *err)
{
	char name[NAME_MAX_BYTES];

	for (unsigned i = 0;; i++) {
		size_t size = sizeof(name);
		unsigned type = 0;
		int code = source->certificate
				   ? gnutls_x509_crt_get_subject_alt_name2(source->certificate, i,
									   name, &size, &type, NULL)
				   : gnutls_x509_crq_get_subject_alt_name(source->request, i, name,
									  &size, &type, NULL);

		if (code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return 0;
		if (code < 0)
			return pki_fail(err, code, "read the alternative names");
		if (source->request)
			type = (unsigned)code;
		/* text comes with its zero byte or without */
		if (type != GNUTLS_SAN_IPADDRESS && size && name[size - 1] == '\0')
			size--;
		if (add_alternative(facts, type, name, size, err) != 0)
			return -1;
	}
}

static void read_usage(const struct source *source, struct pki_facts *facts)
{
	char oid[128];

	for (unsigned i = 0;; i++) {
		size_t size = sizeof(oid);
		unsigned critical;
		int code = source->certificate
				   ? gnutls_x509_crt_get_key_purpose_oid(
					     source->certificate, (int)i, oid, &size, &critical)
				   : gnutls_x509_crq_get_key_purpose_oid(source->request, i, oid,
									 &size, &critical);

		if (code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return;
		if (code == 0 && strcmp(oid, GNUTLS_KP_TLS_WWW_SERVER) == 0)
			facts->usage |= PKI_SERVER;
		else if (code == 0 && strcmp(oid, GNUTLS_KP_TLS_WWW_CLIENT) == 0)
			facts->usage |= PKI_CLIENT;
		else
			facts->other_usage = true;
		if (code != 0 || i > PKI_NAMES_MAX)
			return;
	}
}

static void to_hex(const unsigned char *bytes, size_t size, char out[65])
{
	static const char digits[] = "0123456789abcdef";

	if (size > 32)
		size = 32;
	for (size_t i = 0; i < size; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * size] = '\0';
}

static void read_certificate_facts(gnutls_x509_crt_t certificate, struct pki_facts *facts)
{
	unsigned char bytes[64];
	size_t size = sizeof(bytes);
	unsigned critical = 0;

	facts->not_before = (uint64_t)gnutls_x509_crt_get_activation_time(certificate);
	facts->not_after = (uint64_t)gnutls_x509_crt_get_expiration_time(certificate);
	facts->is_ca = gnutls_x509_crt_get_ca_status(certificate, &critical) == 1;
	if (gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, bytes, &size) == 0)
		to_hex(bytes, size, facts->fingerprint);
	size = sizeof(bytes);
	if (gnutls_x509_crt_get_serial(certificate, bytes, &size) == 0)
		to_hex(bytes, size, facts->serial);
}

/* Imports PEM (all certificates, leaf first) or one DER; their number, or -1. */
static int import_chain(const void *data, size_t size, gnutls_x509_crt_t *chain,
			struct cox_error *err)
{
	gnutls_datum_t bytes = pki_datum(data, size);
	unsigned count = CHAIN_MAX;
	bool pem;
	int code;

	if (size == 0 || size > PKI_FILE_MAX)
		return error_set(err, COX_REASON_INVALID, "no certificate");
	pem = memmem(data, size, "-----BEGIN ", 11) != NULL;
	if (pem)
		code = gnutls_x509_crt_list_import(chain, &count, &bytes, GNUTLS_X509_FMT_PEM,
						   GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
	else
		code = gnutls_x509_crt_init(&chain[0]);
	if (!pem && code == 0) {
		code = gnutls_x509_crt_import(chain[0], &bytes, GNUTLS_X509_FMT_DER);
		if (code != 0)
			gnutls_x509_crt_deinit(chain[0]);
		else
			code = 1;
	}
	return code > 0 ? code : pki_fail(err, code, "read a certificate");
}

static void free_chain(gnutls_x509_crt_t *chain, int count)
{
	while (count > 0)
		gnutls_x509_crt_deinit(chain[--count]);
}

int pki_certificate_read(const void *data, size_t size, struct pki_facts *facts,
			 struct cox_error *err)
{
	gnutls_x509_crt_t chain[CHAIN_MAX];
	int count = import_chain(data, size, chain, err), result;
	struct source source = {NULL, NULL};

	if (count < 0)
		return -1;
	*facts = (struct pki_facts){0};
	source.certificate = chain[0];
	result = read_names(&source, facts, err) == 0 ? read_alternatives(&source, facts, err) : -1;
	read_usage(&source, facts);
	read_certificate_facts(chain[0], facts);
	free_chain(chain, count);
	if (result != 0)
		pki_facts_free(facts);
	return result;
}

int pki_certificate_matches(const char *pem, size_t size, struct pki_key *key,
			    struct cox_error *err)
{
	gnutls_x509_crt_t chain[CHAIN_MAX];
	int count = import_chain(pem, size, chain, err), code;
	unsigned char ours[64], theirs[64];
	size_t our_size = sizeof(ours), their_size = sizeof(theirs);

	if (count < 0)
		return -1;
	code = gnutls_x509_crt_get_key_id(chain[0], GNUTLS_KEYID_USE_SHA256, theirs, &their_size);
	free_chain(chain, count);
	if (code == 0)
		code = gnutls_pubkey_get_key_id(key->public, GNUTLS_KEYID_USE_SHA256, ours,
						&our_size);
	if (code != 0)
		return pki_fail(err, code, "compare a certificate with a key");
	if (our_size != their_size || memcmp(ours, theirs, our_size) != 0)
		return error_set(err, COX_REASON_INVALID, "the certificate belongs to another key");
	return 0;
}

static int say_untrusted(unsigned status, struct cox_error *err)
{
	gnutls_datum_t text = {NULL, 0};

	if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) != 0)
		return error_set(err, COX_REASON_UNAUTHORIZED, "the certificate is not trusted");
	while (text.size && text.data[text.size - 1] == ' ')
		text.size--;
	error_set(err, COX_REASON_UNAUTHORIZED, "%.*s", (int)text.size, (const char *)text.data);
	gnutls_free(text.data);
	return -1;
}

int pki_certificate_verify(const void *leaf, size_t leaf_size, const char *ca, size_t ca_size,
			   unsigned usage, struct cox_error *err)
{
	gnutls_datum_t ca_bytes = pki_datum(ca, ca_size);
	gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID};
	gnutls_x509_crt_t chain[CHAIN_MAX];
	gnutls_x509_trust_list_t trust = NULL;
	int count = import_chain(leaf, leaf_size, chain, err), code;
	unsigned status = 0;

	if (count < 0)
		return -1;
	purpose.data = (unsigned char *)(usage & PKI_SERVER ? GNUTLS_KP_TLS_WWW_SERVER
							    : GNUTLS_KP_TLS_WWW_CLIENT);
	code = gnutls_x509_trust_list_init(&trust, 0);
	if (code == 0)
		code = gnutls_x509_trust_list_add_trust_mem(trust, &ca_bytes, NULL,
							    GNUTLS_X509_FMT_PEM, 0, 0);
	if (code >= 0)
		code = gnutls_x509_trust_list_verify_crt2(trust, chain, (unsigned)count, &purpose,
							  1, 0, &status, NULL);
	free_chain(chain, count);
	if (trust)
		gnutls_x509_trust_list_deinit(trust, 1);
	if (code < 0)
		return pki_fail(err, code, "verify a certificate");
	return status ? say_untrusted(status, err) : 0;
}

int pki_request_read(const void *pem, size_t size, struct pki_facts *facts, struct cox_error *err)
{
	gnutls_datum_t bytes = pki_datum(pem, size);
	struct source source = {NULL, NULL};
	int result = -1, code;

	if (size == 0 || size > PKI_FILE_MAX)
		return error_set(err, COX_REASON_INVALID, "no signing request");
	*facts = (struct pki_facts){0};
	if (gnutls_x509_crq_init(&source.request) != 0)
		return error_set(err, COX_REASON_INTERNAL_ERROR, "read a signing request");
	code = gnutls_x509_crq_import(source.request, &bytes, GNUTLS_X509_FMT_PEM);
	if (code != 0)
		pki_fail(err, code, "read a signing request");
	else if ((code = gnutls_x509_crq_verify(source.request, 0)) != 0)
		pki_fail(err, code, "the signing request is not signed by its own key");
	else if (read_names(&source, facts, err) == 0)
		result = read_alternatives(&source, facts, err);
	if (result == 0)
		read_usage(&source, facts);
	gnutls_x509_crq_deinit(source.request);
	if (result != 0)
		pki_facts_free(facts);
	return result;
}
