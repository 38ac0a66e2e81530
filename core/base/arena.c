/* SPDX-License-Identifier: Apache-2.0 */
/* The arena; see the header. */
#include "base/arena.h"

#include <coxswain/kit/alloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 256 * 1024, ALIGNMENT = 16 };

struct arena_block {
	struct arena_block *older;
	size_t size; /* of the room behind this header */
	_Alignas(ALIGNMENT) char room[];
};

static size_t rounded(size_t size)
{
	if (size > SIZE_MAX - ALIGNMENT)
		return SIZE_MAX;
	return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static void free_blocks(struct arena_block *block)
{
	while (block) {
		struct arena_block *older = block->older;

		free(block);
		block = older;
	}
}

void arena_free(struct arena *arena)
{
	free_blocks(arena->blocks);
	*arena = (struct arena)ARENA_INIT;
}

void arena_reset(struct arena *arena)
{
	struct arena_block *kept = arena->blocks;

	if (!kept)
		return;
	free_blocks(kept->older);
	kept->older = NULL;
	arena->at = kept->room;
	arena->end = kept->room + kept->size;
	arena->used = 0;
}

static void add_block(struct arena *arena, size_t wanted)
{
	size_t size = arena->blocks ? arena->blocks->size * 2 : FIRST_BLOCK;
	struct arena_block *block;

	if (size > LARGEST_BLOCK)
		size = LARGEST_BLOCK;
	if (size < wanted)
		size = wanted;
	block = cox_alloc(sizeof(*block) + size);
	block->size = size;
	block->older = arena->blocks;
	arena->blocks = block;
	arena->at = block->room;
	arena->end = block->room + size;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t step = rounded(size ? size : 1);
	char *memory;

	if ((size_t)(arena->end - arena->at) < step)
		add_block(arena, step);
	memory = arena->at;
	arena->at += step;
	arena->used += step;
	return memory;
}

void *arena_calloc(struct arena *arena, size_t size)
{
	return memset(arena_alloc(arena, size), 0, size);
}

char *arena_strndup(struct arena *arena, const char *text, size_t size)
{
	char *copy = arena_alloc(arena, size + 1);

	if (size)
		memcpy(copy, text, size);
	copy[size] = '\0';
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *text;
	int size;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (size < 0)
		return arena_strdup(arena, "");
	text = arena_alloc(arena, (size_t)size + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)size + 1, format, args);
	va_end(args);
	return text;
}

void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size)
{
	size_t old_step = rounded(old_size ? old_size : 1), new_step = rounded(new_size);
	void *memory;

	if (!old)
		return arena_alloc(arena, new_size);
	if (new_step <= old_step)
		return old;
	if ((char *)old + old_step == arena->at &&
	    (size_t)(arena->end - arena->at) >= new_step - old_step) {
		arena->at += new_step - old_step;
		arena->used += new_step - old_step;
		return old;
	}
	memory = arena_alloc(arena, new_size);
	memcpy(memory, old, old_size);
	return memory;
}
