/* SPDX-License-Identifier: Apache-2.0 */
/* The store: reading, history, writing, waiting, loading. */
#include "unit.h"

#include "base/clock.h"
#include "store_fixture.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct cox_bytes bytes(const char *text)
{
	return (struct cox_bytes){text, strlen(text)};
}

/* "ns/name@revision ns/name@revision …" of what the scope selects. */
static void list(char out[1024], struct store_snapshot *snapshot, const struct store_scope *scope,
		 const char *after, size_t limit)
{
	static const struct store_scope all = STORE_SCOPE_ALL;
	struct store_iterator iterator;
	struct store_entry *entry;
	size_t size = 0, count = 0;

	out[0] = '\0';
	store_iterate(&iterator, snapshot, scope ? scope : &all, bytes(after));
	while (count++ < limit && (entry = store_iterator_next(&iterator))) {
		struct cox_bytes namespace = store_entry_namespace(entry);

		size += (size_t)snprintf(out + size, 1024 - size, "%s%.*s/%s", size ? " " : "",
					 (int)namespace.size, (const char *)namespace.data,
					 (const char *)store_entry_name(entry).data);
	}
}

static void fill(struct fake *fake)
{
	char json[512];

	fake_put(fake, "/registry/pods/a/one", pod_json(json, "a", "one", "x", "n1"), FIXTURE_TAG);
	fake_put(fake, "/registry/pods/a/two", pod_json(json, "a", "two", "x", ""), FIXTURE_TAG);
	fake_put(fake, "/registry/pods/ab/one", pod_json(json, "ab", "one", "y", "n1"),
		 FIXTURE_TAG);
	fake_put(fake, "/registry/pods/b/three", pod_json(json, "b", "three", "x", "n2"),
		 FIXTURE_TAG);
	fake_put(fake, "/registry/minions/n1", "old", 3);
	fake_put(fake, "/registry/minions/n2", "sealed", 666);
	fake_put(fake, "/registry/other/x", "whatever", 0);
	fake_put(fake, "/registry/pods/no-namespace", "{}", FIXTURE_TAG);
}

static void test_read(void **state)
{
	struct fixture fixture;
	struct store_snapshot *snapshot;
	struct store_scope scope = STORE_SCOPE_ALL;
	struct store_iterator iterator;
	struct store_figures figures;
	struct store_entry *entry;
	char text[1024];

	(void)state;
	fixture_start(&fixture, NULL, fill);
	assert_int_equal(store_revision(fixture.store), 9);
	snapshot = store_snapshot(fixture.pods);
	assert_int_equal(store_snapshot_revision(snapshot), 9);
	assert_int_equal(store_snapshot_count(snapshot), 4);
	list(text, snapshot, NULL, "", 9);
	assert_string_equal(text, "a/one a/two ab/one b/three");
	list(text, snapshot, NULL, "/registry/pods/a/two", 1);
	assert_string_equal(text, "ab/one");
	scope.namespace = bytes("a");
	list(text, snapshot, &scope, "", 9);
	assert_string_equal(text, "a/one a/two");
	list(text, snapshot, &scope, "/registry/pods/a/one", 9);
	assert_string_equal(text, "a/two");
	store_iterate(&iterator, snapshot, &scope, bytes(""));
	assert_int_equal(store_iterator_count(&iterator), 2);
	assert_non_null(store_iterator_next(&iterator));
	assert_int_equal(store_iterator_count(&iterator), 1);
	scope = (struct store_scope)STORE_SCOPE_ALL;
	store_iterate(&iterator, snapshot, &scope, bytes("/registry/pods/a/one"));
	assert_int_equal(store_iterator_count(&iterator), 3);
	scope.field = store_field_index(fixture.pods, "spec.nodeName");
	scope.value = bytes("n1");
	list(text, snapshot, &scope, "", 9);
	assert_string_equal(text, "a/one ab/one");
	list(text, snapshot, &scope, "/registry/pods/a/one", 9);
	assert_string_equal(text, "ab/one");
	store_iterate(&iterator, snapshot, &scope, bytes(""));
	assert_int_equal(store_iterator_count(&iterator), 2);
	scope.namespace = bytes("ab");
	list(text, snapshot, &scope, "", 9);
	assert_string_equal(text, "ab/one");
	scope.value = bytes("n2");
	list(text, snapshot, &scope, "", 9);
	assert_string_equal(text, "");
	scope = (struct store_scope)STORE_SCOPE_ALL;
	scope.name = bytes("one");
	list(text, snapshot, &scope, "", 9);
	assert_string_equal(text, "a/one ab/one");
	scope.namespace = bytes("a");
	list(text, snapshot, &scope, "", 9);
	assert_string_equal(text, "a/one");
	list(text, snapshot, &scope, "/registry/pods/a/one", 9);
	assert_string_equal(text, "");

	entry = store_snapshot_get(snapshot, "ab", "one");
	assert_int_equal(store_entry_revision(entry), 4);
	store_entry_unref(entry);
	assert_null(store_get(fixture.pods, "ab", "two"));
	assert_null(store_get(fixture.pods, "", "no-namespace"));
	store_snapshot_unref(snapshot);

	/* Other tags pass the decoder; what it refuses stays visible. */
	entry = store_get(fixture.nodes, NULL, "n1");
	assert_string_equal(store_entry_json(entry).data,
			    "{\"metadata\":{\"name\":\"n1\",\"resourceVersion\":\"6\",\"labels\":"
			    "{\"app\":\"old\"}}}");
	store_entry_unref(entry);
	entry = store_get(fixture.nodes, "", "n2");
	assert_string_equal(store_entry_error(entry), "sealed with a lost key");
	store_entry_unref(entry);
	assert_int_equal(store_collection_errors(fixture.nodes), 1);
	store_figures(fixture.store, &figures);
	assert_int_equal(figures.entries, 6);
	assert_int_equal(figures.bad_entries, 2);
	assert_true(figures.entry_bytes > 600);
	fixture_stop(&fixture);
}

