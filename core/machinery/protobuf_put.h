/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces of the protobuf wire format at the end of a buffer, for the two that
 * write it: from a tree (protobuf_write.c) and from canonical JSON
 * (protobuf_direct.c). A nested message is written in place and its length put
 * before it after; lengths are short, the move is small.
 */
#ifndef COX_MACHINERY_PROTOBUF_PUT_H
#define COX_MACHINERY_PROTOBUF_PUT_H

#include "base/error.h"
#include "machinery/protobuf_wire.h"
#include "machinery/schema.h"

#include <coxswain/kit/buf.h>
#include <stdint.h>
#include <string.h>

static inline size_t varint_size(uint64_t number)
{
	size_t size = 1;

	for (; number >= 0x80; number >>= 7)
		size++;
	return size;
}

static inline void varint_write(char *out, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		*out++ = (char)(number | 0x80);
	*out = (char)number;
}

/* Room for `more` bytes; most of the time it is there. */
static inline char *put_room(struct cox_buf *out, size_t more)
{
	return more < out->capacity - out->size ? out->data + out->size
						: cox_buf_reserve(out, more);
}

static inline void put_varint(struct cox_buf *out, uint64_t number)
{
	size_t size = varint_size(number);

	varint_write(put_room(out, size), number);
	cox_buf_added(out, size);
}

static inline void put_tag(struct cox_buf *out, unsigned number, enum protobuf_wire wire)
{
	put_varint(out, (uint64_t)number << 3 | wire);
}

static inline void put_bytes(struct cox_buf *out, unsigned number, const void *data, size_t size)
{
	uint64_t tag = (uint64_t)number << 3 | PROTOBUF_BYTES;
	size_t tag_size = varint_size(tag), size_size = varint_size(size);
	char *room = put_room(out, tag_size + size_size + size);

	varint_write(room, tag);
	varint_write(room + tag_size, size);
	if (size)
		memcpy(room + tag_size + size_size, data, size);
	cox_buf_added(out, tag_size + size_size + size);
}

/* Begins field `number`, with room for a short length; where its bytes begin. */
static inline size_t put_open(struct cox_buf *out, unsigned number)
{
	put_tag(out, number, PROTOBUF_BYTES);
	*put_room(out, 1) = 0;
	cox_buf_added(out, 1);
	return out->size;
}

/* What was written since put_open is the field: its length goes in front. */
static inline void put_close(struct cox_buf *out, size_t start)
{
	size_t size = out->size - start, more = varint_size(size) - 1;

	if (more) {
		cox_buf_reserve(out, more);
		memmove(out->data + start + more, out->data + start, size);
		cox_buf_added(out, more);
	}
	varint_write(out->data + start - 1, size);
}

/* The seconds and nanoseconds of a time. */
static inline void put_time(struct cox_buf *out, uint64_t seconds, uint64_t fraction)
{
	put_tag(out, 1, PROTOBUF_VARINT);
	put_varint(out, seconds);
	put_tag(out, 2, PROTOBUF_VARINT);
	put_varint(out, fraction);
}

static inline void put_int_or_string(struct cox_buf *out, int64_t integer, const char *text,
				     size_t size)
{
	put_tag(out, 1, PROTOBUF_VARINT);
	put_varint(out, text != NULL);
	put_tag(out, 2, PROTOBUF_VARINT);
	put_varint(out, (uint64_t)integer);
	put_bytes(out, 3, text ? text : "", size);
}

/*
 * What is no pointer to today's servers is written also when an object lacks it,
 * as its zero; lists, maps and bytes can be nothing.
 */
static inline bool put_nothing(const struct schema_field *field)
{
	return field->kind == SCHEMA_ARRAY || field->kind == SCHEMA_MAP ||
	       field->kind == SCHEMA_BYTES || (field->flags & SCHEMA_POINTER);
}

/* What stands for a field that the object does not have. */
int protobuf_put_absent(struct cox_buf *out, const struct schema *schema,
			const struct schema_field *field, struct cox_error *err) COX_MUST_CHECK;
/* A null among the elements of a list or map. */
int protobuf_put_null(struct cox_buf *out, const struct schema *schema,
		      const struct schema_field *field, uint8_t kind, unsigned number,
		      struct cox_error *err) COX_MUST_CHECK;

#endif
