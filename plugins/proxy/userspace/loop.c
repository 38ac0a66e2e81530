/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads that move bytes. Each loop waits in its epoll, deals with what is
 * ready, then with its time-outs, then obeys the commands of others, so that a
 * command never takes away what an event still points at. A listener belongs to
 * one loop; the connections that it accepts go round all loops.
 */
#include "relay.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

enum { EVENTS_MAX = 256 };

static const uint64_t pause_time = 100 * MILLISECOND;

int watch(struct loop *loop, struct watched *watched, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watched};
	int operation = !events ? EPOLL_CTL_DEL : watched->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (events == watched->events)
		return 0;
	if (epoll_ctl(loop->epoll, operation, watched->fd, &event))
		return -1;
	watched->events = events;
	return 0;
}

bool relay_admit(struct relay *relay)
{
	unsigned now = atomic_fetch_add_explicit(&relay->connections, 1, memory_order_relaxed);

	if (now < relay->config.connections)
		return true;
	atomic_fetch_sub_explicit(&relay->connections, 1, memory_order_relaxed);
	return false;
}

void relay_dismiss(struct relay *relay)
{
	atomic_fetch_sub_explicit(&relay->connections, 1, memory_order_relaxed);
}

void listener_pause(struct listener *listener)
{
	watch(listener->loop, &listener->watched, 0);
	if (!listener->paused)
		listener->loop->paused++;
	listener->paused = listener->loop->now + pause_time;
}

/* ---- commands ---- */

/* The number of the command, or 0: the loop has ended. */
static uint64_t post(struct loop *loop, const struct command *command)
{
	static const uint64_t one = 1;

	cox_lock_scope(&loop->mutex);
	if (loop->closed)
		return 0;
	cox_vec_push(&loop->commands, *command);
	if (write(loop->wake.fd, &one, sizeof(one)) < 0) {
		/* Full, so it is awake. */
	}
	return ++loop->posted;
}

static void wait_done(struct loop *loop, uint64_t number)
{
	cox_lock_scope(&loop->mutex);
	while (loop->done < number)
		pthread_cond_wait(&loop->done_changed, &loop->mutex);
}

void relay_adopt(struct loop *here, int fd, const struct address *client, struct balance *balance)
{
	struct relay *relay = here->relay;
	struct loop *loop =
		&relay->loops[atomic_fetch_add(&relay->next_stream, 1) % relay->config.threads];
	const struct command command = {.kind = COMMAND_ADOPT,
					.balance = balance_ref(balance),
					.client = *client,
					.fd = fd};

	if (loop == here) {
		stream_begin(loop, fd, client, command.balance);
	} else if (!post(loop, &command)) {
		close(fd);
		balance_unref(command.balance);
		relay_dismiss(relay);
	}
}

static void listener_free(struct listener *listener)
{
	watch(listener->loop, &listener->watched, 0);
	if (listener->paused)
		listener->loop->paused--;
	flows_close(listener);
	cox_map_free(&listener->flows);
	TAILQ_REMOVE(&listener->loop->listeners, listener, link);
	close(listener->watched.fd);
	balance_unref(listener->balance);
	free(listener);
}

static void obey(struct loop *loop, const struct command *command)
{
	switch (command->kind) {
	case COMMAND_LISTEN:
		TAILQ_INSERT_TAIL(&loop->listeners, command->listener, link);
		if (watch(loop, &command->listener->watched, EPOLLIN))
			listener_pause(command->listener);
		break;
	case COMMAND_UNLISTEN:
		listener_free(command->listener);
		break;
	case COMMAND_ADOPT:
		stream_begin(loop, command->fd, &command->client, command->balance);
		break;
	case COMMAND_END:
		loop->ending = true;
		break;
	}
}

static void obey_all(struct loop *loop)
{
	struct command *commands;
	size_t count;

	pthread_mutex_lock(&loop->mutex);
	commands = loop->commands.items;
	count = loop->commands.count;
	loop->commands.items = NULL;
	loop->commands.count = loop->commands.capacity = 0;
	pthread_mutex_unlock(&loop->mutex);
	if (!count)
		return;
	for (size_t i = 0; i < count; i++)
		obey(loop, &commands[i]);
	free(commands);
	/* What a listener's end killed must not outlive the answer. */
	flows_bury(loop);
	pthread_mutex_lock(&loop->mutex);
	loop->done += count;
	pthread_cond_broadcast(&loop->done_changed);
	pthread_mutex_unlock(&loop->mutex);
}

/* ---- the thread ---- */

static void drain_wake(const struct loop *loop)
{
	uint64_t count;

	if (read(loop->wake.fd, &count, sizeof(count)) < 0) {
		/* Somebody was quicker; it was for this anyway. */
	}
}

static void deal(struct loop *loop, const struct epoll_event *event)
{
	struct watched *watched = event->data.ptr;
	struct listener *listener;

	switch (watched->kind) {
	case WATCHED_WAKE:
		drain_wake(loop);
		break;
	case WATCHED_LISTENER:
		listener = watched->owner;
		if (listener->udp)
			datagram_receive(listener);
		else
			stream_accept(listener);
		break;
	case WATCHED_CLIENT:
	case WATCHED_BACKEND:
		stream_event(watched->owner, watched->kind, event->events);
		break;
	case WATCHED_FLOW:
		flow_event(watched->owner, event->events);
		break;
	}
}

