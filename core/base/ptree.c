/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The persistent tree: a B+ tree of counted nodes. A node that only one parent
 * or version holds (one reference, and all of its ancestors too) belongs to
 * whoever changes that version and is changed in place; any other is copied
 * first. Nodes that several versions hold are therefore never written, which is
 * what makes reading without a lock safe.
 *
 * Beside each child an inner node keeps a pointer to the first item below it.
 * It is borrowed: the child holds the item for as long as it holds still.
 */
#include "base/ptree.h"

#include <coxswain/kit/alloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SPARSE = PTREE_WIDTH / 4 }; /* fewer than this: join with a neighbour */

struct ptree_node {
	_Atomic uint32_t references;
	uint8_t used;
	bool leaf;
	uint32_t count;		 /* items below */
	void *slot[PTREE_WIDTH]; /* items, or children */
	const void *first[];	 /* of an inner node: PTREE_WIDTH more */
};

union key_room {
	char room[PTREE_KEY_SIZE];
	void *aligned;
	uint64_t aligned_too;
};

static struct ptree_node *make_node(bool leaf)
{
	size_t more = leaf ? 0 : PTREE_WIDTH * sizeof(void *);
	struct ptree_node *node = cox_alloc(sizeof(*node) + more);

	atomic_init(&node->references, 1);
	node->used = 0;
	node->leaf = leaf;
	node->count = 0;
	return node;
}

static void ref_node(struct ptree_node *node)
{
	atomic_fetch_add_explicit(&node->references, 1, memory_order_relaxed);
}

