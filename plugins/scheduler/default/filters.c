/* SPDX-License-Identifier: Apache-2.0 */
/* The predicates: which nodes can take the pod. */
#include "claims.h"

#include <stdlib.h>
#include <string.h>

#define ANY_ADDRESS "0.0.0.0"

bool tolerates(const struct cox_scheduler_pod *pod, const struct cox_scheduler_taint *taint)
{
	for (size_t i = 0; i < pod->toleration_count; i++) {
		const struct cox_scheduler_toleration *item = &pod->tolerations[i];

		if ((*item->effect && strcmp(item->effect, taint->effect) != 0) ||
		    (*item->key && strcmp(item->key, taint->key) != 0))
			continue;
		if (!strcmp(item->relation, "Exists") ||
		    (*item->key && !strcmp(item->relation, "Equal") &&
		     !strcmp(item->value, taint->value)))
			return true;
	}
	return false;
}

/* ---- always in use ---- */

static void filter_ready(struct scheduler *scheduler, const struct use *use, struct state *state,
			 const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			 const char **why)
{
	static const struct cox_scheduler_taint taint = {"node.kubernetes.io/not-ready", "",
							 "NoSchedule"};
	bool tolerated = tolerates(pod, &taint);

	(void)scheduler;
	(void)use;
	(void)state;
	for (size_t i = 0; i < nodes.count && !tolerated; i++) {
		if (!(nodes.items[i]->flags & COX_SCHEDULER_NODE_READY))
			why[i] = "node(s) were not ready";
	}
}

static void filter_unschedulable(struct scheduler *scheduler, const struct use *use,
				 struct state *state, const struct cox_scheduler_pod *pod,
				 struct cox_scheduler_nodes nodes, const char **why)
{
	static const struct cox_scheduler_taint taint = {"node.kubernetes.io/unschedulable", "",
							 "NoSchedule"};
	bool tolerated = tolerates(pod, &taint);

	(void)scheduler;
	(void)use;
	(void)state;
	for (size_t i = 0; i < nodes.count && !tolerated; i++) {
		if (nodes.items[i]->flags & COX_SCHEDULER_NODE_UNSCHEDULABLE)
			why[i] = "node(s) were unschedulable";
	}
}

/* ---- resources ---- */

enum { NO_PODS = 1, NO_CPU = 2, NO_MEMORY = 4, NO_STORAGE = 8 };

/* Nothing asked for always fits. */
static bool lacks(int64_t wanted, int64_t used, int64_t all)
{
	return wanted > 0 && (wanted > all || used > all - wanted);
}

static int64_t amount_of(const struct cox_scheduler_resources *resources, const char *name)
{
	for (size_t i = 0; i < resources->other_count; i++) {
		if (!strcmp(resources->others[i].name, name))
			return resources->others[i].amount;
	}
	return 0;
}

static const char *lacking_others(struct state *state, const struct cox_scheduler_pod *pod,
				  const struct cox_scheduler_node *node, const char *before)
{
	for (size_t i = 0; i < pod->requests.other_count; i++) {
		const struct cox_scheduler_amount *other = &pod->requests.others[i];

		if (!lacks(other->amount, amount_of(&node->requested, other->name),
			   amount_of(&node->allocatable, other->name)))
			continue;
		before = before ? state_text(state, "%s\nInsufficient %s", before, other->name)
				: state_text(state, "Insufficient %s", other->name);
	}
	return before;
}

/* One text for each set of what is lacking. */
static const char *lacking_text(struct state *state, unsigned lacking)
{
	static const char *const single[] = {
		[NO_PODS] = "Too many pods",
		[NO_CPU] = "Insufficient cpu",
		[NO_MEMORY] = "Insufficient memory",
		[NO_STORAGE] = "Insufficient ephemeral-storage",
	};
	const char *text = NULL;

	if (lacking && !(lacking & (lacking - 1)))
		return single[lacking];
	for (unsigned bit = NO_PODS; bit <= NO_STORAGE; bit <<= 1) {
		if (lacking & bit)
			text = text ? state_text(state, "%s\n%s", text, single[bit]) : single[bit];
	}
	return text;
}

static void filter_resources(struct scheduler *scheduler, const struct use *use,
			     struct state *state, const struct cox_scheduler_pod *pod,
			     struct cox_scheduler_nodes nodes, const char **why)
{
	const struct cox_scheduler_resources *wanted = &pod->requests;

