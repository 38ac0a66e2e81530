/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 over TLS: who gets it, answers, streams, their ends, and the server's. */
#include "http2_fixture.h"

#include <pthread.h>

/* Answers */

static void test_answers(void **state)
{
	const char *cookies[] = {"cookie", " a=1 ", "accept", "x", "cookie", "b=2\t", NULL};
	const char *length[] = {"content-length", "7", NULL};
	const char *waits[] = {"expect", "100-continue", NULL};
	cox_autobuf text = COX_BUF_INIT;
	struct h2_answer *answer;
	int32_t id;

	(void)state;
	open_both(&(struct http_config){0});
	expect(ask("/"), 200, "GET /||||a||127.0.0.1|0|");
	expect(ask_with("GET", "/api/v1?a=1&b=x%20y", FLAG_END, cookies), 200,
	       "GET /api/v1|[api][v1]|a=1;b=x y;||a|a=1; b=2|127.0.0.1|0|");
	id = ask_with("POST", "/p", PLAIN, NULL);
	cox_buf_str(&text, "hello");
	send_body(id, &text);
	expect(id, 200, "POST /p|[p]|||a||127.0.0.1|5|hello");
	id = ask_with("POST", "/p", PLAIN, length);
	cox_buf_str(&text, "abcdefg");
	send_body(id, &text);
	expect(id, 200, "POST /p|[p]|||a||127.0.0.1|7|abcdefg");
	id = ask_with("POST", "/p", PLAIN, waits);
	h2_peer_wait(&peer, h2_peer_answer(&peer, id)->status == 100);
	cox_buf_str(&text, "abc");
	send_body(id, &text);
	expect(id, 200, "POST /p|[p]|||a||127.0.0.1|3|abc");
	expect(ask("/nothing"), 500, "no answer\n");
	expect(ask("/late/x"), 200, "late 2\n");

	id = ask_with("HEAD", "/p", FLAG_END, NULL);
	answer = answer_of(id);
	assert_int_equal(answer->status, 200);
	assert_int_equal(answer->body.size, 0);
	assert_non_null(strstr(answer->headers.data, "content-length: 29\n"));
	assert_non_null(strstr(answer->headers.data, "content-type: text/plain\n"));
	assert_non_null(strstr(answer->headers.data, "date: "));
	assert_int_equal(peer.max_streams, 250);
	close_both();
}

static void test_bodies(void **state)
{
	const char *packed[] = {"accept-encoding", "gzip", NULL};
	struct h2_answer *answer;

	(void)state;
	open_both(&(struct http_config){.gzip_loopback = true});
	answer = answer_of(ask("/big"));
	assert_non_null(strstr(answer->headers.data, "content-length: 300000\n"));
	assert_non_null(strstr(answer->headers.data, "vary: Accept-Encoding\n"));
	assert_int_equal(answer->body.size, BIG_PIECES * BIG_PIECE);
	for (int i = 0; i < BIG_PIECES * BIG_PIECE; i++)
		assert_int_equal(answer->body.data[i], 'a' + i / BIG_PIECE % 26);
	peer_wait(atomic_load(&released) == BIG_PIECES);
	answer = answer_of(ask_with("GET", "/big", FLAG_END, packed));
	assert_non_null(strstr(answer->headers.data, "content-encoding: gzip\n"));
	assert_null(strstr(answer->headers.data, "content-length"));
	assert_true(answer->body.size < 20000);

	answer = answer_of(ask("/lines"));
	assert_true(strncmp(answer->body.data, "line 1000\nline 999\n", 19) == 0);
	assert_string_equal(answer->body.data + answer->body.size - 14, "line 2\nline 1\n");
	assert_true(answer->ended);
	/* a producer that fails: a reset, not an end */
	answer = answer_of(ask("/broken"));
	assert_false(answer->ended);
	assert_int_equal(answer->code, NGHTTP2_INTERNAL_ERROR);
	peer_wait(atomic_load(&produced_ends) == 2);
	close_both();
}

