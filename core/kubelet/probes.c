/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes of running containers. One thread knows when each is due and runs it
 * as a job; results go into the container's record and wake the pod's worker
 * when they change.
 *
 * Lock: prober.lock over the list, before kubelet.lock.
 */
#include "kubelet/pod_worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "kubelet/container.h"
#include "kubelet/events.h"
#include "kubelet/fields.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <string.h>
#include <time.h>

static const char *const probe_keys[PROBE_KINDS] = {"startupProbe", "livenessProbe",
						    "readinessProbe"};
static const char *const probe_names[PROBE_KINDS] = {"Startup", "Liveness", "Readiness"};

struct probe {
	struct pod *pod; /* in use */
	struct cox_object *object;
	struct container_record *record;
	char id[COX_RUNTIME_ID_SIZE];
	char *pod_ip;
	enum probe_kind kind;
	uint64_t due; /* monotonic */
	unsigned successes, failures;
	bool running, stopped;
};

struct prober {
	struct kubelet *kubelet;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool stopping;
	COX_VEC(struct probe *) probes;
};

static void free_probe(struct kubelet *kubelet, struct probe *probe)
{
	pods_put(kubelet, probe->pod);
	object_unref(probe->object);
	free(probe->pod_ip);
	free(probe);
}

static const struct value *definition(const struct probe *probe)
{
	return value_get(fields_container(probe->object, probe->record->name),
			 probe_keys[probe->kind]);
}

static uint64_t seconds(const struct value *probe, const char *key, int64_t fallback, int64_t least)
{
	int64_t said = value_get_int(probe, key, fallback);

	return (uint64_t)(said < least ? least : said) * CLOCK_SECOND;
}

enum probe_result prober_result(struct kubelet *kubelet, struct container_record *record,
				const char *id, enum probe_kind kind)
{
	cox_lock_scope(&kubelet->lock);
	return strcmp(record->probed, id) == 0 ? record->results[kind] : PROBE_UNKNOWN;
}

/* Whether it is another one than before. */
static bool set_result(struct kubelet *kubelet, struct probe *probe, enum probe_result result)
{
	struct container_record *record = probe->record;
	bool changed;

	cox_lock_scope(&kubelet->lock);
	if (strcmp(record->probed, probe->id) != 0)
		return false; /* another container runs by now */
	changed = record->results[probe->kind] != result;
	record->results[probe->kind] = result;
	return changed;
}

/* ---- running one ---- */

static void judge(struct kubelet *kubelet, struct probe *probe, int outcome,
		  const struct cox_buf *output)
{
	const struct value *about = definition(probe);
	unsigned success = (unsigned)value_get_int(about, "successThreshold", 1);
	unsigned failure = (unsigned)value_get_int(about, "failureThreshold", 3);
	bool changed = false;

	if (outcome == 0) {
		probe->failures = 0;
		if (++probe->successes >= success)
			changed = set_result(kubelet, probe, PROBE_SUCCESS);
	} else {
		probe->successes = 0;
		events_container(kubelet, probe->object, probe->record->name, "Warning",
				 "Unhealthy",
				 outcome > 0 ? "%s probe failed: %s" : "%s probe errored: %s",
				 probe_names[probe->kind], cox_buf_cstr(output));
		if (++probe->failures >= failure)
			changed = set_result(kubelet, probe, PROBE_FAILURE);
	}
	if (changed)
		pods_wake(kubelet, probe->pod->uid);
}

struct probe_job {
	struct prober *prober;
	struct probe *probe;
};

static void run_probe(void *context)
{
	struct probe_job *job = context;
	struct prober *prober = job->prober;
	struct probe *probe = job->probe;
	struct kubelet *kubelet = prober->kubelet;
	const struct value *about = definition(probe);
	const struct hook_target target = {kubelet, probe->object,
					   fields_container(probe->object, probe->record->name),
					   probe->id, probe->pod_ip};
	uint64_t period = seconds(about, "periodSeconds", 10, 1);
	cox_autobuf output = COX_BUF_INIT;
	int outcome = hook_run(&target, about, seconds(about, "timeoutSeconds", 1, 1), &output);

	if (!cancel_requested(&kubelet->cancel))
		judge(kubelet, probe, outcome, &output);
	cox_lock_scope(&prober->lock);
	probe->running = false;
	probe->due += period;
	if (probe->due < clock_monotonic())
		probe->due = clock_monotonic() + period;
	/* One that started well is never asked again; one that failed is restarted. */
	if (probe->kind == PROBE_STARTUP &&
	    prober_result(kubelet, probe->record, probe->id, PROBE_STARTUP) != PROBE_UNKNOWN)
		probe->stopped = true;
	pthread_cond_signal(&prober->changed);
	free(job);
}

/* Liveness and readiness wait for startup; then they run at once. */
static bool may_run(struct prober *prober, struct probe *probe)
{
	if (probe->kind == PROBE_STARTUP ||
	    !value_get(fields_container(probe->object, probe->record->name), "startupProbe"))
		return true;
	return prober_result(prober->kubelet, probe->record, probe->id, PROBE_STARTUP) ==
	       PROBE_SUCCESS;
}

