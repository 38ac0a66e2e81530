/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checking what is applied, merging it over what there is, and taking fields
 * out. Results are new where something changes and share the rest.
 */
#include "machinery/typed.h"

#include "machinery/json.h"

#include <string.h>

/* Checking */

struct checker {
	const struct typed_context *context;
	const char *problems[TYPED_PROBLEMS_MAX];
	size_t count;
};

static void problem(struct checker *c, const struct step_path *path, const char *format, ...)
	COX_PRINTF(3, 4);

static void problem(struct checker *c, const struct step_path *path, const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	va_list args;

	if (c->count == TYPED_PROBLEMS_MAX)
		return;
	step_path_text(&text, path);
	cox_buf_str(&text, text.size ? ": " : "");
	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	c->problems[c->count++] = arena_strndup(c->context->arena, text.data, text.size);
}

enum { SHOWN_MAX = 64 };

/* The value itself, if it is short enough to be helpful. */
static const char *shown(struct checker *c, const struct value *value)
{
	cox_autobuf text = COX_BUF_INIT;

	if (value->kind == VALUE_OBJECT)
		return "an object";
	if (value->kind == VALUE_ARRAY)
		return "a list";
	if (value->kind == VALUE_STRING && value->count > SHOWN_MAX)
		return "a string";
	json_write(&text, value, 0);
	return arena_strndup(c->context->arena, text.data, text.size);
}

static bool is_plain(const struct value *value)
{
	return value->kind != VALUE_OBJECT && value->kind != VALUE_ARRAY;
}

static void check_scalar(struct checker *c, const struct typed *at, const struct value *value,
			 const struct step_path *path)
{
	const char *expected = NULL;

	switch ((enum schema_kind)at->scalar) {
	case SCHEMA_BOOL:
		expected = value->kind == VALUE_BOOL ? NULL : "boolean";
		break;
	case SCHEMA_INT32:
	case SCHEMA_INT64:
	case SCHEMA_DOUBLE:
		expected = value->kind == VALUE_INT || value->kind == VALUE_NUMBER
				   ? NULL
				   : "numeric (int or float)";
		break;
	case SCHEMA_STRING:
	case SCHEMA_BYTES:
		expected = value->kind == VALUE_STRING ? NULL : "string";
		break;
	default: /* a time, an amount: what its text may be is seen to later */
		expected = is_plain(value) ? NULL : "any scalar";
		break;
	}
	if (expected)
		problem(c, path, "expected %s, got %s", expected, shown(c, value));
}

static void check_at(struct checker *c, struct typed at, const struct value *value,
		     const struct step_path *path);

static void check_list(struct checker *c, const struct typed *at, const struct value *list,
		       const struct step_path *path)
{
	const struct typed below = typed_element(c->context->schema, at);
	const struct typed_entry *entries;
	uint32_t count;

	if (at->atomic) {
		for (uint32_t i = 0; i < list->count; i++) {
			const struct field_step step = {.kind = STEP_INDEX, .index = i};
			const struct step_path entry = {path, &step};

			check_at(c, below, list->array.items[i], &entry);
		}
		return;
	}
	entries = typed_index(c->context, at, list, 0, &count);
	for (uint32_t i = 0; i < count; i++) {
		const struct step_path entry = {path, &entries[i].step};
		cox_autobuf key = COX_BUF_INIT;

		check_at(c, below, entries[i].value, &entry);
		if (i + 1 == count || step_compare(&entries[i].step, &entries[i + 1].step) != 0)
			continue;
		step_path_text(&key, &(const struct step_path){NULL, &entries[i].step});
		problem(c, path, "duplicate entries for key %s", cox_buf_cstr(&key));
		while (i + 1 < count && step_compare(&entries[i].step, &entries[i + 1].step) == 0)
			i++;
	}
	for (uint32_t i = count; i < list->count; i++)
		problem(c, path, "element %u: %s", entries[i].place, entries[i].why);
}

static void check_members(struct checker *c, const struct typed *at, const struct value *object,
			  const struct step_path *path)
{
	for (uint32_t i = 0; i < object->count && c->count < TYPED_PROBLEMS_MAX; i++) {
		const struct value_member *member = &object->object.members[i];
		const struct field_step step = step_name(member->key, member->key_size);
		const struct step_path entry = {path, &step};
		bool declared;
		const struct typed below = typed_member(c->context->schema, at, member->key,
							member->key_size, &declared);

		if (at->form == TYPED_STRUCT && !declared)
			problem(c, &entry, "field not declared in schema");
		else
			check_at(c, below, member->value, &entry);
	}
}

