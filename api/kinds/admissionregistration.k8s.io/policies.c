/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission policies and their bindings: the shape alone. Expressions must be
 * there; what they say is for whoever runs them.
 */
#include "admission.h"

#include "machinery/kinds.h"

#include <coxswain/kit/map.h>
#include <ctype.h>

enum { ANNOTATIONS_MAX = 20, MESSAGE_MAX = 5 * 1024 };

static void validate_expression(struct validation *v, const struct field_path *at,
				const struct value *object, const char *field)
{
	const char *text = value_get_text(object, field);

	if (text[strspn(text, " \t\r\n")] == '\0')
		field_required(v, FIELD(at, field),
			       arena_printf(v->arena, "%s is not specified", field));
}

static void validate_match(struct validation *v, const struct field_path *at,
			   const struct value *match)
{
	static const char *const lists[] = {"resourceRules", "excludeResourceRules"};

	validate_label_selector(v, FIELD(at, "namespaceSelector"),
				value_get(match, "namespaceSelector"));
	validate_label_selector(v, FIELD(at, "objectSelector"), value_get(match, "objectSelector"));
	for (size_t l = 0; l < 2; l++) {
		const struct value *rules = value_get(match, lists[l]);

		for
			each_entry(rules, i) validate_admission_rule(
				v, FIELD_INDEX(FIELD(at, lists[l]), i), value_at(rules, i));
	}
}

static void validate_constraints(struct validation *v, const struct field_path *at,
				 const struct value *spec)
{
	const struct value *match = value_get(spec, "matchConstraints");
	const struct field_path *here = FIELD(at, "matchConstraints");

	if (!match) {
		field_required(v, here, "");
		return;
	}
	validate_match(v, here, match);
	if (is_unset(value_get(match, "resourceRules")))
		field_required(v, FIELD(here, "resourceRules"), "");
}

static void validate_parameter_kind(struct validation *v, const struct field_path *at,
				    const struct value *kind)
{
	static const char *const parts[] = {"apiVersion", "kind"};

	for (size_t i = 0; kind && i < 2; i++) {
		if (is_unset(value_get(kind, parts[i])))
			field_required(v, FIELD(at, parts[i]), "");
	}
}

/* A variable is called as expressions can call it. */
static bool is_identifier(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_')
			return false;
	return true;
}

static void validate_variables(struct validation *v, const struct field_path *at,
			       const struct value *variables)
{
	struct cox_map seen = COX_MAP_INIT;

	for
		each_entry(variables, i)
		{
			const struct value *one = value_at(variables, i);
			const struct value *name = value_get(one, "name");
			const struct field_path *here = FIELD_INDEX(at, i);

			if (is_unset(name))
				field_required(v, FIELD(here, "name"), "name is not specified");
			else if (!is_identifier(name->text))
				field_invalid(v, FIELD(here, "name"), name,
					      "name is not a valid CEL identifier");
			else if (cox_map_put(&seen, name->text, name->count, &seen))
				field_duplicate(v, FIELD(here, "name"), name);
			validate_expression(v, here, one, "expression");
		}
	cox_map_free(&seen);
}

static void validate_validation(struct validation *v, const struct field_path *at,
				const struct value *one)
{
	static const char *const reasons[] = {"Forbidden", "Invalid", "RequestEntityTooLarge",
					      "Unauthorized", NULL};
	const struct value *message = value_get(one, "message");
	const struct value *reason = value_get(one, "reason");
	size_t k = 0;

	validate_expression(v, at, one, "expression");
	if (!is_unset(message) && strchr(message->text, '\n'))
		field_invalid(v, FIELD(at, "message"), message,
			      "message must not contain line breaks");
	if (!is_unset(message) && message->count > MESSAGE_MAX)
		field_too_long(v, FIELD(at, "message"), MESSAGE_MAX);
	while (reasons[k] && !value_string_is(reason, reasons[k]))
		k++;
	if (reason && !reasons[k])
		field_not_supported(v, FIELD(at, "reason"), reason, reasons);
}

static void validate_annotations_of(struct validation *v, const struct field_path *at,
				    const struct value *annotations)
{
	struct cox_map seen = COX_MAP_INIT;

	if (value_is(annotations, VALUE_ARRAY) && annotations->count > ANNOTATIONS_MAX)
		field_invalid(v, at, annotations, "must not have more than %d auditAnnotations",
			      ANNOTATIONS_MAX);
	for
		each_entry(annotations, i)
		{
			const struct value *one = value_at(annotations, i);
			const struct value *key = value_get(one, "key");
			const struct field_path *here = FIELD_INDEX(at, i);

			if (is_unset(key))
				field_required(v, FIELD(here, "key"), "key is not specified");
			else if (cox_map_put(&seen, key->text, key->count, &seen))
				field_duplicate(v, FIELD(here, "key"), key);
			if (!is_unset(key))
				validate_text(v, FIELD(here, "key"), key, names_qualified);
			validate_expression(v, here, one, "valueExpression");
		}
	cox_map_free(&seen);
}

static void validate_common(struct validation *v, const struct field_path *at,
			    const struct value *spec)
{
	validate_parameter_kind(v, FIELD(at, "paramKind"), value_get(spec, "paramKind"));
	validate_constraints(v, at, spec);
	validate_match_conditions(v, FIELD(at, "matchConditions"),
				  value_get(spec, "matchConditions"));
	validate_variables(v, FIELD(at, "variables"), value_get(spec, "variables"));
}

