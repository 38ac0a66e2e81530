/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 connections and the loops that serve them; see http2.h and, for who
 * owns what, http2_inner.h.
 *
 * Life of a connection: WAIT, and back to the library if it is not for us, HANDSHAKE (the sweeper's
 * time limit for heads holds until the client's first frame), OPEN, LINGER (all was said, our side
 * is shut), OVER, given back. Its bounds: nghttp2's own for frames, header blocks and
 * acknowledgements; the budget here for what costs us work and the client none.
 */
#include "net/http2_inner.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/hello.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	EVENTS = 64,
	READ_TURN = 16,		  /* records a connection is read before others have a turn */
	WRITE_TURN = 1024 * 1024, /* bytes, likewise */
	LEAST = 2048,		  /* bytes of data for which a record is worth filling up */
	OUTBOUND_MAX = 4096,	  /* frames that wait for a client who does not read */
	BUDGET = 1000,		  /* things without a purpose that a client may do at once */
	BUDGET_RATE = 100,	  /* and a second */
	STREAM_WINDOW = 256 * 1024,
	CONNECTION_WINDOW = 1024 * 1024
};

#define TICK (500 * CLOCK_MILLISECOND)

enum { STAY, LEAVE, LEAVE_NOW };

/* With the mutex held. */
static void wake_loop(struct h2_loop *loop)
{
	uint64_t one = 1;

	if (!loop->sleeping)
		return;
	loop->sleeping = false;
	while (write(loop->event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void h2_make_ready(struct h2_stream *stream)
{
	struct h2_loop *loop = stream->loop;

	if (stream->in_ready)
		return;
	stream->in_ready = true;
	atomic_fetch_add(&stream->references, 1);
	stream->next_ready = NULL;
	*loop->ready_last = stream;
	loop->ready_last = &stream->next_ready;
	wake_loop(loop);
}

void h2_make_dirty(struct h2_connection *connection)
{
	if (connection->dirty)
		return;
	connection->dirty = true;
	connection->next_dirty = connection->loop->dirty;
	connection->loop->dirty = connection;
}

/* Says goodbye, lets what was said leave, and ends it; at the latest after the linger time. */
static void terminate(struct h2_connection *connection, uint32_t code)
{
	struct h2_loop *loop = connection->loop;

	if (connection->ending)
		return;
	connection->ending = true;
	connection->until = loop->now + loop->set->server->config.linger_time;
	if (nghttp2_session_terminate_session(connection->http, code) != 0)
		connection->until = loop->now;
	h2_make_dirty(connection);
}

void h2_charge(struct h2_connection *connection, unsigned cost)
{
	uint64_t now = connection->loop->now;
	uint64_t passed = (now - connection->budget_at) / CLOCK_MILLISECOND;

	/* one in `BUDGET_RATE` a second is BUDGET_RATE thousandths a millisecond */
	if (passed) {
		connection->budget_at = now;
		if (passed > BUDGET * 1000 / BUDGET_RATE)
			passed = BUDGET * 1000 / BUDGET_RATE;
		connection->budget += (int64_t)passed * BUDGET_RATE;
		if (connection->budget > BUDGET * 1000)
			connection->budget = BUDGET * 1000;
	}
	connection->budget -= (int64_t)cost * 1000;
	if (connection->budget < 0 && !connection->ending) {
		atomic_fetch_add(&connection->loop->set->server->cut, 1);
		terminate(connection, NGHTTP2_ENHANCE_YOUR_CALM);
	}
}

/* The end of connections */

static void free_connection(struct h2_connection *connection)
{
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
	atomic_fetch_sub(&connection->loop->connections, 1);
	free(connection);
}

static void finish(struct h2_connection *connection)
{
	struct connection *base = connection->base;

	if (base->session)
		gnutls_deinit(base->session);
	base->session = NULL;
	free_connection(connection);
	mhd_give_back(base);
}

static void unwatch(struct h2_connection *connection)
{
	if (connection->registered)
		epoll_ctl(connection->loop->epoll, EPOLL_CTL_DEL, connection->base->fd, NULL);
	connection->registered = false;
}

/* Nothing more is read or written; it is given back now or with its last request. */
static void end(struct h2_connection *connection)
{
	if (connection->state != H2_OVER) {
		unwatch(connection);
		shutdown(connection->base->fd, SHUT_RDWR);
		atomic_store(&connection->base->deadline, 0);
		connection->state = H2_OVER;
	}
	/* In the list of the dirty it is looked at once more. */
	if (!connection->held && !connection->dirty)
		finish(connection);
}

/* With `proper` all was said; without, the client is gone or to be cut. */
static void close_connection(struct h2_connection *connection, bool proper)
{
	struct h2_loop *loop = connection->loop;

	if (connection->state == H2_OPEN) {
		while (connection->streams)
			h2_stream_close(connection->streams);
		nghttp2_session_del(connection->http);
		connection->http = NULL;
		connection->pending_size = 0;
		if (proper) {
			gnutls_bye(connection->base->session, GNUTLS_SHUT_WR);
			shutdown(connection->base->fd, SHUT_WR);
			connection->state = H2_LINGER;
			connection->until = loop->now + loop->set->server->config.linger_time;
			return;
		}
	}
	end(connection);
}

/* Writing */

/*
 * Bytes of frames into the loop's buffer, up to `room`. Data goes there by itself,
 * a frame at a time (h2_put_data); other frames lie at nghttp2.
 */
static ssize_t gather(struct h2_connection *connection, size_t room)
{
	struct h2_loop *loop = connection->loop;

	loop->filled = 0;
	loop->room = room;
	while (loop->filled == 0 || loop->filled + H2_FRAME_HEAD + LEAST <= room) {
		size_t filled = loop->filled, part;

		if (!connection->pending_size) {
			ssize_t next =
				nghttp2_session_mem_send(connection->http, &connection->pending);

			if (next < 0)
				return -1;
			if (next == 0 && loop->filled == filled)
				break;
			connection->pending_size = (size_t)next;
		}
		part = connection->pending_size;
		if (part > room - loop->filled)
			part = room - loop->filled;
		if (part)
			memcpy(loop->buffer + loop->filled, connection->pending, part);
		connection->pending += part;
		connection->pending_size -= part;
		loop->filled += part;
	}
	return (ssize_t)loop->filled;
}

static ssize_t send_record(struct h2_connection *connection)
{
	gnutls_session_t session = connection->base->session;
	size_t room = gnutls_record_get_max_size(session);
	ssize_t size = 0, sent;

	if (!connection->tls_unsent) {
		size = gather(connection, room < H2_RECORD ? room : H2_RECORD);
		if (size <= 0)
			return size;
	}
	sent = gnutls_record_send(session, size ? connection->loop->buffer : NULL, (size_t)size);
	connection->tls_unsent = sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED;
	connection->blocked = connection->tls_unsent;
	if (sent < 0)
		return connection->tls_unsent ? 0 : -1;
	return sent;
}

/* Writes what can be written; -1: the connection is no good any more. */
static int send_frames(struct h2_connection *connection)
{
	size_t turn = 0;

	while (!connection->blocked) {
		ssize_t size;

		if (turn >= WRITE_TURN) {
			h2_make_dirty(connection);
			return 0;
		}
		size = send_record(connection);
		if (size < 0)
			return -1;
		if (size == 0)
			return 0;
		turn += (size_t)size;
	}
	return 0;
}

static int watch(struct h2_connection *connection)
{
	struct epoll_event event = {.data.ptr = connection, .events = EPOLLIN | EPOLLRDHUP};

	if (connection->blocked && connection->state != H2_LINGER)
		event.events |= EPOLLOUT;
	if (connection->registered && event.events == connection->events)
		return 0;
	connection->events = event.events;
	if (epoll_ctl(connection->loop->epoll,
		      connection->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, connection->base->fd,
		      &event) != 0)
		return -1;
	connection->registered = true;
	return 0;
}

/* More waits for the client than answers to what it may ask at a time. */
static bool reads_nothing(const struct h2_connection *connection)
{
	size_t waiting = nghttp2_session_get_outbound_queue_size(connection->http);

	return waiting > OUTBOUND_MAX + 2 * connection->loop->set->server->config.http2_streams;
}

static void flush(struct h2_connection *connection)
{
	if (connection->state == H2_OVER) {
		end(connection);
		return;
	}
	if (connection->state != H2_OPEN)
		return;
	if (send_frames(connection) != 0 || reads_nothing(connection)) {
		close_connection(connection, false);
		return;
	}
	if (!connection->blocked && !connection->dirty &&
	    !nghttp2_session_want_read(connection->http) &&
	    !nghttp2_session_want_write(connection->http)) {
		close_connection(connection, true);
		if (connection->state == H2_LINGER && watch(connection) != 0)
			close_connection(connection, false);
		return;
	}
	if (!connection->blocked)
		h2_streams_tell_writable(connection);
	if (watch(connection) != 0)
		close_connection(connection, false);
}

static void flush_dirty(struct h2_loop *loop)
{
	struct h2_connection *dirty = loop->dirty, *connection;

	loop->dirty = NULL;
	while ((connection = dirty)) {
		dirty = connection->next_dirty;
		connection->dirty = false;
		flush(connection);
	}
}

/* Reading */

/* Lets the client say what it wants, until it hangs up. */
static void drain(struct h2_connection *connection)
{
	struct h2_loop *loop = connection->loop;

	for (int turn = 0; turn < READ_TURN; turn++) {
		ssize_t size = recv(connection->base->fd, loop->buffer, sizeof(loop->buffer), 0);

		if (size > 0 || (size < 0 && errno == EINTR))
			continue;
		if (size == 0 || errno != EAGAIN)
			close_connection(connection, false);
		return;
	}
}

static void read_frames(struct h2_connection *connection)
{
	struct h2_loop *loop = connection->loop;

	for (int turn = 0; turn < READ_TURN && !connection->ending; turn++) {
		ssize_t size = gnutls_record_recv(connection->base->session, loop->buffer,
						  H2_RECORD),
			taken;

		if (size < 0 && !gnutls_error_is_fatal((int)size))
			break;
		if (size <= 0) {
			close_connection(connection, false);
			return;
		}
		connection->heard = loop->now;
		connection->pinged = 0;
		taken = nghttp2_session_mem_recv(connection->http, (const uint8_t *)loop->buffer,
						 (size_t)size);
		h2_make_dirty(connection);
		if (taken < 0) {
			log_verbose(4, "HTTP/2 of %s: %s", connection->base->peer,
				    nghttp2_strerror((int)taken));
			if (taken == NGHTTP2_ERR_FLOODED && !connection->ending)
				atomic_fetch_add(&loop->set->server->cut, 1);
			terminate(connection, taken == NGHTTP2_ERR_FLOODED
						      ? NGHTTP2_ENHANCE_YOUR_CALM
						      : NGHTTP2_PROTOCOL_ERROR);
			return;
		}
	}
	/* What it goes on to say is not listened to, but the socket tells of it for ever. */
	if (connection->ending)
		drain(connection);
}

/* Beginning */

/*
 * Each session has a buffer of 16 KB for frames, data excepted. Nearly all use
 * only its beginning: what comes behind it takes no memory if it has pages of its own.
 */
static void *session_malloc(size_t size, void *context)
{
	struct h2_connection *connection = context;
	void *pages;

	if (size < H2_RECORD || connection->frames)
		return malloc(size);
	pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return malloc(size);
	connection->frames = pages;
	connection->frames_size = size;
	return pages;
}

static void session_free(void *memory, void *context)
{
	struct h2_connection *connection = context;

	if (!memory || memory != connection->frames) {
		free(memory);
		return;
	}
	munmap(memory, connection->frames_size);
	connection->frames = NULL;
}

static void *session_calloc(size_t count, size_t size, void *context)
{
	(void)context;
	return calloc(count, size);
}

static void *session_realloc(void *memory, size_t size, void *context)
{
	struct h2_connection *connection = context;
	size_t old = connection->frames_size;
	void *other;

	if (!memory)
		return session_malloc(size, context);
	if (memory != connection->frames)
		return realloc(memory, size);
	other = malloc(size);
	if (!other)
		return NULL;
	memcpy(other, memory, size < old ? size : old);
	session_free(memory, context);
	return other;
}

static int begin_http(struct h2_connection *connection)
{
	struct http2_set *set = connection->loop->set;
	const struct http_config *config = &set->server->config;
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, config->http2_streams},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)config->head_bytes}};
	nghttp2_mem memory = {connection, session_malloc, session_free, session_calloc,
			      session_realloc};
	gnutls_datum_t protocol;

	if (gnutls_alpn_get_selected_protocol(connection->base->session, &protocol) != 0 ||
	    protocol.size != 2 || memcmp(protocol.data, "h2", 2) != 0)
		return -1;
	if (nghttp2_session_server_new3(&connection->http, set->callbacks, connection, set->options,
					&memory) != 0)
		return -1;
	connection->state = H2_OPEN;
	connection->budget = BUDGET * 1000;
	connection->budget_at = connection->heard = connection->loop->now;
	if (nghttp2_submit_settings(connection->http, NGHTTP2_FLAG_NONE, settings,
				    sizeof(settings) / sizeof(settings[0])) != 0 ||
	    nghttp2_session_set_local_window_size(connection->http, NGHTTP2_FLAG_NONE, 0,
						  CONNECTION_WINDOW) != 0)
		return -1;
	if (connection->loop->left == LEAVE_NOW)
		nghttp2_submit_goaway(connection->http, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR,
				      NULL, 0);
	h2_make_dirty(connection);
	return 0;
}

