/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, certificates, signing requests and tokens. */
#include "unit.h"

#include "pki/certificate.h"
#include "pki/jwt.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct pki_key *ca_key, *ec_key, *rsa_key, *other_key;
static struct cox_buf ca;

static int make_keys(void **state)
{
	(void)state;
	ca_key = pki_key_generate(PKI_ECDSA_P256, NULL);
	ec_key = pki_key_generate(PKI_ECDSA_P256, NULL);
	other_key = pki_key_generate(PKI_ECDSA_P256, NULL);
	rsa_key = pki_key_generate(PKI_RSA_2048, NULL);
	return ca_key && ec_key && rsa_key && other_key
		       ? pki_make_ca(ca_key, "test-ca", 3600, &ca, NULL)
		       : -1;
}

static int free_keys(void **state)
{
	(void)state;
	pki_key_free(ca_key);
	pki_key_free(ec_key);
	pki_key_free(rsa_key);
	pki_key_free(other_key);
	cox_buf_free(&ca);
	return 0;
}

static void test_keys(void **state)
{
	struct pki_key *const keys[] = {ec_key, rsa_key};
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	for (int i = 0; i < 2; i++) {
		cox_autobuf pem = COX_BUF_INIT, public = COX_BUF_INIT, again = COX_BUF_INIT;
		cox_autokey key = NULL;
		cox_autokey half = NULL;

		assert_int_equal(pki_key_pem(keys[i], &pem, &err), 0);
		assert_true(cox_starts_with(pem.data, "-----BEGIN PRIVATE KEY-----\n"));
		key = pki_key_parse(pem.data, pem.size, &err);
		assert_non_null(key);
		assert_true(pki_key_is_private(key));
		assert_int_equal(pki_key_public_pem(key, &public, &err), 0);
		half = pki_key_parse(public.data, public.size, &err);
		assert_non_null(half);
		assert_false(pki_key_is_private(half));
		assert_int_equal(pki_key_public_pem(half, &again, &err), 0);
		assert_string_equal(again.data, public.data);
		assert_int_equal(pki_key_pem(half, &again, &err), -1);
	}
	assert_null(pki_key_parse("hello", 5, &err));
	assert_string_equal(error_text(&err), "no key in PEM form");
	assert_null(pki_key_load("/proc/none/key", &err));
	assert_string_equal(error_text(&err), "open /proc/none/key: no such file or directory");
}

static void test_files(void **state)
{
	char directory[] = "/tmp/cox-pki-XXXXXX", path[64];
	cox_autobuf out = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct stat status;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/k", directory);
	assert_int_equal(pki_file_write(path, "one", 3, 0644, &err), 0);
	assert_int_equal(pki_file_write(path, "second", 6, 0600, &err), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(pki_file_read(path, &out, &err), 0);
	assert_string_equal(out.data, "second");
	assert_int_equal(pki_file_read(directory, &out, &err), -1);
	assert_non_null(strstr(error_text(&err), ": not a regular file"));
	assert_int_equal(pki_file_write("/proc/none/x", "a", 1, 0600, &err), -1);
	assert_string_equal(error_text(&err), "open /proc/none/x: no such file or directory");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0); /* no temporary file was left */
}

static const char *const organizations[] = {"system:masters", "second"};
static const char *const dns_names[] = {"localhost", "*.example.org"};
static const char *const addresses[] = {"127.0.0.1", "fd00::1"};
static const struct pki_subject subject = {.common_name = "admin",
					   .organizations = organizations,
					   .organization_count = 2,
					   .dns_names = dns_names,
					   .dns_count = 2,
					   .addresses = addresses,
					   .address_count = 2,
					   .usage = PKI_SERVER,
					   .lifetime = 1000,
					   .backdated = 60};

static void check_names(const struct pki_facts *facts)
{
	assert_string_equal(facts->common_name, "admin");
	assert_int_equal(facts->organization_count, 2);
	assert_string_equal(facts->organizations[0], "system:masters");
	assert_string_equal(facts->organizations[1], "second");
	assert_int_equal(facts->dns_count, 2);
	assert_string_equal(facts->dns_names[1], "*.example.org");
	assert_int_equal(facts->address_count, 2);
	assert_string_equal(facts->addresses[0], "127.0.0.1");
	assert_string_equal(facts->addresses[1], "fd00::1");
	assert_int_equal(facts->other_count, 0);
}

