/* SPDX-License-Identifier: Apache-2.0 */
/* The server and the client of the tests of HTTP/2; see the header. */
#include "http2_fixture.h"

#include "base/workers.h"

#include <coxswain/kit/alloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct http_server *server;
uint16_t port;
static struct workers *workers;
struct cox_buf ca, other_ca; /* PEM */
struct pki_key *ca_key, *other_ca_key;
struct identity server_identity, client, stranger;
struct h2_peer peer;

struct http_stream *_Atomic held; /* the newest of /hold */
_Atomic int opened, closed, completed, writables, released, gone, produced_ends;
struct http_request *_Atomic kept[300];
_Atomic int kept_count;
uint64_t calmed; /* connections that were ended for a flood */

/* The server's side */

void count_release(void *owner)
{
	atomic_fetch_add(&released, 1);
	free(owner);
}

static void respond_big(struct http_request *request)
{
	struct http_piece pieces[BIG_PIECES];
	struct http_response response = {.status = 200,
					 .flags = HTTP_RESPONSE_GZIP,
					 .content_type = "text/plain",
					 .pieces = pieces,
					 .piece_count = BIG_PIECES};

	for (int i = 0; i < BIG_PIECES; i++) {
		char *text = cox_alloc(BIG_PIECE);

		memset(text, 'a' + i % 26, BIG_PIECE);
		pieces[i] = (struct http_piece){
			.data = text, .size = BIG_PIECE, .release = count_release, .owner = text};
	}
	http_respond(request, &response);
}

struct counter {
	int left;
	int said; /* of the present line */
};

static int64_t produce(void *context, char *out, size_t room)
{
	struct counter *counter = context;
	char line[32];
	int size;

	if (counter->left < 0)
		return -1;
	if (counter->left == 0)
		return 0;
	size = snprintf(line, sizeof(line), "line %d\n", counter->left) - counter->said;
	if ((size_t)size > room)
		size = (int)room;
	memcpy(out, line + counter->said, (size_t)size);
	counter->said += size;
	if (line[counter->said - 1] == '\n') {
		counter->said = 0;
		counter->left--;
	}
	return size;
}

static void produce_end(void *context)
{
	atomic_fetch_add(&produced_ends, 1);
	free(context);
}

static void respond_produced(struct http_request *request, int lines)
{
	struct counter *counter = cox_new(struct counter);
	struct http_response response = {.status = 200,
					 .content_type = "text/plain",
					 .produce = produce,
					 .produce_end = produce_end,
					 .producer = counter,
					 .length = HTTP_LENGTH_UNKNOWN};

	counter->left = lines;
	http_respond(request, &response);
}

void describe(struct http_request *request)
{
	cox_autobuf out = COX_BUF_INIT;
	cox_autofacts facts = {0};
	const char *cookie = http_header(request, "Cookie");

	cox_buf_printf(&out, "%s %s|", request->method_name, request->raw_path);
	for (size_t i = 0; i < request->segment_count; i++)
		cox_buf_printf(&out, "[%s]", request->segments[i]);
	cox_buf_str(&out, "|");
	for (size_t i = 0; i < request->parameter_count; i++)
		cox_buf_printf(&out, "%s=%s;", request->parameters[i].name,
			       request->parameters[i].value);
	if (request->certificate_count &&
	    pki_certificate_read(request->certificates[0].data, request->certificates[0].size,
				 &facts, NULL) == 0)
		cox_buf_printf(&out, "|%s", facts.common_name);
	cox_buf_printf(&out, "|%s|%s|%s|%s|%zu|", request->certificate_problem ? "problem" : "",
		       http_header(request, "Host"), cookie ? cookie : "", request->peer,
		       request->body.size);
	cox_buf_add(&out, request->body.data, request->body.size < 64 ? request->body.size : 64);
	http_respond_text(request, 200, "text/plain", out.data, out.size);
}

static void late(void *context)
{
	struct http_request *request = context;
	/* the arena of the request carries the body until it has left */
	const char *body = arena_printf(&request->arena, "late %zu\n", request->segment_count);

	http_respond_text(request, 200, "text/plain", body, strlen(body));
}

