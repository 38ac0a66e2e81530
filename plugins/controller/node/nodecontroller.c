/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node controller: notices nodes that have fallen silent, says so in their
 * conditions and taints, and moves their pods away.
 *
 * A node is alive while its lease or the heartbeat of its Ready condition
 * changes; when it changed is measured by this daemon's own clock, so the
 * node's may be wrong. If not one node is left alive, the fault is more likely
 * here, and no pod is touched.
 */
#include "node.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/text.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/time.h>
#include <stdlib.h>
#include <string.h>

#define LEASES "kube-node-lease"

const struct cox_resource nodes_resource = {"", "v1", "nodes"};
const struct cox_resource pods_resource = {"", "v1", "pods"};
static const struct cox_resource leases = {"coordination.k8s.io", "v1", "leases"};

static const char *const conditions[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};

const char *node_condition(const struct nodes *self, const struct cox_object *node,
			   const char *type)
{
	return self->objects->text(cox_condition(self->objects, node, type), "status");
}

/* ---- what is remembered ---- */

static void health_free(struct health *health)
{
	if (!health)
		return;
	free(health->heartbeat);
	free(health->renewal);
	free(health->range);
	free(health);
}

/* Replaces the text; true if it is another one. */
static bool note_text(char **known, const char *now)
{
	if (*known && !strcmp(*known, now))
		return false;
	free(*known);
	*known = cox_strdup(now);
	return true;
}

/* How long ago the node was made, by the wall clock. */
static uint64_t age_of(const struct nodes *self, const struct cox_object *node)
{
	uint64_t created = cox_created_ns(self->objects, node), now = self->host->realtime_ns();

	return created < now ? now - created : 0;
}

static struct health *meet(struct nodes *self, const struct cox_object *node)
{
	const char *name = self->objects->name(node);
	uint64_t now = self->host->monotonic_ns(), age;
	struct health *health = cox_new(struct health);

	health->seen_alive = now;
	if (cox_condition(self->objects, node, "Ready")) {
		self->host->log_at(self->host->context, COX_LOG_WARNING, __FILE__, __LINE__,
				   "Missing timestamp for Node %s. Assuming now as a timestamp.",
				   name);
	} else {
		age = age_of(self, node);
		health->seen_alive = age < now ? now - age : 1;
	}
	cox_map_put(&self->healths, name, strlen(name), health);
	self->cluster->event(self->cluster->context, node, "Normal", "RegisteredNode",
			     "Node %s event: Registered Node %s in Controller", name, name);
	return health;
}

static struct health *observe(struct nodes *self, const struct cox_object *node)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *ready = cox_condition(objects, node, "Ready");
	const char *name = objects->name(node);
	struct cox_object *lease = self->cluster->get(self->lease_lister, LEASES, name);
	struct health *health = cox_map_get(&self->healths, name, strlen(name));
	bool is_new = !health, changed;

	if (!health)
		health = meet(self, node);
	/* An Unknown of our own is no sign of life: only the heartbeat counts. */
	changed = note_text(&health->heartbeat, objects->text(ready, "lastHeartbeatTime"));
	changed |=
		note_text(&health->renewal, objects->text(objects->root(lease), "spec.renewTime"));
	if (changed && !is_new)
		health->seen_alive = self->host->monotonic_ns();
	objects->unref(lease);
	return health;
}

/* ---- silence ---- */

static bool is_silent(const struct nodes *self, const struct cox_object *node,
		      const struct health *health)
{
	uint64_t grace = cox_condition(self->objects, node, "Ready") ? self->grace_period
								     : self->startup_grace_period;

	return self->host->monotonic_ns() > health->seen_alive + grace;
}

static void write_unknown(struct nodes *self, struct cox_json *json, const struct cox_object *node,
			  const char *type)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *old = cox_condition(objects, node, type);
	char now[COX_TIME_SIZE];

	cox_format_time(self->host->realtime_ns(), now);
	cox_json_object(json, NULL);
	cox_json_text(json, "type", type);
	cox_json_text(json, "status", "Unknown");
	cox_json_text_set(json, "lastHeartbeatTime",
			  old ? objects->text(old, "lastHeartbeatTime")
			      : objects->text(objects->root(node), "metadata.creationTimestamp"));
	cox_json_text(json, "lastTransitionTime", now);
	cox_json_text(json, "reason", old ? "NodeStatusUnknown" : "NodeStatusNeverUpdated");
	cox_json_text(json, "message",
		      old ? "Kubelet stopped posting node status."
			  : "Kubelet never posted node status.");
	cox_json_end(json);
}

