/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cloudnode controller: what the cloud knows of the machines that nodes are.
 * It writes that to the nodes, takes off the taint of nodes that wait for it,
 * and removes nodes whose machine is gone.
 *
 * Every node is looked at when it comes, when something of it changes that
 * matters here, and again and again, since clouds tell nobody of anything.
 */
#include <coxswain/cloud.h>
#include <coxswain/controller.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/text.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE "nodes"
#define UNINITIALIZED "node.cloudprovider.kubernetes.io/uninitialized"
#define SHUT_DOWN "node.cloudprovider.kubernetes.io/shutdown"

static const struct cox_resource nodes_resource = {"", "v1", "nodes"};

struct cloudnode {
	const struct cox_host *host;
	const struct cox_cluster *cluster;
	const struct cox_objects *objects;
	const struct cox_cloud *cloud;
	struct cox_lister *lister;
	uint32_t workers;
	uint64_t period_ns;
};

/* One look at one node. */
struct pass {
	const struct cloudnode *self;
	const struct cox_call *call;
	const struct cox_object *node;
};

/* What the cloud said, as it has to be written. */
struct answer {
	struct cox_cloud_instance_sink sink;
	const struct pass *pass;
	bool told;
	bool changes;		  /* of metadata and spec */
	struct cox_buf patch;	  /* of them */
	struct cox_buf addresses; /* for the status: items of a JSON array */
};

static bool is_ready(const struct pass *pass)
{
	return cox_condition_is(pass->self->objects, pass->node, "Ready", "True");
}

/* ---- metadata and spec ---- */

static void write_label(struct answer *answer, struct cox_json *json, const char *key,
			const char *value)
{
	const struct cox_objects *objects = answer->pass->self->objects;
	const struct cox_value *labels =
		objects->get(objects->root(answer->pass->node), "metadata.labels");

	if (!*value || !strcmp(objects->text(objects->member(labels, key), ""), value))
		return;
	cox_json_text(json, key, value);
	answer->changes = true;
}

/* The taints of others stay; those of ours are as the machine is. */
static void write_taints(struct answer *answer, struct cox_json *json, bool off)
{
	const struct cox_objects *objects = answer->pass->self->objects;
	const struct cox_value *list =
		objects->get(objects->root(answer->pass->node), "spec.taints");
	const struct cox_value *taint;
	bool marked = false, drops = false;

	for (size_t i = 0; (taint = objects->at(list, i, NULL)); i++) {
		const char *key = objects->text(taint, "key");

		marked |= !strcmp(key, SHUT_DOWN);
		drops |= !strcmp(key, UNINITIALIZED) || (!off && !strcmp(key, SHUT_DOWN));
	}
	if (!drops && (!off || marked))
		return;
	cox_json_array(json, "taints");
	for (size_t i = 0; (taint = objects->at(list, i, NULL)); i++) {
		const char *key = objects->text(taint, "key");

		if (strcmp(key, UNINITIALIZED) != 0 && (off || strcmp(key, SHUT_DOWN) != 0))
			cox_json_value(json, NULL, objects, taint);
	}
	if (off && !marked) {
		cox_json_object(json, NULL);
		cox_json_text(json, "key", SHUT_DOWN);
		cox_json_text(json, "effect", "NoSchedule");
		cox_json_end(json);
	}
	cox_json_end(json);
	answer->changes = true;
}

static void write_node(struct answer *answer, const struct cox_cloud_instance *instance)
{
	const struct cox_objects *objects = answer->pass->self->objects;
	const struct cox_value *root = objects->root(answer->pass->node);
	struct cox_json json = COX_JSON_INIT(&answer->patch);

	cox_json_object(&json, NULL);
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "uid", objects->uid(answer->pass->node));
	cox_json_text(&json, "resourceVersion", objects->revision(answer->pass->node));
	cox_json_object(&json, "labels");
	write_label(answer, &json, "node.kubernetes.io/instance-type", instance->type);
	write_label(answer, &json, "topology.kubernetes.io/zone", instance->zone);
	write_label(answer, &json, "topology.kubernetes.io/region", instance->region);
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_object(&json, "spec");
	/* Once said it is never changed. */
	if (*instance->provider_id && !*objects->text(root, "spec.providerID")) {
		cox_json_text(&json, "providerID", instance->provider_id);
		answer->changes = true;
	}
	/* A node that still speaks is not off, whatever the cloud believes. */
	write_taints(answer, &json,
		     (instance->flags & COX_CLOUD_SHUT_DOWN) && !is_ready(answer->pass));
	cox_json_end(&json);
	cox_json_end(&json);
}

