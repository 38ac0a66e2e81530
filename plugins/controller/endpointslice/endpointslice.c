/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoint slice controller: the pods of each service with a selector, in
 * slices of 100, with what is known of each: whether it is ready, serves,
 * or is going, its node and its zone.
 *
 * A slice that was made and is not seen yet holds the service back (`expect`),
 * so that nothing is listed twice.
 */
#include "endpointslice.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/pods.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/text.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE "services"
#define MIRROR_QUEUE "endpoints"
#define HEADLESS "service.kubernetes.io/headless"
#define ZONE "metadata.labels[\"topology.kubernetes.io/zone\"]"

static const struct cox_resource nodes = {"", "v1", "nodes"};
static const struct cox_resource endpoints = {"", "v1", "endpoints"};

/* ---- parts of slices ---- */

void endpointslice_write_port(struct cox_json *json, const struct services_port *port)
{
	cox_json_object(json, NULL);
	cox_json_text(json, "name", port->name);
	cox_json_text(json, "protocol", port->protocol);
	cox_json_int(json, "port", port->number);
	cox_json_text_set(json, "appProtocol", port->app_protocol);
	cox_json_end(json);
}

void endpointslice_write_labels(const struct endpointslice *self, const struct cox_object *from,
				const char *manager, bool headless, struct cox_buf *out)
{
	const struct cox_objects *objects = self->services.objects;
	const struct cox_value *labels = objects->get(objects->root(from), "metadata.labels");
	const struct cox_value *label;
	struct cox_json json = COX_JSON_INIT(out);
	const char *key;

	cox_json_object(&json, NULL);
	for (size_t i = 0; (label = objects->at(labels, i, &key)); i++) {
		if (strcmp(key, SLICE_SERVICE) != 0 && strcmp(key, SLICE_MANAGED_BY) != 0 &&
		    strcmp(key, HEADLESS) != 0)
			cox_json_value(&json, key, objects, label);
	}
	cox_json_text(&json, SLICE_MANAGED_BY, manager);
	cox_json_text(&json, SLICE_SERVICE, objects->name(from));
	if (headless)
		cox_json_text(&json, HEADLESS, "");
	cox_json_end(&json);
}

static int keep_slice(void *to, const struct cox_object *slice)
{
	struct slices *slices = to;

	if (slices->existing_count == slices->existing_capacity) {
		slices->existing_capacity =
			slices->existing_capacity ? slices->existing_capacity * 2 : 4;
		slices->existing = cox_reallocarray(slices->existing, slices->existing_capacity,
						    sizeof(struct cox_object *));
	}
	slices->existing[slices->existing_count++] = slices->cluster->objects->ref(slice);
	return 0;
}

void endpointslice_existing(const struct endpointslice *self, const char *manager, const char *key,
			    struct slices *slices)
{
	const struct cox_object_sink sink = {keep_slice, slices};
	cox_autobuf value = COX_BUF_INIT;

	cox_buf_printf(&value, "%s %s", manager, key);
	self->services.cluster->find(self->slice_lister, "owner", value.data, &sink);
}

/* ---- pods ---- */

struct pass {
	struct endpointslice *self;
	struct cox_object *service;
	struct services_pods pods;
	struct slices slices;
};

/* Valid while the node is; "": not known. */
static const char *zone_of(const struct pass *pass, const struct cox_object *node)
{
	const struct cox_objects *objects = pass->self->services.objects;

	return objects->text(objects->root(node), ZONE);
}

static void write_hint(struct cox_json *json, const char *list, const char *name)
{
	if (!*name)
		return;
	cox_json_array(json, list);
	cox_json_object(json, NULL);
	cox_json_text(json, "name", name);
	cox_json_end(json);
	cox_json_end(json);
}

/*
 * Who should use the endpoint if they can choose. Proxies that do not know
 * hints for nodes go by the zone then.
 */