/* `*fresh` is the node as it is afterwards; NULL: there was nothing to say. */
static int tell_unknown(struct nodes *self, const struct cox_call *call,
			const struct cox_object *node, struct cox_object **fresh,
			struct cox_error *err)
{
	const struct cox_place place = {&nodes_resource, NULL, self->objects->name(node), "status"};
	const bool was_ready = !strcmp(node_condition(self, node, "Ready"), "True");
	struct cox_buf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);
	bool changed = false;
	int failed = 0;

	cox_json_object(&json, NULL);
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "uid", self->objects->uid(node));
	cox_json_end(&json);
	cox_json_object(&json, "status");
	cox_json_array(&json, "conditions");
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		if (!strcmp(node_condition(self, node, conditions[i]), "Unknown"))
			continue;
		write_unknown(self, &json, node, conditions[i]);
		changed = true;
	}
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_end(&json);
	if (changed)
		failed = cox_write(self->cluster, call, COX_PATCH_STRATEGIC, &place, &body, fresh,
				   err);
	cox_buf_free(&body);
	if (changed && !failed && was_ready)
		self->cluster->event(self->cluster->context, node, "Normal", "NodeNotReady",
				     "Node %s status is now: NodeNotReady", place.name);
	return failed;
}

/* ---- evictions ---- */

static int count_alive(void *to, const struct cox_object *node)
{
	struct {
		const struct nodes *self;
		size_t ready;
	} *count = to;

	count->ready += !strcmp(node_condition(count->self, node, "Ready"), "True");
	return 0;
}

static bool any_alive(const struct nodes *self)
{
	struct {
		const struct nodes *self;
		size_t ready;
	} count = {self, 0};
	const struct cox_object_sink sink = {count_alive, &count};

	self->cluster->list(self->node_lister, NULL, &sink);
	return count.ready > 0;
}

/* One node more may be emptied; false: later. */
static bool take_token(struct nodes *self)
{
	uint64_t now = self->host->monotonic_ns();

	if (!self->tokens_at)
		self->eviction_tokens = (double)self->eviction_burst;
	else
		self->eviction_tokens +=
			(double)(now - self->tokens_at) / (double)SECOND * self->eviction_rate;
	self->tokens_at = now;
	if (self->eviction_tokens > (double)self->eviction_burst)
		self->eviction_tokens = (double)self->eviction_burst;
	if (self->eviction_tokens < 1)
		return false;
	self->eviction_tokens -= 1;
	return true;
}

static int look_at(struct nodes *self, const struct cox_call *call, const struct cox_object *node,
		   struct cox_error *err)
{
	struct health *health = observe(self, node);
	struct cox_object *fresh = NULL;
	bool evict;
	int failed = 0;

	health->visited = true;
	if (is_silent(self, node, health))
		failed = tell_unknown(self, call, node, &fresh, err);
	if (!failed && !strcmp(node_condition(self, fresh ? fresh : node, "Ready"), "Unknown"))
		failed = pods_not_ready(self, call, node, err);
	/* What was written comes back as a change, with the taints to go with it. */
	if (!failed && !fresh) {
		evict = taints_wait(self, node) && any_alive(self) && take_token(self);
		failed = taints_update(self, call, node, evict, err) ||
			 taints_evict(self, call, node, err);
	}
	self->objects->unref(fresh);
	if (!failed)
		failed = ranges_assign(self, call, node, health, err);
	if (failed && cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err))
		failed = 0;
	return failed;
}

/* ---- passes ---- */

static int enqueue_node(void *to, const struct cox_object *node)
{
	struct nodes *self = to;
	const char *name = self->objects->name(node);
	struct health *health = cox_map_get(&self->healths, name, strlen(name));

	if (health)
		health->visited = true;
	self->setup->enqueue(self->setup->builder, QUEUE, name, 0);
	return 0;
}

/* Each node gets its turn, so that one that fails keeps no other from it. */
static void look_at_all(struct nodes *self)
{
	const struct cox_object_sink sink = {enqueue_node, self};
	const char *name;
	size_t size;
	void *health;

	for (size_t at = 0; cox_map_next(&self->healths, &at, NULL, NULL, &health);)
		((struct health *)health)->visited = false;
	self->cluster->list(self->node_lister, NULL, &sink);
	for (size_t at = 0; cox_map_next(&self->healths, &at, &name, &size, &health);) {
		if (((struct health *)health)->visited)
			continue;
		health_free(cox_map_remove(&self->healths, name, size));
		at = 0; /* the map has changed */
	}
}

static int nodes_reconcile(void *instance, const struct cox_call *call, const char *queue,
			   const char *key, uint64_t *again_ns, struct cox_error *err)
{
	struct nodes *self = instance;
	struct cox_object *node;
	int failed = 0;

	(void)queue;
	(void)again_ns;
	if (!strcmp(key, ALL_KEY)) {
		look_at_all(self);
		return 0;
	}
	node = self->cluster->get(self->node_lister, NULL, key);
	if (node)
		failed = look_at(self, call, node, err) ? -1 : 0;
	self->objects->unref(node);
	return failed;
}

/* ---- the plugin ---- */

static void pod_node(const struct cox_objects *objects, const struct cox_object *pod,
		     const struct cox_keys *values)
{
	const char *node = objects->text(objects->root(pod), "spec.nodeName");

	if (*node)
		values->emit(values, node);
}

