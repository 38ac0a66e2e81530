/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replication controller: keeps as many pods of a template running as a
 * ReplicationController asks for.
 *
 * A pod belongs to it by an owner reference. Pods that match the selector and
 * belong to nobody are adopted, pods that it owns and that do not match any
 * more are released. What was created or deleted and is not seen yet is held
 * in `expect`, so that nothing is done twice.
 */
#include "pods.h"

#include <coxswain/controller.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/expect.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/pods.h>
#include <coxswain/kit/text.h>
#include <coxswain/kit/time.h>
#include <coxswain/kit/vec.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE "replicationcontrollers"

enum { BURST = 500 }; /* pods created or deleted in one pass */

static const struct cox_resource controllers = {"", "v1", "replicationcontrollers"};
static const struct cox_resource pods = {"", "v1", "pods"};

struct replication {
	const struct cox_host *host;
	const struct cox_cluster *cluster;
	const struct cox_objects *objects;
	struct cox_lister *controller_lister;
	struct cox_lister *pod_lister;
	struct cox_expect *expect;
	uint32_t workers;
};

/* One pass over one controller. */
struct pass {
	struct replication *self;
	const struct cox_call *call;
	const char *key;
	struct cox_object *controller;
	const struct cox_value *root;
	COX_VEC(struct cox_object *) pods; /* active ones that belong to it */
	int64_t wanted;
	bool deleting;
	bool adoption_checked;
	bool adoption_refused;
	const char *failure; /* "FailedCreate", "FailedDelete" or NULL */
	char *failure_text;
	uint64_t again;
};

/* ---- sources ---- */

/* Pods by owner, and those without one by namespace. */
static void pod_claims(const struct cox_objects *objects, const struct cox_object *pod,
		       const struct cox_keys *values)
{
	const struct cox_value *owner = cox_owner_controller(objects, pod);
	struct cox_buf value = COX_BUF_INIT;

	if (owner)
		cox_buf_printf(&value, "owner/%s", objects->text(owner, "uid"));
	else
		cox_buf_printf(&value, "orphan/%s", objects->namespace_of(pod));
	values->emit(values, value.data);
	cox_buf_free(&value);
}

static void controller_namespace(const struct cox_objects *objects,
				 const struct cox_object *controller, const struct cox_keys *values)
{
	values->emit(values, objects->namespace_of(controller));
}

/* The key of the controller that owns the pod; empty if none does. */
static void owner_key(struct replication *self, const struct cox_object *pod, struct cox_buf *key)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *owner = cox_owner_controller(objects, pod);
	struct cox_object *controller;

	cox_buf_clear(key);
	if (!owner || strcmp(objects->text(owner, "kind"), "ReplicationController") != 0)
		return;
	controller = self->cluster->get(self->controller_lister, objects->namespace_of(pod),
					objects->text(owner, "name"));
	if (controller && !strcmp(objects->uid(controller), objects->text(owner, "uid")))
		cox_buf_printf(key, "%s/%s", objects->namespace_of(controller),
			       objects->name(controller));
	objects->unref(controller);
}

struct orphan {
	struct replication *self;
	const struct cox_value *labels;
	const struct cox_keys *keys;
};

static int emit_if_selected(void *to, const struct cox_object *controller)
{
	const struct orphan *orphan = to;
	const struct cox_objects *objects = orphan->self->objects;
	struct cox_buf key = COX_BUF_INIT;

	if (cox_labels_match(objects, objects->get(objects->root(controller), "spec.selector"),
			     orphan->labels)) {
		cox_buf_printf(&key, "%s/%s", objects->namespace_of(controller),
			       objects->name(controller));
		orphan->keys->emit(orphan->keys, key.data);
		cox_buf_free(&key);
	}
	return 0;
}

/* Wakes every controller that could adopt the pod. */
static void emit_adopters(struct replication *self, const struct cox_object *pod,
			  const struct cox_keys *keys)
{
	struct orphan orphan = {
		self, self->objects->get(self->objects->root(pod), "metadata.labels"), keys};
	const struct cox_object_sink sink = {emit_if_selected, &orphan};

	self->cluster->find(self->controller_lister, "namespace", self->objects->namespace_of(pod),
			    &sink);
}

