/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a process from a threaded daemon. The child is made by clone3, with
 * a pidfd and with all signals blocked, and until exec it does nothing but
 * system calls on what the parent prepared. A pipe that closes on exec brings
 * back the errno of whatever went wrong, so a failed start is known at once.
 */
#include "base/spawn.h"

#include "base/clock.h"

#include <coxswain/kit/cleanup.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static struct rlimit file_limit;
static _Atomic bool file_limit_known;

/* What the child needs, made ready before it exists. */
struct plan {
	const struct cox_spawn *what;
	struct cox_spawn_fd fds[SPAWN_FDS_MAX + 3]; /* by `to`, growing */
	size_t fd_count;
	int report; /* write end of the pipe */
};

/* What the child says when it cannot become the program. */
struct report {
	int number;
	char step[28];
};

void spawn_set_file_limit(const struct rlimit *limit)
{
	file_limit = *limit;
	atomic_store(&file_limit_known, true);
}

static __attribute__((noreturn)) void child_fail(int report_fd, const char *step)
{
	struct report report = {.number = errno};

	memccpy(report.step, step, '\0', sizeof(report.step) - 1);
	/* Smaller than PIPE_BUF: whole or not at all. */
	while (write(report_fd, &report, sizeof(report)) < 0 && errno == EINTR)
		;
	_exit(127);
}

/* First out of the way of each other, then to their places. Returns the report's new place. */
static int child_place_fds(struct plan *plan)
{
	int above = plan->fds[plan->fd_count - 1].to + 1;
	int report = fcntl(plan->report, F_DUPFD_CLOEXEC, above);

	if (report < 0)
		child_fail(plan->report, "move a descriptor");
	for (size_t i = 0; i < plan->fd_count; i++) {
		if (plan->fds[i].from < 0)
			plan->fds[i].from = open("/dev/null", O_RDWR | O_CLOEXEC);
		plan->fds[i].from = fcntl(plan->fds[i].from, F_DUPFD_CLOEXEC, above);
		if (plan->fds[i].from < 0)
			child_fail(report, "move a descriptor");
	}
	for (size_t i = 0; i < plan->fd_count; i++)
		if (dup2(plan->fds[i].from, plan->fds[i].to) < 0)
			child_fail(report, "place a descriptor");
	return report;
}

/* Everything that is not in the list ends here, the report at exec. */
static void child_close_others(const struct plan *plan, int report)
{
	unsigned next = 0;

	for (size_t i = 0; i < plan->fd_count; i++) {
		unsigned to = (unsigned)plan->fds[i].to;

		if (to > next && syscall(SYS_close_range, next, to - 1, 0) < 0)
			child_fail(report, "close descriptors");
		next = to + 1;
	}
	if (syscall(SYS_close_range, next, report - 1, 0) < 0 ||
	    syscall(SYS_close_range, report + 1, ~0U, 0) < 0)
		child_fail(report, "close descriptors");
}

static __attribute__((noreturn)) void child_run(struct plan *plan)
{
	static char *const no_environment[] = {NULL};
	/* The kernel's struct, whose parts differ by machine: all zeros is SIG_DFL everywhere. */
	static const unsigned long standard[8];
	const struct cox_spawn *what = plan->what;
	int report;
	sigset_t none;

	/* Past the C library, which refuses the two that it keeps for itself. */
	for (int number = 1; number < NSIG; number++)
		syscall(SYS_rt_sigaction, number, standard, NULL, (NSIG - 1) / 8);
	report = child_place_fds(plan);
	child_close_others(plan, report);
	umask(022);
	/* Ctrl-C on the daemon's terminal is not for its children. */
	setsid();
	if (atomic_load(&file_limit_known) && setrlimit(RLIMIT_NOFILE, &file_limit) < 0)
		child_fail(report, "set RLIMIT_NOFILE");
	if (chdir(what->cwd ? what->cwd : "/") < 0)
		child_fail(report, "change directory");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(what->path, (char *const *)what->argv,
	       what->env ? (char *const *)what->env : no_environment);
	child_fail(report, "exec");
}

static int compare_fds(const void *a, const void *b)
{
	const struct cox_spawn_fd *x = a, *y = b;

	return x->to < y->to ? -1 : x->to > y->to;
}

