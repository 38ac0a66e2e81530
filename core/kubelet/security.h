/* SPDX-License-Identifier: Apache-2.0 */
/* securityContext of pods and containers, in the runtime's words. */
#ifndef COX_KUBELET_SECURITY_H
#define COX_KUBELET_SECURITY_H

#include "kubelet/container.h"

/* Of a container; the arena's. NULL: it must not run, and `err` says why. */
const struct cox_security *security_container(const struct container_start *start,
					      struct arena *arena, struct cox_error *err);
/* Of a pod's sandbox; the arena's. */
const struct cox_security *security_sandbox(struct kubelet *kubelet, const struct value *pod,
					    struct arena *arena);

#endif
