/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crash report. SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT write to stderr what
 * happened, the call stack, what the sections say (the plugin being called,
 * the loaded plugins) and the last lines of the log, and then end the process
 * the way it would have ended. The handler has a stack of its own.
 */
#ifndef COX_BASE_CRASH_H
#define COX_BASE_CRASH_H

/* Once, early. `program` and `version` must stay. */
void crash_install(const char *program, const char *version);
/* Gives the calling thread a stack for the handler, so that an overflow is told too. */
void crash_thread_stack(void);

/* `write_section` must be safe in a signal handler. At most eight; before threads start. */
void crash_add_section(void (*write_section)(int fd));

/* write(2) of a text and of a number; for sections. */
void crash_put(int fd, const char *text);
void crash_put_number(int fd, unsigned long number, unsigned base);

#endif
