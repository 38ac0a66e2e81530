/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for many long-lived blocks of all sizes, above all the objects of the
 * store. Blocks of about one size share chunks of their own, away from what
 * requests allocate and free between them: so what a thousand updates leave is
 * used by the next ones, and goes back to the system when a chunk is empty. A
 * block takes 1 to 3 percent more than was asked for.
 *
 * One allocator a process, as malloc is; any thread. Never fails, as alloc.h.
 */
#ifndef COX_BASE_SLAB_H
#define COX_BASE_SLAB_H

#include <stddef.h>

void *slab_alloc(size_t size);		  /* aligned to 16 bytes */
void slab_free(void *block, size_t size); /* the same size; NULL is allowed */
size_t slab_rounded(size_t size);	  /* what such a block takes */

/* Gives the pages back that lie in free blocks, which a busy time left. Takes its time. */
void slab_trim(void);

struct slab_figures {
	size_t chunk_bytes; /* taken from the system */
	size_t block_bytes; /* in blocks in use */
	size_t blocks;
};
void slab_figures(struct slab_figures *figures);

#endif