static void test_keys(void **state)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "/", NULL};
	struct fixture fixture;
	cox_autobuf key = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct store_collection_options inside = fixture_nodes;

	(void)state;
	fixture_start(&fixture, NULL, NULL);
	assert_int_equal(store_key(fixture.pods, "ns", "web", &key, &err), 0);
	assert_string_equal(key.data, "/registry/pods/ns/web");
	assert_int_equal(store_key(fixture.nodes, NULL, "n", &key, &err), 0);
	assert_string_equal(key.data, "/registry/minions/n");
	for (int i = 0; i < 6; i++) {
		assert_int_equal(store_key(fixture.pods, "ns", bad[i], &key, &err), -1);
		assert_int_equal(store_key(fixture.pods, bad[i], "web", &key, &err), -1);
	}
	assert_string_equal(error_text(&err), "pods: the namespace \"\" is not valid");
	assert_int_equal(store_key(fixture.nodes, "ns", "n", &key, &err), -1);
	assert_string_equal(error_text(&err), "nodes: the namespace \"ns\" is not valid");
	assert_int_equal(store_key(fixture.pods, "ns", "..", &key, &err), -1);
	assert_string_equal(error_text(&err), "pods: the name \"..\" is not valid");

	inside.prefix = "/registry/pods/special/";
	assert_null(store_add_collection(fixture.store, &inside, &err));
	assert_string_equal(error_text(&err), "nodes: the prefix \"/registry/pods/special/\" "
					      "overlaps that of another collection");
	inside.prefix = "/elsewhere/";
	assert_null(store_add_collection(fixture.store, &inside, &err));
	inside.prefix = "/registry/";
	assert_null(store_add_collection(fixture.store, &inside, &err));
	assert_string_equal(error_text(&err), "nodes: the prefix \"/registry/\" is not a folder "
					      "below \"/registry/\", or the tag is 0");
	fixture_stop(&fixture);
}

static void test_write(void **state)
{
	struct fixture fixture;
	struct store_entry *entry;
	struct write write;
	uint64_t created;

	(void)state;
	fixture_start(&fixture, NULL, NULL);
	write = put_pod(&fixture, "a", "one", "x", "", 0);
	assert_int_equal(write.result, STORE_COMMITTED);
	created = write.revision;
	/* Whoever has the answer sees the write. */
	entry = store_get(fixture.pods, "a", "one");
	assert_int_equal(store_entry_revision(entry), created);
	store_entry_unref(entry);
	write = put_pod(&fixture, "a", "one", "x", "", 0);
	assert_int_equal(write.result, STORE_CONFLICT);
	assert_int_equal(write.revision, created);
	write = put_pod(&fixture, "a", "one", "y", "n1", created);
	assert_int_equal(write.result, STORE_COMMITTED);
	assert_int_equal(write.revision, created + 1);
	entry = store_get(fixture.pods, "a", "one");
	assert_string_equal(store_entry_label(entry, "app").data, "y");
	store_entry_unref(entry);
	write = delete_pod(&fixture, "a", "one");
	assert_int_equal(write.result, STORE_COMMITTED);
	assert_int_equal(write.revision, created + 2);
	assert_null(store_get(fixture.pods, "a", "one"));
	/* Nothing to change: the present revision. */
	write = delete_pod(&fixture, "a", "one");
	assert_int_equal(write.result, STORE_COMMITTED);
	assert_int_equal(write.revision, created + 2);
	write = put_pod(&fixture, "a", "one", "y", "n1", created + 1);
	assert_int_equal(write.result, STORE_CONFLICT);
	assert_int_equal(write.revision, 0);
	fixture_stop(&fixture);
}

