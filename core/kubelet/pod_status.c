/* SPDX-License-Identifier: Apache-2.0 */
/* How a pod fares: containers, phase, conditions, addresses. */
#include "kubelet/pod_worker.h"

#include "base/clock.h"
#include "kubelet/container.h"
#include "kubelet/fields.h"
#include "kubelet/logs.h"
#include "kubelet/sources.h"
#include "machinery/json.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGE_MAX = 4096, LOG_MESSAGE_MAX = 2048, LOG_READ_MAX = 1024 * 1024 };

struct status_pass {
	struct kubelet *kubelet;
	struct pod *pod;
	const struct value *root, *spec;
	const struct value *old; /* the status that was told last */
	const struct view *view;
	struct arena *arena;
	struct value *status;
	/* what phase and conditions are made of */
	unsigned running, waiting, stopped, succeeded, total;
	unsigned restarting; /* of the stopped ones */
	unsigned init_pending, init_failed;
	struct cox_buf unready, incomplete; /* names */
};

static void set_time(struct status_pass *pass, struct value *into, const char *key, int64_t time)
{
	char text[CLOCK_RFC3339_SIZE];

	if (time <= 0) {
		value_set(pass->arena, into, key, value_null(pass->arena));
		return;
	}
	clock_format((uint64_t)time, text);
	value_set_text(pass->arena, into, key, text);
}

static void set_text(struct status_pass *pass, struct value *into, const char *key,
		     const char *text)
{
	if (text && *text)
		value_set_text(pass->arena, into, key, text);
}

static void set_bool(struct status_pass *pass, struct value *into, const char *key, bool boolean)
{
	value_set(pass->arena, into, key, value_bool(pass->arena, boolean));
}

/* What the container left in its termination message file. */
/* terminationMessagePolicy FallbackToLogsOnError: the end of the log. */
static const char *message_from_log(struct status_pass *pass,
				    const struct view_container *container)
{
	const struct log_options options = {.tail = 80, .limit = -1};
	struct log_reader *reader = log_reader_open(container->log_path, &options, NULL);
	cox_autobuf text = COX_BUF_INIT;
	size_t from, bad;

	while (reader && text.size < LOG_READ_MAX && log_reader_next(reader, 65536, &text) > 0)
		;
	log_reader_close(reader);
	from = text.size > LOG_MESSAGE_MAX ? text.size - LOG_MESSAGE_MAX : 0;
	/* Not from the middle of a character. */
	while (from < text.size && ((unsigned char)text.data[from] & 0xc0) == 0x80)
		from++;
	if (!text.size || cox_utf8_valid(text.data + from, text.size - from, &bad))
		return text.size ? arena_strndup(pass->arena, text.data + from, text.size - from)
				 : "";
	return arena_strndup(pass->arena, text.data + from, bad);
}

static bool falls_back(struct status_pass *pass, const char *name)
{
	static const char *const lists[] = {"containers", "initContainers"};
	const struct value *one;

	for (size_t l = 0; l < 2; l++)
		for (size_t i = 0; (one = value_at(value_get(pass->spec, lists[l]), i)); i++)
			if (!strcmp(value_get_text(one, "name"), name))
				return !strcmp(value_get_text(one, "terminationMessagePolicy"),
					       "FallbackToLogsOnError");
	return false;
}

static const char *termination_message(struct status_pass *pass,
				       const struct view_container *container)
{
	const char *path = container_message_path(pass->kubelet, pass->arena, pass->pod->uid,
						  container->name, container->attempt);
	cox_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *text = arena_alloc(pass->arena, MESSAGE_MAX);
	ssize_t size = fd >= 0 ? read(fd, text, MESSAGE_MAX) : 0;
	size_t bad;

	if (size <= 0 && container->exit_code && *container->log_path &&
	    falls_back(pass, container->name))
		return message_from_log(pass, container);
	if (size <= 0)
		return container->message;
	if (!cox_utf8_valid(text, (size_t)size, &bad))
		size = (ssize_t)bad;
	return arena_strndup(pass->arena, text, (size_t)size);
}

