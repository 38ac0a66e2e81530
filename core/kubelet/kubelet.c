/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a kubelet: listers, workers, the runtime's events, and a keeper
 * that lists the runtime once a minute, since events are only a hint.
 */
#include "kubelet/kubelet.h"

#include "base/clock.h"
#include "base/log.h"
#include "kubelet/housekeeping.h"
#include "kubelet/names.h"
#include "kubelet/node.h"
#include "kubelet/pod_worker.h"
#include "kubelet/sources.h"
#include "kubelet/volumes.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_MAX = 512, EMPTY_SECONDS = 40 };

static const uint64_t list_period = 60 * CLOCK_SECOND;

struct cox_call kubelet_call(struct kubelet *kubelet, uint64_t timeout)
{
	return (struct cox_call){.struct_size = sizeof(struct cox_call),
				 .deadline_ns = timeout ? clock_monotonic() + timeout : 0,
				 .cancel = &kubelet->cancel};
}

/* ---- what the runtime has ---- */

struct finder {
	struct cox_sandbox_sink sink;
	struct kubelet *kubelet;
};

static const char *label(const struct cox_pairs *pairs, const char *key)
{
	for (size_t i = 0; i < pairs->count; i++)
		if (!strcmp(pairs->items[i].key, key))
			return pairs->items[i].value;
	return "";
}

/* What is not labelled as ours is left alone: others may use the runtime. */
static int find_sandbox(const struct cox_sandbox_sink *sink,
			const struct cox_sandbox_status *status)
{
	struct kubelet *kubelet = ((const struct finder *)(const void *)sink)->kubelet;
	const char *uid = label(&status->labels, LABEL_UID);

	if (*uid)
		pods_adopt(kubelet, uid, label(&status->labels, LABEL_NAMESPACE),
			   label(&status->labels, LABEL_POD), status->id);
	return 0;
}

static int list_runtime(struct kubelet *kubelet, struct cox_error *err)
{
	const struct finder finder = {{sizeof(finder.sink), 0, find_sandbox}, kubelet};

	return runtime_call(kubelet, 60 * CLOCK_SECOND, sandbox_list, NULL, &finder.sink, err);
}

/* The kubelet's own address is that of the sink's, which is a member of it. */
static struct kubelet *kubelet_of(const struct cox_runtime_event_sink *sink)
{
	return (struct kubelet *)((uintptr_t)sink - offsetof(struct kubelet, event_sink));
}

static void take_event(const struct cox_runtime_event_sink *sink,
		       const struct cox_container_event *event)
{
	struct kubelet *kubelet = kubelet_of(sink);
	size_t at = 0, size;
	const char *key;
	void *value;

	cox_lock_scope(&kubelet->lock);
	if (event->type == COX_CONTAINER_EVENT_LOST) {
		kubelet->events_lost = true;
		pthread_cond_broadcast(&kubelet->changed);
		return;
	}
	while (cox_map_next(&kubelet->pods, &at, &key, &size, &value)) {
		const struct pod *pod = value;

		if (!strcmp(pod->sandbox, event->sandbox_id)) {
			(void)queue_add(kubelet->queue, pod->uid);
			return;
		}
	}
}

/* Addresses of sandboxes that a crash or a reboot took away are free again. */
struct sandbox_ids {
	struct cox_sandbox_sink sink;
	struct arena *arena;
	COX_VEC(const char *) items;
};

static int take_id(const struct cox_sandbox_sink *sink, const struct cox_sandbox_status *status)
{
	struct sandbox_ids *ids = (struct sandbox_ids *)(uintptr_t)sink;

	cox_vec_push(&ids->items, arena_strdup(ids->arena, status->id));
	return 0;
}

static void reconcile_network(struct kubelet *kubelet)
{
	cox_autoarena arena = ARENA_INIT;
	struct sandbox_ids ids = {{sizeof(ids.sink), 0, take_id}, &arena, {0}};
	cox_autoerror err = COX_ERROR_INIT;

	if (!kubelet->network)
		return;
	if (runtime_call(kubelet, 60 * CLOCK_SECOND, sandbox_list, NULL, &ids.sink, &err) ||
	    network_call(kubelet, 60 * CLOCK_SECOND, reconcile, ids.items.items, ids.items.count,
			 &err))
		log_warning("clean up the pods' network: %s", error_text(&err));
	cox_vec_free(&ids.items);
}

/* Not before every source has said which pods it has. */
static void remove_orphans(struct kubelet *kubelet)
{
	if (sources_ready(kubelet->sources))
		housekeeping_remove_orphans(kubelet);
}

