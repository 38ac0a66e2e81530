/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole cluster; see the header. The control plane is this same program
 * started again. It says READY as any daemon does, on a socket made for it; if
 * it ends by itself it is started anew after a second. The socket that the node
 * reaches it by outlives it, so that connections wait for the next one. It ends
 * when this process does, by the end of a pipe that nobody writes to: the signal
 * that the kernel has for that comes once for every thread of a parent that is
 * killed, and a second request to stop means "at once". `lock` guards the
 * descriptor of the process and `stopping`.
 */
#include "up.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/spawn.h"
#include "host/host.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Set for the control plane's process: the descriptor of its listening socket. */
#define ENVIRONMENT "COXSWAIN_UP"
enum {
	CHILD_SOCKET = 3,
	CHILD_LIFE, /* the pipe that ends with the process that started it */
	BACKLOG = 128,
	SOCKET_NAME_SIZE = sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1
};

static const uint64_t ready_time = 60 * CLOCK_SECOND;
static const uint64_t stop_time = 20 * CLOCK_SECOND;
static const uint64_t restart_time = CLOCK_SECOND;

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool thread_runs;
	bool stopping;
	int life[2]; /* a pipe whose second end nobody else has */
	int process; /* pidfd of the control plane, or -1 */
	int socket;  /* listens for the node; -1: one process for all */
	char socket_name[SOCKET_NAME_SIZE];
	struct compose_words words; /* of the command line, which no reload changes */
} up = {.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
	.life = {-1, -1},
	.process = -1,
	.socket = -1};

/* clang-format off */
const struct flag up_flags[] = {
	FLAG_ENTRY(struct compose_config, BOOL, "single-process", single_process, "false",
		   "All in one process: fewer megabytes, but root for all"),
};
/* clang-format on */
const size_t up_flag_count = FLAG_COUNT(up_flags);

/* An abstract socket under a name that the kernel chooses. */
static int open_socket(int type, char name[SOCKET_NAME_SIZE], struct cox_error *err)
{
	cox_autoclose int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t size = sizeof(sa_family_t);
	size_t length;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0)
		return error_errno(err, errno, "make a socket for the control plane");
	size = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
		return error_errno(err, errno, "name the socket for the control plane");
	/* Abstract: the name begins behind a zero byte. */
	length = size - offsetof(struct sockaddr_un, sun_path) - 1;
	memcpy(name, address.sun_path + 1, length);
	name[length] = '\0';
	return cox_steal_fd(&fd);
}

static int open_server_socket(struct daemon *daemon, struct cox_error *err)
{
	up.socket = open_socket(SOCK_STREAM, up.socket_name, err);
	if (up.socket < 0)
		return -1;
	if (listen(up.socket, BACKLOG) != 0)
		return error_errno(err, errno, "listen for the node");
	if (pipe2(up.life, O_CLOEXEC) != 0)
		return error_errno(err, errno, "make a pipe for the control plane");
	daemon->server_socket = up.socket_name;
	return 0;
}

