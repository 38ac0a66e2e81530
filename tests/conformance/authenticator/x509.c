/* SPDX-License-Identifier: Apache-2.0 */
/* The authenticator x509: chains, names, purposes, and CA files that change. */
#include "harness.h"

#include "base/clock.h"
#include "pki/certificate.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <gnutls/x509.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct pki_key *ca_key, *other_key, *key;
static struct cox_buf ca, other_ca;

static int begin(void **state)
{
	ca_key = pki_key_generate(PKI_ECDSA_P256, NULL);
	other_key = pki_key_generate(PKI_ECDSA_P256, NULL);
	key = pki_key_generate(PKI_ECDSA_P256, NULL);
	if (!ca_key || !other_key || !key || harness_begin(state) != 0 ||
	    pki_make_ca(ca_key, "one", 3600, &ca, NULL) != 0)
		return -1;
	return pki_make_ca(other_key, "two", 3600, &other_ca, NULL);
}

static int end(void **state)
{
	pki_key_free(ca_key);
	pki_key_free(other_key);
	pki_key_free(key);
	cox_buf_free(&ca);
	cox_buf_free(&other_ca);
	return harness_end(state);
}

static struct host_plugin *start(const struct cox_buf *text)
{
	const struct option options[] = {
		{"ca-file", harness_path("ca")}, {"check-interval", "0s"}, {NULL, NULL}};

	harness_write("ca", text->data, text->size);
	return harness_start("x509", options, NULL);
}

/* The PEM of one certificate as DER, in `out`. */
static void to_der(const struct cox_buf *pem, struct cox_buf *out)
{
	gnutls_datum_t text = {(unsigned char *)pem->data, (unsigned)pem->size}, der;

	assert_int_equal(gnutls_pem_base64_decode2("CERTIFICATE", &text, &der), 0);
	cox_buf_add(out, der.data, der.size);
	gnutls_free(der.data);
}

static void sign(const struct pki_subject *subject, struct cox_buf *der)
{
	cox_autobuf pem = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	if (pki_sign(ca.data, ca.size, ca_key, key, subject, &pem, &err) != 0)
		fail_msg("%s", error_text(&err));
	to_der(&pem, der);
}

static struct cox_authn_request request_of(struct cox_bytes *bytes, const struct cox_buf *der)
{
	*bytes = (struct cox_bytes){der->data, der->size};
	return (struct cox_authn_request){.struct_size = sizeof(struct cox_authn_request),
					  .certificates = bytes,
					  .certificate_count = 1};
}

static void expect(struct host_plugin *plugin, const struct cox_buf *der, const char *answer)
{
	struct cox_bytes bytes;
	const struct cox_authn_request request = request_of(&bytes, der);

	harness_expect(plugin, &request, answer);
}

static void expect_subject(struct host_plugin *plugin, const struct pki_subject *subject,
			   const char *answer)
{
	cox_autobuf der = COX_BUF_INIT;

	sign(subject, &der);
	expect(plugin, &der, answer);
}

/* The whole line for a good certificate; what follows from its bytes is read from them. */
static void expect_yes(struct host_plugin *plugin, const struct pki_subject *subject,
		       const char *who)
{
	cox_autobuf der = COX_BUF_INIT, line = COX_BUF_INIT;
	struct pki_facts facts = {0};

	sign(subject, &der);
	assert_int_equal(pki_certificate_read(der.data, der.size, &facts, NULL), 0);
	cox_buf_printf(&line,
		       "yes %s authentication.kubernetes.io/credential-id=X509SHA256=%s "
		       "expires=%" PRIu64,
		       who, facts.fingerprint, facts.not_after);
	pki_facts_free(&facts);
	expect(plugin, &der, line.data);
}

static const char *const groups[] = {"system:masters", "second, with a comma"};

