/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Informers: reflectors shared by listers. One thread steps the reflectors of
 * a client, so a slow list delays other fills, never watches.
 *
 * Locks, in this order:
 *   informer.deliver  serialises what `changed` is told, and a lister's joining
 *                     and leaving; held during `changed`
 *   informers.mutex   the list of informers, their due times
 *   informer.data     the mirror; never held during `changed`
 */
#include "client/informer.h"

#include "base/clock.h"
#include "base/log.h"
#include "client/mirror.h"
#include "client/reflector.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

struct informer {
	struct informers *owner;
	struct informer *next;
	char *identity; /* what listers share it by */
	struct reflector *reflector;
	unsigned users; /* listers, and lister_open under way; under owner->mutex */
	bool busy;	/* the thread is stepping it; likewise */
	bool poked;
	uint64_t due;
	pthread_mutex_t deliver;
	struct cox_lister *listers; /* under deliver */
	pthread_rwlock_t data;
	struct mirror mirror;
	_Atomic bool synced;
};

struct lister_index {
	char *name;
	struct mirror_index *index;
};

struct cox_lister {
	struct informer *informer;
	struct cox_lister *next;
	struct cox_lister_watcher watcher; /* changed NULL: nobody */
	uint64_t resync;
	uint64_t resync_due;
	COX_VEC(struct lister_index) indexes;
};

struct informers {
	struct client *client;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct informer *first;
	pthread_t thread;
	bool stopping;
};

static void wait_until(struct informers *informers, uint64_t until)
{
	struct timespec when = {.tv_sec = (time_t)(until / CLOCK_SECOND),
				.tv_nsec = (long)(until % CLOCK_SECOND)};

	if (until)
		pthread_cond_timedwait(&informers->changed, &informers->mutex, &when);
	else
		pthread_cond_wait(&informers->changed, &informers->mutex);
}

/* ---- what reflectors tell ---- */

/* With `deliver` held. */
static void tell(struct informer *informer, const struct cox_object *old,
		 const struct cox_object *now)
{
	for (struct cox_lister *lister = informer->listers; lister; lister = lister->next) {
		if (lister->watcher.changed)
			lister->watcher.changed(lister->watcher.self, old, now);
	}
}

static struct cox_object *take_out(struct informer *informer, const struct cox_object *object)
{
	cox_autobuf key = COX_BUF_INIT;
	struct cox_object *old;

	mirror_key(&key, object_namespace(object), object_name(object));
	pthread_rwlock_wrlock(&informer->data);
	old = mirror_remove(&informer->mirror, key.data);
	pthread_rwlock_unlock(&informer->data);
	return old;
}

static struct cox_object *put_in(struct informer *informer, struct cox_object *object)
{
	struct cox_object *old;

	pthread_rwlock_wrlock(&informer->data);
	old = mirror_put(&informer->mirror, object);
	pthread_rwlock_unlock(&informer->data);
	return old;
}

static void on_event(void *context, enum client_event_type type, struct cox_object *object)
{
	struct informer *informer = context;

	cox_lock_scope(&informer->deliver);
	if (type == CLIENT_DELETED) {
		cox_autoobject *old = take_out(informer, object);

		if (old)
			tell(informer, object, NULL); /* the last state, not the one before */
	} else {
		cox_autoobject *old = put_in(informer, object);

		tell(informer, old, object);
	}
}

/* What the collection has and the new list has not. */
static void find_gone(struct informer *informer, const struct object_list *objects,
		      struct object_list *gone)
{
	struct object_list had = {0};
	struct cox_map names = COX_MAP_INIT;

	for (size_t i = 0; i < objects->count; i++) {
		cox_autobuf key = COX_BUF_INIT;

		mirror_key(&key, object_namespace(objects->items[i]),
			   object_name(objects->items[i]));
		cox_map_put(&names, key.data, key.size, objects->items[i]);
	}
	pthread_rwlock_rdlock(&informer->data);
	mirror_all(&informer->mirror, &had);
	pthread_rwlock_unlock(&informer->data);
	for (size_t i = 0; i < had.count; i++) {
		cox_autobuf key = COX_BUF_INIT;

		mirror_key(&key, object_namespace(had.items[i]), object_name(had.items[i]));
		if (!cox_map_has(&names, key.data, key.size))
			cox_vec_push(gone, object_ref(had.items[i]));
	}
	cox_map_free(&names);
	object_list_free(&had);
}

