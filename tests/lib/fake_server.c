/* SPDX-License-Identifier: Apache-2.0 */
/* The API server for tests. One mutex; wakes are sent with it released. */
#include "fake_server.h"

#include "base/clock.h"
#include "client/local.h"
#include "machinery/json.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/vec.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stored {
	char *resource;
	struct cox_object *object; /* a reader */
};

struct history {
	uint64_t revision;
	enum client_event_type type;
	char *resource;
	struct bytes *bytes;
};

struct watch {
	struct fake_server *server;
	struct watch *next;
	char *resource;
	char *namespace;
	size_t at; /* in history */
	COX_VEC(struct history) initial;
	size_t initial_at;
	bool end;
	bool expired;
	void (*wake)(void *waker);
	void *waker;
	struct bytes *lent;
	unsigned waking; /* calls of wake under way */
};

struct failure {
	enum client_verb verb;
	char *resource;
	int code;
	char *reason, *message;
	unsigned times;
};

struct document {
	char *path;
	char *json;
};

struct counter {
	enum client_verb verb;
	char *resource;
	unsigned count;
};

struct fake_server {
	pthread_mutex_t mutex;
	pthread_cond_t woken;
	uint64_t revision;
	uint64_t compacted;
	uint64_t names;
	uint64_t tokens;
	COX_VEC(struct stored) objects;
	COX_VEC(struct history) history;
	COX_VEC(struct failure) failures;
	COX_VEC(struct counter) counters;
	COX_VEC(struct document) documents;
	struct watch *watches;
	bool no_stream;
	bool holding;
};

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* ---- answers ---- */

static int answer_status(struct client_answer *answer, int code, const char *reason,
			 const char *message)
{
	struct cox_json json = COX_JSON_INIT(&answer->body);

	answer->code = code;
	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", "Status");
	cox_json_text(&json, "apiVersion", "v1");
	cox_json_text(&json, "status", code < 300 ? "Success" : "Failure");
	cox_json_text_set(&json, "reason", reason);
	cox_json_text(&json, "message", message);
	cox_json_int(&json, "code", code);
	cox_json_end(&json);
	return 0;
}

static int answer_object(struct client_answer *answer, int code, const struct cox_object *object)
{
	struct cox_bytes bytes = object_json(object);

	answer->code = code;
	cox_buf_add(&answer->body, bytes.data, bytes.size);
	return 0;
}

static int answer_missing(struct client_answer *answer, const struct client_request *request)
{
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_printf(&text, "%s \"%s\" not found", request->resource, request->name);
	return answer_status(answer, 404, "NotFound", text.data);
}

/* ---- the store ---- */

static struct stored *find(struct fake_server *server, const char *resource, const char *namespace,
			   const char *name)
{
	for (size_t i = 0; i < server->objects.count; i++) {
		struct stored *at = &server->objects.items[i];

		if (!strcmp(at->resource, resource) &&
		    !strcmp(object_namespace(at->object), or_empty(namespace)) &&
		    !strcmp(object_name(at->object), or_empty(name)))
			return at;
	}
	return NULL;
}

static struct bytes *to_bytes(const struct cox_object *object)
{
	struct cox_bytes bytes = object_json(object);

	return bytes_copy(bytes.data, bytes.size);
}

static void record(struct fake_server *server, enum client_event_type type, const char *resource,
		   const struct cox_object *object)
{
	struct history event = {server->revision, type, cox_strdup(resource), to_bytes(object)};

	cox_vec_push(&server->history, event);
}

static void set_revision(struct fake_server *server, struct arena *arena, struct value *object)
{
	struct value *metadata = value_make_object(arena, object, "metadata");

	value_set(arena, metadata, "resourceVersion",
		  value_printf(arena, "%" PRIu64, ++server->revision));
}

static struct cox_object *to_object(const struct value *tree)
{
	cox_autobuf text = COX_BUF_INIT;

	json_write(&text, tree, 0);
	return object_new(text.data, text.size, NULL);
}

