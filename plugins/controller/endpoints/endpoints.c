/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoints controller: one Endpoints object for each service with a
 * selector, with the addresses of its pods. Kinds of clients that know
 * endpoint slices do not need it; those of the first years do.
 *
 * Pods that offer the same ports share a subset. It is written only when its
 * subsets or labels change.
 */
#include "../common/services.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/pods.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/text.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE "services"
#define MANAGED_BY "endpoints.kubernetes.io/managed-by"
#define MANAGER "endpoint-controller"
#define HEADLESS "service.kubernetes.io/headless"
#define TRIGGER_TIME "endpoints.kubernetes.io/last-change-trigger-time"
#define OVER_CAPACITY "endpoints.kubernetes.io/over-capacity"

enum { ADDRESSES_MAX = 1000 };

static const struct cox_resource endpoints = {"", "v1", "endpoints"};

struct endpoints {
	struct services services;
	struct cox_lister *lister;
	uint32_t workers;
};

/* A port and the pods that offer it: a bit a pod. */
struct offer {
	struct services_port port;
	uint64_t *pods;
	bool done;
};

struct pass {
	struct endpoints *self;
	const struct cox_call *call;
	const char *key;
	struct cox_object *service;
	struct services_pods pods;
	COX_VEC(struct offer) offers;
	bool truncated;
};

/* ---- which ports have which pods ---- */

static size_t set_size(const struct pass *pass)
{
	return pass->pods.count / 64 + 1;
}

static struct offer *offer_of(struct pass *pass, const struct services_port *port)
{
	for (size_t i = 0; i < pass->offers.count; i++) {
		if (services_port_equal(&pass->offers.items[i].port, port))
			return &pass->offers.items[i];
	}
	cox_vec_push(&pass->offers,
		     (struct offer){*port, cox_calloc(set_size(pass), sizeof(uint64_t)), false});
	return &pass->offers.items[pass->offers.count - 1];
}

/* A headless service may have no ports; its pods are listed all the same. */
static bool without_ports(const struct pass *pass)
{
	const struct cox_objects *objects = pass->self->services.objects;

	return services_headless(objects, pass->service) &&
	       !objects->count(objects->get(objects->root(pass->service), "spec.ports"));
}

static void collect_offers(struct pass *pass)
{
	static const struct services_port nothing = {"", "", "", 0};
	const struct cox_objects *objects = pass->self->services.objects;
	struct services_ports ports = {0};

	for (size_t i = 0; i < pass->pods.count; i++) {
		ports.count = 0;
		if (without_ports(pass))
			cox_vec_push(&ports, nothing);
		else
			services_ports(objects, pass->service, pass->pods.items[i], &ports);
		for (size_t j = 0; j < ports.count; j++)
			offer_of(pass, &ports.items[j])->pods[i / 64] |= UINT64_C(1) << (i % 64);
	}
	cox_vec_free(&ports);
}

/* ---- what is wanted, as JSON ---- */

static bool wants_ipv6(const struct cox_objects *objects, const struct cox_object *service)
{
	const struct cox_value *spec = objects->get(objects->root(service), "spec");
	const char *family = objects->text(spec, "ipFamilies[0]");

	return *family ? !strcmp(family, "IPv6")
		       : strchr(objects->text(spec, "clusterIP"), ':') != NULL;
}

static bool counts_as_ready(const struct pass *pass, const struct cox_object *pod)
{
	const struct cox_objects *objects = pass->self->services.objects;

	return services_publishes_unready(objects, pass->service) || cox_pod_ready(objects, pod);
}

static void write_address(struct pass *pass, struct cox_json *json, const struct cox_object *pod,
			  const char *address)
{
	const struct cox_objects *objects = pass->self->services.objects;
	const struct cox_value *spec = objects->get(objects->root(pod), "spec");

	cox_json_object(json, NULL);
	cox_json_text(json, "ip", address);
	if (!strcmp(objects->text(spec, "subdomain"), objects->name(pass->service)))
		cox_json_text_set(json, "hostname", objects->text(spec, "hostname"));
	cox_json_text_set(json, "nodeName", objects->text(spec, "nodeName"));
	cox_json_object(json, "targetRef");
	cox_json_text(json, "kind", "Pod");
	cox_json_text(json, "namespace", objects->namespace_of(pod));
	cox_json_text(json, "name", objects->name(pod));
	cox_json_text(json, "uid", objects->uid(pod));
	cox_json_end(json);
	cox_json_end(json);
}

