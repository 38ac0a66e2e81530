/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport without sockets; see the header. A call makes a request of its
 * parts, gives it to the handler on the caller's thread, and waits there for
 * the answer, doing meanwhile whatever the store's callbacks hand back to it.
 * A watch is such a call that ends with a feed instead of an answer.
 */
#include "apiserver/local.h"

#include "access/identity.h"
#include "apiserver/call.h"
#include "apiserver/feed.h"
#include "apiserver/shape.h"
#include "apiserver/watch.h"
#include "base/clock.h"
#include "net/transport.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <string.h>

enum { DEPTH_MAX = 4, HEADERS_MAX = 4, SEGMENTS_MAX = 10 };

/* Calls that this thread is inside of: admission may ask the server, too. */
static _Thread_local unsigned depth;

struct local_request {
	struct http_request request; /* first */
	struct identity *identity;
	struct client_answer *answer;
	const char *segments[SEGMENTS_MAX];
	struct http_header headers[HEADERS_MAX];

	pthread_mutex_t lock;
	pthread_cond_t changed;
	void (*run)(void *context); /* handed back, for the waiting thread */
	void *run_context;
	bool answered;

	/* A watch */
	void (*wake)(void *waker);
	void *waker;
	struct local_watch *watch;
};

struct local_watch {
	struct apiserver *server;
	const struct api_resource *resource;
	struct feed *feed;
	struct watch_timer timer;
	struct feed_item item; /* the last one told, for what was borrowed */
	struct bytes *object;  /* of the item */
	void (*wake)(void *waker);
	void *waker;
};

static struct local_request *local_of(struct http_request *request)
{
	return (struct local_request *)request;
}

/* The transport's side */

/* Collects what would have gone over the wire. -1: too much of it. */
static int collect(const struct http_response *response, struct cox_buf *out)
{
	char chunk[16384];
	int64_t size;

	for (size_t i = 0; i < response->piece_count; i++)
		cox_buf_add(out, response->pieces[i].data, response->pieces[i].size);
	if (response->piece_count || !response->produce)
		return 0;
	while ((size = response->produce(response->producer, chunk, sizeof(chunk))) > 0) {
		if (out->size + (size_t)size > CLIENT_ANSWER_MAX)
			return -1;
		cox_buf_add(out, chunk, (size_t)size);
	}
	return size < 0 ? -1 : 0;
}

static void finish(struct local_request *local)
{
	cox_lock_scope(&local->lock);
	local->answered = true;
	pthread_cond_signal(&local->changed);
}

static void local_respond(struct http_request *request, const struct http_response *response)
{
	struct local_request *local = local_of(request);
	struct client_answer *answer = local->answer;

	answer->code = (int)response->status;
	if (response->content_type)
		answer->content_type = cox_strdup(response->content_type);
	if (collect(response, &answer->body) != 0)
		answer->code = 0;
	http_response_discard(response);
	finish(local);
}

static void local_defer(struct http_request *request, void (*gone)(void *context), void *context)
{
	/* The caller waits anyhow, and cannot hang up. */
	(void)request;
	(void)gone;
	(void)context;
}

static const struct http_request_ops local_ops = {.respond = local_respond, .defer = local_defer};

bool local_is(const struct http_request *request)
{
	return request->ops == &local_ops;
}

struct identity *local_identity(const struct http_request *request)
{
	return ((const struct local_request *)request)->identity;
}

void local_post(struct http_request *request, void (*run)(void *context), void *context)
{
	struct local_request *local = local_of(request);

	cox_lock_scope(&local->lock);
	local->run = run;
	local->run_context = context;
	pthread_cond_signal(&local->changed);
}

/* Until it is answered, this thread does the request's work. */
static void wait_for_answer(struct local_request *local)
{
	pthread_mutex_lock(&local->lock);
	while (!local->answered) {
		void (*run)(void *context) = local->run;
		void *context = local->run_context;

		if (!run) {
			pthread_cond_wait(&local->changed, &local->lock);
			continue;
		}
		local->run = NULL;
		pthread_mutex_unlock(&local->lock);
		run(context);
		pthread_mutex_lock(&local->lock);
	}
	pthread_mutex_unlock(&local->lock);
}

/* Requests */

