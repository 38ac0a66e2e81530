/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and removing load balancers, what services say about them, and what
 * people are told. The finalizer is on the service before the cloud is asked
 * for anything, and goes last, so that no load balancer outlives its service.
 */
#include "service.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/request.h>
#include <string.h>

static const struct cox_resource services_resource = {"", "v1", "services"};

/* ---- services ---- */

static const struct cox_value *spec_of(const struct cox_objects *objects,
				       const struct cox_object *service)
{
	return objects->get(objects->root(service), "spec");
}

bool service_wants(const struct cox_objects *objects, const struct cox_object *service)
{
	const struct cox_value *spec = spec_of(objects, service);

	return !strcmp(objects->text(spec, "type"), "LoadBalancer") &&
	       !*objects->text(spec, "loadBalancerClass");
}

bool service_is_finalized(const struct cox_objects *objects, const struct cox_object *service)
{
	return cox_has_finalizer(objects, service, SERVICE_FINALIZER);
}

/* Whether it asks the cloud for what it asked last. */
static bool asks_the_same(const struct pass *pass, const struct known *known,
			  const struct cox_object *service)
{
	return known->wish == service_wish(pass->self->objects, service);
}

static const struct cox_value *ingress_of(const struct cox_objects *objects,
					  const struct cox_object *service)
{
	const struct cox_value *list =
		objects->get(objects->root(service), "status.loadBalancer.ingress");

	return objects->count(list) ? list : NULL;
}

/* What the cloud said, as a reference of the caller's; NULL: nothing yet. */
static struct cox_object *said(const struct services *self, const struct known *known)
{
	return known->ingress.size
		       ? self->objects->from_json(known->ingress.data, known->ingress.size, NULL)
		       : NULL;
}

static const struct cox_value *ingress_in(const struct services *self,
					  const struct cox_object *answer)
{
	const struct cox_value *list = self->objects->get(self->objects->root(answer), "ingress");

	return self->objects->count(list) ? list : NULL;
}

/* Whether the status of the service is what the cloud said. */
static bool shows(const struct services *self, const struct cox_object *service,
		  const struct known *known)
{
	struct cox_object *answer = said(self, known);
	bool same = self->objects->equal(ingress_of(self->objects, service),
					 ingress_in(self, answer)) ||
		    (!ingress_of(self->objects, service) && !ingress_in(self, answer));

	self->objects->unref(answer);
	return same;
}

/* ---- writing ---- */

static int patch(struct pass *pass, const struct cox_object *service, const char *subresource,
		 const struct cox_buf *body, struct cox_object **answer, struct cox_error *err)
{
	const struct cox_objects *objects = pass->self->objects;
	const struct cox_place place = {&services_resource, objects->namespace_of(service),
					objects->name(service), subresource};

	return cox_write(pass->self->cluster, pass->call, COX_PATCH_MERGE, &place, body, answer,
			 err);
}

/* What every patch begins with: the state that it changes. */
static void begin_patch(const struct services *self, struct cox_json *json,
			const struct cox_object *service)
{
	cox_json_object(json, NULL);
	cox_json_object(json, "metadata");
	cox_json_text(json, "uid", self->objects->uid(service));
	cox_json_text(json, "resourceVersion", self->objects->revision(service));
}

/* Puts the finalizer on or takes it off; `*service` becomes the new state. */
static int finalize(struct pass *pass, struct cox_object **service, bool on, struct cox_error *err)
{
	const struct cox_objects *objects = pass->self->objects;
	const struct cox_value *list = objects->get(objects->root(*service), "metadata.finalizers");
	const struct cox_value *item;
	struct cox_object *answer = NULL;
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);

	begin_patch(pass->self, &json, *service);
	cox_json_array(&json, "finalizers");
	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++) {
		if (strcmp(objects->text(item, ""), SERVICE_FINALIZER) != 0)
			cox_json_value(&json, NULL, objects, item);
	}
	if (on)
		cox_json_text(&json, NULL, SERVICE_FINALIZER);
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_end(&json);
	if (patch(pass, *service, NULL, &body, &answer, err))
		return -1;
	objects->unref(*service);
	*service = answer;
	return 0;
}

