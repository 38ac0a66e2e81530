/* SPDX-License-Identifier: Apache-2.0 */
/* Containers are made and started by the pod's worker and stopped in jobs. */
#include "kubelet/container.h"

#include "base/clock.h"
#include "base/log.h"
#include "kubelet/events.h"
#include "kubelet/fields.h"
#include "kubelet/volumes.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int start_failed(const struct container_start *start, const char *reason, const char *prefix,
			const struct cox_error *err)
{
	events_container(start->kubelet, start->object, start->record->name, "Warning", "Failed",
			 "Error: %s%s", prefix, error_text(err));
	pod_wait_for(start->record, reason, "%s%s", prefix, error_text(err));
	return -1;
}

static int run_post_start(const struct container_start *start, const char *id)
{
	const struct value *handler = object_path(start->container, "lifecycle.postStart");
	const struct hook_target target = {start->kubelet, start->object, start->container, id,
					   start->pod->ips[0] ? start->pod->ips[0] : ""};
	cox_autobuf output = COX_BUF_INIT;

	if (!handler || hook_run(&target, handler, 120 * CLOCK_SECOND, &output) == 0)
		return 0;
	events_container(start->kubelet, start->object, start->record->name, "Warning",
			 "FailedPostStartHook", "PostStartHook failed: %s", cox_buf_cstr(&output));
	pod_wait_for(start->record, "PostStartHookError", "%s", cox_buf_cstr(&output));
	if (runtime_call(start->kubelet, 120 * CLOCK_SECOND, container_stop, id, 2 * CLOCK_SECOND,
			 NULL))
		log_warning("stop container %s whose postStart hook failed", id);
	return -1;
}

int container_start(const struct container_start *start)
{
	struct kubelet *kubelet = start->kubelet;
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct cox_container_config config;
	char id[COX_RUNTIME_ID_SIZE] = "";

	if (container_configure(start, &arena, &config, &err))
		return start_failed(start, "CreateContainerConfigError", "", &err);
	if (runtime_call(kubelet, 120 * CLOCK_SECOND, container_create, start->sandbox, &config, id,
			 &err)) {
		host_op_failed(kubelet->parts.runtime, "container_create", &err);
		return start_failed(start, "CreateContainerError", "", &err);
	}
	events_container(kubelet, start->object, start->record->name, "Normal", "Created",
			 "Container created");
	if (runtime_call(kubelet, 120 * CLOCK_SECOND, container_start, id, &err)) {
		host_op_failed(kubelet->parts.runtime, "container_start", &err);
		if (runtime_call(kubelet, 60 * CLOCK_SECOND, container_remove, id, NULL))
			log_warning("remove container %s, which could not be started", id);
		return start_failed(start, "RunContainerError", "", &err);
	}
	events_container(kubelet, start->object, start->record->name, "Normal", "Started",
			 "Container started");
	pod_wait_for(start->record, NULL, NULL);
	return run_post_start(start, id);
}

/* ---- stopping ---- */

/* An empty file beside the termination message, of that container alone. */
static const char *interrupted_path(struct kubelet *kubelet, struct arena *arena, const char *uid,
				    const struct view_container *container)
{
	return volumes_pod_directory(kubelet, arena, uid,
				     arena_printf(arena, "containers/%s/%s.interrupted",
						  container->name, container->id));
}

