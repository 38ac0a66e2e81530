/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS: certificates and their exchange, client certificates, streams and
 * upgrades through the session, resumption. The client is GnuTLS.
 */
#include "unit.h"

#include "net/server.h"
#include "http_identity.h"
#include "http_peer.h"

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static struct http_server *server;
static uint16_t port;
static struct cox_buf ca, other_ca; /* PEM */
static struct pki_key *ca_key, *other_ca_key;
static _Atomic int closed;

static struct identity server_identity, next_identity, client, stranger, brief;

enum { BLAST = 64 * 1024 * 1024, BLAST_PIECE = 64 * 1024 };

struct blast {
	size_t left;
};

static char blast_bytes[BLAST_PIECE];

static void blast_writable(struct http_stream *stream, void *context)
{
	struct blast *blast = context;
	struct http_piece piece = {.data = blast_bytes, .size = BLAST_PIECE};

	while (blast->left) {
		if (http_stream_write(stream, &piece) != 0)
			return;
		blast->left -= BLAST_PIECE;
	}
	http_stream_end(stream);
}

static void on_closed(struct http_stream *stream, void *context, bool complete)
{
	(void)context;
	(void)complete;
	atomic_fetch_add(&closed, 1);
	http_stream_release(stream);
}

static void echo(struct http_stream *stream, void *context, const void *data, size_t size)
{
	(void)context;
	if (http_stream_copy(stream, data, size) != 0)
		http_stream_abort(stream);
}

static void describe(struct http_request *request)
{
	cox_autobuf out = COX_BUF_INIT;
	cox_autofacts facts = {0};

	if (request->certificate_count &&
	    pki_certificate_read(request->certificates[0].data, request->certificates[0].size,
				 &facts, NULL) == 0)
		cox_buf_printf(&out, "%s of %s, ", facts.common_name,
			       facts.organization_count ? facts.organizations[0] : "none");
	cox_buf_printf(&out, "%s|%s|%zu\n", request->tls ? "tls" : "plain",
		       request->certificate_problem ? request->certificate_problem : "",
		       request->body.size);
	http_respond_text(request, 200, "text/plain", out.data, out.size);
}

static void handle(struct http_request *request)
{
	static struct blast blast;
	static const struct http_stream_callbacks blasts = {.writable = blast_writable,
							    .closed = on_closed};
	static const struct http_stream_callbacks echoes = {.input = echo, .closed = on_closed};
	static const struct http_header upgrade = {"Upgrade", "echo"};
	struct http_response head = {.status = 200};
	const char *first = request->segment_count ? request->segments[0] : "";

	if (strcmp(first, "blast") == 0) {
		blast.left = BLAST;
		http_stream_open(request, &head, &blasts, &blast);
	} else if (strcmp(first, "up") == 0) {
		head = (struct http_response){
			.status = 101, .headers = &upgrade, .header_count = 1};
		http_stream_open(request, &head, &echoes, NULL);
	} else {
		describe(request);
	}
}

/* A TLS client */

struct peer {
	int fd;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
};

