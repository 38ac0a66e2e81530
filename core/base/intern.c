/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of names, in shards with a lock each. Counts change under the
 * shard's lock only, so that a name cannot be found while it is being freed.
 */
#include "base/intern.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <stdlib.h>
#include <string.h>

enum { SHARDS = 16 };

static struct shard {
	pthread_mutex_t lock;
	struct cox_map names;
} shards[SHARDS] = {[0 ... SHARDS - 1] = {PTHREAD_MUTEX_INITIALIZER, COX_MAP_INIT}};

static struct shard *shard_of(const char *text, size_t size)
{
	/* Which shard is no secret; inside, each map has a seed of its own. */
	static const uint64_t seed[2] = {0x6e616d6573746861, 0x74657869737431};

	return &shards[cox_siphash13(seed, text, size) % SHARDS];
}

const struct intern *intern_get(const char *text, size_t size)
{
	struct shard *shard = shard_of(text, size);
	struct intern *name;

	if (size > UINT16_MAX)
		abort(); /* a caller's bug: names are bounded long before */
	cox_lock_scope(&shard->lock);
	name = cox_map_get(&shard->names, text, size);
	if (!name) {
		name = cox_alloc(sizeof(*name) + size + 1);
		name->references = 0;
		name->size = (uint32_t)size;
		if (size > 0)
			memcpy(name->text, text, size);
		name->text[size] = '\0';
		cox_map_put(&shard->names, text, size, name);
	}
	name->references++;
	return name;
}

const struct intern *intern_ref(const struct intern *name)
{
	struct shard *shard = shard_of(name->text, name->size);

	cox_lock_scope(&shard->lock);
	((struct intern *)(uintptr_t)name)->references++;
	return name;
}

void intern_unref(const struct intern *name)
{
	struct intern *own = (struct intern *)(uintptr_t)name;
	struct shard *shard;

	if (!name)
		return;
	shard = shard_of(name->text, name->size);
	cox_lock_scope(&shard->lock);
	if (--own->references > 0)
		return;
	cox_map_remove(&shard->names, own->text, own->size);
	if (shard->names.count == 0)
		cox_map_free(&shard->names);
	free(own);
}

size_t intern_count(void)
{
	size_t count = 0;

	for (int i = 0; i < SHARDS; i++) {
		cox_lock_scope(&shards[i].lock);
		count += shards[i].names.count;
	}
	return count;
}
