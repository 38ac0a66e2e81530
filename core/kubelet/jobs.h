/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that takes long and comes seldom: each job has a thread for as long as
 * it takes, so that waiting for one container never holds up another, and an
 * idle kubelet has no thread for it. Bounded. Any thread.
 */
#ifndef COX_KUBELET_JOBS_H
#define COX_KUBELET_JOBS_H

#include <stddef.h>
#include <stdint.h>

struct jobs;

struct jobs *jobs_new(size_t limit);
/* Waits for all jobs. NULL is fine. */
void jobs_free(struct jobs *jobs);

/* 0: run(context) will be called once. -1: too many run, or no thread could start. */
int jobs_run(struct jobs *jobs, void (*run)(void *context), void *context)
	__attribute__((warn_unused_result));
/* Waits until none runs; no job may start another meanwhile. */
void jobs_wait(struct jobs *jobs);
size_t jobs_count(struct jobs *jobs);

#endif
