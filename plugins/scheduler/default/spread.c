/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topology spread constraints: no place may have many more of the selected pods
 * than the place that has the fewest. Only nodes that the pod could run on make
 * places; see the flags.
 */
#include "default.h"

#include <coxswain/kit/alloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool is_required(const struct cox_scheduler_spread *spread)
{
	return spread->flags & COX_SCHEDULER_SPREAD_REQUIRED;
}

bool spread_is_helped(const struct cox_scheduler_pod *pod, const struct cox_scheduler_pod *before,
		      const struct cox_scheduler_pod *now)
{
	for (size_t i = 0; i < pod->spread_count; i++) {
		const struct cox_scheduler_selector *pods = &pod->spreads[i].pods;

		/* One more may be in the place that had the fewest, one less in the fullest. */
		if (is_required(&pod->spreads[i]) &&
		    !strcmp(pod->namespace_name, now->namespace_name) &&
		    selects(pods, now->labels) != (before && selects(pods, before->labels)))
			return true;
	}
	return false;
}

static bool has_taint_in_the_way(const struct cox_scheduler_pod *pod,
				 const struct cox_scheduler_node *node)
{
	for (size_t i = 0; i < node->taint_count; i++) {
		const struct cox_scheduler_taint *taint = &node->taints[i];

		if ((!strcmp(taint->effect, "NoSchedule") || !strcmp(taint->effect, "NoExecute")) &&
		    !tolerates(pod, taint))
			return true;
	}
	return false;
}

/* Whether the node has all the labels that constraints of this kind go by. */
static bool has_keys(const struct cox_scheduler_pod *pod, const struct cox_scheduler_node *node,
		     bool required)
{
	for (size_t i = 0; i < pod->spread_count; i++) {
		if (is_required(&pod->spreads[i]) == required &&
		    !pairs_get(node->labels, pod->spreads[i].topology_key))
			return false;
	}
	return true;
}

static bool makes_place(const struct state *state, const struct cox_scheduler_spread *spread,
			const struct cox_scheduler_pod *pod, const struct cox_scheduler_node *node)
{
	return has_keys(pod, node, is_required(spread)) &&
	       (spread->flags & COX_SCHEDULER_SPREAD_ANY_NODE || fits_labels(state, pod, node)) &&
	       (!(spread->flags & COX_SCHEDULER_SPREAD_UNTAINTED) ||
		!has_taint_in_the_way(pod, node));
}

static int64_t count_pods(const struct state *state, const struct cox_scheduler_spread *spread,
			  const struct cox_scheduler_pod *pod,
			  const struct cox_scheduler_node *node)
{
	uint64_t digest = 0;
	bool known = false, selected = false;
	int64_t count = 0;

	for (size_t i = 0; i < node->pod_count; i++) {
		const struct cox_scheduler_pod *other = node->pods[i];

		if (!known || other->labels_digest != digest) {
			known = true;
			digest = other->labels_digest;
			selected = !strcmp(other->namespace_name, pod->namespace_name) &&
				   selects(&spread->pods, other->labels);
		}
		count += selected && !(other->flags & COX_SCHEDULER_POD_DELETED) &&
			 !is_left_out(state, other);
	}
	return count;
}

/* A place is in the map with one pod more than it has, so that 0 is no place. */
static void count_places(const struct scheduler *scheduler, const struct state *state,
			 const struct cox_scheduler_spread *spread,
			 const struct cox_scheduler_pod *pod, struct tally *tally)
{
	const struct cox_scheduler_nodes nodes =
		scheduler->setup->nodes(scheduler->setup->builder, NULL);
	size_t at = 0, size;
	const char *key;
	void *value;

	for (size_t i = 0; i < nodes.count; i++) {
		const struct cox_scheduler_node *node = nodes.items[i];

		if (!makes_place(state, spread, pod, node))
			continue;
		if (!places_get(&tally->places, spread->topology_key, node))
			places_add(&tally->places, spread->topology_key, node, 1);
		places_add(&tally->places, spread->topology_key, node,
			   count_pods(state, spread, pod, node));
	}
	tally->least = tally->places.count ? INT64_MAX : 0;
	while (cox_map_next(&tally->places, &at, &key, &size, &value)) {
		int64_t count = (int64_t)(intptr_t)value - 1;

		tally->least = count < tally->least ? count : tally->least;
		tally->most = count > tally->most ? count : tally->most;
	}
	/* With fewer places than there should be, the missing ones have no pods. */
	if ((int64_t)tally->places.count < spread->least_places)
		tally->least = 0;
}

static void find_tallies(const struct scheduler *scheduler, struct state *state,
			 const struct cox_scheduler_pod *pod)
{
	if (state->tallies)
		return;
	state->tallies = cox_calloc(pod->spread_count, sizeof(*state->tallies));
	state->tally_count = pod->spread_count;
	for (size_t i = 0; i < pod->spread_count; i++)
		count_places(scheduler, state, &pod->spreads[i], pod, &state->tallies[i]);
}

void tallies_forget(struct state *state)
{
	for (size_t i = 0; i < state->tally_count; i++)
		cox_map_free(&state->tallies[i].places);
	free(state->tallies);
	state->tallies = NULL;
	state->tally_count = 0;
}

static const char *spread_reason(const struct state *state, const struct cox_scheduler_pod *pod,
				 const struct cox_scheduler_node *node)
{
	for (size_t i = 0; i < pod->spread_count; i++) {
		const struct cox_scheduler_spread *spread = &pod->spreads[i];
		const struct tally *tally = &state->tallies[i];
		int64_t there, more;

		if (!is_required(spread))
			continue;
		if (!pairs_get(node->labels, spread->topology_key))
			return "node(s) didn't match pod topology spread constraints (missing "
			       "required label)";
		there = places_get(&tally->places, spread->topology_key, node);
		there = there ? there - 1 : 0;
		more = selects(&spread->pods, pod->labels);
		if (there + more - tally->least > spread->most_skew)
			return "node(s) didn't match pod topology spread constraints";
	}
	return NULL;
}

static bool has_spread(const struct cox_scheduler_pod *pod, bool required)
{
	for (size_t i = 0; i < pod->spread_count; i++) {
		if (is_required(&pod->spreads[i]) == required)
			return true;
	}
	return false;
}

void filter_spread(struct scheduler *scheduler, const struct use *use, struct state *state,
		   const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
		   const char **why)
{
	(void)use;
	if (!has_spread(pod, true))
		return;
	find_tallies(scheduler, state, pod);
	for (size_t i = 0; i < nodes.count; i++)
		why[i] = spread_reason(state, pod, nodes.items[i]);
}

/* How full the node's places are, each against the fullest of its kind; less is better. */
void score_spread(struct scheduler *scheduler, const struct use *use, struct state *state,
		  const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
		  int64_t *scores)
{
	(void)use;
	if (!has_spread(pod, false))
		return;
	find_tallies(scheduler, state, pod);
	for (size_t i = 0; i < nodes.count; i++) {
		for (size_t j = 0; j < pod->spread_count; j++) {
			const struct tally *tally = &state->tallies[j];
			int64_t there;

			if (is_required(&pod->spreads[j]))
				continue;
			there = places_get(&tally->places, pod->spreads[j].topology_key,
					   nodes.items[i]);
			/* Where there is no such place the pod would be nowhere. */
			scores[i] += !there ? COX_SCHEDULER_SCORE_MAX
				     : tally->most
					     ? (there - 1) * COX_SCHEDULER_SCORE_MAX / tally->most
					     : 0;
		}
	}
}