static void test_certificates(void **state)
{
	cox_autobuf pem = COX_BUF_INIT, other_ca = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autofacts facts = {0}, ca_facts = {0};
	struct pki_subject expired = subject;
	uint64_t now = (uint64_t)time(NULL);

	(void)state;
	assert_int_equal(pki_sign(ca.data, ca.size, ca_key, ec_key, &subject, &pem, &err), 0);
	assert_int_equal(pki_certificate_read(pem.data, pem.size, &facts, &err), 0);
	check_names(&facts);
	assert_int_equal(facts.usage, PKI_SERVER);
	assert_false(facts.other_usage);
	assert_false(facts.is_ca);
	assert_in_range(facts.not_after, now + 990, now + 1010);
	assert_in_range(facts.not_before, now - 70, now - 50);
	assert_int_equal(strlen(facts.fingerprint), 64);
	assert_int_equal(strlen(facts.serial), 32);
	assert_int_equal(pki_certificate_read(ca.data, ca.size, &ca_facts, &err), 0);
	assert_true(ca_facts.is_ca);
	assert_string_equal(ca_facts.common_name, "test-ca");

	assert_int_equal(pki_certificate_matches(pem.data, pem.size, ec_key, &err), 0);
	assert_int_equal(pki_certificate_matches(pem.data, pem.size, other_key, &err), -1);
	assert_string_equal(error_text(&err), "the certificate belongs to another key");

	assert_int_equal(
		pki_certificate_verify(pem.data, pem.size, ca.data, ca.size, PKI_SERVER, &err), 0);
	assert_int_equal(
		pki_certificate_verify(pem.data, pem.size, ca.data, ca.size, PKI_CLIENT, &err), -1);
	assert_int_equal(pki_make_ca(other_key, "test-ca", 3600, &other_ca, &err), 0);
	assert_int_equal(pki_certificate_verify(pem.data, pem.size, other_ca.data, other_ca.size,
						PKI_SERVER, &err),
			 -1);
	cox_buf_clear(&pem);
	expired.lifetime = 0;
	expired.backdated = 1000;
	assert_int_equal(pki_sign(ca.data, ca.size, ca_key, rsa_key, &expired, &pem, &err), 0);
	while ((uint64_t)time(NULL) <= now + 1)
		usleep(20000);
	assert_int_equal(
		pki_certificate_verify(pem.data, pem.size, ca.data, ca.size, PKI_SERVER, &err), -1);
	assert_non_null(strstr(error_text(&err), "expired"));
	assert_int_equal(err.reason, COX_REASON_UNAUTHORIZED);
	assert_int_equal(pki_certificate_read("x", 1, &facts, &err), -1);
}

static void test_requests(void **state)
{
	static const char *const bad[] = {"256.1.1.1"};
	cox_autobuf pem = COX_BUF_INIT, signed_pem = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autofacts facts = {0}, signed_facts = {0};
	struct pki_subject wrong = subject;
	char *at;

	(void)state;
	assert_int_equal(pki_request_make(ec_key, &subject, &pem, &err), 0);
	assert_int_equal(pki_request_read(pem.data, pem.size, &facts, &err), 0);
	check_names(&facts);
	assert_int_equal(pki_request_sign(ca.data, ca.size, ca_key, pem.data, pem.size, PKI_CLIENT,
					  500, 60, &signed_pem, &err),
			 0);
	assert_int_equal(
		pki_certificate_read(signed_pem.data, signed_pem.size, &signed_facts, &err), 0);
	check_names(&signed_facts);
	assert_int_equal(signed_facts.usage, PKI_CLIENT);
	assert_int_equal(pki_certificate_matches(signed_pem.data, signed_pem.size, ec_key, &err),
			 0);
	assert_int_equal(pki_certificate_verify(signed_pem.data, signed_pem.size, ca.data, ca.size,
						PKI_CLIENT, &err),
			 0);
	/* a request that somebody has changed */
	pki_facts_free(&facts);
	at = strstr(pem.data, "\n-----END") - 20;
	*at = *at == 'A' ? 'B' : 'A';
	assert_int_equal(pki_request_read(pem.data, pem.size, &facts, &err), -1);
	wrong.addresses = bad;
	wrong.address_count = 1;
	assert_int_equal(pki_request_make(ec_key, &wrong, &pem, &err), -1);
	assert_string_equal(error_text(&err), "\"256.1.1.1\" is not an IP address");
}

