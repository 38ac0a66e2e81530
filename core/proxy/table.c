/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which services are to be told; see the header. Changes come from the watch
 * threads and only mark a service's key; the table's thread builds what the
 * listers hold at that moment, so many changes of one service are one.
 *
 * Lock: table.mutex, of the marks and of the state of the thread.
 */
#include "proxy/table.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "client/informer.h"
#include "client/mirror.h"
#include "proxy/build.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t wait_step = 100 * CLOCK_MILLISECOND;
static const uint64_t retry_first = CLOCK_SECOND, retry_last = 30 * CLOCK_SECOND;
static const uint64_t sync_time = 120 * CLOCK_SECOND;

static const struct cox_resource services_resource = {"", "v1", "services"};
static const struct cox_resource endpoints_resource = {"", "v1", "endpoints"};
static const struct cox_resource slices_resource = {"discovery.k8s.io", "v1", "endpointslices"};

struct table {
	struct table_config config;
	struct informers *informers;
	struct cox_lister *services, *endpoints, *slices;
	struct cox_cancel cancel;
	pthread_t thread;
	bool started;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct cox_map marked; /* "namespace/name" of services */
	bool full;
	bool synced;
	bool stopping;
};

/* ---- marks ---- */

static void mark(struct table *table, const char *namespace_name, const char *name)
{
	cox_autobuf key = COX_BUF_INIT;

	if (!*name)
		return;
	cox_buf_printf(&key, "%s/%s", namespace_name, name);
	cox_lock_scope(&table->mutex);
	cox_map_put(&table->marked, key.data, key.size, table);
	pthread_cond_signal(&table->changed);
}

/* Services and their Endpoints have the same name. */
static void object_changed(void *self, const struct cox_object *old, const struct cox_object *now)
{
	const struct cox_object *object = now ? now : old;

	mark(self, object_namespace(object), object_name(object));
}

static const char *service_of(const struct cox_object *slice)
{
	return object_table.text(object_table.root(slice),
				 "metadata.labels[\"kubernetes.io/service-name\"]");
}

static void slice_changed(void *self, const struct cox_object *old, const struct cox_object *now)
{
	if (old)
		mark(self, object_namespace(old), service_of(old));
	if (now)
		mark(self, object_namespace(now), service_of(now));
}

static void slice_keys(const struct cox_objects *objects, const struct cox_object *slice,
		       const struct cox_keys *values)
{
	cox_autobuf key = COX_BUF_INIT;

	(void)objects;
	cox_buf_printf(&key, "%s/%s", object_namespace(slice), service_of(slice));
	values->emit(values, key.data);
}

/* ---- building ---- */

static int take_object(void *to, const struct cox_object *object)
{
	struct object_list *list = to;

	cox_vec_push(list, object_ref(object));
	return 0;
}

static void find_sources(struct table *table, const struct cox_object *service,
			 struct object_list *found)
{
	const struct cox_object_sink sink = {take_object, found};
	cox_autobuf key = COX_BUF_INIT;
	struct cox_object *endpoints;

	cox_buf_printf(&key, "%s/%s", object_namespace(service), object_name(service));
	if (table->slices)
		lister_find(table->slices, "service", key.data, &sink);
	if (found->count)
		return;
	endpoints = lister_get(table->endpoints, object_namespace(service), object_name(service));
	if (endpoints)
		cox_vec_push(found, endpoints);
}

static void add_service(struct table *table, struct build *build, const struct cox_object *service)
{
	struct object_list sources = {0};

	find_sources(table, service, &sources);
	build_service(build, service, sources.items, sources.count);
	object_list_free(&sources);
}

static int by_name(const void *a, const void *b)
{
	const struct cox_object *one = *(struct cox_object *const *)a;
	const struct cox_object *other = *(struct cox_object *const *)b;
	int order = strcmp(object_namespace(one), object_namespace(other));

	return order ? order : strcmp(object_name(one), object_name(other));
}