/* All that a connection may have at a time, answered by threads of their own. */
static void test_many(void **state)
{
	struct http_server_counts counts;
	int32_t ids[1000];

	(void)state;
	open_both(&(struct http_config){0});
	h2_peer_wait(&peer, peer.max_streams == 250);
	for (int i = 0; i < 1000; i++)
		ids[i] = ask(i % 2 ? "/late/x" : "/lines");
	for (int i = 0; i < 1000; i++) {
		struct h2_answer *answer = answer_of(ids[i]);

		assert_int_equal(answer->status, 200);
		assert_true(answer->ended);
		assert_int_equal(answer->body.size, i % 2 ? 7 : 8893);
	}
	http_server_count(server, &counts);
	assert_int_equal(counts.requests, 1000);
	assert_int_equal(counts.connections, 1);
	assert_int_equal(counts.deferred, 0);
	close_both();
}

#define BAD(message) STATUS(message, ",\"reason\":\"BadRequest\"", "400")

static void test_judged(void **state)
{
	const char *twice[] = {"authorization", "Bearer a", "authorization", "Bearer b", NULL};
	const char *host[] = {"host", "b", NULL}, *same[] = {"host", "A", NULL};
	const char *hidden[] = {"x-a", "b\x01", NULL};
	const char *connection[] = {"connection", "close", NULL};
	const char *coded[] = {"transfer-encoding", "chunked", NULL};
	const char *wrong[] = {"content-length", "3", NULL};
	const char *many[500];
	cox_autobuf text = COX_BUF_INIT;
	struct http_server_counts counts;
	int32_t id;

	(void)state;
	open_both(&(struct http_config){0});
	expect(ask("/a/../b"), 400, BAD("the request path has a \\\".\\\" or \\\"..\\\" segment"));
	expect(ask("/a%2fb"), 400, BAD("the request path has an encoded slash"));
	expect(ask("/a//b"), 400, BAD("the request path has an empty segment"));
	expect(ask_with("OPTIONS", "*", FLAG_END, NULL), 400,
	       BAD("the request target does not begin with \\\"/\\\""));
	expect(ask_with("GET", "/", FLAG_END, twice), 400,
	       BAD("the request has more than one Authorization header"));
	expect(ask_with("GET", "/", FLAG_END, host), 400,
	       BAD("the request has a Host header that is not its authority"));
	expect(ask_with("GET", "/", FLAG_END, same), 200, "GET /||||A||127.0.0.1|0|");
	expect(ask_with("GET", "/", FLAG_END, hidden), 400,
	       BAD("a header has a character that is not allowed"));
	for (int i = 0; i < 280; i++) {
		many[2 * i < 498 ? 2 * i : 496] = "x-a";
		many[2 * i < 498 ? 2 * i + 1 : 497] = "b";
	}
	many[498] = NULL;
	expect(ask_with("GET", "/", FLAG_END, many), 200, "GET /||||a||127.0.0.1|0|");
	/* what is malformed in HTTP/2's own terms is a reset, and no more than that */
	assert_int_equal(answer_of(ask_with("GET", "/", FLAG_END, connection))->code,
			 NGHTTP2_PROTOCOL_ERROR);
	assert_int_equal(answer_of(ask_with("GET", "/", FLAG_END, coded))->code,
			 NGHTTP2_PROTOCOL_ERROR);
	id = ask_with("POST", "/", PLAIN, wrong);
	cox_buf_str(&text, "four");
	send_body(id, &text);
	assert_int_equal(answer_of(id)->code, NGHTTP2_PROTOCOL_ERROR);
	expect(ask("/"), 200, "GET /||||a||127.0.0.1|0|");
	http_server_count(server, &counts);
	assert_int_equal(counts.requests, 3);
	close_both();
}

/* Streams */