static int nodes_setup(void *instance, const struct cox_controller_setup *setup,
		       struct cox_error *err)
{
	static const struct cox_index by_node[] = {{"node", pod_node}, {NULL, NULL}};
	const struct cox_source node_source = {
		.struct_size = sizeof(node_source), .resource = &nodes_resource, .queue = QUEUE};
	const struct cox_source lease_source = {
		.struct_size = sizeof(lease_source), .resource = &leases, .namespace_name = LEASES};
	const struct cox_source pod_source = {
		.struct_size = sizeof(pod_source), .resource = &pods_resource, .indexes = by_node};
	struct nodes *self = instance;

	self->setup = setup;
	self->cluster = setup->cluster;
	self->objects = setup->cluster->objects;
	if (setup->queue(setup->builder, QUEUE, 1, err) ||
	    setup->every(setup->builder, QUEUE, ALL_KEY, self->monitor_period, err))
		return -1;
	self->node_lister = setup->source(setup->builder, &node_source, err);
	if (!self->node_lister)
		return -1;
	self->lease_lister = setup->source(setup->builder, &lease_source, err);
	if (!self->lease_lister)
		return -1;
	self->pod_lister = setup->source(setup->builder, &pod_source, err);
	return self->pod_lister ? 0 : -1;
}

static void *nodes_create(const struct cox_host *host, struct cox_error *err)
{
	struct nodes *self = cox_new(struct nodes);

	(void)err;
	self->host = host;
	return self;
}

static void set_text(char **slot, const char *value)
{
	free(*slot);
	*slot = *value ? cox_strdup(value) : NULL;
}

/* Numbers: durations come in nanoseconds. */
static int config_number(struct nodes *self, const char *key, const char *value,
			 struct cox_error *err)
{
	int64_t number;

	if (cox_parse_int(value, 0, INT64_MAX, &number))
		return self->host->fail(err, COX_REASON_INVALID, "%s: %s is not possible", key,
					value);
	if (!strcmp(key, "monitor-period"))
		self->monitor_period = (uint64_t)number;
	else if (!strcmp(key, "monitor-grace-period"))
		self->grace_period = (uint64_t)number;
	else if (!strcmp(key, "startup-grace-period"))
		self->startup_grace_period = (uint64_t)number;
	else if (!strcmp(key, "eviction-timeout"))
		self->eviction_timeout = (uint64_t)number;
	else if (!strcmp(key, "eviction-burst"))
		self->eviction_burst = number;
	else
		self->mask_size = number > 128 ? 129 : (unsigned)number;
	return 0;
}

static int nodes_config(void *instance, const char *key, const char *value, struct cox_error *err)
{
	struct nodes *self = instance;
	char *end = NULL;

	if (!strcmp(key, "cluster-cidr")) {
		set_text(&self->cluster_range, value);
	} else if (!strcmp(key, "service-cluster-ip-range")) {
		set_text(&self->service_range, value);
	} else if (!strcmp(key, "allocate-node-cidrs")) {
		self->allocate = !strcmp(value, "true");
	} else if (!strcmp(key, "eviction-rate")) {
		self->eviction_rate = strtod(value, &end);
		if (end == value || *end || !(self->eviction_rate >= 0))
			return self->host->fail(err, COX_REASON_INVALID,
						"eviction-rate: %s is no rate", value);
	} else {
		return config_number(self, key, value, err);
	}
	return 0;
}

static int nodes_config_complete(void *instance, struct cox_error *err)
{
	return ranges_check(instance, err);
}

static void nodes_destroy(void *instance)
{
	struct nodes *self = instance;
	void *health;

	for (size_t at = 0; cox_map_next(&self->healths, &at, NULL, NULL, &health);)
		health_free(health);
	cox_map_free(&self->healths);
	free(self->cluster_range);
	free(self->service_range);
	free(self);
}

static const struct cox_option nodes_options[] = {
	{"monitor-period", "5s", "time between looks at the nodes", COX_OPT_DURATION, 0},
	{"monitor-grace-period", "40s", "how long a node may be silent", COX_OPT_DURATION, 0},
	{"startup-grace-period", "1m", "how long a new node may be silent", COX_OPT_DURATION, 0},
	{"eviction-timeout", "5m", "how long pods stay on a lost node", COX_OPT_DURATION, 0},
	{"eviction-rate", "0.1", "nodes a second that may be emptied", COX_OPT_STRING, 0},
	{"eviction-burst", "10", "nodes above that rate", COX_OPT_INT, 0},
	{"allocate-node-cidrs", "false", "give nodes ranges of pod addresses", COX_OPT_BOOL, 0},
	{"cluster-cidr", NULL, "range of all pod addresses", COX_OPT_STRING, 0},
	{"service-cluster-ip-range", NULL, "range of service addresses", COX_OPT_STRING, 0},
	{"node-cidr-mask-size", "24", "prefix length of a node's range", COX_OPT_INT, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_controller_ops nodes_ops = {
	.setup = nodes_setup,
	.reconcile = nodes_reconcile,
};

COX_CONTROLLER_PLUGIN(nodes_ops, .name = "node", .version = "1",
		      .description = "Watches over nodes and moves pods off lost ones",
		      .thread_model = COX_THREADS_PARALLEL, .options = nodes_options,
		      .create = nodes_create, .config = nodes_config,
		      .config_complete = nodes_config_complete, .destroy = nodes_destroy);
