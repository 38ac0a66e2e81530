/* SPDX-License-Identifier: Apache-2.0 */
/* The authenticator serviceaccount: signatures, claims, look-up, changing keys. */
#include "harness.h"

#include "base/clock.h"
#include "client/cluster.h"
#include "lib/fake_server.h"
#include "pki/certificate.h"
#include "pki/jwt.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ISSUER "https://kubernetes.default.svc"
#define OLD "kubernetes/serviceaccount"

static struct pki_key *rsa_key, *ec_key, *other_key;
static int64_t now;

static void write_public(const char *name, const struct pki_key *key)
{
	cox_autobuf pem = COX_BUF_INIT;

	assert_int_equal(pki_key_public_pem(key, &pem, NULL), 0);
	harness_write(name, pem.data, pem.size);
}

static int begin(void **state)
{
	cox_autobuf pem = COX_BUF_INIT;

	rsa_key = pki_key_generate(PKI_RSA_2048, NULL);
	ec_key = pki_key_generate(PKI_ECDSA_P256, NULL);
	other_key = pki_key_generate(PKI_ECDSA_P256, NULL);
	now = (int64_t)(clock_realtime() / CLOCK_SECOND);
	if (!rsa_key || !ec_key || !other_key || harness_begin(state) != 0)
		return -1;
	write_public("rsa.pub", rsa_key);
	/* of a private key the public half is used */
	if (pki_key_pem(ec_key, &pem, NULL) != 0)
		return -1;
	harness_write("ec.key", pem.data, pem.size);
	return 0;
}

static int end(void **state)
{
	pki_key_free(rsa_key);
	pki_key_free(ec_key);
	pki_key_free(other_key);
	return harness_end(state);
}

static const char *key_list(void)
{
	static char list[512];

	snprintf(list, sizeof(list), "%s,%s", harness_path("rsa.pub"), harness_path("ec.key"));
	return list;
}

static struct host_plugin *start(const char *lookup, const struct cox_cluster *cluster)
{
	const struct option options[] = {{"key-file", key_list()}, {"issuer", ISSUER ",second"},
					 {"audience", "api,api2"}, {"lookup", lookup},
					 {"check-interval", "0s"}, {NULL, NULL}};

	return harness_start("serviceaccount", options, cluster);
}

static char *sign(struct pki_key *key, const char *claims)
{
	cox_autobuf token = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	if (jwt_sign(key, claims, strlen(claims), &token, &err) != 0)
		fail_msg("%s", error_text(&err));
	return cox_buf_steal(&token);
}

static void expect_token(struct host_plugin *plugin, const char *token, const char *answer)
{
	const struct cox_authn_request request = {.struct_size = sizeof(request),
						  .bearer_token = token};

	harness_expect(plugin, &request, answer);
}

static void expect(struct host_plugin *plugin, struct pki_key *key, const char *claims,
		   const char *answer)
{
	cox_autofree char *token = sign(key, claims);

	expect_token(plugin, token, answer);
}

/* A good token's claims, with what a test wants other: "exp" and so on. */
struct parts {
	const char *issuer, *audience, *subject, *bound;
	int64_t expires, not_before, issued;
};

#define ACCOUNT "\"namespace\":\"a\",\"serviceaccount\":{\"name\":\"robot\",\"uid\":\"u1\"}"
#define GOOD                                                                                       \
	{                                                                                          \
		ISSUER, "[\"api\"]", "system:serviceaccount:a:robot", ACCOUNT, now + 600, now, now \
	}
#define WHO                                                                                        \
	"yes system:serviceaccount:a:robot uid=u1 groups=system:serviceaccounts,"                  \
	"system:serviceaccounts:a"
#define JTI " authentication.kubernetes.io/credential-id=JTI=id-1"

static char *claims_of(const struct parts *parts)
{
	cox_autobuf out = COX_BUF_INIT;

	cox_buf_printf(&out,
		       "{\"iss\":\"%s\",\"aud\":%s,\"sub\":\"%s\",\"exp\":%" PRId64
		       ",\"nbf\":%" PRId64 ",\"iat\":%" PRId64
		       ",\"jti\":\"id-1\",\"kubernetes.io\":{%s}}",
		       parts->issuer, parts->audience, parts->subject, parts->expires,
		       parts->not_before, parts->issued, parts->bound);
	return cox_buf_steal(&out);
}