static void add_all(struct table *table, struct build *build)
{
	struct object_list all = {0};
	const struct cox_object_sink sink = {take_object, &all};

	lister_list(table->services, NULL, &sink);
	if (all.count)
		qsort(all.items, all.count, sizeof(*all.items), by_name);
	for (size_t i = 0; i < all.count; i++) {
		if (build_wants(all.items[i]))
			add_service(table, build, all.items[i]);
	}
	object_list_free(&all);
}

static void add_marked(struct table *table, struct build *build, const struct cox_map *marked)
{
	const char *key;
	size_t at = 0, size;
	void *value;

	while (cox_map_next(marked, &at, &key, &size, &value)) {
		cox_autofree char *namespace_name = cox_strndup(key, size);
		char *name = strchr(namespace_name, '/');
		cox_autoobject *service = NULL;

		*name++ = '\0';
		service = lister_get(table->services, namespace_name, name);
		if (service && build_wants(service))
			add_service(table, build, service);
		else
			build_gone(build, namespace_name, name);
	}
}

/* ---- the thread ---- */

static bool is_stopping(struct table *table)
{
	cox_lock_scope(&table->mutex);
	return table->stopping;
}

/* Waits a while, or until it stops or (`marks`) something is marked. */
static void pause_until(struct table *table, uint64_t until, bool marks)
{
	const struct timespec when = {.tv_sec = (time_t)(until / CLOCK_SECOND),
				      .tv_nsec = (long)(until % CLOCK_SECOND)};

	cox_lock_scope(&table->mutex);
	while (!table->stopping && !(marks && (table->full || table->marked.count))) {
		if (!until)
			pthread_cond_wait(&table->changed, &table->mutex);
		else if (clock_monotonic() >= until)
			break;
		else
			pthread_cond_timedwait(&table->changed, &table->mutex, &when);
	}
}

/* 1: slices are served, 0: not, -1: nobody knows yet. */
static int slices_served(struct table *table)
{
	const struct client_request request = {.verb = CLIENT_GET,
					       .path = "/apis/discovery.k8s.io/v1",
					       .deadline = clock_monotonic() + 10 * CLOCK_SECOND};
	cox_autoanswer answer = CLIENT_ANSWER_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	if (!client_call(table->config.client, &request, &answer, &err))
		return 1;
	if (answer.code == 404)
		return 0;
	log_warning("Cannot ask the API server what it serves: %s", error_text(&err));
	return -1;
}

static int open_slices(struct table *table, struct cox_error *err)
{
	static const struct cox_index indexes[] = {{"service", slice_keys}, {NULL, NULL}};
	const struct cox_lister_watcher watcher = {slice_changed, table};
	const struct cox_lister_options options = {.struct_size = sizeof(options),
						   .resource = &slices_resource,
						   .indexes = indexes,
						   .watcher = &watcher};

	table->slices = lister_open(table->informers, &options, err);
	return table->slices ? 0 : -1;
}

/* False: it stops before everything is here. */
static bool wait_complete(struct table *table)
{
	cox_autoerror err = COX_ERROR_INIT;
	int served;

	while ((served = slices_served(table)) < 0 && !is_stopping(table))
		pause_until(table, clock_monotonic() + CLOCK_SECOND, false);
	if (served == 1 && open_slices(table, &err))
		log_error("Watch endpoint slices: %s", error_text(&err));
	if (served == 0)
		log_info("The API server has no endpoint slices: Endpoints are used");
	while (!is_stopping(table)) {
		uint64_t until = clock_monotonic() + wait_step;

		if (lister_wait(table->services, until) && lister_wait(table->endpoints, until) &&
		    (!table->slices || lister_wait(table->slices, until)))
			return true;
	}
	return false;
}