static const char *container_id(struct status_pass *pass, const struct view_container *container)
{
	return arena_printf(pass->arena, "%s://%s", pass->kubelet->runtime_name, container->id);
}

static struct value *terminated(struct status_pass *pass, const struct view_container *container)
{
	struct value *state = value_object(pass->arena);
	struct value *inner = value_make_object(pass->arena, state, "terminated");

	value_set_int(pass->arena, inner, "exitCode", container->exit_code);
	set_text(pass, inner, "reason", container->reason);
	set_text(pass, inner, "message", termination_message(pass, container));
	set_time(pass, inner, "startedAt", container->started_at);
	set_time(pass, inner, "finishedAt", container->finished_at);
	value_set_text(pass->arena, inner, "containerID", container_id(pass, container));
	return state;
}

static struct value *waiting(struct status_pass *pass, const char *reason, const char *message)
{
	struct value *state = value_object(pass->arena);
	struct value *inner = value_make_object(pass->arena, state, "waiting");

	value_set_text(pass->arena, inner, "reason", reason);
	set_text(pass, inner, "message", message);
	return state;
}

/* A container of an ended pod that never was. */
static struct value *never_was(struct status_pass *pass)
{
	struct value *state = value_object(pass->arena);
	struct value *inner = value_make_object(pass->arena, state, "terminated");

	value_set_int(pass->arena, inner, "exitCode", 137);
	value_set_text(pass->arena, inner, "reason", "ContainerStatusUnknown");
	value_set_text(pass->arena, inner, "message",
		       "The container could not be located when the pod was terminated");
	set_time(pass, inner, "startedAt", 0);
	set_time(pass, inner, "finishedAt", 0);
	return state;
}

static struct value *state_of(struct status_pass *pass, const struct container_record *record,
			      const struct view_container *now, bool init)
{
	struct value *state;

	if (now && now->state == COX_CONTAINER_RUNNING) {
		state = value_object(pass->arena);
		set_time(pass, value_make_object(pass->arena, state, "running"), "startedAt",
			 now->started_at);
		return state;
	}
	if (record->waiting_reason && !pass->pod->terminated)
		return waiting(pass, record->waiting_reason, record->waiting_message);
	if (now && now->state == COX_CONTAINER_EXITED)
		return terminated(pass, now);
	if (pass->pod->terminated)
		return never_was(pass);
	if (!init && value_get(pass->spec, "initContainers") && pass->init_pending)
		return waiting(pass, "PodInitializing", NULL);
	return waiting(pass,
		       value_get(pass->spec, "initContainers") ? "PodInitializing"
							       : "ContainerCreating",
		       NULL);
}

static bool probe_passed(struct status_pass *pass, const struct value *container,
			 struct container_record *record, const char *id, enum probe_kind kind,
			 const char *key)
{
	return !value_get(container, key) ||
	       prober_result(pass->kubelet, record, id, kind) == PROBE_SUCCESS;
}

/* The ended container that a restart replaced, or that waits for one. */
static const struct view_container *last_of(const struct view *view, const char *name,
					    const struct value *state)
{
	const struct view_container *last =
		view_container(view, name, value_get(state, "waiting") ? 0 : 1);

	return last && last->state == COX_CONTAINER_EXITED ? last : NULL;
}

