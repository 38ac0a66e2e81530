/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods and nodes as the scheduler keeps them: taken out of the JSON once, in
 * one small piece of memory each, immutable and counted. Any thread.
 */
#ifndef COX_SCHEDULER_FACTS_H
#define COX_SCHEDULER_FACTS_H

#include "machinery/object.h"

#include <coxswain/scheduler.h>
#include <stdatomic.h>
#include <stdbool.h>

struct pod_facts {
	struct cox_scheduler_pod row; /* its host_data is this struct */
	atomic_uint references;
	struct cox_object *held; /* the object's bytes; NULL once it has a node */
	const char *scheduler_name;
	const char *message; /* of the condition PodScheduled, if that is False */
	uint64_t digest;     /* of what an attempt depends on: spec and labels */
	bool ended;	     /* Succeeded or Failed: uses nothing any more */
};

struct node_facts {
	struct cox_scheduler_node row; /* what does not depend on pods */
	atomic_uint references;
	uint64_t digest; /* of what decides which pods fit: not of every heartbeat */
};

/* One reference for the caller. Amounts that cannot be read count as nothing. */
struct pod_facts *pod_facts_new(const struct cox_object *object);
struct pod_facts *pod_facts_ref(struct pod_facts *pod);
void pod_facts_unref(struct pod_facts *pod); /* NULL is fine, as for the next */

struct node_facts *node_facts_new(const struct cox_object *object);
struct node_facts *node_facts_ref(struct node_facts *node);
void node_facts_unref(struct node_facts *node);

/* The pod that a row belongs to. */
static inline struct pod_facts *pod_facts_of(const struct cox_scheduler_pod *row)
{
	return (struct pod_facts *)row->host_data;
}

#endif
