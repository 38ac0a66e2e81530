/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims: each is given the smallest volume that will do, or keeps the one it
 * has. Binding is four writes, the volume's claimRef first, since that one
 * decides a race; whoever finds them half done goes on from there.
 */
#include "persistentvolume.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/text.h>
#include <string.h>

static const struct cox_resource volume_kind = {"", "v1", "persistentvolumes"};

/* ---- finding ---- */

struct search {
	struct binder *binder;
	const struct cox_object *claim;
	const struct cox_object *node; /* NULL: anywhere */
	struct cox_object *best;       /* a reference */
};

static bool reaches(const struct search *search, const struct cox_object *volume)
{
	return !search->node ||
	       cox_volume_reaches_node(search->binder->objects, volume, search->node);
}

/* One that was set aside for the claim. */
static int see_claimed(void *to, const struct cox_object *volume)
{
	struct search *search = to;
	const struct cox_objects *objects = search->binder->objects;

	if (!cox_volume_is_claimed_by(objects, volume, search->claim) ||
	    cox_deleting(objects, volume) || cox_volume_useless(objects, volume, search->claim) ||
	    !reaches(search, volume))
		return 0;
	search->best = objects->ref(volume);
	return 1;
}

/* The smallest; of equals the first by name, so that it is the same one every time. */
static bool is_better(const struct search *search, const struct cox_object *volume)
{
	const struct cox_objects *objects = search->binder->objects;
	int order = search->best ? cox_volume_compare(objects, volume, search->best) : -1;

	return order < 0 ||
	       (!order && strcmp(objects->name(volume), objects->name(search->best)) < 0);
}

static int see_free(void *to, const struct cox_object *volume)
{
	struct search *search = to;
	const struct cox_objects *objects = search->binder->objects;

	if (!cox_volume_is_free(objects, volume) ||
	    cox_volume_unfit(objects, volume, search->claim) || !is_better(search, volume) ||
	    !reaches(search, volume) || volumes_is_taken(search->binder, volume))
		return 0;
	objects->unref(search->best);
	search->best = objects->ref(volume);
	return 0;
}

/* A reference, or NULL. */
static struct cox_object *find_volume(struct binder *binder, const struct cox_object *claim,
				      const struct cox_object *node, bool only_claimed)
{
	struct search search = {binder, claim, node, NULL};
	const struct cox_object_sink claimed = {see_claimed, &search};
	const struct cox_object_sink free_ones = {see_free, &search};
	cox_autobuf value = COX_BUF_INIT;

	cox_buf_printf(&value, OF_CLAIM "%s/%s", binder->objects->namespace_of(claim),
		       binder->objects->name(claim));
	binder->cluster->find(binder->volumes, "is", value.data, &claimed);
	if (search.best || only_claimed)
		return search.best;
	cox_buf_clear(&value);
	cox_buf_printf(&value, OF_CLASS "%s", cox_storage_class(binder->objects, claim));
	binder->cluster->find(binder->volumes, "is", value.data, &free_ones);
	return search.best;
}

/* NULL: there is none, as the server says, too. */
static int get_volume(struct binder *binder, const struct cox_call *call, const char *name,
		      struct cox_object **volume, struct cox_error *err)
{
	const struct cox_place place = {&volume_kind, NULL, name, NULL};

