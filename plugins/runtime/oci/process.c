/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: started by the host, told apart by their start time, waited for by descriptor. */
#include "oci.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define OUTPUT_MAX (1u << 20)
#define SECOND 1000000000ull

uint64_t oci_timeout(const struct oci *oci, const struct cox_call *call, uint64_t most_ns)
{
	uint64_t now;

	if (!call || !call->deadline_ns)
		return most_ns;
	now = oci->host->monotonic_ns();
	if (call->deadline_ns <= now)
		return 1;
	return call->deadline_ns - now < most_ns ? call->deadline_ns - now : most_ns;
}

int oci_spawn(struct oci *oci, const struct oci_command *command, int *pidfd, int32_t *pid,
	      struct cox_error *err)
{
	COX_VEC(const char *) env = {NULL, 0, 0};
	struct cox_spawn what = {.struct_size = sizeof(what),
				 .path = command->argv[0],
				 .argv = command->argv,
				 .fds = command->fds,
				 .fd_count = command->fd_count};
	int result;

	cox_vec_push(&env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	if (oci->runtime_env)
		cox_vec_push(&env, oci->runtime_env);
	for (size_t i = 0; command->env && command->env[i]; i++)
		cox_vec_push(&env, command->env[i]);
	cox_vec_push(&env, NULL);
	what.env = env.items;
	result = oci->host->spawn(oci->host->context, &what, pidfd, pid, err);
	cox_vec_free(&env);
	return result;
}

int oci_exit_code(int pidfd)
{
	siginfo_t info;

	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) != 0)
		if (errno != EINTR)
			return -1;
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/* Takes what is there; false at the end. */
static bool drain(int fd, struct cox_buf *out)
{
	char block[4096];
	ssize_t got = read(fd, block, sizeof(block));

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got > 0 && out && out->size < OUTPUT_MAX)
		cox_buf_add(out, block, (size_t)got);
	return got > 0;
}

/* Reads both pipes until the process ends; false if it took too long. */
static bool follow(struct oci *oci, const struct cox_call *call, int pidfd, int fds[2],
		   struct cox_buf *const buffers[2], uint64_t timeout_ns)
{
	uint64_t end = oci->host->monotonic_ns() + timeout_ns;

	for (;;) {
		struct pollfd polls[3] = {
			{fds[0], POLLIN, 0}, {fds[1], POLLIN, 0}, {pidfd, POLLIN, 0}};

		if (poll(polls, 3, 100) < 0 && errno != EINTR)
			return false;
		for (int i = 0; i < 2; i++)
			if (polls[i].revents && !drain(fds[i], buffers[i])) {
				close(fds[i]);
				fds[i] = -1;
			}
		if (polls[2].revents)
			return true;
		if (oci->host->monotonic_ns() >= end || (call && oci->host->cancelled(call)))
			return false;
	}
}

int oci_run(struct oci *oci, const struct cox_call *call, const struct oci_command *command,
	    struct cox_buf *out, struct cox_buf *errors, struct cox_error *err)
{
	struct cox_buf *const buffers[2] = {out, errors};
	struct cox_spawn_fd fds[8];
	struct oci_command copy = *command;
	int reads[2] = {-1, -1}, writes[2] = {-1, -1}, pidfd = -1, code = -1;
	size_t count = 0;
	bool ended;

	for (size_t i = 0; i < command->fd_count && count < 6; i++)
		fds[count++] = command->fds[i];
	for (int i = 0; i < 2; i++) {
		int ends[2];

		if (!buffers[i])
			continue;
		if (pipe2(ends, O_CLOEXEC) != 0) {
			oci_fail_errno(oci, err, "make a pipe");
			goto out;
		}
		reads[i] = ends[0];
		writes[i] = ends[1];
		fcntl(ends[0], F_SETFL, O_NONBLOCK);
		fds[count++] = (struct cox_spawn_fd){ends[1], i + 1};
	}
	copy.fds = fds;
	copy.fd_count = count;
	if (oci_spawn(oci, &copy, &pidfd, NULL, err) != 0)
		goto out;
	for (int i = 0; i < 2; i++)
		if (writes[i] >= 0)
			close(cox_steal_fd(&writes[i]));
	ended = follow(oci, call, pidfd, reads, buffers,
		       oci_timeout(oci, call, command->timeout_ns));
	if (!ended)
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	code = oci_exit_code(pidfd);
	for (int i = 0; i < 2; i++)
		while (reads[i] >= 0 && poll(&(struct pollfd){reads[i], POLLIN, 0}, 1, 0) == 1 &&
		       drain(reads[i], buffers[i]))
			continue;
	if (!ended) {
		code = oci->host->fail(err, COX_REASON_TIMEOUT, "%s %s did not end in time",
				       command->argv[0], command->argv[1] ? command->argv[1] : "");
	} else if (code < 0) {
		oci_fail_errno(oci, err, "wait for %s", command->argv[0]);
	}
out:
	for (int i = 0; i < 2; i++) {
		cox_cleanup_close(&reads[i]);
		cox_cleanup_close(&writes[i]);
	}
	cox_cleanup_close(&pidfd);
	return code;
}

