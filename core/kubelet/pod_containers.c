/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which containers of a pod are to be started, restarted or stopped now: init
 * containers one after the other, sidecars among them kept running, then all
 * others at once.
 */
#include "kubelet/pod_worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "kubelet/container.h"
#include "kubelet/events.h"
#include "kubelet/images.h"
#include "kubelet/logs.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <string.h>

bool pod_is_sidecar(const struct value *container)
{
	return !strcmp(value_get_text(container, "restartPolicy"), "Always");
}

static bool failed(const struct view_container *ended)
{
	return ended->exit_code != 0 || ended->interrupted;
}

static bool has_code(const struct value *codes, int32_t exit_code)
{
	const struct value *values = value_get(codes, "values"), *value;

	for (size_t i = 0; (value = value_at(values, i)); i++) {
		if (value->kind == VALUE_INT && value->integer == exit_code)
			return true;
	}
	return false;
}

/* Restarting is all that rules can say. */
static bool has_rule_for(const struct value *container, int32_t exit_code)
{
	const struct value *rules = value_get(container, "restartPolicyRules"), *rule;

	for (size_t i = 0; (rule = value_at(rules, i)); i++) {
		const struct value *codes = value_get(rule, "exitCodes");
		bool in = !strcmp(value_get_text(codes, "operator"), "In");

		if (!strcmp(value_get_text(rule, "action"), "Restart") && codes &&
		    has_code(codes, exit_code) == in)
			return true;
	}
	return false;
}

bool pod_restarts(const struct value *spec, const struct value *container, bool init,
		  const struct view_container *ended)
{
	const char *policy = value_get_text(container, "restartPolicy");

	if (init && pod_is_sidecar(container))
		return true;
	/* An init container that succeeded has done what it is for. */
	if (init && !failed(ended))
		return false;
	if (has_rule_for(container, ended->exit_code))
		return true;
	if (!*policy)
		policy = value_get_text(spec, "restartPolicy");
	if (!strcmp(policy, "Never"))
		return false;
	return failed(ended) || strcmp(policy, "OnFailure") != 0;
}

bool pod_is_done(const struct value *spec, const struct view *view)
{
	const struct value *container;
	size_t i;

	/* An init container that failed for good ends the pod too. */
	for (i = 0; (container = value_at(value_get(spec, "initContainers"), i)); i++) {
		const struct view_container *last =
			view_container(view, value_get_text(container, "name"), 0);

		if (last && last->state == COX_CONTAINER_EXITED && failed(last) &&
		    !pod_restarts(spec, container, true, last))
			return true;
	}
	for (i = 0; (container = value_at(value_get(spec, "containers"), i)); i++) {
		const struct view_container *last =
			view_container(view, value_get_text(container, "name"), 0);

		if (!last || last->state != COX_CONTAINER_EXITED ||
		    pod_restarts(spec, container, false, last))
			return false;
	}
	return i > 0;
}

/* ---- one container ---- */

/* Of a container that ended: how long it must still wait, said to people. */
static uint64_t crash_wait(struct pod_pass *pass, struct container_record *record,
			   const struct view_container *last)
{
	uint64_t finished = last->finished_at > 0 ? (uint64_t)last->finished_at : 0;
	uint64_t left = backoff_left(&record->restarts, finished, clock_realtime(),
				     pass->kubelet->parts.backoff_last);
	const struct pod *pod = pass->pod;
	char length[32];

	if (!left)
		return 0;
	cox_format_duration(record->restarts.delay, length);
	if (!record->waiting_reason || strcmp(record->waiting_reason, "CrashLoopBackOff") != 0)
		events_container(pass->kubelet, pass->object, record->name, "Warning", "BackOff",
				 "Back-off restarting failed container %s in pod %s_%s(%s)",
				 record->name, pod->name, pod->namespace, pod->uid);
	pod_wait_for(record, "CrashLoopBackOff",
		     "back-off %s restarting failed container=%s pod=%s_%s(%s)", length,
		     record->name, pod->name, pod->namespace, pod->uid);
	queue_add_after(pass->kubelet->queue, pod->uid, left + CLOCK_MILLISECOND);
	return left;
}

/*
 * What the runtime has forgotten, all of a container that once was, the status
 * still counts: restarts never become fewer.
 */
