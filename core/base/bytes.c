/* SPDX-License-Identifier: Apache-2.0 */
/* Counted bytes: one allocation, freed with the last reference. */
#include "base/bytes.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

static struct bytes *make(size_t size, size_t room)
{
	struct bytes *bytes;

	if (size >= UINT32_MAX)
		abort(); /* a caller's bug: sizes are bounded long before */
	bytes = cox_alloc(sizeof(*bytes) + room);
	*bytes = (struct bytes){.size = (uint32_t)size, .data = (char *)(bytes + 1)};
	atomic_init(&bytes->references, 1);
	return bytes;
}

struct bytes *bytes_new(size_t size)
{
	struct bytes *bytes = make(size, size + 1);

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

struct bytes *bytes_lend(const void *data, size_t size, void (*release)(void *owner), void *owner)
{
	struct bytes *bytes = make(size, 0);

	bytes->data = (char *)data;
	bytes->release = release;
	bytes->owner = owner;
	return bytes;
}

struct bytes *bytes_ref(struct bytes *bytes)
{
	atomic_fetch_add_explicit(&bytes->references, 1, memory_order_relaxed);
	return bytes;
}

void bytes_unref(struct bytes *bytes)
{
	if (!bytes || atomic_fetch_sub_explicit(&bytes->references, 1, memory_order_acq_rel) != 1)
		return;
	if (bytes->release)
		bytes->release(bytes->owner);
	free(bytes);
}
