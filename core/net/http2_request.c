/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests over HTTP/2: the callbacks of nghttp2. What it has found to be
 * well-formed is made the request that HTTP/1.1 would have brought, and judged
 * like that one.
 */
#include "net/http2_inner.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/intake.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <string.h>
#include <strings.h>

enum {
	HEADERS_STEP = 16,
	HEADER_OVERHEAD = 32, /* what a field counts beyond its bytes (RFC 9113 6.5.2) */
	BODIES = 8,	      /* of the largest size, that one client may have waiting */
	COST_BROKEN = 5,
	TINY_UPDATE = 1024,
	UPDATES_MAX = 1000
};

static void refuse(struct h2_stream *stream, unsigned code, const char *reason, const char *message)
{
	static const struct http_header retry = {"Retry-After", "1"};
	cox_autobuf text = COX_BUF_INIT;
	struct http_piece piece;
	struct http_response response = {.status = code,
					 .content_type = "application/json",
					 .headers = &retry,
					 .header_count = code == 429,
					 .pieces = &piece,
					 .piece_count = 1};

	atomic_fetch_add(&stream->server->refused, 1);
	h2_release_weight(stream);
	intake_free_body(stream->server, &stream->body);
	request_status_json(&text, code, reason, message);
	piece = (struct http_piece){
		.data = arena_strndup(&stream->request.arena, text.data, text.size),
		.size = text.size};
	h2_answer_here(stream, &response);
}

static void hand_over(struct h2_stream *stream)
{
	struct http_request *request = &stream->request;
	struct h2_connection *connection = stream->connection;
	struct http_server *server = stream->server;
	bool taken;

	if (atomic_load(&server->cutting)) {
		h2_reset(stream, NGHTTP2_REFUSED_STREAM);
		return;
	}
	request->body = (struct cox_bytes){stream->body.data, stream->body.size};
	request->arrived = clock_monotonic();
	request->deadline = request->arrived + server->config.request_time;
	atomic_fetch_add(&server->requests, 1);
	h2_set_stage(stream, H2_HANDED);
	connection->held++;
	/* one is the handler's, one keeps the stream until we have looked */
	atomic_fetch_add(&stream->references, 2);
	server->config.handler(request);
	pthread_mutex_lock(&stream->loop->mutex);
	taken = stream->taken;
	pthread_mutex_unlock(&stream->loop->mutex);
	if (!taken) {
		log_error("no answer for %s %s", request->method_name, request->raw_path);
		http_respond_text(request, 500, "text/plain", "no answer\n", 10);
	}
	h2_stream_unref(stream);
}

/* The chain may be judged again while this request is with somebody. */
static void copy_peer(struct http_request *request)
{
	size_t size = request->certificate_count * sizeof(*request->certificates);

	if (size) {
		struct cox_bytes *copy = arena_alloc(&request->arena, size);

		memcpy(copy, request->certificates, size);
		request->certificates = copy;
	}
	if (request->certificate_problem)
		request->certificate_problem =
			arena_strdup(&request->arena, request->certificate_problem);
}

static void add_header(struct h2_stream *stream, const char *name, const char *value)
{
	struct http_request *request = &stream->request;
	struct http_header *headers = (struct http_header *)(uintptr_t)request->headers;

	if (request->header_count == REQUEST_HEADERS_MAX) {
		stream->problem = "the request has too many headers";
		return;
	}
	if (request->header_count == stream->header_capacity) {
		size_t more = stream->header_capacity + HEADERS_STEP;

		headers = arena_grow(&request->arena, headers,
				     stream->header_capacity * sizeof(*headers),
				     more * sizeof(*headers));
		request->headers = headers;
		stream->header_capacity = more;
	}
	headers[request->header_count++] = (struct http_header){name, value};
}

/* One of several that have the same meaning as one with all (RFC 9113 8.2.3). */
static void join_cookies(struct h2_stream *stream)
{
	struct http_request *request = &stream->request;
	struct http_header *headers = (struct http_header *)(uintptr_t)request->headers;
	struct http_header *first = NULL;
	cox_autobuf all = COX_BUF_INIT;
	size_t kept = 0;

	if (!http_header_at(request, "Cookie", 1))
		return;
	for (size_t i = 0; i < request->header_count; i++) {
		bool cookie = strcasecmp(headers[i].name, "Cookie") == 0;

		if (cookie) {
			cox_buf_str(&all, all.size ? "; " : "");
			cox_buf_str(&all, headers[i].value);
		}
		if (cookie && first)
			continue;
		headers[kept] = headers[i];
		if (cookie)
			first = &headers[kept];
		kept++;
	}
	request->header_count = kept;
	if (first)
		first->value = arena_strndup(&request->arena, all.data, all.size);
}

/* The name of the host is said once: by :authority, by Host, or by both alike. */
static void settle_host(struct h2_stream *stream)
{
	const char *host = http_header(&stream->request, "Host");

	if (!stream->authority)
		return;
	if (!host)
		add_header(stream, "Host", stream->authority);
	else if (strcasecmp(host, stream->authority) != 0)
		stream->problem = "the request has a Host header that is not its authority";
}