static void shake_hands(struct h2_connection *connection)
{
	int result;

	do {
		result = gnutls_handshake(connection->base->session);
	} while (result < 0 && result != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(result));
	if (result == GNUTLS_E_AGAIN) {
		connection->blocked = gnutls_record_get_direction(connection->base->session) != 0;
		if (watch(connection) != 0)
			close_connection(connection, false);
		return;
	}
	connection->blocked = false;
	if (result < 0 || begin_http(connection) != 0) {
		log_verbose(4, "TLS of %s: %s", connection->base->peer, gnutls_strerror(result));
		/* the client is told what it did wrong, if it listens */
		if (result < 0)
			gnutls_alert_send_appropriate(connection->base->session, result);
		close_connection(connection, false);
	}
}

static int make_session(struct h2_loop *loop, struct connection *base)
{
	static unsigned char name[] = "h2";
	const gnutls_datum_t protocol = {name, 2};

	if (gnutls_init(&base->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) != 0) {
		base->session = NULL;
		return -1;
	}
	if (gnutls_priority_set(base->session, loop->set->priorities) != 0 ||
	    gnutls_alpn_set_protocols(base->session, &protocol, 1, GNUTLS_ALPN_MANDATORY) != 0 ||
	    tls_session_prepare(base->tls, base->session, &loop->set->server->ticket_key) != 0)
		return -1;
	gnutls_transport_set_int(base->session, base->fd);
	return 0;
}