static void wake_all(struct fake_server *server)
{
	for (struct watch *watch = server->watches; watch; watch = watch->next)
		watch->waking++;
	for (struct watch *watch = server->watches; watch; watch = watch->next) {
		pthread_mutex_unlock(&server->mutex);
		watch->wake(watch->waker);
		pthread_mutex_lock(&server->mutex);
		watch->waking--;
	}
	pthread_cond_broadcast(&server->woken);
}

static void remove_stored(struct fake_server *server, struct stored *stored)
{
	cox_autoarena arena = ARENA_INIT;
	struct cox_bytes bytes = object_json(stored->object);
	struct value *tree = json_parse(&arena, bytes.data, bytes.size, NULL, NULL);
	size_t index = (size_t)(stored - server->objects.items);
	struct cox_object *last;

	set_revision(server, &arena, tree);
	last = to_object(tree);
	record(server, CLIENT_DELETED, stored->resource, last);
	object_unref(last);
	object_unref(stored->object);
	free(stored->resource);
	memmove(stored, stored + 1, (server->objects.count - index - 1) * sizeof(*stored));
	server->objects.count--;
}

/* ---- writes ---- */

static int create(struct fake_server *server, const struct client_request *request,
		  struct client_answer *answer)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *tree = json_parse(&arena, request->body, request->body_size, NULL, NULL);
	struct value *metadata;
	struct stored stored;
	char now[CLOCK_RFC3339_SIZE];

	if (!tree)
		return answer_status(answer, 400, "BadRequest", "the body is not JSON");
	metadata = value_make_object(&arena, tree, "metadata");
	if (!*value_get_text(metadata, "name"))
		value_set(&arena, metadata, "name",
			  value_printf(&arena, "%s%05" PRIu64,
				       value_get_text(metadata, "generateName"), ++server->names));
	if (request->namespace && *request->namespace)
		value_set_text(&arena, metadata, "namespace", request->namespace);
	if (find(server, request->resource, request->namespace, value_get_text(metadata, "name")))
		return answer_status(answer, 409, "AlreadyExists", "already exists");
	value_set(&arena, metadata, "uid",
		  value_printf(&arena, "uid-%" PRIu64, server->revision + 1));
	clock_format(clock_realtime(), now);
	if (!value_get(metadata, "creationTimestamp"))
		value_set_text(&arena, metadata, "creationTimestamp", now);
	value_set_int(&arena, metadata, "generation", 1);
	set_revision(server, &arena, tree);
	stored = (struct stored){cox_strdup(request->resource), to_object(tree)};
	cox_vec_push(&server->objects, stored);
	record(server, CLIENT_ADDED, stored.resource, stored.object);
	return answer_object(answer, 201, stored.object);
}

/* Whether finalizers keep a deleted object; those of namespaces are in their spec too. */
static bool is_held(const struct value *object)
{
	const struct value *own = value_path(object, "metadata.finalizers");
	const struct value *room = value_path(object, "spec.finalizers");

	return (value_is(own, VALUE_ARRAY) && own->count) ||
	       (value_is(room, VALUE_ARRAY) && room->count);
}

/* The last finalizer is gone, and with it the object. */
static int finish(struct fake_server *server, struct stored *stored, struct arena *arena,
		  struct value *tree, struct client_answer *answer)
{
	set_revision(server, arena, tree);
	object_unref(stored->object);
	stored->object = to_object(tree);
	answer_object(answer, 200, stored->object);
	remove_stored(server, stored);
	return 0;
}

/* Puts `tree` in the place of what is stored, with the server's own fields kept. */
static int replace(struct fake_server *server, struct stored *stored,
		   const struct client_request *request, struct arena *arena, struct value *tree,
		   struct client_answer *answer)
{
	const struct value *old = object_root(stored->object);
	struct value *metadata = value_make_object(arena, tree, "metadata");
	const char *revision = value_get_text(metadata, "resourceVersion");
	const char *uid = value_get_text(metadata, "uid");
	int64_t generation = value_get_int(value_get(old, "metadata"), "generation", 1);
	bool status = !strcmp(or_empty(request->subresource), "status");

