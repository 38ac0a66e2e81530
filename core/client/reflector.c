/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List and watch. Three ways to be:
 *   filling by stream   a watch with sendInitialEvents; objects go to `staging`
 *                       until the bookmark that ends the initial events
 *   filling by list     pages, all within one step, then a watch
 *   watching            from the last revision seen, bookmarks included
 * A server that refuses sendInitialEvents (400, 422), or ignores it and so never
 * sends the end, is asked by list from then on.
 *
 * Lock: `mutex` over `ended` and `why`, which the watch thread writes. Revision
 * and staging belong to the watch thread while a watch is open and to
 * reflector_step while none is.
 */
#include "client/reflector.h"

#include "base/clock.h"
#include "base/log.h"
#include "client/list.h"
#include "client/transport.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#define PAUSE_FIRST (800 * CLOCK_MILLISECOND)
#define PAUSE_LAST (30 * CLOCK_SECOND)
#define LIST_TIMEOUT (60 * CLOCK_SECOND)
#define STAGING_SILENCE (10 * CLOCK_SECOND)
#define PAGE "500"

enum { WATCH_SECONDS = 300 }; /* and up to twice as long */

struct reflector {
	struct client *client;
	struct client_request *request; /* the strings of the source */
	struct client_option selectors[2];
	size_t selector_count;
	struct reflector_target target;
	void *context;
	struct client_watch *watch;
	uint64_t opened; /* when the watch began */
	uint64_t due;
	uint64_t pause; /* before the next try, after a failure */
	struct cox_buf revision;
	struct mirror staging;
	bool filled; /* `revision` can be watched from */
	bool staging_now;
	bool no_stream;
	bool absent;		       /* the server does not know the resource */
	_Atomic uint64_t staging_seen; /* the last sign of life while filling; 0: not filling */
	pthread_mutex_t mutex;
	bool ended;
	struct cox_error why;
};

