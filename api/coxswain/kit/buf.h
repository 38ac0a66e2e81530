/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing run of bytes, always followed by a zero byte that does not count,
 * so that `data` can be used as a C string. Start from COX_BUF_INIT (or zeroed
 * memory) and end with cox_buf_free. Not for use by two threads at a time.
 * Growth cannot fail (see alloc.h): bound what comes from outside first.
 */
#ifndef COXSWAIN_KIT_BUF_H
#define COXSWAIN_KIT_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct cox_buf {
	char *data; /* NULL until something was added */
	size_t size;
	size_t capacity;
};

#define COX_BUF_INIT {NULL, 0, 0}

void cox_buf_free(struct cox_buf *buf);  /* leaves it ready for use again */
void cox_buf_clear(struct cox_buf *buf); /* size 0, memory kept */

/* Room for `more` bytes; returns where they go. cox_buf_added counts them. */
char *cox_buf_reserve(struct cox_buf *buf, size_t more);
void cox_buf_added(struct cox_buf *buf, size_t more);

void cox_buf_add(struct cox_buf *buf, const void *data, size_t size);
void cox_buf_str(struct cox_buf *buf, const char *text);
void cox_buf_char(struct cox_buf *buf, char c);
void cox_buf_printf(struct cox_buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void cox_buf_vprintf(struct cox_buf *buf, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
/* `text` between double quotes with JSON escapes; bytes must be UTF-8. */
void cox_buf_json_string(struct cox_buf *buf, const char *text, size_t size);
void cox_buf_truncate(struct cox_buf *buf, size_t size);

/* Never NULL: "" when nothing was added. */
const char *cox_buf_cstr(const struct cox_buf *buf);
/* Hands the bytes over (free with free()); never NULL; buf is empty after. */
char *cox_buf_steal(struct cox_buf *buf);

#define cox_autobuf __attribute__((cleanup(cox_buf_free))) struct cox_buf

#endif
