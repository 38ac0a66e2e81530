/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as of RFC 8259, strictly: UTF-8 (RFC 3629) checked, no NaN, no
 * comments, no trailing text, lone surrogates refused, depth at most
 * JSON_DEPTH_MAX. An error names the byte offset, line and column.
 */
#ifndef COX_MACHINERY_JSON_H
#define COX_MACHINERY_JSON_H

#include "base/error.h"
#include "machinery/value.h"

#include <coxswain/kit/buf.h>

enum { JSON_DEPTH_MAX = 256 };

enum json_token {
	JSON_END = 0, /* the whole document was read */
	JSON_OBJECT_BEGIN,
	JSON_OBJECT_END,
	JSON_ARRAY_BEGIN,
	JSON_ARRAY_END,
	JSON_KEY, /* the colon behind it is read too */
	JSON_STRING,
	JSON_NUMBER,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
	JSON_BAD /* `why` and `at` say what and where */
};

/*
 * A pull reader over bytes in memory: no tree, no allocation. `text` of keys,
 * strings and numbers is the raw piece between the quotes, with escapes still
 * in it when `escaped` is set; json_unescape makes it plain.
 */
struct json_reader {
	const char *data;
	size_t size;
	size_t at;    /* behind the last token */
	size_t start; /* of the last token, quotes included */
	const char *text;
	size_t text_size;
	bool escaped;
	uint16_t depth;
	uint8_t state;
	const char *why;		      /* a constant, for JSON_BAD */
	uint64_t arrays[JSON_DEPTH_MAX / 64]; /* a bit a level: array or object */
};

void json_reader_init(struct json_reader *reader, const void *data, size_t size);
enum json_token json_next(struct json_reader *reader);
/*
 * Behind a KEY or at a BEGIN just read: skips that value whole, checking it as
 * json_next does. `at` is behind it after. 0 or -1 (as JSON_BAD).
 */
int json_skip(struct json_reader *reader) COX_MUST_CHECK;
/* After JSON_BAD: a BadRequest that says what is wrong where; returns -1. */
int json_reader_error(const struct json_reader *reader, struct cox_error *err);
/* `out` has at least `size` bytes; returns how many it used. */
size_t json_unescape(const char *text, size_t size, char *out);

/* A key that an object holds twice: told with the path of the second. */
struct json_duplicates {
	/* "spec.containers[0].name"; inner objects are told before outer ones */
	void (*found)(struct json_duplicates *self, const char *path);
};

/*
 * Reads one document into a tree; all texts are copied into the arena. Of a
 * key given twice the last value counts; `duplicates` (may be NULL) hears of it.
 */
struct value *json_parse(struct arena *arena, const void *data, size_t size,
			 struct json_duplicates *duplicates, struct cox_error *err);

#define JSON_WRITE_PRETTY 1u /* two blanks a level, as the API answers browsers */

void json_write(struct cox_buf *out, const struct value *value, unsigned flags);
/* Pretty, as part of something that is `level` levels deep already. */
void json_write_inside(struct cox_buf *out, const struct value *value, unsigned level);

#endif
