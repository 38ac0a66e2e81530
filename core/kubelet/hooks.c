/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of lifecycle hooks and probes: a command in the container, an HTTP
 * request, a TCP connection, or a pause. Every wait is bounded by the deadline.
 */
#include "kubelet/container.h"

#include "base/clock.h"
#include "kubelet/dial.h"
#include "kubelet/grpc.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <string.h>
#include <unistd.h>

enum { OUTPUT_MAX = 10 * 1024, COMMAND_MAX = 10000 };

struct output_taker {
	struct cox_output_sink sink;
	struct cox_buf *out;
};

static int take_output(const struct cox_output_sink *sink, int stream, struct cox_bytes data)
{
	struct cox_buf *out = ((const struct output_taker *)(const void *)sink)->out;
	size_t room = out->size < OUTPUT_MAX ? OUTPUT_MAX - out->size : 0;

	(void)stream;
	cox_buf_add(out, data.data, data.size < room ? data.size : room);
	return 0;
}

static int run_exec(const struct hook_target *target, const struct value *exec, uint64_t timeout,
		    struct cox_buf *output)
{
	const struct value *list = value_get(exec, "command");
	size_t count = value_is(list, VALUE_ARRAY) && list->count < COMMAND_MAX ? list->count : 0;
	cox_autoarena arena = ARENA_INIT;
	const char **words = arena_alloc(&arena, (count + 1) * sizeof(*words));
	const struct cox_strings command = {words, count};
	const struct output_taker taker = {{sizeof(taker.sink), 0, take_output}, output};
	cox_autoerror err = COX_ERROR_INIT;
	int32_t exit_code = -1;

	for (size_t i = 0; i < count; i++)
		words[i] = value_text(value_at(list, i));
	if (runtime_call(target->kubelet, timeout + 10 * CLOCK_SECOND, exec_sync, target->id,
			 &command, timeout, &taker.sink, &exit_code, &err)) {
		char limit[32];

		cox_format_duration(timeout, limit);
		cox_buf_clear(output);
		if (err.reason != COX_REASON_TIMEOUT) {
			cox_buf_str(output, error_text(&err));
			return -1;
		}
		cox_buf_printf(output, "command timed out: \"%s\" timed out after %s",
			       count ? words[0] : "", limit);
		return 1;
	}
	return exit_code ? 1 : 0;
}

/* A number, or the name of one of the container's ports; 0: neither. */
static uint16_t port_of(const struct hook_target *target, const struct value *port)
{
	const struct value *list = value_get(target->container, "ports"), *item;
	int64_t number = 0;

	if (value_is(port, VALUE_INT))
		number = port->integer;
	else if (cox_parse_int(value_text(port), 1, 65535, &number))
		for (size_t i = 0; (item = value_at(list, i)); i++)
			if (!strcmp(value_get_text(item, "name"), value_text(port)))
				number = value_get_int(item, "containerPort", 0);
	return number > 0 && number <= 65535 ? (uint16_t)number : 0;
}

static const char *host_of(const struct hook_target *target, const struct value *handler)
{
	const char *host = value_get_text(handler, "host");

	return *host ? host : target->pod_ip;
}

static int run_tcp(const struct hook_target *target, const struct value *handler, uint64_t deadline,
		   struct cox_buf *output)
{
	uint16_t port = port_of(target, value_get(handler, "port"));
	cox_autoerror err = COX_ERROR_INIT;
	cox_autoclose int fd = -1;

	if (!port) {
		cox_buf_str(output, "invalid port number");
		return -1;
	}
	fd = dial_tcp(host_of(target, handler), port, deadline, &err);
	if (fd >= 0)
		return 0;
	cox_buf_str(output, error_text(&err));
	return 1;
}

static void add_headers(struct cox_buf *request, const struct value *headers, const char *host,
			uint16_t port, bool *agent)
{
	const struct value *header;
	bool hosted = false;

	for (size_t i = 0; (header = value_at(headers, i)); i++) {
		const char *name = value_get_text(header, "name");
		const char *value = value_get_text(header, "value");

		/* A line break would begin a header that nobody asked for. */
		if (strpbrk(name, "\r\n: ") || strpbrk(value, "\r\n"))
			continue;
		hosted |= !strcasecmp(name, "Host");
		*agent |= !strcasecmp(name, "User-Agent");
		cox_buf_printf(request, "%s: %s\r\n", name, value);
	}
	if (!hosted)
		cox_buf_printf(request, strchr(host, ':') ? "Host: [%s]:%u\r\n" : "Host: %s:%u\r\n",
			       host, port);
}

static int run_http(const struct hook_target *target, const struct value *handler,
		    uint64_t deadline, struct cox_buf *output)
{
	uint16_t port = port_of(target, value_get(handler, "port"));
	const char *host = host_of(target, handler), *path = value_get_text(handler, "path");
	bool secure = !strcmp(value_get_text(handler, "scheme"), "HTTPS"), agent = false;
	cox_autobuf request = COX_BUF_INIT, answer = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	int status;

	if (!port) {
		cox_buf_str(output, "invalid port number");
		return -1;
	}
	if (strpbrk(path, "\r\n ")) {
		cox_buf_str(output, "the path is not one of a URL");
		return -1;
	}
	cox_buf_printf(&request, "GET %s%s HTTP/1.1\r\n", *path == '/' ? "" : "/", path);
	add_headers(&request, value_get(handler, "httpHeaders"), host, port, &agent);
	if (!agent)
		cox_buf_str(&request, "User-Agent: kube-probe/1.36\r\n");
	cox_buf_str(&request, "Accept: */*\r\nConnection: close\r\n\r\n");
	status = dial_http(host, port, secure, &request, deadline, OUTPUT_MAX, &answer, &err);
	if (status < 0) {
		cox_buf_printf(output, "Get \"%s://%s:%u%s%s\": %s", secure ? "https" : "http",
			       host, port, *path == '/' ? "" : "/", path, error_text(&err));
		return 1;
	}
	if (status >= 200 && status < 400)
		return 0;
	cox_buf_printf(output, "HTTP probe failed with statuscode: %d", status);
	return 1;
}

static int run_sleep(const struct hook_target *target, const struct value *handler,
		     uint64_t deadline)
{
	uint64_t until =
		clock_monotonic() + (uint64_t)value_get_int(handler, "seconds", 0) * CLOCK_SECOND;

	until = until < deadline ? until : deadline;
	while (clock_monotonic() < until && !cancel_requested(&target->kubelet->cancel)) {
		uint64_t left = until - clock_monotonic();

		usleep((useconds_t)((left < 100 * CLOCK_MILLISECOND ? left
								    : 100 * CLOCK_MILLISECOND) /
				    1000));
	}
	return 0;
}

int hook_run(const struct hook_target *target, const struct value *handler, uint64_t timeout,
	     struct cox_buf *output)
{
	uint64_t deadline = clock_monotonic() + timeout;
	const struct value *found;

	if ((found = value_get(handler, "exec")))
		return run_exec(target, found, timeout, output);
	if ((found = value_get(handler, "httpGet")))
		return run_http(target, found, deadline, output);
	if ((found = value_get(handler, "tcpSocket")))
		return run_tcp(target, found, deadline, output);
	if ((found = value_get(handler, "grpc"))) /* a probe's alone */
		return grpc_check(target->pod_ip, (uint16_t)value_get_int(found, "port", 0),
				  value_get_text(found, "service"), deadline, output);
	if ((found = value_get(handler, "sleep")))
		return run_sleep(target, found, deadline);
	cox_buf_str(output, "this kind of handler is not supported");
	return -1;
}
