/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the claims of generic ephemeral volumes: for every volume of a pod that
 * has a template of a claim, the claim POD-VOLUME, which the pod owns, so that
 * the garbage collector takes it away with the pod.
 */
#include <coxswain/controller.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/claims.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/pods.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/text.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE "pods" /* keys: namespace/name */

static const struct cox_resource pod_kind = {"", "v1", "pods"};
static const struct cox_resource claim_kind = {"", "v1", "persistentvolumeclaims"};

struct ephemeral {
	const struct cox_host *host;
	const struct cox_cluster *cluster;
	const struct cox_objects *objects;
	struct cox_lister *pods; /* indexed "uses": keys of its ephemeral claims */
	struct cox_lister *claims;
	int64_t workers;
};

/* ---- making one ---- */

static void write_claim(const struct ephemeral *self, struct cox_json *json,
			const struct cox_object *pod, const struct cox_value *volume,
			const char *name)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *template = objects->get(volume, "ephemeral.volumeClaimTemplate");

	cox_json_object(json, NULL);
	cox_json_text(json, "kind", "PersistentVolumeClaim");
	cox_json_text(json, "apiVersion", "v1");
	cox_json_object(json, "metadata");
	cox_json_text(json, "name", name);
	cox_json_text(json, "namespace", objects->namespace_of(pod));
	cox_json_value(json, "labels", objects, objects->get(template, "metadata.labels"));
	cox_json_value(json, "annotations", objects,
		       objects->get(template, "metadata.annotations"));
	cox_json_array(json, "ownerReferences");
	cox_owner_write(json, objects, "v1", "Pod", pod);
	cox_json_end(json);
	cox_json_end(json);
	cox_json_value(json, "spec", objects, objects->get(template, "spec"));
	cox_json_end(json);
}

/* One of that name that somebody else made is theirs: the pod has to wait until it goes. */
static void tell_taken(const struct ephemeral *self, const struct cox_object *pod,
		       const struct cox_value *volume, const char *name)
{
	self->cluster->event(self->cluster->context, pod, "Warning", "FailedBinding",
			     "ephemeral volume %s: the claim %s is there already, and was not "
			     "made for this pod; delete it, or rename the pod",
			     self->objects->text(volume, "name"), name);
}

static int make_claim(const struct ephemeral *self, const struct cox_call *call,
		      const struct cox_object *pod, const struct cox_value *volume,
		      const char *name, struct cox_error *err)
{
	const struct cox_place place = {&claim_kind, self->objects->namespace_of(pod), NULL, NULL};
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);

	write_claim(self, &json, pod, volume, name);
	if (cox_write(self->cluster, call, COX_CREATE, &place, &body, NULL, err) == 0)
		return 0;
	/* The lister will tell whose it is. */
	if (cox_failed_so(self->cluster, COX_REASON_ALREADY_EXISTS, err))
		return 0;
	self->cluster->event(self->cluster->context, pod, "Warning", "FailedBinding",
			     "ephemeral volume %s: make the claim %s: %s",
			     self->objects->text(volume, "name"), name,
			     self->cluster->message(err));
	return -1;
}

static int reconcile_volume(const struct ephemeral *self, const struct cox_call *call,
			    const struct cox_object *pod, const struct cox_value *volume,
			    struct cox_error *err)
{
	char room[COX_CLAIM_NAME_SIZE];
	bool is_ephemeral;
	const char *name = cox_pod_claim(self->objects, pod, volume, room, &is_ephemeral);
	struct cox_object *claim;
	int failed = 0;

	if (!is_ephemeral)
		return 0;
	claim = self->cluster->get(self->claims, self->objects->namespace_of(pod), name);
	if (!claim)
		failed = make_claim(self, call, pod, volume, name, err);
	else if (!cox_owner_by_uid(self->objects, claim, self->objects->uid(pod)))
		tell_taken(self, pod, volume, name);
	self->objects->unref(claim);
	return failed;
}

static int ephemeral_reconcile(void *instance, const struct cox_call *call, const char *queue,
			       const char *key, uint64_t *again_ns, struct cox_error *err)
{
	struct ephemeral *self = instance;
	const struct cox_objects *objects = self->objects;
	struct cox_key parts = cox_key_split(key);
	struct cox_object *pod = self->cluster->get(self->pods, parts.namespace_name, parts.name);
	int failed = 0;

	(void)queue;
	(void)again_ns;
	if (pod && !cox_deleting(objects, pod) && !cox_pod_ended(objects, pod)) {
		const struct cox_value *list = objects->get(objects->root(pod), "spec.volumes");
		const struct cox_value *volume;

		for (size_t i = 0; !failed && (volume = objects->at(list, i, NULL)); i++)
			failed = reconcile_volume(self, call, pod, volume, err);
	}
	objects->unref(pod);
	cox_key_free(&parts);
	return failed;
}

