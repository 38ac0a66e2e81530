/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of TLS; see the header. */
#include "net/tls.h"
#include "pki/key.h"

#include <coxswain/kit/alloc.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_state {
	_Atomic unsigned references;
	gnutls_certificate_credentials_t credentials;
	gnutls_x509_trust_list_t client_ca; /* NULL: no client is asked */
};

struct tls_state *tls_state_ref(struct tls_state *state)
{
	atomic_fetch_add(&state->references, 1);
	return state;
}

void tls_state_unref(struct tls_state *state)
{
	if (!state || atomic_fetch_sub(&state->references, 1) != 1)
		return;
	if (state->client_ca)
		gnutls_x509_trust_list_deinit(state->client_ca, 1);
	gnutls_certificate_free_credentials(state->credentials);
	free(state);
}

/* The PEM from memory or else from the file. */
static int read_part(const struct cox_bytes *memory, const char *file, struct cox_buf *out,
		     struct cox_error *err)
{
	if (memory->data) {
		cox_buf_add(out, memory->data, memory->size);
		return 0;
	}
	if (!file)
		return error_set(err, COX_REASON_INVALID,
				 "a TLS server needs a certificate and "
				 "its key");
	return pki_file_read(file, out, err);
}

static gnutls_datum_t datum(const struct cox_buf *buf)
{
	return (gnutls_datum_t){(unsigned char *)buf->data, (unsigned)buf->size};
}

static int load_client_ca(struct tls_state *state, const struct http_tls *tls,
			  struct cox_error *err)
{
	cox_autobuf pem = COX_BUF_INIT;
	gnutls_datum_t bytes;
	int count;

	if (!tls->client_ca.data && !tls->client_ca_file)
		return 0;
	if (read_part(&tls->client_ca, tls->client_ca_file, &pem, err) != 0)
		return -1;
	bytes = datum(&pem);
	/* The credentials' copy makes the list of names that clients choose by. */
	count = gnutls_certificate_set_x509_trust_mem(state->credentials, &bytes,
						      GNUTLS_X509_FMT_PEM);
	if (count >= 0) {
		gnutls_x509_trust_list_init(&state->client_ca, 0);
		count = gnutls_x509_trust_list_add_trust_mem(state->client_ca, &bytes, NULL,
							     GNUTLS_X509_FMT_PEM, 0, 0);
	}
	if (count < 0)
		return error_set(err, COX_REASON_INVALID, "read the client CA: %s",
				 gnutls_strerror(count));
	if (count == 0)
		return error_set(err, COX_REASON_INVALID, "the client CA has no certificate");
	return 0;
}

struct tls_state *tls_state_open(const struct http_tls *tls, struct cox_error *err)
{
	struct tls_state *state = cox_new(struct tls_state);
	struct cox_buf key = COX_BUF_INIT;
	cox_autobuf certificate = COX_BUF_INIT;
	gnutls_datum_t certificate_bytes, key_bytes;
	int failed = -1;

	state->references = 1;
	if (gnutls_certificate_allocate_credentials(&state->credentials) != 0) {
		error_set(err, COX_REASON_INTERNAL_ERROR, "make TLS credentials");
		free(state);
		return NULL;
	}
	if (read_part(&tls->certificate, tls->certificate_file, &certificate, err) == 0 &&
	    read_part(&tls->key, tls->key_file, &key, err) == 0 &&
	    load_client_ca(state, tls, err) == 0) {
		certificate_bytes = datum(&certificate);
		key_bytes = datum(&key);
		failed = gnutls_certificate_set_x509_key_mem(state->credentials, &certificate_bytes,
							     &key_bytes, GNUTLS_X509_FMT_PEM);
		if (failed < 0)
			error_set(err, COX_REASON_INVALID, "certificate %s with key %s: %s",
				  tls->certificate_file ? tls->certificate_file : "in memory",
				  tls->key_file ? tls->key_file : "in memory",
				  gnutls_strerror(failed));
	}
	pki_wipe(&key);
	if (failed < 0) {
		tls_state_unref(state);
		return NULL;
	}
	return state;
}

int tls_session_prepare(const struct tls_state *state, gnutls_session_t session,
			const gnutls_datum_t *ticket_key)
{
	if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, state->credentials) != 0 ||
	    gnutls_session_ticket_enable_server(session, ticket_key) != 0)
		return -1;
	gnutls_certificate_server_set_request(session, state->client_ca ? GNUTLS_CERT_REQUEST
									: GNUTLS_CERT_IGNORE);
	return 0;
}

/* Why a chain is not trusted, in one line. */
static void say_status(unsigned status, char problem[TLS_PROBLEM_SIZE])
{
	gnutls_datum_t text = {NULL, 0};
	size_t size;

	if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) != 0) {
		snprintf(problem, TLS_PROBLEM_SIZE, "the client certificate is not trusted");
		return;
	}
	snprintf(problem, TLS_PROBLEM_SIZE, "%.*s", (int)text.size, (const char *)text.data);
	for (size = strlen(problem); size && problem[size - 1] == ' '; size--)
		problem[size - 1] = '\0';
	gnutls_free(text.data);
}

static int verify(const struct tls_state *state, gnutls_x509_crt_t *certificates, unsigned count,
		  char problem[TLS_PROBLEM_SIZE])
{
	gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
					 .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT};
	unsigned status = 0;
	int failed = gnutls_x509_trust_list_verify_crt2(state->client_ca, certificates, count,
							&purpose, 1, 0, &status, NULL);

	if (failed < 0) {
		snprintf(problem, TLS_PROBLEM_SIZE, "the client certificate cannot be checked: %s",
			 gnutls_strerror(failed));
		return -1;
	}
	if (status) {
		say_status(status, problem);
		return -1;
	}
	return 0;
}

size_t tls_session_peer(const struct tls_state *state, gnutls_session_t session,
			struct cox_bytes chain[TLS_CHAIN_MAX], uint64_t *until,
			char problem[TLS_PROBLEM_SIZE])
{
	gnutls_x509_crt_t certificates[TLS_CHAIN_MAX];
	unsigned given = 0, count = 0;
	const gnutls_datum_t *raw = gnutls_certificate_get_peers(session, &given);
	size_t good = 0;

	problem[0] = '\0';
	*until = UINT64_MAX;
	if (!raw || given == 0 || !state->client_ca)
		return 0;
	if (given > TLS_CHAIN_MAX) {
		snprintf(problem, TLS_PROBLEM_SIZE, "the client sent more than %d certificates",
			 TLS_CHAIN_MAX);
		return 0;
	}
	while (count < given) {
		time_t end;

		if (gnutls_x509_crt_init(&certificates[count]) != 0)
			break;
		count++;
		if (gnutls_x509_crt_import(certificates[good], &raw[good], GNUTLS_X509_FMT_DER) !=
		    0)
			break;
		end = gnutls_x509_crt_get_expiration_time(certificates[good]);
		if (end > 0 && (uint64_t)end < *until)
			*until = (uint64_t)end;
		chain[good] = (struct cox_bytes){raw[good].data, raw[good].size};
		good++;
	}
	if (good < given)
		snprintf(problem, TLS_PROBLEM_SIZE, "the client certificate cannot be read");
	else if (verify(state, certificates, count, problem) == 0)
		goto done;
	good = 0;
done:
	while (count)
		gnutls_x509_crt_deinit(certificates[--count]);
	return good;
}
