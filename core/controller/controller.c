/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controllers' runner. A controller is a set of queues with worker threads
 * and a set of sources, which are listers whose changes become keys. One timer
 * thread serves all controllers.
 *
 * Locks: controller.mutex over its sources, which plugins may add at any time;
 * controllers.mutex over `stopping` and the timers' clock. Neither is held
 * while a plugin or a lister is called, but for the repetition after an overflow.
 */
#include "controller/controller.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/crew.h"
#include "base/log.h"
#include "client/cluster.h"
#include "client/mirror.h"
#include "client/queue.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/vec.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define SYNC_POLL (200 * CLOCK_MILLISECOND)
#define RECONCILE_TIMEOUT (300 * CLOCK_SECOND)

enum { WORKERS_MAX = 64, WORKER_STACK = 1 << 20, SOURCES_MAX = 1024, TIMERS_MAX = 256 };

struct controller;

struct work {
	struct controller *controller;
	char *name;
	struct queue *queue;
	uint32_t workers; /* at most */
	struct crew *crew;
};

struct timer {
	struct work *work;
	char *key;
	uint64_t period;
	uint64_t due;
};

struct source {
	struct controller *controller;
	struct work *work; /* NULL: for listing only */
	struct cox_lister *lister;
	struct cox_lister_watcher watcher;
	void (*keys)(void *self, const struct cox_object *old, const struct cox_object *now,
		     const struct cox_keys *keys);
};

struct controller {
	struct controllers *owner;
	char *name;
	char *component; /* "replication-controller", as events name it */
	struct controller_plugin plugin;
	struct cluster cluster;
	struct cox_controller_setup setup;
	pthread_mutex_t mutex;
	COX_VEC(struct work *) works;
	COX_VEC(struct source *) sources;
	COX_VEC(struct timer) timers;
};

struct controllers {
	struct client *client;
	struct informers *informers;
	struct recorder *recorder;
	COX_VEC(struct controller *) all;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	pthread_t timer_thread;
	struct cox_cancel cancel; /* set when the daemon stops */
	bool timer_started;
	bool started;
	bool stopping;
};

/* ---- keys ---- */

struct key_sink {
	struct cox_keys sink;
	struct queue *queue;
};

static void emit_key(const struct cox_keys *sink, const char *key)
{
	struct queue *queue = ((const struct key_sink *)(const void *)sink)->queue;

	if (queue_add(queue, key))
		log_verbose(4, "queue: %s was not added", key);
}

static void source_changed(void *self, const struct cox_object *old, const struct cox_object *now)
{
	struct source *source = self;
	const struct key_sink keys = {{emit_key}, source->work->queue};
	const struct cox_object *object = now ? now : old;
	cox_autobuf key = COX_BUF_INIT;

	if (source->keys) {
		source->keys(source->controller->plugin.self, old, now, &keys.sink);
		return;
	}
	mirror_key(&key, object_namespace(object), object_name(object));
	emit_key(&keys.sink, key.data);
}

/* ---- what setup() builds with ---- */

static struct work *find_work(struct controller *controller, const char *name)
{
	for (size_t i = 0; name && i < controller->works.count; i++) {
		if (!strcmp(controller->works.items[i]->name, name))
			return controller->works.items[i];
	}
	return NULL;
}

static int builder_queue(void *builder, const char *name, uint32_t workers, struct cox_error *err)
{
	struct controller *controller = builder;
	struct work *work;

	if (controller->owner->started)
		return error_set(err, COX_REASON_BAD_REQUEST, "queues are declared in setup only");
	if (!name || !*name || find_work(controller, name))
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "a queue needs a name that no other has");
	if (!workers || workers > WORKERS_MAX)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "queue %s: %u workers, 1 to %d are possible", name, workers,
				 WORKERS_MAX);
	work = cox_new(struct work);
	work->controller = controller;
	work->name = cox_strdup(name);
	work->queue = queue_new(0);
	work->workers = workers;
	cox_vec_push(&controller->works, work);
	return 0;
}

static void source_free(struct source *source)
{
	lister_close(source->lister);
	free(source);
}

static struct cox_lister *builder_source(void *builder, const struct cox_source *wanted,
					 struct cox_error *err)
{
	struct controller *controller = builder;
	struct source *source = cox_new(struct source);
	struct cox_lister_options options = {.struct_size = sizeof(options),
					     .resource = wanted->resource,
					     .namespace_name = wanted->namespace_name,
					     .label_selector = wanted->label_selector,
					     .field_selector = wanted->field_selector,
					     .indexes = wanted->indexes,
					     .resync_ns = wanted->resync_ns};

