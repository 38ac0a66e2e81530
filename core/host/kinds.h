/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of plugins that the host knows, as data; see kinds.c. */
#ifndef COX_HOST_KINDS_H
#define COX_HOST_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host_op {
	const char *name;
	size_t offset; /* in the kind's ops table */
	bool required;
};

struct host_kind {
	const char *name;
	uint32_t ops_abi; /* 0: plugins of the same release only */
	size_t ops_size;
	const struct host_op *ops;
	size_t op_count;
};

enum { HOST_OPS_SIZE_MAX = 4096 };

const struct host_kind *host_kind_find(const char *name); /* NULL: unknown */
/* "admission, authenticator, …" for messages. */
const char *host_kind_names(void);

#endif