static void test_unknown(void **state)
{
	struct fixture fixture;
	struct write write;
	uint64_t revision;

	(void)state;
	fixture_start(&fixture, NULL, NULL);
	fixture.fake.unknown_done = 1;
	write = put_pod(&fixture, "a", "one", "x", "", 0);
	assert_int_equal(write.result, STORE_COMMITTED); /* read back, and there it was */
	revision = write.revision;
	assert_int_equal(revision, 2);
	fixture.fake.unknown_undone = 1;
	write = put_pod(&fixture, "a", "one", "z", "", revision);
	assert_int_equal(write.result, STORE_UNKNOWN);
	assert_int_equal(write.reason, COX_REASON_TIMEOUT);
	assert_string_equal(write.why, "the server went away");
	/* The same bytes as before: their old revision does not prove anything. */
	fixture.fake.unknown_undone = 1;
	write = put_pod(&fixture, "a", "one", "x", "", revision);
	assert_int_equal(write.result, STORE_UNKNOWN);
	fixture.fake.unknown_done = 1;
	write = delete_pod(&fixture, "a", "one");
	assert_int_equal(write.result, STORE_COMMITTED);
	assert_int_equal(write.revision, 3);
	fixture.fake.fail_batches = 1;
	write = put_pod(&fixture, "a", "one", "x", "", 0);
	assert_int_equal(write.result, STORE_FAILED);
	assert_int_equal(write.reason, COX_REASON_INSUFFICIENT_STORAGE);
	assert_string_equal(write.why, "the disk is full");
	write = put_pod(&fixture, "a", "one", "x", "", 0);
	assert_int_equal(write.result, STORE_COMMITTED);
	fixture_stop(&fixture);
}

enum { CROWD = 40 };

struct one_of_many {
	struct store_txn txn; /* first */
	struct cox_put put;
	char key[64];
	_Atomic int *told;
};

static void count_told(struct store_txn *txn)
{
	atomic_fetch_add(((struct one_of_many *)txn)->told, 1);
}

static void test_queue(void **state)
{
	struct store_options options = {
		.queue_count = CROWD, .batch_count = 16, .queue_delay_ns = 3600 * CLOCK_SECOND};
	static struct one_of_many many[CROWD + 3];
	struct fixture fixture;
	cox_autoerror err = COX_ERROR_INIT;
	_Atomic int told = 0;
	int i;

	(void)state;
	memset(many, 0, sizeof(many));
	fixture_start(&fixture, &options, NULL);
	fake_set(&fixture.fake, &fixture.fake.hold_submit, true);
	for (i = 0; i < CROWD + 3; i++) {
		struct one_of_many *one = &many[i];

		one->told = &told;
		one->put = (struct cox_put){bytes(one->key), bytes("{\"metadata\":{}}"),
					    FIXTURE_TAG, 0};
		snprintf(one->key, sizeof(one->key), "/registry/pods/a/p%d", i);
		if (i == CROWD + 1) {
			snprintf(one->key, sizeof(one->key), "/registry/pods/a/lease");
			one->txn.class = STORE_CLASS_LEASE;
		}
		one->put.key = bytes(one->key);
		one->txn.puts = &one->put;
		one->txn.put_count = 1;
		one->txn.done = count_told;
		if (i == CROWD + 2)
			break;
		assert_int_equal(store_submit(fixture.store, &one->txn, &err), 0);
		if (i == 0) /* the first is on its way; the others gather behind it */
			eventually(fake_get(&fixture.fake, submitting) == 1);
	}
	assert_int_equal(store_submit(fixture.store, &many[i].txn, &err), -1);
	assert_int_equal(err.reason, COX_REASON_TOO_MANY_REQUESTS);
	assert_int_equal(err.retry_after, 1);
	assert_string_equal(error_text(&err), "too many writes are waiting for the store, please "
					      "try again later");
	pthread_mutex_lock(&fixture.fake.lock);
	fixture.fake.hold_submit = false;
	pthread_cond_broadcast(&fixture.fake.changed);
	pthread_mutex_unlock(&fixture.fake.lock);
	eventually(told == CROWD + 2);
	for (i = 0; i < CROWD + 2; i++)
		assert_int_equal(many[i].txn.result, STORE_COMMITTED);
	assert_int_equal(fixture.fake.largest_batch, 16);
	/* The lease came last and was written right behind the first. */
	assert_int_equal(many[CROWD + 1].txn.revision, many[0].txn.revision + 1);
	fixture_stop(&fixture);
}

