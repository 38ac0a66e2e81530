/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams into containers: exec, attach and port-forward. An exec without a
 * terminal hands the caller's own descriptors to the process; with one, the
 * runtime makes the terminal in the container, sends its master here, where it
 * is copied, and leaves: nothing stands between that could lose the last words.
 */
#include "oci.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define SECOND 1000000000ull
#define OUTPUT_MAX (16u << 20)
#define BLOCK 32768
#define CONSOLE_TIME 30000 /* ms that the runtime has to send a terminal */

enum conmon_stream { CONMON_STDOUT = 2, CONMON_STDERR = 3 };

/* Writes everything, also to a descriptor that does not block; -1: it is gone. */
static int write_whole(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EAGAIN) {
			if (poll(&(struct pollfd){fd, POLLOUT, 0}, 1, 30000) <= 0)
				return -1;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

/* The container's process description with another command. */
static int write_process(struct oci *oci, struct oci_unit *unit, const struct cox_strings *command,
			 bool tty, const char *path, struct cox_error *err)
{
	cox_autofree char *file = oci_unit_path(oci, unit, "config.json");
	size_t size;
	cox_autofree char *text = oci_read_file(file, OCI_RECORD_MAX, &size);
	struct json_object *config = text ? oci_parse(text, size) : NULL;
	struct json_object *process = oci_part(config, "process", json_type_object);
	struct json_object *args = json_object_new_array();
	int result = -1;

	for (size_t i = 0; i < command->count; i++)
		json_object_array_add(args, json_object_new_string(command->items[i]));
	if (!process) {
		json_object_put(args);
		oci->host->fail(err, COX_REASON_INTERNAL_ERROR, "%s cannot be read", file);
	} else {
		const char *out;

		json_object_object_add(process, "args", args);
		json_object_object_add(process, "terminal", json_object_new_boolean(tty));
		out = json_object_to_json_string_ext(process, JSON_C_TO_STRING_PLAIN);
		result = oci_write_file(oci, path, out, strlen(out), 0600, err);
	}
	json_object_put(config);
	return result;
}

static struct oci_unit *get_running(struct oci *oci, const char *id, bool sandbox,
				    struct cox_error *err)
{
	struct oci_unit *unit = oci_get_unit(oci, id, sandbox, err);
	bool running;

	if (!unit)
		return NULL;
	pthread_mutex_lock(&oci->lock);
	oci_refresh(oci, unit);
	running = unit->state == COX_CONTAINER_RUNNING;
	pthread_mutex_unlock(&oci->lock);
	if (running)
		return unit;
	oci_put_unit(oci, unit);
	oci->host->fail(err, COX_REASON_CONFLICT, "%s \"%s\" is not running",
			sandbox ? "sandbox" : "container", id);
	return NULL;
}

/* One running exec. */
struct execution {
	int pidfd;
	int32_t pid;	     /* of the runtime */
	const char *pidfile; /* of the command */
	const char *console; /* path of the socket that the master comes by */
	int master;	     /* of the terminal; -1: none */
};

/* Ends the command in the container, then the runtime that waits for it. */
static void kill_execution(const struct execution *run)
{
	struct oci_process command = {.pid = oci_read_pidfile(run->pidfile), .fd = -1};

	if (oci_process_open(&command)) {
		syscall(SYS_pidfd_send_signal, command.fd, SIGKILL, NULL, 0);
		oci_process_close(&command);
	} else {
		syscall(SYS_pidfd_send_signal, run->pidfd, SIGKILL, NULL, 0);
	}
}

static void resize(const struct execution *run, int *resize_fd)
{
	struct cox_window_size size;
	ssize_t got = read(*resize_fd, &size, sizeof(size));
	struct winsize window = {0};

	if (got == 0)
		*resize_fd = -1;
	if (got != sizeof(size))
		return;
	window.ws_col = size.columns;
	window.ws_row = size.rows;
	ioctl(run->master, TIOCSWINSZ, &window); /* the kernel tells who sits there */
}

/* Copies between the terminal and the caller until the command ends. */
static bool pump_terminal(struct oci *oci, const struct cox_call *call, const struct execution *run,
			  const struct cox_streams *streams)
{
	int in = streams->stdin_fd, sizes = streams->resize_fd;
	char block[BLOCK];

	for (bool ended = false;;) {
		struct pollfd polls[4] = {{run->master, POLLIN, 0},
					  {in, POLLIN, 0},
					  {sizes, POLLIN, 0},
					  {run->pidfd, POLLIN, 0}};
		/* The terminal's last bytes come a moment later, and then its end. */
		int ready = poll(polls, ended ? 1 : 4, ended ? 1000 : 100);
		ssize_t got;

		if (polls[0].revents) {
			got = read(run->master, block, sizeof(block));
			if (got <= 0 && errno != EINTR && errno != EAGAIN)
				return true; /* the last one closed the terminal */
			if (got > 0 && streams->stdout_fd >= 0 &&
			    write_whole(streams->stdout_fd, block, (size_t)got) != 0)
				return false;
			continue;
		}
		if (ended)
			return true;
		/* Before the input, which may ask for it. */
		if (polls[2].revents)
			resize(run, &sizes);
		if (polls[1].revents) {
			got = read(in, block, sizeof(block));
			if (got == 0) {
				/* What ends the input of a terminal. */
				write_whole(run->master, "\004", 1);
				in = -1;
			} else if (got > 0) {
				write_whole(run->master, block, (size_t)got);
			}
		}
		ended = polls[3].revents != 0;
		if (ready == 0 && call && oci->host->cancelled(call))
			return false;
	}
}

static bool wait_plain(struct oci *oci, const struct cox_call *call, const struct execution *run)
{
	for (;;) {
		struct pollfd ended = {run->pidfd, POLLIN, 0};

		if (poll(&ended, 1, 100) > 0)
			return true;
		if (call && oci->host->cancelled(call))
			return false;
	}
}

/* Takes the descriptor that somebody sends; -1: it is none. */
static int receive_descriptor(int from)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte;
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *header;
	int fd = -1;

	if (recvmsg(from, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1)
		return -1;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* Listens where the runtime sends the master of the terminal. */
static int open_console(struct oci *oci, const char *path, struct cox_error *err)
{
	cox_autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return oci->host->fail(err, COX_REASON_INVALID,
				       "the path %s is too long for a socket: choose a shorter "
				       "state-directory",
				       path);
	memcpy(address.sun_path, path, strlen(path));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(fd, 1) != 0)
		return oci_fail_errno(oci, err, "listen on %s", path);
	return cox_steal_fd(&fd);
}

static bool is_readable(int fd, int unless_ended, int timeout_ms)
{
	struct pollfd polls[2] = {{fd, POLLIN, 0}, {unless_ended, POLLIN, 0}};

	return poll(polls, 2, timeout_ms) > 0 && polls[0].revents;
}

/* Takes the master; stays without one if the runtime ends first, which says why. */
static int take_master(struct oci *oci, int console, struct execution *run, struct cox_error *err)
{
	cox_autoclose int fd = -1;

	if (is_readable(console, run->pidfd, CONSOLE_TIME))
		fd = accept4(console, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0 && is_readable(fd, -1, CONSOLE_TIME))
		run->master = receive_descriptor(fd);
	if (run->master >= 0 || is_readable(run->pidfd, -1, 0))
		return 0;
	kill_execution(run);
	oci_exit_code(run->pidfd);
	return oci->host->fail(err, COX_REASON_INTERNAL_ERROR,
			       "exec: the runtime sent no terminal");
}

static int spawn_execution(struct oci *oci, const char *const *argv,
			   const struct cox_streams *streams, struct execution *run,
			   struct cox_error *err)
{
	const int wanted[3] = {streams->stdin_fd, streams->stdout_fd, streams->stderr_fd};
	struct cox_spawn_fd fds[3];
	struct oci_command command = {.argv = argv, .fds = fds};

	for (int i = 0; !streams->tty && i < 3; i++)
		if (wanted[i] >= 0)
			fds[command.fd_count++] = (struct cox_spawn_fd){wanted[i], i};
	return oci_spawn(oci, &command, &run->pidfd, &run->pid, err);
}

static int start_execution(struct oci *oci, struct oci_unit *unit,
			   const struct cox_streams *streams, const char *process, const char *log,
			   struct execution *run, struct cox_error *err)
{
	cox_autofree char *root = oci_format("%s/runtime", oci->state);
	cox_autofree char *helper = oci_format("%s/coxswain-oci-helper", oci->helpers);
	const char *argv[] = {helper,
			      "follow",
			      run->pidfile,
			      oci->runtime_path,
			      "--root",
			      root,
			      "--log",
			      log,
			      "--log-format",
			      "json",
			      "exec",
			      "--process",
			      process,
			      "--pid-file",
			      run->pidfile,
			      "--tty",
			      "--detach",
			      "--console-socket",
			      run->console,
			      unit->id,
			      NULL};
	enum { DIRECT = 3, TTY = 15 };
	cox_autoclose int console = -1;

	if (!streams->tty) {
		argv[TTY] = unit->id;
		argv[TTY + 1] = NULL;
		return spawn_execution(oci, argv + DIRECT, streams, run, err);
	}
	console = open_console(oci, run->console, err);
	if (console < 0 || spawn_execution(oci, argv, streams, run, err) != 0)
		return -1;
	return take_master(oci, console, run, err);
}

/* The runtime's last words, if the command never came to life. */
static int fail_start(struct oci *oci, const char *log, struct cox_error *err)
{
	size_t size = 0;
	cox_autofree char *text = oci_read_file(log, 1 << 20, &size);
	cox_autobuf message = COX_BUF_INIT;
	char *rest = text;

	for (char *line; (line = oci_next_line(&rest));) {
		struct json_object *entry = oci_parse(line, strlen(line));

		if (*oci_text(entry, "msg")) {
			cox_buf_clear(&message);
			cox_buf_str(&message, oci_text(entry, "msg"));
		}
		json_object_put(entry);
	}
	return oci_fail_output(oci, err, "exec", &message);
}

int oci_exec(void *self, const struct cox_call *call, const char *id,
	     const struct cox_strings *command, const struct cox_streams *streams,
	     int32_t *exit_code, struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_unit *unit = get_running(oci, id, false, err);
	cox_autofree char *process = NULL, *pidfile = NULL, *log = NULL, *console = NULL;
	struct execution run = {.pidfd = -1, .master = -1};
	uint64_t random;
	int result = -1, code;
	bool whole;

	if (!unit)
		return -1;
	oci->host->random(&random, sizeof(random));
	process = oci_format("%s/exec-%016" PRIx64 ".json", oci->state, random);
	pidfile = oci_format("%s/exec-%016" PRIx64 ".pid", oci->state, random);
	log = oci_format("%s/exec-%016" PRIx64 ".log", oci->state, random);
	console = oci_format("%s/exec-%016" PRIx64 ".sock", oci->state, random);
	run.pidfile = pidfile;
	run.console = console;
	if (!command->count) {
		oci->host->fail(err, COX_REASON_INVALID, "no command to run");
		goto out;
	}
	if (write_process(oci, unit, command, streams->tty, process, err) != 0 ||
	    start_execution(oci, unit, streams, process, log, &run, err) != 0)
		goto out;
	whole = run.master >= 0 ? pump_terminal(oci, call, &run, streams)
				: wait_plain(oci, call, &run);
	if (!whole)
		kill_execution(&run);
	code = oci_exit_code(run.pidfd);
	if (!whole)
		oci->host->fail(err, COX_REASON_TIMEOUT, "the command was ended: %s",
				call && oci->host->cancelled(call) ? "cancelled or out of time"
								   : "nobody reads its output");
	else if (code != 0 && access(pidfile, F_OK) != 0)
		fail_start(oci, log, err);
	else
		result = 0;
	*exit_code = code;
out:
	unlink(process);
	unlink(pidfile);
	unlink(log);
	unlink(console);
	cox_cleanup_close(&run.pidfd);
	cox_cleanup_close(&run.master);
	oci_put_unit(oci, unit);
	return result;
}

/* Takes the output of one exec_sync on a thread of its own. */
struct collector {
	int fds[2];
	struct cox_buf out[2];
	atomic_bool ended; /* the command has */
};

static void *collect(void *context)
{
	struct collector *collector = context;

	while (collector->fds[0] >= 0 || collector->fds[1] >= 0) {
		struct pollfd polls[2] = {{collector->fds[0], POLLIN, 0},
					  {collector->fds[1], POLLIN, 0}};

		/* What the command left running may hold the pipes for ever. */
		if (poll(polls, 2, 50) == 0 && atomic_load(&collector->ended))
			break;
		for (int i = 0; i < 2; i++) {
			char block[BLOCK];
			ssize_t got;

			if (!polls[i].revents)
				continue;
			got = read(collector->fds[i], block, sizeof(block));
			if (got == 0 || (got < 0 && errno != EINTR))
				collector->fds[i] = -1;
			else if (got > 0 && collector->out[i].size + (size_t)got <= OUTPUT_MAX)
				cox_buf_add(&collector->out[i], block, (size_t)got);
		}
	}
	return NULL;
}

int oci_exec_sync(void *self, const struct cox_call *call, const char *id,
		  const struct cox_strings *command, uint64_t timeout_ns,
		  const struct cox_output_sink *sink, int32_t *exit_code, struct cox_error *err)
{
	struct oci *oci = self;
	struct cox_call limited = call ? *call : (struct cox_call){.struct_size = sizeof(limited)};
	int pipes[2][2] = {{-1, -1}, {-1, -1}}, result = -1;
	struct collector collector = {.fds = {-1, -1}};
	struct cox_streams streams = {
		.struct_size = sizeof(streams), .stdin_fd = -1, .resize_fd = -1};
	pthread_t thread;

	if (timeout_ns) {
		uint64_t end = oci->host->monotonic_ns() + timeout_ns;

		if (!limited.deadline_ns || end < limited.deadline_ns)
			limited.deadline_ns = end;
	}
	if (pipe2(pipes[0], O_CLOEXEC) != 0 || pipe2(pipes[1], O_CLOEXEC) != 0) {
		oci_fail_errno(oci, err, "make a pipe");
		goto out;
	}
	collector.fds[0] = pipes[0][0];
	collector.fds[1] = pipes[1][0];
	streams.stdout_fd = pipes[0][1];
	streams.stderr_fd = pipes[1][1];
	errno = pthread_create(&thread, NULL, collect, &collector);
	if (errno) {
		oci_fail_errno(oci, err, "start a thread");
		goto out;
	}
	result = oci_exec(self, &limited, id, command, &streams, exit_code, err);
	atomic_store(&collector.ended, true);
	close(cox_steal_fd(&pipes[0][1]));
	close(cox_steal_fd(&pipes[1][1]));
	pthread_join(thread, NULL);
	for (int i = 0; i < 2 && result == 0; i++)
		if (collector.out[i].size &&
		    sink->output(
			    sink, i + 1,
			    (struct cox_bytes){collector.out[i].data, collector.out[i].size}) != 0)
			break;
out:
	for (int i = 0; i < 2; i++) {
		cox_buf_free(&collector.out[i]);
		cox_cleanup_close(&pipes[i][0]);
		cox_cleanup_close(&pipes[i][1]);
	}
	return result;
}

/* Opens the container's FIFO of orders to conmon and writes one line. */
int oci_control(struct oci *oci, struct oci_unit *unit, const char *line, struct cox_error *err)
{
	cox_autofree char *path = oci_unit_path(oci, unit, "ctl");
	cox_autoclose int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		return oci_fail_errno(oci, err, "tell conmon through %s", path);
	return 0;
}

/* A path too long for a socket address is reached through its directory. */
static int connect_attach(struct oci *oci, struct oci_unit *unit, struct cox_error *err)
{
	cox_autofree char *bundle = oci_unit_path(oci, unit, "");
	cox_autoclose int directory = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/attach", directory);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		oci_fail_errno(oci, err, "connect to conmon");
		cox_cleanup_close(&fd);
		return -1;
	}
	return fd;
}

