/* SPDX-License-Identifier: Apache-2.0 */
/* Events in both forms; those with an eventTime keep the newer rules. */
#include "machinery/kinds.h"

static void need(struct validation *v, const struct value *event, const char *field,
		 const char *told, size_t most)
{
	const struct value *value = value_get(event, field);

	if (is_unset(value))
		field_required(v, FIELD(NULL, told), "");
	else if (most && value->count > most)
		field_invalid_text(v, FIELD(NULL, told), "", "can have at most %zu characters",
				   most);
}

static void validate_new_style(struct validation *v, const struct value *event,
			       const char *reporter)
{
	static const char *const types[] = {"Normal", "Warning", NULL};
	const struct value *type = value_get(event, "type");

	need(v, event, reporter, "reportingController", 0);
	need(v, event, "reportingInstance", "reportingInstance", 128);
	need(v, event, "action", "action", 128);
	need(v, event, "reason", "reason", 128);
	if (!value_string_is(type, "Normal") && !value_string_is(type, "Warning"))
		field_not_supported(v, FIELD(NULL, "type"), type, types);
}

/* An event lies where its object lies; those of cluster objects in default. */
static void validate_place(struct validation *v, const struct value *event, const char *about)
{
	const struct value *place = value_get(value_get(event, about), "namespace");
	const struct value *own = value_path(event, "metadata.namespace");
	bool matches = is_unset(place) ? is_unset(own) || value_string_is(own, "default") ||
						 value_string_is(own, "kube-system")
				       : values_same(place, own);

	if (!matches)
		field_invalid_text(v, FIELD(FIELD(NULL, about), "namespace"), value_text(place),
				   "does not match event.namespace");
}

static void validate_core_event(struct validation *v, const struct value *event)
{
	validate_place(v, event, "involvedObject");
	if (value_get(event, "eventTime"))
		validate_new_style(v, event, "reportingComponent");
}

static void validate_event(struct validation *v, const struct value *event)
{
	validate_place(v, event, "regarding");
	if (!value_get(event, "eventTime"))
		field_required(v, FIELD(NULL, "eventTime"), "");
	else
		validate_new_style(v, event, "reportingController");
}

const struct kind_rules rules_core_events = {"", "events", validate_core_event, NULL};
const struct kind_rules rules_events = {"events.k8s.io", "events", validate_event, NULL};