static void test_queue_delay(void **state)
{
	struct store_options options = {.queue_delay_ns = 20 * CLOCK_MILLISECOND};
	struct one_of_many many[3] = {{.key = "/registry/pods/a/p"}};
	struct fixture fixture;
	cox_autoerror err = COX_ERROR_INIT;
	_Atomic int told = 0;

	(void)state;
	fixture_start(&fixture, &options, NULL);
	fake_set(&fixture.fake, &fixture.fake.hold_submit, true);
	for (int i = 0; i < 3; i++) {
		many[i].told = &told;
		many[i].put = (struct cox_put){bytes(many[0].key), bytes("{\"metadata\":{}}"),
					       FIXTURE_TAG, 0};
		many[i].txn = (struct store_txn){
			.puts = &many[i].put, .put_count = 1, .done = count_told};
		if (i == 2)
			break;
		assert_int_equal(store_submit(fixture.store, &many[i].txn, &err), 0);
		eventually(fake_get(&fixture.fake, submitting) == 1);
	}
	eventually(clock_monotonic() - many[1].txn.queued_ns > options.queue_delay_ns);
	assert_int_equal(store_submit(fixture.store, &many[2].txn, &err), -1);
	assert_int_equal(err.reason, COX_REASON_TOO_MANY_REQUESTS);
	/* Stopping: what was handed over is told its result, the rest is refused. */
	fake_set(&fixture.fake, &fixture.fake.hold_submit, false);
	store_stop(fixture.store);
	assert_int_equal(told, 2);
	assert_int_equal(many[0].txn.result, STORE_COMMITTED);
	assert_int_equal(store_submit(fixture.store, &many[2].txn, &err), -1);
	assert_string_equal(error_text(&err), "the store is stopping");
	fixture_stop(&fixture);
}

static void test_exact(void **state)
{
	struct store_options options = {.history_bytes = 64 << 10};
	struct fixture fixture;
	struct store_snapshot *snapshot, *kept;
	cox_autoerror err = COX_ERROR_INIT;
	uint64_t first, revision;
	char text[1024], name[16];

	(void)state;
	fixture_start(&fixture, &options, fill);
	first = store_revision(fixture.store);
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "p%02d", i);
		revision = put_pod(&fixture, "c", name, "x", "n1", 0).revision;
		assert_int_equal(revision, first + 1 + (uint64_t)i);
	}
	delete_pod(&fixture, "a", "one");
	for (int i = 0; i <= 30; i++) {
		snapshot = store_snapshot_at(fixture.pods, first + (uint64_t)i, &err);
		assert_non_null(snapshot);
		assert_int_equal(store_snapshot_count(snapshot), 4 + i);
		assert_int_equal(store_snapshot_revision(snapshot), first + (uint64_t)i);
		list(text, snapshot, NULL, "/registry/pods/b/zzz", 2);
		assert_string_equal(text, i == 0 ? "" : i == 1 ? "c/p00" : "c/p00 c/p01");
		store_snapshot_unref(snapshot);
	}
	snapshot = store_snapshot_at(fixture.pods, first + 31, &err);
	list(text, snapshot, NULL, "", 1);
	assert_string_equal(text, "a/two");
	store_snapshot_unref(snapshot);
	assert_null(store_snapshot_at(fixture.pods, first + 32, &err));
	assert_int_equal(err.reason, COX_REASON_TIMEOUT);
	assert_null(store_snapshot_at(fixture.pods, first - 1, &err));
	assert_int_equal(err.reason, COX_REASON_EXPIRED);

	/* Past the bound of bytes the past goes; a page that was handed out stays. */
	kept = store_snapshot_at(fixture.pods, first + 5, &err);
	store_snapshot_keep(kept, true);
	store_snapshot_unref(kept);
	for (int i = 0; i < 600; i++)
		put_pod(&fixture, "c", "p00", i % 2 ? "x" : "y", "n1", ANY);
	assert_null(store_snapshot_at(fixture.pods, first + 6, &err));
	assert_int_equal(err.reason, COX_REASON_EXPIRED);
	snapshot = store_snapshot_at(fixture.pods, first + 5, &err);
	assert_int_equal(store_snapshot_count(snapshot), 9);
	store_snapshot_unref(snapshot);
	snapshot = store_snapshot_at(fixture.pods, store_revision(fixture.store) - 3, &err);
	assert_non_null(snapshot);
	store_snapshot_unref(snapshot);
	/* The quiet collection keeps all of its past. */
	snapshot = store_snapshot_at(fixture.nodes, first, &err);
	assert_int_equal(store_snapshot_count(snapshot), 2);
	store_snapshot_unref(snapshot);
	fixture_stop(&fixture);
}

