/* SPDX-License-Identifier: Apache-2.0 */
/* Flow schemas and priority levels: who is meant by what, and how much they may do at once. */
#include "machinery/kinds.h"

enum { PRECEDENCE_MAX = 10000, QUEUES_MAX = 10000000 };

/* "*" stands for all, so there is nothing to add to it. */
static void validate_all_or_some(struct validation *v, const struct field_path *at,
				 const struct value *list, const char *missing, const char *others)
{
	if (is_unset(list))
		field_required(v, at, missing);
	else if (list->count > 1 && list_has_text(list, "*"))
		field_invalid(v, at, list, "if '*' is present, must not specify other %s", others);
}

static void validate_subject(struct validation *v, const struct field_path *at,
			     const struct value *subject)
{
	static const char *const kinds[] = {"Group", "ServiceAccount", "User", NULL};
	static const char *const parts[] = {"group", "serviceAccount", "user"};
	static const char *const names[] = {"name", "namespace"};
	const struct value *kind = value_get(subject, "kind");
	const struct value *part = NULL;
	const struct field_path *here;
	size_t which = 0;

	while (kinds[which] && !value_string_is(kind, kinds[which]))
		which++;
	if (!kinds[which]) {
		field_not_supported(v, FIELD(at, "kind"), kind, kinds);
		return;
	}
	for (size_t i = 0; i < 3; i++) {
		if (i == which)
			part = value_get(subject, parts[i]);
		else if (value_get(subject, parts[i]))
			field_forbidden(v, FIELD(at, parts[i]),
					"%s is forbidden when subject kind is not '%s'", parts[i],
					kinds[i]);
	}
	here = FIELD(at, parts[which]);
	if (!part) {
		field_required(v, here,
			       arena_printf(v->arena, "%s is required when subject kind is '%s'",
					    parts[which], kinds[which]));
		return;
	}
	for (size_t i = 0; i < (which == 1 ? 2 : 1); i++) {
		if (is_unset(value_get(part, names[i])))
			field_required(v, FIELD(here, names[i]), "");
	}
}

static void validate_resource_rule(struct validation *v, const struct field_path *at,
				   const struct value *rule)
{
	const struct value *namespaces = value_get(rule, "namespaces");

	validate_all_or_some(v, FIELD(at, "verbs"), value_get(rule, "verbs"),
			     "verbs must contain at least one value", "verbs");
	validate_all_or_some(v, FIELD(at, "apiGroups"), value_get(rule, "apiGroups"),
			     "resource rules must supply at least one api group", "api groups");
	validate_all_or_some(v, FIELD(at, "resources"), value_get(rule, "resources"),
			     "resource rules must supply at least one resource", "resources");
	if (is_unset(namespaces) && !value_get_bool(rule, "clusterScope"))
		field_required(v, FIELD(at, "namespaces"),
			       "resource rules that are not cluster scoped must supply at least "
			       "one namespace");
	else if (!is_unset(namespaces))
		validate_all_or_some(v, FIELD(at, "namespaces"), namespaces, "", "namespaces");
}

static void validate_path_rule(struct validation *v, const struct field_path *at,
			       const struct value *rule)
{
	const struct value *paths = value_get(rule, "nonResourceURLs");

	validate_all_or_some(v, FIELD(at, "verbs"), value_get(rule, "verbs"),
			     "verbs must contain at least one value", "verbs");
	validate_all_or_some(v, FIELD(at, "nonResourceURLs"), paths,
			     "nonResourceURLs must contain at least one value",
			     "non-resource URLs");
	for
		each_entry(paths, i)
		{
			const char *text = value_text(value_at(paths, i));
			const struct field_path *here =
				FIELD_INDEX(FIELD(at, "nonResourceURLs"), i);
			const char *star = strchr(text, '*');

			if (strcmp(text, "*") == 0)
				continue;
			if (text[0] != '/')
				field_invalid(v, here, value_at(paths, i), "must start with slash");
			else if (strchr(text, ' '))
				field_invalid(v, here, value_at(paths, i),
					      "must not contain white-space");
			else if (strstr(text, "//"))
				field_invalid(v, here, value_at(paths, i),
					      "must not contain double slash");
			else if (star && (star[1] || star[-1] != '/'))
				field_invalid(v, here, value_at(paths, i),
					      "wildcard can only do suffix matching");
		}
}

static void validate_schema_rule(struct validation *v, const struct field_path *at,
				 const struct value *rule)
{
	const struct value *subjects = value_get(rule, "subjects");
	const struct value *resources = value_get(rule, "resourceRules");
	const struct value *paths = value_get(rule, "nonResourceRules");

	if (is_unset(subjects))
		field_required(v, FIELD(at, "subjects"),
			       "subjects must contain at least one value");
	for
		each_entry(subjects, i) validate_subject(v, FIELD_INDEX(FIELD(at, "subjects"), i),
							 value_at(subjects, i));
	if (is_unset(resources) && is_unset(paths))
		field_required(v, at,
			       "at least one of resourceRules and nonResourceRules has to be "
			       "non-empty");
	for
		each_entry(resources, i) validate_resource_rule(
			v, FIELD_INDEX(FIELD(at, "resourceRules"), i), value_at(resources, i));
	for
		each_entry(paths, i) validate_path_rule(
			v, FIELD_INDEX(FIELD(at, "nonResourceRules"), i), value_at(paths, i));
}