/* It is not for us, or not yet. */
static void go_back(struct h2_connection *connection)
{
	struct connection *base = connection->base;

	unwatch(connection);
	free_connection(connection);
	mhd_go_on(base);
}

/* Something has come of a client that was waited for. */
static void look(struct h2_connection *connection, uint32_t events)
{
	struct h2_loop *loop = connection->loop;
	struct connection *base = connection->base;
	uint8_t *hello = (uint8_t *)loop->buffer;
	ssize_t seen = base->settled ? 0 : recv(base->fd, hello, HELLO_MAX, MSG_PEEK);
	enum hello what = seen > 0 ? hello_read(hello, (size_t)seen) : HELLO_OTHER;

	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		base->settled = true; /* it will say no more */
	else if (what == HELLO_MORE || (seen < 0 && errno == EAGAIN))
		return;
	if (what != HELLO_H2 || base->settled) {
		go_back(connection);
		return;
	}
	unwatch(connection);
	base->session = NULL; /* the library's, which goes unused */
	connection->state = H2_HANDSHAKE;
	if (mhd_detach(base) != 0 || make_session(loop, base) != 0) {
		log_error("a TLS session could not be made");
		close_connection(connection, false);
		return;
	}
	shake_hands(connection);
}

static void arrive(struct h2_loop *loop, struct connection *base)
{
	struct h2_connection *connection = cox_new(struct h2_connection);
	struct epoll_event event = {.data.ptr = connection,
				    .events = EPOLLIN | EPOLLRDHUP | EPOLLET};

	connection->loop = loop;
	connection->base = base;
	connection->next = loop->all;
	connection->link = &loop->all;
	if (connection->next)
		connection->next->link = &connection->next;
	loop->all = connection;
	/* By edges: part of a ClientHello would be told of for ever. */
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, base->fd, &event) == 0)
		connection->registered = true;
	else
		go_back(connection);
}

