/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only place that starts a process. A child begins with an empty signal
 * mask, default dispositions, umask 022, the environment and the descriptors
 * that are listed, and nothing else of the parent. Any thread.
 */
#ifndef COX_BASE_SPAWN_H
#define COX_BASE_SPAWN_H

#include "base/error.h"

#include <coxswain/plugin.h>
#include <stdint.h>
#include <sys/resource.h>

enum { SPAWN_FDS_MAX = 64, SPAWN_FD_NUMBER_MAX = 1023 };

/*
 * Returns once exec has succeeded, or -1 with nothing left behind. `*pidfd` is
 * the caller's; reap with spawn_wait. `pid` may be NULL.
 */
int spawn_process(const struct cox_spawn *what, int *pidfd, int32_t *pid,
		  struct cox_error *err) COX_MUST_CHECK;

/*
 * Waits for the child until `deadline` (monotonic ns; 0: for ever) and reaps it.
 * `*status` is the exit code, or 128 + the signal. Late: COX_REASON_TIMEOUT, and the
 * child still runs.
 */
int spawn_wait(int pidfd, uint64_t deadline, int *status, struct cox_error *err) COX_MUST_CHECK;
/* Sends a signal through the descriptor, so never to a stranger. */
int spawn_signal(int pidfd, int signal_number, struct cox_error *err) COX_MUST_CHECK;

/* The RLIMIT_NOFILE that children get: what this process had before it raised its own. */
void spawn_set_file_limit(const struct rlimit *limit);

#endif
