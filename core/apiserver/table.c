/* SPDX-License-Identifier: Apache-2.0 */
/* Tables; see the header. */
#include "apiserver/table.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void member_text(struct cox_buf *out, const char *name, const char *text)
{
	cox_buf_printf(out, "\"%s\":", name);
	cox_buf_json_string(out, text, strlen(text));
}

void table_write_columns(const struct api_resource *resource, struct cox_buf *out)
{
	const struct schema *schema = resource->server->schema;

	cox_buf_char(out, '[');
	for (unsigned i = 0; i < resource->row->column_count; i++) {
		const struct schema_column *column =
			&schema->columns[resource->row->columns + i];

		cox_buf_str(out, i ? ",{" : "{");
		member_text(out, "name", schema_text(schema, column->name));
		cox_buf_char(out, ',');
		member_text(out, "type", schema_text(schema, column->type));
		cox_buf_char(out, ',');
		member_text(out, "format", schema_text(schema, column->format));
		cox_buf_char(out, ',');
		member_text(out, "description", schema_text(schema, column->description));
		cox_buf_printf(out, ",\"priority\":%" PRId32 "}", column->priority);
	}
	cox_buf_char(out, ']');
}

static void begin_cell(struct table_row *row)
{
	if (row->count++)
		cox_buf_char(row->out, ',');
}

void cell_text(struct table_row *row, const char *text)
{
	begin_cell(row);
	cox_buf_json_string(row->out, text, strlen(text));
}

void cell_printf(struct table_row *row, const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	cell_text(row, cox_buf_cstr(&text));
}

void cell_int(struct table_row *row, int64_t number)
{
	begin_cell(row);
	cox_buf_printf(row->out, "%" PRId64, number);
}

void cell_bool(struct table_row *row, bool value)
{
	begin_cell(row);
	cox_buf_str(row->out, value ? "true" : "false");
}

/* Two units at most, and fewer the longer it is: as people read ages. */
void table_age(uint64_t nanoseconds, char out[16])
{
	uint64_t s = nanoseconds / CLOCK_SECOND;
	uint64_t m = s / 60, h = s / 3600, d = s / 86400, y = d / 365;

	if (s < 120)
		snprintf(out, 16, "%" PRIu64 "s", s);
	else if (m < 10 && s % 60)
		snprintf(out, 16, "%" PRIu64 "m%" PRIu64 "s", m, s % 60);
	else if (m < 180)
		snprintf(out, 16, "%" PRIu64 "m", m);
	else if (h < 8 && m % 60)
		snprintf(out, 16, "%" PRIu64 "h%" PRIu64 "m", h, m % 60);
	else if (h < 48)
		snprintf(out, 16, "%" PRIu64 "h", h);
	else if (d < 8 && h % 24)
		snprintf(out, 16, "%" PRIu64 "d%" PRIu64 "h", d, h % 24);
	else if (d < 730)
		snprintf(out, 16, "%" PRIu64 "d", d);
	else if (y < 8 && d % 365)
		snprintf(out, 16, "%" PRIu64 "y%" PRIu64 "d", y, d % 365);
	else
		snprintf(out, 16, "%" PRIu64 "y", y);
}

void cell_age(struct table_row *row, const char *timestamp)
{
	uint64_t then;
	char text[16];

	if (clock_parse(timestamp, strlen(timestamp), &then) != 0) {
		cell_text(row, "<unknown>");
		return;
	}
	table_age(row->now > then ? row->now - then : 0, text);
	cell_text(row, text);
}

/* Kinds without a printer: what all objects have. */
static void plain_cells(struct table_row *row)
{
	const struct value *metadata = value_get(row->object, "metadata");

	cell_text(row, value_get_text(metadata, "name"));
	cell_age(row, value_get_text(metadata, "creationTimestamp"));
}

void table_write_cells(const struct api_resource *resource, const struct value *object,
		       uint64_t now, struct cox_buf *out)
{
	const struct table_printer *printer =
		table_printer_get(resource->group, resource->kind);
	struct table_row row = {.out = out, .object = object, .now = now};

	cox_buf_char(out, '[');
	if (printer)
		printer->cells(&row);
	else
		plain_cells(&row);
	cox_buf_char(out, ']');
}
