/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compaction and snapshots.
 *
 * Compaction to a revision walks the records since the last one: each names the
 * version that it took the place of, and that one can go; a deletion can go
 * itself, with its key. So its cost is that of the writes since the last time.
 * It goes in steps, each a batch that also says how far it has come, and a
 * writer waits for one step at the most. The index is written out before the
 * first, so that no record goes from which it would have to be read.
 */
#include "level.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { STEP_RECORDS = 512, STEP_BYTES = 1 << 20, COPY_BYTES = 1 << 20 };

/* Compaction */

struct removal {
	char record[RECORD_KEY_SIZE];
	struct cox_buf key; /* of a deletion: the key may go too */
	uint64_t revision;
	uint32_t index;
};

struct step {
	COX_VEC(struct removal) removals;
	uint64_t from, upto; /* revisions */
	uint64_t cleaned;    /* after this step */
};

static void add_removal(struct step *step, uint64_t revision, uint32_t index)
{
	struct removal removal = {.revision = revision, .index = index};

	record_key(revision, index, removal.record);
	cox_vec_push(&step->removals, removal);
}

static void step_free(struct step *step)
{
	for (size_t i = 0; i < step->removals.count; i++)
		cox_buf_free(&step->removals.items[i].key);
	cox_vec_free(&step->removals);
}

/* Finds what the next step removes, with no lock that a writer needs. */
static int find_removals(struct level *level, struct step *step, struct cox_error *err)
{
	leveldb_iterator_t *records;
	char from[RECORD_KEY_SIZE], *failed = NULL;
	size_t count = 0, bytes = 0;

	if (read_enter(level, err))
		return -1;
	records = leveldb_create_iterator(level->db, level->read_once);
	step->cleaned = step->upto;
	record_key(step->from + 1, 0, from);
	for (leveldb_iter_seek(records, from, sizeof(from)); leveldb_iter_valid(records);
	     leveldb_iter_next(records)) {
		struct record record;
		uint64_t revision;
		uint32_t index;
		size_t size;
		const char *data = leveldb_iter_key(records, &size);

		if (record_key_decode(data, size, &revision, &index) || revision > step->upto)
			break;
		if ((count >= STEP_RECORDS || bytes >= STEP_BYTES) && index == 0) {
			step->cleaned = revision - 1;
			break;
		}
		data = leveldb_iter_value(records, &size);
		if (record_decode(data, size, &record))
			continue; /* a reader will say so */
		count++;
		bytes += size;
		if (record.before_revision)
			add_removal(step, record.before_revision, record.before_index);
		if (record.deleted) {
			add_removal(step, revision, index);
			cox_buf_add(&step->removals.items[step->removals.count - 1].key,
				    record.key.data, record.key.size);
		}
	}
	leveldb_iter_get_error(records, &failed);
	leveldb_iter_destroy(records);
	read_leave(level);
	if (!failed)
		return 0;
	level->host->fail(err, COX_REASON_STORE_READ_ERROR, "cannot compact: %s", failed);
	leveldb_free(failed);
	return -1;
}

/* The key of a deletion goes unless it has been put again. */
static int remove_key(struct level *level, struct batch *batch, struct removal *removal,
		      struct fault *fault)
{
	struct cox_bytes key = {removal->key.data, removal->key.size};
	cox_autobuf stored = COX_BUF_INIT;
	struct version version;

	if (index_lookup(level, key, &version, fault))
		return -1;
	if (version.revision != removal->revision || version.index != removal->index)
		return 0;
	cox_buf_char(&stored, 'v');
	cox_buf_add(&stored, key.data, key.size);
	batch_delete(batch, (struct cox_bytes){stored.data, stored.size});
	return 0;
}

static int remove_step(struct level *level, struct step *step, struct cox_error *err)
{
	struct fault fault = {0};
	struct state state;
	struct batch batch;
	int failed = 0;
	cox_lock_scope(&level->engine.write);

	state = level->state;
	if (state.cleaned < step->cleaned)
		state.cleaned = step->cleaned;
	batch_begin(&batch, level, &state);
	for (size_t i = 0; i < step->removals.count && !failed; i++) {
		struct removal *removal = &step->removals.items[i];

		batch_delete(&batch, (struct cox_bytes){removal->record, RECORD_KEY_SIZE});
		if (removal->key.size)
			failed = remove_key(level, &batch, removal, &fault);
	}
	if (failed)
		leveldb_writebatch_destroy(batch.batch);
	else
		failed = batch_write(&batch, level, false, &fault);
	return failed ? level->host->fail(err, fault.reason, "cannot compact: %s", fault.text) : 0;
}

