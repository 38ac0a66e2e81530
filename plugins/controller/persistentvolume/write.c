/* SPDX-License-Identifier: Apache-2.0 */
/* What the binder writes. Each is a patch of one revision of one object. */
#include "persistentvolume.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/time.h>
#include <string.h>

static const struct cox_resource volume_kind = {"", "v1", "persistentvolumes"};
static const struct cox_resource claim_kind = {"", "v1", "persistentvolumeclaims"};

/* Opens {"metadata":{… and leaves it open, for annotations. */
static void begin(struct binder *binder, struct cox_json *json, const struct cox_object *object)
{
	cox_json_object(json, NULL);
	cox_json_object(json, "metadata");
	cox_json_text(json, "uid", binder->objects->uid(object));
	cox_json_text(json, "resourceVersion", binder->objects->revision(object));
}

static int patch(struct binder *binder, const struct cox_call *call,
		 const struct cox_resource *kind, const struct cox_object *object,
		 const char *subresource, const struct cox_buf *body, struct cox_object **after,
		 struct cox_error *err)
{
	const char *room = binder->objects->namespace_of(object);
	const struct cox_place place = {kind, *room ? room : NULL, binder->objects->name(object),
					subresource};

	return cox_write(binder->cluster, call, COX_PATCH_MERGE, &place, body, after, err);
}

/* ---- volumes ---- */

int write_claim_ref(struct binder *binder, const struct cox_call *call,
		    const struct cox_object *volume, const struct cox_object *claim,
		    struct cox_object **after, struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	const struct cox_value *ref = objects->get(objects->root(volume), "spec.claimRef");
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);

	if (ref && !strcmp(objects->text(ref, "uid"), objects->uid(claim))) {
		*after = objects->ref(volume);
		return 0;
	}
	begin(binder, &json, volume);
	if (!ref) {
		cox_json_object(&json, "annotations");
		cox_json_text(&json, COX_BOUND_BY_CONTROLLER, "yes");
		cox_json_end(&json);
	}
	cox_json_end(&json);
	cox_json_object(&json, "spec");
	cox_claim_ref_write(&json, objects, claim);
	cox_json_end(&json);
	cox_json_end(&json);
	return patch(binder, call, &volume_kind, volume, NULL, &body, after, err);
}

int write_unclaimed(struct binder *binder, const struct cox_call *call,
		    const struct cox_object *volume, struct cox_error *err)
{
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);
	bool ours = *cox_annotation(binder->objects, volume, COX_BOUND_BY_CONTROLLER);

	begin(binder, &json, volume);
	if (ours) {
		cox_json_object(&json, "annotations");
		cox_json_null(&json, COX_BOUND_BY_CONTROLLER);
		cox_json_end(&json);
	}
	cox_json_end(&json);
	cox_json_object(&json, "spec");
	if (ours) {
		cox_json_null(&json, "claimRef");
	} else {
		cox_json_object(&json, "claimRef");
		cox_json_null(&json, "uid");
		cox_json_null(&json, "resourceVersion");
		cox_json_end(&json);
	}
	cox_json_end(&json);
	cox_json_end(&json);
	return patch(binder, call, &volume_kind, volume, NULL, &body, NULL, err);
}

int write_volume_phase(struct binder *binder, const struct cox_call *call,
		       const struct cox_object *volume, const char *phase, const char *message,
		       struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	const struct cox_value *status = objects->get(objects->root(volume), "status");
	bool same_phase = !strcmp(objects->text(status, "phase"), phase);
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);
	char now[COX_TIME_SIZE];

	if (same_phase && !strcmp(objects->text(status, "message"), message ? message : ""))
		return 0;
	begin(binder, &json, volume);
	cox_json_end(&json);
	cox_json_object(&json, "status");
	cox_json_text(&json, "phase", phase);
	cox_json_text(&json, "message", message);
	if (!same_phase) {
		cox_format_time(binder->host->realtime_ns(), now);
		cox_json_text(&json, "lastPhaseTransitionTime", now);
	}
	cox_json_end(&json);
	cox_json_end(&json);
	return patch(binder, call, &volume_kind, volume, "status", &body, NULL, err);
}

