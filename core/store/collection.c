/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collections: the table of prefixes, and the keys below them. No prefix lies
 * inside another, so the greatest prefix that is not behind a key is the only
 * one that it can have.
 */
#include "store/internal.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct store_collection *collection_make(struct store *store,
					 const struct store_collection_options *options,
					 struct cox_error *err)
{
	struct store_collection *collection;
	size_t size = strlen(options->prefix);

	if (!cox_starts_with(options->prefix, store->prefix) || size == strlen(store->prefix) ||
	    options->prefix[size - 1] != '/' || size > UINT16_MAX / 2 || options->tag == 0) {
		error_set(err, COX_REASON_INTERNAL_ERROR,
			  "%s: the prefix \"%s\" is not a folder below \"%s\", or the tag is 0",
			  options->name, options->prefix, store->prefix);
		return NULL;
	}
	collection = cox_new(struct store_collection);
	if (scan_plan_init(&collection->plan, options, err)) {
		free(collection);
		return NULL;
	}
	collection->store = store;
	collection->name = cox_strdup(options->name);
	collection->prefix = cox_strdup(options->prefix);
	collection->records = options->records;
	collection->tag = options->tag;
	collection->decoder = options->decoder;
	collection->history.buckets = (struct cox_map)COX_MAP_INIT;
	version_types_init(collection);
	collection->version = version_new(collection);
	return collection;
}

void collection_free(struct store_collection *collection)
{
	struct dropped dropped = {0};

	thin_free(collection);
	history_drop_all(collection, &dropped);
	dropped_free(&dropped);
	version_unref(collection->version);
	cox_map_free(&collection->history.buckets);
	scan_plan_free(&collection->plan);
	arena_free(&collection->scratch);
	cox_vec_free(&collection->raw);
	free(collection->by_field);
	free(collection->name);
	free(collection->prefix);
	free(collection);
}

/* The place of the first collection whose prefix is behind the key. */
static size_t place_of(const struct store *store, struct cox_bytes key)
{
	size_t low = 0, high = store->collections.count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct store_collection *one = store->collections.items[middle];
		struct cox_bytes prefix = {one->prefix, one->plan.prefix_size};

		if (compare_bytes(prefix, key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct store_collection *collection_find(struct store *store, struct cox_bytes key)
{
	size_t place = place_of(store, key);
	struct store_collection *found;

	if (place == 0)
		return NULL;
	found = store->collections.items[place - 1];
	if (key.size < found->plan.prefix_size ||
	    memcmp(key.data, found->prefix, found->plan.prefix_size) != 0)
		return NULL;
	return found;
}

/* Puts it in the table; load_lock held. */
static int add_to_table(struct store *store, struct store_collection *collection,
			struct cox_error *err)
{
	struct cox_bytes prefix = {collection->prefix, collection->plan.prefix_size};
	size_t place;

	cox_lock_scope(&store->ingest_lock);
	cox_lock_scope(&store->lock);
	place = place_of(store, prefix);
	if (collection_find(store, prefix) ||
	    (place < store->collections.count &&
	     cox_starts_with(store->collections.items[place]->prefix, collection->prefix)))
		return error_set(err, COX_REASON_INTERNAL_ERROR,
				 "%s: the prefix \"%s\" overlaps that of another collection",
				 collection->name, collection->prefix);
	cox_vec_push(&store->collections, collection);
	memmove(&store->collections.items[place + 1], &store->collections.items[place],
		(store->collections.count - 1 - place) * sizeof(collection));
	store->collections.items[place] = collection;
	return 0;
}

static void remove_from_table(struct store *store, struct store_collection *collection)
{
	for (size_t i = 0; i < store->collections.count; i++) {
		if (store->collections.items[i] != collection)
			continue;
		store->collections.count--;
		memmove(&store->collections.items[i], &store->collections.items[i + 1],
			(store->collections.count - i) * sizeof(collection));
		break;
	}
}

struct store_collection *store_add_collection(struct store *store,
					      const struct store_collection_options *options,
					      struct cox_error *err)
{
	struct store_collection *collection = collection_make(store, options, err);
	bool started;

	if (!collection)
		return NULL;
	pthread_mutex_lock(&store->load_lock);
	started = store->started;
	if (add_to_table(store, collection, err)) {
		pthread_mutex_unlock(&store->load_lock);
		collection_free(collection);
		return NULL;
	}
	pthread_mutex_unlock(&store->load_lock);
	if (started && load_collection(collection, options->tag, options->decoder, err)) {
		store_remove_collection(collection);
		return NULL;
	}
	return collection;
}

int store_reload_collection(struct store_collection *collection, uint32_t tag,
			    const struct store_decoder *decoder, struct cox_error *err)
{
	return load_collection(collection, tag, decoder ? decoder : collection->decoder, err);
}

void store_remove_collection(struct store_collection *collection)
{
	struct store *store = collection->store;
	struct dropped dropped = {0};

	pthread_mutex_lock(&store->load_lock);
	pthread_mutex_lock(&store->ingest_lock);
	for (size_t i = 0; i < store->pending.count;) {
		struct change *change = &store->pending.items[i];

		if (change->collection != collection) {
			i++;
			continue;
		}
		store_entry_unref(change->entry);
		bytes_unref(change->key);
		*change = store->pending.items[--store->pending.count];
	}
	pthread_mutex_lock(&store->wake_lock);
	pthread_mutex_lock(&store->lock);
	collection->live = false;
	collection->removed = true;
	remove_from_table(store, collection);
	cox_vec_push(&store->removed, collection);
	history_drop_all(collection, &dropped);
	cox_vec_push(&dropped.versions, collection->version);
	collection->version = version_new(collection);
	collection->entry_bytes = collection->bad_entries = 0;
	watch_end_all(collection);
	pthread_mutex_unlock(&store->lock);
	watch_wake_all(store);
	pthread_mutex_unlock(&store->wake_lock);
	pthread_mutex_unlock(&store->ingest_lock);
	pthread_mutex_unlock(&store->load_lock);
	dropped_free(&dropped);
}

size_t store_collection_errors(struct store_collection *collection)
{
	cox_lock_scope(&collection->store->lock);
	return collection->bad_entries;
}

struct store *store_of(const struct store_collection *collection)
{
	return collection->store;
}

int store_field_index(const struct store_collection *collection, const char *label)
{
	for (size_t i = 0; i < collection->plan.field_count; i++)
		if (strcmp(collection->plan.field[i].label, label) == 0)
			return (int)i;
	return -1;
}

static bool is_segment(const char *text)
{
	return text && *text && strcmp(text, ".") != 0 && strcmp(text, "..") != 0 &&
	       !strchr(text, '/');
}

int store_key(const struct store_collection *collection, const char *namespace, const char *name,
	      struct cox_buf *key, struct cox_error *err)
{
	bool has_namespace = namespace && *namespace;

	if (!is_segment(name))
		return error_set(err, COX_REASON_BAD_REQUEST, "%s: the name \"%s\" is not valid",
				 collection->name, name ? name : "");
	if (has_namespace != collection->plan.namespaced ||
	    (has_namespace && !is_segment(namespace)))
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "%s: the namespace \"%s\" is not valid", collection->name,
				 namespace ? namespace : "");
	cox_buf_clear(key);
	cox_buf_str(key, collection->prefix);
	if (has_namespace) {
		cox_buf_str(key, namespace);
		cox_buf_char(key, '/');
	}
	cox_buf_str(key, name);
	if (key->size > COX_STORAGE_KEY_MAX)
		return error_set(err, COX_REASON_BAD_REQUEST, "%s: the name is too long",
				 collection->name);
	return 0;
}
