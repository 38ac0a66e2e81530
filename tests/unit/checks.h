/* SPDX-License-Identifier: Apache-2.0 */
/* What validation says of an object, for the tests of it. */
#ifndef COX_TESTS_UNIT_CHECKS_H
#define COX_TESTS_UNIT_CHECKS_H

#include "unit.h"

#include "machinery/decode.h"
#include "machinery/defaults.h"
#include "machinery/validate.h"

#include <string.h>

static const struct schema *const s = &schema_builtin;

static struct value *load(struct arena *arena, const struct schema_resource *resource,
			  const char *json)
{
	const struct schema_type *type = schema_resource_type(s, resource);
	cox_autoerror err = COX_ERROR_INIT;
	struct decode_report report;
	struct value *tree;

	decode_report_init(&report, arena);
	tree = json_parse(arena, json, strlen(json), &report.duplicates, &err);
	if (!tree || schema_decode(s, type, arena, tree, &report, &err))
		fail_msg("%s", error_text(&err));
	if (report.count)
		fail_msg("%s", decode_report_text(&report));
	schema_apply_defaults(s, type, arena, tree);
	return tree;
}

/* `expected` NULL: valid. `old` may be NULL. */
__attribute__((unused)) static void check(const char *group, const char *version,
					  const char *plural, const char *json, const char *old,
					  const char *subresource, const char *expected)
{
	const struct schema_resource *resource = schema_resource_get(s, group, version, plural);
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct validation v;
	struct value *object, *before;

	assert_non_null(resource);
	object = load(&arena, resource, json);
	before = old ? load(&arena, resource, old) : NULL;
	validation_init(&v, &arena, s, resource);
	schema_validate(&v, object, before, subresource);
	if (validation_result(&v, value_text(value_path(object, "metadata.name")), &err) == 0) {
		if (expected)
			fail_msg("found valid, wanted: %s", expected);
		return;
	}
	if (!expected)
		fail_msg("%s", error_text(&err));
	assert_int_equal(err.reason, COX_REASON_INVALID);
	assert_int_equal(err.cause_count, v.count);
	assert_string_equal(error_text(&err), expected);
}

#endif
