/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for a revision: a list in the order of revisions, looked at when one
 * is published and, by the keeper, when a deadline has come.
 */
#include "base/clock.h"
#include "store/internal.h"

#include <inttypes.h>

static void unlink_waiter(struct store *store, struct waiter_list *list,
			  struct store_waiter *waiter)
{
	if (waiter->previous)
		waiter->previous->next = waiter->next;
	else
		list->first = waiter->next;
	if (waiter->next)
		waiter->next->previous = waiter->previous;
	else
		list->last = waiter->previous;
	waiter->waiting = false;
	store->waiter_count--;
}

/* Most wait for something newer than all the others. */
static void link_waiter(struct store *store, struct store_waiter *waiter)
{
	struct waiter_list *list = &store->waiters;
	struct store_waiter *before = list->last;

	while (before && before->revision > waiter->revision)
		before = before->previous;
	waiter->previous = before;
	waiter->next = before ? before->next : list->first;
	if (waiter->next)
		waiter->next->previous = waiter;
	else
		list->last = waiter;
	if (before)
		before->next = waiter;
	else
		list->first = waiter;
	waiter->waiting = true;
	store->waiter_count++;
}

/* A list of its own for those that are told. */
static void hand_over(struct waiter_list *list, struct store_waiter *waiter)
{
	waiter->next = NULL;
	waiter->previous = list->last;
	if (list->last)
		list->last->next = waiter;
	else
		list->first = waiter;
	list->last = waiter;
}

void wait_take_reached(struct store *store, struct waiter_list *reached)
{
	uint64_t applied = atomic_load(&store->applied);

	while (store->waiters.first && store->waiters.first->revision <= applied) {
		struct store_waiter *waiter = store->waiters.first;

		unlink_waiter(store, &store->waiters, waiter);
		hand_over(reached, waiter);
	}
}

uint64_t wait_take_late(struct store *store, uint64_t now, struct waiter_list *late)
{
	uint64_t next_deadline = UINT64_MAX;
	struct store_waiter *next;

	for (struct store_waiter *waiter = store->waiters.first; waiter; waiter = next) {
		next = waiter->next;
		if (waiter->deadline_ns <= now) {
			unlink_waiter(store, &store->waiters, waiter);
			hand_over(late, waiter);
		} else if (waiter->deadline_ns < next_deadline) {
			next_deadline = waiter->deadline_ns;
		}
	}
	return next_deadline;
}

void wait_tell(struct waiter_list *list, int reached)
{
	struct store_waiter *waiter = list->first;

	while (waiter) {
		struct store_waiter *next = waiter->next;

		waiter->done(waiter, reached); /* from here on it may be gone */
		waiter = next;
	}
}

int store_wait(struct store *store, struct store_waiter *waiter, struct cox_error *err)
{
	cox_lock_scope(&store->lock);
	waiter->waiting = false;
	if (atomic_load(&store->applied) >= waiter->revision)
		return 1;
	if (store->stopping)
		return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "the store is stopping");
	if (store->waiter_count >= store->options.waiter_count) {
		error_set(err, COX_REASON_TOO_MANY_REQUESTS,
			  "too many requests wait for revision %" PRIu64, waiter->revision);
		if (err)
			err->retry_after = 1;
		return -1;
	}
	link_waiter(store, waiter);
	if (waiter->deadline_ns < store->keeper_until) {
		store->keeper_until = waiter->deadline_ns;
		pthread_cond_signal(&store->keeper_wake);
	}
	return 0;
}

bool store_wait_cancel(struct store *store, struct store_waiter *waiter)
{
	cox_lock_scope(&store->lock);
	if (!waiter->waiting)
		return false;
	unlink_waiter(store, &store->waiters, waiter);
	return true;
}

struct blocked {
	struct store_waiter waiter; /* first */
	pthread_mutex_t lock;
	pthread_cond_t told;
	int reached;
	bool done;
};

static void unblock(struct store_waiter *waiter, int reached)
{
	struct blocked *blocked = (struct blocked *)waiter;

	cox_lock_scope(&blocked->lock);
	blocked->reached = reached;
	blocked->done = true;
	pthread_cond_signal(&blocked->told);
}

int wait_blocking(struct store *store, uint64_t revision, uint64_t deadline_ns,
		  struct cox_error *err)
{
	struct blocked blocked = {
		.waiter = {.done = unblock, .revision = revision, .deadline_ns = deadline_ns},
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.told = PTHREAD_COND_INITIALIZER,
	};
	int state = store_wait(store, &blocked.waiter, err);

	if (state != 0)
		return state > 0 ? 0 : -1;
	pthread_mutex_lock(&blocked.lock);
	while (!blocked.done) /* the keeper minds the deadline */
		pthread_cond_wait(&blocked.told, &blocked.lock);
	pthread_mutex_unlock(&blocked.lock);
	pthread_mutex_destroy(&blocked.lock);
	pthread_cond_destroy(&blocked.told);
	if (blocked.reached > 0)
		return 0;
	if (blocked.reached < 0)
		return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "the store is stopping");
	return error_set(err, COX_REASON_TIMEOUT,
			 "Too large resource version: %" PRIu64 ", current: %" PRIu64, revision,
			 (uint64_t)atomic_load(&store->applied));
}