static void on_gone(void *context)
{
	(void)context;
	atomic_fetch_add(&gone, 1);
}

static void on_closed(struct http_stream *stream, void *context, bool complete)
{
	(void)stream;
	(void)context;
	if (complete)
		atomic_fetch_add(&completed, 1);
	atomic_fetch_add(&closed, 1);
}

static void on_writable(struct http_stream *stream, void *context)
{
	(void)stream;
	(void)context;
	atomic_fetch_add(&writables, 1);
}

static void pump_writable(struct http_stream *stream, void *context)
{
	struct counter *pump = context;
	char line[32];

	while (pump->left > 0) {
		int size = snprintf(line, sizeof(line), "line %d\n", pump->left);

		if (http_stream_copy(stream, line, (size_t)size) != 0)
			return;
		pump->left--;
	}
	http_stream_end(stream);
}

static void pump_closed(struct http_stream *stream, void *context, bool complete)
{
	on_closed(stream, context, complete);
	free(context);
	http_stream_release(stream);
}

static void open_stream(struct http_request *request, const char *first)
{
	static const struct http_stream_callbacks holds = {.writable = on_writable,
							   .closed = on_closed};
	static const struct http_stream_callbacks pumps = {.writable = pump_writable,
							   .closed = pump_closed};
	struct http_header header = {"X-Test", arena_strdup(&request->arena, "yes")};
	struct http_response head = {.status = strcmp(first, "up") == 0 ? 101 : 200,
				     .headers = &header,
				     .header_count = 1};

	if (strcmp(first, "pump") == 0) {
		struct counter *pump = cox_new(struct counter);

		pump->left = 20000;
		http_stream_open(request, &head, &pumps, pump);
		return;
	}
	atomic_store(&held, http_stream_open(request, &head, &holds, NULL));
	atomic_fetch_add(&opened, 1);
}

static void handle(struct http_request *request)
{
	const char *first = request->segment_count ? request->segments[0] : "";

	assert_true(request->tls);
	if (strcmp(first, "big") == 0) {
		respond_big(request);
	} else if (strcmp(first, "lines") == 0) {
		respond_produced(request, 1000);
	} else if (strcmp(first, "broken") == 0) {
		respond_produced(request, -1);
	} else if (strcmp(first, "nothing") == 0) {
		return;
	} else if (strcmp(first, "late") == 0) {
		http_defer(request, on_gone, NULL);
		if (workers_run(workers, WORKERS_ORDINARY, late, request) != 0)
			late(request);
	} else if (strcmp(first, "keep") == 0) {
		http_defer(request, on_gone, NULL);
		atomic_store(&kept[atomic_load(&kept_count)], request);
		atomic_fetch_add(&kept_count, 1);
	} else if (strcmp(first, "hold") == 0 || strcmp(first, "pump") == 0 ||
		   strcmp(first, "up") == 0) {
		open_stream(request, first);
	} else {
		describe(request);
	}
}

void open_server(const struct http_config *changes)
{
	struct http_tls tls = tls_of(&server_identity, &ca);
	struct http_listen where = {.address = "127.0.0.1"};
	struct http_config config = *changes;
	cox_autoerror err = COX_ERROR_INIT;

	config.listens = &where;
	config.listen_count = 1;
	config.tls = &tls;
	config.handler = handle;
	config.threads = 2;
	server = http_server_open(&config, &err);
	if (!server)
		fail_msg("%s", error_text(&err));
	port = http_server_port(server, 0);
	atomic_store(&opened, 0);
	atomic_store(&closed, 0);
	atomic_store(&completed, 0);
	atomic_store(&writables, 0);
	atomic_store(&released, 0);
	atomic_store(&gone, 0);
	atomic_store(&produced_ends, 0);
	atomic_store(&kept_count, 0);
	calmed = 0;
}

void close_server(void)
{
	http_server_close(server, 2 * CLOCK_SECOND);
	server = NULL;
}

/* The client's side */

void join_as(const struct identity *identity)
{
	peer.dribble = 0;
	if (h2_peer_open_tls(&peer, port, &ca, identity ? &identity->certificate : NULL,
			     identity ? &identity->key : NULL, NULL, "h2,http/1.1") != 0)
		fail_msg("no connection");
	h2_peer_begin(&peer, WINDOW);
}

