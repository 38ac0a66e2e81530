/* SPDX-License-Identifier: Apache-2.0 */
/* Drivers of storage, the nodes they run on, what they attach and how much they have. */
#include "machinery/kinds.h"

#include <coxswain/kit/map.h>

enum {
	NODE_ID_MAX = 192,
	TOKEN_SECONDS_MIN = 600,
	UPDATE_SECONDS_MIN = 10,
};

/* Drivers */

static void validate_tokens(struct validation *v, const struct field_path *at,
			    const struct value *tokens)
{
	struct cox_map seen = COX_MAP_INIT;

	for
		each_entry(tokens, i)
		{
			const struct value *audience = value_get(value_at(tokens, i), "audience");
			const struct value *seconds =
				value_get(value_at(tokens, i), "expirationSeconds");
			const struct field_path *here = FIELD_INDEX(at, i);

			if (cox_map_put(&seen, value_text(audience), strlen(value_text(audience)),
					&seen))
				field_duplicate(v, FIELD(here, "audience"), audience);
			if (!seconds)
				continue;
			if (seconds->integer < TOKEN_SECONDS_MIN)
				field_invalid(v, FIELD(here, "expirationSeconds"), seconds,
					      "may not specify a duration less than 10 minutes");
			else if (seconds->integer > INT64_C(1) << 32)
				field_invalid(
					v, FIELD(here, "expirationSeconds"), seconds,
					"may not specify a duration larger than 2^32 seconds");
		}
	cox_map_free(&seen);
}

static void validate_driver(struct validation *v, const struct value *object)
{
	static const char *const policies[] = {"File", "None", "ReadWriteOnceWithFSType", NULL};
	static const char *const modes[] = {"Ephemeral", "Persistent", NULL};
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *policy = value_get(spec, "fsGroupPolicy");
	const struct value *lifecycle = value_get(spec, "volumeLifecycleModes");
	const struct value *period = value_get(spec, "nodeAllocatableUpdatePeriodSeconds");
	size_t k = 0;

	validate_driver_name(v, FIELD(NULL, "name"), value_path(object, "metadata.name"));
	while (policies[k] && !value_string_is(policy, policies[k]))
		k++;
	if (policy && !policies[k])
		field_not_supported(v, FIELD(at, "fsGroupPolicy"), policy, policies);
	validate_tokens(v, FIELD(at, "tokenRequests"), value_get(spec, "tokenRequests"));
	for
		each_entry(lifecycle, i)
		{
			if (!value_string_is(value_at(lifecycle, i), modes[0]) &&
			    !value_string_is(value_at(lifecycle, i), modes[1]))
				field_not_supported(v, FIELD(at, "volumeLifecycleModes"),
						    value_at(lifecycle, i), modes);
		}
	if (period && period->integer < UPDATE_SECONDS_MIN)
		field_invalid(v, FIELD(at, "nodeAllocatableUpdatePeriodSeconds"), period,
			      "must be greater than or equal to %d seconds", UPDATE_SECONDS_MIN);
}

static void validate_driver_update(struct validation *v, const struct value *object,
				   const struct value *old, const char *subresource)
{
	static const char *const settled[] = {"attachRequired", "volumeLifecycleModes"};

	(void)subresource;
	for (size_t i = 0; i < 2; i++)
		validate_same(v, FIELD(FIELD(NULL, "spec"), settled[i]),
			      value_get(value_get(object, "spec"), settled[i]),
			      value_get(value_get(old, "spec"), settled[i]));
}

const struct kind_rules rules_csidrivers = {"storage.k8s.io", "csidrivers", validate_driver,
					    validate_driver_update};

/* What runs on a node */

static void validate_node_driver(struct validation *v, const struct field_path *at,
				 const struct value *driver)
{
	const struct value *id = value_get(driver, "nodeID");
	const struct value *keys = value_get(driver, "topologyKeys");
	const struct value *count = value_path(driver, "allocatable.count");
	struct cox_map seen = COX_MAP_INIT;

	if (!is_unset(value_get(driver, "name")))
		validate_driver_name(v, FIELD(at, "name"), value_get(driver, "name"));
	if (value_is(id, VALUE_STRING) && id->count > NODE_ID_MAX)
		field_invalid(v, FIELD(at, "nodeID"), id, "must be %d characters or less",
			      NODE_ID_MAX);
	if (count && count->integer < 0)
		field_invalid(v, FIELD(FIELD(at, "allocatable"), "count"), count,
			      "must be greater than or equal to 0");
	for
		each_entry(keys, i)
		{
			const struct value *key = value_at(keys, i);

			if (is_unset(key))
				field_required(v, FIELD(at, "topologyKeys"), "");
			else if (cox_map_put(&seen, key->text, key->count, &seen))
				field_duplicate(v, FIELD(at, "topologyKeys"), key);
			if (!is_unset(key))
				validate_text(v, FIELD(at, "topologyKeys"), key, names_qualified);
		}
	cox_map_free(&seen);
}

