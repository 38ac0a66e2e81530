/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quota controller: counts what the objects of a namespace use and writes
 * it into the status of its quotas. Admission adds what is created; what is
 * freed, and what was missed, is found here: a deletion wakes the quotas of
 * its namespace, and all are counted again from time to time.
 *
 * What an object uses and which quota it falls under is the code of the
 * admission plugin, so that the two can never disagree.
 */
#include "../../admission/resourcequota/resourcequota.h"

#include <coxswain/admission.h>
#include <coxswain/controller.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/pods.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE "resourcequotas"
#define COUNT "count/"

enum { WORKERS = 5, VERSION_SIZE = 64 };

static const struct cox_resource quotas_resource = {"", "v1", "resourcequotas"};

/* What is watched and counted from listers. */
static const struct cox_resource counted[] = {
	{"", "v1", "pods"},
	{"", "v1", "services"},
	{"", "v1", "secrets"},
	{"", "v1", "configmaps"},
	{"", "v1", "resourcequotas"},
	{"", "v1", "replicationcontrollers"},
	{"", "v1", "persistentvolumeclaims"},
};

enum { COUNTED = sizeof(counted) / sizeof(counted[0]) };

struct quota_counter {
	const struct cox_host *host;
	const struct cox_cluster *cluster;
	const struct cox_objects *objects;
	struct cox_lister *quota_lister;
	struct cox_lister *listers[COUNTED];
	uint64_t resync;
};

/* One count of one kind for one quota. */
struct tally {
	const struct quota_counter *self;
	const struct cox_admission_request *kind;
	const struct cox_value *quota;
	struct amounts *used;
};

/* ---- counting ---- */

static void tally_object(const struct tally *tally, const struct cox_value *root)
{
	const struct cox_objects *objects = tally->self->objects;
	amounts_auto usage = AMOUNTS_INIT;

	if (!scope_matches(objects, tally->kind, tally->quota, root))
		return;
	usage_of(objects, tally->kind, root, tally->self->host->realtime_ns(), &usage);
	amounts_add_all(tally->used, &usage);
}

static int tally_listed(void *to, const struct cox_object *object)
{
	const struct tally *tally = to;

	tally_object(tally, tally->self->objects->root(object));
	return 0;
}

static bool concerns(const struct amounts *hard, const struct cox_admission_request *kind)
{
	for (size_t i = 0; i < hard->list.count; i++) {
		if (usage_concerns(kind, hard->list.items[i].name))
			return true;
	}
	return false;
}

static struct cox_admission_request kind_request(const struct cox_resource *resource,
						 const char *namespace_name)
{
	return (struct cox_admission_request){.struct_size = sizeof(struct cox_admission_request),
					      .operation = COX_OPERATION_CREATE,
					      .group = resource->group,
					      .version = resource->version,
					      .resource = resource->resource,
					      .subresource = "",
					      .kind = "",
					      .namespace_ = namespace_name,
					      .name = ""};
}

static bool is_counted(const char *resource)
{
	for (size_t i = 0; i < COUNTED; i++) {
		if (!strcmp(counted[i].resource, resource))
			return true;
	}
	return false;
}

/* The version in which the server prefers the group; "": it does not have the group. */
static int preferred_version(const struct quota_counter *self, const struct cox_call *call,
			     const char *group, char version[VERSION_SIZE], struct cox_error *err)
{
	struct cox_object *document = NULL;
	cox_autobuf path = COX_BUF_INIT;

	*version = '\0';
	cox_buf_printf(&path, "/apis/%s", group);
	if (cox_get_path(self->cluster, call, path.data, &document, err))
		return cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
	snprintf(version, VERSION_SIZE, "%s",
		 self->objects->text(self->objects->root(document), "preferredVersion.version"));
	self->objects->unref(document);
	return 0;
}

/* NULL without an error: there is no such kind. */
static struct cox_object *list_asked(const struct quota_counter *self, const struct cox_call *call,
				     struct cox_resource resource, const char *namespace_name,
				     struct cox_error *err)
{
	struct cox_request request = {.struct_size = sizeof(request),
				      .verb = COX_LIST,
				      .resource = &resource,
				      .namespace_name = namespace_name};
	struct cox_object *list = NULL;
	char version[VERSION_SIZE];

	if (!self->cluster->request(self->cluster->context, call, &request, &list, err) ||
	    !cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) || !*resource.group ||
	    preferred_version(self, call, resource.group, version, err))
		return list;
	/* Most kinds are v1 and cost one request; some groups do not have that (yet). */
	if (!*version || !strcmp(version, resource.version))
		return NULL;
	resource.version = version;
	if (self->cluster->request(self->cluster->context, call, &request, &list, err))
		cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err);
	return list;
}

