/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash map: open addressing with linear probing; a removed key pulls the
 * following ones back, so there are no tombstones. SipHash: Aumasson and
 * Bernstein, "SipHash: a fast short-input PRF", with 1 and 3 rounds.
 */
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/map.h>

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

struct cox_map_slot {
	char *key; /* NULL: free */
	size_t size;
	uint64_t hash;
	void *value;
};

static uint64_t rotate(uint64_t word, unsigned by)
{
	return word << by | word >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

uint64_t cox_siphash13(const uint64_t seed[2], const void *data, size_t size)
{
	const unsigned char *in = data;
	uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du,
			 seed[0] ^ 0x6c7967656e657261u, seed[1] ^ 0x7465646279746573u};
	uint64_t last = (uint64_t)size << 56;
	size_t left = size;

	for (; left >= 8; left -= 8, in += 8) {
		uint64_t word;

		memcpy(&word, in, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)in[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void cox_map_free(struct cox_map *map)
{
	for (size_t i = 0; i < map->capacity; i++)
		free(map->slots[i].key);
	free(map->slots);
	*map = (struct cox_map)COX_MAP_INIT;
}

/* The slot that holds the key, or the free one where it would go. */
static struct cox_map_slot *find(const struct cox_map *map, const char *key, size_t size,
				 uint64_t hash)
{
	size_t mask = map->capacity - 1;
	size_t at = hash & mask;

	for (;; at = (at + 1) & mask) {
		struct cox_map_slot *slot = &map->slots[at];

		if (!slot->key)
			return slot;
		if (slot->hash == hash && slot->size == size && memcmp(slot->key, key, size) == 0)
			return slot;
	}
}

static void draw_seed(struct cox_map *map)
{
	/* GRND_NONBLOCK: before the kernel's pool is ready the clock will do. */
	if (getrandom(map->seed, sizeof(map->seed), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(map->seed)) {
		struct timespec now;

		clock_gettime(CLOCK_MONOTONIC, &now);
		map->seed[0] = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u;
		map->seed[1] = (uint64_t)(uintptr_t)map ^ (uint64_t)now.tv_sec;
	}
}

static void grow(struct cox_map *map)
{
	struct cox_map bigger = *map;

	bigger.capacity = map->capacity ? map->capacity * 2 : 8;
	bigger.slots = cox_calloc(bigger.capacity, sizeof(*bigger.slots));
	if (map->capacity == 0)
		draw_seed(&bigger);
	for (size_t i = 0; i < map->capacity; i++) {
		struct cox_map_slot *slot = &map->slots[i];

		if (slot->key)
			*find(&bigger, slot->key, slot->size, slot->hash) = *slot;
	}
	free(map->slots);
	*map = bigger;
}

static struct cox_map_slot *lookup(const struct cox_map *map, const char *key, size_t size)
{
	struct cox_map_slot *slot;

	if (map->count == 0)
		return NULL;
	slot = find(map, key, size, cox_siphash13(map->seed, key, size));
	return slot->key ? slot : NULL;
}

void *cox_map_get(const struct cox_map *map, const char *key, size_t size)
{
	struct cox_map_slot *slot = lookup(map, key, size);

	return slot ? slot->value : NULL;
}

bool cox_map_has(const struct cox_map *map, const char *key, size_t size)
{
	return lookup(map, key, size) != NULL;
}

void *cox_map_put(struct cox_map *map, const char *key, size_t size, void *value)
{
	struct cox_map_slot *slot;
	uint64_t hash;
	void *old;

	if ((map->count + 1) * 4 > map->capacity * 3)
		grow(map);
	hash = cox_siphash13(map->seed, key, size);
	slot = find(map, key, size, hash);
	old = slot->value;
	if (!slot->key) {
		slot->key = cox_alloc(size + 1);
		memcpy(slot->key, key, size);
		slot->key[size] = '\0';
		slot->size = size;
		slot->hash = hash;
		map->count++;
		old = NULL;
	}
	slot->value = value;
	return old;
}

void *cox_map_remove(struct cox_map *map, const char *key, size_t size)
{
	struct cox_map_slot *slot = lookup(map, key, size);
	size_t mask = map->capacity - 1;
	size_t hole, at;
	void *value;

	if (!slot)
		return NULL;
	value = slot->value;
	free(slot->key);
	hole = (size_t)(slot - map->slots);
	for (at = (hole + 1) & mask; map->slots[at].key; at = (at + 1) & mask) {
		size_t home = map->slots[at].hash & mask;

		/* May move back only if its home is not between hole and at. */
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			map->slots[hole] = map->slots[at];
			hole = at;
		}
	}
	map->slots[hole] = (struct cox_map_slot){0};
	map->count--;
	return value;
}

bool cox_map_next(const struct cox_map *map, size_t *at, const char **key, size_t *size,
		  void **value)
{
	while (*at < map->capacity) {
		struct cox_map_slot *slot = &map->slots[(*at)++];

		if (!slot->key)
			continue;
		if (key)
			*key = slot->key;
		if (size)
			*size = slot->size;
		if (value)
			*value = slot->value;
		return true;
	}
	return false;
}