static void check_at(struct checker *c, struct typed at, const struct value *value,
		     const struct step_path *path)
{
	if (value->kind == VALUE_NULL || at.form == TYPED_FREE || c->count == TYPED_PROBLEMS_MAX)
		return;
	if (at.form == TYPED_SCALAR)
		check_scalar(c, &at, value, path);
	else if (at.form == TYPED_LIST && value->kind == VALUE_ARRAY)
		check_list(c, &at, value, path);
	else if (at.form != TYPED_LIST && value->kind == VALUE_OBJECT)
		check_members(c, &at, value, path);
	else
		problem(c, path, "expected %s, got %s", at.form == TYPED_LIST ? "list" : "map",
			shown(c, value));
}

const char *typed_check(const struct typed_context *context, const struct value *value)
{
	struct checker c = {.context = context};
	cox_autobuf text = COX_BUF_INIT;

	check_at(&c, typed_of_type(context->type), value, NULL);
	if (c.count <= 1)
		return c.count ? c.problems[0] : NULL;
	cox_buf_str(&text, "errors:");
	for (size_t i = 0; i < c.count; i++)
		cox_buf_printf(&text, "\n  %s", c.problems[i]);
	return arena_strndup(context->arena, text.data, text.size);
}

/* Merging */

static struct value *merge_at(const struct typed_context *context, struct typed at,
			      const struct value *live, const struct value *config);

static struct value *merge_members(const struct typed_context *context, const struct typed *at,
				   const struct value *live, const struct value *config)
{
	struct value *out = value_object(context->arena);

	for (uint32_t i = 0; value_is(live, VALUE_OBJECT) && i < live->count; i++) {
		const struct value_member *member = &live->object.members[i];

		value_set_n(context->arena, out, member->key, member->key_size, member->value);
	}
	for (uint32_t i = 0; value_is(config, VALUE_OBJECT) && i < config->count; i++) {
		const struct value_member *member = &config->object.members[i];
		struct value_member *before = value_find_n(out, member->key, member->key_size);
		bool declared;
		const struct typed below =
			typed_member(context->schema, at, member->key, member->key_size, &declared);

		if (before)
			before->value = merge_at(context, below, before->value, member->value);
		else
			value_set_n(context->arena, out, member->key, member->key_size,
				    member->value);
	}
	return out;
}

/* Both lists as they stand, by place. */
struct merging {
	const struct typed_context *context;
	struct typed below;
	const struct value *live, *config;
	const struct typed_entry *live_index, *config_index;
	uint32_t live_count, config_count;
	struct value *out;
};

/* The entry of the other list with the same step; NULL: none. */
static const struct typed_entry *other(const struct typed_entry *index, uint32_t count,
				       const struct typed_entry *entry)
{
	return entry->why ? NULL : typed_find(index, count, &entry->step);
}

static void take_config(struct merging *m, const struct typed_entry *entry)
{
	const struct typed_entry *before = other(m->live_index, m->live_count, entry);
	const struct typed_entry *next = before ? before + 1 : NULL;
	struct value *value = entry->value;

	/* What is there twice is not merged but replaced. */
	if (before && (next == m->live_index + m->live_count ||
		       step_compare(&before->step, &next->step) != 0))
		value = merge_at(m->context, m->below, before->value, value);
	value_push(m->context->arena, m->out, value);
}

static const struct typed_entry **by_place(struct arena *arena, const struct typed_entry *index,
					   uint32_t count)
{
	const struct typed_entry **places = arena_alloc(arena, count * sizeof(*places));

	for (uint32_t i = 0; i < count; i++)
		places[index[i].place] = &index[i];
	return places;
}

/*
 * Entries of the configuration come in its order. What only the live list has
 * keeps its place: before the entry that it stood before, if that order can be
 * kept.
 */
static void merge_entries(struct merging *m)
{
	struct arena *arena = m->context->arena;
	const uint32_t live_all = m->live->count, config_all = m->config->count;
	const struct typed_entry **live = by_place(arena, m->live_index, live_all);
	const struct typed_entry **config = by_place(arena, m->config_index, config_all);
	uint32_t i = 0, j = 0, shared = 0;

	while (i < live_all || j < config_all) {
		const struct typed_entry *mine = i < live_all ? live[i] : NULL;
		const struct typed_entry *theirs =
			mine ? other(m->config_index, m->config_count, mine) : NULL;

		/* The next entry of the configuration that the live list has, too. */
		shared = shared < j ? j : shared;
		while (shared < config_all && !other(m->live_index, m->live_count, config[shared]))
			shared++;
		if (mine && !theirs) {
			value_push(arena, m->out, mine->value);
			i++;
		} else if (mine && (shared == config_all || theirs != config[shared])) {
			i++; /* it comes, or came, where the configuration has it */
		} else {
			take_config(m, config[j]);
			i += mine && theirs == config[j];
			j++;
		}
	}
}