	if ((*revision && strcmp(revision, object_revision(stored->object)) != 0) ||
	    (*uid && strcmp(uid, object_uid(stored->object)) != 0))
		return answer_status(answer, 409, "Conflict",
				     "the object has been modified; please apply your changes to "
				     "the latest version and try again");
	if (status) {
		struct value *given = value_get(tree, "status");

		tree = value_copy(arena, old);
		value_set(arena, tree, "status", given ? given : value_object(arena));
		metadata = value_make_object(arena, tree, "metadata");
	} else if (!value_equal(value_get(tree, "spec"), value_get(old, "spec"))) {
		generation++;
	}
	value_set_text(arena, metadata, "uid", object_uid(stored->object));
	value_set_int(arena, metadata, "generation", generation);
	if (value_path(old, "metadata.deletionTimestamp")) {
		value_set(arena, metadata, "deletionTimestamp",
			  value_copy(arena, value_path(old, "metadata.deletionTimestamp")));
		if (is_held(old) && !is_held(tree))
			return finish(server, stored, arena, tree, answer);
	}
	set_revision(server, arena, tree);
	object_unref(stored->object);
	stored->object = to_object(tree);
	record(server, CLIENT_MODIFIED, stored->resource, stored->object);
	return answer_object(answer, 200, stored->object);
}

static int update(struct fake_server *server, const struct client_request *request,
		  struct client_answer *answer)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *tree = json_parse(&arena, request->body, request->body_size, NULL, NULL);
	struct stored *stored = find(server, request->resource, request->namespace, request->name);

	if (!stored)
		return answer_missing(answer, request);
	if (!tree)
		return answer_status(answer, 400, "BadRequest", "the body is not JSON");
	return replace(server, stored, request, &arena, tree, answer);
}

/* pods/NAME/binding: gives the pod its node, once. */
static int bind(struct fake_server *server, const struct client_request *request,
		struct client_answer *answer)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *body = json_parse(&arena, request->body, request->body_size, NULL, NULL);
	struct stored *stored = find(server, request->resource, request->namespace, request->name);
	const char *node = value_text(value_path(body, "target.name"));
	struct client_request put = {.resource = request->resource};
	struct value *tree;

	if (!stored)
		return answer_missing(answer, request);
	tree = value_copy(&arena, object_root(stored->object));
	if (*value_text(value_path(tree, "spec.nodeName")))
		return answer_status(answer, 409, "Conflict", "the pod has a node already");
	value_set_text(&arena, value_make_object(&arena, tree, "spec"), "nodeName", node);
	value_remove(value_get(tree, "metadata"), "resourceVersion");
	replace(server, stored, &put, &arena, tree, answer);
	cox_buf_clear(&answer->body);
	return answer_status(answer, 201, NULL, "");
}

/* The member that tells items of a list apart; NULL: the list is replaced. */
static const char *merge_key(const char *list)
{
	if (!strcmp(list, "ownerReferences"))
		return "uid";
	return !strcmp(list, "conditions") ? "type" : NULL;
}

/* Strategic merging of such a list; items are replaced as a whole. */
static void merge_list(struct arena *arena, struct value *list, const struct value *patch,
		       const char *key)
{
	for (size_t i = 0; i < patch->count; i++) {
		struct value *item = value_at(patch, i);
		size_t at = 0;

		while (at < list->count && strcmp(value_get_text(value_at(list, at), key),
						  value_get_text(item, key)) != 0)
			at++;
		if (value_string_is(value_get(item, "$patch"), "delete")) {
			if (at < list->count)
				value_remove_at(list, at);
		} else if (at < list->count) {
			list->array.items[at] = item;
		} else {
			value_push(arena, list, item);
		}
	}
}

static void merge(struct arena *arena, struct value *into, const struct value *patch,
		  bool strategic)
{
	for (size_t i = 0; i < patch->count; i++) {
		const struct value_member *member = &patch->object.members[i];
		struct value *old = value_get(into, member->key);

		if (member->value->kind == VALUE_NULL) {
			value_remove(into, member->key);
		} else if (member->value->kind == VALUE_OBJECT) {
			merge(arena, value_make_object(arena, into, member->key), member->value,
			      strategic);
		} else if (strategic && member->value->kind == VALUE_ARRAY &&
			   merge_key(member->key)) {
			if (!old) {
				old = value_array(arena);
				value_set(arena, into, member->key, old);
			}
			merge_list(arena, old, member->value, merge_key(member->key));
		} else {
			value_set(arena, into, member->key, member->value);
		}
	}
}

