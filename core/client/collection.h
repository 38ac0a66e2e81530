/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of one informer, by key and by index. Holds bytes, not trees.
 * Not locked: the informer does that; see informer.c.
 */
#ifndef COX_CLIENT_COLLECTION_H
#define COX_CLIENT_COLLECTION_H

#include "machinery/object.h"

#include <coxswain/cluster.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>

struct collection_item {
	struct cox_object *object; /* held */
};

/* A set of items, by address; open addressing. */
struct item_set {
	struct collection_item **slots;
	size_t count;
	size_t capacity; /* power of two, or 0 */
};

struct collection_index {
	void (*values)(const struct cox_objects *objects, const struct cox_object *object,
		       const struct cox_keys *values);
	struct cox_map buckets; /* value -> struct item_set */
};

struct collection {
	struct cox_map items; /* "namespace/name" or "name" -> struct collection_item */
	COX_VEC(struct collection_index *) indexes;
};

typedef void collection_values(const struct cox_objects *objects, const struct cox_object *object,
			       const struct cox_keys *values);

void collection_free(struct collection *collection);

/* The index with this function, made (and filled) if there is none yet. */
struct collection_index *collection_index(struct collection *collection, collection_values *values);

/* "namespace/name", or "name" for cluster-wide objects. */
void collection_key(struct cox_buf *out, const char *namespace, const char *name);

/* Replaces; returns the previous object as a reader of the caller's, or NULL. */
struct cox_object *collection_put(struct collection *collection, struct cox_object *object);
struct cox_object *collection_remove(struct collection *collection, const char *key);
/* Borrowed, or NULL. */
struct cox_object *collection_get(const struct collection *collection, const char *key);

/* Readers, appended to the vector. */
struct object_list {
	struct cox_object **items;
	size_t count;
	size_t capacity;
};
void collection_all(const struct collection *collection, struct object_list *out);
void collection_find(const struct collection_index *index, const char *value,
		     struct object_list *out);
void object_list_free(struct object_list *list);

#endif