static void set_method(struct http_request *request, const struct client_request *from)
{
	static const struct {
		enum http_method method;
		const char *name;
	} methods[] = {[CLIENT_GET] = {HTTP_GET, "GET"},
		       [CLIENT_LIST] = {HTTP_GET, "GET"},
		       [CLIENT_CREATE] = {HTTP_POST, "POST"},
		       [CLIENT_UPDATE] = {HTTP_PUT, "PUT"},
		       [CLIENT_PATCH] = {HTTP_PATCH, "PATCH"},
		       [CLIENT_DELETE] = {HTTP_DELETE, "DELETE"},
		       [CLIENT_DELETE_COLLECTION] = {HTTP_DELETE, "DELETE"},
		       [CLIENT_WATCH] = {HTTP_GET, "GET"}};

	request->method = methods[from->verb].method;
	request->method_name = methods[from->verb].name;
}

static int set_path(struct local_request *local, const struct client_request *from,
		    struct cox_error *err)
{
	struct http_request *request = &local->request;
	cox_autobuf path = COX_BUF_INIT;
	char *at, *end;

	client_request_path(&path, from);
	request->target = request->raw_path = arena_strndup(&request->arena, path.data, path.size);
	request->raw_query = "";
	at = arena_strndup(&request->arena, path.data, path.size);
	for (at += *at == '/'; *at; at = end) {
		end = at + strcspn(at, "/");
		if (request->segment_count == SEGMENTS_MAX)
			return error_set(err, COX_REASON_BAD_REQUEST,
					 "the path %s has too many parts", request->target);
		local->segments[request->segment_count++] = at;
		if (*end)
			*end++ = '\0';
	}
	request->segments = local->segments;
	return 0;
}

static void set_options(struct http_request *request, const struct client_request *from, bool watch)
{
	struct http_parameter *parameters =
		arena_alloc(&request->arena, (from->option_count + 1) * sizeof(*parameters));

	for (size_t i = 0; i < from->option_count; i++)
		parameters[i] =
			(struct http_parameter){from->options[i].name, from->options[i].value};
	request->parameters = parameters;
	request->parameter_count = from->option_count;
	if (watch)
		parameters[request->parameter_count++] = (struct http_parameter){"watch", "true"};
}

static void set_headers(struct local_request *local, const struct client_request *from,
			const struct client_identity *who)
{
	struct http_request *request = &local->request;

	request->headers = local->headers;
	local->headers[request->header_count++] =
		(struct http_header){"Accept", from->accept ? from->accept : "application/json"};
	if (from->body_size)
		local->headers[request->header_count++] = (struct http_header){
			"Content-Type",
			from->content_type ? from->content_type : "application/json"};
	if (who->user_agent)
		local->headers[request->header_count++] =
			(struct http_header){"User-Agent", who->user_agent};
}

static int local_init(struct local_request *local, struct apiserver *server,
		      const struct client_identity *who, const struct client_request *from,
		      struct cox_error *err)
{
	struct http_request *request = &local->request;
	uint64_t now = clock_monotonic();

	*local = (struct local_request){.request = {.ops = &local_ops,
						    .context = server,
						    .peer = "local",
						    .peer_uid = UINT32_MAX,
						    .loopback = true,
						    .arrived = now}};
	pthread_mutex_init(&local->lock, NULL);
	pthread_cond_init(&local->changed, NULL);
	local->identity = identity_new(who->user, who->groups, who->group_count);
	request->deadline = from->deadline ? from->deadline : now + CLIENT_DEFAULT_TIMEOUT;
	request->body = (struct cox_bytes){from->body, from->body_size};
	set_method(request, from);
	set_options(request, from, from->verb == CLIENT_WATCH);
	set_headers(local, from, who);
	if (depth >= DEPTH_MAX)
		return error_set(err, COX_REASON_INTERNAL_ERROR,
				 "calls of the server to itself are nested more than %d deep",
				 DEPTH_MAX);
	return set_path(local, from, err);
}

static void local_clear(struct local_request *local)
{
	identity_unref(local->identity);
	arena_free(&local->request.arena);
	pthread_mutex_destroy(&local->lock);
	pthread_cond_destroy(&local->changed);
}

static void run(struct local_request *local)
{
	depth++;
	apiserver_handle(&local->request);
	wait_for_answer(local);
	depth--;
}

