/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP half of coxswain-oci-fetch: one request after the other on one
 * libcurl handle, with the authentication that registries ask for.
 *
 * Redirects are followed for blobs only (registries hand those to other
 * servers), by hand: never with credentials, never from https to http, at most
 * five times. What comes is checked against its digest anyway. A download that
 * breaks off goes on where it was.
 */
#include "fetch.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <curl/curl.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define MAX_REDIRECTS 5
#define MAX_ATTEMPTS 5 /* without a byte of progress */
#define MAX_TOTAL 50
#define CHALLENGE_SIZE 4096

/* What the server asks for in WWW-Authenticate. */
struct challenge {
	char scheme[16];
	char realm[1024];
	char service[512];
	char scope[1024];
};

struct transfer {
	struct cox_buf *body; /* NULL: into the file */
	int into;
	uint64_t done, size, said;
	uint64_t limit;
	unsigned layer;
	const char *digest;
	gnutls_hash_hd_t hash;
	bool resuming; /* a range was asked for */
	char challenge[CHALLENGE_SIZE];
	long status;
};

static CURL *curl;
static struct cox_buf authorization; /* the whole header, or empty */
static bool plain;		     /* http, after https was tried */
static char detail[CURL_ERROR_SIZE]; /* of the last error: more than its name says */

void fetch_start(void)
{
	curl_version_info_data *info;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !(curl = curl_easy_init()))
		fetch_die(COX_REASON_INTERNAL_ERROR, "cannot start libcurl");
	info = curl_version_info(CURLVERSION_NOW);
	if (!info->ssl_version || !strstr(info->ssl_version, "GnuTLS"))
		fetch_die(COX_REASON_INTERNAL_ERROR, "libcurl is not the GnuTLS build");
	if (*fetch_request.registry_token)
		cox_buf_printf(&authorization, "Authorization: Bearer %s",
			       fetch_request.registry_token);
}

void fetch_end(void)
{
	curl_easy_cleanup(curl);
	curl_global_cleanup();
	cox_buf_free(&authorization);
}

static size_t on_header(char *data, size_t one, size_t size, void *context)
{
	static const char name[] = "www-authenticate:";
	struct transfer *transfer = context;

	(void)one;
	if (size >= 5 && memcmp(data, "HTTP/", 5) == 0)
		transfer->challenge[0] = '\0';
	if (size > sizeof(name) - 1 && size < CHALLENGE_SIZE && !transfer->challenge[0] &&
	    strncasecmp(data, name, sizeof(name) - 1) == 0) {
		size_t length = size - (sizeof(name) - 1);

		memcpy(transfer->challenge, data + sizeof(name) - 1, length);
		transfer->challenge[length] = '\0';
	}
	return size;
}

static void say_progress(struct transfer *transfer, bool last)
{
	if (transfer->layer && (last || transfer->done - transfer->said >= 1 << 20)) {
		transfer->said = transfer->done;
		fetch_say("progress %u %s %" PRIu64 " %" PRIu64, transfer->layer, transfer->digest,
			  transfer->done, transfer->size);
	}
}

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
	struct transfer *transfer = context;
	long status = 0;

	(void)one;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (transfer->body && transfer->body->size + size > FETCH_MANIFEST_MAX)
		return 0;
	if (transfer->into < 0 || status / 100 != 2) {
		/* An error's text is for the message, not for the file. */
		if (transfer->body)
			cox_buf_add(transfer->body, data, size);
		return size;
	}
	if (transfer->resuming && status != 206) {
		/* The server starts over. */
		if (lseek(transfer->into, 0, SEEK_SET) != 0 || ftruncate(transfer->into, 0) != 0)
			return 0;
		gnutls_hash_deinit(transfer->hash, NULL);
		gnutls_hash_init(&transfer->hash, GNUTLS_DIG_SHA256);
		transfer->done = transfer->said = 0;
	}
	transfer->resuming = false;
	if (transfer->done + size > transfer->limit)
		return 0;
	for (size_t at = 0; at < size;) {
		ssize_t n = write(transfer->into, data + at, size - at);

		if (n <= 0)
			fetch_die(COX_REASON_INSUFFICIENT_STORAGE, "write a layer: %s",
				  strerror(errno));
		at += (size_t)n;
	}
	gnutls_hash(transfer->hash, data, size);
	transfer->done += size;
	say_progress(transfer, false);
	return size;
}

