/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker of a pod: looks at what the API wants and what the runtime has,
 * and does the next thing. It never waits for long; whatever takes long is a
 * job that wakes it again. It remembers little: after a crash of the kubelet
 * the same look finds the same containers and goes on.
 *
 * A pod is run until it is deleted, refused, over, or past its deadline; then
 * it is ended: containers stop within their grace, the sandbox and the volumes
 * go, the last status is told, and the object is deleted.
 *
 * On a node that empties itself (--stop-pods-on-exit) a pod that would survive
 * a reboot is only put to rest: nothing of it runs or is mounted, and the next
 * kubelet starts its containers again.
 */
#include "kubelet/pod_worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "kubelet/claims.h"
#include "kubelet/container.h"
#include "kubelet/events.h"
#include "kubelet/logs.h"
#include "kubelet/sandbox.h"
#include "kubelet/sources.h"
#include "kubelet/volumes.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <string.h>

static const uint64_t retry_after = CLOCK_SECOND;

/* ---- ending ---- */

static bool is_deleted(const struct cox_object *object)
{
	return object && object_path(object_root(object), "metadata.deletionTimestamp");
}

static bool is_over(const struct cox_object *object)
{
	const char *phase = value_text(object_path(object_root(object), "status.phase"));

	return !strcmp(phase, "Succeeded") || !strcmp(phase, "Failed");
}

static bool is_emptying(struct kubelet *kubelet)
{
	cox_lock_scope(&kubelet->lock);
	return kubelet->emptying;
}

/* Seconds that the containers of an ending pod have. */
static int64_t grace_of(struct pod *pod, const struct cox_object *object,
			const struct view_container *container)
{
	const struct value *root = object_root(object);
	int64_t said =
		value_get_int(object_path(root, "spec"), "terminationGracePeriodSeconds", 30);

	if (is_deleted(object))
		said = value_get_int(object_path(root, "metadata"), "deletionGracePeriodSeconds",
				     said);
	if (!object)
		said = container->grace >= 0 ? container->grace : pod->orphan_grace;
	return said < 1 ? 1 : said;
}

static bool runs(const struct view_container *container)
{
	return container->state == COX_CONTAINER_RUNNING ||
	       container->state == COX_CONTAINER_UNKNOWN;
}

static void stop_one(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		     const struct view_container *container, int64_t grace)
{
	cox_autobuf why = COX_BUF_INIT;

	if (object && !is_deleted(object) && is_emptying(kubelet))
		container_interrupt(kubelet, pod, container);
	cox_buf_printf(&why, "Stopping container %s", container->name);
	container_stop(kubelet, pod, object, container, grace, why.data);
}

/* Where among the init containers a sidecar of this name stands, from 1; 0: nowhere. */
static size_t sidecar_place(const struct cox_object *object, const char *name)
{
	const struct value *list = object_path(object_root(object), "spec.initContainers"), *one;

	for (size_t i = 0; (one = value_at(list, i)); i++)
		if (!strcmp(value_get_text(one, "name"), name))
			return pod_is_sidecar(one) ? i + 1 : 0;
	return 0;
}

/*
 * The last sidecar goes first, once nothing that it serves runs; it has what is
 * left of the pod's grace, and two seconds at least.
 */
static void stop_sidecar(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
			 const struct view_container *container)
{
	int64_t grace = grace_of(pod, object, container);
	int64_t gone = (int64_t)((clock_monotonic() - pod->ending_since) / CLOCK_SECOND);

	grace = grace - gone < 2 ? (grace < 2 ? grace : 2) : grace - gone;
	stop_one(kubelet, pod, object, container, grace);
}

/* True when none runs any more. */
static bool stop_containers(struct kubelet *kubelet, struct pod *pod,
			    const struct cox_object *object, const struct view *view)
{
	const struct view_container *last = NULL;
	size_t last_place = 0;
	bool others = false;

	if (!pod->ending_since)
		pod->ending_since = clock_monotonic();
	for (size_t i = 0; i < view->containers.count; i++) {
		const struct view_container *container = &view->containers.items[i];
		size_t place = sidecar_place(object, container->name);

		if (!runs(container))
			continue;
		if (place > last_place) {
			last = container;
			last_place = place;
		}
		if (place)
			continue;
		others = true;
		stop_one(kubelet, pod, object, container, grace_of(pod, object, container));
	}
	if (last && !others)
		stop_sidecar(kubelet, pod, object, last);
	return !last && !others;
}