static void unref_node(const struct ptree_type *type, struct ptree_node *node)
{
	if (atomic_fetch_sub_explicit(&node->references, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned i = 0; i < node->used; i++) {
		if (node->leaf)
			type->unref(node->slot[i]);
		else
			unref_node(type, node->slot[i]);
	}
	free(node);
}

/* Makes *place a node that nobody else sees. */
static struct ptree_node *own(const struct ptree_type *type, struct ptree_node **place)
{
	struct ptree_node *old = *place;
	struct ptree_node *copy;

	if (atomic_load_explicit(&old->references, memory_order_acquire) == 1)
		return old;
	copy = make_node(old->leaf);
	copy->used = old->used;
	copy->count = old->count;
	memcpy(copy->slot, old->slot, old->used * sizeof(old->slot[0]));
	if (!old->leaf)
		memcpy(copy->first, old->first, old->used * sizeof(old->first[0]));
	for (unsigned i = 0; i < copy->used; i++) {
		if (copy->leaf)
			type->ref(copy->slot[i]);
		else
			ref_node(copy->slot[i]);
	}
	unref_node(type, old);
	*place = copy;
	return copy;
}

static const void *first_item(const struct ptree_node *node)
{
	return node->leaf ? node->slot[0] : node->first[0];
}

/* In a leaf: the first item that is not before the key. */
static unsigned lower_bound(const struct ptree_type *type, const struct ptree_node *leaf,
			    const void *key, bool *equal)
{
	unsigned low = 0, high = leaf->used;

	*equal = false;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		int order = type->compare(type, leaf->slot[middle], key);

		if (order == 0) {
			*equal = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* In an inner node: the child where the key is, or would go. */
static unsigned child_of(const struct ptree_type *type, const struct ptree_node *node,
			 const void *key)
{
	unsigned low = 0, high = node->used;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (type->compare(type, node->first[middle], key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? low - 1 : 0;
}

void ptree_init(struct ptree *tree, const struct ptree_type *type)
{
	*tree = (struct ptree){.type = type};
}

void ptree_clear(struct ptree *tree)
{
	if (tree->root)
		unref_node(tree->type, tree->root);
	tree->root = NULL;
	tree->count = 0;
}

void ptree_copy(struct ptree *copy, const struct ptree *tree)
{
	*copy = *tree;
	if (copy->root)
		ref_node(copy->root);
}

void *ptree_get(const struct ptree *tree, const void *key)
{
	const struct ptree_node *node = tree->root;
	unsigned at;
	bool equal;

	if (!node)
		return NULL;
	while (!node->leaf)
		node = node->slot[child_of(tree->type, node, key)];
	at = lower_bound(tree->type, node, key, &equal);
	return equal ? node->slot[at] : NULL;
}

static void open_slot(struct ptree_node *node, unsigned at, void *what)
{
	memmove(&node->slot[at + 1], &node->slot[at], (node->used - at) * sizeof(node->slot[0]));
	node->slot[at] = what;
	if (!node->leaf) {
		memmove(&node->first[at + 1], &node->first[at],
			(node->used - at) * sizeof(node->first[0]));
		node->first[at] = first_item(what);
	}
	node->used++;
	node->count += node->leaf ? 1 : ((struct ptree_node *)what)->count;
}

static void close_slot(struct ptree_node *node, unsigned at)
{
	node->used--;
	memmove(&node->slot[at], &node->slot[at + 1], (node->used - at) * sizeof(node->slot[0]));
	if (!node->leaf)
		memmove(&node->first[at], &node->first[at + 1],
			(node->used - at) * sizeof(node->first[0]));
}

static void recount(struct ptree_node *node)
{
	node->count = 0;
	if (node->leaf)
		node->count = node->used;
	else
		for (unsigned i = 0; i < node->used; i++)
			node->count += ((struct ptree_node *)node->slot[i])->count;
}

/* Moves what lies from `at` on behind the last of `to`. */
static void move_tail(struct ptree_node *from, unsigned at, struct ptree_node *to)
{
	unsigned moved = from->used - at;

	memcpy(&to->slot[to->used], &from->slot[at], moved * sizeof(from->slot[0]));
	if (!from->leaf)
		memcpy(&to->first[to->used], &from->first[at], moved * sizeof(from->first[0]));
	to->used = (uint8_t)(to->used + moved);
	from->used = (uint8_t)at;
	recount(from);
	recount(to);
}

/*
 * Puts `what` at `at`; if the node was full, returns the new right half. Keys
 * that come in order (a load) leave full nodes behind.
 */
static struct ptree_node *add_slot(struct ptree_node *node, unsigned at, void *what)
{
	struct ptree_node *right;

	if (node->used < PTREE_WIDTH) {
		open_slot(node, at, what);
		return NULL;
	}
	right = make_node(node->leaf);
	if (at == PTREE_WIDTH) {
		open_slot(right, 0, what);
		return right;
	}
	move_tail(node, PTREE_WIDTH / 2, right);
	if (at <= PTREE_WIDTH / 2)
		open_slot(node, at, what);
	else
		open_slot(right, at - PTREE_WIDTH / 2, what);
	return right;
}

struct insertion {
	const struct ptree_type *type;
	const void *key;
	void *item;
	void *replaced; /* released when no node points to it any more */
};

static struct ptree_node *insert(struct insertion *job, struct ptree_node **place)
{
	struct ptree_node *node = own(job->type, place);
	struct ptree_node *right;
	unsigned at;

	if (node->leaf) {
		bool equal;

		at = lower_bound(job->type, node, job->key, &equal);
		if (!equal)
			return add_slot(node, at, job->item);
		job->replaced = node->slot[at];
		node->slot[at] = job->item;
		return NULL;
	}
	at = child_of(job->type, node, job->key);
	right = insert(job, (struct ptree_node **)&node->slot[at]);
	node->first[at] = first_item(node->slot[at]);
	recount(node);
	return right ? add_slot(node, at + 1, right) : NULL;
}

bool ptree_put(struct ptree *tree, void *item)
{
	union key_room key;
	struct insertion job = {.type = tree->type, .key = &key, .item = item};
	struct ptree_node *right;

	tree->type->key(tree->type, item, &key);
	tree->type->ref(item);
	if (!tree->root)
		tree->root = make_node(true);
	right = insert(&job, &tree->root);
	if (right) {
		struct ptree_node *root = make_node(false);

		open_slot(root, 0, tree->root);
		open_slot(root, 1, right);
		tree->root = root;
	}
	if (job.replaced) {
		tree->type->unref(job.replaced);
		return false;
	}
	tree->count++;
	return true;
}

/* Joins children `at` and `at` + 1 if one is sparse and both fit into one. */
static void join_children(const struct ptree_type *type, struct ptree_node *node, unsigned at)
{
	struct ptree_node *left, *right;

	if (at + 1 >= node->used)
		return;
	left = node->slot[at];
	right = node->slot[at + 1];
	if ((left->used >= SPARSE && right->used >= SPARSE) ||
	    left->used + right->used > PTREE_WIDTH)
		return;
	left = own(type, (struct ptree_node **)&node->slot[at]);
	right = own(type, (struct ptree_node **)&node->slot[at + 1]);
	move_tail(right, 0, left);
	node->first[at] = first_item(left);
	close_slot(node, at + 1);
	unref_node(type, right);
}

/* The key is there. Returns its item, still referenced. */
static void *take(const struct ptree_type *type, struct ptree_node **place, const void *key)
{
	struct ptree_node *node = own(type, place);
	unsigned at;
	void *item;

	if (node->leaf) {
		bool equal;

		at = lower_bound(type, node, key, &equal);
		item = node->slot[at];
		close_slot(node, at);
		node->count--;
		return item;
	}
	at = child_of(type, node, key);
	item = take(type, (struct ptree_node **)&node->slot[at], key);
	if (((struct ptree_node *)node->slot[at])->used == 0) {
		unref_node(type, node->slot[at]);
		close_slot(node, at);
	} else {
		node->first[at] = first_item(node->slot[at]);
		join_children(type, node, at);
		if (at > 0)
			join_children(type, node, at - 1);
	}
	node->count--;
	return item;
}

bool ptree_remove(struct ptree *tree, const void *key)
{
	void *item;

	if (!ptree_get(tree, key))
		return false; /* and no path was copied for nothing */
	item = take(tree->type, &tree->root, key);
	while (tree->root && !tree->root->leaf && tree->root->used == 1) {
		struct ptree_node *root = tree->root;

		tree->root = root->slot[0];
		root->used = 0; /* the child's reference is the tree's now */
		unref_node(tree->type, root);
	}
	if (tree->root && tree->root->used == 0) {
		unref_node(tree->type, tree->root);
		tree->root = NULL;
	}
	tree->count--;
	tree->type->unref(item);
	return true;
}

size_t ptree_rank(const struct ptree *tree, const void *key, bool inclusive)
{
	const struct ptree_node *node = tree->root;
	size_t rank = 0;
	unsigned at;
	bool equal;

	if (!node)
		return 0;
	while (!node->leaf) {
		at = child_of(tree->type, node, key);
		for (unsigned i = 0; i < at; i++)
			rank += ((const struct ptree_node *)node->slot[i])->count;
		node = node->slot[at];
	}
	at = lower_bound(tree->type, node, key, &equal);
	return rank + at + (equal && inclusive ? 1 : 0);
}

/* Down to the first item of the node on top. */
static void descend(struct ptree_cursor *cursor)
{
	const struct ptree_node *node = cursor->node[cursor->depth - 1];

	while (!node->leaf) {
		node = node->slot[cursor->at[cursor->depth - 1]];
		cursor->node[cursor->depth] = node;
		cursor->at[cursor->depth++] = 0;
	}
}

void ptree_seek(const struct ptree *tree, struct ptree_cursor *cursor, const void *key, bool behind)
{
	const struct ptree_node *node = tree->root;
	bool equal;
	unsigned at;

	cursor->depth = 0;
	if (!node)
		return;
	if (!key) {
		cursor->node[0] = node;
		cursor->at[0] = 0;
		cursor->depth = 1;
		descend(cursor);
		return;
	}
	for (;;) {
		cursor->node[cursor->depth] = node;
		if (node->leaf)
			break;
		at = child_of(tree->type, node, key);
		cursor->at[cursor->depth++] = (uint8_t)at;
		node = node->slot[at];
	}
	at = lower_bound(tree->type, node, key, &equal);
	cursor->at[cursor->depth++] = (uint8_t)(at + (equal && behind ? 1 : 0));
}

void *ptree_next(struct ptree_cursor *cursor)
{
	while (cursor->depth > 0) {
		const struct ptree_node *node = cursor->node[cursor->depth - 1];
		unsigned at = cursor->at[cursor->depth - 1];

		if (node->leaf && at < node->used) {
			cursor->at[cursor->depth - 1]++;
			return node->slot[at];
		}
		/* Up to the first ancestor with a child to the right, and down there. */
		if (--cursor->depth == 0)
			break;
		node = cursor->node[cursor->depth - 1];
		at = ++cursor->at[cursor->depth - 1];
		if (at < node->used)
			descend(cursor);
	}
	return NULL;
}

static size_t node_memory(const struct ptree_node *node)
{
	size_t size = sizeof(*node);

	if (node->leaf)
		return size;
	size += PTREE_WIDTH * sizeof(void *);
	for (unsigned i = 0; i < node->used; i++)
		size += node_memory(node->slot[i]);
	return size;
}

size_t ptree_memory(const struct ptree *tree)
{
	return tree->root ? node_memory(tree->root) : 0;
}
