/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches; see the header. All work on one watch is done by its stream's
 * thread, in send_more; the store and the hub only wake it. Lock order:
 * hub->lock is taken alone and held while streams are woken.
 */
#include "apiserver/watch.h"

#include "apiserver/read.h"
#include "apiserver/select.h"
#include "apiserver/status.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/watch.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

enum { QUEUED_ENOUGH = 256 * 1024, FRAMES_A_TURN = 1000 };

static const uint64_t bookmark_period = 60 * CLOCK_SECOND;
static const uint64_t hub_period = CLOCK_SECOND;

struct api_watch {
	struct apiserver *server;
	struct shape shape;
	char *form_version;
	struct selection *selection;
	struct store_watch *watch;
	struct http_stream *_Atomic stream;
	atomic_int holders; /* who opens it, and the open stream */

	/* The state before the first event, if it is wanted. */
	struct store_snapshot *initial;
	struct store_iterator iterator;
	bool mark_initial_end; /* sendInitialEvents */

	bool bookmarks;
	uint64_t ends_at;
	_Atomic uint64_t bookmark_at;
	bool ended;

	struct api_watch *next, *previous; /* the hub's */
};

struct watch_hub {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool stopping;
	struct api_watch *first;
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

		for (struct api_watch *watch = hub->first; watch; watch = watch->next)
			if (now >= watch->ends_at ||
			    (watch->bookmarks && now >= atomic_load(&watch->bookmark_at)))
				wake_stream(watch);
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

static void hub_add(struct watch_hub *hub, struct api_watch *watch)
{
	cox_lock_scope(&hub->lock);
	watch->next = hub->first;
	if (hub->first)
		hub->first->previous = watch;
	hub->first = watch;
	if (hub->count++ == 0)
		pthread_cond_signal(&hub->changed);
}

static void hub_remove(struct watch_hub *hub, struct api_watch *watch)
{
	cox_lock_scope(&hub->lock);
	if (watch->next)
		watch->next->previous = watch->previous;
	if (watch->previous)
		watch->previous->next = watch->next;
	else
		hub->first = watch->next;
	hub->count--;
}

/* Frames */

static void release_bytes(void *owner)
{
	bytes_unref(owner);
}

/* Forms of the cache: the frame types of canonical JSON. */
enum { FORM_ADDED = 1, FORM_MODIFIED, FORM_DELETED };

static int send_bytes(struct http_stream *stream, struct bytes *frame)
{
	struct http_piece piece = {frame->data, frame->size, release_bytes, frame};

	return http_stream_write(stream, &piece);
}

static int send_shaped(struct api_watch *watch, struct http_stream *stream, const char *type,
		       struct cox_bytes json)
{
	cox_autobuf out = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	if (shape_watch_frame(&watch->shape, type, json, &out, &err) != 0) {
		log_error("watch of %s: %s", watch->shape.resource->name, error_text(&err));
		return -1;
	}
	watch->shape.no_columns = true;
	return http_stream_copy(stream, out.data, out.size);
}

static int send_entry(struct api_watch *watch, struct http_stream *stream, int form,
		      struct store_entry *entry)
{
	static const char *const types[] = {
		[FORM_ADDED] = "ADDED", [FORM_MODIFIED] = "MODIFIED", [FORM_DELETED] = "DELETED"};
	struct cox_bytes json = store_entry_json(entry);
	cox_autobuf out = COX_BUF_INIT;
	struct bytes *frame;

	if (!shape_is_canonical(&watch->shape))
		return send_shaped(watch, stream, types[form], json);
	frame = store_forms_get(watch->server->forms, entry, (uint64_t)form);
	if (!frame) {
		if (shape_watch_frame(&watch->shape, types[form], json, &out, NULL) != 0)
			return -1;
		frame = store_forms_put(watch->server->forms, entry, (uint64_t)form,
					bytes_copy(out.data, out.size));
	}
	return send_bytes(stream, frame);
}

static int send_bookmark(struct api_watch *watch, struct http_stream *stream, uint64_t revision,
			 bool initial_end)
{
	const struct api_resource *resource = watch->shape.resource;
	cox_autobuf object = COX_BUF_INIT;

	cox_buf_printf(&object, "{\"kind\":\"%s\",\"apiVersion\":\"%s%s%s\",\"metadata\":{"
				"\"resourceVersion\":\"%" PRIu64 "\",\"creationTimestamp\":null%s}}",
		       resource->kind, resource->group, *resource->group ? "/" : "",
		       resource->version, revision,
		       initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}"
				   : "");
	atomic_store(&watch->bookmark_at, clock_monotonic() + bookmark_period);
	return send_shaped(watch, stream, "BOOKMARK",
			   (struct cox_bytes){object.data, object.size});
}

static void send_error(struct api_watch *watch, struct http_stream *stream,
		       const struct cox_error *err)
{
	cox_autobuf status = COX_BUF_INIT;

	status_write_error(&status, err);
	/* Whether it still gets through or not, the watch is over. */
	if (send_shaped(watch, stream, "ERROR", (struct cox_bytes){status.data, status.size}) != 0)
		log_verbose(2, "watch of %s: its error could not be sent",
			    watch->shape.resource->name);
	watch->ended = true;
}

static void send_expired(struct api_watch *watch, struct http_stream *stream)
{
	cox_autoerror err = COX_ERROR_INIT;

	error_set(&err, COX_REASON_EXPIRED,
		  "too old resource version: this watch was too slow and missed events; list "
		  "again");
	send_error(watch, stream, &err);
}

static void send_unreadable(struct api_watch *watch, struct http_stream *stream,
			    struct store_entry *entry)
{
	cox_autoerror err = COX_ERROR_INIT;