static void expect_parts(struct host_plugin *plugin, struct pki_key *key, const struct parts *parts,
			 const char *answer)
{
	cox_autofree char *claims = claims_of(parts);

	expect(plugin, key, claims, answer);
}

/* The answer to a good token: WHO, what is between, and the end with its leeway. */
static void expect_good(struct host_plugin *plugin, struct pki_key *key, const struct parts *parts,
			const char *between)
{
	cox_autobuf line = COX_BUF_INIT;

	cox_buf_printf(&line, "%s%s expires=%" PRId64, WHO, between, parts->expires + 10);
	expect_parts(plugin, key, parts, line.data);
}

static void good_tokens_are_accounts(void **state)
{
	struct host_plugin *plugin = start("false", NULL);
	struct parts parts = GOOD;

	(void)state;
	expect_good(plugin, rsa_key, &parts, JTI " aud=api");
	expect_good(plugin, ec_key, &parts, JTI " aud=api");
	parts.issuer = "second";
	parts.audience = "\"api2\"";
	expect_good(plugin, ec_key, &parts, JTI " aud=api2");
	parts.audience = "[\"x\",\"api2\",\"api\"]";
	expect_good(plugin, ec_key, &parts, JTI " aud=api,api2");
	parts.bound = ACCOUNT ",\"pod\":{\"name\":\"web.0\",\"uid\":\"p1\"},"
			      "\"node\":{\"name\":\"n1\",\"uid\":\"n-uid\"}";
	expect_good(plugin, ec_key, &parts,
		    " authentication.kubernetes.io/pod-name=web.0"
		    " authentication.kubernetes.io/pod-uid=p1"
		    " authentication.kubernetes.io/node-name=n1"
		    " authentication.kubernetes.io/node-uid=n-uid" JTI " aud=api,api2");
	/* within the 10 s that clocks may differ */
	parts = (struct parts)GOOD;
	parts.expires = (int64_t)(clock_realtime() / CLOCK_SECOND) - 2;
	expect_good(plugin, ec_key, &parts, JTI " aud=api");
	parts = (struct parts)GOOD;
	parts.not_before = parts.issued = (int64_t)(clock_realtime() / CLOCK_SECOND) + 8;
	expect_good(plugin, ec_key, &parts, JTI " aud=api");
	host_close(plugin);
}

static void asked_audiences_count(void **state)
{
	struct host_plugin *plugin = start("false", NULL);
	const char *const wanted[] = {"vault", "other"};
	struct parts parts = GOOD;
	cox_autofree char *claims = NULL;
	cox_autofree char *token = NULL;
	cox_autobuf line = COX_BUF_INIT;
	struct cox_authn_request request = {
		.struct_size = sizeof(request), .audiences = wanted, .audience_count = 2};

	(void)state;
	parts.audience = "[\"vault\",\"api\"]";
	claims = claims_of(&parts);
	token = sign(ec_key, claims);
	request.bearer_token = token;
	cox_buf_printf(&line, "%s%s aud=vault expires=%" PRId64, WHO, JTI, parts.expires + 10);
	harness_expect(plugin, &request, line.data);
	request.audiences = wanted + 1;
	request.audience_count = 1;
	harness_expect(plugin, &request, "bad: the token is meant for another audience");
	host_close(plugin);
}

