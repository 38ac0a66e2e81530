/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taints that say what a node's conditions say, and pods that do not tolerate
 * them. NoSchedule taints follow at once; NoExecute ones, which cost pods
 * their life, at the rate the caller allows.
 */
#include "node.h"

#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/pods.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/time.h>
#include <coxswain/kit/vec.h>
#include <string.h>

#define NOT_READY "node.kubernetes.io/not-ready"
#define UNREACHABLE "node.kubernetes.io/unreachable"
#define UNSCHEDULABLE "node.kubernetes.io/unschedulable"

static const struct {
	const char *key;
	const char *condition; /* NULL: spec.unschedulable */
	const char *status;
	const char *effect;
} rules[] = {
	{NOT_READY, "Ready", "False", "NoSchedule"},
	{UNREACHABLE, "Ready", "Unknown", "NoSchedule"},
	{"node.kubernetes.io/memory-pressure", "MemoryPressure", "True", "NoSchedule"},
	{"node.kubernetes.io/disk-pressure", "DiskPressure", "True", "NoSchedule"},
	{"node.kubernetes.io/pid-pressure", "PIDPressure", "True", "NoSchedule"},
	{"node.kubernetes.io/network-unavailable", "NetworkUnavailable", "True", "NoSchedule"},
	{UNSCHEDULABLE, NULL, NULL, "NoSchedule"},
	{NOT_READY, "Ready", "False", "NoExecute"},
	{UNREACHABLE, "Ready", "Unknown", "NoExecute"},
};

enum { RULES = sizeof(rules) / sizeof(rules[0]) };

static bool rule_holds(const struct nodes *self, const struct cox_object *node, size_t rule)
{
	if (!rules[rule].condition)
		return self->objects->boolean(self->objects->root(node), "spec.unschedulable");
	return !strcmp(node_condition(self, node, rules[rule].condition), rules[rule].status);
}

/* The rule that governs this taint; RULES: none, it is somebody else's. */
static size_t rule_of(const struct nodes *self, const struct cox_value *taint)
{
	size_t i;

	for (i = 0; i < RULES; i++) {
		if (!strcmp(self->objects->text(taint, "key"), rules[i].key) &&
		    !strcmp(self->objects->text(taint, "effect"), rules[i].effect))
			break;
	}
	return i;
}

static const struct cox_value *taints_of(const struct nodes *self, const struct cox_object *node)
{
	return self->objects->get(self->objects->root(node), "spec.taints");
}

/* Sets a flag for each rule whose taint is there. */
static void find_present(const struct nodes *self, const struct cox_object *node,
			 bool present[RULES + 1])
{
	const struct cox_value *list = taints_of(self, node), *taint;

	memset(present, 0, (RULES + 1) * sizeof(*present));
	for (size_t i = 0; (taint = self->objects->at(list, i, NULL)); i++)
		present[rule_of(self, taint)] = true;
}

static bool is_evicting(size_t rule)
{
	return !strcmp(rules[rule].effect, "NoExecute");
}

bool taints_wait(const struct nodes *self, const struct cox_object *node)
{
	bool present[RULES + 1];

	find_present(self, node, present);
	for (size_t i = 0; i < RULES; i++) {
		if (is_evicting(i) && !present[i] && rule_holds(self, node, i))
			return true;
	}
	return false;
}

static void write_taint(struct nodes *self, struct cox_json *json, size_t rule)
{
	char now[COX_TIME_SIZE];

	cox_format_time(self->host->realtime_ns(), now);
	cox_json_object(json, NULL);
	cox_json_text(json, "key", rules[rule].key);
	cox_json_text(json, "effect", rules[rule].effect);
	cox_json_text(json, "timeAdded", now);
	cox_json_end(json);
}

int taints_update(struct nodes *self, const struct cox_call *call, const struct cox_object *node,
		  bool evict, struct cox_error *err)
{
	const struct cox_place place = {&nodes_resource, NULL, self->objects->name(node), NULL};
	const struct cox_value *list = taints_of(self, node), *taint;
	struct cox_buf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);
	bool present[RULES + 1], changed = false;
	int failed = 0;

	find_present(self, node, present);
	cox_json_object(&json, NULL);
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "resourceVersion", self->objects->revision(node));
	cox_json_end(&json);
	cox_json_object(&json, "spec");
	cox_json_array(&json, "taints");
	for (size_t i = 0; (taint = self->objects->at(list, i, NULL)); i++) {
		size_t rule = rule_of(self, taint);

		if (rule == RULES || rule_holds(self, node, rule))
			cox_json_value(&json, NULL, self->objects, taint);
		else
			changed = true;
	}
	for (size_t i = 0; i < RULES; i++) {
		if (present[i] || !rule_holds(self, node, i) || (is_evicting(i) && !evict))
			continue;
		write_taint(self, &json, i);
		changed = true;
	}
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_end(&json);
	if (changed)
		failed = cox_write(self->cluster, call, COX_PATCH_MERGE, &place, &body, NULL, err);
	cox_buf_free(&body);
	return failed && !cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? -1 : 0;
}

/* ---- pods ---- */

struct pod_list {
	const struct nodes *self;
	COX_VEC(struct cox_object *) items;
};

static int keep_pod(void *to, const struct cox_object *pod)
{
	struct pod_list *list = to;

	cox_vec_push(&list->items, list->self->objects->ref(pod));
	return 0;
}

static void pods_on(const struct nodes *self, const struct cox_object *node, struct pod_list *list)
{
	const struct cox_object_sink sink = {keep_pod, list};

	list->self = self;
	self->cluster->find(self->pod_lister, "node", self->objects->name(node), &sink);
}

