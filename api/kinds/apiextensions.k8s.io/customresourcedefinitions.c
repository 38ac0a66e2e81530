/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions of resources: names, versions, and schemas that are structural (schema.c). */
#include "../admissionregistration.k8s.io/admission.h"

#include "definition.h"

#include <coxswain/kit/map.h>
#include <ctype.h>

static void validate_label(struct validation *v, const struct field_path *at, const char *text)
{
	struct names_problems problems = {.count = 0};

	names_service(text, strlen(text), &problems);
	for (size_t i = 0; i < problems.count; i++)
		field_invalid_text(v, at, text, "%s", problems.text[i]);
}

static const char *lower_of(struct validation *v, const char *text)
{
	char *lower = arena_strdup(v->arena, text);

	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return lower;
}

static void validate_word_list(struct validation *v, const struct field_path *at,
			       const struct value *words)
{
	for
		each_entry(words, i)
			validate_label(v, FIELD_INDEX(at, i), value_text(value_at(words, i)));
}

static void validate_names(struct validation *v, const struct field_path *at,
			   const struct value *names)
{
	static const char *const plain[] = {"plural", "singular"};
	static const char *const kinds[] = {"kind", "listKind"};

	for (size_t i = 0; i < 2; i++) {
		const char *text = value_get_text(names, plain[i]);

		if (*text)
			validate_label(v, FIELD(at, plain[i]), text);
		else if (i == 0)
			field_required(v, FIELD(at, plain[i]), "");
	}
	for (size_t i = 0; i < 2; i++) {
		const struct value *kind = value_get(names, kinds[i]);
		const char *lower = lower_of(v, value_text(kind));
		struct names_problems problems = {.count = 0};

		names_service(lower, strlen(lower), &problems);
		if (is_unset(kind))
			field_required(v, FIELD(at, kinds[i]), "");
		else
			for (size_t p = 0; p < problems.count; p++)
				field_invalid(v, FIELD(at, kinds[i]), kind,
					      "may have mixed case, but should otherwise match: "
					      "%s",
					      problems.text[p]);
	}
	if (!is_unset(value_get(names, "kind")) &&
	    values_same(value_get(names, "kind"), value_get(names, "listKind")))
		field_invalid(v, FIELD(at, "listKind"), value_get(names, "listKind"),
			      "kind and listKind may not be the same");
	validate_word_list(v, FIELD(at, "shortNames"), value_get(names, "shortNames"));
	validate_word_list(v, FIELD(at, "categories"), value_get(names, "categories"));
}

static void validate_columns(struct validation *v, const struct field_path *at,
			     const struct value *columns)
{
	static const char *const types[] = {"boolean", "date", "integer", "number", "string", NULL};

	for
		each_entry(columns, i)
		{
			const struct value *one = value_at(columns, i);
			const struct value *type = value_get(one, "type");
			const struct value *path = value_get(one, "jsonPath");
			const struct field_path *here = FIELD_INDEX(at, i);
			size_t k = 0;

			if (is_unset(value_get(one, "name")))
				field_required(v, FIELD(here, "name"), "");
			while (types[k] && !value_string_is(type, types[k]))
				k++;
			if (is_unset(type))
				field_required(v, FIELD(here, "type"),
					       "must be one of boolean,date,integer,number,string");
			else if (!types[k])
				field_invalid(v, FIELD(here, "type"), type,
					      "must be one of boolean,date,integer,number,string");
			if (is_unset(path))
				field_required(v, FIELD(here, "jsonPath"), "");
			else if (path->text[0] != '.')
				field_invalid(v, FIELD(here, "jsonPath"), path,
					      "must be a simple json path starting with .");
		}
}

static void validate_scale(struct validation *v, const struct field_path *at,
			   const struct value *scale)
{
	static const struct {
		const char *field, *below;
	} paths[] = {{"specReplicasPath", ".spec."}, {"statusReplicasPath", ".status."}};

	for (size_t i = 0; scale && i < 2; i++) {
		const struct value *path = value_get(scale, paths[i].field);

		if (is_unset(path))
			field_required(v, FIELD(at, paths[i].field), "");
		else if (!cox_starts_with(path->text, paths[i].below))
			field_invalid(v, FIELD(at, paths[i].field), path,
				      "should be a json path under %.*s",
				      (int)strlen(paths[i].below) - 1, paths[i].below);
	}
}

static void validate_version(struct validation *v, const struct field_path *at,
			     const struct value *version)
{
	const struct value *warning = value_get(version, "deprecationWarning");
	const struct value *schema = value_path(version, "schema.openAPIV3Schema");

	validate_label(v, FIELD(at, "name"), value_get_text(version, "name"));
	if (warning && !value_get_bool(version, "deprecated"))
		field_invalid(v, FIELD(at, "deprecationWarning"), warning,
			      "can only be set for deprecated versions");
	if (!schema)
		field_required(v, FIELD(FIELD(at, "schema"), "openAPIV3Schema"),
			       "schemas are required");
	else
		validate_structural(v, FIELD(FIELD(at, "schema"), "openAPIV3Schema"), schema);
	validate_scale(v, FIELD(FIELD(at, "subresources"), "scale"),
		       value_path(version, "subresources.scale"));
	validate_columns(v, FIELD(at, "additionalPrinterColumns"),
			 value_get(version, "additionalPrinterColumns"));
}