/* With the lock held: starts what is due; when the next one is. */
static uint64_t run_due(struct prober *prober)
{
	uint64_t now = clock_monotonic(), next = now + 3600 * CLOCK_SECOND;

	for (size_t i = 0; i < prober->probes.count;) {
		struct probe *probe = prober->probes.items[i];
		struct probe_job *job;

		if (probe->stopped && !probe->running) {
			prober->probes.items[i] = prober->probes.items[--prober->probes.count];
			free_probe(prober->kubelet, probe);
			continue;
		}
		i++;
		if (probe->running || probe->stopped)
			continue;
		if (probe->due <= now && !may_run(prober, probe))
			probe->due = now + CLOCK_SECOND;
		if (probe->due <= now) {
			job = cox_new(struct probe_job);
			*job = (struct probe_job){prober, probe};
			probe->running = jobs_run(prober->kubelet->jobs, run_probe, job) == 0;
			if (probe->running)
				continue;
			free(job);
			probe->due = now + CLOCK_SECOND;
		}
		if (probe->due < next)
			next = probe->due;
	}
	return next;
}

static void *prober_run(void *context)
{
	struct prober *prober = context;

	cox_lock_scope(&prober->lock);
	while (!prober->stopping) {
		uint64_t next = run_due(prober);
		struct timespec when = {(time_t)(next / CLOCK_SECOND), (long)(next % CLOCK_SECOND)};

		pthread_cond_clockwait(&prober->changed, &prober->lock, CLOCK_MONOTONIC, &when);
	}
	return NULL;
}

/* ---- life ---- */

struct prober *prober_new(struct kubelet *kubelet, struct cox_error *err)
{
	struct prober *prober = cox_new(struct prober);
	int failure;

	prober->kubelet = kubelet;
	pthread_mutex_init(&prober->lock, NULL);
	pthread_cond_init(&prober->changed, NULL);
	failure = pthread_create(&prober->thread, NULL, prober_run, prober);
	if (failure == 0)
		return prober;
	error_errno(err, failure, "start the thread that probes");
	pthread_cond_destroy(&prober->changed);
	pthread_mutex_destroy(&prober->lock);
	free(prober);
	return NULL;
}

void prober_free(struct prober *prober)
{
	if (!prober)
		return;
	pthread_mutex_lock(&prober->lock);
	prober->stopping = true;
	pthread_cond_signal(&prober->changed);
	pthread_mutex_unlock(&prober->lock);
	pthread_join(prober->thread, NULL);
	jobs_wait(prober->kubelet->jobs);
	for (size_t i = 0; i < prober->probes.count; i++)
		free_probe(prober->kubelet, prober->probes.items[i]);
	cox_vec_free(&prober->probes);
	pthread_cond_destroy(&prober->changed);
	pthread_mutex_destroy(&prober->lock);
	free(prober);
}

/* With the lock held. */
static void add_probe(struct prober *prober, struct pod *pod, const struct cox_object *object,
		      struct container_record *record, const struct value *about,
		      enum probe_kind kind, const struct view_container *running)
{
	struct probe *probe = cox_new(struct probe);
	uint64_t delay = seconds(about, "initialDelaySeconds", 0, 0);
	uint64_t now = clock_realtime(), age = 0;

	if (running->started_at > 0 && (uint64_t)running->started_at < now)
		age = now - (uint64_t)running->started_at;
	probe->pod = pods_get(prober->kubelet, pod->uid);
	probe->object = object_ref(object);
	probe->record = record;
	memcpy(probe->id, running->id, strlen(running->id) + 1);
	probe->pod_ip = cox_strdup(pod->ips[0] ? pod->ips[0] : "");
	probe->kind = kind;
	probe->due = clock_monotonic() + (delay > age ? delay - age : 0);
	cox_vec_push(&prober->probes, probe);
}

void prober_add(struct prober *prober, struct pod *pod, const struct cox_object *object,
		const struct value *container, const struct view_container *running)
{
	struct kubelet *kubelet = prober->kubelet;
	struct container_record *record = pod_container(pod, running->name, false);
	bool known;

	if (strlen(running->id) >= sizeof(record->probed))
		return;
	pthread_mutex_lock(&kubelet->lock);
	known = strcmp(record->probed, running->id) == 0;
	if (!known) {
		memcpy(record->probed, running->id, strlen(running->id) + 1);
		memset(record->results, 0, sizeof(record->results));
	}
	pthread_mutex_unlock(&kubelet->lock);
	if (known)
		return;
	cox_lock_scope(&prober->lock);
	for (size_t i = 0; i < prober->probes.count; i++)
		if (prober->probes.items[i]->record == record)
			prober->probes.items[i]->stopped = true; /* of the one before */
	for (int kind = 0; kind < PROBE_KINDS; kind++) {
		const struct value *about = value_get(container, probe_keys[kind]);

		if (about)
			add_probe(prober, pod, object, record, about, (enum probe_kind)kind,
				  running);
	}
	pthread_cond_signal(&prober->changed);
}

void prober_forget(struct prober *prober, const char *uid)
{
	cox_lock_scope(&prober->lock);
	for (size_t i = 0; i < prober->probes.count; i++)
		if (!strcmp(prober->probes.items[i]->pod->uid, uid))
			prober->probes.items[i]->stopped = true;
	pthread_cond_signal(&prober->changed);
}
