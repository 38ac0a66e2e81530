/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of all sizes: none lies in another, and what was freed is used again. */
#include "unit.h"

#include "base/slab.h"
#include "config.h" /* COX_SANITIZED */

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 4000, ROUNDS = 40000, LARGEST = 40000, THREADS = 4 };

struct owned {
	unsigned char *data;
	size_t size;
	unsigned char mark;
};

/* xorshift64*: the same on every machine */
static uint64_t draw(uint64_t *state, uint64_t below)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * UINT64_C(2685821657736338717) >> 11) % below;
}

static void take(struct owned *block, uint64_t *state)
{
	/* most are small, some beyond what chunks have */
	block->size = draw(state, draw(state, 20) ? 3000 : LARGEST);
	block->mark = (unsigned char)draw(state, 256);
	block->data = slab_alloc(block->size);
	assert_int_equal((uintptr_t)block->data % 16, 0);
	memset(block->data, block->mark, block->size);
}

static void give_back(struct owned *block)
{
	for (size_t i = 0; i < block->size; i++)
		assert_int_equal(block->data[i], block->mark);
	slab_free(block->data, block->size);
	block->data = NULL;
}

static void *churn(void *seed)
{
	struct owned *blocks = calloc(BLOCKS, sizeof(*blocks));
	uint64_t state = (uintptr_t)seed;

	for (int i = 0; blocks && i < ROUNDS; i++) {
		struct owned *block = &blocks[draw(&state, BLOCKS)];

		if (block->data)
			give_back(block);
		else
			take(block, &state);
		if (i % (ROUNDS / 8) == 0)
			slab_trim();
	}
	for (int i = 0; blocks && i < BLOCKS; i++)
		if (blocks[i].data)
			give_back(&blocks[i]);
	free(blocks);
	return NULL;
}

static void test_churn(void **state)
{
	pthread_t threads[THREADS];
	struct slab_figures figures;

	(void)state;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)(i * 7919 + 1)),
				 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	slab_figures(&figures);
	assert_int_equal(figures.blocks, 0);
	assert_int_equal(figures.block_bytes, 0);
	assert_true(figures.chunk_bytes <= 1 << 20); /* a few are kept */
	slab_free(NULL, 100);
}

static void test_rounding(void **state)
{
	(void)state;
	for (size_t size = 1; size <= LARGEST; size++) {
		size_t rounded = slab_rounded(size);

		assert_true(rounded >= size);
		assert_true(rounded - size < 16 || (rounded - size) * 32 < size);
		assert_int_equal(slab_rounded(rounded), rounded);
	}
}

#ifndef COX_SANITIZED
/* Memory that is there, of a chunk. */
static size_t resident(void)
{
	unsigned long size = 0, pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &size, &pages), 2);
	fclose(file);
	return pages * 4096;
}

/* Holes that a busy time left go back to the system, and are used again after. */
static void test_trim(void **state)
{
	static struct owned blocks[BLOCKS];
	struct slab_figures before, after;
	size_t full, trimmed;

	(void)state;
	for (int i = 0; i < BLOCKS; i++) {
		blocks[i].size = 6000;
		blocks[i].data = slab_alloc(blocks[i].size);
		memset(blocks[i].data, i, blocks[i].size);
	}
	slab_figures(&before);
	for (int i = 0; i < BLOCKS; i++)
		if (i % 10) {
			slab_free(blocks[i].data, blocks[i].size);
			blocks[i].data = NULL;
		}
	full = resident();
	slab_trim();
	trimmed = resident();
	/* nine in a row: of 54,000 bytes all but two pages and what else their edges touch */
	assert_true(full - trimmed > (size_t)BLOCKS * 6000 * 7 / 10);
	for (int i = 0; i < BLOCKS; i++) {
		if (!blocks[i].data) {
			blocks[i].data = slab_alloc(blocks[i].size);
			memset(blocks[i].data, i, blocks[i].size);
		}
	}
	slab_figures(&after);
	assert_int_equal(before.chunk_bytes, after.chunk_bytes);
	for (int i = 0; i < BLOCKS; i++) {
		for (size_t k = 0; k < blocks[i].size; k++)
			assert_int_equal(blocks[i].data[k], (unsigned char)i);
		slab_free(blocks[i].data, blocks[i].size);
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_rounding),
#ifndef COX_SANITIZED
		cmocka_unit_test(test_trim),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
