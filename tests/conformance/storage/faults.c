/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store on disk must bear: being killed, torn and spoilt files, a full
 * disk, two owners, somebody else's files, restores. COX_TEST_LONG=N makes the
 * random tests N times as long.
 */
#include "files.h"
#include "harness.h"
#include "workload.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <leveldb/c.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const struct cox_plugin *plugin;
static const struct option_value small_buffer[] = {{"write-buffer", "65536"}, {NULL, NULL}};
static const struct option_value defaults[] = {{NULL, NULL}};

static unsigned rounds(unsigned normal)
{
	const char *factor = getenv("COX_TEST_LONG");

	return normal * (factor ? (unsigned)strtoul(factor, NULL, 10) : 1);
}

/* Which n the store is the outcome of; fails the test if of none. */
static unsigned check_prefix(struct store *store)
{
	cox_autofree char *seq = store_get(store, "/seq", NULL);
	unsigned n = seq ? (unsigned)strtoul(seq, NULL, 10) : 0;

	for (unsigned number = n; number > 0 && number + WORKLOAD_KEYS > n; number--) {
		char key[16], expected[16];
		cox_autofree char *value = NULL;

		snprintf(key, sizeof(key), "/k%02u", number % WORKLOAD_KEYS);
		snprintf(expected, sizeof(expected), "%u", number);
		value = store_get(store, key, NULL);
		assert_non_null(value);
		assert_string_equal(value, expected);
	}
	for (unsigned number = n + 1; number <= WORKLOAD_KEYS; number++) {
		char key[16];

		snprintf(key, sizeof(key), "/k%02u", number % WORKLOAD_KEYS);
		assert_null(store_get(store, key, NULL));
	}
	return n;
}

static void must_open(struct store *store, const char *directory,
		      const struct option_value *options)
{
	struct cox_error err = {0};

	if (store_open(store, plugin, directory, options, &err))
		fail_msg("open: %s", err.text);
}

static void must_refuse(const char *directory, const char *format, ...) COX_PRINTF(2, 3);
static void must_refuse(const char *directory, const char *format, ...)
{
	struct store store;
	struct cox_error err = {0};
	char expected[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(expected, sizeof(expected), format, args);
	va_end(args);
	if (store_open(&store, plugin, directory, NULL, &err) == 0)
		store_close(&store);
	assert_string_equal(err.text, expected);
}

/* The text of a refusal for damage. */
#define DAMAGED(what)                                                                              \
	"the store %s is damaged: " what                                                           \
	"; restore a snapshot: mv %s %s.damaged && cp -a SNAPSHOT %s"
#define FOUR(directory) directory, directory, directory, directory

/*
 * Children run this program anew, since leveldb's background thread does not
 * live on in a fork. Arguments: what, directory, first, count, padding,
 * whether the last is durable, whether the write buffer is small.
 */
static pid_t start_child(const char *what, const char *directory, const unsigned numbers[5], int fd)
{
	char text[5][16];
	char *arguments[] = {(char *)"faults", (char *)what, (char *)directory, text[0], text[1],
			     text[2],	       text[3],	     text[4],		NULL};
	pid_t child;

	for (int i = 0; i < 5; i++)
		snprintf(text[i], sizeof(text[i]), "%u", numbers[i]);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (fd >= 0 && dup2(fd, 3) < 0)
			_exit(1);
		if (fd == 3)
			fcntl(3, F_SETFD, 0);
		/* Its own TAP must not mix with ours. */
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execv("/proc/self/exe", arguments);
		_exit(1);
	}
	return child;
}

/*
 * Runs the workload in a child that is killed after `count` steps, so that the
 * store is left as a crash of the process leaves it. Every fourth is durable,
 * and the last is if `last_durable`.
 */
