/* SPDX-License-Identifier: Apache-2.0 */
/* The watches of one store; see the header. */
#include "hub.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <signal.h>

struct watch {
	struct hub *hub;
	struct watch *next;
	struct key_range range; /* bytes owned */
	const struct cox_watch_sink *sink;
	pthread_t thread;
	pthread_cond_t wake;
	uint64_t cursor; /* the sink has everything up to here */
	uint64_t told;	 /* the newest revision of a COMMIT or PROGRESS */
	bool touched;	 /* the range may have changed after the cursor */
	bool cancelled;
	struct chunk chunk; /* the thread's own */
};

int quiet_thread(pthread_t *thread, void *(*run)(void *), void *argument)
{
	sigset_t all, saved;
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	failed = pthread_create(thread, NULL, run, argument);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return failed;
}

void hub_init(struct hub *hub, const struct cox_host *host, hub_read *read, void *self)
{
	*hub = (struct hub){.host = host, .read = read, .self = self};
	pthread_mutex_init(&hub->lock, NULL);
}

void hub_free(struct hub *hub)
{
	pthread_mutex_destroy(&hub->lock);
}

void hub_advance(struct hub *hub, uint64_t revision, const struct change *changes, size_t count)
{
	cox_lock_scope(&hub->lock);

	hub->revision = revision;
	for (struct watch *watch = hub->watches; watch; watch = watch->next) {
		for (size_t i = 0; i < count && !watch->touched; i++)
			watch->touched = range_holds(&watch->range, changes[i].key);
		pthread_cond_signal(&watch->wake);
	}
}

void hub_rejoin(struct hub *hub, uint64_t revision)
{
	cox_lock_scope(&hub->lock);

	hub->revision = revision;
	for (struct watch *watch = hub->watches; watch; watch = watch->next) {
		watch->touched = true;
		pthread_cond_signal(&watch->wake);
	}
}

void hub_compact(struct hub *hub, uint64_t revision)
{
	cox_lock_scope(&hub->lock);

	hub->compacted = revision;
}

void hub_position(struct hub *hub, uint64_t *revision, uint64_t *compacted)
{
	cox_lock_scope(&hub->lock);

	*revision = hub->revision;
	*compacted = hub->compacted;
}

bool chunk_full(const struct chunk *chunk)
{
	return chunk->bytes.size >= HUB_CHUNK_BYTES || chunk->events.count >= HUB_CHUNK_EVENTS;
}

void chunk_add(struct chunk *chunk, uint32_t type, uint32_t tag, uint64_t revision,
	       struct cox_bytes key, struct cox_bytes value)
{
	struct chunk_event event = {revision, type, tag, chunk->bytes.size, key.size, value.size};

	cox_buf_add(&chunk->bytes, key.data, key.size);
	if (value.size)
		cox_buf_add(&chunk->bytes, value.data, value.size);
	cox_vec_push(&chunk->events, event);
}

/* One huge value must not hold its memory for good. */
static void chunk_reset(struct chunk *chunk)
{
	if (chunk->bytes.capacity > 2 * HUB_CHUNK_BYTES)
		cox_buf_free(&chunk->bytes);
	cox_buf_clear(&chunk->bytes);
	chunk->events.count = 0;
}

static bool is_cancelled(struct watch *watch)
{
	cox_lock_scope(&watch->hub->lock);

	return watch->cancelled;
}

static void tell(struct watch *watch, uint32_t type, uint64_t revision)
{
	struct cox_watch_event event = {.type = type, .revision = revision};

	watch->sink->event(watch->sink, &event);
	if (type != COX_EVENT_LOST)
		watch->told = revision;
}

/* A cancel in the middle of a revision may leave it without its COMMIT. */
static void deliver(struct watch *watch)
{
	struct chunk *chunk = &watch->chunk;

	for (size_t i = 0; i < chunk->events.count; i++) {
		const struct chunk_event *from = &chunk->events.items[i];
		const char *bytes = chunk->bytes.data + from->at;
		struct cox_watch_event event = {
			.type = from->type,
			.tag = from->tag,
			.revision = from->revision,
			.key = {bytes, from->key_size},
			.value = {from->value_size ? bytes + from->key_size : NULL,
				  from->value_size}};

		if (is_cancelled(watch))
			return;
		watch->sink->event(watch->sink, &event);
		if (i + 1 == chunk->events.count || from[1].revision != from->revision)
			tell(watch, COX_EVENT_COMMIT, from->revision);
	}
}

