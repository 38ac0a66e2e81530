/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes and claims; see the header. */
#include <coxswain/kit/buf.h>
#include <coxswain/kit/claims.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/quantity.h>
#include <stdio.h>
#include <string.h>

/* How a class was asked for before there was a field for it. */
#define OLD_CLASS "volume.beta.kubernetes.io/storage-class"

const char *cox_annotation(const struct cox_objects *objects, const struct cox_object *object,
			   const char *name)
{
	const struct cox_value *all = objects->get(objects->root(object), "metadata.annotations");
	const struct cox_value *value = objects->member(all, name);

	return value ? objects->text(value, "") : "";
}

static const struct cox_value *annotation_value(const struct cox_objects *objects,
						const struct cox_object *object, const char *name)
{
	return objects->member(objects->get(objects->root(object), "metadata.annotations"), name);
}

const char *cox_storage_class(const struct cox_objects *objects, const struct cox_object *object)
{
	const struct cox_value *old = annotation_value(objects, object, OLD_CLASS);

	return old ? objects->text(old, "")
		   : objects->text(objects->root(object), "spec.storageClassName");
}

bool cox_class_waits(const struct cox_objects *objects, const struct cox_object *storage_class)
{
	return storage_class &&
	       !strcmp(objects->text(objects->root(storage_class), "volumeBindingMode"),
		       "WaitForFirstConsumer");
}

const char *cox_class_provisioner(const struct cox_objects *objects,
				  const struct cox_object *storage_class)
{
	const char *name =
		storage_class ? objects->text(objects->root(storage_class), "provisioner") : "";

	return strcmp(name, COX_NO_PROVISIONER) != 0 ? name : "";
}

bool cox_claim_is_bound(const struct cox_objects *objects, const struct cox_object *claim)
{
	return *objects->text(objects->root(claim), "spec.volumeName") &&
	       annotation_value(objects, claim, COX_BIND_COMPLETED) != NULL;
}

bool cox_volume_is_claimed_by(const struct cox_objects *objects, const struct cox_object *volume,
			      const struct cox_object *claim)
{
	const struct cox_value *ref = objects->get(objects->root(volume), "spec.claimRef");
	const char *uid = objects->text(ref, "uid");

	return ref && !strcmp(objects->text(ref, "name"), objects->name(claim)) &&
	       !strcmp(objects->text(ref, "namespace"), objects->namespace_of(claim)) &&
	       (!*uid || !strcmp(uid, objects->uid(claim)));
}

void cox_claim_ref_write(struct cox_json *json, const struct cox_objects *objects,
			 const struct cox_object *claim)
{
	cox_json_object(json, "claimRef");
	cox_json_text(json, "kind", "PersistentVolumeClaim");
	cox_json_text(json, "apiVersion", "v1");
	cox_json_text(json, "namespace", objects->namespace_of(claim));
	cox_json_text(json, "name", objects->name(claim));
	cox_json_text(json, "uid", objects->uid(claim));
	cox_json_text(json, "resourceVersion", objects->revision(claim));
	cox_json_end(json);
}

/* ---- what fits ---- */

/* Nothing, if it cannot be read. */
static struct cox_quantity amount(const struct cox_objects *objects,
				  const struct cox_object *object, const char *path)
{
	const char *text = objects->text(objects->root(object), path);
	struct cox_quantity quantity;

	if (!*text || cox_quantity_parse(text, strlen(text), &quantity, NULL))
		quantity = cox_quantity_from_int(0, COX_QUANTITY_BINARY_SI);
	return quantity;
}

static struct cox_quantity capacity_of(const struct cox_objects *objects,
				       const struct cox_object *volume)
{
	return amount(objects, volume, "spec.capacity.storage");
}

int cox_volume_compare(const struct cox_objects *objects, const struct cox_object *a,
		       const struct cox_object *b)
{
	const struct cox_quantity left = capacity_of(objects, a), right = capacity_of(objects, b);

	return cox_quantity_compare(&left, &right);
}

static bool has_modes(const struct cox_objects *objects, const struct cox_value *volume,
		      const struct cox_value *claim)
{
	const struct cox_value *wanted = objects->get(claim, "spec.accessModes"), *mode;
	const struct cox_value *offered = objects->get(volume, "spec.accessModes"), *other;

	for (size_t i = 0; (mode = objects->at(wanted, i, NULL)); i++) {
		bool found = false;

		for (size_t j = 0; !found && (other = objects->at(offered, j, NULL)); j++)
			found = !strcmp(objects->text(mode, ""), objects->text(other, ""));
		if (!found)
			return false;
	}
	return true;
}