/* Whether a list that began at that revision can go on. */
static bool goes_on(struct fixture *fixture, uint64_t revision)
{
	struct store_snapshot *snapshot = store_snapshot_at(fixture->pods, revision, NULL);

	store_snapshot_unref(snapshot);
	return snapshot != NULL;
}

static uint64_t keep(struct fixture *fixture, int readers)
{
	struct store_snapshot *snapshot = store_snapshot(fixture->pods);
	uint64_t revision = store_snapshot_revision(snapshot);

	while (readers-- > 0)
		store_snapshot_keep(snapshot, true);
	store_snapshot_unref(snapshot);
	return revision;
}

static void finish(struct fixture *fixture, uint64_t revision)
{
	struct store_snapshot *snapshot = store_snapshot_at(fixture->pods, revision, NULL);

	assert_non_null(snapshot);
	store_snapshot_finish(snapshot);
	store_snapshot_unref(snapshot);
}

/* What only lists in pieces hold goes when all have come to the end, or when it is too much. */
static void test_kept(void **state)
{
	struct store_options options = {.history_ns = 30 * CLOCK_SECOND, .history_bytes = 16 << 10};
	struct fixture fixture;
	struct store_figures figures;
	uint64_t read, unread;
	char value[201];
	int puts = 0;

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	fixture_start(&fixture, &options, fill);
	put_pod(&fixture, "a", "new", "x", "", 0);
	read = keep(&fixture, 2);
	put_pod(&fixture, "a", "newer", "x", "", 0);
	unread = keep(&fixture, 1);
	for (int i = 0; i < 300; i++)
		put_pod(&fixture, "c", "p00", i % 2 ? "x" : "y", "n1", ANY);
	assert_false(goes_on(&fixture, unread + 1));
	finish(&fixture, read);
	assert_true(goes_on(&fixture, read));
	finish(&fixture, read);
	/* Asking for it counts as reading on: so look at what is left of it only at times. */
	for (int i = 0; i < 20 && goes_on(&fixture, read); i++)
		poll(NULL, 0, 2000);
	assert_false(goes_on(&fixture, read));
	assert_true(goes_on(&fixture, unread));
	while (goes_on(&fixture, unread) && puts++ < 9000)
		put_pod(&fixture, "c", "p00", value, puts % 2 ? "n1" : "n2", ANY);
	assert_in_range(puts, 1000, 5000); /* 2 MiB, in events of less than 1 KB */
	store_figures(fixture.store, &figures);
	assert_true(figures.history_bytes <= options.history_bytes);
	fixture_stop(&fixture);
}

static void fill_persistent(struct fake *fake)
{
	fill(fake);
	fake->capabilities = COX_STORAGE_PERSISTENT;
}

static void test_compaction(void **state)
{
	struct store_options options = {.history_ns = 120 * CLOCK_MILLISECOND};
	struct fixture fixture;
	struct store_snapshot *snapshot;
	struct store_figures figures;
	cox_autoerror err = COX_ERROR_INIT;
	uint64_t revision;

	(void)state;
	fixture_start(&fixture, &options, fill_persistent);
	revision = put_pod(&fixture, "a", "new", "x", "", 0).revision;
	put_pod(&fixture, "a", "newer", "x", "", 0);
	eventually(store_compacted(fixture.store) > revision);
	eventually((store_figures(fixture.store, &figures), figures.history_events == 0));
	eventually(fake_get(&fixture.fake, compacted) > revision);
	assert_int_equal(figures.history_bytes, 0);
	assert_null(store_snapshot_at(fixture.pods, revision, &err));
	assert_int_equal(err.reason, COX_REASON_EXPIRED);
	/* Continue tokens expire for quiet collections too: one history for all. */
	assert_null(store_snapshot_at(fixture.nodes, revision, &err));
	assert_int_equal(err.reason, COX_REASON_EXPIRED);
	snapshot = store_snapshot_at(fixture.pods, store_revision(fixture.store), &err);
	assert_int_equal(store_snapshot_count(snapshot), 6);
	store_snapshot_unref(snapshot);
	fixture_stop(&fixture);
}

