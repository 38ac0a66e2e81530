/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many small things in one piece of memory of the right size: what fills it
 * runs twice, first into a scratch arena to find the size, then for good.
 */
#ifndef COX_SCHEDULER_PACK_H
#define COX_SCHEDULER_PACK_H

#include "base/arena.h"

#include <stdalign.h>
#include <stddef.h>
#include <string.h>

struct pack {
	struct arena *scratch; /* the first time; NULL: the second */
	char *block;
	size_t used;
};

static inline void *pack_alloc(struct pack *pack, size_t size)
{
	void *at;

	pack->used = (pack->used + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	at = pack->scratch ? arena_alloc(pack->scratch, size ? size : 1) : pack->block + pack->used;
	pack->used += size;
	return at;
}

/* Texts need no alignment, but what comes behind them does: pack_alloc sees to it. */
static inline const char *pack_text(struct pack *pack, const char *text)
{
	size_t size = strlen(text) + 1;
	char *at = pack->scratch ? arena_alloc(pack->scratch, size) : pack->block + pack->used;

	memcpy(at, text, size);
	pack->used += size;
	return at;
}

#endif
