/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes of a pod that are claims: which persistent volume stands behind one,
 * and whether this pod may have it here and now.
 */
#ifndef COX_KUBELET_CLAIMS_H
#define COX_KUBELET_CLAIMS_H

#include "kubelet/pod.h"

/* Whether an entry of spec.volumes is one of a claim. */
bool claims_is_one(const struct value *source);
/*
 * Asks the API server. `*inline_source` is a reader of the caller's: the
 * persistent volume as an entry of spec.volumes with the pod's name for it.
 * `*claim` is empty but for what the volume is; the caller adds where it lies
 * (claims_keep), or frees it (claims_free).
 */
int claims_resolve(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		   const struct value *source, struct cox_object **inline_source,
		   struct pod_claim *claim, struct cox_error *err) COX_MUST_CHECK;
void claims_free(struct pod_claim *claim);

/* It is set up at `path`. The pod's record owns it from here on. */
void claims_keep(struct kubelet *kubelet, struct pod *pod, struct pod_claim *claim,
		 const char *path);
/* One that is set up, by the pod's name for it; NULL: it is not. */
const struct pod_claim *claims_find(const struct pod *pod, const char *name);
/* None is set up any more. */
void claims_forget(struct kubelet *kubelet, struct pod *pod);

#endif
