/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams over sockets; see the header. Each stream belongs to one loop, whose
 * thread alone touches the socket, the TLS session and the outgoing queue.
 * Other threads reach it through what the loop's mutex guards: the incoming
 * queue, the flags, and the list of streams that want attention. A wake is one
 * link in that list, and one eventfd write only if the loop sleeps.
 *
 * Life: OPEN (writing, reading), LINGER (all written, our side is shut, waiting
 * a bounded time for the client to hang up, so that its kernel does not throw
 * away what we said), DONE (handed back).
 */
#include "net/stream.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/pieces.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
	EVENTS = 64,
	IOVECS = 64,
	BUFFER = 64 * 1024,
	RECORD = 16 * 1024,	  /* the largest TLS record */
	WRITE_TURN = 1024 * 1024, /* bytes a stream writes before others have a turn */
	READ_TURN = 16		  /* reads, likewise */
};

enum state { OPEN, LINGER, DONE };

struct stream {
	struct http_stream base;
	struct stream_loop *loop;
	struct stream *next, **link; /* all of the loop; under the mutex */
	struct stream *next_ready;   /* under the mutex */
	struct piece_queue incoming; /* under the mutex */
	struct piece_queue outgoing; /* the loop's */
	size_t offset;		     /* written of outgoing.first, framing included */
	_Atomic size_t queued;
	_Atomic unsigned references;
	_Atomic bool paused;
	bool in_ready, woken, ended, cut, closed; /* under the mutex */
	bool registered, blocked, upgraded, chunked, no_body, peer_gone, last_queued, owes_writable;
	bool tls_unsent; /* a record that GnuTLS keeps until the socket takes it */
	uint8_t state;
	uint32_t events;
	struct http_stream_callbacks callbacks;
	void *context;
	struct stream_socket socket;
	struct stream *next_linger, **link_linger;
	uint64_t linger_until;
};

struct stream_loop {
	struct stream_set *set;
	pthread_t thread;
	pthread_mutex_t mutex;
	int epoll, event;
	bool sleeping, stopping;
	size_t count;
	struct stream *all;
	struct stream *ready, **ready_last;
	/* the thread's own */
	struct stream *lingering, **lingering_last;
	char buffer[BUFFER];
};

struct stream_set {
	size_t queue;
	uint64_t linger;
	unsigned count;
	_Atomic unsigned next;
	struct stream_loop *loops[];
};

static void unref(struct stream *stream)
{
	if (atomic_fetch_sub(&stream->references, 1) != 1)
		return;
	piece_queue_free(&stream->incoming);
	free(stream);
}

/* With the mutex held: has the loop look at the stream. */
static void make_ready(struct stream *stream)
{
	struct stream_loop *loop = stream->loop;
	uint64_t one = 1;

	if (stream->in_ready)
		return;
	stream->in_ready = true;
	atomic_fetch_add(&stream->references, 1);
	stream->next_ready = NULL;
	*loop->ready_last = stream;
	loop->ready_last = &stream->next_ready;
	if (loop->sleeping) {
		loop->sleeping = false;
		while (write(loop->event, &one, sizeof(one)) < 0 && errno == EINTR)
			;
	}
}

/* The functions of http.h */

static int write_node(struct stream *stream, const struct http_piece *piece, size_t inline_size)
{
	struct piece_node *node;

	/* An empty chunk would end the stream; a size must fit into `before`. */
	if (piece->size == 0 || piece->size > PIECE_MAX) {
		piece_release(piece);
		return piece->size == 0 ? 0 : -1;
	}
	node = piece_node_new(piece, inline_size, stream->chunked);
	pthread_mutex_lock(&stream->loop->mutex);
	if (!stream->ended && !stream->closed && !stream->no_body &&
	    atomic_load(&stream->queued) < stream->loop->set->queue) {
		piece_queue_add(&stream->incoming, node);
		atomic_fetch_add(&stream->queued, node->size);
		make_ready(stream);
		node = NULL;
	}
	pthread_mutex_unlock(&stream->loop->mutex);
	if (!node)
		return 0;
	piece_release(&node->piece);
	free(node);
	return -1;
}

static int stream_write(struct http_stream *base, const struct http_piece *piece)
{
	/* A piece without an owner is constant: so the promise of http.h. */
	return write_node((struct stream *)base, piece, 0);
}

static int stream_copy(struct http_stream *base, const void *data, size_t size)
{
	struct http_piece piece = {.data = data, .size = size};

	return write_node((struct stream *)base, &piece, size);
}

