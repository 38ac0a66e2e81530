/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers and streams over HTTP/2; see http2_inner.h for who owns what.
 */
#include "net/http2_inner.h"
#include "base/log.h"
#include "net/intake.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	OWN_FIELDS = 5, /* of an answer: status, date, type, length, encoding; and Vary */
	OWN_TEXT = 160, /* what they take, but for the type */
	IOVECS = 16
};

/* The fields of an answer, with their texts behind them. */
struct h2_head {
	bool close;
	char *at; /* free room */
	size_t count;
	nghttp2_nv fields[];
};

static struct h2_stream *of_stream(struct http_stream *base)
{
	return (struct h2_stream *)((char *)base - offsetof(struct h2_stream, stream));
}

static void free_request(struct h2_stream *stream)
{
	intake_free_body(stream->server, &stream->body);
	if (stream->charged)
		atomic_fetch_sub(&stream->server->body_now, stream->charged);
	stream->charged = 0;
	arena_free(&stream->request.arena);
}

void h2_stream_unref(struct h2_stream *stream)
{
	if (atomic_fetch_sub(&stream->references, 1) != 1)
		return;
	piece_queue_free(&stream->incoming);
	free_request(stream);
	if (stream->answer)
		body_free(stream->answer);
	free(stream->head);
	free(stream);
}

static bool is_timed(uint8_t stage)
{
	return stage == H2_HEAD || stage == H2_BODY || stage == H2_ANSWERED;
}

void h2_set_stage(struct h2_stream *stream, uint8_t stage)
{
	struct h2_connection *connection = stream->connection;

	if (is_timed(stage) && !is_timed(stream->stage))
		connection->timed++;
	else if (!is_timed(stage) && is_timed(stream->stage))
		connection->timed--;
	stream->stage = stage;
	stream->since = stream->loop->now;
}

void h2_reset(struct h2_stream *stream, uint32_t code)
{
	nghttp2_submit_rst_stream(stream->connection->http, NGHTTP2_FLAG_NONE, stream->id, code);
	h2_make_dirty(stream->connection);
}

/* Resets it, and is done with it at once: the client may take its time to read that. */
static void drop(struct h2_stream *stream, uint32_t code)
{
	h2_reset(stream, code);
	nghttp2_session_set_stream_user_data(stream->connection->http, stream->id, NULL);
	h2_stream_close(stream);
}

struct h2_stream *h2_find(nghttp2_session *http, int32_t id)
{
	return nghttp2_session_get_stream_user_data(http, id);
}

/* Heads of answers */

static char *put_text(struct h2_head *head, const char *text, size_t size, bool lower)
{
	char *start = head->at;

	for (size_t i = 0; i < size; i++)
		head->at[i] = lower ? (char)tolower((unsigned char)text[i]) : text[i];
	head->at += size;
	return start;
}

static void put_field(struct h2_head *head, const char *name, const char *value)
{
	nghttp2_nv *field = &head->fields[head->count];

	field->namelen = strlen(name);
	field->valuelen = strlen(value);
	if (!nghttp2_check_header_value((const uint8_t *)value, field->valuelen)) {
		log_error("a header %s with a line break in it was left out", name);
		return;
	}
	field->name = (uint8_t *)put_text(head, name, field->namelen, true);
	field->value = (uint8_t *)put_text(head, value, field->valuelen, false);
	field->flags = NGHTTP2_NV_FLAG_NONE;
	head->count++;
}

static struct h2_head *make_head(const struct http_response *response, uint64_t length, bool gzip)
{
	size_t fields = response->header_count + OWN_FIELDS + 1;
	size_t text = OWN_TEXT + (response->content_type ? strlen(response->content_type) : 0);
	char number[24], date[STREAM_DATE_SIZE];
	struct h2_head *head;