/* ---- threads ---- */

static void *run_worker(void *context)
{
	struct kubelet *kubelet = context;
	char *uid;

	while ((uid = queue_take(kubelet->queue, 0))) {
		struct pod *pod = pods_get(kubelet, uid);

		if (pod)
			pod_sync(kubelet, pod);
		pods_put(kubelet, pod);
		queue_done(kubelet->queue, uid);
		free(uid);
	}
	return NULL;
}

static void *run_keeper(void *context)
{
	struct kubelet *kubelet = context;

	pthread_mutex_lock(&kubelet->lock);
	while (!kubelet->stopping) {
		uint64_t until = clock_monotonic() + list_period;
		struct timespec when = {(time_t)(until / CLOCK_SECOND),
					(long)(until % CLOCK_SECOND)};
		cox_autoerror err = COX_ERROR_INIT;

		while (!kubelet->stopping && !kubelet->events_lost && clock_monotonic() < until)
			pthread_cond_clockwait(&kubelet->changed, &kubelet->lock, CLOCK_MONOTONIC,
					       &when);
		if (kubelet->stopping)
			break;
		kubelet->events_lost = false;
		pthread_mutex_unlock(&kubelet->lock);
		if (list_runtime(kubelet, &err))
			log_warning("list the runtime's pods: %s", error_text(&err));
		else
			remove_orphans(kubelet);
		pods_wake_all(kubelet);
		pthread_mutex_lock(&kubelet->lock);
	}
	pthread_mutex_unlock(&kubelet->lock);
	return NULL;
}

/* ---- life ---- */

/* With the name as uid, by which "describe node" finds what a kubelet says. */
static struct cox_object *make_node_ref(const char *name, struct cox_error *err)
{
	cox_autobuf text = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&text);

	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", "Node");
	cox_json_text(&json, "apiVersion", "v1");
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "name", name);
	cox_json_text(&json, "uid", name);
	cox_json_end(&json);
	cox_json_end(&json);
	return object_new(text.data, text.size, err);
}

struct kubelet *kubelet_new(const struct kubelet_parts *parts, struct cox_error *err)
{
	struct kubelet *kubelet = cox_new(struct kubelet);

	kubelet->parts = *parts;
	kubelet->config = parts->config;
	kubelet->runtime = host_ops(parts->runtime);
	kubelet->network = parts->network ? host_ops(parts->network) : NULL;
	snprintf(kubelet->runtime_name, sizeof(kubelet->runtime_name), "%s",
		 host_name(parts->runtime));
	kubelet->node_ip = node_find_address(kubelet->config);
	pthread_mutex_init(&kubelet->lock, NULL);
	pthread_mutex_init(&kubelet->admit_lock, NULL);
	pthread_mutex_init(&kubelet->pull_lock, NULL);
	pthread_cond_init(&kubelet->changed, NULL);
	kubelet->queue = queue_new(0);
	kubelet->reports = queue_new(0);
	kubelet->jobs = jobs_new(JOBS_MAX);
	kubelet->event_sink = (struct cox_runtime_event_sink){
		.struct_size = sizeof(kubelet->event_sink), .event = take_event};
	kubelet->node_ref = make_node_ref(parts->node_name, err);
	if (kubelet->node_ref)
		kubelet->informers = informers_new(parts->client, err);
	if (kubelet->informers)
		kubelet->recorder = recorder_new(parts->client, "kubelet", parts->node_name, err);
	if (!kubelet->recorder) {
		kubelet_free(kubelet);
		return NULL;
	}
	recorder_limit(kubelet->recorder, parts->config->event_qps, parts->config->event_burst);
	cluster_init(&kubelet->cluster, parts->client, kubelet->informers, kubelet->recorder, NULL);
	return kubelet;
}

