/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of storage and of what volumes can be changed to: once made they stay as they are. */
#include "machinery/kinds.h"

#include <coxswain/kit/map.h>
#include <ctype.h>

enum { PARAMETERS_MAX = 512, PARAMETERS_BYTES_MAX = 256 * 1024, DRIVER_NAME_MAX = 63 };

void validate_driver_name(struct validation *v, const struct field_path *at,
			  const struct value *name)
{
	char *lower;

	if (is_unset(name)) {
		field_required(v, at, "");
		return;
	}
	if (name->count > DRIVER_NAME_MAX)
		field_too_long(v, at, DRIVER_NAME_MAX);
	lower = arena_strndup(v->arena, name->text, name->count);
	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	validate_text(v, at, value_string(v->arena, lower), names_dns_subdomain);
}

static void validate_parameters(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(NULL, "parameters");
	const struct value *parameters = value_get(object, "parameters");
	size_t bytes = 0;

	if (value_is(parameters, VALUE_OBJECT) && parameters->count > PARAMETERS_MAX)
		field_too_long(v, at, PARAMETERS_MAX);
	for
		each_member(parameters, i)
		{
			const struct value_member *member = &parameters->object.members[i];

			if (member->key_size == 0)
				field_invalid_text(v, at, "", "field can not be empty.");
			bytes += member->key_size + strlen(value_text(member->value));
		}
	if (bytes > PARAMETERS_BYTES_MAX)
		field_too_long(v, at, PARAMETERS_BYTES_MAX);
}

static void validate_topologies(struct validation *v, const struct value *terms)
{
	const struct field_path *at = FIELD(NULL, "allowedTopologies");

	for
		each_entry(terms, i)
		{
			const struct value *labels =
				value_get(value_at(terms, i), "matchLabelExpressions");
			const struct field_path *list =
				FIELD(FIELD_INDEX(at, i), "matchLabelExpressions");
			struct cox_map seen = COX_MAP_INIT;

		for
			each_entry(labels, k)
			{
				const struct value *key = value_get(value_at(labels, k), "key");
				const struct field_path *here = FIELD(FIELD_INDEX(list, k), "key");

				validate_text(v, here, key, names_qualified);
				if (cox_map_put(&seen, value_text(key), strlen(value_text(key)),
						&seen))
					field_duplicate(v, here, key);
			}
		cox_map_free(&seen);
		}
}

static void validate_known(struct validation *v, const struct value *object, const char *field,
			   const char *const *known)
{
	const struct value *value = value_get(object, field);
	size_t k = 0;

	while (known[k] && !value_string_is(value, known[k]))
		k++;
	if (value && !known[k])
		field_not_supported(v, FIELD(NULL, field), value, known);
}

static void validate_storage_class(struct validation *v, const struct value *object)
{
	static const char *const policies[] = {"Delete", "Retain", NULL};
	static const char *const modes[] = {"Immediate", "WaitForFirstConsumer", NULL};
	const struct value *provisioner = value_get(object, "provisioner");
	char *lower = arena_strdup(v->arena, value_text(provisioner));

	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (is_unset(provisioner))
		field_required(v, FIELD(NULL, "provisioner"), "");
	else
		validate_text(v, FIELD(NULL, "provisioner"), value_string(v->arena, lower),
			      names_qualified);
	validate_parameters(v, object);
	validate_known(v, object, "reclaimPolicy", policies);
	validate_known(v, object, "volumeBindingMode", modes);
	validate_topologies(v, value_get(object, "allowedTopologies"));
}

static void validate_settled(struct validation *v, const struct value *object,
			     const struct value *old, const char *const *fields)
{
	for (; *fields; fields++) {
		if (!values_same(value_get(object, *fields), value_get(old, *fields)))
			field_forbidden(v, FIELD(NULL, *fields), "updates to %s are forbidden.",
					*fields);
	}
}

static void validate_storage_class_update(struct validation *v, const struct value *object,
					  const struct value *old, const char *subresource)
{
	static const char *const settled[] = {"parameters", "provisioner", "reclaimPolicy", NULL};

	(void)subresource;
	validate_settled(v, object, old, settled);
	validate_same(v, FIELD(NULL, "volumeBindingMode"), value_get(object, "volumeBindingMode"),
		      value_get(old, "volumeBindingMode"));
}

const struct kind_rules rules_storageclasses = {
	"storage.k8s.io", "storageclasses", validate_storage_class, validate_storage_class_update};

static void validate_attributes_class(struct validation *v, const struct value *object)
{
	validate_driver_name(v, FIELD(NULL, "driverName"), value_get(object, "driverName"));
	if (is_unset(value_get(object, "parameters")))
		field_required(v, FIELD(NULL, "parameters"),
			       "must contain at least one key/value pair");
	validate_parameters(v, object);
}

static void validate_attributes_class_update(struct validation *v, const struct value *object,
					     const struct value *old, const char *subresource)
{
	static const char *const settled[] = {"driverName", "parameters", NULL};

	(void)subresource;
	validate_settled(v, object, old, settled);
}

const struct kind_rules rules_volumeattributesclasses = {
	"storage.k8s.io", "volumeattributesclasses", validate_attributes_class,
	validate_attributes_class_update};
