/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The storage plugin "memory": a store that ends with its process, for tests,
 * trials and clusters that need not survive a restart.
 *
 * An item is one version of a key, immutable but for its count of holders and
 * the link to the version before it. The index maps a key to its newest item;
 * the history holds every item since the compact revision in order. Readers
 * gather counted items under memory.lock and call their sinks after letting it
 * go.
 */
#include "../common/engine.h"
#include "index.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/storage.h>
#include <stdatomic.h>

struct item {
	_Atomic uint32_t holders;
	struct version version;
	struct item *before; /* held; cut off by compaction */
	size_t key_size;
	unsigned char bytes[]; /* the key, then the value */
};

/* A key's place in the order of endings. */
struct ending {
	unsigned char key[20];
};

struct memory {
	const struct cox_host *host;
	struct engine engine;
	pthread_mutex_t lock;		/* guards what follows; inside engine.write */
	struct index keys;		/* to the newest item, held */
	struct index endings;		/* to the same item, not held */
	COX_VEC(struct item *) history; /* held */
	size_t history_start;		/* items before it have been compacted away */
	uint64_t compacted;
	uint64_t live_keys, live_bytes;
};

typedef COX_VEC(struct item *) item_list;

static struct cox_bytes memory_item_key(const struct item *item)
{
	return (struct cox_bytes){item->bytes, item->key_size};
}

static struct cox_bytes memory_item_value(const struct item *item)
{
	return (struct cox_bytes){item->bytes + item->key_size, item->version.size};
}

static struct item *memory_hold(struct item *item)
{
	atomic_fetch_add_explicit(&item->holders, 1, memory_order_relaxed);
	return item;
}

static void memory_release(struct item *item)
{
	/* A loop, since a chain of versions may be long. */
	while (item && atomic_fetch_sub_explicit(&item->holders, 1, memory_order_acq_rel) == 1) {
		struct item *before = item->before;

		free(item);
		item = before;
	}
}

static struct item *memory_item(const struct change *change)
{
	struct item *item = cox_alloc(sizeof(*item) + change->key.size + change->value.size);

	*item = (struct item){.version = change->now, .key_size = change->key.size};
	atomic_init(&item->holders, 1);
	memcpy(item->bytes, change->key.data, change->key.size);
	if (change->value.size)
		memcpy(item->bytes + change->key.size, change->value.data, change->value.size);
	return item;
}

static void memory_big_endian(unsigned char *out, uint64_t number, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		out[i] = (unsigned char)(number >> (8 * (size - 1 - i)));
}

static struct cox_bytes memory_ending(struct ending *ending, const struct version *version)
{
	memory_big_endian(ending->key, version->expires, 8);
	memory_big_endian(ending->key + 8, version->revision, 8);
	memory_big_endian(ending->key + 16, version->index, 4);
	return (struct cox_bytes){ending->key, sizeof(ending->key)};
}

/* The backend, called by the engine */

static int memory_lookup(void *self, struct cox_bytes key, struct version *version,
			 struct fault *fault)
{
	struct memory *memory = self;
	struct item *item;
	cox_lock_scope(&memory->lock);

	(void)fault;
	item = index_get(&memory->keys, key);
	*version = item ? item->version : (struct version){0};
	return 0;
}

static void memory_account(struct memory *memory, const struct change *change)
{
	if (change->before.revision && !change->before.deleted) {
		memory->live_keys--;
		memory->live_bytes -= change->before.size;
	}
	if (!change->now.deleted) {
		memory->live_keys++;
		memory->live_bytes += change->now.size;
	}
}

static void memory_change(struct memory *memory, const struct change *change)
{
	struct item *item = memory_item(change);
	struct item **slot = (struct item **)index_slot(&memory->keys, change->key);
	struct ending ending;

	if (*slot && (*slot)->version.expires)
		index_remove(&memory->endings, memory_ending(&ending, &(*slot)->version));
	item->before = *slot; /* takes the index's hold over */
	*slot = item;
	if (item->version.expires)
		*index_slot(&memory->endings, memory_ending(&ending, &item->version)) = item;
	cox_vec_push(&memory->history, memory_hold(item));
	memory_account(memory, change);
}

static int memory_apply(void *self, const struct change *changes, size_t count, bool durable,
			struct fault *fault)
{
	struct memory *memory = self;
	cox_lock_scope(&memory->lock);

	(void)durable;
	(void)fault;
	for (size_t i = 0; i < count; i++)
		memory_change(memory, &changes[i]);
	return 0;
}

static size_t memory_expired(void *self, uint64_t now, struct expired *out, size_t max,
			     uint64_t *next)
{
	struct memory *memory = self;
	struct index_node *node;
	size_t count = 0;
	cox_lock_scope(&memory->lock);

	*next = 0;
	for (node = memory->endings.heads[0]; node; node = node->next[0]) {
		const struct item *item = node->value;

		if (count == max || item->version.expires > now) {
			*next = item->version.expires;
			break;
		}
		cox_buf_add(&out[count].key, item->bytes, item->key_size);
		out[count++].revision = item->version.revision;
	}
	return count;
}