static void write_hints(const struct pass *pass, struct cox_json *json, const char *node_name,
			const char *zone)
{
	const struct cox_objects *objects = pass->self->services.objects;
	const char *wish = objects->text(objects->root(pass->service), "spec.trafficDistribution");
	bool same_node = !strcmp(wish, "PreferSameNode") && *node_name;

	if (!same_node && (!*wish || !*zone))
		return;
	cox_json_object(json, "hints");
	write_hint(json, "forZones", zone);
	write_hint(json, "forNodes", same_node ? node_name : "");
	cox_json_end(json);
}

/* Where it runs: its node, the node's zone, and for whom that is near. */
static void write_topology(const struct pass *pass, struct cox_json *json, const char *node_name,
			   bool ready)
{
	const struct cox_cluster *cluster = pass->self->services.cluster;
	struct cox_object *node =
		*node_name ? cluster->get(pass->self->node_lister, NULL, node_name) : NULL;

	cox_json_text_set(json, "nodeName", node_name);
	cox_json_text_set(json, "zone", zone_of(pass, node));
	if (ready)
		write_hints(pass, json, node_name, zone_of(pass, node));
	cluster->objects->unref(node);
}

static char *endpoint_text(const struct pass *pass, const struct cox_object *pod,
			   const char *address)
{
	const struct cox_objects *objects = pass->self->services.objects;
	const struct cox_value *spec = objects->get(objects->root(pod), "spec");
	bool serving = cox_pod_ready(objects, pod), going = cox_deleting(objects, pod);
	bool ready = services_publishes_unready(objects, pass->service) || (serving && !going);
	struct cox_buf text = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&text);

	cox_json_object(&json, NULL);
	cox_json_array(&json, "addresses");
	cox_json_text(&json, NULL, address);
	cox_json_end(&json);
	cox_json_object(&json, "conditions");
	cox_json_bool(&json, "ready", ready);
	cox_json_bool(&json, "serving", serving);
	cox_json_bool(&json, "terminating", going);
	cox_json_end(&json);
	if (!strcmp(objects->text(spec, "subdomain"), objects->name(pass->service)))
		cox_json_text_set(&json, "hostname", objects->text(spec, "hostname"));
	cox_json_object(&json, "targetRef");
	cox_json_text(&json, "kind", "Pod");
	cox_json_text(&json, "namespace", objects->namespace_of(pod));
	cox_json_text(&json, "name", objects->name(pod));
	cox_json_text(&json, "uid", objects->uid(pod));
	cox_json_end(&json);
	write_topology(pass, &json, objects->text(spec, "nodeName"), ready);
	cox_json_end(&json);
	return cox_buf_steal(&text);
}

static void add_pod(struct pass *pass, const struct cox_object *pod, const char *family)
{
	const struct cox_objects *objects = pass->self->services.objects;
	const char *address = cox_pod_address(objects, pod, !strcmp(family, "IPv6"));
	struct services_ports ports = {0};
	cox_autobuf text = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&text);

	if (!*address)
		return;
	services_ports(objects, pass->service, pod, &ports);
	cox_json_array(&json, NULL);
	for (size_t i = 0; i < ports.count; i++)
		endpointslice_write_port(&json, &ports.items[i]);
	cox_json_end(&json);
	cox_vec_free(&ports);
	slices_add(slices_group(&pass->slices, family, text.data),
		   endpoint_text(pass, pod, address));
}

/* The address families of the service; what older servers do not say is read off. */
static void add_pods(struct pass *pass)
{
	const struct cox_objects *objects = pass->self->services.objects;
	const struct cox_value *spec = objects->get(objects->root(pass->service), "spec");
	const struct cox_value *families = objects->get(spec, "ipFamilies"), *family;
	const char *guess = strchr(objects->text(spec, "clusterIP"), ':') ? "IPv6" : "IPv4";
	size_t i;

	for (i = 0; (family = objects->at(families, i, NULL)); i++) {
		const char *name = strcmp(objects->text(family, ""), "IPv6") ? "IPv4" : "IPv6";

		if (i < SLICE_FAMILIES)
			pass->slices.placeholders[pass->slices.placeholder_count++] = name;
		for (size_t j = 0; j < pass->pods.count; j++)
			add_pod(pass, pass->pods.items[j], name);
	}
	if (i)
		return;
	pass->slices.placeholders[pass->slices.placeholder_count++] = guess;
	for (size_t j = 0; j < pass->pods.count; j++)
		add_pod(pass, pass->pods.items[j], guess);
}

