/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pod garbage collector: deletes pods that nobody else will. Those that
 * have ended, beyond a number that is kept; those of nodes that are gone; and
 * those that were deleted before they had a node. One worker, so nothing
 * locks.
 */
#include <coxswain/controller.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/pods.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/text.h>
#include <coxswain/kit/time.h>
#include <coxswain/kit/vec.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE "nodes" /* keys: names of nodes, and SWEEP_KEY */
#define SWEEP_KEY "/sweep"

static const struct cox_resource pods = {"", "v1", "pods"};
static const struct cox_resource nodes = {"", "v1", "nodes"};

struct podgc {
	const struct cox_host *host;
	const struct cox_cluster *cluster;
	const struct cox_objects *objects;
	struct cox_lister *pod_lister; /* indexed "kind": see pod_kinds */
	struct cox_lister *node_lister;
	struct cox_map missing; /* names of nodes: when they were first missed, uint64_t */
	int64_t threshold;
	uint64_t period, quarantine;
};

struct pod_list {
	const struct podgc *self;
	COX_VEC(struct cox_object *) items;
};

/* ---- finding ---- */

/* "ended", "unscheduled" (and deleted), and "node/NAME". */
static void pod_kinds(const struct cox_objects *objects, const struct cox_object *pod,
		      const struct cox_keys *values)
{
	const char *node = objects->text(objects->root(pod), "spec.nodeName");
	struct cox_buf value = COX_BUF_INIT;

	if (cox_pod_ended(objects, pod))
		values->emit(values, "ended");
	if (!*node && cox_deleting(objects, pod))
		values->emit(values, "unscheduled");
	if (*node) {
		cox_buf_printf(&value, "node/%s", node);
		values->emit(values, value.data);
		cox_buf_free(&value);
	}
}

static int keep_pod(void *to, const struct cox_object *pod)
{
	struct pod_list *list = to;

	if (!cox_deleting(list->self->objects, pod) ||
	    !*list->self->objects->text(list->self->objects->root(pod), "spec.nodeName"))
		cox_vec_push(&list->items, list->self->objects->ref(pod));
	return 0;
}

static int keep_any_pod(void *to, const struct cox_object *pod)
{
	struct pod_list *list = to;

	cox_vec_push(&list->items, list->self->objects->ref(pod));
	return 0;
}

static void pod_list_free(struct pod_list *list)
{
	for (size_t i = 0; i < list->items.count; i++)
		list->self->objects->unref(list->items.items[i]);
	cox_vec_free(&list->items);
}

/* ---- deleting ---- */

/* Says why in the status first, so that who waits for the pod learns it. */
static int mark_failed(struct podgc *self, const struct cox_call *call,
		       const struct cox_object *pod, const char *why, struct cox_error *err)
{
	const struct cox_place place = {&pods, self->objects->namespace_of(pod),
					self->objects->name(pod), "status"};
	struct cox_buf body = COX_BUF_INIT;
	char now[COX_TIME_SIZE];
	int failed;

	if (cox_pod_ended(self->objects, pod))
		return 0;
	cox_format_time(self->host->realtime_ns(), now);
	cox_buf_printf(&body,
		       "{\"metadata\":{\"uid\":\"%s\"},\"status\":{\"phase\":\"Failed\","
		       "\"conditions\":[{\"type\":\"DisruptionTarget\",\"status\":\"True\","
		       "\"reason\":\"DeletionByPodGC\",\"message\":\"%s\","
		       "\"lastTransitionTime\":\"%s\"}]}}",
		       self->objects->uid(pod), why, now);
	failed = cox_write(self->cluster, call, COX_PATCH_STRATEGIC, &place, &body, NULL, err);
	cox_buf_free(&body);
	return failed;
}

static int delete_pod(struct podgc *self, const struct cox_call *call, const struct cox_object *pod,
		      const char *why, struct cox_error *err)
{
	const struct cox_place place = {&pods, self->objects->namespace_of(pod),
					self->objects->name(pod), NULL};
	const struct cox_delete how = {.uid = self->objects->uid(pod), .grace = 0};

	if ((why && mark_failed(self, call, pod, why, err)) ||
	    cox_delete(self->cluster, call, &place, &how, err))
		return cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
	self->host->log_verbose(self->host->context, 2, "deleted pod %s/%s", place.namespace_name,
				place.name);
	return 0;
}

