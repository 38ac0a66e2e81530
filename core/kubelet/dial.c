/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to pods; see the header. */
#include "kubelet/dial.h"

#include "base/clock.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* 0 when ready; -1 with ETIMEDOUT. */
static int await(int fd, short events, uint64_t deadline)
{
	for (;;) {
		uint64_t now = clock_monotonic();
		struct pollfd wait = {fd, events, 0};
		int ready;

		if (now >= deadline) {
			errno = ETIMEDOUT;
			return -1;
		}
		ready = poll(&wait, 1, (int)((deadline - now) / CLOCK_MILLISECOND) + 1);
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return -1;
	}
}

static int connect_to(const struct addrinfo *address, uint64_t deadline)
{
	cox_autoclose int fd =
		socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int why = 0;
	socklen_t size = sizeof(why);

	if (fd < 0)
		return -1;
	if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
		return cox_steal_fd(&fd);
	if (errno != EINPROGRESS || await(fd, POLLOUT, deadline) != 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &size) != 0)
		return -1;
	errno = why;
	return why ? -1 : cox_steal_fd(&fd);
}

/* As people write it: "connection refused". */
static const char *plain_words(int number)
{
	if (number == ECONNREFUSED)
		return "connect: connection refused";
	if (number == ETIMEDOUT)
		return "i/o timeout";
	return strerror(number);
}

int dial_tcp(const char *host, uint16_t port, uint64_t deadline, struct cox_error *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *all = NULL;
	char service[8];
	int fd = -1, why;

	if (!*host)
		return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "the pod has no address");
	snprintf(service, sizeof(service), "%u", port);
	why = getaddrinfo(host, service, &hints, &all);
	if (why != 0)
		return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "dial tcp: lookup %s: %s",
				 host, gai_strerror(why));
	for (const struct addrinfo *at = all; at && fd < 0; at = at->ai_next)
		fd = connect_to(at, deadline);
	why = errno;
	freeaddrinfo(all);
	if (fd >= 0)
		return fd;
	return error_set(err, COX_REASON_SERVICE_UNAVAILABLE,
			 strchr(host, ':') ? "dial tcp [%s]:%u: %s" : "dial tcp %s:%u: %s", host,
			 port, plain_words(why));
}

/* One connection, plain or with TLS. */
struct wire {
	int fd;
	gnutls_session_t session; /* NULL: plain */
	gnutls_certificate_credentials_t credentials;
};

static int wire_secure(struct wire *wire, uint64_t deadline, struct cox_error *err)
{
	int result = gnutls_certificate_allocate_credentials(&wire->credentials);

	if (result == 0)
		result = gnutls_init(&wire->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
	if (result == 0)
		result = gnutls_set_default_priority(wire->session);
	if (result == 0)
		result = gnutls_credentials_set(wire->session, GNUTLS_CRD_CERTIFICATE,
						wire->credentials);
	if (result != 0)
		return error_set(err, COX_REASON_INTERNAL_ERROR, "tls: %s",
				 gnutls_strerror(result));
	gnutls_transport_set_int(wire->session, wire->fd);
	while ((result = gnutls_handshake(wire->session)) != 0) {
		short events = gnutls_record_get_direction(wire->session) ? POLLOUT : POLLIN;

		if (gnutls_error_is_fatal(result))
			return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "tls: %s",
					 gnutls_strerror(result));
		if (await(wire->fd, events, deadline) != 0)
			return error_set(err, COX_REASON_TIMEOUT,
					 "net/http: TLS handshake timeout");
	}
	return 0;
}

static void wire_close(struct wire *wire)
{
	if (wire->session)
		gnutls_deinit(wire->session);
	if (wire->credentials)
		gnutls_certificate_free_credentials(wire->credentials);
	if (wire->fd >= 0)
		close(wire->fd);
}

/* Like read and write: -1 with EAGAIN to try again. */
static ssize_t wire_move(struct wire *wire, void *data, size_t size, bool out)
{
	ssize_t moved;

	if (!wire->session)
		return out ? send(wire->fd, data, size, MSG_NOSIGNAL)
			   : recv(wire->fd, data, size, 0);
	moved = out ? gnutls_record_send(wire->session, data, size)
		    : gnutls_record_recv(wire->session, data, size);
	if (moved >= 0)
		return moved;
	errno = moved == GNUTLS_E_AGAIN || moved == GNUTLS_E_INTERRUPTED ? EAGAIN : EIO;
	if (moved == GNUTLS_E_PREMATURE_TERMINATION)
		return 0;
	return -1;
}

static int send_all(struct wire *wire, const struct cox_buf *request, uint64_t deadline)
{
	size_t sent = 0;

	while (sent < request->size) {
		ssize_t moved = wire_move(wire, request->data + sent, request->size - sent, true);

		if (moved > 0)
			sent += (size_t)moved;
		else if (errno != EAGAIN || await(wire->fd, POLLOUT, deadline) != 0)
			return -1;
	}
	return 0;
}

static int receive(struct wire *wire, size_t limit, uint64_t deadline, struct cox_buf *answer)
{
	while (answer->size < limit) {
		ssize_t moved = wire_move(wire, cox_buf_reserve(answer, 4096), 4096, false);

		if (moved == 0)
			return 0;
		if (moved > 0)
			cox_buf_added(answer, (size_t)moved);
		/* The status line is all that counts: a body may take its time. */
		else if (strstr(cox_buf_cstr(answer), "\r\n\r\n"))
			return 0;
		else if (errno != EAGAIN || await(wire->fd, POLLIN, deadline) != 0)
			return -1;
	}
	return 0;
}

int dial_send(int fd, const struct cox_buf *data, uint64_t deadline)
{
	struct wire wire = {fd, NULL, NULL};

	return send_all(&wire, data, deadline);
}

ssize_t dial_receive(int fd, uint64_t deadline, struct cox_buf *out)
{
	for (;;) {
		ssize_t moved = recv(fd, cox_buf_reserve(out, 4096), 4096, 0);

		if (moved > 0)
			cox_buf_added(out, (size_t)moved);
		if (moved >= 0)
			return moved;
		if ((errno != EAGAIN && errno != EINTR) || await(fd, POLLIN, deadline) != 0)
			return -1;
	}
}

int dial_http(const char *host, uint16_t port, bool secure, const struct cox_buf *request,
	      uint64_t deadline, size_t limit, struct cox_buf *answer, struct cox_error *err)
{
	struct wire wire = {dial_tcp(host, port, deadline, err), NULL, NULL};
	char digits[4] = "";
	int64_t status;
	int failed;

	if (wire.fd < 0)
		return -1;
	failed = secure ? wire_secure(&wire, deadline, err) : 0;
	if (!failed &&
	    (send_all(&wire, request, deadline) || receive(&wire, limit, deadline, answer)))
		failed = error_set(err, COX_REASON_TIMEOUT, "%s",
				   errno == ETIMEDOUT ? "context deadline exceeded "
							"(Client.Timeout exceeded while awaiting "
							"headers)"
						      : strerror(errno));
	wire_close(&wire);
	if (failed)
		return -1;
	if (answer->size >= 12 && cox_starts_with(answer->data, "HTTP/1.") &&
	    answer->data[8] == ' ')
		memcpy(digits, answer->data + 9, 3);
	if (cox_parse_int(digits, 100, 999, &status))
		return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "malformed HTTP response");
	return (int)status;
}
