/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The committer: the one thread that writes. While the plugin syncs a batch,
 * the next one gathers in the queue: that is all the grouping there is, and no
 * write waits for company. Results come back from any thread into a list that
 * the committer empties; a result whose revision the stream has not passed yet
 * waits in `awaiting` until it has.
 */
#include "base/clock.h"
#include "base/log.h"
#include "store/internal.h"

#include <coxswain/kit/alloc.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEASE_ROOM = 1024, BATCHES_AHEAD = 4 };

/* One call of submit(); freed with its last result. */
struct batch {
	struct cox_txn_sink sink; /* first */
	struct store *store;
	_Atomic size_t left; /* results, and the call itself */
	struct cox_txn *txns;
	size_t count;
};

/* --- lists --- */

void result_push(struct result_list *list, struct store_txn *txn)
{
	txn->next = NULL;
	txn->previous = list->last;
	if (list->last)
		list->last->next = txn;
	else
		list->first = txn;
	list->last = txn;
}

struct store_txn *result_pop(struct result_list *list)
{
	struct store_txn *txn = list->first;

	if (!txn)
		return NULL;
	list->first = txn->next;
	if (list->first)
		list->first->previous = NULL;
	else
		list->last = NULL;
	return txn;
}

static void result_unlink(struct result_list *list, struct store_txn *txn)
{
	if (txn->previous)
		txn->previous->next = txn->next;
	else
		list->first = txn->next;
	if (txn->next)
		txn->next->previous = txn->previous;
	else
		list->last = txn->previous;
}

/* --- the queue --- */

static size_t txn_bytes(const struct store_txn *txn)
{
	size_t size = 0;

	for (size_t i = 0; i < txn->put_count; i++)
		size += txn->puts[i].key.size + txn->puts[i].value.size;
	for (size_t i = 0; i < txn->delete_count; i++)
		size += txn->deletes[i].size;
	return size;
}

static int check_sizes(const struct store_txn *txn, struct cox_error *err)
{
	for (size_t i = 0; i < txn->put_count; i++)
		if (txn->puts[i].key.size > COX_STORAGE_KEY_MAX ||
		    txn->puts[i].value.size > COX_STORAGE_VALUE_MAX)
			return error_set(err, COX_REASON_ENTITY_TOO_LARGE,
					 "the object is larger than %u bytes",
					 COX_STORAGE_VALUE_MAX);
	return 0;
}

/* Whether there is no room for the transaction; queue_lock held. */
static bool is_full(const struct store *store, const struct store_txn *txn, uint64_t now)
{
	const struct store_options *options = &store->options;
	const struct store_txn *oldest = store->queue[STORE_CLASS_NORMAL].first;
	size_t room = txn->class == STORE_CLASS_LEASE ? LEASE_ROOM : 0;

	if (store->queue_count >= options->queue_count + room ||
	    (room == 0 && store->queue_bytes + txn->bytes > options->queue_bytes))
		return true;
	return room == 0 && oldest && age_of(oldest->queued_ns, now) > options->queue_delay_ns;
}

int store_submit(struct store *store, struct store_txn *txn, struct cox_error *err)
{
	bool full = false, stopping;

	if (check_sizes(txn, err))
		return -1;
	txn->bytes = txn_bytes(txn);
	txn->queued_ns = clock_monotonic();
	txn->reason = COX_REASON_NONE;
	txn->why[0] = '\0';
	txn->index = 0;
	txn->revision = 0;
	pthread_mutex_lock(&store->queue_lock);
	stopping = store->committer_stop;
	if (!stopping)
		full = is_full(store, txn, txn->queued_ns);
	if (!stopping && !full) {
		result_push(&store->queue[txn->class == STORE_CLASS_LEASE], txn);
		store->queue_count++;
		store->queue_bytes += txn->bytes;
		pthread_cond_signal(&store->queue_wake);
	}
	pthread_mutex_unlock(&store->queue_lock);
	if (stopping)
		return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "the store is stopping");
	if (!full)
		return 0;
	atomic_fetch_add(&store->refused, 1);
	error_set(err, COX_REASON_TOO_MANY_REQUESTS,
		  "too many writes are waiting for the store, please try again later");
	if (err)
		err->retry_after = 1;
	return -1;
}