int up_own_socket(void)
{
	const char *text = getenv(ENVIRONMENT);
	int64_t fd;
	int listens = 0;
	socklen_t size = sizeof(listens);

	if (!text || cox_parse_int(text, 0, INT_MAX, &fd) != 0 ||
	    getsockopt((int)fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens)
		return -1;
	return (int)fd;
}

static void *follow(void *unused)
{
	char byte;
	ssize_t got;

	(void)unused;
	do
		got = read(CHILD_LIFE, &byte, 1);
	while (got > 0 || (got < 0 && errno == EINTR));
	log_warning("The process that started the control plane has ended: stopping");
	daemon_stop();
	return NULL;
}

void up_follow(void)
{
	struct stat pipe;
	pthread_t thread;

	if (up_own_socket() < 0)
		return;
	if (fstat(CHILD_LIFE, &pipe) != 0 || !S_ISFIFO(pipe.st_mode) ||
	    pthread_create(&thread, NULL, follow, NULL) != 0)
		log_warning("The control plane may outlive the process that started it");
	else
		pthread_detach(thread);
}

/* Starts it with the common flags that this process was given. */
static int spawn_control_plane(const char *socket_name, int *process, struct cox_error *err)
{
	COX_VEC(const char *) argv = {NULL, 0, 0};
	cox_autobuf notify = COX_BUF_INIT, own = COX_BUF_INIT;
	const char *env[4] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
	const struct cox_spawn_fd fds[] = {
		{1, 1}, {2, 2}, {up.socket, CHILD_SOCKET}, {up.life[0], CHILD_LIFE}};
	char program[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	struct cox_spawn what = {.struct_size = sizeof(what),
				 .path = program,
				 .env = env,
				 .cwd = ".", /* relative paths of flags stay right */
				 .fds = fds,
				 .fd_count = sizeof(fds) / sizeof(fds[0])};
	int status;

	if (length < 0)
		return error_errno(err, errno, "find this program's own file");
	program[length] = '\0';
	cox_vec_push(&argv, "coxswain");
	cox_vec_push(&argv, "control-plane");
	for (size_t i = 0; i < up.words.items.count; i++)
		cox_vec_push(&argv, up.words.items.items[i]);
	cox_vec_push(&argv, NULL);
	what.argv = argv.items;
	cox_buf_printf(&own, ENVIRONMENT "=%d", CHILD_SOCKET);
	cox_buf_printf(&notify, "NOTIFY_SOCKET=@%s", socket_name);
	env[1] = own.data;
	env[2] = notify.data;
	status = spawn_process(&what, process, NULL, err);
	cox_vec_free(&argv);
	return status;
}

static bool has_ended(int process)
{
	struct pollfd poller = {process, POLLIN, 0};

	return poll(&poller, 1, 0) == 1;
}

/* Reaps it; the exit status, or 128 + the signal. */
static int ended_with(int process)
{
	cox_autoerror err = COX_ERROR_INIT;
	int status = -1;

	if (spawn_wait(process, 0, &status, &err) != 0)
		log_error("The control plane: %s", error_text(&err));
	return status;
}

/* Until READY=1 came, the process ended, or time is up. */
static int wait_until_ready(int notify, int process, struct cox_error *err)
{
	uint64_t deadline = clock_monotonic() + ready_time;
	char message[1024];

	while (clock_monotonic() < deadline) {
		struct pollfd pollers[] = {{notify, POLLIN, 0}, {process, POLLIN, 0}};
		ssize_t size;

		if (poll(pollers, 2, 1000) < 0 && errno != EINTR)
			return error_errno(err, errno, "wait for the control plane");
		if (pollers[1].revents)
			return error_set(err, COX_REASON_SERVICE_UNAVAILABLE,
					 "the control plane ended with status %d while it started; "
					 "its own message is above",
					 ended_with(process));
		if (!(pollers[0].revents & POLLIN))
			continue;
		size = recv(notify, message, sizeof(message) - 1, MSG_DONTWAIT);
		message[size > 0 ? size : 0] = '\0';
		if (strstr(message, "READY=1"))
			return 0;
	}
	return error_set(err, COX_REASON_TIMEOUT, "the control plane was not ready within 60 s");
}

static int start_control_plane(struct cox_error *err)
{
	char name[SOCKET_NAME_SIZE];
	cox_autoclose int notify = open_socket(SOCK_DGRAM, name, err);
	int process;

	if (notify < 0)
		return -1;
	if (spawn_control_plane(name, &process, err) != 0)
		return -1;
	pthread_mutex_lock(&up.lock);
	up.process = process;
	pthread_mutex_unlock(&up.lock);
	return wait_until_ready(notify, process, err);
}

/* Ends the process, by force if it takes too long; forgets it. */
static void end_control_plane(void)
{
	cox_autoerror err = COX_ERROR_INIT;
	int process, status;

	pthread_mutex_lock(&up.lock);
	process = cox_steal_fd(&up.process);
	pthread_mutex_unlock(&up.lock);
	if (process < 0)
		return;
	if (spawn_signal(process, SIGTERM, &err) == 0 &&
	    spawn_wait(process, clock_monotonic() + stop_time, &status, &err) != 0) {
		log_warning("The control plane does not stop: %s", error_text(&err));
		if (spawn_signal(process, SIGKILL, &err) == 0 &&
		    spawn_wait(process, 0, &status, &err) != 0)
			log_error("The control plane: %s", error_text(&err));
	}
	close(process);
}

/* True: woken because everything stops. */
static bool pause_unless_stopping(uint64_t time)
{
	uint64_t until = clock_monotonic() + time;
	struct timespec when = {(time_t)(until / CLOCK_SECOND), (long)(until % CLOCK_SECOND)};

	cox_lock_scope(&up.lock);
	while (!up.stopping && clock_monotonic() < until)
		pthread_cond_clockwait(&up.changed, &up.lock, CLOCK_MONOTONIC, &when);
	return up.stopping;
}

static void *look_after(void *unused)
{
	(void)unused;
	while (!pause_unless_stopping(restart_time)) {
		cox_autoerror err = COX_ERROR_INIT;
		int process;

		pthread_mutex_lock(&up.lock);
		process = up.process;
		if (process >= 0 && !has_ended(process)) {
			pthread_mutex_unlock(&up.lock);
			continue;
		}
		up.process = -1;
		pthread_mutex_unlock(&up.lock);
		if (process >= 0) {
			log_error("The control plane ended with status %d; starting it again",
				  ended_with(process));
			close(process);
		}
		if (start_control_plane(&err) != 0)
			log_error("%s", error_text(&err));
	}
	return NULL;
}

int up_start(struct daemon *daemon, struct cox_error *err)
{
	const struct compose_config *config = daemon->config;
	int failure;

	if (config->single_process)
		return compose_start(daemon, err);
	compose_words_make(daemon, &up.words);
	if (open_server_socket(daemon, err) != 0 || start_control_plane(err) != 0 ||
	    compose_start(daemon, err) != 0)
		return -1;
	failure = pthread_create(&up.thread, NULL, look_after, NULL);
	if (failure != 0)
		return error_errno(err, failure, "start a thread");
	up.thread_runs = true;
	return 0;
}

/* Both processes read their files again; the other one tells what it finds itself. */
int up_reload(struct daemon *daemon, struct cox_error *err)
{
	int status = compose_reload(daemon, err);

	cox_lock_scope(&up.lock);
	if (up.process >= 0 && spawn_signal(up.process, SIGHUP, status == 0 ? err : NULL) != 0)
		return -1;
	return status;
}

static void close_once(int *fd)
{
	if (*fd >= 0)
		close(cox_steal_fd(fd));
}

void up_stop(struct daemon *daemon)
{
	pthread_mutex_lock(&up.lock);
	up.stopping = true;
	pthread_cond_broadcast(&up.changed);
	pthread_mutex_unlock(&up.lock);
	if (up.thread_runs)
		pthread_join(up.thread, NULL);
	/* The node first: it may have pods to stop, and tells the server so. */
	compose_stop(daemon);
	end_control_plane();
	close_once(&up.life[0]);
	close_once(&up.life[1]);
	close_once(&up.socket);
	compose_words_free(&up.words);
}
