/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structural schemas: every level says its type, so that pruning, defaults and
 * patches know what they have before them; what is forbidden would make the
 * type depend on the value.
 */
#include "definition.h"

enum { DEPTH_MAX = 64 };

struct level {
	unsigned depth;
	bool logical; /* inside of allOf, anyOf, oneOf or not */
};

static void walk(struct validation *v, const struct field_path *at, const struct value *schema,
		 struct level level);

static void validate_forbidden(struct validation *v, const struct field_path *at,
			       const struct value *schema)
{
	static const char *const never[] = {"definitions",
					    "dependencies",
					    "additionalItems",
					    "patternProperties",
					    "$ref",
					    "$schema",
					    "id"};

	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++) {
		if (!is_unset(value_get(schema, never[i])))
			field_forbidden(v, FIELD(at, never[i]), "%s is not supported", never[i]);
	}
	if (value_get_bool(schema, "uniqueItems"))
		field_forbidden(v, FIELD(at, "uniqueItems"),
				"uniqueItems cannot be set to true since the runtime complexity "
				"becomes quadratic");
	if (value_is(value_get(schema, "items"), VALUE_ARRAY))
		field_forbidden(v, FIELD(at, "items"),
				"items must be a schema object and not an array");
	if (value_get(schema, "properties") && value_get(schema, "additionalProperties"))
		field_forbidden(v, FIELD(at, "additionalProperties"),
				"additionalProperties and properties are mutual exclusive");
}

/* Inside of a condition only the value is looked at, its form is said outside. */
static void validate_logical(struct validation *v, const struct field_path *at,
			     const struct value *schema)
{
	static const char *const outside[] = {"additionalProperties",
					      "type",
					      "title",
					      "description",
					      "default",
					      "nullable",
					      "x-kubernetes-preserve-unknown-fields",
					      "x-kubernetes-embedded-resource",
					      "x-kubernetes-int-or-string"};

	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++) {
		if (!is_unset(value_get(schema, outside[i])))
			field_forbidden(v, FIELD(at, outside[i]), "must be empty to be structural");
	}
}

static void validate_type(struct validation *v, const struct field_path *at,
			  const struct value *schema, struct level level)
{
	static const char *const known[] = {"array",  "boolean", "integer", "number",
					    "object", "string",	 NULL};
	const struct value *type = value_get(schema, "type");
	bool number_or_text = value_get_bool(schema, "x-kubernetes-int-or-string");
	bool open = value_get_bool(schema, "x-kubernetes-preserve-unknown-fields");
	size_t k = 0;

	while (known[k] && !value_string_is(type, known[k]))
		k++;
	if (is_unset(type)) {
		if (level.depth == 0)
			field_required(v, FIELD(at, "type"), "must not be empty at the root");
		else if (!number_or_text && !open)
			field_required(v, FIELD(at, "type"),
				       "must not be empty for specified object fields");
	} else if (!known[k]) {
		field_not_supported(v, FIELD(at, "type"), type, known);
	} else if (level.depth == 0 && !value_string_is(type, "object")) {
		field_invalid(v, FIELD(at, "type"), type, "must be object at the root");
	} else if (number_or_text) {
		field_invalid(v, FIELD(at, "type"), type,
			      "must be empty if x-kubernetes-int-or-string is true");
	}
	if (value_string_is(type, "array") && !value_get(schema, "items"))
		field_required(v, FIELD(at, "items"), "must be specified");
}

