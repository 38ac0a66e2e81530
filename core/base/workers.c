/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker pool; see the header. One mutex guards everything; idle threads
 * wait in two groups, so that a job never wakes a thread that may not do it.
 * Reserved threads are always there, the others are a crew.
 */
#include "base/workers.h"

#include "base/clock.h"
#include "base/crew.h"

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
	unsigned reserved_started;
	bool closing;
	size_t queue;
	struct ring rings[CLASSES];
	struct workers_counts counts;
	char name[16];
	struct crew *crew; /* the others */
	pthread_t reserved_threads[];
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

/* A job of a class this thread does; its class, or -1: there is none now. */
static int find_job(struct workers *workers, bool important_only, struct job *job)
{
	for (int class = WORKERS_IMPORTANT; class >= WORKERS_ORDINARY; class --) {
		if (class == WORKERS_ORDINARY && important_only)
			break;
		if (workers->rings[class].count) {
			*job = pop(&workers->rings[class]);
			return class;
		}
	}
	return -1;
}

/* Called with the mutex held, which is free while the job is done. */
static void do_job(struct workers *workers, int class, const struct job *job)
{
	workers->counts.busy[class]++;
	pthread_mutex_unlock(&workers->mutex);
	job->run(job->context);
	pthread_mutex_lock(&workers->mutex);
	workers->counts.busy[class]--;
	workers->counts.done++;
}

static void *do_important(void *context)
{
	struct workers *workers = context;
	struct job job;

	pthread_setname_np(pthread_self(), workers->name);
	pthread_mutex_lock(&workers->mutex);
	for (;;) {
		int class = find_job(workers, true, &job);

		if (class >= 0) {
			do_job(workers, class, &job);
			continue;
		}
		if (workers->closing)
			break;
		workers->idle_reserved++;
		pthread_cond_wait(&workers->reserved, &workers->mutex);
		workers->idle_reserved--;
	}
	pthread_mutex_unlock(&workers->mutex);
	return NULL;
}

/* False: nothing came in time. */
static bool wait_for_job(struct workers *workers)
{
	uint64_t until = crew_deadline(workers->crew);
	struct timespec when = {(time_t)(until / CLOCK_SECOND), (long)(until % CLOCK_SECOND)};
	int late = 0;

	workers->idle_any++;
	if (until)
		late = pthread_cond_timedwait(&workers->any, &workers->mutex, &when);
	else
		pthread_cond_wait(&workers->any, &workers->mutex);
	workers->idle_any--;
	return !late;
}

static void do_any(void *context)
{
	struct workers *workers = context;
	bool in_time = true;
	struct job job;

	pthread_mutex_lock(&workers->mutex);
	for (;;) {
		int class = find_job(workers, false, &job);

		if (class >= 0) {
			crew_busy(workers->crew);
			do_job(workers, class, &job);
			crew_idle(workers->crew);
		} else if (workers->closing || (!in_time && crew_leave(workers->crew))) {
			break;
		} else {
			in_time = wait_for_job(workers);
		}
	}
	pthread_mutex_unlock(&workers->mutex);
}

static int start_reserved(struct workers *workers, const struct workers_config *config,
			  struct cox_error *err)
{
	pthread_attr_t attributes;
	sigset_t all, saved;
	int failed = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes,
				  config->stack_bytes ? config->stack_bytes : STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved); /* signals have a thread of their own */
	while (workers->reserved_started < config->reserved && !failed) {
		failed = pthread_create(&workers->reserved_threads[workers->reserved_started],
					&attributes, do_important, workers);
		if (!failed)
			workers->reserved_started++;
	}
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	pthread_attr_destroy(&attributes);
	return failed ? error_errno(err, failed, "start worker thread %u",
				    workers->reserved_started + 1)
		      : 0;
}

static int start_crew(struct workers *workers, const struct workers_config *config,
		      struct cox_error *err)
{
	const struct crew_config crew = {.name = workers->name,
					 .most = config->threads - config->reserved,
					 .stack_bytes = config->stack_bytes,
					 .run = do_any,
					 .context = workers};

	/* The first member looks at the crew with the mutex held. */
	cox_lock_scope(&workers->mutex);
	workers->crew = crew_open(&crew, err);
	return workers->crew ? 0 : -1;
}

struct workers *workers_open(const struct workers_config *config, struct cox_error *err)
{
	pthread_condattr_t monotonic;
	struct workers *workers;

	if (config->threads < 1 || config->threads > THREADS_MAX ||
	    config->reserved >= config->threads || config->queue < 1) {
		error_set(err, COX_REASON_INTERNAL_ERROR,
			  "a pool of %u workers, %u reserved, with a queue of %zu makes no sense",
			  config->threads, config->reserved, config->queue);
		return NULL;
	}
	workers = cox_calloc(1, sizeof(*workers) + config->reserved * sizeof(pthread_t));
	pthread_mutex_init(&workers->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&workers->any, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_cond_init(&workers->reserved, NULL);
	workers->queue = config->queue;
	snprintf(workers->name, sizeof(workers->name), "%.11s", config->name);
	if (start_reserved(workers, config, err) != 0 || start_crew(workers, config, err) != 0) {
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
	for (unsigned i = 0; i < workers->reserved_started; i++)
		pthread_join(workers->reserved_threads[i], NULL);
	crew_close(workers->crew);
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
