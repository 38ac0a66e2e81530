/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP: one connection from the client, one to an endpoint, and the bytes of
 * both ways. What one side does not take at once waits in one buffer, and as
 * long as it waits nothing more is read from the other side. The end of one
 * way is passed on as such (half-close); a reset of one side resets the other.
 */
#include "relay.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { ACCEPTS_A_TURN = 64, READS_A_TURN = 4, CLIENT = 0, BACKEND = 1 };

/* How long each try to connect may take. */
static const uint64_t time_outs[CONNECT_TRIES] = {250 * MILLISECOND, 500 * MILLISECOND, 1 * SECOND,
						  2 * SECOND};

struct side {
	struct watched watched;
	char *waiting; /* to be written to this side */
	size_t waiting_at, waiting_end;
	bool ended; /* it has sent everything */
	bool shut;  /* it was told that nothing more comes */
};

struct stream {
	struct loop *loop;
	struct balance *balance;
	struct side sides[2];
	struct address client, endpoint;
	uint64_t deadline; /* of the try to connect */
	int attempt;	   /* counts from 0; CONNECT_TRIES: connected */
	bool dead;
	TAILQ_ENTRY(stream) link, connecting;
};

static void stop_connecting(struct stream *stream)
{
	if (stream->attempt >= 0 && stream->attempt < CONNECT_TRIES && stream->deadline)
		TAILQ_REMOVE(&stream->loop->connecting[stream->attempt], stream, connecting);
	stream->deadline = 0;
}

