/* SPDX-License-Identifier: Apache-2.0 */
/* get and list; see the header. */
#include "apiserver/read.h"

#include "apiserver/answer.h"
#include "apiserver/liststream.h"
#include "apiserver/select.h"
#include "apiserver/status.h"
#include "base/clock.h"
#include "store/snapshot.h"

#include <coxswain/kit/cleanup.h>
#include <inttypes.h>
#include <string.h>

static const uint64_t fresh_wait = 3 * CLOCK_SECOND;

/* Waiting for a revision */

struct fresh_wait {
	struct store_waiter waiter; /* first */
	struct api_call *call;
	void (*next)(struct api_call *call);
};

static void fail_too_new(struct api_call *call, uint64_t wanted)
{
	cox_autoerror err = COX_ERROR_INIT;

	error_set(&err, COX_REASON_TIMEOUT,
		  "Too large resource version: %" PRIu64 ", current: %" PRIu64, wanted,
		  store_revision(call->server->store));
	error_add_cause(&err, "ResourceVersionTooLarge", NULL, "Too large resource version");
	err.retry_after = 1;
	call_fail(call, &err);
}

static void fail_too_late(struct api_call *call)
{
	struct fresh_wait *wait = call->wait;

	fail_too_new(call, wait->waiter.revision);
}

static void fail_stopping(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;

	error_set(&err, COX_REASON_SERVICE_UNAVAILABLE, "the server is stopping");
	call_fail(call, &err);
}

static void revision_reached(struct store_waiter *waiter, int reached)
{
	struct fresh_wait *wait = (struct fresh_wait *)waiter;

	call_resume(wait->call, reached > 0    ? wait->next
				: reached == 0 ? fail_too_late
					       : fail_stopping);
}

static void wait_for_revision(struct api_call *call, uint64_t revision,
			      void (*next)(struct api_call *call))
{
	struct fresh_wait *wait = arena_new(call->arena, struct fresh_wait);
	cox_autoerror err = COX_ERROR_INIT;

	wait->waiter.done = revision_reached;
	wait->waiter.revision = revision;
	wait->waiter.deadline_ns = clock_monotonic() + fresh_wait;
	wait->call = call;
	wait->next = next;
	call->wait = wait;
	/* Once the waiter is in, the call may be over before this returns. */
	call_defer(call);
	switch (store_wait(call->server->store, &wait->waiter, &err)) {
	case 1:
		next(call);
		break;
	case 0:
		break;
	default:
		call_fail(call, &err);
		break;
	}
}

/* Asks the plugin how far others have written; blocks. */
static void ask_how_fresh(struct api_call *call)
{
	struct fresh_wait *wait = call->wait;
	cox_autoerror err = COX_ERROR_INIT;
	uint64_t revision = 0;

	if (store_fresh_revision(call->server->store, &revision, &err) != 0)
		call_fail(call, &err);
	else
		wait_for_revision(call, revision, wait->next);
}

void read_when_fresh(struct api_call *call, bool version_set, uint64_t version,
		     void (*next)(struct api_call *call))
{
	struct store *store = call->server->store;

	if (!version_set && store_shared(store)) {
		struct fresh_wait *wait = arena_new(call->arena, struct fresh_wait);

		wait->next = next;
		call->wait = wait;
		call_work(call, ask_how_fresh);
	} else if (version_set && version > store_revision(store)) {
		wait_for_revision(call, version, next);
	} else {
		next(call);
	}
}

/* Forms */

static int parse_include(struct api_call *call, struct shape *shape, struct cox_error *err)
{
	const char *include = call_param(call, "includeObject");

	shape->include = INCLUDE_METADATA;
	if (!include || !*include || strcmp(include, "Metadata") == 0)
		return 0;
	if (strcmp(include, "Object") == 0)
		shape->include = INCLUDE_OBJECT;
	else if (strcmp(include, "None") == 0)
		shape->include = INCLUDE_NONE;
	else
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "query parameter includeObject: \"%s\" is none of None, Metadata, "
				 "Object",
				 include);
	return 0;
}