/* Every handle's settings; see the rules for libcurl in the core. */
static void set_common(const char *url, struct transfer *transfer, bool ours)
{
	curl_easy_reset(curl);
	detail[0] = '\0';
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, plain ? "http,https" : "https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 100L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "coxswain/" COX_RELEASE);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	/* libcurl with GnuTLS takes PEM from files only; these lie in our directory. */
	curl_easy_setopt(curl, CURLOPT_CAINFO, FETCH_CA_FILE);
	if (fetch_request.insecure && ours) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (fetch_request.certificate.size && ours) {
		curl_easy_setopt(curl, CURLOPT_SSLCERT, FETCH_CERTIFICATE_FILE);
		curl_easy_setopt(curl, CURLOPT_SSLKEY, FETCH_KEY_FILE);
	}
}

/* Copies the parameter `name` of a challenge, quoted or not. */
static void copy_parameter(const char *text, const char *name, char *out, size_t room)
{
	size_t length = strlen(name), used = 0;
	const char *at = text;

	out[0] = '\0';
	while ((at = strstr(at, name))) {
		bool start = at == text || at[-1] == ' ' || at[-1] == ',';

		at += length;
		if (!start || *at != '=')
			continue;
		if (*++at == '"') {
			for (at++; *at && *at != '"' && used + 1 < room; at++) {
				if (*at == '\\' && at[1])
					at++;
				out[used++] = *at;
			}
		} else {
			while (*at && *at != ',' && *at > ' ' && used + 1 < room)
				out[used++] = *at++;
		}
		out[used] = '\0';
		return;
	}
}

static void parse_challenge(const char *text, struct challenge *out)
{
	size_t used = 0;

	while (*text == ' ')
		text++;
	while (*text > ' ' && used + 1 < sizeof(out->scheme))
		out->scheme[used++] = *text++;
	out->scheme[used] = '\0';
	copy_parameter(text, "realm", out->realm, sizeof(out->realm));
	copy_parameter(text, "service", out->service, sizeof(out->service));
	copy_parameter(text, "scope", out->scope, sizeof(out->scope));
}

static void use_basic(struct cox_buf *header)
{
	cox_autobuf pair = COX_BUF_INIT;
	char *encoded;

	cox_buf_printf(&pair, "%s:%s", fetch_request.username, fetch_request.password);
	encoded = cox_alloc(cox_base64_size(pair.size));
	cox_base64_encode(pair.data, pair.size, encoded);
	cox_buf_clear(header);
	cox_buf_printf(header, "Authorization: Basic %s", encoded);
	free(encoded);
}

static void add_query(struct cox_buf *out, char separator, const char *key, const char *value)
{
	char *escaped = curl_easy_escape(curl, value, 0);

	cox_buf_printf(out, "%c%s=%s", separator, key, escaped ? escaped : "");
	curl_free(escaped);
}

static const char *token_in(struct json_object *answer)
{
	struct json_object *value;
	const char *names[] = {"token", "access_token"};

	for (size_t i = 0; i < 2; i++)
		if (json_object_object_get_ex(answer, names[i], &value) &&
		    json_object_is_type(value, json_type_string))
			return json_object_get_string(value);
	return NULL;
}

