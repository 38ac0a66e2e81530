/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing. All batches of the store pass batch_write, one at a time.
 *
 * leveldb goes to a new log when its memtable is full, without syncing the old
 * one and without putting the new name on disk. The memtable's size cannot be
 * asked for, so an upper bound of it is kept. As long as the bound is within
 * the buffer, no switch can happen. A write that takes it beyond is synced,
 * relaxed or not, so nothing unsynced is ever left in a log that leveldb may
 * leave; and from then on the directory is looked at after every write until
 * the new log is seen, and synced before that write counts.
 *
 * After a failed write leveldb's log may hold half a record, and leveldb would
 * go on behind it. So no further write is made: the log is cut back to where it
 * was, writes are refused, reads go on, and the database is opened anew when
 * there is room, tried ever less often up to every ten seconds.
 */
#include "level.h"

#include <coxswain/kit/alloc.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define SECOND UINT64_C(1000000000)
#define REVISION_BLOCK (UINT64_C(1) << 20)
#define RETRY_FIRST (SECOND / 10)
#define RETRY_LAST (10 * SECOND)

/* Of an empty memtable: its first block and its head. */
enum { MEMTABLE_START = 16384, MEMTABLE_NODE = 112, MEMTABLE_ENTRY = 32, MEMTABLE_BIG = 1024 };

void fault_set(struct fault *fault, enum cox_reason reason, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	fault->reason = reason;
	fault->unknown = false;
}

/* leveldb tells an errno only as strerror's text at the end of its own. */
static bool means_full(const char *text)
{
	static const int numbers[] = {ENOSPC, EDQUOT, EFBIG};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strstr(text, strerror(numbers[i])))
			return true;
	return false;
}

void fault_from(struct fault *fault, char *leveldb_text, enum cox_reason otherwise)
{
	fault_set(fault, means_full(leveldb_text) ? COX_REASON_INSUFFICIENT_STORAGE : otherwise,
		  "%s", leveldb_text);
	leveldb_free(leveldb_text);
}

/* Batches */

static void batch_count(struct batch *batch, size_t key, size_t value)
{
	uint64_t entry = key + value + MEMTABLE_ENTRY;

	/* Small pieces may leave up to a quarter of a block unused. */
	if (entry > MEMTABLE_BIG)
		batch->memtable += entry + MEMTABLE_NODE * 3 / 2;
	else
		batch->memtable += (entry + MEMTABLE_NODE) * 3 / 2;
}

void batch_put(struct batch *batch, struct cox_bytes key, struct cox_bytes value)
{
	leveldb_writebatch_put(batch->batch, key.data, key.size, value.data ? value.data : "",
			       value.size);
	batch_count(batch, key.size, value.size);
}

void batch_delete(struct batch *batch, struct cox_bytes key)
{
	leveldb_writebatch_delete(batch->batch, key.data, key.size);
	batch_count(batch, key.size, 0);
}

void batch_begin(struct batch *batch, const struct level *level, const struct state *state)
{
	char bytes[STATE_SIZE];

	*batch = (struct batch){.batch = leveldb_writebatch_create(), .state = *state};
	batch->state.serial = level->state.serial + 1;
	batch->state.synced = level->state.synced;
	batch->state.log_first = level->state.log_first;
	state_encode(&batch->state, bytes);
	batch_put(batch, bytes_literal(STATE_KEY), (struct cox_bytes){bytes, sizeof(bytes)});
}

/* The log */

static int open_log(struct level *level, uint64_t number)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "%06" PRIu64 ".log", number);
	fd = openat(level->directory_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	if (level->log_fd >= 0)
		close(level->log_fd);
	level->log_fd = fd;
	level->log_number = number;
	return 0;
}

int write_begin(struct level *level, struct cox_error *err)
{
	uint64_t number;

	if (directory_newest_log(level, &number) || open_log(level, number))
		return level->host->fail(err, COX_REASON_INTERNAL_ERROR,
					 "cannot find the log of %s: %s", level->directory,
					 strerror(errno));
	level->memtable = MEMTABLE_START;
	level->unsynced_since = 0;
	/* Opening has synced all that there was. */
	level->state.synced = level->state.serial;
	level->state.log_first = level->state.serial + 1;
	return 0;
}

void write_end(struct level *level)
{
	if (level->log_fd >= 0)
		close(level->log_fd);
	level->log_fd = -1;
}