/* Bounds what one client has waiting; 0, or -1 and it was refused. */
static int add_weight(struct h2_stream *stream, size_t more)
{
	struct h2_connection *connection = stream->connection;

	stream->weight += more;
	connection->weight += more;
	if (connection->weight <= BODIES * stream->server->config.body_bytes)
		return 0;
	refuse(stream, 429, "TooManyRequests", INTAKE_FULL);
	return -1;
}

static int charge_head(struct h2_stream *stream)
{
	struct http_server *server = stream->server;

	stream->charged = stream->head_size;
	if (atomic_fetch_add(&server->body_now, stream->charged) + stream->charged >
	    server->config.body_total) {
		refuse(stream, 429, "TooManyRequests", INTAKE_FULL);
		return -1;
	}
	return add_weight(stream, stream->head_size);
}

/* Its client waits for a word before it sends the body. */
static void invite(struct h2_stream *stream)
{
	static uint8_t name[] = ":status", value[] = "100";
	const nghttp2_nv field = {name, value, sizeof(name) - 1, sizeof(value) - 1,
				  NGHTTP2_NV_FLAG_NONE};

	nghttp2_submit_headers(stream->connection->http, NGHTTP2_FLAG_NONE, stream->id, NULL,
			       &field, 1, NULL);
}

static void judge(struct h2_stream *stream, bool ends)
{
	struct http_request *request = &stream->request;
	struct http_server *server = stream->server;
	cox_autoerror err = COX_ERROR_INIT;

	if (stream->too_large) {
		refuse(stream, 431, "", "the request's headers are too large");
		return;
	}
	if (!stream->problem)
		settle_host(stream);
	if (!stream->problem && (!request->method_name || !request->target))
		stream->problem = "the request has no path";
	if (stream->problem) {
		refuse(stream, 400, "BadRequest", stream->problem);
		return;
	}
	join_cookies(stream);
	if (request_judge(request, "HTTP/1.1", &stream->expected, &err) != 0) {
		refuse(stream, (unsigned)error_http_code(err.reason), error_reason_name(err.reason),
		       error_text(&err));
		return;
	}
	stream->is_head = request->method == HTTP_HEAD;
	if (stream->expected.length > server->config.body_bytes) {
		refuse(stream, 413, "RequestEntityTooLarge", "Request entity too large");
		return;
	}
	if (charge_head(stream) != 0)
		return;
	intake_judge_peer(stream->connection->base, request);
	copy_peer(request);
	h2_set_stage(stream, H2_BODY);
	if (!ends && http_header_has(request, "Expect", "100-continue"))
		invite(stream);
}