int64_t oci_process_start(int64_t pid)
{
	char path[64];
	size_t size;
	cox_autofree char *text = NULL;
	const char *at;

	if (pid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%" PRId64 "/stat", pid);
	text = oci_read_file(path, 65536, &size);
	/* The name may contain anything, also ") ": the last one counts. */
	at = text ? strrchr(text, ')') : NULL;
	if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
		return 0;
	for (int field = 2; field < 22 && at; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoll(at, NULL, 10) : 0;
}

bool oci_process_open(struct oci_process *process)
{
	if (process->pid <= 0)
		return false;
	if (process->fd < 0)
		process->fd = (int)syscall(SYS_pidfd_open, (pid_t)process->pid, 0);
	/* Only now can the pid not be given away between look and use. */
	if (process->fd >= 0) {
		int64_t start = oci_process_start(process->pid);

		if (start && (!process->start || start == process->start)) {
			process->start = start;
			return true;
		}
	}
	oci_process_close(process);
	return false;
}

void oci_process_close(struct oci_process *process)
{
	cox_cleanup_close(&process->fd);
	process->fd = -1;
}

bool oci_process_ended(const struct oci_process *process)
{
	struct pollfd poll_fd = {process->fd, POLLIN, 0};

	return process->fd < 0 || poll(&poll_fd, 1, 0) != 0;
}

int64_t oci_read_pidfile(const char *path)
{
	cox_autofree char *text = oci_read_file(path, 64, NULL);

	return text ? strtoll(text, NULL, 10) : 0;
}

int oci_fail_output(struct oci *oci, struct cox_error *err, const char *what,
		    const struct cox_buf *output)
{
	const char *text = cox_buf_cstr(output);
	size_t size = strcspn(text, "\n");

	if (size > 2000)
		size = 2000;
	return oci->host->fail(err, COX_REASON_INTERNAL_ERROR, "%s: %.*s", what, (int)size,
			       size ? text : "failed without a word");
}

/* The text of the last error in a log of JSON lines. */
static void last_message(const char *path, struct cox_buf *out)
{
	size_t size;
	cox_autofree char *text = oci_read_file(path, OUTPUT_MAX, &size);

	for (char *line = text; line && *line;) {
		char *next = strchr(line, '\n');
		struct json_object *entry =
			oci_parse(line, next ? (size_t)(next - line) : strlen(line));
		const char *level = oci_text(entry, "level");

		if (*oci_text(entry, "msg") && strcmp(level, "warning") != 0 &&
		    strcmp(level, "info") != 0 && strcmp(level, "debug") != 0) {
			cox_buf_clear(out);
			cox_buf_str(out, oci_text(entry, "msg"));
		}
		json_object_put(entry);
		line = next ? next + 1 : NULL;
	}
}

int oci_runtime(struct oci *oci, const struct cox_call *call, const char *const *arguments,
		struct cox_buf *errors, struct cox_error *err)
{
	uint64_t random;
	cox_autofree char *log = NULL, *root = oci_format("%s/runtime", oci->state);
	const char *argv[32] = {oci->runtime_path, "--root", root, "--log"};
	struct oci_command command = {.argv = argv, .timeout_ns = 60 * SECOND};
	size_t count = 4;
	int code;

	oci->host->random(&random, sizeof(random));
	log = oci_format("%s/log-%016" PRIx64, oci->state, random);
	argv[count++] = log;
	argv[count++] = "--log-format";
	argv[count++] = "json";
	while (*arguments && count < 31)
		argv[count++] = *arguments++;
	code = oci_run(oci, call, &command, NULL, NULL, err);
	if (code > 0 && errors)
		last_message(log, errors);
	unlink(log);
	return code;
}
