/* SPDX-License-Identifier: Apache-2.0 */
/* The binder as a plugin: its sources, keys and options. */
#include "persistentvolume.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/pods.h>
#include <coxswain/kit/text.h>
#include <stdlib.h>
#include <string.h>

static const struct cox_resource volume_kind = {"", "v1", "persistentvolumes"};
static const struct cox_resource claim_kind = {"", "v1", "persistentvolumeclaims"};
static const struct cox_resource class_kind = {"storage.k8s.io", "v1", "storageclasses"};
static const struct cox_resource node_kind = {"", "v1", "nodes"};
static const struct cox_resource pod_kind = {"", "v1", "pods"};

/* ---- indexes ---- */

static void emit(const struct cox_keys *values, const char *of, const char *name)
{
	cox_autobuf value = COX_BUF_INIT;

	cox_buf_printf(&value, "%s%s", of, name);
	values->emit(values, value.data);
}

static void volume_is(const struct cox_objects *objects, const struct cox_object *volume,
		      const struct cox_keys *values)
{
	const struct cox_value *ref = objects->get(objects->root(volume), "spec.claimRef");
	cox_autobuf value = COX_BUF_INIT;

	if (!ref) {
		emit(values, OF_CLASS, cox_storage_class(objects, volume));
		return;
	}
	cox_buf_printf(&value, OF_CLAIM "%s/%s", objects->text(ref, "namespace"),
		       objects->text(ref, "name"));
	values->emit(values, value.data);
}

static void claim_is(const struct cox_objects *objects, const struct cox_object *claim,
		     const struct cox_keys *values)
{
	const char *volume = objects->text(objects->root(claim), "spec.volumeName");

	if (*volume)
		emit(values, OF_VOLUME, volume);
	else
		emit(values, OF_CLASS, cox_storage_class(objects, claim));
}

/* What a pod recycles is no claim. */
static void pod_uses(const struct cox_objects *objects, const struct cox_object *pod,
		     const struct cox_keys *values)
{
	if (!cox_pod_ended(objects, pod))
		cox_pod_claim_keys(objects, pod, values);
}

/* ---- keys ---- */

static void enqueue(const struct binder *binder, const char *queue, const char *of,
		    const char *name)
{
	cox_autobuf key = COX_BUF_INIT;

	cox_buf_printf(&key, "%s%s", of, name);
	binder->setup->enqueue(binder->setup->builder, queue, key.data, 0);
}

/* Told once more, though it has not changed. */
static bool is_repeat(const struct binder *binder, const struct cox_object *old,
		      const struct cox_object *now)
{
	return old && now &&
	       !strcmp(binder->objects->revision(old), binder->objects->revision(now)) &&
	       !strcmp(binder->objects->uid(old), binder->objects->uid(now));
}

/* A claim, and the volumes that are its own or were. */
static void claim_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
		       const struct cox_keys *keys)
{
	const struct binder *binder = instance;
	const struct cox_objects *objects = binder->objects;
	const struct cox_object *claim = now ? now : old;
	cox_autobuf key = COX_BUF_INIT;
	const char *volume;

	if (is_repeat(binder, old, now) && cox_claim_is_bound(objects, now) &&
	    !strcmp(objects->text(objects->root(now), "status.phase"), "Bound"))
		return;
	cox_buf_printf(&key, "%s/%s", objects->namespace_of(claim), objects->name(claim));
	keys->emit(keys, key.data);
	if (is_repeat(binder, old, now))
		return;
	enqueue(binder, VOLUME_QUEUE, "", key.data);
	volume = objects->text(objects->root(claim), "spec.volumeName");
	if (*volume)
		enqueue(binder, VOLUME_QUEUE, "", volume);
}