	error_set(&err, COX_REASON_STORE_READ_ERROR, "%s", store_entry_error(entry));
	send_error(watch, stream, &err);
}

/* One object of the initial state. 1: sent; 0: none is left; -1: the stream is full or gone. */
static int send_initial(struct api_watch *watch, struct http_stream *stream)
{
	struct store_entry *entry;
	uint64_t revision;

	while ((entry = store_iterator_next(&watch->iterator)))
		if (!store_entry_error(entry) && selection_matches(watch->selection, entry))
			return send_entry(watch, stream, FORM_ADDED, entry) == 0 ? 1 : -1;
	revision = store_snapshot_revision(watch->initial);
	store_snapshot_unref(watch->initial);
	watch->initial = NULL;
	if (!watch->mark_initial_end)
		return 1;
	return send_bookmark(watch, stream, revision, true) == 0 ? 1 : -1;
}

/* One event of the store. Like send_initial. */
static int send_event(struct api_watch *watch, struct http_stream *stream)
{
	struct store_watch_event event;
	int status = 0;

	switch (store_watch_next(watch->watch, &event)) {
	case STORE_WATCH_NONE:
		return 0;
	case STORE_WATCH_ADDED:
		status = send_entry(watch, stream, FORM_ADDED, event.entry);
		break;
	case STORE_WATCH_MODIFIED:
		status = send_entry(watch, stream, FORM_MODIFIED, event.entry);
		break;
	case STORE_WATCH_DELETED:
		status = send_entry(watch, stream, FORM_DELETED, event.entry);
		break;
	case STORE_WATCH_ERROR:
		send_unreadable(watch, stream, event.entry);
		break;
	case STORE_WATCH_EXPIRED:
		send_expired(watch, stream);
		return -1;
	}
	store_watch_event_clear(&event);
	return status == 0 ? 1 : -1;
}

/* With nothing more to tell: what time asks for. */
static void send_timely(struct api_watch *watch, struct http_stream *stream)
{
	uint64_t now = clock_monotonic();
	bool over = now >= watch->ends_at;

	if (watch->bookmarks && (over || now >= atomic_load(&watch->bookmark_at)))
		over |= send_bookmark(watch, stream, store_watch_revision(watch->watch), false) != 0;
	watch->ended |= over;
}

static void send_more(struct http_stream *stream, void *context)
{
	struct api_watch *watch = context;
	int more = 1;

	for (int i = 0; more > 0 && !watch->ended; i++) {
		if (http_stream_queued(stream) >= QUEUED_ENOUGH || i >= FRAMES_A_TURN) {
			/* Let others have their turn; a full queue wakes by itself. */
			if (i >= FRAMES_A_TURN)
				http_stream_wake(stream);
			return;
		}
		more = watch->initial ? send_initial(watch, stream) : send_event(watch, stream);
	}
	if (more == 0 && !watch->ended)
		send_timely(watch, stream);
	if (more < 0 && !watch->ended)
		http_stream_abort(stream);
	else if (watch->ended)
		http_stream_end(stream);
}

/* Life */

static void watch_free(struct api_watch *watch)
{
	store_watch_close(watch->watch);
	store_snapshot_unref(watch->initial);
	selection_free(watch->selection);
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
	hub_remove(watch->server->watches, watch);
	let_go(watch, stream);
}

static bool entry_selected(void *context, const struct store_entry *entry)
{
	const struct api_watch *watch = context;

	return selection_matches(watch->selection, entry);
}

/* Without timeoutSeconds: once to twice the minimum, so that not all come back at once. */
static uint64_t watch_seconds(const struct api_call *call)
{
	uint64_t least = call->server->min_watch_seconds;
	uint32_t chance = 0;

	if (call->list.timeout_seconds)
		return call->list.timeout_seconds;
	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) != (ssize_t)sizeof(chance))
		chance = 0;
	return least + (least ? chance % least : 0);
}

/* Opens the store's side of the watch where the options want it. */
static int open_position(struct api_call *call, struct api_watch *watch, struct cox_error *err)
{
	const struct list_options *list = &call->list;
	struct store_collection *collection = call->resource->collection;
	struct store_watch_options options = {.scope = watch->selection->scope,
					      .match = entry_selected,
					      .wake = wake_stream,
					      .context = watch};
	bool initial = list->initial_events_set ? list->initial_events
						: !list->version_set || list->version == 0;

	if (initial || !list->version_set || list->version == 0) {
		watch->watch = store_watch_open_now(collection, &options,
						    initial ? &watch->initial : NULL, err);
		if (watch->watch && initial)
			store_iterate(&watch->iterator, watch->initial, &watch->selection->scope,
				      (struct cox_bytes){NULL, 0});
	} else {
		watch->watch = store_watch_open(collection, &options, list->version, err);
	}
	watch->mark_initial_end = initial && list->initial_events_set;
	return watch->watch ? 0 : -1;
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
	hub_add(call->server->watches, watch);
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
	uint64_t now = clock_monotonic();

	watch->server = call->server;
	if (read_negotiate(call, call->resource, true, &watch->shape, &err) != 0)
		goto fail;
	watch->form_version = cox_strdup(watch->shape.form_version);
	watch->shape.form_version = watch->form_version;
	watch->selection = selection_new(call, &err);
	watch->bookmarks = call->list.bookmarks;
	watch->bookmark_at = now + bookmark_period;
	watch->ends_at = now + watch_seconds(call) * CLOCK_SECOND;
	if (!watch->selection || open_position(call, watch, &err) != 0)
		goto fail;
	open_stream(call, watch);
	return;
fail:
	call_fail(call, &err);
	watch_free(watch);
}

void watch_serve(struct api_call *call)
{
	read_when_fresh(call, call->list.version_set, call->list.version, watch_fresh);
}
