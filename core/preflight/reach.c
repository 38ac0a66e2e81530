/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever is outside of this process, each with a limit of time and size:
 * files, other programs, names, servers.
 */
#include "preflight/internal.h"

#include "base/clock.h"
#include "base/spawn.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { CONNECT_SECONDS = 3, RESOLVE_SECONDS = 5, ANSWER_MAX = 64 << 10 };

/* ---- files and programs ---- */

static int read_descriptor(int fd, struct cox_buf *out)
{
	while (out->size < PREFLIGHT_TEXT_MAX) {
		ssize_t size = read(fd, cox_buf_reserve(out, 1 << 14), 1 << 14);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -1;
		if (size == 0)
			break;
		cox_buf_added(out, (size_t)size);
	}
	return 0;
}

int preflight_read(const char *path, struct cox_buf *out)
{
	cox_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	cox_buf_clear(out);
	return fd < 0 ? -1 : read_descriptor(fd, out);
}

int preflight_find_program(const char *name, struct cox_buf *path)
{
	static const char *const places[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					     "/usr/bin",	"/sbin",	  "/bin"};

	cox_buf_clear(path);
	if (*name == '/') {
		cox_buf_str(path, name);
		return access(name, X_OK) == 0 ? 0 : -1;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		cox_buf_clear(path);
		cox_buf_printf(path, "%s/%s", places[i], name);
		if (access(path->data, X_OK) == 0)
			return 0;
	}
	return -1;
}

static int take_output(int fd, struct cox_buf *out, struct cox_error *err)
{
	if (!out)
		return 0;
	cox_buf_clear(out);
	if (lseek(fd, 0, SEEK_SET) < 0 || read_descriptor(fd, out) != 0)
		return error_errno(err, errno, "read what a program said");
	return 0;
}

int preflight_run(const char *const *argv, unsigned seconds, struct cox_buf *out,
		  struct cox_buf *errors, int *status, struct cox_error *err)
{
	static const char *const env[] = {"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	cox_autoclose int outputs = memfd_create("output", MFD_CLOEXEC);
	cox_autoclose int complaints = memfd_create("errors", MFD_CLOEXEC);
	cox_autoclose int process = -1;
	const struct cox_spawn_fd fds[] = {{outputs, 1}, {complaints, 2}};
	/* Relative paths of flags stay right. */
	const struct cox_spawn what = {.struct_size = sizeof(what),
				       .path = argv[0],
				       .argv = argv,
				       .env = env,
				       .cwd = ".",
				       .fds = fds,
				       .fd_count = 2};

	if (outputs < 0 || complaints < 0)
		return error_errno(err, errno, "make a file in memory");
	if (spawn_process(&what, &process, NULL, err) != 0)
		return -1;
	if (spawn_wait(process, clock_monotonic() + seconds * CLOCK_SECOND, status, err) != 0) {
		cox_autoerror ignored = COX_ERROR_INIT;

		/* KILL ends it, so the second wait does not last. */
		if (spawn_signal(process, SIGKILL, &ignored) == 0 &&
		    spawn_wait(process, 0, status, &ignored) != 0)
			return error_wrap(err, "%s", argv[0]);
		return error_set(err, COX_REASON_TIMEOUT, "%s did not end within %u s", argv[0],
				 seconds);
	}
	if (take_output(outputs, out, err) != 0)
		return -1;
	return take_output(complaints, errors, err);
}

const char *preflight_last_line(struct cox_buf *text)
{
	const char *line;

	while (text->size &&
	       (text->data[text->size - 1] == '\n' || text->data[text->size - 1] == ' '))
		cox_buf_truncate(text, text->size - 1);
	line = strrchr(cox_buf_cstr(text), '\n');
	return line ? line + 1 : cox_buf_cstr(text);
}

pid_t preflight_find_process(const char *name)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	while (processes && !found && (entry = readdir(processes))) {
		cox_autobuf path = COX_BUF_INIT, text = COX_BUF_INIT;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		cox_buf_printf(&path, "/proc/%s/comm", entry->d_name);
		if (preflight_read(path.data, &text) == 0 &&
		    strcmp(preflight_last_line(&text), name) == 0)
			found = (pid_t)atoi(entry->d_name);
	}
	if (processes)
		closedir(processes);
	return found;
}

/* ---- names and servers ---- */

/* A name that is looked up; whoever is the last to let go of it frees it. */
struct lookup {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char *host, *service;
	struct addrinfo *result;
	int failure;
	bool done, abandoned;
};

static void lookup_free(struct lookup *lookup)
{
	if (lookup->result)
		freeaddrinfo(lookup->result);
	pthread_cond_destroy(&lookup->changed);
	pthread_mutex_destroy(&lookup->lock);
	free(lookup->host);
	free(lookup->service);
	free(lookup);
}

static void *run_lookup(void *context)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct lookup *lookup = context;
	struct addrinfo *result = NULL;
	int failure = getaddrinfo(lookup->host, lookup->service, &hints, &result);
	bool abandoned;

	pthread_mutex_lock(&lookup->lock);
	lookup->result = failure == 0 ? result : NULL;
	lookup->failure = failure;
	lookup->done = true;
	abandoned = lookup->abandoned;
	pthread_cond_signal(&lookup->changed);
	pthread_mutex_unlock(&lookup->lock);
	if (abandoned)
		lookup_free(lookup);
	return NULL;
}