/* ---- the plugin ---- */

static void pod_uses(const struct cox_objects *objects, const struct cox_object *pod,
		     const struct cox_keys *values)
{
	cox_pod_claim_keys(objects, pod, values);
}

/* The volumes of a pod never change. */
static void pod_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
		     const struct cox_keys *keys)
{
	const struct cox_objects *objects = ((const struct ephemeral *)instance)->objects;
	cox_autobuf key = COX_BUF_INIT;

	if (!now || (old && !strcmp(objects->uid(old), objects->uid(now))))
		return;
	cox_buf_printf(&key, "%s/%s", objects->namespace_of(now), objects->name(now));
	keys->emit(keys, key.data);
}

struct waiting {
	const struct cox_objects *objects;
	const struct cox_keys *keys;
};

static int emit_pod(void *to, const struct cox_object *pod)
{
	const struct waiting *waiting = to;
	cox_autobuf key = COX_BUF_INIT;

	cox_buf_printf(&key, "%s/%s", waiting->objects->namespace_of(pod),
		       waiting->objects->name(pod));
	waiting->keys->emit(waiting->keys, key.data);
	return 0;
}

/* A claim that comes or goes: pods that want one of this name. */
static void claim_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
		       const struct cox_keys *keys)
{
	const struct ephemeral *self = instance;
	const struct cox_object *claim = now ? now : old;
	struct waiting waiting = {self->objects, keys};
	const struct cox_object_sink sink = {emit_pod, &waiting};
	cox_autobuf key = COX_BUF_INIT;

	if (old && now && !strcmp(self->objects->uid(old), self->objects->uid(now)))
		return;
	cox_buf_printf(&key, "%s/%s", self->objects->namespace_of(claim),
		       self->objects->name(claim));
	self->cluster->find(self->pods, "uses", key.data, &sink);
}

static int ephemeral_setup(void *instance, const struct cox_controller_setup *setup,
			   struct cox_error *err)
{
	static const struct cox_index by_use[] = {{"uses", pod_uses}, {NULL, NULL}};
	const struct cox_source pods = {.struct_size = sizeof(pods),
					.resource = &pod_kind,
					.indexes = by_use,
					.queue = QUEUE,
					.keys = pod_keys};
	const struct cox_source claims = {.struct_size = sizeof(claims),
					  .resource = &claim_kind,
					  .queue = QUEUE,
					  .keys = claim_keys};
	struct ephemeral *self = instance;

	self->cluster = setup->cluster;
	self->objects = setup->cluster->objects;
	if (setup->queue(setup->builder, QUEUE, (uint32_t)self->workers, err))
		return -1;
	self->pods = setup->source(setup->builder, &pods, err);
	self->claims = self->pods ? setup->source(setup->builder, &claims, err) : NULL;
	return self->claims ? 0 : -1;
}

static void *ephemeral_create(const struct cox_host *host, struct cox_error *err)
{
	struct ephemeral *self = cox_new(struct ephemeral);

	(void)err;
	self->host = host;
	return self;
}

static int ephemeral_config(void *instance, const char *key, const char *value,
			    struct cox_error *err)
{
	struct ephemeral *self = instance;

	if (cox_parse_int(value, 1, 64, &self->workers))
		return self->host->fail(err, COX_REASON_INVALID, "%s: %s is not possible", key,
					value);
	return 0;
}

static const struct cox_option ephemeral_options[] = {
	{"workers", "2", "pods worked on at a time", COX_OPT_INT, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_controller_ops ephemeral_ops = {
	.setup = ephemeral_setup,
	.reconcile = ephemeral_reconcile,
};

COX_CONTROLLER_PLUGIN(ephemeral_ops, .name = "ephemeralvolume", .version = "1",
		      .description = "Makes the claims of ephemeral volumes",
		      .thread_model = COX_THREADS_PARALLEL, .options = ephemeral_options,
		      .create = ephemeral_create, .config = ephemeral_config, .destroy = free);
