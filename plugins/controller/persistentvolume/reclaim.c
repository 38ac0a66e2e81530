/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a volume without its claim, by its policy: Retain keeps it
 * as it is, Delete removes the storage and the volume, Recycle empties it in a
 * pod and makes it Available again.
 *
 * A pod that has emptied a volume is deleted before the volume is given free.
 * A crash between the two costs a second emptying; the other way round a later
 * claim's data would be taken for removed.
 */
#include "persistentvolume.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/pods.h>
#include <coxswain/kit/quantity.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/text.h>
#include <coxswain/kit/time.h>
#include <errno.h>
#include <string.h>

#define POD_PREFIX "recycler-for-"
#define KIND "PersistentVolume"
#define SECOND UINT64_C(1000000000)

/* Removes what is there, with names that begin with a dot, and looks whether it did. */
#define SCRIPT                                                                                     \
	"cd /scrub && find . -mindepth 1 -maxdepth 1 -exec rm -rf {} +; left=$(ls -A .) && "       \
	"test -z \"$left\""

enum { NAME_MAX_LENGTH = 253 };

static const struct cox_resource volume_kind = {"", "v1", "persistentvolumes"};
static const struct cox_resource pod_kind = {"", "v1", "pods"};
static const uint64_t retry_after = 60 * SECOND, look_again = 10 * SECOND;

/* It could not be: told once, and tried again later. */
static int give_up(struct binder *binder, const struct cox_call *call,
		   const struct cox_object *volume, const char *reason, const char *why,
		   uint64_t *again_ns, struct cox_error *err)
{
	if (write_volume_phase(binder, call, volume, "Failed", why, err))
		return -1;
	binder->cluster->event(binder->cluster->context, volume, "Warning", reason, "%s", why);
	*again_ns = retry_after;
	return 0;
}

static int take_first(void *to, const struct cox_object *pod)
{
	const struct cox_object **first = to;

	*first = pod;
	return 1;
}

/* A pod that has not ended yet still has the claim's volume. */
static bool is_in_use(struct binder *binder, const struct cox_object *volume)
{
	const struct cox_objects *objects = binder->objects;
	const struct cox_value *ref = objects->get(objects->root(volume), "spec.claimRef");
	const struct cox_object *first = NULL;
	const struct cox_object_sink sink = {take_first, &first};
	cox_autobuf key = COX_BUF_INIT;

	cox_buf_printf(&key, "%s/%s", objects->text(ref, "namespace"), objects->text(ref, "name"));
	binder->cluster->find(binder->pods, "uses", key.data, &sink);
	return first != NULL;
}

/* ---- Delete ---- */