/* What ends with this process forgets what has passed; what stays keeps it as long as we do. */
static void test_forgetting(void **state)
{
	struct store_options options = {.history_ns = 10 * CLOCK_SECOND};
	struct fixture fixture;
	uint64_t revision;

	(void)state;
	fixture_start(&fixture, &options, fill);
	revision = put_pod(&fixture, "a", "new", "x", "", 0).revision;
	put_pod(&fixture, "a", "newer", "x", "", 0);
	eventually(fake_get(&fixture.fake, compacted) > revision);
	assert_true(store_compacted(fixture.store) <= revision);
	assert_true(goes_on(&fixture, revision));
	fixture_stop(&fixture);

	options.history_ns = CLOCK_SECOND;
	fixture_start(&fixture, &options, fill_persistent);
	revision = put_pod(&fixture, "a", "new", "x", "", 0).revision;
	put_pod(&fixture, "a", "newer", "x", "", 0);
	while (fake_get(&fixture.fake, compacted) <= revision) {
		uint64_t forgotten = fake_get(&fixture.fake, compacted);

		assert_true(forgotten <= store_compacted(fixture.store));
		poll(NULL, 0, 1);
	}
	fixture_stop(&fixture);
}

struct told {
	struct store_waiter waiter; /* first */
	_Atomic int reached;	    /* 9: not told */
};

static void take_told(struct store_waiter *waiter, int reached)
{
	atomic_store(&((struct told *)waiter)->reached, reached);
}

static void wait_for(struct told *told, uint64_t revision, uint64_t milliseconds)
{
	memset(told, 0, sizeof(*told));
	atomic_store(&told->reached, 9);
	told->waiter.done = take_told;
	told->waiter.revision = revision;
	told->waiter.deadline_ns = clock_monotonic() + milliseconds * CLOCK_MILLISECOND;
}

static void test_waiters(void **state)
{
	struct store_options options = {.waiter_count = 4};
	struct fixture fixture;
	struct told near, far, late, gone, over;
	cox_autoerror err = COX_ERROR_INIT;
	uint64_t now;

	(void)state;
	fixture_start(&fixture, &options, fill);
	now = store_revision(fixture.store);
	wait_for(&near, now, 1);
	assert_int_equal(store_wait(fixture.store, &near.waiter, &err), 1);
	wait_for(&far, now + 2, 60000);
	wait_for(&near, now + 1, 60000);
	wait_for(&late, now + 3, 5);
	wait_for(&gone, now + 1, 60000);
	wait_for(&over, now + 1, 60000);
	assert_int_equal(store_wait(fixture.store, &far.waiter, &err), 0);
	assert_int_equal(store_wait(fixture.store, &near.waiter, &err), 0);
	assert_int_equal(store_wait(fixture.store, &late.waiter, &err), 0);
	assert_int_equal(store_wait(fixture.store, &gone.waiter, &err), 0);
	eventually(late.reached == 0);
	assert_true(store_wait_cancel(fixture.store, &gone.waiter));
	assert_false(store_wait_cancel(fixture.store, &late.waiter));
	put_pod(&fixture, "a", "new", "x", "", 0);
	eventually(near.reached == 1);
	assert_int_equal(far.reached, 9);
	assert_int_equal(gone.reached, 9);
	wait_for(&near, now + 50, 60000);
	assert_int_equal(store_wait(fixture.store, &near.waiter, &err), 0);
	wait_for(&late, now + 50, 60000);
	assert_int_equal(store_wait(fixture.store, &late.waiter, &err), 0);
	wait_for(&gone, now + 50, 60000);
	assert_int_equal(store_wait(fixture.store, &gone.waiter, &err), 0);
	wait_for(&over, now + 50, 60000);
	assert_int_equal(store_wait(fixture.store, &over.waiter, &err), -1);
	assert_int_equal(err.reason, COX_REASON_TOO_MANY_REQUESTS);
	store_stop(fixture.store);
	assert_int_equal(far.reached, -1);
	assert_int_equal(near.reached, -1);
	assert_int_equal(late.reached, -1);
	assert_int_equal(gone.reached, -1);
	assert_int_equal(store_wait(fixture.store, &over.waiter, &err), -1);
	assert_string_equal(error_text(&err), "the store is stopping");
	fixture_stop(&fixture);
}