static void certificates_name_users(void **state)
{
	struct host_plugin *plugin = start(&ca);
	struct pki_subject subject = {.common_name = "admin",
				      .organizations = groups,
				      .organization_count = 2,
				      .usage = PKI_CLIENT,
				      .lifetime = 1000};
	const struct cox_authn_request none = {.struct_size = sizeof(none),
					       .bearer_token = "token"};

	(void)state;
	expect_yes(plugin, &subject, "admin groups=system:masters,second, with a comma");
	subject.usage |= PKI_SERVER;
	expect_yes(plugin, &subject, "admin groups=system:masters,second, with a comma");
	subject.organization_count = 0;
	subject.common_name = "system:node:j\xc3\xbcrgen";
	expect_yes(plugin, &subject, "system:node:j\xc3\xbcrgen");
	harness_expect(plugin, &none, "not mine");
	host_close(plugin);
}

static void bad_certificates_are_refused(void **state)
{
	struct host_plugin *plugin = start(&ca);
	struct pki_subject subject = {
		.common_name = "admin", .usage = PKI_SERVER, .lifetime = 1000};
	cox_autobuf der = COX_BUF_INIT;
	struct cox_bytes many[11], bytes;
	struct cox_authn_request request;

	(void)state;
	expect_subject(plugin, &subject,
		       "bad: The certificate is NOT trusted. The certificate chain does not "
		       "match the intended purpose.");
	subject.usage = PKI_CLIENT;
	subject.common_name = NULL;
	expect_subject(plugin, &subject,
		       "bad: the certificate has no common name, so it names no user");
	subject.common_name = "admin";
	sign(&subject, &der);
	request = request_of(&bytes, &der);
	bytes.size -= 1;
	harness_expect(plugin, &request,
		       "bad: a certificate cannot be read: ASN1 parser: Error in DER parsing.");
	bytes.size = 0;
	harness_expect(plugin, &request,
		       "bad: a certificate cannot be read: ASN1 parser: Error in TAG.");
	bytes.size = der.size;
	((char *)der.data)[der.size - 1] ^= 1;
	harness_expect(plugin, &request,
		       "bad: The certificate is NOT trusted. The signature in the certificate is "
		       "invalid.");
	for (size_t i = 0; i < 11; i++)
		many[i] = bytes;
	request.certificates = many;
	request.certificate_count = 11;
	harness_expect(plugin, &request,
		       "bad: a chain of 11 certificates; at most 10 are looked at");
	host_close(plugin);
}

/* A certificate with any subject, in the form that OpenSSL writes names. */
static void sign_subject(struct cox_buf *der, bool (*fill)(gnutls_x509_crt_t certificate))
{
	gnutls_datum_t ca_text = {(unsigned char *)ca.data, (unsigned)ca.size}, key_text, out;
	gnutls_x509_crt_t certificate, issuer;
	gnutls_x509_privkey_t issuer_key;
	cox_autobuf pem = COX_BUF_INIT;

	assert_int_equal(pki_key_pem(ca_key, &pem, NULL), 0);
	key_text = (gnutls_datum_t){(unsigned char *)pem.data, (unsigned)pem.size};
	gnutls_x509_crt_init(&certificate);
	gnutls_x509_crt_init(&issuer);
	gnutls_x509_privkey_init(&issuer_key);
	assert_int_equal(gnutls_x509_crt_import(issuer, &ca_text, GNUTLS_X509_FMT_PEM), 0);
	assert_int_equal(gnutls_x509_privkey_import(issuer_key, &key_text, GNUTLS_X509_FMT_PEM), 0);
	gnutls_x509_crt_set_version(certificate, 3);
	gnutls_x509_crt_set_serial(certificate, "\x07", 1);
	gnutls_x509_crt_set_activation_time(certificate, time(NULL) - 10);
	gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + 1000);
	gnutls_x509_crt_set_key(certificate, issuer_key);
	assert_true(fill(certificate));
	assert_int_equal(
		gnutls_x509_crt_sign2(certificate, issuer, issuer_key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, &out), 0);
	cox_buf_add(der, out.data, out.size);
	gnutls_free(out.data);
	gnutls_x509_privkey_deinit(issuer_key);
	gnutls_x509_crt_deinit(issuer);
	gnutls_x509_crt_deinit(certificate);
}