static void pod_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
		     const struct cox_keys *keys)
{
	struct replication *self = instance;
	struct cox_buf before = COX_BUF_INIT, after = COX_BUF_INIT;

	if (old)
		owner_key(self, old, &before);
	if (now)
		owner_key(self, now, &after);
	if (!old && after.size)
		cox_expect_created(self->expect, after.data);
	/* A pod that is being deleted counts as gone from then on. */
	if (before.size && (!now || cox_deleting(self->objects, now)))
		cox_expect_deleted(self->expect, before.data, self->objects->uid(old));
	if (before.size && (!after.size || strcmp(before.data, after.data) != 0))
		keys->emit(keys, before.data);
	if (after.size)
		keys->emit(keys, after.data);
	else if (now && !cox_owner_controller(self->objects, now))
		emit_adopters(self, now, keys);
	cox_buf_free(&before);
	cox_buf_free(&after);
}

/* ---- requests ---- */

/* A request about a pod, or creating one (`name` NULL). */
static int pod_request(struct pass *pass, enum cox_verb verb, const char *name,
		       const struct cox_buf *body, struct cox_object **answer,
		       struct cox_error *err)
{
	const struct cox_request request = {
		.struct_size = sizeof(request),
		.verb = verb,
		.resource = &pods,
		.namespace_name = pass->self->objects->namespace_of(pass->controller),
		.name = name,
		.body = body->data,
		.body_size = body->size,
	};

	return pass->self->cluster->request(pass->self->cluster->context, pass->call, &request,
					    answer, err);
}

static void write_owner(struct pass *pass, struct cox_json *json)
{
	const struct cox_objects *objects = pass->self->objects;

	cox_json_array(json, "ownerReferences");
	cox_owner_write(json, objects, "v1", "ReplicationController", pass->controller);
	cox_json_end(json);
}

/* A value of the template as it stands, under `key`, if it is there. */
static void copy_value(struct pass *pass, struct cox_json *json, const char *key, const char *path)
{
	const struct cox_objects *objects = pass->self->objects;

	cox_json_value(json, key, objects, objects->get(pass->root, path));
}

/* ---- adopting and releasing ---- */

/*
 * Asks the server itself, once a pass, before the first adoption: the lister
 * may not know yet that the controller is being deleted, or is another one.
 */
static bool may_adopt(struct pass *pass, struct cox_error *err)
{
	const struct cox_objects *objects = pass->self->objects;
	const struct cox_request request = {
		.struct_size = sizeof(request),
		.verb = COX_GET,
		.resource = &controllers,
		.namespace_name = objects->namespace_of(pass->controller),
		.name = objects->name(pass->controller),
	};
	struct cox_object *fresh = NULL;

	if (pass->adoption_checked)
		return !pass->adoption_refused;
	if (pass->self->cluster->request(pass->self->cluster->context, pass->call, &request, &fresh,
					 err))
		return false;
	pass->adoption_checked = true;
	pass->adoption_refused = cox_deleting(objects, fresh) ||
				 strcmp(objects->uid(fresh), objects->uid(pass->controller)) != 0;
	objects->unref(fresh);
	return !pass->adoption_refused;
}

/* 0 also if the pod is gone; then `*mine` stays false. */
static int adopt(struct pass *pass, struct cox_object *pod, bool *mine, struct cox_error *err)
{
	const struct cox_objects *objects = pass->self->objects;
	struct cox_buf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);
	int failed;

	cox_json_object(&json, NULL);
	cox_json_object(&json, "metadata");
	write_owner(pass, &json);
	cox_json_text(&json, "uid", objects->uid(pod));
	cox_json_end(&json);
	cox_json_end(&json);
	failed = pod_request(pass, COX_PATCH_STRATEGIC, objects->name(pod), &body, NULL, err);
	cox_buf_free(&body);
	*mine = !failed;
	if (failed && pass->self->cluster->reason(err) == COX_REASON_NOT_FOUND) {
		pass->self->cluster->error_clear(err);
		return 0;
	}
	return failed;
}

