/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Persistent volumes and the claims that ask for them: which volume will do
 * for which claim, and who has whom. The binder, the scheduler and the node
 * ask the same questions and have to get the same answers. Pure functions;
 * what they return is borrowed from the object or constant.
 */
#ifndef COXSWAIN_KIT_CLAIMS_H
#define COXSWAIN_KIT_CLAIMS_H

#include <coxswain/cluster.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/select.h>
#include <stdbool.h>

/* Annotations, by the names that everybody uses. */
#define COX_BIND_COMPLETED "pv.kubernetes.io/bind-completed"
#define COX_BOUND_BY_CONTROLLER "pv.kubernetes.io/bound-by-controller"
#define COX_PROVISIONED_BY "pv.kubernetes.io/provisioned-by"
#define COX_SELECTED_NODE "volume.kubernetes.io/selected-node"
#define COX_STORAGE_PROVISIONER "volume.kubernetes.io/storage-provisioner"
#define COX_NO_PROVISIONER "kubernetes.io/no-provisioner"
/* Finalizers that keep a claim, and a volume, while it is used. */
#define COX_CLAIM_PROTECTION "kubernetes.io/pvc-protection"
#define COX_VOLUME_PROTECTION "kubernetes.io/pv-protection"

/* "": there is none. */
const char *cox_annotation(const struct cox_objects *objects, const struct cox_object *object,
			   const char *name);

/* The storage class of a volume or a claim; "": none. */
const char *cox_storage_class(const struct cox_objects *objects, const struct cox_object *object);
/* The class binds claims only when a pod is there that uses them. */
bool cox_class_waits(const struct cox_objects *objects, const struct cox_object *storage_class);
/* Who makes volumes of the class; "": nobody does. */
const char *cox_class_provisioner(const struct cox_objects *objects,
				  const struct cox_object *storage_class);

/* Both sides are written: the claim has its volume for good. */
bool cox_claim_is_bound(const struct cox_objects *objects, const struct cox_object *claim);
/* The volume's claimRef names the claim, whose uid is the one it asks for, if any. */
bool cox_volume_is_claimed_by(const struct cox_objects *objects, const struct cox_object *volume,
			      const struct cox_object *claim);

/* Writes "claimRef": {...}, which gives a volume to the claim. */
void cox_claim_ref_write(struct cox_json *json, const struct cox_objects *objects,
			 const struct cox_object *claim);

/*
 * Whether the volume has what the claim asks for, whoever has it: NULL, or why
 * not, a constant. `useless` asks for size and mode only: what has to hold of a
 * volume too that somebody has set aside for the claim.
 */
const char *cox_volume_unfit(const struct cox_objects *objects, const struct cox_object *volume,
			     const struct cox_object *claim);
const char *cox_volume_useless(const struct cox_objects *objects, const struct cox_object *volume,
			       const struct cox_object *claim);
/* And may be given to it: it is Available, nobody's, and not going. */
bool cox_volume_is_free(const struct cox_objects *objects, const struct cox_object *volume);
/* Which is smaller: -1, 0, 1. */
int cox_volume_compare(const struct cox_objects *objects, const struct cox_object *a,
		       const struct cox_object *b);

/* Whether a node can reach the volume. */
bool cox_volume_reaches(const struct cox_objects *objects, const struct cox_object *volume,
			const struct cox_label_source *labels, const char *node_name);
bool cox_volume_reaches_node(const struct cox_objects *objects, const struct cox_object *volume,
			     const struct cox_object *node);

/*
 * The claim of an entry of a pod's spec.volumes, "" if it is of none: its
 * claimName, or POD-VOLUME for one that is made with the pod (`ephemeral`).
 * `room` holds the text where it has to be put together.
 */
enum { COX_CLAIM_NAME_SIZE = 512 };
const char *cox_pod_claim(const struct cox_objects *objects, const struct cox_object *pod,
			  const struct cox_value *volume, char room[COX_CLAIM_NAME_SIZE],
			  bool *ephemeral);
/* Emits "namespace/name" of every claim of the pod: keys of a queue, values of an index. */
void cox_pod_claim_keys(const struct cox_objects *objects, const struct cox_object *pod,
			const struct cox_keys *keys);

#endif