/* ---- pods that have ended ---- */

static bool was_evicted(const struct cox_objects *objects, const struct cox_object *pod)
{
	return !strcmp(objects->text(objects->root(pod), "status.reason"), "Evicted");
}

/* Evicted ones first, then the oldest. */
static int by_worth(const void *left, const void *right, void *context)
{
	const struct cox_objects *objects = context;
	const struct cox_object *a = *(struct cox_object *const *)left;
	const struct cox_object *b = *(struct cox_object *const *)right;
	uint64_t created_a = cox_created_ns(objects, a), created_b = cox_created_ns(objects, b);

	if (was_evicted(objects, a) != was_evicted(objects, b))
		return was_evicted(objects, a) ? -1 : 1;
	if (created_a != created_b)
		return created_a < created_b ? -1 : 1;
	return strcmp(objects->uid(a), objects->uid(b));
}

static int sweep_ended(struct podgc *self, const struct cox_call *call, struct cox_error *err)
{
	struct pod_list list = {.self = self};
	const struct cox_object_sink sink = {keep_pod, &list};
	size_t surplus = 0;
	int failed = 0;

	if (!self->threshold)
		return 0;
	self->cluster->find(self->pod_lister, "kind", "ended", &sink);
	if (list.items.count > (size_t)self->threshold)
		surplus = list.items.count - (size_t)self->threshold;
	if (surplus)
		qsort_r(list.items.items, list.items.count, sizeof(struct cox_object *), by_worth,
			(void *)self->objects);
	for (size_t i = 0; i < surplus && !failed; i++)
		failed = delete_pod(self, call, list.items.items[i], NULL, err);
	pod_list_free(&list);
	return failed;
}

static int sweep_unscheduled(struct podgc *self, const struct cox_call *call, struct cox_error *err)
{
	struct pod_list list = {.self = self};
	const struct cox_object_sink sink = {keep_any_pod, &list};
	int failed = 0;

	self->cluster->find(self->pod_lister, "kind", "unscheduled", &sink);
	for (size_t i = 0; i < list.items.count && !failed; i++)
		failed = delete_pod(self, call, list.items.items[i], NULL, err);
	pod_list_free(&list);
	return failed;
}

/* ---- nodes that are gone ---- */

static bool node_is_known(const struct podgc *self, const char *name)
{
	struct cox_object *node = self->cluster->get(self->node_lister, NULL, name);

	self->objects->unref(node);
	return node != NULL;
}

/* How long the node has to be missed still before its pods go. */
static uint64_t quarantine_left(struct podgc *self, const char *name)
{
	uint64_t now = self->host->monotonic_ns();
	uint64_t *since = cox_map_get(&self->missing, name, strlen(name));

	if (!since) {
		since = cox_new(uint64_t);
		*since = now;
		cox_map_put(&self->missing, name, strlen(name), since);
	}
	return now - *since < self->quarantine ? self->quarantine - (now - *since) : 0;
}

static void forget(struct podgc *self, const char *name)
{
	free(cox_map_remove(&self->missing, name, strlen(name)));
}

/* The server has the last word on whether the node is gone. */
static int node_is_gone(struct podgc *self, const struct cox_call *call, const char *name,
			bool *gone, struct cox_error *err)
{
	const struct cox_place place = {&nodes, NULL, name, NULL};
	struct cox_object *node = NULL;

	*gone = false;
	if (!cox_get(self->cluster, call, &place, &node, err)) {
		self->objects->unref(node);
		return 0;
	}
	*gone = cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err);
	return *gone ? 0 : -1;
}

static int delete_orphans(struct podgc *self, const struct cox_call *call, const char *name,
			  struct cox_error *err)
{
	struct pod_list list = {.self = self};
	const struct cox_object_sink sink = {keep_any_pod, &list};
	struct cox_buf value = COX_BUF_INIT;
	bool gone = false;
	int failed = 0;

	cox_buf_printf(&value, "node/%s", name);
	self->cluster->find(self->pod_lister, "kind", value.data, &sink);
	cox_buf_free(&value);
	if (list.items.count)
		failed = node_is_gone(self, call, name, &gone, err);
	for (size_t i = 0; gone && i < list.items.count && !failed; i++)
		failed = delete_pod(self, call, list.items.items[i], "PodGC: node no longer exists",
				    err);
	pod_list_free(&list);
	return failed;
}

