/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks are mapped at multiples of their size, so that a block's address leads
 * to the head of its chunk. A chunk hands out its room from the front and then
 * what was freed in it. Of a class, the chunks with room are in a list, and
 * those that were full until just now are at its front: the emptier ones are
 * left alone until they are empty.
 */
#include "base/slab.h"

#include "config.h" /* COX_SANITIZED */

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	CHUNK = 256 * 1024,
	LARGEST = 32 * 1024, /* beyond that malloc is as good */
	SMALL = 512,	     /* up to here a class every 16 bytes, then 32 classes a doubling */
	SMALL_STEP = 16,
	STEPS = 32,
	CLASSES = SMALL / SMALL_STEP + 6 * STEPS,
	SPARE_MAX = 2, /* empty chunks that are kept */
	TRIM_AT_ONCE = 32
};

/* Free blocks side by side; only the first is written to. */
struct run {
	struct run *next;
	uint32_t count;
};

struct chunk {
	struct chunk *next, *previous; /* with room, of one class */
	struct run *freed;
	uint32_t size;	 /* of its blocks */
	uint32_t used;	 /* blocks */
	uint32_t behind; /* where the room begins that was never used */
	uint16_t class;
	bool trimmed; /* nothing was freed since */
	_Alignas(16) char room[];
};

static struct {
	pthread_mutex_t lock;
	struct chunk *with_room[CLASSES];
	struct chunk *spare[SPARE_MAX];
	unsigned spares;
	struct slab_figures figures;
} slab = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The class of blocks of a size, and what they take. */
static unsigned class_of(size_t size, size_t *rounded)
{
	unsigned doubling = 0;
	size_t step;

	if (size <= SMALL) {
		size = size ? size : 1;
		*rounded = (size + SMALL_STEP - 1) / SMALL_STEP * SMALL_STEP;
		return (unsigned)(*rounded / SMALL_STEP) - 1;
	}
	while (size > (size_t)SMALL << (doubling + 1))
		doubling++;
	step = ((size_t)SMALL << doubling) / STEPS;
	*rounded = (size + step - 1) / step * step;
	return SMALL / SMALL_STEP + doubling * STEPS +
	       (unsigned)((*rounded - ((size_t)SMALL << doubling)) / step) - 1;
}

size_t slab_rounded(size_t size)
{
	size_t rounded = size;

	if (size <= LARGEST)
		class_of(size, &rounded);
	return rounded;
}

static void *map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		static const char line[] = "out of memory\n";

		if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
			abort();
		abort();
	}
	return memory;
}

static struct chunk *map_chunk(void)
{
	uintptr_t all = (uintptr_t)map(2 * CHUNK), at = (all + CHUNK - 1) & ~(uintptr_t)(CHUNK - 1);

	if (at > all)
		munmap((void *)all, at - all);
	if (at < all + CHUNK)
		munmap((void *)(at + CHUNK), all + CHUNK - at);
	slab.figures.chunk_bytes += CHUNK;
	return (struct chunk *)at;
}

static void link_first(struct chunk *chunk)
{
	struct chunk **first = &slab.with_room[chunk->class];

	chunk->previous = NULL;
	chunk->next = *first;
	if (chunk->next)
		chunk->next->previous = chunk;
	*first = chunk;
}

static void unlink_chunk(struct chunk *chunk)
{
	if (chunk->previous)
		chunk->previous->next = chunk->next;
	else
		slab.with_room[chunk->class] = chunk->next;
	if (chunk->next)
		chunk->next->previous = chunk->previous;
}

static struct chunk *new_chunk(unsigned class, size_t size)
{
	struct chunk *chunk = slab.spares ? slab.spare[--slab.spares] : map_chunk();

	chunk->freed = NULL;
	chunk->size = (uint32_t)size;
	chunk->used = 0;
	chunk->behind = offsetof(struct chunk, room);
	chunk->class = (uint16_t) class;
	chunk->trimmed = true;
	link_first(chunk);
	return chunk;
}

static bool has_room(const struct chunk *chunk)
{
	return chunk->freed || chunk->behind + chunk->size <= CHUNK;
}