/* count/RESOURCE.GROUP of a kind that is not watched: asked from the server. */
static int count_asked(const struct quota_counter *self, const struct cox_call *call,
		       const char *name, const char *namespace_name, const struct cox_value *quota,
		       struct amounts *used, struct cox_error *err)
{
	const char *dot = strchr(name, '.');
	cox_autofree char *plural = dot ? cox_strndup(name + sizeof(COUNT) - 1,
						      (size_t)(dot - name) - (sizeof(COUNT) - 1))
					: cox_strdup(name + sizeof(COUNT) - 1);
	const struct cox_resource resource = {dot ? dot + 1 : "", "v1", plural};
	const struct cox_admission_request kind = kind_request(&resource, namespace_name);
	const struct tally tally = {self, &kind, quota, used};
	const struct cox_value *items, *item;
	struct cox_object *list;

	if (!dot && is_counted(plural))
		return 0;
	list = list_asked(self, call, resource, namespace_name, err);
	if (!list)
		return self->cluster->reason(err) ? -1 : 0;
	items = self->objects->get(self->objects->root(list), "items");
	for (size_t i = 0; (item = self->objects->at(items, i, NULL)); i++)
		tally_object(&tally, item);
	self->objects->unref(list);
	return 0;
}

static int count_all(const struct quota_counter *self, const struct cox_call *call,
		     const struct cox_object *quota, const struct amounts *hard,
		     struct amounts *used, struct cox_error *err)
{
	const char *namespace_name = self->objects->namespace_of(quota);
	const struct cox_value *root = self->objects->root(quota);

	for (size_t i = 0; i < COUNTED; i++) {
		const struct cox_admission_request kind = kind_request(&counted[i], namespace_name);
		struct tally tally = {self, &kind, root, used};
		const struct cox_object_sink sink = {tally_listed, &tally};

		if (concerns(hard, &kind))
			self->cluster->list(self->listers[i], namespace_name, &sink);
	}
	for (size_t i = 0; i < hard->list.count; i++) {
		const char *name = hard->list.items[i].name;

		if (cox_starts_with(name, COUNT) &&
		    count_asked(self, call, name, namespace_name, root, used, err))
			return -1;
	}
	return 0;
}

/* ---- the status ---- */

/* Of what the quota limits: as counted, or 0. */
static void print_used(const struct amounts *hard, const struct amounts *used, struct cox_buf *out)
{
	struct cox_json json = COX_JSON_INIT(out);
	char text[COX_QUANTITY_TEXT_MAX];

	cox_json_object(&json, NULL);
	for (size_t i = 0; i < hard->list.count; i++) {
		const char *name = hard->list.items[i].name;
		const struct cox_quantity *amount = amounts_get(used, name);
		const struct cox_quantity nothing =
			cox_quantity_from_int(0, COX_QUANTITY_DECIMAL_SI);

		cox_quantity_format(amount ? amount : &nothing, text);
		cox_json_text(&json, name, text);
	}
	cox_json_end(&json);
}

static bool status_is(const struct quota_counter *self, const struct cox_object *quota,
		      const struct cox_object *used)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *root = objects->root(quota);

	return objects->equal(objects->get(root, "status.hard"), objects->get(root, "spec.hard")) &&
	       objects->equal(objects->get(root, "status.used"), objects->root(used));
}

static int write_status(const struct quota_counter *self, const struct cox_call *call,
			const struct cox_object *quota, const char *used, struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *spec = objects->get(objects->root(quota), "spec");
	const struct cox_place place = {&quotas_resource, objects->namespace_of(quota),
					objects->name(quota), "status"};
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);

	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", "ResourceQuota");
	cox_json_text(&json, "apiVersion", "v1");
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "name", place.name);
	cox_json_text(&json, "namespace", place.namespace_name);
	cox_json_text(&json, "resourceVersion", objects->revision(quota));
	cox_json_end(&json);
	cox_json_value(&json, "spec", objects, spec);
	cox_json_object(&json, "status");
	cox_json_value(&json, "hard", objects, objects->get(spec, "hard"));
	cox_json_raw(&json, "used", used, strlen(used));
	cox_json_end(&json);
	cox_json_end(&json);
	if (!cox_write(self->cluster, call, COX_UPDATE, &place, &body, NULL, err))
		return 0;
	return cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
}

static int count_quota(const struct quota_counter *self, const struct cox_call *call,
		       const struct cox_object *quota, struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	amounts_auto hard = AMOUNTS_INIT;
	amounts_auto used = AMOUNTS_INIT;
	cox_autobuf text = COX_BUF_INIT;
	struct cox_object *wanted;
	int failed = 0;

	amounts_read(&hard, objects, objects->get(objects->root(quota), "spec.hard"));
	if (count_all(self, call, quota, &hard, &used, err))
		return -1;
	print_used(&hard, &used, &text);
	wanted = objects->from_json(text.data, text.size, err);
	if (!wanted)
		return -1;
	if (!status_is(self, quota, wanted))
		failed = write_status(self, call, quota, text.data, err);
	objects->unref(wanted);
	return failed;
}