static void handle_event(struct h2_connection *connection, uint32_t events)
{
	switch (connection->state) {
	case H2_WAIT:
		look(connection, events);
		break;
	case H2_HANDSHAKE:
		shake_hands(connection);
		break;
	case H2_OPEN:
		if (events & EPOLLOUT) {
			connection->blocked = false;
			h2_make_dirty(connection);
		}
		if (events & (EPOLLHUP | EPOLLERR))
			close_connection(connection, false);
		else if (events & (EPOLLIN | EPOLLRDHUP))
			read_frames(connection);
		break;
	case H2_LINGER:
		drain(connection);
		break;
	default:
		break;
	}
}

/* Time */

/* A client that has said nothing for long is asked whether it is still there. */
static bool is_silent(struct h2_connection *connection)
{
	uint64_t limit = connection->loop->set->server->config.ping_time;
	uint64_t now = connection->loop->now;

	if (!connection->streams || now - connection->heard < limit)
		return false;
	if (connection->pinged)
		return now - connection->pinged >= limit;
	connection->pinged = now;
	nghttp2_submit_ping(connection->http, NGHTTP2_FLAG_NONE, NULL);
	h2_make_dirty(connection);
	return false;
}

static void check_idle(struct h2_connection *connection)
{
	struct h2_loop *loop = connection->loop;

	if (connection->streams || connection->held || !connection->greeted)
		connection->idle_since = 0;
	else if (!connection->idle_since)
		connection->idle_since = loop->now;
	else if (loop->now - connection->idle_since >= loop->set->server->config.idle_time)
		terminate(connection, NGHTTP2_NO_ERROR);
}