static void validate_validating(struct validation *v, const struct value *object)
{
	static const char *const lists[] = {"validations", "auditAnnotations"};
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *validations = value_get(spec, lists[0]);

	validate_common(v, at, spec);
	if (is_unset(validations) && is_unset(value_get(spec, lists[1])))
		for (size_t i = 0; i < 2; i++)
			field_required(v, FIELD(at, lists[i]),
				       "validations or auditAnnotations must contain at least one "
				       "item");
	for
		each_entry(validations, i) validate_validation(
			v, FIELD_INDEX(FIELD(at, lists[0]), i), value_at(validations, i));
	validate_annotations_of(v, FIELD(at, lists[1]), value_get(spec, lists[1]));
}

static void validate_mutation(struct validation *v, const struct field_path *at,
			      const struct value *mutation)
{
	static const char *const parts[][2] = {{"ApplyConfiguration", "applyConfiguration"},
					       {"JSONPatch", "jsonPatch"}};
	const char *type = value_get_text(mutation, "patchType");

	if (!*type)
		field_required(v, FIELD(at, "patchType"), "");
	for (size_t i = 0; i < 2; i++) {
		const struct value *part = value_get(mutation, parts[i][1]);
		bool wanted = strcmp(type, parts[i][0]) == 0;

		if (wanted && !part)
			field_required(v, FIELD(at, parts[i][1]),
				       arena_printf(v->arena,
						    "must be specified when patchType is %s",
						    type));
		else if (wanted)
			validate_expression(v, FIELD(at, parts[i][1]), part, "expression");
		else if (part)
			field_invalid(v, FIELD(at, parts[i][1]), part,
				      "must not be specified when patchType is %s", type);
	}
}

static void validate_mutating(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *mutations = value_get(spec, "mutations");

	validate_common(v, at, spec);
	if (is_unset(mutations))
		field_required(v, FIELD(at, "mutations"),
			       "mutations must contain at least one item");
	for
		each_entry(mutations, i) validate_mutation(
			v, FIELD_INDEX(FIELD(at, "mutations"), i), value_at(mutations, i));
	if (is_unset(value_get(spec, "reinvocationPolicy")))
		field_required(v, FIELD(at, "reinvocationPolicy"), "");
}

const struct kind_rules rules_validatingadmissionpolicies = {
	"admissionregistration.k8s.io", "validatingadmissionpolicies", validate_validating, NULL};
const struct kind_rules rules_mutatingadmissionpolicies = {
	"admissionregistration.k8s.io", "mutatingadmissionpolicies", validate_mutating, NULL};

/* Bindings */

static void validate_parameter(struct validation *v, const struct field_path *at,
			       const struct value *parameter)
{
	static const char *const actions[] = {"Allow", "Deny", NULL};
	const struct value *name = value_get(parameter, "name");
	const struct value *selector = value_get(parameter, "selector");
	const struct value *action = value_get(parameter, "parameterNotFoundAction");

	if (is_unset(name) == !selector)
		field_required(v, at,
			       is_unset(name) ? "one of name or selector must be specified"
					      : "name and selector are mutually exclusive");
	validate_path_text(v, FIELD(at, "name"), name);
	validate_label_selector(v, FIELD(at, "selector"), selector);
	if (!action)
		field_required(v, FIELD(at, "parameterNotFoundAction"), "");
	else if (!value_string_is(action, "Allow") && !value_string_is(action, "Deny"))
		field_not_supported(v, FIELD(at, "parameterNotFoundAction"), action, actions);
}

static void validate_mutating_binding(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *policy = value_get(spec, "policyName");

	if (is_unset(policy))
		field_required(v, FIELD(at, "policyName"), "");
	else
		validate_text(v, FIELD(at, "policyName"), policy, names_dns_subdomain);
	if (value_get(spec, "paramRef"))
		validate_parameter(v, FIELD(at, "paramRef"), value_get(spec, "paramRef"));
	if (value_get(spec, "matchResources"))
		validate_match(v, FIELD(at, "matchResources"), value_get(spec, "matchResources"));
}

static void validate_validating_binding(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(FIELD(NULL, "spec"), "validationActions");
	const struct value *actions = value_path(object, "spec.validationActions");
	struct cox_map seen = COX_MAP_INIT;

	validate_mutating_binding(v, object);
	if (is_unset(actions))
		field_required(v, at, "");
	for
		each_entry(actions, i)
		{
			const struct value *one = value_at(actions, i);

			if (cox_map_put(&seen, value_text(one), one->count, &seen))
				field_duplicate(v, FIELD_INDEX(at, i), one);
		}
	if (cox_map_get(&seen, "Deny", 4) && cox_map_get(&seen, "Warn", 4))
		field_invalid(v, at, actions,
			      "must not contain both Deny and Warn (repeating the same validation "
			      "failure information in the API response and headers serves no "
			      "purpose)");
	cox_map_free(&seen);
}

const struct kind_rules rules_validatingadmissionpolicybindings = {
	"admissionregistration.k8s.io", "validatingadmissionpolicybindings",
	validate_validating_binding, NULL};
const struct kind_rules rules_mutatingadmissionpolicybindings = {"admissionregistration.k8s.io",
								 "mutatingadmissionpolicybindings",
								 validate_mutating_binding, NULL};
