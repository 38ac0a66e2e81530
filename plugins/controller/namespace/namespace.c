/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The namespace controller: empties namespaces that are being deleted, then
 * takes the finalizer "kubernetes" away, with which the namespace goes.
 *
 * Pods go first, so that nothing they need disappears under them; then all
 * other kinds that the server says it has. What is left, and why, is told in
 * the namespace's conditions.
 */
#include "content.h"

#include <coxswain/controller.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/text.h>
#include <coxswain/kit/time.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE "namespaces"
#define FINALIZER "kubernetes"
#define SECOND UINT64_C(1000000000)

static const struct cox_resource namespaces = {"", "v1", "namespaces"};

struct namespaces {
	const struct cox_host *host;
	const struct cox_cluster *cluster;
	const struct cox_objects *objects;
	struct cox_lister *lister;
	uint32_t workers;
	uint64_t resync;
};

/* ---- conditions ---- */

struct condition {
	const char *type;
	const char *status;
	const char *reason;
	const char *message;
};

enum { CONDITIONS = 5 };

static void make_conditions(const struct content *content, struct condition conditions[CONDITIONS])
{
	const bool undiscovered = content->undiscovered.size > 0;
	const bool failed = content->failures.size > 0;
	const bool remaining = content->remaining.size > 0;
	const bool held = content->finalizers.size > 0;

	conditions[0] = (struct condition){"NamespaceDeletionDiscoveryFailure",
					   undiscovered ? "True" : "False",
					   undiscovered ? "DiscoveryFailed" : "ResourcesDiscovered",
					   undiscovered ? content->undiscovered.data
							: "All resources successfully discovered"};
	conditions[1] = (struct condition){"NamespaceDeletionGroupVersionParsingFailure", "False",
					   "ParsedGroupVersions",
					   "All legacy kube types successfully parsed"};
	conditions[2] = (struct condition){
		"NamespaceDeletionContentFailure", failed ? "True" : "False",
		failed ? "ContentDeletionFailed" : "ContentDeleted",
		failed ? content->failures.data
		       : "All content successfully deleted, may be waiting on finalization"};
	conditions[3] = (struct condition){
		"NamespaceContentRemaining", remaining ? "True" : "False",
		remaining ? "SomeResourcesRemain" : "ContentRemoved",
		remaining ? content->remaining.data : "All content successfully removed"};
	conditions[4] = (struct condition){"NamespaceFinalizersRemaining", held ? "True" : "False",
					   held ? "SomeFinalizersRemain" : "ContentHasNoFinalizers",
					   held ? content->finalizers.data
						: "All content-preserving finalizers finished"};
}

static bool condition_stands(const struct cox_objects *objects, const struct cox_value *old,
			     const struct condition *now)
{
	return old && !strcmp(objects->text(old, "status"), now->status) &&
	       !strcmp(objects->text(old, "reason"), now->reason) &&
	       !strcmp(objects->text(old, "message"), now->message);
}

static bool is_ours(const struct condition conditions[CONDITIONS], const char *type)
{
	for (size_t i = 0; i < CONDITIONS; i++) {
		if (!strcmp(conditions[i].type, type))
			return true;
	}
	return false;
}

static void write_condition(const struct namespaces *self, struct cox_json *json,
			    const struct cox_object *room, const struct condition *condition)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *old = cox_condition(objects, room, condition->type);
	const char *since = objects->text(old, "lastTransitionTime");
	char now[COX_TIME_SIZE];

	cox_format_time(self->host->realtime_ns(), now);
	cox_json_object(json, NULL);
	cox_json_text(json, "type", condition->type);
	cox_json_text(json, "status", condition->status);
	cox_json_text(json, "lastTransitionTime",
		      *since && !strcmp(objects->text(old, "status"), condition->status) ? since
											 : now);
	cox_json_text(json, "reason", condition->reason);
	cox_json_text(json, "message", condition->message);
	cox_json_end(json);
}

