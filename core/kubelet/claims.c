/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims of pods; see the header. What is set up is remembered, so that a
 * running pod does not depend on the API server to know where its data is.
 */
#include "kubelet/claims.h"

#include "base/clock.h"
#include "kubelet/volumes.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/claims.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/request.h>
#include <string.h>

static const struct cox_objects *const objects = &object_table;

bool claims_is_one(const struct value *source)
{
	return value_get(source, "persistentVolumeClaim") || value_get(source, "ephemeral");
}

void claims_free(struct pod_claim *claim)
{
	free(claim->name);
	free(claim->path);
	free(claim->volume);
	*claim = (struct pod_claim){0};
}

/* ---- what is set up ---- */

void claims_keep(struct kubelet *kubelet, struct pod *pod, struct pod_claim *claim,
		 const char *path)
{
	cox_lock_scope(&kubelet->lock);
	claim->path = cox_strdup(path);
	cox_vec_push(&pod->claims, *claim);
	*claim = (struct pod_claim){0};
}

const struct pod_claim *claims_find(const struct pod *pod, const char *name)
{
	for (size_t i = 0; i < pod->claims.count; i++)
		if (!strcmp(pod->claims.items[i].name, name))
			return &pod->claims.items[i];
	return NULL;
}

void claims_forget(struct kubelet *kubelet, struct pod *pod)
{
	cox_lock_scope(&kubelet->lock);
	for (size_t i = 0; i < pod->claims.count; i++)
		claims_free(&pod->claims.items[i]);
	pod->claims.count = 0;
}

/* Whether another pod here has it; one of them asked to be alone. */
static bool is_with_another(struct kubelet *kubelet, const struct pod *pod, const char *volume,
			    const char **who)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	cox_lock_scope(&kubelet->lock);
	while (cox_map_next(&kubelet->pods, &at, &key, &size, &value)) {
		const struct pod *other = value;

		for (size_t i = 0; other != pod && i < other->claims.count; i++)
			if (!strcmp(other->claims.items[i].volume, volume)) {
				*who = other->name;
				return true;
			}
	}
	return false;
}

/* ---- asking ---- */

static const struct cox_resource claim_kind = {"", "v1", "persistentvolumeclaims"};
static const struct cox_resource volume_kind = {"", "v1", "persistentvolumes"};

static int get(struct kubelet *kubelet, const struct cox_resource *kind, const char *namespace,
	       const char *name, const char *what, struct cox_object **object,
	       struct cox_error *err)
{
	struct cox_call call = kubelet_call(kubelet, 30 * CLOCK_SECOND);
	const struct cox_place place = {kind, namespace, name, NULL};

	if (!cox_get(&kubelet->cluster.table, &call, &place, object, err))
		return 0;
	*object = NULL;
	if (cox_failed_so(&kubelet->cluster.table, COX_REASON_NOT_FOUND, err))
		return error_set(err, COX_REASON_NOT_FOUND, "%s \"%s\" not found", what, name);
	return -1;
}

static int get_claim(struct kubelet *kubelet, const struct pod *pod,
		     const struct cox_object *object, const struct value *source,
		     struct cox_object **claim, struct cox_error *err)
{
	char room[COX_CLAIM_NAME_SIZE];
	bool ephemeral;
	const char *name =
		cox_pod_claim(objects, object, kubelet_plugin_value(source), room, &ephemeral);

	if (get(kubelet, &claim_kind, object_namespace(object), name, "persistentvolumeclaim",
		claim, err))
		return -1;
	if (ephemeral && !cox_owner_by_uid(objects, *claim, object_uid(object)))
		return error_set(err, COX_REASON_CONFLICT,
				 "persistentvolumeclaim \"%s\" was not made for this pod, which "
				 "is not its owner",
				 name);
	/* What runs already goes on until it ends. */
	if (cox_deleting(objects, *claim) && !pod->adopted)
		return error_set(err, COX_REASON_CONFLICT,
				 "persistentvolumeclaim \"%s\" is being deleted", name);
	if (!cox_claim_is_bound(objects, *claim))
		return error_set(err, COX_REASON_CONFLICT,
				 "persistentvolumeclaim \"%s\" is not bound", name);
	return 0;
}

/* ---- may it be had? ---- */

