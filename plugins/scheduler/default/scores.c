/* SPDX-License-Identifier: Apache-2.0 */
/* The priorities: how good the nodes are that fit. */
#include "default.h"

#include <coxswain/kit/map.h>
#include <stdlib.h>
#include <string.h>

#define MAX COX_SCHEDULER_SCORE_MAX

/* What images must have in common with a node to count at all, and to count in full. */
#define IMAGE_LEAST (INT64_C(23) << 20)
#define IMAGE_MOST (INT64_C(1000) << 20)

/* ---- resources ---- */

static int64_t unused_share(int64_t requested, int64_t capacity)
{
	if (capacity <= 0 || requested > capacity)
		return 0;
	return (int64_t)((double)(capacity - requested) * MAX / (double)capacity);
}

static void score_least(struct scheduler *scheduler, const struct use *use, struct state *state,
			const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			int64_t *scores)
{
	(void)scheduler;
	(void)use;
	(void)state;
	for (size_t i = 0; i < nodes.count; i++) {
		const struct cox_scheduler_node *node = nodes.items[i];

		scores[i] = (unused_share(node->score_milli_cpu + pod->score_milli_cpu,
					  node->allocatable.milli_cpu) +
			     unused_share(node->score_memory + pod->score_memory,
					  node->allocatable.memory)) /
			    2;
	}
}

static double used_share(int64_t requested, int64_t capacity)
{
	return capacity > 0 ? (double)requested / (double)capacity : 1;
}

static void score_balanced(struct scheduler *scheduler, const struct use *use, struct state *state,
			   const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			   int64_t *scores)
{
	(void)scheduler;
	(void)use;
	(void)state;
	for (size_t i = 0; i < nodes.count; i++) {
		const struct cox_scheduler_node *node = nodes.items[i];
		double cpu = used_share(node->score_milli_cpu + pod->score_milli_cpu,
					node->allocatable.milli_cpu);
		double memory = used_share(node->score_memory + pod->score_memory,
					   node->allocatable.memory);
		double apart = cpu > memory ? cpu - memory : memory - cpu;

		scores[i] = cpu >= 1 || memory >= 1 ? 0 : (int64_t)(MAX - apart * MAX);
	}
}

static void score_equal(struct scheduler *scheduler, const struct use *use, struct state *state,
			const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			int64_t *scores)
{
	(void)scheduler;
	(void)use;
	(void)state;
	(void)pod;
	for (size_t i = 0; i < nodes.count; i++)
		scores[i] = 1;
}

/* ---- spreading ---- */

/* Most pods have the labels of the one before, so its answer is remembered. */
struct memory {
	uint64_t digest;
	bool known, matches;
};

static bool is_sibling(const struct owner_list *owners, const struct cox_scheduler_pod *pod,
		       const struct cox_scheduler_pod *other, struct memory *memory)
{
	if (!memory->known || memory->digest != other->labels_digest) {
		memory->known = true;
		memory->digest = other->labels_digest;
		memory->matches = !strcmp(other->namespace_name, pod->namespace_name) &&
				  owner_list_matches(owners, other->labels);
	}
	return memory->matches && !(other->flags & COX_SCHEDULER_POD_DELETED);
}

static void spread(struct scheduler *scheduler, struct state *state,
		   const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
		   bool services_only, int64_t *scores)
{
	const struct owner_list *owners = owners_of(scheduler, state, pod, services_only);
	struct memory memory = {.known = false};

	for (size_t i = 0; i < nodes.count && owners->count; i++) {
		const struct cox_scheduler_node *node = nodes.items[i];

		for (size_t j = 0; j < node->pod_count; j++)
			scores[i] += is_sibling(owners, pod, node->pods[j], &memory);
	}
}

static void score_selector_spread(struct scheduler *scheduler, const struct use *use,
				  struct state *state, const struct cox_scheduler_pod *pod,
				  struct cox_scheduler_nodes nodes, int64_t *scores)
{
	(void)use;
	spread(scheduler, state, pod, nodes, false, scores);
}

static void score_service_spread(struct scheduler *scheduler, const struct use *use,
				 struct state *state, const struct cox_scheduler_pod *pod,
				 struct cox_scheduler_nodes nodes, int64_t *scores)
{
	(void)use;
	spread(scheduler, state, pod, nodes, true, scores);
}

/* How many pods of the services are on nodes with each value of the label. */
static void score_anti_affinity(struct scheduler *scheduler, const struct use *use,
				struct state *state, const struct cox_scheduler_pod *pod,
				struct cox_scheduler_nodes nodes, int64_t *scores)
{
	const struct cox_objects *objects = scheduler->objects;
	struct cox_map counts = COX_MAP_INIT;
	const char *label = use->labels[0];
	int64_t total;

