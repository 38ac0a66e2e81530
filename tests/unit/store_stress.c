/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads on one store. Each transaction moves a counter in a pod and in
 * the node of the same name, so that whoever looks can tell whether a commit
 * was seen whole; each watcher rebuilds the collection from events alone and
 * must end with what a snapshot holds.
 */
#include "unit.h"

#include "base/clock.h"
#include "store_fixture.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAMES = 12, WRITERS = 3, WATCHERS = 6, WRITES = 400 };

struct stress {
	struct fixture fixture;
	_Atomic bool stop;
	_Atomic int running;
	_Atomic uint64_t newest_seen; /* by anybody, through an answer or a read */
};

static void check(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "violated: %s\n", what);
		abort();
	}
}

#define CHECK(condition) check(condition, #condition)

static int number_of(struct store_collection *collection, const struct store_entry *entry)
{
	(void)collection;
	return entry ? atoi(store_entry_label(entry, "app").data) : -1;
}

/* Sets pod and node to `number` if the pod has `revision`. */
static enum store_result move_both(struct stress *stress, const char *name, int number,
				   uint64_t revision, uint64_t *written)
{
	struct store *store = stress->fixture.store;
	char pod[64], node[64], json[256];
	struct cox_compare compare;
	struct cox_put puts[2];
	struct store_txn txn = {.compares = &compare,
				.compare_count = 1,
				.puts = puts,
				.put_count = 2,
				.class = number % 5 == 0 ? STORE_CLASS_LEASE : STORE_CLASS_NORMAL};
	cox_autoerror err = COX_ERROR_INIT;

	snprintf(pod, sizeof(pod), "/registry/pods/ns/%s", name);
	snprintf(node, sizeof(node), "/registry/minions/%s", name);
	snprintf(json, sizeof(json),
		 "{\"metadata\":{\"labels\":{\"app\":\"%d\"}},\"spec\":{\"nodeName\":\"n%d\"}}",
		 number, number % 3);
	compare = (struct cox_compare){{pod, strlen(pod)}, revision};
	puts[0] = (struct cox_put){{pod, strlen(pod)}, {json, strlen(json)}, FIXTURE_TAG, 0};
	puts[1] = (struct cox_put){{node, strlen(node)}, {json, strlen(json)}, FIXTURE_TAG, 0};
	if (store_submit_wait(store, &txn, &err))
		check(false, error_text(&err));
	*written = txn.revision;
	return txn.result;
}

static void raise_newest(struct stress *stress, uint64_t revision)
{
	uint64_t seen = atomic_load(&stress->newest_seen);

	while (seen < revision &&
	       !atomic_compare_exchange_weak(&stress->newest_seen, &seen, revision))
		;
}

static void *write_numbers(void *argument)
{
	struct stress *stress = argument;
	struct fixture *fixture = &stress->fixture;
	unsigned seed = (unsigned)(uintptr_t)&seed;

	for (int i = 0; i < WRITES; i++) {
		char name[16];
		struct store_entry *entry;
		uint64_t revision, written;
		int number;
		enum store_result result;

		snprintf(name, sizeof(name), "p%u", rand_r(&seed) % NAMES);
		entry = store_get(fixture->pods, "ns", name);
		revision = entry ? store_entry_revision(entry) : 0;
		number = number_of(fixture->pods, entry);
		store_entry_unref(entry);
		result = move_both(stress, name, number + 1, revision, &written);
		CHECK(result == STORE_COMMITTED || result == STORE_CONFLICT);
		entry = store_get(fixture->pods, "ns", name);
		/* My write, or what beat it, is there. */
		CHECK(entry && store_entry_revision(entry) >= written);
		store_entry_unref(entry);
		if (result == STORE_COMMITTED)
			raise_newest(stress, written);
	}
	atomic_fetch_sub(&stress->running, 1);
	return NULL;
}