/* The ready pods of the set, or the others; returns how many. */
static size_t write_addresses(struct pass *pass, struct cox_json *json, const char *key,
			      const uint64_t *set, bool ready, size_t room)
{
	const struct cox_objects *objects = pass->self->services.objects;
	bool ipv6 = wants_ipv6(objects, pass->service);
	size_t count = 0;

	for (size_t i = 0; i < pass->pods.count; i++) {
		const struct cox_object *pod = pass->pods.items[i];
		const char *address = cox_pod_address(objects, pod, ipv6);

		if (!(set[i / 64] >> (i % 64) & 1) || !*address ||
		    counts_as_ready(pass, pod) != ready)
			continue;
		if (count == room) {
			pass->truncated = true;
			break;
		}
		if (!count++)
			cox_json_array(json, key);
		write_address(pass, json, pod, address);
	}
	if (count)
		cox_json_end(json);
	return count;
}

/* All ports that have the same pods as `first`. */
static void write_ports(struct pass *pass, struct cox_json *json, const struct offer *first)
{
	if (!first->port.number)
		return;
	cox_json_array(json, "ports");
	for (size_t i = 0; i < pass->offers.count; i++) {
		struct offer *offer = &pass->offers.items[i];

		if (memcmp(offer->pods, first->pods, set_size(pass) * sizeof(uint64_t)) != 0)
			continue;
		offer->done = true;
		cox_json_object(json, NULL);
		cox_json_text_set(json, "name", offer->port.name);
		cox_json_int(json, "port", offer->port.number);
		cox_json_text(json, "protocol", offer->port.protocol);
		cox_json_text_set(json, "appProtocol", offer->port.app_protocol);
		cox_json_end(json);
	}
	cox_json_end(json);
}

/* Whether no offer before this one has the same pods. */
static bool begins_subset(const struct pass *pass, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (!memcmp(pass->offers.items[i].pods, pass->offers.items[index].pods,
			    set_size(pass) * sizeof(uint64_t)))
			return false;
	}
	return true;
}

static size_t count_ready(const struct pass *pass, const struct offer *offer)
{
	const struct cox_objects *objects = pass->self->services.objects;
	bool ipv6 = wants_ipv6(objects, pass->service);
	size_t count = 0;

	for (size_t i = 0; i < pass->pods.count; i++) {
		const struct cox_object *pod = pass->pods.items[i];

		count += (offer->pods[i / 64] >> (i % 64) & 1) && counts_as_ready(pass, pod) &&
			 *cox_pod_address(objects, pod, ipv6);
	}
	return count;
}

/* When there are too many, no address that is not ready takes the place of a ready one. */
static void write_subsets(struct pass *pass, struct cox_buf *out)
{
	struct cox_json json = COX_JSON_INIT(out);
	size_t room = ADDRESSES_MAX, ready = 0, spare;

	for (size_t i = 0; i < pass->offers.count; i++) {
		if (begins_subset(pass, i))
			ready += count_ready(pass, &pass->offers.items[i]);
	}
	spare = ready < room ? room - ready : 0;
	cox_json_array(&json, NULL);
	for (size_t i = 0; i < pass->offers.count; i++) {
		struct offer *offer = &pass->offers.items[i];
		cox_autobuf text = COX_BUF_INIT;
		struct cox_json subset = COX_JSON_INIT(&text);
		size_t count, unready;

		if (offer->done)
			continue;
		cox_json_object(&subset, NULL);
		count = write_addresses(pass, &subset, "addresses", offer->pods, true, room);
		unready = write_addresses(pass, &subset, "notReadyAddresses", offer->pods, false,
					  spare);
		room -= count;
		spare -= unready;
		write_ports(pass, &subset, offer);
		cox_json_end(&subset);
		/* Pods without an address of the right family make no subset. */
		if (count + unready)
			cox_json_raw(&json, NULL, text.data, text.size);
	}
	cox_json_end(&json);
}

static void write_labels(struct pass *pass, struct cox_buf *out)
{
	const struct cox_objects *objects = pass->self->services.objects;
	const struct cox_value *labels =
		objects->get(objects->root(pass->service), "metadata.labels");
	const struct cox_value *label;
	struct cox_json json = COX_JSON_INIT(out);
	const char *key;

	cox_json_object(&json, NULL);
	for (size_t i = 0; (label = objects->at(labels, i, &key)); i++) {
		if (strcmp(key, MANAGED_BY) != 0 && strcmp(key, HEADLESS) != 0)
			cox_json_value(&json, key, objects, label);
	}
	cox_json_text(&json, MANAGED_BY, MANAGER);
	if (services_headless(objects, pass->service))
		cox_json_text(&json, HEADLESS, "");
	cox_json_end(&json);
}

