/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work queue of a controller: keys that wait to be worked on.
 *   - A key waits once, however often it is added.
 *   - A key is given to one worker at a time; added while it is worked on, it
 *     comes again after queue_done.
 *   - Failed keys come back after a delay that doubles (5 ms to 1000 s), and
 *     all retries together are limited to 10 a second after a burst of 100.
 *   - Delayed keys wait on a clock; of two delays for a key the earlier counts.
 *   - Bounded: when `limit` keys wait, more are refused and `overflowed` is
 *     remembered, so that the owner can add everything again later.
 * Any thread.
 */
#ifndef COX_CLIENT_QUEUE_H
#define COX_CLIENT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

enum { QUEUE_LIMIT = 1000000 };

struct queue *queue_new(size_t limit); /* 0: QUEUE_LIMIT */
void queue_free(struct queue *queue);  /* no thread is inside any more */

int queue_add(struct queue *queue, const char *key); /* -1: full or closed */
int queue_add_after(struct queue *queue, const char *key, uint64_t delay_ns);
int queue_retry(struct queue *queue, const char *key);	 /* after a failure */
void queue_forget(struct queue *queue, const char *key); /* after a success */
unsigned queue_failures(struct queue *queue, const char *key);

/*
 * Waits for a key; free it with free(). NULL: the queue was closed, or nothing
 * came before `deadline` (monotonic; 0: none).
 */
char *queue_take(struct queue *queue, uint64_t deadline);
void queue_done(struct queue *queue, const char *key);

/* Keys not yet taken, delayed ones not counted. */
size_t queue_length(struct queue *queue);
/* Whether keys were refused since the last call. */
bool queue_overflowed(struct queue *queue);
/* Wakes all takers; no key is given out any more. */
void queue_close(struct queue *queue);

#endif
