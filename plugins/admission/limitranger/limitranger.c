/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LimitRanger: gives containers the default requests and limits of the limit
 * ranges of their namespace, and refuses what lies outside of them. Everything
 * that is wrong is told at once.
 */
#include "limits.h"
#include "lookup.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <string.h>

#define ANNOTATION_PATH "/metadata/annotations/kubernetes.io~1limit-ranger"

struct ranger {
	const struct cox_host *host;
	const struct cox_objects *objects;
	struct lookup ranges;
};

/* Both kinds of containers, in the order in which defaults are told. */
static const struct container_list {
	const char *member, *told;
} container_lists[] = {{"containers", "container"}, {"initContainers", "init container"}};

enum { CONTAINER_LISTS = sizeof(container_lists) / sizeof(container_lists[0]) };

static void *ranger_create(const struct cox_host *host, struct cox_error *err)
{
	struct ranger *self = cox_new(struct ranger);

	(void)err;
	self->host = host;
	return self;
}

static int ranger_setup(void *me, const struct cox_cluster *cluster, struct cox_error *err)
{
	struct ranger *self = me;

	self->objects = cluster->objects;
	return lookup_open(&self->ranges, self->host, cluster, "limitranges", err);
}

static int ranger_ready(void *me)
{
	const struct ranger *self = me;

	return lookup_is_ready(&self->ranges);
}

static void ranger_stop(void *me)
{
	struct ranger *self = me;

	lookup_close(&self->ranges);
}

static void ranger_destroy(void *me)
{
	struct ranger *self = me;

	lookup_close(&self->ranges);
	free(self);
}

static bool is_pod(const struct cox_admission_request *request)
{
	return strcmp(request->resource, "pods") == 0;
}

/* What containers ask for is fixed when a pod is created, or changed by a resize. */
static int ranger_handles(void *me, const struct cox_admission_request *request)
{
	bool create = request->operation == COX_OPERATION_CREATE;
	bool update = request->operation == COX_OPERATION_UPDATE;

	(void)me;
	if (*request->group || !*request->namespace_)
		return 0;
	if (is_pod(request))
		return (create && !*request->subresource) ||
		       (update && strcmp(request->subresource, "resize") == 0);
	return (create || update) && !*request->subresource &&
	       strcmp(request->resource, "persistentvolumeclaims") == 0;
}

/* Defaults */

/* What the ranges of a namespace give to containers. */
struct defaults {
	struct amounts requests, limits;
};

static void defaults_free(struct defaults *defaults)
{
	amounts_free(&defaults->requests);
	amounts_free(&defaults->limits);
}

/* Adds what is not there yet: the first range that says something counts. */
static void merge(struct amounts *into, const struct cox_objects *objects,
		  const struct cox_value *list)
{
	amounts_auto more = AMOUNTS_INIT;

	amounts_read(&more, objects, list);
	for (size_t i = 0; i < more.list.count; i++)
		if (!amounts_get(into, more.list.items[i].name))
			amounts_set(into, more.list.items[i].name, &more.list.items[i].quantity);
}

static void read_defaults(const struct ranger *self, const struct lookup_list *ranges,
			  struct defaults *defaults)
{
	const struct cox_objects *objects = self->objects;

	for (size_t r = 0; r < ranges->count; r++) {
		const struct cox_value *limits =
			objects->get(objects->root(ranges->items[r]), "spec.limits");
		const struct cox_value *item;

		for (size_t i = 0; (item = objects->at(limits, i, NULL)); i++) {
			if (strcmp(objects->text(item, "type"), "Container") != 0)
				continue;
			merge(&defaults->limits, objects, objects->get(item, "default"));
			merge(&defaults->requests, objects, objects->get(item, "defaultRequest"));
		}
	}
}

/* What of `defaults` a container lacks joins its `own`; the names go into `set`. */
static void complete(struct amounts *own, const struct amounts *defaults, struct cox_buf *set)
{
	for (size_t i = 0; i < defaults->list.count; i++) {
		const struct amount *amount = &defaults->list.items[i];

		if (amounts_get(own, amount->name))
			continue;
		cox_buf_printf(set, "%s%s", set->size ? ", " : "", amount->name);
		amounts_set(own, amount->name, &amount->quantity);
	}
}