static int sync(struct pass *pass, struct cox_error *err)
{
	struct endpointslice *self = pass->self;
	const struct cox_objects *objects = self->services.objects;
	cox_autobuf labels = COX_BUF_INIT;
	cox_autobuf annotations = COX_BUF_INIT;
	cox_autobuf owners = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&annotations);
	struct cox_json owner = COX_JSON_INIT(&owners);
	char trigger[COX_TIME_SIZE];

	services_pods(&self->services, pass->service, true, &pass->pods);
	endpointslice_existing(self, MANAGER, pass->slices.key, &pass->slices);
	add_pods(pass);
	endpointslice_write_labels(self, pass->service, MANAGER,
				   services_headless(objects, pass->service), &labels);
	services_trigger_time(&self->services, pass->slices.key, pass->service, &pass->pods,
			      trigger);
	cox_json_object(&json, NULL);
	cox_json_text_set(&json, SLICE_TRIGGER_TIME, trigger);
	cox_json_end(&json);
	cox_json_array(&owner, NULL);
	cox_owner_write(&owner, objects, "v1", "Service", pass->service);
	cox_json_end(&owner);
	pass->slices.labels = labels.data;
	pass->slices.annotations = annotations.data;
	pass->slices.owners = owners.data;
	return slices_reconcile(&pass->slices, err);
}

static int service_reconcile(struct endpointslice *self, const struct cox_call *call,
			     const char *key, struct cox_error *err)
{
	const struct cox_cluster *cluster = self->services.cluster;
	cox_autokey place = cox_key_split(key);
	struct pass pass = {.self = self,
			    .slices = {.cluster = cluster,
				       .call = call,
				       .expect = self->expect,
				       .key = key,
				       .namespace_name = place.namespace_name,
				       .name = place.name}};
	int failed = 0;

	self->setup->enqueue(self->setup->builder, MIRROR_QUEUE, key, 0);
	pass.service =
		cluster->get(self->services.service_lister, place.namespace_name, place.name);
	if (!pass.service) {
		/* Its slices go with it, by their owner reference. */
		services_forget(&self->services, key);
		cox_expect_forget(self->expect, key);
		return 0;
	}
	if (services_selects(cluster->objects, pass.service) && cox_expect_met(self->expect, key))
		failed = sync(&pass, err);
	slices_free(&pass.slices);
	services_pods_free(&self->services, &pass.pods);
	cluster->objects->unref(pass.service);
	return failed;
}

static int endpointslice_reconcile(void *instance, const struct cox_call *call, const char *queue,
				   const char *key, uint64_t *again_ns, struct cox_error *err)
{
	(void)again_ns;
	if (!strcmp(queue, MIRROR_QUEUE))
		return mirror_reconcile(instance, call, key, err);
	return service_reconcile(instance, call, key, err);
}

/* ---- the plugin ---- */

static void slice_owner(const struct cox_objects *objects, const struct cox_object *slice,
			const struct cox_keys *values)
{
	const struct cox_value *labels = objects->get(objects->root(slice), "metadata.labels");
	cox_autobuf value = COX_BUF_INIT;

	cox_buf_printf(&value, "%s %s/%s",
		       objects->text(objects->member(labels, SLICE_MANAGED_BY), ""),
		       objects->namespace_of(slice),
		       objects->text(objects->member(labels, SLICE_SERVICE), ""));
	values->emit(values, value.data);
}

