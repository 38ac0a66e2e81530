/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash map from byte strings to pointers, for foreign keys too: the hash is
 * SipHash-1-3 under a key drawn once per map. Keys are copied. Not for use by
 * two threads at a time.
 */
#ifndef COXSWAIN_KIT_MAP_H
#define COXSWAIN_KIT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cox_map_slot;

struct cox_map {
	struct cox_map_slot *slots;
	size_t count;    /* keys present */
	size_t capacity; /* power of two, or 0 */
	uint64_t seed[2];
};

#define COX_MAP_INIT {NULL, 0, 0, {0, 0}}

void cox_map_free(struct cox_map *map); /* the values are the caller's */
void *cox_map_get(const struct cox_map *map, const char *key, size_t size);
bool cox_map_has(const struct cox_map *map, const char *key, size_t size);
/* Returns the value it replaced, or NULL. */
void *cox_map_put(struct cox_map *map, const char *key, size_t size, void *value);
void *cox_map_remove(struct cox_map *map, const char *key, size_t size);

/*
 * Walks in no particular order: size_t at = 0; while (cox_map_next(map, &at,
 * &key, &size, &value)). The map must not change meanwhile.
 */
bool cox_map_next(const struct cox_map *map, size_t *at, const char **key, size_t *size,
		  void **value);

uint64_t cox_siphash13(const uint64_t seed[2], const void *data, size_t size);

#endif
