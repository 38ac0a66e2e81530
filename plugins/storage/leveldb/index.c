/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index: which version of each key is the newest.
 *
 * A record names its key, so the index says nothing that the records do not.
 * The database holds it up to the revision state.indexed; what came since is
 * kept in memory, and read out of the records when a store is opened. It is
 * written out in one batch after a number of writes that grows with the keys.
 *
 * Written with each record, the few bytes of the index would be most of
 * leveldb's work: keys lie all over the range, so that every new table would
 * be merged with the whole index, and records, which only ever come at the
 * end, would be copied along with it.
 */
#include "level.h"

#include <coxswain/kit/alloc.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
	WRITES_MIN = 2048,
	WRITES_MAX = 1 << 16,
	KEYS_PER_WRITE = 16,
	RECORD_BYTES_MAX = 64 << 20 /* to be read when a store is opened */
};

void index_clear(struct level *level)
{
	struct index *index = &level->index;
	const char *key;
	size_t size, at = 0;
	void *version;

	while (cox_map_next(&index->recent, &at, &key, &size, &version))
		free(version);
	cox_map_free(&index->recent);
	*index = (struct index){.recent = COX_MAP_INIT};
}

void index_note(struct level *level, struct cox_bytes key, const struct version *version)
{
	struct index *index = &level->index;
	struct version *known = cox_map_get(&index->recent, key.data, key.size);

	if (!known) {
		known = cox_new(struct version);
		cox_map_put(&index->recent, key.data, key.size, known);
	}
	*known = *version;
	index->writes++;
	index->record_bytes += key.size + version->size;
}

bool index_due(const struct level *level)
{
	uint64_t enough = level->state.keys / KEYS_PER_WRITE;

	if (enough < WRITES_MIN)
		enough = WRITES_MIN;
	if (enough > WRITES_MAX)
		enough = WRITES_MAX;
	return level->index.writes >= enough || level->index.record_bytes >= RECORD_BYTES_MAX;
}

int index_write(struct level *level, struct fault *fault)
{
	cox_autobuf stored = COX_BUF_INIT;
	char bytes[VERSION_SIZE];
	struct state state = level->state;
	struct batch batch;
	const char *key;
	size_t size, at = 0;
	void *version;

	if (level->index.writes == 0)
		return 0;
	state.indexed = state.revision;
	batch_begin(&batch, level, &state);
	while (cox_map_next(&level->index.recent, &at, &key, &size, &version)) {
		cox_buf_clear(&stored);
		cox_buf_char(&stored, 'v');
		cox_buf_add(&stored, key, size);
		version_encode(version, bytes);
		batch_put(&batch, (struct cox_bytes){stored.data, stored.size},
			  (struct cox_bytes){bytes, sizeof(bytes)});
	}
	if (batch_write(&batch, level, false, fault))
		return -1;
	index_clear(level);
	return 0;
}

int index_load(struct level *level, struct cox_error *err)
{
	leveldb_iterator_t *records = leveldb_create_iterator(level->db, level->read_once);
	char from[RECORD_KEY_SIZE], *failed = NULL;
	struct version version = {0};
	struct fault fault;
	bool sense = true;

	record_key(level->state.indexed + 1, 0, from);
	for (leveldb_iter_seek(records, from, sizeof(from)); leveldb_iter_valid(records);
	     leveldb_iter_next(records)) {
		struct record record;
		size_t size;
		const char *data = leveldb_iter_key(records, &size);

		if (record_key_decode(data, size, &version.revision, &version.index))
			break;
		data = leveldb_iter_value(records, &size);
		sense = record_decode(data, size, &record) == 0;
		if (!sense)
			break;
		version.tag = record.tag;
		version.size = record.value.size;
		version.expires = record.expires;
		version.deleted = record.deleted;
		index_note(level, record.key, &version);
	}
	leveldb_iter_get_error(records, &failed);
	leveldb_iter_destroy(records);
	if (failed) {
		fault_from(&fault, failed, COX_REASON_STORE_READ_ERROR);
		return directory_damaged(level, err, "%s", fault.text);
	}
	if (!sense)
		return directory_damaged(level, err,
					 "the record of revision %" PRIu64 " makes no sense",
					 version.revision);
	return 0;
}

/*
 * Lookups go through an iterator that lives from one batch to the next. By
 * leveldb_get they would cost far more than they look: it counts a read that
 * asks more than one table against the first of them, and merges that table
 * with the next level after some hundred, whether there is anything to merge.
 */
