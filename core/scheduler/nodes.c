/* SPDX-License-Identifier: Apache-2.0 */
/* The node table; see the header. */
#include "scheduler/nodes.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>
#include <stdlib.h>
#include <string.h>

struct row {
	struct cox_scheduler_node node; /* what plugins see; its host_data is this struct */
	struct node_facts *facts;	/* NULL: the node itself was not told */
	char *name;
	size_t at; /* in the list */
	COX_VEC(const struct cox_scheduler_pod *) pods;
	COX_VEC(struct cox_scheduler_port) ports;
	COX_VEC(struct cox_scheduler_amount) others;
};

struct placed {
	struct pod_facts *pod;
	struct row *row;
	bool assumed;
};

struct node_table {
	struct cox_map rows;   /* name -> struct row */
	struct cox_map placed; /* uid -> struct placed */
	COX_VEC(const struct cox_scheduler_node *) list;
	size_t term_count; /* of placed pods that have terms */
	uint64_t generation;
};

struct node_table *node_table_new(void)
{
	return cox_new(struct node_table);
}

static void row_free(struct row *row)
{
	node_facts_unref(row->facts);
	cox_vec_free(&row->pods);
	cox_vec_free(&row->ports);
	cox_vec_free(&row->others);
	free(row->name);
	free(row);
}

void node_table_free(struct node_table *table)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	if (!table)
		return;
	while (cox_map_next(&table->placed, &at, &key, &size, &value)) {
		pod_facts_unref(((struct placed *)value)->pod);
		free(value);
	}
	cox_map_free(&table->placed);
	at = 0;
	while (cox_map_next(&table->rows, &at, &key, &size, &value))
		row_free(value);
	cox_map_free(&table->rows);
	cox_vec_free(&table->list);
	free(table);
}

/* ---- a row's sums ---- */

static int64_t sum(int64_t a, int64_t b, int sign)
{
	int64_t result;

	if (__builtin_add_overflow(a, sign < 0 ? -b : b, &result))
		return sign < 0 ? 0 : INT64_MAX;
	return result;
}

static void add_others(struct row *row, const struct cox_scheduler_resources *requests, int sign)
{
	for (size_t i = 0; i < requests->other_count; i++) {
		const struct cox_scheduler_amount *other = &requests->others[i];
		size_t at = 0;

		while (at < row->others.count &&
		       strcmp(row->others.items[at].name, other->name) < 0)
			at++;
		if (at == row->others.count || strcmp(row->others.items[at].name, other->name)) {
			cox_vec_reserve(&row->others, row->others.count + 1);
			memmove(&row->others.items[at + 1], &row->others.items[at],
				(row->others.count++ - at) * sizeof(*row->others.items));
			row->others.items[at] = (struct cox_scheduler_amount){other->name, 0};
		}
		row->others.items[at].amount =
			sum(row->others.items[at].amount, other->amount, sign);
	}
	row->node.requested.others = row->others.items;
	row->node.requested.other_count = row->others.count;
}

static void add_ports(struct row *row, const struct cox_scheduler_pod *pod, int sign)
{
	for (size_t i = 0; i < pod->port_count; i++) {
		if (sign > 0) {
			cox_vec_push(&row->ports, pod->ports[i]);
			continue;
		}
		for (size_t at = 0; at < row->ports.count; at++) {
			/* The texts are the pod's own, so their address tells whose it is. */
			if (row->ports.items[at].address == pod->ports[i].address) {
				row->ports.items[at] = row->ports.items[--row->ports.count];
				break;
			}
		}
	}
	row->node.ports = row->ports.items;
	row->node.port_count = row->ports.count;
}

static void add_sums(struct row *row, const struct cox_scheduler_pod *pod, int sign)
{
	struct cox_scheduler_node *node = &row->node;
	const struct cox_scheduler_resources *by = &pod->requests;

	node->requested.milli_cpu = sum(node->requested.milli_cpu, by->milli_cpu, sign);
	node->requested.memory = sum(node->requested.memory, by->memory, sign);
	node->requested.ephemeral_storage =
		sum(node->requested.ephemeral_storage, by->ephemeral_storage, sign);
	node->requested.pods += sign;
	if (pod->term_count)
		node->term_count += (size_t)sign;
	node->score_milli_cpu = sum(node->score_milli_cpu, pod->score_milli_cpu, sign);
	node->score_memory = sum(node->score_memory, pod->score_memory, sign);
	if (by->other_count)
		add_others(row, by, sign);
	if (pod->port_count)
		add_ports(row, pod, sign);
}

static void put_pod(struct row *row, const struct cox_scheduler_pod *pod)
{
	cox_vec_push(&row->pods, pod);
	row->node.pods = row->pods.items;
	row->node.pod_count = row->pods.count;
	add_sums(row, pod, 1);
}

/*
 * Names of other resources belong to pods. When one goes, its names may stay
 * behind in the sums, so these are made again.
 */
static void rebuild_others(struct row *row)
{
	row->others.count = 0;
	row->node.requested.other_count = 0;
	for (size_t i = 0; i < row->pods.count; i++) {
		if (row->pods.items[i]->requests.other_count)
			add_others(row, &row->pods.items[i]->requests, 1);
	}
}

static void drop_pod(struct row *row, const struct cox_scheduler_pod *pod)
{
	struct cox_scheduler_pod bare = *pod;

	for (size_t i = 0; i < row->pods.count; i++) {
		if (row->pods.items[i] == pod) {
			row->pods.items[i] = row->pods.items[--row->pods.count];
			break;
		}
	}
	row->node.pod_count = row->pods.count;
	bare.requests.other_count = 0;
	add_sums(row, &bare, -1);
	if (pod->requests.other_count)
		rebuild_others(row);
}

