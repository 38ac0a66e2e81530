/* SPDX-License-Identifier: Apache-2.0 */
/* Counted bytes: one allocation, freed with the last reference. */
#include "base/bytes.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

struct bytes *bytes_new(size_t size)
{
	struct bytes *bytes;

	if (size >= UINT32_MAX)
		abort(); /* a caller's bug: sizes are bounded long before */
	bytes = cox_alloc(sizeof(*bytes) + size + 1);
	atomic_init(&bytes->references, 1);
	bytes->size = (uint32_t)size;
	bytes->data[size] = '\0';
	return bytes;
}

struct bytes *bytes_copy(const void *data, size_t size)
{
	struct bytes *bytes = bytes_new(size);

	if (size > 0)
		memcpy(bytes->data, data, size);
	return bytes;
}

struct bytes *bytes_ref(struct bytes *bytes)
{
	atomic_fetch_add_explicit(&bytes->references, 1, memory_order_relaxed);
	return bytes;
}

void bytes_unref(struct bytes *bytes)
{
	if (bytes && atomic_fetch_sub_explicit(&bytes->references, 1, memory_order_acq_rel) == 1)
		free(bytes);
}