	source->controller = controller;
	source->keys = wanted->keys;
	source->work = find_work(controller, wanted->queue);
	source->watcher = (struct cox_lister_watcher){source_changed, source};
	if (wanted->queue && !source->work) {
		error_set(err, COX_REASON_BAD_REQUEST, "there is no queue %s", wanted->queue);
		free(source);
		return NULL;
	}
	if (source->work)
		options.watcher = &source->watcher;
	source->lister = lister_open(controller->owner->informers, &options, err);
	if (!source->lister) {
		free(source);
		return NULL;
	}
	pthread_mutex_lock(&controller->mutex);
	if (controller->sources.count < SOURCES_MAX) {
		cox_vec_push(&controller->sources, source);
		pthread_mutex_unlock(&controller->mutex);
		return source->lister;
	}
	pthread_mutex_unlock(&controller->mutex);
	source_free(source);
	error_set(err, COX_REASON_TOO_MANY_REQUESTS, "more than %d sources", SOURCES_MAX);
	return NULL;
}

static void builder_drop_source(void *builder, struct cox_lister *lister)
{
	struct controller *controller = builder;
	struct source *source = NULL;

	pthread_mutex_lock(&controller->mutex);
	for (size_t i = 0; i < controller->sources.count; i++) {
		if (controller->sources.items[i]->lister == lister) {
			source = controller->sources.items[i];
			controller->sources.items[i] =
				controller->sources.items[--controller->sources.count];
			break;
		}
	}
	pthread_mutex_unlock(&controller->mutex);
	if (source)
		source_free(source);
}

static int builder_every(void *builder, const char *queue, const char *key, uint64_t period_ns,
			 struct cox_error *err)
{
	struct controller *controller = builder;
	struct timer timer = {find_work(controller, queue), NULL, period_ns, 0};

	if (controller->owner->started || !timer.work || !key || period_ns < CLOCK_MILLISECOND ||
	    controller->timers.count >= TIMERS_MAX)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "a timer is set in setup, with a queue, a key and a period of "
				 "1 ms or more");
	timer.key = cox_strdup(key);
	cox_vec_push(&controller->timers, timer);
	return 0;
}

static int builder_enqueue(void *builder, const char *queue, const char *key, uint64_t delay_ns)
{
	const struct work *work = find_work(builder, queue);

	return work ? queue_add_after(work->queue, key, delay_ns) : -1;
}

/* ---- workers ---- */

static bool stopping(struct controllers *controllers)
{
	cox_lock_scope(&controllers->mutex);
	return controllers->stopping;
}

/* The first source that is not complete yet; NULL: all are. */
static struct cox_lister *missing(struct controller *controller)
{
	cox_lock_scope(&controller->mutex);
	for (size_t i = 0; i < controller->sources.count; i++) {
		if (!lister_synced(controller->sources.items[i]->lister))
			return controller->sources.items[i]->lister;
	}
	return NULL;
}

/* False: it stops before the sources are complete. */
static bool wait_ready(struct controller *controller)
{
	struct controllers *controllers = controller->owner;

	while (missing(controller)) {
		uint64_t until = clock_monotonic() + SYNC_POLL;
		struct timespec when = {.tv_sec = (time_t)(until / CLOCK_SECOND),
					.tv_nsec = (long)(until % CLOCK_SECOND)};

		cox_lock_scope(&controllers->mutex);
		if (controllers->stopping)
			return false;
		pthread_cond_timedwait(&controllers->changed, &controllers->mutex, &when);
	}
	return !stopping(controllers);
}

/* A queue that had to refuse keys gets them all again when there is room. */
static void make_up_for_overflow(struct work *work)
{
	struct controller *controller = work->controller;

	if (queue_length(work->queue) > QUEUE_LIMIT / 2 || !queue_overflowed(work->queue))
		return;
	cox_lock_scope(&controller->mutex);
	for (size_t i = 0; i < controller->sources.count; i++) {
		if (controller->sources.items[i]->work == work)
			lister_repeat(controller->sources.items[i]->lister);
	}
}

