/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker pool; see the header. One mutex guards everything; idle threads
 * wait in two groups, so that a job never wakes a thread that may not do it.
 */
#include "base/workers.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { CLASSES = 2, STACK_BYTES = 256 * 1024, FIRST_CAPACITY = 16, THREADS_MAX = 4096 };

struct job {
	void (*run)(void *context);
	void *context;
};

/* A ring that doubles until it holds `workers.queue` jobs. */
struct ring {
	struct job *jobs;
	size_t first, count, capacity;
};

struct workers {
	pthread_mutex_t mutex;
	pthread_cond_t any;	 /* threads that do both classes wait here */
	pthread_cond_t reserved; /* and those that do important work only */
	unsigned idle_any, idle_reserved;
	unsigned started_reserved; /* the first threads to start take these places */
	unsigned thread_count;
	bool closing;
	size_t queue;
	struct ring rings[CLASSES];
	struct workers_counts counts;
	unsigned reserved_count;
	char name[16];
	pthread_t threads[];
};

static void push(struct ring *ring, struct job job, size_t bound)
{
	if (ring->count == ring->capacity) {
		size_t capacity = ring->capacity ? ring->capacity * 2 : FIRST_CAPACITY;
		struct job *jobs;

		if (capacity > bound)
			capacity = bound;
		jobs = cox_calloc(capacity, sizeof(*jobs));
		for (size_t i = 0; i < ring->count; i++)
			jobs[i] = ring->jobs[(ring->first + i) % ring->capacity];
		free(ring->jobs);
		ring->jobs = jobs;
		ring->first = 0;
		ring->capacity = capacity;
	}
	ring->jobs[(ring->first + ring->count++) % ring->capacity] = job;
}

static struct job pop(struct ring *ring)
{
	struct job job = ring->jobs[ring->first];

	ring->first = (ring->first + 1) % ring->capacity;
	ring->count--;
	return job;
}

/* Waits for a job of a class this thread does; -1: the pool closes. */
static int take(struct workers *workers, bool important_only, struct job *job)
{
	for (;;) {
		for (int class = WORKERS_IMPORTANT; class >= WORKERS_ORDINARY; class --) {
			if (class == WORKERS_ORDINARY && important_only)
				break;
			if (workers->rings[class].count) {
				*job = pop(&workers->rings[class]);
				return class;
			}
		}
		if (workers->closing)
			return -1;
		if (important_only) {
			workers->idle_reserved++;
			pthread_cond_wait(&workers->reserved, &workers->mutex);
			workers->idle_reserved--;
		} else {
			workers->idle_any++;
			pthread_cond_wait(&workers->any, &workers->mutex);
			workers->idle_any--;
		}
	}
}

static void *work(void *context)
{
	struct workers *workers = context;
	bool important_only;
	struct job job;
	int class;

	pthread_setname_np(pthread_self(), workers->name);
	pthread_mutex_lock(&workers->mutex);
	important_only = workers->started_reserved < workers->reserved_count;
	if (important_only)
		workers->started_reserved++;
	while ((class = take(workers, important_only, &job)) >= 0) {
		workers->counts.busy[class]++;
		pthread_mutex_unlock(&workers->mutex);
		job.run(job.context);
		pthread_mutex_lock(&workers->mutex);
		workers->counts.busy[class]--;
		workers->counts.done++;
	}
	pthread_mutex_unlock(&workers->mutex);
	return NULL;
}

static int start_threads(struct workers *workers, unsigned count, size_t stack,
			 struct cox_error *err)
{
	pthread_attr_t attributes;
	sigset_t all, saved;
	int failed = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, stack ? stack : STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved); /* signals have a thread of their own */
	while (workers->thread_count < count && !failed) {
		failed = pthread_create(&workers->threads[workers->thread_count], &attributes, work,
					workers);
		if (!failed)
			workers->thread_count++;
	}
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	pthread_attr_destroy(&attributes);
	return failed ? error_errno(err, failed, "start worker thread %u of %u",
				    workers->thread_count + 1, count)
		      : 0;
}

struct workers *workers_open(const struct workers_config *config, struct cox_error *err)
{
	struct workers *workers;

	if (config->threads < 1 || config->threads > THREADS_MAX ||
	    config->reserved >= config->threads || config->queue < 1) {
		error_set(err, COX_REASON_INTERNAL_ERROR,
			  "a pool of %u workers, %u reserved, with a queue of %zu makes no sense",
			  config->threads, config->reserved, config->queue);
		return NULL;
	}
	workers = cox_calloc(1, sizeof(*workers) + config->threads * sizeof(pthread_t));
	pthread_mutex_init(&workers->mutex, NULL);
	pthread_cond_init(&workers->any, NULL);
	pthread_cond_init(&workers->reserved, NULL);
	workers->queue = config->queue;
	workers->reserved_count = config->reserved;
	snprintf(workers->name, sizeof(workers->name), "%.11s", config->name);
	if (start_threads(workers, config->threads, config->stack_bytes, err) != 0) {
		workers_close(workers);
		return NULL;
	}
	return workers;
}

int workers_run(struct workers *workers, enum workers_class class, void (*run)(void *context),
		void *context)
{
	struct ring *ring = &workers->rings[class];

	cox_lock_scope(&workers->mutex);
	if (workers->closing || ring->count >= workers->queue) {
		workers->counts.refused++;
		return -1;
	}
	push(ring, (struct job){run, context}, workers->queue);
	/*
	 * Important work goes to a reserved thread first, which leaves the
	 * others to ordinary work. Each job sends one signal, and a thread
	 * looks at the rings again before it sleeps, so none is forgotten.
	 */
	if (class == WORKERS_IMPORTANT && workers->idle_reserved)
		pthread_cond_signal(&workers->reserved);
	if (workers->idle_any && (class == WORKERS_ORDINARY || !workers->idle_reserved ||
				  ring->count > workers->idle_reserved))
		pthread_cond_signal(&workers->any);
	return 0;
}

void workers_close(struct workers *workers)
{
	pthread_mutex_lock(&workers->mutex);
	workers->closing = true;
	pthread_cond_broadcast(&workers->any);
	pthread_cond_broadcast(&workers->reserved);
	pthread_mutex_unlock(&workers->mutex);
	for (unsigned i = 0; i < workers->thread_count; i++)
		pthread_join(workers->threads[i], NULL);
	for (int class = 0; class < CLASSES; class ++)
		free(workers->rings[class].jobs);
	pthread_cond_destroy(&workers->reserved);
	pthread_cond_destroy(&workers->any);
	pthread_mutex_destroy(&workers->mutex);
	free(workers);
}

void workers_count(struct workers *workers, struct workers_counts *counts)
{
	cox_lock_scope(&workers->mutex);
	*counts = workers->counts;
	for (int class = 0; class < CLASSES; class ++)
		counts->waiting[class] = workers->rings[class].count;
}