static int release(struct pass *pass, struct cox_object *pod, struct cox_error *err)
{
	const struct cox_objects *objects = pass->self->objects;
	struct cox_buf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);
	enum cox_reason reason;
	int failed;

	cox_json_object(&json, NULL);
	cox_json_object(&json, "metadata");
	cox_json_array(&json, "ownerReferences");
	cox_json_object(&json, NULL);
	cox_json_text(&json, "$patch", "delete");
	cox_json_text(&json, "uid", objects->uid(pass->controller));
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_text(&json, "uid", objects->uid(pod));
	cox_json_end(&json);
	cox_json_end(&json);
	failed = pod_request(pass, COX_PATCH_STRATEGIC, objects->name(pod), &body, NULL, err);
	cox_buf_free(&body);
	if (!failed)
		return 0;
	/* Gone, or released by somebody else: what was wanted is so. */
	reason = pass->self->cluster->reason(err);
	if (reason != COX_REASON_NOT_FOUND && reason != COX_REASON_INVALID)
		return -1;
	pass->self->cluster->error_clear(err);
	return 0;
}

static int collect_pod(void *to, const struct cox_object *pod)
{
	struct pass *pass = to;

	if (pod_active(pass->self->objects, pod))
		cox_vec_push(&pass->pods, pass->self->objects->ref(pod));
	return 0;
}

static void collect(struct pass *pass, const char *what, const char *which)
{
	const struct cox_object_sink sink = {collect_pod, pass};
	struct cox_buf value = COX_BUF_INIT;

	cox_buf_printf(&value, "%s/%s", what, which);
	pass->self->cluster->find(pass->self->pod_lister, "claim", value.data, &sink);
	cox_buf_free(&value);
}

/* Decides about one candidate: whether it counts, adopting or releasing it. */
static int claim(struct pass *pass, struct cox_object *pod, bool *mine, struct cox_error *err)
{
	const struct cox_objects *objects = pass->self->objects;
	bool owned = cox_owner_controller(objects, pod) != NULL;
	bool selected = cox_labels_match(objects, objects->get(pass->root, "spec.selector"),
					 objects->get(objects->root(pod), "metadata.labels"));

	*mine = owned && selected;
	if (owned == selected || (!owned && !selected) || pass->deleting)
		return 0;
	if (owned)
		return release(pass, pod, err);
	if (may_adopt(pass, err))
		return adopt(pass, pod, mine, err);
	return pass->self->cluster->reason(err) ? -1 : 0;
}

/* Leaves in pass->pods the active pods that belong to the controller. */
static int claim_pods(struct pass *pass, struct cox_error *err)
{
	const struct cox_objects *objects = pass->self->objects;
	size_t kept = 0;
	int failed = 0;

	collect(pass, "owner", objects->uid(pass->controller));
	collect(pass, "orphan", objects->namespace_of(pass->controller));
	for (size_t i = 0; i < pass->pods.count; i++) {
		struct cox_object *pod = pass->pods.items[i];
		bool mine = false;

		if (!failed)
			failed = claim(pass, pod, &mine, err);
		if (mine)
			pass->pods.items[kept++] = pod;
		else
			objects->unref(pod);
	}
	pass->pods.count = kept;
	return failed;
}

/* ---- creating and deleting ---- */

/* Remembers the first failure for the status and returns -1. */
static int note_failure(struct pass *pass, const char *reason, const struct cox_error *err)
{
	if (!pass->failure) {
		pass->failure = reason;
		pass->failure_text = cox_strdup(pass->self->cluster->message(err));
	}
	return -1;
}

static void write_pod(struct pass *pass, struct cox_buf *body)
{
	const struct cox_objects *objects = pass->self->objects;
	struct cox_json json = COX_JSON_INIT(body);
	struct cox_buf prefix = COX_BUF_INIT;

	cox_buf_printf(&prefix, "%s-", objects->name(pass->controller));
	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", "Pod");
	cox_json_text(&json, "apiVersion", "v1");
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "generateName", prefix.data);
	cox_json_text(&json, "namespace", objects->namespace_of(pass->controller));
	copy_value(pass, &json, "labels", "spec.template.metadata.labels");
	copy_value(pass, &json, "annotations", "spec.template.metadata.annotations");
	copy_value(pass, &json, "finalizers", "spec.template.metadata.finalizers");
	write_owner(pass, &json);
	cox_json_end(&json);
	copy_value(pass, &json, "spec", "spec.template.spec");
	cox_json_end(&json);
	cox_buf_free(&prefix);
}

