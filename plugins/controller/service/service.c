/* SPDX-License-Identifier: Apache-2.0 */
/* The service controller as a plugin; see the header. */
#include "service.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/text.h>
#include <stdlib.h>
#include <string.h>

static const struct cox_resource services_resource = {"", "v1", "services"};
static const struct cox_resource nodes_resource = {"", "v1", "nodes"};

/* Those that have to do with load balancers, under one value. */
#define BALANCED "balanced"

static bool is_balanced(const struct cox_objects *objects, const struct cox_object *service)
{
	return service_wants(objects, service) || service_is_finalized(objects, service);
}

static void balanced_values(const struct cox_objects *objects, const struct cox_object *service,
			    const struct cox_keys *values)
{
	if (is_balanced(objects, service))
		values->emit(values, BALANCED);
}

/* ---- what wakes it ---- */

static void emit_service(const struct cox_objects *objects, const struct cox_object *service,
			 const struct cox_keys *keys)
{
	cox_autobuf key = COX_BUF_INIT;

	cox_buf_printf(&key, "%s/%s", objects->namespace_of(service), objects->name(service));
	keys->emit(keys, key.data);
}

static void service_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
			 const struct cox_keys *keys)
{
	const struct services *self = instance;

	if ((old && is_balanced(self->objects, old)) || (now && is_balanced(self->objects, now)))
		emit_service(self->objects, now ? now : old, keys);
}

struct emitter {
	const struct cox_objects *objects;
	const struct cox_keys *keys;
};

static int emit_found(void *to, const struct cox_object *service)
{
	const struct emitter *emitter = to;

	emit_service(emitter->objects, service, emitter->keys);
	return 0;
}

/* Another set of nodes concerns every load balancer. */
static void node_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
		      const struct cox_keys *keys)
{
	const struct services *self = instance;
	struct emitter emitter = {self->objects, keys};
	const struct cox_object_sink sink = {emit_found, &emitter};

	if (nodes_matter(self->objects, old, now))
		self->cluster->find(self->lister, BALANCED, BALANCED, &sink);
}

/* ---- what the cluster knows of from before ---- */

struct restoring {
	const struct cox_objects *objects;
	COX_VEC(struct cox_object *) items;
};

static int find_made(void *to, const struct cox_object *service)
{
	struct restoring *found = to;

	if (found->objects->count(found->objects->get(found->objects->root(service),
						      "status.loadBalancer.ingress")))
		cox_vec_push(&found->items, found->objects->ref(service));
	return 0;
}

static int by_age(const void *left, const void *right, void *context)
{
	const struct cox_objects *objects = context;
	const struct cox_object *a = *(struct cox_object *const *)left;
	const struct cox_object *b = *(struct cox_object *const *)right;
	uint64_t first = cox_created_ns(objects, a), second = cox_created_ns(objects, b);

	if (first != second)
		return first < second ? -1 : 1;
	return strcmp(objects->uid(a), objects->uid(b));
}

static int tell_cloud(struct services *self, const struct cox_call *call, struct cox_error *err)
{
	struct restoring found = {.objects = self->objects};
	const struct cox_object_sink sink = {find_made, &found};
	struct cox_cloud_balancer *balancers;
	char(*names)[BALANCER_NAME_SIZE];
	int failed;

	self->cluster->find(self->lister, BALANCED, BALANCED, &sink);
	if (found.items.count)
		qsort_r(found.items.items, found.items.count, sizeof(*found.items.items), by_age,
			(void *)self->objects);
	balancers = cox_calloc(found.items.count + 1, sizeof(*balancers));
	names = cox_calloc(found.items.count + 1, sizeof(*names));
	for (size_t i = 0; i < found.items.count; i++) {
		balancer_name(self->objects, found.items.items[i], names[i]);
		balancers[i] = balancer_plain(self, names[i], found.items.items[i]);
	}
	failed = self->cloud->ops->balancer_restore(self->cloud->self, call, balancers,
						    found.items.count, err);
	for (size_t i = 0; i < found.items.count; i++)
		self->objects->unref(found.items.items[i]);
	cox_vec_free(&found.items);
	free(balancers);
	free(names);
	return failed;
}

/* Before anything else, once: an address must not be given to two services. */
static int restore(struct services *self, const struct cox_call *call, struct cox_error *err)
{
	int failed = 0;

	pthread_mutex_lock(&self->restoring);
	if (!self->restored && self->cloud->ops->balancer_restore)
		failed = tell_cloud(self, call, err);
	if (!failed)
		self->restored = true;
	pthread_mutex_unlock(&self->restoring);
	return failed;
}

/* ---- a key ---- */

static int reconcile_service(struct pass *pass, const struct cox_object *service,
			     struct cox_error *err)
{
	struct services *self = pass->self;
	struct known *known = known_find(&self->known, pass->key);