/* A volume, the claim that it is for, and claims that may want it. */
static void volume_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
			const struct cox_keys *keys)
{
	const struct binder *binder = instance;
	const struct cox_objects *objects = binder->objects;
	const struct cox_object *sides[2] = {old, now};
	const char *name = objects->name(now ? now : old);
	const char *phase = now ? objects->text(objects->root(now), "status.phase") : "";

	if (is_repeat(binder, old, now) && (!strcmp(phase, "Available") || !strcmp(phase, "Bound")))
		return;
	keys->emit(keys, name);
	if (is_repeat(binder, old, now))
		return;
	enqueue(binder, CLAIM_QUEUE, VOLUME_KEY, name);
	for (size_t i = 0; i < 2; i++) {
		const struct cox_value *ref =
			sides[i] ? objects->get(objects->root(sides[i]), "spec.claimRef") : NULL;
		cox_autobuf key = COX_BUF_INIT;

		if (!ref)
			continue;
		cox_buf_printf(&key, "%s/%s", objects->text(ref, "namespace"),
			       objects->text(ref, "name"));
		enqueue(binder, CLAIM_QUEUE, "", key.data);
	}
}

static void class_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
		       const struct cox_keys *keys)
{
	const struct binder *binder = instance;

	emit(keys, CLASS_KEY, binder->objects->name(now ? now : old));
}

/* Pods that empty volumes, and those that have just left one. */
static void pod_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
		     const struct cox_keys *keys)
{
	const struct cox_objects *objects = ((const struct binder *)instance)->objects;
	const char *volume = reclaim_volume_of(objects, now ? now : old);

	if (volume)
		keys->emit(keys, volume);
	if (old && !cox_pod_ended(objects, old) && (!now || cox_pod_ended(objects, now)))
		cox_pod_claim_keys(objects, old, keys);
}

/* ---- the plugin ---- */

static int binder_reconcile(void *instance, const struct cox_call *call, const char *queue,
			    const char *key, uint64_t *again_ns, struct cox_error *err)
{
	struct binder *binder = instance;

	return !strcmp(queue, CLAIM_QUEUE) ? claims_reconcile(binder, call, key, err)
					   : volumes_reconcile(binder, call, key, again_ns, err);
}

static int binder_setup(void *instance, const struct cox_controller_setup *setup,
			struct cox_error *err)
{
	static const struct cox_index of_volumes[] = {{"is", volume_is}, {NULL, NULL}};
	static const struct cox_index of_claims[] = {{"is", claim_is}, {NULL, NULL}};
	static const struct cox_index of_pods[] = {{"uses", pod_uses}, {NULL, NULL}};
	struct binder *binder = instance;
	const struct {
		struct cox_lister **lister;
		struct cox_source source;
	} sources[] = {
		{&binder->nodes, {.resource = &node_kind}},
		{&binder->classes,
		 {.resource = &class_kind, .queue = CLAIM_QUEUE, .keys = class_keys}},
		{&binder->pods,
		 {.resource = &pod_kind,
		  .indexes = of_pods,
		  .queue = VOLUME_QUEUE,
		  .keys = pod_keys}},
		{&binder->volumes,
		 {.resource = &volume_kind,
		  .indexes = of_volumes,
		  .queue = VOLUME_QUEUE,
		  .keys = volume_keys,
		  .resync_ns = binder->resync}},
		{&binder->claims,
		 {.resource = &claim_kind,
		  .indexes = of_claims,
		  .queue = CLAIM_QUEUE,
		  .keys = claim_keys,
		  .resync_ns = binder->resync}},
	};

	binder->setup = setup;
	binder->cluster = setup->cluster;
	binder->objects = setup->cluster->objects;
	if (setup->queue(setup->builder, CLAIM_QUEUE, (uint32_t)binder->workers, err) ||
	    setup->queue(setup->builder, VOLUME_QUEUE, (uint32_t)binder->workers, err))
		return -1;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		struct cox_source source = sources[i].source;

		source.struct_size = sizeof(source);
		*sources[i].lister = setup->source(setup->builder, &source, err);
		if (!*sources[i].lister)
			return -1;
	}
	return 0;
}