static int remove_sandboxes(struct kubelet *kubelet, const struct view *view, struct cox_error *err)
{
	for (size_t i = 0; i < view->sandboxes.count; i++)
		if (runtime_call(kubelet, 60 * CLOCK_SECOND, sandbox_remove,
				 view->sandboxes.items[i].id, err))
			return host_op_failed(kubelet->parts.runtime, "sandbox_remove", err);
	return 0;
}

/* The network too; sandboxes that ended by themselves may have left something. */
static int stop_sandboxes(struct kubelet *kubelet, struct pod *pod, const struct view *view,
			  struct cox_error *err)
{
	for (size_t i = 0; i < view->sandboxes.count; i++)
		if (sandbox_stop(kubelet, pod, &view->sandboxes.items[i], err))
			return -1;
	return 0;
}

static int clean(struct kubelet *kubelet, struct pod *pod, const struct view *view,
		 struct cox_error *err)
{
	if (stop_sandboxes(kubelet, pod, view, err))
		return -1;
	if (volumes_tear_down(kubelet, pod->uid, err))
		return -1;
	claims_forget(kubelet, pod);
	return 0;
}

static void note_emptied(struct kubelet *kubelet, struct pod *pod)
{
	cox_lock_scope(&kubelet->lock);
	pod->emptied = kubelet->emptying;
}

/* Nothing of it is wanted: the runtime forgets it, then so do we. */
static int forget(struct kubelet *kubelet, struct pod *pod, const struct view *view,
		  struct cox_error *err)
{
	cox_autobuf logs = COX_BUF_INIT;

	if (remove_sandboxes(kubelet, view, err))
		return -1;
	cox_buf_printf(&logs, "%s/%s_%s_%s", kubelet->config->pod_logs_dir, pod->namespace,
		       pod->name, pod->uid);
	logs_remove_pod(logs.data);
	prober_forget(kubelet->prober, pod->uid);
	pods_forget(kubelet, pod);
	log_verbose(2, "pod %s/%s (%s) is gone", pod->namespace, pod->name, pod->uid);
	return 0;
}

/*
 * Of a pod that does not restart containers: why it failed, however they ended.
 * What a sidecar was stopped for is not its pod's end.
 */
static void note_interruption(struct pod *pod, const struct cox_object *object,
			      const struct view *view)
{
	bool interrupted = false;

	for (size_t i = 0; i < view->containers.count; i++) {
		const struct view_container *one = &view->containers.items[i];

		interrupted |= one->interrupted && one == view_container(view, one->name, 0) &&
			       !sidecar_place(object, one->name);
	}
	if (!interrupted || pod->rejected_reason)
		return;
	pod->rejected_reason = "Terminated";
	pod->rejected_message = cox_strdup("The kubelet was stopped together with its pods, and "
					   "this one does not restart containers");
}

static void end_pod(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		    const struct view *view)
{
	cox_autoerror err = COX_ERROR_INIT;

	prober_forget(kubelet->prober, pod->uid);
	if (!stop_containers(kubelet, pod, object, view)) {
		if (object && !is_over(object))
			report_status(kubelet, pod, pod_status_make(kubelet, pod, object, view));
		return;
	}
	if (object && !pod->terminated && !is_deleted(object) && !is_over(object))
		note_interruption(pod, object, view);
	pod->terminated = true;
	if (object && !is_over(object))
		report_status(kubelet, pod, pod_status_make(kubelet, pod, object, view));
	if (!pod->cleaned && clean(kubelet, pod, view, &err)) {
		log_error("end pod %s/%s: %s", pod->namespace, pod->name, error_text(&err));
		queue_add_after(kubelet->queue, pod->uid, retry_after);
		return;
	}
	pod->cleaned = true;
	note_emptied(kubelet, pod);
	if (is_deleted(object))
		report_finished(kubelet, pod);
	if (!object && forget(kubelet, pod, view, &err)) {
		log_error("remove pod %s/%s: %s", pod->namespace, pod->name, error_text(&err));
		queue_add_after(kubelet->queue, pod->uid, retry_after);
	}
}

/* ---- resting ---- */

/*
 * Whether a pod outlives the emptying of its node, as it would a reboot. That
 * of one that restarts nothing shows when its containers have been stopped.
 */
static bool survives(const struct pod *pod, const struct cox_object *object,
		     const struct view *view)
{
	return !pod->rejected_reason && !pod->terminated &&
	       !pod_is_done(object_path(object_root(object), "spec"), view);
}