	/* One that was deleted without its finalizer, whatever has its name now. */
	if (known && (!service || strcmp(known->uid, self->objects->uid(service)) != 0)) {
		if (balancer_drop(pass, known, err))
			return -1;
		known = known_find(&self->known, pass->key);
		if (known)
			return 0;
	}
	if (!service)
		return 0;
	if (service_wants(self->objects, service) && !cox_deleting(self->objects, service))
		return balancer_make(pass, service, err);
	if (known || service_is_finalized(self->objects, service))
		return balancer_clean_up(pass, service, err);
	return 0;
}

static int service_reconcile(void *instance, const struct cox_call *call, const char *queue,
			     const char *key, uint64_t *again_ns, struct cox_error *err)
{
	struct services *self = instance;
	struct pass pass = {self, call, key, self->host->monotonic_ns(), again_ns};
	cox_autokey place = cox_key_split(key);
	struct cox_object *service;
	int failed;

	(void)queue;
	if (restore(self, call, err))
		return -1;
	service = self->cluster->get(self->lister, place.namespace_name, place.name);
	failed = reconcile_service(&pass, service, err);
	self->objects->unref(service);
	return failed;
}

/* ---- the plugin ---- */

/* Without a cloud the rest of the cluster goes on; people are told once. */
static bool can_balance(const struct services *self)
{
	const struct cox_host *host = self->host;

	if (!self->cloud)
		host->log(host->context, COX_LOG_WARNING,
			  "--cloud-provider names no cloud plugin: services of the type "
			  "LoadBalancer get no load balancer");
	else if (!self->cloud->ops->balancer_ensure)
		host->log(host->context, COX_LOG_WARNING,
			  "The cloud plugin \"%s\" has no load balancers: services of the type "
			  "LoadBalancer get none",
			  self->cloud->name);
	else
		return true;
	return false;
}

static int service_setup(void *instance, const struct cox_controller_setup *setup,
			 struct cox_error *err)
{
	struct services *self = instance;
	static const struct cox_index indexes[] = {{BALANCED, balanced_values}, {NULL, NULL}};
	const struct cox_source services = {.struct_size = sizeof(services),
					    .resource = &services_resource,
					    .indexes = indexes,
					    .queue = SERVICE_QUEUE,
					    .keys = service_keys};
	const struct cox_source nodes = {.struct_size = sizeof(nodes),
					 .resource = &nodes_resource,
					 .queue = SERVICE_QUEUE,
					 .keys = node_keys};

	self->setup = setup;
	self->cluster = setup->cluster;
	self->objects = setup->cluster->objects;
	self->cloud = setup->cloud;
	if (!can_balance(self))
		return 0;
	if (setup->queue(setup->builder, SERVICE_QUEUE, self->workers, err))
		return -1;
	self->lister = setup->source(setup->builder, &services, err);
	if (!self->lister)
		return -1;
	self->nodes = setup->source(setup->builder, &nodes, err);
	return self->nodes ? 0 : -1;
}

static void *service_create(const struct cox_host *host, struct cox_error *err)
{
	struct services *self = cox_new(struct services);

	(void)err;
	self->host = host;
	pthread_mutex_init(&self->restoring, NULL);
	known_init(&self->known);
	return self;
}

static int service_config(void *instance, const char *key, const char *value, struct cox_error *err)
{
	struct services *self = instance;
	int64_t number;

	if (!strcmp(key, "cluster-name")) {
		self->cluster_name = cox_strdup(value);
		return 0;
	}
	if (!strcmp(key, "workers")) {
		if (cox_parse_int(value, 1, 64, &number))
			return self->host->fail(err, COX_REASON_INVALID, "%s, 1 to 64 are possible",
						value);
		self->workers = (uint32_t)number;
		return 0;
	}
	if (cox_parse_int(value, 0, INT64_MAX, &number) || (number && number < 1000000000))
		return self->host->fail(err, COX_REASON_INVALID,
					"less than a second, and not 0, which is never");
	self->resync_ns = (uint64_t)number;
	return 0;
}

static void service_destroy(void *instance)
{
	struct services *self = instance;

	known_destroy(&self->known);
	pthread_mutex_destroy(&self->restoring);
	free(self->cluster_name);
	free(self);
}

static const struct cox_option service_options[] = {
	{"workers", "1", "services that are worked on at the same time", COX_OPT_INT, 0},
	{"resync", "5m", "time between looks at what the cloud has; 0: never", COX_OPT_DURATION, 0},
	{"cluster-name", "kubernetes", "what the cloud is told as the cluster's name",
	 COX_OPT_STRING, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_controller_ops service_ops = {
	.setup = service_setup,
	.reconcile = service_reconcile,
};

COX_CONTROLLER_PLUGIN(service_ops, .name = "service", .version = "1",
		      .description = "Gives services load balancers of the cloud",
		      .thread_model = COX_THREADS_PARALLEL, .options = service_options,
		      .create = service_create, .config = service_config,
		      .destroy = service_destroy);