/* Gets a bearer token from the realm that the challenge names. */
static void use_bearer(const struct challenge *challenge)
{
	cox_autobuf url = COX_BUF_INIT, form = COX_BUF_INIT, body = COX_BUF_INIT;
	cox_autobuf basic = COX_BUF_INIT;
	struct transfer transfer = {.body = &body, .into = -1};
	struct json_object *answer;
	struct curl_slist *headers = NULL;
	const char *token;
	CURLcode code;

	if (strncmp(challenge->realm, "https://", 8) != 0 &&
	    !(plain && strncmp(challenge->realm, "http://", 7) == 0))
		fetch_die(COX_REASON_UNAUTHORIZED,
			  "%s names the token server \"%s\", which is not https",
			  fetch_request.registry, challenge->realm);
	cox_buf_str(&url, challenge->realm);
	if (*fetch_request.identity_token) {
		cox_buf_str(&form, "grant_type=refresh_token&client_id=coxswain");
		add_query(&form, '&', "service", challenge->service);
		add_query(&form, '&', "scope", challenge->scope);
		add_query(&form, '&', "refresh_token", fetch_request.identity_token);
	} else {
		add_query(&url, strchr(challenge->realm, '?') ? '&' : '?', "service",
			  challenge->service);
		add_query(&url, '&', "scope", challenge->scope);
		if (*fetch_request.username) {
			use_basic(&basic);
			headers = curl_slist_append(headers, basic.data);
		}
	}
	set_common(url.data, &transfer, true);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
	if (form.size)
		curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, form.data);
	code = curl_easy_perform(curl);
	curl_slist_free_all(headers);
	if (code != CURLE_OK)
		fetch_die(COX_REASON_SERVICE_UNAVAILABLE, "%s: %s", challenge->realm,
			  curl_easy_strerror(code));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &transfer.status);
	answer = json_tokener_parse(cox_buf_cstr(&body));
	token = answer ? token_in(answer) : NULL;
	if (transfer.status != 200 || !token || strpbrk(token, "\r\n"))
		fetch_die(COX_REASON_UNAUTHORIZED, "%s gives no token for %s: HTTP %ld",
			  challenge->realm, challenge->scope, transfer.status);
	cox_buf_clear(&authorization);
	cox_buf_printf(&authorization, "Authorization: Bearer %s", token);
	json_object_put(answer);
}

static void authenticate(const struct transfer *transfer, int *tries)
{
	struct challenge challenge;

	parse_challenge(transfer->challenge, &challenge);
	if ((*tries)++ == 0 && strcasecmp(challenge.scheme, "bearer") == 0 &&
	    !*fetch_request.registry_token) {
		use_bearer(&challenge);
		return;
	}
	if (*tries == 1 && strcasecmp(challenge.scheme, "basic") == 0 && *fetch_request.username) {
		use_basic(&authorization);
		return;
	}
	fetch_die(COX_REASON_UNAUTHORIZED,
		  "%s/%s: access denied: the repository does not exist, or needs other credentials",
		  fetch_request.registry, fetch_request.repository);
}

static CURLcode perform(const char *url, struct transfer *transfer, bool ours, bool manifest)
{
	static const char *const accepted[] = {
		"Accept: application/vnd.oci.image.index.v1+json",
		"Accept: application/vnd.oci.image.manifest.v1+json",
		"Accept: application/vnd.docker.distribution.manifest.list.v2+json",
		"Accept: application/vnd.docker.distribution.manifest.v2+json"};
	struct curl_slist *headers = NULL;
	CURLcode code;

	set_common(url, transfer, ours);
	for (size_t i = 0; manifest && i < sizeof(accepted) / sizeof(accepted[0]); i++)
		headers = curl_slist_append(headers, accepted[i]);
	if (ours && authorization.size)
		headers = curl_slist_append(headers, authorization.data);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (transfer->done) {
		curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)transfer->done);
		transfer->resuming = true;
	}
	transfer->status = 0;
	if (transfer->body)
		cox_buf_clear(transfer->body);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &transfer->status);
	curl_slist_free_all(headers);
	return code;
}

/* Follows redirects; the answer is one that is none. */
static CURLcode perform_following(const char *first, struct transfer *transfer, bool manifest)
{
	cox_autobuf url = COX_BUF_INIT;

	cox_buf_str(&url, first);
	for (int hop = 0; hop <= MAX_REDIRECTS; hop++) {
		CURLcode code = perform(url.data, transfer, hop == 0, manifest);
		char *next = NULL;

		if (code != CURLE_OK || transfer->status / 100 != 3)
			return code;
		curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &next);
		if (manifest || !next)
			return code;
		next = cox_strdup(next);
		cox_buf_clear(&url);
		cox_buf_str(&url, next);
		free(next);
	}
	return CURLE_TOO_MANY_REDIRECTS;
}

static bool may_be_plain(CURLcode code)
{
	return fetch_request.insecure && !plain &&
	       (code == CURLE_SSL_CONNECT_ERROR || code == CURLE_COULDNT_CONNECT ||
		code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
		code == CURLE_WEIRD_SERVER_REPLY);
}