static void on_replace(void *context, const struct object_list *objects)
{
	struct informer *informer = context;
	struct object_list gone = {0};

	{
		cox_lock_scope(&informer->deliver);
		find_gone(informer, objects, &gone);
		for (size_t i = 0; i < gone.count; i++) {
			object_unref(take_out(informer, gone.items[i]));
			tell(informer, gone.items[i], NULL);
		}
		for (size_t i = 0; i < objects->count; i++) {
			cox_autoobject *old = put_in(informer, objects->items[i]);

			if (!old ||
			    strcmp(object_revision(old), object_revision(objects->items[i])) != 0)
				tell(informer, old, objects->items[i]);
		}
		atomic_store(&informer->synced, true);
	}
	object_list_free(&gone);
	cox_lock_scope(&informer->owner->mutex);
	pthread_cond_broadcast(&informer->owner->changed);
}

static void on_wake(void *context)
{
	struct informer *informer = context;

	cox_lock_scope(&informer->owner->mutex);
	informer->poked = true;
	pthread_cond_broadcast(&informer->owner->changed);
}

/* ---- the thread ---- */

void lister_repeat(struct cox_lister *lister)
{
	struct informer *informer = lister->informer;
	struct object_list all = {0};

	cox_lock_scope(&informer->deliver);
	pthread_rwlock_rdlock(&informer->data);
	mirror_all(&informer->mirror, &all);
	pthread_rwlock_unlock(&informer->data);
	for (size_t i = 0; i < all.count; i++)
		lister->watcher.changed(lister->watcher.self, all.items[i], all.items[i]);
	object_list_free(&all);
}

/* Repeats all objects to the listers whose time has come; returns the next time. */
static uint64_t resync(struct informer *informer)
{
	uint64_t now = clock_monotonic(), next = 0;

	cox_lock_scope(&informer->deliver);
	for (struct cox_lister *lister = informer->listers; lister; lister = lister->next) {
		struct object_list all = {0};

		if (!lister->resync || !lister->watcher.changed)
			continue;
		if (lister->resync_due <= now) {
			lister->resync_due = now + lister->resync;
			pthread_rwlock_rdlock(&informer->data);
			mirror_all(&informer->mirror, &all);
			pthread_rwlock_unlock(&informer->data);
		}
		for (size_t i = 0; i < all.count; i++)
			lister->watcher.changed(lister->watcher.self, all.items[i], all.items[i]);
		object_list_free(&all);
		if (!next || lister->resync_due < next)
			next = lister->resync_due;
	}
	return next;
}

static void step(struct informer *informer)
{
	uint64_t due = reflector_step(informer->reflector);
	uint64_t again = resync(informer);

	if (again && (!due || again < due))
		due = again;
	cox_lock_scope(&informer->owner->mutex);
	informer->due = due;
}

static struct informer *next_due(struct informers *informers, uint64_t *until)
{
	uint64_t now = clock_monotonic();

	*until = 0;
	for (struct informer *at = informers->first; at; at = at->next) {
		if (at->poked || (at->due && at->due <= now))
			return at;
		if (at->due && (!*until || at->due < *until))
			*until = at->due;
	}
	return NULL;
}

static void *informers_run(void *argument)
{
	struct informers *informers = argument;
	uint64_t until;

	pthread_mutex_lock(&informers->mutex);
	while (!informers->stopping) {
		struct informer *informer = next_due(informers, &until);

		if (!informer) {
			wait_until(informers, until);
			continue;
		}
		informer->poked = false;
		informer->busy = true;
		pthread_mutex_unlock(&informers->mutex);
		step(informer);
		pthread_mutex_lock(&informers->mutex);
		informer->busy = false;
		pthread_cond_broadcast(&informers->changed);
	}
	pthread_mutex_unlock(&informers->mutex);
	return NULL;
}

struct informers *informers_new(struct client *client, struct cox_error *err)
{
	struct informers *informers = cox_new(struct informers);
	pthread_condattr_t attributes;
	int failed;