static void pods_free(struct pod_list *list)
{
	for (size_t i = 0; i < list->items.count; i++)
		list->self->objects->unref(list->items.items[i]);
	cox_vec_free(&list->items);
}

static bool tolerates(const struct cox_objects *objects, const struct cox_value *toleration,
		      const struct cox_value *taint)
{
	const char *effect = objects->text(toleration, "effect");
	const char *key = objects->text(toleration, "key");
	bool any = !strcmp(objects->text(toleration, "operator"), "Exists");

	if (*effect && strcmp(effect, objects->text(taint, "effect")) != 0)
		return false;
	if (*key ? strcmp(key, objects->text(taint, "key")) != 0 : !any)
		return false;
	return any || !strcmp(objects->text(toleration, "value"), objects->text(taint, "value"));
}

/*
 * How long the pod may stay under this taint, in nanoseconds; UINT64_MAX: for
 * ever. A pod that says nothing about a node that is lost or not ready is
 * given the eviction timeout.
 */
static uint64_t tolerated_for(const struct nodes *self, const struct cox_object *pod,
			      const struct cox_value *taint)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *list = objects->get(objects->root(pod), "spec.tolerations"), *item;
	const char *key = objects->text(taint, "key");
	uint64_t shortest = UINT64_MAX;
	bool any = false;

	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++) {
		int64_t seconds = objects->integer(item, "tolerationSeconds", INT64_MAX);
		uint64_t time;

		if (!tolerates(objects, item, taint))
			continue;
		any = true;
		if (!objects->get(item, "tolerationSeconds"))
			continue;
		time = seconds <= 0 ? 0 : (uint64_t)seconds * SECOND;
		shortest = time < shortest ? time : shortest;
	}
	if (any)
		return shortest;
	return !strcmp(key, NOT_READY) || !strcmp(key, UNREACHABLE) ? self->eviction_timeout : 0;
}

/* When the pod has to go (nanoseconds since 1970); UINT64_MAX: never. */
static uint64_t due_time(const struct nodes *self, const struct cox_object *node,
			 const struct cox_object *pod)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *list = taints_of(self, node), *taint;
	uint64_t due = UINT64_MAX;

	for (size_t i = 0; (taint = objects->at(list, i, NULL)); i++) {
		uint64_t since, time;

		if (strcmp(objects->text(taint, "effect"), "NoExecute") != 0)
			continue;
		time = tolerated_for(self, pod, taint);
		if (time == UINT64_MAX)
			continue;
		if (cox_parse_time(objects->text(taint, "timeAdded"), &since))
			since = 0;
		due = since + time < due ? since + time : due;
	}
	return due;
}

static int evict(struct nodes *self, const struct cox_call *call, const struct cox_object *pod,
		 struct cox_error *err)
{
	const struct cox_place place = {&pods_resource, self->objects->namespace_of(pod),
					self->objects->name(pod), NULL};
	const struct cox_delete how = {.uid = self->objects->uid(pod), .grace = -1};

	self->cluster->event(self->cluster->context, pod, "Normal", "TaintManagerEviction",
			     "Marking for deletion Pod %s/%s", place.namespace_name, place.name);
	if (!cox_delete(self->cluster, call, &place, &how, err) ||
	    cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err))
		return 0;
	return -1;
}

int taints_evict(struct nodes *self, const struct cox_call *call, const struct cox_object *node,
		 struct cox_error *err)
{
	uint64_t now = self->host->realtime_ns(), next = UINT64_MAX;
	struct pod_list pods = {0};
	int failed = 0;

	if (self->objects->count(taints_of(self, node)))
		pods_on(self, node, &pods);
	for (size_t i = 0; i < pods.items.count && !failed; i++) {
		const struct cox_object *pod = pods.items.items[i];
		uint64_t due = due_time(self, node, pod);

		if (cox_deleting(self->objects, pod) || due == UINT64_MAX)
			continue;
		if (due <= now)
			failed = evict(self, call, pod, err);
		else
			next = due < next ? due : next;
	}
	pods_free(&pods);
	if (next != UINT64_MAX)
		self->setup->enqueue(self->setup->builder, QUEUE, self->objects->name(node),
				     next - now);
	return failed;
}

static int set_not_ready(struct nodes *self, const struct cox_call *call,
			 const struct cox_object *pod, struct cox_error *err)
{
	const struct cox_place place = {&pods_resource, self->objects->namespace_of(pod),
					self->objects->name(pod), "status"};
	struct cox_buf body = COX_BUF_INIT;
	char now[COX_TIME_SIZE];
	int failed;

	cox_format_time(self->host->realtime_ns(), now);
	cox_buf_printf(&body,
		       "{\"metadata\":{\"uid\":\"%s\"},\"status\":{\"conditions\":[{\"type\":"
		       "\"Ready\",\"status\":\"False\",\"lastTransitionTime\":\"%s\"}]}}",
		       self->objects->uid(pod), now);
	failed = cox_write(self->cluster, call, COX_PATCH_STRATEGIC, &place, &body, NULL, err);
	cox_buf_free(&body);
	if (failed)
		return cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
	self->cluster->event(self->cluster->context, pod, "Warning", "NodeNotReady",
			     "Node is not ready");
	return 0;
}

int pods_not_ready(struct nodes *self, const struct cox_call *call, const struct cox_object *node,
		   struct cox_error *err)
{
	struct pod_list pods = {0};
	int failed = 0;

	pods_on(self, node, &pods);
	for (size_t i = 0; i < pods.items.count && !failed; i++) {
		if (cox_pod_ready(self->objects, pods.items.items[i]))
			failed = set_not_ready(self, call, pods.items.items[i], err);
	}
	pods_free(&pods);
	return failed;
}
