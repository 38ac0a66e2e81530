/* SPDX-License-Identifier: Apache-2.0 */
/* Persistent volumes and claims: capacity, access modes, one source, little change. */
#include "machinery/kinds.h"

static void validate_modes(struct validation *v, const struct field_path *at,
			   const struct value *modes)
{
	static const char *const known[] = {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce",
					    "ReadWriteOncePod", NULL};
	bool alone = false;

	for
		each_entry(modes, i)
		{
			size_t k = 0;

			while (known[k] && !value_string_is(value_at(modes, i), known[k]))
				k++;
			if (!known[k])
				field_not_supported(v, at, value_at(modes, i), known);
			alone = alone || (known[k] && k == 3);
		}
	if (alone && modes->count > 1)
		field_forbidden(v, at, "may not use ReadWriteOncePod with other access modes");
}

static void validate_positive(struct validation *v, const struct field_path *at,
			      const struct value *amount)
{
	struct cox_quantity quantity = quantity_of(amount);

	if (cox_quantity_sign(&quantity) <= 0)
		field_invalid(v, at, amount, "must be greater than zero");
}

static bool is_source(const char *field)
{
	static const char *const others[] = {"capacity",
					     "accessModes",
					     "claimRef",
					     "persistentVolumeReclaimPolicy",
					     "storageClassName",
					     "mountOptions",
					     "volumeMode",
					     "nodeAffinity",
					     "volumeAttributesClassName"};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (strcmp(others[i], field) == 0)
			return false;
	}
	return true;
}

static void validate_source(struct validation *v, const struct field_path *at,
			    const struct value *spec)
{
	bool found = false;

	for
		each_member(spec, i)
		{
			const char *name = spec->object.members[i].key;

			if (!is_source(name))
				continue;
			if (found)
				field_forbidden(v, FIELD(at, name),
						"may not specify more than 1 volume type");
			found = true;
		}
	if (!found)
		field_required(v, at, "must specify a volume type");
	if (text_is(value_get(spec, "hostPath"), "path", "/") &&
	    text_is(spec, "persistentVolumeReclaimPolicy", "Recycle"))
		field_forbidden(v, FIELD(at, "persistentVolumeReclaimPolicy"),
				"may not be 'recycle' for a hostPath mount of '/'");
	if (value_get(spec, "local") && !value_get(spec, "nodeAffinity"))
		field_required(v, FIELD(at, "nodeAffinity"), "Local volume requires node affinity");
}

static void validate_volume(struct validation *v, const struct value *volume)
{
	static const char *const only[] = {"storage", NULL};
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(volume, "spec");
	const struct value *capacity = value_get(spec, "capacity");
	const struct value *modes = value_get(spec, "accessModes");

	if (is_unset(modes))
		field_required(v, FIELD(at, "accessModes"), "");
	validate_modes(v, FIELD(at, "accessModes"), modes);
	if (is_unset(capacity))
		field_required(v, FIELD(at, "capacity"), "");
	else if (!value_get(capacity, "storage") || capacity->count > 1)
		field_not_supported(v, FIELD(at, "capacity"), capacity, only);
	else
		validate_positive(v, FIELD_KEY(FIELD(at, "capacity"), "storage"),
				  value_get(capacity, "storage"));
	validate_source(v, at, spec);
	validate_node_selector(v, FIELD(FIELD(at, "nodeAffinity"), "required"),
			       value_path(spec, "nodeAffinity.required"));
}

static void validate_volume_update(struct validation *v, const struct value *volume,
				   const struct value *old, const char *subresource)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(volume, "spec"), *before = value_get(old, "spec");

	(void)subresource;
	for
		each_member(before, i)
		{
			const struct value_member *member = &before->object.members[i];

			if (is_source(member->key) &&
			    !values_same(value_get(spec, member->key), member->value)) {
				field_forbidden(
					v, FIELD(at, "persistentvolumesource"),
					"spec.persistentvolumesource is immutable after creation");
				break;
			}
		}
	validate_same(v, FIELD(at, "volumeMode"), value_get(spec, "volumeMode"),
		      value_get(before, "volumeMode"));
	if (!is_unset(value_get(before, "nodeAffinity")))
		validate_same(v, FIELD(at, "nodeAffinity"), value_get(spec, "nodeAffinity"),
			      value_get(before, "nodeAffinity"));
}

const struct kind_rules rules_persistentvolumes = {"", "persistentvolumes", validate_volume,
						   validate_volume_update};

static void validate_claim(struct validation *v, const struct value *claim)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct field_path *requests = FIELD(FIELD(at, "resources"), "requests");
	const struct value *spec = value_get(claim, "spec");
	const struct value *modes = value_get(spec, "accessModes");
	const struct value *storage = value_path(spec, "resources.requests.storage");

	if (is_unset(modes))
		field_required(v, FIELD(at, "accessModes"), "at least 1 access mode is required");
	validate_modes(v, FIELD(at, "accessModes"), modes);
	validate_label_selector(v, FIELD(at, "selector"), value_get(spec, "selector"));
	if (!storage)
		field_required(v, FIELD_KEY(FIELD(at, "resources"), "storage"), "");
	else
		validate_positive(v, FIELD_KEY(requests, "storage"), storage);
	if (!is_unset(value_get(spec, "storageClassName")))
		validate_text(v, FIELD(at, "storageClassName"), value_get(spec, "storageClassName"),
			      names_dns_subdomain);
}

static void validate_claim_update(struct validation *v, const struct value *claim,
				  const struct value *old, const char *subresource)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *before = value_get(old, "spec");
	struct value *spec = value_copy(v->arena, value_get(claim, "spec"));
	const struct value *now = value_path(spec, "resources.requests.storage");
	const struct value *then = value_path(before, "resources.requests.storage");
	struct cox_quantity wanted = quantity_of(now), had = quantity_of(then);

	(void)subresource;
	if (!spec || !before)
		return;
	/* Binding fills in the volume once; a bound claim can grow. */
	if (is_unset(value_get(before, "volumeName")))
		value_remove(spec, "volumeName");
	if (text_is(value_get(old, "status"), "phase", "Bound")) {
		if (cox_quantity_compare(&wanted, &had) < 0)
			field_forbidden(v,
					FIELD(FIELD(FIELD(at, "resources"), "requests"), "storage"),
					"field can not be less than status.capacity");
		if (value_get(before, "resources"))
			value_set(v->arena, spec, "resources", value_get(before, "resources"));
	}
	if (value_get(before, "volumeAttributesClassName"))
		value_set(v->arena, spec, "volumeAttributesClassName",
			  value_get(before, "volumeAttributesClassName"));
	else
		value_remove(spec, "volumeAttributesClassName");
	if (!value_equal(spec, before))
		field_forbidden(v, at,
				"spec is immutable after creation except resources.requests and "
				"volumeAttributesClassName for bound claims");
}

const struct kind_rules rules_persistentvolumeclaims = {"", "persistentvolumeclaims",
							validate_claim, validate_claim_update};
