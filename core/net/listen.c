/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets; see the header. */
#include "net/listen.h"

#include <arpa/inet.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum {
	BACKLOG = 4096,
	KEEPALIVE_IDLE = 30, /* seconds */
	KEEPALIVE_INTERVAL = 10,
	KEEPALIVE_COUNT = 3,
	SILENT_PEER = 30000 /* milliseconds that sent bytes may stay unconfirmed */
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

static const char *unix_path(const struct http_listen *where)
{
	return cox_starts_with(where->address, "unix:") ? where->address + 5 : NULL;
}

static int set_tcp_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {{SOL_SOCKET, SO_REUSEADDR, 1},
		       {SOL_SOCKET, SO_KEEPALIVE, 1},
		       {IPPROTO_TCP, TCP_NODELAY, 1},
		       {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE},
		       {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL},
		       {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
		       {IPPROTO_TCP, TCP_USER_TIMEOUT, SILENT_PEER}};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			       sizeof(options[i].value)) != 0)
			return -1;
	return 0;
}

/* Reads the address; the size of the filled part, or 0. */
static socklen_t parse_address(const struct http_listen *where, union address *address)
{
	const char *path = unix_path(where);

	memset(address, 0, sizeof(*address));
	if (path) {
		if (!*path || strlen(path) >= sizeof(address->un.sun_path))
			return 0;
		address->un.sun_family = AF_UNIX;
		memcpy(address->un.sun_path, path, strlen(path));
		return sizeof(address->un);
	}
	if (inet_pton(AF_INET, where->address, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons(where->port);
		return sizeof(address->v4);
	}
	if (inet_pton(AF_INET6, where->address, &address->v6.sin6_addr) == 1) {
		address->v6.sin6_family = AF_INET6;
		address->v6.sin6_port = htons(where->port);
		return sizeof(address->v6);
	}
	return 0;
}

/* Removes a socket file that a dead process left; leaves a live one alone. */
static void remove_stale(const union address *address, socklen_t size)
{
	cox_autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat status;

	if (fd < 0 || lstat(address->un.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
		return;
	if (connect(fd, &address->any, size) != 0 && errno == ECONNREFUSED)
		unlink(address->un.sun_path);
}

static int open_socket(const struct http_listen *where, struct cox_error *err)
{
	union address address;
	socklen_t size = parse_address(where, &address);
	cox_autoclose int fd = -1;
	int off = 0;

	if (size == 0)
		return error_set(err, COX_REASON_INVALID,
				 "listen on \"%s\": neither an IP address nor unix:/path",
				 where->address);
	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_errno(err, errno, "listen on %s", where->address);
	if (address.any.sa_family == AF_UNIX)
		remove_stale(&address, size);
	else if (set_tcp_options(fd) != 0)
		return error_errno(err, errno, "listen on %s: set socket options", where->address);
	/* "::" takes IPv4 too, whatever this host's default is. */
	if (address.any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&address.v6.sin6_addr))
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, &address.any, size) != 0 || listen(fd, BACKLOG) != 0)
		return error_errno(err, errno, "listen on %s port %u", where->address, where->port);
	return cox_steal_fd(&fd);
}

int listen_open(const struct http_listen *where, struct cox_error *err)
{
	int flags;

	if (!where->inherited)
		return open_socket(where, err);
	flags = fcntl(where->fd, F_GETFL);
	if (flags < 0 || fcntl(where->fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(where->fd, F_SETFD, FD_CLOEXEC) != 0)
		return error_errno(err, errno, "use the inherited socket %d", where->fd);
	/* Fails for a unix socket, which needs none of it. */
	if (set_tcp_options(where->fd) != 0 && errno != EOPNOTSUPP && errno != ENOPROTOOPT)
		return error_errno(err, errno, "use the inherited socket %d", where->fd);
	return where->fd;
}

uint16_t listen_port(int fd)
{
	union address address;
	socklen_t size = sizeof(address);

	if (getsockname(fd, &address.any, &size) != 0)
		return 0;
	if (address.any.sa_family == AF_INET)
		return ntohs(address.v4.sin_port);
	return address.any.sa_family == AF_INET6 ? ntohs(address.v6.sin6_port) : 0;
}

void listen_end(int fd, const struct http_listen *where)
{
	cox_autoclose int nothing = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	const char *path = unix_path(where);

	if (path)
		unlink(path);
	/* Without descriptors left it is at least deaf. */
	if (nothing < 0 || dup3(nothing, fd, O_CLOEXEC) < 0)
		shutdown(fd, SHUT_RDWR);
}

void listen_describe_peer(int fd, char peer[LISTEN_PEER_SIZE], uint16_t *port, uint32_t *uid,
			  bool *loopback)
{
	union address address;
	socklen_t size = sizeof(address);
	struct ucred who;
	socklen_t who_size = sizeof(who);
	struct in_addr v4;

	snprintf(peer, LISTEN_PEER_SIZE, "@");
	*port = 0;
	*uid = UINT32_MAX;
	*loopback = false;
	if (getpeername(fd, &address.any, &size) != 0)
		return;
	if (address.any.sa_family == AF_UNIX) {
		*loopback = true;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_size) == 0)
			*uid = who.uid;
		return;
	}
	if (address.any.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&address.v6.sin6_addr)) {
		*port = ntohs(address.v6.sin6_port);
		*loopback = IN6_IS_ADDR_LOOPBACK(&address.v6.sin6_addr);
		inet_ntop(AF_INET6, &address.v6.sin6_addr, peer, LISTEN_PEER_SIZE);
		return;
	}
	if (address.any.sa_family == AF_INET6) {
		memcpy(&v4, &address.v6.sin6_addr.s6_addr[12], sizeof(v4));
		*port = ntohs(address.v6.sin6_port);
	} else {
		v4 = address.v4.sin_addr;
		*port = ntohs(address.v4.sin_port);
	}
	*loopback = ntohl(v4.s_addr) >> 24 == 127;
	inet_ntop(AF_INET, &v4, peer, LISTEN_PEER_SIZE);
}