static const struct backend memory_backend = {
	.lookup = memory_lookup, .apply = memory_apply, .expired = memory_expired};

/* The first position in the history with a revision greater than `after`. */
static size_t memory_history_at(const struct memory *memory, uint64_t after)
{
	size_t low = memory->history_start, high = memory->history.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memory->history.items[middle]->version.revision > after)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* For the hub. */
static int memory_history(void *self, uint64_t after, uint64_t upto, const struct key_range *range,
			  struct chunk *chunk)
{
	struct memory *memory = self;
	size_t at;
	cox_lock_scope(&memory->lock);

	if (after < memory->compacted)
		return -1;
	chunk->upto = upto;
	for (at = memory_history_at(memory, after); at < memory->history.count; at++) {
		const struct item *item = memory->history.items[at];

		if (item->version.revision > upto)
			break;
		if (chunk_full(chunk) &&
		    item->version.revision !=
			    chunk->events.items[chunk->events.count - 1].revision) {
			chunk->upto = item->version.revision - 1;
			break;
		}
		if (range_holds(range, memory_item_key(item)))
			chunk_add(chunk, item->version.deleted ? COX_EVENT_DELETE : COX_EVENT_PUT,
				  item->version.tag, item->version.revision, memory_item_key(item),
				  memory_item_value(item));
	}
	return 0;
}

/* Operations */

static uint32_t memory_capabilities(void *self)
{
	(void)self;
	return COX_STORAGE_AT_REVISION | COX_STORAGE_TTL | COX_STORAGE_PROGRESS;
}

static int memory_submit(void *self, const struct cox_call *call, const struct cox_txn *txns,
			 size_t count, const struct cox_txn_sink *sink, struct cox_error *err)
{
	struct memory *memory = self;

	(void)call;
	(void)err;
	return engine_submit(&memory->engine, txns, count, sink);
}

/* Gathers held items of the range as of `at`; one more than the limit says more. */
static int memory_gather(struct memory *memory, const struct cox_range *range, uint64_t at,
			 uint64_t max, item_list *items, struct cox_error *err)
{
	const struct key_range keys = {range->start, range->end};
	cox_lock_scope(&memory->lock);

	if (at < memory->compacted)
		return memory->host->fail(err, COX_REASON_EXPIRED,
					  "revision %llu has been compacted",
					  (unsigned long long)at);
	for (struct index_node *node = index_seek(&memory->keys, range->start);
	     node && range_before_end(&keys, index_key(node)) && items->count < max;
	     node = node->next[0]) {
		struct item *item = node->value;

		while (item && item->version.revision > at)
			item = item->before;
		if (item && !item->version.deleted)
			cox_vec_push(items, memory_hold(item));
	}
	return 0;
}

static int memory_range(void *self, const struct cox_call *call, const struct cox_range *range,
			const struct cox_range_sink *sink, struct cox_range_result *result,
			struct cox_error *err)
{
	struct memory *memory = self;
	uint64_t at = range->at_revision;
	size_t wanted = range->limit && range->limit < SIZE_MAX ? range->limit : SIZE_MAX;
	item_list items = {0};
	bool enough = false;
	size_t sent;

	(void)call;
	if (engine_check_at(&memory->engine, &at, err) ||
	    memory_gather(memory, range, at, wanted == SIZE_MAX ? wanted : wanted + 1, &items,
			  err)) {
		cox_vec_free(&items);
		return -1;
	}
	for (sent = 0; sent < items.count && sent < wanted && !enough; sent++) {
		const struct item *item = items.items[sent];
		struct cox_entry entry = {.key = memory_item_key(item),
					  .revision = item->version.revision,
					  .tag = item->version.tag};

		if (!(range->flags & COX_RANGE_KEYS_ONLY))
			entry.value = memory_item_value(item);
		enough = sink->entry(sink, &entry) != 0;
	}
	result->revision = at;
	result->more = sent < items.count;
	for (size_t i = 0; i < items.count; i++)
		memory_release(items.items[i]);
	cox_vec_free(&items);
	return 0;
}

static void *memory_watch(void *self, const struct cox_call *call, struct cox_bytes start,
			  struct cox_bytes end, uint64_t after, const struct cox_watch_sink *sink,
			  struct cox_error *err)
{
	struct memory *memory = self;
	const struct key_range range = {start, end};

	(void)call;
	return hub_watch(&memory->engine.hub, &range, after, sink, err);
}

static void memory_watch_cancel(void *self, void *watch)
{
	struct memory *memory = self;

	hub_cancel(&memory->engine.hub, watch);
}

static uint64_t memory_revision(void *self, const struct cox_call *call, struct cox_error *err)
{
	struct memory *memory = self;
	uint64_t revision, compacted;

	(void)call;
	(void)err;
	hub_position(&memory->engine.hub, &revision, &compacted);
	return revision;
}