static int make_plan(struct plan *plan, const struct cox_spawn *what, struct cox_error *err)
{
	bool standard[3] = {false, false, false};

	if (!what->path || what->path[0] != '/' || !what->argv || !what->argv[0])
		return error_set(
			err, COX_REASON_INTERNAL_ERROR,
			"start a process: \"%s\" with its arguments is not an absolute path",
			what->path ? what->path : "");
	if (what->fd_count > SPAWN_FDS_MAX)
		return error_set(err, COX_REASON_INTERNAL_ERROR,
				 "start %s: %zu descriptors, at most %d", what->path,
				 what->fd_count, SPAWN_FDS_MAX);
	plan->what = what;
	for (size_t i = 0; i < what->fd_count; i++) {
		const struct cox_spawn_fd *fd = &what->fds[i];

		if (fd->from < 0 || fd->to < 0 || fd->to > SPAWN_FD_NUMBER_MAX)
			return error_set(err, COX_REASON_INTERNAL_ERROR,
					 "start %s: descriptor %d cannot become %d", what->path,
					 fd->from, fd->to);
		if (fd->to < 3)
			standard[fd->to] = true;
		plan->fds[plan->fd_count++] = *fd;
	}
	for (int number = 0; number < 3; number++)
		if (!standard[number])
			plan->fds[plan->fd_count++] = (struct cox_spawn_fd){-1, number};
	qsort(plan->fds, plan->fd_count, sizeof(plan->fds[0]), compare_fds);
	for (size_t i = 1; i < plan->fd_count; i++)
		if (plan->fds[i].to == plan->fds[i - 1].to)
			return error_set(err, COX_REASON_INTERNAL_ERROR,
					 "start %s: descriptor %d is given twice", what->path,
					 plan->fds[i].to);
	return 0;
}

/* The child shares no memory with us, so clone3 may return into a copy of this frame. */
static pid_t clone_child(int *pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static pid_t start_child(struct plan *plan, int *pidfd)
{
	sigset_t all, before;
	pid_t pid;
	int saved;

	/* No handler of ours may run in the child. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = clone_child(pidfd);
	if (pid == 0)
		child_run(plan);
	saved = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return pid;
}

int spawn_process(const struct cox_spawn *what, int *pidfd, int32_t *pid, struct cox_error *err)
{
	cox_autoclose int report_end = -1, our_end = -1, child = -1;
	struct plan plan = {.fd_count = 0};
	struct report report;
	int ends[2];
	ssize_t got;
	pid_t number;

	if (make_plan(&plan, what, err) < 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, errno, "start %s", what->path);
	our_end = ends[0];
	report_end = ends[1];
	plan.report = report_end;
	number = start_child(&plan, &child);
	if (number < 0)
		return error_errno(err, errno, "start %s", what->path);
	close(cox_steal_fd(&report_end));
	do {
		got = read(our_end, &report, sizeof(report));
	} while (got < 0 && errno == EINTR);
	if (got == (ssize_t)sizeof(report)) {
		siginfo_t info;

		while (waitid(P_PIDFD, (id_t)child, &info, WEXITED) < 0 && errno == EINTR)
			;
		report.step[sizeof(report.step) - 1] = '\0';
		return error_errno(err, report.number, "start %s: %s", what->path, report.step);
	}
	if (pid)
		*pid = number;
	*pidfd = cox_steal_fd(&child);
	return 0;
}

int spawn_wait(int pidfd, uint64_t deadline, int *status, struct cox_error *err)
{
	siginfo_t info = {0};

	for (;;) {
		struct pollfd wait = {.fd = pidfd, .events = POLLIN};
		uint64_t now = clock_monotonic();
		int timeout = -1, ready;

		if (deadline && now >= deadline)
			timeout = 0;
		else if (deadline)
			timeout = deadline - now > 3600 * CLOCK_SECOND
					  ? 3600 * 1000
					  : (int)((deadline - now) / CLOCK_MILLISECOND) + 1;
		ready = poll(&wait, 1, timeout);
		if (ready > 0)
			break;
		if (ready < 0 && errno != EINTR)
			return error_errno(err, errno, "wait for a process");
		if (ready == 0 && deadline && clock_monotonic() >= deadline)
			return error_set(err, COX_REASON_TIMEOUT, "the process still runs");
	}
	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
		if (errno != EINTR)
			return error_errno(err, errno, "wait for a process");
	*status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	return 0;
}

int spawn_signal(int pidfd, int signal_number, struct cox_error *err)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0) < 0)
		return error_errno(err, errno, "send signal %d to a process", signal_number);
	return 0;
}
