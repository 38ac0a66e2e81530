/* SPDX-License-Identifier: Apache-2.0 */
/* The growing run of bytes; see the header. */
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cox_buf_free(struct cox_buf *buf)
{
	free(buf->data);
	*buf = (struct cox_buf)COX_BUF_INIT;
}

void cox_buf_clear(struct cox_buf *buf)
{
	cox_buf_truncate(buf, 0);
}

char *cox_buf_reserve(struct cox_buf *buf, size_t more)
{
	size_t needed;

	if (__builtin_add_overflow(buf->size, more, &needed) ||
	    __builtin_add_overflow(needed, 1, &needed))
		needed = SIZE_MAX; /* ends in the allocator's message */
	if (needed > buf->capacity) {
		size_t capacity = buf->capacity < 64 ? 64 : buf->capacity;

		while (capacity < needed && capacity <= SIZE_MAX / 2)
			capacity *= 2;
		if (capacity < needed)
			capacity = needed;
		buf->data = cox_realloc(buf->data, capacity);
		buf->capacity = capacity;
		buf->data[buf->size] = '\0';
	}
	return buf->data + buf->size;
}

void cox_buf_added(struct cox_buf *buf, size_t more)
{
	buf->size += more;
	buf->data[buf->size] = '\0';
}

void cox_buf_add(struct cox_buf *buf, const void *data, size_t size)
{
	char *room = cox_buf_reserve(buf, size);

	if (size)
		memcpy(room, data, size);
	cox_buf_added(buf, size);
}

void cox_buf_str(struct cox_buf *buf, const char *text)
{
	cox_buf_add(buf, text, strlen(text));
}

void cox_buf_char(struct cox_buf *buf, char c)
{
	*cox_buf_reserve(buf, 1) = c;
	cox_buf_added(buf, 1);
}

void cox_buf_vprintf(struct cox_buf *buf, const char *format, va_list args)
{
	va_list again;
	int size;

	va_copy(again, args);
	size = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (size < 0)
		return;
	cox_buf_reserve(buf, (size_t)size);
	vsnprintf(buf->data + buf->size, (size_t)size + 1, format, args);
	buf->size += (size_t)size;
}

void cox_buf_printf(struct cox_buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(buf, format, args);
	va_end(args);
}

/*
 * Besides what JSON demands, <, > and & and the line separators U+2028 and
 * U+2029 are written as \u escapes, as every server of this API does.
 */
void cox_buf_json_string(struct cox_buf *buf, const char *text, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *in = (const unsigned char *)text;
	size_t done = 0;

	cox_buf_char(buf, '"');
	for (size_t i = 0; i < size; i++) {
		unsigned char c = in[i];
		char escape[6] = {'\\', 'u', '0', '0', 0, 0};
		size_t length = 6, skip = 1;

		if (c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' &&
		    c != 0xe2)
			continue;
		if (c == 0xe2) {
			if (i + 2 >= size || in[i + 1] != 0x80 || (in[i + 2] & 0xfe) != 0xa8)
				continue;
			memcpy(escape, "\\u2028", 6);
			escape[5] = (char)('8' + (in[i + 2] & 1));
			skip = 3;
		} else if (c == '"' || c == '\\') {
			escape[1] = (char)c;
			length = 2;
		} else if (c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f') {
			escape[1] = c == '\n'   ? 'n'
				    : c == '\r' ? 'r'
				    : c == '\t' ? 't'
				    : c == '\b' ? 'b'
						: 'f';
			length = 2;
		} else {
			escape[4] = hex[c >> 4];
			escape[5] = hex[c & 15];
		}
		cox_buf_add(buf, text + done, i - done);
		cox_buf_add(buf, escape, length);
		i += skip - 1;
		done = i + 1;
	}
	cox_buf_add(buf, text + done, size - done);
	cox_buf_char(buf, '"');
}

void cox_buf_truncate(struct cox_buf *buf, size_t size)
{
	if (buf->data && size <= buf->size) {
		buf->size = size;
		buf->data[size] = '\0';
	}
}

const char *cox_buf_cstr(const struct cox_buf *buf)
{
	return buf->data ? buf->data : "";
}

char *cox_buf_steal(struct cox_buf *buf)
{
	char *data = buf->data ? buf->data : cox_strdup("");

	*buf = (struct cox_buf)COX_BUF_INIT;
	return data;
}