	(void)scheduler;
	(void)use;
	for (size_t i = 0; i < nodes.count; i++) {
		const struct cox_scheduler_node *node = nodes.items[i];
		const struct cox_scheduler_resources *used = &node->requested;
		const struct cox_scheduler_resources *all = &node->allocatable;
		unsigned lacking = 0;

		if (lacks(1, used->pods, all->pods))
			lacking |= NO_PODS;
		if (lacks(wanted->milli_cpu, used->milli_cpu, all->milli_cpu))
			lacking |= NO_CPU;
		if (lacks(wanted->memory, used->memory, all->memory))
			lacking |= NO_MEMORY;
		if (lacks(wanted->ephemeral_storage, used->ephemeral_storage,
			  all->ephemeral_storage))
			lacking |= NO_STORAGE;
		if (lacking)
			why[i] = lacking_text(state, lacking);
		if (wanted->other_count)
			why[i] = lacking_others(state, pod, node, why[i]);
	}
}

/* ---- ports ---- */

static bool collide(const struct cox_scheduler_port *a, const struct cox_scheduler_port *b)
{
	return a->port == b->port && !strcmp(a->protocol, b->protocol) &&
	       (!strcmp(a->address, b->address) || !strcmp(a->address, ANY_ADDRESS) ||
		!strcmp(b->address, ANY_ADDRESS));
}

static bool ports_in_use(const struct cox_scheduler_pod *pod, const struct cox_scheduler_node *node)
{
	for (size_t i = 0; i < pod->port_count; i++) {
		for (size_t j = 0; j < node->port_count; j++) {
			if (collide(&pod->ports[i], &node->ports[j]))
				return true;
		}
	}
	return false;
}

static void filter_ports(struct scheduler *scheduler, const struct use *use, struct state *state,
			 const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			 const char **why)
{
	(void)scheduler;
	(void)use;
	(void)state;
	for (size_t i = 0; i < nodes.count && pod->port_count; i++) {
		if (ports_in_use(pod, nodes.items[i]))
			why[i] = "node(s) didn't have free ports for the requested pod ports";
	}
}

/* ---- disks ---- */

static bool disks_collide(const struct cox_scheduler_disk *a, const struct cox_scheduler_disk *b)
{
	if (a->type != b->type || strcmp(a->id, b->id) != 0)
		return false;
	return a->type == COX_SCHEDULER_DISK_EBS || !(a->read_only && b->read_only);
}

static bool disks_in_use(const struct cox_scheduler_pod *pod, const struct cox_scheduler_node *node)
{
	for (size_t i = 0; i < node->pod_count; i++) {
		const struct cox_scheduler_pod *other = node->pods[i];

		for (size_t a = 0; a < pod->disk_count; a++) {
			for (size_t b = 0; b < other->disk_count; b++) {
				if (disks_collide(&pod->disks[a], &other->disks[b]))
					return true;
			}
		}
	}
	return false;
}

static void filter_disks(struct scheduler *scheduler, const struct use *use, struct state *state,
			 const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			 const char **why)
{
	(void)scheduler;
	(void)use;
	(void)state;
	for (size_t i = 0; i < nodes.count && pod->disk_count; i++) {
		if (disks_in_use(pod, nodes.items[i]))
			why[i] = "node(s) had no available disk";
	}
}

/* ---- names, labels, taints ---- */

bool fits_labels(const struct state *state, const struct cox_scheduler_pod *pod,
		 const struct cox_scheduler_node *node)
{
	bool fits = affinity_allows(&state->affinity, node);

	for (size_t i = 0; fits && i < pod->node_selector.count; i++) {
		const struct cox_scheduler_pair *wanted = &pod->node_selector.items[i];
		const char *value = pairs_get(node->labels, wanted->key);

		fits = value && !strcmp(value, wanted->value);
	}
	return fits;
}

static void filter_selector(struct scheduler *scheduler, const struct use *use, struct state *state,
			    const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			    const char **why)
{
	(void)scheduler;
	(void)use;
	if (!pod->node_selector.count && !state->affinity.has_required)
		return;
	for (size_t i = 0; i < nodes.count; i++) {
		if (!fits_labels(state, pod, nodes.items[i]))
			why[i] = "node(s) didn't match Pod's node affinity/selector";
	}
}

static void filter_name(struct scheduler *scheduler, const struct use *use, struct state *state,
			const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			const char **why)
{
	(void)scheduler;
	(void)use;
	(void)state;
	for (size_t i = 0; i < nodes.count && *pod->node_name; i++) {
		if (strcmp(nodes.items[i]->name, pod->node_name) != 0)
			why[i] = "node(s) didn't match the requested node name";
	}
}