static struct lookup *lookup_new(const char *host, const char *service)
{
	struct lookup *lookup = cox_new(struct lookup);

	pthread_mutex_init(&lookup->lock, NULL);
	pthread_cond_init(&lookup->changed, NULL);
	lookup->host = cox_strdup(host);
	lookup->service = service ? cox_strdup(service) : NULL;
	return lookup;
}

/*
 * The C library's own limit is many seconds for each server, so a thread looks,
 * which is left alone when it does not end in time.
 */
static int look_up(const char *host, const char *service, struct addrinfo **result,
		   struct cox_error *err)
{
	uint64_t deadline = clock_monotonic() + RESOLVE_SECONDS * CLOCK_SECOND;
	struct timespec until = {(time_t)(deadline / CLOCK_SECOND),
				 (long)(deadline % CLOCK_SECOND)};
	struct lookup *lookup = lookup_new(host, service);
	pthread_t thread;
	bool late = false;
	int failure = pthread_create(&thread, NULL, run_lookup, lookup);

	if (failure != 0) {
		lookup_free(lookup);
		return error_errno(err, failure, "start a thread");
	}
	pthread_mutex_lock(&lookup->lock);
	while (!lookup->done && !late)
		late = pthread_cond_clockwait(&lookup->changed, &lookup->lock, CLOCK_MONOTONIC,
					      &until) == ETIMEDOUT;
	late = lookup->abandoned = !lookup->done;
	pthread_mutex_unlock(&lookup->lock);
	if (late) {
		pthread_detach(thread);
		return error_set(err, COX_REASON_TIMEOUT, "no answer within %d s", RESOLVE_SECONDS);
	}
	pthread_join(thread, NULL);
	failure = lookup->failure;
	*result = cox_steal(lookup->result);
	lookup_free(lookup);
	return failure == 0 ? 0 : error_set(err, COX_REASON_NOT_FOUND, "%s", gai_strerror(failure));
}

int preflight_resolve(const char *host, struct cox_error *err)
{
	struct addrinfo *result = NULL;

	if (look_up(host, NULL, &result, err) != 0)
		return -1;
	freeaddrinfo(result);
	return 0;
}

/* Waits until `deadline` (monotonic ns). -1: errno is set. */
static int wait_for(int fd, short events, uint64_t deadline)
{
	for (;;) {
		uint64_t now = clock_monotonic();
		struct pollfd poller = {fd, events, 0};
		int ready;

		if (now >= deadline) {
			errno = ETIMEDOUT;
			return -1;
		}
		ready = poll(&poller, 1, (int)((deadline - now) / 1000000) + 1);
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return -1;
	}
}

static int finish_connect(int fd, const struct sockaddr *address, socklen_t size)
{
	int failure = 0;
	socklen_t length = sizeof(failure);

	if (connect(fd, address, size) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -1;
	if (wait_for(fd, POLLOUT, clock_monotonic() + CONNECT_SECONDS * CLOCK_SECOND) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) != 0)
		return -1;
	errno = failure;
	return failure ? -1 : 0;
}

int preflight_connect(const struct preflight_url *url, struct cox_error *err)
{
	struct addrinfo *result = NULL;
	char port[8];
	int fd = -1, failure = 0;

	snprintf(port, sizeof(port), "%u", (unsigned)url->port);
	if (look_up(url->host, port, &result, err) != 0)
		return -1;
	for (const struct addrinfo *at = result; at && fd < 0; at = at->ai_next) {
		fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd >= 0 && finish_connect(fd, at->ai_addr, at->ai_addrlen) == 0)
			break;
		failure = errno;
		if (fd >= 0)
			close(cox_steal_fd(&fd));
	}
	freeaddrinfo(result);
	if (fd < 0)
		error_errno(err, failure, "connect");
	return fd;
}

int preflight_connect_unix(const char *path, struct cox_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cox_autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, COX_REASON_INVALID, "the name of the socket is too long");
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (fd < 0 || finish_connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return error_errno(err, errno, "connect");
	return cox_steal_fd(&fd);
}

int preflight_get(int fd, const char *host, const char *path, struct cox_buf *answer,
		  struct cox_error *err)
{
	uint64_t deadline = clock_monotonic() + CONNECT_SECONDS * CLOCK_SECOND;
	cox_autobuf request = COX_BUF_INIT;
	size_t sent = 0;

	cox_buf_clear(answer);
	cox_buf_printf(&request, "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n", path,
		       host);
	while (sent < request.size) {
		ssize_t size = send(fd, request.data + sent, request.size - sent, MSG_NOSIGNAL);

		if (size > 0)
			sent += (size_t)size;
		else if (errno != EAGAIN || wait_for(fd, POLLOUT, deadline) != 0)
			return error_errno(err, errno, "send");
	}
	while (answer->size < ANSWER_MAX) {
		ssize_t size = recv(fd, cox_buf_reserve(answer, 4096), 4096, 0);

		if (size == 0)
			break;
		if (size > 0)
			cox_buf_added(answer, (size_t)size);
		else if (errno != EAGAIN || wait_for(fd, POLLIN, deadline) != 0)
			return error_errno(err, errno, "receive");
	}
	if (answer->size)
		return 0;
	return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "no answer");
}
