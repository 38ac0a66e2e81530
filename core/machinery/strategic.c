/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strategic merge patch: objects. Lists are in strategic_list.c. Depth is that
 * of the patch, which its parser bounded.
 */
#include "machinery/strategic_merge.h"

#include <string.h>

static const char set_order[] = "$setElementOrder/";
static const char delete_from[] = "$deleteFromPrimitiveList/";

static bool has_prefix(const struct value_member *member, const char *prefix)
{
	return member->key_size >= strlen(prefix) &&
	       memcmp(member->key, prefix, strlen(prefix)) == 0;
}

bool strategic_is_directive(const struct value_member *member)
{
	return *member->key == '$' &&
	       (strcmp(member->key, "$patch") == 0 || strcmp(member->key, "$retainKeys") == 0 ||
		has_prefix(member, set_order) || has_prefix(member, delete_from));
}

int strategic_refuse(struct merge *merge, const struct field_path *at, const char *why)
{
	const char *where = field_path_text(merge->arena, at);

	return error_set(merge->err, COX_REASON_BAD_REQUEST,
			 "invalid strategic merge patch: %s%s%s", where, *where ? ": " : "", why);
}

struct value *strategic_copy(struct merge *merge, const struct value *patch)
{
	struct value *copy;

	if (patch->kind == VALUE_ARRAY) {
		copy = value_array(merge->arena);
		for (uint32_t i = 0; i < patch->count; i++) {
			const struct value *item = patch->array.items[i];

			if (!value_get(item, "$patch"))
				value_push(merge->arena, copy, strategic_copy(merge, item));
		}
		return copy;
	}
	if (patch->kind != VALUE_OBJECT)
		return value_copy(merge->arena, patch);
	copy = value_object(merge->arena);
	for (uint32_t i = 0; i < patch->count; i++) {
		const struct value_member *member = &patch->object.members[i];

		if (member->value->kind != VALUE_NULL && !strategic_is_directive(member))
			value_set_n(merge->arena, copy, member->key, member->key_size,
				    strategic_copy(merge, member->value));
	}
	return copy;
}

/* $retainKeys: fields that are not listed go; the patch may set listed ones only. */
static int retain_keys(struct merge *merge, struct value *original, const struct value *patch,
		       const struct field_path *at)
{
	const struct value *listed = value_get(patch, "$retainKeys");
	struct value *names;

	if (!listed)
		return 0;
	if (listed->kind != VALUE_ARRAY)
		return strategic_refuse(merge, at, "$retainKeys must be a list of field names");
	names = value_object(merge->arena);
	for (uint32_t i = 0; i < listed->count; i++) {
		const struct value *name = listed->array.items[i];

		if (name->kind != VALUE_STRING)
			return strategic_refuse(merge, at,
						"$retainKeys must be a list of field names");
		value_set_n(merge->arena, names, name->text, name->count, value_null(merge->arena));
	}
	for (uint32_t i = 0; i < patch->count; i++) {
		const struct value_member *member = &patch->object.members[i];

		if (member->value->kind != VALUE_NULL && !strategic_is_directive(member) &&
		    !value_get_n(names, member->key, member->key_size))
			return strategic_refuse(merge, FIELD(at, member->key),
						"the patch sets a field that $retainKeys does not "
						"list");
	}
	for (uint32_t i = 0; i < original->count; i++) {
		struct value_member *member = &original->object.members[i];

		if (!value_get_n(names, member->key, member->key_size))
			member->value = NULL;
	}
	value_drop_unset(original);
	return 0;
}

/* What the tables say of a field of the object at hand; NULL: nothing. */
static const struct schema_field *
field_of(const struct merge *merge, const struct schema_type *type, const char *name, size_t size)
{
	return type ? schema_field_get(merge->schema, type, name, size) : NULL;
}

/* The type below a field: of the object, or of the map's values. */
static const struct schema_type *type_below(const struct merge *merge,
					    const struct schema_field *field)
{
	return field ? schema_field_type(merge->schema, field) : NULL;
}

/* The list under `name` in the patch; *list is NULL if there is none. */
static int get_list(struct merge *merge, const struct value *patch, const char *prefix,
		    const char *name, const struct field_path *at, const struct value **list)
{
	const char *key = arena_printf(merge->arena, "%s%s", prefix, name);

	*list = value_get(patch, key);
	if (!*list || (*list)->kind == VALUE_ARRAY)
		return 0;
	if (!*prefix) {
		*list = NULL;
		return 0;
	}
	return strategic_refuse(merge, FIELD(at, key), "must be a list");
}

/*
 * A list under `name`, whatever in the patch speaks of it: entries, an order,
 * deletions. The caller sees to it that this runs once a name.
 */