static int call_plugin(struct work *work, const char *key, uint64_t *again, struct cox_error *err)
{
	const struct controller_plugin *plugin = &work->controller->plugin;
	const struct cox_call call = {.struct_size = sizeof(call),
				      .deadline_ns = clock_monotonic() + RECONCILE_TIMEOUT,
				      .cancel = &work->controller->owner->cancel};

	if (plugin->plugin) {
		host_call_scope(plugin->plugin);
		if (!plugin->ops->reconcile(plugin->self, &call, work->name, key, again, err))
			return 0;
		return host_op_failed(plugin->plugin, "reconcile", err);
	}
	return plugin->ops->reconcile(plugin->self, &call, work->name, key, again, err);
}

/* Somebody else wrote first, or deleted it, or deletes all around it. */
static bool is_everyday(const struct cox_error *err)
{
	for (size_t i = 0; i < err->cause_count; i++)
		if (!strcmp(err->causes[i].reason, "NamespaceTerminating"))
			return true;
	return err->reason == COX_REASON_CONFLICT || err->reason == COX_REASON_NOT_FOUND;
}

static void reconcile(struct work *work, const char *key)
{
	cox_autoerror err = COX_ERROR_INIT;
	uint64_t again = 0;

	if (!call_plugin(work, key, &again, &err)) {
		queue_forget(work->queue, key);
		if (again && queue_add_after(work->queue, key, again))
			log_verbose(4, "queue: %s was not added again", key);
		return;
	}
	if (is_everyday(&err))
		log_verbose(2, "%s: %s %s: %s", work->controller->name, work->name, key,
			    error_text(&err));
	else
		log_warning("%s: %s %s: %s", work->controller->name, work->name, key,
			    error_text(&err));
	if (queue_retry(work->queue, key))
		log_verbose(4, "queue: %s was not added again", key);
}

static void worker_run(void *argument)
{
	struct work *work = argument;

	if (!wait_ready(work->controller))
		return;
	for (;;) {
		char *key = queue_take(work->queue, crew_deadline(work->crew));

		if (!key) {
			if (stopping(work->controller->owner) || crew_leave(work->crew))
				return;
			continue;
		}
		crew_busy(work->crew);
		reconcile(work, key);
		queue_done(work->queue, key);
		free(key);
		make_up_for_overflow(work);
		crew_idle(work->crew);
	}
}

/* ---- timers ---- */

/* Adds what is due; returns the next time (0: none). */
static uint64_t run_timers(struct controllers *controllers)
{
	uint64_t now = clock_monotonic(), next = 0;

	for (size_t i = 0; i < controllers->all.count; i++) {
		struct controller *controller = controllers->all.items[i];

		for (size_t j = 0; j < controller->timers.count; j++) {
			struct timer *timer = &controller->timers.items[j];

			if (!timer->due)
				timer->due = now + timer->period;
			if (timer->due <= now) {
				if (queue_add(timer->work->queue, timer->key))
					log_verbose(4, "queue: %s was not added", timer->key);
				timer->due = now + timer->period;
			}
			if (!next || timer->due < next)
				next = timer->due;
		}
	}
	return next;
}

static void *timers_run(void *argument)
{
	struct controllers *controllers = argument;

	pthread_mutex_lock(&controllers->mutex);
	while (!controllers->stopping) {
		uint64_t next = run_timers(controllers);
		struct timespec when = {.tv_sec = (time_t)(next / CLOCK_SECOND),
					.tv_nsec = (long)(next % CLOCK_SECOND)};

		if (next)
			pthread_cond_timedwait(&controllers->changed, &controllers->mutex, &when);
		else
			pthread_cond_wait(&controllers->changed, &controllers->mutex);
	}
	pthread_mutex_unlock(&controllers->mutex);
	return NULL;
}

/* ---- life ---- */

struct controllers *controllers_new(struct client *client, const char *component,
				    struct cox_error *err)
{
	struct controllers *controllers = cox_new(struct controllers);
	pthread_condattr_t attributes;