/* Other people's annotations stay; the two of ours are set anew. */
static void write_annotations(struct pass *pass, struct cox_json *json,
			      const struct cox_object *old)
{
	const struct cox_objects *objects = pass->self->services.objects;
	const struct cox_value *all = objects->get(objects->root(old), "metadata.annotations");
	const struct cox_value *item;
	char trigger[COX_TIME_SIZE];
	const char *key;

	services_trigger_time(&pass->self->services, pass->key, pass->service, &pass->pods,
			      trigger);
	cox_json_object(json, "annotations");
	for (size_t i = 0; (item = objects->at(all, i, &key)); i++) {
		if (strcmp(key, TRIGGER_TIME) != 0 && strcmp(key, OVER_CAPACITY) != 0)
			cox_json_value(json, key, objects, item);
	}
	cox_json_text_set(json, TRIGGER_TIME, trigger);
	cox_json_text_set(json, OVER_CAPACITY, pass->truncated ? "truncated" : NULL);
	cox_json_end(json);
}

/* ---- writing ---- */

static bool is_as_wanted(const struct pass *pass, const struct cox_object *old,
			 const struct cox_object *wanted)
{
	const struct cox_objects *objects = pass->self->services.objects;
	const struct cox_value *is = objects->root(old), *want = objects->root(wanted);
	const struct cox_value *subsets = objects->get(is, "subsets");

	return (objects->equal(subsets, objects->get(want, "subsets")) ||
		(!objects->count(subsets) && !objects->count(objects->get(want, "subsets")))) &&
	       objects->equal(objects->get(is, "metadata.labels"), objects->get(want, "labels")) &&
	       !*objects->text(is, "metadata.annotations[\"" OVER_CAPACITY "\"]") ==
		       !pass->truncated;
}

static int write_object(struct pass *pass, const struct cox_object *old, const char *labels,
			const char *subsets, struct cox_error *err)
{
	const struct cox_objects *objects = pass->self->services.objects;
	const struct cox_cluster *cluster = pass->self->services.cluster;
	const struct cox_place place = {&endpoints, objects->namespace_of(pass->service),
					old ? objects->name(old) : NULL, NULL};
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);

	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", "Endpoints");
	cox_json_text(&json, "apiVersion", "v1");
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "name", objects->name(pass->service));
	cox_json_text(&json, "namespace", objects->namespace_of(pass->service));
	cox_json_text_set(&json, "resourceVersion", old ? objects->revision(old) : NULL);
	cox_json_raw(&json, "labels", labels, strlen(labels));
	write_annotations(pass, &json, old);
	cox_json_end(&json);
	cox_json_raw(&json, "subsets", subsets, strlen(subsets));
	cox_json_end(&json);
	if (!cox_write(cluster, pass->call, old ? COX_UPDATE : COX_CREATE, &place, &body, NULL,
		       err) ||
	    /* The namespace is gone; the service will follow. */
	    cox_failed_so(cluster, COX_REASON_NOT_FOUND, err))
		return 0;
	if (!old && cluster->reason(err) == COX_REASON_ALREADY_EXISTS)
		cox_failed_so(cluster, COX_REASON_ALREADY_EXISTS,
			      err); /* its event is on the way */
	return cluster->reason(err) ? -1 : 0;
}

static int sync(struct pass *pass, struct cox_error *err)
{
	const struct cox_objects *objects = pass->self->services.objects;
	const struct cox_cluster *cluster = pass->self->services.cluster;
	struct cox_object *old, *wanted;
	cox_autobuf labels = COX_BUF_INIT;
	cox_autobuf subsets = COX_BUF_INIT;
	cox_autobuf both = COX_BUF_INIT;
	int failed = -1;

	/* Who wants pods that are not ready yet wants those, too, that are on their way out. */
	services_pods(&pass->self->services, pass->service,
		      services_publishes_unready(objects, pass->service), &pass->pods);
	collect_offers(pass);
	write_labels(pass, &labels);
	write_subsets(pass, &subsets);
	cox_buf_printf(&both, "{\"labels\":%s,\"subsets\":%s}", labels.data, subsets.data);
	wanted = objects->from_json(both.data, both.size, err);
	if (!wanted)
		return -1;
	old = cluster->get(pass->self->lister, objects->namespace_of(pass->service),
			   objects->name(pass->service));
	if (old && is_as_wanted(pass, old, wanted))
		failed = 0;
	else
		failed = write_object(pass, old, labels.data, subsets.data, err);
	objects->unref(old);
	objects->unref(wanted);
	return failed;
}