static void *binder_create(const struct cox_host *host, struct cox_error *err)
{
	struct binder *binder = cox_new(struct binder);

	(void)err;
	binder->host = host;
	pthread_mutex_init(&binder->mutex, NULL);
	return binder;
}

/* The option's place, if it is a number; `low` and `high`: what is possible. */
static int64_t *number_option(struct binder *binder, const char *key, int64_t *low, int64_t *high)
{
	const struct {
		const char *name;
		int64_t *value;
		int64_t low, high;
	} numbers[] = {
		{"workers", &binder->workers, 1, 64},
		{"recycler-timeout-hostpath", &binder->timeout[RECYCLED_HOSTPATH], 1, INT32_MAX},
		{"recycler-increment-hostpath", &binder->increment[RECYCLED_HOSTPATH], 0,
		 INT32_MAX},
		{"recycler-timeout-nfs", &binder->timeout[RECYCLED_NFS], 1, INT32_MAX},
		{"recycler-increment-nfs", &binder->increment[RECYCLED_NFS], 0, INT32_MAX},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (!strcmp(numbers[i].name, key)) {
			*low = numbers[i].low;
			*high = numbers[i].high;
			return numbers[i].value;
		}
	}
	return NULL;
}

static int binder_config(void *instance, const char *key, const char *value, struct cox_error *err)
{
	struct binder *binder = instance;
	int64_t low = 0, high = 0, *number = number_option(binder, key, &low, &high), period;
	char **text = !strcmp(key, "recycler-image") ? &binder->image : &binder->room;

	if (number) {
		if (cox_parse_int(value, low, high, number))
			return binder->host->fail(err, COX_REASON_INVALID, "%s: %s is not possible",
						  key, value);
		return 0;
	}
	if (!strcmp(key, "resync")) {
		if (cox_parse_int(value, 0, INT64_MAX, &period))
			return binder->host->fail(err, COX_REASON_INVALID,
						  "resync: %s is not possible", value);
		binder->resync = (uint64_t)period;
		return 0;
	}
	if (!*value)
		return binder->host->fail(err, COX_REASON_INVALID, "%s: nothing is not possible",
					  key);
	free(*text);
	*text = cox_strdup(value);
	return 0;
}

static void binder_destroy(void *instance)
{
	struct binder *binder = instance;
	void *revision;

	for (size_t at = 0; cox_map_next(&binder->taken, &at, NULL, NULL, &revision);)
		free(revision);
	cox_map_free(&binder->taken);
	pthread_mutex_destroy(&binder->mutex);
	free(binder->image);
	free(binder->room);
	free(binder);
}

static const struct cox_option binder_options[] = {
	{"workers", "4", "claims, and volumes, worked on at a time", COX_OPT_INT, 0},
	{"resync", "10s", "time between looks at what is not bound yet", COX_OPT_DURATION, 0},
	{"recycler-image", "busybox", "image of the pods that empty volumes", COX_OPT_STRING, 0},
	{"recycler-namespace", "default", "namespace of the pods that empty volumes",
	 COX_OPT_STRING, 0},
	{"recycler-timeout-hostpath", "60", "seconds that emptying a hostPath volume may take",
	 COX_OPT_INT, 0},
	{"recycler-increment-hostpath", "30", "seconds more for each GiB of it", COX_OPT_INT, 0},
	{"recycler-timeout-nfs", "300", "seconds that emptying an NFS volume may take", COX_OPT_INT,
	 0},
	{"recycler-increment-nfs", "30", "seconds more for each GiB of it", COX_OPT_INT, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_controller_ops binder_ops = {
	.setup = binder_setup,
	.reconcile = binder_reconcile,
};

COX_CONTROLLER_PLUGIN(binder_ops, .name = "persistentvolume", .version = "1",
		      .description = "Binds claims to volumes, and reclaims volumes",
		      .thread_model = COX_THREADS_PARALLEL, .options = binder_options,
		      .create = binder_create, .config = binder_config, .destroy = binder_destroy);
