/* SPDX-License-Identifier: Apache-2.0 */
/* What a scan looks for: the selectable fields of a collection, taken apart. */
#include "store/scan.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

/* One alternative, from `text` up to `end`. */
static int add_path(struct scan_plan *plan, size_t field, const char *text, const char *end,
		    struct cox_error *err)
{
	struct scan_path *path;
	const char *at = text;

	if (plan->path_count == SCAN_PATHS_MAX)
		return error_set(err, COX_REASON_INTERNAL_ERROR, "more than %d field paths",
				 SCAN_PATHS_MAX);
	plan->path = cox_reallocarray(plan->path, plan->path_count + 1, sizeof(*path));
	path = &plan->path[plan->path_count++];
	*path = (struct scan_path){.field = (uint8_t)field};
	while (at < end) {
		const char *dot = memchr(at, '.', (size_t)(end - at));
		const char *stop = dot ? dot : end;
		size_t size = (size_t)(stop - at);

		if (path->step_count == SCAN_STEPS_MAX || size == 0)
			return error_set(err, COX_REASON_INTERNAL_ERROR,
					 "field path \"%.*s\" is empty in a step or too deep",
					 (int)(end - text), text);
		path->step[path->step_count].name = at;
		if (size > 3 && memcmp(stop - 3, "[0]", 3) == 0) {
			path->step[path->step_count].first_item = true;
			size -= 3;
		}
		path->step[path->step_count++].size = (uint32_t)size;
		at = dot ? dot + 1 : end;
	}
	if (path->step_count == 0 ||
	    (path->step[0].size == 8 && memcmp(path->step[0].name, "metadata", 8) == 0))
		return error_set(err, COX_REASON_INTERNAL_ERROR,
				 "field path \"%.*s\" is empty or leads into metadata",
				 (int)(end - text), text);
	return 0;
}

static int add_field(struct scan_plan *plan, size_t field, const char *paths, struct cox_error *err)
{
	if (strcmp(paths, "metadata.name") == 0) {
		plan->field[field].source = SCAN_FROM_NAME;
		return 0;
	}
	if (strcmp(paths, "metadata.namespace") == 0) {
		plan->field[field].source = SCAN_FROM_NAMESPACE;
		return 0;
	}
	for (;;) {
		const char *bar = strchr(paths, '|');

		if (add_path(plan, field, paths, bar ? bar : paths + strlen(paths), err))
			return -1;
		if (!bar)
			return 0;
		paths = bar + 1;
	}
}

static const char *keep(char **at, const char *text)
{
	size_t size = strlen(text) + 1;
	char *kept = *at;

	memcpy(kept, text, size);
	*at += size;
	return kept;
}

int scan_plan_init(struct scan_plan *plan, const struct store_collection_options *options,
		   struct cox_error *err)
{
	size_t size = 0;
	char *at;

	memset(plan, 0, sizeof(*plan));
	if (options->field_count > STORE_FIELDS_MAX)
		return error_set(err, COX_REASON_INTERNAL_ERROR, "%s: more than %d fields",
				 options->name, STORE_FIELDS_MAX);
	plan->prefix_size = strlen(options->prefix);
	plan->namespaced = options->namespaced;
	plan->field_count = options->field_count;
	plan->field = cox_calloc(plan->field_count, sizeof(*plan->field));
	for (size_t i = 0; i < options->field_count; i++) {
		const struct store_field *field = &options->fields[i];

		size += strlen(field->label) + strlen(field->path) + 3;
		size += field->absent ? strlen(field->absent) : 0;
	}
	at = plan->text = cox_alloc(size + 1);
	for (size_t i = 0; i < options->field_count; i++) {
		const struct store_field *field = &options->fields[i];

		plan->field[i].label = keep(&at, field->label);
		plan->field[i].absent = keep(&at, field->absent ? field->absent : "");
		plan->field[i].indexed = field->indexed;
		if (add_field(plan, i, keep(&at, field->path), err)) {
			scan_plan_free(plan);
			return error_wrap(err, "%s", options->name);
		}
	}
	return 0;
}

void scan_plan_free(struct scan_plan *plan)
{
	free(plan->path);
	free(plan->field);
	free(plan->text);
	plan->path = NULL;
	plan->field = NULL;
	plan->text = NULL;
}
