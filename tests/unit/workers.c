/* SPDX-License-Identifier: Apache-2.0 */
/* The worker pool: bounds, reserved threads, doing all that was accepted. */
#include "unit.h"

#include "base/clock.h"
#include "base/workers.h"
#include "http_peer.h"

#include <coxswain/kit/alloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

static sem_t gate, begun;
static _Atomic int done;

static void wait_at_gate(void *context)
{
	(void)context;
	sem_post(&begun);
	sem_wait(&gate);
	atomic_fetch_add(&done, 1);
}

static void count_one(void *context)
{
	(void)context;
	atomic_fetch_add(&done, 1);
}

static void test_bounds(void **state)
{
	struct workers_config config = {.name = "t", .threads = 3, .reserved = 1, .queue = 20};
	struct workers *workers = workers_open(&config, NULL);
	struct workers_counts counts;

	(void)state;
	assert_non_null(workers);
	/* ordinary work takes two threads, never the third */
	for (int i = 0; i < 2; i++)
		assert_int_equal(workers_run(workers, WORKERS_ORDINARY, wait_at_gate, NULL), 0);
	sem_wait(&begun);
	sem_wait(&begun);
	for (int i = 0; i < 20; i++)
		assert_int_equal(workers_run(workers, WORKERS_ORDINARY, wait_at_gate, NULL), 0);
	assert_int_equal(workers_run(workers, WORKERS_ORDINARY, wait_at_gate, NULL), -1);
	workers_count(workers, &counts);
	assert_int_equal(counts.busy[WORKERS_ORDINARY], 2);
	assert_int_equal(counts.waiting[WORKERS_ORDINARY], 20);
	assert_int_equal(counts.refused, 1);
	/* important work passes */
	assert_int_equal(workers_run(workers, WORKERS_IMPORTANT, count_one, NULL), 0);
	peer_wait(atomic_load(&done) == 1);
	for (int i = 0; i < 22; i++)
		sem_post(&gate);
	workers_close(workers);
	assert_int_equal(atomic_load(&done), 23);
	while (sem_trywait(&begun) == 0)
		;
}

enum { PRODUCERS = 4, EACH = 20000 };

static void *produce(void *context)
{
	struct workers *workers = context;

	for (int i = 0; i < EACH; i++)
		while (workers_run(workers, i % 3 ? WORKERS_ORDINARY : WORKERS_IMPORTANT, count_one,
				   NULL) != 0)
			sched_yield();
	return NULL;
}

static void test_many(void **state)
{
	struct workers_config config = {
		.name = "a long name", .threads = 4, .reserved = 2, .queue = 64};
	struct workers *workers = workers_open(&config, NULL);
	pthread_t producers[PRODUCERS];

	(void)state;
	atomic_store(&done, 0);
	for (int i = 0; i < PRODUCERS; i++)
		pthread_create(&producers[i], NULL, produce, workers);
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(producers[i], NULL);
	workers_close(workers);
	assert_int_equal(atomic_load(&done), PRODUCERS * EACH);
}

static void test_refusals(void **state)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct workers_config config = {.name = "t", .threads = 2, .reserved = 2, .queue = 1};

	(void)state;
	assert_null(workers_open(&config, &err));
	assert_string_equal(error_text(&err),
			    "a pool of 2 workers, 2 reserved, with a queue of 1 makes no sense");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_refusals),
	};

	sem_init(&gate, 0, 0);
	sem_init(&begun, 0, 0);
	return cmocka_run_group_tests_name("workers", tests, NULL, NULL);
}
