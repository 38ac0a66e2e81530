/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A counted run of bytes that never changes once others can see it; followed
 * by a zero byte that does not count (what is lent has to have one). Any thread.
 */
#ifndef COX_BASE_BYTES_H
#define COX_BASE_BYTES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	_Atomic uint32_t references;
	uint32_t size;
	char *data; /* behind this head, or lent */
	void (*release)(void *owner);
	void *owner;
};

/* Room for `size` bytes (below 4 GiB), to be filled in by the caller before it is shared. */
struct bytes *bytes_new(size_t size);
struct bytes *bytes_copy(const void *data, size_t size);
/* No copy: release(owner) is called when nobody needs `data` any more, on any thread. */
struct bytes *bytes_lend(const void *data, size_t size, void (*release)(void *owner), void *owner);
struct bytes *bytes_ref(struct bytes *bytes);
void bytes_unref(struct bytes *bytes); /* NULL is allowed */
static inline void bytes_release(struct bytes **slot)
{
	bytes_unref(*slot);
}

#endif