/* Sees whether the batch just written began a new log; 1: yes, -1: failed. */
static int follow_log(struct level *level, uint64_t batch_memtable)
{
	uint64_t number;

	if (directory_newest_log(level, &number))
		return -1;
	if (number == level->log_number)
		return 0;
	if (fsync(level->directory_fd) || open_log(level, number))
		return -1;
	level->memtable = MEMTABLE_START + batch_memtable;
	return 1;
}

/* Failure */

static void stop_writing(struct level *level, const struct fault *fault)
{
	pthread_mutex_lock(&level->why_lock);
	level->why = *fault;
	pthread_mutex_unlock(&level->why_lock);
	level->retry_after = RETRY_FIRST;
	level->retry_at = level->host->monotonic_ns() + level->retry_after;
	level->unsynced_since = 0;
	atomic_store(&level->broken, true);
	level->host->log(level->host->context, COX_LOG_ERROR, "%s: writes stop, reads go on: %s",
			 level->directory, fault->text);
	engine_wake_at(&level->engine, level->retry_at);
}

/*
 * Makes sure that a batch that failed did not happen: cuts the log back to
 * what it was. If that cannot be done, nobody knows.
 */
static void write_failed(struct level *level, uint64_t log_size, struct fault *fault)
{
	uint64_t number;

	fault->unknown = true;
	if (directory_newest_log(level, &number) == 0) {
		bool is_new = number != level->log_number;

		if ((!is_new || open_log(level, number) == 0) &&
		    ftruncate(level->log_fd, is_new ? 0 : (off_t)log_size) == 0 &&
		    fsync(level->log_fd) == 0)
			fault->unknown = false;
	}
	stop_writing(level, fault);
}

static int refuse(struct level *level, struct fault *fault)
{
	cox_lock_scope(&level->why_lock);

	*fault = level->why;
	fault->unknown = false;
	return -1;
}

/* Writing */

static void written(struct level *level, const struct batch *batch, bool sync)
{
	level->state = batch->state;
	if (sync) {
		level->state.synced = level->state.serial;
		level->unsynced_since = 0;
	} else if (!level->unsynced_since) {
		level->unsynced_since = level->host->monotonic_ns();
		engine_wake_at(&level->engine, level->unsynced_since + SECOND);
	}
}

int batch_write(struct batch *batch, struct level *level, bool durable, struct fault *fault)
{
	bool sync = durable || level->memtable + batch->memtable > level->write_buffer;
	struct stat log = {.st_size = 0};
	char *failed = NULL;
	int followed = 0;

	if (atomic_load(&level->broken)) {
		leveldb_writebatch_destroy(batch->batch);
		return refuse(level, fault);
	}
	fstat(level->log_fd, &log);
	index_forget_lookups(level);
	leveldb_write(level->db, sync ? level->write_sync : level->write, batch->batch, &failed);
	leveldb_writebatch_destroy(batch->batch);
	if (failed) {
		fault_from(fault, failed, COX_REASON_SERVICE_UNAVAILABLE);
		write_failed(level, (uint64_t)log.st_size, fault);
		return -1;
	}
	level->memtable += batch->memtable;
	if (level->memtable > level->write_buffer)
		followed = follow_log(level, batch->memtable);
	if (followed < 0) {
		fault_set(fault, COX_REASON_SERVICE_UNAVAILABLE, "cannot sync the directory %s: %s",
			  level->directory, strerror(errno));
		fault->unknown = true;
		stop_writing(level, fault);
		return -1;
	}
	written(level, batch, sync);
	if (followed)
		level->state.log_first = level->state.serial;
	return 0;
}

/* A synced record of what may be given out, before it is. */
static int reserve(struct level *level, uint64_t revision, struct fault *fault)
{
	struct state state = level->state;
	struct batch batch;

	if (revision <= level->state.limit)
		return 0;
	state.limit = revision + REVISION_BLOCK;
	batch_begin(&batch, level, &state);
	return batch_write(&batch, level, true, fault);
}

static void count_change(struct state *state, const struct change *change)
{
	if (change->before.revision && !change->before.deleted) {
		state->keys--;
		state->value_bytes -= change->before.size;
	}
	if (!change->now.deleted) {
		state->keys++;
		state->value_bytes += change->now.size;
	}
}