static void stream_wake(struct http_stream *base)
{
	struct stream *stream = (struct stream *)base;

	cox_lock_scope(&stream->loop->mutex);
	if (stream->closed)
		return;
	stream->woken = true;
	make_ready(stream);
}

static void stream_pause(struct http_stream *base, bool paused)
{
	struct stream *stream = (struct stream *)base;

	cox_lock_scope(&stream->loop->mutex);
	atomic_store(&stream->paused, paused);
	if (!stream->closed)
		make_ready(stream);
}

static size_t stream_queued(struct http_stream *base)
{
	return atomic_load(&((struct stream *)base)->queued);
}

static void end_locked(struct stream *stream, bool cut)
{
	if (stream->closed)
		return;
	stream->ended = true;
	stream->cut |= cut;
	make_ready(stream);
}

static void stream_end(struct http_stream *base)
{
	struct stream *stream = (struct stream *)base;

	cox_lock_scope(&stream->loop->mutex);
	end_locked(stream, false);
}

static void stream_abort(struct http_stream *base)
{
	struct stream *stream = (struct stream *)base;

	cox_lock_scope(&stream->loop->mutex);
	end_locked(stream, true);
}

static void stream_release(struct http_stream *base)
{
	unref((struct stream *)base);
}

static const struct http_stream_ops stream_ops = {
	.write = stream_write,
	.copy = stream_copy,
	.wake = stream_wake,
	.pause = stream_pause,
	.queued = stream_queued,
	.end = stream_end,
	.abort = stream_abort,
	.release = stream_release,
};

/* Writing, on the loop */

/* Takes `size` written bytes off the queue. */
static void consume(struct stream *stream, size_t size)
{
	size_t finished = piece_queue_consume(&stream->outgoing, &stream->offset, size);

	atomic_fetch_sub(&stream->queued, finished);
}

/* Returns bytes written, 0 for "not now", -1 for "never again". */
static ssize_t write_plain(struct stream *stream)
{
	struct iovec vectors[IOVECS];
	struct msghdr message = {.msg_iov = vectors};
	ssize_t size;

	message.msg_iovlen =
		(size_t)piece_queue_gather(&stream->outgoing, stream->offset, vectors, IOVECS);
	do {
		size = sendmsg(stream->socket.fd, &message, MSG_NOSIGNAL);
	} while (size < 0 && errno == EINTR);
	if (size < 0)
		return errno == EAGAIN ? 0 : -1;
	return size;
}

static ssize_t write_tls(struct stream *stream)
{
	struct iovec vectors[IOVECS];
	char *buffer = stream->loop->buffer;
	size_t size = 0;
	ssize_t sent;
	int count;

	if (stream->tls_unsent) {
		sent = gnutls_record_send(stream->socket.session, NULL, 0);
	} else {
		count = piece_queue_gather(&stream->outgoing, stream->offset, vectors, IOVECS);
		/* A long piece goes out from where it lies, short ones together. */
		if (vectors[0].iov_len >= RECORD) {
			sent = gnutls_record_send(stream->socket.session, vectors[0].iov_base,
						  RECORD);
		} else {
			for (int i = 0; i < count && size < RECORD; i++) {
				size_t part = vectors[i].iov_len;

				if (part > RECORD - size)
					part = RECORD - size;
				memcpy(buffer + size, vectors[i].iov_base, part);
				size += part;
			}
			sent = gnutls_record_send(stream->socket.session, buffer, size);
		}
	}
	stream->tls_unsent = sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED;
	if (sent < 0)
		return stream->tls_unsent ? 0 : -1;
	return sent;
}

/* Writes what can be written; -1: the connection is no good any more. */
static int flush(struct stream *stream)
{
	size_t turn = 0;

	while (stream->outgoing.first && turn < WRITE_TURN) {
		ssize_t size = stream->socket.session ? write_tls(stream) : write_plain(stream);

		if (size < 0)
			return -1;
		stream->blocked = size == 0;
		if (size == 0)
			return 0;
		consume(stream, (size_t)size);
		turn += (size_t)size;
		stream->owes_writable |= !stream->outgoing.first;
	}
	if (stream->outgoing.first) {
		cox_lock_scope(&stream->loop->mutex);
		make_ready(stream);
	}
	return 0;
}

/* The end of streams */