/* `ingress` NULL: empties it; `*service` becomes the new state. */
static int write_status(struct pass *pass, struct cox_object **service,
			const struct cox_value *ingress, struct cox_error *err)
{
	const struct cox_objects *objects = pass->self->objects;
	struct cox_object *answer = NULL;
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);

	begin_patch(pass->self, &json, *service);
	cox_json_end(&json);
	cox_json_object(&json, "status");
	cox_json_object(&json, "loadBalancer");
	if (ingress)
		cox_json_value(&json, "ingress", objects, ingress);
	else
		cox_json_null(&json, "ingress");
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_end(&json);
	if (patch(pass, *service, "status", &body, &answer, err))
		return -1;
	objects->unref(*service);
	*service = answer;
	return 0;
}

/* ---- asking the cloud ---- */

struct cox_cloud_balancer balancer_plain(const struct services *self, const char *name,
					 const struct cox_object *service)
{
	return (struct cox_cloud_balancer){.struct_size = sizeof(struct cox_cloud_balancer),
					   .objects = self->objects,
					   .name = name,
					   .cluster = self->cluster_name,
					   .service = service};
}

struct taker {
	struct cox_cloud_ingress_sink sink;
	struct cox_json json;
	struct cox_buf text;
};

static void take_ingress(const struct cox_cloud_ingress_sink *sink,
			 const struct cox_cloud_ingress *ingress)
{
	struct cox_json *json = &((struct taker *)(void *)sink)->json;

	cox_json_object(json, NULL);
	cox_json_text_set(json, "ip", ingress->ip);
	cox_json_text_set(json, "hostname", ingress->hostname);
	if (*ingress->ip)
		cox_json_text_set(json, "ipMode", ingress->ip_mode);
	cox_json_end(json);
}

/* `answer` becomes {"ingress": [...]}. */
static int ask_ensure(struct pass *pass, const struct cox_cloud_balancer *balancer,
		      struct cox_buf *answer, struct cox_error *err)
{
	const struct services *self = pass->self;
	struct taker taker = {.sink = {sizeof(taker.sink), 0, take_ingress}};
	int failed;

	taker.json.out = &taker.text;
	cox_json_object(&taker.json, NULL);
	cox_json_array(&taker.json, "ingress");
	failed = self->cloud->ops->balancer_ensure(self->cloud->self, pass->call, balancer,
						   &taker.sink, err);
	cox_json_end(&taker.json);
	cox_json_end(&taker.json);
	if (!failed) {
		cox_buf_clear(answer);
		cox_buf_add(answer, taker.text.data, taker.text.size);
	}
	cox_buf_free(&taker.text);
	return failed;
}

/* Whether it exists; -1: nobody can say. */
static int ask_exists(struct pass *pass, const struct cox_cloud_balancer *balancer,
		      struct cox_error *err)
{
	const struct services *self = pass->self;
	struct taker taker = {.sink = {sizeof(taker.sink), 0, take_ingress}};
	int failed;

	taker.json.out = &taker.text;
	cox_json_array(&taker.json, NULL);
	failed = self->cloud->ops->balancer_get(self->cloud->self, pass->call, balancer,
						&taker.sink, err);
	cox_buf_free(&taker.text);
	if (!failed)
		return 1;
	return cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
}

/*
 * The cloud could not do it: people are told, and it is tried again, later each
 * time. A daemon that stops has nothing to tell.
 */
static int try_later(struct pass *pass, struct known *known, const struct cox_object *service,
		     const char *what, struct cox_error *err)
{
	struct services *self = pass->self;
	const char *why;

	if (self->host->cancelled(pass->call))
		return -1;
	why = self->cluster->message(err);
	self->host->log(self->host->context, COX_LOG_WARNING, "%s: %s: %s", pass->key, what, why);
	self->cluster->event(self->cluster->context, service, "Warning", "SyncLoadBalancerFailed",
			     "Error syncing load balancer: %s: %s", what, why);
	self->cluster->error_clear(err);
	*pass->again = known_failed(&self->known, known, self->host->monotonic_ns());
	return 0;
}

