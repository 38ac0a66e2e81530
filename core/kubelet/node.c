/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the node registered and alive: one thread renews the lease, so that
 * nothing slow delays it, the other looks at the status every now and then and
 * tells it when it changed, or when five minutes have passed.
 */
#include "kubelet/node.h"

#include "base/clock.h"
#include "base/log.h"
#include "kubelet/events.h"
#include "kubelet/pod.h"
#include "machinery/json.h"

#include <arpa/inet.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <ctype.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LEASE_NAMESPACE "kube-node-lease"

enum {
	LEASE_SECONDS = 40,
	STATUS_TRIES = 5 /* until it is left for the next period */
};

static const uint64_t lease_period = 10 * CLOCK_SECOND;
static const uint64_t report_period = 300 * CLOCK_SECOND;
static const uint64_t request_limit = 10 * CLOCK_SECOND;

struct node {
	struct kubelet *kubelet;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t lease_thread, status_thread;
	unsigned threads;
	bool stopping, woken;
	/* the status thread's own */
	bool created;	      /* by us, with conditions that nobody was told of */
	bool began, closed;   /* "Starting" was told; what was told of spec.unschedulable */
	uint64_t reported_at; /* monotonic */
	char *reported;	      /* the status that was told, without times */
};

/* ---- name and address ---- */

char *node_make_name(const struct kubelet_config *config, struct cox_error *err)
{
	char name[256] = "";

	if (config->hostname_override && *config->hostname_override)
		snprintf(name, sizeof(name), "%s", config->hostname_override);
	else if (gethostname(name, sizeof(name) - 1) != 0)
		error_errno(err, errno, "ask for the host name");
	for (char *at = name; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	if (*name)
		return cox_strdup(name);
	error_set(err, COX_REASON_INVALID,
		  "this host has no name; give one by "
		  "--hostname-override");
	return NULL;
}

/* The device of the default route; false: there is none. */
static bool default_device(char device[IFNAMSIZ])
{
	cox_autofclose FILE *file = fopen("/proc/net/route", "re");
	char line[256], name[32];
	unsigned destination;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%31s %x", name, &destination) == 2 && destination == 0 &&
		    strlen(name) < IFNAMSIZ) {
			memcpy(device, name, strlen(name) + 1);
			return true;
		}
	return false;
}

static bool is_address(const char *text)
{
	struct in6_addr address;

	return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

/*
 * A node that is named by an address is to be reached there: the shipped files
 * name it 127.0.0.1, and its port is open at no other address.
 */
char *node_find_address(const struct kubelet_config *config)
{
	struct ifaddrs *all = NULL;
	char device[IFNAMSIZ] = "", text[INET6_ADDRSTRLEN] = "";
	bool routed = default_device(device);

	if (config->node_ip && *config->node_ip)
		return cox_strdup(config->node_ip);
	if (config->hostname_override && is_address(config->hostname_override))
		return cox_strdup(config->hostname_override);
	if (getifaddrs(&all) != 0)
		return NULL;
	for (struct ifaddrs *at = all; at && !*text; at = at->ifa_next) {
		if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET ||
		    (at->ifa_flags & IFF_LOOPBACK) || !(at->ifa_flags & IFF_UP) ||
		    (routed && strcmp(at->ifa_name, device) != 0))
			continue;
		inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)at->ifa_addr)->sin_addr, text,
			  sizeof(text));
	}
	freeifaddrs(all);
	return *text ? cox_strdup(text) : NULL;
}

/* ---- the object ---- */

static int call(struct node *node, enum client_verb verb, const char *subresource,
		const struct value *body, struct cox_object **answer, struct cox_error *err)
{
	cox_autobuf text = COX_BUF_INIT;
	cox_autoanswer got = CLIENT_ANSWER_INIT;
	struct client_request request = {
		.verb = verb,
		.version = "v1",
		.resource = "nodes",
		.name = verb == CLIENT_CREATE ? NULL : node->kubelet->parts.node_name,
		.subresource = subresource,
		.deadline = clock_monotonic() + request_limit};

	if (body) {
		json_write(&text, body, 0);
		request.body = text.data;
		request.body_size = text.size;
	}
	if (verb == CLIENT_PATCH)
		request.content_type = CLIENT_MERGE_PATCH;
	if (client_call(node->kubelet->parts.client, &request, &got, err))
		return -1;
	if (!answer)
		return 0;
	*answer = object_new(cox_buf_cstr(&got.body), got.body.size, err);
	return *answer ? 0 : -1;
}