/* ---- status ---- */

/* What the kubelet says of itself. */
static bool is_own(const char *type)
{
	return !strcmp(type, "InternalIP") || !strcmp(type, "Hostname");
}

static void write_addresses(struct answer *answer, const struct cox_cloud_instance *instance)
{
	const struct cox_objects *objects = answer->pass->self->objects;
	const struct cox_value *list =
		objects->get(objects->root(answer->pass->node), "status.addresses");
	const struct cox_value *item;
	struct cox_json json = COX_JSON_INIT(&answer->addresses);

	cox_json_array(&json, NULL);
	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++) {
		if (is_own(objects->text(item, "type")))
			cox_json_value(&json, NULL, objects, item);
	}
	for (size_t i = 0; i < instance->address_count; i++) {
		if (is_own(instance->addresses[i].type))
			continue;
		cox_json_object(&json, NULL);
		cox_json_text(&json, "type", instance->addresses[i].type);
		cox_json_text(&json, "address", instance->addresses[i].address);
		cox_json_end(&json);
	}
	cox_json_end(&json);
}

static bool addresses_differ(const struct answer *answer)
{
	const struct cox_objects *objects = answer->pass->self->objects;
	const struct cox_value *list =
		objects->get(objects->root(answer->pass->node), "status.addresses");
	cox_autobuf text = COX_BUF_INIT;
	struct cox_object *wanted;
	bool differ;

	cox_buf_printf(&text, "{\"addresses\":%s}", answer->addresses.data);
	wanted = objects->from_json(text.data, text.size, NULL);
	differ = (list || objects->count(objects->get(objects->root(wanted), "addresses"))) &&
		 !objects->equal(list, objects->get(objects->root(wanted), "addresses"));
	objects->unref(wanted);
	return differ;
}

/* ---- a node ---- */

static void take_instance(const struct cox_cloud_instance_sink *sink,
			  const struct cox_cloud_instance *instance)
{
	struct answer *answer = (struct answer *)(void *)sink;

	if (answer->told)
		return;
	answer->told = true;
	write_node(answer, instance);
	write_addresses(answer, instance);
}

static int patch(const struct pass *pass, const char *subresource, const struct cox_buf *body,
		 struct cox_error *err)
{
	const struct cox_place place = {&nodes_resource, NULL,
					pass->self->objects->name(pass->node), subresource};

	if (!cox_write(pass->self->cluster, pass->call, COX_PATCH_MERGE, &place, body, NULL, err))
		return 0;
	return cox_failed_so(pass->self->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
}

static int write_answer(const struct pass *pass, const struct answer *answer, struct cox_error *err)
{
	cox_autobuf status = COX_BUF_INIT;

	if (!answer->told)
		return 0;
	if (addresses_differ(answer)) {
		cox_buf_printf(&status, "{\"status\":{\"addresses\":%s}}", answer->addresses.data);
		if (patch(pass, "status", &status, err))
			return -1;
		/* The change comes back, with the revision that the rest needs. */
		if (answer->changes)
			return 0;
	}
	return answer->changes ? patch(pass, NULL, &answer->patch, err) : 0;
}

/* The machine is gone. A node that still speaks says otherwise. */
static int remove_node(const struct pass *pass, struct cox_error *err)
{
	const struct cloudnode *self = pass->self;
	const char *name = self->objects->name(pass->node);
	const struct cox_place place = {&nodes_resource, NULL, name, NULL};
	const struct cox_delete how = {.uid = self->objects->uid(pass->node), .grace = -1};

	if (is_ready(pass))
		return 0;
	self->cluster->event(self->cluster->context, pass->node, "Normal", "DeletingNode",
			     "Deleting node %s because it does not exist in the cloud provider",
			     name);
	if (!cox_delete(self->cluster, pass->call, &place, &how, err))
		return 0;
	return cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
}

static int look(const struct pass *pass, struct cox_error *err)
{
	const struct cloudnode *self = pass->self;
	const struct cox_cloud_node node = {
		.struct_size = sizeof(node), .objects = self->objects, .node = pass->node};
	struct answer answer = {.sink = {sizeof(answer.sink), 0, take_instance}, .pass = pass};
	int failed =
		self->cloud->ops->instance(self->cloud->self, pass->call, &node, &answer.sink, err);

	if (!failed)
		failed = write_answer(pass, &answer, err);
	else if (cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err))
		failed = remove_node(pass, err);
	cox_buf_free(&answer.patch);
	cox_buf_free(&answer.addresses);
	return failed;
}

