/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: klog's line format on stderr,
 *   Lmmdd hh:mm:ss.uuuuuu <pid, 7 wide> file:line] text
 * Lines go into a bounded ring (1 MiB) that one writer thread empties, so a
 * full pipe never blocks a caller: lines are dropped and counted, and the
 * count is logged when there is room. Before log_start and after log_stop
 * lines are written directly. Any thread; not from signal handlers.
 */
#ifndef COX_BASE_LOG_H
#define COX_BASE_LOG_H

#include <coxswain/plugin.h>
#include <stdarg.h>
#include <stdatomic.h>

extern _Atomic int log_verbosity; /* -v */

void log_start(void); /* begins the writer thread; after the last fork */
void log_stop(void);  /* writes out everything and ends the thread */

void log_line(int level, const char *file, int line, const char *format, ...) COX_PRINTF(4, 5);
void log_vline(int level, const char *file, int line, const char *format, va_list args)
	COX_PRINTF(4, 0);
/*
 * Copies the newest lines, oldest first, for the crash report. Safe in a
 * signal handler: takes no lock, so the text may be torn.
 */
size_t log_tail(char *out, size_t size);

#define log_info(...) log_line(COX_LOG_INFO, __FILE__, __LINE__, __VA_ARGS__)
#define log_warning(...) log_line(COX_LOG_WARNING, __FILE__, __LINE__, __VA_ARGS__)
#define log_error(...) log_line(COX_LOG_ERROR, __FILE__, __LINE__, __VA_ARGS__)
#define log_verbose(level, ...)                                                                \
	do {                                                                                   \
		if (atomic_load_explicit(&log_verbosity, memory_order_relaxed) >= (level))     \
			log_line(COX_LOG_INFO, __FILE__, __LINE__, __VA_ARGS__);               \
	} while (0)

#endif
