/* SPDX-License-Identifier: Apache-2.0 */
/* The skip list of the memory storage; see the header. */
#include "index.h"

#include "../common/version.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>

void index_init(struct index *index)
{
	*index = (struct index){.random = 0x9e3779b97f4a7c15u};
}

void index_free(struct index *index)
{
	for (struct index_node *node = index->heads[0]; node;) {
		struct index_node *next = node->next[0];

		free(node->key);
		free(node);
		node = next;
	}
	index_init(index);
}

/*
 * Where the key's predecessors point onward, for every height; returns the
 * first node that is not before the key.
 */
static struct index_node *find(const struct index *index, struct cox_bytes key,
			       struct index_node *const *slots[INDEX_HEIGHT])
{
	struct index_node *const *level = index->heads;

	for (unsigned height = INDEX_HEIGHT; height-- > 0;) {
		while (level[height] && bytes_compare(index_key(level[height]), key) < 0)
			level = level[height]->next;
		if (slots)
			slots[height] = &level[height];
	}
	return level[0];
}

struct index_node *index_seek(const struct index *index, struct cox_bytes key)
{
	return find(index, key, NULL);
}

/* Each height has a quarter of the nodes of the one below. */
static unsigned draw_height(struct index *index)
{
	unsigned height = 1;
	uint64_t word = index->random;

	word ^= word << 13;
	word ^= word >> 7;
	word ^= word << 17;
	index->random = word;
	for (; height < INDEX_HEIGHT && (word & 3) == 0; word >>= 2)
		height++;
	return height;
}

void **index_slot(struct index *index, struct cox_bytes key)
{
	struct index_node *const *slots[INDEX_HEIGHT];
	struct index_node *node = find(index, key, slots);
	unsigned height;

	if (node && bytes_compare(index_key(node), key) == 0)
		return &node->value;
	height = draw_height(index);
	node = cox_alloc(sizeof(*node) + height * sizeof(node->next[0]));
	*node = (struct index_node){
		.key = cox_memdup(key.data, key.size), .key_size = key.size, .height = height};
	for (unsigned at = 0; at < height; at++) {
		struct index_node **slot = (struct index_node **)slots[at];

		node->next[at] = *slot;
		*slot = node;
	}
	index->count++;
	return &node->value;
}

void *index_get(const struct index *index, struct cox_bytes key)
{
	struct index_node *node = find(index, key, NULL);

	return node && bytes_compare(index_key(node), key) == 0 ? node->value : NULL;
}

void index_remove(struct index *index, struct cox_bytes key)
{
	struct index_node *const *slots[INDEX_HEIGHT];
	struct index_node *node = find(index, key, slots);

	if (!node || bytes_compare(index_key(node), key) != 0)
		return;
	for (unsigned at = 0; at < node->height; at++)
		*(struct index_node **)slots[at] = node->next[at];
	free(node->key);
	free(node);
	index->count--;
}