static void add_change(struct batch *batch, const struct change *change, struct cox_buf *bytes)
{
	char record[RECORD_KEY_SIZE], ending[ENDING_KEY_SIZE];
	struct cox_bytes ending_bytes = {ending, sizeof(ending)};

	cox_buf_clear(bytes);
	record_encode(change, bytes);
	record_key(change->now.revision, change->now.index, record);
	batch_put(batch, (struct cox_bytes){record, sizeof(record)},
		  (struct cox_bytes){bytes->data, bytes->size});

	if (change->before.expires) {
		ending_key(&change->before, ending);
		batch_delete(batch, ending_bytes);
	}
	if (change->now.expires) {
		ending_key(&change->now, ending);
		batch_put(batch, ending_bytes, change->key);
	}
}

int write_apply(void *self, const struct change *changes, size_t count, bool durable,
		struct fault *fault)
{
	struct level *level = self;
	cox_autobuf bytes = COX_BUF_INIT;
	struct state state;
	struct batch batch;

	if (atomic_load(&level->broken))
		return refuse(level, fault);
	if (reserve(level, changes[count - 1].now.revision, fault))
		return -1;
	state = level->state;
	state.revision = changes[count - 1].now.revision;
	for (size_t i = 0; i < count; i++)
		count_change(&state, &changes[i]);
	batch_begin(&batch, level, &state);
	for (size_t i = 0; i < count; i++)
		add_change(&batch, &changes[i], &bytes);
	if (batch_write(&batch, level, durable, fault))
		return -1;
	for (size_t i = 0; i < count; i++)
		index_note(level, changes[i].key, &changes[i].now);
	/* The changes are made, whatever becomes of this. */
	if (index_due(level))
		(void)index_write(level, &(struct fault){0});
	return 0;
}

/* Housekeeping */

static void sync_relaxed(struct level *level)
{
	struct fault fault;

	if (fdatasync(level->log_fd)) {
		fault_set(&fault, COX_REASON_SERVICE_UNAVAILABLE, "cannot sync the log of %s: %s",
			  level->directory, strerror(errno));
		stop_writing(level, &fault);
		return;
	}
	level->state.synced = level->state.serial;
	level->unsynced_since = 0;
}

/* Whether there is room to open the store, which writes its logs out as tables. */
static bool enough_room(struct level *level)
{
	cox_autoclose int fd = openat(level->directory_fd, "coxswain.probe",
				      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool enough;

	if (fd < 0)
		return false;
	enough = posix_fallocate(fd, 0, (off_t)(3 * level->write_buffer)) == 0 && fsync(fd) == 0;
	unlinkat(level->directory_fd, "coxswain.probe", 0);
	return enough;
}

/* Follows what the reopened store holds; see engine_rejoin. */
static void rejoin(struct level *level)
{
	uint64_t reported = level->engine.revision;

	if (level->state.revision < reported) {
		/* Relaxed writes that were seen are gone: everybody starts anew. */
		level->state.revision = reported + 1;
		level->state.compacted = level->state.revision;
	}
	engine_rejoin(&level->engine, level->state.revision, level->state.compacted);
}

static void reopen(struct level *level)
{
	struct state before = level->state;

	if (!enough_room(level) || pthread_rwlock_trywrlock(&level->handle))
		return;
	level_close(level);
	if (level_open(level, NULL) == 0) {
		if (level->state.limit < before.limit)
			level->state.limit = before.limit;
		rejoin(level);
		atomic_store(&level->broken, false);
		level->host->log(level->host->context, COX_LOG_WARNING, "%s: writes go on",
				 level->directory);
	}
	pthread_rwlock_unlock(&level->handle);
}

uint64_t write_tick(void *self, uint64_t now)
{
	struct level *level = self;
	cox_lock_scope(&level->engine.write);

	if (!atomic_load(&level->broken)) {
		if (level->unsynced_since && now >= level->unsynced_since + SECOND)
			sync_relaxed(level);
		else if (level->unsynced_since)
			return level->unsynced_since + SECOND;
	}
	if (!atomic_load(&level->broken))
		return 0;
	if (now >= level->retry_at) {
		reopen(level);
		level->retry_after *= 2;
		if (level->retry_after > RETRY_LAST)
			level->retry_after = RETRY_LAST;
		level->retry_at = level->host->monotonic_ns() + level->retry_after;
	}
	return atomic_load(&level->broken) ? level->retry_at : 0;
}
