/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sweeper: one thread that looks at all connections twice a second. It
 * shuts the sockets of those past their deadline, so that the library sees
 * them end, and finds clients that hung up while their request was deferred,
 * which the library does not watch.
 */
#include "net/connection.h"
#include "base/clock.h"

#include <coxswain/kit/cleanup.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define DEFERRED_PERIOD (250 * CLOCK_MILLISECOND)
#define CONNECTION_PERIOD (500 * CLOCK_MILLISECOND)

enum { POLLS = 256 };

static void cut(struct connection *connection)
{
	/* counted first: whoever sees the end sees it counted */
	atomic_fetch_add(&connection->server->cut, 1);
	shutdown(connection->fd, SHUT_RDWR);
}

/* Bytes received on the connection so far; 0 if unknown (unix sockets). */
static uint64_t received(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
		return 0;
	return info.tcpi_bytes_received;
}

/*
 * On a connection between requests the library does not tell when the next
 * head begins; the socket's byte count does. From then on a head has its time.
 */
static void watch_idle(struct connection *connection, uint64_t deadline, uint64_t now)
{
	uint64_t bytes = received(connection->fd);
	uint64_t limit = now + connection->server->config.head_time;

	if (connection->idle_deadline != deadline) {
		connection->idle_deadline = deadline;
		connection->idle_bytes = bytes;
	} else if (bytes > connection->idle_bytes && limit < deadline) {
		/* Not if its head became whole meanwhile: then it differs. */
		if (atomic_compare_exchange_strong(&connection->deadline, &deadline, limit))
			atomic_store(&connection->idle, false);
	}
}

static void sweep_connections(struct http_server *server, uint64_t now, bool look_at_idle)
{
	cox_lock_scope(&server->mutex);
	for (struct connection *at = server->connections; at; at = at->next) {
		uint64_t deadline = atomic_load(&at->deadline);

		if (deadline && now >= deadline) {
			if (atomic_compare_exchange_strong(&at->deadline, &deadline, 0))
				cut(at);
		} else if (deadline && look_at_idle && atomic_load(&at->idle)) {
			watch_idle(at, deadline, now);
		}
	}
}

static void unlink_deferred(struct http_server *server, struct deferred *deferred)
{
	*deferred->link = deferred->next;
	if (deferred->next)
		deferred->next->link = deferred->link;
	deferred->listed = false;
	server->deferred_count--;
}

static void tell_gone(struct deferred *deferred)
{
	if (!deferred->told && deferred->gone)
		deferred->gone(deferred->gone_context);
	deferred->told = true;
}

/* With the mutex held: which of these clients have hung up? */
static void poll_some(struct deferred **some, nfds_t count)
{
	struct pollfd polls[POLLS];

	for (nfds_t i = 0; i < count; i++)
		polls[i] = (struct pollfd){.fd = some[i]->fd, .events = POLLRDHUP};
	if (poll(polls, count, 0) <= 0)
		return;
	for (nfds_t i = 0; i < count; i++)
		if (polls[i].revents & (POLLRDHUP | POLLHUP | POLLERR))
			tell_gone(some[i]);
}

static void sweep_deferred_requests(struct http_server *server, uint64_t now)
{
	struct deferred *some[POLLS];
	nfds_t count = 0;

	cox_lock_scope(&server->mutex);
	for (struct deferred *at = server->deferred; at; at = at->next) {
		if (at->told || !at->gone || at->fd < 0 || now - at->since < DEFERRED_PERIOD / 2)
			continue;
		some[count++] = at;
		if (count == POLLS) {
			poll_some(some, count);
			count = 0;
		}
	}
	if (count)
		poll_some(some, count);
}

static void *run_sweeper(void *context)
{
	struct http_server *server = context;
	uint64_t period = server->config.head_time / 8, idle_period = server->config.head_time / 2;
	uint64_t swept = 0, looked = 0, tick;

	pthread_setname_np(pthread_self(), "http-sweeper");
	if (period > CONNECTION_PERIOD)
		period = CONNECTION_PERIOD;
	tick = period < DEFERRED_PERIOD ? period : DEFERRED_PERIOD;
	for (;;) {
		uint64_t now = clock_monotonic(), next = now + tick;
		struct timespec until = {(time_t)(next / CLOCK_SECOND),
					 (long)(next % CLOCK_SECOND)};
		bool stop;

		pthread_mutex_lock(&server->mutex);
		if (!server->sweeper_stop)
			pthread_cond_timedwait(&server->sweeper_wake, &server->mutex, &until);
		stop = server->sweeper_stop;
		pthread_mutex_unlock(&server->mutex);
		if (stop)
			return NULL;
		now = clock_monotonic();
		sweep_deferred_requests(server, now);
		if (now - swept >= period) {
			bool look = now - looked >= idle_period;

			sweep_connections(server, now, look);
			swept = now;
			if (look)
				looked = now;
		}
	}
}

int sweep_start(struct http_server *server, struct cox_error *err)
{
	pthread_condattr_t attributes;
	sigset_t all, saved;
	int failed;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&server->sweeper_wake, &attributes);
	pthread_condattr_destroy(&attributes);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	failed = pthread_create(&server->sweeper, NULL, run_sweeper, server);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (failed) {
		pthread_cond_destroy(&server->sweeper_wake);
		return error_errno(err, failed, "start the HTTP sweeper");
	}
	server->sweeper_started = true;
	return 0;
}

void sweep_stop(struct http_server *server)
{
	if (!server->sweeper_started)
		return;
	pthread_mutex_lock(&server->mutex);
	server->sweeper_stop = true;
	pthread_cond_signal(&server->sweeper_wake);
	pthread_mutex_unlock(&server->mutex);
	pthread_join(server->sweeper, NULL);
	pthread_cond_destroy(&server->sweeper_wake);
}

void sweep_cut(struct http_server *server, bool all)
{
	cox_lock_scope(&server->mutex);
	for (struct connection *at = server->connections; at; at = at->next)
		if (all || atomic_load(&at->idle))
			shutdown(at->fd, SHUT_RDWR);
}

void sweep_defer(struct http_server *server, struct deferred *deferred, int fd,
		 void (*gone)(void *context), void *context)
{
	uint64_t now = clock_monotonic();

	cox_lock_scope(&server->mutex);
	*deferred = (struct deferred){.gone = gone,
				      .gone_context = context,
				      .since = now,
				      .fd = fd,
				      .listed = true,
				      .next = server->deferred,
				      .link = &server->deferred};
	if (deferred->next)
		deferred->next->link = &deferred->next;
	server->deferred = deferred;
	server->deferred_count++;
}

void sweep_undefer(struct http_server *server, struct deferred *deferred)
{
	cox_lock_scope(&server->mutex);
	if (deferred->listed)
		unlink_deferred(server, deferred);
}

void sweep_tell_gone(struct http_server *server, struct deferred *deferred)
{
	cox_lock_scope(&server->mutex);
	if (deferred->listed)
		tell_gone(deferred);
}

void sweep_tell_all_gone(struct http_server *server)
{
	cox_lock_scope(&server->mutex);
	for (struct deferred *at = server->deferred; at; at = at->next)
		tell_gone(at);
}

size_t sweep_deferred(struct http_server *server)
{
	cox_lock_scope(&server->mutex);
	return server->deferred_count;
}