static void validate_versions(struct validation *v, const struct field_path *at,
			      const struct value *versions, const struct value *kept)
{
	struct cox_map seen = COX_MAP_INIT;
	size_t stored = 0;

	for
		each_entry(versions, i)
		{
			const struct value *one = value_at(versions, i);
			const char *name = value_get_text(one, "name");

			validate_version(v, FIELD_INDEX(at, i), one);
			stored += value_get_bool(one, "storage");
			if (cox_map_put(&seen, name, strlen(name), &seen))
				field_invalid(v, at, versions, "must contain unique version names");
		}
	if (stored != 1)
		field_invalid(v, at, versions,
			      "must have exactly one version marked as storage version");
	for
		each_entry(kept, i)
		{
			const char *name = value_text(value_at(kept, i));

			if (!cox_map_get(&seen, name, strlen(name)))
				field_invalid(
					v,
					FIELD_INDEX(FIELD(FIELD(NULL, "status"), "storedVersions"),
						    i),
					value_at(kept, i), "missing from spec.versions");
		}
	cox_map_free(&seen);
}

static void validate_conversion(struct validation *v, const struct field_path *at,
				const struct value *conversion)
{
	static const char *const known[] = {"None", "Webhook", NULL};
	const struct value *webhook = value_get(conversion, "webhook");
	const struct value *strategy = value_get(conversion, "strategy");

	if (is_unset(strategy)) {
		field_required(v, FIELD(at, "strategy"), "");
	} else if (value_string_is(strategy, "None")) {
		if (webhook)
			field_forbidden(v, FIELD(at, "webhook"),
					"should not be set when strategy is not set to Webhook");
	} else if (!value_string_is(strategy, "Webhook")) {
		field_not_supported(v, FIELD(at, "strategy"), strategy, known);
	} else if (!webhook || !value_get(webhook, "clientConfig")) {
		field_required(v, FIELD(FIELD(at, "webhook"), "clientConfig"),
			       "required when strategy is set to Webhook");
	} else {
		validate_webhook_client(v, FIELD(FIELD(at, "webhook"), "clientConfig"),
					value_get(webhook, "clientConfig"));
		if (is_unset(value_get(webhook, "conversionReviewVersions")))
			field_required(v, FIELD(FIELD(at, "webhook"), "conversionReviewVersions"),
				       "");
	}
}

static void validate_definition(struct validation *v, const struct value *object)
{
	static const char *const scopes[] = {"Cluster", "Namespaced", NULL};
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *name = value_path(object, "metadata.name");
	const struct value *group = value_get(spec, "group");
	const struct value *scope = value_get(spec, "scope");
	const char *wanted = arena_printf(
		v->arena, "%s.%s", value_text(value_path(spec, "names.plural")), value_text(group));

	if (!value_string_is(name, wanted))
		field_invalid(v, FIELD(FIELD(NULL, "metadata"), "name"), name,
			      "must be spec.names.plural+\".\"+spec.group");
	if (is_unset(group))
		field_required(v, FIELD(at, "group"), "");
	else
		validate_text(v, FIELD(at, "group"), group, names_dns_subdomain);
	if (!is_unset(group) && !strchr(group->text, '.'))
		field_invalid(v, FIELD(at, "group"), group,
			      "should be a domain with at least one dot");
	if (is_unset(scope))
		field_required(v, FIELD(at, "scope"), "");
	else if (!value_string_is(scope, scopes[0]) && !value_string_is(scope, scopes[1]))
		field_not_supported(v, FIELD(at, "scope"), scope, scopes);
	validate_versions(v, FIELD(at, "versions"), value_get(spec, "versions"),
			  value_path(object, "status.storedVersions"));
	validate_names(v, FIELD(at, "names"), value_get(spec, "names"));
	if (value_get_bool(spec, "preserveUnknownFields"))
		field_invalid(v, FIELD(at, "preserveUnknownFields"),
			      value_get(spec, "preserveUnknownFields"),
			      "cannot set to true, set x-kubernetes-preserve-unknown-fields to "
			      "true in spec.versions[*].schema instead");
	validate_conversion(v, FIELD(at, "conversion"), value_get(spec, "conversion"));
}

static void validate_definition_update(struct validation *v, const struct value *object,
				       const struct value *old, const char *subresource)
{
	static const char *const settled[] = {"group", "scope"};
	const struct field_path *at = FIELD(NULL, "spec");

	(void)subresource;
	for (size_t i = 0; i < 2; i++)
		validate_same(v, FIELD(at, settled[i]),
			      value_get(value_get(object, "spec"), settled[i]),
			      value_get(value_get(old, "spec"), settled[i]));
	validate_same(v, FIELD(FIELD(at, "names"), "kind"), value_path(object, "spec.names.kind"),
		      value_path(old, "spec.names.kind"));
}

const struct kind_rules rules_customresourcedefinitions = {
	"apiextensions.k8s.io", "customresourcedefinitions", validate_definition,
	validate_definition_update};
