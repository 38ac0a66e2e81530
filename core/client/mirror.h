/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of one informer, by key and by index. Holds bytes, not trees.
 * Not locked: the informer does that; see informer.c.
 */
#ifndef COX_CLIENT_MIRROR_H
#define COX_CLIENT_MIRROR_H

#include "machinery/object.h"

#include <coxswain/cluster.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>

struct mirror_item {
	struct cox_object *object; /* held */
};

/* A set of items, by address; open addressing. */
struct item_set {
	struct mirror_item **slots;
	size_t count;
	size_t capacity; /* power of two, or 0 */
};

struct mirror_index {
	void (*values)(const struct cox_objects *objects, const struct cox_object *object,
		       const struct cox_keys *values);
	struct cox_map buckets; /* value -> struct item_set */
};

struct mirror {
	struct cox_map items; /* "namespace/name" or "name" -> struct mirror_item */
	COX_VEC(struct mirror_index *) indexes;
};

typedef void mirror_values(const struct cox_objects *objects, const struct cox_object *object,
			   const struct cox_keys *values);

void mirror_free(struct mirror *mirror);

/* The index with this function, made (and filled) if there is none yet. */
struct mirror_index *mirror_index(struct mirror *mirror, mirror_values *values);

/* "namespace/name", or "name" for cluster-wide objects. */
void mirror_key(struct cox_buf *out, const char *namespace, const char *name);

/* Replaces; returns the previous object as a reader of the caller's, or NULL. */
struct cox_object *mirror_put(struct mirror *mirror, struct cox_object *object);
struct cox_object *mirror_remove(struct mirror *mirror, const char *key);
/* Borrowed, or NULL. */
struct cox_object *mirror_get(const struct mirror *mirror, const char *key);

/* Readers, appended to the vector. */
struct object_list {
	struct cox_object **items;
	size_t count;
	size_t capacity;
};
void mirror_all(const struct mirror *mirror, struct object_list *out);
void mirror_find(const struct mirror_index *index, const char *value, struct object_list *out);
void object_list_free(struct object_list *list);

#endif