static void tokens_of_others_are_not_mine(void **state)
{
	static const char *const tokens[] = {
		"",
		"static",
		"a.b",
		"a.b.c",
		"..",
		"...",
		"e30.e30.",
		"e30.e30.AA",
		"eyJhbGciOiJFUzI1NiJ9.e30",
		"eyJhbGciOiJFUzI1NiJ9.W10.AA",
		"eyJhbGciOiJFUzI1NiJ9.e30.AA",
		"eyJhbGciOiJFUzI1NiJ9.e30.AA.AA",
		/* {"alg":"ES256","crit":["x"]} */
		"eyJhbGciOiJFUzI1NiIsImNyaXQiOlsieCJdfQ.e30.AA",
	};
	struct host_plugin *plugin = start("false", NULL);
	struct parts parts = GOOD;
	const struct cox_authn_request none = {.struct_size = sizeof(none)};
	cox_autofree char *large = cox_calloc(1, 70000);

	(void)state;
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
		expect_token(plugin, tokens[i], "not mine");
	memset(large, '.', 69999);
	expect_token(plugin, large, "not mine");
	parts.issuer = "https://accounts.example.org";
	expect_parts(plugin, ec_key, &parts, "not mine");
	expect(plugin, ec_key, "{\"iss\":7}", "not mine");
	harness_expect(plugin, &none, "not mine");
	host_close(plugin);
}

