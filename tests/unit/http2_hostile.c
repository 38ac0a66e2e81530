/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 clients that are too large, too many, too quick or too slow. */
#include "http2_fixture.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>

/* A value of `size` bytes. */
static char *filler(size_t size)
{
	char *text = cox_alloc(size + 1);

	memset(text, 'x', size);
	text[size] = '\0';
	return text;
}

static void test_too_large(void **state)
{
	char *large = filler(15000);
	const char *heads[] = {"x-a", large, "x-b", large, "x-c", large,
			       "x-d", large, "x-e", large, NULL};
	const char *length[] = {"content-length", "3000", NULL};
	cox_autobuf text = COX_BUF_INIT;
	struct h2_answer *answer;
	int32_t id;

	(void)state;
	open_both(&(struct http_config){
		.body_bytes = 2000, .linger_time = CLOCK_SECOND / 5, .head_time = CLOCK_SECOND});
	expect(ask_with("GET", "/", FLAG_END, heads), 431,
	       STATUS("the request's headers are too large", "", "431"));
	/* by what it says, and by what comes; the rest of the body is not waited for */
	id = ask_with("POST", "/", PLAIN, length);
	expect(id, 413,
	       STATUS("Request entity too large", ",\"reason\":\"RequestEntityTooLarge\"", "413"));
	id = ask_with("POST", "/", PLAIN, NULL);
	cox_buf_str(&text, large);
	send_body(id, &text);
	answer = answer_of(id);
	assert_int_equal(answer->status, 413);
	/* a client may have this many bytes waiting, not more */
	for (int i = 0; i < 20; i++) {
		id = ask_with("POST", "/", PLAIN, NULL);
		cox_buf_clear(&text);
		cox_buf_add(&text, large, 1900);
		nghttp2_submit_data(
			peer.http, PLAIN, id,
			&(nghttp2_data_provider){.source.ptr = &text, .read_callback = read_text});
		h2_peer_send(&peer);
	}
	expect(id, 429,
	       STATUS("the server has too many request bodies at a time, please try again later",
		      ",\"reason\":\"TooManyRequests\"", "429"));
	assert_non_null(strstr(h2_peer_answer(&peer, id)->headers.data, "retry-after: 1\n"));
	assert_false(peer.gone_away);
	free(large);
	close_both();
}

/* The server has as many connections as it is to have, and no more. */
static void test_too_many(void **state)
{
	struct http_server_counts counts;
	static struct h2_peer peers[5];

	(void)state;
	memset(peers, 0, sizeof(peers));
	open_server(&(struct http_config){.connections = 4});
	for (int i = 0; i < 4; i++) {
		assert_int_equal(h2_peer_open_tls(&peers[i], port, &ca, NULL, NULL, NULL, "h2"), 0);
		h2_peer_begin(&peers[i], 65535);
		h2_peer_wait(&peers[i], peers[i].max_streams == 250);
	}
	assert_int_not_equal(h2_peer_open_tls(&peers[4], port, &ca, NULL, NULL, NULL, "h2"), 0);
	h2_peer_close(&peers[4]);
	peer_wait((http_server_count(server, &counts), counts.connections == 4));
	assert_int_equal(counts.accepted, 5);
	assert_int_equal(counts.cut, 1);
	h2_peer_close(&peers[0]);
	peer_wait((http_server_count(server, &counts), counts.connections == 3));
	join_as(NULL);
	expect(ask("/"), 200, "GET /||||a||127.0.0.1|0|");
	for (int i = 1; i < 4; i++)
		h2_peer_close(&peers[i]);
	close_both();
}

/* Hostile clients */

static void expect_calm(void)
{
	struct http_server_counts counts;

	calmed++;
	peer_wait((http_server_count(server, &counts), counts.cut == calmed));
	/* what acknowledges things that it never said may be too much for the client itself */
	while (!peer.gone_away && h2_peer_turn(&peer, 50))
		;
	if (peer.gone_away)
		assert_int_equal(peer.away_code, NGHTTP2_ENHANCE_YOUR_CALM);
	h2_peer_close(&peer);
	/* the next one is served */
	join_as(NULL);
	expect(ask("/"), 200, "GET /||||a||127.0.0.1|0|");
}

