/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON into a buffer, commas and escapes included:
 *
 *	struct cox_json json = COX_JSON_INIT(&buf);
 *	cox_json_object(&json, NULL);
 *	cox_json_text(&json, "kind", "Pod");
 *	cox_json_array(&json, "args"); cox_json_text(&json, NULL, "-v"); cox_json_end(&json);
 *	cox_json_end(&json);
 *
 * `key` is NULL for the root and for items of arrays. Nesting is bounded by
 * COX_JSON_DEPTH_MAX; what lies deeper is a mistake of the program and aborts.
 */
#ifndef COXSWAIN_KIT_JSON_H
#define COXSWAIN_KIT_JSON_H

#include <coxswain/kit/buf.h>
#include <stdbool.h>
#include <stdint.h>

#define COX_JSON_DEPTH_MAX 64

struct cox_json {
	struct cox_buf *out;
	uint64_t arrays; /* a bit a level: array or object */
	uint64_t filled; /* a bit a level: has a member already */
	unsigned depth;
};

#define COX_JSON_INIT(buf)                                                                         \
	{                                                                                          \
		(buf), 0, 0, 0                                                                     \
	}

void cox_json_object(struct cox_json *json, const char *key);
void cox_json_array(struct cox_json *json, const char *key);
void cox_json_end(struct cox_json *json); /* the innermost open one */

void cox_json_text(struct cox_json *json, const char *key, const char *text); /* NULL: null */
void cox_json_text_n(struct cox_json *json, const char *key, const char *text, size_t size);
/* Only if there is something to say: neither NULL nor "". */
void cox_json_text_set(struct cox_json *json, const char *key, const char *text);
void cox_json_int(struct cox_json *json, const char *key, int64_t value);
void cox_json_bool(struct cox_json *json, const char *key, bool value);
void cox_json_null(struct cox_json *json, const char *key);
/* One value that is JSON already. */
void cox_json_raw(struct cox_json *json, const char *key, const void *data, size_t size);
/* Writes the key only: the next bytes put into the buffer are its value. */
void cox_json_key(struct cox_json *json, const char *key);

/* Fits struct cox_writer of <coxswain/object.h>: `to` is a struct cox_buf. */
void cox_buf_sink(void *to, const void *data, size_t size);

#endif