static void test_stream(void **state)
{
	struct h2_answer *answer;
	struct http_stream *stream;
	int32_t id;
	int seen;

	(void)state;
	open_both(&(struct http_config){0});
	id = hold(1);
	answer = h2_peer_answer(&peer, id);
	stream = atomic_load(&held);
	h2_peer_wait(&peer, answer->headed);
	assert_non_null(strstr(answer->headers.data, "x-test: yes\n"));
	peer_wait(atomic_load(&writables) == 1); /* the head has left */
	assert_int_equal(http_stream_copy(stream, "one\n", 4), 0);
	assert_int_equal(http_stream_copy(stream, "", 0), 0);
	h2_peer_wait(&peer, answer->body.size == 4);
	seen = atomic_load(&writables);
	http_stream_wake(stream);
	peer_wait(atomic_load(&writables) > seen);
	/* others are answered meanwhile */
	expect(ask("/"), 200, "GET /||||a||127.0.0.1|0|");
	assert_int_equal(http_stream_write(stream, &(struct http_piece){.data = "o",
									.size = 1,
									.before = "<",
									.after = ">\n"}),
			 0);
	http_stream_end(stream);
	assert_int_equal(http_stream_copy(stream, "no", 2), -1);
	expect(id, 200, "one\n<o>\n");
	peer_wait(atomic_load(&closed) == 1);
	assert_int_equal(atomic_load(&completed), 1);
	release_held();

	/* the queue is small: the lines go out in many rounds of "writable" */
	answer = answer_of(ask("/pump"));
	assert_true(strncmp(answer->body.data, "line 20000\nline 19999\n", 22) == 0);
	assert_string_equal(answer->body.data + answer->body.size - 14, "line 2\nline 1\n");
	/* nothing can be upgraded here */
	assert_int_equal(answer_of(ask("/up"))->code, NGHTTP2_HTTP_1_1_REQUIRED);
	peer_wait(atomic_load(&closed) == 3);
	release_held();
	close_both();
}

static void test_stream_ends(void **state)
{
	struct http_server_counts counts;
	struct http_stream *stream;
	struct h2_answer *answer;
	int32_t id;

	(void)state;
	open_both(&(struct http_config){0});
	/* cut by us */
	id = hold(1);
	stream = atomic_load(&held);
	answer = h2_peer_answer(&peer, id);
	http_stream_copy(stream, "half", 4);
	h2_peer_wait(&peer, answer->body.size == 4);
	http_stream_abort(stream);
	answer_of(id);
	assert_false(answer->ended);
	assert_int_equal(answer->code, NGHTTP2_INTERNAL_ERROR);
	peer_wait(atomic_load(&closed) == 1);
	release_held();
	/* reset by the client */
	id = hold(2);
	nghttp2_submit_rst_stream(peer.http, 0, id, NGHTTP2_CANCEL);
	h2_peer_send(&peer);
	peer_wait(atomic_load(&closed) == 2);
	assert_int_equal(http_stream_copy(atomic_load(&held), "x", 1), -1);
	http_stream_wake(atomic_load(&held));
	release_held();
	/* hung up by the client */
	hold(3);
	http_server_count(server, &counts);
	assert_int_equal(counts.streams, 1);
	h2_peer_close(&peer);
	peer_wait(atomic_load(&closed) == 3);
	peer_wait((http_server_count(server, &counts), counts.connections == 0));
	assert_int_equal(atomic_load(&completed), 0);
	release_held();
	close_server();
}

static void test_backpressure(void **state)
{
	static char block[65536];
	struct http_piece piece = {.data = block, .size = sizeof(block), .release = count_release};
	struct h2_answer *answer;
	struct http_stream *stream;
	int accepted = 0;
	int32_t id;

	(void)state;
	memset(block, 'b', sizeof(block));
	open_server(&(struct http_config){.stream_queue = 1 << 20});
	peer.dribble = 0;
	assert_int_equal(h2_peer_open_tls(&peer, port, &ca, NULL, NULL, NULL, "h2"), 0);
	h2_peer_begin(&peer, 1000);
	peer.holds_windows = true;
	id = hold(1);
	stream = atomic_load(&held);
	peer_wait(atomic_load(&writables) == 1);
	/* the client gives no more than 1000 bytes of room */
	while (accepted < 1000 && http_stream_write(stream, &piece) == 0) {
		accepted++;
		piece.owner = NULL;
	}
	assert_in_range(accepted, 16, 17);
	assert_in_range(http_stream_queued(stream), 1 << 20, (1 << 20) + sizeof(block));
	answer = h2_peer_answer(&peer, id);
	h2_peer_wait(&peer, answer->body.size == 1000);
	assert_int_equal(atomic_load(&writables), 1);
	/* now it reads: everything comes, once each */
	peer.holds_windows = false;
	nghttp2_session_consume(peer.http, id, 1000);
	http_stream_end(stream);
	answer_of(id);
	assert_true(answer->ended);
	assert_int_equal(answer->body.size, (size_t)accepted * sizeof(block));
	peer_wait(atomic_load(&closed) == 1);
	assert_int_equal(atomic_load(&released), accepted + 1);
	release_held();
	close_both();
}

