/* SPDX-License-Identifier: Apache-2.0 */
/* Services, their pods and their ports. */
#include "services.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/pods.h>
#include <stdlib.h>
#include <string.h>

static const struct cox_resource services = {"", "v1", "services"};
static const struct cox_resource pods = {"", "v1", "pods"};

struct services_trigger {
	uint64_t service; /* the newest times that were told */
	uint64_t pods;
};

void services_init(struct services *self, const struct cox_host *host)
{
	self->host = host;
	pthread_mutex_init(&self->mutex, NULL);
}

void services_destroy(struct services *self)
{
	void *trigger;

	for (size_t at = 0; cox_map_next(&self->triggers, &at, NULL, NULL, &trigger);)
		free(trigger);
	cox_map_free(&self->triggers);
	pthread_mutex_destroy(&self->mutex);
}

/* ---- sources ---- */

static void in_namespace(const struct cox_objects *objects, const struct cox_object *object,
			 const struct cox_keys *values)
{
	values->emit(values, objects->namespace_of(object));
}

struct finder {
	const struct services *self;
	const struct cox_value *labels;
	const struct cox_keys *keys;
};

static int emit_if_selected(void *to, const struct cox_object *service)
{
	const struct finder *finder = to;
	const struct cox_objects *objects = finder->self->objects;
	struct cox_buf key = COX_BUF_INIT;

	if (cox_labels_match(objects, objects->get(objects->root(service), "spec.selector"),
			     finder->labels)) {
		cox_buf_printf(&key, "%s/%s", objects->namespace_of(service),
			       objects->name(service));
		finder->keys->emit(finder->keys, key.data);
		cox_buf_free(&key);
	}
	return 0;
}

static void emit_services_of(const struct services *self, const struct cox_object *pod,
			     const struct cox_keys *keys)
{
	struct finder finder = {
		self, self->objects->get(self->objects->root(pod), "metadata.labels"), keys};
	const struct cox_object_sink sink = {emit_if_selected, &finder};

	self->cluster->find(self->service_lister, "namespace", self->objects->namespace_of(pod),
			    &sink);
}

/* Most changes of a pod, probes and images and restarts, do not concern its services. */
static bool concerns_services(const struct cox_objects *objects, const struct cox_object *old,
			      const struct cox_object *now)
{
	static const char *const paths[] = {
		"metadata.labels", "metadata.deletionTimestamp",
		"spec.nodeName",   "spec.hostname",
		"spec.subdomain",  "status.podIP",
		"status.podIPs",   "status.phase",
		"spec.containers",
	};
	const struct cox_value *before = objects->root(old), *after = objects->root(now);

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (!objects->equal(objects->get(before, paths[i]), objects->get(after, paths[i])))
			return true;
	}
	return cox_pod_ready(objects, old) != cox_pod_ready(objects, now);
}

static void pod_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
		     const struct cox_keys *keys)
{
	const struct services *self = instance;

	if (old && now && !concerns_services(self->objects, old, now))
		return;
	if (old)
		emit_services_of(self, old, keys);
	if (now)
		emit_services_of(self, now, keys);
}

int services_setup(struct services *self, const struct cox_controller_setup *setup,
		   const char *queue, uint32_t workers, struct cox_error *err)
{
	static const struct cox_index indexes[] = {{"namespace", in_namespace}, {NULL, NULL}};
	const struct cox_source service_source = {.struct_size = sizeof(service_source),
						  .resource = &services,
						  .indexes = indexes,
						  .queue = queue};
	const struct cox_source pod_source = {.struct_size = sizeof(pod_source),
					      .resource = &pods,
					      .indexes = indexes,
					      .queue = queue,
					      .keys = pod_keys};

	self->cluster = setup->cluster;
	self->objects = setup->cluster->objects;
	if (setup->queue(setup->builder, queue, workers, err))
		return -1;
	self->service_lister = setup->source(setup->builder, &service_source, err);
	if (!self->service_lister)
		return -1;
	self->pod_lister = setup->source(setup->builder, &pod_source, err);
	return self->pod_lister ? 0 : -1;
}

/* ---- services ---- */

bool services_selects(const struct cox_objects *objects, const struct cox_object *service)
{
	const struct cox_value *spec = objects->get(objects->root(service), "spec");

	return objects->count(objects->get(spec, "selector")) &&
	       strcmp(objects->text(spec, "type"), "ExternalName") != 0;
}

bool services_headless(const struct cox_objects *objects, const struct cox_object *service)
{
	return !strcmp(objects->text(objects->root(service), "spec.clusterIP"), "None");
}

bool services_publishes_unready(const struct cox_objects *objects, const struct cox_object *service)
{
	return objects->boolean(objects->root(service), "spec.publishNotReadyAddresses");
}