static void attach_resize(struct oci *oci, struct oci_unit *unit, int *resize_fd)
{
	struct cox_window_size size;
	ssize_t got = read(*resize_fd, &size, sizeof(size));
	cox_autofree char *line = NULL;

	if (got == 0)
		*resize_fd = -1;
	if (got != sizeof(size))
		return;
	line = oci_format("1 %u %u\n", size.rows, size.columns);
	(void)oci_control(oci, unit, line, NULL);
}

/* One packet from conmon: the stream's number, then bytes. False: the end. */
static bool take_packet(int fd, const struct cox_streams *streams)
{
	char packet[BLOCK + 1];
	ssize_t got = recv(fd, packet, sizeof(packet), 0);
	int out;

	if (got < 0 && errno == EINTR)
		return true;
	if (got <= 0)
		return false;
	out = packet[0] == CONMON_STDERR ? streams->stderr_fd : streams->stdout_fd;
	if (packet[0] != CONMON_STDOUT && packet[0] != CONMON_STDERR)
		return true;
	return out < 0 || write_whole(out, packet + 1, (size_t)got - 1) == 0;
}

int oci_attach(void *self, const struct cox_call *call, const char *id,
	       const struct cox_streams *streams, struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_unit *unit = get_running(oci, id, false, err);
	int in = streams->stdin_fd, sizes = streams->resize_fd;
	cox_autoclose int fd = -1;
	char block[8192]; /* conmon reads no more at once */

	if (!unit)
		return -1;
	fd = connect_attach(oci, unit, err);
	while (fd >= 0) {
		struct pollfd polls[3] = {{fd, POLLIN, 0}, {in, POLLIN, 0}, {sizes, POLLIN, 0}};
		int ready = poll(polls, 3, 100);

		if (polls[0].revents && !take_packet(fd, streams))
			break;
		if (polls[1].revents) {
			ssize_t got = read(in, block, sizeof(block));

			if (got == 0) {
				/* Half closed: the container's stdin may end. */
				shutdown(fd, SHUT_WR);
				in = -1;
			} else if (got > 0 && send(fd, block, (size_t)got, MSG_NOSIGNAL) < 0) {
				in = -1;
			}
		}
		if (polls[2].revents)
			attach_resize(oci, unit, &sizes);
		if (ready == 0 && call && oci->host->cancelled(call))
			break;
	}
	oci_put_unit(oci, unit);
	return fd >= 0 ? 0 : -1;
}

