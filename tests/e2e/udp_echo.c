/* SPDX-License-Identifier: Apache-2.0 */
/* udp_echo ADDRESS PORT: sends every datagram back to where it came from. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char data[65536];

	if (argc != 3 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
		fprintf(stderr, "usage: udp_echo ADDRESS PORT\n");
		return EXIT_FAILURE;
	}
	address.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address))) {
		perror("udp_echo");
		return EXIT_FAILURE;
	}
	for (;;) {
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		ssize_t got = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &size);

		if (got >= 0 &&
		    sendto(fd, data, (size_t)got, 0, (const struct sockaddr *)&from, size) < 0)
			perror("udp_echo");
	}
}