static void resume_listeners(struct loop *loop)
{
	struct listener *listener;

	if (!loop->paused)
		return;
	TAILQ_FOREACH(listener, &loop->listeners, link)
	{
		if (!listener->paused || listener->paused > loop->now)
			continue;
		if (watch(loop, &listener->watched, EPOLLIN)) {
			listener->paused = loop->now + pause_time;
		} else {
			listener->paused = 0;
			loop->paused--;
		}
	}
}

/* Milliseconds until the first time-out, rounded up; -1: there is none. */
static int patience(const struct loop *loop)
{
	uint64_t next = streams_deadline(loop), other = flows_deadline(loop);

	if (other && (!next || other < next))
		next = other;
	if (loop->paused && (!next || loop->now + pause_time < next))
		next = loop->now + pause_time;
	if (!next)
		return -1;
	if (next <= loop->now)
		return 0;
	return (int)((next - loop->now + MILLISECOND - 1) / MILLISECOND);
}

static void close_all(struct loop *loop)
{
	while (!TAILQ_EMPTY(&loop->listeners))
		listener_free(TAILQ_FIRST(&loop->listeners));
	streams_close(loop);
	streams_bury(loop);
	flows_bury(loop);
	pthread_mutex_lock(&loop->mutex);
	loop->closed = true;
	pthread_mutex_unlock(&loop->mutex);
	/* Connections that were handed over in the last moment. */
	obey_all(loop);
	streams_close(loop);
	streams_bury(loop);
}

static void *loop_run(void *argument)
{
	struct loop *loop = argument;
	const struct cox_host *host = loop->relay->config.host;
	struct epoll_event events[EVENTS_MAX];

	while (!loop->ending) {
		int count;

		loop->now = host->monotonic_ns();
		count = epoll_wait(loop->epoll, events, EVENTS_MAX, patience(loop));
		loop->now = host->monotonic_ns();
		for (int i = 0; i < count; i++)
			deal(loop, &events[i]);
		streams_expire(loop);
		flows_expire(loop);
		streams_bury(loop);
		flows_bury(loop);
		resume_listeners(loop);
		obey_all(loop);
	}
	close_all(loop);
	return NULL;
}

/* ---- life ---- */

static void loop_free(struct loop *loop)
{
	cox_cleanup_close(&loop->wake.fd);
	cox_cleanup_close(&loop->epoll);
	cox_vec_free(&loop->commands);
	pthread_cond_destroy(&loop->done_changed);
	pthread_mutex_destroy(&loop->mutex);
	free(loop->scratch);
}

static int loop_start(struct relay *relay, struct loop *loop)
{
	sigset_t all, before;
	int failed;

	loop->relay = relay;
	pthread_mutex_init(&loop->mutex, NULL);
	pthread_cond_init(&loop->done_changed, NULL);
	TAILQ_INIT(&loop->listeners);
	TAILQ_INIT(&loop->streams);
	TAILQ_INIT(&loop->dead);
	TAILQ_INIT(&loop->flows);
	TAILQ_INIT(&loop->dead_flows);
	for (int i = 0; i < CONNECT_TRIES; i++)
		TAILQ_INIT(&loop->connecting[i]);
	loop->scratch = cox_alloc(SCRATCH_SIZE);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->wake = (struct watched){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .kind = WATCHED_WAKE, .owner = loop};
	failed = loop->epoll < 0 || loop->wake.fd < 0 || watch(loop, &loop->wake, EPOLLIN) ? errno
											   : 0;
	if (!failed) {
		sigfillset(&all);
		pthread_sigmask(SIG_BLOCK, &all, &before);
		failed = pthread_create(&loop->thread, NULL, loop_run, loop);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	if (failed)
		loop_free(loop);
	return failed;
}

struct relay *relay_start(const struct relay_config *config, struct cox_error *err)
{
	struct relay *relay = cox_new(struct relay);

	relay->config = *config;
	relay->loops = cox_calloc(config->threads, sizeof(*relay->loops));
	for (; relay->started < config->threads; relay->started++) {
		int failed = loop_start(relay, &relay->loops[relay->started]);

		if (!failed)
			continue;
		config->host->fail(err, COX_REASON_INTERNAL_ERROR, "start a thread: %s",
				   strerrordesc_np(failed));
		relay_stop(relay);
		return NULL;
	}
	return relay;
}

void relay_stop(struct relay *relay)
{
	static const struct command end = {.kind = COMMAND_END};

	if (!relay)
		return;
	for (unsigned i = 0; i < relay->started; i++)
		post(&relay->loops[i], &end);
	for (unsigned i = 0; i < relay->started; i++)
		pthread_join(relay->loops[i].thread, NULL);
	for (unsigned i = 0; i < relay->started; i++)
		loop_free(&relay->loops[i]);
	free(relay->loops);
	free(relay);
}

struct listener *relay_listen(struct relay *relay, int fd, bool udp, struct balance *balance)
{
	struct listener *listener = cox_new(struct listener);
	const struct command command = {.kind = COMMAND_LISTEN, .listener = listener};

	listener->watched = (struct watched){.fd = fd, .kind = WATCHED_LISTENER, .owner = listener};
	listener->loop =
		&relay->loops[atomic_fetch_add(&relay->next_listener, 1) % relay->config.threads];
	listener->balance = balance_ref(balance);
	listener->udp = udp;
	post(listener->loop, &command);
	return listener;
}

void relay_unlisten(struct relay *relay, struct listener *listener)
{
	const struct command command = {.kind = COMMAND_UNLISTEN, .listener = listener};
	struct loop *loop = listener->loop;

	(void)relay;
	wait_done(loop, post(loop, &command));
}
