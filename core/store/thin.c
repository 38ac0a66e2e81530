/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thinning: a collection of records (events) may not crowd out the objects
 * that the records are about. When it takes more than its share, its oldest
 * objects are deleted in a round that frees an eighth of the share, each only if
 * nobody has changed it meanwhile. Rounds are the keeper's.
 */
#include "base/log.h"
#include "store/internal.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

enum {
	SHARE_LEAST = 1 << 20, /* bytes, however small the rest is */
	DELETIONS_MOST = 1024  /* at a time: the queue is for others too */
};

/* One deletion under way; freed when its result is told. */
struct deletion {
	struct store_txn txn;
	struct store_collection *collection;
	struct store_entry *entry;
	struct cox_compare compare;
	struct cox_bytes key;
};

/* As much as half of everything else; lock held. */
static uint64_t share_of(const struct store_collection *collection)
{
	const struct store *store = collection->store;
	uint64_t others = 0;

	if (store->options.record_bytes)
		return store->options.record_bytes;
	for (size_t i = 0; i < store->collections.count; i++)
		if (store->collections.items[i] != collection)
			others += store->collections.items[i]->entry_bytes;
	return others / 2 < SHARE_LEAST ? SHARE_LEAST : others / 2;
}

bool thin_is_due(const struct store_collection *collection)
{
	return collection->records && !collection->in_round &&
	       collection->entry_bytes > share_of(collection);
}

static void deleted(struct store_txn *txn)
{
	struct deletion *deletion = (struct deletion *)txn;
	struct store_collection *collection = deletion->collection;
	struct store *store = collection->store;

	pthread_mutex_lock(&store->lock);
	if (--collection->thinning == 0) {
		store->crowded = true; /* the keeper goes on, or ends the round */
		pthread_cond_signal(&store->keeper_wake);
	}
	pthread_mutex_unlock(&store->lock);
	store_entry_unref(deletion->entry);
	free(deletion);
}

static int submit_deletion(struct store_collection *collection, struct store_entry *entry,
			   struct cox_error *err)
{
	struct deletion *deletion = cox_new(struct deletion);

	deletion->collection = collection;
	deletion->entry = store_entry_ref(entry);
	deletion->key = store_entry_key(entry);
	deletion->compare = (struct cox_compare){deletion->key, store_entry_revision(entry)};
	deletion->txn = (struct store_txn){.compares = &deletion->compare,
					   .compare_count = 1,
					   .deletes = &deletion->key,
					   .delete_count = 1,
					   .durability = COX_RELAXED,
					   .done = deleted};
	pthread_mutex_lock(&collection->store->lock);
	collection->thinning++;
	pthread_mutex_unlock(&collection->store->lock);
	if (store_submit(collection->store, &deletion->txn, err) == 0)
		return 0;
	pthread_mutex_lock(&collection->store->lock);
	collection->thinning--;
	pthread_mutex_unlock(&collection->store->lock);
	store_entry_unref(deletion->entry);
	free(deletion);
	return -1;
}

static int older(const void *a, const void *b)
{
	uint64_t one = store_entry_revision(*(struct store_entry *const *)a);
	uint64_t two = store_entry_revision(*(struct store_entry *const *)b);

	return one < two ? -1 : one > two;
}

/* Those that go in this round: the oldest of the version that make up `excess` bytes. */
static void begin_round(struct store_collection *collection, const struct version *version,
			uint64_t excess)
{
	struct thin_round *round = &collection->round;
	struct ptree_cursor cursor;
	struct store_entry *entry;
	uint64_t bytes = 0;
	size_t count = 0, all;

	ptree_seek(&version->entries, &cursor, NULL, false);
	while ((entry = ptree_next(&cursor)))
		cox_vec_push(&round->entries, entry);
	all = round->entries.count;
	qsort(round->entries.items, all, sizeof(round->entries.items[0]), older);
	while (count < all && bytes < excess)
		bytes += store_entry_memory(store_entry_ref(round->entries.items[count++]));
	round->entries.count = count;
	round->next = 0;
	log_verbose(2, "%s take more than their share: the oldest %zu of %zu go", collection->name,
		    count, all);
}

/* As many as may be under way; a full queue leaves the rest to the next look. */
static void go_on(struct store_collection *collection)
{
	struct thin_round *round = &collection->round;
	struct store *store = collection->store;
	bool over;

	for (;;) {
		cox_autoerror err = COX_ERROR_INIT;
		size_t under_way;

		pthread_mutex_lock(&store->lock);
		under_way = collection->thinning;
		over = round->next == round->entries.count && under_way == 0;
		if (over)
			collection->in_round = false;
		pthread_mutex_unlock(&store->lock);
		if (over || round->next == round->entries.count || under_way >= DELETIONS_MOST ||
		    submit_deletion(collection, round->entries.items[round->next], &err))
			break;
		store_entry_unref(round->entries.items[round->next++]);
	}
	if (over)
		cox_vec_free(&round->entries);
}

static void thin(struct store_collection *collection)
{
	struct store *store = collection->store;
	struct version *version = NULL;
	uint64_t excess = 0;
	bool in_round;

	pthread_mutex_lock(&store->lock);
	if (!collection->removed && thin_is_due(collection)) {
		uint64_t share = share_of(collection);

		excess = collection->entry_bytes - share + share / 8;
		version = version_ref(collection->version);
		collection->in_round = true;
	}
	in_round = collection->in_round;
	pthread_mutex_unlock(&store->lock);
	if (version)
		begin_round(collection, version, excess);
	version_unref(version);
	if (in_round)
		go_on(collection);
}

void thin_all(struct store *store)
{
	COX_VEC(struct store_collection *) records = {0};

	pthread_mutex_lock(&store->lock);
	store->crowded = false;
	for (size_t i = 0; i < store->collections.count; i++)
		if (store->collections.items[i]->records)
			cox_vec_push(&records, store->collections.items[i]);
	pthread_mutex_unlock(&store->lock);
	for (size_t i = 0; i < records.count; i++)
		thin(records.items[i]); /* one that is removed is freed only with the store */
	cox_vec_free(&records);
}

void thin_free(struct store_collection *collection)
{
	struct thin_round *round = &collection->round;

	while (round->next < round->entries.count)
		store_entry_unref(round->entries.items[round->next++]);
	cox_vec_free(&round->entries);
}