/* --- batches --- */

static void batch_release(struct batch *batch)
{
	if (atomic_fetch_sub(&batch->left, 1) != 1)
		return;
	free(batch->txns);
	free(batch);
}

static void take_result(const struct cox_txn_sink *sink, void *cookie, enum cox_txn_result result,
			uint64_t revision, size_t index, enum cox_reason reason, const char *why)
{
	struct batch *batch = (struct batch *)(uintptr_t)sink;
	struct store *store = batch->store;
	struct store_txn *txn = cookie;

	txn->result = (enum store_result)result;
	txn->revision = revision;
	txn->index = index;
	txn->reason = reason;
	snprintf(txn->why, sizeof(txn->why), "%s", why ? why : "");
	pthread_mutex_lock(&store->queue_lock);
	if (result == COX_TXN_COMMITTED && revision > store->committed_high)
		store->committed_high = revision;
	result_push(&store->results, txn);
	store->outstanding--;
	pthread_cond_signal(&store->queue_wake);
	pthread_mutex_unlock(&store->queue_lock);
	batch_release(batch);
}

/* Moves what fits into one batch; queue_lock held. NULL: nothing waits. */
static struct batch *gather(struct store *store)
{
	struct batch *batch;
	size_t bytes = 0, limit = store->options.batch_count;

	if (store->queue_count == 0)
		return NULL;
	if (limit > store->queue_count)
		limit = store->queue_count;
	batch = cox_new(struct batch);
	batch->store = store;
	batch->sink = (struct cox_txn_sink){sizeof(batch->sink), 0, take_result};
	batch->txns = cox_calloc(limit, sizeof(*batch->txns));
	while (batch->count < limit) {
		struct result_list *queue = &store->queue[STORE_CLASS_LEASE];
		struct store_txn *txn;

		if (!queue->first)
			queue = &store->queue[STORE_CLASS_NORMAL];
		txn = queue->first;
		if (batch->count > 0 && bytes + txn->bytes > store->options.batch_bytes)
			break;
		result_pop(queue);
		bytes += txn->bytes;
		store->queue_count--;
		store->queue_bytes -= txn->bytes;
		txn->visible_at = atomic_load(&store->applied); /* older cannot be ours */
		batch->txns[batch->count++] = (struct cox_txn){
			.compares = txn->compares,
			.compare_count = txn->compare_count,
			.puts = txn->puts,
			.put_count = txn->put_count,
			.deletes = txn->deletes,
			.delete_count = txn->delete_count,
			.durability = txn->durability,
			.cookie = txn,
		};
	}
	store->outstanding += batch->count;
	atomic_init(&batch->left, batch->count + 1);
	return batch;
}

static void submit_batch(struct store *store, struct batch *batch)
{
	struct cox_call call = store_call(store->options.visible_ns);
	cox_autoerror err = COX_ERROR_INIT;
	int failed;

	atomic_fetch_add(&store->batches, 1);
	store_enter(store);
	failed = store->backend.ops->submit(store->backend.self, &call, batch->txns, batch->count,
					    &batch->sink, &err);
	store_leave(store);
	for (size_t i = 0; failed && i < batch->count; i++)
		take_result(&batch->sink, batch->txns[i].cookie, COX_TXN_FAILED, 0, 0,
			    err.reason ? err.reason : COX_REASON_INTERNAL_ERROR, error_text(&err));
	batch_release(batch);
}

/* --- results --- */

struct read_back {
	struct cox_range_sink sink; /* first */
	struct cox_bytes key, value;
	uint64_t revision; /* of the key; 0: absent */
	bool same;
};