static void tell(struct pass *pass, const struct cox_object *service, const char *reason,
		 const char *text)
{
	pass->self->cluster->event(pass->self->cluster->context, service, "Normal", reason, "%s",
				   text);
}

/* ---- making ---- */

/* What has to be done for a service that is to have a load balancer. */
enum need { NEED_NOTHING, NEED_STATUS, NEED_NODES, NEED_ALL };

static bool is_due(const struct pass *pass, const struct known *known)
{
	uint64_t period = pass->self->resync_ns;

	return period && pass->now - known->ensured_ns >= period;
}

static enum need find_need(const struct pass *pass, const struct known *known,
			   const struct cox_object *service, uint64_t nodes)
{
	const struct services *self = pass->self;

	if (!known->ingress.size || known->failures || is_due(pass, known) ||
	    !asks_the_same(pass, known, service) || !service_is_finalized(self->objects, service))
		return NEED_ALL;
	if (known->nodes != nodes)
		return NEED_NODES;
	return shows(self, service, known) ? NEED_NOTHING : NEED_STATUS;
}

static int make_all(struct pass *pass, struct known *known, struct cox_object **service,
		    struct cox_cloud_balancer *balancer, struct cox_error *err)
{
	struct services *self = pass->self;
	const struct cox_objects *objects = self->objects;
	/* After a restart, or when its time has come, all may be well: nothing to tell then. */
	bool is_news =
		!known->failures && (known->ingress.size ? !asks_the_same(pass, known, *service)
							 : !ingress_of(objects, *service));
	bool failed_before = known->failures > 0;

	if (!service_is_finalized(objects, *service) && finalize(pass, service, true, err))
		return -1;
	known_asked(known, objects, *service);
	balancer->service = *service;
	if (is_news)
		tell(pass, *service, "EnsuringLoadBalancer", "Ensuring load balancer");
	if (!balancer->node_count)
		self->cluster->event(self->cluster->context, *service, "Warning",
				     "UnAvailableLoadBalancer",
				     "There are no available nodes for LoadBalancer");
	if (ask_ensure(pass, balancer, &known->ingress, err))
		return try_later(pass, known, *service, "failed to ensure load balancer", err);
	known->ensured_ns = pass->now;
	known_succeeded(&self->known, known);
	if (is_news || failed_before || !shows(self, *service, known))
		tell(pass, *service, "EnsuredLoadBalancer", "Ensured load balancer");
	return 0;
}

static int make_nodes(struct pass *pass, struct known *known, const struct cox_object *service,
		      const struct cox_cloud_balancer *balancer, struct cox_error *err)
{
	const struct services *self = pass->self;

	if (self->cloud->ops->balancer_update(self->cloud->self, pass->call, balancer, err))
		return try_later(pass, known, service,
				 "failed to update the nodes of the load balancer", err);
	tell(pass, service, "UpdatedLoadBalancer", "Updated load balancer with new hosts");
	return 0;
}

/* Writes what the cloud said to the status. */
static int show(struct pass *pass, struct cox_object **service, const struct known *known,
		struct cox_error *err)
{
	const struct services *self = pass->self;
	struct cox_object *answer = said(self, known);
	int failed = write_status(pass, service, ingress_in(self, answer), err);

	self->objects->unref(answer);
	return failed;
}

static int make(struct pass *pass, struct known *known, struct cox_object **service,
		const struct node_list *nodes, struct cox_error *err)
{
	struct services *self = pass->self;
	struct cox_cloud_balancer balancer = balancer_plain(self, known->balancer, *service);
	uint64_t fingerprint = nodes_fingerprint(self->objects, nodes);
	enum need need = find_need(pass, known, *service, fingerprint);
	int failed = 0;

	balancer.nodes = (const struct cox_object *const *)nodes->items;
	balancer.node_count = nodes->count;
	if (need == NEED_ALL)
		failed = make_all(pass, known, service, &balancer, err);
	else if (need == NEED_NODES)
		failed = make_nodes(pass, known, *service, &balancer, err);
	if (failed || known->failures)
		return failed;
	known->nodes = fingerprint;
	if (!shows(self, *service, known) && show(pass, service, known, err))
		return -1;
	if (self->resync_ns)
		*pass->again = known->ensured_ns + self->resync_ns > pass->now
				       ? known->ensured_ns + self->resync_ns - pass->now
				       : 1;
	return 0;
}