static int watch(struct stream *stream)
{
	struct epoll_event event = {.data.ptr = stream};
	bool reads = stream->upgraded && !atomic_load(&stream->paused);

	/* A paused stream that watched for hanging up would be told without end. */
	if (stream->state == LINGER || reads)
		event.events = EPOLLIN | EPOLLRDHUP;
	else if (!stream->upgraded)
		event.events = EPOLLRDHUP;
	if (stream->blocked)
		event.events |= EPOLLOUT;
	if (stream->registered && event.events == stream->events)
		return 0;
	stream->events = event.events;
	if (epoll_ctl(stream->loop->epoll, stream->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
		      stream->socket.fd, &event) != 0)
		return -1;
	stream->registered = true;
	return 0;
}

/* Hands the connection back. */
static void finish(struct stream *stream)
{
	struct stream_loop *loop = stream->loop;

	if (stream->state == LINGER) {
		*stream->link_linger = stream->next_linger;
		if (stream->next_linger)
			stream->next_linger->link_linger = stream->link_linger;
		else
			loop->lingering_last = stream->link_linger;
	}
	stream->state = DONE;
	if (stream->registered)
		epoll_ctl(loop->epoll, EPOLL_CTL_DEL, stream->socket.fd, NULL);
	pthread_mutex_lock(&loop->mutex);
	*stream->link = stream->next;
	if (stream->next)
		stream->next->link = stream->link;
	loop->count--;
	pthread_mutex_unlock(&loop->mutex);
	stream->socket.finished(stream->socket.owner);
	unref(stream);
}

/* Tells the owner the end, then lingers if the client may still be reading. */
static void close_stream(struct stream *stream, bool complete)
{
	struct stream_loop *loop = stream->loop;

	if (stream->state != OPEN)
		return;
	pthread_mutex_lock(&loop->mutex);
	stream->closed = true;
	piece_queue_move(&stream->outgoing, &stream->incoming);
	pthread_mutex_unlock(&loop->mutex);
	piece_queue_free(&stream->outgoing);
	atomic_store(&stream->queued, 0);
	if (stream->callbacks.closed)
		stream->callbacks.closed(&stream->base, stream->context, complete);
	if (!complete || stream->peer_gone) {
		finish(stream);
		return;
	}
	if (stream->socket.session)
		gnutls_bye(stream->socket.session, GNUTLS_SHUT_WR);
	shutdown(stream->socket.fd, SHUT_WR);
	stream->state = LINGER;
	stream->blocked = false;
	stream->linger_until = clock_monotonic() + loop->set->linger;
	stream->next_linger = NULL;
	stream->link_linger = loop->lingering_last;
	*loop->lingering_last = stream;
	loop->lingering_last = &stream->next_linger;
	if (watch(stream) != 0)
		finish(stream);
}

/* Reading */

/* Lets the client say what it wants, until it hangs up. */
static void drain(struct stream *stream)
{
	for (int turn = 0; turn < READ_TURN; turn++) {
		ssize_t size = recv(stream->socket.fd, stream->loop->buffer, BUFFER, 0);

		if (size > 0 || (size < 0 && errno == EINTR))
			continue;
		if (size == 0 || errno != EAGAIN)
			finish(stream);
		return;
	}
}

/* Returns bytes read, 0 at the end, -EAGAIN, or -EIO. */
static ssize_t read_some(struct stream *stream)
{
	ssize_t size;

	if (stream->socket.session) {
		size = gnutls_record_recv(stream->socket.session, stream->loop->buffer, BUFFER);
		if (size < 0)
			return gnutls_error_is_fatal((int)size) ? -EIO : -EAGAIN;
		return size;
	}
	do {
		size = recv(stream->socket.fd, stream->loop->buffer, BUFFER, 0);
	} while (size < 0 && errno == EINTR);
	if (size < 0)
		return errno == EAGAIN ? -EAGAIN : -EIO;
	return size;
}

/* Hands input on; -1: the client has hung up. */
static int take_input(struct stream *stream)
{
	for (int turn = 0; turn < READ_TURN && !atomic_load(&stream->paused); turn++) {
		ssize_t size = read_some(stream);

		if (size == -EAGAIN)
			return 0;
		if (size <= 0) {
			stream->peer_gone = true;
			return -1;
		}
		if (stream->callbacks.input)
			stream->callbacks.input(&stream->base, stream->context,
						stream->loop->buffer, (size_t)size);
	}
	/* What GnuTLS has read ahead no epoll will tell of. */
	if (stream->socket.session && gnutls_record_check_pending(stream->socket.session) > 0 &&
	    !atomic_load(&stream->paused)) {
		cox_lock_scope(&stream->loop->mutex);
		make_ready(stream);
	}
	return 0;
}

