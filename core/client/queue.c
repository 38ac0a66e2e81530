/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work queue. Every key has one entry while it waits, is delayed, is
 * worked on or has failures to remember; it leaves the map when none holds.
 * Waiting entries form a list, delayed ones a binary heap by time.
 *
 * Lock: one mutex over all of it.
 */
#include "client/queue.h"

#include "base/clock.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define RETRY_FIRST (5 * CLOCK_MILLISECOND)
#define RETRY_LAST (1000 * CLOCK_SECOND)
#define RETRY_INTERVAL (CLOCK_SECOND / 10) /* all keys together, past the burst */
#define RETRY_BURST 100

enum { NOT_DELAYED = 0 };

struct entry {
	struct entry *next; /* of the waiting list */
	uint64_t due;
	size_t heap_place; /* NOT_DELAYED, or 1 + index in the heap */
	unsigned failures;
	bool waiting;
	bool processing;
	bool again; /* added while it was worked on */
	char key[];
};

struct queue {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct cox_map entries;
	struct entry *first, **last;
	COX_VEC(struct entry *) heap;
	size_t length;
	size_t limit;
	uint64_t retry_slot; /* when the next retry would be due at the common rate */
	bool overflowed;
	bool closed;
};

struct queue *queue_new(size_t limit)
{
	struct queue *queue = cox_new(struct queue);
	pthread_condattr_t attributes;

