/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crews; see the header. `waiting` counts those without work, from their start
 * on; whoever takes it to zero makes the next member.
 */
#include "base/crew.h"

#include "base/clock.h"
#include "base/log.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#define PATIENCE (10 * CLOCK_SECOND)

enum { STACK_BYTES = 256 * 1024, MOST = 4096 };

/* A place for a thread; one that has ended is joined when its place is needed. */
struct place {
	struct crew *crew;
	pthread_t thread;
	enum { FREE, TAKEN, ENDED } state;
};

struct crew {
	struct crew_config config;
	char name[16];
	pthread_mutex_t mutex;
	_Atomic unsigned waiting;
	_Atomic unsigned members;
	bool closing;
	struct place places[];
};

static void *member(void *argument)
{
	struct place *place = argument;
	struct crew *crew = place->crew;

	if (*crew->name)
		pthread_setname_np(pthread_self(), crew->name);
	crew->config.run(crew->config.context);
	cox_lock_scope(&crew->mutex);
	place->state = ENDED;
	atomic_fetch_sub(&crew->members, 1);
	return NULL;
}

/* With the mutex held. */
static struct place *find_place(struct crew *crew)
{
	for (unsigned i = 0; i < crew->config.most; i++) {
		struct place *place = &crew->places[i];

		if (place->state == ENDED) /* it needs the mutex no more */
			pthread_join(place->thread, NULL);
		if (place->state != TAKEN)
			return place;
	}
	return NULL;
}

/* With the mutex held. */
static int add_member(struct crew *crew)
{
	struct place *place = crew->closing ? NULL : find_place(crew);
	pthread_attr_t attributes;
	sigset_t all, saved;
	int failed;

	if (!place)
		return 0;
	place->crew = crew;
	place->state = TAKEN;
	atomic_fetch_add(&crew->members, 1);
	atomic_fetch_add(&crew->waiting, 1);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, crew->config.stack_bytes);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved); /* signals have a thread of their own */
	failed = pthread_create(&place->thread, &attributes, member, place);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	pthread_attr_destroy(&attributes);
	if (failed) {
		place->state = FREE;
		atomic_fetch_sub(&crew->members, 1);
		atomic_fetch_sub(&crew->waiting, 1);
	}
	return failed;
}

struct crew *crew_open(const struct crew_config *config, struct cox_error *err)
{
	struct crew *crew;
	int failed;

	if (config->most < 1 || config->most > MOST) {
		error_set(err, COX_REASON_INTERNAL_ERROR, "a crew of at most %u makes no sense",
			  config->most);
		return NULL;
	}
	crew = cox_calloc(1, sizeof(*crew) + config->most * sizeof(crew->places[0]));
	crew->config = *config;
	if (!crew->config.patience)
		crew->config.patience = PATIENCE;
	if (!crew->config.stack_bytes)
		crew->config.stack_bytes = STACK_BYTES;
	snprintf(crew->name, sizeof(crew->name), "%s", config->name ? config->name : "");
	pthread_mutex_init(&crew->mutex, NULL);
	pthread_mutex_lock(&crew->mutex);
	failed = add_member(crew);
	pthread_mutex_unlock(&crew->mutex);
	if (!failed)
		return crew;
	error_errno(err, failed, "start a thread");
	crew_close(crew);
	return NULL;
}

void crew_close(struct crew *crew)
{
	if (!crew)
		return;
	pthread_mutex_lock(&crew->mutex);
	crew->closing = true; /* no place is taken any more */
	pthread_mutex_unlock(&crew->mutex);
	for (unsigned i = 0; i < crew->config.most; i++) {
		struct place *place = &crew->places[i];
		bool used;

		pthread_mutex_lock(&crew->mutex);
		used = place->state != FREE;
		pthread_mutex_unlock(&crew->mutex);
		if (used)
			pthread_join(place->thread, NULL);
	}
	pthread_mutex_destroy(&crew->mutex);
	free(crew);
}

uint64_t crew_deadline(struct crew *crew)
{
	if (atomic_load(&crew->waiting) <= 1)
		return 0;
	return clock_monotonic() + crew->config.patience;
}

bool crew_leave(struct crew *crew)
{
	unsigned waiting = atomic_load(&crew->waiting);

	while (waiting > 1) {
		if (atomic_compare_exchange_weak(&crew->waiting, &waiting, waiting - 1))
			return true;
	}
	return false;
}

void crew_busy(struct crew *crew)
{
	int failed = 0;

	if (atomic_fetch_sub(&crew->waiting, 1) > 1 ||
	    atomic_load(&crew->members) >= crew->config.most)
		return;
	pthread_mutex_lock(&crew->mutex);
	if (atomic_load(&crew->waiting) == 0)
		failed = add_member(crew);
	pthread_mutex_unlock(&crew->mutex);
	/* Those who are there go on; the next one that gets busy tries again. */
	if (failed)
		log_warning("start one more thread %s: error %d", crew->name, failed);
}

void crew_idle(struct crew *crew)
{
	atomic_fetch_add(&crew->waiting, 1);
}
