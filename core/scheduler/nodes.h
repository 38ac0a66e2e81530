/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node table: a row a node, with what its pods use. Pods are there when the
 * API server says so, and already when the scheduler has chosen ("assumed").
 * It belongs to one thread, so that plugins read rows without a lock.
 *
 * A pod may be told before its node: such a row is kept, but not listed.
 */
#ifndef COX_SCHEDULER_NODES_H
#define COX_SCHEDULER_NODES_H

#include "scheduler/facts.h"

struct node_table;

struct node_table *node_table_new(void);
void node_table_free(struct node_table *table); /* NULL is fine */

enum node_news { NODE_NEW, NODE_CHANGED, NODE_SAME };
/* Takes a reference of its own. Returns the row and what was new about it. */
const struct cox_scheduler_node *node_table_set(struct node_table *table, struct node_facts *facts,
						enum node_news *news);
void node_table_remove(struct node_table *table, const char *name);
/* All listed rows; valid until the next change. */
struct cox_scheduler_nodes node_table_rows(const struct node_table *table);
const struct cox_scheduler_node *node_table_find(const struct node_table *table, const char *name);

/*
 * Puts the pod on the node (replacing what was known of it), or takes it off.
 * An assumed pod stays until it is told for good, or removed. The pod that was
 * removed is returned as a reference of the caller's; NULL: it was not there.
 */
const struct cox_scheduler_node *node_table_add_pod(struct node_table *table, struct pod_facts *pod,
						    const char *node, bool assumed);
struct pod_facts *node_table_remove_pod(struct node_table *table, const char *uid,
					const struct cox_scheduler_node **node);
/* What is known of it, borrowed; NULL: it is not there. */
struct pod_facts *node_table_pod(const struct node_table *table, const char *uid);
bool node_table_has_pod(const struct node_table *table, const char *uid);
bool node_table_is_assumed(const struct node_table *table, const char *uid);
size_t node_table_pod_count(const struct node_table *table);
/* How many of them have terms about other pods. */
size_t node_table_term_count(const struct node_table *table);

/* A copy of `node` without these pods; free with node_table_copy_free. */
struct cox_scheduler_node *node_table_copy_without(const struct cox_scheduler_node *node,
						   const struct cox_scheduler_pod *const *without,
						   size_t count);
void node_table_copy_free(struct cox_scheduler_node *copy);

#endif
