/* SPDX-License-Identifier: Apache-2.0 */
/* Where a pod may run: affinity, tolerations, spreading. */
#include "machinery/kinds.h"

#include <coxswain/kit/map.h>

static void validate_weight(struct validation *v, const struct field_path *at,
			    const struct value *term)
{
	const struct value zero = {.kind = VALUE_INT};
	const struct value *weight = value_get(term, "weight");
	int64_t number = value_get_int(term, "weight", 0);

	if (number < 1 || number > 100)
		field_invalid(v, FIELD(at, "weight"), weight ? weight : &zero,
			      "must be in the range 1-100");
}

static void validate_pod_term(struct validation *v, const struct field_path *at,
			      const struct value *term)
{
	const struct value *namespaces = value_get(term, "namespaces");

	validate_label_selector(v, FIELD(at, "labelSelector"), value_get(term, "labelSelector"));
	validate_label_selector(v, FIELD(at, "namespaceSelector"),
				value_get(term, "namespaceSelector"));
	for
		each_entry(namespaces, i) validate_text(v, FIELD_INDEX(FIELD(at, "namespaces"), i),
							value_at(namespaces, i), names_dns_label);
}

static void validate_pod_affinity(struct validation *v, const struct field_path *at,
				  const struct value *affinity)
{
	static const char *const needed = "requiredDuringSchedulingIgnoredDuringExecution";
	static const char *const wanted = "preferredDuringSchedulingIgnoredDuringExecution";
	const struct value *must = value_get(affinity, needed);
	const struct value *should = value_get(affinity, wanted);

	for
		each_entry(must, i)
			validate_pod_term(v, FIELD_INDEX(FIELD(at, needed), i), value_at(must, i));
	for
		each_entry(should, i)
		{
			const struct field_path *here = FIELD_INDEX(FIELD(at, wanted), i);

			validate_weight(v, here, value_at(should, i));
			validate_pod_term(v, FIELD(here, "podAffinityTerm"),
					  value_get(value_at(should, i), "podAffinityTerm"));
		}
}

static void validate_node_affinity(struct validation *v, const struct field_path *at,
				   const struct value *affinity)
{
	static const char *const needed = "requiredDuringSchedulingIgnoredDuringExecution";
	static const char *const wanted = "preferredDuringSchedulingIgnoredDuringExecution";
	const struct value *should = value_get(affinity, wanted);

	validate_node_selector(v, FIELD(at, needed), value_get(affinity, needed));
	for
		each_entry(should, i)
			validate_weight(v, FIELD_INDEX(FIELD(at, wanted), i), value_at(should, i));
}

static void validate_toleration(struct validation *v, const struct field_path *at,
				const struct value *toleration)
{
	static const char *const operators[] = {"Equal", "Exists", NULL};
	const struct value *key = value_get(toleration, "key");
	const struct value *value = value_get(toleration, "value");
	const struct value *relation = value_get(toleration, "operator");

	if (!is_unset(key))
		validate_text(v, FIELD(at, "key"), key, names_qualified);
	else if (!value_string_is(relation, "Exists"))
		field_invalid_text(v, FIELD(at, "operator"), value_text(relation),
				   "operator must be Exists when `key` is empty, which means "
				   "\"match all values and all keys\"");
	if (value_get(toleration, "tolerationSeconds") &&
	    !text_is(toleration, "effect", "NoExecute"))
		field_invalid_text(v, FIELD(at, "effect"), value_get_text(toleration, "effect"),
				   "effect must be 'NoExecute' when `tolerationSeconds` is set");
	if (is_unset(relation) || value_string_is(relation, "Equal"))
		validate_text(v, FIELD(at, "operator"), value, names_label_value);
	else if (!value_string_is(relation, "Exists"))
		field_not_supported(v, FIELD(at, "operator"), relation, operators);
	else if (!is_unset(value))
		field_invalid(v, FIELD(at, "operator"), toleration,
			      "value must be empty when `operator` is 'Exists'");
}

void validate_tolerations(struct validation *v, const struct field_path *at,
			  const struct value *tolerations)
{
	for
		each_entry(tolerations, i)
			validate_toleration(v, FIELD_INDEX(at, i), value_at(tolerations, i));
}

static void validate_spread(struct validation *v, const struct field_path *at,
			    const struct value *spread)
{
	const struct value zero = {.kind = VALUE_INT};
	struct cox_map seen = COX_MAP_INIT;

	for
		each_entry(spread, i)
		{
			const struct value *constraint = value_at(spread, i);
			const struct field_path *entry = FIELD_INDEX(at, i);
			const struct value *skew = value_get(constraint, "maxSkew");
			const struct value *domains = value_get(constraint, "minDomains");
			const char *unsatisfiable = value_get_text(constraint, "whenUnsatisfiable");
			const char *pair = arena_printf(v->arena, "{%s, %s}",
							value_get_text(constraint, "topologyKey"),
							unsatisfiable);

			if (value_get_int(constraint, "maxSkew", 0) < 1)
				field_invalid(v, FIELD(entry, "maxSkew"), skew ? skew : &zero,
					      "must be greater than zero");
			if (domains && value_get_int(constraint, "minDomains", 0) < 1)
				field_invalid(v, FIELD(entry, "minDomains"), domains,
					      "must be greater than zero");
			if (domains && strcmp(unsatisfiable, "DoNotSchedule") != 0)
				field_invalid(v, FIELD(entry, "minDomains"), domains,
					      "can only use minDomains if "
					      "whenUnsatisfiable=DoNotSchedule, not %s",
					      unsatisfiable);
			if (cox_map_put(&seen, pair, strlen(pair), &seen))
				field_duplicate(v, FIELD(entry, "{topologyKey, whenUnsatisfiable}"),
						value_string(v->arena, pair));
			validate_label_selector(v, FIELD(entry, "labelSelector"),
						value_get(constraint, "labelSelector"));
		}
	cox_map_free(&seen);
}

void validate_placement(struct validation *v, const struct field_path *at, const struct value *spec)
{
	const struct value *affinity = value_get(spec, "affinity");
	const struct value *spread = value_get(spec, "topologySpreadConstraints");
	const struct field_path *here = FIELD(at, "affinity");

	validate_node_affinity(v, FIELD(here, "nodeAffinity"), value_get(affinity, "nodeAffinity"));
	validate_pod_affinity(v, FIELD(here, "podAffinity"), value_get(affinity, "podAffinity"));
	validate_pod_affinity(v, FIELD(here, "podAntiAffinity"),
			      value_get(affinity, "podAntiAffinity"));
	validate_tolerations(v, FIELD(at, "tolerations"), value_get(spec, "tolerations"));
	validate_spread(v, FIELD(at, "topologySpreadConstraints"), spread);
}
