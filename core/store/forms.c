/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of forms: shards, each a hash map and a list from the newest use
 * to the oldest under a lock of its own. The key is the form's number, the
 * revision and the object's key: never an address, which is used again.
 */
#include "store/forms.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <pthread.h>
#include <string.h>

enum { SHARDS = 16, OVERHEAD = 128, KEY_ROOM = 1024 };

struct form {
	struct form *newer, *older;
	struct bytes *bytes;
	size_t key_size;
	char key[];
};

struct shard {
	pthread_mutex_t lock;
	struct cox_map map;
	struct form *newest, *oldest;
	size_t bytes;
	uint64_t hits, misses, evicted;
};

struct store_forms {
	size_t limit; /* of one shard */
	struct shard shards[SHARDS];
};

struct store_forms *store_forms_create(size_t bytes)
{
	struct store_forms *forms = cox_new(struct store_forms);

	forms->limit = bytes / SHARDS;
	for (int i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&forms->shards[i].lock, NULL);
		forms->shards[i].map = (struct cox_map)COX_MAP_INIT;
	}
	return forms;
}

static void unlink_form(struct shard *shard, struct form *form)
{
	if (form->newer)
		form->newer->older = form->older;
	else
		shard->newest = form->older;
	if (form->older)
		form->older->newer = form->newer;
	else
		shard->oldest = form->newer;
}

static void link_newest(struct shard *shard, struct form *form)
{
	form->newer = NULL;
	form->older = shard->newest;
	if (form->older)
		form->older->newer = form;
	else
		shard->oldest = form;
	shard->newest = form;
}

static size_t cost(const struct form *form)
{
	return sizeof(*form) + 2 * form->key_size + form->bytes->size + OVERHEAD;
}

static void drop_form(struct shard *shard, struct form *form)
{
	unlink_form(shard, form);
	cox_map_remove(&shard->map, form->key, form->key_size);
	shard->bytes -= cost(form);
	bytes_unref(form->bytes);
	free(form);
}

void store_forms_free(struct store_forms *forms)
{
	if (!forms)
		return;
	for (int i = 0; i < SHARDS; i++) {
		struct shard *shard = &forms->shards[i];

		while (shard->oldest)
			drop_form(shard, shard->oldest);
		cox_map_free(&shard->map);
		pthread_mutex_destroy(&shard->lock);
	}
	free(forms);
}

/* 0: the key is too long to be kept. */
static size_t make_key(const struct store_entry *entry, uint64_t form, char key[KEY_ROOM])
{
	struct cox_bytes object = store_entry_key(entry);
	uint64_t numbers[2] = {form, store_entry_revision(entry)};

	if (object.size > KEY_ROOM - sizeof(numbers))
		return 0;
	memcpy(key, numbers, sizeof(numbers));
	memcpy(key + sizeof(numbers), object.data, object.size);
	return sizeof(numbers) + object.size;
}

static struct shard *shard_of(struct store_forms *forms, const char *key, size_t size)
{
	static const uint64_t seed[2] = {0x636f787377616974, 0x666f726d73686172};

	/* Which shard is no secret; inside, the map has a seed of its own. */
	return &forms->shards[cox_siphash13(seed, key, size) % SHARDS];
}

struct bytes *store_forms_get(struct store_forms *forms, const struct store_entry *entry,
			      uint64_t form_number)
{
	char key[KEY_ROOM];
	size_t size = make_key(entry, form_number, key);
	struct shard *shard;
	struct form *form;

	if (size == 0)
		return NULL;
	shard = shard_of(forms, key, size);
	cox_lock_scope(&shard->lock);
	form = cox_map_get(&shard->map, key, size);
	if (!form) {
		shard->misses++;
		return NULL;
	}
	shard->hits++;
	unlink_form(shard, form);
	link_newest(shard, form);
	return bytes_ref(form->bytes);
}

struct bytes *store_forms_put(struct store_forms *forms, const struct store_entry *entry,
			      uint64_t form_number, struct bytes *bytes)
{
	char key[KEY_ROOM];
	size_t size = make_key(entry, form_number, key);
	struct shard *shard;
	struct form *form;

	if (size == 0 || bytes->size > forms->limit / 4)
		return bytes;
	shard = shard_of(forms, key, size);
	cox_lock_scope(&shard->lock);
	form = cox_map_get(&shard->map, key, size);
	if (form) {
		bytes_unref(bytes);
		return bytes_ref(form->bytes);
	}
	form = cox_alloc(sizeof(*form) + size);
	form->bytes = bytes_ref(bytes);
	form->key_size = size;
	memcpy(form->key, key, size);
	cox_map_put(&shard->map, key, size, form);
	link_newest(shard, form);
	shard->bytes += cost(form);
	while (shard->bytes > forms->limit && shard->oldest != form) {
		drop_form(shard, shard->oldest);
		shard->evicted++;
	}
	return bytes;
}

void store_forms_figures(struct store_forms *forms, struct store_forms_figures *figures)
{
	memset(figures, 0, sizeof(*figures));
	for (int i = 0; i < SHARDS; i++) {
		struct shard *shard = &forms->shards[i];

		cox_lock_scope(&shard->lock);
		figures->hits += shard->hits;
		figures->misses += shard->misses;
		figures->evicted += shard->evicted;
		figures->count += shard->map.count;
		figures->bytes += shard->bytes;
	}
}