/* The runtime keeps what it knows of the containers: how they ended, and their logs. */
static void rest_pod(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		     struct view *view)
{
	cox_autoerror err = COX_ERROR_INIT;

	prober_forget(kubelet->prober, pod->uid);
	if (!stop_containers(kubelet, pod, object, view)) {
		report_status(kubelet, pod, pod_status_make(kubelet, pod, object, view));
		return;
	}
	if (!pod->emptied) {
		struct view now = {.arena = ARENA_INIT};

		if (stop_sandboxes(kubelet, pod, view, &err) ||
		    volumes_release(kubelet, pod->uid, &err) ||
		    view_read(kubelet, pod->uid, &now, &err)) {
			view_free(&now);
			log_error("stop pod %s/%s: %s", pod->namespace, pod->name,
				  error_text(&err));
			queue_add_after(kubelet->queue, pod->uid, retry_after);
			return;
		}
		claims_forget(kubelet, pod);
		view_free(view);
		*view = now;
	}
	report_status(kubelet, pod, pod_status_make(kubelet, pod, object, view));
	note_emptied(kubelet, pod);
}

/* ---- running ---- */

static void trouble(struct kubelet *kubelet, struct pod *pod)
{
	backoff_next(&pod->trouble, clock_monotonic(), CLOCK_SECOND, 60 * CLOCK_SECOND);
	queue_add_after(kubelet->queue, pod->uid, pod->trouble.delay);
}

static bool bring_volumes_up_to_date(struct kubelet *kubelet, struct pod *pod,
				     const struct cox_object *object)
{
	cox_autoerror err = COX_ERROR_INIT;
	uint64_t now = clock_monotonic();

	if (pod->volumes_ready && (!pod->volumes_again || now < pod->volumes_again))
		return true;
	if (volumes_set_up(kubelet, pod, object, &pod->volumes_again, &err)) {
		log_warning("volumes of pod %s/%s: %s", pod->namespace, pod->name,
			    error_text(&err));
		/* One that is there stays as it is. */
		pod->volumes_again = now + 10 * CLOCK_SECOND;
		if (!pod->volumes_ready)
			trouble(kubelet, pod);
		return pod->volumes_ready;
	}
	pod->volumes_ready = true;
	if (pod->volumes_again)
		queue_add_after(kubelet->queue, pod->uid, pod->volumes_again - now);
	return true;
}

static bool make_sandbox(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
			 const struct view *view)
{
	cox_autoerror err = COX_ERROR_INIT;
	uint32_t attempt = view->sandboxes.count ? view->sandboxes.items[0].attempt + 1 : 0;
	char id[COX_RUNTIME_ID_SIZE] = "";

	for (size_t i = 0; i < view->sandboxes.count; i++)
		if (sandbox_stop(kubelet, pod, &view->sandboxes.items[i], &err)) {
			log_warning("pod %s/%s: %s", pod->namespace, pod->name, error_text(&err));
			trouble(kubelet, pod);
			return false;
		}
	if (view->sandboxes.count)
		events_pod(kubelet, object, "Normal", "SandboxChanged",
			   "Pod sandbox changed, it will be killed and re-created.");
	if (sandbox_make(kubelet, pod, object, attempt, id, &err)) {
		events_pod(kubelet, object, "Warning", "FailedCreatePodSandBox",
			   "Failed to create pod sandbox: %s", error_text(&err));
		log_warning("sandbox of pod %s/%s: %s", pod->namespace, pod->name,
			    error_text(&err));
		trouble(kubelet, pod);
		return false;
	}
	cox_lock_scope(&kubelet->lock);
	memcpy(pod->sandbox, id, sizeof(pod->sandbox));
	return true;
}

static bool past_deadline(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object)
{
	int64_t seconds =
		value_get_int(object_path(object_root(object), "spec"), "activeDeadlineSeconds", 0);
	uint64_t until = pod->started_at + (uint64_t)seconds * CLOCK_SECOND;

	if (seconds <= 0 || !pod->started_at)
		return false;
	if (clock_realtime() < until) {
		queue_add_after(kubelet->queue, pod->uid, until - clock_realtime());
		return false;
	}
	pod->rejected_reason = "DeadlineExceeded";
	free(pod->rejected_message);
	pod->rejected_message =
		cox_strdup("Pod was active on the node longer than the specified deadline");
	events_pod(kubelet, object, "Normal", "DeadlineExceeded", "%s", pod->rejected_message);
	return true;
}