static int read_back_entry(const struct cox_range_sink *sink, const struct cox_entry *entry)
{
	struct read_back *read = (struct read_back *)(uintptr_t)sink;

	if (compare_bytes(entry->key, read->key) != 0)
		return 0;
	read->revision = entry->revision;
	read->same = compare_bytes(entry->value, read->value) == 0;
	return 1;
}

static int read_key(struct store *store, struct read_back *read, uint64_t *now)
{
	struct cox_call call = store_call(store->options.visible_ns);
	char *end cox_autofree = cox_alloc(read->key.size + 1);
	struct cox_range range = {.start = read->key, .end = {end, read->key.size + 1}, .limit = 1};
	struct cox_range_result result = {0};
	cox_autoerror err = COX_ERROR_INIT;
	int failed;

	memcpy(end, read->key.data, read->key.size);
	end[read->key.size] = '\0';
	read->sink = (struct cox_range_sink){sizeof(read->sink), 0, read_back_entry};
	store_enter(store);
	failed = store->backend.ops->range(store->backend.self, &call, &range, &read->sink, &result,
					   &err);
	store_leave(store);
	*now = result.revision;
	return failed;
}

/*
 * Nobody knows whether it happened: if all its keys are now as it would have
 * left them, under a revision that did not exist before it was sent, it did.
 * Otherwise it may still come, and only the caller can decide what to do.
 */
static void read_back(struct store *store, struct store_txn *txn)
{
	uint64_t revision = 0, now = 0;

	for (size_t i = 0; i < txn->put_count; i++) {
		struct read_back read = {.key = txn->puts[i].key, .value = txn->puts[i].value};

		if (read_key(store, &read, &now) || !read.same ||
		    read.revision <= txn->visible_at || (revision && revision != read.revision))
			goto unknown;
		revision = read.revision;
	}
	for (size_t i = 0; i < txn->delete_count; i++) {
		struct read_back read = {.key = txn->deletes[i]};

		if (read_key(store, &read, &now) || read.revision != 0)
			goto unknown;
	}
	txn->result = STORE_COMMITTED;
	txn->revision = revision ? revision : now;
	return;
unknown:
	txn->reason = COX_REASON_TIMEOUT;
	if (!txn->why[0])
		snprintf(txn->why, sizeof(txn->why),
			 "the store did not answer; the write may or may not have happened");
}

/* Keeps `awaiting` in the order of revisions; lock held. */
static void await(struct store *store, struct store_txn *txn)
{
	struct result_list *list = &store->awaiting;
	struct store_txn *before = list->last;

	while (before && before->visible_at > txn->visible_at)
		before = before->previous;
	txn->previous = before;
	txn->next = before ? before->next : list->first;
	if (txn->next)
		txn->next->previous = txn;
	else
		list->last = txn;
	if (before)
		before->next = txn;
	else
		list->first = txn;
}

void committer_take_visible(struct store *store, struct result_list *ready)
{
	uint64_t applied = atomic_load(&store->applied);

	while (store->awaiting.first && store->awaiting.first->visible_at <= applied)
		result_push(ready, result_pop(&store->awaiting));
}

void committer_take_late(struct store *store, uint64_t now, struct result_list *late)
{
	struct store_txn *next;

	for (struct store_txn *txn = store->awaiting.first; txn; txn = next) {
		next = txn->next;
		if (age_of(txn->queued_ns, now) < store->options.visible_ns)
			continue;
		result_unlink(&store->awaiting, txn);
		if (txn->result == STORE_COMMITTED) {
			txn->result = STORE_UNKNOWN;
			txn->reason = COX_REASON_TIMEOUT;
			snprintf(txn->why, sizeof(txn->why),
				 "stored at revision %" PRIu64
				 ", but the store's event stream has not come that far",
				 txn->revision);
		}
		result_push(late, txn);
	}
}

