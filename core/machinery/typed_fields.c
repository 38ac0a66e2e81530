/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of a value, and what differs between two. Both walk level by
 * level: what a level finds below an entry becomes a part of its own set, so no
 * path is ever looked up.
 */
#include "machinery/typed.h"

#include <string.h>

/* Where names have a meaning of their own. */
enum level { LEVEL_OBJECT, LEVEL_METADATA, LEVEL_INNER };

struct walk {
	const struct typed_context *context;
	unsigned flags;
	bool all; /* also what nobody manages */
};

/* Names, times and versions that clients do not choose, or that tell one object from another. */
static bool is_unmanaged(const struct walk *walk, enum level level, const char *name)
{
	static const char *const object[] = {"kind", "apiVersion", NULL};
	static const char *const metadata[] = {
		"name",	       "namespace",  "creationTimestamp", "selfLink",	     "uid",
		"clusterName", "generation", "managedFields",	  "resourceVersion", NULL};
	const char *const *names = level == LEVEL_OBJECT ? object : metadata;

	if (walk->all || level == LEVEL_INNER)
		return false;
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

static enum level level_below(enum level level, const char *name)
{
	return level == LEVEL_OBJECT && strcmp(name, "metadata") == 0 ? LEVEL_METADATA
								      : LEVEL_INNER;
}

static const struct schema_field *sorted_field(const struct walk *walk,
					       const struct schema_type *type, size_t index)
{
	const struct schema *schema = walk->context->schema;

	return schema_field_at(schema, type, schema->orders[type->order + index]);
}

/* The fields of a value */

static bool fields_at(const struct walk *walk, struct typed at, const struct value *value,
		      enum level level, struct fieldset *out);

/* One entry: whether it counts by itself is up to the caller, or to its content. */
static void add_fields(const struct walk *walk, const struct typed *at, struct field_step step,
		       const struct value *value, bool member, enum level level,
		       struct fieldset *out)
{
	struct fieldset below = {NULL, 0, 0};
	bool leaf = fields_at(walk, *at, value, level, &below);
	bool nothing = value->kind == VALUE_NULL || (value->kind == VALUE_OBJECT && !value->count);

	/* The metadata is always there: it is nobody's. */
	member = (member || leaf || nothing) && (walk->all || level != LEVEL_METADATA);
	fieldset_append(walk->context->arena, out, step, member,
			fieldset_keep(walk->context->arena, &below));
}

static void fields_of_members(const struct walk *walk, const struct typed *at,
			      const struct value *value, enum level level, struct fieldset *out)
{
	const struct schema *schema = walk->context->schema;
	uint32_t count;
	const struct value_member **members = typed_sorted(walk->context->arena, value, &count);

	for (uint32_t i = 0; i < count; i++) {
		const struct value_member *member = members[i];
		bool declared;
		const struct typed below =
			typed_member(schema, at, member->key, member->key_size, &declared);

		if (is_unmanaged(walk, level, member->key))
			continue;
		add_fields(walk, &below, step_name(member->key, member->key_size), member->value,
			   !declared, level_below(level, member->key), out);
	}
}

static void fields_of_entries(const struct walk *walk, const struct typed *at,
			      const struct value *value, struct fieldset *out)
{
	const struct typed below = typed_element(walk->context->schema, at);
	uint32_t count;
	const struct typed_entry *entries =
		typed_index(walk->context, at, value, walk->flags, &count);

	for (uint32_t i = 0; i < count; i++) {
		bool twice =
			i + 1 < count && step_compare(&entries[i].step, &entries[i + 1].step) == 0;

		if (twice) {
			/* Several of the same step are one thing. */
			fieldset_append(walk->context->arena, out, entries[i].step, true, NULL);
			while (i + 1 < count &&
			       step_compare(&entries[i].step, &entries[i + 1].step) == 0)
				i++;
		} else {
			add_fields(walk, &below, entries[i].step, entries[i].value, true,
				   LEVEL_INNER, out);
		}
	}
}

/* Whether the value is one thing. */
static bool fields_at(const struct walk *walk, struct typed at, const struct value *value,
		      enum level level, struct fieldset *out)
{
	at = typed_resolve(&at, value);
	if (at.form == TYPED_SCALAR || at.atomic)
		return true;
	if (at.form == TYPED_LIST)
		fields_of_entries(walk, &at, value, out);
	else
		fields_of_members(walk, &at, value, level, out);
	return false;
}

static const struct fieldset *fields_of(const struct typed_context *context,
					const struct value *value, bool all)
{
	const struct walk walk = {context, 0, all};
	struct fieldset out = {NULL, 0, 0};

	fields_at(&walk, typed_of_type(context->type), value, LEVEL_OBJECT, &out);
	return fieldset_keep(context->arena, &out);
}

const struct fieldset *typed_fields(const struct typed_context *context, const struct value *value)
{
	return fields_of(context, value, false);
}

const struct fieldset *typed_all_fields(const struct typed_context *context,
					const struct value *value)
{
	return fields_of(context, value, true);
}

/* What differs between two */

struct sets {
	struct fieldset added, modified, removed;
};

enum difference { SAME, ADDED, MODIFIED, REMOVED };

static enum difference compare_at(const struct walk *walk, struct typed at,
				  const struct value *before, const struct value *after,
				  enum level level, struct sets *out);

static void add_difference(const struct walk *walk, struct field_step step, enum difference what,
			   const struct sets *below, struct sets *out)
{
	struct arena *arena = walk->context->arena;

	if (what == ADDED || below->added.count)
		fieldset_append(arena, &out->added, step, what == ADDED,
				fieldset_keep(arena, &below->added));
	if (what == MODIFIED || below->modified.count)
		fieldset_append(arena, &out->modified, step, what == MODIFIED,
				fieldset_keep(arena, &below->modified));
	if (what == REMOVED || below->removed.count)
		fieldset_append(arena, &out->removed, step, what == REMOVED,
				fieldset_keep(arena, &below->removed));
}

static void compare_entry(const struct walk *walk, const struct typed *at, struct field_step step,
			  const struct value *before, const struct value *after, enum level level,
			  struct sets *out)
{
	struct sets below = {.added = {NULL, 0, 0}};
	enum difference what = compare_at(walk, *at, before, after, level, &below);

	if (level == LEVEL_METADATA)
		what = SAME;
	add_difference(walk, step, what, &below, out);
}

static enum difference compare_leaves(const struct value *before, const struct value *after)
{
	if (!before)
		return ADDED;
	if (!after)
		return REMOVED;
	return value_equal(before, after) ? SAME : MODIFIED;
}

static bool has_slots(const struct value *const *slots, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slots[i])
			return true;
	return false;
}