static void crash_after(const char *directory, unsigned first, unsigned count, unsigned padding,
			bool last_durable, const struct option_value *options)
{
	unsigned numbers[5] = {first, count, padding, last_durable, options == small_buffer};
	pid_t child = start_child("crash", directory, numbers, -1);
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static int child_crash(const char *directory, const unsigned numbers[5])
{
	struct store store;
	struct cox_error err = {0};
	unsigned end = numbers[0] + numbers[1];

	if (store_open(&store, plugin, directory, numbers[4] ? small_buffer : defaults, &err))
		return 1;
	for (unsigned i = numbers[0]; i < end; i++) {
		bool durable = i + 1 == end ? numbers[3] : i % 4 == 0;

		if (workload_step(&store, i, durable, numbers[2]).result)
			return 2;
	}
	return kill(getpid(), SIGKILL);
}

/* Owners */

static void test_two_opens(void **state)
{
	struct store store;
	char directory[512];

	(void)state;
	harness_directory(directory);
	must_open(&store, directory, NULL);
	must_put(&store, "/a", "1");
	for (int i = 0; i < 2; i++)
		must_refuse(directory, "the store %s is in use by process %d; stop that one first",
			    directory, (int)getpid());
	must_put(&store, "/a", "2");
	store_close(&store);
	must_open(&store, directory, NULL);
	assert_range(&store, "", "", 0, "/a=2");
	store_close(&store);
}

static void test_foreign_database(void **state)
{
	char directory[512], *failed = NULL, *value;
	leveldb_options_t *options = leveldb_options_create();
	leveldb_writeoptions_t *write = leveldb_writeoptions_create();
	leveldb_readoptions_t *read = leveldb_readoptions_create();
	leveldb_t *db;
	size_t size;

	(void)state;
	harness_directory(directory);
	leveldb_options_set_create_if_missing(options, 1);
	for (int reopen = 0; reopen < 2; reopen++) { /* in the log, then in a table */
		db = leveldb_open(options, directory, &failed);
		assert_null(failed);
		leveldb_put(db, write, "/registry/pods/x", 16, "theirs", 6, &failed);
		leveldb_close(db);
		must_refuse(directory,
			    "%s holds a leveldb database that is not a coxswain store; it was "
			    "left as it is, choose another directory",
			    directory);
	}
	db = leveldb_open(options, directory, &failed);
	assert_null(failed);
	value = leveldb_get(db, read, "/registry/pods/x", 16, &size, &failed);
	assert_int_equal(size, 6);
	assert_memory_equal(value, "theirs", 6);
	leveldb_free(value);
	leveldb_close(db);
	leveldb_options_destroy(options);
	leveldb_writeoptions_destroy(write);
	leveldb_readoptions_destroy(read);
}

/* A store as an earlier release wrote it: named as that, and left as it was. */
static void test_older_layout(void **state)
{
	char directory[512], bytes[98] = {1}, *failed = NULL;
	leveldb_options_t *options = leveldb_options_create();
	leveldb_writeoptions_t *write = leveldb_writeoptions_create();
	leveldb_writebatch_t *batch = leveldb_writebatch_create();
	leveldb_t *db;

	(void)state;
	harness_directory(directory);
	leveldb_options_set_create_if_missing(options, 1);
	leveldb_writebatch_put(batch, "mstate", 6, bytes, sizeof(bytes));
	leveldb_writebatch_put(batch, "mformat", 7, "coxswain store 1", 16);
	for (int reopen = 0; reopen < 2; reopen++) { /* in the log, then in a table */
		db = leveldb_open(options, directory, &failed);
		assert_null(failed);
		if (!reopen)
			leveldb_write(db, write, batch, &failed);
		assert_null(failed);
		leveldb_close(db);
		must_refuse(directory,
			    "the store %s has the layout \"coxswain store 1\"; this release knows "
			    "\"coxswain store 2\"",
			    directory);
	}
	leveldb_writebatch_destroy(batch);
	leveldb_writeoptions_destroy(write);
	leveldb_options_destroy(options);
}

static void test_directory_mode(void **state)
{
	struct store store;
	struct stat status;
	char directory[512];

	(void)state;
	harness_directory(directory);
	assert_int_equal(chmod(directory, 0755), 0);
	must_open(&store, directory, NULL);
	assert_int_equal(stat(directory, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	store_close(&store);
}

/* Kill */

/* Acknowledges every step on descriptor 3. */
static int child_run(const char *directory, unsigned first)
{
	struct store store;
	struct cox_error err = {0};

	if (store_open(&store, plugin, directory, small_buffer, &err))
		return 1;
	for (unsigned i = first;; i++) {
		struct result result = workload_step(&store, i, i % 4 == 0, 900);
		uint64_t line[2] = {i, result.revision};

		if (result.result || write(3, line, sizeof(line)) != sizeof(line))
			return 2;
	}
}

static void test_kill(void **state)
{
	char directory[512];
	unsigned have = 0;
	uint64_t newest = 0;

	(void)state;
	harness_directory(directory);
	srandom(1);
	for (unsigned round = 0; round < rounds(12); round++) {
		uint64_t line[2] = {0, 0};
		struct store store;
		int pipes[2], status;
		pid_t child;

		assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
		child = start_child("run", directory, (unsigned[5]){have + 1}, pipes[1]);
		close(pipes[1]);
		poll(NULL, 0, (int)(random() % 150));
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		while (read(pipes[0], line, sizeof(line)) == sizeof(line)) {
			assert_true(line[1] > newest);
			newest = line[1];
		}
		close(pipes[0]);
		must_open(&store, directory, small_buffer);
		assert_true(store_revision(&store) >= newest);
		have = check_prefix(&store);
		assert_true(have >= line[0]); /* all that was acknowledged */
		store_close(&store);
	}
	assert_true(have > 10);
}

static void test_hole_after_crash(void **state)
{
	struct store store;
	struct watcher watcher;
	struct cox_error err = {0};
	cox_autofree char *value = NULL;
	char directory[512];
	uint64_t start, last;

	(void)state;
	harness_directory(directory);
	crash_after(directory, 1, 5, 0, false, NULL);
	must_open(&store, directory, NULL);
	value = store_get(&store, "/seq", &last);
	assert_string_equal(value, "5");
	start = store_revision(&store);
	assert_true(start > last + 1000); /* above all of the reserved block */
	assert_int_equal(watcher_start(&watcher, &store, "/", "", last + 1, &err), -1);
	assert_int_equal(err.reason, COX_REASON_EXPIRED);
	watcher_stop(&watcher);
	assert_int_equal(watcher_start(&watcher, &store, "/seq", "", last - 1, &err), 0);
	assert_true(must_put(&store, "/seq", "6") > start);
	watcher_finish(&watcher, start + 1, NULL);
	store_close(&store);
}

/* Torn and spoilt logs */

static void test_torn_log(void **state)
{
	char directory[512], copy[600], log[1024];
	uint64_t size, step;
	unsigned before = 6;

	(void)state;
	harness_directory(directory);
	snprintf(copy, sizeof(copy), "%s/copy", directory);
	snprintf(log, sizeof(log), "%s/store", directory);
	memcpy(directory, log, sizeof(directory));
	crash_after(directory, 1, 6, 40, true, NULL);
	find_file(directory, ".log", true, log);
	size = file_size(log);
	/* Every byte of the last batches, then in strides. */
	for (uint64_t cut = size; cut > 0; cut -= cut < step ? cut : step) {
		struct store store;
		unsigned n;

		step = size - cut < rounds(500) ? 1 : 97;
		copy_directory(directory, copy);
		find_file(copy, ".log", true, log);
		assert_int_equal(truncate(log, (off_t)cut), 0);
		/* A log of nothing but a torn first batch is a store that was never begun. */
		must_open(&store, copy, NULL);
		n = check_prefix(&store);
		assert_true(n <= before); /* fewer bytes never bring a batch back */
		assert_true(cut != size || n == 6);
		before = n;
		store_close(&store);
	}
	assert_int_equal(before, 0);
}

static void test_garbage_tail(void **state)
{
	static const char zeros[200];
	char directory[512], copy[600], log[1024], junk[200];
	uint64_t size;

	(void)state;
	harness_directory(directory);
	snprintf(copy, sizeof(copy), "%s/copy", directory);
	snprintf(log, sizeof(log), "%s/store", directory);
	memcpy(directory, log, sizeof(directory));
	crash_after(directory, 1, 6, 40, true, NULL);
	find_file(directory, ".log", true, log);
	size = file_size(log);
	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (char)(i * 37 + 11);
	for (uint64_t back = 0; back < 150; back += 3)
		for (int kind = 0; kind < 2; kind++) {
			struct store store;

			copy_directory(directory, copy);
			find_file(copy, ".log", true, log);
			overwrite(log, size - back, kind ? junk : zeros, sizeof(junk));
			must_open(&store, copy, NULL);
			/* The last batch is longer than this reaches, and does not end with a zero.
			 */
			assert_int_equal(check_prefix(&store), back ? 5 : 6);
			assert_non_null(strstr(harness_logged, ": cut at byte "));
			store_close(&store);
		}
}

/* 1 durable, 2 and 3 relaxed, each longer than a block of the log; where each begins. */
static int child_hole(const char *directory)
{
	struct store store;
	struct cox_error err = {0};
	uint64_t sizes[8] = {0};
	char log[1024];

	if (store_open(&store, plugin, directory, defaults, &err))
		return 1;
	find_file(directory, ".log", true, log);
	for (unsigned i = 0; i < 3; i++) {
		sizes[i] = file_size(log);
		workload_step(&store, i + 1, i == 0, 40000);
	}
	if (write(3, sizes, sizeof(sizes)) != sizeof(sizes))
		return 1;
	return kill(getpid(), SIGKILL);
}

/*
 * Something bad in the middle of the log. Behind it whatever is only relaxed
 * goes, since unsynced writes may be lost in any order; but if the log shows
 * that what is missing had been synced, nothing may be given up.
 */
static void test_hole_in_log(void **state)
{
	char directory[512], copy[600], log[1024];
	uint64_t first, second;
	struct store store;
	pid_t child;
	int status, pipes[2];
	uint64_t sizes[8];
	char *padding = cox_calloc(1, 40000);

	(void)state;
	harness_directory(directory);
	snprintf(copy, sizeof(copy), "%s/copy", directory);
	snprintf(log, sizeof(log), "%s/store", directory);
	memcpy(directory, log, sizeof(directory));
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	child = start_child("hole", directory, (unsigned[5]){0}, pipes[1]);
	waitpid(child, &status, 0);
	assert_int_equal(read(pipes[0], sizes, sizeof(sizes)), sizeof(sizes));
	close(pipes[0]);
	close(pipes[1]);
	first = sizes[0];
	second = sizes[1];

	/* The relaxed 2 is gone and 3 is there: both go. */
	copy_directory(directory, copy);
	find_file(copy, ".log", true, log);
	overwrite(log, second + 100, padding, 4096);
	must_open(&store, copy, NULL);
	assert_int_equal(check_prefix(&store), 1);
	store_close(&store);

	/* The durable 1 is gone and what came after its sync is there. */
	copy_directory(directory, copy);
	find_file(copy, ".log", true, log);
	overwrite(log, first + 100, padding, 4096);
	must_refuse(copy,
		    DAMAGED("%s has a bad record at byte %" PRIu64 " and synced writes behind it"),
		    copy, base_name(log), first, copy, copy, copy);
	free(padding);
}

/* Tables and the rest */

static void make_tables(char directory[512], char copy[600])
{
	struct store store;
	char path[1024];

	harness_directory(directory);
	snprintf(copy, 600, "%s/copy", directory);
	snprintf(path, sizeof(path), "%s/store", directory);
	memcpy(directory, path, 512);
	crash_after(directory, 1, 300, 1200, true, small_buffer);
	/* A crash may leave unfinished tables that belong to nothing. */
	must_open(&store, directory, small_buffer);
	store_close(&store);
}

static void test_damaged_files(void **state)
{
	static const char zeros[4096];
	char directory[512], copy[600], newest[1024], table[1024], other[1100];
	uint64_t size;

	(void)state;
	make_tables(directory, copy);

	copy_directory(directory, copy);
	/* The newest may be the unfinished rest of a compaction. */
	find_file(copy, ".ldb", false, table);
	assert_int_equal(truncate(table, 0), 0);
	must_refuse(copy, DAMAGED("the table %s is empty"), copy, base_name(table), copy, copy,
		    copy);

	copy_directory(directory, copy);
	size = file_size(table);
	assert_int_equal(truncate(table, (off_t)size - 1), 0);
	must_refuse(copy, DAMAGED("the table %s has %" PRIu64 " bytes and should have %" PRIu64),
		    copy, base_name(table), size - 1, size, copy, copy, copy);

	copy_directory(directory, copy);
	overwrite(table, size - 100, zeros, 100);
	must_refuse(copy, DAMAGED("the table %s does not end as a table does"), copy,
		    base_name(table), copy, copy, copy);

	copy_directory(directory, copy);
	snprintf(other, sizeof(other), "%s/CURRENT", copy);
	assert_int_equal(unlink(other), 0);
	must_refuse(copy, DAMAGED("CURRENT is missing"), FOUR(copy));

	copy_directory(directory, copy);
	assert_int_equal(truncate(other, 0), 0);
	must_refuse(copy, DAMAGED("CURRENT names no manifest"), FOUR(copy));

	copy_directory(directory, copy);
	find_file(copy, ".ldb", true, newest);
	assert_string_not_equal(newest, table);
	snprintf(other, sizeof(other), "%s.swap", newest);
	assert_int_equal(rename(newest, other), 0);
	assert_int_equal(rename(table, newest), 0);
	assert_int_equal(rename(other, table), 0);
	{
		struct store store;
		struct cox_error err = {0};

		assert_int_equal(store_open(&store, plugin, copy, small_buffer, &err), -1);
		assert_int_equal(err.reason, COX_REASON_STORE_READ_ERROR);
		assert_non_null(strstr(err.text, " is damaged: "));
	}
	/* Refusing has changed nothing: swapped back, it opens. */
	assert_int_equal(rename(newest, other), 0);
	assert_int_equal(rename(table, newest), 0);
	assert_int_equal(rename(other, table), 0);
	{
		struct store store;

		must_open(&store, copy, small_buffer);
		assert_int_equal(check_prefix(&store), 300);
		store_close(&store);
	}
}

/* Any block of any table zeroed: refused, or an error when read; never other data. */
static void test_zeroed_blocks(void **state)
{
	static const char zeros[4096];
	char directory[512], copy[600], table[1024];
	uint64_t size;
	unsigned refused = 0;

	(void)state;
	make_tables(directory, copy);
	find_file(directory, ".ldb", false, table);
	size = file_size(table);
	for (uint64_t at = 0; at + sizeof(zeros) < size; at += 3 * sizeof(zeros)) {
		struct store store;
		struct cox_error err = {0};
		cox_autofree char *all = NULL;

		copy_directory(directory, copy);
		find_file(copy, ".ldb", false, table);
		overwrite(table, at, zeros, sizeof(zeros));
		if (store_open(&store, plugin, copy, small_buffer, &err)) {
			assert_int_equal(err.reason, COX_REASON_STORE_READ_ERROR);
			refused++;
			continue;
		}
		all = store_range(&store, "/seq", "", 0, 0, NULL, &err);
		if (all)
			assert_string_equal(all, "/seq=300");
		else
			assert_int_equal(err.reason, COX_REASON_STORE_READ_ERROR);
		store_close(&store);
	}
	assert_true(refused > 0);
}

/* An opening that was torn apart is undone. */
static void test_torn_opening(void **state)
{
	char directory[512], copy[600], guard[700], path[1024];
	struct store store;

	(void)state;
	make_tables(directory, copy);
	copy_directory(directory, copy);
	snprintf(guard, sizeof(guard), "%s/opening", copy);
	copy_directory(directory, guard);
	/* The worst order: the old log and tables went, the new names did not come. */
	find_file(copy, ".log", true, path);
	assert_int_equal(unlink(path), 0);
	find_file(copy, ".ldb", true, path);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/CURRENT", copy);
	assert_int_equal(unlink(path), 0);
	must_open(&store, copy, small_buffer);
	assert_int_equal(check_prefix(&store), 300);
	store_close(&store);
	assert_int_equal(access(guard, F_OK), -1);
}

/* Snapshots */

static void test_snapshot_and_restore(void **state)
{
	char directory[512], store_path[600], copy[600];
	struct cox_call call = {.struct_size = sizeof(call)};
	struct cox_error err = {0};
	struct store store;
	struct watcher watcher;
	uint64_t revision;

	(void)state;
	harness_directory(directory);
	snprintf(copy, sizeof(copy), "%s/copy", directory);
	snprintf(store_path, sizeof(store_path), "%s/store", directory);
	must_open(&store, store_path, small_buffer);
	for (unsigned i = 1; i <= 200; i++)
		assert_int_equal(workload_step(&store, i, false, 1000).result, COX_TXN_COMMITTED);
	must_delete(&store, "/k00");
	must_put(&store, "/k00", "200");
	store_put_ttl(&store, "/ends", "x", 1);
	assert_int_equal(store.ops->snapshot(store.self, &call, copy, &err), 0);
	assert_int_equal(store.ops->snapshot(store.self, &call, copy, &err), -1);
	assert_int_equal(err.reason, COX_REASON_ALREADY_EXISTS);
	assert_int_equal(store.ops->snapshot(store.self, &call, "relative", &err), -1);
	assert_string_equal(err.text, "snapshot into \"relative\": not an absolute path");
	must_put(&store, "/later", "not in the copy");
	revision = store_revision(&store);
	store_close(&store);

	must_open(&store, copy, small_buffer);
	assert_int_equal(check_prefix(&store), 200);
	assert_null(store_get(&store, "/later", NULL));
	assert_true(store_revision(&store) > revision + (UINT64_C(1) << 31));
	assert_int_equal(watcher_start(&watcher, &store, "/", "", revision, &err), -1);
	assert_int_equal(err.reason, COX_REASON_EXPIRED);
	watcher_stop(&watcher);
	/* The copy's endings work, and it can be compacted. */
	revision = store_revision(&store);
	assert_int_equal(watcher_start(&watcher, &store, "/ends", "/endz", revision, &err), 0);
	watcher_finish(&watcher, revision + 1, "delete /ends @1; ");
	revision = must_put(&store, "/k00", "200");
	store_compact(&store, revision);
	assert_int_equal(check_prefix(&store), 200);
	store_close(&store);
	must_open(&store, copy, small_buffer);
	assert_int_equal(store_revision(&store), revision);
	store_close(&store);
}

/* Nothing but the live versions stays behind a compaction. */
static void test_compaction_removes(void **state)
{
	char directory[512], *failed = NULL;
	leveldb_options_t *options = leveldb_options_create();
	leveldb_readoptions_t *read = leveldb_readoptions_create();
	leveldb_iterator_t *all;
	unsigned records = 0, keys = 0, endings = 0;
	struct store store;
	leveldb_t *db;

	(void)state;
	harness_directory(directory);
	must_open(&store, directory, small_buffer);
	for (unsigned i = 1; i <= 3000; i++) {
		char key[16];

		snprintf(key, sizeof(key), "/gone%u", i % 50);
		workload_step(&store, i, false, 100);
		if (i % 3 == 0)
			store_delete(&store, key, ANY);
		else
			store_put_ttl(&store, key, "x", 3600);
	}
	for (unsigned i = 0; i < 50; i++) {
		char key[16];

		snprintf(key, sizeof(key), "/gone%u", i);
		must_delete(&store, key);
	}
	store_compact(&store, store_revision(&store));
	assert_int_equal(check_prefix(&store), 3000);
	store_close(&store);
	db = leveldb_open(options, directory, &failed);
	assert_null(failed);
	all = leveldb_create_iterator(db, read);
	for (leveldb_iter_seek_to_first(all); leveldb_iter_valid(all); leveldb_iter_next(all)) {
		size_t size;
		char kind = leveldb_iter_key(all, &size)[0];

		records += kind == 'r';
		keys += kind == 'v';
		endings += kind == 't';
	}
	leveldb_iter_destroy(all);
	leveldb_close(db);
	leveldb_options_destroy(options);
	leveldb_readoptions_destroy(read);
	assert_int_equal(keys, WORKLOAD_KEYS + 1);
	assert_int_equal(records, WORKLOAD_KEYS + 1);
	assert_int_equal(endings, 0);
}

/* What is known of the keys in memory, and what the database says of them, is one. */
static void check_index(struct store *store, uint64_t before, const char *then)
{
	struct cox_range_result result;
	struct cox_error err = {0};
	cox_autofree char *first = NULL;

	assert_range(store, "/i/0003", "/i/0010", 0,
		     "/i/0004=x /i/00045=new /i/0005=x /i/0006=changed /i/0007=x /i/0008=x "
		     "/i/0009=again");
	first = store_range(store, "/i/0002", "", 0, 3, &result, &err);
	assert_string_equal(first, "/i/0002=x /i/0004=x /i/00045=new ...");
	assert_range(store, "/i/2099", "", 0, "/i/2099=x /i/9=last");
	assert_range(store, "/i/0003", "/i/0010", before, then);
	assert_int_equal(store_put(store, "/i/0003", "y", before).result, COX_TXN_CONFLICT);
	assert_int_equal(store_put(store, "/i/0006", "y", before).result, COX_TXN_CONFLICT);
	assert_int_equal(store_put(store, "/i/00045", "y", 0).result, COX_TXN_CONFLICT);
	assert_int_equal(store_put(store, "/i/9", "y", 0).result, COX_TXN_CONFLICT);
	assert_int_equal(store_put(store, "/i/0001", "y", 0).result, COX_TXN_CONFLICT);
}

static void test_index(void **state)
{
	static const char then[] = "/i/0003=x /i/0004=x /i/0005=x /i/0006=x /i/0007=x /i/0008=x "
				   "/i/0009=x";
	char parent[512], directory[600], copy[600], key[16];
	struct cox_error err = {0};
	struct store store;
	uint64_t before;

	(void)state;
	harness_directory(parent);
	snprintf(directory, sizeof(directory), "%s/store", parent);
	snprintf(copy, sizeof(copy), "%s/copy", parent);
	must_open(&store, directory, NULL);
	/* Enough for the index to be written, and then some. */
	for (unsigned i = 0; i < 2100; i++) {
		snprintf(key, sizeof(key), "/i/%04u", i);
		store_put_relaxed(&store, key, "x");
	}
	before = store_revision(&store);
	must_put(&store, "/i/0006", "changed");
	must_put(&store, "/i/00045", "new");
	must_put(&store, "/i/9", "last");
	must_delete(&store, "/i/0003");
	must_delete(&store, "/i/0009");
	must_put(&store, "/i/0009", "again");
	check_index(&store, before, then);
	/* As a power cut leaves it: the records of what came last are read again. */
	copy_directory(directory, copy);
	store_close(&store);
	must_open(&store, copy, NULL);
	check_index(&store, before, then);
	store_compact(&store, store_revision(&store));
	assert_null(store_range(&store, "/i/0003", "/i/0010", before, 0, NULL, &err));
	store_close(&store);
	/* And as an orderly stop does. */
	must_open(&store, directory, NULL);
	check_index(&store, before, then);
	store_close(&store);
}

static void test_ttl_across_restart(void **state)
{
	char directory[512];
	struct cox_error err = {0};
	struct watcher watcher;
	struct store store;
	uint64_t revision;

	(void)state;
	harness_directory(directory);
	must_open(&store, directory, NULL);
	store_put_ttl(&store, "/a", "1", 1);
	store_put_ttl(&store, "/b", "1", 3600);
	store_close(&store);
	must_open(&store, directory, NULL);
	revision = store_revision(&store);
	assert_int_equal(watcher_start(&watcher, &store, "/", "", revision, &err), 0);
	watcher_finish(&watcher, revision + 1, "delete /a @1; ");
	assert_range(&store, "", "", 0, "/b=1");
	store_close(&store);
}

/* A full disk */

/* In a child with mounts of its own; exit 77: not allowed here, 0: good. */
static void fill_disk(const char *directory)
{
	char path[600], filler[600], block[65536];
	struct cox_call call = {.struct_size = sizeof(call)};
	struct cox_error err = {0};
	struct result result = {0};
	struct store store;
	uint64_t deadline;
	unsigned i = 0;
	int fd;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", directory, "tmpfs", 0, "size=6m,mode=0700"))
		_exit(77);
	snprintf(path, sizeof(path), "%s/store", directory);
	snprintf(filler, sizeof(filler), "%s/filler", directory);
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	memset(block, 'f', sizeof(block));
	for (int blocks = 0; blocks < 64; blocks++)
		if (write(fd, block, sizeof(block)) != sizeof(block))
			_exit(10);
	close(fd);
	must_open(&store, path, small_buffer);
	while (result.result == COX_TXN_COMMITTED && i < 10000) {
		i++;
		result = workload_step(&store, i, i % 2 == 0, 2600);
	}
	assert_int_equal(result.result, COX_TXN_FAILED);
	assert_int_equal(result.reason, COX_REASON_INSUFFICIENT_STORAGE);
	assert_non_null(strstr(result.why, "No space left on device"));
	assert_true(i > 10);
	/* Reads go on, writes are refused, health says why. */
	assert_int_equal(check_prefix(&store), i - 1);
	result = workload_step(&store, i, true, 2600);
	assert_int_equal(result.reason, COX_REASON_INSUFFICIENT_STORAGE);
	assert_int_equal(store.ops->health(store.self, &call, &err), -1);
	assert_int_equal(err.reason, COX_REASON_INSUFFICIENT_STORAGE);
	unlink(filler);
	deadline = harness_now() + UINT64_C(30000000000);
	do {
		poll(NULL, 0, 20);
		result = workload_step(&store, i, true, 2600);
	} while (result.result != COX_TXN_COMMITTED && harness_now() < deadline);
	assert_int_equal(result.result, COX_TXN_COMMITTED);
	assert_int_equal(check_prefix(&store), i);
	assert_int_equal(store.ops->health(store.self, &call, &err), 0);
	store_close(&store);
	must_open(&store, path, small_buffer);
	assert_int_equal(check_prefix(&store), i);
	store_close(&store);
}

static void run_fill(void **state)
{
	fill_disk(*state);
}

static void test_full_disk(void **state)
{
	char directory[512];
	pid_t child;
	int status;

	(void)state;
	harness_directory(directory);
	child = start_child("fill", directory, (unsigned[5]){0}, -1);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* What start_child asks for. */
static int child_main(char **arguments)
{
	unsigned numbers[5];

	for (int i = 0; i < 5; i++)
		numbers[i] = (unsigned)strtoul(arguments[3 + i], NULL, 10);
	if (strcmp(arguments[1], "crash") == 0)
		return child_crash(arguments[2], numbers);
	if (strcmp(arguments[1], "run") == 0)
		return child_run(arguments[2], numbers[0]);
	if (strcmp(arguments[1], "hole") == 0)
		return child_hole(arguments[2]);
	if (strcmp(arguments[1], "fill") == 0) {
		const struct CMUnitTest fill[] = {
			cmocka_unit_test_prestate(run_fill, arguments[2])};

		return cmocka_run_group_tests(fill, NULL, NULL) ? 1 : 0;
	}
	return 1;
}

int main(int count, char **arguments)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_opens),
		cmocka_unit_test(test_foreign_database),
		cmocka_unit_test(test_older_layout),
		cmocka_unit_test(test_directory_mode),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_hole_after_crash),
		cmocka_unit_test(test_torn_log),
		cmocka_unit_test(test_garbage_tail),
		cmocka_unit_test(test_hole_in_log),
		cmocka_unit_test(test_damaged_files),
		cmocka_unit_test(test_zeroed_blocks),
		cmocka_unit_test(test_torn_opening),
		cmocka_unit_test(test_snapshot_and_restore),
		cmocka_unit_test(test_compaction_removes),
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_ttl_across_restart),
		cmocka_unit_test(test_full_disk),
	};
	const char *builddir = getenv("builddir");
	char path[600];
	int failed;

	snprintf(path, sizeof(path), "%s/plugins/.libs/storage-leveldb.so",
		 builddir ? builddir : ".");
	plugin = harness_load(path);
	if (count == 8)
		return child_main(arguments);
	cmocka_set_test_filter(getenv("COX_TEST_FILTER"));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	harness_cleanup();
	return failed;
}