static void check_time(struct h2_connection *connection)
{
	struct h2_loop *loop = connection->loop;

	if (connection->until && loop->now >= connection->until) {
		close_connection(connection, false);
		return;
	}
	if (connection->state != H2_OPEN)
		return;
	if ((connection->timed && h2_streams_check_time(connection)) || is_silent(connection)) {
		atomic_fetch_add(&loop->set->server->cut, 1);
		close_connection(connection, false);
		return;
	}
	check_idle(connection);
}

static uint64_t tick_of(const struct h2_loop *loop)
{
	uint64_t period = loop->set->server->config.head_time / 8;

	return period < TICK ? period : TICK;
}

static void tick(struct h2_loop *loop)
{
	struct h2_connection *next;

	if (loop->now - loop->ticked < tick_of(loop))
		return;
	loop->ticked = loop->now;
	for (struct h2_connection *at = loop->all; at; at = next) {
		next = at->next;
		check_time(at);
	}
}

/* The loop */

static void leave(struct h2_loop *loop, uint8_t how)
{
	if (how <= loop->left)
		return;
	loop->left = how;
	for (struct h2_connection *at = loop->all; at; at = at->next) {
		if (at->state != H2_OPEN)
			continue;
		if (how == LEAVE)
			nghttp2_submit_shutdown_notice(at->http);
		else
			nghttp2_submit_goaway(at->http, NGHTTP2_FLAG_NONE,
					      nghttp2_session_get_last_proc_stream_id(at->http),
					      NGHTTP2_NO_ERROR, NULL, 0);
		h2_make_dirty(at);
	}
}

static void end_streams(struct h2_loop *loop, bool cut)
{
	for (struct h2_connection *at = loop->all; at; at = at->next)
		for (struct h2_stream *stream = at->streams; stream; stream = stream->next)
			h2_stream_finish(stream, cut);
}