static void test_gone(void **state)
{
	struct http_server_counts counts;
	struct http_request *request;
	int32_t id;

	(void)state;
	open_both(&(struct http_config){0});
	id = ask("/keep");
	peer_wait(atomic_load(&kept_count) == 1);
	nghttp2_submit_rst_stream(peer.http, 0, id, NGHTTP2_CANCEL);
	h2_peer_send(&peer);
	peer_wait(atomic_load(&gone) == 1);
	expect(ask("/"), 200, "GET /||||a||127.0.0.1|0|");
	http_respond_text(atomic_load(&kept[0]), 200, "text/plain", "x", 1);
	/* the connection's end: the request can be looked at until it is answered */
	ask("/keep");
	peer_wait(atomic_load(&kept_count) == 2);
	h2_peer_close(&peer);
	peer_wait(atomic_load(&gone) == 2);
	request = atomic_load(&kept[1]);
	http_server_count(server, &counts);
	assert_int_equal(counts.connections, 1);
	assert_int_equal(counts.deferred, 1);
	assert_string_equal(request->peer, "127.0.0.1");
	http_respond_text(request, 200, "text/plain", "x", 1);
	peer_wait((http_server_count(server, &counts), counts.connections == 0));
	close_server();
}

/* Who gets it */

static void plain_exchange(const char *priorities, const char *protocols, size_t dribble)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	cox_autobuf out = COX_BUF_INIT;

	peer.dribble = dribble;
	assert_int_equal(h2_peer_open_tls(&peer, port, &ca, NULL, NULL, priorities, protocols), 0);
	h2_peer_raw(&peer, request, strlen(request));
	for (;;) {
		ssize_t size = gnutls_record_recv(peer.session, cox_buf_reserve(&out, 4096), 4096);

		if (size == GNUTLS_E_AGAIN || size == GNUTLS_E_INTERRUPTED)
			continue;
		if (size <= 0)
			break;
		cox_buf_added(&out, (size_t)size);
	}
	assert_non_null(strstr(cox_buf_cstr(&out), "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(cox_buf_cstr(&out), "GET /||||a||127.0.0.1|0|"));
	h2_peer_close(&peer);
}

static void test_protocols(void **state)
{
	static const char tls12[] = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
	static const size_t pieces[] = {0, 1, 100};
	struct http_server_counts counts;

	(void)state;
	open_server(&(struct http_config){0});
	for (int i = 0; i < 3; i++) {
		plain_exchange(NULL, NULL, pieces[i]);
		plain_exchange(NULL, "http/1.1", pieces[i]);
		plain_exchange(tls12, "http/1.1", pieces[i]);
		for (int old = 0; old < 2; old++) {
			gnutls_datum_t chosen;

			peer.dribble = pieces[i];
			assert_int_equal(h2_peer_open_tls(&peer, port, &ca, NULL, NULL,
							  old ? tls12 : NULL, "http/1.1,h2"),
					 0);
			assert_int_equal(gnutls_alpn_get_selected_protocol(peer.session, &chosen),
					 0);
			assert_int_equal(chosen.size, 2);
			h2_peer_begin(&peer, WINDOW);
			expect(ask("/"), 200, "GET /||||a||127.0.0.1|0|");
			h2_peer_close(&peer);
		}
	}
	peer_wait((http_server_count(server, &counts), counts.connections == 0));
	assert_int_equal(counts.accepted, 15);
	assert_int_equal(counts.cut, 0);
	close_server();
}

/* No thread can be had for it: then it is HTTP/1.1. */
static void test_no_thread(void **state)
{
	pthread_attr_t usual, endless;

	(void)state;
	open_server(&(struct http_config){0});
	assert_int_equal(pthread_getattr_default_np(&usual), 0);
	assert_int_equal(pthread_getattr_default_np(&endless), 0);
	assert_int_equal(pthread_attr_setstacksize(&endless, (size_t)1 << 47), 0);
	assert_int_equal(pthread_setattr_default_np(&endless), 0);
	plain_exchange(NULL, "http/1.1", 0);
	plain_exchange(NULL, "h2,http/1.1", 0);
	plain_exchange(NULL, "h2,http/1.1", 100);
	assert_int_equal(pthread_setattr_default_np(&usual), 0);
	join_as(NULL);
	expect(ask("/"), 200, "GET /||||a||127.0.0.1|0|");
	close_both();
	pthread_attr_destroy(&usual);
	pthread_attr_destroy(&endless);
}

static void test_identities(void **state)
{
	struct http_tls tls = tls_of(&server_identity, &other_ca);
	gnutls_datum_t data = {NULL, 0};
	cox_autoerror err = COX_ERROR_INIT;
	int32_t kept_id;

	(void)state;
	open_server(&(struct http_config){0});
	join_as(&client);
	expect(ask("/"), 200, "GET /|||admin||a||127.0.0.1|0|");
	assert_int_equal(gnutls_session_get_data2(peer.session, &data), 0);
	assert_true(data.size > 0);
	gnutls_free(data.data);
	kept_id = ask("/keep");
	peer_wait(atomic_load(&kept_count) == 1);
	/* the new CA counts at once; a request that is under way keeps what it has */
	assert_int_equal(http_server_set_tls(server, &tls, &err), 0);
	expect(ask("/"), 200, "GET /|||problem|a||127.0.0.1|0|");
	assert_int_equal(atomic_load(&kept[0])->certificate_count, 1);
	describe(atomic_load(&kept[0]));
	expect(kept_id, 200, "GET /keep|[keep]||admin||a||127.0.0.1|0|");
	h2_peer_close(&peer);
	join_as(&stranger);
	expect(ask("/"), 200, "GET /|||stranger||a||127.0.0.1|0|");
	close_both();
}

/* The end of the server */

static void test_closing(void **state)
{
	struct h2_answer *answer;
	pthread_t closer;
	int32_t id, late_id;

	(void)state;
	open_both(&(struct http_config){0});
	id = hold(1);
	answer = h2_peer_answer(&peer, id);
	late_id = ask("/keep");
	peer_wait(atomic_load(&kept_count) == 1);
	/* told to go elsewhere, served all the same */
	http_server_quiesce(server);
	h2_peer_wait(&peer, peer.gone_away);
	assert_int_equal(peer.away_code, NGHTTP2_NO_ERROR);
	assert_int_equal(peer.away_last, INT32_MAX);
	assert_int_equal(http_stream_copy(atomic_load(&held), "more", 4), 0);
	h2_peer_wait(&peer, answer->body.size == 4);
	peer.gone_away = false;
	assert_int_equal(pthread_create(&closer, NULL,
					(void *(*)(void *))(void (*)(void))close_server, NULL),
			 0);
	/* the stream ends as it should, and so does what somebody works on */
	expect(id, 200, "more");
	h2_peer_wait(&peer, peer.gone_away);
	assert_int_equal(peer.away_last, late_id);
	peer_wait(atomic_load(&gone) == 1);
	http_respond_text(atomic_load(&kept[0]), 200, "text/plain", "x", 1);
	expect(late_id, 200, "x");
	h2_peer_wait(&peer, peer.ended || !h2_peer_turn(&peer, 50));
	h2_peer_close(&peer);
	pthread_join(closer, NULL);
	assert_int_equal(atomic_load(&completed), 1);
	release_held();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),	     cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_many),	     cmocka_unit_test(test_judged),
		cmocka_unit_test(test_stream),	     cmocka_unit_test(test_stream_ends),
		cmocka_unit_test(test_backpressure), cmocka_unit_test(test_gone),
		cmocka_unit_test(test_protocols),    cmocka_unit_test(test_no_thread),
		cmocka_unit_test(test_identities),   cmocka_unit_test(test_closing),
	};

	return cmocka_run_group_tests_name("http2", tests, http2_prepare, http2_clean);
}