/* Waits for something to tell; false: the watch is over. */
static bool wait_for_work(struct watch *watch, uint64_t *upto, bool *touched, uint64_t *lost)
{
	struct hub *hub = watch->hub;
	cox_lock_scope(&hub->lock);

	while (!watch->cancelled && watch->cursor == hub->revision && watch->told == hub->revision)
		pthread_cond_wait(&watch->wake, &hub->lock);
	*upto = hub->revision;
	*touched = watch->touched;
	*lost = watch->touched && watch->cursor < hub->compacted ? hub->compacted : 0;
	watch->touched = false;
	return !watch->cancelled;
}

static uint64_t compacted(struct hub *hub)
{
	cox_lock_scope(&hub->lock);

	return hub->compacted;
}

static void *watch_run(void *argument)
{
	struct watch *watch = argument;
	struct hub *hub = watch->hub;
	uint64_t upto, lost;
	bool touched;

	while (wait_for_work(watch, &upto, &touched, &lost)) {
		if (touched && watch->cursor < upto) {
			chunk_reset(&watch->chunk);
			if (lost || hub->read(hub->self, watch->cursor, upto, &watch->range,
					      &watch->chunk)) {
				tell(watch, COX_EVENT_LOST, lost ? lost : compacted(hub));
				break;
			}
			watch->cursor = watch->chunk.upto;
			if (watch->cursor < upto) {
				cox_lock_scope(&hub->lock);

				watch->touched = true;
			}
			deliver(watch);
		} else {
			watch->cursor = upto;
		}
		if (watch->cursor == upto && watch->told < upto && !is_cancelled(watch))
			tell(watch, COX_EVENT_PROGRESS, upto);
	}
	return NULL;
}

static struct cox_bytes copy_bytes(struct cox_bytes bytes)
{
	return (struct cox_bytes){bytes.size ? cox_memdup(bytes.data, bytes.size) : NULL,
				  bytes.size};
}

static void watch_free(struct watch *watch)
{
	pthread_cond_destroy(&watch->wake);
	free((void *)watch->range.start.data);
	free((void *)watch->range.end.data);
	cox_vec_free(&watch->chunk.events);
	cox_buf_free(&watch->chunk.bytes);
	free(watch);
}

/* Links the watch in unless it asks for what is not there. */
static int watch_join(struct hub *hub, struct watch *watch, struct cox_error *err)
{
	cox_lock_scope(&hub->lock);

	if (watch->cursor < hub->compacted)
		return hub->host->fail(err, COX_REASON_EXPIRED,
				       "revision %llu has been compacted; the oldest is %llu",
				       (unsigned long long)watch->cursor,
				       (unsigned long long)hub->compacted);
	if (watch->cursor > hub->revision)
		return hub->host->fail(err, COX_REASON_TIMEOUT,
				       "revision %llu is in the future; the newest is %llu",
				       (unsigned long long)watch->cursor,
				       (unsigned long long)hub->revision);
	if (hub->count >= HUB_WATCH_MAX)
		return hub->host->fail(err, COX_REASON_TOO_MANY_REQUESTS,
				       "the store has %d watches already", HUB_WATCH_MAX);
	watch->next = hub->watches;
	hub->watches = watch;
	hub->count++;
	return 0;
}

static void watch_leave(struct hub *hub, struct watch *watch)
{
	cox_lock_scope(&hub->lock);

	for (struct watch **slot = &hub->watches; *slot; slot = &(*slot)->next)
		if (*slot == watch) {
			*slot = watch->next;
			hub->count--;
			break;
		}
	watch->cancelled = true;
	pthread_cond_signal(&watch->wake);
}

struct watch *hub_watch(struct hub *hub, const struct key_range *range, uint64_t after,
			const struct cox_watch_sink *sink, struct cox_error *err)
{
	struct watch *watch = cox_new(struct watch);
	int failed;

	watch->hub = hub;
	watch->sink = sink;
	watch->range.start = copy_bytes(range->start);
	watch->range.end = copy_bytes(range->end);
	watch->cursor = after;
	watch->touched = true; /* what came before is not known */
	pthread_cond_init(&watch->wake, NULL);
	if (watch_join(hub, watch, err)) {
		watch_free(watch);
		return NULL;
	}
	failed = quiet_thread(&watch->thread, watch_run, watch);
	if (failed) {
		watch_leave(hub, watch);
		watch_free(watch);
		hub->host->fail(err, COX_REASON_SERVICE_UNAVAILABLE,
				"cannot start a thread for a watch: %s", strerror(failed));
		return NULL;
	}
	return watch;
}

void hub_cancel(struct hub *hub, struct watch *watch)
{
	watch_leave(hub, watch);
	pthread_join(watch->thread, NULL);
	watch_free(watch);
}