static int create_pod(struct pass *pass, const struct cox_buf *body, struct cox_error *err)
{
	const struct cox_cluster *cluster = pass->self->cluster;
	struct cox_object *pod = NULL;

	if (pod_request(pass, COX_CREATE, NULL, body, &pod, err)) {
		cox_expect_created(pass->self->expect, pass->key); /* it will not show up */
		cluster->event(cluster->context, pass->controller, "Warning", "FailedCreate",
			       "Error creating: %s", cluster->message(err));
		return note_failure(pass, "FailedCreate", err);
	}
	cluster->event(cluster->context, pass->controller, "Normal", "SuccessfulCreate",
		       "Created pod: %s", pass->self->objects->name(pod));
	pass->self->objects->unref(pod);
	return 0;
}

/*
 * In batches of 1, 2, 4, …: where one creation fails, all would (a quota, a
 * broken template), so the rest is left for the next pass.
 */
static int create_pods(struct pass *pass, size_t count, struct cox_error *err)
{
	struct cox_buf body = COX_BUF_INIT;
	size_t done = 0;
	int failed = 0;

	write_pod(pass, &body);
	cox_expect_creations(pass->self->expect, pass->key, count);
	for (size_t batch = 1; done < count && !failed; batch *= 2) {
		for (size_t i = 0; i < batch && done < count; i++, done++) {
			if (failed) /* err stays that of the first one */
				cox_expect_created(pass->self->expect, pass->key);
			else
				failed = create_pod(pass, &body, err);
		}
	}
	for (; done < count; done++)
		cox_expect_created(pass->self->expect, pass->key);
	cox_buf_free(&body);
	return failed;
}

static int delete_pod(struct pass *pass, struct cox_object *pod, struct cox_error *err)
{
	const struct cox_cluster *cluster = pass->self->cluster;
	const struct cox_objects *objects = pass->self->objects;
	struct cox_buf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);
	int failed;

	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", "DeleteOptions");
	cox_json_text(&json, "apiVersion", "v1");
	cox_json_object(&json, "preconditions");
	cox_json_text(&json, "uid", objects->uid(pod));
	cox_json_end(&json);
	cox_json_end(&json);
	failed = pod_request(pass, COX_DELETE, objects->name(pod), &body, NULL, err);
	cox_buf_free(&body);
	if (!failed) {
		cluster->event(cluster->context, pass->controller, "Normal", "SuccessfulDelete",
			       "Deleted pod: %s", objects->name(pod));
		return 0;
	}
	cox_expect_deleted(pass->self->expect, pass->key, objects->uid(pod));
	if (cluster->reason(err) == COX_REASON_NOT_FOUND) {
		cluster->error_clear(err);
		return 0;
	}
	cluster->event(cluster->context, pass->controller, "Warning", "FailedDelete",
		       "Error deleting: %s", cluster->message(err));
	return note_failure(pass, "FailedDelete", err);
}

static int delete_pods(struct pass *pass, size_t count, struct cox_error *err)
{
	const struct cox_objects *objects = pass->self->objects;
	const char **uids = cox_calloc(count, sizeof(*uids));
	int failed = 0;

	pods_sort_for_deletion(objects, pass->pods.items, pass->pods.count,
			       pass->self->host->realtime_ns());
	for (size_t i = 0; i < count; i++)
		uids[i] = objects->uid(pass->pods.items[i]);
	cox_expect_deletions(pass->self->expect, pass->key, uids, count);
	for (size_t i = 0; i < count; i++) {
		if (failed)
			cox_expect_deleted(pass->self->expect, pass->key, uids[i]);
		else
			failed = delete_pod(pass, pass->pods.items[i], err);
	}
	free(uids);
	return failed;
}

static int manage(struct pass *pass, struct cox_error *err)
{
	int64_t missing = pass->wanted - (int64_t)pass->pods.count;

	if (missing > 0)
		return create_pods(pass, missing < BURST ? (size_t)missing : BURST, err);
	if (missing < 0)
		return delete_pods(pass, -missing < BURST ? (size_t)-missing : BURST, err);
	return 0;
}

/* ---- status ---- */

struct counts {
	int64_t replicas, labeled, ready, available;
};

static struct counts count_pods(struct pass *pass)
{
	const struct cox_objects *objects = pass->self->objects;
	const struct cox_value *template_labels =
		objects->get(pass->root, "spec.template.metadata.labels");
	int64_t min_ready = objects->integer(pass->root, "spec.minReadySeconds", 0);
	uint64_t now = pass->self->host->realtime_ns(), wait;
	struct counts counts = {.replicas = (int64_t)pass->pods.count};

