/* SPDX-License-Identifier: Apache-2.0 */
/* Collecting what validation finds, in the words that clients know. */
#include "machinery/validate.h"

#include "base/character.h"
#include "machinery/json.h"

#include <coxswain/kit/buf.h>
#include <stdarg.h>
#include <string.h>

enum { SHOWN_MAX = 1024 };

void validation_init(struct validation *v, struct arena *arena, const struct schema *schema,
		     const struct schema_resource *resource)
{
	*v = (struct validation){.arena = arena, .schema = schema, .resource = resource};
}

static void add(struct validation *v, const char *reason, const struct field_path *at,
		const char *message)
{
	if (!v->problems)
		v->problems = arena_alloc(v->arena, VALIDATION_PROBLEM_MAX * sizeof(*v->problems));
	if (v->count == VALIDATION_PROBLEM_MAX) {
		v->left_out++;
		return;
	}
	v->problems[v->count++] =
		(struct validation_problem){reason, field_path_text(v->arena, at), message};
}

/* As text between quotes; unlike in JSON, < and its like are no matter. */
static void quote(struct cox_buf *out, const char *text, size_t size)
{
	cox_autobuf part = COX_BUF_INIT;

	cox_buf_char(out, '"');
	while (size > 0) {
		size_t run = 0;

		while (run < size && text[run] != '<' && text[run] != '>' && text[run] != '&')
			run++;
		cox_buf_clear(&part);
		cox_buf_json_string(&part, text, run);
		cox_buf_add(out, part.data + 1, part.size - 2);
		if (run < size)
			cox_buf_char(out, text[run++]);
		text += run;
		size -= run;
	}
	cox_buf_char(out, '"');
}

/*
 * Go's %q for texts, plain for scalars, JSON for the rest; cut if it is long.
 * What cannot be seen in it is named.
 */
static const char *shown(struct validation *v, const struct value *value)
{
	cox_autobuf text = COX_BUF_INIT;
	char note[CHARACTER_TEXT_SIZE];

	if (!value)
		return "null";
	if (value->kind == VALUE_STRING)
		quote(&text, value->text, value->count);
	else
		json_write(&text, value, 0);
	if (text.size > SHOWN_MAX) {
		cox_buf_truncate(&text, SHOWN_MAX);
		cox_buf_str(&text, "...");
	}
	if (value->kind == VALUE_STRING) {
		character_note(value->text, value->count, note);
		cox_buf_str(&text, note);
	}
	return arena_strndup(v->arena, text.data, text.size);
}

void field_required(struct validation *v, const struct field_path *at, const char *detail)
{
	add(v, "FieldValueRequired", at,
	    arena_printf(v->arena, "Required value%s%s", detail[0] ? ": " : "", detail));
}

COX_PRINTF(2, 0)
static const char *format_detail(struct validation *v, const char *format, va_list args)
{
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_vprintf(&text, format, args);
	return arena_strndup(v->arena, cox_buf_cstr(&text), text.size);
}

void field_invalid(struct validation *v, const struct field_path *at, const struct value *value,
		   const char *format, ...)
{
	const char *detail;
	va_list args;

	va_start(args, format);
	detail = format_detail(v, format, args);
	va_end(args);
	add(v, "FieldValueInvalid", at,
	    arena_printf(v->arena, "Invalid value: %s%s%s", shown(v, value), detail[0] ? ": " : "",
			 detail));
}

void field_invalid_text(struct validation *v, const struct field_path *at, const char *value,
			const char *format, ...)
{
	const struct value text = {
		.kind = VALUE_STRING, .count = (uint32_t)strlen(value), .text = value};
	const char *detail;
	va_list args;

	va_start(args, format);
	detail = format_detail(v, format, args);
	va_end(args);
	field_invalid(v, at, &text, "%s", detail);
}

void field_wrong(struct validation *v, const struct field_path *at, const char *detail)
{
	add(v, "FieldValueInvalid", at, arena_printf(v->arena, "Invalid value: %s", detail));
}

void field_not_supported(struct validation *v, const struct field_path *at,
			 const struct value *value, const char *const *supported)
{
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_printf(&text, "Unsupported value: %s: supported values: ", shown(v, value));
	for (size_t i = 0; supported[i]; i++)
		cox_buf_printf(&text, "%s\"%s\"", i ? ", " : "", supported[i]);
	add(v, "FieldValueNotSupported", at, arena_strndup(v->arena, text.data, text.size));
}

void field_duplicate(struct validation *v, const struct field_path *at, const struct value *value)
{
	add(v, "FieldValueDuplicate", at,
	    arena_printf(v->arena, "Duplicate value: %s", shown(v, value)));
}

void field_not_found(struct validation *v, const struct field_path *at, const struct value *value)
{
	add(v, "FieldValueNotFound", at, arena_printf(v->arena, "Not found: %s", shown(v, value)));
}

void field_forbidden(struct validation *v, const struct field_path *at, const char *format, ...)
{
	const char *detail;
	va_list args;

	va_start(args, format);
	detail = format_detail(v, format, args);
	va_end(args);
	add(v, "FieldValueForbidden", at, arena_printf(v->arena, "Forbidden: %s", detail));
}

void field_too_long(struct validation *v, const struct field_path *at, size_t most)
{
	add(v, "FieldValueTooLong", at,
	    arena_printf(v->arena, "Too long: may not be more than %zu bytes", most));
}

void field_too_many(struct validation *v, const struct field_path *at, size_t count, size_t most)
{
	add(v, "FieldValueTooMany", at,
	    arena_printf(v->arena, "Too many: %zu: must have at most %zu items", count, most));
}

int validation_result(const struct validation *v, const char *name, struct cox_error *err)
{
	const char *kind = v->resource ? schema_text(v->schema, v->resource->kind) : "";
	const char *group = v->resource ? schema_text(v->schema, v->resource->group) : "";
	cox_autobuf text = COX_BUF_INIT;

	if (v->count == 0)
		return 0;
	for (size_t i = 0; i < v->count; i++)
		cox_buf_printf(&text, "%s%s: %s", i ? ", " : "", v->problems[i].field,
			       v->problems[i].message);
	if (v->left_out)
		cox_buf_printf(&text, ", and %zu more", v->left_out);
	error_set(err, COX_REASON_INVALID, "%s%s%s \"%s\" is invalid: %s%s%s", kind,
		  group[0] ? "." : "", group, name, v->count > 1 ? "[" : "", text.data,
		  v->count > 1 ? "]" : "");
	error_set_details(err, group, kind, name);
	for (size_t i = 0; i < v->count; i++)
		error_add_cause(err, v->problems[i].reason, v->problems[i].field, "%s",
				v->problems[i].message);
	return -1;
}