int read_negotiate(struct api_call *call, const struct api_resource *resource, bool list,
		   struct shape *shape, struct cox_error *err)
{
	unsigned offers =
		ANSWER_FORMATS | OFFER_TABLE | (list ? OFFER_PARTIAL_LIST : OFFER_PARTIAL);

	if (call->verb == VERB_WATCH)
		offers = OFFER_JSON | OFFER_PROTOBUF | OFFER_TABLE | OFFER_PARTIAL | OFFER_WATCH;
	if (answer_negotiate(call, offers, err) != 0)
		return -1;
	*shape = (struct shape){.resource = resource,
				.format = call->media.format,
				.form = call->media.shape,
				.form_version = call->media.shape_version,
				.pretty = call->media.pretty && call->media.format == MEDIA_JSON};
	return shape->form == SHAPE_TABLE ? parse_include(call, shape, err) : 0;
}

static void release_entry(void *entry)
{
	store_entry_unref(entry);
}

void read_answer_json(struct api_call *call, unsigned code, const struct shape *shape,
		      struct cox_bytes json)
{
	cox_autobuf out = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	if (shape_object(shape, json, &out, &err) != 0)
		call_fail(call, &err);
	else
		call_answer(call, code, negotiate_content_type(&call->media, false, call->arena),
			    cox_buf_cstr(&out), out.size);
}

static void release_bytes(void *bytes)
{
	bytes_unref(bytes);
}

/* Takes over an item that is made already; an envelope is put around it. */
static void answer_item(struct api_call *call, unsigned code, const struct shape *shape,
			struct bytes *item)
{
	cox_autobuf head = COX_BUF_INIT, tail = COX_BUF_INIT;
	struct http_piece pieces[3] = {{0}};
	struct http_response response = {
		.status = code, .flags = HTTP_RESPONSE_GZIP, .pieces = pieces, .piece_count = 3};

	response.content_type = negotiate_content_type(&call->media, false, call->arena);
	shape_open(shape, item->size, &head);
	shape_close(shape, &tail);
	pieces[0].data = arena_strndup(&call->request->arena, cox_buf_cstr(&head), head.size);
	pieces[0].size = head.size;
	pieces[1] = (struct http_piece){
		.data = item->data, .size = item->size, .release = release_bytes, .owner = item};
	pieces[2].data = arena_strndup(&call->request->arena, cox_buf_cstr(&tail), tail.size);
	pieces[2].size = tail.size;
	call_respond(call, &response);
}

/* Makes the form, for everybody if it is one that is kept. */
static void answer_made(struct api_call *call, unsigned code, const struct shape *shape,
			struct store_entry *entry)
{
	struct cox_bytes json = store_entry_json(entry);
	uint64_t form = shape_form(shape, FORM_ITEM);
	cox_autobuf item = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	if (!form)
		read_answer_json(call, code, shape, json);
	else if (shape_item(shape, json, &item, &err) != 0)
		call_fail(call, &err);
	else
		answer_item(call, code, shape,
			    store_forms_put(call->server->forms, entry, form,
					    bytes_copy(item.data, item.size)));
}

static void answer_canonical(struct api_call *call, unsigned code, struct store_entry *entry)
{
	struct cox_bytes json = store_entry_json(entry);
	struct http_piece piece = {.data = json.data,
				   .size = json.size,
				   .release = release_entry,
				   .owner = store_entry_ref(entry)};

	call_answer_piece(call, code, negotiate_content_type(&call->media, false, call->arena),
			  &piece);
}

/* get */

static struct store_entry *find_entry(struct api_call *call, struct cox_error *err)
{
	const struct api_resource *resource = call->resource;
	struct store_entry *entry =
		store_get(resource->collection, resource->namespaced ? call->route.namespace_ : "",
			  call->route.name);