	informers->client = client;
	pthread_mutex_init(&informers->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&informers->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	failed = pthread_create(&informers->thread, NULL, informers_run, informers);
	if (!failed)
		return informers;
	error_errno(err, failed, "start the informers' thread");
	pthread_cond_destroy(&informers->changed);
	pthread_mutex_destroy(&informers->mutex);
	free(informers);
	return NULL;
}

void informers_free(struct informers *informers)
{
	if (!informers)
		return;
	pthread_mutex_lock(&informers->mutex);
	informers->stopping = true;
	pthread_cond_broadcast(&informers->changed);
	pthread_mutex_unlock(&informers->mutex);
	pthread_join(informers->thread, NULL);
	pthread_cond_destroy(&informers->changed);
	pthread_mutex_destroy(&informers->mutex);
	free(informers);
}

/* ---- opening and closing ---- */

static char *identity_of(const struct cox_lister_options *options)
{
	const struct cox_resource *resource = options->resource;
	struct cox_buf text = COX_BUF_INIT;
	const char *const parts[] = {resource->group,	      resource->version,
				     resource->resource,      options->namespace_name,
				     options->label_selector, options->field_selector};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		cox_buf_str(&text, parts[i] ? parts[i] : "");
		cox_buf_char(&text, '\n');
	}
	return cox_buf_steal(&text);
}

static struct informer *informer_new(struct informers *informers, char *identity,
				     const struct cox_lister_options *options)
{
	static const struct reflector_target target = {on_event, on_replace, on_wake};
	const struct reflector_source source = {
		.group = options->resource->group,
		.version = options->resource->version,
		.resource = options->resource->resource,
		.namespace = options->namespace_name,
		.label_selector = options->label_selector,
		.field_selector = options->field_selector,
	};
	struct informer *informer = cox_new(struct informer);

	informer->owner = informers;
	informer->identity = identity;
	informer->poked = true;
	pthread_mutex_init(&informer->deliver, NULL);
	pthread_rwlock_init(&informer->data, NULL);
	informer->reflector = reflector_new(informers->client, &source, &target, informer);
	return informer;
}

/* Finds or makes the informer and counts the caller as a user. */
static struct informer *informer_take(struct informers *informers,
				      const struct cox_lister_options *options)
{
	char *identity = identity_of(options);
	struct informer *informer;

	cox_lock_scope(&informers->mutex);
	for (informer = informers->first; informer; informer = informer->next) {
		if (!strcmp(informer->identity, identity))
			break;
	}
	if (informer) {
		free(identity);
	} else {
		informer = informer_new(informers, identity, options);
		informer->next = informers->first;
		informers->first = informer;
		pthread_cond_broadcast(&informers->changed);
	}
	informer->users++;
	return informer;
}

static void informer_drop(struct informer *informer)
{
	struct informers *informers = informer->owner;

	{
		struct informer **at = &informers->first;

		cox_lock_scope(&informers->mutex);
		if (--informer->users)
			return;
		while (*at != informer)
			at = &(*at)->next;
		*at = informer->next;
		while (informer->busy)
			pthread_cond_wait(&informers->changed, &informers->mutex);
	}
	reflector_free(informer->reflector);
	mirror_free(&informer->mirror);
	pthread_rwlock_destroy(&informer->data);
	pthread_mutex_destroy(&informer->deliver);
	free(informer->identity);
	free(informer);
}

static void add_indexes(struct cox_lister *lister, const struct cox_index *indexes)
{
	struct informer *informer = lister->informer;

	pthread_rwlock_wrlock(&informer->data);
	for (; indexes && indexes->name; indexes++) {
		struct lister_index index = {cox_strdup(indexes->name),
					     mirror_index(&informer->mirror, indexes->values)};

		cox_vec_push(&lister->indexes, index);
	}
	pthread_rwlock_unlock(&informer->data);
}

/* Puts the lister among those that hear of changes, after all it must know. */
static void join(struct cox_lister *lister)
{
	struct informer *informer = lister->informer;
	struct object_list all = {0};

	cox_lock_scope(&informer->deliver);
	if (lister->watcher.changed) {
		pthread_rwlock_rdlock(&informer->data);
		mirror_all(&informer->mirror, &all);
		pthread_rwlock_unlock(&informer->data);
	}
	for (size_t i = 0; i < all.count; i++)
		lister->watcher.changed(lister->watcher.self, NULL, all.items[i]);
	object_list_free(&all);
	lister->next = informer->listers;
	informer->listers = lister;
}