static int on_begin_headers(nghttp2_session *http, const nghttp2_frame *frame, void *context)
{
	struct h2_connection *connection = context;
	struct connection *base = connection->base;
	struct http_server *server = base->server;
	struct h2_stream *stream;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	/* Those that were reset while somebody works on them count, too. */
	if (connection->lost >= server->config.http2_streams) {
		nghttp2_submit_rst_stream(http, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
					  NGHTTP2_REFUSED_STREAM);
		h2_charge(connection, 1);
		return 0;
	}
	stream = cox_new(struct h2_stream);
	stream->request = (struct http_request){.ops = &h2_request_ops,
						.context = server->config.context,
						.tls = true,
						.peer = base->peer,
						.peer_port = base->request.peer_port,
						.peer_uid = base->request.peer_uid,
						.loopback = base->request.loopback};
	stream->server = server;
	stream->loop = connection->loop;
	stream->connection = connection;
	stream->id = frame->hd.stream_id;
	stream->references = 1;
	stream->since = connection->loop->now;
	connection->timed++; /* H2_HEAD */
	connection->idle_since = 0;
	stream->next = connection->streams;
	stream->link = &connection->streams;
	if (stream->next)
		stream->next->link = &stream->next;
	connection->streams = stream;
	nghttp2_session_set_stream_user_data(http, stream->id, stream);
	return 0;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static int on_header(nghttp2_session *http, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
		     void *context)
{
	struct h2_stream *stream = h2_find(http, frame->hd.stream_id);
	struct arena *arena;
	const char *copy;

	(void)flags;
	(void)context;
	/* Trailers are for nobody. */
	if (!stream || stream->stage != H2_HEAD || stream->too_large)
		return 0;
	stream->head_size += name_size + value_size + HEADER_OVERHEAD;
	if (stream->head_size > stream->server->config.head_bytes) {
		stream->too_large = true;
		return 0;
	}
	while (value_size && is_blank(value[value_size - 1]))
		value_size--;
	while (value_size && is_blank(*value)) {
		value++;
		value_size--;
	}
	arena = &stream->request.arena;
	copy = arena_strndup(arena, (const char *)value, value_size);
	if (name_size == 0 || *name != ':')
		add_header(stream, arena_strndup(arena, (const char *)name, name_size), copy);
	else if (name_size == 7 && memcmp(name, ":method", 7) == 0)
		stream->request.method_name = copy;
	else if (name_size == 5 && memcmp(name, ":path", 5) == 0)
		stream->request.target = copy;
	else if (name_size == 10 && memcmp(name, ":authority", 10) == 0)
		stream->authority = copy;
	return 0;
}

/* One that nghttp2 would pass over in silence. */
static int on_invalid_header(nghttp2_session *http, const nghttp2_frame *frame, const uint8_t *name,
			     size_t name_size, const uint8_t *value, size_t value_size,
			     uint8_t flags, void *context)
{
	struct h2_stream *stream = h2_find(http, frame->hd.stream_id);

	(void)name;
	(void)name_size;
	(void)value;
	(void)value_size;
	(void)flags;
	(void)context;
	if (stream && stream->stage == H2_HEAD)
		stream->problem = "a header has a character that is not allowed";
	return 0;
}

static int on_data(nghttp2_session *http, uint8_t frame_flags, int32_t id, const uint8_t *data,
		   size_t size, void *context)
{
	struct h2_stream *stream = h2_find(http, id);
	struct http_server *server;

	(void)frame_flags;
	(void)context;
	/* What is sent after a refusal is read away. */
	if (!stream || stream->stage != H2_BODY || !size)
		return 0;
	server = stream->server;
	if (stream->body.size + size > server->config.body_bytes)
		refuse(stream, 413, "RequestEntityTooLarge", "Request entity too large");
	else if (intake_grow_body(server, &stream->body, &stream->expected, size) != 0)
		refuse(stream, 429, "TooManyRequests", INTAKE_FULL);
	else if (add_weight(stream, size) == 0)
		cox_buf_add(&stream->body, data, size);
	return 0;
}

static void end_input(struct h2_stream *stream)
{
	stream->input_ended = true;
	if (stream->stage == H2_BODY)
		hand_over(stream);
}

/* What costs us something and has no purpose, or has one only now and then. */
static void charge_frame(struct h2_connection *connection, const nghttp2_frame *frame)
{
	bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	switch (frame->hd.type) {
	case NGHTTP2_DATA:
		if (frame->hd.length == frame->data.padlen && !ends)
			h2_charge(connection, 1);
		break;
	case NGHTTP2_HEADERS:
		break;
	case NGHTTP2_WINDOW_UPDATE:
		if (connection->updates)
			connection->updates--;
		else if (frame->window_update.window_size_increment < TINY_UPDATE)
			h2_charge(connection, 1);
		break;
	default: /* RST_STREAM, PING, SETTINGS, PRIORITY and what else there may be */
		h2_charge(connection, 1);
		break;
	}
}

static int on_frame(nghttp2_session *http, const nghttp2_frame *frame, void *context)
{
	struct h2_connection *connection = context;
	struct h2_stream *stream = h2_find(http, frame->hd.stream_id);
	bool ends;

	if (!connection->greeted) {
		/* It speaks: from here on the loop looks after its time. */
		connection->greeted = true;
		atomic_store(&connection->base->deadline, 0);
	}
	charge_frame(connection, frame);
	if (!stream || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	if (stream->stage == H2_HEAD)
		judge(stream, ends);
	if (ends)
		end_input(stream);
	return 0;
}

static int on_broken_frame(nghttp2_session *http, const nghttp2_frame *frame, int code,
			   void *context)
{
	(void)http;
	(void)frame;
	(void)code;
	h2_charge(context, COST_BROKEN);
	return 0;
}

static int on_sent(nghttp2_session *http, const nghttp2_frame *frame, void *context)
{
	struct h2_connection *connection = context;
	struct h2_stream *stream;

	/* A client may return what it has read, of the stream and of all. */
	if (frame->hd.type == NGHTTP2_DATA && connection->updates < UPDATES_MAX)
		connection->updates += 2;
	if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
	    !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	stream = h2_find(http, frame->hd.stream_id);
	if (!stream)
		return 0;
	stream->last_sent = true;
	/*
	 * All is said, and a client that sends its body still need not go on. A reset
	 * would say so, but many forget the answer over it: it gets time to read.
	 */
	stream->since = stream->loop->now;
	return 0;
}

static int on_closed(nghttp2_session *http, int32_t id, uint32_t code, void *context)
{
	struct h2_stream *stream = h2_find(http, id);

	(void)code;
	(void)context;
	if (stream)
		h2_stream_close(stream);
	return 0;
}

/* A frame of data fits into what the TLS record has left, with its head. */
static ssize_t frame_length(nghttp2_session *http, uint8_t type, int32_t id, int32_t session_window,
			    int32_t stream_window, uint32_t most, void *context)
{
	const struct h2_loop *loop = ((struct h2_connection *)context)->loop;
	int32_t length = (int32_t)(loop->room - loop->filled) - H2_FRAME_HEAD;

	(void)http;
	(void)type;
	(void)id;
	if (session_window < length)
		length = session_window;
	if (stream_window < length)
		length = stream_window;
	return (uint32_t)length > most ? (ssize_t)most : length;
}

void h2_callbacks_fill(nghttp2_session_callbacks *callbacks)
{
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_broken_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_closed);
	nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, frame_length);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, h2_put_data);
}
