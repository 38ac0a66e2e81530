/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quality of service; see the header. Only cpu and memory count: Guaranteed if
 * every container has a limit for both and requests that equal them, BestEffort
 * if none has any, Burstable between.
 */
#include "apiserver/qos.h"

#include "machinery/quantity.h"

static const char *const resources[] = {"cpu", "memory"};

/* The amount, if it is there and more than zero. */
static bool amount(const struct value *list, const char *resource, struct quantity *out)
{
	const struct value *value = value_get(list, resource);

	return value && quantity_from_value(value, out, NULL) == 0 && quantity_sign(out) > 0;
}

static void look_at(const struct value *container, bool *any, bool *guaranteed)
{
	const struct value *limits = value_path(container, "resources.limits");
	const struct value *requests = value_path(container, "resources.requests");

	for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
		struct quantity limit, request;
		bool limited = amount(limits, resources[i], &limit);
		bool requested = amount(requests, resources[i], &request);

		*any |= limited || requested;
		if (!limited || (requested && quantity_compare(&limit, &request) != 0))
			*guaranteed = false;
	}
}

const char *qos_class_name(const struct value *pod)
{
	static const char *const lists[] = {"initContainers", "containers"};
	const struct value *spec = value_get(pod, "spec");
	bool any = false, guaranteed = true;

	for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
		const struct value *list = value_get(spec, lists[l]);

		for (size_t i = 0; value_is(list, VALUE_ARRAY) && i < list->count; i++)
			look_at(value_at(list, i), &any, &guaranteed);
	}
	return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}