static int patch(struct fake_server *server, const struct client_request *request,
		 struct client_answer *answer)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *change = json_parse(&arena, request->body, request->body_size, NULL, NULL);
	struct stored *stored = find(server, request->resource, request->namespace, request->name);
	bool strategic = !strcmp(or_empty(request->content_type), CLIENT_STRATEGIC_PATCH);
	struct value *tree;

	if (!stored)
		return answer_missing(answer, request);
	if (!change)
		return answer_status(answer, 400, "BadRequest", "the body is not JSON");
	tree = value_copy(&arena, object_root(stored->object));
	/* Only what the patch itself says about the revision is a condition. */
	value_remove(value_get(tree, "metadata"), "resourceVersion");
	merge(&arena, tree, change, strategic);
	return replace(server, stored, request, &arena, tree, answer);
}

/* The finalizer that stands for a way of deleting; NULL: none. */
static const char *policy_finalizer(const struct value *options)
{
	const char *policy = value_get_text(options, "propagationPolicy");

	if (!strcmp(policy, "Foreground"))
		return "foregroundDeletion";
	return !strcmp(policy, "Orphan") ? "orphan" : NULL;
}

/* Removes it, or marks it if finalizers hold it. */
static int take_away(struct fake_server *server, struct stored *stored, struct arena *arena,
		     const struct value *options, struct client_answer *answer)
{
	struct value *tree = value_copy(arena, object_root(stored->object));
	struct value *metadata = value_make_object(arena, tree, "metadata");
	const char *finalizer = policy_finalizer(options);
	char now[CLOCK_RFC3339_SIZE];

	if (finalizer) {
		struct value *list = value_get(metadata, "finalizers");

		if (!list)
			value_set(arena, metadata, "finalizers", list = value_array(arena));
		value_push(arena, list, value_printf(arena, "%s", finalizer));
	}
	if (!is_held(tree)) {
		remove_stored(server, stored);
		return answer_status(answer, 200, NULL, "");
	}
	clock_format(clock_realtime(), now);
	if (!value_get(metadata, "deletionTimestamp"))
		value_set_text(arena, metadata, "deletionTimestamp", now);
	set_revision(server, arena, tree);
	object_unref(stored->object);
	stored->object = to_object(tree);
	record(server, CLIENT_MODIFIED, stored->resource, stored->object);
	return answer_object(answer, 200, stored->object);
}

static int delete (struct fake_server *server, const struct client_request *request,
		   struct client_answer *answer)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *options = request->body_size ? json_parse(&arena, request->body,
								request->body_size, NULL, NULL)
						   : NULL;
	struct stored *stored = find(server, request->resource, request->namespace, request->name);
	const char *uid = value_text(value_path(options, "preconditions.uid"));
	const char *revision = value_text(value_path(options, "preconditions.resourceVersion"));

	if (!stored)
		return answer_missing(answer, request);
	if (*uid && strcmp(uid, object_uid(stored->object)) != 0)
		return answer_status(answer, 409, "Conflict",
				     "the UID in the precondition differs");
	if (*revision && strcmp(revision, object_revision(stored->object)) != 0)
		return answer_status(answer, 409, "Conflict",
				     "the resource version in the precondition differs");
	return take_away(server, stored, &arena, options, answer);
}

static int delete_all(struct fake_server *server, const struct client_request *request,
		      struct client_answer *answer)
{
	for (size_t i = server->objects.count; i > 0; i--) {
		struct stored *at = &server->objects.items[i - 1];
		cox_autoarena arena = ARENA_INIT;
		cox_autoanswer ignored = CLIENT_ANSWER_INIT;

		if (!strcmp(at->resource, request->resource) &&
		    (!*or_empty(request->namespace) ||
		     !strcmp(object_namespace(at->object), request->namespace)))
			take_away(server, at, &arena, NULL, &ignored);
	}
	return answer_status(answer, 200, NULL, "");
}

