/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of meta/v1 Tables: what `kubectl get` prints. Columns come from the
 * schema tables; the cells of a kind are made by its printer, one function a
 * kind in printers*.c.
 */
#ifndef COX_APISERVER_TABLE_H
#define COX_APISERVER_TABLE_H

#include "apiserver/server.h"
#include "machinery/value.h"

#include <coxswain/kit/buf.h>

/* The columnDefinitions array. */
void table_write_columns(const struct api_resource *resource, struct cox_buf *out);
/* The cells array of one object; `now` (real time) makes ages. */
void table_write_cells(const struct api_resource *resource, const struct value *object,
		       uint64_t now, struct cox_buf *out);

/* Cells for printers: each writes one JSON value; commas are table.c's. */
struct table_row {
	struct cox_buf *out;
	const struct value *object;
	uint64_t now;
	size_t count;
};

void cell_text(struct table_row *row, const char *text);
void cell_printf(struct table_row *row, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void cell_int(struct table_row *row, int64_t number);
void cell_bool(struct table_row *row, bool value);
/* "5m", "3d4h", "<unknown>" for an empty or wrong timestamp. */
void cell_age(struct table_row *row, const char *timestamp);
void table_age(uint64_t nanoseconds, char out[16]); /* "5m", "3d4h" */

/* A kind's printer fills all columns of its table, in their order. */
struct table_printer {
	const char *group, *kind;
	void (*cells)(struct table_row *row);
};

/* NULL: name and age only. */
const struct table_printer *table_printer_get(const char *group, const char *kind);

#endif