int index_lookup(void *self, struct cox_bytes key, struct version *version, struct fault *fault)
{
	struct level *level = self;
	const struct version *recent = cox_map_get(&level->index.recent, key.data, key.size);
	char stored[1 + COX_STORAGE_KEY_MAX], *failed = NULL;
	const char *found;
	size_t size;

	*version = recent ? *recent : (struct version){0};
	if (recent)
		return 0;
	if (!level->db) {
		fault_set(fault, COX_REASON_SERVICE_UNAVAILABLE, "the store is closed");
		return -1;
	}
	if (!level->lookups)
		level->lookups = leveldb_create_iterator(level->db, level->read);
	stored[0] = 'v';
	memcpy(stored + 1, key.data, key.size);
	leveldb_iter_seek(level->lookups, stored, key.size + 1);
	leveldb_iter_get_error(level->lookups, &failed);
	if (failed) {
		fault_from(fault, failed, COX_REASON_STORE_READ_ERROR);
		return -1;
	}
	if (!leveldb_iter_valid(level->lookups))
		return 0;
	found = leveldb_iter_key(level->lookups, &size);
	if (size != key.size + 1 || memcmp(found, stored, size) != 0)
		return 0;
	found = leveldb_iter_value(level->lookups, &size);
	if (version_decode(found, size, version) == 0)
		return 0;
	fault_set(fault, COX_REASON_STORE_READ_ERROR, "the version of a key makes no sense");
	return -1;
}

void index_forget_lookups(struct level *level)
{
	if (level->lookups)
		leveldb_iter_destroy(level->lookups);
	level->lookups = NULL;
}

/* Walks */

static int compare_recent(const void *left, const void *right)
{
	const struct recent *a = left, *b = right;

	return bytes_compare((struct cox_bytes){a->key.data, a->key.size},
			     (struct cox_bytes){b->key.data, b->key.size});
}

void walk_begin(struct walk *walk, const struct level *level, const struct key_range *range)
{
	const char *key;
	size_t size, at = 0;
	void *version;

	*walk = (struct walk){.range = *range};
	while (cox_map_next(&level->index.recent, &at, &key, &size, &version)) {
		struct recent recent = {.version = *(const struct version *)version};

		if (!range_holds(range, (struct cox_bytes){key, size}))
			continue;
		cox_buf_add(&recent.key, key, size);
		cox_vec_push(&walk->recent, recent);
	}
	if (walk->recent.count)
		qsort(walk->recent.items, walk->recent.count, sizeof(*walk->recent.items),
		      compare_recent);
}

void walk_end(struct walk *walk)
{
	for (size_t i = 0; i < walk->recent.count; i++)
		cox_buf_free(&walk->recent.items[i].key);
	cox_vec_free(&walk->recent);
	if (walk->stored)
		leveldb_iter_destroy(walk->stored);
	walk->stored = NULL;
}

void walk_open(struct walk *walk, const struct level *level, const leveldb_readoptions_t *options)
{
	cox_autobuf start = COX_BUF_INIT;

	walk->stored = leveldb_create_iterator(level->db, options);
	cox_buf_char(&start, 'v');
	if (walk->range.start.size)
		cox_buf_add(&start, walk->range.start.data, walk->range.start.size);
	leveldb_iter_seek(walk->stored, start.data, start.size);
}

/* The key that the database has next; false: no more in the range. */
static bool stored_key(const struct walk *walk, struct cox_bytes *key)
{
	const char *data;
	size_t size;

	if (!leveldb_iter_valid(walk->stored))
		return false;
	data = leveldb_iter_key(walk->stored, &size);
	*key = (struct cox_bytes){data + 1, size - 1};
	return size > 1 && data[0] == 'v' && range_before_end(&walk->range, *key);
}

static int take_stored(struct walk *walk, struct cox_bytes key, struct fault *fault)
{
	size_t size;
	const char *data = leveldb_iter_value(walk->stored, &size);

	walk->key = key;
	if (version_decode(data, size, &walk->version) == 0)
		return 1;
	fault_set(fault, COX_REASON_STORE_READ_ERROR, "the version of a key makes no sense");
	return -1;
}

int walk_next(struct walk *walk, struct fault *fault)
{
	const struct recent *recent = NULL;
	struct cox_bytes stored;
	char *failed = NULL;
	bool more;
	int order;

	if (walk->on_stored)
		leveldb_iter_next(walk->stored);
	more = stored_key(walk, &stored);
	leveldb_iter_get_error(walk->stored, &failed);
	if (failed) {
		fault_from(fault, failed, COX_REASON_STORE_READ_ERROR);
		return -1;
	}
	if (walk->at < walk->recent.count)
		recent = &walk->recent.items[walk->at];
	order = !recent ? -1
		: !more ? 1
			: bytes_compare(stored,
					(struct cox_bytes){recent->key.data, recent->key.size});
	walk->on_stored = more && order <= 0;
	if (order < 0)
		return more ? take_stored(walk, stored, fault) : 0;
	walk->at++;
	walk->key = (struct cox_bytes){recent->key.data, recent->key.size};
	walk->version = recent->version;
	return 1;
}
