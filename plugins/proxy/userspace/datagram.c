/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP: every client of a service port gets a socket to one endpoint, a flow,
 * for as long as something is said. Answers leave from the address that the
 * client has written to. Full: who was silent for longest makes room.
 */
#include "relay.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PACKETS_A_TURN = 64 };

struct flow {
	struct watched watched; /* the socket to the endpoint */
	struct listener *listener;
	struct address client; /* as the listener's socket knows it */
	struct address endpoint;
	struct in6_pktinfo local; /* where the client has sent to */
	bool has_local;
	bool dead;
	uint64_t expires;
	char key[sizeof(struct in6_addr) + sizeof(in_port_t)];
	TAILQ_ENTRY(flow) link;
};

static void make_key(const struct address *client, char key[sizeof(((struct flow *)0)->key)])
{
	memset(key, 0, sizeof(((struct flow *)0)->key));
	if (client->any.sa_family == AF_INET) {
		memcpy(key, &client->v4.sin_addr, sizeof(client->v4.sin_addr));
		memcpy(key + sizeof(struct in6_addr), &client->v4.sin_port, sizeof(in_port_t));
	} else {
		memcpy(key, &client->v6.sin6_addr, sizeof(client->v6.sin6_addr));
		memcpy(key + sizeof(struct in6_addr), &client->v6.sin6_port, sizeof(in_port_t));
	}
}

/* Freed later: other events of this turn may point at it. */
static void flow_end(struct flow *flow)
{
	struct loop *loop = flow->listener->loop;

	if (flow->dead)
		return;
	flow->dead = true;
	cox_map_remove(&flow->listener->flows, flow->key, sizeof(flow->key));
	watch(loop, &flow->watched, 0);
	close(cox_steal_fd(&flow->watched.fd));
	TAILQ_REMOVE(&loop->flows, flow, link);
	TAILQ_INSERT_TAIL(&loop->dead_flows, flow, link);
	relay_dismiss(loop->relay);
}

void flows_bury(struct loop *loop)
{
	struct flow *flow;

	while ((flow = TAILQ_FIRST(&loop->dead_flows))) {
		TAILQ_REMOVE(&loop->dead_flows, flow, link);
		free(flow);
	}
}

void flows_close(struct listener *listener)
{
	struct flow *flow, *next;

	for (flow = TAILQ_FIRST(&listener->loop->flows); flow; flow = next) {
		next = TAILQ_NEXT(flow, link);
		if (flow->listener == listener)
			flow_end(flow);
	}
}

static void touch(struct flow *flow)
{
	struct loop *loop = flow->listener->loop;

	flow->expires = loop->now + loop->relay->config.udp_timeout;
	TAILQ_REMOVE(&loop->flows, flow, link);
	TAILQ_INSERT_TAIL(&loop->flows, flow, link);
}

/* Every flow has the same time-out, so the list is in the order of their ends. */
void flows_expire(struct loop *loop)
{
	struct flow *flow;

	while ((flow = TAILQ_FIRST(&loop->flows)) && flow->expires <= loop->now)
		flow_end(flow);
}

uint64_t flows_deadline(const struct loop *loop)
{
	const struct flow *flow = TAILQ_FIRST(&loop->flows);

	return flow ? flow->expires : 0;
}

static bool make_room(struct loop *loop)
{
	if (relay_admit(loop->relay))
		return true;
	if (TAILQ_EMPTY(&loop->flows))
		return false;
	flow_end(TAILQ_FIRST(&loop->flows));
	return relay_admit(loop->relay);
}

static int dial(const struct address *endpoint)
{
	int type = SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	cox_autoclose int fd = socket(endpoint->any.sa_family, type, 0);

	if (fd < 0 || connect(fd, &endpoint->any, endpoint->size))
		return -1;
	return cox_steal_fd(&fd);
}