static void bad_claims_are_refused(void **state)
{
	struct host_plugin *plugin = start("false", NULL);
	const struct {
		struct parts parts;
		const char *answer;
	} rows[] = {
		{{ISSUER, "[\"api\"]", "system:serviceaccount:a:robot", ACCOUNT, now - 11, now,
		  now},
		 "bad: the token has expired"},
		{{ISSUER, "[\"api\"]", "system:serviceaccount:a:robot", ACCOUNT, now + 600,
		  now + 100, now},
		 "bad: the token is not valid yet"},
		{{ISSUER, "[\"api\"]", "system:serviceaccount:a:robot", ACCOUNT, now + 600, now,
		  now + 100},
		 "bad: the token is not valid yet"},
		{{ISSUER, "[]", "system:serviceaccount:a:robot", ACCOUNT, now + 600, now, now},
		 "bad: the token is meant for another audience"},
		{{ISSUER, "[\"vault\"]", "system:serviceaccount:a:robot", ACCOUNT, now + 600, now,
		  now},
		 "bad: the token is meant for another audience"},
		{{ISSUER, "[7]", "system:serviceaccount:a:robot", ACCOUNT, now + 600, now, now},
		 "bad: the claim aud is not a text"},
		{{ISSUER, "[\"api\"]", "system:serviceaccount:b:robot", ACCOUNT, now + 600, now,
		  now},
		 "bad: the claim sub names another account than the token is for"},
		{{ISSUER, "[\"api\"]", "admin", ACCOUNT, now + 600, now, now},
		 "bad: the claim sub names another account than the token is for"},
		{{ISSUER, "[\"api\"]", "system:serviceaccount:a:robot\\u0000x", ACCOUNT, now + 600,
		  now, now},
		 "bad: the claim sub has a zero byte"},
		{{ISSUER, "[\"api\"]", "system:serviceaccount:a:robot", "\"namespace\":\"a\"",
		  now + 600, now, now},
		 "bad: the claim serviceaccount is not the name of an account"},
		{{ISSUER, "[\"api\"]", "system:serviceaccount:a:robot",
		  "\"namespace\":\"a\",\"serviceaccount\":{\"name\":\"robot\"}", now + 600, now,
		  now},
		 "bad: the claim serviceaccount lacks a name or a uid"},
		{{ISSUER, "[\"api\"]", "system:serviceaccount:a/b:robot",
		  "\"namespace\":\"a/b\",\"serviceaccount\":{\"name\":\"robot\",\"uid\":\"u1\"}",
		  now + 600, now, now},
		 "bad: the claim namespace is not the name of a namespace"},
		{{ISSUER, "[\"api\"]", "system:serviceaccount:a:..",
		  "\"namespace\":\"a\",\"serviceaccount\":{\"name\":\"..\",\"uid\":\"u1\"}",
		  now + 600, now, now},
		 "bad: the claim serviceaccount is not the name of an account"},
		{{ISSUER, "[\"api\"]", "system:serviceaccount:a:robot",
		  ACCOUNT ",\"pod\":{\"name\":\"../x\",\"uid\":\"p\"}", now + 600, now, now},
		 "bad: \"../x\" is not the name of an object"},
		{{ISSUER, "[\"api\"]", "system:serviceaccount:a:robot", ACCOUNT ",\"pod\":7",
		  now + 600, now, now},
		 "bad: the claim pod is not an object"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_parts(plugin, rows[i].parts.expires & 1 ? ec_key : rsa_key, &rows[i].parts,
			     rows[i].answer);
	expect(plugin, ec_key, "{\"iss\":\"" ISSUER "\"}",
	       "bad: the claim kubernetes.io is missing");
	expect(plugin, ec_key,
	       "{\"iss\":\"" ISSUER "\",\"sub\":\"system:serviceaccount:a:robot\",\"aud\":\"api\","
	       "\"kubernetes.io\":{" ACCOUNT "}}",
	       "bad: the claim exp is missing");
	expect(plugin, ec_key, "{\"iss\":\"" ISSUER "\",\"exp\":\"soon\"}",
	       "bad: the claim exp is not a time");
	expect(plugin, ec_key, "{\"iss\":\"" ISSUER "\",\"exp\":1e300}",
	       "bad: the claim exp is not a time");
	host_close(plugin);
}

static void replace(struct cox_buf *out, const char *token, size_t part, const char *json)
{
	cox_autobuf encoded = COX_BUF_INIT;

	for (size_t i = 0; i < 3; i++) {
		const char *dot = strchrnul(token, '.');

		if (i)
			cox_buf_char(out, '.');
		if (i == part) {
			char *room = cox_buf_reserve(&encoded, cox_base64_size(strlen(json)));

			cox_base64url_encode(json, strlen(json), room);
			cox_buf_str(out, room);
		} else {
			cox_buf_add(out, token, (size_t)(dot - token));
		}
		token = *dot ? dot + 1 : dot;
	}
}

static void forged_tokens_are_refused(void **state)
{
	static const char refused[] = "bad: none of the keys signed the token";
	static const char *const headers[] = {
		"{\"alg\":\"none\"}",  "{\"alg\":\"HS256\"}", "{\"alg\":\"RS256\"}",
		"{\"alg\":\"ES384\"}", "{\"alg\":\"\"}",
	};
	struct host_plugin *plugin = start("false", NULL);
	struct parts parts = GOOD;
	cox_autofree char *claims = claims_of(&parts);
	cox_autofree char *token = sign(ec_key, claims);
	cox_autobuf forged = COX_BUF_INIT;

	(void)state;
	expect_parts(plugin, other_key, &parts, refused);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		cox_buf_clear(&forged);
		replace(&forged, token, 0, headers[i]);
		expect_token(plugin, forged.data, refused);
	}
	cox_buf_clear(&forged);
	parts.subject = "system:serviceaccount:kube-system:admin";
	free(cox_steal(claims));
	claims = claims_of(&parts);
	replace(&forged, token, 1, claims);
	expect_token(plugin, forged.data, refused);
	/* a signature that is cut, and one of zeros, which some libraries took for good */
	cox_buf_clear(&forged);
	cox_buf_add(&forged, token, strlen(token) - 6);
	expect_token(plugin, forged.data, refused);
	cox_buf_truncate(&forged, (size_t)(strrchr(token, '.') + 1 - token));
	for (unsigned i = 0; i < 86; i++)
		cox_buf_char(&forged, 'A');
	expect_token(plugin, forged.data, refused);
	host_close(plugin);
}

/* Tokens of the first releases name no audience and have no end. */
static void old_tokens_are_known(void **state)
{
	static const char good[] =
		"{\"iss\":\"" OLD "\",\"sub\":\"system:serviceaccount:a:robot\",\"" OLD
		"/namespace\":\"a\",\"" OLD "/secret.name\":\"robot-token\",\"" OLD
		"/service-account.name\":\"robot\",\"" OLD "/service-account.uid\":\"u1\"}";
	static const char without[] =
		"{\"iss\":\"" OLD "\",\"sub\":\"system:serviceaccount:a:robot\",\"" OLD
		"/namespace\":\"a\",\"" OLD "/service-account.name\":\"robot\",\"" OLD
		"/service-account.uid\":\"u1\"}";
	struct host_plugin *plugin = start("false", NULL);

	(void)state;
	expect(plugin, rsa_key, good, WHO " aud=api,api2");
	expect(plugin, rsa_key, without,
	       "bad: the claim kubernetes/serviceaccount/secret.name is missing");
	expect(plugin, other_key, good, "bad: none of the keys signed the token");
	host_close(plugin);
}

/* Look-up */

static struct fake_server *server;
static struct cluster cluster;
static struct host_plugin *looking;

static int begin_lookup(void **state)
{
	(void)state;
	server = fake_server_new();
	cluster_init(&cluster, fake_server_client(server), NULL, NULL, NULL);
	looking = start("true", &cluster.table);
	return 0;
}

static int end_lookup(void **state)
{
	(void)state;
	host_close(looking);
	client_free(cluster.client);
	fake_server_free(server);
	return 0;
}

/* Puts an object and copies the uid that it was given. */
static void put(const char *resource, const char *name, const char *more, char uid[64])
{
	cox_autobuf json = COX_BUF_INIT;
	cox_autoobject *object = NULL;

	cox_buf_printf(&json, "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"a\"}%s}", name, more);
	fake_put(server, resource, json.data);
	object = fake_get(server, resource, "a", name);
	assert_non_null(object);
	snprintf(uid, 64, "%s", object_uid(object));
}

/* The token of an account, bound to an object if `kind` is set. */
static char *bound_token(const char *account_uid, const char *kind, const char *name,
			 const char *uid)
{
	cox_autobuf bound = COX_BUF_INIT;
	struct parts parts = GOOD;
	cox_autofree char *claims = NULL;

	cox_buf_printf(&bound,
		       "\"namespace\":\"a\",\"serviceaccount\":{\"name\":\"robot\",\"uid\":\"%s\"}",
		       account_uid);
	if (kind)
		cox_buf_printf(&bound, ",\"%s\":{\"name\":\"%s\",\"uid\":\"%s\"}", kind, name, uid);
	parts.bound = bound.data;
	claims = claims_of(&parts);
	return sign(ec_key, claims);
}

static bool is_yes(const char *token)
{
	const struct cox_authn_request request = {.struct_size = sizeof(request),
						  .bearer_token = token};
	cox_autofree char *answer = harness_ask(looking, &request);

	if (!cox_starts_with(answer, "yes system:serviceaccount:a:robot uid="))
		printf("# %s\n", answer);
	return cox_starts_with(answer, "yes system:serviceaccount:a:robot uid=");
}

static void accounts_must_exist(void **state)
{
	char uid[64], again[64];
	cox_autofree char *token = NULL;

	(void)state;
	put("serviceaccounts", "robot", "", uid);
	token = bound_token(uid, NULL, NULL, NULL);
	assert_true(is_yes(token));
	fake_fail(server, CLIENT_GET, "serviceaccounts", 500, "InternalError", "out of order", 1);
	expect_token(looking, token, "error: look up serviceaccounts \"robot\": out of order");
	fake_remove(server, "serviceaccounts", "a", "robot");
	expect_token(looking, token, "bad: serviceaccounts \"robot\" of the token is gone");
	put("serviceaccounts", "robot", "", again);
	assert_string_not_equal(uid, again);
	expect_token(looking, token,
		     "bad: serviceaccounts \"robot\" of the token is another one now, with another "
		     "uid");
}

static void bound_objects_must_exist(void **state)
{
	static const char *const rows[][2] = {{"pod", "pods"}, {"secret", "secrets"}};
	char account[64], uid[64], again[64];
	cox_autobuf line = COX_BUF_INIT;

	(void)state;
	put("serviceaccounts", "robot", "", account);
	for (size_t i = 0; i < 2; i++) {
		cox_autofree char *token = NULL;

		put(rows[i][1], "thing", "", uid);
		token = bound_token(account, rows[i][0], "thing", uid);
		assert_true(is_yes(token));
		fake_remove(server, rows[i][1], "a", "thing");
		cox_buf_clear(&line);
		cox_buf_printf(&line, "bad: %s \"thing\" of the token is gone", rows[i][1]);
		expect_token(looking, token, line.data);
		put(rows[i][1], "thing", "", again);
		cox_buf_clear(&line);
		cox_buf_printf(
			&line,
			"bad: %s \"thing\" of the token is another one now, with another uid",
			rows[i][1]);
		expect_token(looking, token, line.data);
	}
}

static void nodes_count_alone(void **state)
{
	char account[64];
	cox_autofree char *token = NULL;
	cox_autofree char *other = NULL;
	cox_autoobject *node = NULL;

	(void)state;
	put("serviceaccounts", "robot", "", account);
	fake_put(server, "nodes", "{\"metadata\":{\"name\":\"n1\"}}");
	node = fake_get(server, "nodes", NULL, "n1");
	token = bound_token(account, "node", "n1", object_uid(node));
	assert_true(is_yes(token));
	other = bound_token(account, "node", "n2", "x");
	expect_token(looking, other, "bad: nodes \"n2\" of the token is gone");
}

static void deleted_objects_have_a_minute(void **state)
{
	const struct {
		int seconds;
		const char *answer;
	} rows[] = {{30, NULL}, {-30, NULL}, {-90, "bad: pods \"thing\" of the token is deleted"}};
	char account[64], uid[64], when[CLOCK_RFC3339_SIZE];

	(void)state;
	put("serviceaccounts", "robot", "", account);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cox_autobuf json = COX_BUF_INIT;
		cox_autofree char *token = NULL;
		cox_autoobject *pod = NULL;

		clock_format((uint64_t)(now + rows[i].seconds) * CLOCK_SECOND, when);
		cox_buf_printf(&json,
			       "{\"metadata\":{\"name\":\"thing\",\"namespace\":\"a\","
			       "\"deletionTimestamp\":\"%s\"}}",
			       when);
		fake_put(server, "pods", json.data);
		pod = fake_get(server, "pods", "a", "thing");
		snprintf(uid, sizeof(uid), "%s", object_uid(pod));
		token = bound_token(account, "pod", "thing", uid);
		if (rows[i].answer)
			expect_token(looking, token, rows[i].answer);
		else
			assert_true(is_yes(token));
		fake_remove(server, "pods", "a", "thing");
	}
}

