/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of metadata, labels and selectors. */
#include "machinery/metadata.h"

#include "machinery/managers.h"

#include <ctype.h>
#include <string.h>

static bool is_nothing(const struct value *value)
{
	if (!value || value->kind == VALUE_NULL)
		return true;
	return (value->kind == VALUE_STRING || value->kind == VALUE_ARRAY ||
		value->kind == VALUE_OBJECT) &&
	       value->count == 0;
}

bool values_same(const struct value *a, const struct value *b)
{
	bool no_a = is_nothing(a), no_b = is_nothing(b);

	return no_a || no_b ? no_a == no_b : value_equal(a, b);
}

void validate_same(struct validation *v, const struct field_path *at, const struct value *value,
		   const struct value *old)
{
	if (!values_same(value, old))
		field_invalid(v, at, value, "field is immutable");
}

static void key_problems(struct validation *v, const struct field_path *at,
			 const struct value_member *member, bool lower)
{
	struct names_problems problems = {.count = 0};
	char *key = arena_strndup(v->arena, member->key, member->key_size);

	for (char *c = key; lower && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	names_qualified(key, member->key_size, &problems);
	for (size_t i = 0; i < problems.count; i++)
		field_invalid_text(v, at, member->key, "%s", problems.text[i]);
}

void validate_labels(struct validation *v, const struct field_path *at, const struct value *labels)
{
	for (uint32_t i = 0; value_is(labels, VALUE_OBJECT) && i < labels->count; i++) {
		const struct value_member *member = &labels->object.members[i];

		key_problems(v, at, member, false);
		validate_text(v, at, member->value, names_label_value);
	}
}

void validate_annotations(struct validation *v, const struct field_path *at,
			  const struct value *annotations)
{
	size_t total = 0;

	for (uint32_t i = 0; value_is(annotations, VALUE_OBJECT) && i < annotations->count; i++) {
		const struct value_member *member = &annotations->object.members[i];

		key_problems(v, at, member, true);
		total += member->key_size;
		if (member->value->kind == VALUE_STRING)
			total += member->value->count;
	}
	if (total > NAMES_ANNOTATIONS_MAX)
		field_too_long(v, at, NAMES_ANNOTATIONS_MAX);
}

static void validate_requirement(struct validation *v, const struct field_path *at,
				 const struct value *requirement)
{
	const char *relation = value_get_text(requirement, "operator");
	const struct value *values = value_get(requirement, "values");
	bool wanted = strcmp(relation, "In") == 0 || strcmp(relation, "NotIn") == 0;
	bool unwanted = strcmp(relation, "Exists") == 0 || strcmp(relation, "DoesNotExist") == 0;

	if (wanted && is_nothing(values))
		field_required(v, FIELD(at, "values"),
			       "must be specified when `operator` is 'In' or 'NotIn'");
	if (unwanted && !is_nothing(values))
		field_forbidden(v, FIELD(at, "values"),
				"may not be specified when `operator` is 'Exists' or "
				"'DoesNotExist'");
	if (!wanted && !unwanted)
		field_invalid_text(v, FIELD(at, "operator"), relation,
				   "not a valid selector operator");
	if (value_get(requirement, "key"))
		validate_text(v, FIELD(at, "key"), value_get(requirement, "key"), names_qualified);
	else
		field_required(v, FIELD(at, "key"), "");
	for (size_t i = 0; value_at(values, i); i++)
		validate_text(v, FIELD_INDEX(FIELD(at, "values"), i), value_at(values, i),
			      names_label_value);
}

void validate_label_selector(struct validation *v, const struct field_path *at,
			     const struct value *selector)
{
	const struct value *expressions = value_get(selector, "matchExpressions");

	for (size_t i = 0; value_at(expressions, i); i++)
		validate_requirement(v, FIELD_INDEX(FIELD(at, "matchExpressions"), i),
				     value_at(expressions, i));
}

/* A generated name gets five letters more; a dash at its end is no mistake. */
static void validate_prefix(struct validation *v, const struct field_path *at,
			    const struct value *prefix, names_check check)
{
	struct names_problems problems = {.count = 0};
	char *name = arena_strndup(v->arena, prefix->text, prefix->count);

	if (prefix->count > 1 && name[prefix->count - 1] == '-')
		name[prefix->count - 1] = 'a';
	check(name, prefix->count, &problems);
	for (size_t i = 0; i < problems.count; i++)
		field_invalid(v, at, prefix, "%s", problems.text[i]);
}

static void validate_name(struct validation *v, const struct field_path *at,
			  const struct value *metadata)
{
	const struct value *name = value_get(metadata, "name");
	const struct value *prefix = value_get(metadata, "generateName");
	const char *format = v->resource ? schema_text(v->schema, v->resource->name_format) : "";
	names_check check = names_check_named(format[0] ? format : "dnsSubdomain");

	if (!is_nothing(prefix))
		validate_prefix(v, FIELD(at, "generateName"), prefix, check);
	if (is_nothing(name))
		field_required(v, FIELD(at, "name"), "name or generateName is required");
	else
		validate_text(v, FIELD(at, "name"), name, check);
}

static void validate_namespace(struct validation *v, const struct field_path *at,
			       const struct value *metadata)
{
	const struct value *namespace = value_get(metadata, "namespace");

	if (!v->resource)
		return;
	if (v->resource->flags & SCHEMA_NAMESPACED) {
		if (is_nothing(namespace))
			field_required(v, FIELD(at, "namespace"), "");
		else
			validate_text(v, FIELD(at, "namespace"), namespace, names_dns_label);
	} else if (!is_nothing(namespace)) {
		field_forbidden(v, FIELD(at, "namespace"), "not allowed on this type");
	}
}

static void validate_owners(struct validation *v, const struct field_path *at,
			    const struct value *owners)
{
	static const struct {
		const char *field, *text;
	} parts[] = {{"apiVersion", "version must not be empty"},
		     {"kind", "must not be empty"},
		     {"name", "must not be empty"},
		     {"uid", "must not be empty"}};
	const struct value *controller = NULL;

	for (size_t i = 0; value_at(owners, i); i++) {
		const struct value *owner = value_at(owners, i);

		for (size_t p = 0; p < sizeof(parts) / sizeof(*parts); p++) {
			if (is_nothing(value_get(owner, parts[p].field)))
				field_invalid_text(v, FIELD(at, parts[p].field), "", "%s",
						   parts[p].text);
		}
		if (value_string_is(value_get(owner, "kind"), "Event") &&
		    value_string_is(value_get(owner, "apiVersion"), "v1"))
			field_invalid(v, at, owner,
				      "/v1, Kind=Event is disallowed from being an owner");
		if (!value_get_bool(owner, "controller"))
			continue;
		if (controller)
			field_invalid(v, at, owners,
				      "Only one reference can have Controller set to true. Found "
				      "\"true\" in references for %s/%s and %s/%s",
				      value_get_text(controller, "kind"),
				      value_get_text(controller, "name"),
				      value_get_text(owner, "kind"), value_get_text(owner, "name"));
		else
			controller = owner;
	}
}

static void validate_finalizers(struct validation *v, const struct field_path *at,
				const struct value *finalizers)
{
	static const char *const standard[] = {"kubernetes", "foregroundDeletion", "orphan"};
	bool orphan = false, foreground = false;

	for (size_t i = 0; value_at(finalizers, i); i++) {
		const struct value *one = value_at(finalizers, i);
		bool known = false;

		for (size_t s = 0; s < sizeof(standard) / sizeof(*standard); s++)
			known = known || value_string_is(one, standard[s]);
		orphan = orphan || value_string_is(one, "orphan");
		foreground = foreground || value_string_is(one, "foregroundDeletion");
		validate_text(v, at, one, names_qualified);
		if (!known && !strchr(value_text(one), '/'))
			field_invalid(v, FIELD_INDEX(at, i), one,
				      "name is neither a standard finalizer name nor is it fully "
				      "qualified");
	}
	if (orphan && foreground)
		field_invalid(v, at, finalizers, "finalizer %s and %s cannot be both set", "orphan",
			      "foregroundDeletion");
}

/*
 * Tracking writes entries that are right, but takes names from clients, and
 * what tracks nothing may bring anything.
 */
static void validate_managers(struct validation *v, const struct field_path *at,
			      const struct value *managers)
{
	for (size_t i = 0; value_at(managers, i); i++) {
		const struct value *entry = value_at(managers, i);
		const struct field_path *place = FIELD_INDEX(at, i);
		const char *operation = value_get_text(entry, "operation");
		const char *type = value_get_text(entry, "fieldsType");
		const char *name = value_get_text(entry, "manager");
		const char *why = manager_name_problem(name);

		if (strcmp(operation, "Apply") != 0 && strcmp(operation, "Update") != 0)
			field_invalid_text(v, FIELD(place, "operation"), operation,
					   "must be `Apply` or `Update`");
		if (*type && strcmp(type, "FieldsV1") != 0)
			field_invalid_text(v, FIELD(place, "fieldsType"), type,
					   "must be `FieldsV1`");
		if (strlen(name) > MANAGER_NAME_MAX)
			field_too_long(v, FIELD(place, "manager"), MANAGER_NAME_MAX);
		else if (why)
			field_invalid_text(v, FIELD(place, "manager"), name, "%s", why);
		if (strlen(value_get_text(entry, "subresource")) > MANAGER_SUBRESOURCE_MAX)
			field_too_long(v, FIELD(place, "subresource"), MANAGER_SUBRESOURCE_MAX);
	}
}

static bool contains(const struct value *list, const struct value *wanted)
{
	for (size_t i = 0; value_at(list, i); i++) {
		if (value_equal(value_at(list, i), wanted))
			return true;
	}
	return false;
}

static void validate_metadata_update(struct validation *v, const struct field_path *at,
				     const struct value *metadata, const struct value *old)
{
	static const char *const fixed[] = {"name",
					    "namespace",
					    "uid",
					    "creationTimestamp",
					    "deletionTimestamp",
					    "deletionGracePeriodSeconds"};
	const struct value *finalizers = value_get(metadata, "finalizers");

	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		validate_same(v, FIELD(at, fixed[i]), value_get(metadata, fixed[i]),
			      value_get(old, fixed[i]));
	if (value_get_int(metadata, "generation", 0) < value_get_int(old, "generation", 0))
		field_invalid(v, FIELD(at, "generation"), value_get(metadata, "generation"),
			      "must not be decremented");
	if (is_nothing(value_get(old, "deletionTimestamp")))
		return;
	for (size_t i = 0; value_at(finalizers, i); i++) {
		if (!contains(value_get(old, "finalizers"), value_at(finalizers, i)))
			field_forbidden(v, FIELD(at, "finalizers"),
					"no new finalizers can be added if the object is being "
					"deleted, found new finalizers %s",
					value_text(value_at(finalizers, i)));
	}
}

void validate_metadata(struct validation *v, const struct value *object, const struct value *old)
{
	const struct field_path *at = FIELD(NULL, "metadata");
	const struct value *metadata = value_get(object, "metadata");

	validate_name(v, at, metadata);
	validate_namespace(v, at, metadata);
	validate_owners(v, FIELD(at, "ownerReferences"), value_get(metadata, "ownerReferences"));
	validate_finalizers(v, FIELD(at, "finalizers"), value_get(metadata, "finalizers"));
	validate_managers(v, FIELD(at, "managedFields"), value_get(metadata, "managedFields"));
	if (old)
		validate_metadata_update(v, at, metadata, value_get(old, "metadata"));
}
