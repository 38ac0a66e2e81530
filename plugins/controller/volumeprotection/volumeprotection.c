/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps claims and volumes that are used. Each has a finalizer, from the
 * admission plugin StorageObjectInUseProtection or from here; it goes when the
 * object is deleted and no pod uses the claim, or no claim has the volume.
 *
 * A pod uses a claim as long as it is there and has a node: before that, the
 * node refuses it, because the claim is going.
 */
#include <coxswain/controller.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/claims.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/request.h>
#include <stdlib.h>
#include <string.h>

#define CLAIM_QUEUE "claims"   /* keys: namespace/name */
#define VOLUME_QUEUE "volumes" /* keys: names */

static const struct cox_resource pod_kind = {"", "v1", "pods"};
static const struct cox_resource claim_kind = {"", "v1", "persistentvolumeclaims"};
static const struct cox_resource volume_kind = {"", "v1", "persistentvolumes"};

struct protection {
	const struct cox_host *host;
	const struct cox_cluster *cluster;
	const struct cox_objects *objects;
	struct cox_lister *pods; /* indexed "uses": keys of claims */
	struct cox_lister *claims, *volumes;
};

/* ---- who uses a claim ---- */

static bool has_node(const struct cox_objects *objects, const struct cox_object *pod)
{
	return *objects->text(objects->root(pod), "spec.nodeName") != '\0';
}

static void pod_uses(const struct cox_objects *objects, const struct cox_object *pod,
		     const struct cox_keys *values)
{
	if (has_node(objects, pod))
		cox_pod_claim_keys(objects, pod, values);
}

static int note_one(void *to, const struct cox_object *pod)
{
	(void)pod;
	*(bool *)to = true;
	return 1;
}

struct sought {
	struct cox_keys keys; /* first */
	const char *key;
	bool found;
};

static void compare_key(const struct cox_keys *keys, const char *key)
{
	struct sought *sought = (struct sought *)(uintptr_t)keys;

	if (!strcmp(key, sought->key))
		sought->found = true;
}

/* The items of a list that the server answered. */
static int used_by_items(const struct protection *self, const struct cox_object *list,
			 const char *key, bool *used, struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *items = objects->get(objects->root(list), "items"), *item;
	struct sought sought = {.keys = {compare_key}, .key = key};

	for (size_t i = 0; !sought.found && (item = objects->at(items, i, NULL)); i++) {
		cox_autobuf text = COX_BUF_INIT;
		const struct cox_writer writer = {cox_buf_sink, &text};
		struct cox_object *pod;

		objects->write(item, &writer);
		pod = objects->from_json(cox_buf_cstr(&text), text.size, err);
		if (!pod)
			return -1;
		pod_uses(objects, pod, &sought.keys);
		objects->unref(pod);
	}
	*used = sought.found;
	return 0;
}

/* The lister may not have heard yet; the server has the last word. */
static int is_used(const struct protection *self, const struct cox_call *call, const char *key,
		   const char *namespace_name, bool *used, struct cox_error *err)
{
	const struct cox_request request = {.struct_size = sizeof(request),
					    .verb = COX_LIST,
					    .resource = &pod_kind,
					    .namespace_name = namespace_name};
	const struct cox_object_sink sink = {note_one, used};
	struct cox_object *list = NULL;
	int failed;

	*used = false;
	self->cluster->find(self->pods, "uses", key, &sink);
	if (*used)
		return 0;
	failed = self->cluster->request(self->cluster->context, call, &request, &list, err);
	if (!failed)
		failed = used_by_items(self, list, key, used, err);
	self->objects->unref(list);
	return failed;
}

/* ---- the finalizer ---- */

/* Puts it in or takes it out; of this revision only. */
static int write_finalizer(const struct protection *self, const struct cox_call *call,
			   const struct cox_place *place, const struct cox_object *object,
			   const char *finalizer, bool wanted, struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *list = objects->get(objects->root(object), "metadata.finalizers");
	const struct cox_value *item;
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);

	cox_json_object(&json, NULL);
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "uid", objects->uid(object));
	cox_json_text(&json, "resourceVersion", objects->revision(object));
	cox_json_array(&json, "finalizers");
	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++)
		if (strcmp(objects->text(item, ""), finalizer) != 0)
			cox_json_text(&json, NULL, objects->text(item, ""));
	if (wanted)
		cox_json_text(&json, NULL, finalizer);
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_end(&json);
	if (cox_write(self->cluster, call, COX_PATCH_MERGE, place, &body, NULL, err))
		return cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
	self->host->log_verbose(self->host->context, 2, "%s %s %s/%s",
				wanted ? "protected" : "let go", place->resource->resource,
				place->namespace_name ? place->namespace_name : "", place->name);
	return 0;
}

