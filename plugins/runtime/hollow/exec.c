/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands in hollow containers: they say their own words, and exit with 0
 * unless one of these says otherwise:
 *	exit-code=3     exits with this code
 *	exists=/a/path  exits with 1 if the machine has no such file
 *	delay=2s        takes that long
 */
#include "hollow.h"

#include <coxswain/kit/text.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int running(struct hollow *hollow, const char *id, struct cox_error *err)
{
	struct hollow_container *container;

	cox_lock_scope(&hollow->lock);
	container = hollow_find_container(hollow, id);
	if (!container)
		return hollow->host->fail(err, COX_REASON_NOT_FOUND, "no container \"%s\"", id);
	if (container->state != COX_CONTAINER_RUNNING)
		return hollow->host->fail(err, COX_REASON_CONFLICT, "container \"%s\" does not run",
					  id);
	return 0;
}

/* `limit`: 0: none. */
static int perform(struct hollow *hollow, const struct cox_call *call,
		   const struct cox_strings *command, uint64_t limit, struct cox_buf *out,
		   int32_t *exit_code, struct cox_error *err)
{
	uint64_t delay = 0;
	int64_t code = 0;

	for (size_t i = 0; i < command->count; i++) {
		const char *word = command->items[i];

		cox_buf_printf(out, "%s%s", i ? " " : "", word);
		if (cox_starts_with(word, "exit-code=") && cox_parse_int(word + 10, 0, 255, &code))
			code = 126;
		if (cox_starts_with(word, "delay=") && cox_parse_duration(word + 6, &delay))
			code = 126;
		if (cox_starts_with(word, "exists=") && access(word + 7, F_OK) != 0)
			code = 1;
	}
	cox_buf_char(out, '\n');
	*exit_code = (int32_t)code;
	if (limit && delay > limit) {
		if (hollow_pause(hollow, call, limit, err))
			return -1;
		return hollow->host->fail(err, COX_REASON_TIMEOUT, "the command took too long");
	}
	return hollow_pause(hollow, call, delay, err);
}

int hollow_exec(void *self, const struct cox_call *call, const char *id,
		const struct cox_strings *command, const struct cox_streams *streams,
		int32_t *exit_code, struct cox_error *err)
{
	cox_autobuf out = COX_BUF_INIT;
	struct hollow *hollow = self;

	if (running(hollow, id, err) || perform(hollow, call, command, 0, &out, exit_code, err))
		return -1;
	if (streams->stdout_fd >= 0 &&
	    write(streams->stdout_fd, out.data, out.size) != (ssize_t)out.size)
		return hollow->host->fail(err, COX_REASON_INTERNAL_ERROR, "write: %s",
					  strerror(errno));
	return 0;
}

int hollow_exec_sync(void *self, const struct cox_call *call, const char *id,
		     const struct cox_strings *command, uint64_t timeout_ns,
		     const struct cox_output_sink *sink, int32_t *exit_code, struct cox_error *err)
{
	cox_autobuf out = COX_BUF_INIT;

	if (running(self, id, err) ||
	    perform(self, call, command, timeout_ns, &out, exit_code, err))
		return -1;
	sink->output(sink, 1, (struct cox_bytes){out.data, out.size});
	return 0;
}

/* Nothing comes from a hollow container: this waits for its end. */
int hollow_attach(void *self, const struct cox_call *call, const char *id,
		  const struct cox_streams *streams, struct cox_error *err)
{
	struct hollow *hollow = self;

	(void)streams;
	if (running(hollow, id, err))
		return -1;
	for (;;) {
		struct hollow_container *container;

		if (hollow_pause(hollow, call, 50000000u, err))
			return -1;
		cox_lock_scope(&hollow->lock);
		container = hollow_find_container(hollow, id);
		if (!container || container->state != COX_CONTAINER_RUNNING)
			return 0;
	}
}

int hollow_port_forward(void *self, const struct cox_call *call, const char *sandbox_id,
			uint16_t port, int *fd, struct cox_error *err)
{
	struct hollow *hollow = self;

	(void)call;
	(void)fd;
	cox_lock_scope(&hollow->lock);
	if (!hollow_find_sandbox(hollow, sandbox_id))
		return hollow->host->fail(err, COX_REASON_NOT_FOUND, "no sandbox \"%s\"",
					  sandbox_id);
	return hollow->host->fail(err, COX_REASON_SERVICE_UNAVAILABLE, "connect to port %u: %s",
				  port, strerror(ECONNREFUSED));
}