static int delete_volume(struct binder *binder, const struct cox_call *call,
			 const struct cox_object *volume, uint64_t *again_ns, struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	const char *path = objects->text(objects->root(volume), "spec.hostPath.path");
	const struct cox_place place = {&volume_kind, NULL, objects->name(volume), NULL};
	const struct cox_delete how = {.uid = objects->uid(volume), .grace = -1};
	cox_autobuf why = COX_BUF_INIT;

	if (*cox_annotation(objects, volume, COX_PROVISIONED_BY))
		return 0; /* whoever made it removes it */
	if (!*path)
		cox_buf_printf(
			&why,
			"error getting deleter volume plugin for volume \"%s\": no deletable "
			"volume plugin matched",
			objects->name(volume));
	else if (!remove_is_allowed(path))
		cox_buf_printf(&why,
			       "host_path deleter only supports /tmp/.+ but received provided %s",
			       path);
	else if (remove_below_tmp(path))
		cox_buf_printf(&why, "remove %s: %s", path, strerror(errno));
	if (why.size)
		return give_up(binder, call, volume, "VolumeFailedDelete", why.data, again_ns, err);
	if (!cox_deleting(objects, volume) && cox_delete(binder->cluster, call, &place, &how, err))
		return cox_failed_so(binder->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
	return 0;
}

/* ---- Recycle ---- */

const char *reclaim_volume_of(const struct cox_objects *objects, const struct cox_object *pod)
{
	const struct cox_value *owner = cox_owner_controller(objects, pod);

	if (!cox_starts_with(objects->name(pod), POD_PREFIX) ||
	    strcmp(objects->text(owner, "kind"), KIND) != 0)
		return NULL;
	return objects->text(owner, "name");
}

/* The longer for a larger volume. */
static int64_t time_for(const struct binder *binder, const struct cox_object *volume,
			enum recycled kind)
{
	const char *text =
		binder->objects->text(binder->objects->root(volume), "spec.capacity.storage");
	int64_t gib = 0, more;
	struct cox_quantity size;

	if (*text && !cox_quantity_parse(text, strlen(text), &size, NULL))
		gib = cox_quantity_units(&size) >> 30;
	if (__builtin_mul_overflow(gib, binder->increment[kind], &more) ||
	    __builtin_add_overflow(more, binder->timeout[kind], &more))
		more = INT64_MAX;
	/* What a pod may have at the most. */
	return more < 1 ? 1 : more > INT32_MAX ? INT32_MAX : more;
}

static void write_container(const struct binder *binder, struct cox_json *json)
{
	cox_json_array(json, "containers");
	cox_json_object(json, NULL);
	cox_json_text(json, "name", "recycler");
	cox_json_text(json, "image", binder->image);
	cox_json_text(json, "imagePullPolicy", "IfNotPresent");
	cox_json_array(json, "command");
	cox_json_text(json, NULL, "/bin/sh");
	cox_json_text(json, NULL, "-c");
	cox_json_text(json, NULL, SCRIPT);
	cox_json_end(json);
	cox_json_array(json, "volumeMounts");
	cox_json_object(json, NULL);
	cox_json_text(json, "name", "scrub");
	cox_json_text(json, "mountPath", "/scrub");
	cox_json_end(json);
	cox_json_end(json);
	cox_json_end(json);
	cox_json_end(json);
}

/* Where the volume can be reached. */
static void write_affinity(const struct binder *binder, struct cox_json *json,
			   const struct cox_object *volume)
{
	const struct cox_value *nodes =
		binder->objects->get(binder->objects->root(volume), "spec.nodeAffinity.required");

	if (!nodes)
		return;
	cox_json_object(json, "affinity");
	cox_json_object(json, "nodeAffinity");
	cox_json_value(json, "requiredDuringSchedulingIgnoredDuringExecution", binder->objects,
		       nodes);
	cox_json_end(json);
	cox_json_end(json);
}

static void write_pod(const struct binder *binder, const struct cox_object *volume,
		      const char *name, enum recycled kind, struct cox_buf *body)
{
	static const char *const sources[RECYCLED_KINDS] = {"hostPath", "nfs"};
	const struct cox_objects *objects = binder->objects;
	const struct cox_value *spec = objects->get(objects->root(volume), "spec");
	struct cox_json json = COX_JSON_INIT(body);

	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", "Pod");
	cox_json_text(&json, "apiVersion", "v1");
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "name", name);
	cox_json_text(&json, "namespace", binder->room);
	cox_json_array(&json, "ownerReferences");
	cox_owner_write(&json, objects, "v1", KIND, volume);
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_object(&json, "spec");
	cox_json_text(&json, "restartPolicy", "Never");
	cox_json_int(&json, "activeDeadlineSeconds", time_for(binder, volume, kind));
	cox_json_bool(&json, "automountServiceAccountToken", false);
	write_affinity(binder, &json, volume);
	write_container(binder, &json);
	cox_json_array(&json, "volumes");
	cox_json_object(&json, NULL);
	cox_json_text(&json, "name", "scrub");
	cox_json_value(&json, sources[kind], objects, objects->get(spec, sources[kind]));
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_end(&json);
}

static int make_pod(struct binder *binder, const struct cox_call *call,
		    const struct cox_object *volume, const char *name, enum recycled kind,
		    struct cox_error *err)
{
	const struct cox_place place = {&pod_kind, binder->room, NULL, NULL};
	cox_autobuf body = COX_BUF_INIT;

	write_pod(binder, volume, name, kind, &body);
	if (!cox_write(binder->cluster, call, COX_CREATE, &place, &body, NULL, err) ||
	    cox_failed_so(binder->cluster, COX_REASON_ALREADY_EXISTS, err))
		return 0;
	return -1;
}