void committer_tell(struct store *store, struct result_list *ready)
{
	struct store_txn *txn;

	while ((txn = result_pop(ready))) {
		_Atomic uint64_t *counters[] = {&store->committed, &store->conflicts,
						&store->unknown, &store->failed};

		atomic_fetch_add(counters[txn->result & 3], 1);
		txn->done(txn); /* from here on it may be gone */
	}
}

/* Everything that has a result goes to its caller, or waits for the stream. */
static void settle(struct store *store)
{
	struct result_list results, ready = {0};
	struct store_txn *txn;
	uint64_t high;

	pthread_mutex_lock(&store->queue_lock);
	results = store->results;
	store->results = (struct result_list){0};
	high = store->committed_high;
	pthread_mutex_unlock(&store->queue_lock);
	while ((txn = result_pop(&results))) {
		if (txn->result == STORE_UNKNOWN)
			read_back(store, txn);
		if (txn->result == STORE_UNKNOWN || txn->result == STORE_FAILED) {
			result_push(&ready, txn);
			continue;
		}
		txn->visible_at = txn->revision;
		/* What it conflicted with may be a deletion, whose revision nobody says. */
		if (txn->result == STORE_CONFLICT && high > txn->visible_at)
			txn->visible_at = high;
		pthread_mutex_lock(&store->lock);
		if (txn->visible_at <= atomic_load(&store->applied))
			result_push(&ready, txn);
		else
			await(store, txn);
		pthread_mutex_unlock(&store->lock);
	}
	committer_tell(store, &ready);
}

/* Those that were never handed over; queue_lock held. */
static void refuse_queue(struct store *store)
{
	for (int class = 0; class < 2; class ++) {
		struct store_txn *txn;

		while ((txn = result_pop(&store->queue[class]))) {
			txn->result = STORE_FAILED;
			txn->reason = COX_REASON_SERVICE_UNAVAILABLE;
			snprintf(txn->why, sizeof(txn->why), "the store is stopping");
			result_push(&store->results, txn);
		}
	}
	store->queue_count = store->queue_bytes = 0;
}

void *committer_run(void *argument)
{
	struct store *store = argument;

	for (;;) {
		struct batch *batch = NULL;
		bool over;

		pthread_mutex_lock(&store->queue_lock);
		for (;;) {
			bool ahead =
				store->outstanding >= store->options.batch_count * BATCHES_AHEAD;

			if (store->committer_stop)
				refuse_queue(store);
			else if (!ahead)
				batch = gather(store);
			over = store->committer_stop && store->outstanding == 0;
			if (batch || over || store->results.first)
				break;
			pthread_cond_wait(&store->queue_wake, &store->queue_lock);
		}
		pthread_mutex_unlock(&store->queue_lock);
		if (batch)
			submit_batch(store, batch);
		settle(store);
		if (over)
			return NULL;
	}
}

/* --- blocking --- */

struct waiting_txn {
	struct store_txn txn; /* first: a copy that the store works on */
	pthread_mutex_t lock;
	pthread_cond_t told;
	bool done;
};

static void unblock(struct store_txn *txn)
{
	struct waiting_txn *waiting = (struct waiting_txn *)txn;

	cox_lock_scope(&waiting->lock);
	waiting->done = true;
	pthread_cond_signal(&waiting->told);
}

int store_submit_wait(struct store *store, struct store_txn *txn, struct cox_error *err)
{
	struct waiting_txn waiting = {
		.txn = *txn,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.told = PTHREAD_COND_INITIALIZER,
	};

	waiting.txn.done = unblock;
	if (store_submit(store, &waiting.txn, err))
		return -1;
	pthread_mutex_lock(&waiting.lock);
	while (!waiting.done)
		pthread_cond_wait(&waiting.told, &waiting.lock);
	pthread_mutex_unlock(&waiting.lock);
	pthread_mutex_destroy(&waiting.lock);
	pthread_cond_destroy(&waiting.told);
	waiting.txn.done = txn->done;
	*txn = waiting.txn;
	return 0;
}