	for (size_t i = 0; i < pass->pods.count; i++) {
		const struct cox_object *pod = pass->pods.items[i];

		counts.labeled +=
			cox_labels_match(objects, template_labels,
					 objects->get(objects->root(pod), "metadata.labels"));
		counts.ready += cox_pod_ready(objects, pod);
		counts.available += pod_available(objects, pod, min_ready, now, &wait);
		if (wait && (!pass->again || wait < pass->again))
			pass->again = wait;
	}
	return counts;
}

static const struct cox_value *failure_condition(struct pass *pass)
{
	const struct cox_objects *objects = pass->self->objects;

	return cox_condition(objects, pass->controller, "ReplicaFailure");
}

static bool status_is(struct pass *pass, const struct counts *counts)
{
	const struct cox_objects *objects = pass->self->objects;
	const struct cox_value *status = objects->get(pass->root, "status");
	const struct cox_value *failed = failure_condition(pass);

	return objects->integer(status, "replicas", 0) == counts->replicas &&
	       objects->integer(status, "fullyLabeledReplicas", 0) == counts->labeled &&
	       objects->integer(status, "readyReplicas", 0) == counts->ready &&
	       objects->integer(status, "availableReplicas", 0) == counts->available &&
	       objects->integer(status, "observedGeneration", 0) ==
		       objects->integer(pass->root, "metadata.generation", 0) &&
	       !failed == !pass->failure &&
	       (!failed || !strcmp(objects->text(failed, "reason"), pass->failure));
}

static void write_conditions(struct pass *pass, struct cox_json *json)
{
	const struct cox_objects *objects = pass->self->objects;
	const struct cox_value *list = objects->get(pass->root, "status.conditions"), *condition;
	const struct cox_writer writer = {cox_buf_sink, json->out};

	cox_json_array(json, "conditions");
	for (size_t i = 0; (condition = objects->at(list, i, NULL)); i++) {
		if (!strcmp(objects->text(condition, "type"), "ReplicaFailure"))
			continue;
		cox_json_key(json, NULL);
		objects->write(condition, &writer);
	}
	if (pass->failure) {
		char now[COX_TIME_SIZE];

		cox_format_time(pass->self->host->realtime_ns(), now);
		cox_json_object(json, NULL);
		cox_json_text(json, "type", "ReplicaFailure");
		cox_json_text(json, "status", "True");
		cox_json_text(json, "reason", pass->failure);
		cox_json_text(json, "message", pass->failure_text);
		cox_json_text(json, "lastTransitionTime", now);
		cox_json_end(json);
	}
	cox_json_end(json);
}

static int update_status(struct pass *pass, struct cox_error *err)
{
	const struct cox_objects *objects = pass->self->objects;
	struct counts counts = count_pods(pass);
	struct cox_buf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);
	struct cox_request request = {
		.struct_size = sizeof(request),
		.verb = COX_PATCH_MERGE,
		.resource = &controllers,
		.namespace_name = objects->namespace_of(pass->controller),
		.name = objects->name(pass->controller),
		.subresource = "status",
	};
	int failed;

	if (status_is(pass, &counts))
		return 0;
	cox_json_object(&json, NULL);
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "uid", objects->uid(pass->controller));
	cox_json_end(&json);
	cox_json_object(&json, "status");
	cox_json_int(&json, "replicas", counts.replicas);
	cox_json_int(&json, "fullyLabeledReplicas", counts.labeled);
	cox_json_int(&json, "readyReplicas", counts.ready);
	cox_json_int(&json, "availableReplicas", counts.available);
	cox_json_int(&json, "observedGeneration",
		     objects->integer(pass->root, "metadata.generation", 0));
	write_conditions(pass, &json);
	cox_json_end(&json);
	cox_json_end(&json);
	request.body = body.data;
	request.body_size = body.size;
	failed = pass->self->cluster->request(pass->self->cluster->context, pass->call, &request,
					      NULL, err);
	cox_buf_free(&body);
	return failed;
}

/* ---- the plugin ---- */

static void pass_end(struct pass *pass)
{
	for (size_t i = 0; i < pass->pods.count; i++)
		pass->self->objects->unref(pass->pods.items[i]);
	cox_vec_free(&pass->pods);
	pass->self->objects->unref(pass->controller);
	free(pass->failure_text);
}