/* `count` times the bytes, many at a time. */
static void flood(const void *frame, size_t size, int count)
{
	cox_autobuf all = COX_BUF_INIT;

	expect(ask("/"), 200, "GET /||||a||127.0.0.1|0|");
	for (int i = 0; i < count; i++)
		cox_buf_add(&all, frame, size);
	for (size_t at = 0; at < all.size && !peer.ended; at += 9000)
		h2_peer_raw(&peer, all.data + at, all.size - at < 9000 ? all.size - at : 9000);
}

static void test_floods(void **state)
{
	static const uint8_t ping[17] = {0, 0, 8, 6}, settings[9] = {0, 0, 0, 4};
	static const uint8_t priority[14] = {0, 0, 5, 2, 0, 0, 0, 0, 77, 0, 0, 0, 0, 16};
	static const uint8_t update[13] = {0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1};
	uint8_t empty[9] = {0, 0, 0, 0, 0, 0, 0, 0, 0};

	(void)state;
	open_both(&(struct http_config){0});
	flood(ping, sizeof(ping), 3000);
	expect_calm();
	flood(settings, sizeof(settings), 3000);
	expect_calm();
	flood(priority, sizeof(priority), 3000);
	expect_calm();
	flood(update, sizeof(update), 3000);
	expect_calm();
	empty[8] = (uint8_t)ask_with("POST", "/", PLAIN, NULL);
	flood(empty, sizeof(empty), 3000);
	expect_calm();
	close_both();
}

static void test_rapid_reset(void **state)
{
	(void)state;
	open_both(&(struct http_config){0});
	for (int i = 0; i < 1090 && !peer.ended && !peer.gone_away; i++) {
		int32_t id = ask("/lines");

		nghttp2_submit_rst_stream(peer.http, 0, id, NGHTTP2_CANCEL);
		h2_peer_send(&peer);
	}
	for (int i = 0; i < 1090; i++) {
		uint8_t frame[13] = {0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8};

		h2_peer_raw(&peer, frame, sizeof(frame));
	}
	expect_calm();
	close_both();
}

/* What was reset and is still worked on counts among what a client may have. */
static void test_reset_and_kept(void **state)
{
	int32_t id;

	(void)state;
	open_both(&(struct http_config){.http2_streams = 20});
	h2_peer_wait(&peer, peer.max_streams == 20);
	for (int i = 0; i < 20; i++) {
		id = ask("/keep");
		peer_wait(atomic_load(&kept_count) == i + 1);
		nghttp2_submit_rst_stream(peer.http, 0, id, NGHTTP2_CANCEL);
		h2_peer_send(&peer);
		peer_wait(atomic_load(&gone) == i + 1);
	}
	assert_int_equal(answer_of(ask("/keep"))->code, NGHTTP2_REFUSED_STREAM);
	assert_int_equal(atomic_load(&kept_count), 20);
	for (int i = 0; i < 20; i++)
		http_respond_text(atomic_load(&kept[i]), 200, "text/plain", "x", 1);
	h2_peer_wait(&peer, answer_of(ask("/"))->status == 200);
	close_both();
}

static void test_continuations(void **state)
{
	static const uint8_t begin[10] = {0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82};
	static const uint8_t more[10] = {0, 0, 1, 9, 0, 0, 0, 0, 1, 0x84};
	struct http_server_counts counts;

	(void)state;
	open_both(&(struct http_config){0});
	h2_peer_raw(&peer, begin, sizeof(begin));
	for (int i = 0; i < 100 && !peer.ended; i++)
		h2_peer_raw(&peer, more, sizeof(more));
	h2_peer_wait(&peer, peer.gone_away || peer.ended);
	h2_peer_close(&peer);
	peer_wait((http_server_count(server, &counts), counts.connections == 0));
	assert_int_equal(counts.requests, 0);
	close_server();
}