static int sync_now(struct table *table, struct cox_error *err)
{
	struct build build = {.node_name = table->config.node_name};
	const struct cox_call call = {.struct_size = sizeof(call),
				      .deadline_ns = clock_monotonic() + sync_time,
				      .cancel = &table->cancel};
	struct cox_proxy_update update;
	struct cox_map marked;
	bool full;
	int result;

	pthread_mutex_lock(&table->mutex);
	marked = table->marked;
	full = table->full;
	table->marked = (struct cox_map)COX_MAP_INIT;
	table->full = false;
	pthread_mutex_unlock(&table->mutex);
	if (full)
		add_all(table, &build);
	else
		add_marked(table, &build, &marked);
	build_update(&build, full, &update);
	result = table->config.sync(table->config.context, &call, &update, err);
	build_clear(&build);
	cox_map_free(&marked);
	return result;
}

static void set_synced(struct table *table, bool failed)
{
	cox_lock_scope(&table->mutex);
	if (failed)
		table->full = true;
	else
		table->synced = true;
}

static void *table_run(void *argument)
{
	struct metric *seconds = metrics_histogram(
		"kubeproxy_sync_proxy_rules_duration_seconds", "Time of one update of the rules",
		NULL, metrics_latency_bounds, metrics_latency_bound_count);
	struct table *table = argument;
	uint64_t retry = retry_first;

	if (!wait_complete(table))
		return NULL;
	while (!is_stopping(table)) {
		cox_autoerror err = COX_ERROR_INIT;
		uint64_t begin = clock_monotonic();
		bool failed = sync_now(table, &err) != 0;

		metrics_observe_ns(seconds, clock_monotonic() - begin);
		set_synced(table, failed);
		if (!failed) {
			retry = retry_first;
			pause_until(table, 0, true);
			continue;
		}
		log_error("Update the proxy: %s; trying again in %u s", error_text(&err),
			  (unsigned)(retry / CLOCK_SECOND));
		pause_until(table, clock_monotonic() + retry, false);
		retry = retry * 2 < retry_last ? retry * 2 : retry_last;
	}
	return NULL;
}

/* ---- life ---- */

static struct cox_lister *open_named(struct table *table, const struct cox_resource *resource,
				     struct cox_error *err)
{
	const struct cox_lister_watcher watcher = {object_changed, table};
	const struct cox_lister_options options = {
		.struct_size = sizeof(options), .resource = resource, .watcher = &watcher};

	return lister_open(table->informers, &options, err);
}

static int open_listers(struct table *table, struct cox_error *err)
{
	int failed;

	table->informers = informers_new(table->config.client, err);
	if (!table->informers)
		return -1;
	table->services = open_named(table, &services_resource, err);
	if (!table->services)
		return -1;
	table->endpoints = open_named(table, &endpoints_resource, err);
	if (!table->endpoints)
		return -1;
	failed = pthread_create(&table->thread, NULL, table_run, table);
	if (failed)
		return error_errno(err, failed, "start a thread");
	table->started = true;
	return 0;
}

struct table *table_new(const struct table_config *config, struct cox_error *err)
{
	struct table *table = cox_new(struct table);
	pthread_condattr_t attributes;

	table->config = *config;
	table->full = true;
	pthread_mutex_init(&table->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&table->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	if (!open_listers(table, err))
		return table;
	table_free(table);
	return NULL;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	cancel_request(&table->cancel);
	pthread_mutex_lock(&table->mutex);
	table->stopping = true;
	pthread_cond_broadcast(&table->changed);
	pthread_mutex_unlock(&table->mutex);
	if (table->started)
		pthread_join(table->thread, NULL);
	if (table->services)
		lister_close(table->services);
	if (table->endpoints)
		lister_close(table->endpoints);
	if (table->slices)
		lister_close(table->slices);
	if (table->informers)
		informers_free(table->informers);
	cox_map_free(&table->marked);
	pthread_cond_destroy(&table->changed);
	pthread_mutex_destroy(&table->mutex);
	free(table);
}

bool table_synced(struct table *table)
{
	cox_lock_scope(&table->mutex);
	return table->synced;
}
