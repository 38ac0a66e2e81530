/* SPDX-License-Identifier: Apache-2.0 */
/* Events of pods and containers, by the recorder. */
#include "kubelet/events.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <stdarg.h>
#include <string.h>

void events_pod(struct kubelet *kubelet, const struct cox_object *pod, const char *type,
		const char *reason, const char *format, ...)
{
	va_list args;

	if (!pod || kubelet->parts.standalone)
		return;
	va_start(args, format);
	recorder_vevent(kubelet->recorder, NULL, pod, type, reason, format, args);
	va_end(args);
}

static const char *list_of(const struct cox_object *pod, const char *container)
{
	const struct value *list = object_path(object_root(pod), "spec.initContainers"), *one;

	for (size_t i = 0; (one = value_at(list, i)); i++)
		if (!strcmp(value_get_text(one, "name"), container))
			return "initContainers";
	return "containers";
}

void events_container(struct kubelet *kubelet, const struct cox_object *pod, const char *container,
		      const char *type, const char *reason, const char *format, ...)
{
	cox_autobuf part = COX_BUF_INIT;
	va_list args;

	if (!pod || kubelet->parts.standalone)
		return;
	cox_buf_printf(&part, "spec.%s{%s}", list_of(pod, container), container);
	va_start(args, format);
	recorder_vevent_part(kubelet->recorder, NULL, pod, part.data, type, reason, format, args);
	va_end(args);
}

void events_node(struct kubelet *kubelet, const char *type, const char *reason, const char *format,
		 ...)
{
	va_list args;

	if (kubelet->parts.standalone)
		return;
	va_start(args, format);
	recorder_vevent(kubelet->recorder, NULL, kubelet->node_ref, type, reason, format, args);
	va_end(args);
}
