/* SPDX-License-Identifier: Apache-2.0 */
/*
 * X.509: making a CA, signing certificates and requests with it, and reading
 * what a certificate says. All functions may be called from any thread.
 */
#ifndef COX_PKI_CERTIFICATE_H
#define COX_PKI_CERTIFICATE_H

#include "pki/key.h"

#include <stdint.h>

#define PKI_SERVER 1u /* extended key usage: serverAuth */
#define PKI_CLIENT 2u /* clientAuth */

enum { PKI_NAMES_MAX = 256 }; /* organisations or alternative names */

/* What to certify. NULL or count 0 where not wanted. */
struct pki_subject {
	const char *common_name;
	const char *const *organizations;
	size_t organization_count;
	const char *const *dns_names; /* "localhost", "*.example" */
	size_t dns_count;
	const char *const *addresses; /* "127.0.0.1", "::1" */
	size_t address_count;
	unsigned usage;	    /* PKI_SERVER | PKI_CLIENT */
	uint64_t lifetime;  /* seconds from now */
	uint64_t backdated; /* seconds before now, for clocks that differ */
};

/* Certificates as PEM text are appended to `out`. */
int pki_make_ca(struct pki_key *key, const char *common_name, uint64_t lifetime,
		struct cox_buf *out, struct cox_error *err) COX_MUST_CHECK;
/* `key`: whose public part is certified. `ca`: PEM, its first certificate signs. */
int pki_sign(const char *ca, size_t ca_size, struct pki_key *ca_key, struct pki_key *key,
	     const struct pki_subject *subject, struct cox_buf *out,
	     struct cox_error *err) COX_MUST_CHECK;

/* A signing request, or a certificate, taken apart. Zero it before use. */
struct pki_facts {
	char *common_name; /* "" if it has none */
	char **organizations;
	size_t organization_count;
	char **dns_names;
	size_t dns_count;
	char **addresses;
	size_t address_count;
	char **others; /* alternative names of other kinds: mail, URI */
	size_t other_count;
	uint64_t not_before; /* seconds since 1970; 0 in a request */
	uint64_t not_after;
	bool is_ca;
	unsigned usage;	      /* extended key usages among PKI_SERVER, PKI_CLIENT */
	bool other_usage;     /* has further ones */
	char fingerprint[65]; /* SHA-256 of the DER, in hex; "" in a request */
	char serial[65];      /* hex; "" in a request */
};

void pki_facts_free(struct pki_facts *facts);
#define cox_autofacts __attribute__((cleanup(pki_facts_free))) struct pki_facts

/* PEM, the first certificate; or DER. */
int pki_certificate_read(const void *data, size_t size, struct pki_facts *facts,
			 struct cox_error *err) COX_MUST_CHECK;
/* Whether the key belongs to the first certificate; 0 or -1 with the reason. */
int pki_certificate_matches(const char *pem, size_t size, struct pki_key *key,
			    struct cox_error *err) COX_MUST_CHECK;
/*
 * Whether `leaf` (PEM or DER; further PEM certificates are intermediates)
 * verifies against the CA bundle now, for the usage; 0 or -1 with the reason.
 */
int pki_certificate_verify(const void *leaf, size_t leaf_size, const char *ca, size_t ca_size,
			   unsigned usage, struct cox_error *err) COX_MUST_CHECK;

/* Makes a request for `subject` (usage and times do not count). */
int pki_request_make(struct pki_key *key, const struct pki_subject *subject, struct cox_buf *out,
		     struct cox_error *err) COX_MUST_CHECK;
/* Reads a PEM request and checks that it is signed by its own key. */
int pki_request_read(const void *pem, size_t size, struct pki_facts *facts,
		     struct cox_error *err) COX_MUST_CHECK;
/* Certifies a request's key, subject and names; usage and times as said. */
int pki_request_sign(const char *ca, size_t ca_size, struct pki_key *ca_key, const void *pem,
		     size_t size, unsigned usage, uint64_t lifetime, uint64_t backdated,
		     struct cox_buf *out, struct cox_error *err) COX_MUST_CHECK;

#endif
