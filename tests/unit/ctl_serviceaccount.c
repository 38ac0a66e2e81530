/* SPDX-License-Identifier: Apache-2.0 */
/* The service account controller: default accounts and the root CA. */
#include "unit.h"

#include "base/clock.h"
#include "lib/controllers.h"
#include "pki/jwt.h"

#include <coxswain/kit/text.h>
#include <gnutls/x509.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEM "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"

static void put_namespace(struct fixture *f, const char *name, const char *phase)
{
	put(f, "namespaces",
	    "{'kind':'Namespace','apiVersion':'v1','metadata':{'name':'%s'},'status':{'phase':"
	    "'%s'}}",
	    name, phase);
}

static void write_file(char path[64], const char *text)
{
	int fd;

	snprintf(path, 64, "/tmp/coxswain-ca.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void test_both(void **state)
{
	struct fixture *f = *state;
	char path[64];

	write_file(path, PEM);
	put_namespace(f, "a", "Active");
	put_namespace(f, "going", "Terminating");
	fixture_run(f, "serviceaccount", "root-ca-file", path, NULL);
	put_namespace(f, "b", "Active");
	eventually(exists(f, "configmaps", "a", "kube-root-ca.crt"));
	eventually(exists(f, "configmaps", "b", "kube-root-ca.crt"));
	assert_true(exists(f, "serviceaccounts", "a", "default"));
	assert_true(exists(f, "serviceaccounts", "b", "default"));
	assert_string_equal(field(f, "configmaps", "a", "kube-root-ca.crt", "data[\"ca.crt\"]"),
			    PEM);
	/* Nothing begins in a namespace that ends. */
	assert_int_equal(fake_count(f->server, "serviceaccounts"), 2);
	assert_int_equal(fake_count(f->server, "configmaps"), 2);
	assert_int_equal(unlink(path), 0);
}

static void test_come_back(void **state)
{
	struct fixture *f = *state;
	char path[64];

	write_file(path, PEM);
	put_namespace(f, "a", "Active");
	fixture_run(f, "serviceaccount", "root-ca-file", path, NULL);
	eventually(exists(f, "configmaps", "a", "kube-root-ca.crt"));
	fake_remove(f->server, "serviceaccounts", "a", "default");
	eventually(exists(f, "serviceaccounts", "a", "default"));
	fake_remove(f->server, "configmaps", "a", "kube-root-ca.crt");
	eventually(exists(f, "configmaps", "a", "kube-root-ca.crt"));
	put(f, "configmaps",
	    "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'kube-root-ca.crt',"
	    "'namespace':'a'},'data':{'ca.crt':'mine','more':'x'}}");
	eventually(
		!strcmp(field(f, "configmaps", "a", "kube-root-ca.crt", "data[\"ca.crt\"]"), PEM));
	assert_string_equal(field(f, "configmaps", "a", "kube-root-ca.crt", "data.more"), "");
	/* Other maps are nobody's business. */
	put(f, "configmaps",
	    "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'other','namespace':'a'}}");
	fake_remove(f->server, "configmaps", "a", "other");
	put_namespace(f, "mark", "Active");
	eventually(exists(f, "configmaps", "mark", "kube-root-ca.crt"));
	assert_false(exists(f, "configmaps", "a", "other"));
	assert_int_equal(unlink(path), 0);
}

static void test_no_ca(void **state)
{
	struct fixture *f = *state;

	put_namespace(f, "a", "Active");
	fixture_run(f, "serviceaccount", NULL);
	eventually(exists(f, "configmaps", "a", "kube-root-ca.crt"));
	assert_string_equal(field(f, "configmaps", "a", "kube-root-ca.crt", "data"),
			    "{\"ca.crt\":\"\"}");
}

static void test_bad_file(void **state)
{
	struct fixture *f = *state;
	cox_autoerror err = COX_ERROR_INIT;
	char path[64], text[256];

	write_file(path, "nothing\n");
	f->plugin = host_open(f->host, "controller", "serviceaccount", "test", &err);
	assert_non_null(f->plugin);
	assert_int_equal(host_set_option(f->plugin, "root-ca-file", path, "test", &err), 0);
	assert_int_equal(host_configure(f->plugin, &err), 0);
	assert_int_equal(host_get_ready(f->plugin, &err), -1);
	snprintf(text, sizeof(text), "root CA: %s: no certificate in PEM form", path);
	assert_non_null(strstr(error_text(&err), text));
	assert_int_equal(unlink(path), 0);
}

#define TOKEN "kubernetes.io/service-account-token"
#define NAME_OF "kubernetes.io/service-account.name"
#define UID_OF "kubernetes.io/service-account.uid"

static void put_secret(struct fixture *f, const char *name, const char *type, const char *account,
		       const char *uid)
{
	put(f, "secrets",
	    "{'kind':'Secret','apiVersion':'v1','metadata':{'name':'%s','namespace':'a',"
	    "'annotations':{'" NAME_OF "':'%s','" UID_OF "':'%s'}},'type':'%s'}",
	    name, account, uid, type);
}

static void put_account(struct fixture *f, const char *name)
{
	put(f, "serviceaccounts",
	    "{'kind':'ServiceAccount','apiVersion':'v1','metadata':{'name':'%s','namespace':'a'}}",
	    name);
}

static void new_key(struct pki_key **key, enum pki_key_kind kind, char path[64])
{
	cox_autobuf pem = COX_BUF_INIT;

	*key = pki_key_generate(kind, NULL);
	assert_non_null(*key);
	assert_int_equal(pki_key_pem(*key, &pem, NULL), 0);
	write_file(path, pem.data);
}

static void decode(struct fixture *f, const char *secret, const char *member, char out[4096])
{
	cox_autoobject *object = fake_get(f->server, "secrets", "a", secret);
	const char *text = value_get_text(value_get(object_root(object), "data"), member);
	int64_t size;

	assert_true(strlen(text) < 4096);
	size = cox_base64_decode(text, strlen(text), out);
	assert_true(size >= 0);
	out[size] = '\0';
}

/* What the token in the secret claims, as JSON; the signature was checked. */
static void claims_of(struct fixture *f, const char *secret, struct pki_key *key, char out[4096])
{
	cox_autobuf claims = COX_BUF_INIT;
	char token[4096];

	decode(f, secret, "token", token);
	assert_int_equal(jwt_verify(&key, 1, token, strlen(token), &claims, NULL), 0);
	snprintf(out, 4096, "%s", cox_buf_cstr(&claims));
}

static bool has_token(struct fixture *f, const char *secret)
{
	return *field(f, "secrets", "a", secret, "data.token");
}

static void check_tokens(struct fixture *f, enum pki_key_kind kind)
{
	char ca_path[64], key_path[64], text[4096], wanted[1024];
	struct pki_key *key;

	write_file(ca_path, PEM);
	new_key(&key, kind, key_path);
	put_account(f, "robot");
	put_secret(f, "early", TOKEN, "robot", "");
	fixture_run(f, "serviceaccount", "root-ca-file", ca_path, "private-key-file", key_path,
		    NULL);
	eventually(has_token(f, "early"));
	put_secret(f, "late", TOKEN, "robot", "");
	put_secret(f, "other-type", "Opaque", "robot", "");
	put_secret(f, "nameless", TOKEN, "", "");
	put_secret(f, "mark", TOKEN, "robot", "");
	eventually(has_token(f, "late"));
	eventually(has_token(f, "mark"));
	snprintf(wanted, sizeof(wanted),
		 "{\"iss\":\"kubernetes/serviceaccount\","
		 "\"kubernetes/serviceaccount/namespace\":\"a\","
		 "\"kubernetes/serviceaccount/secret.name\":\"late\","
		 "\"kubernetes/serviceaccount/service-account.name\":\"robot\","
		 "\"kubernetes/serviceaccount/service-account.uid\":\"%s\","
		 "\"sub\":\"system:serviceaccount:a:robot\"}",
		 field(f, "serviceaccounts", "a", "robot", "metadata.uid"));
	claims_of(f, "late", key, text);
	assert_string_equal(text, wanted);
	decode(f, "late", "ca.crt", text);
	assert_string_equal(text, PEM);
	decode(f, "late", "namespace", text);
	assert_string_equal(text, "a");
	assert_string_equal(
		field(f, "secrets", "a", "late", "metadata.annotations[\"" UID_OF "\"]"),
		field(f, "serviceaccounts", "a", "robot", "metadata.uid"));
	assert_false(has_token(f, "other-type"));
	assert_false(has_token(f, "nameless"));
	assert_int_equal(unlink(ca_path), 0);
	assert_int_equal(unlink(key_path), 0);
	pki_key_free(key);
}

static void test_tokens_rsa(void **state)
{
	check_tokens(*state, PKI_RSA_2048);
}

static void test_tokens_ecdsa(void **state)
{
	check_tokens(*state, PKI_ECDSA_P256);
}

static void test_tokens_go(void **state)
{
	struct fixture *f = *state;
	char path[64];
	struct pki_key *key;

	new_key(&key, PKI_ECDSA_P256, path);
	put_account(f, "robot");
	put_account(f, "stays");
	put_secret(f, "known", TOKEN, "robot", "");
	put_secret(f, "kept", TOKEN, "stays", "");
	put_secret(f, "stranger", TOKEN, "nobody", "");
	put_secret(f, "older", TOKEN, "robot", "uid-of-before");
	put_secret(f, "opaque", "Opaque", "nobody", "");
	fixture_run(f, "serviceaccount", "private-key-file", path, NULL);
	eventually(has_token(f, "known"));
	eventually(!exists(f, "secrets", "a", "stranger"));
	eventually(!exists(f, "secrets", "a", "older"));
	/* Another account of the same name is another account. */
	fake_remove(f->server, "serviceaccounts", "a", "robot");
	put_account(f, "robot");
	eventually(!exists(f, "secrets", "a", "known"));
	eventually(has_token(f, "kept"));
	assert_int_equal(fake_count(f->server, "secrets"), 2);
	assert_int_equal(unlink(path), 0);
	pki_key_free(key);
}

/* A token that somebody takes out is made anew; one that is there stays. */
static void test_tokens_anew(void **state)
{
	struct fixture *f = *state;
	char path[64];
	struct pki_key *key;

	new_key(&key, PKI_ECDSA_P256, path);
	put_account(f, "robot");
	put(f, "secrets",
	    "{'kind':'Secret','apiVersion':'v1','metadata':{'name':'own','namespace':'a',"
	    "'annotations':{'" NAME_OF "':'robot'}},'type':'" TOKEN "','data':{'token':'b3du'}}");
	put_secret(f, "t", TOKEN, "robot", "");
	fixture_run(f, "serviceaccount", "private-key-file", path, NULL);
	eventually(has_token(f, "t"));
	put_secret(f, "t", TOKEN, "robot", "");
	eventually(has_token(f, "t"));
	eventually(*field(f, "secrets", "a", "own", "data.namespace"));
	assert_string_equal(field(f, "secrets", "a", "own", "data.token"), "b3du");
	/* No CA was given. */
	assert_string_equal(field(f, "secrets", "a", "t", "data[\"ca.crt\"]"), "");
	assert_int_equal(unlink(path), 0);
	pki_key_free(key);
}

static void test_no_key(void **state)
{
	struct fixture *f = *state;

	put_namespace(f, "a", "Active");
	put_account(f, "robot");
	put_secret(f, "t", TOKEN, "robot", "");
	put_secret(f, "stranger", TOKEN, "nobody", "");
	fixture_run(f, "serviceaccount", NULL);
	eventually(exists(f, "serviceaccounts", "a", "default"));
	eventually(exists(f, "configmaps", "a", "kube-root-ca.crt"));
	assert_false(has_token(f, "t"));
	assert_true(exists(f, "secrets", "a", "stranger"));
	assert_int_equal(fake_requests(f->server, CLIENT_LIST, "secrets") +
				 fake_requests(f->server, CLIENT_WATCH, "secrets"),
			 0);
}

static void refuse_key(struct fixture *f, const char *path, const char *why)
{
	cox_autoerror err = COX_ERROR_INIT;
	char text[512];

	f->plugin = host_open(f->host, "controller", "serviceaccount", "test", &err);
	assert_non_null(f->plugin);
	assert_int_equal(host_set_option(f->plugin, "private-key-file", path, "test", &err), 0);
	assert_int_equal(host_configure(f->plugin, &err), 0);
	assert_int_equal(host_get_ready(f->plugin, &err), -1);
	snprintf(text, sizeof(text), "key of service account tokens: %s: %s", path, why);
	assert_non_null(strstr(error_text(&err), text));
	host_close(f->plugin);
	f->plugin = NULL;
}

/* A key that no algorithm of these tokens can use. */
static void write_other_curve(char path[64])
{
	gnutls_x509_privkey_t key;
	gnutls_datum_t pem = {NULL, 0};

	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(
		gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1), 0),
		0);
	assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem), 0);
	write_file(path, (const char *)pem.data);
	gnutls_free(pem.data);
	gnutls_x509_privkey_deinit(key);
}

static void test_bad_keys(void **state)
{
	char path[64];

	refuse_key(*state, "/nonexistent/sa.key",
		   "there is none; kube-apiserver makes it at its first start, so start that "
		   "first");
	write_file(path, "nothing\n");
	refuse_key(*state, path, "");
	assert_int_equal(unlink(path), 0);
	write_other_curve(path);
	refuse_key(*state, path,
		   "it is neither an RSA key of 2048 to 16384 bits nor one on the "
		   "curve P-256");
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(test_both),	      with_server(test_come_back),
		with_server(test_no_ca),      with_server(test_bad_file),
		with_server(test_tokens_rsa), with_server(test_tokens_ecdsa),
		with_server(test_tokens_go),  with_server(test_tokens_anew),
		with_server(test_no_key),     with_server(test_bad_keys),
	};

	return cmocka_run_group_tests_name("serviceaccount", tests, NULL, NULL);
}