static void slice_changed(struct endpointslice *self, const struct cox_object *slice, bool is_new)
{
	const struct cox_objects *objects = self->services.objects;
	const struct cox_value *labels = objects->get(objects->root(slice), "metadata.labels");
	const char *manager = objects->text(objects->member(labels, SLICE_MANAGED_BY), "");
	const char *service = objects->text(objects->member(labels, SLICE_SERVICE), "");
	bool ours = !strcmp(manager, MANAGER);
	cox_autobuf key = COX_BUF_INIT;

	if (!*service || (!ours && strcmp(manager, MIRROR_MANAGER) != 0))
		return;
	cox_buf_printf(&key, "%s/%s", objects->namespace_of(slice), service);
	if (is_new)
		cox_expect_created(ours ? self->expect : self->mirror_expect, key.data);
	self->setup->enqueue(self->setup->builder, ours ? QUEUE : MIRROR_QUEUE, key.data, 0);
}

/* Two queues have slices, so the keys are added here and not through `keys`. */
static void slice_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
		       const struct cox_keys *keys)
{
	(void)keys;
	if (old)
		slice_changed(instance, old, false);
	if (now)
		slice_changed(instance, now, !old);
}

static int endpointslice_setup(void *instance, const struct cox_controller_setup *setup,
			       struct cox_error *err)
{
	static const struct cox_index by_owner[] = {{"owner", slice_owner}, {NULL, NULL}};
	const struct cox_source slice_source = {.struct_size = sizeof(slice_source),
						.resource = &slices_resource,
						.indexes = by_owner,
						.queue = QUEUE,
						.keys = slice_keys};
	const struct cox_source node_source = {.struct_size = sizeof(node_source),
					       .resource = &nodes};
	const struct cox_source endpoints_source = {.struct_size = sizeof(endpoints_source),
						    .resource = &endpoints,
						    .queue = MIRROR_QUEUE};
	struct endpointslice *self = instance;

	self->setup = setup;
	if (setup->queue(setup->builder, MIRROR_QUEUE, self->workers, err) ||
	    services_setup(&self->services, setup, QUEUE, self->workers, err))
		return -1;
	self->slice_lister = setup->source(setup->builder, &slice_source, err);
	if (!self->slice_lister)
		return -1;
	self->node_lister = setup->source(setup->builder, &node_source, err);
	if (!self->node_lister)
		return -1;
	self->endpoints_lister = setup->source(setup->builder, &endpoints_source, err);
	return self->endpoints_lister ? 0 : -1;
}

static void *endpointslice_create(const struct cox_host *host, struct cox_error *err)
{
	struct endpointslice *self = cox_new(struct endpointslice);

	(void)err;
	services_init(&self->services, host);
	self->expect = cox_expect_new(host->monotonic_ns);
	self->mirror_expect = cox_expect_new(host->monotonic_ns);
	return self;
}

static int endpointslice_config(void *instance, const char *key, const char *value,
				struct cox_error *err)
{
	struct endpointslice *self = instance;
	int64_t workers;

	(void)key; /* the table has one option */
	if (cox_parse_int(value, 1, 64, &workers))
		return self->services.host->fail(err, COX_REASON_INVALID,
						 "workers: %s, 1 to 64 are possible", value);
	self->workers = (uint32_t)workers;
	return 0;
}

static void endpointslice_destroy(void *instance)
{
	struct endpointslice *self = instance;

	cox_expect_free(self->expect);
	cox_expect_free(self->mirror_expect);
	services_destroy(&self->services);
	free(self);
}

static const struct cox_option endpointslice_options[] = {
	{"workers", "5", "services that are worked on at the same time", COX_OPT_INT, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_controller_ops endpointslice_ops = {
	.setup = endpointslice_setup,
	.reconcile = endpointslice_reconcile,
};

COX_CONTROLLER_PLUGIN(endpointslice_ops, .name = "endpointslice", .version = "1",
		      .description = "Lists the addresses of services' pods in slices",
		      .thread_model = COX_THREADS_PARALLEL, .options = endpointslice_options,
		      .create = endpointslice_create, .config = endpointslice_config,
		      .destroy = endpointslice_destroy);