static uint32_t first_attempt(const struct pod_pass *pass, const struct container_record *record)
{
	const struct value *list =
		object_path(object_root(pass->object), record->init ? "status.initContainerStatuses"
								    : "status.containerStatuses");
	const struct value *one;

	for (size_t i = 0; (one = value_at(list, i)); i++) {
		int64_t count = value_get_int(one, "restartCount", 0);

		if (!strcmp(value_get_text(one, "name"), record->name))
			return *value_get_text(one, "containerID") && count >= 0 &&
					       count < INT32_MAX
				       ? (uint32_t)count + 1
				       : 0;
	}
	return 0;
}

/* Whether the container that ended was made of what the pod still says. */
static bool is_as_before(const struct value *container, const struct view_container *last)
{
	cox_autoarena arena = ARENA_INIT;

	return !*last->hash || strcmp(last->hash, container_hash(&arena, container)) == 0;
}

static void try_start(struct pod_pass *pass, const struct value *container,
		      struct container_record *record, const struct view_container *last)
{
	struct kubelet *kubelet = pass->kubelet;
	cox_autofree char *ref = NULL;
	struct container_start start = {.kubelet = kubelet,
					.pod = pass->pod,
					.object = pass->object,
					.container = container,
					.record = record,
					.sandbox = pass->sandbox,
					.attempt = last ? last->attempt + 1
							: first_attempt(pass, record)};
	int image;

	/* Who changed it may have mended it: that is no reason to wait. */
	if (last && !is_as_before(container, last))
		record->restarts = (struct backoff){0};
	if (last && crash_wait(pass, record, last))
		return;
	image = images_ensure(kubelet, pass->pod, pass->object, container, record, &ref);
	if (image < 0)
		queue_add_after(kubelet->queue, pass->pod->uid, kubelet->config->sync_frequency);
	if (image)
		return;
	if (last)
		backoff_next(&record->restarts, clock_realtime(), kubelet->parts.backoff_first,
			     kubelet->parts.backoff_last);
	start.image_ref = ref;
	pass->changed = true;
	if (container_start(&start))
		queue_add_after(kubelet->queue, pass->pod->uid, kubelet->config->sync_frequency);
}

static void restart(struct pod_pass *pass, const struct value *container,
		    const struct view_container *running, const char *format, const char *probe)
{
	int64_t grace = value_get_int(pass->spec, "terminationGracePeriodSeconds", 30);
	cox_autobuf why = COX_BUF_INIT;

	if (probe) {
		cox_autobuf path = COX_BUF_INIT;

		cox_buf_printf(&path, "%sProbe", probe);
		grace = value_get_int(value_get(container, path.data),
				      "terminationGracePeriodSeconds", grace);
		cox_buf_printf(&why, "Container %s failed %s probe, will be restarted",
			       running->name, probe);
	} else {
		cox_buf_printf(&why, "Container %s %s", running->name, format);
	}
	container_stop(pass->kubelet, pass->pod, pass->object, running, grace < 1 ? 1 : grace,
		       why.data);
}

/* A running one stays so, unless its probes or its definition say otherwise. */
static void check_running(struct pod_pass *pass, const struct value *container,
			  struct container_record *record, const struct view_container *running)
{
	cox_autoarena arena = ARENA_INIT;
	struct kubelet *kubelet = pass->kubelet;

	prober_add(kubelet->prober, pass->pod, pass->object, container, running);
	if (*running->hash && strcmp(running->hash, container_hash(&arena, container)) != 0)
		restart(pass, container, running, "definition changed, will be restarted", NULL);
	else if (prober_result(kubelet, record, running->id, PROBE_STARTUP) == PROBE_FAILURE)
		restart(pass, container, running, NULL, "startup");
	else if (prober_result(kubelet, record, running->id, PROBE_LIVENESS) == PROBE_FAILURE)
		restart(pass, container, running, NULL, "liveness");
}

static bool in_sandbox(const struct pod_pass *pass, const struct view_container *container)
{
	return container && !strcmp(container->sandbox_id, pass->sandbox);
}

/* ---- init containers ---- */

static bool main_began(const struct pod_pass *pass)
{
	const struct value *list = value_get(pass->spec, "containers"), *container;

	for (size_t i = 0; (container = value_at(list, i)); i++)
		if (in_sandbox(pass,
			       view_container(pass->view, value_get_text(container, "name"), 0)))
			return true;
	return false;
}

