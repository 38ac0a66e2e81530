/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every storage plugin must do: transactions, ranges, watches, compaction,
 * time to live. Built once for each plugin of the tree; any other is tested by
 * COX_STORAGE_PLUGIN=/path/of/it.so. Every test has a store of its own.
 */
#include "harness.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <stdio.h>
#include <stdlib.h>

static const struct cox_plugin *plugin;

static int open_fresh(void **state)
{
	struct store *store = cox_new(struct store);
	struct cox_error err = {0};
	char directory[512];

	harness_directory(directory);
	if (store_open(store, plugin, directory, NULL, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	*state = store;
	return 0;
}

static int close_store(void **state)
{
	struct store *store = *state;

	store_close(store);
	free(store);
	return 0;
}

static bool able(struct store *store, uint32_t capability)
{
	return (store->ops->capabilities(store->self) & capability) != 0;
}

/* Transactions */

static void test_create_get_delete(void **state)
{
	struct store *store = *state;
	uint64_t before = store_revision(store), created, changed;
	struct result result;
	cox_autofree char *value = NULL;

	result = store_put(store, "/a", "one", 0);
	assert_int_equal(result.result, COX_TXN_COMMITTED);
	created = result.revision;
	assert_true(created > before);
	assert_int_equal(store_revision(store), created);

	result = store_put(store, "/a", "again", 0);
	assert_int_equal(result.result, COX_TXN_CONFLICT);
	assert_int_equal(result.revision, created);
	assert_int_equal(result.index, 0);
	assert_int_equal(store_revision(store), created);

	result = store_put(store, "/a", "two", created);
	assert_int_equal(result.result, COX_TXN_COMMITTED);
	changed = result.revision;
	result = store_put(store, "/a", "three", created);
	assert_int_equal(result.result, COX_TXN_CONFLICT);
	assert_int_equal(result.revision, changed);
	value = store_get(store, "/a", &before);
	assert_string_equal(value, "two");
	assert_int_equal(before, changed);

	result = store_delete(store, "/a", created);
	assert_int_equal(result.result, COX_TXN_CONFLICT);
	result = store_delete(store, "/a", changed);
	assert_int_equal(result.result, COX_TXN_COMMITTED);
	assert_true(result.revision > changed);
	assert_null(store_get(store, "/a", NULL));
	result = store_put(store, "/a", "new", changed);
	assert_int_equal(result.result, COX_TXN_CONFLICT);
	assert_int_equal(result.revision, 0);
	result = store_put(store, "/a", "new", 0);
	assert_int_equal(result.result, COX_TXN_COMMITTED);
}

static void test_no_change(void **state)
{
	struct store *store = *state;
	uint64_t revision = must_put(store, "/a", "1");
	struct cox_compare compare = {bytes_of("/a"), revision};
	struct cox_txn only_compare = {.compares = &compare, .compare_count = 1};
	struct result result;

	result = store_delete(store, "/absent", ANY);
	assert_int_equal(result.result, COX_TXN_COMMITTED);
	assert_int_equal(result.revision, revision);
	store_submit(store, &only_compare, 1, &result);
	assert_int_equal(result.result, COX_TXN_COMMITTED);
	assert_int_equal(result.revision, revision);
	assert_int_equal(store_revision(store), revision);
	/* The same bytes are a change all the same. */
	assert_true(must_put(store, "/a", "1") > revision);
}

static void test_transaction_is_whole(void **state)
{
	struct store *store = *state;
	uint64_t a = must_put(store, "/a", "1"), b = must_put(store, "/b", "1");
	struct cox_compare compares[] = {{bytes_of("/a"), a}, {bytes_of("/b"), a}};
	struct cox_put puts[] = {{bytes_of("/a"), bytes_of("2"), 0, 0},
				 {bytes_of("/c"), bytes_of("2"), 0, 0}};
	struct cox_bytes deletes[] = {bytes_of("/b"), bytes_of("/absent")};
	struct cox_txn txn = {compares, 2, puts, 2, deletes, 2, COX_DURABLE, 0, NULL};
	struct watcher watcher;
	struct result result;
	struct cox_error err = {0};

	store_submit(store, &txn, 1, &result);
	assert_int_equal(result.result, COX_TXN_CONFLICT);
	assert_int_equal(result.index, 1);
	assert_int_equal(result.revision, b);
	assert_range(store, "/", "", 0, "/a=1 /b=1");

	compares[1].revision = b;
	store_submit(store, &txn, 1, &result);
	assert_int_equal(result.result, COX_TXN_COMMITTED);
	assert_range(store, "/", "", 0, "/a=2 /c=2");
	assert_int_equal(watcher_start(&watcher, store, "/", "", b, &err), 0);
	watcher_finish(&watcher, result.revision, "put /a=2 @1; put /c=2 @1; delete /b @1; ");
}

static void test_batch_takes_effect_in_order(void **state)
{
	struct store *store = *state;
	uint64_t a = must_put(store, "/a", "0");
	struct cox_compare fresh = {bytes_of("/a"), a}, absent = {bytes_of("/n"), 0};
	struct cox_put first = {bytes_of("/a"), bytes_of("1"), 0, 0};
	struct cox_put second = {bytes_of("/a"), bytes_of("2"), 0, 0};
	struct cox_put create = {bytes_of("/n"), bytes_of("3"), 0, 0};
	struct cox_bytes n = bytes_of("/n");
	struct cox_txn txns[] = {
		{.compares = &fresh, .compare_count = 1, .puts = &first, .put_count = 1},
		{.compares = &fresh, .compare_count = 1, .puts = &second, .put_count = 1},
		{.compares = &absent, .compare_count = 1, .puts = &create, .put_count = 1},
		{.compares = &absent, .compare_count = 1, .puts = &create, .put_count = 1},
		{.deletes = &n, .delete_count = 1},
		{.compares = &absent, .compare_count = 1, .puts = &create, .put_count = 1},
	};
	struct result results[6];

	store_submit(store, txns, 6, results);
	assert_int_equal(results[0].result, COX_TXN_COMMITTED);
	assert_int_equal(results[1].result, COX_TXN_CONFLICT);
	assert_int_equal(results[1].revision, results[0].revision);
	assert_int_equal(results[2].result, COX_TXN_COMMITTED);
	assert_true(results[2].revision > results[0].revision);
	assert_int_equal(results[3].result, COX_TXN_CONFLICT);
	assert_int_equal(results[3].revision, results[2].revision);
	assert_int_equal(results[4].result, COX_TXN_COMMITTED);
	assert_true(results[4].revision > results[2].revision);
	assert_int_equal(results[5].result, COX_TXN_COMMITTED);
	assert_true(results[5].revision > results[4].revision);
	assert_range(store, "/", "", 0, "/a=1 /n=3");
}

static void expect_invalid(struct store *store, const struct cox_txn *txn, const char *why)
{
	struct cox_put good = {bytes_of("/good"), bytes_of("x"), 0, 0};
	struct cox_txn txns[] = {*txn, {.puts = &good, .put_count = 1}};
	struct result results[2];

	store_submit(store, txns, 2, results);
	assert_int_equal(results[0].result, COX_TXN_FAILED);
	assert_int_equal(results[0].reason, COX_REASON_INVALID);
	assert_string_equal(results[0].why, why);
	assert_int_equal(results[1].result, COX_TXN_COMMITTED);
}

static void test_bounds(void **state)
{
	struct store *store = *state;
	cox_autofree char *big = cox_calloc(1, COX_STORAGE_VALUE_MAX + 1);
	cox_autofree char *key = cox_calloc(1, COX_STORAGE_KEY_MAX + 2);
	cox_autofree struct cox_put *many =
		cox_calloc(COX_STORAGE_TXN_CHANGES_MAX + 1, sizeof(*many));
	struct cox_put put = {bytes_of("/k"), bytes_of("x"), 0, 0};
	struct cox_put twice[] = {put, put};
	struct cox_put five[5];
	struct cox_bytes empty = {"", 0}, same = bytes_of("/k");
	struct cox_txn txn = {.puts = &put, .put_count = 1};
	struct result result;

	memset(key, 'k', COX_STORAGE_KEY_MAX + 1);
	put.key.size = 0;
	expect_invalid(store, &txn, "a key is empty");
	put.key = (struct cox_bytes){key, COX_STORAGE_KEY_MAX + 1};
	expect_invalid(store, &txn, "a key is longer than 4096 bytes");
	put.key.size = COX_STORAGE_KEY_MAX;
	store_submit(store, &txn, 1, &result);
	assert_int_equal(result.result, COX_TXN_COMMITTED);
	put.key = bytes_of("/k");
	put.value = (struct cox_bytes){big, COX_STORAGE_VALUE_MAX + 1};
	expect_invalid(store, &txn, "a value is larger than 16 MiB");
	txn = (struct cox_txn){.puts = twice, .put_count = 2};
	expect_invalid(store, &txn, "a key occurs twice");
	txn = (struct cox_txn){.puts = twice, .put_count = 1, .deletes = &same, .delete_count = 1};
	expect_invalid(store, &txn, "a key occurs twice");
	txn = (struct cox_txn){.deletes = &empty, .delete_count = 1};
	expect_invalid(store, &txn, "a key is empty");
	txn = (struct cox_txn){.puts = many, .put_count = COX_STORAGE_TXN_CHANGES_MAX + 1};
	expect_invalid(store, &txn, "it has more than 4096 changes");
	txn = (struct cox_txn){.puts = twice, .put_count = 1, .durability = 2};
	expect_invalid(store, &txn, "its durability is not known");
	for (size_t i = 0; i < 5; i++) {
		static const char *const names[] = {"/1", "/2", "/3", "/4", "/5"};

		five[i] = (struct cox_put){bytes_of(names[i]), {big, COX_STORAGE_VALUE_MAX}, 0, 0};
	}
	txn = (struct cox_txn){.puts = five, .put_count = 5};
	expect_invalid(store, &txn, "it is larger than 64 MiB");
}

static void test_big_and_odd_values(void **state)
{
	struct store *store = *state;
	size_t size = COX_STORAGE_VALUE_MAX;
	cox_autofree char *big = cox_alloc(size + 1);
	cox_autofree char *back = NULL;
	struct cox_put put = {bytes_of("/big"), {big, size}, 0, 0};
	struct cox_put binary = {{"/\xff\0\x01", 4}, {"", 0}, 0, 0};
	struct cox_txn txns[] = {{.puts = &put, .put_count = 1},
				 {.puts = &binary, .put_count = 1},
				 {.puts = &put, .put_count = 1}};
	struct result results[3];
	struct cox_range_result range;
	struct cox_error err = {0};
	cox_autofree char *odd = NULL;

	for (size_t i = 0; i < size; i++)
		big[i] = (char)('a' + i % 23);
	big[size] = '\0';
	store_submit(store, txns, 3, results);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(results[i].result, COX_TXN_COMMITTED);
	back = store_get(store, "/big", NULL);
	assert_true(strcmp(back, big) == 0);
	odd = store_range(store, "/c", "", 0, 0, &range, &err);
	assert_memory_equal(odd, "/\xff\0\x01=", 6);
}

/* Ranges */

struct entry_check {
	struct cox_range_sink sink;
	struct cox_entry seen;
	size_t count;
};

static int take_check(const struct cox_range_sink *sink, const struct cox_entry *entry)
{
	struct entry_check *check = (struct entry_check *)(uintptr_t)sink;

	check->seen = *entry;
	check->count++;
	return check->count == 2;
}

static void test_range(void **state)
{
	struct store *store = *state;
	struct cox_range_result result;
	struct cox_error err = {0};
	cox_autofree char *text = NULL;
	uint64_t last;

	assert_range(store, "", "", 0, "");
	must_put(store, "/b", "2");
	must_put(store, "/a", "1");
	must_put(store, "/b/x", "3");
	must_put(store, "/d", "5");
	last = must_put(store, "/c", "4");
	assert_range(store, "", "", 0, "/a=1 /b=2 /b/x=3 /c=4 /d=5");
	assert_range(store, "/b", "/c", 0, "/b=2 /b/x=3");
	assert_range(store, "/b", "/b", 0, "");
	assert_range(store, "/c", "/b", 0, "");
	assert_range(store, "/e", "", 0, "");
	text = store_range(store, "/a", "", 0, 2, &result, &err);
	assert_string_equal(text, "/a=1 /b=2 ...");
	assert_int_equal(result.revision, last);
	free(text);
	text = store_range(store, "/c", "", 0, 2, &result, &err);
	assert_string_equal(text, "/c=4 /d=5");
	assert_int_equal(result.more, 0);
}

static void test_range_sink_and_keys_only(void **state)
{
	struct store *store = *state;
	struct entry_check check = {.sink = {sizeof(check.sink), 0, take_check}};
	struct cox_range range = {.start = bytes_of("/"), .flags = COX_RANGE_KEYS_ONLY};
	struct cox_range_result result = {0};
	struct cox_call call = {.struct_size = sizeof(call)};
	struct cox_error err = {0};
	uint64_t b;

	must_put(store, "/a", "1");
	b = must_put(store, "/b", "2");
	must_put(store, "/c", "3");
	assert_int_equal(store->ops->range(store->self, &call, &range, &check.sink, &result, &err),
			 0);
	assert_int_equal(check.count, 2);
	assert_int_equal(result.more, 1);
	assert_int_equal(check.seen.revision, b);
	assert_int_equal(check.seen.tag, 7);
	assert_null(check.seen.value.data);
	assert_int_equal(check.seen.value.size, 0);
}

static void test_range_at_revision(void **state)
{
	struct store *store = *state;
	struct cox_range_result result;
	struct cox_error err = {0};
	cox_autofree char *text = NULL;
	uint64_t revisions[6];

	if (!able(store, COX_STORAGE_AT_REVISION))
		skip();
	revisions[0] = must_put(store, "/a", "1");
	revisions[1] = must_put(store, "/b", "1");
	revisions[2] = must_put(store, "/a", "2");
	revisions[3] = must_delete(store, "/b");
	revisions[4] = must_put(store, "/b", "3");
	revisions[5] = must_delete(store, "/a");
	assert_range(store, "/", "", revisions[0], "/a=1");
	assert_range(store, "/", "", revisions[1], "/a=1 /b=1");
	assert_range(store, "/", "", revisions[2], "/a=2 /b=1");
	assert_range(store, "/", "", revisions[3], "/a=2");
	assert_range(store, "/", "", revisions[4], "/a=2 /b=3");
	assert_range(store, "/", "", revisions[5], "/b=3");
	text = store_range(store, "/", "", revisions[1], 1, &result, &err);
	assert_string_equal(text, "/a=1 ...");
	assert_int_equal(result.revision, revisions[1]);
	assert_null(store_range(store, "/", "", revisions[5] + 1, 0, NULL, &err));
	assert_int_equal(err.reason, COX_REASON_TIMEOUT);
}

/* Watches */

static void test_watch_past_and_live(void **state)
{
	struct store *store = *state;
	uint64_t base = store_revision(store), last;
	struct watcher early, late, future;
	struct cox_error err = {0};

	assert_int_equal(watcher_start(&early, store, "/", "", base, &err), 0);
	must_put(store, "/a", "1");
	must_put(store, "/b", "2");
	must_put(store, "/a", "3");
	must_delete(store, "/a");
	assert_int_equal(watcher_start(&late, store, "/", "", base + 2, &err), 0);
	must_delete(store, "/a");
	last = must_put(store, "/a", "5");
	watcher_finish(&early, last,
		       "put /a=1 @1; put /b=2 @2; put /a=3 @3; delete /a @4; put /a=5 @5; ");
	watcher_finish(&late, last, "put /a=3 @1; delete /a @2; put /a=5 @3; ");
	assert_int_equal(watcher_start(&future, store, "/", "", last + 1, &err), -1);
	assert_int_equal(err.reason, COX_REASON_TIMEOUT);
	watcher_stop(&future);
}

static void test_watch_filter_and_progress(void **state)
{
	struct store *store = *state;
	uint64_t base = store_revision(store), last;
	struct watcher watcher;
	struct cox_error err = {0};

	assert_int_equal(watcher_start(&watcher, store, "/b", "/c", base, &err), 0);
	must_put(store, "/a", "1");
	must_put(store, "/b", "2");
	must_put(store, "/bz", "3");
	last = must_put(store, "/c", "4");
	if (able(store, COX_STORAGE_PROGRESS))
		watcher_finish(&watcher, last, "put /b=2 @2; put /bz=3 @3; ");
	else
		watcher_finish(&watcher, last - 1, "put /b=2 @2; put /bz=3 @3; ");
}

static void test_watch_resume_at_every_revision(void **state)
{
	struct store *store = *state;
	uint64_t base = store_revision(store), last = 0;
	cox_autobuf whole = COX_BUF_INIT;
	char value[16], key[16];

	for (int i = 1; i <= 40; i++) {
		snprintf(key, sizeof(key), "/k%d", i % 7);
		snprintf(value, sizeof(value), "%d", i);
		last = must_put(store, key, value);
	}
	for (uint64_t from = 0; from <= 40; from++) {
		struct cox_error err = {0};
		struct watcher watcher;

		cox_buf_clear(&whole);
		for (uint64_t i = from + 1; i <= 40; i++)
			cox_buf_printf(&whole, "put /k%d=%d @%d; ", (int)(i % 7), (int)i,
				       (int)(i - from));
		assert_int_equal(watcher_start(&watcher, store, "/", "", base + from, &err), 0);
		watcher_finish(&watcher, last, cox_buf_cstr(&whole));
	}
}

static void test_slow_sink_blocks_nobody(void **state)
{
	struct store *store = *state;
	uint64_t base = store_revision(store), last = 0;
	struct watcher slow, quick;
	struct cox_error err = {0};
	char value[16];

	assert_int_equal(watcher_start(&slow, store, "/", "", base, &err), 0);
	watcher_block(&slow, true);
	assert_int_equal(watcher_start(&quick, store, "/", "", base, &err), 0);
	for (int i = 0; i < 200; i++) {
		snprintf(value, sizeof(value), "%d", i);
		last = must_put(store, "/a", value);
	}
	watcher_finish(&quick, last, NULL);
	watcher_block(&slow, false);
	assert_true(watcher_wait(&slow, last));
	assert_non_null(strstr(slow.text.data, "put /a=0 @1; put /a=1 @2; "));
	watcher_finish(&slow, last, NULL);
}

/* Compaction */

static void test_compact(void **state)
{
	struct store *store = *state;
	struct cox_storage_stats stats = {0};
	struct cox_call call = {.struct_size = sizeof(call)};
	struct cox_error err = {0};
	struct watcher watcher;
	uint64_t one, two, three, last;

	one = must_put(store, "/a", "1");
	must_put(store, "/b", "1");
	two = must_put(store, "/a", "2");
	three = must_delete(store, "/b");
	last = must_put(store, "/a", "3");
	store_compact(store, two);
	store_compact(store, one); /* no change, no error */
	assert_int_equal(watcher_start(&watcher, store, "/", "", one, &err), -1);
	assert_int_equal(err.reason, COX_REASON_EXPIRED);
	watcher_stop(&watcher);
	assert_int_equal(watcher_start(&watcher, store, "/", "", two, &err), 0);
	watcher_finish(&watcher, last, "delete /b @1; put /a=3 @2; ");
	if (able(store, COX_STORAGE_AT_REVISION)) {
		assert_null(store_range(store, "/", "", one, 0, NULL, &err));
		assert_int_equal(err.reason, COX_REASON_EXPIRED);
		assert_range(store, "/", "", two, "/a=2 /b=1");
		assert_range(store, "/", "", three, "/a=2");
	}
	assert_range(store, "/", "", 0, "/a=3");
	store_compact(store, last);
	assert_range(store, "/", "", 0, "/a=3");
	assert_range(store, "/", "", last, "/a=3");
	assert_int_equal(store->ops->compact(store->self, &call, last + 1, &err), -1);
	assert_int_equal(err.reason, COX_REASON_INVALID);
	assert_int_equal(store->ops->stats(store->self, &stats, &err), 0);
	assert_int_equal(stats.compact_revision, last);
	assert_int_equal(stats.revision, last);
	assert_int_equal(stats.keys, 1);
	assert_int_equal(stats.value_bytes, 1);
	/* A key that was compacted away as deleted starts anew. */
	assert_int_equal(store_put(store, "/b", "new", 0).result, COX_TXN_COMMITTED);
	assert_range(store, "/", "", 0, "/a=3 /b=new");
}

static void test_watch_lost(void **state)
{
	struct store *store = *state;
	uint64_t base = store_revision(store), last = 0;
	cox_autofree char *big = cox_calloc(1, 100001);
	struct watcher watcher;
	struct cox_error err = {0};

	memset(big, 'x', 100000);
	assert_int_equal(watcher_start(&watcher, store, "/", "", base, &err), 0);
	watcher_block(&watcher, true);
	/* More than a plugin may keep for a blocked sink. */
	for (int i = 0; i < 100; i++)
		last = must_put(store, "/a", big);
	store_compact(store, last);
	watcher_block(&watcher, false);
	assert_int_equal(watcher_wait_lost(&watcher), last);
	assert_string_equal(watcher.broken, "");
	watcher_stop(&watcher);
	assert_int_equal(watcher_start(&watcher, store, "/", "", last, &err), 0);
	last = must_put(store, "/a", "small");
	watcher_finish(&watcher, last, "put /a=small @1; ");
}

/* A watch that has seen everything needs nothing of what is compacted. */
static void test_watch_survives_compaction(void **state)
{
	struct store *store = *state;
	uint64_t base = store_revision(store), last = 0;
	struct watcher watcher;
	struct cox_error err = {0};

	assert_int_equal(watcher_start(&watcher, store, "/", "", base, &err), 0);
	for (int i = 0; i < 20; i++) {
		last = must_put(store, "/a", "x");
		assert_true(watcher_wait(&watcher, last));
		store_compact(store, last);
	}
	watcher_finish(&watcher, last, NULL);
}

/* Time to live */

static void test_ttl(void **state)
{
	struct store *store = *state;
	uint64_t base = store_revision(store), start = harness_now(), last;
	struct watcher watcher;
	struct cox_error err = {0};

	if (!able(store, COX_STORAGE_TTL))
		skip();
	assert_int_equal(watcher_start(&watcher, store, "/", "", base, &err), 0);
	store_put_ttl(store, "/a", "1", 1);
	store_put_ttl(store, "/b", "2", 1);
	store_put_ttl(store, "/c", "3", 3600);
	store_put_ttl(store, "/d", "4", 1);
	last = must_put(store, "/d", "5"); /* takes the ttl away */
	assert_true(watcher_wait(&watcher, last + 2));
	assert_true(harness_now() - start >= UINT64_C(1000000000));
	assert_range(store, "/", "", 0, "/c=3 /d=5");
	/* Each under a revision of its own. */
	watcher_finish(&watcher, last + 2,
		       "put /a=1 @1; put /b=2 @2; put /c=3 @3; put /d=4 @4; put /d=5 @5; "
		       "delete /a @6; delete /b @7; ");
}

/* Concurrency */

enum { WRITERS = 4, ROUNDS = 150 };

struct writer {
	pthread_t thread;
	struct store *store;
	int number;
	int committed, conflicts;
};

/* Adds one to a shared counter, by compare and put, until it has done so ROUNDS times. */
static void *count_up(void *argument)
{
	struct writer *writer = argument;

	while (writer->committed < ROUNDS) {
		uint64_t revision = 0;
		cox_autofree char *value = store_get(writer->store, "/counter", &revision);
		char next[16], own[16];
		struct cox_compare compare = {bytes_of("/counter"), revision};
		struct cox_put puts[2] = {{bytes_of("/counter"), {0}, 0, 0},
					  {bytes_of(own), {0}, 0, 0}};
		struct cox_txn txn = {.compares = &compare,
				      .compare_count = 1,
				      .puts = puts,
				      .put_count = 2,
				      .durability = COX_RELAXED};
		struct result result;

		snprintf(next, sizeof(next), "%d", value ? atoi(value) + 1 : 1);
		snprintf(own, sizeof(own), "/w%d", writer->number);
		puts[0].value = bytes_of(next);
		puts[1].key = bytes_of(own);
		puts[1].value = bytes_of(next);
		store_submit(writer->store, &txn, 1, &result);
		if (result.result == COX_TXN_COMMITTED)
			writer->committed++;
		else if (result.result == COX_TXN_CONFLICT)
			writer->conflicts++;
		else
			abort();
	}
	return NULL;
}

static void test_concurrent_writers_and_watches(void **state)
{
	struct store *store = *state;
	struct writer writers[WRITERS];
	struct watcher watchers[3];
	uint64_t base = store_revision(store);
	struct cox_error err = {0};
	cox_autofree char *value = NULL, *first = NULL;

	for (int i = 0; i < 3; i++)
		assert_int_equal(watcher_start(&watchers[i], store, "/", "", base, &err), 0);
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){.store = store, .number = i};
		pthread_create(&writers[i].thread, NULL, count_up, &writers[i]);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	value = store_get(store, "/counter", NULL);
	assert_int_equal(atoi(value), WRITERS * ROUNDS);
	assert_int_equal(store_revision(store), base + WRITERS * ROUNDS);
	for (int i = 0; i < 3; i++) {
		assert_true(watcher_wait(&watchers[i], base + WRITERS * ROUNDS));
		if (!first)
			first = cox_strdup(watchers[i].text.data);
		watcher_finish(&watchers[i], base + WRITERS * ROUNDS, first);
	}
}

/* Ranges are the state at one revision while others write. */
static void test_range_is_consistent(void **state)
{
	struct store *store = *state;
	struct writer writers[2];

	for (int i = 0; i < 2; i++) {
		writers[i] = (struct writer){.store = store, .number = i};
		pthread_create(&writers[i].thread, NULL, count_up, &writers[i]);
	}
	for (int i = 0; i < 300; i++) {
		struct cox_range_result result;
		struct cox_error err = {0};
		cox_autofree char *text =
			store_range(store, "/counter", "/wz", 0, 0, &result, &err);
		int counter = 0, own[2] = {0, 0}, number, value;
		const char *at;

		assert_non_null(text);
		if (sscanf(text, "/counter=%d", &counter) != 1)
			continue;
		for (at = strstr(text, "/w"); at; at = strstr(at + 1, "/w"))
			if (sscanf(at, "/w%d=%d", &number, &value) == 2)
				own[number] = value;
		/* The newest writer wrote both keys in one transaction. */
		assert_int_equal(counter, own[0] > own[1] ? own[0] : own[1]);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(writers[i].thread, NULL);
}

/* Restart */

static void test_restart(void **state)
{
	struct store *store = *state;
	struct cox_error err = {0};
	uint64_t base = store_revision(store), last, again;
	char directory[512];
	struct watcher watcher;

	must_put(store, "/a", "1");
	must_put(store, "/b", "2");
	store_put_relaxed(store, "/c", "3");
	must_delete(store, "/b");
	last = store_revision(store);
	memcpy(directory, store->directory, sizeof(directory));
	store_close(store);
	assert_int_equal(store_open(store, plugin, directory, NULL, &err), 0);
	again = store_revision(store);
	assert_true(again >= last);
	if (!able(store, COX_STORAGE_PERSISTENT)) {
		assert_range(store, "", "", 0, "");
		assert_int_equal(watcher_start(&watcher, store, "", "", last, &err), -1);
		assert_int_equal(err.reason, COX_REASON_EXPIRED);
		watcher_stop(&watcher);
		return;
	}
	assert_range(store, "", "", 0, "/a=1 /c=3");
	assert_int_equal(watcher_start(&watcher, store, "/", "", base, &err), 0);
	assert_true(must_put(store, "/d", "4") > last);
	assert_true(watcher_wait(&watcher, again));
	assert_non_null(
		strstr(watcher.text.data, "put /a=1 @1; put /b=2 @2; put /c=3 @3; delete /b @4; "));
	watcher_finish(&watcher, store_revision(store), NULL);
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, open_fresh, close_store)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		STORE_TEST(test_create_get_delete),
		STORE_TEST(test_no_change),
		STORE_TEST(test_transaction_is_whole),
		STORE_TEST(test_batch_takes_effect_in_order),
		STORE_TEST(test_bounds),
		STORE_TEST(test_big_and_odd_values),
		STORE_TEST(test_range),
		STORE_TEST(test_range_sink_and_keys_only),
		STORE_TEST(test_range_at_revision),
		STORE_TEST(test_watch_past_and_live),
		STORE_TEST(test_watch_filter_and_progress),
		STORE_TEST(test_watch_resume_at_every_revision),
		STORE_TEST(test_slow_sink_blocks_nobody),
		STORE_TEST(test_compact),
		STORE_TEST(test_watch_lost),
		STORE_TEST(test_watch_survives_compaction),
		STORE_TEST(test_ttl),
		STORE_TEST(test_concurrent_writers_and_watches),
		STORE_TEST(test_range_is_consistent),
		STORE_TEST(test_restart),
	};
	const char *path = getenv("COX_STORAGE_PLUGIN");
	char own[600];
	int failed;

	if (!path) {
		const char *builddir = getenv("builddir");

		snprintf(own, sizeof(own), "%s/plugins/.libs/storage-%s.so",
			 builddir ? builddir : ".", STORAGE_PLUGIN_NAME);
		path = own;
	}
	plugin = harness_load(path);
	cmocka_set_test_filter(getenv("COX_TEST_FILTER"));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	harness_cleanup();
	return failed;
}