static uint64_t random_below(uint64_t limit)
{
	uint64_t number = 0;

	while (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		;
	return limit ? number % limit : 0;
}

/* ---- the watch thread's side ---- */

static bool bookmark_ends_initial(const struct cox_object *object)
{
	const struct value *annotation = object_path(
		object_root(object), "metadata.annotations[\"k8s.io/initial-events-end\"]");

	return value_string_is(annotation, "true");
}

static void staging_done(struct reflector *reflector)
{
	struct object_list all = {0};

	mirror_all(&reflector->staging, &all);
	mirror_free(&reflector->staging);
	reflector->staging_now = false;
	atomic_store(&reflector->staging_seen, 0);
	reflector->filled = true;
	reflector->pause = 0;
	reflector->target.replace(reflector->context, &all);
	object_list_free(&all);
}

static void staging_event(struct reflector *reflector, enum client_event_type type,
			  struct cox_object *object)
{
	cox_autobuf key = COX_BUF_INIT;

	if (type == CLIENT_DELETED) {
		mirror_key(&key, object_namespace(object), object_name(object));
		object_unref(mirror_remove(&reflector->staging, key.data));
	} else {
		object_unref(mirror_put(&reflector->staging, object));
	}
}

static void release_bytes(void *bytes)
{
	bytes_unref(bytes);
}

static void on_event(void *context, enum client_event_type type, struct bytes *bytes)
{
	struct reflector *reflector = context;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autoobject *object =
		object_adopt(bytes->data, bytes->size, release_bytes, bytes_ref(bytes), &err);

	if (!object) {
		bytes_unref(bytes);
		log_error("watch of %s: %s", reflector->request->resource, error_text(&err));
		return;
	}
	client_is_back(reflector->client);
	if (*object_revision(object)) {
		cox_buf_clear(&reflector->revision);
		cox_buf_str(&reflector->revision, object_revision(object));
	}
	if (type == CLIENT_BOOKMARK) {
		if (reflector->staging_now && bookmark_ends_initial(object))
			staging_done(reflector);
	} else if (reflector->staging_now) {
		staging_event(reflector, type, object);
		atomic_store(&reflector->staging_seen, clock_monotonic());
	} else {
		reflector->target.event(reflector->context, type, object);
	}
}

static void on_ended(void *context, const struct cox_error *why)
{
	struct reflector *reflector = context;

	{
		cox_lock_scope(&reflector->mutex);
		reflector->ended = true;
		if (why && why->reason)
			error_set(&reflector->why, why->reason, "%s", error_text(why));
	}
	reflector->target.wake(reflector->context);
}

/* ---- the owner's side ---- */

static void fall_back(struct reflector *reflector, uint64_t now)
{
	reflector->pause = reflector->pause ? reflector->pause * 2 : PAUSE_FIRST;
	if (reflector->pause > PAUSE_LAST)
		reflector->pause = PAUSE_LAST;
	/* Half fixed, half by chance, so that many clients do not come at once. */
	reflector->due = now + reflector->pause / 2 + random_below(reflector->pause / 2 + 1);
}

/*
 * The server does not know the resource (yet): as good as a collection without
 * objects, and asked for again when a definition may have come.
 */
static void take_as_empty(struct reflector *reflector, uint64_t now)
{
	struct object_list none = {0};

	if (!reflector->absent)
		log_info("%s: the server does not have this resource; taken as empty",
			 reflector->request->resource);
	reflector->absent = true;
	reflector->filled = false;
	reflector->target.replace(reflector->context, &none);
	reflector->pause = PAUSE_LAST;
	fall_back(reflector, now);
}

/* Decides what follows the end of a watch or a failed try. */
static void judge(struct reflector *reflector, const struct cox_error *why)
{
	uint64_t now = clock_monotonic();
	bool lived = reflector->opened && now - reflector->opened >= CLOCK_SECOND;
	bool was_staging = reflector->staging_now;

	mirror_free(&reflector->staging);
	reflector->staging_now = false;
	atomic_store(&reflector->staging_seen, 0);
	reflector->due = now;
	switch (why->reason) {
	case COX_REASON_GONE:
	case COX_REASON_EXPIRED:
		reflector->filled = false;
		if (!lived)
			fall_back(reflector, now);
		return;
	case COX_REASON_NOT_FOUND:
		take_as_empty(reflector, now);
		return;
	case COX_REASON_INVALID:
	case COX_REASON_BAD_REQUEST:
		if (was_staging && !reflector->no_stream) {
			reflector->no_stream = true;
			return;
		}
		break;
	case COX_REASON_NONE:
		if (lived && !was_staging) {
			reflector->pause = 0;
			return;
		}
		break;
	default:
		break;
	}
	if (why->reason && client_tells_failure(reflector->client, why))
		log_warning("list and watch %s: %s", reflector->request->resource, error_text(why));
	else if (why->reason)
		log_verbose(2, "list and watch %s: %s", reflector->request->resource,
			    error_text(why));
	fall_back(reflector, now);
}

static struct client_request base_request(const struct reflector *reflector, enum client_verb verb,
					  struct client_option *options)
{
	struct client_request request = *reflector->request;

	for (size_t i = 0; i < reflector->selector_count; i++)
		options[i] = reflector->selectors[i];
	request.verb = verb;
	request.options = options;
	request.option_count = reflector->selector_count;
	return request;
}

static void add_option(struct client_request *request, struct client_option *options,
		       const char *name, const char *value)
{
	options[request->option_count++] = (struct client_option){name, value};
}

static int open_watch(struct reflector *reflector, bool initial, struct cox_error *err)
{
	static const struct client_watcher watcher = {on_event, on_ended};
	struct client_option options[8];
	struct client_request request = base_request(reflector, CLIENT_WATCH, options);
	cox_autobuf seconds = COX_BUF_INIT;

	cox_buf_printf(&seconds, "%u", WATCH_SECONDS + (unsigned)random_below(WATCH_SECONDS));
	add_option(&request, options, "allowWatchBookmarks", "true");
	add_option(&request, options, "timeoutSeconds", seconds.data);
	if (initial) {
		add_option(&request, options, "sendInitialEvents", "true");
		add_option(&request, options, "resourceVersionMatch", "NotOlderThan");
	} else {
		add_option(&request, options, "resourceVersion",
			   cox_buf_cstr(&reflector->revision));
	}
	reflector->staging_now = initial;
	reflector->opened = clock_monotonic();
	atomic_store(&reflector->staging_seen, initial ? reflector->opened : 0);
	reflector->watch = client_watch_open(reflector->client, &request, &watcher, reflector, err);
	return reflector->watch ? 0 : -1;
}

static int list_page(struct reflector *reflector, struct object_list *objects, struct cox_buf *next,
		     struct cox_error *err)
{
	struct client_option options[8];
	struct client_request request = base_request(reflector, CLIENT_LIST, options);
	cox_autoanswer answer = CLIENT_ANSWER_INIT;

	add_option(&request, options, "limit", PAGE);
	if (next->size)
		add_option(&request, options, "continue", next->data);
	request.deadline = clock_monotonic() + LIST_TIMEOUT;
	if (client_call(reflector->client, &request, &answer, err))
		return -1;
	client_is_back(reflector->client);
	return list_parse(cox_buf_cstr(&answer.body), answer.body.size, objects,
			  &reflector->revision, next, err);
}

static int fill_by_list(struct reflector *reflector, struct cox_error *err)
{
	struct object_list objects = {0};
	cox_autobuf next = COX_BUF_INIT;
	int failed;

	do
		failed = list_page(reflector, &objects, &next, err);
	while (!failed && next.size);
	if (!failed) {
		reflector->filled = true;
		reflector->pause = 0;
		reflector->target.replace(reflector->context, &objects);
	}
	object_list_free(&objects);
	return failed;
}

static int begin(struct reflector *reflector, struct cox_error *err)
{
	if (reflector->filled)
		return open_watch(reflector, false, err);
	if (!reflector->no_stream)
		return open_watch(reflector, true, err);
	reflector->opened = 0;
	if (fill_by_list(reflector, err))
		return -1;
	return open_watch(reflector, false, err);
}

/* Takes the end of the watch over, if it has come. */
static bool take_end(struct reflector *reflector, struct cox_error *why)
{
	cox_lock_scope(&reflector->mutex);
	if (!reflector->ended)
		return false;
	reflector->ended = false;
	error_move(why, &reflector->why);
	return true;
}

/* When to give up waiting for the end of the initial events; 0: not waiting. */
static uint64_t patience_ends(const struct reflector *reflector)
{
	uint64_t seen = atomic_load(&reflector->staging_seen);

	return seen ? seen + STAGING_SILENCE : 0;
}

uint64_t reflector_step(struct reflector *reflector)
{
	cox_autoerror why = COX_ERROR_INIT;

	if (reflector->watch) {
		if (!take_end(reflector, &why)) {
			uint64_t until = patience_ends(reflector);

			if (!until || until > clock_monotonic())
				return until;
			error_set(&why, COX_REASON_BAD_REQUEST,
				  "the server does not end the initial events");
		}
		client_watch_close(reflector->watch);
		reflector->watch = NULL;
		judge(reflector, &why);
		error_clear(&why);
	}
	if (reflector->due > clock_monotonic())
		return reflector->due;
	if (begin(reflector, &why))
		judge(reflector, &why);
	return reflector->watch ? patience_ends(reflector) : reflector->due;
}

struct reflector *reflector_new(struct client *client, const struct reflector_source *source,
				const struct reflector_target *target, void *context)
{
	struct reflector *reflector = cox_new(struct reflector);
	struct client_option options[2];
	struct client_request request = {.group = source->group,
					 .version = source->version,
					 .resource = source->resource,
					 .namespace = source->namespace,
					 .options = options};

	if (source->label_selector && *source->label_selector)
		add_option(&request, options, "labelSelector", source->label_selector);
	if (source->field_selector && *source->field_selector)
		add_option(&request, options, "fieldSelector", source->field_selector);
	reflector->client = client;
	reflector->target = *target;
	reflector->context = context;
	reflector->request = client_request_copy(&request);
	reflector->selector_count = request.option_count;
	for (size_t i = 0; i < request.option_count; i++)
		reflector->selectors[i] = reflector->request->options[i];
	pthread_mutex_init(&reflector->mutex, NULL);
	return reflector;
}

void reflector_free(struct reflector *reflector)
{
	if (!reflector)
		return;
	client_watch_close(reflector->watch);
	mirror_free(&reflector->staging);
	cox_buf_free(&reflector->revision);
	error_clear(&reflector->why);
	pthread_mutex_destroy(&reflector->mutex);
	free(reflector->request);
	free(reflector);
}