/* The service is gone. */
static int remove_object(struct endpoints *self, const struct cox_call *call, const char *key,
			 const char *namespace_name, const char *name, struct cox_error *err)
{
	const struct cox_cluster *cluster = self->services.cluster;
	const struct cox_place place = {&endpoints, namespace_name, name, NULL};
	struct cox_object *old = cluster->get(self->lister, namespace_name, name);
	int failed = 0;

	services_forget(&self->services, key);
	if (old) {
		const struct cox_delete how = {.uid = self->services.objects->uid(old),
					       .grace = -1};

		failed = cox_delete(cluster, call, &place, &how, err);
		if (failed && cox_failed_so(cluster, COX_REASON_NOT_FOUND, err))
			failed = 0;
	}
	self->services.objects->unref(old);
	return failed;
}

static int endpoints_reconcile(void *instance, const struct cox_call *call, const char *queue,
			       const char *key, uint64_t *again_ns, struct cox_error *err)
{
	struct endpoints *self = instance;
	struct pass pass = {.self = self, .call = call, .key = key};
	cox_autokey place = cox_key_split(key);
	int failed = 0;

	(void)queue;
	(void)again_ns;
	pass.service = self->services.cluster->get(self->services.service_lister,
						   place.namespace_name, place.name);
	if (!pass.service)
		return remove_object(self, call, key, place.namespace_name, place.name, err);
	if (services_selects(self->services.objects, pass.service))
		failed = sync(&pass, err);
	for (size_t i = 0; i < pass.offers.count; i++)
		free(pass.offers.items[i].pods);
	cox_vec_free(&pass.offers);
	services_pods_free(&self->services, &pass.pods);
	self->services.objects->unref(pass.service);
	return failed;
}

/* ---- the plugin ---- */

/*
 * What was written by hand and belongs to no service is left alone; a service
 * that ends takes its Endpoints along whoever wrote them.
 */
static void endpoints_keys(void *instance, const struct cox_object *old,
			   const struct cox_object *now, const struct cox_keys *keys)
{
	const struct cox_objects *objects = ((const struct endpoints *)instance)->services.objects;
	const struct cox_object *object = now ? now : old;
	struct cox_buf key = COX_BUF_INIT;

	if (strcmp(objects->text(objects->root(object), "metadata.labels[\"" MANAGED_BY "\"]"),
		   MANAGER) != 0 &&
	    !old)
		return;
	cox_buf_printf(&key, "%s/%s", objects->namespace_of(object), objects->name(object));
	keys->emit(keys, key.data);
	cox_buf_free(&key);
}

static int endpoints_setup(void *instance, const struct cox_controller_setup *setup,
			   struct cox_error *err)
{
	struct endpoints *self = instance;
	const struct cox_source source = {.struct_size = sizeof(source),
					  .resource = &endpoints,
					  .queue = QUEUE,
					  .keys = endpoints_keys};

	if (services_setup(&self->services, setup, QUEUE, self->workers, err))
		return -1;
	self->lister = setup->source(setup->builder, &source, err);
	return self->lister ? 0 : -1;
}

static void *endpoints_create(const struct cox_host *host, struct cox_error *err)
{
	struct endpoints *self = cox_new(struct endpoints);

	(void)err;
	services_init(&self->services, host);
	return self;
}

static int endpoints_config(void *instance, const char *key, const char *value,
			    struct cox_error *err)
{
	struct endpoints *self = instance;
	int64_t workers;

	(void)key; /* the table has one option */
	if (cox_parse_int(value, 1, 64, &workers))
		return self->services.host->fail(err, COX_REASON_INVALID,
						 "workers: %s, 1 to 64 are possible", value);
	self->workers = (uint32_t)workers;
	return 0;
}

static void endpoints_destroy(void *instance)
{
	struct endpoints *self = instance;

	services_destroy(&self->services);
	free(self);
}

static const struct cox_option endpoints_options[] = {
	{"workers", "5", "services that are worked on at the same time", COX_OPT_INT, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_controller_ops endpoints_ops = {
	.setup = endpoints_setup,
	.reconcile = endpoints_reconcile,
};

COX_CONTROLLER_PLUGIN(endpoints_ops, .name = "endpoints", .version = "1",
		      .description = "Lists the addresses of services' pods as Endpoints",
		      .thread_model = COX_THREADS_PARALLEL, .options = endpoints_options,
		      .create = endpoints_create, .config = endpoints_config,
		      .destroy = endpoints_destroy);