/* Says what is forgotten, on disk before anything is removed. 1, 0: was already, -1. */
static int forget(struct level *level, uint64_t revision, struct cox_error *err)
{
	struct fault fault = {0};
	struct batch batch;
	struct state state;
	int due;
	cox_lock_scope(&level->engine.write);

	due = engine_check_compact(&level->engine, revision, err);
	if (due <= 0)
		return due;
	state = level->state;
	state.compacted = revision;
	batch_begin(&batch, level, &state);
	if (batch_write(&batch, level, false, &fault) || index_write(level, &fault))
		return level->host->fail(err, fault.reason, "cannot compact: %s", fault.text);
	hub_compact(&level->engine.hub, revision);
	return 1;
}

static uint64_t cleaned(struct level *level)
{
	cox_lock_scope(&level->engine.write);

	return level->state.cleaned;
}

int maintain_compact(void *self, const struct cox_call *call, uint64_t revision,
		     struct cox_error *err)
{
	struct level *level = self;
	uint64_t newest, upto;
	int failed = forget(level, revision, err);

	if (failed < 0)
		return -1;
	/* Also what an earlier compaction was kept from. */
	hub_position(&level->engine.hub, &newest, &upto);
	failed = 0;
	for (uint64_t from = cleaned(level); from < upto && !failed; from = cleaned(level)) {
		struct step step = {.from = from, .upto = upto};

		failed = find_removals(level, &step, err) || remove_step(level, &step, err);
		step_free(&step);
		if (!failed && call && level->host->cancelled(call))
			failed = level->host->fail(
				err, COX_REASON_TIMEOUT,
				"the compaction was cancelled; the next one goes on");
	}
	return failed ? -1 : 0;
}

/* Snapshots */

struct copy {
	struct level *level;
	leveldb_t *to;
	leveldb_writebatch_t *batch;
	leveldb_writeoptions_t *write;
	size_t bytes;
	struct state state;
	char *failed; /* leveldb's text */
	struct cox_buf stored;
};

/* The state goes first, as in every batch of a store. */
static void copy_flush(struct copy *copy)
{
	leveldb_writebatch_t *whole = leveldb_writebatch_create();
	char state[STATE_SIZE];

	state_encode(&copy->state, state);
	leveldb_writebatch_put(whole, STATE_KEY, strlen(STATE_KEY), state, sizeof(state));
	leveldb_writebatch_append(whole, copy->batch);
	if (!copy->failed)
		leveldb_write(copy->to, copy->write, whole, &copy->failed);
	leveldb_writebatch_destroy(whole);
	leveldb_writebatch_clear(copy->batch);
	copy->bytes = 0;
}

static void copy_put(struct copy *copy, const char *key, size_t key_size, const char *value,
		     size_t value_size)
{
	leveldb_writebatch_put(copy->batch, key, key_size, value, value_size);
	copy->bytes += key_size + value_size;
}

/* Copies the version that the walk is at, with its record and its ending. */
static int copy_version(struct copy *copy, const struct walk *walk,
			const leveldb_readoptions_t *options)
{
	const struct version *version = &walk->version;
	char name[RECORD_KEY_SIZE], ending[ENDING_KEY_SIZE], bytes[VERSION_SIZE];
	cox_autofree char *record = NULL;
	struct record decoded;
	size_t size;

	if (version->deleted)
		return 0;
	record_key(version->revision, version->index, name);
	record = leveldb_get(copy->level->db, options, name, sizeof(name), &size, &copy->failed);
	if (!record || record_decode(record, size, &decoded))
		return -1;
	cox_buf_clear(&copy->stored);
	cox_buf_char(&copy->stored, 'v');
	cox_buf_add(&copy->stored, walk->key.data, walk->key.size);
	version_encode(version, bytes);
	copy_put(copy, copy->stored.data, copy->stored.size, bytes, sizeof(bytes));
	copy_put(copy, name, sizeof(name), record, size);
	if (version->expires) {
		ending_key(version, ending);
		copy_put(copy, ending, sizeof(ending), walk->key.data, walk->key.size);
	}
	copy->state.keys++;
	copy->state.value_bytes += version->size;
	if (version->revision > copy->state.revision)
		copy->state.revision = version->revision;
	return 0;
}