/* Time never goes back, and a commit is there whole or not at all. */
static void *read_pairs(void *argument)
{
	struct stress *stress = argument;
	struct fixture *fixture = &stress->fixture;
	uint64_t last = 0;

	while (!atomic_load(&stress->stop)) {
		uint64_t newest = atomic_load(&stress->newest_seen);
		struct store_snapshot *pods = store_snapshot(fixture->pods);
		struct store_snapshot *nodes, *past;
		uint64_t revision = store_snapshot_revision(pods);

		CHECK(revision >= newest && revision >= last);
		last = revision;
		raise_newest(stress, revision);
		nodes = store_snapshot_at(fixture->nodes, revision, NULL);
		past = store_snapshot_at(fixture->pods, revision, NULL);
		CHECK(nodes && past);
		for (int i = 0; i < NAMES; i++) {
			char name[16];
			struct store_entry *pod, *node, *again;

			snprintf(name, sizeof(name), "p%d", i);
			pod = store_snapshot_get(pods, "ns", name);
			again = store_snapshot_get(past, "ns", name);
			node = store_snapshot_get(nodes, NULL, name);
			CHECK(number_of(fixture->pods, pod) == number_of(fixture->nodes, node));
			CHECK(pod == again);
			CHECK(!pod || store_entry_revision(pod) == store_entry_revision(node));
			store_entry_unref(pod);
			store_entry_unref(node);
			store_entry_unref(again);
		}
		store_snapshot_unref(pods);
		store_snapshot_unref(nodes);
		store_snapshot_unref(past);
	}
	return NULL;
}

struct follower {
	struct stress *stress;
	int node; /* only pods on this node; -1: all */
	struct store_watch *watch;
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool awake;
	int numbers[NAMES]; /* what the events add up to; -1: nothing */
	uint64_t revision;
};

static void wake_follower(void *context)
{
	struct follower *follower = context;

	cox_lock_scope(&follower->lock);
	follower->awake = true;
	pthread_cond_signal(&follower->woken);
}

static void take_event(struct follower *follower, const struct store_watch_event *event)
{
	int name = atoi((const char *)store_entry_name(event->entry).data + 1);
	int *number = &follower->numbers[name];
	int told = number_of(follower->stress->fixture.pods, event->entry);

	CHECK(event->revision > follower->revision); /* ordered, unique */
	follower->revision = event->revision;
	/* No reader may be behind an event that was seen. */
	CHECK(store_revision(follower->stress->fixture.store) >= event->revision);
	raise_newest(follower->stress, event->revision);
	switch (event->type) {
	case STORE_WATCH_ADDED:
		CHECK(*number == -1 &&
		      (follower->node < 0 ? told == 0 : told % 3 == follower->node));
		*number = told;
		break;
	case STORE_WATCH_MODIFIED:
		CHECK(*number >= 0 && told == *number + 1);
		*number = told;
		break;
	case STORE_WATCH_DELETED: /* it moved to another node */
		CHECK(follower->node >= 0 && told == *number);
		*number = -1;
		break;
	default:
		CHECK(!"an event of that type");
	}
}

static void *follow(void *argument)
{
	struct follower *follower = argument;
	struct store_watch_event event;
	uint64_t bookmark = 0;

	for (;;) {
		bool last = atomic_load(&follower->stress->stop);

		while (store_watch_next(follower->watch, &event) != STORE_WATCH_NONE) {
			take_event(follower, &event);
			store_watch_event_clear(&event);
		}
		/* A bookmark says that all up to there was told: nothing older may come. */
		bookmark = store_watch_revision(follower->watch);
		CHECK(bookmark >= follower->revision);
		follower->revision = bookmark;
		if (last)
			return NULL;
		pthread_mutex_lock(&follower->lock);
		while (!follower->awake)
			pthread_cond_wait(&follower->woken, &follower->lock);
		follower->awake = false;
		pthread_mutex_unlock(&follower->lock);
	}
}

/* Opens and closes watches all the time: nothing may be woken after its end. */
static void *come_and_go(void *argument)
{
	struct stress *stress = argument;

	while (!atomic_load(&stress->stop)) {
		struct follower *brief = cox_new(struct follower);
		struct store_watch_options options = {
			.scope = STORE_SCOPE_ALL, .wake = wake_follower, .context = brief};
		struct store_watch_event event;
		struct store_snapshot *snapshot = NULL;

		pthread_mutex_init(&brief->lock, NULL);
		pthread_cond_init(&brief->woken, NULL);
		options.scope.name = (struct cox_bytes){"p1", 2};
		brief->watch =
			store_watch_open_now(stress->fixture.pods, &options, &snapshot, NULL);
		while (store_watch_next(brief->watch, &event) != STORE_WATCH_NONE &&
		       event.type != STORE_WATCH_EXPIRED) {
			CHECK(event.revision > store_snapshot_revision(snapshot));
			store_watch_event_clear(&event);
		}
		usleep(200);
		store_watch_close(brief->watch);
		store_snapshot_unref(snapshot);
		pthread_mutex_destroy(&brief->lock);
		pthread_cond_destroy(&brief->woken);
		memset(brief, 0xee, sizeof(*brief));
		free(brief);
	}
	return NULL;
}

