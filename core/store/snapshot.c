/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots and how they are walked. */
#include "store/snapshot.h"

#include "base/clock.h"
#include "store/internal.h"

#include <coxswain/kit/alloc.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_ROOM = 2048 }; /* longer keys are of no object that the API lets in */

struct store_snapshot {
	_Atomic uint32_t references;
	struct store_collection *collection;
	struct version *version;
	uint64_t revision;
};

struct store_snapshot *snapshot_make(struct store_collection *collection, struct version *version,
				     uint64_t revision)
{
	struct store_snapshot *snapshot = cox_alloc(sizeof(*snapshot));

	atomic_init(&snapshot->references, 1);
	snapshot->collection = collection;
	snapshot->version = version;
	snapshot->revision = revision;
	return snapshot;
}

struct store_snapshot *store_snapshot(struct store_collection *collection)
{
	struct store *store = collection->store;
	struct version *version;
	uint64_t revision;

	pthread_mutex_lock(&store->lock);
	version = version_ref(collection->version);
	revision = atomic_load(&store->applied);
	pthread_mutex_unlock(&store->lock);
	return snapshot_make(collection, version, revision);
}

/* A kept version of that revision, or NULL; lock held. */
static struct version *find_kept(struct store_collection *collection, uint64_t revision)
{
	for (size_t i = 0; i < KEPT_MAX; i++) {
		if (!collection->kept[i].version || collection->kept[i].revision != revision)
			continue;
		collection->kept[i].used_ns = clock_monotonic();
		return version_ref(collection->kept[i].version);
	}
	return NULL;
}

/*
 * The version to start from, and the events that lead to the revision; lock
 * held. NULL: not in the history.
 */
static struct version *find_past(struct store_collection *collection, uint64_t revision,
				 struct event **events, size_t *count)
{
	struct segment *found = NULL;
	struct event_link *link;

	for (struct segment *one = collection->history.oldest; one; one = one->next)
		if (one->base_revision <= revision)
			found = one;
	if (!found)
		return NULL;
	link = &found->first->links[EVENT_LINKS_ALL];
	for (size_t i = 0; i < found->count && link->event->revision <= revision; i++) {
		events[(*count)++] = event_ref(link->event);
		link = link->next;
		if (!link)
			break;
	}
	return version_ref(found->base);
}

/* The base with the events on top; takes both. */
static struct version *replay(struct version *base, struct event **events, size_t count)
{
	struct version *version;

	if (count == 0)
		return base;
	version = version_copy(base);
	version_unref(base);
	for (size_t i = 0; i < count; i++) {
		version_apply(version, events[i]->before, events[i]->now);
		event_unref(events[i]);
	}
	return version;
}

struct store_snapshot *store_snapshot_at(struct store_collection *collection, uint64_t revision,
					 struct cox_error *err)
{
	struct store *store = collection->store;
	struct event **events cox_autofree = NULL;
	struct version *version = NULL;
	uint64_t applied;
	size_t count = 0;

	pthread_mutex_lock(&store->lock);
	applied = atomic_load(&store->applied);
	if (revision <= applied && revision >= atomic_load(&store->compacted)) {
		struct segment *newest = collection->history.newest;

		if (revision >= collection->last_revision) {
			version = version_ref(collection->version);
		} else if (!(version = find_kept(collection, revision)) &&
			   revision >= collection->floor && newest) {
			size_t room = SEGMENT_EVENTS;

			for (struct segment *one = collection->history.oldest; one; one = one->next)
				if (one->count > room)
					room = one->count; /* one commit with very many keys */
			events = cox_calloc(room, sizeof(*events));
			version = find_past(collection, revision, events, &count);
		}
	}
	pthread_mutex_unlock(&store->lock);
	if (version)
		return snapshot_make(collection, replay(version, events, count), revision);
	if (revision > applied)
		error_set(err, COX_REASON_TIMEOUT,
			  "Too large resource version: %" PRIu64 ", current: %" PRIu64, revision,
			  applied);
	else
		error_set(err, COX_REASON_EXPIRED,
			  "The provided resource version is too old: %" PRIu64
			  " is no longer in the history of %s",
			  revision, collection->name);
	return NULL;
}

static bool is_kept(const struct store_collection *collection, size_t slot,
		    const struct store_snapshot *snapshot)
{
	return collection->kept[slot].version &&
	       collection->kept[slot].revision == snapshot->revision;
}