struct cox_lister *lister_open(struct informers *informers,
			       const struct cox_lister_options *options, struct cox_error *err)
{
	struct cox_lister *lister;

	if (!options->resource || !options->resource->version || !options->resource->resource) {
		error_set(err, COX_REASON_BAD_REQUEST, "a lister needs a version and a resource");
		return NULL;
	}
	lister = cox_new(struct cox_lister);
	lister->informer = informer_take(informers, options);
	if (options->watcher)
		lister->watcher = *options->watcher;
	if (options->resync_ns && lister->watcher.changed) {
		lister->resync = options->resync_ns;
		lister->resync_due = clock_monotonic() + options->resync_ns;
	}
	add_indexes(lister, options->indexes);
	join(lister);
	if (lister->resync)
		on_wake(lister->informer); /* the thread learns of the new time */
	return lister;
}

void lister_close(struct cox_lister *lister)
{
	struct informer *informer;
	struct cox_lister **at;

	if (!lister)
		return;
	informer = lister->informer;
	pthread_mutex_lock(&informer->deliver);
	at = &informer->listers;
	while (*at != lister)
		at = &(*at)->next;
	*at = lister->next;
	pthread_mutex_unlock(&informer->deliver);
	informer_drop(informer);
	for (size_t i = 0; i < lister->indexes.count; i++)
		free(lister->indexes.items[i].name);
	cox_vec_free(&lister->indexes);
	free(lister);
}

/* ---- reading ---- */

bool lister_synced(const struct cox_lister *lister)
{
	return atomic_load(&lister->informer->synced);
}

bool lister_wait(struct cox_lister *lister, uint64_t deadline)
{
	struct informers *informers = lister->informer->owner;

	cox_lock_scope(&informers->mutex);
	while (!lister_synced(lister) && clock_monotonic() < deadline)
		wait_until(informers, deadline);
	return lister_synced(lister);
}

struct cox_object *lister_get(const struct cox_lister *lister, const char *namespace,
			      const char *name)
{
	struct informer *informer = lister->informer;
	cox_autobuf key = COX_BUF_INIT;
	struct cox_object *object;

	mirror_key(&key, namespace, name);
	pthread_rwlock_rdlock(&informer->data);
	object = object_ref(mirror_get(&informer->mirror, cox_buf_cstr(&key)));
	pthread_rwlock_unlock(&informer->data);
	return object;
}

static void hand_out(struct object_list *objects, const char *namespace,
		     const struct cox_object_sink *sink)
{
	for (size_t i = 0; i < objects->count; i++) {
		struct cox_object *object = objects->items[i];

		if (namespace && *namespace && strcmp(namespace, object_namespace(object)) != 0)
			continue;
		if (sink->object(sink->to, object))
			break;
	}
	object_list_free(objects);
}

void lister_list(const struct cox_lister *lister, const char *namespace,
		 const struct cox_object_sink *sink)
{
	struct informer *informer = lister->informer;
	struct object_list all = {0};

	pthread_rwlock_rdlock(&informer->data);
	mirror_all(&informer->mirror, &all);
	pthread_rwlock_unlock(&informer->data);
	hand_out(&all, namespace, sink);
}

void lister_find(const struct cox_lister *lister, const char *name, const char *value,
		 const struct cox_object_sink *sink)
{
	struct informer *informer = lister->informer;
	const struct mirror_index *index = NULL;
	struct object_list found = {0};

	for (size_t i = 0; i < lister->indexes.count && !index; i++) {
		if (!strcmp(lister->indexes.items[i].name, name))
			index = lister->indexes.items[i].index;
	}
	if (!index) {
		log_error("no index \"%s\" was declared", name);
		return;
	}
	pthread_rwlock_rdlock(&informer->data);
	mirror_find(index, value, &found);
	pthread_rwlock_unlock(&informer->data);
	hand_out(&found, NULL, sink);
}

size_t lister_count(const struct cox_lister *lister)
{
	struct informer *informer = lister->informer;
	size_t count;

	pthread_rwlock_rdlock(&informer->data);
	count = informer->mirror.items.count;
	pthread_rwlock_unlock(&informer->data);
	return count;
}
