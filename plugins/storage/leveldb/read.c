/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading. A range is read through a leveldb snapshot and names one revision;
 * newer versions that the snapshot already has are stepped over along the
 * records' links to the versions before them. Compaction first says what it
 * forgets and then removes it, so a snapshot taken before a look at the compact
 * revision has everything since.
 */
#include "level.h"

#include <coxswain/kit/alloc.h>
#include <inttypes.h>

int read_enter(struct level *level, struct cox_error *err)
{
	pthread_rwlock_rdlock(&level->handle);
	if (level->db)
		return 0;
	pthread_rwlock_unlock(&level->handle);
	pthread_mutex_lock(&level->why_lock);
	level->host->fail(err, COX_REASON_SERVICE_UNAVAILABLE,
			  "the store %s is closed until it can be opened again: %s",
			  level->directory, level->why.text);
	pthread_mutex_unlock(&level->why_lock);
	level->host->fail_retry_after(err, 1);
	return -1;
}

void read_leave(struct level *level)
{
	pthread_rwlock_unlock(&level->handle);
}

int read_get(struct level *level, const leveldb_readoptions_t *options, struct cox_bytes key,
	     char **value, size_t *size, struct fault *fault)
{
	char *failed = NULL;

	if (!level->db) {
		fault_set(fault, COX_REASON_SERVICE_UNAVAILABLE, "the store is closed");
		return -1;
	}
	*value = leveldb_get(level->db, options, key.data, key.size, size, &failed);
	if (failed) {
		fault_from(fault, failed, COX_REASON_STORE_READ_ERROR);
		return -1;
	}
	return *value != NULL;
}

size_t read_expired(void *self, uint64_t now, struct expired *out, size_t max, uint64_t *next)
{
	struct level *level = self;
	leveldb_iterator_t *endings;
	size_t count = 0;

	*next = 0;
	if (!level->db)
		return 0;
	endings = leveldb_create_iterator(level->db, level->read_once);
	for (leveldb_iter_seek(endings, "t", 1); leveldb_iter_valid(endings);
	     leveldb_iter_next(endings)) {
		uint64_t expires, revision;
		size_t size;
		const char *data = leveldb_iter_key(endings, &size);

		if (ending_key_decode(data, size, &expires, &revision))
			break;
		if (count == max || expires > now) {
			*next = expires;
			break;
		}
		data = leveldb_iter_value(endings, &size);
		cox_buf_add(&out[count].key, data, size);
		out[count++].revision = revision;
	}
	leveldb_iter_destroy(endings);
	return count;
}

/* History, for the hub */

/* Adds the record under the iterator; 1: added or not in the range, 0: enough. */
static int take_record(leveldb_iterator_t *records, uint64_t upto, const struct key_range *range,
		       struct chunk *chunk)
{
	struct record record;
	uint64_t revision;
	uint32_t index;
	size_t size;
	const char *data = leveldb_iter_key(records, &size);

	if (record_key_decode(data, size, &revision, &index) || revision > upto)
		return 0;
	if (chunk_full(chunk) &&
	    chunk->events.items[chunk->events.count - 1].revision != revision) {
		chunk->upto = revision - 1;
		return 0;
	}
	data = leveldb_iter_value(records, &size);
	if (record_decode(data, size, &record))
		return -1;
	if (range_holds(range, record.key))
		chunk_add(chunk, record.deleted ? COX_EVENT_DELETE : COX_EVENT_PUT, record.tag,
			  revision, record.key, record.value);
	return 1;
}

int read_history(void *self, uint64_t after, uint64_t upto, const struct key_range *range,
		 struct chunk *chunk)
{
	struct level *level = self;
	char from[RECORD_KEY_SIZE], *failed = NULL;
	leveldb_iterator_t *records;
	uint64_t revision, compacted;
	int took = 1;

	if (read_enter(level, NULL))
		return -1;
	records = leveldb_create_iterator(level->db, level->read_once);
	/* After the iterator: it has all that this look finds not compacted. */
	hub_position(&level->engine.hub, &revision, &compacted);
	chunk->upto = upto;
	record_key(after + 1, 0, from);
	for (leveldb_iter_seek(records, from, sizeof(from));
	     took > 0 && leveldb_iter_valid(records); leveldb_iter_next(records))
		took = take_record(records, upto, range, chunk);
	leveldb_iter_get_error(records, &failed);
	leveldb_iter_destroy(records);
	read_leave(level);
	if (failed || took < 0)
		level->host->log(level->host->context, COX_LOG_ERROR,
				 "%s: the history after revision %" PRIu64 " cannot be read: %s",
				 level->directory, after, failed ? failed : "a bad record");
	took = failed || took < 0 || after < compacted ? -1 : 0;
	leveldb_free(failed);
	return took;
}

/* Ranges */

struct reading {
	struct level *level;
	const leveldb_snapshot_t *snapshot;
	leveldb_readoptions_t *options;
	struct walk walk;
	uint64_t at;
	char *value; /* of the record that was read last */
	struct record record;
	struct fault fault;
};

