/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills one node after another, so that the rest stay empty and can be
 * switched off. Also the smallest whole example of a scheduler plugin: two
 * filters and a score.
 */
#include <coxswain/kit/alloc.h>
#include <coxswain/scheduler.h>
#include <stdlib.h>
#include <string.h>

enum { USABLE, ROOM, FULLER };

#define PART(type, name, flags)                                                                    \
	{                                                                                          \
		sizeof(struct cox_scheduler_part), type, name, flags, 1                            \
	}

static const struct cox_scheduler_part parts[] = {
	[USABLE] = PART(COX_SCHEDULER_FILTER, "NodeIsUsable", COX_SCHEDULER_PART_ALWAYS),
	[ROOM] = PART(COX_SCHEDULER_FILTER, "NodeHasRoom", COX_SCHEDULER_PART_DEFAULT),
	[FULLER] = PART(COX_SCHEDULER_SCORE, "PackedPriority", COX_SCHEDULER_PART_DEFAULT),
};

static const struct cox_scheduler_part *packed_part(void *self, size_t index)
{
	(void)self;
	return index <= FULLER ? &parts[index] : NULL;
}

static int packed_use(void *self, const struct cox_scheduler_part *part, const char *name,
		      const struct cox_value *argument, const struct cox_objects *objects,
		      void **use, struct cox_error *err)
{
	(void)self;
	(void)name;
	(void)argument;
	(void)objects;
	(void)err;
	*use = (void *)part; /* which part it is, is all there is to know */
	return 0;
}

static int is_usable(const struct cox_scheduler_node *node)
{
	return (node->flags & COX_SCHEDULER_NODE_READY) &&
	       !(node->flags & COX_SCHEDULER_NODE_UNSCHEDULABLE) && !node->taint_count;
}

static int has_room(const struct cox_scheduler_pod *pod, const struct cox_scheduler_node *node)
{
	const struct cox_scheduler_resources *all = &node->allocatable, *used = &node->requested;

	return used->pods < all->pods &&
	       used->milli_cpu + pod->requests.milli_cpu <= all->milli_cpu &&
	       used->memory + pod->requests.memory <= all->memory;
}

static int packed_filter(void *self, const struct cox_call *call, void *use, void *state,
			 const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			 const char **why, struct cox_error *err)
{
	(void)self;
	(void)call;
	(void)state;
	(void)err;
	for (size_t i = 0; i < nodes.count; i++) {
		if (use == &parts[USABLE] && !is_usable(nodes.items[i]))
			why[i] = "node(s) were not usable";
		else if (use == &parts[ROOM] && !has_room(pod, nodes.items[i]))
			why[i] = "node(s) had no room";
	}
	return 0;
}

/* The node with the most pods; of several the first by name. */
static int is_fuller(const struct cox_scheduler_node *a, const struct cox_scheduler_node *b)
{
	if (a->pod_count != b->pod_count)
		return a->pod_count > b->pod_count;
	return strcmp(a->name, b->name) < 0;
}

static int packed_score(void *self, const struct cox_call *call, void *use, void *state,
			const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			int64_t *scores, struct cox_error *err)
{
	size_t best = 0;

	(void)self;
	(void)call;
	(void)use;
	(void)state;
	(void)pod;
	(void)err;
	for (size_t i = 1; i < nodes.count; i++) {
		if (is_fuller(nodes.items[i], nodes.items[best]))
			best = i;
	}
	scores[best] = COX_SCHEDULER_SCORE_MAX;
	return 0;
}

static void *packed_create(const struct cox_host *host, struct cox_error *err)
{
	(void)host;
	(void)err;
	return cox_alloc(1);
}

static const struct cox_scheduler_ops packed_ops = {
	.part = packed_part,
	.use = packed_use,
	.filter = packed_filter,
	.score = packed_score,
};

COX_SCHEDULER_PLUGIN(packed_ops, .name = "packed", .version = "1",
		     .description = "Fills one node after another",
		     .thread_model = COX_THREADS_PARALLEL, .create = packed_create,
		     .destroy = free);