static void write_amounts(struct cox_json *json, const char *key, const struct amounts *amounts)
{
	if (!amounts->list.count)
		return;
	cox_json_object(json, key);
	for (size_t i = 0; i < amounts->list.count; i++) {
		char text[COX_QUANTITY_TEXT_MAX];

		cox_quantity_format(&amounts->list.items[i].quantity, text);
		cox_json_text(json, amounts->list.items[i].name, text);
	}
	cox_json_end(json);
}

/* `resources` of a container with other amounts; what else it has stays. */
static void write_resources(const struct cox_objects *objects, const struct cox_value *resources,
			    const struct amounts *requests, const struct amounts *limits,
			    struct cox_buf *out)
{
	struct cox_json json = COX_JSON_INIT(out);
	const struct cox_writer writer = {cox_buf_sink, out};
	const struct cox_value *value;
	const char *key;

	cox_json_object(&json, NULL);
	for (size_t i = 0; (value = objects->at(resources, i, &key)); i++) {
		if (strcmp(key, "requests") == 0 || strcmp(key, "limits") == 0)
			continue;
		cox_json_key(&json, key);
		objects->write(value, &writer);
	}
	write_amounts(&json, "limits", limits);
	write_amounts(&json, "requests", requests);
	cox_json_end(&json);
}

static void note(struct cox_buf *notes, const struct cox_buf *set, const char *what,
		 const char *told, const char *name)
{
	if (set->size)
		cox_buf_printf(notes, "%s%s %s for %s %s", notes->size ? "; " : "", set->data, what,
			       told, name);
}

static int complete_container(const struct ranger *self, const struct cox_value *container,
			      const struct container_list *list, size_t index,
			      const struct defaults *defaults, struct cox_buf *notes,
			      const struct cox_admission_changes *changes, struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *resources = objects->get(container, "resources");
	amounts_auto requests = AMOUNTS_INIT;
	amounts_auto limits = AMOUNTS_INIT;
	cox_autobuf set_requests = COX_BUF_INIT;
	cox_autobuf set_limits = COX_BUF_INIT;
	cox_autobuf path = COX_BUF_INIT;
	cox_autobuf json = COX_BUF_INIT;
	const char *name = objects->text(container, "name");

	amounts_read(&requests, objects, objects->get(resources, "requests"));
	amounts_read(&limits, objects, objects->get(resources, "limits"));
	complete(&requests, &defaults->requests, &set_requests);
	complete(&limits, &defaults->limits, &set_limits);
	if (!set_requests.size && !set_limits.size)
		return 0;
	note(notes, &set_requests, "request", list->told, name);
	note(notes, &set_limits, "limit", list->told, name);
	write_resources(objects, resources, &requests, &limits, &json);
	cox_buf_printf(&path, "/spec/%s/%zu/resources", list->member, index);
	return changes->set(changes, path.data, json.data, err);
}

/* The pod says what it was given. */
static int annotate(const struct ranger *self, const struct cox_value *pod,
		    const struct cox_buf *notes, const struct cox_admission_changes *changes,
		    struct cox_error *err)
{
	const struct cox_value *annotations = self->objects->get(pod, "metadata.annotations");
	cox_autobuf text = COX_BUF_INIT;
	cox_autobuf value = COX_BUF_INIT;

	cox_buf_printf(&text, "LimitRanger plugin set: %s", notes->data);
	cox_buf_json_string(&value, text.data, text.size);
	if (self->objects->kind(annotations) != COX_VALUE_MAP &&
	    changes->set(changes, "/metadata/annotations", "{}", err) != 0)
		return -1;
	return changes->set(changes, ANNOTATION_PATH, value.data, err);
}

static int ranger_admit(void *me, const struct cox_call *call,
			const struct cox_admission_request *request,
			const struct cox_admission_changes *changes, struct cox_error *err)
{
	const struct ranger *self = me;
	const struct cox_objects *objects = self->objects;
	lookup_auto_list ranges = LOOKUP_LIST_INIT;
	struct defaults defaults
		__attribute__((cleanup(defaults_free))) = {AMOUNTS_INIT, AMOUNTS_INIT};
	cox_autobuf notes = COX_BUF_INIT;
	const struct cox_value *pod, *container;

	if (!is_pod(request) || *request->subresource)
		return 0;
	if (lookup_all(&self->ranges, call, request->namespace_, &ranges, err) != 0)
		return -1;
	read_defaults(self, &ranges, &defaults);
	pod = objects->root(request->object);
	for (size_t l = 0; l < CONTAINER_LISTS; l++) {
		const struct cox_value *list =
			objects->get(objects->get(pod, "spec"), container_lists[l].member);

		for (size_t i = 0; (container = objects->at(list, i, NULL)); i++)
			if (complete_container(self, container, &container_lists[l], i, &defaults,
					       &notes, changes, err) != 0)
				return -1;
	}
	return notes.size ? annotate(self, pod, &notes, changes, err) : 0;
}