static void test_tokens(void **state)
{
	static const char text[] = "{\"iss\":\"x\",\"sub\":\"system:serviceaccount:a:b\"}";
	struct pki_key *const both[] = {rsa_key, ec_key}, *const other[] = {other_key};
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	for (int i = 0; i < 2; i++) {
		cox_autobuf token = COX_BUF_INIT, claims = COX_BUF_INIT;

		assert_int_equal(jwt_sign(both[i], text, strlen(text), &token, &err), 0);
		assert_int_equal(jwt_verify(both, 2, token.data, token.size, &claims, &err), 0);
		assert_string_equal(claims.data, text);
		cox_buf_clear(&claims);
		assert_int_equal(jwt_verify(other, 1, token.data, token.size, &claims, &err),
				 JWT_NOT_OURS);
		assert_string_equal(error_text(&err), "none of the keys signed the token");
		/* every changed byte is noticed */
		for (size_t k = 0; k < token.size; k += 7) {
			char kept = token.data[k];

			token.data[k] = kept == 'x' ? 'y' : 'x';
			assert_int_not_equal(
				jwt_verify(both, 2, token.data, token.size, &claims, NULL), 0);
			token.data[k] = kept;
		}
		assert_int_equal(claims.size, 0);
	}
}

static int verify_header(const char *header, const char *tail)
{
	struct pki_key *const both[] = {rsa_key, ec_key};
	cox_autobuf token = COX_BUF_INIT, claims = COX_BUF_INIT;
	char *room = cox_buf_reserve(&token, cox_base64_size(strlen(header)));

	cox_base64url_encode(header, strlen(header), room);
	cox_buf_added(&token, strlen(room));
	cox_buf_str(&token, tail);
	return jwt_verify(both, 2, token.data, token.size, &claims, NULL);
}

static void test_bad_tokens(void **state)
{
	struct pki_key *const both[] = {rsa_key, ec_key};
	static const char *const broken[] = {"",     ".",     "..",	 "a.b",
					     "a.b.", "!.!.!", "a.b.c.d", "e30.e30.!"};
	cox_autobuf claims = COX_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		assert_int_equal(jwt_verify(both, 2, broken[i], strlen(broken[i]), &claims, NULL),
				 -1);
	/* the algorithm is the key's, whatever the token says */
	assert_int_equal(verify_header("{\"alg\":\"none\"}", ".e30.AAAA"), JWT_NOT_OURS);
	assert_int_equal(verify_header("{\"alg\":\"HS256\"}", ".e30.AAAA"), JWT_NOT_OURS);
	assert_int_equal(verify_header("{\"alg\":\"ES256\"}", ".e30.AAAA"), JWT_NOT_OURS);
	assert_int_equal(verify_header("{\"alg\":\"RS256\",\"crit\":[\"x\"]}", ".e30.AAAA"), -1);
	assert_int_equal(verify_header("[]", ".e30.AAAA"), -1);
}

static void test_key_set(void **state)
{
	struct pki_key *const both[] = {rsa_key, ec_key};
	cox_autobuf out = COX_BUF_INIT, wanted = COX_BUF_INIT;
	char id[JWT_KEY_ID_SIZE];

	(void)state;
	assert_int_equal(jwt_key_set(both, 2, &out, NULL), 0);
	assert_int_equal(jwt_key_id(rsa_key, id, NULL), 0);
	assert_int_equal(strlen(id), 43);
	cox_buf_printf(&wanted,
		       "{\"keys\":[{\"use\":\"sig\",\"kty\":\"RSA\",\"kid\":\"%s\",\"alg\":"
		       "\"RS256\",\"n\":\"",
		       id);
	assert_true(cox_starts_with(out.data, wanted.data));
	assert_non_null(strstr(out.data, "\",\"e\":\"AQAB\"},{\"use\":\"sig\",\"kty\":\"EC\","));
	assert_non_null(strstr(out.data, ",\"crv\":\"P-256\",\"alg\":\"ES256\",\"x\":\""));
	assert_true(cox_ends_with(out.data, "\"}]}"));
	assert_int_equal(jwt_key_id(ec_key, id, NULL), 0);
	assert_non_null(strstr(out.data, id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),	     cmocka_unit_test(test_files),
		cmocka_unit_test(test_certificates), cmocka_unit_test(test_requests),
		cmocka_unit_test(test_tokens),	     cmocka_unit_test(test_bad_tokens),
		cmocka_unit_test(test_key_set),
	};

	return cmocka_run_group_tests_name("pki", tests, make_keys, free_keys);
}