/* The loop */

/* The writable callback is owed after a wake and whenever the queue has emptied. */
static void tell_writable(struct stream *stream)
{
	if (!stream->owes_writable || stream->outgoing.first)
		return;
	stream->owes_writable = false;
	if (stream->callbacks.writable)
		stream->callbacks.writable(&stream->base, stream->context);
}

static void queue_last(struct stream *stream)
{
	static const struct http_piece last = {.data = "0\r\n\r\n", .size = 5};
	struct piece_node *node;

	if (stream->last_queued || !stream->chunked)
		return;
	stream->last_queued = true;
	node = piece_node_new(&last, 0, false); /* framed already */
	atomic_fetch_add(&stream->queued, last.size);
	piece_queue_add(&stream->outgoing, node);
}

static void attend(struct stream *stream)
{
	bool ended, cut;

	if (stream->state != OPEN)
		return;
	pthread_mutex_lock(&stream->loop->mutex);
	piece_queue_move(&stream->outgoing, &stream->incoming);
	stream->owes_writable |= stream->woken;
	stream->woken = false;
	ended = stream->ended;
	cut = stream->cut;
	pthread_mutex_unlock(&stream->loop->mutex);

	if (ended)
		queue_last(stream);
	if (cut || (!stream->blocked && flush(stream) != 0)) {
		/* A reset, not an end: the client must see that something is missing. */
		struct linger reset = {.l_onoff = 1, .l_linger = 0};

		if (cut)
			setsockopt(stream->socket.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close_stream(stream, false);
		return;
	}
	if (ended && !stream->outgoing.first) {
		close_stream(stream, true);
		return;
	}
	if (!ended)
		tell_writable(stream);
	if (stream->upgraded && stream->socket.session && take_input(stream) != 0) {
		close_stream(stream, false);
		return;
	}
	if (watch(stream) != 0)
		close_stream(stream, false);
}

static void handle_event(struct stream *stream, uint32_t events)
{
	if (stream->state == LINGER) {
		drain(stream);
		return;
	}
	if (stream->state != OPEN)
		return;
	if ((events & (EPOLLIN | EPOLLRDHUP)) && stream->upgraded &&
	    !atomic_load(&stream->paused)) {
		if (take_input(stream) != 0) {
			close_stream(stream, false);
			return;
		}
	} else if (events & EPOLLRDHUP) {
		stream->peer_gone = true;
	}
	if (events & (EPOLLHUP | EPOLLERR))
		stream->peer_gone = true;
	if (stream->peer_gone) {
		close_stream(stream, false);
		return;
	}
	if (events & EPOLLOUT)
		stream->blocked = false;
	attend(stream);
}

static void attend_ready(struct stream_loop *loop)
{
	struct stream *ready, *stream;

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
		attend(stream);
		unref(stream);
	}
}

/* Ends what has lingered long enough; returns epoll's next time-out. */
static int sweep_lingering(struct stream_loop *loop)
{
	uint64_t now;

	if (!loop->lingering)
		return -1;
	now = clock_monotonic();
	while (loop->lingering && loop->lingering->linger_until <= now)
		finish(loop->lingering);
	if (!loop->lingering)
		return -1;
	return (int)((loop->lingering->linger_until - now) / CLOCK_MILLISECOND) + 1;
}

static void *run_loop(void *context)
{
	struct stream_loop *loop = context;
	struct epoll_event events[EVENTS];

	pthread_setname_np(pthread_self(), "http-stream");
	for (;;) {
		int timeout = sweep_lingering(loop), count;
		bool stop, idle;

		pthread_mutex_lock(&loop->mutex);
		idle = loop->sleeping = !loop->ready;
		stop = loop->stopping && !loop->all;
		pthread_mutex_unlock(&loop->mutex);
		if (stop)
			return NULL;
		count = epoll_wait(loop->epoll, events, EVENTS, idle ? timeout : 0);
		pthread_mutex_lock(&loop->mutex);
		loop->sleeping = false;
		pthread_mutex_unlock(&loop->mutex);
		for (int i = 0; i < count; i++) {
			uint64_t value;

			if (events[i].data.ptr)
				handle_event(events[i].data.ptr, events[i].events);
			else if (read(loop->event, &value, sizeof(value)) < 0 && errno != EAGAIN)
				log_error("read an event counter: %d", errno);
		}
		attend_ready(loop);
	}
}