/* A compacted item needs nothing before it; a key that it deletes can go. */
static void memory_forget(struct memory *memory, struct item *item)
{
	memory_release(item->before);
	item->before = NULL;
	if (item->version.deleted && index_get(&memory->keys, memory_item_key(item)) == item) {
		index_remove(&memory->keys, memory_item_key(item));
		memory_release(item); /* the index's hold */
	}
	memory_release(item); /* the history's */
}

/* Forgets a few items; false: that was all. */
static bool memory_compact_step(struct memory *memory, uint64_t revision)
{
	size_t left = 1024;
	bool more = true;
	cox_lock_scope(&memory->lock);

	while (more && left-- > 0) {
		struct item *item;

		more = memory->history_start < memory->history.count &&
		       memory->history.items[memory->history_start]->version.revision <= revision;
		if (!more)
			break;
		item = memory->history.items[memory->history_start++];
		memory_forget(memory, item);
	}
	/* Moves what is left to the front once half of the array is empty. */
	if (memory->history_start * 2 > memory->history.count) {
		memory->history.count -= memory->history_start;
		memmove(memory->history.items, memory->history.items + memory->history_start,
			memory->history.count * sizeof(struct item *));
		memory->history_start = 0;
	}
	return more;
}

static int memory_compact(void *self, const struct cox_call *call, uint64_t revision,
			  struct cox_error *err)
{
	struct memory *memory = self;
	int due;

	(void)call;
	pthread_mutex_lock(&memory->engine.write);
	due = engine_check_compact(&memory->engine, revision, err);
	if (due > 0) {
		hub_compact(&memory->engine.hub, revision);
		pthread_mutex_lock(&memory->lock);
		memory->compacted = revision;
		pthread_mutex_unlock(&memory->lock);
	}
	pthread_mutex_unlock(&memory->engine.write);
	if (due <= 0)
		return due;
	while (memory_compact_step(memory, revision))
		;
	return 0;
}

static int memory_stats(void *self, struct cox_storage_stats *stats, struct cox_error *err)
{
	struct memory *memory = self;

	(void)err;
	hub_position(&memory->engine.hub, &stats->revision, &stats->compact_revision);
	pthread_mutex_lock(&memory->lock);
	stats->keys = memory->live_keys;
	stats->value_bytes = memory->live_bytes;
	pthread_mutex_unlock(&memory->lock);
	stats->disk_bytes = 0;
	return 0;
}

static int memory_health(void *self, const struct cox_call *call, struct cox_error *err)
{
	(void)self;
	(void)call;
	(void)err;
	return 0;
}

/* Life */

static void *memory_create(const struct cox_host *host, struct cox_error *err)
{
	struct memory *memory = cox_new(struct memory);

	(void)err;
	memory->host = host;
	pthread_mutex_init(&memory->lock, NULL);
	index_init(&memory->keys);
	index_init(&memory->endings);
	engine_init(&memory->engine, host, &memory_backend, memory, memory_history);
	return memory;
}

/*
 * Each life starts above all earlier ones, so that a client that comes back
 * with a revision from before the restart is told that it has expired, rather
 * than given the wrong events. A second counts for almost a million, more than
 * can be used; 2^53, the largest integer that every client can hold, is three
 * hundred years away.
 */
static int memory_get_ready(void *self, struct cox_error *err)
{
	struct memory *memory = self;
	uint64_t now = memory->host->realtime_ns(), epoch = UINT64_C(1700000000000000000);
	uint64_t revision = now > epoch ? (now - epoch) >> 10 : 1;

	(void)err;
	memory->compacted = revision;
	engine_begin(&memory->engine, revision, revision, 0);
	return 0;
}

static int memory_start(void *self, struct cox_error *err)
{
	struct memory *memory = self;

	return engine_start(&memory->engine, err);
}

static void memory_stop(void *self)
{
	struct memory *memory = self;

	engine_stop(&memory->engine);
}

static void memory_destroy(void *self)
{
	struct memory *memory = self;

	for (size_t i = memory->history_start; i < memory->history.count; i++)
		memory_release(memory->history.items[i]);
	cox_vec_free(&memory->history);
	for (struct index_node *node = memory->keys.heads[0]; node; node = node->next[0])
		memory_release(node->value);
	index_free(&memory->keys);
	index_free(&memory->endings);
	engine_free(&memory->engine);
	pthread_mutex_destroy(&memory->lock);
	free(memory);
}

static const struct cox_storage_ops memory_ops = {.capabilities = memory_capabilities,
						  .submit = memory_submit,
						  .range = memory_range,
						  .watch = memory_watch,
						  .watch_cancel = memory_watch_cancel,
						  .revision = memory_revision,
						  .compact = memory_compact,
						  .stats = memory_stats,
						  .health = memory_health};

COX_STORAGE_PLUGIN(memory_ops, .name = "memory", .version = "1",
		   .thread_model = COX_THREADS_PARALLEL,
		   .description = "keeps everything in memory; ends with the process",
		   .create = memory_create, .get_ready = memory_get_ready, .start = memory_start,
		   .stop = memory_stop, .destroy = memory_destroy);
