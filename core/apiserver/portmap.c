/* SPDX-License-Identifier: Apache-2.0 */
/* Node ports; see the header. `lock` guards the bits. */
#include "apiserver/portmap.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

struct portmap {
	pthread_mutex_t lock;
	unsigned low, high;
	uint64_t bits[65536 / 64];
};

struct portmap *portmap_new(unsigned low, unsigned high)
{
	struct portmap *map = cox_new(struct portmap);

	pthread_mutex_init(&map->lock, NULL);
	map->low = low;
	map->high = high;
	return map;
}

void portmap_free(struct portmap *map)
{
	if (!map)
		return;
	pthread_mutex_destroy(&map->lock);
	free(map);
}

int portmap_key(unsigned port, char key[PORTMAP_KEY_SIZE])
{
	return snprintf(key, PORTMAP_KEY_SIZE, PORTMAP_PREFIX "%u", port);
}

unsigned portmap_port(struct cox_bytes key)
{
	const size_t prefix = sizeof(PORTMAP_PREFIX) - 1;
	char number[8];
	int64_t port;

	if (key.size <= prefix || key.size - prefix >= sizeof(number) ||
	    memcmp(key.data, PORTMAP_PREFIX, prefix) != 0)
		return 0;
	memcpy(number, (const char *)key.data + prefix, key.size - prefix);
	number[key.size - prefix] = '\0';
	return cox_parse_int(number, 1, 65535, &port) == 0 ? (unsigned)port : 0;
}

bool portmap_has(const struct portmap *map, unsigned port)
{
	return port >= map->low && port <= map->high;
}

static bool bit_of(const struct portmap *map, unsigned port)
{
	return map->bits[port / 64] >> (port % 64) & 1;
}

bool portmap_is_taken(struct portmap *map, unsigned port)
{
	cox_lock_scope(&map->lock);
	return bit_of(map, port);
}

void portmap_set(struct portmap *map, unsigned port, bool taken)
{
	uint64_t bit = UINT64_C(1) << (port % 64);

	cox_lock_scope(&map->lock);
	if (taken)
		map->bits[port / 64] |= bit;
	else
		map->bits[port / 64] &= ~bit;
}

static bool is_among(const uint16_t *ports, size_t count, unsigned port)
{
	for (size_t i = 0; i < count; i++)
		if (ports[i] == port)
			return true;
	return false;
}

int portmap_find(struct portmap *map, const uint16_t *except, size_t count, unsigned *port)
{
	unsigned size = map->high - map->low + 1;
	uint32_t chance = 0;

	if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
		return -1;
	cox_lock_scope(&map->lock);
	for (unsigned i = 0; i < size; i++) {
		unsigned at = map->low + (unsigned)((chance + (uint64_t)i) % size);

		if (bit_of(map, at) || is_among(except, count, at))
			continue;
		*port = at;
		return 0;
	}
	return -1;
}

struct load_sink {
	struct cox_range_sink sink; /* first */
	struct portmap *map;
};

static int load_entry(const struct cox_range_sink *sink, const struct cox_entry *entry)
{
	struct portmap *map = ((const struct load_sink *)(const void *)sink)->map;
	unsigned port = portmap_port(entry->key);

	if (port)
		portmap_set(map, port, true);
	return 0;
}

int portmap_load(struct portmap *map, const struct store_backend *backend, struct cox_error *err)
{
	static const char start[] = PORTMAP_PREFIX, end[] = "/registry/ranges/nodeports0";
	struct cox_call call = {.struct_size = sizeof(call)};
	struct cox_range range = {.start = {start, sizeof(start) - 1},
				  .end = {end, sizeof(end) - 1},
				  .flags = COX_RANGE_KEYS_ONLY};
	struct load_sink sink = {{sizeof(sink.sink), 0, load_entry}, map};
	struct cox_range_result result;
	int status;

	if (backend->enter)
		backend->enter(backend->context);
	status = backend->ops->range(backend->self, &call, &range, &sink.sink, &result, err);
	if (backend->leave)
		backend->leave(backend->context);
	return status == 0 ? 0 : error_wrap(err, "read the node ports that are taken");
}
