/* SPDX-License-Identifier: Apache-2.0 */
/* Records (events) that take more than their share: the oldest go, and only those. */
#include "unit.h"

#include "store_fixture.h"

#include <coxswain/kit/cleanup.h>
#include <stdio.h>
#include <string.h>

enum { RECORDS = 400, SHARE = 32 << 10 };

static struct store_collection *add_records(struct fixture *fixture)
{
	struct store_collection_options options = fixture_nodes;
	cox_autoerror err = COX_ERROR_INIT;
	struct store_collection *records;

	options.name = "events";
	options.prefix = "/registry/events/";
	options.records = true;
	records = store_add_collection(fixture->store, &options, &err);
	assert_non_null(records);
	return records;
}

static void put_record(struct fixture *fixture, struct store_collection *records, int number)
{
	char name[16], json[256];
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf key = COX_BUF_INIT;
	struct cox_put put = {.tag = FIXTURE_TAG};
	struct store_txn txn = {.puts = &put, .put_count = 1};

	snprintf(name, sizeof(name), "e%03d", number);
	snprintf(json, sizeof(json), "{\"metadata\":{\"name\":\"%s\"},\"message\":\"%0100d\"}",
		 name, number);
	assert_int_equal(store_key(records, NULL, name, &key, NULL), 0);
	put.key = (struct cox_bytes){key.data, key.size};
	put.value = (struct cox_bytes){json, strlen(json)};
	assert_int_equal(store_submit_wait(fixture->store, &txn, &err), 0);
	assert_int_equal(txn.result, STORE_COMMITTED);
}

static bool has(const struct store_snapshot *snapshot, int number)
{
	char name[16];
	struct store_entry *entry cox_auto(store_entry_release) = NULL;

	snprintf(name, sizeof(name), "e%03d", number);
	entry = store_snapshot_get(snapshot, NULL, name);
	return entry != NULL;
}

static uint64_t bytes_of(struct fixture *fixture)
{
	struct store_figures figures;

	store_figures(fixture->store, &figures);
	return figures.entry_bytes;
}

static void test_oldest_go(void **state)
{
	const struct store_options options = {.record_bytes = SHARE};
	struct store_collection *records;
	struct store_snapshot *snapshot;
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, &options, NULL);
	records = add_records(&fixture);
	for (int i = 0; i < 30; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%d", i);
		put_pod(&fixture, "a", name, "x", "n", 0);
	}
	for (int i = 0; i < RECORDS; i++) {
		put_record(&fixture, records, i);
		put_record(&fixture, records, 0); /* changed all the time: never the oldest */
	}
	eventually(bytes_of(&fixture) < SHARE + (16 << 10));
	snapshot = store_snapshot(records);
	assert_true(has(snapshot, 0));
	assert_true(has(snapshot, RECORDS - 50));
	assert_false(has(snapshot, 1));
	/* From the oldest on, without holes. */
	for (int i = 1, seen = 0; i < RECORDS; i++) {
		seen = seen || has(snapshot, i);
		assert_int_equal(has(snapshot, i), seen);
	}
	store_snapshot_unref(snapshot);
	/* What the records are about is left alone. */
	for (int i = 0; i < 30; i++) {
		char name[16];
		struct store_entry *pod cox_auto(store_entry_release) = NULL;

		snprintf(name, sizeof(name), "p%d", i);
		pod = store_get(fixture.pods, "a", name);
		assert_non_null(pod);
	}
	fixture_stop(&fixture);
}

/* A stop in the middle of a round leaves nothing behind (the sanitizer looks). */
static void test_stop(void **state)
{
	const struct store_options options = {.record_bytes = SHARE};
	struct store_collection *records;
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, &options, NULL);
	records = add_records(&fixture);
	for (int i = 0; bytes_of(&fixture) < SHARE - 256; i++)
		put_record(&fixture, records, i);
	put_record(&fixture, records, RECORDS);
	put_record(&fixture, records, RECORDS + 1);
	fixture_stop(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oldest_go),
		cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests_name("store thin", tests, NULL, NULL);
}