static void old_tokens_live_in_their_secret(void **state)
{
	char account[64], uid[64];
	cox_autobuf claims = COX_BUF_INIT, data = COX_BUF_INIT;
	cox_autofree char *token = NULL;
	cox_autofree char *encoded = NULL;

	(void)state;
	put("serviceaccounts", "robot", "", account);
	cox_buf_printf(&claims,
		       "{\"iss\":\"" OLD "\",\"sub\":\"system:serviceaccount:a:robot\",\"" OLD
		       "/namespace\":\"a\",\"" OLD "/secret.name\":\"robot-token\",\"" OLD
		       "/service-account.name\":\"robot\",\"" OLD "/service-account.uid\":\"%s\"}",
		       account);
	token = sign(rsa_key, claims.data);
	expect_token(looking, token, "bad: secrets \"robot-token\" of the token is gone");
	put("secrets", "robot-token", ",\"data\":{\"token\":\"YWJj\"}", uid);
	expect_token(looking, token,
		     "bad: secrets \"robot-token\" of the token holds another token");
	encoded = cox_alloc(cox_base64_size(strlen(token)));
	cox_base64_encode(token, strlen(token), encoded);
	cox_buf_printf(&data, ",\"data\":{\"token\":\"%s\"}", encoded);
	put("secrets", "robot-token", data.data, uid);
	assert_true(is_yes(token));
}