	if (!entry) {
		status_not_found(err, resource->group, resource->name, call->route.name);
	} else if (store_entry_error(entry)) {
		error_set(err, COX_REASON_STORE_READ_ERROR, "%s", store_entry_error(entry));
		store_entry_unref(entry);
		entry = NULL;
	}
	return entry;
}

static void get_answer(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct shape shape;
	struct store_entry *entry cox_auto(store_entry_release) = NULL;

	/* Negotiated once already; what it costs again is nothing. */
	if (read_negotiate(call, call->resource, false, &shape, &err) != 0 ||
	    !(entry = find_entry(call, &err)))
		call_fail(call, &err);
	else
		answer_made(call, 200, &shape, entry);
}

/* What is there as it is wanted is answered at once; the rest is made on a worker. */
static void get_fresh(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct shape shape;
	struct store_entry *entry cox_auto(store_entry_release) = NULL;
	struct bytes *item = NULL;
	uint64_t form;

	if (read_negotiate(call, call->resource, false, &shape, &err) != 0 ||
	    !(entry = find_entry(call, &err))) {
		call_fail(call, &err);
		return;
	}
	if (shape_is_canonical(&shape)) {
		answer_canonical(call, 200, entry);
		return;
	}
	form = shape_form(&shape, FORM_ITEM);
	if (form)
		item = store_forms_get(call->server->forms, entry, form);
	if (item)
		answer_item(call, 200, &shape, item);
	else
		call_work(call, get_answer);
}

void read_get(struct api_call *call)
{
	const char *text = call_param(call, "resourceVersion");
	cox_autoerror err = COX_ERROR_INIT;
	uint64_t version = 0;

	if (version_parse(text ? text : "", &version, &err) != 0)
		call_fail(call, &err);
	else
		read_when_fresh(call, text && *text, version, get_fresh);
}

/* list */

struct list_job {
	struct shape shape;
	struct selection *selection;
	struct store_snapshot *snapshot;
	struct list_meta meta;
	struct cox_bytes after; /* key to go on behind */
	uint64_t limit;
};

static void release_job(void *what)
{
	struct list_job *job = what;

	selection_free(job->selection);
	store_snapshot_unref(job->snapshot);
}