static int open_listers(struct kubelet *kubelet, struct cox_error *err)
{
	static const struct cox_resource pods = {"", "v1", "pods"};
	static const struct cox_resource services = {"", "v1", "services"};
	static const struct cox_resource nodes = {"", "v1", "nodes"};
	const struct cox_lister_watcher pod_watcher = {pods_changed, kubelet};
	const struct cox_lister_watcher node_watcher = {node_changed, kubelet};
	cox_autobuf mine = COX_BUF_INIT, me = COX_BUF_INIT;
	struct cox_lister_options options = {.struct_size = sizeof(options)};

	cox_buf_printf(&mine, "spec.nodeName=%s", kubelet->parts.node_name);
	cox_buf_printf(&me, "metadata.name=%s", kubelet->parts.node_name);
	options.resource = &services;
	kubelet->service_lister = lister_open(kubelet->informers, &options, err);
	options.resource = &nodes;
	options.field_selector = me.data;
	options.watcher = &node_watcher;
	if (kubelet->service_lister)
		kubelet->node_lister = lister_open(kubelet->informers, &options, err);
	options.resource = &pods;
	options.field_selector = mine.data;
	options.watcher = &pod_watcher;
	if (kubelet->node_lister)
		kubelet->pod_lister = lister_open(kubelet->informers, &options, err);
	return kubelet->pod_lister ? 0 : -1;
}

static void start_workers(struct kubelet *kubelet)
{
	cox_lock_scope(&kubelet->lock);
	while (!kubelet->stopping && kubelet->worker_count < KUBELET_WORKERS &&
	       pthread_create(&kubelet->workers[kubelet->worker_count], NULL, run_worker,
			      kubelet) == 0)
		kubelet->worker_count++;
	if (!kubelet->worker_count && !kubelet->stopping)
		log_error("no thread could be started: pods are not worked on");
}

/* False: it is time to end. */
static bool wait_for_api(struct kubelet *kubelet)
{
	bool synced = kubelet->parts.standalone;

	while (!synced && !cancel_requested(&kubelet->cancel))
		synced = lister_wait(kubelet->pod_lister,
				     clock_monotonic() + 200 * CLOCK_MILLISECOND) &&
			 lister_wait(kubelet->service_lister,
				     clock_monotonic() + 200 * CLOCK_MILLISECOND);
	return synced;
}

/*
 * Static pods may be what makes the API server: they do not wait for it. Its
 * own pods do, and containers that are there are known before anybody judges.
 */
static void *begin(void *context)
{
	struct kubelet *kubelet = context;
	cox_autoerror err = COX_ERROR_INIT;

	if (sources_any(kubelet->sources)) {
		if (list_runtime(kubelet, &err))
			log_error("list the runtime's pods: %s", error_text(&err));
		error_clear(&err);
		sources_wait(kubelet->sources, clock_monotonic() + 10 * CLOCK_SECOND);
		start_workers(kubelet);
	}
	if (!wait_for_api(kubelet))
		return NULL;
	/* What the API does not have and the runtime has is an orphan by now. */
	if (list_runtime(kubelet, &err)) {
		log_error("list the runtime's pods: %s", error_text(&err));
	} else {
		reconcile_network(kubelet);
		remove_orphans(kubelet);
	}
	error_clear(&err);
	kubelet->housekeeper = housekeeper_new(kubelet, &err);
	if (!kubelet->housekeeper)
		log_error("%s: logs and images are not looked after", error_text(&err));
	pthread_mutex_lock(&kubelet->lock);
	kubelet->synced = true;
	pthread_mutex_unlock(&kubelet->lock);
	if (!sources_any(kubelet->sources))
		start_workers(kubelet);
	return run_keeper(kubelet);
}

/* Without an API server nobody else says which addresses pods have. */
static int set_own_range(struct kubelet *kubelet, struct cox_error *err)
{
	const char *range = kubelet->config->pod_cidr;

	if (!kubelet->network || !kubelet->network->set_pod_cidrs || !range || !*range ||
	    network_call(kubelet, 60 * CLOCK_SECOND, set_pod_cidrs, &range, 1, err) == 0)
		return 0;
	host_op_failed(kubelet->parts.network, "set_pod_cidrs", err);
	return error_wrap(err, "--pod-cidr");
}

int kubelet_start(struct kubelet *kubelet, struct cox_error *err)
{
	struct cox_call call = kubelet_call(kubelet, 0);
	int failure = 0;

	kubelet->prober = prober_new(kubelet, err);
	kubelet->sources = sources_new(kubelet);
	if (!kubelet->prober ||
	    (kubelet->parts.standalone ? set_own_range(kubelet, err) : open_listers(kubelet, err)))
		return -1;
	{
		host_call_scope(kubelet->parts.runtime);
		kubelet->event_watch = kubelet->runtime->watch(host_self(kubelet->parts.runtime),
							       &call, &kubelet->event_sink, err);
	}
	if (!kubelet->event_watch)
		return host_op_failed(kubelet->parts.runtime, "watch", err);
	if (!kubelet->parts.standalone) {
		kubelet->node = node_start(kubelet, err);
		if (!kubelet->node)
			return -1;
	}
	if (sources_start(kubelet->sources, err))
		return -1;
	while (!failure && kubelet->reporter_count < KUBELET_REPORTERS) {
		failure = pthread_create(&kubelet->reporters[kubelet->reporter_count], NULL,
					 report_run, kubelet);
		kubelet->reporter_count += failure == 0;
	}
	if (!failure) {
		failure = pthread_create(&kubelet->keeper, NULL, begin, kubelet);
		kubelet->keeper_runs = failure == 0;
	}
	return failure ? error_errno(err, failure, "start the kubelet's threads") : 0;
}

