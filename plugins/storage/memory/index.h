/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ordered map from byte strings to pointers: a skip list. Keys are copied,
 * values are the caller's. Not for use by two threads at a time.
 */
#ifndef STORAGE_MEMORY_INDEX_H
#define STORAGE_MEMORY_INDEX_H

#include <coxswain/plugin.h>

enum { INDEX_HEIGHT = 16 };

struct index_node {
	void *value;
	unsigned char *key; /* owned */
	size_t key_size;
	unsigned height;
	struct index_node *next[];
};

struct index {
	struct index_node *heads[INDEX_HEIGHT];
	size_t count;
	uint64_t random; /* state; any value but 0 */
};

void index_init(struct index *index);
void index_free(struct index *index);

/* The first node whose key is `key` or after it; NULL: none. next[0] follows. */
struct index_node *index_seek(const struct index *index, struct cox_bytes key);
/* The slot of the key's value, made (holding NULL) if absent. */
void **index_slot(struct index *index, struct cox_bytes key);
/* NULL: absent. */
void *index_get(const struct index *index, struct cox_bytes key);
void index_remove(struct index *index, struct cox_bytes key);

static inline struct cox_bytes index_key(const struct index_node *node)
{
	return (struct cox_bytes){node->key, node->key_size};
}

#endif