/* ---- rows ---- */

static struct row *row_of(struct node_table *table, const char *name)
{
	struct row *row = cox_map_get(&table->rows, name, strlen(name));

	if (row)
		return row;
	row = cox_new(struct row);
	row->name = cox_strdup(name);
	row->node.struct_size = sizeof(row->node);
	row->node.name = row->name;
	row->node.host_data = row;
	cox_map_put(&table->rows, name, strlen(name), row);
	return row;
}

static void touch(struct node_table *table, struct row *row)
{
	row->node.generation = ++table->generation;
}

static void forget_if_empty(struct node_table *table, struct row *row)
{
	if (row->facts || row->pods.count)
		return;
	cox_map_remove(&table->rows, row->name, strlen(row->name));
	row_free(row);
}

const struct cox_scheduler_node *node_table_set(struct node_table *table, struct node_facts *facts,
						enum node_news *news)
{
	struct row *row = row_of(table, facts->row.name);
	struct cox_scheduler_node *node = &row->node;

	*news = !row->facts			      ? NODE_NEW
		: row->facts->digest != facts->digest ? NODE_CHANGED
						      : NODE_SAME;
	if (!row->facts) {
		row->at = table->list.count;
		cox_vec_push(&table->list, node);
	}
	node_facts_ref(facts);
	node_facts_unref(row->facts);
	row->facts = facts;
	node->flags = facts->row.flags;
	node->labels = facts->row.labels;
	node->taints = facts->row.taints;
	node->taint_count = facts->row.taint_count;
	node->allocatable = facts->row.allocatable;
	node->images = facts->row.images;
	node->image_count = facts->row.image_count;
	touch(table, row);
	return node;
}

void node_table_remove(struct node_table *table, const char *name)
{
	struct row *row = cox_map_get(&table->rows, name, strlen(name)), *last;

	if (!row || !row->facts)
		return;
	table->list.items[row->at] = table->list.items[--table->list.count];
	last = (struct row *)table->list.items[row->at]->host_data;
	last->at = row->at;
	node_facts_unref(row->facts);
	row->facts = NULL;
	forget_if_empty(table, row);
}

struct cox_scheduler_nodes node_table_rows(const struct node_table *table)
{
	return (struct cox_scheduler_nodes){table->list.items, table->list.count};
}

const struct cox_scheduler_node *node_table_find(const struct node_table *table, const char *name)
{
	const struct row *row = cox_map_get(&table->rows, name, strlen(name));

	return row && row->facts ? &row->node : NULL;
}

/* ---- pods ---- */

const struct cox_scheduler_node *node_table_add_pod(struct node_table *table, struct pod_facts *pod,
						    const char *node, bool assumed)
{
	const char *uid = pod->row.uid;
	struct placed *placed;
	struct row *row;

	pod_facts_unref(node_table_remove_pod(table, uid, NULL));
	row = row_of(table, node);
	placed = cox_new(struct placed);
	placed->pod = pod_facts_ref(pod);
	placed->row = row;
	placed->assumed = assumed;
	cox_map_put(&table->placed, uid, strlen(uid), placed);
	put_pod(row, &pod->row);
	table->term_count += pod->row.term_count > 0;
	touch(table, row);
	return row->facts ? &row->node : NULL;
}

struct pod_facts *node_table_remove_pod(struct node_table *table, const char *uid,
					const struct cox_scheduler_node **node)
{
	struct placed *placed = cox_map_remove(&table->placed, uid, strlen(uid));
	struct pod_facts *pod;
	struct row *row;

	if (node)
		*node = NULL;
	if (!placed)
		return NULL;
	pod = placed->pod;
	row = placed->row;
	free(placed);
	drop_pod(row, &pod->row);
	table->term_count -= pod->row.term_count > 0;
	touch(table, row);
	if (node && row->facts)
		*node = &row->node;
	forget_if_empty(table, row);
	return pod;
}

struct pod_facts *node_table_pod(const struct node_table *table, const char *uid)
{
	const struct placed *placed = cox_map_get(&table->placed, uid, strlen(uid));

	return placed ? placed->pod : NULL;
}

bool node_table_has_pod(const struct node_table *table, const char *uid)
{
	return cox_map_has(&table->placed, uid, strlen(uid));
}

bool node_table_is_assumed(const struct node_table *table, const char *uid)
{
	const struct placed *placed = cox_map_get(&table->placed, uid, strlen(uid));

	return placed && placed->assumed;
}

size_t node_table_pod_count(const struct node_table *table)
{
	return table->placed.count;
}

size_t node_table_term_count(const struct node_table *table)
{
	return table->term_count;
}

/* ---- copies for trials ---- */

static bool is_among(const struct cox_scheduler_pod *pod,
		     const struct cox_scheduler_pod *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i] == pod)
			return true;
	}
	return false;
}

struct cox_scheduler_node *node_table_copy_without(const struct cox_scheduler_node *node,
						   const struct cox_scheduler_pod *const *without,
						   size_t count)
{
	struct row *copy = cox_new(struct row);

	copy->node = *node;
	copy->node.host_data = copy;
	copy->node.requested = (struct cox_scheduler_resources){0};
	copy->node.score_milli_cpu = copy->node.score_memory = 0;
	copy->node.ports = NULL;
	copy->node.pods = NULL;
	copy->node.port_count = copy->node.pod_count = copy->node.term_count = 0;
	for (size_t i = 0; i < node->pod_count; i++) {
		if (!is_among(node->pods[i], without, count))
			put_pod(copy, node->pods[i]);
	}
	return &copy->node;
}

void node_table_copy_free(struct cox_scheduler_node *copy)
{
	row_free((struct row *)copy->host_data);
}