static void filter_taints(struct scheduler *scheduler, const struct use *use, struct state *state,
			  const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			  const char **why)
{
	(void)scheduler;
	(void)use;
	for (size_t i = 0; i < nodes.count; i++) {
		for (size_t j = 0; j < nodes.items[i]->taint_count; j++) {
			const struct cox_scheduler_taint *taint = &nodes.items[i]->taints[j];

			if ((strcmp(taint->effect, "NoSchedule") != 0 &&
			     strcmp(taint->effect, "NoExecute") != 0) ||
			    tolerates(pod, taint))
				continue;
			why[i] = state_text(state, "node(s) had untolerated taint {%s: %s}",
					    taint->key, taint->value);
			break;
		}
	}
}

/* ---- with arguments ---- */

static void filter_labels(struct scheduler *scheduler, const struct use *use, struct state *state,
			  const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			  const char **why)
{
	(void)scheduler;
	(void)state;
	(void)pod;
	for (size_t i = 0; i < nodes.count; i++) {
		for (char **label = use->labels; *label; label++) {
			bool has = pairs_get(nodes.items[i]->labels, *label) != NULL;

			if (has != use->presence)
				why[i] = "node(s) didn't have the requested labels";
		}
	}
}

/* The value that all pods of the service have in common; NULL: any. */
static const char *common_value(struct scheduler *scheduler, const struct state *state,
				const struct cox_scheduler_pod *pod, const char *label)
{
	const struct cox_objects *objects = scheduler->objects;
	const char *value = pairs_get(pod->node_selector, label);
	const struct cox_value *labels;

	if (value || !state->siblings.count)
		return value;
	labels = objects->get(objects->root(state->siblings.items[0].node), "metadata.labels");
	labels = objects->member(labels, label);
	return labels ? objects->text(labels, "") : NULL;
}

static void filter_service(struct scheduler *scheduler, const struct use *use, struct state *state,
			   const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			   const char **why)
{
	find_siblings(scheduler, state, pod);
	for (char **label = use->labels; *label; label++) {
		const char *wanted = common_value(scheduler, state, pod, *label), *value;

		for (size_t i = 0; wanted && i < nodes.count; i++) {
			value = pairs_get(nodes.items[i]->labels, *label);
			if (!value || strcmp(value, wanted) != 0)
				why[i] = "node(s) didn't match service affinity";
		}
	}
}

/* ---- the list ---- */

#define FILTER(name, flags)                                                                        \
	{                                                                                          \
		sizeof(struct cox_scheduler_part), COX_SCHEDULER_FILTER, name, flags, 0            \
	}
#define DEFAULT COX_SCHEDULER_PART_DEFAULT
#define ALWAYS COX_SCHEDULER_PART_ALWAYS
#define ARGUMENT COX_SCHEDULER_PART_ARGUMENT

const struct part filter_parts[] = {
	{.public = FILTER("CheckNodeCondition", ALWAYS), .filter = filter_ready},
	{.public = FILTER("CheckNodeUnschedulable", ALWAYS), .filter = filter_unschedulable},
	{.public = FILTER("CheckVolumeBinding", ALWAYS), .filter = filter_claims},
	{.public = FILTER("HostName", DEFAULT), .filter = filter_name},
	{.public = FILTER("MatchNodeSelector", DEFAULT), .filter = filter_selector},
	{.public = FILTER("PodToleratesNodeTaints", DEFAULT), .filter = filter_taints},
	{.public = FILTER("PodFitsHostPorts", DEFAULT), .filter = filter_ports},
	{.public = FILTER("PodFitsPorts", 0), .filter = filter_ports}, /* its first name */
	{.public = FILTER("PodFitsResources", DEFAULT), .filter = filter_resources},
	{.public = FILTER("NoDiskConflict", DEFAULT), .filter = filter_disks},
	{.public = FILTER("EvenPodsSpread", DEFAULT), .filter = filter_spread},
	{.public = FILTER("MatchInterPodAffinity", DEFAULT), .filter = filter_near},
	{.public = FILTER("labelsPresence", ARGUMENT), .filter = filter_labels, .member = "labels"},
	{.public = FILTER("serviceAffinity", ARGUMENT),
	 .filter = filter_service,
	 .member = "labels"},
};
const size_t filter_part_count = sizeof(filter_parts) / sizeof(filter_parts[0]);