/* A result is not told before its event was seen. */
static void test_visible(void **state)
{
	struct store_options options = {.visible_ns = 60 * CLOCK_MILLISECOND,
					.history_ns = 600 * CLOCK_MILLISECOND};
	struct one_of_many one = {.key = "/registry/pods/a/p"};
	struct fixture fixture;
	_Atomic int told = 0;

	(void)state;
	fixture_start(&fixture, &options, NULL);
	fake_set(&fixture.fake, &fixture.fake.hold_events, true);
	one.told = &told;
	one.put = (struct cox_put){bytes(one.key), bytes("{\"metadata\":{}}"), FIXTURE_TAG, 0};
	one.txn = (struct store_txn){.puts = &one.put, .put_count = 1, .done = count_told};
	assert_int_equal(store_submit(fixture.store, &one.txn, NULL), 0);
	eventually(fake_revision(&fixture.fake) == 2);
	assert_null(store_get(fixture.pods, "a", "p"));
	eventually(told == 1); /* only because it took too long */
	assert_int_equal(one.txn.result, STORE_UNKNOWN);
	assert_string_equal(one.txn.why, "stored at revision 2, but the store's event stream has "
					 "not come that far");
	fake_set(&fixture.fake, &fixture.fake.hold_events, false);
	eventually(store_revision(fixture.store) == 2);
	fixture_stop(&fixture);
}

static void test_load_at_run_time(void **state)
{
	static const struct store_field color[] = {{"spec.color", "spec.color", "", true}};
	struct store_collection_options options = {.name = "widgets",
						   .prefix = "/registry/example.com/widgets/",
						   .namespaced = true,
						   .tag = 100,
						   .fields = color,
						   .field_count = 1,
						   .decoder = fixture_pods.decoder};
	struct store_scope red = {{NULL, 0}, {NULL, 0}, 0, {"red", 3}};
	struct fixture fixture;
	struct store_collection *widgets;
	struct store_snapshot *snapshot;
	struct store_entry *entry;
	cox_autoerror err = COX_ERROR_INIT;
	char text[1024];

	(void)state;
	fixture_start(&fixture, NULL, fill);
	fake_put(&fixture.fake, "/registry/example.com/widgets/a/w1",
		 "{\"metadata\":{},\"spec\":{\"color\":\"red\"}}", 100);
	fake_put(&fixture.fake, "/registry/example.com/widgets/a/w2",
		 "{\"metadata\":{},\"spec\":{\"color\":\"blue\"}}", 100);
	widgets = store_add_collection(fixture.store, &options, &err);
	assert_non_null(widgets);
	snapshot = store_snapshot(widgets);
	assert_true(store_snapshot_revision(snapshot) >= 11);
	list(text, snapshot, &red, "", 9);
	assert_string_equal(text, "a/w1");
	store_snapshot_unref(snapshot);
	fake_put(&fixture.fake, "/registry/example.com/widgets/a/w2",
		 "{\"metadata\":{},\"spec\":{\"color\":\"red\"}}", 100);
	eventually(store_revision(fixture.store) == 12);
	snapshot = store_snapshot(widgets);
	list(text, snapshot, &red, "", 9);
	assert_string_equal(text, "a/w1 a/w2");
	store_snapshot_unref(snapshot);

	/* The schema changed: the decoder makes the old bytes new ones. */
	assert_int_equal(store_reload_collection(widgets, 101, NULL, &err), 0);
	entry = store_get(widgets, "a", "w1");
	assert_non_null(strstr(store_entry_json(entry).data, "\"labels\":{\"app\":"));
	assert_int_equal(store_entry_revision(entry), 10);
	store_entry_unref(entry);

	store_remove_collection(widgets);
	widgets = store_add_collection(fixture.store, &options, &err);
	assert_non_null(widgets);
	entry = store_get(widgets, "a", "w1");
	assert_non_null(strstr(store_entry_json(entry).data, "\"color\":\"red\""));
	store_entry_unref(entry);
	fixture.fake.fail_ranges = 1;
	assert_int_equal(store_reload_collection(widgets, 102, NULL, &err), -1);
	assert_string_equal(error_text(&err), "read /registry/example.com/widgets/: the server "
					      "went away");
	entry = store_get(widgets, "a", "w1"); /* as before */
	assert_non_null(strstr(store_entry_json(entry).data, "\"color\":\"red\""));
	store_entry_unref(entry);
	fixture_stop(&fixture);
}