	controllers->client = client;
	pthread_mutex_init(&controllers->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&controllers->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	controllers->informers = informers_new(client, err);
	if (controllers->informers)
		controllers->recorder = recorder_new(client, component, NULL, err);
	if (controllers->recorder)
		return controllers;
	controllers_free(controllers);
	return NULL;
}

static int set_up(struct controller *controller, struct cox_error *err)
{
	const struct controller_plugin *plugin = &controller->plugin;

	controller->setup = (struct cox_controller_setup){
		.struct_size = sizeof(controller->setup),
		.builder = controller,
		.cluster = &controller->cluster.table,
		.queue = builder_queue,
		.source = builder_source,
		.drop_source = builder_drop_source,
		.every = builder_every,
		.enqueue = builder_enqueue,
		.cloud = plugin->cloud,
	};
	if (plugin->plugin) {
		host_call_scope(plugin->plugin);
		if (plugin->ops->setup(plugin->self, &controller->setup, err))
			return host_op_failed(plugin->plugin, "setup", err);
		return 0;
	}
	return plugin->ops->setup(plugin->self, &controller->setup, err);
}

int controllers_add(struct controllers *controllers, const struct controller_plugin *plugin,
		    struct cox_error *err)
{
	struct controller *controller = cox_new(struct controller);
	cox_autobuf component = COX_BUF_INIT;

	controller->owner = controllers;
	controller->name = cox_strdup(plugin->name);
	cox_buf_printf(&component, "%s-controller", plugin->name);
	controller->component = cox_buf_steal(&component);
	controller->plugin = *plugin;
	controller->plugin.name = controller->name;
	pthread_mutex_init(&controller->mutex, NULL);
	cluster_init(&controller->cluster, plugin->client ? plugin->client : controllers->client,
		     controllers->informers, controllers->recorder, controller->component);
	cox_vec_push(&controllers->all, controller);
	if (set_up(controller, err))
		return error_wrap(err, "controller %s", plugin->name);
	return 0;
}

static int start_workers(struct work *work, struct cox_error *err)
{
	const struct crew_config config = {.name = "controller",
					   .most = work->workers,
					   .stack_bytes = WORKER_STACK,
					   .run = worker_run,
					   .context = work};

	/* The first worker waits for this to be told. */
	cox_lock_scope(&work->controller->owner->mutex);
	work->crew = crew_open(&config, err);
	if (work->crew)
		return 0;
	return error_wrap(err, "start a worker of %s/%s", work->controller->name, work->name);
}

int controllers_start(struct controllers *controllers, struct cox_error *err)
{
	int failed;

	controllers->started = true;
	failed = pthread_create(&controllers->timer_thread, NULL, timers_run, controllers);
	if (failed)
		return error_errno(err, failed, "start the timers");
	controllers->timer_started = true;
	for (size_t i = 0; i < controllers->all.count; i++) {
		struct controller *controller = controllers->all.items[i];

		for (size_t j = 0; j < controller->works.count; j++) {
			if (start_workers(controller->works.items[j], err))
				return -1;
		}
	}
	return 0;
}

static void controller_join(struct controller *controller)
{
	for (size_t i = 0; i < controller->works.count; i++) {
		crew_close(controller->works.items[i]->crew);
		controller->works.items[i]->crew = NULL;
	}
}

static void controller_free(struct controller *controller)
{
	while (controller->sources.count)
		source_free(controller->sources.items[--controller->sources.count]);
	cox_vec_free(&controller->sources);
	for (size_t i = 0; i < controller->timers.count; i++)
		free(controller->timers.items[i].key);
	cox_vec_free(&controller->timers);
	for (size_t i = 0; i < controller->works.count; i++) {
		struct work *work = controller->works.items[i];

		queue_free(work->queue);
		free(work->name);
		free(work);
	}
	cox_vec_free(&controller->works);
	pthread_mutex_destroy(&controller->mutex);
	free(controller->component);
	free(controller->name);
	free(controller);
}

void controllers_free(struct controllers *controllers)
{
	if (!controllers)
		return;
	cancel_request(&controllers->cancel);
	pthread_mutex_lock(&controllers->mutex);
	controllers->stopping = true;
	pthread_cond_broadcast(&controllers->changed);
	pthread_mutex_unlock(&controllers->mutex);
	for (size_t i = 0; i < controllers->all.count; i++) {
		for (size_t j = 0; j < controllers->all.items[i]->works.count; j++)
			queue_close(controllers->all.items[i]->works.items[j]->queue);
	}
	for (size_t i = 0; i < controllers->all.count; i++)
		controller_join(controllers->all.items[i]);
	if (controllers->timer_started)
		pthread_join(controllers->timer_thread, NULL);
	for (size_t i = 0; i < controllers->all.count; i++)
		controller_free(controllers->all.items[i]);
	cox_vec_free(&controllers->all);
	recorder_free(controllers->recorder);
	informers_free(controllers->informers);
	pthread_cond_destroy(&controllers->changed);
	pthread_mutex_destroy(&controllers->mutex);
	free(controllers);
}