void store_snapshot_keep(struct store_snapshot *snapshot, bool begins)
{
	struct store_collection *collection = snapshot->collection;
	struct store *store = collection->store;
	struct version *old = NULL;
	size_t slot = 0;

	pthread_mutex_lock(&store->lock);
	for (size_t i = 0; i < KEPT_MAX; i++) {
		if (is_kept(collection, i, snapshot)) {
			collection->kept[i].used_ns = clock_monotonic();
			collection->kept[i].readers += begins;
			pthread_mutex_unlock(&store->lock);
			return;
		}
		if (!collection->kept[i].version ||
		    (collection->kept[slot].version &&
		     collection->kept[i].used_ns < collection->kept[slot].used_ns))
			slot = i;
	}
	old = collection->kept[slot].version;
	if (collection->removed) {
		old = NULL;
	} else {
		collection->kept[slot].version = version_ref(snapshot->version);
		collection->kept[slot].revision = snapshot->revision;
		collection->kept[slot].used_ns = clock_monotonic();
		collection->kept[slot].past_bytes = collection->past_bytes;
		collection->kept[slot].readers = 1;
	}
	pthread_mutex_unlock(&store->lock);
	version_unref(old);
}

void store_snapshot_finish(struct store_snapshot *snapshot)
{
	struct store_collection *collection = snapshot->collection;
	cox_lock_scope(&collection->store->lock);

	for (size_t i = 0; i < KEPT_MAX; i++)
		if (is_kept(collection, i, snapshot) && collection->kept[i].readers > 0)
			collection->kept[i].readers--;
}

struct store_snapshot *store_snapshot_ref(struct store_snapshot *snapshot)
{
	atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
	return snapshot;
}

void store_snapshot_unref(struct store_snapshot *snapshot)
{
	if (!snapshot ||
	    atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) != 1)
		return;
	version_unref(snapshot->version);
	free(snapshot);
}

uint64_t store_snapshot_revision(const struct store_snapshot *snapshot)
{
	return snapshot->revision;
}

size_t store_snapshot_count(const struct store_snapshot *snapshot)
{
	return snapshot->version->entries.count;
}

/* --- single entries --- */

static struct cox_bytes text_bytes(const char *text)
{
	return (struct cox_bytes){text, text ? strlen(text) : 0};
}

/* prefix, namespace '/' if there is one, name; size 0: too long. */
static struct cox_bytes make_key(const struct store_collection *collection,
				 struct cox_bytes namespace, struct cox_bytes name,
				 char room[KEY_ROOM])
{
	size_t prefix_size = collection->plan.prefix_size;
	size_t size = prefix_size;

	if (prefix_size + namespace.size + name.size + 2 > KEY_ROOM)
		return (struct cox_bytes){room, 0};
	memcpy(room, collection->prefix, prefix_size);
	if (namespace.size > 0) {
		memcpy(room + size, namespace.data, namespace.size);
		size += namespace.size;
		room[size++] = '/';
	}
	if (name.size > 0)
		memcpy(room + size, name.data, name.size);
	return (struct cox_bytes){room, size + name.size};
}

static struct store_entry *get_from(const struct store_collection *collection,
				    const struct version *version, struct cox_bytes namespace,
				    struct cox_bytes name)
{
	char room[KEY_ROOM];
	struct cox_bytes key = make_key(collection, namespace, name, room);

	return key.size > 0 ? version_get(version, key) : NULL;
}

struct store_entry *store_snapshot_get(const struct store_snapshot *snapshot, const char *namespace,
				       const char *name)
{
	struct store_entry *entry = get_from(snapshot->collection, snapshot->version,
					     text_bytes(namespace), text_bytes(name));

	return entry ? store_entry_ref(entry) : NULL;
}

struct store_entry *store_get(struct store_collection *collection, const char *namespace,
			      const char *name)
{
	struct store *store = collection->store;
	struct version *version;
	struct store_entry *entry;

	pthread_mutex_lock(&store->lock);
	version = version_ref(collection->version);
	pthread_mutex_unlock(&store->lock);
	entry = get_from(collection, version, text_bytes(namespace), text_bytes(name));
	if (entry)
		store_entry_ref(entry);
	version_unref(version);
	return entry;
}

/* --- walking --- */