static void open_follower(struct stress *stress, struct follower *follower, int node)
{
	struct store_watch_options options = {
		.scope = STORE_SCOPE_ALL, .wake = wake_follower, .context = follower};
	char value[8];

	*follower = (struct follower){.stress = stress,
				      .node = node,
				      .lock = PTHREAD_MUTEX_INITIALIZER,
				      .woken = PTHREAD_COND_INITIALIZER};
	for (int i = 0; i < NAMES; i++)
		follower->numbers[i] = -1;
	if (node >= 0) {
		snprintf(value, sizeof(value), "n%d", node);
		options.scope.field = store_field_index(stress->fixture.pods, "spec.nodeName");
		options.scope.value = (struct cox_bytes){value, strlen(value)};
	}
	follower->watch = store_watch_open(stress->fixture.pods, &options, 1, NULL);
	assert_non_null(follower->watch);
}

static void compare_end(struct stress *stress, const struct follower *follower)
{
	for (int i = 0; i < NAMES; i++) {
		char name[16];
		struct store_entry *pod;
		int number;

		snprintf(name, sizeof(name), "p%d", i);
		pod = store_get(stress->fixture.pods, "ns", name);
		number = number_of(stress->fixture.pods, pod);
		if (follower->node >= 0 && number % 3 != follower->node)
			number = -1;
		assert_int_equal(follower->numbers[i], number);
		store_entry_unref(pod);
	}
}

static void test_stress(void **state)
{
	struct stress *stress = cox_new(struct stress);
	struct follower followers[WATCHERS];
	pthread_t writers[WRITERS], watchers[WATCHERS], readers[2], visitor;
	struct store_figures figures;
	int i;

	(void)state;
	fixture_start(&stress->fixture, NULL, NULL);
	atomic_store(&stress->running, WRITERS);
	for (i = 0; i < WATCHERS; i++) {
		open_follower(stress, &followers[i], i < 3 ? i : -1);
		assert_int_equal(pthread_create(&watchers[i], NULL, follow, &followers[i]), 0);
	}
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_pairs, stress), 0);
	assert_int_equal(pthread_create(&visitor, NULL, come_and_go, stress), 0);
	for (i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_numbers, stress), 0);
	for (i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	atomic_store(&stress->stop, true);
	for (i = 0; i < WATCHERS; i++)
		wake_follower(&followers[i]);
	for (i = 0; i < WATCHERS; i++)
		pthread_join(watchers[i], NULL);
	for (i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	pthread_join(visitor, NULL);
	for (i = 0; i < WATCHERS; i++) {
		compare_end(stress, &followers[i]);
		store_watch_close(followers[i].watch);
	}
	store_figures(stress->fixture.store, &figures);
	assert_int_equal(figures.committed + figures.conflicts, WRITERS * WRITES);
	assert_int_equal(figures.watches, 0);
	fixture_stop(&stress->fixture);
	free(stress);
}

/* The same under an event stream that breaks again and again. */
static void test_broken_stream(void **state)
{
	struct stress *stress = cox_new(struct stress);
	pthread_t writers[WRITERS], reader;
	struct store_figures figures;

	(void)state;
	fixture_start(&stress->fixture, NULL, NULL);
	atomic_store(&stress->running, WRITERS);
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_numbers, stress), 0);
	assert_int_equal(pthread_create(&reader, NULL, come_and_go, stress), 0);
	for (int i = 0; i < 20 && atomic_load(&stress->running) > 0; i++) {
		fake_set(&stress->fixture.fake, &stress->fixture.fake.lose, true);
		eventually(!fake_get(&stress->fixture.fake, lose));
		eventually(store_health(stress->fixture.store, NULL) == 0);
		assert_int_equal(
			store_reload_collection(stress->fixture.pods, FIXTURE_TAG, NULL, NULL), 0);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	atomic_store(&stress->stop, true);
	pthread_join(reader, NULL);
	for (int i = 0; i < NAMES; i++) {
		char name[16];
		struct store_entry *pod, *node;

		snprintf(name, sizeof(name), "p%d", i);
		pod = store_get(stress->fixture.pods, "ns", name);
		node = store_get(stress->fixture.nodes, NULL, name);
		assert_int_equal(number_of(stress->fixture.pods, pod),
				 number_of(stress->fixture.nodes, node));
		store_entry_unref(pod);
		store_entry_unref(node);
	}
	store_figures(stress->fixture.store, &figures);
	assert_true(figures.reloads >= 1);
	fixture_stop(&stress->fixture);
	free(stress);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stress),
		cmocka_unit_test(test_broken_stream),
	};

	return cmocka_run_group_tests_name("store stress", tests, NULL, NULL);
}
