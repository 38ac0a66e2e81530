/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes of a pod: one source each, and what the common sources ask for. */
#include "machinery/kinds.h"

#include <coxswain/kit/map.h>

static void validate_items(struct validation *v, const struct field_path *at,
			   const struct value *items)
{
	for
		each_entry(items, i) validate_inner_path(v, FIELD(FIELD_INDEX(at, i), "path"),
							 value_get(value_at(items, i), "path"));
}

/* Each file of a downward API volume shows one field or one resource. */
static void validate_downward(struct validation *v, const struct field_path *at,
			      const struct value *items)
{
	validate_items(v, at, items);
	for
		each_entry(items, i)
		{
			const struct value *item = value_at(items, i);
			bool field = value_get(item, "fieldRef"),
			     resource = value_get(item, "resourceFieldRef");

			if (field && resource)
				field_invalid_text(
					v, at, "resource",
					"fieldRef and resourceFieldRef can not be specified "
					"simultaneously");
			else if (!field && !resource)
				field_required(v, at,
					       "one of fieldRef and resourceFieldRef is required");
			validate_volume_refs(v, FIELD_INDEX(at, i), item);
		}
}

static void validate_host_path(struct validation *v, const struct field_path *at,
			       const struct value *source)
{
	const struct value *path = value_get(source, "path");
	const char *inner = value_text(path);

	/* An absolute path is fine here; ".." is not. */
	while (*inner == '/')
		inner++;
	if (strcmp(inner, "..") == 0 || cox_starts_with(inner, "../") || strstr(inner, "/../") ||
	    cox_ends_with(inner, "/.."))
		field_invalid(v, FIELD(at, "path"), path, "must not contain '..'");
}

/* Two sources may not write one file. */
static void take_paths(struct validation *v, const struct field_path *at,
		       const struct value *source, const struct value *items, struct cox_map *taken)
{
	for
		each_entry(items, i)
		{
			const struct value *path = value_get(value_at(items, i), "path");

			if (!is_unset(path) && cox_map_put(taken, path->text, path->count, taken))
				field_invalid(v, at, value_get(source, "name"),
					      "conflicting duplicate paths");
		}
}

static void validate_named(struct validation *v, const struct field_path *at,
			   const struct value *source, struct cox_map *taken)
{
	if (source && is_unset(value_get(source, "name")))
		field_required(v, FIELD(at, "name"), "");
	validate_items(v, FIELD(at, "items"), value_get(source, "items"));
	take_paths(v, at, source, value_get(source, "items"), taken);
}

static void validate_projected(struct validation *v, const struct field_path *at,
			       const struct value *sources)
{
	struct cox_map taken = COX_MAP_INIT;

	for
		each_entry(sources, i)
		{
			const struct value *source = value_at(sources, i);
			const struct field_path *here = FIELD_INDEX(at, i);
			const struct value *seconds =
				value_path(source, "serviceAccountToken.expirationSeconds");

			if (count_set(source, NULL) > 1)
				field_forbidden(v, here, "may not specify more than 1 volume type");
			if (value_is(seconds, VALUE_INT) && seconds->integer < 600)
				field_invalid(v,
					      FIELD(FIELD(here, "serviceAccountToken"),
						    "expirationSeconds"),
					      seconds,
					      "may not specify a duration less than 10 minutes");
			validate_named(v, FIELD(here, "secret"), value_get(source, "secret"),
				       &taken);
			validate_named(v, FIELD(here, "configMap"), value_get(source, "configMap"),
				       &taken);
			validate_downward(v, FIELD(FIELD(here, "downwardAPI"), "items"),
					  value_path(source, "downwardAPI.items"));
			take_paths(v, FIELD(here, "downwardAPI"), NULL,
				   value_path(source, "downwardAPI.items"), &taken);
		}
	cox_map_free(&taken);
}

/* A driver is named as a host is, whatever the case of its letters. */
static void validate_csi(struct validation *v, const struct field_path *at,
			 const struct value *driver)
{
	char *lower = arena_strdup(v->arena, value_text(driver));

	for (char *c = lower; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	if (*lower)
		validate_text(v, FIELD(at, "driver"), value_string(v->arena, lower),
			      names_dns_subdomain);
}

static void validate_source(struct validation *v, const struct field_path *at,
			    const struct value *volume)
{
	const struct value *secret = value_get(volume, "secret");
	const struct value *map = value_get(volume, "configMap");
	const struct value *nfs = value_get(volume, "nfs");
	const struct value *limit = value_path(volume, "emptyDir.sizeLimit");
	const struct value *image = value_get(volume, "image");
	const struct value *ephemeral = value_get(volume, "ephemeral");

	validate_host_path(v, FIELD(at, "hostPath"), value_get(volume, "hostPath"));
	if (limit)
		validate_not_negative(v, FIELD(FIELD(at, "emptyDir"), "sizeLimit"), limit);
	if (image && is_unset(value_get(image, "reference")))
		field_required(v, FIELD(FIELD(at, "image"), "reference"), "");
	if (ephemeral && !value_get(ephemeral, "volumeClaimTemplate"))
		field_required(v, FIELD(FIELD(at, "ephemeral"), "volumeClaimTemplate"), "");
	validate_csi(v, FIELD(at, "csi"), value_path(volume, "csi.driver"));
	if (secret && is_unset(value_get(secret, "secretName")))
		field_required(v, FIELD(FIELD(at, "secret"), "secretName"), "");
	if (map && is_unset(value_get(map, "name")))
		field_required(v, FIELD(FIELD(at, "configMap"), "name"), "");
	if (nfs && !is_unset(value_get(nfs, "path")) && value_get_text(nfs, "path")[0] != '/')
		field_invalid(v, FIELD(FIELD(at, "nfs"), "path"), value_get(nfs, "path"),
			      "must be an absolute path");
	validate_items(v, FIELD(FIELD(at, "secret"), "items"), value_get(secret, "items"));
	validate_items(v, FIELD(FIELD(at, "configMap"), "items"), value_get(map, "items"));
	validate_downward(v, FIELD(FIELD(at, "downwardAPI"), "items"),
			  value_path(volume, "downwardAPI.items"));
	validate_projected(v, FIELD(FIELD(at, "projected"), "sources"),
			   value_path(volume, "projected.sources"));
}

void validate_volumes(struct validation *v, const struct field_path *at,
		      const struct value *volumes)
{
	for
		each_entry(volumes, i)
		{
			const struct value *volume = value_at(volumes, i);
			const struct field_path *here = FIELD_INDEX(at, i);
			bool found = false;

		for
			each_member(volume, k)
			{
				const struct value_member *member = &volume->object.members[k];

				if (strcmp(member->key, "name") == 0 ||
				    member->value->kind == VALUE_NULL)
					continue;
				if (found)
					field_forbidden(v, FIELD(here, member->key),
							"may not specify more than 1 volume type");
				found = true;
			}
		if (!found)
			field_required(v, here, "must specify a volume type");
		validate_source(v, here, volume);
		}
}
