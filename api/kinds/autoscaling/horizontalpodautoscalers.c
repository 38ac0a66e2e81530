/* SPDX-License-Identifier: Apache-2.0 */
/* Autoscalers: bounds in order, metrics with one source each, a behavior that ends. */
#include "machinery/kinds.h"

enum { WINDOW_MAX = 3600, PERIOD_MAX = 1800 };

static const char *const sources[] = {"containerResource", "external", "object", "pods",
				      "resource"};

static void validate_amount(struct validation *v, const struct field_path *at,
			    const struct value *target, const char *field)
{
	const struct value *amount = value_get(target, field);
	struct cox_quantity quantity = quantity_of(amount);

	if (amount && cox_quantity_sign(&quantity) <= 0)
		field_invalid(v, FIELD(at, field), amount, "must be positive");
}

static void validate_target(struct validation *v, const struct field_path *at,
			    const struct value *target)
{
	const struct value *type = value_get(target, "type");
	const struct value *utilization = value_get(target, "averageUtilization");

	if (!is_unset(type) && !value_string_is(type, "Utilization") &&
	    !value_string_is(type, "Value") && !value_string_is(type, "AverageValue"))
		field_invalid(v, FIELD(at, "type"), type,
			      "must be either Utilization, Value, or AverageValue");
	validate_amount(v, at, target, "value");
	validate_amount(v, at, target, "averageValue");
	if (utilization && utilization->integer < 1)
		field_invalid(v, FIELD(at, "averageUtilization"), utilization,
			      "must be greater than 0");
}

static void validate_identifier(struct validation *v, const struct field_path *at,
				const struct value *metric)
{
	const struct value *name = value_get(metric, "name");

	if (!is_unset(name))
		validate_text(v, FIELD(at, "name"), name, names_path_segment);
	validate_label_selector(v, FIELD(at, "selector"), value_get(metric, "selector"));
}

static void validate_resource_source(struct validation *v, const struct field_path *at,
				     const struct value *target)
{
	const struct value *utilization = value_get(target, "averageUtilization");
	const struct value *average = value_get(target, "averageValue");

	if (!utilization && !average)
		field_required(v, FIELD(at, "averageUtilization"),
			       "must set either a target raw value or a target utilization");
	else if (utilization && average)
		field_forbidden(v, FIELD(at, "averageValue"),
				"may not set both a target raw value and a target utilization");
}

static void validate_custom_source(struct validation *v, const struct field_path *at,
				   const struct value *target, const char *type)
{
	const struct value *value = value_get(target, "value");
	const struct value *average = value_get(target, "averageValue");

	if (strcmp(type, "Pods") == 0) {
		if (!average)
			field_required(v, FIELD(at, "averageValue"),
				       "must specify a positive target averageValue");
	} else if (!value && !average) {
		field_required(v, FIELD(at, "averageValue"),
			       strcmp(type, "Object") == 0
				       ? "must set either a target value or averageValue"
				       : "must set either a target value for metric or a per-pod "
					 "target");
	} else if (value && average && strcmp(type, "External") == 0) {
		field_forbidden(v, FIELD(at, "value"),
				"may not set both a target value for metric and a per-pod target");
	}
}

/* The member that the type names, and no other. */
static void validate_metric(struct validation *v, const struct field_path *at,
			    const struct value *metric)
{
	static const char *const types[] = {"ContainerResource", "External", "Object", "Pods",
					    "Resource",		 NULL};
	const char *type = value_get_text(metric, "type");
	const struct value *source = NULL;
	const struct field_path *here;
	size_t which = 0;

	while (types[which] && strcmp(types[which], type) != 0)
		which++;
	if (!*type)
		return;
	if (!types[which]) {
		field_not_supported(v, FIELD(at, "type"), value_get(metric, "type"), types);
		return;
	}
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		if (i == which)
			source = value_get(metric, sources[i]);
		else if (value_get(metric, sources[i]))
			field_forbidden(v, FIELD(at, sources[i]),
					"must populate the given metric source only");
	}
	here = FIELD(at, sources[which]);
	if (!source) {
		field_required(v, here, "must populate information for the given metric source");
		return;
	}
	validate_identifier(v, FIELD(here, "metric"), value_get(source, "metric"));
	validate_target(v, FIELD(here, "target"), value_get(source, "target"));
	if (strstr(type, "Resource"))
		validate_resource_source(v, FIELD(here, "target"), value_get(source, "target"));
	else
		validate_custom_source(v, FIELD(here, "target"), value_get(source, "target"), type);
}

