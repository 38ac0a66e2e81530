/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's own judgement of a pod that was bound to it: the scheduler may
 * have known less, or may not have been asked. What ran here before is not
 * judged again.
 */
#include "kubelet/pod_worker.h"

#include "base/log.h"
#include "kubelet/affinity.h"
#include "kubelet/events.h"
#include "kubelet/names.h"
#include "kubelet/resources.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <string.h>

enum { PORTS_MAX = 10000, CRITICAL = 2000000000 };

static void take_ports(struct pod *pod, const struct cox_object *object)
{
	const struct value *list = object_path(object_root(object), "spec.containers");
	const struct value *container, *port;
	COX_VEC(uint32_t) ports = {0};

	for (size_t i = 0; (container = value_at(list, i)); i++)
		for (size_t j = 0; (port = value_at(value_get(container, "ports"), j)); j++) {
			const char *protocol = value_get_text(port, "protocol");
			uint32_t number = (uint32_t)value_get_int(port, "hostPort", 0);

			if (number && ports.count < PORTS_MAX)
				cox_vec_push(&ports,
					     number << 8 | (*protocol ? (uint8_t)*protocol : 'T'));
		}
	pod->host_ports = ports.items;
	pod->host_port_count = ports.count;
}

/* What the admitted pods take together. */
struct taken {
	int64_t cpu_milli, memory, pods;
	bool port_conflict;
};

static bool ports_meet(const struct pod *a, const struct pod *b)
{
	for (size_t i = 0; i < a->host_port_count; i++)
		for (size_t j = 0; j < b->host_port_count; j++)
			if (a->host_ports[i] == b->host_ports[j])
				return true;
	return false;
}

static void sum_up(struct kubelet *kubelet, const struct pod *pod, struct taken *taken)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	cox_lock_scope(&kubelet->lock);
	while (cox_map_next(&kubelet->pods, &at, &key, &size, &value)) {
		const struct pod *other = value;

		/* Its own worker sets `admitted` last, and under admit_lock. */
		if (other == pod || !other->admitted || other->terminated)
			continue;
		taken->cpu_milli += other->cpu_milli;
		taken->memory += other->memory;
		taken->pods++;
		taken->port_conflict |= ports_meet(pod, other);
	}
}

static void reject(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		   const char *reason, char *why)
{
	cox_autobuf message = COX_BUF_INIT;

	cox_buf_printf(&message, "Pod was rejected: %s", why);
	events_pod(kubelet, object, "Warning", reason, "%s", why);
	pod->rejected_message = cox_buf_steal(&message);
	pod->rejected_reason = reason;
	free(why);
}

static bool lacks(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		  const char *reason, const char *resource, int64_t requested, int64_t used,
		  int64_t capacity)
{
	cox_autobuf why = COX_BUF_INIT;

	if (!requested || used + requested <= capacity)
		return false;
	cox_buf_printf(&why,
		       "Node didn't have enough resource: %s, requested: %lld, used: %lld, "
		       "capacity: %lld",
		       resource, (long long)requested, (long long)used, (long long)capacity);
	reject(kubelet, pod, object, reason, cox_buf_steal(&why));
	return true;
}

/* What a node short of something takes all the same is what would be ended last. */
static bool is_critical(const struct value *pod)
{
	return value_get_int(value_get(pod, "spec"), "priority", 0) >= CRITICAL ||
	       value_path(pod, "metadata.annotations[\"" ANNOTATION_SOURCE "\"]");
}

static bool has_pressure(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object)
{
	bool best_effort = !strcmp(resources_qos(object_root(object)), "BestEffort"), disk, memory;
	cox_autobuf why = COX_BUF_INIT;

	pthread_mutex_lock(&kubelet->lock);
	disk = kubelet->disk_short;
	memory = kubelet->memory_short && best_effort;
	pthread_mutex_unlock(&kubelet->lock);
	if ((!disk && !memory) || is_critical(object_root(object)))
		return false;
	cox_buf_printf(&why, "The node had condition: [%s]. ",
		       disk ? "DiskPressure" : "MemoryPressure");
	reject(kubelet, pod, object, "Evicted", cox_buf_steal(&why));
	return true;
}

static bool fits_resources(struct kubelet *kubelet, struct pod *pod,
			   const struct cox_object *object, const struct taken *taken)
{
	struct cox_quantity cpu = resources_allocatable(kubelet->config, "cpu");
	struct cox_quantity memory = resources_allocatable(kubelet->config, "memory");

	return !lacks(kubelet, pod, object, "OutOfpods", "pods", 1, taken->pods,
		      kubelet->config->max_pods) &&
	       !lacks(kubelet, pod, object, "OutOfcpu", "cpu", pod->cpu_milli, taken->cpu_milli,
		      cox_quantity_milli(&cpu)) &&
	       !lacks(kubelet, pod, object, "OutOfmemory", "memory", pod->memory, taken->memory,
		      cox_quantity_units(&memory));
}

void pod_admit(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object)
{
	cox_autoobject *node = NULL;
	struct taken taken = {0};
	const char *reason;
	char *too_much;

	resources_pod(object_root(object), &pod->cpu_milli, &pod->memory);
	take_ports(pod, object);
	if (kubelet->node_lister)
		node = lister_get(kubelet->node_lister, NULL, kubelet->parts.node_name);
	cox_lock_scope(&kubelet->admit_lock);
	if (pod->adopted) {
		pod->admitted = true;
		return;
	}
	if (has_pressure(kubelet, pod, object))
		return;
	too_much = pod_asks_too_much(kubelet, object, &reason);
	if (too_much) {
		reject(kubelet, pod, object, reason, too_much);
		return;
	}
	sum_up(kubelet, pod, &taken);
	if (!fits_resources(kubelet, pod, object, &taken))
		return;
	if (taken.port_conflict)
		reject(kubelet, pod, object, "NodePorts",
		       cox_strdup("Predicate NodePorts failed: node(s) didn't have free ports for "
				  "the requested pod ports"));
	else if (node && !affinity_matches(object_root(object), object_root(node)))
		reject(kubelet, pod, object, "NodeAffinity",
		       cox_strdup("Predicate NodeAffinity failed: node(s) didn't match Pod's node "
				  "affinity/selector"));
	else
		pod->admitted = true;
}