static void changed_keys_are_read_again(void **state)
{
	struct host_plugin *plugin = start("false", NULL);
	struct parts parts = GOOD;

	(void)state;
	expect_good(plugin, rsa_key, &parts, JTI " aud=api");
	write_public("rsa.pub", other_key);
	expect_parts(plugin, rsa_key, &parts, "bad: none of the keys signed the token");
	expect_good(plugin, other_key, &parts, JTI " aud=api");
	harness_text("rsa.pub", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
	expect_good(plugin, other_key, &parts, JTI " aud=api");
	expect_good(plugin, other_key, &parts, JTI " aud=api");
	assert_int_equal(harness_logged("/rsa.pub: PUBLIC KEY number 1: "), 1);
	write_public("rsa.pub", rsa_key);
	expect_good(plugin, rsa_key, &parts, JTI " aud=api");
	host_close(plugin);
}

/* The RSA key in the form of PKCS #1, which is the one of X.509 without its 24 bytes of head. */
static void add_pkcs1(struct cox_buf *out)
{
	cox_autobuf pem = COX_BUF_INIT;
	gnutls_datum_t text, der, encoded;

	assert_int_equal(pki_key_public_pem(rsa_key, &pem, NULL), 0);
	text = (gnutls_datum_t){(unsigned char *)pem.data, (unsigned)pem.size};
	assert_int_equal(gnutls_pem_base64_decode2("PUBLIC KEY", &text, &der), 0);
	text = (gnutls_datum_t){der.data + 24, der.size - 24};
	assert_int_equal(gnutls_pem_base64_encode2("RSA PUBLIC KEY", &text, &encoded), 0);
	cox_buf_add(out, encoded.data, encoded.size);
	gnutls_free(encoded.data);
	gnutls_free(der.data);
}

/* One file may hold keys of every form. */
static void files_hold_many_keys(void **state)
{
	const struct option options[] = {{"key-file", harness_path("many")},
					 {"issuer", ISSUER},
					 {"audience", "api"},
					 {"lookup", "false"},
					 {NULL, NULL}};
	cox_autobuf text = COX_BUF_INIT;
	struct parts parts = GOOD;
	struct host_plugin *plugin;

	(void)state;
	cox_buf_str(&text, "keys of this cluster\n");
	assert_int_equal(pki_make_ca(other_key, "certificate", 1000, &text, NULL), 0);
	add_pkcs1(&text);
	assert_int_equal(pki_key_public_pem(ec_key, &text, NULL), 0);
	harness_write("many", text.data, text.size);
	plugin = harness_start("serviceaccount", options, NULL);
	expect_good(plugin, rsa_key, &parts, JTI " aud=api");
	expect_good(plugin, ec_key, &parts, JTI " aud=api");
	expect_good(plugin, other_key, &parts, JTI " aud=api");
	host_close(plugin);
}

static void bad_settings_are_refused(void **state)
{
	struct option options[] = {{"key-file", harness_path("none")},
				   {"issuer", ISSUER},
				   {"lookup", "false"},
				   {NULL, NULL}};

	(void)state;
	harness_refused(
		"serviceaccount", options,
		"authenticator plugin \"serviceaccount\": %s/none: No such file or directory",
		harness_directory);
	harness_text("none", "hello");
	harness_refused("serviceaccount", options,
			"authenticator plugin \"serviceaccount\": %s/none: no key in PEM form",
			harness_directory);
	options[0].value = key_list();
	options[2].value = "true";
	harness_refused("serviceaccount", options, "authenticator plugin \"serviceaccount\": %s",
			"there is no cluster here to look accounts up in; say lookup=false if a "
			"valid signature is enough");
	options[1].value = ISSUER ",,x";
	harness_refused("serviceaccount", options, "authenticator plugin \"serviceaccount\": %s",
			"option \"issuer\": an empty item in the list; remove the stray comma");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_tokens_are_accounts),
		cmocka_unit_test(asked_audiences_count),
		cmocka_unit_test(tokens_of_others_are_not_mine),
		cmocka_unit_test(bad_claims_are_refused),
		cmocka_unit_test(forged_tokens_are_refused),
		cmocka_unit_test(old_tokens_are_known),
		cmocka_unit_test_setup_teardown(accounts_must_exist, begin_lookup, end_lookup),
		cmocka_unit_test_setup_teardown(bound_objects_must_exist, begin_lookup, end_lookup),
		cmocka_unit_test_setup_teardown(nodes_count_alone, begin_lookup, end_lookup),
		cmocka_unit_test_setup_teardown(deleted_objects_have_a_minute, begin_lookup,
						end_lookup),
		cmocka_unit_test_setup_teardown(old_tokens_live_in_their_secret, begin_lookup,
						end_lookup),
		cmocka_unit_test(changed_keys_are_read_again),
		cmocka_unit_test(files_hold_many_keys),
		cmocka_unit_test(bad_settings_are_refused),
	};

	return cmocka_run_group_tests_name("serviceaccount", tests, begin, end);
}
