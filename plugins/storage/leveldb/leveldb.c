/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The storage plugin "leveldb": options, life and the operations' table. What
 * makes it safe is told in level.h.
 */
#include "level.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <errno.h>

#define REVISION_BLOCK (UINT64_C(1) << 20)
/* More than a store gives out between two snapshots that anybody goes back to. */
#define RESTORE_JUMP (UINT64_C(1) << 32)

static const struct cox_option level_option_table[] = {
	{"directory", NULL, "where the store is; made if it is missing, its parent must exist",
	 COX_OPT_PATH, COX_OPTION_REQUIRED},
	{"write-buffer", "2Mi", "log and memory that collect writes before they become a table",
	 COX_OPT_SIZE, 0},
	{"cache", "512Ki", "memory for blocks of tables", COX_OPT_SIZE, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct backend level_backend = {
	.lookup = index_lookup, .apply = write_apply, .expired = read_expired, .tick = write_tick};

/* Operations */

static uint32_t level_capabilities(void *self)
{
	(void)self;
	return COX_STORAGE_PERSISTENT | COX_STORAGE_AT_REVISION | COX_STORAGE_TTL |
	       COX_STORAGE_PROGRESS | COX_STORAGE_SNAPSHOT;
}

static int level_submit(void *self, const struct cox_call *call, const struct cox_txn *txns,
			size_t count, const struct cox_txn_sink *sink, struct cox_error *err)
{
	struct level *level = self;

	(void)call;
	(void)err;
	return engine_submit(&level->engine, txns, count, sink);
}

/* Whether relaxed writes after this revision may be missing. */
static bool level_in_hole(struct level *level, uint64_t after)
{
	cox_lock_scope(&level->engine.write);

	return after > level->state.hole_from && after < level->state.hole_to;
}

static void *level_watch(void *self, const struct cox_call *call, struct cox_bytes start,
			 struct cox_bytes end, uint64_t after, const struct cox_watch_sink *sink,
			 struct cox_error *err)
{
	struct level *level = self;
	const struct key_range range = {start, end};

	(void)call;
	if (level_in_hole(level, after)) {
		level->host->fail(err, COX_REASON_EXPIRED,
				  "what came before revision %llu may have been lost in a crash",
				  (unsigned long long)after);
		return NULL;
	}
	return hub_watch(&level->engine.hub, &range, after, sink, err);
}

static void level_watch_cancel(void *self, void *watch)
{
	struct level *level = self;

	hub_cancel(&level->engine.hub, watch);
}

static uint64_t level_revision(void *self, const struct cox_call *call, struct cox_error *err)
{
	struct level *level = self;
	uint64_t revision, compacted;

	(void)call;
	(void)err;
	hub_position(&level->engine.hub, &revision, &compacted);
	return revision;
}

static int level_stats(void *self, struct cox_storage_stats *stats, struct cox_error *err)
{
	struct level *level = self;

	(void)err;
	hub_position(&level->engine.hub, &stats->revision, &stats->compact_revision);
	pthread_mutex_lock(&level->engine.write);
	stats->keys = level->state.keys;
	stats->value_bytes = level->state.value_bytes;
	pthread_mutex_unlock(&level->engine.write);
	stats->disk_bytes = directory_bytes(level);
	return 0;
}

static int level_health(void *self, const struct cox_call *call, struct cox_error *err)
{
	struct level *level = self;

	(void)call;
	if (!atomic_load(&level->broken))
		return 0;
	cox_lock_scope(&level->why_lock);
	return level->host->fail(err, level->why.reason, "writes to %s are refused: %s",
				 level->directory, level->why.text);
}

/* Life */

static void *level_create(const struct cox_host *host, struct cox_error *err)
{
	struct level *level = cox_new(struct level);

	(void)err;
	level->host = host;
	level->directory_fd = level->lock_fd = level->log_fd = -1;
	pthread_rwlock_init(&level->handle, NULL);
	pthread_mutex_init(&level->why_lock, NULL);
	engine_init(&level->engine, host, &level_backend, level, read_history);
	return level;
}

static int level_size(struct level *level, const char *key, const char *value, uint64_t low,
		      uint64_t high, uint64_t *size, struct cox_error *err)
{
	if (cox_parse_size(value, size) == 0 && *size >= low && *size <= high)
		return 0;
	return level->host->fail(err, COX_REASON_INVALID,
				 "%s: %s is not a size from %llu to %llu bytes", key, value,
				 (unsigned long long)low, (unsigned long long)high);
}

static int level_config(void *self, const char *key, const char *value, struct cox_error *err)
{
	struct level *level = self;

	if (strcmp(key, "directory") == 0) {
		if (value[0] != '/')
			return level->host->fail(err, COX_REASON_INVALID,
						 "directory: %s is not an absolute path", value);
		free(level->directory);
		level->directory = cox_strdup(value);
		return 0;
	}
	/* The bounds of leveldb itself; beyond them it would silently take another. */
	if (strcmp(key, "write-buffer") == 0)
		return level_size(level, key, value, 64 << 10, 1 << 30, &level->write_buffer, err);
	if (strcmp(key, "cache") == 0)
		return level_size(level, key, value, 0, 1 << 30, &level->cache_size, err);
	return level->host->fail(err, COX_REASON_INVALID, "unknown option %s", key);
}

static int level_config_complete(void *self, struct cox_error *err)
{
	struct level *level = self;

	if (!level->directory)
		return level->host->fail(err, COX_REASON_INVALID, "directory is not set");
	return 0;
}

static void level_make_options(struct level *level)
{
	level->cache = leveldb_cache_create_lru(level->cache_size);
	level->options = leveldb_options_create();
	leveldb_options_set_create_if_missing(level->options, 1);
	leveldb_options_set_paranoid_checks(level->options, 1);
	leveldb_options_set_write_buffer_size(level->options, level->write_buffer);
	leveldb_options_set_cache(level->options, level->cache);
	leveldb_options_set_max_open_files(level->options, 74);
	level->read = leveldb_readoptions_create();
	leveldb_readoptions_set_verify_checksums(level->read, 1);
	level->read_once = leveldb_readoptions_create();
	leveldb_readoptions_set_verify_checksums(level->read_once, 1);
	leveldb_readoptions_set_fill_cache(level->read_once, 0);
	level->write = leveldb_writeoptions_create();
	level->write_sync = leveldb_writeoptions_create();
	leveldb_writeoptions_set_sync(level->write_sync, 1);
}

/*
 * The first revision of this life. After an orderly stop it goes on where it
 * ended; after any other it begins above all that may have been given out, and
 * what a client saw between is told to be lost. After a restore nothing that a
 * client knows is to be trusted.
 */
static int level_begin(struct level *level, struct cox_error *err)
{
	struct state state = level->state;
	struct fault fault = {0};
	struct batch batch;

	if (state.copy) {
		state.revision = state.limit + RESTORE_JUMP;
		state.compacted = state.cleaned = state.revision;
		state.hole_from = state.hole_to = 0;
	} else if (!state.clean) {
		/* One hole is kept; an older one is closed by forgetting it. */
		if (state.hole_to > state.compacted)
			state.compacted = state.hole_to;
		state.hole_from = state.revision;
		state.hole_to = state.revision = state.limit;
	}
	engine_begin(&level->engine, state.revision, state.compacted, state.clock);
	state.clean = state.copy = false;
	state.clock = engine_clock(&level->engine);
	state.limit = state.revision + REVISION_BLOCK;
	batch_begin(&batch, level, &state);
	if (batch_write(&batch, level, true, &fault))
		return level->host->fail(err, fault.reason, "cannot write to the store %s: %s",
					 level->directory, fault.text);
	return 0;
}

static void level_release(struct level *level)
{
	level_close(level);
	directory_unlock(level);
}

static int level_get_ready(void *self, struct cox_error *err)
{
	struct level *level = self;

	level_make_options(level);
	if (directory_lock(level, err) || level_open(level, err) || level_begin(level, err)) {
		level_release(level);
		return -1;
	}
	return 0;
}

static int level_start(void *self, struct cox_error *err)
{
	struct level *level = self;

	return engine_start(&level->engine, err);
}

static void level_stop(void *self)
{
	struct level *level = self;
	struct state state;
	struct batch batch;
	struct fault fault;

	engine_stop(&level->engine);
	if (level->db && !atomic_load(&level->broken)) {
		/* Failed, the next life reads the records instead. */
		(void)index_write(level, &fault);
		state = level->state;
		state.revision = level->engine.revision;
		state.clean = true;
		state.clock = engine_clock(&level->engine);
		batch_begin(&batch, level, &state);
		/* Without it the next life just begins as after a crash. */
		if (batch_write(&batch, level, true, &fault))
			level->host->log(level->host->context, COX_LOG_WARNING,
					 "%s: cannot note the orderly stop: %s", level->directory,
					 fault.text);
	}
	level_release(level);
}

static void level_destroy(void *self)
{
	struct level *level = self;

	level_release(level);
	if (level->options) {
		leveldb_options_destroy(level->options);
		leveldb_cache_destroy(level->cache);
		leveldb_readoptions_destroy(level->read);
		leveldb_readoptions_destroy(level->read_once);
		leveldb_writeoptions_destroy(level->write);
		leveldb_writeoptions_destroy(level->write_sync);
	}
	engine_free(&level->engine);
	pthread_rwlock_destroy(&level->handle);
	pthread_mutex_destroy(&level->why_lock);
	free(level->directory);
	free(level);
}

static void level_dump(const void *self, struct cox_dump *out)
{
	const struct level *level = self;

	level->host->dump(out, "leveldb_version", "%d.%d", leveldb_major_version(),
			  leveldb_minor_version());
}

static const struct cox_storage_ops level_ops = {.capabilities = level_capabilities,
						 .submit = level_submit,
						 .range = read_range,
						 .watch = level_watch,
						 .watch_cancel = level_watch_cancel,
						 .revision = level_revision,
						 .compact = maintain_compact,
						 .snapshot = maintain_snapshot,
						 .stats = level_stats,
						 .health = level_health};

COX_STORAGE_PLUGIN(level_ops, .name = "leveldb", .version = "1",
		   .thread_model = COX_THREADS_PARALLEL,
		   .description = "keeps everything in a directory of this machine",
		   .options = level_option_table, .create = level_create, .config = level_config,
		   .config_complete = level_config_complete, .get_ready = level_get_ready,
		   .start = level_start, .stop = level_stop, .destroy = level_destroy,
		   .dump = level_dump);