static void validate_flow_schema(struct validation *v, const struct value *object)
{
	static const char *const methods[] = {"ByNamespace", "ByUser", NULL};
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *precedence = value_get(spec, "matchingPrecedence");
	const struct value *method = value_path(spec, "distinguisherMethod.type");
	const struct value *level = value_path(spec, "priorityLevelConfiguration.name");
	const struct value *rules = value_get(spec, "rules");
	const struct field_path *level_at = FIELD(FIELD(at, "priorityLevelConfiguration"), "name");
	bool exempt = value_string_is(value_path(object, "metadata.name"), "exempt");

	if (precedence && precedence->integer == 1 && !exempt)
		field_invalid(v, FIELD(at, "matchingPrecedence"), precedence,
			      "only the schema named 'exempt' may have matchingPrecedence 1");
	if (precedence && precedence->integer <= 0)
		field_invalid(v, FIELD(at, "matchingPrecedence"), precedence,
			      "must be a positive value");
	else if (precedence && precedence->integer > PRECEDENCE_MAX)
		field_invalid(v, FIELD(at, "matchingPrecedence"), precedence,
			      "must not be greater than %d", PRECEDENCE_MAX);
	if (value_get(spec, "distinguisherMethod") && !value_string_is(method, methods[0]) &&
	    !value_string_is(method, methods[1]))
		field_not_supported(v, FIELD(FIELD(at, "distinguisherMethod"), "type"), method,
				    methods);
	if (is_unset(level))
		field_required(v, level_at, "must reference a priority level");
	else
		validate_text(v, level_at, level, names_dns_subdomain);
	for
		each_entry(rules, i) validate_schema_rule(v, FIELD_INDEX(FIELD(at, "rules"), i),
							  value_at(rules, i));
}

const struct kind_rules rules_flowschemas = {"flowcontrol.apiserver.k8s.io", "flowschemas",
					     validate_flow_schema, NULL};

/* Priority levels */

static void validate_queuing(struct validation *v, const struct field_path *at,
			     const struct value *queuing)
{
	static const char *const counts[] = {"queueLengthLimit", "queues", "handSize"};
	int64_t queues = value_get_int(queuing, "queues", 0);
	const struct value *hand = value_get(queuing, "handSize");

	for (size_t i = 0; i < 3; i++) {
		const struct value *count = value_get(queuing, counts[i]);

		if (count && count->integer <= 0)
			field_invalid(v, FIELD(at, counts[i]), count, "must be positive");
	}
	if (queues > QUEUES_MAX)
		field_invalid(v, FIELD(at, "queues"), value_get(queuing, "queues"),
			      "must not be greater than %d", QUEUES_MAX);
	if (hand && hand->integer > queues)
		field_invalid(v, FIELD(at, "handSize"), hand,
			      "should not be greater than queues (%lld)", (long long)queues);
}

static void validate_response(struct validation *v, const struct field_path *at,
			      const struct value *response)
{
	static const char *const types[] = {"Queue", "Reject", NULL};
	const struct value *queuing = value_get(response, "queuing");
	const struct value *type = value_get(response, "type");

	if (text_is(response, "type", "Reject")) {
		if (queuing)
			field_forbidden(v, FIELD(at, "queuing"),
					"must be nil if limited.limitResponse.type is not Limited");
	} else if (text_is(response, "type", "Queue")) {
		if (queuing)
			validate_queuing(v, FIELD(at, "queuing"), queuing);
		else
			field_required(v, FIELD(at, "queuing"),
				       "must not be empty if limited.limitResponse.type is "
				       "Limited");
	} else if (is_unset(type)) {
		field_required(v, FIELD(at, "type"), "");
	} else {
		field_not_supported(v, FIELD(at, "type"), type, types);
	}
}

static void validate_shares(struct validation *v, const struct field_path *at,
			    const struct value *level)
{
	const struct value *shares = value_get(level, "nominalConcurrencyShares");
	const struct value *lendable = value_get(level, "lendablePercent");
	const struct value *borrowing = value_get(level, "borrowingLimitPercent");

	if (shares && shares->integer < 0)
		field_invalid(v, FIELD(at, "nominalConcurrencyShares"), shares,
			      "must be a non-negative integer");
	if (lendable && (lendable->integer < 0 || lendable->integer > 100))
		field_invalid(v, FIELD(at, "lendablePercent"), lendable,
			      "must be between 0 and 100, inclusive");
	if (borrowing && borrowing->integer < 0)
		field_invalid(v, FIELD(at, "borrowingLimitPercent"), borrowing,
			      "must be a non-negative integer");
}

static void validate_level(struct validation *v, const struct value *object)
{
	static const char *const types[] = {"Exempt", "Limited", NULL};
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *limited = value_get(spec, "limited");
	const struct value *exempt = value_get(spec, "exempt");

	if (text_is(spec, "type", "Exempt")) {
		if (limited)
			field_forbidden(v, FIELD(at, "limited"),
					"must be nil if the type is not Limited");
		validate_shares(v, FIELD(at, "exempt"), exempt);
	} else if (text_is(spec, "type", "Limited")) {
		if (exempt)
			field_forbidden(v, FIELD(at, "exempt"),
					"must be nil if the type is Limited");
		if (limited) {
			validate_shares(v, FIELD(at, "limited"), limited);
			validate_response(v, FIELD(FIELD(at, "limited"), "limitResponse"),
					  value_get(limited, "limitResponse"));
		} else {
			field_required(v, FIELD(at, "limited"),
				       "must not be empty when type is Limited");
		}
	} else {
		field_not_supported(v, FIELD(at, "type"), value_get(spec, "type"), types);
	}
}

const struct kind_rules rules_prioritylevelconfigurations = {
	"flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", validate_level, NULL};