static int podgc_reconcile(void *instance, const struct cox_call *call, const char *queue,
			   const char *key, uint64_t *again_ns, struct cox_error *err)
{
	struct podgc *self = instance;

	(void)queue;
	if (!strcmp(key, SWEEP_KEY))
		return sweep_ended(self, call, err) || sweep_unscheduled(self, call, err) ? -1 : 0;
	if (node_is_known(self, key)) {
		forget(self, key);
		return 0;
	}
	*again_ns = quarantine_left(self, key);
	if (*again_ns)
		return 0;
	if (delete_orphans(self, call, key, err))
		return -1;
	forget(self, key);
	return 0;
}

/* ---- the plugin ---- */

/* A pod that comes to a node: is there such a node? */
static void pod_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
		     const struct cox_keys *keys)
{
	const struct cox_objects *objects = ((const struct podgc *)instance)->objects;
	const char *before = old ? objects->text(objects->root(old), "spec.nodeName") : "";
	const char *after = now ? objects->text(objects->root(now), "spec.nodeName") : "";

	if (*after && strcmp(before, after) != 0)
		keys->emit(keys, after);
}

static void node_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
		      const struct cox_keys *keys)
{
	if (!now)
		keys->emit(keys, ((const struct podgc *)instance)->objects->name(old));
}

static int podgc_setup(void *instance, const struct cox_controller_setup *setup,
		       struct cox_error *err)
{
	static const struct cox_index by_kind[] = {{"kind", pod_kinds}, {NULL, NULL}};
	const struct cox_source node_source = {.struct_size = sizeof(node_source),
					       .resource = &nodes,
					       .queue = QUEUE,
					       .keys = node_keys};
	const struct cox_source pod_source = {.struct_size = sizeof(pod_source),
					      .resource = &pods,
					      .indexes = by_kind,
					      .queue = QUEUE,
					      .keys = pod_keys};
	struct podgc *self = instance;

	self->cluster = setup->cluster;
	self->objects = setup->cluster->objects;
	if (setup->queue(setup->builder, QUEUE, 1, err) ||
	    setup->every(setup->builder, QUEUE, SWEEP_KEY, self->period, err))
		return -1;
	self->node_lister = setup->source(setup->builder, &node_source, err);
	if (!self->node_lister)
		return -1;
	self->pod_lister = setup->source(setup->builder, &pod_source, err);
	return self->pod_lister ? 0 : -1;
}

static void *podgc_create(const struct cox_host *host, struct cox_error *err)
{
	struct podgc *self = cox_new(struct podgc);

	(void)err;
	self->host = host;
	return self;
}

static int podgc_config(void *instance, const char *key, const char *value, struct cox_error *err)
{
	struct podgc *self = instance;
	int64_t number;

	if (cox_parse_int(value, 0, INT64_MAX, &number))
		return self->host->fail(err, COX_REASON_INVALID, "%s: %s is not possible", key,
					value);
	if (!strcmp(key, "threshold"))
		self->threshold = number;
	else if (!strcmp(key, "period"))
		self->period = (uint64_t)number;
	else
		self->quarantine = (uint64_t)number;
	return 0;
}

static void podgc_destroy(void *instance)
{
	struct podgc *self = instance;
	void *since;

	for (size_t at = 0; cox_map_next(&self->missing, &at, NULL, NULL, &since);)
		free(since);
	cox_map_free(&self->missing);
	free(self);
}

static const struct cox_option podgc_options[] = {
	{"threshold", "12500", "ended pods that are kept; 0: all", COX_OPT_INT, 0},
	{"period", "20s", "time between looks at ended pods", COX_OPT_DURATION, 0},
	{"quarantine", "40s", "how long a node is missed before its pods go", COX_OPT_DURATION, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_controller_ops podgc_ops = {
	.setup = podgc_setup,
	.reconcile = podgc_reconcile,
};

COX_CONTROLLER_PLUGIN(podgc_ops, .name = "podgc", .version = "1",
		      .description = "Deletes pods that nobody else will",
		      .thread_model = COX_THREADS_PARALLEL, .options = podgc_options,
		      .create = podgc_create, .config = podgc_config, .destroy = podgc_destroy);