static bool set(gnutls_x509_crt_t certificate, const char *oid, const char *value, size_t size)
{
	return gnutls_x509_crt_set_dn_by_oid(certificate, oid, 0, value, (unsigned)size) == 0;
}

static bool in_the_past(gnutls_x509_crt_t certificate)
{
	gnutls_x509_crt_set_expiration_time(certificate, time(NULL) - 1);
	return set(certificate, GNUTLS_OID_X520_COMMON_NAME, "admin", 5);
}

static bool in_the_future(gnutls_x509_crt_t certificate)
{
	gnutls_x509_crt_set_activation_time(certificate, time(NULL) + 500);
	return set(certificate, GNUTLS_OID_X520_COMMON_NAME, "admin", 5);
}

static void certificates_have_their_time(void **state)
{
	struct host_plugin *plugin = start(&ca);
	cox_autobuf der = COX_BUF_INIT;

	(void)state;
	sign_subject(&der, in_the_past);
	expect(plugin, &der,
	       "bad: The certificate is NOT trusted. The certificate chain uses expired "
	       "certificate.");
	cox_buf_clear(&der);
	sign_subject(&der, in_the_future);
	expect(plugin, &der,
	       "bad: The certificate is NOT trusted. The certificate chain uses not yet valid "
	       "certificate.");
	host_close(plugin);
}

static bool two_names(gnutls_x509_crt_t certificate)
{
	return set(certificate, GNUTLS_OID_X520_COMMON_NAME, "one", 3) &&
	       set(certificate, GNUTLS_OID_X520_COMMON_NAME, "two", 3);
}

static bool zero_byte(gnutls_x509_crt_t certificate)
{
	return set(certificate, GNUTLS_OID_X520_COMMON_NAME, "admin\0x", 7);
}

static bool zero_group(gnutls_x509_crt_t certificate)
{
	return set(certificate, GNUTLS_OID_X520_COMMON_NAME, "u", 1) &&
	       set(certificate, GNUTLS_OID_X520_ORGANIZATION_NAME, "system:masters\0x", 16);
}

static bool with_uid(gnutls_x509_crt_t certificate)
{
	static const char uid[] = "\x0c\x05u-123";

	return set(certificate, GNUTLS_OID_X520_COMMON_NAME, "u", 1) &&
	       gnutls_x509_crt_set_dn_by_oid(certificate, "1.3.6.1.4.1.57683.2", 1, uid, 7) == 0;
}

static bool with_bad_uid(gnutls_x509_crt_t certificate)
{
	static const char number[] = "\x02\x01\x07";

	return set(certificate, GNUTLS_OID_X520_COMMON_NAME, "u", 1) &&
	       gnutls_x509_crt_set_dn_by_oid(certificate, "1.3.6.1.4.1.57683.2", 1, number, 3) == 0;
}

static bool long_name(gnutls_x509_crt_t certificate)
{
	char name[300];

	memset(name, 'n', sizeof(name));
	return set(certificate, GNUTLS_OID_X520_ORGANIZATION_NAME, name, 200) &&
	       set(certificate, GNUTLS_OID_X520_ORGANIZATION_NAME, name, 64) &&
	       set(certificate, GNUTLS_OID_X520_COMMON_NAME, "u", 1);
}

static void the_uid_attribute_is_read(void **state)
{
	struct host_plugin *plugin = start(&ca);
	cox_autobuf der = COX_BUF_INIT;
	cox_autofree char *answer = NULL;
	struct cox_bytes bytes;
	struct cox_authn_request request;

	(void)state;
	sign_subject(&der, with_uid);
	request = request_of(&bytes, &der);
	answer = harness_ask(plugin, &request);
	assert_memory_equal(answer, "yes u uid=u-123 auth", 20);
	cox_buf_clear(&der);
	sign_subject(&der, with_bad_uid);
	expect(plugin, &der, "bad: the uid attribute 1.3.6.1.4.1.57683.2 is not one text");
	host_close(plugin);
}