static void validate_lists(struct validation *v, const struct field_path *at,
			   const struct value *schema)
{
	static const char *const types[] = {"atomic", "map", "set", NULL};
	const struct value *type = value_get(schema, "x-kubernetes-list-type");
	const struct value *keys = value_get(schema, "x-kubernetes-list-map-keys");
	size_t k = 0;

	while (types[k] && !value_string_is(type, types[k]))
		k++;
	if (type && !types[k])
		field_not_supported(v, FIELD(at, "x-kubernetes-list-type"), type, types);
	if (type && !text_is(schema, "type", "array"))
		field_invalid(v, FIELD(at, "type"), value_get(schema, "type"),
			      "must be array if x-kubernetes-list-type is specified");
	if (value_string_is(type, "map") && is_unset(keys))
		field_required(v, FIELD(at, "x-kubernetes-list-map-keys"),
			       "must not be empty if x-kubernetes-list-type is map");
	else if (!value_string_is(type, "map") && !is_unset(keys))
		field_required(v, FIELD(at, "x-kubernetes-list-type"),
			       "must be map if x-kubernetes-list-map-keys is non-empty");
	for
		each_entry(keys, i)
		{
			const struct value *properties = value_path(schema, "items.properties");

			if (!value_get(properties, value_text(value_at(keys, i))))
				field_invalid(
					v, FIELD_INDEX(FIELD(at, "x-kubernetes-list-map-keys"), i),
					value_at(keys, i),
					"must refer to a property of the item schema");
		}
}

static void validate_bounds(struct validation *v, const struct field_path *at,
			    const struct value *schema)
{
	static const char *const counts[] = {"maxLength", "minLength",	   "maxItems",
					     "minItems",  "maxProperties", "minProperties"};
	const struct value *rules = value_get(schema, "x-kubernetes-validations");

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		const struct value *count = value_get(schema, counts[i]);

		if (value_is(count, VALUE_INT) && count->integer < 0)
			field_invalid(v, FIELD(at, counts[i]), count,
				      "must be greater than or equal to 0");
	}
	for
		each_entry(rules, i)
		{
			if (is_unset(value_get(value_at(rules, i), "rule")))
				field_required(
					v,
					FIELD(FIELD_INDEX(FIELD(at, "x-kubernetes-validations"), i),
					      "rule"),
					"rule is not specified");
		}
}

static void walk_conditions(struct validation *v, const struct field_path *at,
			    const struct value *schema, struct level level)
{
	static const char *const lists[] = {"allOf", "anyOf", "oneOf"};

	level.logical = true;
	for (size_t l = 0; l < 3; l++) {
		const struct value *list = value_get(schema, lists[l]);

		for
			each_entry(list, i) walk(v, FIELD_INDEX(FIELD(at, lists[l]), i),
						 value_at(list, i), level);
	}
	if (value_get(schema, "not"))
		walk(v, FIELD(at, "not"), value_get(schema, "not"), level);
}

static void walk(struct validation *v, const struct field_path *at, const struct value *schema,
		 struct level level)
{
	const struct value *properties = value_get(schema, "properties");
	const struct value *items = value_get(schema, "items");
	const struct value *others = value_get(schema, "additionalProperties");
	struct level next = {level.depth + 1, level.logical};

	if (!value_is(schema, VALUE_OBJECT) || v->count == VALIDATION_PROBLEM_MAX)
		return;
	if (level.depth > DEPTH_MAX) {
		field_forbidden(v, at, "is nested too deeply");
		return;
	}
	validate_forbidden(v, at, schema);
	validate_bounds(v, at, schema);
	if (level.logical) {
		/* The two ways to write a number or a text are all that it may say. */
		if (!is_unset(value_get(schema, "type")) && count_set(schema, "type") == 0)
			return;
		validate_logical(v, at, schema);
	} else {
		validate_type(v, at, schema, level);
		validate_lists(v, at, schema);
	}
	for
		each_member(properties, i) walk(
			v, FIELD_KEY(FIELD(at, "properties"), properties->object.members[i].key),
			properties->object.members[i].value, next);
	if (value_is(items, VALUE_OBJECT))
		walk(v, FIELD(at, "items"), items, next);
	if (value_is(others, VALUE_OBJECT))
		walk(v, FIELD(at, "additionalProperties"), others, next);
	walk_conditions(v, at, schema, next);
}

void validate_structural(struct validation *v, const struct field_path *at,
			 const struct value *schema)
{
	walk(v, at, schema, (struct level){0, false});
}
