/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable batches of 64 values of 2.6 KB through each storage plugin, and
 * beside it the machine's own limit: the same bytes appended to a file and
 * synced. Values are half random, as pods are about half compressible.
 * COX_BENCH_SECONDS (10) a row; TMPDIR says on which disk.
 */
#include "../conformance/storage/harness.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 64, VALUE = 2600, KEYS = 20000 };

static uint64_t seconds = 10;
static char values[4096 + VALUE];

struct row {
	uint64_t batches, nanoseconds, slowest;
};

static void fill_values(void)
{
	uint64_t word = 88172645463325252u;

	for (size_t i = 0; i < sizeof(values); i++) {
		word ^= word << 13;
		word ^= word >> 7;
		word ^= word << 17;
		values[i] = i % 2 ? (char)word : 'a';
	}
}

static void count_batch(struct row *row, uint64_t start)
{
	uint64_t took = harness_now() - start;

	row->batches++;
	row->nanoseconds += took;
	if (took > row->slowest)
		row->slowest = took;
}

static void print_row(const char *name, const struct row *row)
{
	double second = (double)row->nanoseconds / 1e9;

	printf("%-28s %8.0f values/s %8.0f batches/s %7.1f MB/s  mean %6.2f ms  slowest %7.2f ms\n",
	       name, (double)row->batches * BATCH / second, (double)row->batches / second,
	       (double)row->batches * BATCH * VALUE / second / 1e6,
	       second * 1e3 / (double)row->batches, (double)row->slowest / 1e6);
}

static void bench_raw(const char *directory)
{
	struct row row = {0};
	cox_autofree char *batch = cox_alloc((size_t)BATCH * VALUE);
	cox_autoclose int fd = -1;
	char path[600];

	for (size_t i = 0; i < BATCH; i++)
		memcpy(batch + i * VALUE, values + i, VALUE);
	snprintf(path, sizeof(path), "%s/raw", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (row.nanoseconds < seconds * 1000000000u) {
		uint64_t start = harness_now();

		if (write(fd, batch, (size_t)BATCH * VALUE) != (ssize_t)BATCH * VALUE ||
		    fdatasync(fd)) {
			perror(path);
			exit(1);
		}
		count_batch(&row, start);
	}
	unlink(path);
	print_row("write + fdatasync", &row);
}

static void bench_plugin(const char *name, const char *directory)
{
	const char *builddir = getenv("builddir");
	struct row row = {0};
	struct cox_error err = {0};
	struct cox_storage_stats stats = {0};
	struct store store;
	char path[700], keys[BATCH][64];
	struct cox_put puts[BATCH];
	struct cox_txn txns[BATCH];
	struct result results[BATCH];
	uint64_t compact_at = 0;

	snprintf(path, sizeof(path), "%s/plugins/.libs/storage-%s.so", builddir ? builddir : ".",
		 name);
	if (access(path, R_OK))
		return;
	if (store_open(&store, harness_load(path), directory, NULL, &err)) {
		fprintf(stderr, "%s: %s\n", path, err.text);
		exit(1);
	}
	while (row.nanoseconds < seconds * 1000000000u) {
		uint64_t start;

		for (size_t i = 0; i < BATCH; i++) {
			uint64_t number = row.batches * BATCH + i;

			snprintf(keys[i], sizeof(keys[i]), "/registry/pods/default/pod-%06u",
				 (unsigned)(number * 7919 % KEYS));
			puts[i] = (struct cox_put){
				bytes_of(keys[i]), {values + number % 4096, VALUE}, 1, 0};
			txns[i] = (struct cox_txn){.puts = &puts[i], .put_count = 1};
		}
		start = harness_now();
		store_submit(&store, txns, BATCH, results);
		count_batch(&row, start);
		for (size_t i = 0; i < BATCH; i++)
			if (results[i].result != COX_TXN_COMMITTED) {
				fprintf(stderr, "%s: %s\n", name, results[i].why);
				exit(1);
			}
		/* As the host does, if more often: all but the newest 20,000 go. */
		if (row.batches * BATCH > compact_at + KEYS) {
			compact_at = row.batches * BATCH;
			store_compact(&store, store_revision(&store));
		}
	}
	store.ops->stats(store.self, &stats, &err);
	store_close(&store);
	print_row(name, &row);
	printf("%-28s %8.1f MB on disk for %.1f MB of live values\n", "",
	       (double)stats.disk_bytes / 1e6, (double)stats.value_bytes / 1e6);
}

int main(void)
{
	const char *text = getenv("COX_BENCH_SECONDS");
	char directory[512], store[600];

	if (text)
		seconds = strtoull(text, NULL, 10);
	if (!getenv("TMPDIR"))
		setenv("TMPDIR", "/var/tmp", 1); /* a disk, not memory */
	fill_values();
	harness_directory(directory);
	printf("storage: durable batches of %d values of %d bytes\n", BATCH, VALUE);
	bench_raw(directory);
	snprintf(store, sizeof(store), "%s/store", directory);
	bench_plugin("leveldb", store);
	bench_plugin("memory", directory);
	harness_cleanup();
	return 0;
}