static bool same(struct cox_bytes a, struct cox_bytes b)
{
	return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

bool store_scope_has(const struct store_scope *scope, const struct store_entry *entry)
{
	if (scope->namespace.size > 0 && !same(scope->namespace, store_entry_namespace(entry)))
		return false;
	if (scope->name.size > 0 && !same(scope->name, store_entry_name(entry)))
		return false;
	if (scope->field < 0)
		return true;
	if (store_entry_error(entry))
		return false;
	return same(
		(struct cox_bytes){scope->value.data ? scope->value.data : "", scope->value.size},
		store_entry_field(entry, (size_t)scope->field));
}

enum walk { WALK_ALL, WALK_NAMESPACE, WALK_FIELD, WALK_ONE };

struct iterator {
	struct ptree_cursor cursor;
	const struct store_snapshot *snapshot;
	struct store_scope scope;
	struct store_entry *one;
	enum walk walk;
};

_Static_assert(sizeof(struct iterator) <= sizeof(struct store_iterator), "it fits");

static void begin_one(struct iterator *walk, struct cox_bytes after)
{
	struct store_entry *entry = get_from(walk->snapshot->collection, walk->snapshot->version,
					     walk->scope.namespace, walk->scope.name);

	walk->walk = WALK_ONE;
	if (entry && compare_bytes(store_entry_key(entry), after) > 0)
		walk->one = entry;
}

static void begin_field(struct iterator *walk, size_t index, struct cox_bytes after)
{
	struct index_key key = {walk->scope.value, after};

	walk->walk = WALK_FIELD;
	ptree_seek(&walk->snapshot->version->index[index], &walk->cursor, &key, true);
}

static void begin_namespace(struct iterator *walk, struct cox_bytes after)
{
	char room[KEY_ROOM];
	struct cox_bytes key = make_key(walk->snapshot->collection, walk->scope.namespace,
					(struct cox_bytes){NULL, 0}, room);

	walk->walk = WALK_NAMESPACE;
	walk->cursor.depth = 0;
	if (key.size == 0)
		return; /* nothing has so long a namespace */
	if (compare_bytes(after, key) > 0)
		key = after;
	ptree_seek(&walk->snapshot->version->entries, &walk->cursor, &key, true);
}

void store_iterate(struct store_iterator *iterator, const struct store_snapshot *snapshot,
		   const struct store_scope *scope, struct cox_bytes after)
{
	struct iterator *walk = (struct iterator *)iterator;
	const struct store_collection *collection = snapshot->collection;

	memset(walk, 0, sizeof(*walk));
	walk->snapshot = snapshot;
	walk->scope = *scope;
	if (scope->name.size > 0 && (scope->namespace.size > 0 || !collection->plan.namespaced)) {
		begin_one(walk, after);
		return;
	}
	for (size_t i = 0; scope->field >= 0 && i < collection->index_count; i++) {
		if (collection->by_field[i].field == (size_t)scope->field) {
			begin_field(walk, i, after);
			return;
		}
	}
	if (scope->namespace.size > 0 && collection->plan.namespaced) {
		begin_namespace(walk, after);
		return;
	}
	walk->walk = WALK_ALL;
	ptree_seek(&snapshot->version->entries, &walk->cursor, after.size > 0 ? &after : NULL,
		   true);
}

struct store_entry *store_iterator_next(struct store_iterator *iterator)
{
	struct iterator *walk = (struct iterator *)iterator;
	struct store_entry *entry;

	if (walk->walk == WALK_ONE) {
		entry = walk->one;
		walk->one = NULL;
		return entry && store_scope_has(&walk->scope, entry) ? entry : NULL;
	}
	while ((entry = ptree_next(&walk->cursor))) {
		if (store_scope_has(&walk->scope, entry))
			return entry;
		/* In these two orders what fits lies together. */
		if (walk->walk == WALK_NAMESPACE &&
		    !same(store_entry_namespace(entry), walk->scope.namespace))
			break;
		if (walk->walk == WALK_FIELD &&
		    compare_bytes(store_entry_field(entry, (size_t)walk->scope.field),
				  walk->scope.value) != 0)
			break;
	}
	walk->cursor.depth = 0;
	return NULL;
}

/* Entries before the end of the namespace, or all. */
static size_t rank_of_end(const struct iterator *walk)
{
	const struct ptree *tree = &walk->snapshot->version->entries;
	char room[KEY_ROOM];
	struct cox_bytes key;

	if (walk->walk == WALK_ALL)
		return tree->count;
	key = make_key(walk->snapshot->collection, walk->scope.namespace,
		       (struct cox_bytes){NULL, 0}, room);
	room[key.size - 1] = '/' + 1;
	return ptree_rank(tree, &key, false);
}

size_t store_iterator_count(const struct store_iterator *iterator)
{
	const struct iterator *walk = (const struct iterator *)iterator;
	struct store_iterator ahead = *iterator;
	struct store_entry *next = store_iterator_next(&ahead);
	size_t count = 0;

	if (!next)
		return 0;
	if ((walk->walk == WALK_ALL || walk->walk == WALK_NAMESPACE) && walk->scope.field < 0 &&
	    walk->scope.name.size == 0 &&
	    (walk->walk == WALK_NAMESPACE || walk->scope.namespace.size == 0)) {
		struct cox_bytes key = store_entry_key(next);

		return rank_of_end(walk) -
		       ptree_rank(&walk->snapshot->version->entries, &key, false);
	}
	for (; next; next = store_iterator_next(&ahead))
		count++;
	return count;
}
