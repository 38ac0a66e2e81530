/* SPDX-License-Identifier: Apache-2.0 */
/* The fake storage plugin: a sorted array and a log of events. */
#include "fake_storage.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <string.h>

static int compare(struct cox_bytes a, struct cox_bytes b)
{
	size_t shorter = a.size < b.size ? a.size : b.size;
	int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

static struct cox_bytes copy(struct cox_bytes bytes)
{
	char *data = cox_alloc(bytes.size + 1);

	if (bytes.size > 0)
		memcpy(data, bytes.data, bytes.size);
	data[bytes.size] = '\0';
	return (struct cox_bytes){data, bytes.size};
}

static void release(struct fake_value *value)
{
	free((void *)(uintptr_t)value->key.data);
	free((void *)(uintptr_t)value->value.data);
}

static size_t place(struct fake *fake, struct cox_bytes key, bool *found)
{
	size_t low = 0, high = fake->values.count;

	*found = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare(fake->values.items[middle].key, key);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint64_t revision_of(struct fake *fake, struct cox_bytes key)
{
	bool found;
	size_t at = place(fake, key, &found);

	return found ? fake->values.items[at].revision : 0;
}

static void log_event(struct fake *fake, uint32_t type, const struct fake_value *value)
{
	struct fake_event event = {.type = type, .revision = fake->revision};

	if (value) {
		event.value = *value;
		event.value.key = copy(value->key);
		event.value.value = copy(value->value);
	}
	cox_vec_push(&fake->log, event);
}

static void put(struct fake *fake, struct cox_bytes key, struct cox_bytes bytes, uint32_t tag)
{
	struct fake_value value = {copy(key), copy(bytes), fake->revision, tag};
	bool found;
	size_t at = place(fake, key, &found);

	if (found) {
		release(&fake->values.items[at]);
	} else {
		cox_vec_push(&fake->values, value);
		memmove(&fake->values.items[at + 1], &fake->values.items[at],
			(fake->values.count - 1 - at) * sizeof(value));
	}
	fake->values.items[at] = value;
	log_event(fake, COX_EVENT_PUT, &value);
}

static bool remove_value(struct fake *fake, struct cox_bytes key)
{
	bool found;
	size_t at = place(fake, key, &found);
	struct fake_value gone = {.key = key};

	if (!found)
		return false;
	log_event(fake, COX_EVENT_DELETE, &gone);
	release(&fake->values.items[at]);
	fake->values.count--;
	memmove(&fake->values.items[at], &fake->values.items[at + 1],
		(fake->values.count - at) * sizeof(gone));
	return true;
}

static void end_revision(struct fake *fake)
{
	log_event(fake, COX_EVENT_COMMIT, NULL);
	pthread_cond_broadcast(&fake->changed);
}

/* Delivers the log, one event at a time, without the lock. */
static void *pump(void *argument)
{
	struct fake *fake = argument;

	pthread_mutex_lock(&fake->lock);
	while (!fake->stop) {
		const struct cox_watch_sink *sink = fake->sink;
		struct cox_watch_event told = {0};

		if (sink && fake->lose) {
			told.type = COX_EVENT_LOST;
			told.revision = fake->revision;
			fake->lose = false;
			fake->sink = NULL;
		} else if (sink && !fake->hold_events && fake->delivered < fake->log.count &&
			   fake->overtake > 0) {
			told.type = COX_EVENT_PROGRESS;
			told.revision = fake->log.items[fake->delivered].revision;
			fake->overtake--;
		} else if (sink && !fake->hold_events && fake->delivered < fake->log.count) {
			const struct fake_event *event = &fake->log.items[fake->delivered++];

			told = (struct cox_watch_event){event->type, event->value.tag,
							event->revision, event->value.key,
							event->value.value};
		} else {
			pthread_cond_wait(&fake->changed, &fake->lock);
			continue;
		}
		fake->delivering = true;
		pthread_mutex_unlock(&fake->lock);
		sink->event(sink, &told);
		pthread_mutex_lock(&fake->lock);
		fake->delivering = false;
		pthread_cond_broadcast(&fake->changed);
	}
	pthread_mutex_unlock(&fake->lock);
	return NULL;
}

static uint32_t fake_capabilities(void *self)
{
	return ((struct fake *)self)->capabilities;
}

/* One transaction; the lock is held. */
static void execute(struct fake *fake, const struct cox_txn *txn, enum cox_txn_result *result,
		    uint64_t *revision, size_t *index)
{
	bool changed = false;

	for (size_t i = 0; i < txn->compare_count; i++) {
		*revision = revision_of(fake, txn->compares[i].key);
		*index = i;
		*result = COX_TXN_CONFLICT;
		if (*revision != txn->compares[i].revision)
			return;
	}
	*result = COX_TXN_COMMITTED;
	for (size_t i = 0; i < txn->delete_count; i++)
		changed |= revision_of(fake, txn->deletes[i]) != 0;
	if (txn->put_count > 0 || changed) {
		fake->revision++;
		for (size_t i = 0; i < txn->put_count; i++)
			put(fake, txn->puts[i].key, txn->puts[i].value, txn->puts[i].tag);
		for (size_t i = 0; i < txn->delete_count; i++)
			remove_value(fake, txn->deletes[i]);
		end_revision(fake);
	}
	*revision = fake->revision;
}

static void look_at_batch(struct fake *fake, const struct cox_txn *txns, size_t n)
{
	fake->batches++;
	if (n > fake->largest_batch)
		fake->largest_batch = n;
	fake->first_lease_at = -1;
	for (size_t i = n; i-- > 0;)
		if (txns[i].put_count > 0 &&
		    memmem(txns[i].puts[0].key.data, txns[i].puts[0].key.size, "lease", 5))
			fake->first_lease_at = (int)i;
}

static int fake_submit(void *self, const struct cox_call *call, const struct cox_txn *txns,
		       size_t n, const struct cox_txn_sink *sink, struct cox_error *err)
{
	struct fake *fake = self;

	(void)call;
	pthread_mutex_lock(&fake->lock);
	fake->submitting++;
	pthread_cond_broadcast(&fake->changed);
	while (fake->hold_submit && !fake->stop)
		pthread_cond_wait(&fake->changed, &fake->lock);
	look_at_batch(fake, txns, n);
	if (fake->fail_batches > 0) {
		fake->fail_batches--;
		pthread_mutex_unlock(&fake->lock);
		return error_set(err, COX_REASON_INSUFFICIENT_STORAGE, "the disk is full");
	}
	pthread_mutex_unlock(&fake->lock);
	for (size_t i = 0; i < n; i++) {
		enum cox_txn_result result = COX_TXN_UNKNOWN;
		uint64_t revision = 0;
		size_t index = 0;

		pthread_mutex_lock(&fake->lock);
		if (fake->unknown_undone > 0) {
			fake->unknown_undone--;
		} else {
			execute(fake, &txns[i], &result, &revision, &index);
			if (fake->unknown_done > 0) {
				fake->unknown_done--;
				result = COX_TXN_UNKNOWN;
				revision = 0;
			}
		}
		pthread_mutex_unlock(&fake->lock);
		sink->done(sink, txns[i].cookie, result, revision, index,
			   result == COX_TXN_UNKNOWN ? COX_REASON_TIMEOUT : COX_REASON_NONE,
			   result == COX_TXN_UNKNOWN ? "the server went away" : NULL);
	}
	return 0;
}

/* Each key's last event up to the revision, in the order of the log: keys come once. */
static void range_past(struct fake *fake, const struct cox_range *range,
		       const struct cox_range_sink *sink)
{
	for (size_t i = 0; i < fake->log.count; i++) {
		const struct fake_event *event = &fake->log.items[i];
		struct cox_entry entry = {event->value.key, event->value.value, event->revision,
					  event->value.tag, 0};
		bool last = event->type == COX_EVENT_PUT && event->revision <= range->at_revision;

		for (size_t k = i + 1; last && k < fake->log.count; k++)
			if (fake->log.items[k].revision <= range->at_revision &&
			    compare(fake->log.items[k].value.key, event->value.key) == 0)
				last = false;
		if (last)
			sink->entry(sink, &entry);
	}
}

static int fake_range(void *self, const struct cox_call *call, const struct cox_range *range,
		      const struct cox_range_sink *sink, struct cox_range_result *result,
		      struct cox_error *err)
{
	struct fake *fake = self;

	(void)call;
	cox_lock_scope(&fake->lock);
	fake->ranges++;
	if (fake->fail_ranges > 0) {
		fake->fail_ranges--;
		return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "the server went away");
	}
	result->revision = fake->revision;
	if (range->at_revision) {
		result->revision = range->at_revision;
		range_past(fake, range, sink);
		return 0;
	}
	for (size_t i = 0; i < fake->values.count; i++) {
		const struct fake_value *value = &fake->values.items[i];
		struct cox_entry entry = {value->key, value->value, value->revision, value->tag, 0};

		if (compare(value->key, range->start) < 0 || compare(value->key, range->end) >= 0)
			continue;
		if (sink->entry(sink, &entry))
			break;
	}
	return 0;
}

static void *fake_watch(void *self, const struct cox_call *call, struct cox_bytes start,
			struct cox_bytes end, uint64_t after, const struct cox_watch_sink *sink,
			struct cox_error *err)
{
	struct fake *fake = self;

	(void)call;
	(void)start;
	(void)end;
	(void)err;
	cox_lock_scope(&fake->lock);
	fake->watches++;
	fake->delivered = 0;
	while (fake->delivered < fake->log.count &&
	       fake->log.items[fake->delivered].revision <= after)
		fake->delivered++;
	fake->sink = sink;
	pthread_cond_broadcast(&fake->changed);
	return fake;
}

static void fake_watch_cancel(void *self, void *watch)
{
	struct fake *fake = self;

	(void)watch;
	cox_lock_scope(&fake->lock);
	fake->sink = NULL;
	while (fake->delivering)
		pthread_cond_wait(&fake->changed, &fake->lock);
}

static uint64_t fake_newest(void *self, const struct cox_call *call, struct cox_error *err)
{
	(void)call;
	(void)err;
	return fake_revision(self);
}

static int fake_compact(void *self, const struct cox_call *call, uint64_t revision,
			struct cox_error *err)
{
	struct fake *fake = self;

	(void)call;
	(void)err;
	cox_lock_scope(&fake->lock);
	fake->compacted = revision;
	return 0;
}

static int fake_stats(void *self, struct cox_storage_stats *stats, struct cox_error *err)
{
	struct fake *fake = self;

	(void)err;
	cox_lock_scope(&fake->lock);
	stats->keys = fake->values.count;
	stats->revision = fake->revision;
	stats->compact_revision = fake->compacted;
	return 0;
}

static int fake_health(void *self, const struct cox_call *call, struct cox_error *err)
{
	(void)self;
	(void)call;
	(void)err;
	return 0;
}

static const struct cox_storage_ops fake_ops = {
	.capabilities = fake_capabilities,
	.submit = fake_submit,
	.range = fake_range,
	.watch = fake_watch,
	.watch_cancel = fake_watch_cancel,
	.revision = fake_newest,
	.compact = fake_compact,
	.stats = fake_stats,
	.health = fake_health,
};

static void fake_enter(void *context)
{
	struct fake *fake = context;

	cox_lock_scope(&fake->lock);
	fake->entered++;
}

static void fake_leave(void *context)
{
	struct fake *fake = context;

	cox_lock_scope(&fake->lock);
	fake->entered--;
}

struct store_backend fake_backend(struct fake *fake)
{
	return (struct store_backend){&fake_ops, fake, fake_enter, fake_leave, fake};
}

void fake_start(struct fake *fake)
{
	memset(fake, 0, sizeof(*fake));
	fake->revision = 1;
	pthread_mutex_init(&fake->lock, NULL);
	pthread_cond_init(&fake->changed, NULL);
	if (pthread_create(&fake->pump, NULL, pump, fake))
		abort();
}

void fake_stop(struct fake *fake)
{
	fake_set(fake, &fake->stop, true);
	pthread_join(fake->pump, NULL);
	for (size_t i = 0; i < fake->values.count; i++)
		release(&fake->values.items[i]);
	for (size_t i = 0; i < fake->log.count; i++)
		release(&fake->log.items[i].value);
	cox_vec_free(&fake->values);
	cox_vec_free(&fake->log);
	pthread_mutex_destroy(&fake->lock);
	pthread_cond_destroy(&fake->changed);
}

uint64_t fake_put(struct fake *fake, const char *key, const char *value, uint32_t tag)
{
	cox_lock_scope(&fake->lock);
	fake->revision++;
	put(fake, (struct cox_bytes){key, strlen(key)}, (struct cox_bytes){value, strlen(value)},
	    tag);
	end_revision(fake);
	return fake->revision;
}

uint64_t fake_delete(struct fake *fake, const char *key)
{
	cox_lock_scope(&fake->lock);
	fake->revision++;
	remove_value(fake, (struct cox_bytes){key, strlen(key)});
	end_revision(fake);
	return fake->revision;
}

void fake_set(struct fake *fake, bool *string, bool value)
{
	cox_lock_scope(&fake->lock);
	*string = value;
	pthread_cond_broadcast(&fake->changed);
}

uint64_t fake_revision(struct fake *fake)
{
	cox_lock_scope(&fake->lock);
	return fake->revision;
}
