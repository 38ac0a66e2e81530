/* SPDX-License-Identifier: Apache-2.0 */
/* Slices of a pool of devices: where they are, and what each device is and has. */
#include "machinery/kinds.h"

#include <coxswain/kit/map.h>

enum {
	DEVICES_MAX = 128,
	PROPERTIES_MAX = 32, /* attributes and capacities of a device */
	TAINTS_MAX = 16,
	IDENTIFIER_MAX = 32,
	TEXT_MAX = 64,
	POOL_NAME_MAX = 253
};

/* A name in C, of a domain if one is in front: "model", "example.com/model". */
static void validate_property_name(struct validation *v, const struct field_path *at,
				   const char *name)
{
	const char *slash = strchr(name, '/'), *own = slash ? slash + 1 : name;
	struct names_problems problems = {.count = 0};
	bool fits = *own != '\0' && !(*own >= '0' && *own <= '9');

	if (slash)
		names_dns_subdomain(name, (size_t)(slash - name), &problems);
	for (size_t i = 0; i < problems.count; i++)
		field_invalid_text(v, at, name, "%s", problems.text[i]);
	for (const char *c = own; *c; c++)
		fits = fits && ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
				(*c >= '0' && *c <= '9') || *c == '_');
	if (!fits)
		field_invalid_text(v, at, own,
				   "a valid C identifier must start with alphabetic character or "
				   "'_', followed by a string of alphanumeric characters or '_' "
				   "(e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for "
				   "validation is '[A-Za-z_][A-Za-z0-9_]*')");
	if (strlen(own) > IDENTIFIER_MAX)
		field_too_long(v, at, IDENTIFIER_MAX);
}

static void validate_attributes(struct validation *v, const struct field_path *at,
				const struct value *attributes)
{
	static const char *const texts[] = {"string", "version"};

	for
		each_member(attributes, i)
		{
			const struct value_member *member = &attributes->object.members[i];
			const struct field_path *here = FIELD_KEY(at, member->key);
			size_t count = count_set(member->value, NULL);

			validate_property_name(v, here, member->key);
			if (count == 0)
				field_required(v, here, "exactly one value must be specified");
			else if (count > 1)
				field_invalid(v, here, member->value,
					      "exactly one value must be specified");
			for (size_t t = 0; t < 2; t++) {
				const struct value *text = value_get(member->value, texts[t]);

				if (text && text->count > TEXT_MAX)
					field_too_long(v, FIELD(here, texts[t]), TEXT_MAX);
			}
		}
}

static void validate_taints(struct validation *v, const struct field_path *at,
			    const struct value *taints)
{
	static const char *const effects[] = {"NoExecute", "NoSchedule", "None", NULL};

	if (value_is(taints, VALUE_ARRAY) && taints->count > TAINTS_MAX)
		field_too_many(v, at, taints->count, TAINTS_MAX);
	for
		each_entry(taints, i)
		{
			const struct value *key = value_get(value_at(taints, i), "key");
			const struct value *effect = value_get(value_at(taints, i), "effect");
			const struct field_path *here = FIELD_INDEX(at, i);
			size_t e = 0;

			if (is_unset(key))
				field_required(v, FIELD(here, "key"), "");
			else
				validate_text(v, FIELD(here, "key"), key, names_qualified);
			while (effects[e] && !value_string_is(effect, effects[e]))
				e++;
			if (is_unset(effect))
				field_required(v, FIELD(here, "effect"), "");
			else if (!effects[e])
				field_not_supported(v, FIELD(here, "effect"), effect, effects);
		}
}

static void validate_device(struct validation *v, const struct field_path *at,
			    const struct value *device, bool placed)
{
	const struct value *attributes = value_get(device, "attributes");
	const struct value *capacities = value_get(device, "capacity");
	const struct value *name = value_get(device, "name");
	size_t count = (value_is(attributes, VALUE_OBJECT) ? attributes->count : 0) +
		       (value_is(capacities, VALUE_OBJECT) ? capacities->count : 0);

	if (is_unset(name))
		field_required(v, FIELD(at, "name"), "");
	else
		validate_text(v, FIELD(at, "name"), name, names_dns_label);
	if (count > PROPERTIES_MAX)
		field_invalid(v, at, value_int(v->arena, (int64_t)count),
			      "the total number of attributes and capacities must not exceed %d",
			      PROPERTIES_MAX);
	validate_attributes(v, FIELD(at, "attributes"), attributes);
	for
		each_member(capacities, i) validate_property_name(
			v, FIELD_KEY(FIELD(at, "capacity"), capacities->object.members[i].key),
			capacities->object.members[i].key);
	validate_taints(v, FIELD(at, "taints"), value_get(device, "taints"));
	if (placed && !value_get(device, "nodeName") && !value_get(device, "nodeSelector") &&
	    !value_get(device, "allNodes"))
		field_required(v, at,
			       "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is "
			       "required when `perDeviceNodeSelection` is set to true in the "
			       "ResourceSlice spec");
}

