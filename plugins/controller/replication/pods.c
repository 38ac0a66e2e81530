/* SPDX-License-Identifier: Apache-2.0 */
/* Reading pods, and the order in which they are given up. */
#include "pods.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/pods.h>
#include <coxswain/kit/text.h>
#include <coxswain/kit/time.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

bool pod_active(const struct cox_objects *objects, const struct cox_object *pod)
{
	return !cox_pod_ended(objects, pod) && !cox_deleting(objects, pod);
}

static const struct cox_value *ready_condition(const struct cox_objects *objects,
					       const struct cox_object *pod)
{
	return cox_pod_ready(objects, pod) ? cox_condition(objects, pod, "Ready") : NULL;
}

/* 0 if the text is no time. */
static uint64_t time_of(const char *text)
{
	uint64_t when;

	return cox_parse_time(text, &when) ? 0 : when;
}

bool pod_available(const struct cox_objects *objects, const struct cox_object *pod,
		   int64_t min_seconds, uint64_t now, uint64_t *wait_ns)
{
	const struct cox_value *ready = ready_condition(objects, pod);
	uint64_t since, until;

	*wait_ns = 0;
	if (!ready)
		return false;
	if (min_seconds <= 0)
		return true;
	since = time_of(objects->text(ready, "lastTransitionTime"));
	if (!since)
		return false;
	until = since + (uint64_t)min_seconds * SECOND;
	if (until <= now)
		return true;
	*wait_ns = until - now;
	return false;
}

/* ---- the order of deletion ---- */

struct rank {
	struct cox_object *pod;
	const char *node;
	const char *uid;
	int phase; /* 0 Pending, 1 Unknown, 2 Running */
	bool ready;
	int64_t cost;
	size_t together; /* pods of the owner on the same node */
	int ready_age;	 /* log2 of the nanoseconds */
	int age;
	int64_t restarts;
};

/* The order of magnitude of an age; unknown times count as the youngest. */
static int magnitude(uint64_t since, uint64_t now)
{
	uint64_t age = since && since < now ? now - since : 0;
	int bits = 0;

	for (; age; age >>= 1)
		bits++;
	return bits;
}

static int phase_rank(const char *phase)
{
	if (!strcmp(phase, "Running"))
		return 2;
	return !strcmp(phase, "Unknown") ? 1 : 0;
}

static int64_t deletion_cost(const struct cox_objects *objects, const struct cox_value *root)
{
	const char *text = objects->text(
		root, "metadata.annotations[\"controller.kubernetes.io/pod-deletion-cost\"]");
	int64_t cost = 0;

	if (cox_parse_int(text, INT32_MIN, INT32_MAX, &cost))
		return 0;
	return cost;
}

static int64_t restarts_of(const struct cox_objects *objects, const struct cox_value *root)
{
	const struct cox_value *list = objects->get(root, "status.containerStatuses");
	const struct cox_value *container;
	int64_t most = 0;

	for (size_t i = 0; (container = objects->at(list, i, NULL)); i++) {
		int64_t restarts = objects->integer(container, "restartCount", 0);

		most = restarts > most ? restarts : most;
	}
	return most;
}

static struct rank rank_of(const struct cox_objects *objects, struct cox_object *pod, uint64_t now)
{
	const struct cox_value *root = objects->root(pod);
	const struct cox_value *ready = ready_condition(objects, pod);

	return (struct rank){
		.pod = pod,
		.node = objects->text(root, "spec.nodeName"),
		.uid = objects->uid(pod),
		.phase = phase_rank(objects->text(root, "status.phase")),
		.ready = ready != NULL,
		.cost = deletion_cost(objects, root),
		.ready_age = magnitude(time_of(objects->text(ready, "lastTransitionTime")), now),
		.age = magnitude(time_of(objects->text(root, "metadata.creationTimestamp")), now),
		.restarts = restarts_of(objects, root),
	};
}

/* Negative: `a` goes first. */
static int rank_compare(const void *left, const void *right)
{
	const struct rank *a = left, *b = right;

	if (!*a->node != !*b->node)
		return *a->node ? 1 : -1;
	if (a->phase != b->phase)
		return a->phase - b->phase;
	if (a->ready != b->ready)
		return a->ready ? 1 : -1;
	if (a->cost != b->cost)
		return a->cost < b->cost ? -1 : 1;
	if (a->together != b->together)
		return a->together > b->together ? -1 : 1;
	if (a->ready && a->ready_age != b->ready_age)
		return a->ready_age - b->ready_age;
	if (a->restarts != b->restarts)
		return a->restarts > b->restarts ? -1 : 1;
	if (a->age != b->age)
		return a->age - b->age;
	return strcmp(a->uid, b->uid);
}

static int by_node(const void *left, const void *right)
{
	return strcmp(((const struct rank *)left)->node, ((const struct rank *)right)->node);
}

void pods_sort_for_deletion(const struct cox_objects *objects, struct cox_object **pods,
			    size_t count, uint64_t now)
{
	struct rank *ranks = cox_calloc(count + 1, sizeof(*ranks));

	for (size_t i = 0; i < count; i++)
		ranks[i] = rank_of(objects, pods[i], now);
	qsort(ranks, count, sizeof(*ranks), by_node);
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && !strcmp(ranks[end].node, ranks[i].node); end++)
			;
		for (size_t j = i; j < end; j++)
			ranks[j].together = *ranks[j].node ? end - i : 0;
	}
	qsort(ranks, count, sizeof(*ranks), rank_compare);
	for (size_t i = 0; i < count; i++)
		pods[i] = ranks[i].pod;
	free(ranks);
}