/* ---- reads ---- */

static const char *option(const struct client_request *request, const char *name)
{
	for (size_t i = 0; i < request->option_count; i++) {
		if (!strcmp(request->options[i].name, name))
			return request->options[i].value;
	}
	return "";
}

static bool in_scope(const struct stored *stored, const char *resource, const char *namespace)
{
	return !strcmp(stored->resource, resource) &&
	       (!*namespace || !strcmp(object_namespace(stored->object), namespace));
}

/* Items go out without kind, as they do from a real server. */
static void list_add(struct cox_json *json, const struct cox_object *object)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf text = COX_BUF_INIT;
	struct value *tree = value_copy(&arena, object_root(object));

	value_remove(tree, "kind");
	value_remove(tree, "apiVersion");
	json_write(&text, tree, 0);
	cox_json_raw(json, NULL, text.data, text.size);
}

static int list(struct fake_server *server, const struct client_request *request,
		struct client_answer *answer)
{
	struct cox_json json = COX_JSON_INIT(&answer->body);
	size_t limit = strtoul(option(request, "limit"), NULL, 10);
	size_t at = strtoul(option(request, "continue"), NULL, 10), count = 0;
	cox_autobuf next = COX_BUF_INIT, kind = COX_BUF_INIT, revision = COX_BUF_INIT;

	cox_json_object(&json, NULL);
	cox_json_array(&json, "items");
	for (; at < server->objects.count; at++) {
		const struct stored *stored = &server->objects.items[at];

		if (!in_scope(stored, request->resource, or_empty(request->namespace)))
			continue;
		if (limit && count == limit) {
			cox_buf_printf(&next, "%zu", at);
			break;
		}
		if (!kind.size)
			cox_buf_str(&kind, object_kind(stored->object));
		list_add(&json, stored->object);
		count++;
	}
	cox_json_end(&json);
	cox_buf_str(&kind, "List");
	cox_json_text(&json, "kind", kind.data);
	cox_json_text(&json, "apiVersion", "v1");
	cox_json_object(&json, "metadata");
	cox_buf_printf(&revision, "%" PRIu64, server->revision);
	cox_json_text(&json, "resourceVersion", revision.data);
	cox_json_text_set(&json, "continue", cox_buf_cstr(&next));
	cox_json_end(&json);
	cox_json_end(&json);
	answer->code = 200;
	return 0;
}

/* Tokens are numbered, and live for two seconds. */
static int give_token(struct fake_server *server, struct client_answer *answer)
{
	char until[CLOCK_RFC3339_SIZE];

	clock_format(clock_realtime() + 2 * CLOCK_SECOND, until);
	cox_buf_printf(&answer->body,
		       "{\"kind\":\"TokenRequest\",\"apiVersion\":\"authentication.k8s.io/v1\","
		       "\"metadata\":{},\"status\":{\"token\":\"token-%" PRIu64
		       "\",\"expirationTimestamp\":\"%s\"}}",
		       ++server->tokens, until);
	answer->code = 201;
	return 0;
}

static int serve(struct fake_server *server, const struct client_request *request,
		 struct client_answer *answer)
{
	const struct stored *stored;

	switch (request->verb) {
	case CLIENT_GET:
		stored = find(server, request->resource, request->namespace, request->name);
		return stored ? answer_object(answer, 200, stored->object)
			      : answer_missing(answer, request);
	case CLIENT_LIST:
		return list(server, request, answer);
	case CLIENT_CREATE:
		if (!strcmp(or_empty(request->subresource), "binding"))
			return bind(server, request, answer);
		if (!strcmp(or_empty(request->subresource), "token"))
			return give_token(server, answer);
		return create(server, request, answer);
	case CLIENT_UPDATE:
		return update(server, request, answer);
	case CLIENT_PATCH:
		return patch(server, request, answer);
	case CLIENT_DELETE:
		return delete (server, request, answer);
	case CLIENT_DELETE_COLLECTION:
		return delete_all(server, request, answer);
	default:
		return answer_status(answer, 405, "MethodNotAllowed", "not supported");
	}
}