/* What others have asked for since the last round. */
static void take_orders(struct h2_loop *loop)
{
	struct connection *arriving, *base;
	struct h2_stream *ready, *stream;
	bool ends, cuts;
	uint8_t leaving;

	pthread_mutex_lock(&loop->mutex);
	arriving = loop->arriving;
	loop->arriving = NULL;
	loop->arriving_last = &loop->arriving;
	ends = loop->end_streams;
	cuts = loop->cut_streams;
	loop->end_streams = loop->cut_streams = false;
	leaving = loop->leaving;
	pthread_mutex_unlock(&loop->mutex);
	while ((base = arriving)) {
		arriving = base->next_arriving;
		arrive(loop, base);
	}
	leave(loop, leaving);
	if (ends || cuts)
		end_streams(loop, cuts);

	pthread_mutex_lock(&loop->mutex);
	ready = loop->ready;
	loop->ready = NULL;
	loop->ready_last = &loop->ready;
	pthread_mutex_unlock(&loop->mutex);
	while ((stream = ready)) {
		pthread_mutex_lock(&loop->mutex);
		ready = stream->next_ready;
		stream->in_ready = false;
		pthread_mutex_unlock(&loop->mutex);
		h2_stream_attend(stream);
		h2_stream_unref(stream);
	}
}

static int timeout_of(const struct h2_loop *loop)
{
	uint64_t now, next;

	if (loop->dirty)
		return 0;
	if (!loop->all)
		return -1;
	now = clock_monotonic();
	next = loop->ticked + tick_of(loop);
	return now >= next ? 0 : (int)((next - now) / CLOCK_MILLISECOND) + 1;
}

static void *run_loop(void *context)
{
	struct h2_loop *loop = context;
	struct epoll_event events[EVENTS];

	pthread_setname_np(pthread_self(), "http2");
	for (;;) {
		int timeout = timeout_of(loop), count;
		bool stop, idle;

		pthread_mutex_lock(&loop->mutex);
		idle = !loop->ready && !loop->arriving && !loop->end_streams &&
		       !loop->cut_streams && loop->leaving == loop->left;
		loop->sleeping = idle;
		stop = loop->stopping && idle && !loop->all;
		pthread_mutex_unlock(&loop->mutex);
		if (stop)
			return NULL;
		count = epoll_wait(loop->epoll, events, EVENTS, idle ? timeout : 0);
		pthread_mutex_lock(&loop->mutex);
		loop->sleeping = false;
		pthread_mutex_unlock(&loop->mutex);
		loop->now = clock_monotonic();
		for (int i = 0; i < count; i++) {
			uint64_t value;

			if (events[i].data.ptr)
				handle_event(events[i].data.ptr, events[i].events);
			else if (read(loop->event, &value, sizeof(value)) < 0 && errno != EAGAIN)
				log_error("read an event counter: %d", errno);
		}
		take_orders(loop);
		flush_dirty(loop);
		tick(loop);
	}
}

/* The set */

static void close_loop(struct h2_loop *loop)
{
	if (loop->epoll >= 0)
		close(loop->epoll);
	if (loop->event >= 0)
		close(loop->event);
	pthread_mutex_destroy(&loop->mutex);
	free(loop);
}

/* With the set's mutex held. */
static int open_loop(struct http2_set *set)
{
	struct h2_loop *loop = cox_new(struct h2_loop);
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t all, saved;
	int failed;

	loop->set = set;
	loop->leaving = set->leaving;
	pthread_mutex_init(&loop->mutex, NULL);
	loop->ready_last = &loop->ready;
	loop->arriving_last = &loop->arriving;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll < 0 || loop->event < 0 ||
	    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->event, &event) != 0) {
		failed = errno;
	} else {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &saved);
		failed = pthread_create(&loop->thread, NULL, run_loop, loop);
		pthread_sigmask(SIG_SETMASK, &saved, NULL);
	}
	if (failed) {
		close_loop(loop);
		errno = failed;
		return -1;
	}
	set->loops[set->count++] = loop;
	return 0;
}