	pthread_mutex_init(&queue->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&queue->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	queue->limit = limit ? limit : QUEUE_LIMIT;
	queue->last = &queue->first;
	return queue;
}

void queue_free(struct queue *queue)
{
	size_t at = 0, size;
	const char *key;
	void *entry;

	if (!queue)
		return;
	while (cox_map_next(&queue->entries, &at, &key, &size, &entry))
		free(entry);
	cox_map_free(&queue->entries);
	cox_vec_free(&queue->heap);
	pthread_cond_destroy(&queue->changed);
	pthread_mutex_destroy(&queue->mutex);
	free(queue);
}

/* ---- the heap of delayed entries ---- */

static void heap_put(struct queue *queue, size_t place, struct entry *entry)
{
	queue->heap.items[place] = entry;
	entry->heap_place = place + 1;
}

static void heap_up(struct queue *queue, size_t place)
{
	struct entry *entry = queue->heap.items[place];

	while (place && queue->heap.items[(place - 1) / 2]->due > entry->due) {
		heap_put(queue, place, queue->heap.items[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	heap_put(queue, place, entry);
}

static void heap_down(struct queue *queue, size_t place)
{
	struct entry *entry = queue->heap.items[place];
	size_t child;

	while ((child = 2 * place + 1) < queue->heap.count) {
		struct entry **items = queue->heap.items;

		if (child + 1 < queue->heap.count && items[child + 1]->due < items[child]->due)
			child++;
		if (items[child]->due >= entry->due)
			break;
		heap_put(queue, place, items[child]);
		place = child;
	}
	heap_put(queue, place, entry);
}

static void heap_remove(struct queue *queue, struct entry *entry)
{
	size_t place = entry->heap_place - 1;
	struct entry *moved = queue->heap.items[--queue->heap.count];

	entry->heap_place = NOT_DELAYED;
	if (moved == entry)
		return;
	heap_put(queue, place, moved);
	heap_up(queue, place);
	heap_down(queue, moved->heap_place - 1);
}

/* ---- entries ---- */

static struct entry *entry_find(struct queue *queue, const char *key)
{
	return cox_map_get(&queue->entries, key, strlen(key));
}

static struct entry *entry_make(struct queue *queue, const char *key)
{
	struct entry *entry = entry_find(queue, key);
	size_t size = strlen(key);

	if (entry)
		return entry;
	if (queue->entries.count >= queue->limit) {
		queue->overflowed = true;
		return NULL;
	}
	entry = cox_calloc(1, sizeof(*entry) + size + 1);
	memcpy(entry->key, key, size + 1);
	cox_map_put(&queue->entries, key, size, entry);
	return entry;
}

static void entry_settle(struct queue *queue, struct entry *entry)
{
	if (entry->waiting || entry->processing || entry->heap_place || entry->failures)
		return;
	cox_map_remove(&queue->entries, entry->key, strlen(entry->key));
	free(entry);
}

static void entry_wait(struct queue *queue, struct entry *entry)
{
	if (entry->processing) {
		entry->again = true;
		return;
	}
	if (entry->waiting)
		return;
	entry->waiting = true;
	entry->next = NULL;
	*queue->last = entry;
	queue->last = &entry->next;
	queue->length++;
	pthread_cond_signal(&queue->changed);
}

static void entry_delay(struct queue *queue, struct entry *entry, uint64_t due)
{
	if (entry->heap_place) {
		if (due < entry->due) {
			entry->due = due;
			heap_up(queue, entry->heap_place - 1);
		}
	} else {
		entry->due = due;
		cox_vec_push(&queue->heap, entry);
		heap_up(queue, queue->heap.count - 1);
	}
	/* A taker may have to wait for a shorter time now. */
	if (entry->heap_place == 1)
		pthread_cond_broadcast(&queue->changed);
}

/* ---- the interface ---- */

int queue_add(struct queue *queue, const char *key)
{
	struct entry *entry;

	cox_lock_scope(&queue->mutex);
	if (queue->closed || !(entry = entry_make(queue, key)))
		return -1;
	entry_wait(queue, entry);
	return 0;
}

int queue_add_after(struct queue *queue, const char *key, uint64_t delay_ns)
{
	struct entry *entry;

	if (!delay_ns)
		return queue_add(queue, key);
	cox_lock_scope(&queue->mutex);
	if (queue->closed || !(entry = entry_make(queue, key)))
		return -1;
	entry_delay(queue, entry, clock_monotonic() + delay_ns);
	return 0;
}

/*
 * The common rate is kept as the time of the next free slot: a bucket of
 * RETRY_BURST tokens is a slot that may lie that many intervals in the past.
 */
static uint64_t retry_common_slot(struct queue *queue, uint64_t now)
{
	uint64_t earliest =
		now > RETRY_BURST * RETRY_INTERVAL ? now - RETRY_BURST * RETRY_INTERVAL : 0;
	uint64_t slot = queue->retry_slot > earliest ? queue->retry_slot : earliest;

	queue->retry_slot = slot + RETRY_INTERVAL;
	return slot > now ? slot : now;
}

int queue_retry(struct queue *queue, const char *key)
{
	struct entry *entry;
	uint64_t now = clock_monotonic(), delay, slot;

	cox_lock_scope(&queue->mutex);
	if (queue->closed || !(entry = entry_make(queue, key)))
		return -1;
	delay = entry->failures < 18 ? RETRY_FIRST << entry->failures : RETRY_LAST;
	if (delay > RETRY_LAST)
		delay = RETRY_LAST;
	entry->failures++;
	slot = retry_common_slot(queue, now);
	entry_delay(queue, entry, slot > now + delay ? slot : now + delay);
	return 0;
}

void queue_forget(struct queue *queue, const char *key)
{
	struct entry *entry;

	cox_lock_scope(&queue->mutex);
	entry = entry_find(queue, key);
	if (!entry)
		return;
	entry->failures = 0;
	entry_settle(queue, entry);
}

unsigned queue_failures(struct queue *queue, const char *key)
{
	struct entry *entry;

	cox_lock_scope(&queue->mutex);
	entry = entry_find(queue, key);
	return entry ? entry->failures : 0;
}

static void queue_release_due(struct queue *queue)
{
	uint64_t now = clock_monotonic();

	while (queue->heap.count && queue->heap.items[0]->due <= now) {
		struct entry *entry = queue->heap.items[0];

		heap_remove(queue, entry);
		entry_wait(queue, entry);
	}
}

static void queue_wait(struct queue *queue, uint64_t until)
{
	struct timespec when = {.tv_sec = (time_t)(until / CLOCK_SECOND),
				.tv_nsec = (long)(until % CLOCK_SECOND)};

	if (until)
		pthread_cond_timedwait(&queue->changed, &queue->mutex, &when);
	else
		pthread_cond_wait(&queue->changed, &queue->mutex);
}

char *queue_take(struct queue *queue, uint64_t deadline)
{
	struct entry *entry;

	cox_lock_scope(&queue->mutex);
	for (;;) {
		uint64_t until = deadline;

		if (queue->closed)
			return NULL;
		queue_release_due(queue);
		if (queue->first)
			break;
		if (deadline && clock_monotonic() >= deadline)
			return NULL;
		if (queue->heap.count && (!until || queue->heap.items[0]->due < until))
			until = queue->heap.items[0]->due;
		queue_wait(queue, until);
	}
	entry = queue->first;
	queue->first = entry->next;
	if (!queue->first)
		queue->last = &queue->first;
	queue->length--;
	entry->waiting = false;
	entry->processing = true;
	return cox_strdup(entry->key);
}

void queue_done(struct queue *queue, const char *key)
{
	struct entry *entry;

	cox_lock_scope(&queue->mutex);
	entry = entry_find(queue, key);
	if (!entry)
		return;
	entry->processing = false;
	if (entry->again && !queue->closed) {
		entry->again = false;
		entry_wait(queue, entry);
	}
	entry_settle(queue, entry);
}

size_t queue_length(struct queue *queue)
{
	cox_lock_scope(&queue->mutex);
	return queue->length;
}

bool queue_overflowed(struct queue *queue)
{
	bool overflowed;

	cox_lock_scope(&queue->mutex);
	overflowed = queue->overflowed;
	queue->overflowed = false;
	return overflowed;
}

void queue_close(struct queue *queue)
{
	cox_lock_scope(&queue->mutex);
	queue->closed = true;
	pthread_cond_broadcast(&queue->changed);
}