static void peer_open_tls(struct peer *peer, const struct identity *identity,
			  const gnutls_datum_t *resume)
{
	gnutls_datum_t trusted = {(unsigned char *)ca.data, (unsigned)ca.size};
	int code;

	peer->fd = peer_connect(port);
	assert_true(peer->fd >= 0);
	gnutls_certificate_allocate_credentials(&peer->credentials);
	gnutls_certificate_set_x509_trust_mem(peer->credentials, &trusted, GNUTLS_X509_FMT_PEM);
	if (identity) {
		gnutls_datum_t certificate = {(unsigned char *)identity->certificate.data,
					      (unsigned)identity->certificate.size};
		gnutls_datum_t key = {(unsigned char *)identity->key.data,
				      (unsigned)identity->key.size};

		assert_true(gnutls_certificate_set_x509_key_mem(peer->credentials, &certificate,
								&key, GNUTLS_X509_FMT_PEM) >= 0);
	}
	/* forced: our own choice, not the list of CAs the server names */
	gnutls_init(&peer->session, GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT);
	gnutls_set_default_priority(peer->session);
	gnutls_credentials_set(peer->session, GNUTLS_CRD_CERTIFICATE, peer->credentials);
	gnutls_session_set_verify_cert(peer->session, "127.0.0.1", 0);
	if (resume)
		gnutls_session_set_data(peer->session, resume->data, resume->size);
	gnutls_transport_set_int(peer->session, peer->fd);
	gnutls_handshake_set_timeout(peer->session, PEER_PATIENCE * 1000);
	do {
		code = gnutls_handshake(peer->session);
	} while (code < 0 && !gnutls_error_is_fatal(code));
	if (code < 0)
		fail_msg("handshake: %s", gnutls_strerror(code));
}

static void peer_close_tls(struct peer *peer)
{
	gnutls_deinit(peer->session);
	gnutls_certificate_free_credentials(peer->credentials);
	close(peer->fd);
}

static void tls_say(struct peer *peer, const char *text)
{
	assert_int_equal(gnutls_record_send(peer->session, text, strlen(text)), strlen(text));
}

/* Reads until `until` was seen, or to the end; 1 or 0, -1 for a failure. */
static int tls_read(struct peer *peer, struct cox_buf *out, const char *until)
{
	gnutls_record_set_timeout(peer->session, PEER_PATIENCE * 1000);
	for (;;) {
		ssize_t size;

		if (until && out->size && memmem(out->data, out->size, until, strlen(until)))
			return 1;
		size = gnutls_record_recv(peer->session, cox_buf_reserve(out, 65536), 65536);
		if (size == GNUTLS_E_AGAIN || size == GNUTLS_E_INTERRUPTED)
			continue;
		if (size <= 0)
			return size == 0 ? 0 : -1;
		cox_buf_added(out, (size_t)size);
	}
}