/* True: the next container may begin. */
static bool step_sidecar(struct pod_pass *pass, const struct value *container,
			 struct container_record *record, const struct view_container *last)
{
	if (!in_sandbox(pass, last) || last->state == COX_CONTAINER_EXITED) {
		try_start(pass, container, record, last);
		return false;
	}
	if (last->state != COX_CONTAINER_RUNNING)
		return false;
	check_running(pass, container, record, last);
	return !value_get(container, "startupProbe") ||
	       prober_result(pass->kubelet, record, last->id, PROBE_STARTUP) == PROBE_SUCCESS;
}

static bool step_init(struct pod_pass *pass, const struct value *container,
		      struct container_record *record, const struct view_container *last)
{
	if (in_sandbox(pass, last) && last->state != COX_CONTAINER_EXITED)
		return false;
	if (in_sandbox(pass, last) && !failed(last))
		return true;
	if (!in_sandbox(pass, last) || pod_restarts(pass->spec, container, true, last))
		try_start(pass, container, record, last);
	return false;
}

/* True: all are through, and sidecars run. */
static bool step_all_init(struct pod_pass *pass)
{
	const struct value *list = value_get(pass->spec, "initContainers"), *container;
	bool began = main_began(pass);

	for (size_t i = 0; (container = value_at(list, i)); i++) {
		const char *name = value_get_text(container, "name");
		struct container_record *record = pod_container(pass->pod, name, true);
		const struct view_container *last = view_container(pass->view, name, 0);
		bool sidecar = pod_is_sidecar(container);

		if (!sidecar && began)
			continue;
		if (sidecar ? !step_sidecar(pass, container, record, last) && !began
			    : !step_init(pass, container, record, last))
			return false;
	}
	return true;
}

/* ---- all others ---- */

static void step_main(struct pod_pass *pass, const struct value *container)
{
	const char *name = value_get_text(container, "name");
	struct container_record *record = pod_container(pass->pod, name, false);
	const struct view_container *last = view_container(pass->view, name, 0);

	if (last && last->state == COX_CONTAINER_RUNNING)
		check_running(pass, container, record, last);
	else if (last && last->state == COX_CONTAINER_CREATED && in_sandbox(pass, last)) {
		/* A crash came between create and start: once more from the beginning. */
		if (runtime_call(pass->kubelet, 60 * CLOCK_SECOND, container_remove, last->id,
				 NULL))
			log_warning("remove container %s, which was never started", last->id);
		pass->changed = true;
		pods_wake(pass->kubelet, pass->pod->uid);
	} else if (!last || pod_restarts(pass->spec, container, false, last)) {
		try_start(pass, container, record, last);
	}
}

void pod_start_containers(struct pod_pass *pass)
{
	const struct value *list = value_get(pass->spec, "containers"), *container;

	if (!step_all_init(pass))
		return;
	for (size_t i = 0; (container = value_at(list, i)); i++)
		step_main(pass, container);
}

/* Earlier sandboxes stay as long as there is a container of theirs to ask for. */
static void collect_sandboxes(struct pod_pass *pass)
{
	const struct view *view = pass->view;

	for (size_t i = 1; i < view->sandboxes.count; i++) {
		const char *id = view->sandboxes.items[i].id;
		bool used = view->sandboxes.items[i].state == COX_SANDBOX_READY;

		for (size_t j = 0; !used && j < view->containers.count; j++)
			used = !strcmp(view->containers.items[j].sandbox_id, id);
		if (!used &&
		    runtime_call(pass->kubelet, 60 * CLOCK_SECOND, sandbox_remove, id, NULL))
			log_warning("remove ended sandbox %s", id);
	}
}

void pod_collect_garbage(struct pod_pass *pass)
{
	const struct kubelet_config *config = pass->kubelet->config;
	int64_t keep = config->maximum_dead_containers_per_container;
	int64_t old = (int64_t)(clock_realtime() - config->minimum_container_ttl_duration);

	for (size_t i = 0; i < pass->view->containers.count; i++) {
		const struct view_container *container = &pass->view->containers.items[i];
		int64_t newer = 0;

		for (size_t j = 0; j < i; j++)
			newer += !strcmp(pass->view->containers.items[j].name, container->name);
		if (container->state != COX_CONTAINER_EXITED || keep < 0 ||
		    newer <= (keep > 1 ? keep : 1) || container->finished_at > old)
			continue;
		if (runtime_call(pass->kubelet, 60 * CLOCK_SECOND, container_remove, container->id,
				 NULL))
			log_warning("remove ended container %s", container->id);
		else
			logs_remove(container->log_path);
	}
	collect_sandboxes(pass);
}
