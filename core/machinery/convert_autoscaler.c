/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. */
#include "machinery/convert_autoscaler.h"

#include "machinery/json.h"

#include <coxswain/kit/buf.h>
#include <string.h>

#define PREFIX "autoscaling.alpha.kubernetes.io/"

/* Where a member of a metric is in the new form, and what it was called in the old one. */
struct member {
	const char *old, *new; /* new: a path of one or two parts */
};

struct source {
	const char *name; /* "pods": the member of a metric */
	const struct member *members;
	const struct member *current; /* the same of a status */
};

static const struct member object_members[] = {
	{"target", "describedObject"},		 {"metricName", "metric.name"},
	{"selector", "metric.selector"},	 {"targetValue", "target.value"},
	{"averageValue", "target.averageValue"}, {NULL, NULL}};
static const struct member object_current[] = {{"target", "describedObject"},
					       {"metricName", "metric.name"},
					       {"selector", "metric.selector"},
					       {"currentValue", "current.value"},
					       {"averageValue", "current.averageValue"},
					       {NULL, NULL}};
static const struct member pods_members[] = {{"metricName", "metric.name"},
					     {"selector", "metric.selector"},
					     {"targetAverageValue", "target.averageValue"},
					     {NULL, NULL}};
static const struct member pods_current[] = {{"metricName", "metric.name"},
					     {"selector", "metric.selector"},
					     {"currentAverageValue", "current.averageValue"},
					     {NULL, NULL}};
static const struct member resource_members[] = {
	{"name", "name"},
	{"container", "container"},
	{"targetAverageUtilization", "target.averageUtilization"},
	{"targetAverageValue", "target.averageValue"},
	{NULL, NULL}};
static const struct member resource_current[] = {
	{"name", "name"},
	{"container", "container"},
	{"currentAverageUtilization", "current.averageUtilization"},
	{"currentAverageValue", "current.averageValue"},
	{NULL, NULL}};
static const struct member external_members[] = {{"metricName", "metric.name"},
						 {"metricSelector", "metric.selector"},
						 {"targetValue", "target.value"},
						 {"targetAverageValue", "target.averageValue"},
						 {NULL, NULL}};
static const struct member external_current[] = {{"metricName", "metric.name"},
						 {"metricSelector", "metric.selector"},
						 {"currentValue", "current.value"},
						 {"currentAverageValue", "current.averageValue"},
						 {NULL, NULL}};

static const struct source sources[] = {
	{"object", object_members, object_current},
	{"pods", pods_members, pods_current},
	{"resource", resource_members, resource_current},
	{"containerResource", resource_members, resource_current},
	{"external", external_members, external_current},
};

static void put_path(struct arena *arena, struct value *object, const char *path,
		     struct value *value)
{
	const char *dot = strchr(path, '.');

	if (dot)
		object = value_make_object(arena, object,
					   arena_strndup(arena, path, (size_t)(dot - path)));
	value_set(arena, object, dot ? dot + 1 : path, value);
}

/* A target says of which sort it is; the old form has it in the names. */
static void put_target_type(struct arena *arena, struct value *source)
{
	struct value *target = value_get(source, "target");

	if (!value_is(target, VALUE_OBJECT) || value_get(target, "type"))
		return;
	value_set_text(arena, target, "type",
		       value_get(target, "averageUtilization") ? "Utilization"
		       : value_get(target, "averageValue")     ? "AverageValue"
							       : "Value");
}

static struct value *convert_metric(struct arena *arena, const struct value *metric, bool up,
				    bool current)
{
	struct value *made = value_object(arena);

	value_set_text(arena, made, "type", value_get_text(metric, "type"));
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		const struct value *from = value_get(metric, sources[i].name);
		const struct member *members = current ? sources[i].current : sources[i].members;
		struct value *to;

		if (!value_is(from, VALUE_OBJECT))
			continue;
		to = value_make_object(arena, made, sources[i].name);
		for (; members->old; members++) {
			struct value *value =
				up ? value_get(from, members->old) : value_path(from, members->new);

			if (value)
				put_path(arena, to, up ? members->new : members->old, value);
		}
		if (up && !current)
			put_target_type(arena, to);
	}
	return made;
}

/* The utilization of CPU that a metric is of, or NULL: what the old form has a field for. */
static struct value *cpu_utilization(const struct value *metric, const char *where)
{
	const struct value *resource = value_get(metric, "resource");

	if (!value_string_is(value_get(metric, "type"), "Resource") ||
	    !value_string_is(value_get(resource, "name"), "cpu"))
		return NULL;
	return value_get(value_get(resource, where), "averageUtilization");
}