static int reconcile_claim(struct protection *self, const struct cox_call *call, const char *key,
			   struct cox_error *err)
{
	struct cox_key parts = cox_key_split(key);
	const struct cox_place place = {&claim_kind, parts.namespace_name, parts.name, NULL};
	struct cox_object *claim =
		self->cluster->get(self->claims, parts.namespace_name, parts.name);
	int failed = 0;

	if (claim) {
		bool has = cox_has_finalizer(self->objects, claim, COX_CLAIM_PROTECTION);
		bool used = true;

		if (cox_deleting(self->objects, claim) && has)
			failed = is_used(self, call, key, parts.namespace_name, &used, err);
		if (!failed && !used)
			failed = write_finalizer(self, call, &place, claim, COX_CLAIM_PROTECTION,
						 false, err);
		else if (!cox_deleting(self->objects, claim) && !has)
			failed = write_finalizer(self, call, &place, claim, COX_CLAIM_PROTECTION,
						 true, err);
	}
	self->objects->unref(claim);
	cox_key_free(&parts);
	return failed;
}

static int reconcile_volume(struct protection *self, const struct cox_call *call, const char *name,
			    struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_place place = {&volume_kind, NULL, name, NULL};
	struct cox_object *volume = self->cluster->get(self->volumes, NULL, name);
	int failed = 0;

	if (volume) {
		bool has = cox_has_finalizer(objects, volume, COX_VOLUME_PROTECTION);
		bool going = cox_deleting(objects, volume);
		bool bound = !strcmp(objects->text(objects->root(volume), "status.phase"), "Bound");

		if (going ? has && !bound : !has)
			failed = write_finalizer(self, call, &place, volume, COX_VOLUME_PROTECTION,
						 !going, err);
	}
	objects->unref(volume);
	return failed;
}

static int protection_reconcile(void *instance, const struct cox_call *call, const char *queue,
				const char *key, uint64_t *again_ns, struct cox_error *err)
{
	(void)again_ns;
	return !strcmp(queue, CLAIM_QUEUE) ? reconcile_claim(instance, call, key, err)
					   : reconcile_volume(instance, call, key, err);
}

/* ---- the plugin ---- */

/* What a pod used that is gone, or another by now. */
static void pod_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
		     const struct cox_keys *keys)
{
	const struct cox_objects *objects = ((const struct protection *)instance)->objects;

	if (old && (!now || strcmp(objects->uid(old), objects->uid(now)) != 0))
		cox_pod_claim_keys(objects, old, keys);
}

static int protection_setup(void *instance, const struct cox_controller_setup *setup,
			    struct cox_error *err)
{
	static const struct cox_index by_use[] = {{"uses", pod_uses}, {NULL, NULL}};
	const struct cox_source pods = {.struct_size = sizeof(pods),
					.resource = &pod_kind,
					.indexes = by_use,
					.queue = CLAIM_QUEUE,
					.keys = pod_keys};
	const struct cox_source claims = {
		.struct_size = sizeof(claims), .resource = &claim_kind, .queue = CLAIM_QUEUE};
	const struct cox_source volumes = {
		.struct_size = sizeof(volumes), .resource = &volume_kind, .queue = VOLUME_QUEUE};
	struct protection *self = instance;

	self->cluster = setup->cluster;
	self->objects = setup->cluster->objects;
	if (setup->queue(setup->builder, CLAIM_QUEUE, 1, err) ||
	    setup->queue(setup->builder, VOLUME_QUEUE, 1, err))
		return -1;
	self->pods = setup->source(setup->builder, &pods, err);
	self->claims = self->pods ? setup->source(setup->builder, &claims, err) : NULL;
	self->volumes = self->claims ? setup->source(setup->builder, &volumes, err) : NULL;
	return self->volumes ? 0 : -1;
}

static void *protection_create(const struct cox_host *host, struct cox_error *err)
{
	struct protection *self = cox_new(struct protection);

	(void)err;
	self->host = host;
	return self;
}

static const struct cox_controller_ops protection_ops = {
	.setup = protection_setup,
	.reconcile = protection_reconcile,
};

COX_CONTROLLER_PLUGIN(protection_ops, .name = "volumeprotection", .version = "1",
		      .description = "Keeps claims and volumes that are used",
		      .thread_model = COX_THREADS_PARALLEL, .create = protection_create,
		      .destroy = free);
