/* SPDX-License-Identifier: Apache-2.0 */
/* The nodes that load balancers send traffic to. */
#include "service.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <stdlib.h>
#include <string.h>

#define EXCLUDE "node.kubernetes.io/exclude-from-external-load-balancers"
#define GOING "ToBeDeletedByClusterAutoscaler" /* a taint: the machine will be taken away */

static bool has_taint(const struct cox_objects *objects, const struct cox_value *root,
		      const char *key)
{
	const struct cox_value *list = objects->get(root, "spec.taints"), *taint;

	for (size_t i = 0; (taint = objects->at(list, i, NULL)); i++) {
		if (!strcmp(objects->text(taint, "key"), key))
			return true;
	}
	return false;
}

static bool takes_traffic(const struct cox_objects *objects, const struct cox_object *node)
{
	const struct cox_value *root = objects->root(node);

	return !cox_deleting(objects, node) && cox_condition_is(objects, node, "Ready", "True") &&
	       !objects->member(objects->get(root, "metadata.labels"), EXCLUDE) &&
	       !has_taint(objects, root, GOING);
}

bool nodes_matter(const struct cox_objects *objects, const struct cox_object *old,
		  const struct cox_object *now)
{
	static const char *const paths[] = {"spec.providerID", "status.addresses"};
	bool before = old && takes_traffic(objects, old),
	     after = now && takes_traffic(objects, now);

	if (before != after)
		return true;
	for (size_t i = 0; after && i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (!objects->equal(objects->get(objects->root(old), paths[i]),
				    objects->get(objects->root(now), paths[i])))
			return true;
	}
	return false;
}

struct collector {
	const struct cox_objects *objects;
	struct node_list *nodes;
};

static int collect(void *to, const struct cox_object *node)
{
	const struct collector *collector = to;

	if (takes_traffic(collector->objects, node))
		cox_vec_push(collector->nodes, collector->objects->ref(node));
	return 0;
}

static int by_name(const void *left, const void *right, void *context)
{
	const struct cox_objects *objects = context;

	return strcmp(objects->name(*(struct cox_object *const *)left),
		      objects->name(*(struct cox_object *const *)right));
}

void nodes_collect(const struct cox_cluster *cluster, const struct cox_lister *lister,
		   struct node_list *nodes)
{
	struct collector collector = {cluster->objects, nodes};
	const struct cox_object_sink sink = {collect, &collector};

	cluster->list(lister, NULL, &sink);
	if (nodes->count)
		qsort_r(nodes->items, nodes->count, sizeof(*nodes->items), by_name,
			(void *)cluster->objects);
}

void nodes_free(const struct cox_objects *objects, struct node_list *nodes)
{
	for (size_t i = 0; i < nodes->count; i++)
		objects->unref(nodes->items[i]);
	cox_vec_free(nodes);
}

/* Only compared with others of this process. */
uint64_t nodes_fingerprint(const struct cox_objects *objects, const struct node_list *nodes)
{
	static const uint64_t seed[2] = {0, 0};
	cox_autobuf text = COX_BUF_INIT;
	const struct cox_writer writer = {cox_buf_sink, &text};

	for (size_t i = 0; i < nodes->count; i++) {
		const struct cox_value *root = objects->root(nodes->items[i]);
		const struct cox_value *addresses = objects->get(root, "status.addresses");

		cox_buf_printf(&text, "%s %s ", objects->name(nodes->items[i]),
			       objects->text(root, "spec.providerID"));
		if (addresses)
			objects->write(addresses, &writer);
		cox_buf_char(&text, '\n');
	}
	return cox_siphash13(seed, cox_buf_cstr(&text), text.size);
}