/* What of a status is worth telling at once: everything but the heartbeat. */
static char *essence(struct arena *arena, const struct value *status)
{
	struct value *copy = value_copy(arena, status);
	const struct value *conditions = value_get(copy, "conditions");
	cox_autobuf text = COX_BUF_INIT;
	struct value *one;

	for (size_t i = 0; (one = value_at(conditions, i)); i++) {
		value_remove(one, "lastHeartbeatTime");
		value_remove(one, "lastTransitionTime");
	}
	json_write(&text, copy, 0);
	return cox_buf_steal(&text);
}

static void told(struct node *node, char *what)
{
	free(node->reported);
	node->reported = what;
	node->reported_at = clock_monotonic();
}

/* Labels of ours that the registered node lacks. */
static void update_labels(struct node *node, const struct value *old, struct value *fresh,
			  struct arena *arena)
{
	struct value *patch = value_object(arena), *labels;
	const struct value *wanted = value_path(fresh, "metadata.labels");
	const struct value *have = value_path(old, "metadata.labels");
	cox_autoerror err = COX_ERROR_INIT;

	labels = value_make_object(arena, value_make_object(arena, patch, "metadata"), "labels");
	for (uint32_t i = 0; i < wanted->count; i++) {
		const struct value_member *member = &wanted->object.members[i];

		if (!value_equal(value_get(have, member->key), member->value))
			value_set(arena, labels, member->key, member->value);
	}
	if (labels->count && call(node, CLIENT_PATCH, NULL, patch, NULL, &err))
		log_warning("labels of node %s: %s", node->kubelet->parts.node_name,
			    error_text(&err));
}

static int register_node(struct node *node, struct cox_error *err)
{
	struct kubelet *kubelet = node->kubelet;
	const char *name = kubelet->parts.node_name;
	cox_autoarena arena = ARENA_INIT;
	cox_autoobject *old = NULL;
	struct value *fresh;

	log_info("Attempting to register node %s", name);
	fresh = node_describe(kubelet, NULL, &arena);
	if (call(node, CLIENT_CREATE, NULL, fresh, NULL, err) == 0) {
		log_info("Successfully registered node %s", name);
		node->created = true;
		return 0;
	}
	if (err->reason != COX_REASON_ALREADY_EXISTS)
		return -1;
	error_clear(err);
	if (call(node, CLIENT_GET, NULL, NULL, &old, err))
		return -1;
	log_info("Node %s was previously registered", name);
	update_labels(node, object_root(old), fresh, &arena);
	return 0;
}

/* ---- what people are told ---- */

static const struct value *condition(const struct value *status, const char *type)
{
	const struct value *list = value_get(status, "conditions"), *one;

	for (size_t i = 0; (one = value_at(list, i)); i++)
		if (!strcmp(value_get_text(one, "type"), type))
			return one;
	return NULL;
}

static void now_is(struct node *node, const char *what)
{
	events_node(node->kubelet, "Normal", what, "Node %s status is now: %s",
		    node->kubelet->parts.node_name, what);
}

