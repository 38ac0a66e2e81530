/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workload of the crash tests writes 1, 2, 3 ... in order; step i sets /seq
 * and /kXX to i in one transaction. So what a store holds is right exactly if
 * it is the outcome of the first n steps for some n, and n tells what was lost.
 */
#ifndef TESTS_STORAGE_WORKLOAD_H
#define TESTS_STORAGE_WORKLOAD_H

#include "harness.h"

enum { WORKLOAD_KEYS = 20 };

/* The value of /kXX has at least `padding` bytes: the number, a zero, and noise. */
struct result workload_step(struct store *store, unsigned number, bool durable, size_t padding);

#endif