static struct value *container_status(struct status_pass *pass, const struct value *container,
				      bool init, bool *ready, bool *started)
{
	const char *name = value_get_text(container, "name");
	struct container_record *record = pod_container(pass->pod, name, init);
	const struct view_container *now = view_container(pass->view, name, 0), *last;
	bool running = now && now->state == COX_CONTAINER_RUNNING;
	bool sidecar = init && pod_is_sidecar(container);
	struct value *out = value_object(pass->arena), *state = state_of(pass, record, now, init);

	*started = running &&
		   probe_passed(pass, container, record, now->id, PROBE_STARTUP, "startupProbe");
	*ready = *started &&
		 probe_passed(pass, container, record, now->id, PROBE_READINESS, "readinessProbe");
	if (init && !sidecar)
		*ready = now && now->state == COX_CONTAINER_EXITED && now->exit_code == 0;
	last = last_of(pass->view, name, state);
	value_set_text(pass->arena, out, "name", name);
	value_set(pass->arena, out, "state", state);
	value_set(pass->arena, out, "lastState",
		  last ? terminated(pass, last) : value_object(pass->arena));
	set_bool(pass, out, "ready", *ready);
	value_set_int(pass->arena, out, "restartCount", now ? now->attempt : 0);
	value_set_text(pass->arena, out, "image",
		       now ? now->image : value_get_text(container, "image"));
	value_set_text(pass->arena, out, "imageID", now ? now->image_ref : "");
	if (now)
		value_set_text(pass->arena, out, "containerID", container_id(pass, now));
	set_bool(pass, out, "started", init && !sidecar ? false : *started);
	return out;
}

/* Stopped with its node: however it ended, that is not what it was to do. */
static bool was_interrupted(const struct status_pass *pass, const struct value *container)
{
	const struct view_container *now =
		view_container(pass->view, value_get_text(container, "name"), 0);

	return now && now->interrupted;
}

static void add_name(struct cox_buf *names, const char *name)
{
	cox_buf_printf(names, "%s%s", names->size ? " " : "", name);
}

/* Whether nobody starts again what ended so. */
static bool is_final(const struct status_pass *pass, const struct value *container, bool init)
{
	const struct view_container *ended =
		view_container(pass->view, value_get_text(container, "name"), 0);

	return pass->pod->terminated || !ended || !pod_restarts(pass->spec, container, init, ended);
}

static void add_init_statuses(struct status_pass *pass)
{
	const struct value *list = value_get(pass->spec, "initContainers"), *container;
	struct value *out = value_array(pass->arena);

	for (size_t i = 0; (container = value_at(list, i)); i++) {
		bool ready, started;
		struct value *one = container_status(pass, container, true, &ready, &started);
		bool sidecar = pod_is_sidecar(container);
		const struct value *over = value_path(one, "state.terminated");

		value_push(pass->arena, out, one);
		if (over && !sidecar &&
		    (value_get_int(over, "exitCode", 0) != 0 || was_interrupted(pass, container)) &&
		    is_final(pass, container, true))
			pass->init_failed++;
		if (sidecar ? started : ready)
			continue;
		pass->init_pending++;
		add_name(&pass->incomplete, value_get_text(container, "name"));
	}
	if (out->count)
		value_set(pass->arena, pass->status, "initContainerStatuses", out);
}

/* Sorted by name, as everybody shows them. */
static void insert_sorted(struct arena *arena, struct value *list, struct value *one)
{
	size_t at = 0;

	while (at < list->count &&
	       strcmp(value_get_text(value_at(list, at), "name"), value_get_text(one, "name")) < 0)
		at++;
	value_insert(arena, list, at, one);
}

static void add_statuses(struct status_pass *pass)
{
	const struct value *list = value_get(pass->spec, "containers"), *container;
	struct value *out = value_array(pass->arena);

	for (size_t i = 0; (container = value_at(list, i)); i++) {
		bool ready, started;
		struct value *one = container_status(pass, container, false, &ready, &started);
		const struct value *state = value_get(one, "state");
		const struct value *over = value_get(state, "terminated");
		const struct value *last = value_path(one, "lastState.terminated");

		insert_sorted(pass->arena, out, one);
		pass->total++;
		if (!ready)
			add_name(&pass->unready, value_get_text(container, "name"));
		if (value_get(state, "running"))
			pass->running++;
		else if (over || last)
			pass->stopped++;
		else
			pass->waiting++;
		if (over && value_get_int(over, "exitCode", 1) == 0 &&
		    !was_interrupted(pass, container))
			pass->succeeded++;
		if (!value_get(state, "running") && (over || last) &&
		    !is_final(pass, container, false))
			pass->restarting++;
	}
	value_set(pass->arena, pass->status, "containerStatuses", out);
}

/* ---- phase ---- */