void open_both(const struct http_config *changes)
{
	open_server(changes);
	join_as(NULL);
}

void close_both(void)
{
	h2_peer_close(&peer);
	close_server();
}

#define NV(name, value)                                                                            \
	{                                                                                          \
		(uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name),         \
			strlen(value), NGHTTP2_NV_FLAG_NONE                                        \
	}

int32_t ask_with(const char *method, const char *path, uint8_t flags, const char **extra)
{
	nghttp2_nv fields[300] = {NV(":method", method), NV(":scheme", "https"),
				  NV(":authority", "a"), NV(":path", path)};
	size_t count = 4;
	int32_t id;

	for (; extra && *extra && count < 300; extra += 2)
		fields[count++] = (nghttp2_nv)NV(extra[0], extra[1]);
	id = nghttp2_submit_headers(peer.http, flags, -1, NULL, fields, count, NULL);
	assert_true(id > 0);
	h2_peer_send(&peer);
	return id;
}

int32_t ask(const char *path)
{
	return ask_with("GET", path, FLAG_END, NULL);
}

struct h2_answer *answer_of(int32_t id)
{
	struct h2_answer *answer = h2_peer_answer(&peer, id);

	h2_peer_wait(&peer, answer->closed);
	return answer;
}

void expect(int32_t id, unsigned status, const char *body)
{
	struct h2_answer *answer = answer_of(id);

	if (answer->status != status || strcmp(cox_buf_cstr(&answer->body), body) != 0)
		fail_msg("got %u: %s\nnot %u: %s", answer->status, cox_buf_cstr(&answer->body),
			 status, body);
	assert_true(answer->ended);
}

ssize_t read_text(nghttp2_session *http, int32_t id, uint8_t *out, size_t room, uint32_t *flags,
		  nghttp2_data_source *source, void *context)
{
	struct cox_buf *text = source->ptr;
	size_t size = text->size < room ? text->size : room;

	(void)http;
	(void)id;
	(void)context;
	memcpy(out, text->data, size);
	memmove(text->data, text->data + size, text->size - size);
	cox_buf_truncate(text, text->size - size);
	if (!text->size)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)size;
}

void send_body(int32_t id, struct cox_buf *text)
{
	nghttp2_data_provider provider = {.source.ptr = text, .read_callback = read_text};

	assert_int_equal(nghttp2_submit_data(peer.http, FLAG_END, id, &provider), 0);
	h2_peer_send(&peer);
}

int32_t hold(int count)
{
	int32_t id = ask("/hold");

	peer_wait(atomic_load(&opened) == count);
	return id;
}

void release_held(void)
{
	http_stream_release(atomic_exchange(&held, NULL));
}

int http2_prepare(void **state)
{
	const struct workers_config config = {.name = "test", .threads = 2, .queue = 100};

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	workers = workers_open(&config, NULL);
	ca_key = pki_key_generate(PKI_ECDSA_P256, NULL);
	other_ca_key = pki_key_generate(PKI_ECDSA_P256, NULL);
	if (!workers || !ca_key || !other_ca_key ||
	    pki_make_ca(ca_key, "ca", 3600, &ca, NULL) != 0 ||
	    pki_make_ca(other_ca_key, "other", 3600, &other_ca, NULL) != 0)
		return -1;
	make_identity(&server_identity, &ca, ca_key, "server", PKI_SERVER, 3600);
	make_identity(&client, &ca, ca_key, "admin", PKI_CLIENT, 3600);
	make_identity(&stranger, &other_ca, other_ca_key, "stranger", PKI_CLIENT, 3600);
	return 0;
}

int http2_clean(void **state)
{
	struct identity *const identities[] = {&server_identity, &client, &stranger};

	(void)state;
	for (size_t i = 0; i < sizeof(identities) / sizeof(identities[0]); i++) {
		cox_buf_free(&identities[i]->certificate);
		cox_buf_free(&identities[i]->key);
	}
	cox_buf_free(&ca);
	cox_buf_free(&other_ca);
	pki_key_free(ca_key);
	pki_key_free(other_ca_key);
	workers_close(workers);
	return 0;
}