	*volume = binder->cluster->get(binder->volumes, NULL, name);
	if (*volume || !cox_get(binder->cluster, call, &place, volume, err))
		return 0;
	*volume = NULL;
	return cox_failed_so(binder->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
}

/* ---- binding ---- */

static int bind(struct binder *binder, const struct cox_call *call, const struct cox_object *claim,
		const struct cox_object *volume, struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	bool is_new = !objects->get(objects->root(volume), "spec.claimRef");
	struct cox_object *volume_now = NULL, *claim_now = NULL;
	int failed;

	if (is_new && !volumes_take(binder, volume))
		return binder->host->fail(err, COX_REASON_CONFLICT,
					  "volume \"%s\" was given to another claim",
					  objects->name(volume));
	failed = write_claim_ref(binder, call, volume, claim, &volume_now, err);
	if (failed && is_new)
		volumes_give_back(binder, volume);
	failed = failed || write_claim_volume(binder, call, claim, volume_now, &claim_now, err) ||
		 write_volume_phase(binder, call, volume_now, "Bound", NULL, err) ||
		 write_claim_bound(binder, call, claim_now, volume_now, err);
	if (!failed)
		binder->host->log_verbose(
			binder->host->context, 2, "claim %s/%s is bound to volume %s",
			objects->namespace_of(claim), objects->name(claim), objects->name(volume));
	objects->unref(volume_now);
	objects->unref(claim_now);
	return failed ? -1 : 0;
}

static int lose(struct binder *binder, const struct cox_call *call, const struct cox_object *claim,
		const char *reason, const char *why, struct cox_error *err)
{
	if (!strcmp(binder->objects->text(binder->objects->root(claim), "status.phase"), "Lost"))
		return 0;
	if (write_claim_phase(binder, call, claim, "Lost", err))
		return -1;
	binder->cluster->event(binder->cluster->context, claim, "Warning", reason, "%s", why);
	return 0;
}

/* ---- a claim that was bound ---- */

static int check_bound(struct binder *binder, const struct cox_call *call,
		       const struct cox_object *claim, struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	const char *name = objects->text(objects->root(claim), "spec.volumeName");
	struct cox_object *volume = NULL;
	int failed;

	if (!*name)
		return lose(binder, call, claim, "ClaimLost",
			    "the bound claim does not name its volume any more; its data is lost",
			    err);
	if (get_volume(binder, call, name, &volume, err))
		return -1;
	if (!volume)
		failed = lose(binder, call, claim, "ClaimLost",
			      "the volume of the bound claim is gone, and its data is lost", err);
	else if (!objects->get(objects->root(volume), "spec.claimRef") ||
		 cox_volume_is_claimed_by(objects, volume, claim))
		failed = bind(binder, call, claim, volume, err);
	else
		failed = lose(binder, call, claim, "ClaimMisbound",
			      "the volume of the claim is bound to another claim", err);
	objects->unref(volume);
	return failed;
}

/* ---- a claim that asks for a volume by its name ---- */

static int wait_for(struct binder *binder, const struct cox_call *call,
		    const struct cox_object *claim, const char *type, const char *reason,
		    const char *why, struct cox_error *err)
{
	binder->cluster->event(binder->cluster->context, claim, type, reason, "%s", why);
	return write_claim_phase(binder, call, claim, "Pending", err);
}

static int bind_named(struct binder *binder, const struct cox_call *call,
		      const struct cox_object *claim, const char *name, struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	struct cox_object *volume = NULL;
	cox_autobuf text = COX_BUF_INIT;
	const char *why;
	int failed;

	if (get_volume(binder, call, name, &volume, err))
		return -1;
	if (!volume) {
		failed = write_claim_phase(binder, call, claim, "Pending", err);
	} else if (objects->get(objects->root(volume), "spec.claimRef")) {
		if (cox_volume_is_claimed_by(objects, volume, claim)) {
			failed = bind(binder, call, claim, volume, err);
		} else {
			cox_buf_printf(&text, "volume \"%s\" is bound to another claim already",
				       name);
			failed = wait_for(binder, call, claim, "Warning", "FailedBinding",
					  text.data, err);
		}
	} else if ((why = cox_volume_unfit(objects, volume, claim))) {
		cox_buf_printf(&text, "Cannot bind to requested volume \"%s\": %s", name, why);
		failed = wait_for(binder, call, claim, "Warning", "VolumeMismatch", text.data, err);
	} else {
		failed = bind(binder, call, claim, volume, err);
	}
	objects->unref(volume);
	return failed;
}

/* ---- a claim that takes what there is ---- */

/* There is no volume for it: who could make one? */
static int ask_for_one(struct binder *binder, const struct cox_call *call,
		       const struct cox_object *claim, const struct cox_object *class,
		       struct cox_error *err)
{
	const char *name = cox_storage_class(binder->objects, claim);
	const char *provisioner = cox_class_provisioner(binder->objects, class);
	cox_autobuf text = COX_BUF_INIT;

