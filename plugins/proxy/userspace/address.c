/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and the sockets that are bound to them. */
#include "userspace.h"

#include <arpa/inet.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

enum { BACKLOG = 1024 };

int address_parse(struct address *address, const char *text, uint16_t port)
{
	*address = (struct address){.size = 0};
	if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons(port);
		address->size = sizeof(address->v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1) {
		address->v6.sin6_family = AF_INET6;
		address->v6.sin6_port = htons(port);
		address->size = sizeof(address->v6);
		return 0;
	}
	return -1;
}

bool address_equal(const struct address *a, const struct address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr &&
		       a->v4.sin_port == b->v4.sin_port;
	return IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr) &&
	       a->v6.sin6_port == b->v6.sin6_port;
}

void address_unmap(struct address *address)
{
	struct sockaddr_in plain = {.sin_family = AF_INET};

	if (address->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
		return;
	memcpy(&plain.sin_addr, &address->v6.sin6_addr.s6_addr[12], sizeof(plain.sin_addr));
	plain.sin_port = address->v6.sin6_port;
	address->v4 = plain;
	address->size = sizeof(plain);
}

void address_text(const struct address *address, char out[ADDRESS_TEXT_SIZE])
{
	char text[INET6_ADDRSTRLEN] = "?";
	bool six = address->any.sa_family == AF_INET6;

	if (six)
		inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET, &address->v4.sin_addr, text, sizeof(text));
	snprintf(out, ADDRESS_TEXT_SIZE, six ? "[%s]:%u" : "%s:%u", text,
		 ntohs(six ? address->v6.sin6_port : address->v4.sin_port));
}

/* The interface of the first IPv4 default route; false: there is none. */
static bool default_interface(char name[IFNAMSIZ])
{
	cox_autofclose FILE *routes = fopen("/proc/net/route", "re");
	char line[512];

	while (routes && fgets(line, sizeof(line), routes)) {
		char interface[IFNAMSIZ];
		unsigned destination, gateway, flags, mask;

		/* The name, then numbers in hexadecimal: RTF_UP is bit 0. */
		if (sscanf(line, "%15s %x %x %x %*s %*s %*s %x", interface, &destination, &gateway,
			   &flags, &mask) != 5)
			continue;
		if (destination == 0 && mask == 0 && (flags & 1)) {
			memcpy(name, interface, sizeof(interface));
			return true;
		}
	}
	return false;
}

static int interface_address(const char *name, struct in_addr *address)
{
	struct ifaddrs *all = NULL;
	int result = -1;

	if (getifaddrs(&all))
		return -1;
	for (const struct ifaddrs *one = all; one && result; one = one->ifa_next) {
		if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET ||
		    strcmp(one->ifa_name, name) != 0)
			continue;
		*address = ((const struct sockaddr_in *)(const void *)one->ifa_addr)->sin_addr;
		result = 0;
	}
	freeifaddrs(all);
	return result;
}

int address_of_host(const char *host_name, struct in_addr *address)
{
	const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	char interface[IFNAMSIZ];
	struct addrinfo *found = NULL;

	if (default_interface(interface) && !interface_address(interface, address))
		return 0;
	if (!host_name || !*host_name || getaddrinfo(host_name, NULL, &hints, &found))
		return -1;
	*address = ((const struct sockaddr_in *)(const void *)found->ai_addr)->sin_addr;
	freeaddrinfo(found);
	/* Packets with another source are not delivered there. */
	return ntohl(address->s_addr) >> 24 == IN_LOOPBACKNET ? -1 : 0;
}

static int open_socket(int family, bool udp)
{
	static const int on = 1, off = 0;
	int fd = socket(family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	/* What fails here is an option that only makes things better. */
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (!udp)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	else if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	return fd;
}

static int bind_and_listen(int fd, const struct address *address, bool udp)
{
	if (!bind(fd, &address->any, address->size) && (udp || !listen(fd, BACKLOG)))
		return fd;
	cox_cleanup_close(&fd);
	return -1;
}

int address_listen(const struct in_addr *at, uint16_t port, bool udp)
{
	struct address address = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)},
				  .size = sizeof(address.v6)};
	int fd;

	if (!at || at->s_addr == INADDR_ANY) {
		fd = open_socket(AF_INET6, udp);
		if (fd >= 0)
			return bind_and_listen(fd, &address, udp);
		if (errno != EAFNOSUPPORT) /* a kernel without IPv6 */
			return -1;
	}
	address = (struct address){.v4 = {.sin_family = AF_INET, .sin_port = htons(port)},
				   .size = sizeof(address.v4)};
	if (at)
		address.v4.sin_addr = *at;
	fd = open_socket(AF_INET, udp);
	return fd < 0 ? -1 : bind_and_listen(fd, &address, udp);
}

uint16_t address_port_of(int fd)
{
	struct address address = {.size = sizeof(address.v6)};

	if (getsockname(fd, &address.any, &address.size))
		return 0;
	return ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
}
