/* SPDX-License-Identifier: Apache-2.0 */
/* Stateful sets, which little may change of, and the revisions of what was once wanted. */
#include "machinery/kinds.h"

static void validate_update_strategy(struct validation *v, const struct field_path *at,
				     const struct value *strategy)
{
	const struct value *rolling = value_get(strategy, "rollingUpdate");

	if (text_is(strategy, "type", "OnDelete") && value_is(rolling, VALUE_OBJECT))
		field_invalid(v, FIELD(at, "rollingUpdate"), rolling,
			      "only allowed for updateStrategy 'RollingUpdate'");
	else if (text_is(strategy, "type", "RollingUpdate"))
		validate_share(v, FIELD(FIELD(at, "rollingUpdate"), "maxUnavailable"),
			       value_get(rolling, "maxUnavailable"), true);
}

static void validate_retention(struct validation *v, const struct field_path *at,
			       const struct value *policy)
{
	static const char *const known[] = {"Delete", "Retain", NULL};
	static const char *const when[] = {"whenDeleted", "whenScaled"};

	for (size_t i = 0; value_is(policy, VALUE_OBJECT) && i < 2; i++) {
		const struct value *one = value_get(policy, when[i]);

		if (is_unset(one))
			field_required(v, FIELD(at, when[i]), "");
		else if (!value_string_is(one, "Delete") && !value_string_is(one, "Retain"))
			field_not_supported(v, FIELD(at, when[i]), one, known);
	}
}

static void validate_claims(struct validation *v, const struct field_path *at,
			    const struct value *claims)
{
	for
		each_entry(claims, i)
		{
			const struct value *storage =
				value_path(value_at(claims, i), "spec.resources.requests.storage");
			struct cox_quantity amount = quantity_of(storage);

			if (storage && cox_quantity_sign(&amount) <= 0)
				field_invalid(v,
					      FIELD(FIELD_INDEX(at, i),
						    "spec.resources.requests[storage]"),
					      storage, "must be greater than zero");
		}
}

static void validate_set(struct validation *v, const struct value *object)
{
	static const char *const parts[] = {"currentReplicas", "updatedReplicas", "readyReplicas",
					    "availableReplicas", NULL};
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *selector = value_get(spec, "selector");

	validate_update_strategy(v, FIELD(at, "updateStrategy"), value_get(spec, "updateStrategy"));
	validate_retention(v, FIELD(at, "persistentVolumeClaimRetentionPolicy"),
			   value_get(spec, "persistentVolumeClaimRetentionPolicy"));
	if (!value_is(selector, VALUE_OBJECT))
		field_required(v, FIELD(at, "selector"), "");
	validate_label_selector(v, FIELD(at, "selector"), selector);
	if (value_is(selector, VALUE_OBJECT) && is_unset(value_get(selector, "matchLabels")) &&
	    is_unset(value_get(selector, "matchExpressions")))
		field_invalid(v, FIELD(at, "selector"), selector,
			      "empty selector is invalid for statefulset");
	validate_lasting_template(v, FIELD(at, "template"), value_get(spec, "template"), selector,
				  true, "StatefulSet");
	validate_claims(v, FIELD(at, "volumeClaimTemplates"),
			value_get(spec, "volumeClaimTemplates"));
	validate_status_counts(v, object, parts, "replicas", "status.replicas");
	validate_status_counts(v, object, parts + 3, "readyReplicas", "status.readyReplicas");
}

static void validate_set_update(struct validation *v, const struct value *object,
				const struct value *old, const char *subresource)
{
	static const char *const free[] = {"replicas",
					   "ordinals",
					   "template",
					   "updateStrategy",
					   "revisionHistoryLimit",
					   "persistentVolumeClaimRetentionPolicy",
					   "minReadySeconds"};
	const struct value *before = value_get(old, "spec");
	struct value *settled;

	if (strcmp(subresource, "status") == 0) {
		validate_collisions(v, object, old);
		return;
	}
	settled = value_copy(v->arena, value_get(object, "spec"));
	for (size_t i = 0; settled && i < sizeof(free) / sizeof(*free); i++) {
		struct value *value = value_get(before, free[i]);

		if (value)
			value_set(v->arena, settled, free[i], value);
		else
			value_remove(settled, free[i]);
	}
	if (!values_same(settled, before))
		field_forbidden(v, FIELD(NULL, "spec"),
				"updates to statefulset spec for fields other than 'replicas', "
				"'ordinals', 'template', 'updateStrategy', "
				"'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' "
				"and 'minReadySeconds' are forbidden");
}

const struct kind_rules rules_statefulsets = {"apps", "statefulsets", validate_set,
					      validate_set_update};

static void validate_revision(struct validation *v, const struct value *object)
{
	if (is_unset(value_get(object, "data")))
		field_required(v, FIELD(NULL, "data"), "data is mandatory");
}

const struct kind_rules rules_controllerrevisions = {"apps", "controllerrevisions",
						     validate_revision, NULL};
