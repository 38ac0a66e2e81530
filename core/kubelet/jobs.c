/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: see the header. `mutex` guards the count of those that run. */
#include "kubelet/jobs.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>

enum { STACK_BYTES = 256 * 1024 };

struct jobs {
	pthread_mutex_t mutex;
	pthread_cond_t ended;
	size_t limit, count;
};

struct job {
	struct jobs *jobs;
	void (*run)(void *context);
	void *context;
};

struct jobs *jobs_new(size_t limit)
{
	struct jobs *jobs = cox_new(struct jobs);

	jobs->limit = limit;
	pthread_mutex_init(&jobs->mutex, NULL);
	pthread_cond_init(&jobs->ended, NULL);
	return jobs;
}

void jobs_wait(struct jobs *jobs)
{
	cox_lock_scope(&jobs->mutex);
	while (jobs->count)
		pthread_cond_wait(&jobs->ended, &jobs->mutex);
}

void jobs_free(struct jobs *jobs)
{
	if (!jobs)
		return;
	jobs_wait(jobs);
	pthread_cond_destroy(&jobs->ended);
	pthread_mutex_destroy(&jobs->mutex);
	free(jobs);
}

static void one_less(struct jobs *jobs)
{
	cox_lock_scope(&jobs->mutex);
	jobs->count--;
	pthread_cond_broadcast(&jobs->ended);
}

static void *run_job(void *started)
{
	struct job job = *(struct job *)started;

	free(started);
	job.run(job.context);
	one_less(job.jobs);
	return NULL;
}

int jobs_run(struct jobs *jobs, void (*run)(void *context), void *context)
{
	struct job *job;
	pthread_attr_t attributes;
	pthread_t thread;
	int failed;

	pthread_mutex_lock(&jobs->mutex);
	failed = jobs->count >= jobs->limit;
	jobs->count += !failed;
	pthread_mutex_unlock(&jobs->mutex);
	if (failed)
		return -1;
	job = cox_new(struct job);
	*job = (struct job){jobs, run, context};
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	failed = pthread_create(&thread, &attributes, run_job, job);
	pthread_attr_destroy(&attributes);
	if (failed) {
		free(job);
		one_less(jobs);
		return -1;
	}
	return 0;
}

size_t jobs_count(struct jobs *jobs)
{
	cox_lock_scope(&jobs->mutex);
	return jobs->count;
}
