/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes: what state each is in. Pending when it is new, Available while it
 * is nobody's, Bound while its claim is there, Released afterwards. A volume
 * is released only when the server itself says that the claim is gone, as
 * what follows may be the end of the data.
 */
#include "persistentvolume.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/request.h>
#include <stdlib.h>
#include <string.h>

static const struct cox_resource claim_kind = {"", "v1", "persistentvolumeclaims"};

/* ---- given away a moment ago ---- */

bool volumes_is_taken(struct binder *binder, const struct cox_object *volume)
{
	const char *name = binder->objects->name(volume), *revision;

	cox_lock_scope(&binder->mutex);
	revision = cox_map_get(&binder->taken, name, strlen(name));
	return revision && !strcmp(revision, binder->objects->revision(volume));
}

bool volumes_take(struct binder *binder, const struct cox_object *volume)
{
	const char *name = binder->objects->name(volume);
	const char *revision;

	cox_lock_scope(&binder->mutex);
	revision = cox_map_get(&binder->taken, name, strlen(name));
	if (revision && !strcmp(revision, binder->objects->revision(volume)))
		return false;
	free(cox_map_put(&binder->taken, name, strlen(name),
			 cox_strdup(binder->objects->revision(volume))));
	return true;
}

static void forget_taken(struct binder *binder, const char *name, const char *but)
{
	const char *revision;

	cox_lock_scope(&binder->mutex);
	revision = cox_map_get(&binder->taken, name, strlen(name));
	if (revision && (!but || strcmp(revision, but) != 0))
		free(cox_map_remove(&binder->taken, name, strlen(name)));
}

void volumes_give_back(struct binder *binder, const struct cox_object *volume)
{
	cox_autobuf key = COX_BUF_INIT;

	forget_taken(binder, binder->objects->name(volume), NULL);
	/* Others have passed it by meanwhile. */
	cox_buf_printf(&key, VOLUME_KEY "%s", binder->objects->name(volume));
	binder->setup->enqueue(binder->setup->builder, CLAIM_QUEUE, key.data, 0);
}

/* ---- one volume ---- */

/*
 * The claim that the volume is for, with its uid; NULL: the server has none.
 * The lister is believed when it shows the claim, not when it lacks it.
 */
static int get_claim(struct binder *binder, const struct cox_call *call,
		     const struct cox_object *volume, struct cox_object **claim,
		     struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	const struct cox_value *ref = objects->get(objects->root(volume), "spec.claimRef");
	const struct cox_place place = {&claim_kind, objects->text(ref, "namespace"),
					objects->text(ref, "name"), NULL};

	*claim = binder->cluster->get(binder->claims, place.namespace_name, place.name);
	if (*claim && cox_volume_is_claimed_by(objects, volume, *claim))
		return 0;
	objects->unref(*claim);
	*claim = NULL;
	if (cox_get(binder->cluster, call, &place, claim, err)) {
		*claim = NULL;
		return cox_failed_so(binder->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
	}
	if (cox_volume_is_claimed_by(objects, volume, *claim))
		return 0;
	objects->unref(*claim); /* another one of the same name */
	*claim = NULL;
	return 0;
}

static int release(struct binder *binder, const struct cox_call *call,
		   const struct cox_object *volume, uint64_t *again_ns, struct cox_error *err)
{
	const char *phase = binder->objects->text(binder->objects->root(volume), "status.phase");

	/* The change comes back as one to reclaim. */
	if (strcmp(phase, "Released") != 0 && strcmp(phase, "Failed") != 0)
		return write_volume_phase(binder, call, volume, "Released", NULL, err);
	return reclaim(binder, call, volume, again_ns, err);
}

/* Its claim has taken another volume. */
static int misses_claim(struct binder *binder, const struct cox_call *call,
			const struct cox_object *volume, uint64_t *again_ns, struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	const char *policy =
		objects->text(objects->root(volume), "spec.persistentVolumeReclaimPolicy");

	/* It was made for this claim alone. */
	if (*cox_annotation(objects, volume, COX_PROVISIONED_BY) && !strcmp(policy, "Delete"))
		return release(binder, call, volume, again_ns, err);
	return write_unclaimed(binder, call, volume, err);
}

static int sync_volume(struct binder *binder, const struct cox_call *call,
		       const struct cox_object *volume, uint64_t *again_ns, struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	const struct cox_value *ref = objects->get(objects->root(volume), "spec.claimRef");
	struct cox_object *claim = NULL;
	const char *name;
	int failed = 0;

	forget_taken(binder, objects->name(volume), objects->revision(volume));
	if (!ref || !*objects->text(ref, "uid"))
		return write_volume_phase(binder, call, volume, "Available", NULL, err);
	if (get_claim(binder, call, volume, &claim, err))
		return -1;
	name = claim ? objects->text(objects->root(claim), "spec.volumeName") : "";
	if (!claim)
		failed = release(binder, call, volume, again_ns, err);
	else if (!strcmp(name, objects->name(volume)))
		failed = write_volume_phase(binder, call, volume, "Bound", NULL, err);
	else if (*name)
		failed = misses_claim(binder, call, volume, again_ns, err);
	/* Else the claim is about to get it. */
	objects->unref(claim);
	return failed;
}

/* ---- keys ---- */

static int enqueue(void *to, const struct cox_object *volume)
{
	struct binder *binder = to;

	binder->setup->enqueue(binder->setup->builder, VOLUME_QUEUE, binder->objects->name(volume),
			       0);
	return 0;
}

int volumes_reconcile(struct binder *binder, const struct cox_call *call, const char *key,
		      uint64_t *again_ns, struct cox_error *err)
{
	const struct cox_object_sink sink = {enqueue, binder};
	cox_autobuf value = COX_BUF_INIT;
	struct cox_object *volume;
	int failed;

	if (strchr(key, '/')) {
		cox_buf_printf(&value, OF_CLAIM "%s", key);
		binder->cluster->find(binder->volumes, "is", value.data, &sink);
		return 0;
	}
	volume = binder->cluster->get(binder->volumes, NULL, key);
	if (!volume) {
		forget_taken(binder, key, NULL);
		return 0;
	}
	failed = sync_volume(binder, call, volume, again_ns, err);
	binder->objects->unref(volume);
	return failed;
}