static int read_record(struct reading *reading, struct cox_bytes key, const struct version *version)
{
	char stored[RECORD_KEY_SIZE];
	size_t size;
	int found;

	free(reading->value);
	reading->value = NULL;
	record_key(version->revision, version->index, stored);
	found = read_get(reading->level, reading->options,
			 (struct cox_bytes){stored, sizeof(stored)}, &reading->value, &size,
			 &reading->fault);
	if (found < 0)
		return -1;
	if (found && record_decode(reading->value, size, &reading->record) == 0 &&
	    bytes_compare(reading->record.key, key) == 0)
		return 0;
	fault_set(&reading->fault, COX_REASON_STORE_READ_ERROR,
		  "the record of revision %" PRIu64 " is missing or is another key's",
		  version->revision);
	return -1;
}

/* Turns `version` into the one of the range's revision. 1: live, 0: absent, -1: fault. */
static int resolve(struct reading *reading, struct cox_bytes key, struct version *version)
{
	while (version->revision > reading->at) {
		if (read_record(reading, key, version))
			return -1;
		version->revision = reading->record.before_revision;
		version->index = reading->record.before_index;
		version->deleted = reading->record.before_deleted;
		/* The record of a deletion before `at` may have been compacted away. */
		if (version->revision == 0)
			return 0;
		version->size = UINT64_MAX; /* and tag: to be read */
	}
	return !version->deleted;
}

/* The entry that the walk is at, if it was there at the revision; as resolve. */
static int read_entry(struct reading *reading, bool keys_only, struct cox_entry *entry)
{
	struct version version = reading->walk.version;
	int live;

	entry->key = reading->walk.key;
	live = resolve(reading, entry->key, &version);
	if (live <= 0)
		return live;
	entry->revision = version.revision;
	entry->tag = version.tag;
	entry->value = (struct cox_bytes){NULL, 0};
	if (keys_only && version.size != UINT64_MAX)
		return 1;
	if (read_record(reading, entry->key, &version))
		return -1;
	entry->tag = reading->record.tag;
	if (!keys_only)
		entry->value = reading->record.value;
	return 1;
}

static int read_entries(struct reading *reading, const struct cox_range *range,
			const struct cox_call *call, const struct cox_range_sink *sink,
			struct cox_range_result *result, struct cox_error *err)
{
	const struct cox_host *host = reading->level->host;
	bool keys_only = (range->flags & COX_RANGE_KEYS_ONLY) != 0, enough = false;
	uint64_t sent = 0;
	int got;

	while ((got = walk_next(&reading->walk, &reading->fault)) > 0) {
		struct cox_entry entry = {0};

		got = read_entry(reading, keys_only, &entry);
		if (got < 0)
			break;
		if (got == 0)
			continue;
		if (enough || (range->limit && sent == range->limit)) {
			result->more = 1;
			break;
		}
		sent++;
		enough = sink->entry(sink, &entry) != 0;
		if ((sent & 255) == 0 && call && host->cancelled(call))
			return host->fail(err, COX_REASON_TIMEOUT, "the range was cancelled");
	}
	return got < 0 ? host->fail(err, reading->fault.reason, "%s", reading->fault.text) : 0;
}

/* Takes the snapshot, then makes sure that the revision is in it. */
static int begin_reading(struct reading *reading, const struct cox_range *range,
			 struct cox_error *err)
{
	struct level *level = reading->level;
	const struct key_range keys = {range->start, range->end};
	uint64_t revision, compacted;

	reading->at = range->at_revision;
	if (engine_check_at(&level->engine, &reading->at, err))
		return -1;
	pthread_mutex_lock(&level->engine.write);
	reading->snapshot = leveldb_create_snapshot(level->db);
	walk_begin(&reading->walk, level, &keys);
	pthread_mutex_unlock(&level->engine.write);
	hub_position(&level->engine.hub, &revision, &compacted);
	if (reading->at < compacted && range->at_revision == 0) {
		/* Overtaken between the two looks: the newest will do as well. */
		leveldb_release_snapshot(level->db, reading->snapshot);
		reading->snapshot = NULL;
		walk_end(&reading->walk);
		return begin_reading(reading, range, err);
	}
	if (reading->at < compacted)
		return level->host->fail(err, COX_REASON_EXPIRED,
					 "revision %" PRIu64 " has been compacted", reading->at);
	return 0;
}

int read_range(void *self, const struct cox_call *call, const struct cox_range *range,
	       const struct cox_range_sink *sink, struct cox_range_result *result,
	       struct cox_error *err)
{
	struct level *level = self;
	struct reading reading = {.level = level};
	int failed;

	if (read_enter(level, err))
		return -1;
	result->more = 0;
	failed = begin_reading(&reading, range, err);
	if (!failed) {
		result->revision = reading.at;
		reading.options = leveldb_readoptions_create();
		leveldb_readoptions_set_verify_checksums(reading.options, 1);
		leveldb_readoptions_set_fill_cache(reading.options, 0);
		leveldb_readoptions_set_snapshot(reading.options, reading.snapshot);
		walk_open(&reading.walk, level, reading.options);
		failed = read_entries(&reading, range, call, sink, result, err);
		leveldb_readoptions_destroy(reading.options);
	}
	walk_end(&reading.walk);
	free(reading.value);
	if (reading.snapshot)
		leveldb_release_snapshot(level->db, reading.snapshot);
	read_leave(level);
	return failed;
}
