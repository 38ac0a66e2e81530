/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches; see the header. All work on one watch is done by its stream's
 * thread, in send_more; the store and the hub only wake it. Lock order:
 * hub->lock is taken alone and held while streams are woken.
 */
#include "apiserver/watch.h"

#include "apiserver/feed.h"
#include "apiserver/local.h"
#include "apiserver/measure.h"
#include "apiserver/read.h"
#include "apiserver/status.h"
#include "base/clock.h"
#include "base/log.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <string.h>

enum { QUEUED_ENOUGH = 256 * 1024, FRAMES_A_TURN = 1000 };

static const uint64_t hub_period = CLOCK_SECOND;

struct api_watch {
	struct apiserver *server;
	struct shape shape;
	char *form_version;
	struct feed *feed;
	struct http_stream *_Atomic stream;
	atomic_int holders; /* who opens it, and the open stream */
	bool ended;
	struct watch_timer timer;
};

struct watch_hub {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool stopping;
	struct watch_timer *first;
	size_t count;
};

/* The store's wake-up and the hub's. Nothing to wake before the stream is there. */
static void wake_stream(void *context)
{
	struct api_watch *watch = context;
	struct http_stream *stream = atomic_load(&watch->stream);

	if (stream)
		http_stream_wake(stream);
}

/* The hub */

static void *keep_time(void *context)
{
	struct watch_hub *hub = context;

	pthread_mutex_lock(&hub->lock);
	while (!hub->stopping) {
		uint64_t now = clock_monotonic(), until = now + hub_period;
		struct timespec when = {(time_t)(until / CLOCK_SECOND),
					(long)(until % CLOCK_SECOND)};

		for (struct watch_timer *timer = hub->first; timer; timer = timer->next)
			if (now >= feed_due(timer->feed))
				timer->wake(timer->context);
		if (hub->first)
			pthread_cond_clockwait(&hub->changed, &hub->lock, CLOCK_MONOTONIC, &when);
		else
			pthread_cond_wait(&hub->changed, &hub->lock);
	}
	pthread_mutex_unlock(&hub->lock);
	return NULL;
}

struct watch_hub *watch_hub_new(struct cox_error *err)
{
	struct watch_hub *hub = cox_new(struct watch_hub);
	int failure;

	pthread_mutex_init(&hub->lock, NULL);
	pthread_cond_init(&hub->changed, NULL);
	failure = pthread_create(&hub->thread, NULL, keep_time, hub);
	if (failure != 0) {
		error_errno(err, failure, "start the thread that keeps time for watches");
		pthread_cond_destroy(&hub->changed);
		pthread_mutex_destroy(&hub->lock);
		free(hub);
		return NULL;
	}
	return hub;
}

void watch_hub_free(struct watch_hub *hub)
{
	if (!hub)
		return;
	pthread_mutex_lock(&hub->lock);
	hub->stopping = true;
	pthread_cond_signal(&hub->changed);
	pthread_mutex_unlock(&hub->lock);
	pthread_join(hub->thread, NULL);
	pthread_cond_destroy(&hub->changed);
	pthread_mutex_destroy(&hub->lock);
	free(hub);
}

size_t watch_hub_count(struct watch_hub *hub)
{
	cox_lock_scope(&hub->lock);
	return hub->count;
}

void watch_hub_add(struct watch_hub *hub, struct watch_timer *timer)
{
	cox_lock_scope(&hub->lock);
	timer->previous = NULL;
	timer->next = hub->first;
	if (hub->first)
		hub->first->previous = timer;
	hub->first = timer;
	if (hub->count++ == 0)
		pthread_cond_signal(&hub->changed);
}

void watch_hub_remove(struct watch_hub *hub, struct watch_timer *timer)
{
	cox_lock_scope(&hub->lock);
	if (timer->next)
		timer->next->previous = timer->previous;
	if (timer->previous)
		timer->previous->next = timer->next;
	else
		hub->first = timer->next;
	hub->count--;
}

/* Frames */

static void release_bytes(void *owner)
{
	bytes_unref(owner);
}

static void release_entry(void *owner)
{
	store_entry_unref(owner);
}

static int send_bytes(struct http_stream *stream, struct bytes *frame)
{
	struct http_piece piece = {
		.data = frame->data, .size = frame->size, .release = release_bytes, .owner = frame};

	return http_stream_write(stream, &piece);
}

static int make_frame(struct api_watch *watch, const char *type, struct cox_bytes json,
		      struct cox_buf *out)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (shape_watch_frame(&watch->shape, type, json, out, &err) == 0)
		return 0;
	log_error("watch of %s: %s", watch->shape.resource->name, error_text(&err));
	return -1;
}

static int send_shaped(struct api_watch *watch, struct http_stream *stream, const char *type,
		       struct cox_bytes json)
{
	cox_autobuf out = COX_BUF_INIT;

	if (make_frame(watch, type, json, &out) != 0)
		return -1;
	watch->shape.no_columns = true;
	return http_stream_copy(stream, out.data, out.size);
}

/* Canonical objects leave from where the store has them. */
static int send_canonical(struct http_stream *stream, enum shape_part part,
			  struct store_entry *entry)
{
	static const char *const before[] = {[FORM_ADDED] = "{\"type\":\"ADDED\",\"object\":",
					     [FORM_MODIFIED] = "{\"type\":\"MODIFIED\",\"object\":",
					     [FORM_DELETED] = "{\"type\":\"DELETED\",\"object\":"};
	struct cox_bytes json = store_entry_json(entry);
	struct http_piece piece = {.data = json.data,
				   .size = json.size,
				   .release = release_entry,
				   .owner = store_entry_ref(entry),
				   .before = before[part],
				   .after = "}\n"};