/* ---- pods ---- */

struct selection {
	const struct services *self;
	const struct cox_value *selector;
	bool with_terminating;
	struct services_pods *pods;
};

static int select_pod(void *to, const struct cox_object *pod)
{
	const struct selection *selection = to;
	const struct cox_objects *objects = selection->self->objects;
	const struct cox_value *root = objects->root(pod);

	if (cox_labels_match(objects, selection->selector, objects->get(root, "metadata.labels")) &&
	    *objects->text(root, "status.podIP") && !cox_pod_ended(objects, pod) &&
	    (selection->with_terminating || !cox_deleting(objects, pod)))
		cox_vec_push(selection->pods, objects->ref(pod));
	return 0;
}

/* With the table of objects as context, since names are read through it. */
static int by_name(const void *left, const void *right, void *context)
{
	const struct cox_objects *objects = context;

	return strcmp(objects->name(*(struct cox_object *const *)left),
		      objects->name(*(struct cox_object *const *)right));
}

void services_pods(const struct services *self, const struct cox_object *service,
		   bool with_terminating, struct services_pods *found)
{
	struct selection selection = {
		self, self->objects->get(self->objects->root(service), "spec.selector"),
		with_terminating, found};
	const struct cox_object_sink sink = {select_pod, &selection};

	self->cluster->find(self->pod_lister, "namespace", self->objects->namespace_of(service),
			    &sink);
	if (found->count)
		qsort_r(found->items, found->count, sizeof(*found->items), by_name,
			(void *)self->objects);
}

void services_pods_free(const struct services *self, struct services_pods *found)
{
	for (size_t i = 0; i < found->count; i++)
		self->objects->unref(found->items[i]);
	cox_vec_free(found);
}

/* ---- ports ---- */

void services_ports(const struct cox_objects *objects, const struct cox_object *service,
		    const struct cox_object *pod, struct services_ports *ports)
{
	const struct cox_value *list = objects->get(objects->root(service), "spec.ports"), *port;

	for (size_t i = 0; (port = objects->at(list, i, NULL)); i++) {
		const struct cox_value *target = objects->get(port, "targetPort");
		const char *protocol = objects->text(port, "protocol");
		struct services_port found = {.name = objects->text(port, "name"),
					      .protocol = *protocol ? protocol : "TCP",
					      .app_protocol = objects->text(port, "appProtocol")};

		found.number = cox_pod_port(
			objects, pod, target ? target : objects->get(port, "port"), found.protocol);
		if (found.number)
			cox_vec_push(ports, found);
	}
}

bool services_port_equal(const struct services_port *a, const struct services_port *b)
{
	return a->number == b->number && !strcmp(a->name, b->name) &&
	       !strcmp(a->protocol, b->protocol) && !strcmp(a->app_protocol, b->app_protocol);
}

/* ---- when it changed ---- */

static uint64_t readiness_time(const struct cox_objects *objects, const struct cox_object *pod)
{
	const struct cox_value *ready = cox_condition(objects, pod, "Ready");
	uint64_t when;

	if (cox_parse_time(objects->text(ready, "lastTransitionTime"), &when))
		return 0;
	return when;
}

/* The older one, not counting what is not newer than `told`. */
static uint64_t oldest_new(uint64_t oldest, uint64_t when, uint64_t told)
{
	return when > told && (!oldest || when < oldest) ? when : oldest;
}

void services_trigger_time(struct services *self, const char *key, const struct cox_object *service,
			   const struct services_pods *found, char out[COX_TIME_SIZE])
{
	uint64_t created = cox_created_ns(self->objects, service), oldest, newest = 0;
	struct services_trigger *told;

	pthread_mutex_lock(&self->mutex);
	told = cox_map_get(&self->triggers, key, strlen(key));
	if (!told) {
		told = cox_new(struct services_trigger);
		cox_map_put(&self->triggers, key, strlen(key), told);
	}
	oldest = oldest_new(0, created, told->service);
	for (size_t i = 0; i < found->count; i++) {
		uint64_t when = readiness_time(self->objects, found->items[i]);

		oldest = oldest_new(oldest, when, told->pods);
		newest = when > newest ? when : newest;
	}
	told->service = created;
	told->pods = newest > told->pods ? newest : told->pods;
	pthread_mutex_unlock(&self->mutex);
	*out = '\0';
	if (oldest)
		cox_format_time(oldest, out);
}

void services_forget(struct services *self, const char *key)
{
	pthread_mutex_lock(&self->mutex);
	free(cox_map_remove(&self->triggers, key, strlen(key)));
	pthread_mutex_unlock(&self->mutex);
}