static void tell_conditions(struct node *node, const struct value *before,
			    const struct value *status)
{
	static const struct {
		const char *type, *holds, *holds_not;
	} all[] = {
		{"MemoryPressure", "NodeHasInsufficientMemory", "NodeHasSufficientMemory"},
		{"DiskPressure", "NodeHasDiskPressure", "NodeHasNoDiskPressure"},
		{"PIDPressure", "NodeHasInsufficientPID", "NodeHasSufficientPID"},
		{"Ready", "NodeReady", "NodeNotReady"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *old = value_get_text(condition(before, all[i].type), "status");
		const char *now = value_get_text(condition(status, all[i].type), "status");

		if (strcmp(old, now) != 0)
			now_is(node, !strcmp(now, "True") ? all[i].holds : all[i].holds_not);
	}
}

static void tell_changes(struct node *node, const struct value *old, const struct value *status)
{
	const char *booted = value_text(value_path(status, "nodeInfo.bootID"));
	const char *before = value_text(value_path(old, "status.nodeInfo.bootID"));
	bool closed = value_get_bool(value_get(old, "spec"), "unschedulable");

	if (!node->began)
		events_node(node->kubelet, "Normal", "Starting", "Starting kubelet.");
	node->began = true;
	if (*before && strcmp(before, booted) != 0)
		events_node(node->kubelet, "Warning", "Rebooted",
			    "Node %s has been rebooted, boot id: %s",
			    node->kubelet->parts.node_name, booted);
	tell_conditions(node, node->created ? NULL : value_get(old, "status"), status);
	node->created = false;
	if (closed != node->closed)
		now_is(node, closed ? "NodeNotSchedulable" : "NodeSchedulable");
	node->closed = closed;
}

/* A conflict: somebody else, a cloud's controller say, was quicker to change the node. */
static int report_status_once(struct node *node, struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoobject *old = NULL;
	cox_autofree char *what = NULL;
	struct value *status, *patch;
	bool due;

	if (call(node, CLIENT_GET, NULL, NULL, &old, err))
		return -1;
	status = value_get(node_describe(node->kubelet, object_root(old), &arena), "status");
	what = essence(&arena, status);
	due = !node->reported || strcmp(node->reported, what) != 0 ||
	      node->closed !=
		      value_get_bool(value_get(object_root(old), "spec"), "unschedulable") ||
	      clock_monotonic() - node->reported_at >= report_period;
	if (!due)
		return 0;
	/* Its lists take the place of what was read, and of nothing newer. */
	patch = value_object(&arena);
	value_set_text(&arena, value_make_object(&arena, patch, "metadata"), "resourceVersion",
		       object_revision(old));
	value_set(&arena, patch, "status", status);
	if (call(node, CLIENT_PATCH, "status", patch, NULL, err))
		return -1;
	told(node, cox_steal(what));
	tell_changes(node, object_root(old), status);
	return 0;
}

static int report_status_now(struct node *node, struct cox_error *err)
{
	for (unsigned tries = 1; report_status_once(node, err); tries++) {
		if (err->reason != COX_REASON_CONFLICT || tries == STATUS_TRIES)
			return -1;
		error_clear(err);
	}
	return 0;
}

/* ---- threads ---- */

/* True: it is time to end. */
static bool pause_for(struct node *node, uint64_t length, bool wakeable)
{
	uint64_t until = clock_monotonic() + length;
	struct timespec when = {(time_t)(until / CLOCK_SECOND), (long)(until % CLOCK_SECOND)};

	cox_lock_scope(&node->lock);
	while (!node->stopping && clock_monotonic() < until && !(wakeable && node->woken))
		pthread_cond_clockwait(&node->changed, &node->lock, CLOCK_MONOTONIC, &when);
	if (wakeable)
		node->woken = false;
	return node->stopping;
}

static void *run_status(void *context)
{
	struct node *node = context;
	uint64_t wait = 100 * CLOCK_MILLISECOND;
	bool stop = false;

	while (!stop && node->kubelet->config->register_node) {
		cox_autoerror err = COX_ERROR_INIT;

		if (register_node(node, &err) == 0)
			break;
		log_warning("Unable to register node %s with API server: %s",
			    node->kubelet->parts.node_name, error_text(&err));
		stop = pause_for(node, wait, false);
		wait = wait * 2 < 7 * CLOCK_SECOND ? wait * 2 : 7 * CLOCK_SECOND;
	}
	while (!stop) {
		cox_autoerror err = COX_ERROR_INIT;

		if (report_status_now(node, &err))
			log_warning("Error updating node status: %s", error_text(&err));
		stop = pause_for(node, node->kubelet->config->node_status_update_frequency, true);
	}
	return NULL;
}

static void lease_body(struct node *node, struct cox_buf *body, bool whole)
{
	char now[CLOCK_RFC3339_SIZE];
	const char *name = node->kubelet->parts.node_name;

	clock_format_micro(clock_realtime(), now);
	cox_buf_char(body, '{');
	if (whole)
		cox_buf_printf(body,
			       "\"kind\":\"Lease\",\"apiVersion\":\"coordination.k8s.io/v1\","
			       "\"metadata\":{\"name\":\"%s\",\"namespace\":\"" LEASE_NAMESPACE
			       "\"},",
			       name);
	cox_buf_printf(body,
		       "\"spec\":{\"holderIdentity\":\"%s\",\"leaseDurationSeconds\":%d,"
		       "\"renewTime\":\"%s\"}}",
		       name, LEASE_SECONDS, now);
}

static int renew_lease(struct node *node, struct cox_error *err)
{
	cox_autobuf body = COX_BUF_INIT;
	struct client_request request = {.verb = CLIENT_PATCH,
					 .group = "coordination.k8s.io",
					 .version = "v1",
					 .resource = "leases",
					 .namespace = LEASE_NAMESPACE,
					 .name = node->kubelet->parts.node_name,
					 .content_type = CLIENT_MERGE_PATCH,
					 .deadline = clock_monotonic() + request_limit};

	lease_body(node, &body, false);
	request.body = body.data;
	request.body_size = body.size;
	if (client_call(node->kubelet->parts.client, &request, NULL, err) == 0)
		return 0;
	if (err->reason != COX_REASON_NOT_FOUND)
		return -1;
	error_clear(err);
	cox_buf_clear(&body);
	lease_body(node, &body, true);
	request.verb = CLIENT_CREATE;
	request.name = NULL;
	request.content_type = CLIENT_JSON;
	request.body = body.data;
	request.body_size = body.size;
	return client_call(node->kubelet->parts.client, &request, NULL, err);
}

static void *run_lease(void *context)
{
	struct node *node = context;
	uint64_t wait;

	do {
		cox_autoerror err = COX_ERROR_INIT;

		wait = lease_period;
		if (renew_lease(node, &err)) {
			log_warning("renew the lease of node %s: %s",
				    node->kubelet->parts.node_name, error_text(&err));
			wait = CLOCK_SECOND;
		}
	} while (!pause_for(node, wait, false));
	return NULL;
}

struct node *node_start(struct kubelet *kubelet, struct cox_error *err)
{
	struct node *node = cox_new(struct node);
	int failure;

	node->kubelet = kubelet;
	pthread_mutex_init(&node->lock, NULL);
	pthread_cond_init(&node->changed, NULL);
	failure = pthread_create(&node->status_thread, NULL, run_status, node);
	node->threads += failure == 0;
	if (!failure) {
		failure = pthread_create(&node->lease_thread, NULL, run_lease, node);
		node->threads += failure == 0;
	}
	if (failure == 0)
		return node;
	error_errno(err, failure, "start the threads of the node");
	node_stop(node);
	return NULL;
}

void node_wake(struct node *node)
{
	cox_lock_scope(&node->lock);
	node->woken = true;
	pthread_cond_broadcast(&node->changed);
}

void node_stop(struct node *node)
{
	if (!node)
		return;
	pthread_mutex_lock(&node->lock);
	node->stopping = true;
	pthread_cond_broadcast(&node->changed);
	pthread_mutex_unlock(&node->lock);
	if (node->threads > 0)
		pthread_join(node->status_thread, NULL);
	if (node->threads > 1)
		pthread_join(node->lease_thread, NULL);
	pthread_cond_destroy(&node->changed);
	pthread_mutex_destroy(&node->lock);
	free(node->reported);
	free(node);
}

/* ---- the network's ranges ---- */

struct ranges {
	struct kubelet *kubelet;
	struct cox_object *object;
};

static void set_ranges(void *context)
{
	struct ranges *ranges = context;
	struct kubelet *kubelet = ranges->kubelet;
	const struct value *list = object_path(object_root(ranges->object), "spec.podCIDRs");
	const char *cidrs[2] = {
		value_text(object_path(object_root(ranges->object), "spec.podCIDR")), NULL};
	cox_autoerror err = COX_ERROR_INIT;
	size_t count = *cidrs[0] ? 1 : 0;
	struct node *node;

	for (size_t i = 0; i < 2 && value_at(list, i); i++) {
		cidrs[i] = value_text(value_at(list, i));
		count = i + 1;
	}
	if (count && network_call(kubelet, 60 * CLOCK_SECOND, set_pod_cidrs, cidrs, count, &err))
		log_error("pod CIDR of this node: %s", error_text(&err));
	else if (count)
		pods_wake_all(kubelet);
	object_unref(ranges->object);
	free(ranges);
	node = kubelet->node;
	if (count && node)
		node_wake(node);
}

void node_changed(void *context, const struct cox_object *old, const struct cox_object *now)
{
	struct kubelet *kubelet = context;
	const struct value *before = object_path(object_root(old), "spec.podCIDR");
	const struct value *after = object_path(object_root(now), "spec.podCIDR");
	struct ranges *ranges;

	if (!after || value_equal(before, after) || !kubelet->network ||
	    !kubelet->network->set_pod_cidrs)
		return;
	ranges = cox_new(struct ranges);
	*ranges = (struct ranges){kubelet, object_ref(now)};
	if (jobs_run(kubelet->jobs, set_ranges, ranges) == 0)
		return;
	log_error("pod CIDR of this node: too much is under way");
	object_unref(ranges->object);
	free(ranges);
}
