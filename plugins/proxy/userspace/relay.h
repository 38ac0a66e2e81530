/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a loop: one thread, one epoll, and the sockets that it alone
 * touches. loop.c owns it; stream.c and datagram.c do the two protocols.
 */
#ifndef USERSPACE_RELAY_H
#define USERSPACE_RELAY_H

#include "userspace.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/queue.h>

enum { CONNECT_TRIES = 4, SCRATCH_SIZE = 65536 };

enum watched_kind { WATCHED_WAKE, WATCHED_LISTENER, WATCHED_CLIENT, WATCHED_BACKEND, WATCHED_FLOW };

/* A descriptor in an epoll, or not in it while `events` is 0. */
struct watched {
	int fd;
	enum watched_kind kind;
	uint32_t events;
	void *owner;
};

struct flow;
struct stream;

struct listener {
	struct watched watched;
	struct loop *loop;
	struct balance *balance;
	bool udp;
	uint64_t paused;      /* until when; 0: it is not */
	struct cox_map flows; /* address of a client -> struct flow */
	TAILQ_ENTRY(listener) link;
};

enum command_kind { COMMAND_LISTEN, COMMAND_UNLISTEN, COMMAND_ADOPT, COMMAND_END };

struct command {
	enum command_kind kind;
	struct listener *listener;
	struct balance *balance; /* adopt: a reference */
	struct address client;
	int fd;
};

TAILQ_HEAD(stream_list, stream);
TAILQ_HEAD(flow_list, flow);
TAILQ_HEAD(listener_list, listener);

struct loop {
	struct relay *relay;
	pthread_t thread;
	int epoll;
	struct watched wake;
	pthread_mutex_t mutex; /* of what follows */
	pthread_cond_t done_changed;
	COX_VEC(struct command) commands;
	uint64_t posted, done;
	bool closed;
	/* the thread's own */
	bool ending;
	uint64_t now;
	struct listener_list listeners;
	unsigned paused; /* how many of them are */
	struct stream_list streams;
	struct stream_list connecting[CONNECT_TRIES]; /* by try: each has one time-out */
	struct stream_list dead;
	struct flow_list flows; /* longest silent first */
	struct flow_list dead_flows;
	char *scratch;
};

struct relay {
	struct relay_config config;
	struct loop *loops;
	unsigned started;
	atomic_uint next_listener, next_stream;
	atomic_uint connections; /* streams and flows now */
};

/* Sets what `watched` waits for; 0 takes it out, so that nothing wakes for it. */
int watch(struct loop *loop, struct watched *watched, uint32_t events);
/* Counts one more connection; false: there are as many as may be. */
bool relay_admit(struct relay *relay);
void relay_dismiss(struct relay *relay);
/* No accept for a moment: no descriptors are left, or no connection may be added. */
void listener_pause(struct listener *listener);
/* Hands an accepted connection to the loop whose turn it is. */
void relay_adopt(struct loop *here, int fd, const struct address *client, struct balance *balance);

/* stream.c. `balance` is a reference that is taken. */
void stream_accept(struct listener *listener);
void stream_begin(struct loop *loop, int fd, const struct address *client, struct balance *balance);
void stream_event(struct stream *stream, enum watched_kind side, uint32_t events);
void streams_expire(struct loop *loop);
uint64_t streams_deadline(const struct loop *loop); /* 0: none */
void streams_bury(struct loop *loop);
void streams_close(struct loop *loop);

/* datagram.c */
void datagram_receive(struct listener *listener);
void flow_event(struct flow *flow, uint32_t events);
void flows_expire(struct loop *loop);
uint64_t flows_deadline(const struct loop *loop);
void flows_bury(struct loop *loop);
void flows_close(struct listener *listener);

#endif
