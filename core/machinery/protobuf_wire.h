/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of the protobuf wire format that reading and writing share. */
#ifndef COX_MACHINERY_PROTOBUF_WIRE_H
#define COX_MACHINERY_PROTOBUF_WIRE_H

enum protobuf_wire {
	PROTOBUF_VARINT = 0,
	PROTOBUF_FIXED64 = 1,
	PROTOBUF_BYTES = 2,
	PROTOBUF_FIXED32 = 5
};

#define PROTOBUF_MAGIC "k8s" /* with its zero byte */
enum { PROTOBUF_MAGIC_SIZE = 4, PROTOBUF_NUMBER_MAX = (1 << 29) - 1 };
#define PROTOBUF_SECONDS_MAX UINT64_C(16725225600) /* 2500-01-01 */

#endif