static void validate_csi_node(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(FIELD(NULL, "spec"), "drivers");
	const struct value *drivers = value_path(object, "spec.drivers");
	struct cox_map seen = COX_MAP_INIT;

	for
		each_entry(drivers, i)
		{
			const struct value *name = value_get(value_at(drivers, i), "name");

			validate_node_driver(v, FIELD_INDEX(at, i), value_at(drivers, i));
			if (cox_map_put(&seen, value_text(name), strlen(value_text(name)), &seen))
				field_duplicate(v, FIELD(FIELD_INDEX(at, i), "name"), name);
		}
	cox_map_free(&seen);
}

/* A driver comes and goes as a whole; only how much it can attach changes. */
static void validate_csi_node_update(struct validation *v, const struct value *object,
				     const struct value *old, const char *subresource)
{
	static const char *const settled[] = {"nodeID", "topologyKeys"};
	const struct field_path *at = FIELD(FIELD(NULL, "spec"), "drivers");
	const struct value *drivers = value_path(object, "spec.drivers");
	const struct value *before = value_path(old, "spec.drivers");

	(void)subresource;
	for
		each_entry(drivers, i) for each_entry(before, k)
		{
			const struct value *now = value_at(drivers, i), *was = value_at(before, k);

			if (!values_same(value_get(now, "name"), value_get(was, "name")))
				continue;
			for (size_t f = 0; f < 2; f++)
				validate_same(v, FIELD(FIELD_INDEX(at, i), settled[f]),
					      value_get(now, settled[f]),
					      value_get(was, settled[f]));
		}
}

const struct kind_rules rules_csinodes = {"storage.k8s.io", "csinodes", validate_csi_node,
					  validate_csi_node_update};

/* What is attached */

static void validate_attachment(struct validation *v, const struct value *object)
{
	static const char one[] =
		"must specify exactly one of inlineVolumeSpec and persistentVolumeName";
	const struct field_path *at = FIELD(NULL, "spec");
	const struct field_path *source_at = FIELD(at, "source");
	const struct value *spec = value_get(object, "spec");
	const struct value *name = value_path(spec, "source.persistentVolumeName");
	const struct value *inside = value_path(spec, "source.inlineVolumeSpec");

	if (!is_unset(value_get(spec, "attacher")))
		validate_driver_name(v, FIELD(at, "attacher"), value_get(spec, "attacher"));
	if (!name && !inside)
		field_required(v, source_at, one);
	else if (name && inside)
		field_forbidden(v, source_at, "%s", one);
	else if (name && is_unset(name))
		field_required(v, FIELD(source_at, "persistentVolumeName"),
			       "must specify non empty persistentVolumeName");
	else if (inside && !value_get(inside, "csi"))
		field_required(v, FIELD(FIELD(source_at, "inlineVolumeSpec"), "csi"), "");
	if (!is_unset(value_get(spec, "nodeName")))
		validate_text(v, FIELD(at, "nodeName"), value_get(spec, "nodeName"),
			      names_dns_subdomain);
}

const struct kind_rules rules_volumeattachments = {"storage.k8s.io", "volumeattachments",
						   validate_attachment, NULL};

/* How much there is */

static void validate_capacity(struct validation *v, const struct value *object)
{
	static const char *const amounts[] = {"capacity", "maximumVolumeSize"};

	validate_label_selector(v, FIELD(NULL, "nodeTopology"), value_get(object, "nodeTopology"));
	for (size_t i = 0; i < 2; i++)
		validate_not_negative(v, FIELD(NULL, amounts[i]), value_get(object, amounts[i]));
}

const struct kind_rules rules_csistoragecapacities = {"storage.k8s.io", "csistoragecapacities",
						      validate_capacity, NULL};