	for (size_t i = 0; i < response->header_count; i++)
		text += strlen(response->headers[i].name) + strlen(response->headers[i].value);
	head = cox_alloc(sizeof(*head) + fields * sizeof(head->fields[0]) + text);
	head->at = (char *)&head->fields[fields];
	head->count = 0;
	head->close = response->flags & HTTP_RESPONSE_CLOSE;
	snprintf(number, sizeof(number), "%u", response->status);
	put_field(head, ":status", number);
	stream_date(date);
	put_field(head, "date", date);
	if (response->content_type)
		put_field(head, "content-type", response->content_type);
	for (size_t i = 0; i < response->header_count; i++)
		put_field(head, response->headers[i].name, response->headers[i].value);
	if (response->flags & HTTP_RESPONSE_GZIP)
		put_field(head, "vary", "Accept-Encoding");
	if (gzip)
		put_field(head, "content-encoding", "gzip");
	if (length != HTTP_LENGTH_UNKNOWN) {
		snprintf(number, sizeof(number), "%" PRIu64, length);
		put_field(head, "content-length", number);
	}
	return head;
}

/* With a provider of NULL there is no body. Takes the stream's head. */
static void submit_head(struct h2_stream *stream, nghttp2_data_provider *provider)
{
	struct h2_connection *connection = stream->connection;
	struct h2_head *head = stream->head;

	if (nghttp2_submit_response(connection->http, stream->id, head->fields, head->count,
				    provider) != 0)
		h2_reset(stream, NGHTTP2_INTERNAL_ERROR);
	if (head->close)
		nghttp2_submit_goaway(connection->http, NGHTTP2_FLAG_NONE,
				      nghttp2_session_get_last_proc_stream_id(connection->http),
				      NGHTTP2_NO_ERROR, NULL, 0);
	free(head);
	stream->head = NULL;
	h2_make_dirty(connection);
}

/*
 * Bodies of answers, as nghttp2 asks for them. They are read to where the TLS
 * record is made: nghttp2's own buffer, of which each connection has one, would
 * take 16 KB for good once data went through it.
 */

static char *data_room(const struct h2_stream *stream)
{
	return stream->loop->buffer + stream->loop->filled + H2_FRAME_HEAD;
}

int h2_put_data(nghttp2_session *http, nghttp2_frame *frame, const uint8_t *head, size_t size,
		nghttp2_data_source *source, void *context)
{
	struct h2_loop *loop = ((struct h2_connection *)context)->loop;

	(void)http;
	(void)frame;
	(void)source;
	memcpy(loop->buffer + loop->filled, head, H2_FRAME_HEAD);
	loop->filled += H2_FRAME_HEAD + size;
	return NGHTTP2_ERR_PAUSE; /* the record may be full */
}