/* Whether its next try is still to come; a service that asks for something else need not wait. */
static bool waits(struct pass *pass, const struct known *known, const struct cox_object *service)
{
	uint64_t wait = known_wait(&pass->self->known, known, pass->now);

	if (!wait || !asks_the_same(pass, known, service))
		return false;
	*pass->again = wait;
	return true;
}

int balancer_make(struct pass *pass, const struct cox_object *service, struct cox_error *err)
{
	struct services *self = pass->self;
	struct known *known = known_find(&self->known, pass->key);
	struct cox_object *now = self->objects->ref(service);
	struct node_list nodes = {0};
	int failed = 0;

	if (!known)
		known = known_add(&self->known, pass->key, self->objects, service);
	if (!waits(pass, known, service)) {
		nodes_collect(self->cluster, self->nodes, &nodes);
		failed = make(pass, known, &now, &nodes, err);
	}
	nodes_free(self->objects, &nodes);
	self->objects->unref(now);
	return failed;
}

/* ---- removing ---- */

static void wake(void *context, const char *key)
{
	const struct services *self = context;

	if (self->setup->enqueue(self->setup->builder, SERVICE_QUEUE, key, 0))
		self->host->log_verbose(self->host->context, 4, "%s was not queued", key);
}

/* What one gives back another may be waiting for. */
static void forget(struct pass *pass)
{
	struct services *self = pass->self;

	known_forget(&self->known, pass->key);
	known_retry_all(&self->known, wake, self);
}

/* 1: it is gone, 0: that has to be tried again later, -1: an error. */
static int take_away(struct pass *pass, struct known *known, const struct cox_object *service,
		     struct cox_error *err)
{
	const struct services *self = pass->self;
	const struct cox_cloud_balancer balancer = balancer_plain(self, known->balancer, service);
	int exists = ask_exists(pass, &balancer, err);

	if (exists < 0)
		return try_later(pass, known, service,
				 "failed to check if load balancer exists before cleanup", err);
	if (!exists)
		return 1;
	tell(pass, service, "DeletingLoadBalancer", "Deleting load balancer");
	if (self->cloud->ops->balancer_remove(self->cloud->self, pass->call, &balancer, err))
		return try_later(pass, known, service, "failed to delete load balancer", err);
	tell(pass, service, "DeletedLoadBalancer", "Deleted load balancer");
	return 1;
}

/* A service that is gone meanwhile has nothing to be written to. */
static int write_clean(struct pass *pass, struct cox_object **service, struct cox_error *err)
{
	struct services *self = pass->self;

	if ((!ingress_of(self->objects, *service) || !write_status(pass, service, NULL, err)) &&
	    (!service_is_finalized(self->objects, *service) ||
	     !finalize(pass, service, false, err)))
		return 0;
	return cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
}

int balancer_clean_up(struct pass *pass, const struct cox_object *service, struct cox_error *err)
{
	struct services *self = pass->self;
	struct known *known = known_find(&self->known, pass->key);
	struct cox_object *now = self->objects->ref(service);
	int failed = 0, gone = 0;

	if (!known)
		known = known_add(&self->known, pass->key, self->objects, service);
	if (!waits(pass, known, service)) {
		known_asked(known, self->objects, service);
		gone = take_away(pass, known, service, err);
		failed = gone < 0 ? -1 : 0;
	}
	if (gone > 0) {
		failed = write_clean(pass, &now, err);
		if (!failed)
			forget(pass);
	}
	self->objects->unref(now);
	return failed;
}

int balancer_drop(struct pass *pass, struct known *known, struct cox_error *err)
{
	struct services *self = pass->self;
	struct cox_object *service;
	int gone;

	*pass->again = known_wait(&self->known, known, pass->now);
	if (*pass->again)
		return 0;
	service = self->objects->from_json(known->asked.data, known->asked.size, err);
	if (!service)
		return -1;
	gone = take_away(pass, known, service, err);
	self->objects->unref(service);
	if (gone > 0)
		forget(pass);
	return gone < 0 ? -1 : 0;
}