static int cloudnode_reconcile(void *instance, const struct cox_call *call, const char *queue,
			       const char *key, uint64_t *again_ns, struct cox_error *err)
{
	const struct cloudnode *self = instance;
	struct cox_object *node = self->cluster->get(self->lister, NULL, key);
	const struct pass pass = {self, call, node};
	int failed = 0;

	(void)queue;
	if (!node)
		return 0;
	if (!cox_deleting(self->objects, node))
		failed = look(&pass, err);
	*again_ns = self->period_ns;
	self->objects->unref(node);
	return failed;
}

/* ---- the plugin ---- */

/* Heartbeats are nothing to ask the cloud about. */
static void cloudnode_keys(void *instance, const struct cox_object *old,
			   const struct cox_object *now, const struct cox_keys *keys)
{
	static const char *const paths[] = {"metadata.labels", "spec", "status.addresses"};
	const struct cox_objects *objects = ((const struct cloudnode *)instance)->objects;
	bool matters = !old || (now && cox_condition_is(objects, old, "Ready", "True") !=
					       cox_condition_is(objects, now, "Ready", "True"));

	for (size_t i = 0; now && !matters && i < sizeof(paths) / sizeof(paths[0]); i++)
		matters = !objects->equal(objects->get(objects->root(old), paths[i]),
					  objects->get(objects->root(now), paths[i]));
	if (now && matters)
		keys->emit(keys, objects->name(now));
}

static int cloudnode_setup(void *instance, const struct cox_controller_setup *setup,
			   struct cox_error *err)
{
	struct cloudnode *self = instance;
	const struct cox_source source = {.struct_size = sizeof(source),
					  .resource = &nodes_resource,
					  .queue = QUEUE,
					  .keys = cloudnode_keys};

	self->cluster = setup->cluster;
	self->objects = setup->cluster->objects;
	self->cloud = setup->cloud;
	if (!self->cloud || !self->cloud->ops->instance)
		return 0; /* nobody knows more about nodes than they do */
	if (setup->queue(setup->builder, QUEUE, self->workers, err))
		return -1;
	self->lister = setup->source(setup->builder, &source, err);
	return self->lister ? 0 : -1;
}

static void *cloudnode_create(const struct cox_host *host, struct cox_error *err)
{
	struct cloudnode *self = cox_new(struct cloudnode);

	(void)err;
	self->host = host;
	return self;
}

static int cloudnode_config(void *instance, const char *key, const char *value,
			    struct cox_error *err)
{
	struct cloudnode *self = instance;
	int64_t number;

	if (!strcmp(key, "workers")) {
		if (cox_parse_int(value, 1, 64, &number))
			return self->host->fail(err, COX_REASON_INVALID, "%s, 1 to 64 are possible",
						value);
		self->workers = (uint32_t)number;
		return 0;
	}
	if (cox_parse_int(value, 1000000000, INT64_MAX, &number))
		return self->host->fail(err, COX_REASON_INVALID, "less than a second");
	self->period_ns = (uint64_t)number;
	return 0;
}

static const struct cox_option cloudnode_options[] = {
	{"workers", "5", "nodes that are worked on at the same time", COX_OPT_INT, 0},
	{"period", "10s", "time between questions to the cloud about a node", COX_OPT_DURATION, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_controller_ops cloudnode_ops = {
	.setup = cloudnode_setup,
	.reconcile = cloudnode_reconcile,
};

COX_CONTROLLER_PLUGIN(cloudnode_ops, .name = "cloudnode", .version = "1",
		      .description = "Writes what the cloud knows of nodes to them",
		      .thread_model = COX_THREADS_PARALLEL, .options = cloudnode_options,
		      .create = cloudnode_create, .config = cloudnode_config, .destroy = free);
