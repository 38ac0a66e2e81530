/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing servers, and the functions of http.h that only pass on
 * to a request's transport. Closing keeps an order that the library needs:
 * quiesce, end the streams, have the deferred answered, cut, wait, stop.
 */
#include "net/server.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/connection.h"
#include "net/http2.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
	THREADS_MAX = 16,
	STREAM_THREADS_MAX = 4,
	DESCRIPTORS_KEPT = 256, /* for everything that is not a connection */
	FEWEST_CONNECTIONS = 64,
	HEAD_BYTES = 64 * 1024,
	BODY_BYTES = 3 * 1024 * 1024,
	HTTP2_STREAMS = 250,
	STREAM_QUEUE = 1024 * 1024
};

void http_respond(struct http_request *request, const struct http_response *response)
{
	request->ops->respond(request, response);
}

void http_respond_text(struct http_request *request, unsigned status, const char *content_type,
		       const void *body, size_t size)
{
	struct http_piece piece = {.data = arena_strndup(&request->arena, body, size),
				   .size = size};
	struct http_response response = {
		.status = status, .content_type = content_type, .pieces = &piece, .piece_count = 1};

	request->ops->respond(request, &response);
}

void http_defer(struct http_request *request, void (*gone)(void *context), void *context)
{
	request->ops->defer(request, gone, context);
}

struct http_stream *http_stream_open(struct http_request *request, const struct http_response *head,
				     const struct http_stream_callbacks *callbacks, void *context)
{
	return request->ops->stream(request, head, callbacks, context);
}

int http_stream_write(struct http_stream *stream, const struct http_piece *piece)
{
	return stream->ops->write(stream, piece);
}

int http_stream_copy(struct http_stream *stream, const void *data, size_t size)
{
	struct http_piece piece = {.size = size, .release = free};

	if (stream->ops->copy)
		return stream->ops->copy(stream, data, size);
	piece.data = piece.owner = cox_memdup(data, size);
	return stream->ops->write(stream, &piece);
}

void http_stream_wake(struct http_stream *stream)
{
	stream->ops->wake(stream);
}

void http_stream_pause(struct http_stream *stream, bool paused)
{
	stream->ops->pause(stream, paused);
}

size_t http_stream_queued(struct http_stream *stream)
{
	return stream->ops->queued(stream);
}

void http_stream_end(struct http_stream *stream)
{
	stream->ops->end(stream);
}

void http_stream_abort(struct http_stream *stream)
{
	stream->ops->abort(stream);
}

void http_stream_release(struct http_stream *stream)
{
	stream->ops->release(stream);
}

static unsigned default_threads(unsigned most)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return cores < 1 ? 1 : cores > most ? most : (unsigned)cores;
}

static unsigned default_connections(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    limit.rlim_cur < DESCRIPTORS_KEPT + FEWEST_CONNECTIONS)
		return FEWEST_CONNECTIONS;
	return limit.rlim_cur > 1u << 20 ? 1u << 20 : (unsigned)(limit.rlim_cur - DESCRIPTORS_KEPT);
}

#define FILL(field, value)                                                                         \
	do {                                                                                       \
		if (!config->field)                                                                \
			config->field = (value);                                                   \
	} while (0)

static void fill_defaults(struct http_config *config)
{
	FILL(threads, default_threads(THREADS_MAX));
	FILL(stream_threads, default_threads(STREAM_THREADS_MAX));
	FILL(connections, default_connections());
	FILL(head_bytes, HEAD_BYTES);
	FILL(head_time, 10 * CLOCK_SECOND);
	FILL(body_time, 30 * CLOCK_SECOND);
	FILL(body_bytes, BODY_BYTES);
	FILL(body_total, 64 * (uint64_t)BODY_BYTES);
	FILL(idle_time, 180 * CLOCK_SECOND);
	FILL(request_time, 60 * CLOCK_SECOND);
	FILL(stream_queue, STREAM_QUEUE);
	FILL(linger_time, 3 * CLOCK_SECOND);
	FILL(http2_streams, HTTP2_STREAMS);
	FILL(ping_time, 30 * CLOCK_SECOND);
	config->listens = NULL;
	config->tls = NULL;
}

static int open_listeners(struct http_server *server, const struct http_config *config,
			  struct cox_error *err)
{
	server->listeners = cox_calloc(config->listen_count, sizeof(*server->listeners));
	for (size_t i = 0; i < config->listen_count; i++) {
		struct listener *listener = &server->listeners[i];

		listener->where = config->listens[i];
		listener->address =
			cox_strdup(listener->where.address ? listener->where.address : "");
		listener->where.address = listener->address;
		listener->fd = listen_open(&listener->where, err);
		server->listener_count++;
		if (listener->fd < 0)
			return -1;
		listener->port = listen_port(listener->fd);
	}
	return 0;
}

static int start(struct http_server *server, const struct http_config *config,
		 struct cox_error *err)
{
	unsigned listens = (unsigned)config->listen_count;
	unsigned share = server->config.connections / listens;

	if (share < server->config.threads)
		share = server->config.threads;
	server->most = share * listens;
	if (config->tls) {
		server->has_tls = true;
		if (gnutls_session_ticket_key_generate(&server->ticket_key) != 0)
			return error_set(err, COX_REASON_INTERNAL_ERROR, "make a ticket key");
		server->tls = tls_state_open(config->tls, err);
		if (!server->tls)
			return -1;
	}
	if (open_listeners(server, config, err) != 0)
		return -1;
	server->streams =
		stream_set_open(server->config.stream_threads, server->config.stream_queue,
				server->config.linger_time, err);
	if (!server->streams || sweep_start(server, err) != 0)
		return -1;
	if (server->has_tls)
		server->http2 = http2_set_open(server, server->config.stream_threads);
	for (size_t i = 0; i < server->listener_count; i++)
		if (mhd_start(server, &server->listeners[i], share, err) != 0)
			return -1;
	return 0;
}