static void long_names_are_whole(void **state)
{
	struct host_plugin *plugin = start(&ca);
	cox_autobuf der = COX_BUF_INIT;
	cox_autofree char *answer = NULL;
	struct cox_bytes bytes;
	struct cox_authn_request request;

	(void)state;
	sign_subject(&der, long_name);
	request = request_of(&bytes, &der);
	answer = harness_ask(plugin, &request);
	assert_int_equal(strspn(answer + strlen("yes u groups="), "n"), 200);
	assert_int_equal(strspn(answer + strlen("yes u groups=") + 201, "n"), 64);
	host_close(plugin);
}

static void ambiguous_names_are_refused(void **state)
{
	struct host_plugin *plugin = start(&ca);
	cox_autobuf der = COX_BUF_INIT;

	(void)state;
	sign_subject(&der, two_names);
	expect(plugin, &der, "bad: the certificate has two common names");
	cox_buf_clear(&der);
	sign_subject(&der, zero_byte);
	expect(plugin, &der, "bad: the common name is not plain text");
	cox_buf_clear(&der);
	sign_subject(&der, zero_group);
	expect(plugin, &der, "bad: an organization is not plain text");
	host_close(plugin);
}

static bool starts_yes(struct host_plugin *plugin, const struct cox_buf *der)
{
	struct cox_bytes bytes;
	const struct cox_authn_request request = request_of(&bytes, der);
	cox_autofree char *answer = harness_ask(plugin, &request);

	return strncmp(answer, "yes admin ", 10) == 0;
}

static void a_changed_ca_file_is_read_again(void **state)
{
	static const char unknown[] =
		"bad: The certificate is NOT trusted. The certificate issuer is unknown.";
	const struct pki_subject subject = {
		.common_name = "admin", .usage = PKI_CLIENT, .lifetime = 1000};
	struct host_plugin *plugin = start(&ca);
	cox_autobuf der = COX_BUF_INIT, both = COX_BUF_INIT;

	(void)state;
	sign(&subject, &der);
	assert_true(starts_yes(plugin, &der));
	harness_write("ca", other_ca.data, other_ca.size);
	expect(plugin, &der, unknown);
	cox_buf_printf(&both, "%s%s", other_ca.data, ca.data);
	harness_write("ca", both.data, both.size);
	assert_true(starts_yes(plugin, &der));
	harness_text("ca", "no certificate");
	assert_true(starts_yes(plugin, &der));
	assert_true(starts_yes(plugin, &der));
	assert_int_equal(harness_logged("; what was read before stays in force"), 1);
	host_close(plugin);
}

static void bad_ca_files_are_refused(void **state)
{
	const struct option options[] = {{"ca-file", harness_path("none")}, {NULL, NULL}};

	(void)state;
	harness_refused("x509", options,
			"authenticator plugin \"x509\": %s/none: No such file or directory",
			harness_directory);
	harness_text("none", "");
	harness_refused("x509", options, "%s%s/none: no CA certificate in PEM form (%s)",
			"authenticator plugin \"x509\": ", harness_directory,
			"No certificate was found.");
	harness_text("none", "hello\n");
	harness_refused("x509", options, "%s%s/none: no CA certificate in PEM form (%s)",
			"authenticator plugin \"x509\": ", harness_directory,
			"No certificate was found.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_name_users),
		cmocka_unit_test(bad_certificates_are_refused),
		cmocka_unit_test(certificates_have_their_time),
		cmocka_unit_test(the_uid_attribute_is_read),
		cmocka_unit_test(long_names_are_whole),
		cmocka_unit_test(ambiguous_names_are_refused),
		cmocka_unit_test(a_changed_ca_file_is_read_again),
		cmocka_unit_test(bad_ca_files_are_refused),
	};

	return cmocka_run_group_tests_name("x509", tests, begin, end);
}