static const char *phase_of(const struct status_pass *pass)
{
	if (pass->pod->rejected_reason)
		return "Failed";
	if (pass->init_failed)
		return "Failed";
	if (pass->pod->terminated)
		return pass->succeeded == pass->total ? "Succeeded" : "Failed";
	if (pass->init_pending && !pass->running && !pass->stopped)
		return "Pending";
	if (pass->waiting)
		return "Pending";
	if (pass->running)
		return "Running";
	if (!pass->stopped)
		return "Pending";
	if (pass->restarting)
		return "Running";
	return pass->stopped == pass->succeeded ? "Succeeded" : "Failed";
}

/* ---- conditions ---- */

static void add_condition(struct status_pass *pass, struct value *list, const char *type,
			  bool holds, const char *reason, const char *message)
{
	const struct value *old = value_get(pass->old, "conditions"), *before;
	const char *status = holds ? "True" : "False";
	struct value *condition = value_object(pass->arena);
	const struct value *generation = value_path(pass->root, "metadata.generation");
	size_t at = 0;

	while ((before = value_at(old, at)) && strcmp(value_get_text(before, "type"), type) != 0)
		at++;
	value_set_text(pass->arena, condition, "type", type);
	if (value_is(generation, VALUE_INT))
		value_set_int(pass->arena, condition, "observedGeneration", generation->integer);
	value_set_text(pass->arena, condition, "status", status);
	value_set(pass->arena, condition, "lastProbeTime", value_null(pass->arena));
	if (before && !strcmp(value_get_text(before, "status"), status))
		set_text(pass, condition, "lastTransitionTime",
			 value_get_text(before, "lastTransitionTime"));
	if (!value_get(condition, "lastTransitionTime"))
		set_time(pass, condition, "lastTransitionTime", (int64_t)clock_realtime());
	set_text(pass, condition, "reason", reason);
	set_text(pass, condition, "message", message);
	value_push(pass->arena, list, condition);
}

static const char *with_names(struct status_pass *pass, const char *what,
			      const struct cox_buf *names)
{
	return arena_printf(pass->arena, "containers with %s status: [%s]", what,
			    cox_buf_cstr(names));
}

/* Conditions of others (a scheduler's, a controller's) stay as they are. */
static void keep_others(struct status_pass *pass, struct value *list)
{
	static const char *const ours[] = {"PodReadyToStartContainers", "Initialized", "Ready",
					   "ContainersReady", "PodScheduled"};
	const struct value *old = value_get(pass->old, "conditions"), *one;

	for (size_t i = 0; (one = value_at(old, i)); i++) {
		size_t at = 0;

		while (at < sizeof(ours) / sizeof(ours[0]) &&
		       strcmp(ours[at], value_get_text(one, "type")) != 0)
			at++;
		if (at == sizeof(ours) / sizeof(ours[0]))
			value_push(pass->arena, list, value_copy(pass->arena, one));
	}
}

/* readinessGates: conditions that somebody else must have set to True. */
static bool gates_open(struct status_pass *pass, const char **message)
{
	const struct value *gates = value_get(pass->spec, "readinessGates"), *gate, *one;
	const struct value *old = value_get(pass->old, "conditions");

	for (size_t i = 0; (gate = value_at(gates, i)); i++) {
		const char *type = value_get_text(gate, "conditionType");
		size_t at = 0;

		while ((one = value_at(old, at)) && strcmp(value_get_text(one, "type"), type) != 0)
			at++;
		if (one && !strcmp(value_get_text(one, "status"), "True"))
			continue;
		*message = arena_printf(pass->arena,
					one ? "the status of pod readiness gate \"%s\" is not "
					      "\"True\", but %s"
					    : "corresponding condition of pod readiness gate "
					      "\"%s\" does not exist.%s",
					type, one ? value_get_text(one, "status") : "");
		return false;
	}
	return true;
}

/* For who waits for it: --runonce. */
static void note_phase(struct status_pass *pass, const char *phase)
{
	cox_lock_scope(&pass->kubelet->lock);
	pass->pod->phase = phase;
	pass->pod->all_run = pass->total && !pass->init_pending &&
			     pass->running + pass->succeeded == pass->total;
}

