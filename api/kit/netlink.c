/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink messages; see the header. */
#include <coxswain/kit/netlink.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 65536
#define ANSWER_MS 10000 /* the kernel answers at once, or is asked too much */

struct opening {
	int protocol, namespace_fd, fd, error;
};

static void open_here(struct opening *opening)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	int one = 1;

	opening->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, opening->protocol);
	/* An error's answer without the request: a batch may be long. */
	if (opening->fd >= 0 &&
	    (setsockopt(opening->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one)) != 0 ||
	     bind(opening->fd, (struct sockaddr *)&address, sizeof(address)) != 0)) {
		opening->error = errno;
		close(opening->fd);
		opening->fd = -1;
		return;
	}
	opening->error = opening->fd < 0 ? errno : 0;
}

static void *open_there(void *context)
{
	struct opening *opening = context;

	/* Only this thread goes, and it does not come back. */
	if (setns(opening->namespace_fd, CLONE_NEWNET) != 0)
		opening->error = errno;
	else
		open_here(opening);
	return NULL;
}

int cox_netlink_open(struct cox_netlink *netlink, int protocol, int namespace_fd)
{
	struct opening opening = {protocol, namespace_fd, -1, 0};
	pthread_t thread;

	if (namespace_fd < 0) {
		open_here(&opening);
	} else {
		int failed = pthread_create(&thread, NULL, open_there, &opening);

		if (failed)
			opening.error = failed;
		else
			pthread_join(thread, NULL);
	}
	netlink->fd = opening.fd;
	netlink->sequence = 0;
	errno = opening.error;
	return opening.fd >= 0 ? 0 : -1;
}

void cox_netlink_close(struct cox_netlink *netlink)
{
	int saved = errno;

	if (netlink->fd >= 0)
		close(netlink->fd);
	netlink->fd = -1;
	errno = saved;
}

static void pad(struct cox_buf *message)
{
	while (message->size % NLMSG_ALIGNTO)
		cox_buf_char(message, '\0');
}

size_t cox_netlink_begin(struct cox_buf *message, uint16_t type, uint16_t flags, const void *header,
			 size_t size)
{
	struct nlmsghdr start = {.nlmsg_type = type, .nlmsg_flags = flags | NLM_F_REQUEST};
	size_t begin;

	pad(message);
	begin = message->size;
	cox_buf_add(message, &start, sizeof(start));
	cox_buf_add(message, header, size);
	pad(message);
	return begin;
}

void cox_netlink_end(struct cox_buf *message, size_t begin)
{
	uint32_t size = (uint32_t)(message->size - begin);

	memcpy(message->data + begin + offsetof(struct nlmsghdr, nlmsg_len), &size, sizeof(size));
	pad(message);
}

void cox_netlink_put(struct cox_buf *message, uint16_t type, const void *data, size_t size)
{
	struct nlattr start = {.nla_len = (uint16_t)(sizeof(start) + size), .nla_type = type};

	cox_buf_add(message, &start, sizeof(start));
	cox_buf_add(message, data, size);
	pad(message);
}

void cox_netlink_text(struct cox_buf *message, uint16_t type, const char *text)
{
	cox_netlink_put(message, type, text, strlen(text) + 1);
}

void cox_netlink_u32(struct cox_buf *message, uint16_t type, uint32_t value)
{
	cox_netlink_put(message, type, &value, sizeof(value));
}

void cox_netlink_be32(struct cox_buf *message, uint16_t type, uint32_t value)
{
	cox_netlink_u32(message, type, htonl(value));
}

size_t cox_netlink_nest(struct cox_buf *message, uint16_t type)
{
	size_t nest = message->size;

	cox_netlink_put(message, type | NLA_F_NESTED, NULL, 0);
	return nest;
}

void cox_netlink_close_nest(struct cox_buf *message, size_t nest)
{
	uint16_t size = (uint16_t)(message->size - nest);

	memcpy(message->data + nest + offsetof(struct nlattr, nla_len), &size, sizeof(size));
}

/* Numbers the messages; how many answers' ends will come. */
static int number_messages(struct cox_netlink *netlink, struct cox_buf *messages)
{
	int expected = 0;

	for (size_t at = 0; at + sizeof(struct nlmsghdr) <= messages->size;) {
		struct nlmsghdr header;

		memcpy(&header, messages->data + at, sizeof(header));
		header.nlmsg_seq = ++netlink->sequence;
		memcpy(messages->data + at, &header, sizeof(header));
		if (header.nlmsg_flags & (NLM_F_ACK | NLM_F_DUMP))
			expected++;
		at += NLMSG_ALIGN(header.nlmsg_len);
	}
	return expected;
}

static bool next_fits(const struct nlmsghdr *answer, size_t left)
{
	return left >= sizeof(*answer) && answer->nlmsg_len >= sizeof(*answer) &&
	       answer->nlmsg_len <= left;
}

static struct nlmsghdr *next_answer(struct nlmsghdr *answer, size_t *left)
{
	size_t step = NLMSG_ALIGN(answer->nlmsg_len);

	*left = step < *left ? *left - step : 0;
	return (struct nlmsghdr *)(void *)((char *)answer + step);
}

int cox_netlink_ask(struct cox_netlink *netlink, struct cox_buf *messages, cox_netlink_taker *taker,
		    void *context)
{
	static const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	uint32_t first = netlink->sequence + 1;
	int expected = number_messages(netlink, messages), error = 0;
	char data[ANSWER_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));

	if (sendto(netlink->fd, messages->data, messages->size, 0, (const struct sockaddr *)&kernel,
		   sizeof(kernel)) != (ssize_t)messages->size)
		return -1;
	while (expected > 0) {
		struct pollfd wait = {netlink->fd, POLLIN, 0};
		struct nlmsghdr *answer = (struct nlmsghdr *)data;
		ssize_t got;
		size_t left;

		if (poll(&wait, 1, ANSWER_MS) <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		got = recv(netlink->fd, data, sizeof(data), 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		left = (size_t)got;
		for (; next_fits(answer, left); answer = next_answer(answer, &left)) {
			/* An answer to something older, that timed out. */
			if (answer->nlmsg_seq < first)
				continue;
			if (answer->nlmsg_type == NLMSG_ERROR) {
				int number = -((struct nlmsgerr *)NLMSG_DATA(answer))->error;

				if (!error)
					error = number;
				expected--;
			} else if (answer->nlmsg_type == NLMSG_DONE) {
				expected--;
			} else if (taker && taker(answer, context) != 0) {
				taker = NULL;
			}
		}
	}
	errno = error;
	return error ? -1 : 0;
}

const void *cox_netlink_find(const struct nlmsghdr *answer, size_t header, uint16_t type,
			     size_t *size)
{
	size_t at = NLMSG_LENGTH(NLMSG_ALIGN(header));

	while (at + sizeof(struct nlattr) <= answer->nlmsg_len) {
		const struct nlattr *attribute =
			(const struct nlattr *)(const void *)((const char *)answer + at);

		if (attribute->nla_len < sizeof(*attribute) ||
		    at + attribute->nla_len > answer->nlmsg_len)
			return NULL;
		if ((attribute->nla_type & NLA_TYPE_MASK) == type) {
			*size = attribute->nla_len - sizeof(*attribute);
			return attribute + 1;
		}
		at += NLA_ALIGN(attribute->nla_len);
	}
	return NULL;
}