static void validate_number(struct validation *v, const struct field_path *at,
			    const struct value *number, int64_t least, int64_t most)
{
	static const struct value zero = {.kind = VALUE_INT};
	const struct value *shown = value_is(number, VALUE_INT) ? number : &zero;

	if (shown->integer < least)
		field_invalid(v, at, shown,
			      least ? "must be greater than zero"
				    : "must be greater than or equal to zero");
	else if (most && shown->integer > most)
		field_invalid(v, at, shown, "must be less than or equal to %d", (int)most);
}

static void validate_policies(struct validation *v, const struct field_path *at,
			      const struct value *policies)
{
	static const char *const types[] = {"Percent", "Pods", NULL};

	if (is_unset(policies))
		field_required(v, at, "must specify at least one Policy");
	for
		each_entry(policies, i)
		{
			const struct value *one = value_at(policies, i);
			const struct field_path *here = FIELD_INDEX(at, i);

			if (!is_unset(value_get(one, "type")) && !text_is(one, "type", "Percent") &&
			    !text_is(one, "type", "Pods"))
				field_not_supported(v, FIELD(here, "type"), value_get(one, "type"),
						    types);
			validate_number(v, FIELD(here, "value"), value_get(one, "value"), 1, 0);
			validate_number(v, FIELD(here, "periodSeconds"),
					value_get(one, "periodSeconds"), 1, PERIOD_MAX);
		}
}

static void validate_scaling(struct validation *v, const struct field_path *at,
			     const struct value *rules)
{
	static const char *const known[] = {"Disabled", "Max", "Min", NULL};
	const struct value *select = value_get(rules, "selectPolicy");
	const struct value *tolerance = value_get(rules, "tolerance");
	struct cox_quantity share = quantity_of(tolerance);
	size_t k = 0;

	if (!value_is(rules, VALUE_OBJECT))
		return;
	if (value_get(rules, "stabilizationWindowSeconds"))
		validate_number(v, FIELD(at, "stabilizationWindowSeconds"),
				value_get(rules, "stabilizationWindowSeconds"), 0, WINDOW_MAX);
	while (known[k] && !value_string_is(select, known[k]))
		k++;
	if (!is_unset(select) && !known[k])
		field_not_supported(v, FIELD(at, "selectPolicy"), select, known);
	validate_policies(v, FIELD(at, "policies"), value_get(rules, "policies"));
	if (tolerance && cox_quantity_sign(&share) < 0)
		field_invalid(v, FIELD(at, "tolerance"), tolerance,
			      "must be greater or equal to zero");
}

static void validate_bounds(struct validation *v, const struct field_path *at,
			    const struct value *spec)
{
	static const struct value zero = {.kind = VALUE_INT};
	const struct value *least = value_get(spec, "minReplicas");
	const struct value *most = value_get(spec, "maxReplicas");
	int64_t from = value_get_int(spec, "minReplicas", 1);
	int64_t to = value_get_int(spec, "maxReplicas", 0);

	if (from < 1)
		field_invalid(v, FIELD(at, "minReplicas"), least,
			      "must be greater than or equal to 1");
	if (to < 1)
		field_invalid(v, FIELD(at, "maxReplicas"), most ? most : &zero,
			      "must be greater than 0");
	if (to < from)
		field_invalid(v, FIELD(at, "maxReplicas"), most ? most : &zero,
			      "must be greater than or equal to `minReplicas`");
}

static void validate_autoscaler(struct validation *v, const struct value *object)
{
	static const char *const named[] = {"kind", "name"};
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *target = value_get(spec, "scaleTargetRef");
	const struct value *metrics = value_get(spec, "metrics");
	const struct value *behavior = value_get(spec, "behavior");
	const struct value *cpu = value_get(spec, "targetCPUUtilizationPercentage");

	validate_bounds(v, at, spec);
	for (size_t i = 0; i < 2; i++) {
		if (!is_unset(value_get(target, named[i])))
			validate_text(v, FIELD(FIELD(at, "scaleTargetRef"), named[i]),
				      value_get(target, named[i]), names_path_segment);
	}
	for
		each_entry(metrics, i) validate_metric(v, FIELD_INDEX(FIELD(at, "metrics"), i),
						       value_at(metrics, i));
	/* What it is in the form that is kept. */
	if (cpu && cpu->integer < 1)
		field_invalid(v, FIELD(at, "metrics[0].resource.target.averageUtilization"), cpu,
			      "must be greater than 0");
	validate_scaling(v, FIELD(FIELD(at, "behavior"), "scaleUp"),
			 value_get(behavior, "scaleUp"));
	validate_scaling(v, FIELD(FIELD(at, "behavior"), "scaleDown"),
			 value_get(behavior, "scaleDown"));
}

const struct kind_rules rules_horizontalpodautoscalers = {"autoscaling", "horizontalpodautoscalers",
							  validate_autoscaler, NULL};
