/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The laws of apply for every kind of the API: random configurations of its
 * type, over few names so that they meet, by two who apply.
 */
#include "unit.h"

#include "machinery/apply.h"
#include "machinery/convert.h"
#include "machinery/decode.h"
#include "machinery/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct schema *const s = &schema_builtin;

enum { DEPTH_MAX = 7, ROUNDS = 60 };

/* Random values. Lists and maps have entries: empty ones are in no set. */

static struct value *random_struct(struct arena *arena, unsigned *seed,
				   const struct schema_type *type, int depth);

/* `which`: values of different ones differ. */
static struct value *random_value(struct arena *arena, unsigned *seed,
				  const struct schema_field *field, uint8_t kind, int which,
				  int depth)
{
	struct value *value;

	switch ((enum schema_kind)kind) {
	case SCHEMA_BOOL:
		return value_bool(arena, which % 2);
	case SCHEMA_INT32:
	case SCHEMA_INT64:
	case SCHEMA_DOUBLE:
	case SCHEMA_INT_OR_STRING:
		return value_int(arena, which);
	case SCHEMA_STRING:
		return value_printf(arena, "v%d", which);
	case SCHEMA_QUANTITY:
		return value_printf(arena, "%d", which + 1);
	case SCHEMA_BYTES:
		return value_string(arena, which % 2 ? "YQ==" : "Yg==");
	case SCHEMA_TIME:
		return value_printf(arena, "2026-01-01T00:00:%02dZ", which % 60);
	case SCHEMA_MICRO_TIME:
		return value_printf(arena, "2026-01-01T00:00:%02d.000000Z", which % 60);
	case SCHEMA_OBJECT:
		return random_struct(arena, seed, &s->types[field->type - 1], depth + 1);
	case SCHEMA_STRINGS:
		value = value_array(arena);
		value_push(arena, value, value_printf(arena, "s%d", which));
		return value;
	case SCHEMA_RAW:
	case SCHEMA_ANY:
	case SCHEMA_ARRAY:
	case SCHEMA_MAP:
		break;
	}
	value = value_object(arena);
	value_set_int(arena, value, which % 2 ? "y" : "z", which);
	return value;
}

/* The keys of an entry are what tells it from the others. */
static void set_keys(struct arena *arena, unsigned *seed, const struct schema_field *field,
		     struct value *entry, int which)
{
	const struct schema_type *type = schema_field_type(s, field);

	for (size_t i = 0; i < schema_list_count(s, field->map_keys); i++) {
		const char *key = schema_list_at(s, field->map_keys, i);
		const struct schema_field *inner = schema_field_get(s, type, key, strlen(key));

		assert_non_null(inner);
		value_set(arena, entry, key,
			  random_value(arena, seed, inner, inner->kind, which, DEPTH_MAX));
	}
}

static struct value *random_list(struct arena *arena, unsigned *seed,
				 const struct schema_field *field, int depth)
{
	struct value *list = value_array(arena);
	int first = rand_r(seed) % 3 + 1, count = rand_r(seed) % 3 + 1;

	for (int i = 0; i < count; i++) {
		struct value *entry =
			random_value(arena, seed, field, field->element, first + i, depth);

		if (field->list_type == SCHEMA_LIST_MAP)
			set_keys(arena, seed, field, entry, first + i);
		/* Two that do not differ are no set. */
		if (field->list_type != SCHEMA_LIST_SET || field->element != SCHEMA_BOOL || i < 1)
			value_push(arena, list, entry);
	}
	return list;
}

static struct value *random_field(struct arena *arena, unsigned *seed,
				  const struct schema_field *field, int depth)
{
	struct value *map;

	if (field->kind == SCHEMA_ARRAY)
		return random_list(arena, seed, field, depth);
	if (field->kind != SCHEMA_MAP)
		return random_value(arena, seed, field, field->kind, rand_r(seed) % 3 + 1, depth);
	map = value_object(arena);
	for (int i = rand_r(seed) % 3; i >= 0; i--)
		value_set(arena, map, rand_r(seed) % 2 ? "a/b" : "c",
			  random_value(arena, seed, field, field->element, rand_r(seed) % 3 + 1,
				       depth));
	return map;
}

static struct value *random_struct(struct arena *arena, unsigned *seed,
				   const struct schema_type *type, int depth)
{
	struct value *object = value_object(arena);

	for (size_t i = 0; i < type->field_count && depth < DEPTH_MAX; i++) {
		const struct schema_field *field = schema_field_at(s, type, i);

		if (!(field->flags & SCHEMA_DISABLED) && rand_r(seed) % 5 < 3)
			value_set(arena, object, schema_text(s, field->name),
				  random_field(arena, seed, field, depth));
	}
	return object;
}

/* A configuration, as somebody would write it. */
static struct value *random_config(struct arena *arena, unsigned *seed,
				   const struct schema_resource *row)
{
	struct value *config = random_struct(arena, seed, schema_resource_type(s, row), 0);
	struct value *metadata = value_make_object(arena, config, "metadata");

	value_remove(metadata, "managedFields");
	value_set_text(arena, metadata, "name", "x");
	value_set_text(arena, config, "kind", schema_text(s, row->kind));
	value_set_text(arena, config, "apiVersion", schema_api_version(s, arena, row));
	return config;
}

/* One kind */

struct trial {
	struct arena arena;
	struct field_context context;
	struct managers managers;
	struct value *live;
};