/* 410 for an old token, with another one that goes on at the present state. */
static void fail_expired_continue(struct api_call *call, const char *start, size_t size)
{
	cox_autobuf body = COX_BUF_INIT;

	cox_buf_str(&body, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{\"continue\":"
			   "\"");
	cox_buf_str(&body, continue_make(call->arena, start, size, 0));
	cox_buf_str(&body,
		    "\"},\"status\":\"Failure\",\"message\":\"The provided continue parameter is "
		    "too old to display a consistent list result. You can start a new list without "
		    "the continue parameter, or use the continue token in this response to "
		    "retrieve the remainder of the results. Continuing with the provided token "
		    "results in an inconsistent list - objects that were created, modified, or "
		    "deleted between the time the first chunk was returned and now may show up in "
		    "the list.\",\"reason\":\"Expired\",\"code\":410}");
	answer_error(call, 410, NULL, 0, body.data, body.size);
}

/*
 * The snapshot that the options ask for. 1: it is there; 0: the call has been
 * answered already; -1: error.
 */
static int open_snapshot(struct api_call *call, struct list_job *job, struct cox_error *err)
{
	struct store_collection *collection = call->resource->collection;
	const char *start;
	uint64_t revision;
	size_t size;

	if (*call->list.continue_) {
		cox_autobuf key = COX_BUF_INIT;

		if (continue_read(call->arena, call->list.continue_, &start, &size, &revision,
				  err) != 0)
			return -1;
		cox_buf_str(&key,
			    schema_text(call->server->schema, call->resource->stored_row->prefix));
		cox_buf_add(&key, start, size);
		job->after = (struct cox_bytes){arena_strndup(call->arena, key.data, key.size),
						key.size};
		job->snapshot = revision ? store_snapshot_at(collection, revision, err)
					 : store_snapshot(collection);
		if (!job->snapshot && err->reason == COX_REASON_EXPIRED) {
			fail_expired_continue(call, start, size);
			return 0;
		}
	} else if (call->list.match == MATCH_EXACT) {
		job->snapshot = store_snapshot_at(collection, call->list.version, err);
	} else {
		job->snapshot = store_snapshot(collection);
	}
	if (!job->snapshot)
		return -1;
	job->meta.version = store_snapshot_revision(job->snapshot);
	return 1;
}

/* Finds out where the page ends, before its first byte leaves. */
static void plan_page(struct api_call *call, struct list_job *job)
{
	const char *prefix = schema_text(call->server->schema, call->resource->stored_row->prefix);
	struct store_iterator iterator;
	struct store_entry *entry, *last = NULL;
	uint64_t found = 0;

	job->meta.remaining = -1;
	job->meta.continue_ = "";
	job->limit = call->list.limit;
	/* Today's servers, too, give the whole list for "0" from the cache. */
	if (job->limit && call->list.version_set && call->list.version == 0 &&
	    !*call->list.continue_)
		job->limit = 0;
	if (!job->limit)
		return;
	store_iterate(&iterator, job->snapshot, &job->selection->scope, job->after);
	while ((entry = store_iterator_next(&iterator))) {
		struct cox_bytes key;

		if (store_entry_error(entry) || !selection_matches(job->selection, entry))
			continue;
		if (found++ < job->limit) {
			last = entry;
			continue;
		}
		key = store_entry_key(last);
		job->meta.continue_ =
			continue_make(call->arena, (const char *)key.data + strlen(prefix),
				      key.size - strlen(prefix), job->meta.version);
		/* The next page must find this state again. */
		store_snapshot_keep(job->snapshot, !*call->list.continue_);
		if (selection_is_scope(job->selection))
			job->meta.remaining = 1 + (int64_t)store_iterator_count(&iterator);
		return;
	}
	job->limit = 0;
	if (*call->list.continue_)
		store_snapshot_finish(job->snapshot);
}

/* The answer outlives the call and takes over what it reads. */
static struct list_source take_source(struct list_job *job)
{
	return (struct list_source){.shape = job->shape,
				    .snapshot = cox_steal(job->snapshot),
				    .selection = cox_steal(job->selection),
				    .after = job->after,
				    .limit = job->limit,
				    .meta = job->meta};
}

static void list_answer_made(struct api_call *call)
{
	struct list_source source = take_source(call->job);

	liststream_answer_made(call, &source);
}

/* A value that cannot be read must not silently vanish from a list. */
static void warn_unreadable(struct api_call *call)
{
	size_t bad = store_collection_errors(call->resource->collection);

	if (bad)
		call_warn(call,
			  "%zu stored objects of this kind cannot be read and are left out; "
			  "get them by name to see why",
			  bad);
}

static void list_fresh(struct api_call *call)
{
	struct list_job *job = call->job;
	cox_autoerror err = COX_ERROR_INIT;

	switch (open_snapshot(call, job, &err)) {
	case 1:
		break;
	case 0:
		return;
	default:
		call_fail(call, &err);
		return;
	}
	plan_page(call, job);
	warn_unreadable(call);
	if (shape_is_canonical(&job->shape)) {
		struct list_source source = take_source(job);

		liststream_answer(call, &source);
	} else {
		call_work(call, list_answer_made);
	}
}

void read_list(struct api_call *call)
{
	struct list_job *job = arena_new(call->arena, struct list_job);
	cox_autoerror err = COX_ERROR_INIT;

	if (read_negotiate(call, call->resource, true, &job->shape, &err) != 0) {
		call_fail(call, &err);
		return;
	}
	job->selection = selection_new(call, &err);
	if (!job->selection) {
		call_fail(call, &err);
		return;
	}
	call_on_end(call, release_job, job);
	call->job = job;
	if (*call->list.continue_)
		list_fresh(call);
	else
		read_when_fresh(call, call->list.version_set, call->list.version, list_fresh);
}