static void *take_block(struct chunk *chunk)
{
	struct run *run = chunk->freed;
	char *block;

	if (run) {
		block = (char *)run + (size_t)--run->count * chunk->size;
		if (!run->count)
			chunk->freed = run->next;
	} else {
		block = (char *)chunk + chunk->behind;
		chunk->behind += chunk->size;
	}
	chunk->used++;
	if (!has_room(chunk))
		unlink_chunk(chunk);
	return block;
}

static void *alloc_block(size_t size)
{
	size_t rounded;
	unsigned class = class_of(size, &rounded);
	struct chunk *chunk;
	cox_lock_scope(&slab.lock);

	chunk = slab.with_room[class];
	if (!chunk)
		chunk = new_chunk(class, rounded);
	slab.figures.block_bytes += rounded;
	slab.figures.blocks++;
	return take_block(chunk);
}

static void free_block(struct run *block)
{
	struct chunk *chunk = (struct chunk *)((uintptr_t)block & ~(uintptr_t)(CHUNK - 1));
	cox_lock_scope(&slab.lock);

	slab.figures.block_bytes -= chunk->size;
	slab.figures.blocks--;
	if (!has_room(chunk))
		link_first(chunk);
	block->next = chunk->freed;
	block->count = 1;
	chunk->freed = block;
	chunk->trimmed = false;
	if (--chunk->used)
		return;
	unlink_chunk(chunk);
	if (slab.spares < SPARE_MAX) {
		slab.spare[slab.spares++] = chunk;
		return;
	}
	slab.figures.chunk_bytes -= CHUNK;
	munmap(chunk, CHUNK);
}

/* Joins the free blocks of a chunk to runs, and gives the pages inside them back. */
static void trim_chunk(struct chunk *chunk)
{
	uint64_t is_free[CHUNK / SMALL_STEP / 64] = {0};
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from, to;
	uint32_t count = (chunk->behind - (uint32_t)offsetof(struct chunk, room)) / chunk->size;
	struct run **last = &chunk->freed;

	for (struct run *run = chunk->freed; run; run = run->next) {
		size_t first = (size_t)((char *)run - chunk->room) / chunk->size;

		for (size_t i = first; i < first + run->count; i++)
			is_free[i / 64] |= UINT64_C(1) << (i % 64);
	}
	for (uint32_t i = 0, end; i < count; i = end + 1) {
		struct run *run = (struct run *)(void *)(chunk->room + (size_t)i * chunk->size);

		for (end = i; end < count && is_free[end / 64] >> (end % 64) & 1; end++)
			;
		if (end == i)
			continue;
		run->count = end - i;
		*last = run;
		last = &run->next;
		from = ((uintptr_t)(run + 1) + page - 1) & ~(page - 1);
		to = (uintptr_t)(chunk->room + (size_t)end * chunk->size) & ~(page - 1);
		if (to > from)
			madvise((void *)from, to - from, MADV_DONTNEED);
	}
	*last = NULL;
	chunk->trimmed = true;
}

/* Some of a class, so that the lock is not held for long; false: that was all. */
static bool trim_some(unsigned class)
{
	unsigned left = TRIM_AT_ONCE;
	cox_lock_scope(&slab.lock);

	for (struct chunk *chunk = slab.with_room[class]; chunk; chunk = chunk->next) {
		if (chunk->trimmed)
			continue;
		if (left-- == 0)
			return true;
		trim_chunk(chunk);
	}
	return false;
}

void slab_trim(void)
{
	struct slab_figures figures;
	size_t most;

	slab_figures(&figures);
	/* Others go on meanwhile: what they free waits for the next time. */
	most = figures.chunk_bytes / CHUNK / TRIM_AT_ONCE + 1;
	for (unsigned class = 0; class < CLASSES; class ++)
		for (size_t i = 0; i < most && trim_some(class); i++)
			;
}

/* A sanitizer watches over blocks of malloc's only. */
static bool is_ours(size_t size)
{
#ifdef COX_SANITIZED
	(void)size;
	return false;
#else
	return size <= LARGEST;
#endif
}

void *slab_alloc(size_t size)
{
	return is_ours(size) ? alloc_block(size) : cox_alloc(size);
}

void slab_free(void *block, size_t size)
{
	if (!block)
		return;
	if (is_ours(size))
		free_block(block);
	else
		free(block);
}

void slab_figures(struct slab_figures *figures)
{
	cox_lock_scope(&slab.lock);
	*figures = slab.figures;
}