static bool has_mode(const struct cox_object *volume, const char *mode)
{
	const struct value *list = object_path(object_root(volume), "spec.accessModes"), *item;

	for (size_t i = 0; (item = value_at(list, i)); i++)
		if (value_string_is(item, mode))
			return true;
	return false;
}

static int check_node(struct kubelet *kubelet, const struct cox_object *volume,
		      struct cox_error *err)
{
	cox_autoobject *node = NULL;

	if (!object_path(object_root(volume), "spec.nodeAffinity.required"))
		return 0;
	node = lister_get(kubelet->node_lister, NULL, kubelet->parts.node_name);
	if (!node)
		return error_set(err, COX_REASON_SERVICE_UNAVAILABLE,
				 "the labels of node \"%s\" are not known yet",
				 kubelet->parts.node_name);
	if (cox_volume_reaches_node(objects, volume, node))
		return 0;
	return error_set(err, COX_REASON_CONFLICT,
			 "persistentvolume \"%s\" cannot be reached from node \"%s\": the labels "
			 "of the node do not match its node affinity",
			 object_name(volume), kubelet->parts.node_name);
}

static int check_volume(struct kubelet *kubelet, struct pod *pod, const struct cox_object *volume,
			const struct cox_object *claim, struct cox_error *err)
{
	const struct value *spec = object_path(object_root(volume), "spec");
	const struct value *ref = value_get(spec, "claimRef");
	const char *who = "";

	if (strcmp(value_get_text(ref, "uid"), object_uid(claim)) != 0)
		return error_set(err, COX_REASON_CONFLICT,
				 "persistentvolume \"%s\" is not bound to persistentvolumeclaim "
				 "\"%s\"",
				 object_name(volume), object_name(claim));
	if (value_string_is(value_get(spec, "volumeMode"), "Block"))
		return error_set(err, COX_REASON_INVALID,
				 "persistentvolume \"%s\" has volumeMode Block, and this kubelet "
				 "mounts file systems only",
				 object_name(volume));
	if (has_mode(volume, "ReadWriteOncePod") &&
	    is_with_another(kubelet, pod, object_name(volume), &who))
		return error_set(err, COX_REASON_CONFLICT,
				 "persistentvolume \"%s\" has the access mode ReadWriteOncePod and "
				 "is in use by pod \"%s\"",
				 object_name(volume), who);
	return check_node(kubelet, volume, err);
}

/* ---- as if it stood in the pod ---- */

/* What a volume has beside its source. */
static bool is_source(const char *member)
{
	static const char *const others[] = {"accessModes",	 "capacity",
					     "claimRef",	 "mountOptions",
					     "nodeAffinity",	 "persistentVolumeReclaimPolicy",
					     "storageClassName", "volumeAttributesClassName",
					     "volumeMode"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!strcmp(others[i], member))
			return false;
	return true;
}

static struct cox_object *make_inline(const struct cox_object *volume, const char *name,
				      struct cox_error *err)
{
	const struct value *spec = object_path(object_root(volume), "spec");
	cox_autobuf text = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&text);

	cox_json_object(&json, NULL);
	cox_json_text(&json, "name", name);
	for (size_t i = 0; value_is(spec, VALUE_OBJECT) && i < spec->count; i++)
		if (is_source(spec->object.members[i].key))
			cox_json_value(&json, spec->object.members[i].key, objects,
				       kubelet_plugin_value(spec->object.members[i].value));
	cox_json_end(&json);
	return object_new(text.data, text.size, err);
}

int claims_resolve(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		   const struct value *source, struct cox_object **inline_source,
		   struct pod_claim *claim, struct cox_error *err)
{
	cox_autoobject *found = NULL;
	cox_autoobject *volume = NULL;
	const char *name = value_get_text(source, "name");

	*inline_source = NULL;
	if (get_claim(kubelet, pod, object, source, &found, err) ||
	    get(kubelet, &volume_kind, NULL,
		value_text(object_path(object_root(found), "spec.volumeName")), "persistentvolume",
		&volume, err) ||
	    check_volume(kubelet, pod, volume, found, err))
		return -1;
	*inline_source = make_inline(volume, name, err);
	if (!*inline_source)
		return -1;
	claim->name = cox_strdup(name);
	claim->volume = cox_strdup(object_name(volume));
	claim->readonly = value_get_bool(value_get(source, "persistentVolumeClaim"), "readOnly");
	return 0;
}
