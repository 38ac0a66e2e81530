/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing the database. What leveldb does not check is checked
 * here: that it is our store, that its tables are the ones the manifest means,
 * and that the keys are as many as the state says, so that a table which was
 * lost or exchanged is noticed before anything is served.
 */
#include "level.h"

#include <coxswain/kit/alloc.h>
#include <errno.h>
#include <inttypes.h>

static int fail_open(const struct level *level, struct cox_error *err, char *text)
{
	struct fault fault;
	bool corrupt = strncmp(text, "Corruption", 10) == 0;

	fault_from(&fault, text, COX_REASON_INTERNAL_ERROR);
	if (corrupt)
		return directory_damaged(level, err, "%s", fault.text);
	return level->host->fail(err, fault.reason, "cannot open the store %s: %s",
				 level->directory, fault.text);
}

/* A fresh database gets the marker; one with keys and no marker is not ours. */
static int claim(struct level *level, struct cox_error *err)
{
	struct state state = {.revision = 1, .limit = 1, .clean = true};
	leveldb_iterator_t *keys = leveldb_create_iterator(level->db, level->read_once);
	leveldb_writebatch_t *batch;
	char bytes[STATE_SIZE], *failed = NULL;
	bool empty;

	leveldb_iter_seek_to_first(keys);
	empty = !leveldb_iter_valid(keys);
	leveldb_iter_get_error(keys, &failed);
	leveldb_iter_destroy(keys);
	if (failed)
		return fail_open(level, err, failed);
	if (!empty)
		return directory_foreign(level, err);
	state_encode(&state, bytes);
	batch = leveldb_writebatch_create();
	leveldb_writebatch_put(batch, STATE_KEY, strlen(STATE_KEY), bytes, sizeof(bytes));
	leveldb_writebatch_put(batch, FORMAT_KEY, strlen(FORMAT_KEY), FORMAT_VALUE,
			       strlen(FORMAT_VALUE));
	leveldb_write(level->db, level->write_sync, batch, &failed);
	leveldb_writebatch_destroy(batch);
	return failed ? fail_open(level, err, failed) : 0;
}

static int check_format(struct level *level, struct cox_error *err)
{
	cox_autofree char *format = NULL;
	struct fault fault;
	size_t size;
	int found = read_get(level, level->read_once, bytes_literal(FORMAT_KEY), &format, &size,
			     &fault);

	if (found < 0)
		return directory_damaged(level, err, "%s", fault.text);
	if (found == 0)
		return claim(level, err);
	if (size == strlen(FORMAT_VALUE) && memcmp(format, FORMAT_VALUE, size) == 0)
		return 0;
	return level->host->fail(err, COX_REASON_INVALID,
				 "the store %s has the layout \"%.*s\"; this release knows \"%s\"",
				 level->directory, (int)(size < 64 ? size : 64), format,
				 FORMAT_VALUE);
}

static int load_state(struct level *level, struct cox_error *err)
{
	cox_autofree char *bytes = NULL;
	struct fault fault = {.text = "it is not there"};
	size_t size;

	if (read_get(level, level->read_once, bytes_literal(STATE_KEY), &bytes, &size, &fault) <= 0)
		return directory_damaged(level, err, "its state cannot be read: %s", fault.text);
	if (state_decode(bytes, size, &level->state))
		return directory_damaged(level, err, "its state makes no sense");
	return 0;
}

/* Counts the keys. A second per million; see the top of the file. */
static int check_keys(struct level *level, struct cox_error *err)
{
	const struct key_range all = {0};
	uint64_t count = 0, bytes = 0, newest = 0;
	struct fault fault;
	struct walk walk;
	int got;

	walk_begin(&walk, level, &all);
	walk_open(&walk, level, level->read_once);
	while ((got = walk_next(&walk, &fault)) > 0) {
		if (!walk.version.deleted) {
			count++;
			bytes += walk.version.size;
		}
		if (walk.version.revision > newest)
			newest = walk.version.revision;
	}
	walk_end(&walk);
	if (got < 0)
		return directory_damaged(level, err, "%s", fault.text);
	if (count != level->state.keys || bytes != level->state.value_bytes ||
	    newest > level->state.revision)
		return directory_damaged(level, err,
					 "it has %" PRIu64 " keys of %" PRIu64
					 " bytes and should have %" PRIu64 " of %" PRIu64,
					 count, bytes, level->state.keys, level->state.value_bytes);
	return 0;
}

static void close_db(struct level *level)
{
	index_forget_lookups(level);
	index_clear(level);
	if (level->db)
		leveldb_close(level->db);
	level->db = NULL;
}

int level_open(struct level *level, struct cox_error *err)
{
	char *failed = NULL;

	if (directory_recover(level, err) || directory_check(level, err) ||
	    logfile_check_all(level, err) || directory_guard(level, err))
		return -1;
	level->db = leveldb_open(level->options, level->directory, &failed);
	if (failed)
		fail_open(level, err, failed);
	if (failed || directory_check_tables(level, err) || check_format(level, err) ||
	    load_state(level, err) || index_load(level, err) || check_keys(level, err)) {
		close_db(level);
		/* `err` says what is wrong; if this fails too, the next start repeats it. */
		(void)directory_undo(level, NULL);
		return -1;
	}
	if (directory_release(level, err) || write_begin(level, err)) {
		close_db(level);
		return -1;
	}
	return 0;
}

void level_close(struct level *level)
{
	close_db(level);
	write_end(level);
}