static int pass_run(struct pass *pass, struct cox_error *err)
{
	struct replication *self = pass->self;
	bool even = cox_expect_met(self->expect, pass->key);
	struct cox_error *status_err;
	int failed = 0, status_failed;

	pass->root = self->objects->root(pass->controller);
	pass->deleting = cox_deleting(self->objects, pass->controller);
	pass->wanted = self->objects->integer(pass->root, "spec.replicas", 1);
	if (claim_pods(pass, err))
		return -1;
	if (even && !pass->deleting)
		failed = manage(pass, err);
	/* The status is told also when managing failed, whose error then stands. */
	status_err = self->cluster->error_new();
	status_failed = update_status(pass, failed ? status_err : err);
	self->cluster->error_free(status_err);
	return failed || status_failed ? -1 : 0;
}

static int replication_reconcile(void *instance, const struct cox_call *call, const char *queue,
				 const char *key, uint64_t *again_ns, struct cox_error *err)
{
	struct replication *self = instance;
	struct pass pass = {.self = self, .call = call, .key = key};
	const char *slash = strchr(key, '/');
	struct cox_buf namespace_name = COX_BUF_INIT;
	int failed;

	(void)queue;
	if (!slash)
		return self->host->fail(err, COX_REASON_INTERNAL_ERROR, "key without namespace");
	cox_buf_add(&namespace_name, key, (size_t)(slash - key));
	pass.controller =
		self->cluster->get(self->controller_lister, namespace_name.data, slash + 1);
	cox_buf_free(&namespace_name);
	if (!pass.controller) {
		cox_expect_forget(self->expect, key);
		return 0;
	}
	failed = pass_run(&pass, err);
	*again_ns = pass.again;
	pass_end(&pass);
	return failed;
}

static int replication_setup(void *instance, const struct cox_controller_setup *setup,
			     struct cox_error *err)
{
	static const struct cox_index by_namespace[] = {{"namespace", controller_namespace},
							{NULL, NULL}};
	static const struct cox_index by_claim[] = {{"claim", pod_claims}, {NULL, NULL}};
	const struct cox_source controller_source = {.struct_size = sizeof(controller_source),
						     .resource = &controllers,
						     .indexes = by_namespace,
						     .queue = QUEUE};
	const struct cox_source pod_source = {.struct_size = sizeof(pod_source),
					      .resource = &pods,
					      .indexes = by_claim,
					      .queue = QUEUE,
					      .keys = pod_keys};
	struct replication *self = instance;

	self->cluster = setup->cluster;
	self->objects = setup->cluster->objects;
	if (setup->queue(setup->builder, QUEUE, self->workers, err))
		return -1;
	self->controller_lister = setup->source(setup->builder, &controller_source, err);
	if (!self->controller_lister)
		return -1;
	self->pod_lister = setup->source(setup->builder, &pod_source, err);
	return self->pod_lister ? 0 : -1;
}

static void *replication_create(const struct cox_host *host, struct cox_error *err)
{
	struct replication *self = cox_new(struct replication);

	(void)err;
	self->host = host;
	self->workers = 5;
	self->expect = cox_expect_new(host->monotonic_ns);
	return self;
}

static int replication_config(void *instance, const char *key, const char *value,
			      struct cox_error *err)
{
	struct replication *self = instance;
	int64_t workers;

	(void)key; /* the table has one option */
	if (cox_parse_int(value, 1, 64, &workers))
		return self->host->fail(err, COX_REASON_INVALID,
					"workers: %s, 1 to 64 are possible", value);
	self->workers = (uint32_t)workers;
	return 0;
}

static void replication_destroy(void *instance)
{
	struct replication *self = instance;

	cox_expect_free(self->expect);
	free(self);
}

static const struct cox_option replication_options[] = {
	{"workers", "5", "controllers that are worked on at the same time", COX_OPT_INT, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_controller_ops replication_ops = {
	.setup = replication_setup,
	.reconcile = replication_reconcile,
};

COX_CONTROLLER_PLUGIN(replication_ops, .name = "replication", .version = "1",
		      .description = "Keeps the pods of replication controllers running",
		      .thread_model = COX_THREADS_PARALLEL, .options = replication_options,
		      .create = replication_create, .config = replication_config,
		      .destroy = replication_destroy);
