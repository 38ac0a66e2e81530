/* SPDX-License-Identifier: Apache-2.0 */
/* Crews: as many threads as there is work for, and what becomes of them. */
#include "unit.h"

#include "base/crew.h"
#include "lib/eventually.h"

#include <coxswain/kit/cleanup.h>
#include <pthread.h>

enum { MOST = 6 };

/* A pile of work; each piece holds its thread until it is let go. */
struct pile {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct crew *crew;
	unsigned pieces, held, most_held, members, done;
	bool hold, over;
};

static bool take(struct pile *pile, uint64_t until)
{
	struct timespec when = {(time_t)(until / CLOCK_SECOND), (long)(until % CLOCK_SECOND)};
	int late = 0;

	while (!pile->pieces && !pile->over && !late) {
		if (until)
			late = pthread_cond_timedwait(&pile->changed, &pile->mutex, &when);
		else
			pthread_cond_wait(&pile->changed, &pile->mutex);
	}
	if (!pile->pieces)
		return false;
	pile->pieces--;
	return true;
}

static void run(void *context)
{
	struct pile *pile = context;

	cox_lock_scope(&pile->mutex);
	pile->members++;
	for (;;) {
		if (!take(pile, crew_deadline(pile->crew))) {
			if (pile->over || crew_leave(pile->crew))
				break;
			continue;
		}
		crew_busy(pile->crew);
		if (++pile->held > pile->most_held)
			pile->most_held = pile->held;
		while (pile->hold)
			pthread_cond_wait(&pile->changed, &pile->mutex);
		pile->held--;
		pile->done++;
		crew_idle(pile->crew);
	}
	pile->members--;
}

static void pile_open(struct pile *pile, uint64_t patience)
{
	const struct crew_config config = {
		.name = "crew", .most = MOST, .patience = patience, .run = run, .context = pile};
	cox_autoerror err = COX_ERROR_INIT;
	pthread_condattr_t monotonic;

	*pile = (struct pile){.hold = true};
	pthread_mutex_init(&pile->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&pile->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	cox_lock_scope(&pile->mutex);
	pile->crew = crew_open(&config, &err);
	assert_non_null(pile->crew);
}

static void put(struct pile *pile, unsigned pieces)
{
	cox_lock_scope(&pile->mutex);
	pile->pieces += pieces;
	pthread_cond_broadcast(&pile->changed);
}

static void let_go(struct pile *pile)
{
	cox_lock_scope(&pile->mutex);
	pile->hold = false;
	pthread_cond_broadcast(&pile->changed);
}

static unsigned look(struct pile *pile, const unsigned *at)
{
	cox_lock_scope(&pile->mutex);
	return *at;
}

static void pile_close(struct pile *pile)
{
	pthread_mutex_lock(&pile->mutex);
	pile->over = true;
	pile->hold = false;
	pthread_cond_broadcast(&pile->changed);
	pthread_mutex_unlock(&pile->mutex);
	crew_close(pile->crew);
	assert_int_equal(pile->members, 0);
	pthread_cond_destroy(&pile->changed);
	pthread_mutex_destroy(&pile->mutex);
}

static void test_grows(void **state)
{
	struct pile pile;

	(void)state;
	pile_open(&pile, 0);
	eventually(look(&pile, &pile.members) == 1);
	put(&pile, 1);
	eventually(look(&pile, &pile.held) == 1);
	/* One more than is busy, so that the next piece does not wait. */
	eventually(look(&pile, &pile.members) == 2);
	put(&pile, 20);
	eventually(look(&pile, &pile.held) == MOST);
	assert_int_equal(look(&pile, &pile.members), MOST);
	let_go(&pile);
	eventually(look(&pile, &pile.done) == 21);
	assert_int_equal(pile.most_held, MOST);
	pile_close(&pile);
}

/* Those who find nothing to do for a while end, but never the last; places are used again. */
static void test_shrinks(void **state)
{
	struct pile pile;

	(void)state;
	pile_open(&pile, 10 * CLOCK_MILLISECOND);
	put(&pile, MOST);
	eventually(look(&pile, &pile.held) == MOST);
	let_go(&pile);
	eventually(look(&pile, &pile.members) == 1);
	pthread_mutex_lock(&pile.mutex);
	pile.hold = true;
	pthread_mutex_unlock(&pile.mutex);
	put(&pile, MOST);
	eventually(look(&pile, &pile.held) == MOST);
	pile_close(&pile);
}

/* The end may come while work is done and more is there. */
static void test_end(void **state)
{
	struct pile pile;

	(void)state;
	pile_open(&pile, 0);
	put(&pile, 100);
	eventually(look(&pile, &pile.held) > 0);
	pile_close(&pile);
	assert_int_equal(pile.done, 100);
}

static void test_senseless(void **state)
{
	const struct crew_config config = {.most = 0, .run = run};
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	assert_null(crew_open(&config, &err));
	assert_string_equal(error_text(&err), "a crew of at most 0 makes no sense");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_shrinks),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_senseless),
	};

	return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}