static ssize_t read_answer(nghttp2_session *http, int32_t id, uint8_t *out, size_t room,
			   uint32_t *flags, nghttp2_data_source *source, void *context)
{
	struct h2_stream *stream = h2_find(http, id);
	uint64_t length;
	int64_t size;

	(void)out;
	(void)source;
	(void)context;
	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	length = body_length(stream->answer);
	size = body_read(stream->answer, data_room(stream), room);
	if (size < 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (size)
		*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	stream->sent += (uint64_t)size;
	stream->since = stream->loop->now;
	if (length == HTTP_LENGTH_UNKNOWN ? size == 0 : stream->sent == length)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (size == 0 || stream->sent > length)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* not what was promised */
	return (ssize_t)size;
}

static void submit_answer(struct h2_stream *stream)
{
	nghttp2_data_provider provider = {.read_callback = read_answer};
	bool empty = stream->is_head || body_length(stream->answer) == 0;

	h2_set_stage(stream, H2_ANSWERED);
	submit_head(stream, empty ? NULL : &provider);
}

static void owe_writable(struct h2_stream *stream)
{
	if (stream->in_owed)
		return;
	stream->in_owed = true;
	stream->next_owed = stream->connection->owed;
	stream->connection->owed = stream;
}

static ssize_t read_pieces(nghttp2_session *http, int32_t id, uint8_t *out, size_t room,
			   uint32_t *flags, nghttp2_data_source *source, void *context)
{
	struct h2_stream *stream = h2_find(http, id);
	struct iovec vectors[IOVECS];
	size_t size = 0;
	int count;

	(void)out;
	(void)source;
	(void)context;
	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	count = piece_queue_gather(&stream->outgoing, stream->offset, vectors, IOVECS);
	for (int i = 0; i < count && size < room; i++) {
		size_t part = vectors[i].iov_len < room - size ? vectors[i].iov_len : room - size;

		memcpy(data_room(stream) + size, vectors[i].iov_base, part);
		size += part;
	}
	if (size)
		*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	atomic_fetch_sub(&stream->queued,
			 piece_queue_consume(&stream->outgoing, &stream->offset, size));
	if (!stream->outgoing.first) {
		if (stream->last_seen) {
			*flags |= NGHTTP2_DATA_FLAG_EOF;
			return (ssize_t)size;
		}
		owe_writable(stream);
	}
	if (size)
		return (ssize_t)size;
	stream->data_waits = true;
	return NGHTTP2_ERR_DEFERRED;
}

void h2_streams_tell_writable(struct h2_connection *connection)
{
	struct h2_stream *owed = connection->owed, *stream;

	/* No callback closes a stream: what it does waits for the loop's attention. */
	connection->owed = NULL;
	while ((stream = owed)) {
		owed = stream->next_owed;
		stream->in_owed = false;
		if (!stream->outgoing.first && !stream->last_seen && stream->callbacks.writable)
			stream->callbacks.writable(&stream->stream, stream->context);
	}
}

static void leave_owed(struct h2_stream *stream)
{
	struct h2_stream **at = &stream->connection->owed;

	if (!stream->in_owed)
		return;
	while (*at != stream)
		at = &(*at)->next_owed;
	*at = stream->next_owed;
	stream->in_owed = false;
}

/* The functions of http.h: streams */

static int write_node(struct h2_stream *stream, const struct http_piece *piece, size_t inline_size)
{
	struct piece_node *node;

	if (piece->size == 0 || piece->size > PIECE_MAX) {
		piece_release(piece);
		return piece->size == 0 ? 0 : -1;
	}
	node = piece_node_new(piece, inline_size, false);
	pthread_mutex_lock(&stream->loop->mutex);
	if (!stream->ended && !stream->closed && !stream->is_head &&
	    atomic_load(&stream->queued) < stream->server->config.stream_queue) {
		piece_queue_add(&stream->incoming, node);
		atomic_fetch_add(&stream->queued, node->size);
		h2_make_ready(stream);
		node = NULL;
	}
	pthread_mutex_unlock(&stream->loop->mutex);
	if (!node)
		return 0;
	piece_release(&node->piece);
	free(node);
	return -1;
}

static int h2_write(struct http_stream *base, const struct http_piece *piece)
{
	return write_node(of_stream(base), piece, 0);
}

static int h2_copy(struct http_stream *base, const void *data, size_t size)
{
	struct http_piece piece = {.data = data, .size = size};

	return write_node(of_stream(base), &piece, size);
}

static void h2_wake(struct http_stream *base)
{
	struct h2_stream *stream = of_stream(base);

	cox_lock_scope(&stream->loop->mutex);
	if (stream->closed)
		return;
	stream->woken = true;
	h2_make_ready(stream);
}

/* There is no input: what upgrades is HTTP/1.1. */
static void h2_pause(struct http_stream *base, bool paused)
{
	(void)base;
	(void)paused;
}

static size_t h2_queued(struct http_stream *base)
{
	return atomic_load(&of_stream(base)->queued);
}

void h2_stream_finish(struct h2_stream *stream, bool cut)
{
	cox_lock_scope(&stream->loop->mutex);
	if (stream->stage != H2_STREAMING || stream->closed)
		return;
	stream->ended = true;
	stream->cut |= cut;
	h2_make_ready(stream);
}

static void end_stream(struct http_stream *base, bool cut)
{
	struct h2_stream *stream = of_stream(base);

	cox_lock_scope(&stream->loop->mutex);
	if (stream->closed)
		return;
	stream->ended = true;
	stream->cut |= cut;
	h2_make_ready(stream);
}

static void h2_end(struct http_stream *base)
{
	end_stream(base, false);
}

static void h2_abort(struct http_stream *base)
{
	end_stream(base, true);
}

static void h2_release(struct http_stream *base)
{
	h2_stream_unref(of_stream(base));
}

static const struct http_stream_ops stream_ops = {
	.write = h2_write,
	.copy = h2_copy,
	.wake = h2_wake,
	.pause = h2_pause,
	.queued = h2_queued,
	.end = h2_end,
	.abort = h2_abort,
	.release = h2_release,
};

/* The functions of http.h: requests */

static void h2_respond(struct http_request *request, const struct http_response *response)
{
	struct h2_stream *stream = (struct h2_stream *)request;
	bool gzip;
	struct body *body =
		body_for(request, response, stream->server->config.gzip_loopback, &gzip);
	struct h2_head *head = make_head(response, body_length(body), gzip);

	sweep_undefer(stream->server, &stream->deferred);
	cox_lock_scope(&stream->loop->mutex);
	stream->answer = body;
	stream->head = head;
	stream->turn = H2_ANSWER;
	stream->taken = true;
	h2_make_ready(stream);
}

static void h2_defer(struct http_request *request, void (*gone)(void *context), void *context)
{
	struct h2_stream *stream = (struct h2_stream *)request;

	pthread_mutex_lock(&stream->loop->mutex);
	stream->taken = true;
	pthread_mutex_unlock(&stream->loop->mutex);
	sweep_defer(stream->server, &stream->deferred, -1, gone, context);
}

static struct http_stream *h2_open(struct http_request *request, const struct http_response *head,
				   const struct http_stream_callbacks *callbacks, void *context)
{
	struct h2_stream *stream = (struct h2_stream *)request;

	http_response_discard(head);
	sweep_undefer(stream->server, &stream->deferred);
	stream->head = make_head(head, HTTP_LENGTH_UNKNOWN, false);
	stream->callbacks = *callbacks;
	stream->context = context;
	stream->stream.ops = &stream_ops;
	free_request(stream);
	atomic_fetch_add(&stream->loop->set->streams, 1);
	pthread_mutex_lock(&stream->loop->mutex);
	stream->turn = H2_STREAM;
	stream->taken = true;
	/* A protocol that it could be changed to does not exist here. */
	stream->upgrade = head->status == 101;
	h2_make_ready(stream);
	pthread_mutex_unlock(&stream->loop->mutex);
	return &stream->stream;
}

const struct http_request_ops h2_request_ops = {
	.respond = h2_respond,
	.defer = h2_defer,
	.stream = h2_open,
};

/* Attention, on the loop */

static void tell_closed(struct h2_stream *stream, bool complete)
{
	pthread_mutex_lock(&stream->loop->mutex);
	stream->closed = true;
	piece_queue_move(&stream->outgoing, &stream->incoming);
	pthread_mutex_unlock(&stream->loop->mutex);
	piece_queue_free(&stream->outgoing);
	atomic_store(&stream->queued, 0);
	if (stream->callbacks.closed)
		stream->callbacks.closed(&stream->stream, stream->context, complete);
	atomic_fetch_sub(&stream->loop->set->streams, 1);
}

/* The request is nobody's any more: it has been answered, or never will be. */
void h2_release_weight(struct h2_stream *stream)
{
	stream->connection->weight -= stream->weight;
	stream->weight = 0;
}

static void take_back(struct h2_stream *stream)
{
	struct h2_connection *connection = stream->connection;

	h2_release_weight(stream);
	connection->held--;
	if (stream->over)
		connection->lost--;
	/* One that is over waits for this. */
	h2_make_dirty(connection);
}

static void begin_streaming(struct h2_stream *stream)
{
	nghttp2_data_provider provider = {.read_callback = read_pieces};

	take_back(stream);
	if (stream->over) {
		tell_closed(stream, false);
		return;
	}
	h2_set_stage(stream, H2_STREAMING);
	if (stream->upgrade)
		drop(stream, NGHTTP2_HTTP_1_1_REQUIRED);
	else
		submit_head(stream, stream->is_head ? NULL : &provider);
}

static void attend_stream(struct h2_stream *stream)
{
	bool ended, cut, woken;

	pthread_mutex_lock(&stream->loop->mutex);
	piece_queue_move(&stream->outgoing, &stream->incoming);
	ended = stream->ended;
	cut = stream->cut;
	woken = stream->woken;
	stream->woken = false;
	pthread_mutex_unlock(&stream->loop->mutex);
	stream->last_seen = ended;
	if (cut) {
		drop(stream, NGHTTP2_INTERNAL_ERROR);
		return;
	}
	if (woken && !stream->outgoing.first)
		owe_writable(stream);
	if (stream->data_waits && (ended || stream->outgoing.first)) {
		stream->data_waits = false;
		nghttp2_session_resume_data(stream->connection->http, stream->id);
	}
	h2_make_dirty(stream->connection);
}

void h2_stream_attend(struct h2_stream *stream)
{
	uint8_t turn;

	pthread_mutex_lock(&stream->loop->mutex);
	turn = stream->turn;
	stream->turn = H2_NOTHING;
	pthread_mutex_unlock(&stream->loop->mutex);
	if (turn == H2_ANSWER) {
		take_back(stream);
		if (!stream->over)
			submit_answer(stream);
		h2_stream_unref(stream); /* of whoever had the request */
	} else if (turn == H2_STREAM) {
		begin_streaming(stream);
	}
	if (stream->stage == H2_STREAMING && !stream->over)
		attend_stream(stream);
}

void h2_stream_close(struct h2_stream *stream)
{
	struct h2_connection *connection = stream->connection;

	stream->over = true;
	*stream->link = stream->next;
	if (stream->next)
		stream->next->link = stream->link;
	leave_owed(stream);
	switch (stream->stage) {
	case H2_HANDED:
		connection->lost++;
		sweep_tell_gone(stream->server, &stream->deferred);
		break;
	case H2_STREAMING:
		tell_closed(stream, stream->last_sent);
		break;
	default:
		connection->timed--;
		h2_release_weight(stream);
		break;
	}
	h2_stream_unref(stream);
}

bool h2_streams_check_time(struct h2_connection *connection)
{
	const struct http_server *server = connection->loop->set->server;
	uint64_t now = connection->loop->now;
	struct h2_stream *next;

	for (struct h2_stream *at = connection->streams; at; at = next) {
		uint64_t limit = UINT64_MAX;

		next = at->next;
		/* Nothing else can come before the end of a head. */
		if (at->stage == H2_HEAD && now - at->since >= server->config.head_time)
			return true;
		if (at->stage == H2_BODY)
			limit = intake_body_deadline(server, at->since, at->body.size);
		else if (at->stage == H2_ANSWERED && !at->last_sent)
			limit = at->since + server->config.idle_time;
		else if (at->stage == H2_ANSWERED && now - at->since >= server->config.linger_time)
			drop(at, NGHTTP2_NO_ERROR);
		if (now >= limit) {
			atomic_fetch_add(&connection->loop->set->server->cut, 1);
			drop(at, NGHTTP2_CANCEL);
		}
	}
	return false;
}

void h2_answer_here(struct h2_stream *stream, const struct http_response *response)
{
	bool gzip;

	stream->answer = body_for(&stream->request, response, false, &gzip);
	stream->head = make_head(response, body_length(stream->answer), gzip);
	submit_answer(stream);
}
