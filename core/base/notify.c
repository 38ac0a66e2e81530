/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager's socket; see the header. Messages are datagrams of
 * KEY=value lines; losing one is not worth failing for. */
#include "base/notify.h"

#include "base/clock.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/text.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
	int fd;
	struct sockaddr_un address;
	socklen_t address_size;
	uint64_t interval;
} notify = {.fd = -1};

static void read_watchdog(void)
{
	const char *microseconds = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	int64_t value, whose = getpid();

	if (pid && cox_parse_int(pid, 1, INT32_MAX, &whose) < 0)
		return;
	if (microseconds && whose == getpid() &&
	    cox_parse_int(microseconds, 1, INT64_MAX / 1000, &value) == 0)
		notify.interval = (uint64_t)value * 1000 / 2;
}

void notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t size = path ? strlen(path) : 0;

	read_watchdog();
	/* An abstract name begins with '@', anything else is a path. */
	if (size > 1 && size < sizeof(notify.address.sun_path) &&
	    (path[0] == '/' || path[0] == '@')) {
		notify.address.sun_family = AF_UNIX;
		memcpy(notify.address.sun_path, path, size);
		if (path[0] == '@')
			notify.address.sun_path[0] = '\0';
		notify.address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size +
						  (path[0] == '/' ? 1 : 0));
		notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	/* Children must not speak for us. */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void notify_close(void)
{
	if (notify.fd >= 0)
		close(notify.fd);
	notify.fd = -1;
	notify.interval = 0;
}

static void send_text(const char *text)
{
	if (notify.fd >= 0)
		(void)!sendto(notify.fd, text, strlen(text), MSG_NOSIGNAL,
			      (const struct sockaddr *)&notify.address, notify.address_size);
}

void notify_ready(void)
{
	send_text("READY=1");
}

void notify_reloading(void)
{
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_printf(&text, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_monotonic() / 1000);
	send_text(cox_buf_cstr(&text));
}

void notify_stopping(void)
{
	send_text("STOPPING=1");
}

void notify_status(const char *status)
{
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_printf(&text, "STATUS=%s", status);
	send_text(cox_buf_cstr(&text));
}

void notify_watchdog(void)
{
	send_text("WATCHDOG=1");
}

uint64_t notify_watchdog_interval(void)
{
	return notify.fd >= 0 ? notify.interval : 0;
}