int oci_port_forward(void *self, const struct cox_call *call, const char *sandbox_id, uint16_t port,
		     int *fd, struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_unit *unit = get_running(oci, sandbox_id, true, err);
	cox_autofree char *helper = oci_format("%s/coxswain-oci-helper", oci->helpers);
	cox_autobuf errors = COX_BUF_INIT;
	cox_autoclose int space = -1;
	char number[8], path[64];
	int pair[2] = {-1, -1}, code;

	if (!unit)
		return -1;
	snprintf(path, sizeof(path), "/proc/%" PRId64 "/ns/net", unit->init.pid);
	snprintf(number, sizeof(number), "%u", port);
	space = open(path, O_RDONLY | O_CLOEXEC);
	if (space < 0 || oci_process_ended(&unit->init) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		code = oci_fail_errno(oci, err, "open the sandbox's network namespace");
	} else {
		const char *argv[] = {helper, "connect", number, NULL};
		const struct cox_spawn_fd fds[] = {{space, 3}, {pair[1], 4}};
		struct oci_command command = {
			.argv = argv, .fds = fds, .fd_count = 2, .timeout_ns = 30 * SECOND};

		code = oci_run(oci, call, &command, NULL, &errors, err);
		if (code > 0)
			code = oci_fail_output(oci, err, "port-forward", &errors);
		else if (code == 0 && (*fd = receive_descriptor(pair[0])) < 0)
			code = oci->host->fail(err, COX_REASON_INTERNAL_ERROR,
					       "port-forward: no connection came");
	}
	cox_cleanup_close(&pair[0]);
	cox_cleanup_close(&pair[1]);
	oci_put_unit(oci, unit);
	return code;
}