static struct flow *flow_new(struct listener *listener, const struct address *client,
			     const char *key)
{
	struct loop *loop = listener->loop;
	const struct cox_host *host = loop->relay->config.host;
	struct address plain = *client, endpoint;
	struct flow *flow;
	int fd;

	address_unmap(&plain);
	if (!balance_pick(listener->balance, &plain, loop->now, false, &endpoint)) {
		if (balance_may_complain(listener->balance, loop->now))
			host->log(host->context, COX_LOG_ERROR,
				  "Couldn't find an endpoint for %s: missing endpoints",
				  balance_label(listener->balance));
		return NULL;
	}
	if (!make_room(loop))
		return NULL;
	fd = dial(&endpoint);
	if (fd < 0) {
		relay_dismiss(loop->relay);
		return NULL;
	}
	flow = cox_new(struct flow);
	flow->watched = (struct watched){.fd = fd, .kind = WATCHED_FLOW, .owner = flow};
	flow->listener = listener;
	flow->client = *client;
	flow->endpoint = endpoint;
	memcpy(flow->key, key, sizeof(flow->key));
	cox_map_put(&listener->flows, flow->key, sizeof(flow->key), flow);
	TAILQ_INSERT_TAIL(&loop->flows, flow, link);
	host->count(host->context, "proxy_udp_clients_total", 1);
	if (!watch(loop, &flow->watched, EPOLLIN))
		return flow;
	flow_end(flow);
	return NULL;
}

static struct flow *find_flow(struct listener *listener, const struct address *client)
{
	char key[sizeof(((struct flow *)0)->key)];
	struct flow *flow;

	make_key(client, key);
	flow = cox_map_get(&listener->flows, key, sizeof(key));
	/* An endpoint that is gone would swallow what this client says for ever. */
	if (flow && !balance_has(listener->balance, &flow->endpoint)) {
		flow_end(flow);
		flow = NULL;
	}
	return flow ? flow : flow_new(listener, client, key);
}

static void keep_local(struct flow *flow, struct msghdr *message)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part;
	     part = CMSG_NXTHDR(message, part)) {
		if (part->cmsg_level != IPPROTO_IPV6 || part->cmsg_type != IPV6_PKTINFO)
			continue;
		memcpy(&flow->local, CMSG_DATA(part), sizeof(flow->local));
		flow->local.ipi6_ifindex = 0; /* the way back is the routes' choice */
		flow->has_local = true;
	}
}

void datagram_receive(struct listener *listener)
{
	char *scratch = listener->loop->scratch;

	for (int i = 0; i < PACKETS_A_TURN; i++) {
		struct address client = {.size = sizeof(client.v6)};
		char control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct iovec data = {scratch, SCRATCH_SIZE};
		struct msghdr message = {.msg_name = &client.any,
					 .msg_namelen = client.size,
					 .msg_iov = &data,
					 .msg_iovlen = 1,
					 .msg_control = control,
					 .msg_controllen = sizeof(control)};
		ssize_t size = recvmsg(listener->watched.fd, &message, 0);
		struct flow *flow;

		if (size < 0)
			return;
		client.size = message.msg_namelen;
		flow = find_flow(listener, &client);
		if (!flow)
			continue;
		keep_local(flow, &message);
		touch(flow);
		/* What the endpoint cannot take now is lost, as datagrams may be. */
		if (send(flow->watched.fd, scratch, (size_t)size, MSG_NOSIGNAL) < 0 &&
		    errno == ECONNREFUSED)
			flow_end(flow);
	}
}

static void answer(const struct flow *flow, char *data, size_t size)
{
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = {0};
	struct address client = flow->client;
	struct iovec part = {data, size};
	struct msghdr message = {.msg_name = &client.any,
				 .msg_namelen = client.size,
				 .msg_iov = &part,
				 .msg_iovlen = 1};

	if (flow->has_local) {
		struct cmsghdr *header;

		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = IPPROTO_IPV6;
		header->cmsg_type = IPV6_PKTINFO;
		header->cmsg_len = CMSG_LEN(sizeof(flow->local));
		memcpy(CMSG_DATA(header), &flow->local, sizeof(flow->local));
	}
	if (sendmsg(flow->listener->watched.fd, &message, MSG_NOSIGNAL) < 0) {
		/* Lost, as datagrams may be. */
	}
}

void flow_event(struct flow *flow, uint32_t events)
{
	(void)events;
	for (int i = 0; i < PACKETS_A_TURN && !flow->dead; i++) {
		char *scratch = flow->listener->loop->scratch;
		ssize_t size = recv(flow->watched.fd, scratch, SCRATCH_SIZE, 0);

		if (size < 0) {
			if (errno != EAGAIN && errno != EINTR)
				flow_end(flow); /* refused, unreachable */
			return;
		}
		touch(flow);
		answer(flow, scratch, (size_t)size);
	}
}