static void count_request(struct fake_server *server, enum client_verb verb, const char *resource)
{
	struct counter counter = {verb, NULL, 1};

	for (size_t i = 0; i < server->counters.count; i++) {
		struct counter *at = &server->counters.items[i];

		if (at->verb == verb && !strcmp(at->resource, resource)) {
			at->count++;
			return;
		}
	}
	counter.resource = cox_strdup(resource);
	cox_vec_push(&server->counters, counter);
}

/* A write that lost to another one is tried again: it says nothing of what was wanted. */
static void uncount_request(struct fake_server *server, enum client_verb verb, const char *resource)
{
	for (size_t i = 0; i < server->counters.count; i++)
		if (server->counters.items[i].verb == verb &&
		    !strcmp(server->counters.items[i].resource, resource))
			server->counters.items[i].count--;
}

static struct failure *failure_for(struct fake_server *server, const struct client_request *request)
{
	for (size_t i = 0; i < server->failures.count; i++) {
		struct failure *at = &server->failures.items[i];

		if (at->times && at->verb == request->verb &&
		    !strcmp(at->resource, request->resource)) {
			at->times--;
			return at;
		}
	}
	return NULL;
}

static int answer_document(struct fake_server *server, const struct client_request *request,
			   struct client_answer *answer)
{
	for (size_t i = 0; i < server->documents.count; i++) {
		if (strcmp(server->documents.items[i].path, or_empty(request->path)) != 0)
			continue;
		answer->code = 200;
		cox_buf_str(&answer->body, server->documents.items[i].json);
		return 0;
	}
	return answer_status(answer, 404, "NotFound", "404 page not found");
}

static int fake_call(void *self, const struct client_identity *who,
		     const struct client_request *request, struct client_answer *answer,
		     struct cox_error *err)
{
	struct fake_server *server = self;
	const struct failure *failure;

	(void)who;
	(void)err;
	cox_lock_scope(&server->mutex);
	if (!request->resource)
		return answer_document(server, request, answer);
	count_request(server, request->verb, request->resource);
	failure = failure_for(server, request);
	if (failure)
		return answer_status(answer, failure->code, failure->reason, failure->message);
	serve(server, request, answer);
	if (answer->code == 409 && request->verb != CLIENT_PATCH)
		uncount_request(server, request->verb, request->resource);
	wake_all(server);
	return 0;
}

/* ---- watches ---- */

static void initial_add(struct watch *watch, enum client_event_type type, struct bytes *bytes)
{
	struct history event = {0, type, NULL, bytes};

	cox_vec_push(&watch->initial, event);
}

static void fill_initial(struct fake_server *server, struct watch *watch)
{
	cox_autobuf bookmark = COX_BUF_INIT;

	for (size_t i = 0; i < server->objects.count; i++) {
		const struct stored *stored = &server->objects.items[i];

		if (in_scope(stored, watch->resource, watch->namespace))
			initial_add(watch, CLIENT_ADDED, to_bytes(stored->object));
	}
	cox_buf_printf(&bookmark,
		       "{\"kind\":\"Bookmark\",\"metadata\":{\"resourceVersion\":\"%" PRIu64
		       "\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}",
		       server->revision);
	initial_add(watch, CLIENT_BOOKMARK, bytes_copy(bookmark.data, bookmark.size));
}

static void *fake_watch_open(void *self, const struct client_identity *who,
			     const struct client_request *request, void (*wake)(void *waker),
			     void *waker, struct cox_error *err)
{
	struct fake_server *server = self;
	uint64_t from = strtoull(option(request, "resourceVersion"), NULL, 10);
	bool initial = !strcmp(option(request, "sendInitialEvents"), "true");
	struct watch *watch;

	(void)who;
	cox_lock_scope(&server->mutex);
	count_request(server, CLIENT_WATCH, request->resource);
	if (initial && server->no_stream) {
		error_set(err, COX_REASON_INVALID, "sendInitialEvents is forbidden");
		return NULL;
	}
	watch = cox_new(struct watch);
	watch->server = server;
	watch->resource = cox_strdup(request->resource);
	watch->namespace = cox_strdup(or_empty(request->namespace));
	watch->wake = wake;
	watch->waker = waker;
	watch->at = server->history.count;
	if (initial)
		fill_initial(server, watch);
	else if (from < server->compacted)
		watch->expired = true;
	while (!initial && from && watch->at &&
	       server->history.items[watch->at - 1].revision > from)
		watch->at--;
	watch->next = server->watches;
	server->watches = watch;
	return watch;
}