/* What is compressed and not read takes memory: only so many at a time are. */
static void test_compressed_and_kept(void **state)
{
	const char *packed[] = {"accept-encoding", "gzip", NULL};
	int32_t ids[200];
	int compressed = 0;

	(void)state;
	open_server(&(struct http_config){.gzip_loopback = true});
	peer.dribble = 0;
	assert_int_equal(h2_peer_open_tls(&peer, port, &ca, NULL, NULL, NULL, "h2"), 0);
	h2_peer_begin(&peer, 0);
	h2_peer_wait(&peer, peer.max_streams == 250);
	for (int i = 0; i < 200; i++)
		ids[i] = ask_with("GET", "/big", FLAG_END, packed);
	for (int i = 0; i < 200; i++) {
		struct h2_answer *answer = h2_peer_answer(&peer, ids[i]);

		h2_peer_wait(&peer, answer->headed);
		assert_int_equal(answer->status, 200);
		compressed += strstr(answer->headers.data, "content-encoding: gzip\n") != NULL;
	}
	assert_int_equal(compressed, 128);
	h2_peer_close(&peer);
	peer_wait(atomic_load(&released) == 200 * BIG_PIECES);
	/* and then again */
	join_as(NULL);
	assert_non_null(strstr(answer_of(ask_with("GET", "/big", FLAG_END, packed))->headers.data,
			       "content-encoding: gzip\n"));
	close_both();
}

/* Slow clients */

static void expect_cut(uint64_t count)
{
	struct http_server_counts counts;

	peer_wait((http_server_count(server, &counts), counts.cut == count));
}

static void test_slow(void **state)
{
	static const uint8_t begin[10] = {0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82};
	struct http_server_counts counts;
	int32_t id;

	(void)state;
	open_server(&(struct http_config){.head_time = CLOCK_SECOND, .body_time = CLOCK_SECOND});
	/* a handshake, and then nothing */
	peer.dribble = 0;
	assert_int_equal(h2_peer_open_tls(&peer, port, &ca, NULL, NULL, NULL, "h2"), 0);
	expect_cut(1);
	h2_peer_close(&peer);
	/* a head that does not end */
	join_as(NULL);
	h2_peer_raw(&peer, begin, sizeof(begin));
	expect_cut(2);
	h2_peer_wait(&peer, peer.ended || !h2_peer_turn(&peer, 50));
	h2_peer_close(&peer);
	/* a body that does not come: only that request ends */
	join_as(NULL);
	id = ask_with("POST", "/", PLAIN, NULL);
	assert_int_equal(answer_of(id)->code, NGHTTP2_CANCEL);
	expect_cut(3);
	expect(ask("/"), 200, "GET /||||a||127.0.0.1|0|");
	http_server_count(server, &counts);
	assert_int_equal(counts.connections, 1);
	close_both();
}

static void test_idle(void **state)
{
	struct http_server_counts counts;
	int32_t id;

	(void)state;
	open_both(&(struct http_config){.head_time = CLOCK_SECOND, .idle_time = CLOCK_SECOND});
	/* a stream keeps it, idle as it is; an answer that nobody reads does not */
	id = hold(1);
	expect(ask("/"), 200, "GET /||||a||127.0.0.1|0|");
	peer.holds_windows = true;
	nghttp2_session_set_local_window_size(peer.http, 0, 0, 70000);
	assert_int_equal(answer_of(ask("/big"))->code, NGHTTP2_CANCEL);
	assert_int_equal(atomic_load(&closed), 0);
	assert_false(peer.gone_away);
	expect_cut(1);
	peer_wait(atomic_load(&released) == BIG_PIECES);
	/* even an end needs room, for which the client has to have read */
	peer.holds_windows = false;
	nghttp2_session_consume_connection(peer.http, 70000);
	http_stream_end(atomic_load(&held));
	answer_of(id);
	h2_peer_wait(&peer, peer.gone_away);
	assert_int_equal(peer.away_code, NGHTTP2_NO_ERROR);
	h2_peer_close(&peer);
	peer_wait((http_server_count(server, &counts), counts.connections == 0));
	release_held();
	close_server();
}

static void test_silent(void **state)
{
	(void)state;
	open_both(&(struct http_config){.head_time = CLOCK_SECOND, .ping_time = CLOCK_SECOND});
	hold(1);
	/* it is asked, answers, and stays; it is asked again, does not, and goes */
	h2_peer_wait(&peer, peer.pings == 2);
	assert_int_equal(atomic_load(&closed), 0);
	expect_cut(1);
	peer_wait(atomic_load(&closed) == 1);
	release_held();
	close_both();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_rapid_reset),
		cmocka_unit_test(test_reset_and_kept),
		cmocka_unit_test(test_continuations),
		cmocka_unit_test(test_compressed_and_kept),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_silent),
	};

	return cmocka_run_group_tests_name("http2 hostile", tests, http2_prepare, http2_clean);
}