static int server_call(void *server, const struct client_identity *who,
		       const struct client_request *request, struct client_answer *answer,
		       struct cox_error *err)
{
	struct local_request local;
	int status = local_init(&local, server, who, request, err);

	local.answer = answer;
	if (status == 0) {
		run(&local);
		if (answer->code == 0)
			status = error_set(err, COX_REASON_INTERNAL_ERROR,
					   "the answer of the server was cut off");
	}
	local_clear(&local);
	return status;
}

/* Watches */

static void wake_reader(void *context)
{
	struct local_watch *watch = context;

	watch->wake(watch->waker);
}

static void watch_free(struct local_watch *watch)
{
	feed_close(watch->feed);
	feed_item_clear(&watch->item);
	bytes_unref(watch->object);
	free(watch);
}

void local_watch_fresh(struct api_call *call)
{
	struct local_request *local = local_of(call->request);
	struct local_watch *watch = cox_new(struct local_watch);
	cox_autoerror err = COX_ERROR_INIT;

	watch->server = call->server;
	watch->resource = call->resource;
	watch->wake = local->wake;
	watch->waker = local->waker;
	watch->feed = feed_open(call, wake_reader, watch, &err);
	if (!watch->feed) {
		call_fail(call, &err);
		watch_free(watch);
		return;
	}
	watch->timer =
		(struct watch_timer){.feed = watch->feed, .wake = wake_reader, .context = watch};
	watch_hub_add(call->server->watches, &watch->timer);
	call_end(call);
	local->watch = watch;
	finish(local);
}

static void *server_watch_open(void *server, const struct client_identity *who,
			       const struct client_request *request, void (*wake)(void *waker),
			       void *waker, struct cox_error *err)
{
	struct client_answer answer = CLIENT_ANSWER_INIT;
	struct local_request local;
	struct local_watch *watch = NULL;

	if (local_init(&local, server, who, request, err) == 0) {
		local.answer = &answer;
		local.wake = wake;
		local.waker = waker;
		run(&local);
		watch = local.watch;
		if (!watch)
			client_status_error(answer.code, answer.body.data, answer.body.size, err);
	}
	local_clear(&local);
	client_answer_clear(&answer);
	/* The state at the beginning waits to be read. */
	if (watch)
		wake(waker);
	return watch;
}

static void release_entry(void *owner)
{
	store_entry_unref(owner);
}

/* The object as counted bytes: the store's own, not a copy. */
static struct bytes *entry_bytes(struct store_entry *entry)
{
	struct cox_bytes json = store_entry_json(entry);

	return bytes_lend(json.data, json.size, release_entry, store_entry_ref(entry));
}

static int server_watch_next(void *server, void *handle, struct client_local_event *event,
			     struct cox_error *err)
{
	static const enum client_event_type types[] = {[FEED_ADDED] = CLIENT_ADDED,
						       [FEED_MODIFIED] = CLIENT_MODIFIED,
						       [FEED_DELETED] = CLIENT_DELETED,
						       [FEED_BOOKMARK] = CLIENT_BOOKMARK};
	struct local_watch *watch = handle;
	cox_autobuf bookmark = COX_BUF_INIT;

	(void)server;
	feed_item_clear(&watch->item);
	bytes_unref(watch->object);
	watch->object = NULL;
	feed_next(watch->feed, &watch->item);
	switch (watch->item.type) {
	case FEED_NONE:
		return 0;
	case FEED_ADDED:
	case FEED_MODIFIED:
	case FEED_DELETED:
		watch->object = entry_bytes(watch->item.entry);
		break;
	case FEED_BOOKMARK:
		feed_bookmark_object(watch->resource, &watch->item, &bookmark);
		watch->object = bytes_copy(bookmark.data, bookmark.size);
		break;
	case FEED_ERROR:
		error_move(err, &watch->item.error);
		return -1;
	case FEED_END:
		return -1;
	}
	event->type = types[watch->item.type];
	event->object = watch->object;
	return 1;
}

static void server_watch_close(void *server, void *handle)
{
	struct local_watch *watch = handle;

	(void)server;
	watch_hub_remove(watch->server->watches, &watch->timer);
	watch_free(watch);
}

struct client_local apiserver_local(struct apiserver *server)
{
	return (struct client_local){.server = server,
				     .call = server_call,
				     .watch_open = server_watch_open,
				     .watch_next = server_watch_next,
				     .watch_close = server_watch_close};
}
