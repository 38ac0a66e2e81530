/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node would fill up with if nobody looked: logs that grow, containers
 * and images that nobody needs any more, and what a crash or a reboot left.
 */
#ifndef COX_KUBELET_HOUSEKEEPING_H
#define COX_KUBELET_HOUSEKEEPING_H

#include "kubelet/kubelet.h"

/* NULL: `err` says why. Runs until it is freed. */
struct housekeeper *housekeeper_new(struct kubelet *kubelet, struct cox_error *err);
void housekeeper_free(struct housekeeper *housekeeper); /* NULL is fine */

/*
 * Says that a directory of a pod is this kubelet's: others may keep theirs in
 * the same place, and those are nobody's orphans.
 */
void housekeeping_mark(struct kubelet *kubelet, const char *directory);

/*
 * Directories of pods that neither the API nor the runtime has: volumes are
 * torn down, logs go. Only after a list of the runtime that went well.
 */
void housekeeping_remove_orphans(struct kubelet *kubelet);

#endif