	return http_stream_write(stream, &piece);
}

static int send_entry(struct api_watch *watch, struct http_stream *stream, enum shape_part part,
		      struct store_entry *entry)
{
	static const char *const types[] = {
		[FORM_ADDED] = "ADDED", [FORM_MODIFIED] = "MODIFIED", [FORM_DELETED] = "DELETED"};
	struct cox_bytes json = store_entry_json(entry);
	uint64_t form = shape_form(&watch->shape, part);
	cox_autobuf out = COX_BUF_INIT;
	struct bytes *frame;

	if (shape_is_canonical(&watch->shape))
		return send_canonical(stream, part, entry);
	if (!form)
		return send_shaped(watch, stream, types[part], json);
	frame = store_forms_get(watch->server->forms, entry, form);
	if (!frame) {
		if (make_frame(watch, types[part], json, &out) != 0)
			return -1;
		frame = store_forms_put(watch->server->forms, entry, form,
					bytes_copy(out.data, out.size));
	}
	return send_bytes(stream, frame);
}

static int send_bookmark(struct api_watch *watch, struct http_stream *stream,
			 const struct feed_item *item)
{
	cox_autobuf object = COX_BUF_INIT;

	feed_bookmark_object(watch->shape.resource, item, &object);
	return send_shaped(watch, stream, "BOOKMARK", (struct cox_bytes){object.data, object.size});
}

static int send_error(struct api_watch *watch, struct http_stream *stream,
		      const struct cox_error *err)
{
	cox_autobuf status = COX_BUF_INIT;

	status_write_error(&status, err);
	return send_shaped(watch, stream, "ERROR", (struct cox_bytes){status.data, status.size});
}

/* Sends one item. -1: the stream is full or gone. */
static int send_item(struct api_watch *watch, struct http_stream *stream,
		     const struct feed_item *item)
{
	switch (item->type) {
	case FEED_ADDED:
		return send_entry(watch, stream, FORM_ADDED, item->entry);
	case FEED_MODIFIED:
		return send_entry(watch, stream, FORM_MODIFIED, item->entry);
	case FEED_DELETED:
		return send_entry(watch, stream, FORM_DELETED, item->entry);
	case FEED_BOOKMARK:
		return send_bookmark(watch, stream, item);
	case FEED_ERROR:
		watch->ended = true;
		return send_error(watch, stream, &item->error);
	case FEED_END:
		watch->ended = true;
		break;
	case FEED_NONE:
		break;
	}
	return 0;
}

static void send_more(struct http_stream *stream, void *context)
{
	struct api_watch *watch = context;
	struct feed_item item = FEED_ITEM_INIT;
	int status = 0;

	for (int i = 0; !watch->ended; i++) {
		if (i >= FRAMES_A_TURN) {
			http_stream_wake(stream); /* let others have their turn */
			return;
		}
		if (http_stream_queued(stream) >= QUEUED_ENOUGH)
			return; /* a queue that empties wakes by itself */
		feed_next(watch->feed, &item);
		if (item.type == FEED_NONE)
			return;
		status = send_item(watch, stream, &item);
		feed_item_clear(&item);
		if (status != 0) {
			http_stream_abort(stream);
			return;
		}
	}
	http_stream_end(stream);
}

/* Life */

static void watch_free(struct api_watch *watch)
{
	feed_close(watch->feed);
	free(watch->form_version);
	free(watch);
}

/* The stream may close before the opener has seen it: the last one cleans up. */
static void let_go(struct api_watch *watch, struct http_stream *stream)
{
	if (atomic_fetch_sub(&watch->holders, 1) != 1)
		return;
	watch_free(watch);
	http_stream_release(stream);
}

static void stream_closed(struct http_stream *stream, void *context, bool complete)
{
	struct api_watch *watch = context;

	(void)complete;
	watch_hub_remove(watch->server->watches, &watch->timer);
	let_go(watch, stream);
}

static void open_stream(struct api_call *call, struct api_watch *watch)
{
	static const struct http_stream_callbacks callbacks = {.writable = send_more,
							       .closed = stream_closed};
	struct http_response head = {.status = 200};
	struct http_request *request = call->request;
	struct http_stream *stream;

	head.content_type = negotiate_content_type(&call->media, true, call->arena);
	head.headers = call_headers(call, NULL, 0, &head.header_count);
	atomic_store(&watch->holders, 2);
	watch->timer =
		(struct watch_timer){.feed = watch->feed, .wake = wake_stream, .context = watch};
	watch_hub_add(call->server->watches, &watch->timer);
	measure_request(call, 200);
	call_end(call);
	stream = http_stream_open(request, &head, &callbacks, watch);
	atomic_store(&watch->stream, stream);
	http_stream_wake(stream);
	let_go(watch, stream);
}

static void watch_fresh(struct api_call *call)
{
	struct api_watch *watch = cox_new(struct api_watch);
	cox_autoerror err = COX_ERROR_INIT;

	watch->server = call->server;
	/* Its events carry one object each, in the forms that objects have. */
	if (read_negotiate(call, call->resource, false, &watch->shape, &err) != 0)
		goto fail;
	watch->form_version = cox_strdup(watch->shape.form_version);
	watch->shape.form_version = watch->form_version;
	watch->feed = feed_open(call, wake_stream, watch, &err);
	if (!watch->feed)
		goto fail;
	open_stream(call, watch);
	return;
fail:
	call_fail(call, &err);
	watch_free(watch);
}

void watch_serve(struct api_call *call)
{
	read_when_fresh(call, call->list.version_set, call->list.version,
			call->local ? local_watch_fresh : watch_fresh);
}