static int delete_pod(struct binder *binder, const struct cox_call *call,
		      const struct cox_object *pod, struct cox_error *err)
{
	const struct cox_place place = {&pod_kind, binder->room, binder->objects->name(pod), NULL};
	const struct cox_delete how = {.uid = binder->objects->uid(pod), .grace = 0};

	if (cox_delete(binder->cluster, call, &place, &how, err))
		return cox_failed_so(binder->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
	return 0;
}

/* The pod is there: what has it come to? Its changes bring the volume back here. */
static int follow_pod(struct binder *binder, const struct cox_call *call,
		      const struct cox_object *volume, const struct cox_object *pod,
		      uint64_t *again_ns, struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	const char *phase = objects->text(objects->root(pod), "status.phase");
	const char *why = objects->text(objects->root(pod), "status.message");
	cox_autobuf text = COX_BUF_INIT;

	if (cox_deleting(objects, pod))
		return 0;
	if (!cox_owner_by_uid(objects, pod, objects->uid(volume)))
		return delete_pod(binder, call, pod, err); /* of an earlier volume of the name */
	if (!strcmp(phase, "Succeeded")) {
		if (delete_pod(binder, call, pod, err) ||
		    write_unclaimed(binder, call, volume, err))
			return -1;
		binder->cluster->event(binder->cluster->context, volume, "Normal", "VolumeRecycled",
				       "Volume recycled");
		return 0;
	}
	if (strcmp(phase, "Failed") != 0)
		return 0;
	cox_buf_printf(&text, "Recycle failed: %s",
		       *why ? why : "the pod that empties the volume has failed");
	return delete_pod(binder, call, pod, err)
		       ? -1
		       : give_up(binder, call, volume, "VolumeFailedRecycle", text.data, again_ns,
				 err);
}

/* The time that a volume has failed already is not over. */
static bool has_failed_lately(struct binder *binder, const struct cox_object *volume,
			      uint64_t *again_ns)
{
	const struct cox_value *status =
		binder->objects->get(binder->objects->root(volume), "status");
	uint64_t since, now = binder->host->realtime_ns();

	if (strcmp(binder->objects->text(status, "phase"), "Failed") != 0 ||
	    cox_parse_time(binder->objects->text(status, "lastPhaseTransitionTime"), &since) ||
	    now < since || now - since >= retry_after)
		return false;
	*again_ns = retry_after - (now - since);
	return true;
}

static int recycle(struct binder *binder, const struct cox_call *call,
		   const struct cox_object *volume, uint64_t *again_ns, struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	const struct cox_value *spec = objects->get(objects->root(volume), "spec");
	enum recycled kind = objects->get(spec, "nfs") ? RECYCLED_NFS : RECYCLED_HOSTPATH;
	struct cox_object *pod = NULL;
	cox_autobuf name = COX_BUF_INIT;
	struct cox_place place = {&pod_kind, binder->room, NULL, NULL};
	int failed = 0;

	if (!objects->get(spec, "nfs") && !objects->get(spec, "hostPath"))
		return give_up(binder, call, volume, "VolumeFailedRecycle",
			       "no volume plugin can recycle this volume", again_ns, err);
	cox_buf_printf(&name, POD_PREFIX "%s",
		       strlen(POD_PREFIX) + strlen(objects->name(volume)) > NAME_MAX_LENGTH
			       ? objects->uid(volume)
			       : objects->name(volume));
	place.name = name.data;
	if (cox_get(binder->cluster, call, &place, &pod, err)) {
		pod = NULL;
		if (!cox_failed_so(binder->cluster, COX_REASON_NOT_FOUND, err))
			return -1;
	}
	if (pod)
		failed = follow_pod(binder, call, volume, pod, again_ns, err);
	else if (!has_failed_lately(binder, volume, again_ns))
		failed = make_pod(binder, call, volume, name.data, kind, err);
	objects->unref(pod);
	return failed;
}

/*
 * The volume may have been given free, and even bound again, since the lister
 * saw it: the data is another claim's then.
 */
static int is_outdated(struct binder *binder, const struct cox_call *call,
		       const struct cox_object *volume, bool *outdated, struct cox_error *err)
{
	const struct cox_objects *objects = binder->objects;
	const struct cox_place place = {&volume_kind, NULL, objects->name(volume), NULL};
	struct cox_object *now = NULL;

	*outdated = true; /* its change comes, and brings us here */
	if (cox_get(binder->cluster, call, &place, &now, err))
		return cox_failed_so(binder->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
	*outdated = strcmp(objects->revision(now), objects->revision(volume)) != 0;
	objects->unref(now);
	return 0;
}

int reclaim(struct binder *binder, const struct cox_call *call, const struct cox_object *volume,
	    uint64_t *again_ns, struct cox_error *err)
{
	const char *policy = binder->objects->text(binder->objects->root(volume),
						   "spec.persistentVolumeReclaimPolicy");
	bool recycles = !strcmp(policy, "Recycle"), outdated;

	if (!recycles && strcmp(policy, "Delete") != 0)
		return 0; /* Retain: somebody looks after it */
	if (is_in_use(binder, volume)) {
		*again_ns = look_again;
		return 0;
	}
	if (is_outdated(binder, call, volume, &outdated, err))
		return -1;
	if (outdated)
		return 0;
	return recycles ? recycle(binder, call, volume, again_ns, err)
			: delete_volume(binder, call, volume, again_ns, err);
}