static int quota_reconcile(void *instance, const struct cox_call *call, const char *queue,
			   const char *key, uint64_t *again_ns, struct cox_error *err)
{
	struct quota_counter *self = instance;
	cox_autokey place = cox_key_split(key);
	struct cox_object *quota =
		self->cluster->get(self->quota_lister, place.namespace_name, place.name);
	int failed = 0;

	(void)queue;
	(void)again_ns;
	if (quota && !cox_deleting(self->objects, quota))
		failed = count_quota(self, call, quota, err);
	self->objects->unref(quota);
	return failed;
}

/* ---- the plugin ---- */

struct emitter {
	const struct cox_objects *objects;
	const struct cox_keys *keys;
};

static int emit_quota(void *to, const struct cox_object *quota)
{
	const struct emitter *emitter = to;
	cox_autobuf key = COX_BUF_INIT;

	cox_buf_printf(&key, "%s/%s", emitter->objects->namespace_of(quota),
		       emitter->objects->name(quota));
	emitter->keys->emit(emitter->keys, key.data);
	return 0;
}

/* The fields of a claim that scopes look at. */
static bool changes_class(const struct cox_objects *objects, const struct cox_object *old,
			  const struct cox_object *now)
{
	static const char *const paths[] = {"spec.volumeAttributesClassName",
					    "status.currentVolumeAttributesClassName",
					    "status.modifyVolumeStatus"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (!objects->equal(objects->get(objects->root(old), paths[i]),
				    objects->get(objects->root(now), paths[i])))
			return true;
	}
	return false;
}

/*
 * Something is free again, or counts elsewhere: it is gone, is a pod that has
 * ended, or a claim of another class.
 */
static bool frees(const struct cox_objects *objects, const struct cox_object *old,
		  const struct cox_object *now)
{
	const char *kind;

	if (!now || !old)
		return !now;
	kind = objects->text(objects->root(now), "kind");
	if (!strcmp(kind, "PersistentVolumeClaim"))
		return changes_class(objects, old, now);
	return !strcmp(kind, "Pod") && cox_pod_ended(objects, now) && !cox_pod_ended(objects, old);
}

static void counted_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
			 const struct cox_keys *keys)
{
	const struct quota_counter *self = instance;
	struct emitter emitter = {self->objects, keys};
	const struct cox_object_sink sink = {emit_quota, &emitter};

	if (frees(self->objects, old, now))
		self->cluster->list(self->quota_lister,
				    self->objects->namespace_of(old ? old : now), &sink);
}

/* A new quota, or other limits; its status is written here and by admission. */
static void quota_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
		       const struct cox_keys *keys)
{
	const struct quota_counter *self = instance;
	const struct cox_objects *objects = self->objects;
	struct emitter emitter = {objects, keys};

	/* The same object is the resync. */
	if (now && (!old || old == now || !strcmp(objects->revision(old), objects->revision(now)) ||
		    !objects->equal(objects->get(objects->root(old), "spec"),
				    objects->get(objects->root(now), "spec"))))
		emit_quota(&emitter, now);
}

static int quota_setup(void *instance, const struct cox_controller_setup *setup,
		       struct cox_error *err)
{
	struct quota_counter *self = instance;
	const struct cox_source quota_source = {.struct_size = sizeof(quota_source),
						.resource = &quotas_resource,
						.queue = QUEUE,
						.keys = quota_keys,
						.resync_ns = self->resync};

	self->cluster = setup->cluster;
	self->objects = setup->cluster->objects;
	if (setup->queue(setup->builder, QUEUE, WORKERS, err))
		return -1;
	self->quota_lister = setup->source(setup->builder, &quota_source, err);
	if (!self->quota_lister)
		return -1;
	for (size_t i = 0; i < COUNTED; i++) {
		const struct cox_source source = {.struct_size = sizeof(source),
						  .resource = &counted[i],
						  .queue = QUEUE,
						  .keys = counted_keys};

		self->listers[i] = setup->source(setup->builder, &source, err);
		if (!self->listers[i])
			return -1;
	}
	return 0;
}

static void *quota_create(const struct cox_host *host, struct cox_error *err)
{
	struct quota_counter *self = cox_new(struct quota_counter);

	(void)err;
	self->host = host;
	return self;
}

static int quota_config(void *instance, const char *key, const char *value, struct cox_error *err)
{
	struct quota_counter *self = instance;
	int64_t number;

	(void)key; /* the table has one option */
	if (cox_parse_int(value, 0, INT64_MAX, &number))
		return self->host->fail(err, COX_REASON_INVALID, "resync: %s", value);
	self->resync = (uint64_t)number;
	return 0;
}

static void quota_destroy(void *instance)
{
	free(instance);
}

static const struct cox_option quota_options[] = {
	{"resync", "10s", "time between full counts", COX_OPT_DURATION, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_controller_ops quota_ops = {
	.setup = quota_setup,
	.reconcile = quota_reconcile,
};

COX_CONTROLLER_PLUGIN(quota_ops, .name = "resourcequota", .version = "1",
		      .description = "Counts what is used of quotas",
		      .thread_model = COX_THREADS_PARALLEL, .options = quota_options,
		      .create = quota_create, .config = quota_config, .destroy = quota_destroy);