/* Filesystem, unless it says something else. */
static const char *volume_mode(const struct cox_objects *objects, const struct cox_value *root)
{
	const char *mode = objects->text(root, "spec.volumeMode");

	return *mode ? mode : "Filesystem";
}

const char *cox_volume_useless(const struct cox_objects *objects, const struct cox_object *volume,
			       const struct cox_object *claim)
{
	const struct cox_quantity size = capacity_of(objects, volume);
	const struct cox_quantity request =
		amount(objects, claim, "spec.resources.requests.storage");

	if (strcmp(volume_mode(objects, objects->root(volume)),
		   volume_mode(objects, objects->root(claim))) != 0)
		return "incompatible volumeMode";
	if (cox_quantity_compare(&size, &request) < 0)
		return "requested PV is too small";
	return NULL;
}

const char *cox_volume_unfit(const struct cox_objects *objects, const struct cox_object *volume,
			     const struct cox_object *claim)
{
	static const char attributes[] = "spec.volumeAttributesClassName";
	const struct cox_value *has = objects->root(volume), *wants = objects->root(claim);
	const char *why = cox_volume_useless(objects, volume, claim);

	if (why)
		return why;
	if (strcmp(cox_storage_class(objects, volume), cox_storage_class(objects, claim)) != 0)
		return "storageClassName does not match";
	if (!has_modes(objects, has, wants))
		return "incompatible accessMode";
	if (strcmp(objects->text(has, attributes), objects->text(wants, attributes)) != 0)
		return "volumeAttributesClassName does not match";
	if (!cox_label_selector_matches(objects, objects->get(wants, "spec.selector"),
					objects->get(has, "metadata.labels")))
		return "the claim's selector does not match the volume's labels";
	return NULL;
}

bool cox_volume_is_free(const struct cox_objects *objects, const struct cox_object *volume)
{
	const struct cox_value *root = objects->root(volume);

	return !objects->get(root, "spec.claimRef") &&
	       !strcmp(objects->text(root, "status.phase"), "Available") &&
	       !cox_deleting(objects, volume);
}

/* ---- where ---- */

static const struct cox_value *affinity_of(const struct cox_objects *objects,
					   const struct cox_object *volume)
{
	return objects->get(objects->root(volume), "spec.nodeAffinity.required");
}

bool cox_volume_reaches(const struct cox_objects *objects, const struct cox_object *volume,
			const struct cox_label_source *labels, const char *node_name)
{
	const struct cox_value *affinity = affinity_of(objects, volume);

	return !affinity || cox_node_selector_matches(objects, affinity, labels, node_name);
}

bool cox_volume_reaches_node(const struct cox_objects *objects, const struct cox_object *volume,
			     const struct cox_object *node)
{
	const struct cox_value *affinity = affinity_of(objects, volume);

	return !affinity || cox_node_selector_selects(objects, affinity, node);
}

const char *cox_pod_claim(const struct cox_objects *objects, const struct cox_object *pod,
			  const struct cox_value *volume, char room[COX_CLAIM_NAME_SIZE],
			  bool *ephemeral)
{
	*ephemeral = objects->get(volume, "ephemeral") != NULL;
	if (!*ephemeral)
		return objects->text(volume, "persistentVolumeClaim.claimName");
	snprintf(room, COX_CLAIM_NAME_SIZE, "%s-%s", objects->name(pod),
		 objects->text(volume, "name"));
	return room;
}

void cox_pod_claim_keys(const struct cox_objects *objects, const struct cox_object *pod,
			const struct cox_keys *keys)
{
	const struct cox_value *list = objects->get(objects->root(pod), "spec.volumes"), *volume;
	char room[COX_CLAIM_NAME_SIZE];
	bool ephemeral;

	for (size_t i = 0; (volume = objects->at(list, i, NULL)); i++) {
		const char *name = cox_pod_claim(objects, pod, volume, room, &ephemeral);
		cox_autobuf key = COX_BUF_INIT;

		if (!*name)
			continue;
		cox_buf_printf(&key, "%s/%s", objects->namespace_of(pod), name);
		keys->emit(keys, key.data);
	}
}
