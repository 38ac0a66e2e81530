/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netlink messages: build them in a cox_buf, send them, read the answers. For
 * route and netfilter netlink alike. One thread at a time per socket. What can
 * fail returns 0, or -1 with errno as the kernel said it.
 *
 *	cox_autobuf m = COX_BUF_INIT;
 *	size_t at = cox_netlink_begin(&m, RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
 *	cox_netlink_text(&m, IFLA_IFNAME, "cox0");
 *	cox_netlink_end(&m, at);
 *	cox_netlink_ask(&netlink, &m, NULL, NULL);
 */
#ifndef COXSWAIN_KIT_NETLINK_H
#define COXSWAIN_KIT_NETLINK_H

#include <coxswain/kit/buf.h>
#include <linux/netlink.h>
#include <stdint.h>

struct cox_netlink {
	int fd; /* -1: closed */
	uint32_t sequence;
};

#define COX_NETLINK_INIT                                                                           \
	{                                                                                          \
		-1, 0                                                                              \
	}

/*
 * Opens a socket in the network namespace on `namespace_fd` (-1: this one). A
 * thread that lives for this moment joins the namespace; the socket stays.
 */
int cox_netlink_open(struct cox_netlink *netlink, int protocol, int namespace_fd)
	__attribute__((warn_unused_result));
void cox_netlink_close(struct cox_netlink *netlink);

/* A message with its fixed header; the result goes to cox_netlink_end. */
size_t cox_netlink_begin(struct cox_buf *message, uint16_t type, uint16_t flags, const void *header,
			 size_t size);
void cox_netlink_end(struct cox_buf *message, size_t begin);
void cox_netlink_put(struct cox_buf *message, uint16_t type, const void *data, size_t size);
void cox_netlink_text(struct cox_buf *message, uint16_t type, const char *text);
void cox_netlink_u32(struct cox_buf *message, uint16_t type, uint32_t value);
/* In network order, as netfilter wants it. */
void cox_netlink_be32(struct cox_buf *message, uint16_t type, uint32_t value);
/* An attribute that holds others; the result goes to cox_netlink_close_nest. */
size_t cox_netlink_nest(struct cox_buf *message, uint16_t type);
void cox_netlink_close_nest(struct cox_buf *message, size_t nest);

/* Takes one answer; not 0: enough (the rest is read and dropped). */
typedef int cox_netlink_taker(const struct nlmsghdr *answer, void *context);

/*
 * Sends all messages in the buffer at once and reads until each that asked for
 * an acknowledgement, or for a dump, has its end. The first error counts.
 */
int cox_netlink_ask(struct cox_netlink *netlink, struct cox_buf *messages, cox_netlink_taker *taker,
		    void *context) __attribute__((warn_unused_result));

/* The attribute of an answer behind a fixed header of `header` bytes, or NULL. */
const void *cox_netlink_find(const struct nlmsghdr *answer, size_t header, uint16_t type,
			     size_t *size);

#endif