	if (!*name)
		return wait_for(binder, call, claim, "Normal", "FailedBinding",
				"no persistent volumes available for this claim and no storage "
				"class is set",
				err);
	if (!class) {
		cox_buf_printf(&text, "storageclass.storage.k8s.io \"%s\" not found", name);
		return wait_for(binder, call, claim, "Warning", "ProvisioningFailed", text.data,
				err);
	}
	if (!*provisioner) {
		cox_buf_printf(&text,
			       "no persistent volumes available for this claim, and nobody makes "
			       "any of storage class \"%s\"",
			       name);
		return wait_for(binder, call, claim, "Normal", "FailedBinding", text.data, err);
	}
	if (write_claim_provisioner(binder, call, claim, provisioner, err))
		return -1;
	binder->cluster->event(binder->cluster->context, claim, "Normal", "ExternalProvisioning",
			       "waiting for a volume to be made by the external provisioner \"%s\" "
			       "or by an administrator",
			       provisioner);
	return 0;
}

static int bind_any(struct binder *binder, const struct cox_call *call,
		    const struct cox_object *claim, struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	const char *class_name = cox_storage_class(objects, claim);
	const char *node_name = cox_annotation(objects, claim, COX_SELECTED_NODE);
	struct cox_object *class =
		*class_name ? binder->cluster->get(binder->classes, NULL, class_name) : NULL;
	bool waits = cox_class_waits(objects, class);
	struct cox_object *node =
		waits && *node_name ? binder->cluster->get(binder->nodes, NULL, node_name) : NULL;
	struct cox_object *volume = find_volume(binder, claim, node, waits && !node);
	int failed;

	if (volume)
		failed = bind(binder, call, claim, volume, err);
	else if (waits && !*node_name)
		failed = wait_for(binder, call, claim, "Normal", "WaitForFirstConsumer",
				  "waiting for first consumer to be created before binding", err);
	else
		failed = ask_for_one(binder, call, claim, class, err);
	objects->unref(volume);
	objects->unref(node);
	objects->unref(class);
	return failed;
}

static int sync_claim(struct binder *binder, const struct cox_call *call,
		      const struct cox_object *claim, struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	const char *name = objects->text(objects->root(claim), "spec.volumeName");

	if (*cox_annotation(objects, claim, COX_BIND_COMPLETED))
		return check_bound(binder, call, claim, err);
	if (cox_deleting(objects, claim))
		return 0; /* not worth a volume any more */
	return *name ? bind_named(binder, call, claim, name, err)
		     : bind_any(binder, call, claim, err);
}

/* ---- keys that stand for many claims ---- */

struct waking {
	struct binder *binder;
	const struct cox_object *volume; /* only those that it will do for; NULL: all */
};

static int wake(void *to, const struct cox_object *claim)
{
	const struct waking *waking = to;
	struct binder *binder = waking->binder;
	const struct cox_objects *objects = binder->objects;
	cox_autobuf key = COX_BUF_INIT;

	if (waking->volume && cox_volume_unfit(objects, waking->volume, claim))
		return 0;
	cox_buf_printf(&key, "%s/%s", objects->namespace_of(claim), objects->name(claim));
	binder->setup->enqueue(binder->setup->builder, CLAIM_QUEUE, key.data, 0);
	return 0;
}

static void wake_all(struct binder *binder, const char *of, const char *name,
		     const struct cox_object *volume)
{
	struct waking waking = {binder, volume};
	const struct cox_object_sink sink = {wake, &waking};
	cox_autobuf value = COX_BUF_INIT;

	cox_buf_printf(&value, "%s%s", of, name);
	binder->cluster->find(binder->claims, "is", value.data, &sink);
}

static void volume_has_changed(struct binder *binder, const char *name)
{
	struct cox_object *volume = binder->cluster->get(binder->volumes, NULL, name);

	wake_all(binder, OF_VOLUME, name, NULL);
	if (volume && cox_volume_is_free(binder->objects, volume))
		wake_all(binder, OF_CLASS, cox_storage_class(binder->objects, volume), volume);
	binder->objects->unref(volume);
}

int claims_reconcile(struct binder *binder, const struct cox_call *call, const char *key,
		     struct cox_error *err)
{
	cox_autokey parts = {NULL, NULL};
	struct cox_object *claim;
	int failed;

	if (cox_starts_with(key, CLASS_KEY)) {
		wake_all(binder, OF_CLASS, key + strlen(CLASS_KEY), NULL);
		return 0;
	}
	if (cox_starts_with(key, VOLUME_KEY)) {
		volume_has_changed(binder, key + strlen(VOLUME_KEY));
		return 0;
	}
	parts = cox_key_split(key);
	claim = binder->cluster->get(binder->claims, parts.namespace_name, parts.name);
	if (!claim)
		return 0;
	failed = sync_claim(binder, call, claim, err);
	binder->objects->unref(claim);
	return failed;
}