static int lend(struct watch *watch, const struct history *from, struct client_local_event *event)
{
	bytes_unref(watch->lent);
	watch->lent = bytes_ref(from->bytes);
	event->type = from->type;
	event->object = watch->lent;
	return 1;
}

static bool wanted(const struct watch *watch, const struct history *event)
{
	cox_autoobject *object = NULL;

	if (strcmp(event->resource, watch->resource) != 0)
		return false;
	if (!*watch->namespace)
		return true;
	object = object_new(event->bytes->data, event->bytes->size, NULL);
	return !strcmp(object_namespace(object), watch->namespace);
}

static int fake_watch_next(void *self, void *handle, struct client_local_event *event,
			   struct cox_error *err)
{
	struct fake_server *server = self;
	struct watch *watch = handle;

	cox_lock_scope(&server->mutex);
	if (watch->expired)
		return error_set(err, COX_REASON_EXPIRED, "too old resource version");
	if (watch->end)
		return -1;
	if (server->holding)
		return 0;
	if (watch->initial_at < watch->initial.count)
		return lend(watch, &watch->initial.items[watch->initial_at++], event);
	while (watch->at < server->history.count) {
		const struct history *at = &server->history.items[watch->at++];

		if (wanted(watch, at))
			return lend(watch, at, event);
	}
	return 0;
}

static void fake_watch_close(void *self, void *handle)
{
	struct fake_server *server = self;
	struct watch *watch = handle, **at;

	pthread_mutex_lock(&server->mutex);
	/* A walk over the list may stand on this watch. */
	while (watch->waking)
		pthread_cond_wait(&server->woken, &server->mutex);
	for (at = &server->watches; *at != watch; at = &(*at)->next)
		;
	*at = watch->next;
	pthread_mutex_unlock(&server->mutex);
	for (size_t i = 0; i < watch->initial.count; i++)
		bytes_unref(watch->initial.items[i].bytes);
	cox_vec_free(&watch->initial);
	bytes_unref(watch->lent);
	free(watch->resource);
	free(watch->namespace);
	free(watch);
}

/* ---- the test's side ---- */

struct fake_server *fake_server_new(void)
{
	struct fake_server *server = cox_new(struct fake_server);

	pthread_mutex_init(&server->mutex, NULL);
	pthread_cond_init(&server->woken, NULL);
	server->revision = 100;
	return server;
}

struct client *fake_server_client(struct fake_server *server)
{
	static const char *const groups[] = {"system:authenticated"};
	const struct client_local local = {server, fake_call, fake_watch_open, fake_watch_next,
					   fake_watch_close};
	const struct client_identity who = {"tester", groups, 1, "test"};

	return client_new_local(&local, &who);
}

void fake_server_free(struct fake_server *server)
{
	for (size_t i = 0; i < server->objects.count; i++) {
		free(server->objects.items[i].resource);
		object_unref(server->objects.items[i].object);
	}
	for (size_t i = 0; i < server->history.count; i++) {
		free(server->history.items[i].resource);
		bytes_unref(server->history.items[i].bytes);
	}
	for (size_t i = 0; i < server->failures.count; i++) {
		free(server->failures.items[i].resource);
		free(server->failures.items[i].reason);
		free(server->failures.items[i].message);
	}
	for (size_t i = 0; i < server->counters.count; i++)
		free(server->counters.items[i].resource);
	for (size_t i = 0; i < server->documents.count; i++) {
		free(server->documents.items[i].path);
		free(server->documents.items[i].json);
	}
	cox_vec_free(&server->documents);
	cox_vec_free(&server->objects);
	cox_vec_free(&server->history);
	cox_vec_free(&server->failures);
	cox_vec_free(&server->counters);
	pthread_cond_destroy(&server->woken);
	pthread_mutex_destroy(&server->mutex);
	free(server);
}

