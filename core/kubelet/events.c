/* SPDX-License-Identifier: Apache-2.0 */
/* Events of pods and containers, by the recorder. */
#include "kubelet/events.h"

#include <stdarg.h>

void events_pod(struct kubelet *kubelet, const struct cox_object *pod, const char *type,
		const char *reason, const char *format, ...)
{
	va_list args;

	if (!pod)
		return;
	va_start(args, format);
	recorder_vevent(kubelet->recorder, NULL, pod, type, reason, format, args);
	va_end(args);
}

void events_container(struct kubelet *kubelet, const struct cox_object *pod, const char *container,
		      const char *type, const char *reason, const char *format, ...)
{
	va_list args;

	(void)container;
	if (!pod)
		return;
	va_start(args, format);
	recorder_vevent(kubelet->recorder, NULL, pod, type, reason, format, args);
	va_end(args);
}

void events_node(struct kubelet *kubelet, const char *type, const char *reason, const char *format,
		 ...)
{
	va_list args;

	va_start(args, format);
	recorder_vevent(kubelet->recorder, NULL, kubelet->node_ref, type, reason, format, args);
	va_end(args);
}