static int prepare(struct http2_set *set)
{
	if (set->prepared)
		return 0;
	if ((!set->priorities &&
	     gnutls_priority_init(&set->priorities, TLS_PRIORITIES, NULL) != 0) ||
	    (!set->callbacks && nghttp2_session_callbacks_new(&set->callbacks) != 0) ||
	    (!set->options && nghttp2_option_new(&set->options) != 0)) {
		errno = ENOMEM;
		return -1;
	}
	h2_callbacks_fill(set->callbacks);
	nghttp2_option_set_no_closed_streams(set->options, 1);
	/* Blanks around values are trimmed, as those of HTTP/1.1 are. */
	nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(set->options, 1);
	/*
	 * A table of what was said would grow to 10 KB for each client, mostly of
	 * headers that are never the same twice. (To want a smaller one of clients
	 * would end what older Go clients say: they do not hear of it.)
	 */
	nghttp2_option_set_max_deflate_dynamic_table_size(set->options, 0);
	/* Our own budget comes first, and says what it is. */
	nghttp2_option_set_stream_reset_rate_limit(set->options, 2 * BUDGET, 2 * BUDGET_RATE);
	nghttp2_option_set_max_outbound_ack(set->options, (size_t)2 * BUDGET);
	set->prepared = true;
	return 0;
}

/* The one with the fewest connections; NULL: there is none. With the set's mutex held. */
static struct h2_loop *least_loaded(const struct http2_set *set)
{
	struct h2_loop *least = NULL;

	for (unsigned i = 0; i < set->count; i++)
		if (!least ||
		    atomic_load(&set->loops[i]->connections) < atomic_load(&least->connections))
			least = set->loops[i];
	return least;
}

int http2_set_begin(struct http2_set *set)
{
	const struct h2_loop *least;

	cox_lock_scope(&set->mutex);
	least = least_loaded(set);
	if (set->count == set->most || (least && !atomic_load(&least->connections)))
		return 0;
	if (prepare(set) == 0 && open_loop(set) == 0) {
		set->failing = false;
		return 0;
	}
	if (!set->failing)
		log_error("begin an HTTP/2 thread: %s", strerror(errno));
	set->failing = true;
	return least ? 0 : -1;
}

void http2_set_take(struct http2_set *set, struct connection *connection)
{
	struct h2_loop *loop;

	cox_lock_scope(&set->mutex);
	loop = least_loaded(set);
	atomic_fetch_add(&loop->connections, 1);
	cox_lock_scope(&loop->mutex);
	connection->next_arriving = NULL;
	*loop->arriving_last = connection;
	loop->arriving_last = &connection->next_arriving;
	wake_loop(loop);
}

void http2_set_go_away(struct http2_set *set, bool now)
{
	cox_lock_scope(&set->mutex);
	if (set->leaving != LEAVE_NOW)
		set->leaving = now ? LEAVE_NOW : LEAVE;
	for (unsigned i = 0; i < set->count; i++) {
		struct h2_loop *loop = set->loops[i];

		cox_lock_scope(&loop->mutex);
		loop->leaving = set->leaving;
		wake_loop(loop);
	}
}

void http2_set_end(struct http2_set *set, bool cut)
{
	if (!atomic_load(&set->streams))
		return;
	cox_lock_scope(&set->mutex);
	for (unsigned i = 0; i < set->count; i++) {
		struct h2_loop *loop = set->loops[i];

		cox_lock_scope(&loop->mutex);
		loop->end_streams = true;
		loop->cut_streams |= cut;
		wake_loop(loop);
	}
}

size_t http2_set_count(struct http2_set *set)
{
	return atomic_load(&set->streams);
}

void http2_set_close(struct http2_set *set)
{
	for (unsigned i = 0; i < set->count; i++) {
		struct h2_loop *loop = set->loops[i];

		pthread_mutex_lock(&loop->mutex);
		loop->stopping = true;
		wake_loop(loop);
		pthread_mutex_unlock(&loop->mutex);
		pthread_join(loop->thread, NULL);
		close_loop(loop);
	}
	if (set->priorities)
		gnutls_priority_deinit(set->priorities);
	nghttp2_session_callbacks_del(set->callbacks);
	nghttp2_option_del(set->options);
	pthread_mutex_destroy(&set->mutex);
	free(set);
}

struct http2_set *http2_set_open(struct http_server *server, unsigned threads)
{
	struct http2_set *set = cox_calloc(1, sizeof(*set) + threads * sizeof(set->loops[0]));

	set->server = server;
	set->most = threads;
	pthread_mutex_init(&set->mutex, NULL);
	return set;
}