/* ---- claims ---- */

int write_claim_volume(struct binder *binder, const struct cox_call *call,
		       const struct cox_object *claim, const struct cox_object *volume,
		       struct cox_object **after, struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	bool named = *objects->text(objects->root(claim), "spec.volumeName") != '\0';
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);

	if (cox_claim_is_bound(objects, claim)) {
		*after = objects->ref(claim);
		return 0;
	}
	begin(binder, &json, claim);
	cox_json_object(&json, "annotations");
	cox_json_text(&json, COX_BIND_COMPLETED, "yes");
	if (!named)
		cox_json_text(&json, COX_BOUND_BY_CONTROLLER, "yes");
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_object(&json, "spec");
	cox_json_text(&json, "volumeName", objects->name(volume));
	cox_json_end(&json);
	cox_json_end(&json);
	return patch(binder, call, &claim_kind, claim, NULL, &body, after, err);
}

int write_claim_bound(struct binder *binder, const struct cox_call *call,
		      const struct cox_object *claim, const struct cox_object *volume,
		      struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	const struct cox_value *status = objects->get(objects->root(claim), "status");
	const struct cox_value *has = objects->get(objects->root(volume), "spec");
	const struct cox_value *modes = objects->get(has, "accessModes");
	const struct cox_value *attributes = objects->get(has, "volumeAttributesClassName");
	bool bound = !strcmp(objects->text(status, "phase"), "Bound");
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);

	/* Who grows a claim writes its capacity from here on. */
	if (bound && objects->get(status, "capacity.storage") &&
	    objects->equal(modes, objects->get(status, "accessModes")))
		return 0;
	begin(binder, &json, claim);
	cox_json_end(&json);
	cox_json_object(&json, "status");
	cox_json_text(&json, "phase", "Bound");
	cox_json_value(&json, "accessModes", objects, modes);
	if (!bound || !objects->get(status, "capacity.storage"))
		cox_json_value(&json, "capacity", objects, objects->get(has, "capacity"));
	cox_json_value(&json, "currentVolumeAttributesClassName", objects, attributes);
	cox_json_end(&json);
	cox_json_end(&json);
	return patch(binder, call, &claim_kind, claim, "status", &body, NULL, err);
}

int write_claim_phase(struct binder *binder, const struct cox_call *call,
		      const struct cox_object *claim, const char *phase, struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	const struct cox_value *status = objects->get(objects->root(claim), "status");
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);

	if (!strcmp(objects->text(status, "phase"), phase))
		return 0;
	begin(binder, &json, claim);
	cox_json_end(&json);
	cox_json_object(&json, "status");
	cox_json_text(&json, "phase", phase);
	cox_json_null(&json, "accessModes");
	cox_json_null(&json, "capacity");
	cox_json_end(&json);
	cox_json_end(&json);
	return patch(binder, call, &claim_kind, claim, "status", &body, NULL, err);
}

int write_claim_provisioner(struct binder *binder, const struct cox_call *call,
			    const struct cox_object *claim, const char *provisioner,
			    struct cox_error *err)
{
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);

	if (!strcmp(cox_annotation(binder->objects, claim, COX_STORAGE_PROVISIONER), provisioner))
		return 0;
	begin(binder, &json, claim);
	cox_json_object(&json, "annotations");
	cox_json_text(&json, COX_STORAGE_PROVISIONER, provisioner);
	/* Provisioners of some years ago look for it here. */
	cox_json_text(&json, "volume.beta.kubernetes.io/storage-provisioner", provisioner);
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_end(&json);
	return patch(binder, call, &claim_kind, claim, NULL, &body, NULL, err);
}