static void annotate(struct arena *arena, struct value *object, const char *name,
		     const struct value *value)
{
	struct value *metadata = value_make_object(arena, object, "metadata");
	cox_autobuf text = COX_BUF_INIT;

	json_write(&text, value, 0);
	value_set(arena, value_make_object(arena, metadata, "annotations"), name,
		  value_string_n(arena, text.data, text.size));
}

/* What an annotation holds, which is taken off; NULL if there is none or it is no JSON. */
static struct value *take_annotation(struct arena *arena, struct value *object, const char *name)
{
	struct value *metadata = value_get(object, "metadata");
	struct value *annotations = value_get(metadata, "annotations");
	const struct value *text = value_get(annotations, name);
	struct value *value = NULL;

	if (value_is(text, VALUE_STRING))
		value = json_parse(arena, text->text, text->count, NULL, NULL);
	if (text)
		value_remove(annotations, name);
	if (value_is(annotations, VALUE_OBJECT) && annotations->count == 0)
		value_remove(metadata, "annotations");
	return value;
}

/* One list: its CPU entry goes to a field, the others to an annotation. */
static void metrics_down(struct arena *arena, struct value *object, struct value *part,
			 const char *list_name, const char *field, bool current)
{
	const char *where = current ? "current" : "target";
	const struct value *list = value_get(part, list_name);
	struct value *others = value_array(arena);
	struct value *cpu = NULL;

	for (size_t i = 0; value_at(list, i); i++) {
		struct value *utilization = cpu ? NULL : cpu_utilization(value_at(list, i), where);

		if (utilization)
			cpu = utilization;
		else
			value_push(arena, others,
				   convert_metric(arena, value_at(list, i), false, current));
	}
	value_remove(part, list_name);
	if (cpu)
		value_set(arena, part, field, cpu);
	if (others->count)
		annotate(arena, object, current ? PREFIX "current-metrics" : PREFIX "metrics",
			 others);
}

static void metrics_up(struct arena *arena, struct value *object, struct value *part,
		       const char *list_name, const char *field, bool current)
{
	const struct value *others = take_annotation(
		arena, object, current ? PREFIX "current-metrics" : PREFIX "metrics");
	struct value *cpu = value_get(part, field);
	struct value *list = value_array(arena);

	for (size_t i = 0; value_at(others, i); i++)
		if (value_is(value_at(others, i), VALUE_OBJECT))
			value_push(arena, list,
				   convert_metric(arena, value_at(others, i), true, current));
	if (cpu) {
		struct value *metric = value_object(arena);
		struct value *resource;

		value_set_text(arena, metric, "type", "Resource");
		resource = value_make_object(arena, metric, "resource");
		value_set_text(arena, resource, "name", "cpu");
		put_path(arena, resource,
			 current ? "current.averageUtilization" : "target.averageUtilization", cpu);
		if (!current)
			put_target_type(arena, resource);
		value_push(arena, list, metric);
		value_remove(part, field);
	}
	if (list->count)
		value_set(arena, part, list_name, list);
}

static void move_to_annotation(struct arena *arena, struct value *object, struct value *part,
			       const char *field, const char *name)
{
	const struct value *value = value_get(part, field);

	if ((value_is(value, VALUE_ARRAY) || value_is(value, VALUE_OBJECT)) && value->count)
		annotate(arena, object, name, value);
	if (value)
		value_remove(part, field);
}

static void move_from_annotation(struct arena *arena, struct value *object, struct value *part,
				 const char *field, const char *name, enum value_kind kind)
{
	struct value *value = take_annotation(arena, object, name);

	if (value_is(value, kind))
		value_set(arena, part, field, value);
}

void autoscaler_convert(struct arena *arena, struct value *object, bool up)
{
	struct value *spec = value_make_object(arena, object, "spec");
	struct value *status = value_get(object, "status");

	if (up) {
		metrics_up(arena, object, spec, "metrics", "targetCPUUtilizationPercentage", false);
		move_from_annotation(arena, object, spec, "behavior", PREFIX "behavior",
				     VALUE_OBJECT);
		status = value_make_object(arena, object, "status");
		metrics_up(arena, object, status, "currentMetrics",
			   "currentCPUUtilizationPercentage", true);
		move_from_annotation(arena, object, status, "conditions", PREFIX "conditions",
				     VALUE_ARRAY);
		if (status->count == 0)
			value_remove(object, "status");
		return;
	}
	metrics_down(arena, object, spec, "metrics", "targetCPUUtilizationPercentage", false);
	move_to_annotation(arena, object, spec, "behavior", PREFIX "behavior");
	if (!value_is(status, VALUE_OBJECT))
		return;
	metrics_down(arena, object, status, "currentMetrics", "currentCPUUtilizationPercentage",
		     true);
	move_to_annotation(arena, object, status, "conditions", PREFIX "conditions");
}
