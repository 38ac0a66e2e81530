/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a pod may be on a node, by the node's labels. */
#ifndef COX_KUBELET_AFFINITY_H
#define COX_KUBELET_AFFINITY_H

#include "machinery/value.h"

/* nodeSelector, and what is required of nodeAffinity. */
bool affinity_matches(const struct value *pod, const struct value *node);

#endif