void container_interrupt(struct kubelet *kubelet, const struct pod *pod,
			 const struct view_container *container)
{
	cox_autoarena arena = ARENA_INIT;
	const char *path = interrupted_path(kubelet, &arena, pod->uid, container);
	const char *parent = arena_strndup(&arena, path, (size_t)(strrchr(path, '/') - path));
	cox_autoerror err = COX_ERROR_INIT;
	cox_autoclose int fd = -1;

	if (volumes_make_directory(parent, 0750, &err)) {
		log_warning("container %s: %s", container->id, error_text(&err));
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		log_warning("create %s: %s", path, strerror(errno));
}

bool container_was_interrupted(struct kubelet *kubelet, const char *uid,
			       const struct view_container *container)
{
	cox_autoarena arena = ARENA_INIT;

	return access(interrupted_path(kubelet, &arena, uid, container), F_OK) == 0;
}

struct stop {
	struct kubelet *kubelet;
	struct pod *pod; /* in use */
	struct cox_object *object;
	struct container_record *record;
	char id[COX_RUNTIME_ID_SIZE];
	int64_t grace;
};

/* The preStop hook runs in the time of the grace; what is left of it. */
static uint64_t run_pre_stop(struct stop *stop)
{
	const struct value *container =
		stop->object ? fields_container(stop->object, stop->record->name) : NULL;
	const struct value *handler = object_path(container, "lifecycle.preStop");
	const struct hook_target target = {stop->kubelet, stop->object, container, stop->id,
					   stop->pod->ips[0] ? stop->pod->ips[0] : ""};
	uint64_t grace = (uint64_t)stop->grace * CLOCK_SECOND, begun = clock_monotonic(), took;
	cox_autobuf output = COX_BUF_INIT;

	if (!handler || !grace)
		return grace;
	if (hook_run(&target, handler, grace, &output) != 0)
		events_container(stop->kubelet, stop->object, stop->record->name, "Warning",
				 "FailedPreStopHook", "PreStopHook failed: %s",
				 cox_buf_cstr(&output));
	took = clock_monotonic() - begun;
	/* However long the hook took, the container has two seconds. */
	return took + 2 * CLOCK_SECOND < grace ? grace - took : 2 * CLOCK_SECOND;
}

static void run_stop(void *context)
{
	struct stop *stop = context;
	struct kubelet *kubelet = stop->kubelet;
	uint64_t grace = run_pre_stop(stop);
	cox_autoerror err = COX_ERROR_INIT;
	int failed = runtime_call(kubelet, 0, container_stop, stop->id, grace, &err);

	if (failed && !cancel_requested(&kubelet->cancel)) {
		log_warning("stop container %s: %s", stop->id, error_text(&err));
		events_container(kubelet, stop->object, stop->record->name, "Warning",
				 "FailedKillPod", "error killing pod: %s", error_text(&err));
	}
	pthread_mutex_lock(&kubelet->lock);
	if (failed && !strcmp(stop->record->killing, stop->id))
		stop->record->killing[0] = '\0'; /* to be tried again */
	pthread_mutex_unlock(&kubelet->lock);
	if (failed)
		queue_add_after(kubelet->queue, stop->pod->uid, CLOCK_SECOND);
	else
		pods_wake(kubelet, stop->pod->uid);
	pods_put(kubelet, stop->pod);
	object_unref(stop->object);
	free(stop);
}

/* Whether somebody must do it; if so it is this caller. */
static bool claim(struct kubelet *kubelet, struct container_record *record, const char *id,
		  int64_t grace, bool *first)
{
	cox_lock_scope(&kubelet->lock);
	*first = strcmp(record->killing, id) != 0;
	if (!*first && record->killing_grace <= (uint64_t)grace)
		return false;
	memcpy(record->killing, id, strlen(id) + 1);
	record->killing_grace = (uint64_t)grace;
	return true;
}

void container_stop(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		    const struct view_container *container, int64_t grace, const char *why)
{
	struct container_record *record = pod_container(pod, container->name, false);
	struct stop *stop;
	bool first;

	if (strlen(container->id) >= sizeof(record->killing) ||
	    !claim(kubelet, record, container->id, grace, &first))
		return;
	if (first)
		events_container(kubelet, object, container->name, "Normal", "Killing", "%s", why);
	stop = cox_new(struct stop);
	*stop = (struct stop){kubelet, pods_get(kubelet, pod->uid), object_ref(object), record, "",
			      grace};
	memcpy(stop->id, container->id, strlen(container->id) + 1);
	if (jobs_run(kubelet->jobs, run_stop, stop) == 0)
		return;
	pthread_mutex_lock(&kubelet->lock);
	record->killing[0] = '\0';
	pthread_mutex_unlock(&kubelet->lock);
	pods_put(kubelet, stop->pod);
	object_unref(stop->object);
	free(stop);
	queue_add_after(kubelet->queue, pod->uid, CLOCK_SECOND);
}