/* Opening and closing */

static void queue_head(struct stream *stream, const struct http_response *head)
{
	struct cox_buf out = COX_BUF_INIT;
	struct http_piece piece;

	stream_head_write(&out, head, stream->socket.http10);
	piece = (struct http_piece){
		.data = out.data, .size = out.size, .release = free, .owner = out.data};
	atomic_fetch_add(&stream->queued, piece.size);
	piece_queue_add(&stream->outgoing, piece_node_new(&piece, 0, false));
}

struct http_stream *stream_open(struct stream_set *set, const struct stream_socket *socket,
				const struct http_response *head,
				const struct http_stream_callbacks *callbacks, void *context)
{
	struct stream *stream = cox_new(struct stream);
	struct stream_loop *loop = set->loops[atomic_fetch_add(&set->next, 1) % set->count];

	stream->base.ops = &stream_ops;
	stream->loop = loop;
	stream->references = callbacks ? 2 : 1; /* the loop's, the owner's */
	stream->socket = *socket;
	stream->context = context;
	if (callbacks)
		stream->callbacks = *callbacks;
	stream->upgraded = head->status == 101;
	queue_head(stream, head);
	stream->no_body = socket->no_body;
	stream->chunked = !stream->upgraded && !socket->http10 && !socket->no_body &&
			  (head->length == HTTP_LENGTH_UNKNOWN || head->length == 0);
	pthread_mutex_lock(&loop->mutex);
	stream->next = loop->all;
	stream->link = &loop->all;
	if (stream->next)
		stream->next->link = &stream->next;
	loop->all = stream;
	loop->count++;
	make_ready(stream);
	pthread_mutex_unlock(&loop->mutex);
	return &stream->base;
}

void stream_set_end(struct stream_set *set, bool cut)
{
	for (unsigned i = 0; i < set->count; i++) {
		struct stream_loop *loop = set->loops[i];

		cox_lock_scope(&loop->mutex);
		for (struct stream *stream = loop->all; stream; stream = stream->next)
			end_locked(stream, cut);
	}
}

size_t stream_set_count(struct stream_set *set)
{
	size_t count = 0;

	for (unsigned i = 0; i < set->count; i++) {
		cox_lock_scope(&set->loops[i]->mutex);
		count += set->loops[i]->count;
	}
	return count;
}

static void close_loop(struct stream_loop *loop)
{
	if (loop->epoll >= 0)
		close(loop->epoll);
	if (loop->event >= 0)
		close(loop->event);
	pthread_mutex_destroy(&loop->mutex);
	free(loop);
}

void stream_set_close(struct stream_set *set)
{
	for (unsigned i = 0; i < set->count; i++) {
		struct stream_loop *loop = set->loops[i];
		uint64_t one = 1;

		pthread_mutex_lock(&loop->mutex);
		loop->stopping = true;
		pthread_mutex_unlock(&loop->mutex);
		while (write(loop->event, &one, sizeof(one)) < 0 && errno == EINTR)
			;
		pthread_join(loop->thread, NULL);
		close_loop(loop);
	}
	free(set);
}

static int open_loop(struct stream_set *set, struct cox_error *err)
{
	struct stream_loop *loop = cox_new(struct stream_loop);
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t all, saved;
	int failed;

	loop->set = set;
	pthread_mutex_init(&loop->mutex, NULL);
	loop->ready_last = &loop->ready;
	loop->lingering_last = &loop->lingering;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll < 0 || loop->event < 0 ||
	    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->event, &event) != 0) {
		failed = errno;
		close_loop(loop);
		return error_errno(err, failed, "make an epoll set for streams");
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	failed = pthread_create(&loop->thread, NULL, run_loop, loop);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (failed) {
		close_loop(loop);
		return error_errno(err, failed, "start a stream thread");
	}
	set->loops[set->count++] = loop;
	return 0;
}

struct stream_set *stream_set_open(unsigned threads, size_t queue, uint64_t linger,
				   struct cox_error *err)
{
	struct stream_set *set = cox_calloc(1, sizeof(*set) + threads * sizeof(set->loops[0]));

	set->queue = queue;
	set->linger = linger;
	while (set->count < threads)
		if (open_loop(set, err) != 0) {
			stream_set_close(set);
			return NULL;
		}
	return set;
}
