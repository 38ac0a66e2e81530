/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What validation says of objects, from tests/unit/cases: a file a group.
 *
 *   resource GROUP/VERSION/PLURAL   ("-" for the group without a name)
 *   base OBJECT                     must be valid; the cases change it
 *   + PATCH                         a merge patch of the base, to be created
 *   ~ PATCH                         the base becomes this
 *   ~SUBRESOURCE PATCH              the same through a subresource
 *   = TEXT                          what is said, from "is invalid: " on; "valid": nothing
 *
 * A value may go on over several lines, those that begin with a tab.
 */
#include "checks.h"

#include "machinery/mergepatch.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cases {
	const char *file;
	unsigned line;
	const struct schema_resource *resource;
	char *base, *patch, *subresource;
	bool update;
	unsigned count, wrong;
};

/* The object as decoded and defaulted, with name and namespace given. */
static struct value *object_of(const struct cases *cases, struct arena *arena, const char *base,
			       const char *patch)
{
	const struct schema_type *type = schema_resource_type(s, cases->resource);
	cox_autoerror err = COX_ERROR_INIT;
	struct decode_report report;
	struct value *tree = json_parse(arena, base, strlen(base), NULL, &err);
	struct value *change = patch ? json_parse(arena, patch, strlen(patch), NULL, &err) : NULL;
	struct value *metadata;

	if (!tree || (patch && !change))
		fail_msg("%s:%u: %s", cases->file, cases->line, error_text(&err));
	metadata = value_make_object(arena, tree, "metadata");
	if (!value_get(metadata, "name"))
		value_set_text(arena, metadata, "name", "x");
	if (cases->resource->flags & SCHEMA_NAMESPACED)
		value_set_text(arena, metadata, "namespace", "n");
	if (change)
		tree = mergepatch_apply(arena, tree, change);
	decode_report_init(&report, arena);
	if (schema_decode(s, type, arena, tree, &report, &err))
		fail_msg("%s:%u: %s", cases->file, cases->line, error_text(&err));
	if (report.count)
		fail_msg("%s:%u: %s", cases->file, cases->line, decode_report_text(&report));
	schema_apply_defaults(s, type, arena, tree);
	return tree;
}

static void run_case(struct cases *cases, const char *expected)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct value *object, *old;
	const char *said = "valid", *start;
	struct validation v;

	assert_non_null(cases->base);
	object = object_of(cases, &arena, cases->base, cases->patch);
	old = cases->update ? object_of(cases, &arena, cases->base, NULL) : NULL;
	validation_init(&v, &arena, s, cases->resource);
	schema_validate(&v, object, old, cases->subresource ? cases->subresource : "");
	if (validation_result(&v, "x", &err) != 0) {
		assert_int_equal(err.reason, COX_REASON_INVALID);
		assert_int_equal(err.cause_count, v.count);
		start = strstr(error_text(&err), "is invalid: ");
		assert_non_null(start);
		said = start + strlen("is invalid: ");
	}
	cases->count++;
	if (strcmp(said, expected) == 0)
		return;
	print_error("%s:%u: said:   %s\nwanted: %s\n", cases->file, cases->line, said, expected);
	cases->wrong++;
}

static void take_resource(struct cases *cases, char *text)
{
	char *version = strchr(text, '/');
	char *plural = version ? strchr(version + 1, '/') : NULL;

	if (!plural)
		fail_msg("%s:%u: no resource: %s", cases->file, cases->line, text);
	*version++ = *plural++ = '\0';
	cases->resource =
		schema_resource_get(s, strcmp(text, "-") == 0 ? "" : text, version, plural);
	if (!cases->resource)
		fail_msg("%s:%u: no resource: %s", cases->file, cases->line, plural);
}

static void replace(char **text, const char *with)
{
	free(*text);
	*text = with ? strdup(with) : NULL;
}

static void take_line(struct cases *cases, char *line)
{
	char *space = strchr(line, ' ');

	if (line[0] == '#' || line[0] == '\0')
		return;
	if (!space)
		fail_msg("%s:%u: %s", cases->file, cases->line, line);
	*space++ = '\0';
	if (strcmp(line, "resource") == 0) {
		take_resource(cases, space);
	} else if (strcmp(line, "base") == 0) {
		replace(&cases->base, space);
		replace(&cases->patch, NULL);
		replace(&cases->subresource, NULL);
		cases->update = false;
		run_case(cases, "valid");
	} else if (strcmp(line, "=") == 0) {
		run_case(cases, space);
	} else if (line[0] == '+' || line[0] == '~') {
		cases->update = line[0] == '~';
		replace(&cases->subresource, line + 1);
		replace(&cases->patch, space);
	} else {
		fail_msg("%s:%u: %s", cases->file, cases->line, line);
	}
}

static void end_line(struct cox_buf *line)
{
	while (line->size && line->data[line->size - 1] == '\n')
		cox_buf_truncate(line, line->size - 1);
}

static void run_file(const char *name)
{
	const char *top = getenv("srcdir");
	char path[512], *text = NULL;
	struct cases cases = {.file = name};
	cox_autobuf line = COX_BUF_INIT;
	size_t room = 0;
	unsigned number = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/unit/cases/%s.txt", top ? top : ".", name);
	file = fopen(path, "re");
	if (!file)
		fail_msg("%s: no such file", path);
	while (getline(&text, &room, file) != -1) {
		number++;
		if (text[0] == '\t') {
			end_line(&line);
			cox_buf_char(&line, ' ');
			cox_buf_str(&line, text + 1);
			continue;
		}
		end_line(&line);
		if (line.size)
			take_line(&cases, line.data);
		cox_buf_clear(&line);
		cox_buf_str(&line, text);
		cases.line = number;
	}
	end_line(&line);
	if (line.size)
		take_line(&cases, line.data);
	fclose(file);
	free(text);
	free(cases.base);
	free(cases.patch);
	free(cases.subresource);
	assert_true(cases.count > 3);
	assert_int_equal(cases.wrong, 0);
}

static void test_file(void **state)
{
	run_file(*state);
}

#define FILE_TEST(name)                                                                            \
	{                                                                                          \
		name, test_file, NULL, NULL, (void *)(uintptr_t)(name)                             \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST("apps"),	    FILE_TEST("batch"),
		FILE_TEST("autoscaling"),   FILE_TEST("policy"),
		FILE_TEST("networking"),    FILE_TEST("rbac"),
		FILE_TEST("storage"),	    FILE_TEST("classes"),
		FILE_TEST("certificates"),  FILE_TEST("admissionregistration"),
		FILE_TEST("apis"),	    FILE_TEST("resource"),
		FILE_TEST("apiextensions"),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