static enum difference compare_structs(const struct walk *walk, const struct typed *at,
				       const struct value *before, const struct value *after,
				       enum level level, struct sets *out)
{
	const struct schema *schema = walk->context->schema;
	const struct schema_type *type = at->type;
	const struct value *left[SCHEMA_FIELDS_MAX], *right[SCHEMA_FIELDS_MAX];

	typed_slots(schema, type, before, walk->flags, left);
	typed_slots(schema, type, after, walk->flags, right);
	if (!has_slots(left, type->field_count) && !has_slots(right, type->field_count))
		return compare_leaves(before, after);
	for (size_t i = 0; i < type->field_count; i++) {
		const struct schema_field *field = sorted_field(walk, type, i);
		size_t slot = (size_t)(field - schema_field_at(schema, type, 0));
		const char *name = schema_text(schema, field->name);
		const struct typed below = typed_of_field(schema, field);

		if ((!left[slot] && !right[slot]) || is_unmanaged(walk, level, name))
			continue;
		compare_entry(walk, &below, step_name(name, strlen(name)), left[slot], right[slot],
			      level_below(level, name), out);
	}
	return before ? after ? SAME : REMOVED : ADDED;
}

static enum difference compare_maps(const struct walk *walk, const struct typed *at,
				    const struct value *before, const struct value *after,
				    struct sets *out)
{
	struct arena *arena = walk->context->arena;
	const struct typed below = typed_element(walk->context->schema, at);
	uint32_t left_count, right_count, i = 0, j = 0;
	const struct value_member **left = typed_sorted(arena, before, &left_count);
	const struct value_member **right = typed_sorted(arena, after, &right_count);

	while (i < left_count || j < right_count) {
		struct field_step step, other;
		int order = i < left_count ? -1 : 1;

		if (i < left_count)
			step = step_name(left[i]->key, left[i]->key_size);
		if (j < right_count) {
			other = step_name(right[j]->key, right[j]->key_size);
			if (i < left_count)
				order = step_compare(&step, &other);
			if (order > 0)
				step = other;
		}
		compare_entry(walk, &below, step, order <= 0 ? left[i]->value : NULL,
			      order >= 0 ? right[j]->value : NULL, LEVEL_INNER, out);
		i += order <= 0;
		j += order >= 0;
	}
	return before ? after ? SAME : REMOVED : ADDED;
}

static uint32_t run_length(const struct typed_entry *entries, uint32_t count, uint32_t from)
{
	uint32_t end = from + 1;

	while (end < count && step_compare(&entries[from].step, &entries[end].step) == 0)
		end++;
	return end - from;
}

/* All entries of one step, on both sides; several on one side are one thing. */
static void compare_runs(const struct walk *walk, const struct typed *below,
			 const struct typed_entry *left, uint32_t left_count,
			 const struct typed_entry *right, uint32_t right_count, struct sets *out)
{
	const struct field_step step = left_count ? left->step : right->step;
	struct sets inner = {.added = {NULL, 0, 0}};
	enum difference what = SAME;

	if (left_count <= 1 && right_count <= 1) {
		compare_entry(walk, below, step, left_count ? left->value : NULL,
			      right_count ? right->value : NULL, LEVEL_INNER, out);
		return;
	}
	if (left_count > 1 && right_count > 1) {
		if (left_count != right_count)
			what = MODIFIED;
		for (uint32_t i = 0; what == SAME && i < left_count; i++)
			if (!value_equal(left[i].value, right[i].value))
				what = MODIFIED;
	} else if (left_count > 1) {
		if (right_count)
			compare_at(walk, *below, NULL, right->value, LEVEL_INNER, &inner);
		what = REMOVED;
	} else {
		if (left_count)
			compare_at(walk, *below, left->value, NULL, LEVEL_INNER, &inner);
		what = ADDED;
	}
	add_difference(walk, step, what, &inner, out);
}

