/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf bodies (application/vnd.kubernetes.protobuf) by the schema tables:
 * "k8s\0", then a runtime.Unknown with the object's type and its bytes. What
 * comes out is the same tree that the JSON form would have given, fit for
 * schema_decode. Fields that the tables do not know are skipped, as every
 * reader of protobuf does. Sizes and depth (JSON_DEPTH_MAX) are bounded.
 */
#ifndef COX_MACHINERY_PROTOBUF_H
#define COX_MACHINERY_PROTOBUF_H

#include "base/error.h"
#include "machinery/schema.h"
#include "machinery/value.h"

#include <coxswain/kit/buf.h>

/* Whether the bytes begin as such a body does. */
bool protobuf_is_object(const void *data, size_t size);

/*
 * `*type` (may be NULL) becomes the type that the body names. BadRequest for
 * malformed bytes and for types that the tables do not have.
 */
struct value *protobuf_decode_object(struct arena *arena, const struct schema *schema,
				     const void *data, size_t size, const struct schema_type **type,
				     struct cox_error *err) COX_MUST_CHECK;
/* One message of a type, without envelope; kind and apiVersion are not in it. */
struct value *protobuf_decode(struct arena *arena, const struct schema *schema,
			      const struct schema_type *type, const void *data, size_t size,
			      struct cox_error *err) COX_MUST_CHECK;

/*
 * The other way: `value` has been decoded against `type`. Fields are written in
 * the order of their numbers, maps by key; what is no pointer is written also when
 * it is zero. The envelope names the version that the object says, if it does. Appends to `out`;
 * what cannot be written (a string where the tables want a number) is an InternalError.
 */
int protobuf_encode_object(struct cox_buf *out, const struct schema *schema,
			   const struct schema_type *type, const struct value *value,
			   struct cox_error *err) COX_MUST_CHECK;
int protobuf_encode(struct cox_buf *out, const struct schema *schema,
		    const struct schema_type *type, const struct value *value,
		    struct cox_error *err) COX_MUST_CHECK;

/*
 * The same from the JSON of a decoded value, to the same bytes. If it is
 * canonical, as objects of the store are, no tree is made of it.
 */
int protobuf_encode_json(struct cox_buf *out, const struct schema *schema,
			 const struct schema_type *type, const void *json, size_t size,
			 struct cox_error *err) COX_MUST_CHECK;

/*
 * The envelope by itself, around a message of `size` bytes that is made
 * elsewhere: what stands in front of it, and what behind.
 */
void protobuf_open_object(struct cox_buf *out, const char *version, const char *kind, size_t size);
void protobuf_close_object(struct cox_buf *out);
/* One field of bytes, a string or a message that is there whole. */
void protobuf_write_bytes(struct cox_buf *out, unsigned number, const void *data, size_t size);

#endif