/* Limits */

static void check_container(const struct ranger *self, const struct cox_value *item,
			    const struct cox_value *container, struct limit_problems *problems)
{
	const struct cox_objects *objects = self->objects;
	amounts_auto requests = AMOUNTS_INIT;
	amounts_auto limits = AMOUNTS_INIT;

	amounts_read(&requests, objects, objects->get(container, "resources.requests"));
	amounts_read(&limits, objects, objects->get(container, "resources.limits"));
	limits_check(objects, item, "Container", &requests, &limits, problems);
}

static void check_pod(const struct ranger *self, const struct cox_value *item,
		      const struct cox_value *spec, struct limit_problems *problems)
{
	const struct cox_objects *objects = self->objects;
	const char *type = objects->text(item, "type");
	amounts_auto requests = AMOUNTS_INIT;
	amounts_auto limits = AMOUNTS_INIT;
	const struct cox_value *container;

	if (strcmp(type, "Container") == 0)
		for (size_t l = 0; l < CONTAINER_LISTS; l++) {
			const struct cox_value *list =
				objects->get(spec, container_lists[l].member);

			for (size_t i = 0; (container = objects->at(list, i, NULL)); i++)
				check_container(self, item, container, problems);
		}
	if (strcmp(type, "Pod") != 0)
		return;
	amounts_of_pod(&requests, objects, spec, "requests");
	amounts_of_pod(&limits, objects, spec, "limits");
	limits_check(objects, item, type, &requests, &limits, problems);
}

static void check_claim(const struct ranger *self, const struct cox_value *item,
			const struct cox_value *spec, struct limit_problems *problems)
{
	const struct cox_objects *objects = self->objects;
	const char *type = objects->text(item, "type");
	amounts_auto requests = AMOUNTS_INIT;

	if (strcmp(type, "PersistentVolumeClaim") != 0)
		return;
	amounts_read(&requests, objects, objects->get(spec, "resources.requests"));
	limits_check(objects, item, type, &requests, NULL, problems);
}

static int ranger_validate(void *me, const struct cox_call *call,
			   const struct cox_admission_request *request,
			   const struct cox_admission_changes *changes, struct cox_error *err)
{
	const struct ranger *self = me;
	const struct cox_objects *objects = self->objects;
	const struct cox_value *root = objects->root(request->object), *item;
	struct limit_problems problems __attribute__((cleanup(limit_problems_free))) =
		LIMIT_PROBLEMS_INIT;
	lookup_auto_list ranges = LOOKUP_LIST_INIT;
	cox_autobuf text = COX_BUF_INIT;

	(void)changes;
	/* What is on its way out may go, whatever the limits are now. */
	if (request->operation == COX_OPERATION_UPDATE &&
	    *objects->text(root, "metadata.deletionTimestamp"))
		return 0;
	if (lookup_all(&self->ranges, call, request->namespace_, &ranges, err) != 0)
		return -1;
	for (size_t r = 0; r < ranges.count; r++) {
		const struct cox_value *limits =
			objects->get(objects->root(ranges.items[r]), "spec.limits");

		for (size_t i = 0; (item = objects->at(limits, i, NULL)); i++)
			(is_pod(request) ? check_pod : check_claim)(
				self, item, objects->get(root, "spec"), &problems);
	}
	if (!problems.texts.count)
		return 0;
	limit_problems_print(&problems, &text);
	return self->host->fail(err, COX_REASON_FORBIDDEN, "%s", text.data);
}

static const struct cox_admission_ops ranger_ops = {
	.setup = ranger_setup,
	.ready = ranger_ready,
	.handles = ranger_handles,
	.admit = ranger_admit,
	.validate = ranger_validate,
};

COX_ADMISSION_PLUGIN(ranger_ops, .name = "LimitRanger", .version = COX_RELEASE,
		     .description = "gives containers default amounts and keeps pods within limits",
		     .thread_model = COX_THREADS_PARALLEL, .create = ranger_create,
		     .stop = ranger_stop, .destroy = ranger_destroy);