static void finish(struct transfer *transfer, char digest[FETCH_DIGEST_SIZE])
{
	unsigned char hash[32];

	if (transfer->body)
		gnutls_hash(transfer->hash, cox_buf_cstr(transfer->body), transfer->body->size);
	gnutls_hash_deinit(transfer->hash, hash);
	memcpy(digest, "sha256:", 7);
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(digest + 7 + 2 * i, 3, "%02x", hash[i]);
	say_progress(transfer, true);
}

static void fail_status(const struct transfer *transfer, const char *kind, const char *reference)
{
	const char *mark = strchr(reference, ':') ? "@" : ":";

	if (transfer->status == 404)
		fetch_die(COX_REASON_NOT_FOUND, "%s/%s%s%s: not found (%s)", fetch_request.registry,
			  fetch_request.repository, mark, reference, kind);
	if (transfer->status == 403)
		fetch_die(COX_REASON_FORBIDDEN, "%s/%s%s%s: access denied (HTTP 403)",
			  fetch_request.registry, fetch_request.repository, mark, reference);
	if (transfer->status == 429)
		fetch_die(COX_REASON_TOO_MANY_REQUESTS, "%s: too many requests (HTTP 429)",
			  fetch_request.registry);
	fetch_die(COX_REASON_SERVICE_UNAVAILABLE, "%s/%s%s%s: HTTP %ld (%s)",
		  fetch_request.registry, fetch_request.repository, mark, reference,
		  transfer->status, kind);
}

/* No answer at all: why, and what an administrator can do where that is clear. */
static void fail_connection(CURLcode code)
{
	const char *advice = "";

	if (code == CURLE_SSL_CONNECT_ERROR && !fetch_request.insecure)
		advice = " (if it speaks plain HTTP, name it in insecure-registries)";
	else if (code == CURLE_PEER_FAILED_VERIFICATION)
		advice = " (its CA belongs into the certificates directory, or the registry into "
			 "insecure-registries)";
	fetch_die(COX_REASON_SERVICE_UNAVAILABLE,
		  "unable to ping registry endpoint %s://%s/v2/: %s%s", plain ? "http" : "https",
		  fetch_request.registry, *detail ? detail : curl_easy_strerror(code), advice);
}

void fetch_get(const char *kind, const char *reference, struct cox_buf *body, int into,
	       uint64_t size, unsigned layer, char digest[FETCH_DIGEST_SIZE])
{
	struct transfer transfer = {.body = body,
				    .into = into,
				    .size = size,
				    .limit = size,
				    .layer = layer,
				    .digest = reference};
	bool manifest = strcmp(kind, "manifests") == 0;
	int logins = 0, total = 0;

	gnutls_hash_init(&transfer.hash, GNUTLS_DIG_SHA256);
	for (int attempt = 1;;) {
		cox_autobuf url = COX_BUF_INIT;
		uint64_t before = transfer.done;
		CURLcode code;

		cox_buf_printf(&url, "%s://%s/v2/%s/%s/%s", plain ? "http" : "https",
			       fetch_request.registry, fetch_request.repository, kind, reference);
		code = perform_following(url.data, &transfer, manifest);
		if (code == CURLE_OK && transfer.status == 401) {
			authenticate(&transfer, &logins);
			continue;
		}
		if (code == CURLE_OK && transfer.status / 100 == 2 &&
		    (into < 0 || transfer.done == size))
			break;
		if (may_be_plain(code)) {
			plain = true;
			continue;
		}
		if (code == CURLE_WRITE_ERROR)
			fetch_die(COX_REASON_ENTITY_TOO_LARGE,
				  "%s sends more than the size it named for %s",
				  fetch_request.registry, reference);
		if (code == CURLE_OK && transfer.status / 100 != 2 && transfer.status / 100 != 5)
			fail_status(&transfer, kind, reference);
		if (transfer.done > before)
			attempt = 1; /* it moves: a bad line, not a bad server */
		if (attempt++ >= MAX_ATTEMPTS || ++total >= MAX_TOTAL ||
		    code == CURLE_PEER_FAILED_VERIFICATION ||
		    (code == CURLE_COULDNT_CONNECT && attempt > 2)) {
			if (code == CURLE_OK)
				fail_status(&transfer, kind, reference);
			if (transfer.status)
				fetch_die(COX_REASON_SERVICE_UNAVAILABLE, "%s: %s",
					  fetch_request.registry,
					  *detail ? detail : curl_easy_strerror(code));
			fail_connection(code);
		}
		nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
	}
	finish(&transfer, digest);
}