struct http_server *http_server_open(const struct http_config *config, struct cox_error *err)
{
	struct http_server *server;

	if (config->listen_count == 0 || !config->handler) {
		error_set(err, COX_REASON_INTERNAL_ERROR,
			  "an HTTP server needs an address to listen on and a handler");
		return NULL;
	}
	server = cox_new(struct http_server);
	server->config = *config;
	fill_defaults(&server->config);
	pthread_mutex_init(&server->mutex, NULL);
	pthread_mutex_init(&server->tls_mutex, NULL);
	if (start(server, config, err) != 0) {
		http_server_close(server, 0);
		return NULL;
	}
	return server;
}

uint16_t http_server_port(const struct http_server *server, size_t index)
{
	return index < server->listener_count ? server->listeners[index].port : 0;
}

int http_server_set_tls(struct http_server *server, const struct http_tls *tls,
			struct cox_error *err)
{
	struct tls_state *state, *old;

	if (!server->has_tls)
		return error_set(err, COX_REASON_INTERNAL_ERROR, "this server was opened plain");
	state = tls_state_open(tls, err);
	if (!state)
		return -1;
	pthread_mutex_lock(&server->tls_mutex);
	old = server->tls;
	server->tls = state;
	atomic_fetch_add(&server->tls_generation, 1);
	pthread_mutex_unlock(&server->tls_mutex);
	tls_state_unref(old);
	return 0;
}

void http_server_quiesce(struct http_server *server)
{
	for (size_t i = 0; i < server->listener_count; i++) {
		struct listener *listener = &server->listeners[i];

		if (listener->fd < 0 || listener->quiet)
			continue;
		/*
		 * The library's own way may end the process: one of its threads can
		 * forget the socket between its two steps. It is for sockets that
		 * somebody else listens on, too.
		 */
		if (!listener->where.inherited)
			listen_end(listener->fd, &listener->where);
		else if (listener->daemon)
			mhd_quiesce(listener);
		listener->quiet = true;
	}
	if (server->http2)
		http2_set_go_away(server->http2, false);
}

static void end_streams(struct http_server *server, bool cut)
{
	stream_set_end(server->streams, cut);
	if (server->http2)
		http2_set_end(server->http2, cut);
}

static size_t count_streams(struct http_server *server)
{
	return stream_set_count(server->streams) +
	       (server->http2 ? http2_set_count(server->http2) : 0);
}

static void nap(void)
{
	struct timespec time = {0, 5 * CLOCK_MILLISECOND};

	nanosleep(&time, NULL);
}

/* Streams and deferred requests must be gone before the library may stop. */
static void wait_for_owners(struct http_server *server, uint64_t grace)
{
	uint64_t begun = clock_monotonic(), said = begun;
	bool cut = false;

	if (server->http2)
		http2_set_go_away(server->http2, true);
	end_streams(server, false);
	sweep_tell_all_gone(server);
	while (count_streams(server) || sweep_deferred(server)) {
		uint64_t now = clock_monotonic();

		if (now - begun >= grace && !cut) {
			cut = true;
			atomic_store(&server->cutting, true);
			sweep_cut(server, true);
		}
		/* Requests that came late became streams late. */
		end_streams(server, cut);
		sweep_tell_all_gone(server);
		if (now - said >= 5 * CLOCK_SECOND) {
			log_warning("closing waits for %zu streams and %zu unanswered requests",
				    count_streams(server), sweep_deferred(server));
			said = now;
		}
		nap();
	}
	while (!cut && atomic_load(&server->open) && clock_monotonic() - begun < grace) {
		sweep_cut(server, false);
		nap();
	}
	atomic_store(&server->cutting, true);
}

void http_server_close(struct http_server *server, uint64_t grace)
{
	if (!server)
		return;
	atomic_store(&server->closing, true);
	http_server_quiesce(server);
	sweep_cut(server, false);
	if (server->streams)
		wait_for_owners(server, grace);
	while (atomic_load(&server->open) || atomic_load(&server->detaching)) {
		sweep_cut(server, true);
		end_streams(server, true);
		sweep_tell_all_gone(server);
		nap();
	}
	for (size_t i = 0; i < server->listener_count; i++) {
		struct listener *listener = &server->listeners[i];

		/* Its threads have the descriptor until then, and it closes what it had whole. */
		if (listener->daemon) {
			mhd_stop(listener);
			if (!listener->where.inherited)
				listener->fd = -1;
		}
		cox_cleanup_close(&listener->fd);
		free(listener->address);
	}
	free(server->listeners);
	sweep_stop(server);
	if (server->http2)
		http2_set_close(server->http2);
	if (server->streams)
		stream_set_close(server->streams);
	tls_state_unref(server->tls);
	if (server->ticket_key.data) {
		gnutls_memset(server->ticket_key.data, 0, server->ticket_key.size);
		gnutls_free(server->ticket_key.data);
	}
	pthread_mutex_destroy(&server->mutex);
	pthread_mutex_destroy(&server->tls_mutex);
	free(server);
}

void http_server_count(struct http_server *server, struct http_server_counts *counts)
{
	*counts = (struct http_server_counts){.accepted = atomic_load(&server->accepted),
					      .requests = atomic_load(&server->requests),
					      .refused = atomic_load(&server->refused),
					      .cut = atomic_load(&server->cut),
					      .connections = atomic_load(&server->open),
					      .deferred = sweep_deferred(server),
					      .streams = count_streams(server)};
}