	find_siblings(scheduler, state, pod);
	total = (int64_t)state->siblings.count;
	for (size_t i = 0; i < state->siblings.count; i++) {
		const struct cox_value *value =
			objects->member(objects->get(objects->root(state->siblings.items[i].node),
						     "metadata.labels"),
					label);
		const char *text = objects->text(value, "");

		if (value)
			cox_map_put(
				&counts, text, strlen(text),
				(void *)((uintptr_t)cox_map_get(&counts, text, strlen(text)) + 1));
	}
	for (size_t i = 0; i < nodes.count; i++) {
		const char *value = pairs_get(nodes.items[i]->labels, label);

		if (value && total)
			scores[i] = MAX *
				    (total - (int64_t)(uintptr_t)cox_map_get(&counts, value,
									     strlen(value))) /
				    total;
		else
			scores[i] = value ? MAX : 0;
	}
	cox_map_free(&counts);
}

/* ---- labels and taints ---- */

static void score_label(struct scheduler *scheduler, const struct use *use, struct state *state,
			const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			int64_t *scores)
{
	(void)scheduler;
	(void)state;
	(void)pod;
	for (size_t i = 0; i < nodes.count; i++) {
		bool has = pairs_get(nodes.items[i]->labels, use->labels[0]) != NULL;

		scores[i] = has == use->presence ? MAX : 0;
	}
}

static void score_node_affinity(struct scheduler *scheduler, const struct use *use,
				struct state *state, const struct cox_scheduler_pod *pod,
				struct cox_scheduler_nodes nodes, int64_t *scores)
{
	(void)scheduler;
	(void)use;
	(void)pod;
	for (size_t i = 0; i < nodes.count && state->affinity.preferred.count; i++)
		scores[i] = affinity_weight(&state->affinity, nodes.items[i]);
}

static void score_taints(struct scheduler *scheduler, const struct use *use, struct state *state,
			 const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			 int64_t *scores)
{
	(void)scheduler;
	(void)use;
	(void)state;
	for (size_t i = 0; i < nodes.count; i++) {
		for (size_t j = 0; j < nodes.items[i]->taint_count; j++) {
			const struct cox_scheduler_taint *taint = &nodes.items[i]->taints[j];

			scores[i] += !strcmp(taint->effect, "PreferNoSchedule") &&
				     !tolerates(pod, taint);
		}
	}
}

static int64_t bytes_there(const struct cox_scheduler_pod *pod,
			   const struct cox_scheduler_node *node)
{
	int64_t sum = 0;

	for (size_t i = 0; i < pod->image_count; i++) {
		for (size_t j = 0; j < node->image_count; j++) {
			if (strcmp(pod->images[i].key, node->images[j].name) != 0)
				continue;
			sum += node->images[j].size < IMAGE_MOST ? node->images[j].size
								 : IMAGE_MOST;
			break;
		}
	}
	return sum;
}

static void score_images(struct scheduler *scheduler, const struct use *use, struct state *state,
			 const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			 int64_t *scores)
{
	(void)scheduler;
	(void)use;
	(void)state;
	for (size_t i = 0; i < nodes.count; i++) {
		int64_t bytes = bytes_there(pod, nodes.items[i]);

		if (bytes >= IMAGE_MOST)
			scores[i] = MAX;
		else if (bytes > IMAGE_LEAST)
			scores[i] = MAX * (bytes - IMAGE_LEAST) / (IMAGE_MOST - IMAGE_LEAST);
	}
}

/* ---- the list ---- */

#define WEIGHED(name, weight)                                                                      \
	{                                                                                          \
		sizeof(struct cox_scheduler_part), COX_SCHEDULER_SCORE, name, DEFAULT, weight      \
	}
#define SCORE(name, flags)                                                                         \
	{                                                                                          \
		sizeof(struct cox_scheduler_part), COX_SCHEDULER_SCORE, name, flags, 1             \
	}
#define DEFAULT COX_SCHEDULER_PART_DEFAULT
#define ARGUMENT COX_SCHEDULER_PART_ARGUMENT

const struct part score_parts[] = {
	{.public = SCORE("LeastRequestedPriority", DEFAULT), .score = score_least},
	{.public = SCORE("BalancedResourceAllocation", DEFAULT), .score = score_balanced},
	{.public = SCORE("SelectorSpreadPriority", DEFAULT),
	 .score = score_selector_spread,
	 .normal = LESS_IS_BETTER},
	{.public = SCORE("ServiceSpreadingPriority", 0),
	 .score = score_service_spread,
	 .normal = LESS_IS_BETTER},
	{.public = SCORE("NodeAffinityPriority", DEFAULT),
	 .score = score_node_affinity,
	 .normal = MORE_IS_BETTER},
	{.public = SCORE("TaintTolerationPriority", DEFAULT),
	 .score = score_taints,
	 .normal = LESS_IS_BETTER},
	{.public = WEIGHED("InterPodAffinityPriority", 2), .score = score_near, .normal = IN_RANGE},
	{.public = WEIGHED("EvenPodsSpreadPriority", 2),
	 .score = score_spread,
	 .normal = LESS_IS_BETTER},
	{.public = SCORE("ImageLocalityPriority", DEFAULT), .score = score_images},
	{.public = SCORE("EqualPriority", 0), .score = score_equal},
	{.public = SCORE("serviceAntiAffinity", ARGUMENT),
	 .score = score_anti_affinity,
	 .member = "label"},
	{.public = SCORE("labelPreference", ARGUMENT), .score = score_label, .member = "label"},
};
const size_t score_part_count = sizeof(score_parts) / sizeof(score_parts[0]);
