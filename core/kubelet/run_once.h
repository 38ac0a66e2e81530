/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --runonce: the pods of files and of the URL are started, and the kubelet ends
 * while they run. For machines that need no more of it than that, and for those
 * where something else takes over.
 */
#ifndef COX_KUBELET_RUN_ONCE_H
#define COX_KUBELET_RUN_ONCE_H

#include "kubelet/kubelet.h"

/*
 * Waits until every such pod runs, or has done what it is for. -1: one failed,
 * cannot be read, or did not come up until then; `err` names them. Also -1, without
 * a message, when the kubelet is stopped meanwhile.
 */
int run_once_wait(struct kubelet *kubelet, uint64_t deadline, struct cox_error *err) COX_MUST_CHECK;

#endif