static void apply(struct trial *t, const char *manager, const struct value *config, bool force)
{
	cox_autoerror err = COX_ERROR_INIT;

	t->context.manager = manager;
	if (fields_apply(&t->context, &t->managers, t->live, config, force, &t->live, &err) != 0)
		fail_msg("%s: %s", schema_text(s, t->context.typed.type->name), error_text(&err));
}

static const struct fieldset *owned(struct trial *t, const char *manager)
{
	const struct manager who = {.name = manager,
				    .api_version = t->context.api_version,
				    .subresource = "",
				    .applies = true};
	const struct manager *found = managers_find(&t->managers, &who);

	return found ? found->fields : NULL;
}

/* A set has only what is in the object. */
static void check_there(struct trial *t, const struct fieldset *set)
{
	const struct typed_context *typed = &t->context.typed;
	const struct fieldset *all = typed_with_fields(typed, typed_all_fields(typed, t->live));
	const struct fieldset *missing = fieldset_difference(&t->arena, set, all);
	cox_autobuf text = COX_BUF_INIT;

	if (!missing)
		return;
	json_write(&text, fieldset_write(&t->arena, missing), 0);
	fail_msg("%s: not in the object: %s", schema_text(s, typed->type->name),
		 cox_buf_cstr(&text));
}

static void check_comparison(struct trial *t, const struct value *before, const struct value *after)
{
	const struct typed_context *typed = &t->context.typed;
	struct typed_changes changes, back;
	const struct fieldset *all = typed_with_fields(typed, typed_all_fields(typed, after));

	typed_compare(typed, after, after, 0, &changes);
	assert_null(changes.added);
	assert_null(changes.modified);
	assert_null(changes.removed);
	typed_compare(typed, before, after, 0, &changes);
	typed_compare(typed, after, before, 0, &back);
	assert_true(fieldset_equal(changes.added, back.removed));
	assert_true(fieldset_equal(changes.removed, back.added));
	assert_true(fieldset_equal(changes.modified, back.modified));
	/* Empty lists and maps that come or go are leaves, but no fields of a configuration. */
	assert_null(fieldset_intersection(&t->arena, changes.removed, all));
}

static void try_kind(const struct schema_resource *row, unsigned round)
{
	struct trial t = {.arena = ARENA_INIT};
	const struct schema_type *type = schema_resource_type(s, row);
	const struct fieldset *mine, *theirs, *left;
	struct value *first, *second, *bare, *before;
	unsigned seed = round * 7919 + (unsigned)(row - s->resources) + 1;
	cox_autoerror err = COX_ERROR_INIT;
	struct managers known;

	t.context = (struct field_context){.typed = {&t.arena, s, type},
					   .row = row,
					   .api_version = schema_api_version(s, &t.arena, row),
					   .subresource = "",
					   .now = "2026-01-01T00:00:00Z"};
	t.managers.arena = &t.arena;
	t.live = value_object(&t.arena);
	first = random_config(&t.arena, &seed, row);
	second = random_config(&t.arena, &seed, row);
	bare = random_config(&t.arena, &seed, row);
	while (bare->count)
		value_remove(bare, bare->object.members[0].key);
	value_set_text(&t.arena, bare, "kind", schema_text(s, row->kind));
	value_set_text(&t.arena, bare, "apiVersion", t.context.api_version);

	apply(&t, "one", first, false);
	assert_true(fieldset_equal(owned(&t, "one"), typed_fields(&t.context.typed, first)));
	assert_true(value_equal(t.live, first));
	/* It is an object, too, that can be stored. */
	if (schema_decode(s, type, &t.arena, value_copy(&t.arena, t.live), NULL, &err) != 0)
		fail_msg("%s: %s", schema_text(s, type->name), error_text(&err));
	check_comparison(&t, first, second);

	apply(&t, "two", second, true);
	assert_true(fieldset_equal(owned(&t, "two"), typed_fields(&t.context.typed, second)));
	check_there(&t, owned(&t, "two"));
	check_there(&t, owned(&t, "one"));
	/* Again: nothing changes, neither the object nor who manages it. */
	before = t.live;
	mine = owned(&t, "one");
	apply(&t, "two", second, false);
	assert_ptr_equal(t.live, before);
	assert_true(fieldset_equal(owned(&t, "one"), mine));
	/* What is written of the managers is what is read. */
	assert_int_equal(managers_read(&known, &t.arena, managers_write(&t.managers), true, NULL),
			 0);
	assert_int_equal(known.count, t.managers.count);
	for (size_t i = 0; i < known.count; i++)
		assert_true(fieldset_equal(known.list[i].fields, t.managers.list[i].fields));

	/* One lets go of all: of what was theirs alone nothing is left. */
	theirs = owned(&t, "two");
	apply(&t, "one", bare, false);
	assert_null(owned(&t, "one"));
	check_there(&t, theirs);
	assert_true(fieldset_equal(owned(&t, "two"), theirs));
	left = typed_all_fields(&t.context.typed, t.live);
	left = fieldset_intersection(
		&t.arena, left,
		fieldset_difference(&t.arena, mine, typed_with_fields(&t.context.typed, theirs)));
	if (left) {
		cox_autobuf text = COX_BUF_INIT;

		json_write(&text, fieldset_write(&t.arena, left), 0);
		fail_msg("%s: still there: %s", schema_text(s, type->name), cox_buf_cstr(&text));
	}
	arena_free(&t.arena);
}

static void test_every_kind(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < s->resource_count; i++)
		for (unsigned round = 0; round < ROUNDS; round++)
			if (!(s->resources[i].flags & SCHEMA_VIRTUAL))
				try_kind(&s->resources[i], round);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_kind)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