static enum difference compare_lists(const struct walk *walk, const struct typed *at,
				     const struct value *before, const struct value *after,
				     struct sets *out)
{
	const struct typed below = typed_element(walk->context->schema, at);
	uint32_t left_count, right_count, i = 0, j = 0;
	const struct typed_entry *left =
		typed_index(walk->context, at, before, walk->flags, &left_count);
	const struct typed_entry *right =
		typed_index(walk->context, at, after, walk->flags, &right_count);

	while (i < left_count || j < right_count) {
		int order = i == left_count    ? 1
			    : j == right_count ? -1
					       : step_compare(&left[i].step, &right[j].step);
		uint32_t in_left = order <= 0 ? run_length(left, left_count, i) : 0;
		uint32_t in_right = order >= 0 ? run_length(right, right_count, j) : 0;

		compare_runs(walk, &below, left + i, in_left, right + j, in_right, out);
		i += in_left;
		j += in_right;
	}
	return before ? after ? SAME : REMOVED : ADDED;
}

/* One of them may be NULL, but not both. */
static enum difference compare_at(const struct walk *walk, struct typed at,
				  const struct value *before, const struct value *after,
				  enum level level, struct sets *out)
{
	bool free_form = at.form == TYPED_FREE;

	at = typed_resolve(&at, after ? after : before);
	if (free_form && before && after && before->kind != after->kind)
		return MODIFIED;
	if (at.form == TYPED_SCALAR || at.atomic)
		return compare_leaves(before, after);
	if (at.form == TYPED_STRUCT)
		return compare_structs(walk, &at, before, after, level, out);
	if (typed_is_empty(before) && typed_is_empty(after))
		return compare_leaves(before, after);
	if (at.form == TYPED_LIST)
		return compare_lists(walk, &at, before, after, out);
	return compare_maps(walk, &at, before, after, out);
}

void typed_compare(const struct typed_context *context, const struct value *before,
		   const struct value *after, unsigned flags, struct typed_changes *changes)
{
	const struct walk walk = {context, flags, false};
	struct sets out = {.added = {NULL, 0, 0}};

	compare_at(&walk, typed_of_type(context->type), before, after, LEVEL_OBJECT, &out);
	changes->added = fieldset_keep(context->arena, &out.added);
	changes->modified = fieldset_keep(context->arena, &out.modified);
	changes->removed = fieldset_keep(context->arena, &out.removed);
}

/* Sets against the schema */

static struct typed below_step(const struct typed_context *context, const struct typed *at,
			       const struct field_step *step, bool *declared)
{
	*declared = false;
	if (step->kind == STEP_NAME)
		return typed_member(context->schema, at, step->text, step->size, declared);
	if (at->form == TYPED_LIST)
		return typed_element(context->schema, at);
	return (struct typed){.form = TYPED_FREE};
}

static const struct fieldset *with_fields(const struct typed_context *context,
					  const struct typed *at, const struct fieldset *set)
{
	struct fieldset out = {NULL, 0, 0};

	for (uint32_t i = 0; set && i < set->count; i++) {
		const struct fieldset_entry *entry = &set->entries[i];
		bool declared;
		const struct typed below = below_step(context, at, &entry->step, &declared);

		fieldset_append(context->arena, &out, entry->step, entry->member || declared,
				with_fields(context, &below, entry->below));
	}
	return fieldset_keep(context->arena, &out);
}

const struct fieldset *typed_with_fields(const struct typed_context *context,
					 const struct fieldset *set)
{
	const struct typed root = typed_of_type(context->type);

	return with_fields(context, &root, set);
}

static const struct fieldset *reconcile(const struct typed_context *context, const struct typed *at,
					const struct fieldset *set)
{
	struct fieldset out = {NULL, 0, 0};
	bool same = true;

	for (uint32_t i = 0; set && i < set->count; i++) {
		struct fieldset_entry entry = set->entries[i];
		bool declared;
		const struct typed below = below_step(context, at, &entry.step, &declared);

		if (entry.below && below.form != TYPED_FREE && below.atomic) {
			entry.below = NULL;
			entry.member = true;
		} else {
			entry.below = reconcile(context, &below, entry.below);
		}
		same = same && entry.below == set->entries[i].below;
		fieldset_append(context->arena, &out, entry.step, entry.member, entry.below);
	}
	return same ? set : fieldset_keep(context->arena, &out);
}

const struct fieldset *typed_reconcile(const struct typed_context *context,
				       const struct fieldset *set)
{
	const struct typed root = typed_of_type(context->type);

	return reconcile(context, &root, set);
}