static int update_status(const struct namespaces *self, const struct cox_call *call,
			 const struct cox_object *room, const struct content *content,
			 struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *old = objects->get(objects->root(room), "status.conditions"), *item;
	const struct cox_place place = {&namespaces, NULL, objects->name(room), "status"};
	struct condition conditions[CONDITIONS];
	struct cox_buf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);
	bool same = true;
	int failed;

	make_conditions(content, conditions);
	for (size_t i = 0; i < CONDITIONS && same; i++)
		same = condition_stands(objects, cox_condition(objects, room, conditions[i].type),
					&conditions[i]);
	if (same && !strcmp(objects->text(objects->root(room), "status.phase"), "Terminating"))
		return 0;
	cox_json_object(&json, NULL);
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "uid", objects->uid(room));
	cox_json_end(&json);
	cox_json_object(&json, "status");
	cox_json_text(&json, "phase", "Terminating");
	cox_json_array(&json, "conditions");
	for (size_t i = 0; (item = objects->at(old, i, NULL)); i++) {
		if (!is_ours(conditions, objects->text(item, "type")))
			cox_json_value(&json, NULL, objects, item);
	}
	for (size_t i = 0; i < CONDITIONS; i++)
		write_condition(self, &json, room, &conditions[i]);
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_end(&json);
	failed = cox_write(self->cluster, call, COX_PATCH_MERGE, &place, &body, NULL, err);
	cox_buf_free(&body);
	return failed && !cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? -1 : 0;
}

/* ---- the end ---- */

static bool has_our_finalizer(const struct cox_objects *objects, const struct cox_object *room)
{
	const struct cox_value *list = objects->get(objects->root(room), "spec.finalizers"), *item;

	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++) {
		if (!strcmp(objects->text(item, ""), FINALIZER))
			return true;
	}
	return false;
}

/* The namespace as it is, with our finalizer left out. */
static void write_finalized(const struct cox_objects *objects, const struct cox_object *room,
			    struct cox_buf *body)
{
	const struct cox_value *root = objects->root(room), *member, *item;
	struct cox_json json = COX_JSON_INIT(body);
	const char *key;

	cox_json_object(&json, NULL);
	for (size_t i = 0; (member = objects->at(root, i, &key)); i++) {
		if (strcmp(key, "spec") != 0)
			cox_json_value(&json, key, objects, member);
	}
	cox_json_object(&json, "spec");
	member = objects->get(root, "spec.finalizers");
	cox_json_array(&json, "finalizers");
	for (size_t i = 0; (item = objects->at(member, i, NULL)); i++) {
		if (strcmp(objects->text(item, ""), FINALIZER) != 0)
			cox_json_value(&json, NULL, objects, item);
	}
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_end(&json);
}

/* On the object as it is now: the status has just been written. */
static int finalize(const struct namespaces *self, const struct cox_call *call,
		    const struct cox_object *room, struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	struct cox_place place = {&namespaces, NULL, objects->name(room), NULL};
	struct cox_buf body = COX_BUF_INIT;
	struct cox_object *fresh = NULL;
	int failed;

	failed = cox_get(self->cluster, call, &place, &fresh, err);
	if (!failed && !strcmp(objects->uid(fresh), objects->uid(room)) &&
	    has_our_finalizer(objects, fresh)) {
		write_finalized(objects, fresh, &body);
		place.subresource = "finalize";
		failed = cox_write(self->cluster, call, COX_UPDATE, &place, &body, NULL, err);
	}
	cox_buf_free(&body);
	objects->unref(fresh);
	return failed && !cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? -1 : 0;
}

/* How soon to look again at what goes by itself: seldom if it takes long. */
static uint64_t pause_of(const struct namespaces *self, const struct cox_object *room)
{
	uint64_t since = 0, now = self->host->realtime_ns();

	if (cox_parse_time(
		    self->objects->text(self->objects->root(room), "metadata.deletionTimestamp"),
		    &since) ||
	    now < since || now - since < 30 * SECOND)
		return SECOND;
	return now - since < 300 * SECOND ? 5 * SECOND : 15 * SECOND;
}

