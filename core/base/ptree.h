/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A persistent ordered tree of counted items. A `struct ptree` is one version
 * of it; ptree_copy makes another in no time, and from then on the two change
 * apart: a change copies the nodes on its path, unless nobody else holds them,
 * and then works in place. Items are not copied; each version holds a
 * reference to what it contains. The items carry their own keys.
 *
 * Nodes hold up to PTREE_WIDTH pointers (a B+ tree), so an item costs about
 * twelve bytes. Reading a version needs no lock, from any number of threads,
 * as long as nobody changes that same `struct ptree`.
 */
#ifndef COX_BASE_PTREE_H
#define COX_BASE_PTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PTREE_WIDTH = 32, PTREE_DEPTH_MAX = 12 };

/* What the items are. Lives as long as any tree of the type. */
struct ptree_type {
	/* Item against key, as memcmp does. Keys are whatever this compares. */
	int (*compare)(const struct ptree_type *type, const void *item, const void *key);
	/* Fills `key` (PTREE_KEY_SIZE bytes of room) for compare, borrowed from the item. */
	void (*key)(const struct ptree_type *type, const void *item, void *key);
	void (*ref)(void *item);
	void (*unref)(void *item);
};

enum { PTREE_KEY_SIZE = 64 };

struct ptree_node;

struct ptree {
	const struct ptree_type *type;
	struct ptree_node *root; /* NULL: empty */
	size_t count;
};

void ptree_init(struct ptree *tree, const struct ptree_type *type);
void ptree_clear(struct ptree *tree); /* empty and usable again */
/* `copy` becomes a version of its own; what it held before is not released. */
void ptree_copy(struct ptree *copy, const struct ptree *tree);

/* Borrowed, or NULL. */
void *ptree_get(const struct ptree *tree, const void *key);
/* Takes a reference of its own; an item with an equal key is replaced. True if there was none. */
bool ptree_put(struct ptree *tree, void *item);
bool ptree_remove(struct ptree *tree, const void *key); /* whether it was there */

/* How many items come before `key` (or are equal to it, with `inclusive`). */
size_t ptree_rank(const struct ptree *tree, const void *key, bool inclusive);

/* Walks a version in order; needs no end. The version must outlive it unchanged. */
struct ptree_cursor {
	const struct ptree_node *node[PTREE_DEPTH_MAX];
	uint8_t at[PTREE_DEPTH_MAX];
	uint8_t depth; /* levels in use; 0: at the end */
};

/* To the first item that is not before `key` (with `behind`: that is after it); NULL: the first. */
void ptree_seek(const struct ptree *tree, struct ptree_cursor *cursor, const void *key,
		bool behind);
/* The item there, borrowed, and one step on; NULL at the end. */
void *ptree_next(struct ptree_cursor *cursor);

/* Bytes of the nodes reachable from this version. */
size_t ptree_memory(const struct ptree *tree);

#endif
