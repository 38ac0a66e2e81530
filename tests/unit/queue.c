/* SPDX-License-Identifier: Apache-2.0 */
/* The work queue: each rule of client/queue.h. */
#include "unit.h"

#include "base/clock.h"
#include "client/queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t soon(uint64_t ms)
{
	return clock_monotonic() + ms * CLOCK_MILLISECOND;
}

static void expect(struct queue *queue, const char *wanted)
{
	char *key = queue_take(queue, soon(5000));

	assert_non_null(key);
	assert_string_equal(key, wanted);
	free(key);
}

static void test_once(void **state)
{
	struct queue *queue = queue_new(0);

	(void)state;
	assert_int_equal(queue_add(queue, "a"), 0);
	assert_int_equal(queue_add(queue, "b"), 0);
	assert_int_equal(queue_add(queue, "a"), 0);
	assert_int_equal(queue_length(queue), 2);
	expect(queue, "a");
	assert_int_equal(queue_add(queue, "a"), 0); /* worked on: comes again */
	expect(queue, "b");
	assert_null(queue_take(queue, soon(1)));
	queue_done(queue, "a");
	expect(queue, "a");
	queue_done(queue, "a");
	queue_done(queue, "b");
	assert_null(queue_take(queue, soon(1)));
	queue_free(queue);
}

static void test_delay(void **state)
{
	struct queue *queue = queue_new(0);
	uint64_t before = clock_monotonic();

	(void)state;
	queue_add_after(queue, "late", 60 * CLOCK_MILLISECOND);
	queue_add_after(queue, "soon", 20 * CLOCK_MILLISECOND);
	queue_add_after(queue, "late", 3600 * CLOCK_SECOND); /* the earlier counts */
	queue_add_after(queue, "hour", 3600 * CLOCK_SECOND);
	queue_add_after(queue, "hour", 40 * CLOCK_MILLISECOND);
	assert_int_equal(queue_length(queue), 0);
	expect(queue, "soon");
	expect(queue, "hour");
	expect(queue, "late");
	assert_true(clock_monotonic() - before >= 60 * CLOCK_MILLISECOND);
	queue_free(queue);
}

static void test_heap_order(void **state)
{
	struct queue *queue = queue_new(0);
	char key[16];

	(void)state;
	for (int i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "%02d", (i * 37) % 50);
		queue_add_after(queue, key, (uint64_t)(1 + (i * 37) % 50) * CLOCK_MILLISECOND);
	}
	/* Let all become due, so that only the heap's order decides. */
	for (uint64_t until = soon(60); clock_monotonic() < until;)
		sched_yield();
	for (int i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "%02d", i);
		expect(queue, key);
	}
	queue_free(queue);
}

static void test_retry(void **state)
{
	struct queue *queue = queue_new(0);
	uint64_t before = clock_monotonic();

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(queue_failures(queue, "k"), i);
		assert_int_equal(queue_retry(queue, "k"), 0);
		expect(queue, "k");
		queue_done(queue, "k");
	}
	assert_true(clock_monotonic() - before >= (5 + 10 + 20 + 40) * CLOCK_MILLISECOND);
	queue_forget(queue, "k");
	assert_int_equal(queue_failures(queue, "k"), 0);
	queue_free(queue);
}

static void test_bound(void **state)
{
	struct queue *queue = queue_new(2);

	(void)state;
	assert_int_equal(queue_add(queue, "a"), 0);
	assert_int_equal(queue_add(queue, "b"), 0);
	assert_false(queue_overflowed(queue));
	assert_int_equal(queue_add(queue, "c"), -1);
	assert_int_equal(queue_add(queue, "a"), 0); /* waits already */
	assert_true(queue_overflowed(queue));
	assert_false(queue_overflowed(queue));
	expect(queue, "a");
	queue_done(queue, "a");
	assert_int_equal(queue_add(queue, "c"), 0);
	queue_close(queue);
	assert_int_equal(queue_add(queue, "a"), -1);
	assert_null(queue_take(queue, 0));
	queue_free(queue);
}

enum { KEYS = 20, ROUNDS = 3000 };

struct crowd {
	struct queue *queue;
	_Atomic int inside[KEYS]; /* workers on a key: never more than one */
	_Atomic unsigned seen[KEYS];
	_Atomic int overlaps;
};

static void *worker(void *argument)
{
	struct crowd *crowd = argument;
	char *key;

	while ((key = queue_take(crowd->queue, 0))) {
		int n = atoi(key);

		if (atomic_fetch_add(&crowd->inside[n], 1))
			atomic_fetch_add(&crowd->overlaps, 1);
		atomic_fetch_add(&crowd->seen[n], 1);
		sched_yield();
		atomic_fetch_sub(&crowd->inside[n], 1);
		queue_done(crowd->queue, key);
		free(key);
	}
	return NULL;
}

static void test_workers(void **state)
{
	struct crowd crowd = {.queue = queue_new(0)};
	pthread_t threads[4];
	unsigned before[KEYS];
	char key[8];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, worker, &crowd), 0);
	for (int i = 0; i < ROUNDS; i++) {
		snprintf(key, sizeof(key), "%d", i % KEYS);
		assert_int_equal(queue_add(crowd.queue, key), 0);
	}
	/* Every add is followed by a pass that begins after it. */
	for (int i = 0; i < KEYS; i++)
		before[i] = atomic_load(&crowd.seen[i]);
	for (int i = 0; i < KEYS; i++) {
		uint64_t until = soon(10000);

		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(queue_add(crowd.queue, key), 0);
		while (atomic_load(&crowd.seen[i]) == before[i] && clock_monotonic() < until)
			sched_yield();
		assert_true(atomic_load(&crowd.seen[i]) > before[i]);
	}
	queue_close(crowd.queue);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crowd.overlaps, 0);
	queue_free(crowd.queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),	   cmocka_unit_test(test_delay),
		cmocka_unit_test(test_heap_order), cmocka_unit_test(test_retry),
		cmocka_unit_test(test_bound),	   cmocka_unit_test(test_workers),
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