static int empty(const struct namespaces *self, const struct cox_call *call,
		 const struct cox_object *room, uint64_t *again_ns, struct cox_error *err)
{
	struct content content = CONTENT_INIT;
	int failed = 0;

	content_delete(&content, self->cluster, call, self->objects->name(room));
	failed = update_status(self, call, room, &content, err);
	if (!failed && (content.failures.size || content.undiscovered.size))
		failed = self->host->fail(err, COX_REASON_INTERNAL_ERROR, "%s",
					  content.failures.size ? content.failures.data
								: content.undiscovered.data);
	else if (!failed && content.remaining.size)
		*again_ns = pause_of(self, room);
	else if (!failed)
		failed = finalize(self, call, room, err);
	content_free(&content);
	return failed;
}

static int namespace_reconcile(void *instance, const struct cox_call *call, const char *queue,
			       const char *key, uint64_t *again_ns, struct cox_error *err)
{
	struct namespaces *self = instance;
	struct cox_object *room = self->cluster->get(self->lister, NULL, key);
	int failed = 0;

	(void)queue;
	if (room && cox_deleting(self->objects, room) && has_our_finalizer(self->objects, room))
		failed = empty(self, call, room, again_ns, err);
	self->objects->unref(room);
	return failed;
}

/* ---- the plugin ---- */

static void namespace_keys(void *instance, const struct cox_object *old,
			   const struct cox_object *now, const struct cox_keys *keys)
{
	const struct namespaces *self = instance;

	(void)old;
	if (now && cox_deleting(self->objects, now))
		keys->emit(keys, self->objects->name(now));
}

static int namespace_setup(void *instance, const struct cox_controller_setup *setup,
			   struct cox_error *err)
{
	struct namespaces *self = instance;
	const struct cox_source source = {.struct_size = sizeof(source),
					  .resource = &namespaces,
					  .queue = QUEUE,
					  .keys = namespace_keys,
					  .resync_ns = self->resync};

	self->cluster = setup->cluster;
	self->objects = setup->cluster->objects;
	if (setup->queue(setup->builder, QUEUE, self->workers, err))
		return -1;
	self->lister = setup->source(setup->builder, &source, err);
	return self->lister ? 0 : -1;
}

static void *namespace_create(const struct cox_host *host, struct cox_error *err)
{
	struct namespaces *self = cox_new(struct namespaces);

	(void)err;
	self->host = host;
	return self;
}

static int namespace_config(void *instance, const char *key, const char *value,
			    struct cox_error *err)
{
	struct namespaces *self = instance;
	int64_t number;

	if (!strcmp(key, "workers")) {
		if (cox_parse_int(value, 1, 64, &number))
			return self->host->fail(err, COX_REASON_INVALID,
						"workers: %s, 1 to 64 are possible", value);
		self->workers = (uint32_t)number;
		return 0;
	}
	if (cox_parse_int(value, 0, INT64_MAX, &number))
		return self->host->fail(err, COX_REASON_INVALID, "resync: %s", value);
	self->resync = (uint64_t)number;
	return 0;
}

static void namespace_destroy(void *instance)
{
	free(instance);
}

static const struct cox_option namespace_options[] = {
	{"workers", "10", "namespaces that are worked on at the same time", COX_OPT_INT, 0},
	{"resync", "5m", "time between looks at all namespaces", COX_OPT_DURATION, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_controller_ops namespace_ops = {
	.setup = namespace_setup,
	.reconcile = namespace_reconcile,
};

COX_CONTROLLER_PLUGIN(namespace_ops, .name = "namespace", .version = "1",
		      .description = "Empties namespaces that are being deleted",
		      .thread_model = COX_THREADS_PARALLEL, .options = namespace_options,
		      .create = namespace_create, .config = namespace_config,
		      .destroy = namespace_destroy);
