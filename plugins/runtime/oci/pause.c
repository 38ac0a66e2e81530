/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that holds the namespaces of a pod sandbox. It sleeps, reaps the
 * orphans that a shared PID namespace gives it, and ends at SIGTERM or SIGINT.
 * With the argument "probe" it ends at once: the no-op container with which
 * the plugin finds out whether an OCI runtime works here.
 *
 * It runs alone in an empty root file system, so it is linked statically; on
 * the machines below it needs no C library either (9 KB, one page of its own).
 */
#include <asm/unistd.h>
#include <linux/signal.h>

#if defined(__x86_64__)
static long call4(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}
__asm__(".globl _start\n_start:\n\txor %ebp,%ebp\n\tmov %rsp,%rdi\n\tand $-16,%rsp\n"
	"\tcall pause_main\n");
#elif defined(__aarch64__)
static long call4(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tbl pause_main\n");
#else
#error "the pause program knows no system calls of this processor"
#endif

#define WAIT_NOHANG 1

static int equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* `stack` is what the kernel lays out: the argument count, then the arguments. */
void __attribute__((noreturn, used)) pause_main(long *stack);
void pause_main(long *stack)
{
	/* Blocked signals are queued even for the first process of a namespace. */
	unsigned long all = ~0ul;
	char **argv = (char **)(stack + 1);
	int code = 0;

	if (stack[0] > 1 && equal(argv[1], "probe"))
		goto out;
	call4(__NR_rt_sigprocmask, SIG_BLOCK, (long)&all, 0, sizeof(all));
	for (;;) {
		long number = call4(__NR_rt_sigtimedwait, (long)&all, 0, 0, sizeof(all));

		if (number == SIGTERM || number == SIGINT)
			break;
		if (number == SIGCHLD)
			while (call4(__NR_wait4, -1, 0, WAIT_NOHANG, 0) > 0)
				continue;
	}
out:
	for (;;)
		call4(__NR_exit_group, code, 0, 0, 0);
}