static int merge_list_field(struct merge *merge, const struct schema_field *field,
			    struct value *original, const struct value *patch, const char *name,
			    const struct field_path *at)
{
	struct list_patch list = {.field = field};
	struct value *result = NULL;

	if (get_list(merge, patch, "", name, at, &list.entries) != 0 ||
	    get_list(merge, patch, set_order, name, at, &list.order) != 0 ||
	    get_list(merge, patch, delete_from, name, at, &list.deletions) != 0)
		return -1;
	list.original = value_get(original, name);
	if (!list.original && !list.entries)
		return 0;
	if (strategic_merge_list(merge, &list, FIELD(at, name), &result) != 0)
		return -1;
	value_set(merge->arena, original, name, result);
	return 0;
}

static bool merges_lists(const struct schema_field *field)
{
	return field && field->kind == SCHEMA_ARRAY && (field->flags & SCHEMA_MERGE);
}

/* One member of the patch that is no directive. */
static int merge_member(struct merge *merge, const struct schema_type *type, bool map,
			struct value *original, const struct value *patch,
			const struct value_member *member, const struct field_path *at)
{
	const struct schema_field *field =
		map ? NULL : field_of(merge, type, member->key, member->key_size);
	const struct schema_type *below = map ? type : type_below(merge, field);
	struct value *old = value_get_n(original, member->key, member->key_size);
	struct value *result;

	if (member->value->kind == VALUE_NULL)
		return 0; /* went in the sweep */
	if (member->value->kind == VALUE_ARRAY && merges_lists(field))
		return merge_list_field(merge, field, original, patch, member->key, at);
	if (member->value->kind == VALUE_OBJECT && value_is(old, VALUE_OBJECT) &&
	    !(field && (field->flags & SCHEMA_REPLACE)))
		result = strategic_merge_object(merge, below, field && field->kind == SCHEMA_MAP,
						old, member->value, FIELD(at, member->key));
	else
		result = strategic_copy(merge, member->value);
	if (!result)
		return -1;
	value_set_n(merge->arena, original, member->key, member->key_size, result);
	return 0;
}

/* Directives for a list that has no entries in the patch. */
static int merge_directive(struct merge *merge, const struct schema_type *type,
			   struct value *original, const struct value *patch,
			   const struct value_member *member, const struct field_path *at)
{
	bool order = has_prefix(member, set_order);
	const char *name = member->key + strlen(order ? set_order : delete_from);
	const struct value *entries = value_get(patch, name);
	const struct schema_field *field;

	if (!order && !has_prefix(member, delete_from))
		return 0;
	if (value_is(entries, VALUE_ARRAY) || value_is(entries, VALUE_NULL))
		return 0; /* merge_member sees to it; or the list is gone */
	if (!order && value_get(patch, arena_printf(merge->arena, "%s%s", set_order, name)))
		return 0; /* once is enough */
	field = field_of(merge, type, name, strlen(name));
	if (!merges_lists(field))
		return strategic_refuse(merge, FIELD(at, member->key),
					"no list of that name is merged");
	return merge_list_field(merge, field, original, patch, name, at);
}

static void sweep_nulls(struct value *original, const struct value *patch)
{
	for (uint32_t i = 0; i < patch->count; i++) {
		const struct value_member *member = &patch->object.members[i];
		struct value_member *old;

		if (member->value->kind != VALUE_NULL)
			continue;
		old = value_find_n(original, member->key, member->key_size);
		if (old)
			old->value = NULL;
	}
	value_drop_unset(original);
}

struct value *strategic_merge_object(struct merge *merge, const struct schema_type *type, bool map,
				     struct value *original, const struct value *patch,
				     const struct field_path *at)
{
	const struct value *directive = value_get(patch, "$patch");

	if (directive) {
		if (value_string_is(directive, "replace"))
			return strategic_copy(merge, patch);
		if (value_string_is(directive, "delete"))
			return value_object(merge->arena);
		if (!value_string_is(directive, "merge")) {
			strategic_refuse(merge, at, "$patch must be replace, delete or merge");
			return NULL;
		}
	}
	if (retain_keys(merge, original, patch, at) != 0)
		return NULL;
	sweep_nulls(original, patch);
	for (uint32_t i = 0; i < patch->count; i++) {
		const struct value_member *member = &patch->object.members[i];
		int result = strategic_is_directive(member)
				     ? merge_directive(merge, map ? NULL : type, original, patch,
						       member, at)
				     : merge_member(merge, type, map, original, patch, member, at);

		if (result != 0)
			return NULL;
	}
	return original;
}

struct value *strategic_apply(struct arena *arena, const struct schema *schema,
			      const struct schema_type *type, struct value *original,
			      const struct value *patch, struct cox_error *err)
{
	struct merge merge = {arena, schema, err};

	if (patch->kind != VALUE_OBJECT) {
		strategic_refuse(&merge, NULL, "it must be an object");
		return NULL;
	}
	if (!value_is(original, VALUE_OBJECT))
		original = value_object(arena);
	return strategic_merge_object(&merge, type, false, original, patch, NULL);
}