/* --stop-pods-on-exit: stops all pods and waits for it, so long. */
static void empty_node(struct kubelet *kubelet)
{
	uint64_t until = clock_monotonic() + EMPTY_SECONDS * CLOCK_SECOND;
	bool left = true;

	while (left && clock_monotonic() < until) {
		uint64_t look = clock_monotonic() + 50 * CLOCK_MILLISECOND;
		struct timespec when = {(time_t)(look / CLOCK_SECOND), (long)(look % CLOCK_SECOND)};
		size_t at = 0, size;
		const char *key;
		void *value;

		cox_lock_scope(&kubelet->lock);
		kubelet->emptying = true;
		left = false;
		while (kubelet->synced && cox_map_next(&kubelet->pods, &at, &key, &size, &value)) {
			struct pod *pod = value;

			if (!pod->evicting)
				(void)queue_add(kubelet->queue, pod->uid);
			pod->evicting = true;
			left |= !pod->emptied;
		}
		if (left)
			pthread_cond_clockwait(&kubelet->changed, &kubelet->lock, CLOCK_MONOTONIC,
					       &when);
	}
	if (left)
		log_warning("some pods did not stop in time");
	/* Their last status is to be told too. */
	until = clock_monotonic() + 5 * CLOCK_SECOND;
	while (queue_length(kubelet->reports) && clock_monotonic() < until)
		usleep(10000);
}

void kubelet_stop(struct kubelet *kubelet)
{
	if (kubelet->config->stop_pods_on_exit && kubelet->keeper_runs)
		empty_node(kubelet);
	pthread_mutex_lock(&kubelet->lock);
	kubelet->stopping = true;
	pthread_cond_broadcast(&kubelet->changed);
	pthread_mutex_unlock(&kubelet->lock);
	cancel_request(&kubelet->cancel);
	if (kubelet->event_watch) {
		host_call_scope(kubelet->parts.runtime);
		kubelet->runtime->watch_cancel(host_self(kubelet->parts.runtime),
					       kubelet->event_watch);
		kubelet->event_watch = NULL;
	}
	if (kubelet->keeper_runs)
		pthread_join(kubelet->keeper, NULL);
	kubelet->keeper_runs = false;
	housekeeper_free(kubelet->housekeeper);
	kubelet->housekeeper = NULL;
	queue_close(kubelet->queue);
	for (; kubelet->worker_count; kubelet->worker_count--)
		pthread_join(kubelet->workers[kubelet->worker_count - 1], NULL);
	queue_close(kubelet->reports);
	for (; kubelet->reporter_count; kubelet->reporter_count--)
		pthread_join(kubelet->reporters[kubelet->reporter_count - 1], NULL);
	sources_stop(kubelet->sources);
	lister_close(kubelet->pod_lister);
	lister_close(kubelet->service_lister);
	lister_close(kubelet->node_lister);
	kubelet->pod_lister = kubelet->service_lister = kubelet->node_lister = NULL;
	jobs_wait(kubelet->jobs);
	node_stop(kubelet->node);
	kubelet->node = NULL;
	prober_free(kubelet->prober);
	kubelet->prober = NULL;
	sources_free(kubelet->sources);
	kubelet->sources = NULL;
}

void kubelet_free(struct kubelet *kubelet)
{
	if (!kubelet)
		return;
	recorder_free(kubelet->recorder);
	informers_free(kubelet->informers);
	jobs_free(kubelet->jobs);
	pods_free(kubelet);
	queue_free(kubelet->queue);
	queue_free(kubelet->reports);
	pthread_cond_destroy(&kubelet->changed);
	pthread_mutex_destroy(&kubelet->lock);
	pthread_mutex_destroy(&kubelet->admit_lock);
	pthread_mutex_destroy(&kubelet->pull_lock);
	object_unref(kubelet->node_ref);
	free(kubelet->node_ip);
	free(kubelet);
}