static void close_side(struct stream *stream, struct side *side, bool reset)
{
	static const struct linger now = {.l_onoff = 1, .l_linger = 0};

	if (side->watched.fd < 0)
		return;
	watch(stream->loop, &side->watched, 0);
	if (reset)
		(void)setsockopt(side->watched.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(cox_steal_fd(&side->watched.fd));
}

/* Freed later: other events of this turn may point at it. */
static void stream_end(struct stream *stream, bool reset)
{
	if (stream->dead)
		return;
	stop_connecting(stream);
	close_side(stream, &stream->sides[CLIENT], reset);
	close_side(stream, &stream->sides[BACKEND], reset);
	stream->dead = true;
	TAILQ_REMOVE(&stream->loop->streams, stream, link);
	TAILQ_INSERT_TAIL(&stream->loop->dead, stream, link);
}

void streams_bury(struct loop *loop)
{
	struct stream *stream;

	while ((stream = TAILQ_FIRST(&loop->dead))) {
		TAILQ_REMOVE(&loop->dead, stream, link);
		free(stream->sides[CLIENT].waiting);
		free(stream->sides[BACKEND].waiting);
		balance_unref(stream->balance);
		relay_dismiss(loop->relay);
		free(stream);
	}
}

void streams_close(struct loop *loop)
{
	while (!TAILQ_EMPTY(&loop->streams))
		stream_end(TAILQ_FIRST(&loop->streams), false);
}

/* ---- moving bytes ---- */

static bool is_waiting(const struct side *side)
{
	return side->waiting_at < side->waiting_end;
}

/* 0, or -1: the connection is over. */
static int shut(struct side *side)
{
	if (side->shut)
		return 0;
	side->shut = true;
	return shutdown(side->watched.fd, SHUT_WR);
}

static int write_some(struct side *side, const char *data, size_t size, size_t *written)
{
	ssize_t done = send(side->watched.fd, data, size, MSG_NOSIGNAL);

	if (done < 0 && errno != EAGAIN && errno != EINTR)
		return -1;
	*written = done < 0 ? 0 : (size_t)done;
	return 0;
}

static int write_waiting(struct side *to)
{
	size_t written = 0;

	if (!is_waiting(to))
		return 0;
	if (write_some(to, to->waiting + to->waiting_at, to->waiting_end - to->waiting_at,
		       &written))
		return -1;
	to->waiting_at += written;
	if (!is_waiting(to)) {
		free(cox_steal(to->waiting));
		to->waiting_at = to->waiting_end = 0;
	}
	return 0;
}

/* Reads from one side and writes to the other, for a bounded time. */
static int move(struct stream *stream, struct side *from, struct side *to)
{
	char *scratch = stream->loop->scratch;

	for (int i = 0; i < READS_A_TURN && !from->ended && !is_waiting(to); i++) {
		ssize_t got = recv(from->watched.fd, scratch, SCRATCH_SIZE, 0);
		size_t written = 0;

		if (got < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		if (!got) {
			from->ended = true;
			break;
		}
		if (write_some(to, scratch, (size_t)got, &written))
			return -1;
		if (written < (size_t)got) {
			to->waiting_end = (size_t)got - written;
			to->waiting = cox_memdup(scratch + written, to->waiting_end);
		}
		if (got < SCRATCH_SIZE)
			break;
	}
	return 0;
}

static int set_interest(struct stream *stream)
{
	struct side *client = &stream->sides[CLIENT], *backend = &stream->sides[BACKEND];
	uint32_t from_client = !client->ended && !is_waiting(backend) ? EPOLLIN : 0;
	uint32_t from_backend = !backend->ended && !is_waiting(client) ? EPOLLIN : 0;

	if (is_waiting(client))
		from_client |= EPOLLOUT;
	if (is_waiting(backend))
		from_backend |= EPOLLOUT;
	if (watch(stream->loop, &client->watched, from_client))
		return -1;
	return watch(stream->loop, &backend->watched, from_backend);
}

static int relay_way(struct stream *stream, struct side *from, struct side *to)
{
	if (write_waiting(to) || move(stream, from, to))
		return -1;
	return from->ended && !is_waiting(to) ? shut(to) : 0;
}

static void relay_both(struct stream *stream)
{
	struct side *client = &stream->sides[CLIENT], *backend = &stream->sides[BACKEND];

	if (relay_way(stream, client, backend) || relay_way(stream, backend, client) ||
	    set_interest(stream))
		stream_end(stream, true);
	else if (client->shut && backend->shut)
		stream_end(stream, false);
}

/* ---- connecting ---- */

static void prepare(int fd)
{
	static const int on = 1;

	/* What fails here is an option that only makes things better. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static void log_failed_dial(const struct stream *stream, int error)
{
	const struct cox_host *host = stream->loop->relay->config.host;
	char where[ADDRESS_TEXT_SIZE];

	if (!balance_may_complain(stream->balance, stream->loop->now))
		return;
	address_text(&stream->endpoint, where);
	host->log(host->context, COX_LOG_ERROR, "Dial failed for %s: endpoint %s: %s",
		  balance_label(stream->balance), where, strerrordesc_np(error));
}

static int dial(struct stream *stream)
{
	struct side *backend = &stream->sides[BACKEND];
	int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;

	backend->watched.fd = socket(stream->endpoint.any.sa_family, type, 0);
	if (backend->watched.fd < 0)
		return errno;
	prepare(backend->watched.fd);
	if (connect(backend->watched.fd, &stream->endpoint.any, stream->endpoint.size) &&
	    errno != EINPROGRESS)
		return errno;
	return watch(stream->loop, &backend->watched, EPOLLOUT) ? errno : 0;
}

/* The next try, until one is under way or all have failed. */
static void try_next(struct stream *stream)
{
	const struct cox_host *host = stream->loop->relay->config.host;

	stop_connecting(stream);
	while (++stream->attempt < CONNECT_TRIES) {
		int error;

		if (!balance_pick(stream->balance, &stream->client, stream->loop->now,
				  stream->attempt > 0, &stream->endpoint)) {
			if (balance_may_complain(stream->balance, stream->loop->now))
				host->log(host->context, COX_LOG_ERROR,
					  "Couldn't find an endpoint for %s: missing endpoints",
					  balance_label(stream->balance));
			break;
		}
		error = dial(stream);
		if (!error) {
			stream->deadline = stream->loop->now + time_outs[stream->attempt];
			TAILQ_INSERT_TAIL(&stream->loop->connecting[stream->attempt], stream,
					  connecting);
			return;
		}
		log_failed_dial(stream, error);
		close_side(stream, &stream->sides[BACKEND], false);
	}
	host->count(host->context, "proxy_connections_failed_total", 1);
	stream_end(stream, false);
}

static void try_failed(struct stream *stream, int error)
{
	log_failed_dial(stream, error);
	close_side(stream, &stream->sides[BACKEND], false);
	try_next(stream);
}

static void finish_connecting(struct stream *stream)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(stream->sides[BACKEND].watched.fd, SOL_SOCKET, SO_ERROR, &error, &size))
		error = errno;
	if (error) {
		try_failed(stream, error);
		return;
	}
	stop_connecting(stream);
	stream->attempt = CONNECT_TRIES;
	relay_both(stream);
}

void stream_event(struct stream *stream, enum watched_kind side, uint32_t events)
{
	(void)side;
	if (stream->dead)
		return;
	if (stream->attempt < CONNECT_TRIES)
		finish_connecting(stream);
	else if (events & EPOLLERR)
		stream_end(stream, true);
	else
		relay_both(stream);
}

void streams_expire(struct loop *loop)
{
	for (int i = 0; i < CONNECT_TRIES; i++) {
		struct stream *stream;

		while ((stream = TAILQ_FIRST(&loop->connecting[i])) &&
		       stream->deadline <= loop->now)
			try_failed(stream, ETIMEDOUT);
	}
}

uint64_t streams_deadline(const struct loop *loop)
{
	uint64_t next = 0;

	for (int i = 0; i < CONNECT_TRIES; i++) {
		const struct stream *stream = TAILQ_FIRST(&loop->connecting[i]);

		if (stream && (!next || stream->deadline < next))
			next = stream->deadline;
	}
	return next;
}

/* ---- the beginning ---- */

void stream_begin(struct loop *loop, int fd, const struct address *client, struct balance *balance)
{
	struct stream *stream = cox_new(struct stream);
	const struct cox_host *host = loop->relay->config.host;

	stream->loop = loop;
	stream->balance = balance;
	stream->client = *client;
	stream->attempt = -1;
	stream->sides[CLIENT].watched =
		(struct watched){.fd = fd, .kind = WATCHED_CLIENT, .owner = stream};
	stream->sides[BACKEND].watched =
		(struct watched){.fd = -1, .kind = WATCHED_BACKEND, .owner = stream};
	TAILQ_INSERT_TAIL(&loop->streams, stream, link);
	prepare(fd);
	host->count(host->context, "proxy_connections_total", 1);
	try_next(stream);
}

void stream_accept(struct listener *listener)
{
	struct loop *loop = listener->loop;

	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct address client = {.size = sizeof(client.v6)};
		int fd;

		if (!relay_admit(loop->relay)) {
			listener_pause(listener);
			return;
		}
		fd = accept4(listener->watched.fd, &client.any, &client.size,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			relay_dismiss(loop->relay);
			/* A client that has gone again is no reason to stop. */
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			if (errno != EAGAIN)
				listener_pause(listener);
			return;
		}
		address_unmap(&client);
		relay_adopt(loop, fd, &client, listener->balance);
	}
}
