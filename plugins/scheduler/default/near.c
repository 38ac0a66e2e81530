/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods near and away from other pods. Nodes with the same value of a label are
 * one place; what is counted is counted by place, once an attempt and only when
 * the pod, or a pod that has a node, asks for it.
 *
 * It works both ways: pods that want to be away from such a pod as this keep
 * it away, and those that like it near pull it.
 */
#include "default.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <stdlib.h>
#include <string.h>

/* ---- what selects what ---- */

static bool is_one_of(const char *text, const char *const *list, size_t count)
{
	for (size_t i = 0; text && i < count; i++) {
		if (!strcmp(text, list[i]))
			return true;
	}
	return false;
}

static bool requirement_holds(const struct cox_scheduler_requirement *item, const char *value)
{
	if (!strcmp(item->relation, "In"))
		return is_one_of(value, item->values, item->value_count);
	if (!strcmp(item->relation, "NotIn"))
		return !is_one_of(value, item->values, item->value_count);
	if (!strcmp(item->relation, "Exists"))
		return value != NULL;
	return !strcmp(item->relation, "DoesNotExist") && !value;
}

bool selects(const struct cox_scheduler_selector *selector, struct cox_scheduler_pairs labels)
{
	for (size_t i = 0; i < selector->count; i++) {
		if (!requirement_holds(&selector->items[i],
				       pairs_get(labels, selector->items[i].key)))
			return false;
	}
	return !selector->nothing;
}

/* The labels of a namespace are asked for only where somebody chose by them. */
static bool selects_namespace(const struct scheduler *scheduler,
			      const struct cox_scheduler_selector *selector, const char *name)
{
	const struct cox_objects *objects = scheduler->objects;
	const struct cox_value *labels;
	struct cox_object *room;
	bool holds = !selector->nothing;

	if (selector->nothing || !selector->count)
		return holds;
	room = scheduler->cluster->get(scheduler->namespaces, NULL, name);
	labels = objects->get(objects->root(room), "metadata.labels");
	for (size_t i = 0; i < selector->count && holds; i++) {
		const struct cox_value *label = objects->member(labels, selector->items[i].key);

		holds = requirement_holds(&selector->items[i],
					  label ? objects->text(label, "") : NULL);
	}
	objects->unref(room);
	return holds && room;
}

static bool is_meant(const struct scheduler *scheduler, const struct cox_scheduler_term *term,
		     const struct cox_scheduler_pod *other)
{
	return selects(&term->pods, other->labels) &&
	       (is_one_of(other->namespace_name, term->namespaces, term->namespace_count) ||
		selects_namespace(scheduler, &term->namespace_selector, other->namespace_name));
}

bool near_is_helped(const struct scheduler *scheduler, const struct cox_scheduler_pod *pod,
		    const struct cox_scheduler_pod *before, const struct cox_scheduler_pod *now)
{
	for (size_t i = 0; i < pod->term_count; i++) {
		const struct cox_scheduler_term *term = &pod->terms[i];
		bool was, is, apart = term->flags & COX_SCHEDULER_TERM_APART;

		if (!(term->flags & COX_SCHEDULER_TERM_REQUIRED))
			continue;
		was = before && is_meant(scheduler, term, before);
		is = is_meant(scheduler, term, now);
		if (apart ? was && !is : is && !was)
			return true;
	}
	return false;
}

/* ---- places ---- */

/* The key of a node's place; false: it is in none. */
static bool place_of(const char *topology_key, const struct cox_scheduler_node *node,
		     struct cox_buf *key)
{
	const char *value = pairs_get(node->labels, topology_key);

	if (!value)
		return false;
	cox_buf_clear(key);
	cox_buf_printf(key, "%s=%s", topology_key, value);
	return true;
}

int64_t places_get(const struct cox_map *places, const char *topology_key,
		   const struct cox_scheduler_node *node)
{
	cox_autobuf key = COX_BUF_INIT;

	if (!places->count || !place_of(topology_key, node, &key))
		return 0;
	return (int64_t)(intptr_t)cox_map_get(places, key.data, key.size);
}

void places_add(struct cox_map *places, const char *topology_key,
		const struct cox_scheduler_node *node, int64_t by)
{
	cox_autobuf key = COX_BUF_INIT;
	int64_t now;

	if (!by || !place_of(topology_key, node, &key))
		return;
	now = (int64_t)(intptr_t)cox_map_get(places, key.data, key.size) + by;
	cox_map_put(places, key.data, key.size, (void *)(intptr_t)now);
}

/* ---- going over the pods ---- */