/* False when the pod is to be ended instead. */
static bool run_pod(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		    struct view *view)
{
	const struct value *spec = object_path(object_root(object), "spec");
	const struct view_sandbox *sandbox = view_ready(view);
	struct pod_pass pass = {.kubelet = kubelet, .pod = pod, .object = object, .spec = spec};

	if (pod_is_done(spec, view) || past_deadline(kubelet, pod, object))
		return false;
	if (!bring_volumes_up_to_date(kubelet, pod, object))
		return true;
	if (!sandbox) {
		if (!make_sandbox(kubelet, pod, object, view))
			return true;
		view_free(view);
		*view = (struct view){.arena = ARENA_INIT};
		if (view_read(kubelet, pod->uid, view, NULL) || !(sandbox = view_ready(view))) {
			trouble(kubelet, pod);
			return true;
		}
	}
	pod->trouble.delay = 0;
	sandbox_read_addresses(kubelet, pod, object, sandbox);
	pass.view = view;
	pass.sandbox = sandbox->id;
	pod_start_containers(&pass);
	pod_collect_garbage(&pass);
	if (pass.changed) {
		view_free(view);
		*view = (struct view){.arena = ARENA_INIT};
		if (view_read(kubelet, pod->uid, view, NULL))
			queue_add_after(kubelet->queue, pod->uid, retry_after);
	}
	return !pass.ended;
}

/* startTime is the API's, if an earlier kubelet told one. */
static void learn_start(struct pod *pod, const struct cox_object *object)
{
	const struct value *said = object_path(object_root(object), "status.startTime");

	if (!pod->started_at && said &&
	    clock_parse(value_text(said), said->count, &pod->started_at))
		pod->started_at = 0;
}

static bool orphans_are_known(struct kubelet *kubelet)
{
	bool synced;

	pthread_mutex_lock(&kubelet->lock);
	synced = kubelet->synced;
	pthread_mutex_unlock(&kubelet->lock);
	return synced && sources_ready(kubelet->sources);
}

static void sync_with(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		      struct view *view)
{
	bool evicting;

	pthread_mutex_lock(&kubelet->lock);
	evicting = pod->evicting;
	if (view->sandboxes.count && strlen(view->sandboxes.items[0].id) < sizeof(pod->sandbox))
		memcpy(pod->sandbox, view->sandboxes.items[0].id,
		       strlen(view->sandboxes.items[0].id) + 1);
	pthread_mutex_unlock(&kubelet->lock);
	learn_start(pod, object);
	/* Whose it is may not be known yet: nothing is ended by mistake. */
	if (!object && !pod->gone && !orphans_are_known(kubelet)) {
		queue_add_after(kubelet->queue, pod->uid, retry_after);
		return;
	}
	if (object && !view->sandboxes.count && pods_must_wait(kubelet, pod)) {
		queue_add_after(kubelet->queue, pod->uid, retry_after);
		return;
	}
	if (object && !is_deleted(object) && !is_over(object) && evicting &&
	    survives(pod, object, view)) {
		rest_pod(kubelet, pod, object, view);
		return;
	}
	if (!object || is_deleted(object) || evicting || is_over(object)) {
		end_pod(kubelet, pod, object, view);
		return;
	}
	if (view->containers.count || view->sandboxes.count)
		pod->adopted = true;
	if (!pod->admitted && !pod->rejected_reason)
		pod_admit(kubelet, pod, object);
	if (!pod->started_at)
		pod->started_at = clock_realtime();
	if (pod->rejected_reason || !run_pod(kubelet, pod, object, view)) {
		end_pod(kubelet, pod, object, view);
		return;
	}
	report_status(kubelet, pod, pod_status_make(kubelet, pod, object, view));
}

void pod_sync(struct kubelet *kubelet, struct pod *pod)
{
	/* Before the object is read: what changes in between is for the next time. */
	bool due = atomic_exchange(&pod->volumes_due, false);
	cox_autoobject *object = pods_object(kubelet, pod);
	cox_autoerror err = COX_ERROR_INIT;
	struct view view = {.arena = ARENA_INIT};

	if (due)
		pod->volumes_again = 1; /* long past */
	if (view_read(kubelet, pod->uid, &view, &err)) {
		log_error("pod %s/%s: %s", pod->namespace, pod->name, error_text(&err));
		queue_add_after(kubelet->queue, pod->uid, retry_after);
	} else {
		sync_with(kubelet, pod, object, &view);
	}
	view_free(&view);
}