static struct value *merge_lists(const struct typed_context *context, const struct typed *at,
				 const struct value *live, const struct value *config)
{
	static const struct value none = {.kind = VALUE_ARRAY};
	struct merging m = {.context = context, .below = typed_element(context->schema, at)};

	m.live = value_is(live, VALUE_ARRAY) ? live : &none;
	m.config = value_is(config, VALUE_ARRAY) ? config : &none;
	m.live_index = typed_index(context, at, m.live, 0, &m.live_count);
	m.config_index = typed_index(context, at, m.config, 0, &m.config_count);
	m.out = value_array(context->arena);
	merge_entries(&m);
	return m.out;
}

static struct value *merge_at(const struct typed_context *context, struct typed at,
			      const struct value *live, const struct value *config)
{
	bool free_form = at.form == TYPED_FREE;

	at = typed_resolve(&at, config);
	if (at.form == TYPED_SCALAR || at.atomic ||
	    (typed_is_empty(live) && typed_is_empty(config)) ||
	    (free_form && live->kind != config->kind))
		return (struct value *)config;
	if (at.form == TYPED_LIST)
		return merge_lists(context, &at, live, config);
	return merge_members(context, &at, live, config);
}

struct value *typed_merge(const struct typed_context *context, const struct value *live,
			  const struct value *config)
{
	return merge_at(context, typed_of_type(context->type), live, config);
}

/* Removing */

static struct value *remove_at(const struct typed_context *context, struct typed at,
			       const struct value *value, const struct fieldset *set);

/* NULL: the entry goes whole. */
static struct value *remove_entry(const struct typed_context *context, const struct typed *below,
				  const struct fieldset *set, const struct field_step *step,
				  struct value *value)
{
	const struct fieldset_entry *entry = fieldset_find(set, step);

	if (!entry)
		return value;
	return entry->member ? NULL : remove_at(context, *below, value, entry->below);
}

static struct value *remove_members(const struct typed_context *context, const struct typed *at,
				    const struct value *value, const struct fieldset *set)
{
	struct value *out = value_object(context->arena);

	for (uint32_t i = 0; i < value->count; i++) {
		const struct value_member *member = &value->object.members[i];
		const struct field_step step = step_name(member->key, member->key_size);
		bool declared;
		const struct typed below =
			typed_member(context->schema, at, member->key, member->key_size, &declared);
		struct value *kept = remove_entry(context, &below, set, &step, member->value);

		if (kept)
			value_set_n(context->arena, out, member->key, member->key_size, kept);
	}
	return out->count ? out : value_null(context->arena);
}

static struct value *remove_entries(const struct typed_context *context, const struct typed *at,
				    const struct value *value, const struct fieldset *set)
{
	const struct typed below = typed_element(context->schema, at);
	struct value *out = value_array(context->arena);

	for (uint32_t i = 0; i < value->count; i++) {
		struct value *kept = value->array.items[i];
		struct field_step step;

		if (!typed_entry_step(context, at, kept, 0, &step))
			kept = remove_entry(context, &below, set, &step, kept);
		if (kept)
			value_push(context->arena, out, kept);
	}
	return out->count ? out : value_null(context->arena);
}

static struct value *remove_at(const struct typed_context *context, struct typed at,
			       const struct value *value, const struct fieldset *set)
{
	at = typed_resolve(&at, value);
	if (!set || at.form == TYPED_SCALAR || at.atomic || typed_is_empty(value))
		return (struct value *)value;
	if (at.form == TYPED_LIST && value->kind == VALUE_ARRAY)
		return remove_entries(context, &at, value, set);
	if (at.form != TYPED_LIST && value->kind == VALUE_OBJECT)
		return remove_members(context, &at, value, set);
	return (struct value *)value;
}

struct value *typed_remove(const struct typed_context *context, const struct value *value,
			   const struct fieldset *set)
{
	return remove_at(context, typed_of_type(context->type), value, set);
}
