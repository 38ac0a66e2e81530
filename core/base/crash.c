/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crash report; see the header. Everything here runs in a signal handler
 * of a broken process: system calls, and memory that was set aside before.
 * backtrace() is called once at install time, because its first call loads
 * libgcc.
 */
#include "base/crash.h"

#include "base/log.h"

#include <execinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STACK_SIZE = 64 * 1024, SECTIONS_MAX = 8, FRAMES_MAX = 64, TAIL_SIZE = 8192 };

static struct {
	const char *program;
	const char *version;
	void (*sections[SECTIONS_MAX])(int fd);
	size_t section_count;
	atomic_flag reporting;
	char tail[TAIL_SIZE];
} crash = {.reporting = ATOMIC_FLAG_INIT};

void crash_put(int fd, const char *text)
{
	size_t size = strlen(text);

	while (size) {
		ssize_t done = write(fd, text, size);

		if (done <= 0)
			return;
		text += done;
		size -= (size_t)done;
	}
}

void crash_put_number(int fd, unsigned long number, unsigned base)
{
	char digits[2 + 8 * sizeof(number)];
	char *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do {
		*--at = "0123456789abcdef"[number % base];
		number /= base;
	} while (number);
	crash_put(fd, at);
}

static void put_tail(void)
{
	size_t size = log_tail(crash.tail, sizeof(crash.tail));
	ssize_t done;

	crash_put(STDERR_FILENO, "last log lines:\n");
	done = write(STDERR_FILENO, crash.tail, size);
	(void)done;
}

static void report(int number, const siginfo_t *info)
{
	void *frames[FRAMES_MAX];
	int count;

	crash_put(STDERR_FILENO, "\n");
	crash_put(STDERR_FILENO, crash.program);
	crash_put(STDERR_FILENO, " ");
	crash_put(STDERR_FILENO, crash.version);
	crash_put(STDERR_FILENO, " crashed: SIG");
	crash_put(STDERR_FILENO, sigabbrev_np(number));
	crash_put(STDERR_FILENO, " at address 0x");
	crash_put_number(STDERR_FILENO, (unsigned long)info->si_addr, 16);
	crash_put(STDERR_FILENO, ", thread ");
	crash_put_number(STDERR_FILENO, (unsigned long)syscall(SYS_gettid), 10);
	crash_put(STDERR_FILENO, "\ncall stack:\n");
	count = backtrace(frames, FRAMES_MAX);
	backtrace_symbols_fd(frames, count, STDERR_FILENO);
	for (size_t i = 0; i < crash.section_count; i++)
		crash.sections[i](STDERR_FILENO);
	put_tail();
}

/* SA_RESETHAND: a crash in here, and the one we raise again, end the process. */
static void handle(int number, siginfo_t *info, void *context)
{
	(void)context;
	/* One report, from the first thread that crashes; the others wait for the end. */
	if (atomic_flag_test_and_set(&crash.reporting)) {
		for (;;)
			pause();
	}
	report(number, info);
	signal(number, SIG_DFL);
	raise(number);
}

void crash_thread_stack(void)
{
	stack_t stack = {.ss_size = STACK_SIZE};

	stack.ss_sp =
		mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack.ss_sp != MAP_FAILED && sigaltstack(&stack, NULL) < 0)
		munmap(stack.ss_sp, STACK_SIZE);
}

void crash_install(const char *program, const char *version)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
	struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
	void *frame;

	crash.program = program;
	crash.version = version;
	backtrace(&frame, 1);
	crash_thread_stack();
	action.sa_sigaction = handle;
	sigfillset(&action.sa_mask);
	/* A second crash, inside the report, must not be blocked but end it. */
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigdelset(&action.sa_mask, signals[i]);
	action.sa_flags |= (int)SA_RESETHAND;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

void crash_add_section(void (*write_section)(int fd))
{
	if (crash.section_count < SECTIONS_MAX)
		crash.sections[crash.section_count++] = write_section;
}
