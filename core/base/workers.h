/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of threads for work that may block. Two classes: any thread may do
 * important work, but `reserved` of them do nothing else, so that ordinary
 * work can never take all. What waits is bounded per class; more is refused,
 * and the caller says "too many requests". Any thread may hand work in, the
 * pool's own included.
 */
#ifndef COX_BASE_WORKERS_H
#define COX_BASE_WORKERS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct workers;

enum workers_class { WORKERS_ORDINARY = 0, WORKERS_IMPORTANT = 1 };

struct workers_config {
	const char *name;   /* of the threads; cut at 11 characters */
	unsigned threads;   /* at least 1 */
	unsigned reserved;  /* less than threads */
	size_t queue;	    /* jobs that may wait in each class; at least 1 */
	size_t stack_bytes; /* 0: 256 KiB */
};

struct workers *workers_open(const struct workers_config *config, struct cox_error *err);
/* 0: run(context) will be called once; -1: the queue is full or it closes. */
int workers_run(struct workers *workers, enum workers_class class, void (*run)(void *context),
		void *context) COX_MUST_CHECK;
/* Refuses more work, does what waits, ends the threads. Not from a worker. */
void workers_close(struct workers *workers);

struct workers_counts {
	size_t waiting[2]; /* by class, now */
	unsigned busy[2];  /* by class, now */
	uint64_t done;	   /* since the start */
	uint64_t refused;  /* since the start */
};
void workers_count(struct workers *workers, struct workers_counts *counts);

#endif
