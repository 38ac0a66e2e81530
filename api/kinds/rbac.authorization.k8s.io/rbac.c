/* SPDX-License-Identifier: Apache-2.0 */
/* Roles and their bindings: rules that can hold, subjects that there can be. */
#include "machinery/kinds.h"

static const char rbac_group[] = "rbac.authorization.k8s.io";

static void validate_rule(struct validation *v, const struct field_path *at,
			  const struct value *rule, bool namespaced)
{
	static const char *const about[] = {"apiGroups", "resources", "resourceNames"};
	const struct value *paths = value_get(rule, "nonResourceURLs");

	if (is_unset(value_get(rule, "verbs")))
		field_required(v, FIELD(at, "verbs"), "verbs must contain at least one value");
	if (!is_unset(paths)) {
		bool both = false;

		for (size_t i = 0; i < 3; i++)
			both = both || !is_unset(value_get(rule, about[i]));
		if (namespaced)
			field_invalid(v, FIELD(at, "nonResourceURLs"), paths,
				      "namespaced rules cannot apply to non-resource URLs");
		if (both)
			field_invalid(v, FIELD(at, "nonResourceURLs"), paths,
				      "rules cannot apply to both regular resources and "
				      "non-resource URLs");
		return;
	}
	if (is_unset(value_get(rule, "apiGroups")))
		field_required(v, FIELD(at, "apiGroups"),
			       "resource rules must supply at least one api group");
	if (is_unset(value_get(rule, "resources")))
		field_required(v, FIELD(at, "resources"),
			       "resource rules must supply at least one resource");
}

static void validate_rules(struct validation *v, const struct value *role, bool namespaced)
{
	const struct value *rules = value_get(role, "rules");

	for
		each_entry(rules, i) validate_rule(v, FIELD_INDEX(FIELD(NULL, "rules"), i),
						   value_at(rules, i), namespaced);
}

static void validate_role(struct validation *v, const struct value *role)
{
	validate_rules(v, role, true);
}

static void validate_cluster_role(struct validation *v, const struct value *role)
{
	const struct value *aggregation = value_get(role, "aggregationRule");
	const struct value *selectors = value_get(aggregation, "clusterRoleSelectors");
	const struct field_path *at = FIELD(FIELD(NULL, "aggregationRule"), "clusterRoleSelectors");

	validate_rules(v, role, false);
	if (value_is(aggregation, VALUE_OBJECT) && is_unset(selectors))
		field_required(v, at,
			       "at least one clusterRoleSelector required if aggregationRule is "
			       "non-nil");
	for
		each_entry(selectors, i)
			validate_label_selector(v, FIELD_INDEX(at, i), value_at(selectors, i));
}

static void validate_subject_group(struct validation *v, const struct field_path *at,
				   const struct value *subject, const char *group)
{
	const char *const only[] = {group, NULL};
	const struct value *given = value_get(subject, "apiGroup");
	static const struct value nothing = {.kind = VALUE_STRING, .text = ""};

	if (strcmp(value_text(given), group) != 0)
		field_not_supported(v, FIELD(at, "apiGroup"), given ? given : &nothing, only);
}

static void validate_subject(struct validation *v, const struct field_path *at,
			     const struct value *subject)
{
	static const char *const known[] = {"ServiceAccount", "User", "Group", NULL};
	const struct value *name = value_get(subject, "name");

	if (text_is(subject, "kind", "ServiceAccount")) {
		if (!is_unset(name))
			validate_text(v, FIELD(at, "name"), name, names_dns_subdomain);
		validate_subject_group(v, at, subject, "");
		if (is_unset(value_get(subject, "namespace")))
			field_required(v, FIELD(at, "namespace"), "");
	} else if (text_is(subject, "kind", "User") || text_is(subject, "kind", "Group")) {
		validate_subject_group(v, at, subject, rbac_group);
	} else if (!is_unset(value_get(subject, "kind"))) {
		field_not_supported(v, FIELD(at, "kind"), value_get(subject, "kind"), known);
	}
}

static void validate_binding_of(struct validation *v, const struct value *binding,
				const char *const *kinds)
{
	static const char *const groups[] = {rbac_group, NULL};
	const struct field_path *at = FIELD(NULL, "roleRef");
	const struct value *role = value_get(binding, "roleRef");
	const struct value *subjects = value_get(binding, "subjects");
	const struct value *kind = value_get(role, "kind");
	size_t k = 0;

	if (!text_is(role, "apiGroup", rbac_group))
		field_not_supported(v, FIELD(at, "apiGroup"), value_get(role, "apiGroup"), groups);
	while (kinds[k] && !value_string_is(kind, kinds[k]))
		k++;
	if (!is_unset(kind) && !kinds[k])
		field_not_supported(v, FIELD(at, "kind"), kind, kinds);
	validate_path_text(v, FIELD(at, "name"), value_get(role, "name"));
	for
		each_entry(subjects, i) validate_subject(v, FIELD_INDEX(FIELD(NULL, "subjects"), i),
							 value_at(subjects, i));
}

static void validate_binding(struct validation *v, const struct value *binding)
{
	static const char *const kinds[] = {"Role", "ClusterRole", NULL};

	validate_binding_of(v, binding, kinds);
}

static void validate_cluster_binding(struct validation *v, const struct value *binding)
{
	static const char *const kinds[] = {"ClusterRole", NULL};

	validate_binding_of(v, binding, kinds);
}

/* Whom a role is given to may change, never which role it is. */
static void validate_binding_update(struct validation *v, const struct value *binding,
				    const struct value *old, const char *subresource)
{
	(void)subresource;
	if (!values_same(value_get(binding, "roleRef"), value_get(old, "roleRef")))
		field_invalid(v, FIELD(NULL, "roleRef"), value_get(binding, "roleRef"),
			      "cannot change roleRef");
}

const struct kind_rules rules_roles = {"rbac.authorization.k8s.io", "roles", validate_role, NULL};
const struct kind_rules rules_clusterroles = {"rbac.authorization.k8s.io", "clusterroles",
					      validate_cluster_role, NULL};
const struct kind_rules rules_rolebindings = {"rbac.authorization.k8s.io", "rolebindings",
					      validate_binding, validate_binding_update};
const struct kind_rules rules_clusterrolebindings = {
	"rbac.authorization.k8s.io", "clusterrolebindings", validate_cluster_binding,
	validate_binding_update};
