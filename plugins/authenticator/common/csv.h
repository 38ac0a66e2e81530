/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads comma separated values (RFC 4180, lines may end with LF alone). Strict
 * where guessing would let the wrong person in: text after a closing quotation
 * mark, a quotation mark inside a plain field, bytes that are not UTF-8, zero
 * bytes and typographic quotation marks are errors that name the line. Blank
 * lines are skipped; there are no comments.
 */
#ifndef COX_AUTHENTICATOR_CSV_H
#define COX_AUTHENTICATOR_CSV_H

#include <coxswain/kit/buf.h>
#include <stdbool.h>

enum { CSV_FIELDS_MAX = 64 };

struct csv_reader {
	const char *at, *end;
	unsigned line;
};

/* One record. Fields end with a zero byte and lie in `text`. */
struct csv_record {
	struct cox_buf text;
	size_t starts[CSV_FIELDS_MAX];
	size_t count;
	unsigned line; /* where it begins */
};

void csv_begin(struct csv_reader *reader, const char *data, size_t size);
/* 1: a record; 0: the end; -1: `why` has what is wrong on reader->line. */
int csv_next(struct csv_reader *reader, struct csv_record *record, struct cox_buf *why);
const char *csv_field(const struct csv_record *record, size_t index); /* "" past the last */
void csv_record_free(struct csv_record *record);		      /* wipes */

#endif