static int copy_keys(struct copy *copy, const struct cox_call *call, struct walk *walk,
		     const leveldb_readoptions_t *options, struct cox_error *err)
{
	const struct cox_host *host = copy->level->host;
	struct fault fault;
	uint64_t done = 0;
	int got;

	while ((got = walk_next(walk, &fault)) > 0) {
		if (copy_version(copy, walk, options) && !copy->failed)
			return host->fail(err, COX_REASON_STORE_READ_ERROR,
					  "snapshot: the record of a key cannot be read");
		if (copy->bytes >= COPY_BYTES)
			copy_flush(copy);
		if (copy->failed)
			return 0; /* said by the caller */
		if ((++done & 1023) == 0 && call && host->cancelled(call))
			return host->fail(err, COX_REASON_TIMEOUT, "the snapshot was cancelled");
	}
	return got < 0 ? host->fail(err, fault.reason, "snapshot: %s", fault.text) : 0;
}

static void copy_end(struct copy *copy)
{
	copy_put(copy, FORMAT_KEY, strlen(FORMAT_KEY), FORMAT_VALUE, strlen(FORMAT_VALUE));
	copy_flush(copy);
}

static int copy_into(struct level *level, const struct cox_call *call, const char *path,
		     struct cox_error *err)
{
	struct copy copy = {.level = level};
	leveldb_readoptions_t *options = leveldb_readoptions_create();
	const struct key_range all = {0};
	const leveldb_snapshot_t *snapshot;
	struct walk walk;
	struct fault fault;
	int failed = 0;

	copy.to = leveldb_open(level->options, path, &copy.failed);
	copy.write = leveldb_writeoptions_create();
	copy.batch = leveldb_writebatch_create();
	pthread_mutex_lock(&level->engine.write);
	snapshot = leveldb_create_snapshot(level->db);
	walk_begin(&walk, level, &all);
	copy.state = level->state;
	pthread_mutex_unlock(&level->engine.write);
	copy.state.keys = copy.state.value_bytes = 0;
	copy.state.indexed = copy.state.revision;
	copy.state.clean = false;
	copy.state.copy = true;
	leveldb_readoptions_set_verify_checksums(options, 1);
	leveldb_readoptions_set_fill_cache(options, 0);
	leveldb_readoptions_set_snapshot(options, snapshot);
	walk_open(&walk, level, options);
	if (!copy.failed)
		failed = copy_keys(&copy, call, &walk, options, err);
	if (!copy.failed && !failed)
		copy_end(&copy);
	walk_end(&walk);
	cox_buf_free(&copy.stored);
	leveldb_release_snapshot(level->db, snapshot);
	leveldb_readoptions_destroy(options);
	leveldb_writebatch_destroy(copy.batch);
	leveldb_writeoptions_destroy(copy.write);
	if (copy.to)
		leveldb_close(copy.to);
	if (!copy.failed)
		return failed;
	fault_from(&fault, copy.failed, COX_REASON_INTERNAL_ERROR);
	return level->host->fail(err, fault.reason, "snapshot: %s", fault.text);
}

static int snapshot_errno(const struct level *level, const char *directory, struct cox_error *err)
{
	int number = errno;

	return level->host->fail(err,
				 number == EEXIST ? COX_REASON_ALREADY_EXISTS
				 : number == ENOSPC || number == EDQUOT
					 ? COX_REASON_INSUFFICIENT_STORAGE
					 : COX_REASON_INTERNAL_ERROR,
				 "snapshot into %s: %s", directory, strerror(number));
}

/* Removes a copy that did not come about. */
static void drop_copy(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	rmdir(path);
}

/* Under another name until it is whole and on disk. */
int maintain_snapshot(void *self, const struct cox_call *call, const char *directory,
		      struct cox_error *err)
{
	struct level *level = self;
	cox_autobuf partial = COX_BUF_INIT, parent = COX_BUF_INIT;
	const char *slash = strrchr(directory, '/');
	struct stat status;
	int failed;

	if (directory[0] != '/' || !slash || !slash[1])
		return level->host->fail(err, COX_REASON_INVALID,
					 "snapshot into \"%s\": not an absolute path", directory);
	cox_buf_printf(&partial, "%s.partial", directory);
	cox_buf_add(&parent, directory, (size_t)(slash - directory) + 1);
	errno = EEXIST;
	if (lstat(directory, &status) == 0 || mkdir(partial.data, 0700))
		return snapshot_errno(level, directory, err);
	failed = read_enter(level, err);
	if (!failed) {
		failed = copy_into(level, call, partial.data, err);
		read_leave(level);
	}
	if (!failed && (directory_sync_all(partial.data) ||
			renameat2(AT_FDCWD, partial.data, AT_FDCWD, directory, RENAME_NOREPLACE)))
		failed = snapshot_errno(level, directory, err);
	if (failed) {
		drop_copy(partial.data);
		return -1;
	}
	{
		cox_autoclose int fd = open(parent.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0 || fsync(fd))
			return snapshot_errno(level, directory, err);
	}
	return 0;
}