/* Most pods have the labels of the one before, so each term's answer is remembered. */
struct memory {
	uint64_t digest;
	bool known, meant;
};

struct walk {
	const struct scheduler *scheduler;
	struct state *state;
	const struct cox_scheduler_pod *pod;
	struct memory *memories; /* one for each term of the pod */
	const struct cox_scheduler_node *node;
};

static bool term_means(const struct walk *walk, size_t index, const struct cox_scheduler_pod *other)
{
	struct memory *memory = &walk->memories[index];

	if (!memory->known || memory->digest != other->labels_digest) {
		memory->known = true;
		memory->digest = other->labels_digest;
		memory->meant = is_meant(walk->scheduler, &walk->pod->terms[index], other);
	}
	return memory->meant;
}

bool is_left_out(const struct state *state, const struct cox_scheduler_pod *other)
{
	for (size_t i = 0; i < state->without.count; i++) {
		if (state->without.items[i] == other)
			return true;
	}
	return false;
}

static void walk_pods(struct walk *walk, bool all,
		      void (*see)(struct walk *walk, const struct cox_scheduler_pod *other))
{
	const struct cox_scheduler_setup *setup = walk->scheduler->setup;
	struct cox_scheduler_nodes nodes;
	size_t term_count;

	nodes = setup->nodes(setup->builder, &term_count);
	if (!all && !term_count)
		return;
	walk->memories = cox_calloc(walk->pod->term_count + 1, sizeof(*walk->memories));
	for (size_t i = 0; i < nodes.count; i++) {
		walk->node = nodes.items[i];
		for (size_t j = 0; (all || walk->node->term_count) && j < walk->node->pod_count;
		     j++) {
			const struct cox_scheduler_pod *other = walk->node->pods[j];

			if ((all || other->term_count) && !is_left_out(walk->state, other))
				see(walk, other);
		}
	}
	free(walk->memories);
}

/* ---- required ---- */

#define KIND (COX_SCHEDULER_TERM_REQUIRED | COX_SCHEDULER_TERM_APART)
#define NEAR COX_SCHEDULER_TERM_REQUIRED
#define APART (COX_SCHEDULER_TERM_REQUIRED | COX_SCHEDULER_TERM_APART)

static bool has_kind(const struct cox_scheduler_pod *pod, uint32_t kind)
{
	for (size_t i = 0; i < pod->term_count; i++) {
		if ((pod->terms[i].flags & KIND) == kind)
			return true;
	}
	return false;
}

/* What all of the near terms mean is what the pod wants to be near to. */
static void count_near(struct walk *walk, const struct cox_scheduler_pod *other)
{
	const struct cox_scheduler_pod *pod = walk->pod;

	for (size_t i = 0; i < pod->term_count; i++) {
		if ((pod->terms[i].flags & KIND) == NEAR && !term_means(walk, i, other))
			return;
	}
	for (size_t i = 0; i < pod->term_count; i++) {
		if ((pod->terms[i].flags & KIND) == NEAR)
			places_add(&walk->state->near.wanted, pod->terms[i].topology_key,
				   walk->node, 1);
	}
}

static void see_required(struct walk *walk, const struct cox_scheduler_pod *other)
{
	const struct cox_scheduler_pod *pod = walk->pod;
	struct near *near = &walk->state->near;

	if (near->has_near)
		count_near(walk, other);
	for (size_t i = 0; near->has_apart && i < pod->term_count; i++) {
		if ((pod->terms[i].flags & KIND) == APART && term_means(walk, i, other))
			places_add(&near->avoided, pod->terms[i].topology_key, walk->node, 1);
	}
	for (size_t i = 0; i < other->term_count; i++) {
		const struct cox_scheduler_term *term = &other->terms[i];

		if ((term->flags & KIND) == APART && is_meant(walk->scheduler, term, pod))
			places_add(&near->refused, term->topology_key, walk->node, 1);
	}
}

/* The first of a group that wants to be together may go anywhere. */
static bool means_itself(const struct scheduler *scheduler, const struct cox_scheduler_pod *pod)
{
	for (size_t i = 0; i < pod->term_count; i++) {
		if ((pod->terms[i].flags & KIND) == NEAR &&
		    !is_meant(scheduler, &pod->terms[i], pod))
			return false;
	}
	return true;
}