static void validate_pool(struct validation *v, const struct field_path *at,
			  const struct value *pool)
{
	static const struct value zero = {.kind = VALUE_INT};
	const struct value *name = value_get(pool, "name");
	const struct value *count = value_get(pool, "resourceSliceCount");
	const struct value *generation = value_get(pool, "generation");

	if (is_unset(name))
		field_required(v, FIELD(at, "name"), "");
	else if (name->count > POOL_NAME_MAX)
		field_too_long(v, FIELD(at, "name"), POOL_NAME_MAX);
	for (const char *part = value_text(name); *part;) {
		size_t size = strcspn(part, "/");
		struct names_problems problems = {.count = 0};

		names_dns_subdomain(part, size, &problems);
		for (size_t i = 0; i < problems.count; i++)
			field_invalid_text(v, FIELD(at, "name"),
					   arena_strndup(v->arena, part, size), "%s",
					   problems.text[i]);
		part += size;
		part += *part == '/';
	}
	if (!count || count->integer <= 0)
		field_invalid(v, FIELD(at, "resourceSliceCount"), count ? count : &zero,
			      "must be greater than zero");
	if (generation && generation->integer < 0)
		field_invalid(v, FIELD(at, "generation"), generation,
			      "must be greater than or equal to zero");
}

static void validate_slice(struct validation *v, const struct value *object)
{
	static const char one[] = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, "
				  "`perDeviceNodeSelection` is required";
	static const char *const places[] = {"nodeName", "nodeSelector", "allNodes",
					     "perDeviceNodeSelection"};
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *devices = value_get(spec, "devices");
	struct cox_map seen = COX_MAP_INIT;
	size_t count = 0;

	validate_driver_name(v, FIELD(at, "driver"), value_get(spec, "driver"));
	validate_pool(v, FIELD(at, "pool"), value_get(spec, "pool"));
	for (size_t i = 0; i < 4; i++)
		count += value_get(spec, places[i]) != NULL;
	if (count == 0)
		field_required(v, at, one);
	else if (count > 1)
		field_wrong(v, at, arena_printf(v->arena, "%s, but multiple fields are set", one));
	validate_node_selector(v, FIELD(at, "nodeSelector"), value_get(spec, "nodeSelector"));
	if (value_is(devices, VALUE_ARRAY) && devices->count > DEVICES_MAX) {
		field_too_many(v, FIELD(at, "devices"), devices->count, DEVICES_MAX);
		return;
	}
	for
		each_entry(devices, i)
		{
			const struct field_path *here = FIELD_INDEX(FIELD(at, "devices"), i);
			const struct value *name = value_get(value_at(devices, i), "name");

			validate_device(v, here, value_at(devices, i),
					value_get_bool(spec, "perDeviceNodeSelection"));
			if (!is_unset(name) && cox_map_put(&seen, name->text, name->count, &seen))
				field_duplicate(v, FIELD(here, "name"), name);
		}
	cox_map_free(&seen);
}

/* A slice may get other devices, but stays of its pool and in its place. */
static void validate_slice_update(struct validation *v, const struct value *object,
				  const struct value *old, const char *subresource)
{
	static const char *const settled[] = {"driver", "nodeName", "nodeSelector", "allNodes"};
	const struct field_path *at = FIELD(NULL, "spec");

	(void)subresource;
	for (size_t i = 0; i < sizeof(settled) / sizeof(*settled); i++)
		validate_same(v, FIELD(at, settled[i]),
			      value_get(value_get(object, "spec"), settled[i]),
			      value_get(value_get(old, "spec"), settled[i]));
	validate_same(v, FIELD(FIELD(at, "pool"), "name"), value_path(object, "spec.pool.name"),
		      value_path(old, "spec.pool.name"));
}

const struct kind_rules rules_resourceslices = {"resource.k8s.io", "resourceslices", validate_slice,
						validate_slice_update};