static void add_conditions(struct status_pass *pass, const char *phase)
{
	struct value *list = value_array(pass->arena);
	bool over = !strcmp(phase, "Succeeded") || !strcmp(phase, "Failed");
	bool initialised = !pass->init_pending;
	bool containers = !pass->unready.size && !over;
	const char *reason = "", *message = "", *gate = "";

	if (over && !pass->pod->rejected_reason)
		initialised |= !strcmp(phase, "Succeeded");
	add_condition(pass, list, "PodReadyToStartContainers",
		      view_ready(pass->view) != NULL && pass->pod->ips[0] && !pass->pod->terminated,
		      "", "");
	add_condition(pass, list, "Initialized", initialised,
		      initialised ? (over ? "PodCompleted" : "") : "ContainersNotInitialized",
		      initialised ? "" : with_names(pass, "incomplete", &pass->incomplete));
	if (over) {
		reason = !strcmp(phase, "Succeeded") ? "PodCompleted" : "PodFailed";
	} else if (!containers) {
		reason = "ContainersNotReady";
		message = with_names(pass, "unready", &pass->unready);
	}
	if (containers && !gates_open(pass, &gate))
		add_condition(pass, list, "Ready", false, "ReadinessGatesNotReady", gate);
	else
		add_condition(pass, list, "Ready", containers, reason, message);
	add_condition(pass, list, "ContainersReady", containers, reason, message);
	add_condition(pass, list, "PodScheduled", true, "", "");
	keep_others(pass, list);
	value_set(pass->arena, pass->status, "conditions", list);
}

/* ---- the whole ---- */

static void add_addresses(struct status_pass *pass)
{
	static const char *const keys[] = {"podIPs", "hostIPs"};
	const char *lists[2][2] = {{pass->pod->ips[0], pass->pod->ips[1]},
				   {fields_host_ip(pass->kubelet), NULL}};

	set_text(pass, pass->status, "hostIP", lists[1][0]);
	set_text(pass, pass->status, "podIP", lists[0][0]);
	for (size_t i = 0; i < 2; i++) {
		struct value *list = value_array(pass->arena);

		for (size_t j = 0; j < 2 && lists[i][j] && *lists[i][j]; j++) {
			struct value *one = value_object(pass->arena);

			value_set_text(pass->arena, one, "ip", lists[i][j]);
			value_push(pass->arena, list, one);
		}
		if (list->count)
			value_set(pass->arena, pass->status, keys[i], list);
	}
}

char *pod_status_make(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		      const struct view *view)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf text = COX_BUF_INIT;
	cox_autoobject *mirror = pod->is_static ? mirror_pod_get(kubelet, pod) : NULL;
	struct status_pass pass = {
		.kubelet = kubelet,
		.pod = pod,
		.root = object_root(object),
		.old = value_get(object_root(mirror ? mirror : object), "status"),
		.spec = value_get(object_root(object), "spec"),
		.view = view,
		.arena = &arena,
		.status = value_object(&arena),
	};
	const struct value *generation = value_path(pass.root, "metadata.generation");
	const char *phase;

	if (value_is(generation, VALUE_INT))
		value_set_int(&arena, pass.status, "observedGeneration", generation->integer);
	if (!pod->rejected_reason || view->containers.count) {
		add_init_statuses(&pass);
		add_statuses(&pass);
	}
	phase = phase_of(&pass);
	note_phase(&pass, phase);
	value_set_text(&arena, pass.status, "phase", phase);
	if (pod->rejected_reason) {
		value_set_text(&arena, pass.status, "reason", pod->rejected_reason);
		set_text(&pass, pass.status, "message", pod->rejected_message);
	}
	add_conditions(&pass, phase);
	add_addresses(&pass);
	set_time(&pass, pass.status, "startTime", (int64_t)pod->started_at);
	cox_buf_free(&pass.unready);
	cox_buf_free(&pass.incomplete);
	json_write(&text, pass.status, 0);
	return cox_buf_steal(&text);
}