static void find_required(struct scheduler *scheduler, struct state *state,
			  const struct cox_scheduler_pod *pod)
{
	struct walk walk = {.scheduler = scheduler, .state = state, .pod = pod};
	struct near *near = &state->near;

	if (near->known)
		return;
	near->known = true;
	near->has_near = has_kind(pod, NEAR);
	near->has_apart = has_kind(pod, APART);
	walk_pods(&walk, near->has_near || near->has_apart, see_required);
	near->first = near->has_near && !near->wanted.count && means_itself(scheduler, pod);
}

static bool is_near_enough(const struct near *near, const struct cox_scheduler_pod *pod,
			   const struct cox_scheduler_node *node)
{
	for (size_t i = 0; near->has_near && i < pod->term_count; i++) {
		const char *key = pod->terms[i].topology_key;

		if ((pod->terms[i].flags & KIND) != NEAR)
			continue;
		if (near->first ? !pairs_get(node->labels, key)
				: places_get(&near->wanted, key, node) <= 0)
			return false;
	}
	return true;
}

static bool is_too_near(const struct near *near, const struct cox_scheduler_pod *pod,
			const struct cox_scheduler_node *node)
{
	for (size_t i = 0; near->avoided.count && i < pod->term_count; i++) {
		if ((pod->terms[i].flags & KIND) == APART &&
		    places_get(&near->avoided, pod->terms[i].topology_key, node) > 0)
			return true;
	}
	return false;
}

/* The keys are those of other pods, so the node's labels are gone through. */
static bool is_refused(const struct near *near, const struct cox_scheduler_node *node)
{
	for (size_t i = 0; near->refused.count && i < node->labels.count; i++) {
		if (places_get(&near->refused, node->labels.items[i].key, node) > 0)
			return true;
	}
	return false;
}

void filter_near(struct scheduler *scheduler, const struct use *use, struct state *state,
		 const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
		 const char **why)
{
	const struct near *near = &state->near;

	(void)use;
	find_required(scheduler, state, pod);
	if (!near->has_near && !near->avoided.count && !near->refused.count)
		return;
	for (size_t i = 0; i < nodes.count; i++) {
		if (!is_near_enough(near, pod, nodes.items[i]))
			why[i] = "node(s) didn't match pod affinity rules";
		else if (is_too_near(near, pod, nodes.items[i]))
			why[i] = "node(s) didn't match pod anti-affinity rules";
		else if (is_refused(near, nodes.items[i]))
			why[i] = "node(s) didn't satisfy existing pods anti-affinity rules";
	}
}

/* ---- preferred ---- */

static int64_t weight_of(const struct cox_scheduler_term *term)
{
	/* What somebody must have near is worth a little to have. */
	if (term->flags & COX_SCHEDULER_TERM_REQUIRED)
		return term->flags & COX_SCHEDULER_TERM_APART ? 0 : 1;
	return term->flags & COX_SCHEDULER_TERM_APART ? -term->weight : term->weight;
}

static void see_preferred(struct walk *walk, const struct cox_scheduler_pod *other)
{
	const struct cox_scheduler_pod *pod = walk->pod;
	struct cox_map *weights = &walk->state->near.weights;

	for (size_t i = 0; i < pod->term_count; i++) {
		const struct cox_scheduler_term *term = &pod->terms[i];

		if (!(term->flags & COX_SCHEDULER_TERM_REQUIRED) && term_means(walk, i, other))
			places_add(weights, term->topology_key, walk->node, weight_of(term));
	}
	for (size_t i = 0; i < other->term_count; i++) {
		const struct cox_scheduler_term *term = &other->terms[i];

		if (weight_of(term) && is_meant(walk->scheduler, term, pod))
			places_add(weights, term->topology_key, walk->node, weight_of(term));
	}
}

void score_near(struct scheduler *scheduler, const struct use *use, struct state *state,
		const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
		int64_t *scores)
{
	struct walk walk = {.scheduler = scheduler, .state = state, .pod = pod};
	struct cox_map *weights = &state->near.weights;

	(void)use;
	cox_map_free(weights);
	*weights = (struct cox_map)COX_MAP_INIT;
	walk_pods(&walk, has_kind(pod, 0) || has_kind(pod, COX_SCHEDULER_TERM_APART),
		  see_preferred);
	for (size_t i = 0; weights->count && i < nodes.count; i++) {
		const struct cox_scheduler_node *node = nodes.items[i];

		for (size_t j = 0; j < node->labels.count; j++)
			scores[i] += places_get(weights, node->labels.items[j].key, node);
	}
}

/* ---- trials ---- */

void near_forget(struct near *near)
{
	cox_map_free(&near->wanted);
	cox_map_free(&near->avoided);
	cox_map_free(&near->refused);
	cox_map_free(&near->weights);
	*near = (struct near){.known = false};
}