static void expect(struct peer *peer, const char *body)
{
	cox_autobuf out = COX_BUF_INIT;

	tls_say(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	if (tls_read(peer, &out, "\r\n\r\n") != 1 || tls_read(peer, &out, "\n") != 1)
		fail_msg("no answer");
	while (!strstr(out.data, body) && tls_read(peer, &out, body) == 1)
		;
	if (!strstr(out.data, body))
		fail_msg("not: %s\ngot: %s", body, out.data);
}

static void open_server(void)
{
	struct http_tls tls = tls_of(&server_identity, &ca);
	struct http_listen where = {.address = "127.0.0.1"};
	struct http_config config = {.listens = &where,
				     .listen_count = 1,
				     .tls = &tls,
				     .handler = handle,
				     .head_time = CLOCK_SECOND,
				     .threads = 2};
	cox_autoerror err = COX_ERROR_INIT;

	server = http_server_open(&config, &err);
	if (!server)
		fail_msg("%s", error_text(&err));
	port = http_server_port(server, 0);
	atomic_store(&closed, 0);
}

static void test_clients(void **state)
{
	cox_autobuf out = COX_BUF_INIT;
	struct peer peer;

	(void)state;
	open_server();
	peer_open_tls(&peer, NULL, NULL);
	expect(&peer, "\r\n\r\ntls||0\n");
	expect(&peer, "\r\n\r\ntls||0\n"); /* kept alive */
	tls_say(&peer, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
	assert_int_equal(tls_read(&peer, &out, "tls||3\n"), 1);
	/* a refusal goes through the session too */
	cox_buf_clear(&out);
	tls_say(&peer, "GET /.. HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(tls_read(&peer, &out, NULL), 0);
	assert_non_null(strstr(out.data, "HTTP/1.1 400 Bad Request\r\n"));
	peer_close_tls(&peer);

	peer_open_tls(&peer, &client, NULL);
	expect(&peer, "admin of system:masters, tls||0\n");
	peer_close_tls(&peer);
	/* neither one of another CA, nor a server's, nor none: all may talk, none counts */
	peer_open_tls(&peer, &stranger, NULL);
	expect(&peer, "\r\n\r\ntls|The certificate is NOT trusted. The certificate issuer is "
		      "unknown.|0\n");
	peer_close_tls(&peer);
	peer_open_tls(&peer, &server_identity, NULL);
	expect(&peer, "\r\n\r\ntls|The certificate is NOT trusted. The certificate chain does not "
		      "match the intended purpose.|0\n");
	peer_close_tls(&peer);
	http_server_close(server, CLOCK_SECOND);
}

static void test_exchange(void **state)
{
	struct http_tls tls = tls_of(&next_identity, &other_ca), broken = tls;
	cox_autoerror err = COX_ERROR_INIT;
	struct peer old, new;
	unsigned count;

	(void)state;
	open_server();
	peer_open_tls(&old, &client, NULL);
	expect(&old, "admin of system:masters, tls||0\n");
	broken.key = bytes_of(&client.key);
	assert_int_equal(http_server_set_tls(server, &broken, &err), -1);
	assert_non_null(strstr(error_text(&err), "certificate in memory with key in memory: "));
	expect(&old, "admin of system:masters, tls||0\n");
	assert_int_equal(http_server_set_tls(server, &tls, &err), 0);
	/* the new client CA counts at once, also for connections that are there */
	expect(&old, "\r\n\r\ntls|The certificate is NOT trusted.");
	peer_open_tls(&new, &stranger, NULL);
	expect(&new, "stranger of system:masters, tls||0\n");
	{
		cox_autofacts facts = {0};
		const gnutls_datum_t *seen = gnutls_certificate_get_peers(new.session, &count);

		assert_int_equal(pki_certificate_read(seen->data, seen->size, &facts, NULL), 0);
		assert_string_equal(facts.common_name, "next");
	}
	peer_close_tls(&old);
	peer_close_tls(&new);
	http_server_close(server, CLOCK_SECOND);
}

static void test_expiry(void **state)
{
	struct peer peer;
	time_t end;

	(void)state;
	open_server();
	make_identity(&brief, &ca, ca_key, "brief", PKI_CLIENT, 2);
	end = time(NULL) + 3;
	peer_open_tls(&peer, &brief, NULL);
	expect(&peer, "brief of system:masters, tls||0\n");
	while (time(NULL) <= end)
		poll(NULL, 0, 50);
	/* the connection lives on, the identity does not */
	expect(&peer, "\r\n\r\ntls|The certificate is NOT trusted. The certificate chain uses "
		      "expired certificate.");
	peer_close_tls(&peer);
	http_server_close(server, CLOCK_SECOND);
}

static void test_resumption(void **state)
{
	gnutls_datum_t data = {NULL, 0};
	struct peer peer;

	(void)state;
	open_server();
	peer_open_tls(&peer, &client, NULL);
	assert_false(gnutls_session_is_resumed(peer.session));
	expect(&peer, "admin of system:masters, tls||0\n");
	assert_int_equal(gnutls_session_get_data2(peer.session, &data), 0);
	peer_close_tls(&peer);
	peer_open_tls(&peer, &client, &data);
	assert_true(gnutls_session_is_resumed(peer.session));
	expect(&peer, "admin of system:masters, tls||0\n");
	peer_close_tls(&peer);
	gnutls_free(data.data);
	http_server_close(server, CLOCK_SECOND);
}

static void test_streams(void **state)
{
	cox_autobuf out = COX_BUF_INIT;
	struct peer peer;
	uint64_t begun;
	double seconds;
	const char *body;

	(void)state;
	open_server();
	for (size_t i = 0; i < sizeof(blast_bytes); i++)
		blast_bytes[i] = (char)('a' + i % 26);
	peer_open_tls(&peer, NULL, NULL);
	begun = clock_monotonic();
	tls_say(&peer, "GET /blast HTTP/1.0\r\n\r\n");
	assert_int_equal(tls_read(&peer, &out, NULL), 0);
	seconds = (double)(clock_monotonic() - begun) / (double)CLOCK_SECOND;
	body = strstr(out.data, "\r\n\r\n") + 4;
	assert_int_equal(out.data + out.size - body, BLAST);
	for (size_t i = 0; i < BLAST; i += BLAST_PIECE)
		assert_memory_equal(body + i, blast_bytes, BLAST_PIECE);
	print_message("# a TLS stream: %.0f MB/s\n", BLAST / 1e6 / seconds);
	peer_close_tls(&peer);
	peer_wait(atomic_load(&closed) == 1);

	cox_buf_clear(&out);
	peer_open_tls(&peer, NULL, NULL);
	tls_say(&peer,
		"GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
	assert_int_equal(tls_read(&peer, &out, "Connection: Upgrade\r\n\r\n"), 1);
	for (int i = 0; i < 100; i++) {
		char word[32];

		snprintf(word, sizeof(word), "<%d>", i);
		tls_say(&peer, word);
		assert_int_equal(tls_read(&peer, &out, word), 1);
	}
	gnutls_bye(peer.session, GNUTLS_SHUT_WR);
	peer_close_tls(&peer);
	peer_wait(atomic_load(&closed) == 2);
	http_server_close(server, CLOCK_SECOND);
}

/* No handshake at all, and plain text to a TLS port. */
static void test_strangers(void **state)
{
	struct http_server_counts counts;
	cox_autobuf out = COX_BUF_INIT;
	int fd;

	(void)state;
	open_server();
	fd = peer_connect(port);
	assert_int_not_equal(peer_read(fd, &out, NULL), 1); /* cut after head_time */
	close(fd);
	fd = peer_connect(port);
	peer_say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_read(fd, &out, NULL);
	if (out.size && strstr(out.data, "200"))
		fail_msg("plain text was answered: %s", out.data);
	close(fd);
	peer_wait((http_server_count(server, &counts), counts.connections == 0));
	assert_int_equal(counts.requests, 0);
	http_server_close(server, CLOCK_SECOND);
}

static int prepare(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	ca_key = pki_key_generate(PKI_ECDSA_P256, NULL);
	other_ca_key = pki_key_generate(PKI_ECDSA_P256, NULL);
	if (!ca_key || !other_ca_key || pki_make_ca(ca_key, "ca", 3600, &ca, NULL) != 0 ||
	    pki_make_ca(other_ca_key, "other", 3600, &other_ca, NULL) != 0)
		return -1;
	make_identity(&server_identity, &ca, ca_key, "server", PKI_SERVER, 3600);
	make_identity(&next_identity, &ca, ca_key, "next", PKI_SERVER, 3600);
	make_identity(&client, &ca, ca_key, "admin", PKI_CLIENT, 3600);
	make_identity(&stranger, &other_ca, other_ca_key, "stranger", PKI_CLIENT, 3600);
	return 0;
}

static int clean(void **state)
{
	struct identity *const identities[] = {&server_identity, &next_identity, &client, &stranger,
					       &brief};

	(void)state;
	for (size_t i = 0; i < sizeof(identities) / sizeof(identities[0]); i++) {
		cox_buf_free(&identities[i]->certificate);
		cox_buf_free(&identities[i]->key);
	}
	cox_buf_free(&ca);
	cox_buf_free(&other_ca);
	pki_key_free(ca_key);
	pki_key_free(other_ca_key);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clients), cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_expiry),	cmocka_unit_test(test_resumption),
		cmocka_unit_test(test_streams), cmocka_unit_test(test_strangers),
	};

	return cmocka_run_group_tests_name("http tls", tests, prepare, clean);
}
