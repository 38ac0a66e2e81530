/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is freed all at once: the trees and texts of one request.
 * Allocation is aligned for any type and cannot fail; the bytes come from
 * blocks that double from 4 KiB to 256 KiB. One thread at a time.
 */
#ifndef COX_BASE_ARENA_H
#define COX_BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	char *at;                   /* free room of the newest block */
	char *end;
	size_t used; /* bytes handed out in all, for bounds */
};

#define ARENA_INIT {NULL, NULL, NULL, 0}
#define cox_autoarena __attribute__((cleanup(arena_free))) struct arena

void arena_free(struct arena *arena); /* leaves it ready for use again */
void arena_reset(struct arena *arena); /* frees all but one block */

void *arena_alloc(struct arena *arena, size_t size);  /* not cleared */
void *arena_calloc(struct arena *arena, size_t size); /* cleared */
/* A copy with a zero byte behind it. */
char *arena_strndup(struct arena *arena, const char *text, size_t size);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Grows in place if `old` was the last allocation, else copies. */
void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size);

#define arena_new(arena, type) ((type *)arena_calloc(arena, sizeof(type)))

#endif
