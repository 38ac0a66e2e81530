/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field ownership: [live, config, FieldsV1, managers], as a pod. What clients
 * send is any of it; what is stored has been decoded.
 */
#include "machinery/apply.h"
#include "machinery/decode.h"
#include "machinery/encode.h"
#include "machinery/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A set that was read is one that can be written and read, and obeys the algebra. */
static void check_fields(struct arena *arena, const struct value *fields, const struct value *more)
{
	const struct fieldset *set, *again, *other;

	if (!fields || fieldset_read(arena, fields, &set, NULL) != 0)
		return;
	if (fieldset_read(arena, fieldset_write(arena, set), &again, NULL) != 0 ||
	    !fieldset_equal(set, again) || fieldset_difference(arena, set, again))
		abort();
	if (!more || fieldset_read(arena, more, &other, NULL) != 0)
		return;
	if (!fieldset_equal(fieldset_union(arena, set, other),
			    fieldset_union(arena, other, set)) ||
	    !fieldset_equal(fieldset_union(arena, fieldset_difference(arena, set, other),
					   fieldset_intersection(arena, set, other)),
			    set))
		abort();
}

static struct field_context context_of(struct arena *arena, const char *manager)
{
	static const char *const status[] = {"status", NULL};
	const struct schema *schema = &schema_builtin;
	const struct schema_resource *row = schema_resource_get(schema, "", "v1", "pods");

	return (struct field_context){
		.typed = {arena, schema, schema_resource_type(schema, row)},
		.row = row,
		.api_version = "v1",
		.manager = manager,
		.subresource = "",
		.filter.except = status,
		.now = "2026-01-01T00:00:00Z"};
}

/* The object's bytes as a tree of their own; NULL: it is none of this type. */
static struct value *stored(struct arena *arena, const struct schema_type *type,
			    const struct value *sent)
{
	cox_autobuf out = COX_BUF_INIT;
	struct value *object = value_copy(arena, sent);

	if (!value_is(object, VALUE_OBJECT) ||
	    schema_decode(&schema_builtin, type, arena, object, NULL, NULL) != 0)
		return NULL;
	schema_encode(&out, &schema_builtin, type, object, 0);
	return json_parse(arena, out.data, out.size, NULL, NULL);
}

/* In force it takes; and what was taken is taken without force, for nothing. */
static void check_apply(struct arena *arena, struct value *live, const struct value *config,
			const struct value *list)
{
	struct field_context context = context_of(arena, "kubectl");
	cox_autoerror err = COX_ERROR_INIT;
	struct managers managers;
	struct value *merged, *again;

	if (managers_read(&managers, arena, list, true, NULL) != 0)
		managers = (struct managers){.arena = arena};
	if (fields_apply(&context, &managers, live, config, true, &merged, &err) != 0)
		return;
	if (fields_apply(&context, &managers, merged, config, false, &again, &err) != 0)
		abort();
	if (!value_equal(merged, again))
		abort();
}

static void check_track(struct arena *arena, const struct schema_type *type,
			const struct value *before, const struct value *after)
{
	struct field_context context = context_of(arena, "updater");
	struct value *old = value_copy(arena, before), *new = value_copy(arena, after);
	struct managers managers;

	if (schema_decode(&schema_builtin, type, arena, old, NULL, NULL) != 0 ||
	    schema_decode(&schema_builtin, type, arena, new, NULL, NULL) != 0)
		return;
	fields_track(&context, value_object(arena), old, false);
	fields_track(&context, old, new, true);
	if (managers_read(&managers, arena,
			  value_get(value_get(new, "metadata"), "managedFields"), true,
			  NULL) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cox_autoarena arena = ARENA_INIT;
	const struct schema_type *type = schema_type_named(&schema_builtin, "core.v1.Pod");
	const struct value *all = json_parse(&arena, data, size, NULL, NULL);
	const struct value *config = value_at(all, 1);
	struct value *live;

	if (!config)
		return 0;
	check_fields(&arena, value_at(all, 2), config);
	live = stored(&arena, type, value_at(all, 0));
	if (!live || !value_is(config, VALUE_OBJECT))
		return 0;
	check_apply(&arena, live, config, value_at(all, 3));
	check_track(&arena, type, value_at(all, 0), config);
	return 0;
}