static void test_lost(void **state)
{
	struct fixture fixture;
	struct store_entry *before, *after;
	cox_autoerror err = COX_ERROR_INIT;
	struct store_figures figures;
	char json[512];
	uint64_t revision;

	(void)state;
	fixture_start(&fixture, NULL, fill);
	before = store_get(fixture.pods, "a", "two");
	fixture.fake.fail_ranges = 1; /* mending fails once */
	pthread_mutex_lock(&fixture.fake.lock);
	fixture.fake.hold_events = true;
	fixture.fake.lose = true;
	pthread_cond_broadcast(&fixture.fake.changed);
	pthread_mutex_unlock(&fixture.fake.lock);
	eventually(store_health(fixture.store, &err) == -1);
	assert_int_equal(err.reason, COX_REASON_SERVICE_UNAVAILABLE);
	/* While nothing is seen: */
	fake_delete(&fixture.fake, "/registry/pods/a/one");
	revision = fake_put(&fixture.fake, "/registry/pods/a/three",
			    pod_json(json, "a", "three", "x", "n9"), FIXTURE_TAG);
	eventually(store_revision(fixture.store) == revision);
	eventually(store_health(fixture.store, NULL) == 0);
	assert_null(store_get(fixture.pods, "a", "one"));
	after = store_get(fixture.pods, "a", "three");
	assert_int_equal(store_entry_revision(after), revision);
	store_entry_unref(after);
	after = store_get(fixture.pods, "a", "two");
	assert_ptr_equal(before, after); /* what had not changed was not read again */
	store_entry_unref(before);
	store_entry_unref(after);
	assert_null(store_snapshot_at(fixture.pods, revision - 1, &err));
	assert_int_equal(err.reason, COX_REASON_EXPIRED);
	fake_set(&fixture.fake, &fixture.fake.hold_events, false);
	assert_int_equal(put_pod(&fixture, "a", "four", "x", "", 0).result, STORE_COMMITTED);
	store_figures(fixture.store, &figures);
	assert_int_equal(figures.reloads, 2);
	fixture_stop(&fixture);
}

/* A store that says it sent everything, and then sends what was missing. */
static void test_overtaken(void **state)
{
	struct fixture fixture;
	struct store_figures figures;
	struct store_entry *entry;
	char json[512];
	uint64_t revision;

	(void)state;
	fixture_start(&fixture, NULL, fill);
	pthread_mutex_lock(&fixture.fake.lock);
	fixture.fake.overtake = 1;
	pthread_mutex_unlock(&fixture.fake.lock);
	revision = fake_put(&fixture.fake, "/registry/pods/a/three",
			    pod_json(json, "a", "three", "x", "n9"), FIXTURE_TAG);
	eventually((store_figures(fixture.store, &figures), figures.reloads == 1));
	eventually(store_health(fixture.store, NULL) == 0);
	entry = store_get(fixture.pods, "a", "three");
	assert_non_null(entry);
	assert_int_equal(store_entry_revision(entry), revision);
	store_entry_unref(entry);
	/* The next notice is not believed: its event comes in time. */
	pthread_mutex_lock(&fixture.fake.lock);
	fixture.fake.overtake = 1;
	pthread_mutex_unlock(&fixture.fake.lock);
	assert_int_equal(put_pod(&fixture, "a", "four", "x", "", 0).result, STORE_COMMITTED);
	entry = store_get(fixture.pods, "a", "four");
	assert_non_null(entry);
	store_entry_unref(entry);
	store_figures(fixture.store, &figures);
	assert_int_equal(figures.reloads, 1);
	fixture_stop(&fixture);
}

static void test_start_fails(void **state)
{
	struct fake fake;
	struct store_backend backend;
	struct store *store;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	fake_start(&fake);
	fake.fail_ranges = 1;
	backend = fake_backend(&fake);
	store = store_create(&backend, NULL);
	assert_non_null(store_add_collection(store, &fixture_pods, &err));
	assert_int_equal(store_start(store, &err), -1);
	assert_string_equal(error_text(&err),
			    "start the store: read /registry/: the server went away");
	store_free(store);
	fake_stop(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_queue_delay),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_compaction),
		cmocka_unit_test(test_forgetting),
		cmocka_unit_test(test_waiters),
		cmocka_unit_test(test_visible),
		cmocka_unit_test(test_load_at_run_time),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_overtaken),
		cmocka_unit_test(test_start_fails),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
