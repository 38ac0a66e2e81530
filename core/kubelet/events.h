/* SPDX-License-Identifier: Apache-2.0 */
/* What the kubelet tells people, as Events. Any thread; never blocks. */
#ifndef COX_KUBELET_EVENTS_H
#define COX_KUBELET_EVENTS_H

#include "kubelet/kubelet.h"

void events_pod(struct kubelet *kubelet, const struct cox_object *pod, const char *type,
		const char *reason, const char *format, ...) COX_PRINTF(5, 6);
/* About one container of it. */
void events_container(struct kubelet *kubelet, const struct cox_object *pod, const char *container,
		      const char *type, const char *reason, const char *format, ...)
	COX_PRINTF(6, 7);
/* About the node itself. */
void events_node(struct kubelet *kubelet, const char *type, const char *reason, const char *format,
		 ...) COX_PRINTF(4, 5);

#endif