void fake_put(struct fake_server *server, const char *resource, const char *json)
{
	cox_autoobject *object = object_new(json, strlen(json), NULL);
	cox_autoanswer answer = CLIENT_ANSWER_INIT;
	struct client_request request = {.verb = CLIENT_CREATE,
					 .resource = resource,
					 .namespace = object_namespace(object),
					 .name = object_name(object),
					 .body = json,
					 .body_size = strlen(json)};

	cox_lock_scope(&server->mutex);
	if (find(server, resource, request.namespace, request.name)) {
		update(server, &request, &answer);
		if (value_get(object_root(object), "status")) {
			client_answer_clear(&answer);
			request.subresource = "status";
			update(server, &request, &answer);
		}
	} else {
		create(server, &request, &answer);
	}
	if (answer.code >= 300) {
		fprintf(stderr, "fake_put: %s\n", cox_buf_cstr(&answer.body));
		abort();
	}
	wake_all(server);
}

void fake_remove(struct fake_server *server, const char *resource, const char *namespace,
		 const char *name)
{
	struct stored *stored;

	cox_lock_scope(&server->mutex);
	stored = find(server, resource, namespace, name);
	if (!stored)
		abort();
	remove_stored(server, stored);
	wake_all(server);
}

struct cox_object *fake_get(struct fake_server *server, const char *resource, const char *namespace,
			    const char *name)
{
	const struct stored *stored;

	cox_lock_scope(&server->mutex);
	stored = find(server, resource, namespace, name);
	return stored ? object_ref(stored->object) : NULL;
}

size_t fake_count(struct fake_server *server, const char *resource)
{
	size_t count = 0;

	cox_lock_scope(&server->mutex);
	for (size_t i = 0; i < server->objects.count; i++)
		count += !strcmp(server->objects.items[i].resource, resource);
	return count;
}

struct cox_object *fake_at(struct fake_server *server, const char *resource, size_t index)
{
	cox_lock_scope(&server->mutex);
	for (size_t i = 0; i < server->objects.count; i++) {
		if (!strcmp(server->objects.items[i].resource, resource) && !index--)
			return object_ref(server->objects.items[i].object);
	}
	return NULL;
}

void fake_fail(struct fake_server *server, enum client_verb verb, const char *resource, int code,
	       const char *reason, const char *message, unsigned times)
{
	struct failure failure = {
		verb, cox_strdup(resource), code, cox_strdup(reason), cox_strdup(message), times};

	cox_lock_scope(&server->mutex);
	cox_vec_push(&server->failures, failure);
}

void fake_no_stream(struct fake_server *server)
{
	cox_lock_scope(&server->mutex);
	server->no_stream = true;
}

void fake_end_watches(struct fake_server *server)
{
	cox_lock_scope(&server->mutex);
	for (struct watch *watch = server->watches; watch; watch = watch->next)
		watch->end = true;
	wake_all(server);
}

void fake_compact(struct fake_server *server)
{
	cox_lock_scope(&server->mutex);
	server->compacted = ++server->revision;
}

void fake_hold_watches(struct fake_server *server, bool hold)
{
	cox_lock_scope(&server->mutex);
	server->holding = hold;
	wake_all(server);
}

unsigned fake_requests(struct fake_server *server, enum client_verb verb, const char *resource)
{
	cox_lock_scope(&server->mutex);
	for (size_t i = 0; i < server->counters.count; i++) {
		const struct counter *at = &server->counters.items[i];

		if (at->verb == verb && !strcmp(at->resource, resource))
			return at->count;
	}
	return 0;
}

void fake_document(struct fake_server *server, const char *path, const char *json)
{
	cox_lock_scope(&server->mutex);
	for (size_t i = 0; i < server->documents.count; i++) {
		if (strcmp(server->documents.items[i].path, path) != 0)
			continue;
		free(server->documents.items[i].json);
		server->documents.items[i].json = cox_strdup(json);
		return;
	}
	cox_vec_push(&server->documents, (struct document){cox_strdup(path), cox_strdup(json)});
}
