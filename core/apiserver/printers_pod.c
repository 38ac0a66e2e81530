/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of pods. The column Status is one word for the state of many
 * containers: what keeps the pod from its next step, as every server of this
 * API computes it (scripts compare it, so the order of the rules counts).
 */
#include "apiserver/printers.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

/* What a row tells of a pod; gathered container by container. */
struct pod_summary {
	struct arena *arena;
	const struct value *spec, *status;
	const char *reason;
	size_t containers, ready;
	int64_t restarts, sidecar_restarts;
	uint64_t restarted, sidecar_restarted; /* the last time; 0: never */
};

static const struct value *find_named(const struct value *list, const char *key, const char *name)
{
	const struct value *entry;

	for (size_t i = 0; (entry = value_at(list, i)); i++)
		if (value_string_is(value_get(entry, key), name))
			return entry;
	return NULL;
}

static bool has_condition(const struct value *status, const char *type)
{
	const struct value *condition = find_named(value_get(status, "conditions"), "type", type);

	return value_string_is(value_get(condition, "status"), "True");
}

/* An init container that goes on running beside the others (KEP-753). */
static bool is_sidecar(const struct value *container)
{
	return value_string_is(value_get(container, "restartPolicy"), "Always");
}

static void count_restarts(const struct value *container, int64_t *restarts, uint64_t *last)
{
	const char *finished = value_text(value_path(container, "lastState.terminated.finishedAt"));
	uint64_t when;

	*restarts += value_get_int(container, "restartCount", 0);
	if (clock_parse(finished, strlen(finished), &when) == 0 && when > *last)
		*last = when;
}

/* How a container ended, when nobody gave a reason. */
static const char *exit_text(struct arena *arena, const char *prefix,
			     const struct value *terminated)
{
	int64_t signal = value_get_int(terminated, "signal", 0);

	if (signal)
		return arena_printf(arena, "%sSignal:%" PRId64, prefix, signal);
	return arena_printf(arena, "%sExitCode:%" PRId64, prefix,
			    value_get_int(terminated, "exitCode", 0));
}

/* Whether this init container is done with; else the pod's reason is set. */
static bool pass_init_container(struct pod_summary *pod, const struct value *container,
				bool sidecar, size_t index, size_t count)
{
	const struct value *state = value_get(container, "state");
	const struct value *terminated = value_get(state, "terminated");
	const char *waiting = value_text(value_path(state, "waiting.reason"));

	if (terminated && value_get_int(terminated, "exitCode", 0) == 0)
		return true;
	if (sidecar && value_get_bool(container, "started")) {
		pod->ready += value_get_bool(container, "ready");
		return true;
	}
	if (terminated) {
		const char *reason = value_get_text(terminated, "reason");

		pod->reason = *reason ? arena_printf(pod->arena, "Init:%s", reason)
				      : exit_text(pod->arena, "Init:", terminated);
	} else if (*waiting && strcmp(waiting, "PodInitializing") != 0) {
		pod->reason = arena_printf(pod->arena, "Init:%s", waiting);
	} else {
		pod->reason = arena_printf(pod->arena, "Init:%zu/%zu", index, count);
	}
	return false;
}

/* Whether the pod is held by its init containers. */
static bool summarize_init(struct pod_summary *pod)
{
	const struct value *specs = value_get(pod->spec, "initContainers");
	const struct value *statuses = value_get(pod->status, "initContainerStatuses");
	size_t count = specs ? specs->count : 0;
	const struct value *container;

	for (size_t i = 0; i < count; i++)
		pod->containers += is_sidecar(value_at(specs, i));
	for (size_t i = 0; (container = value_at(statuses, i)); i++) {
		bool sidecar =
			is_sidecar(find_named(specs, "name", value_get_text(container, "name")));

		count_restarts(container, &pod->restarts, &pod->restarted);
		if (sidecar)
			count_restarts(container, &pod->sidecar_restarts, &pod->sidecar_restarted);
		if (!pass_init_container(pod, container, sidecar, i, count))
			return true;
	}
	return false;
}

/* Backwards, so that the first container that has something to say wins. */
static void summarize_containers(struct pod_summary *pod)
{
	const struct value *statuses = value_get(pod->status, "containerStatuses");
	bool running = false;

	pod->restarts = pod->sidecar_restarts;
	pod->restarted = pod->sidecar_restarted;
	for (size_t i = statuses ? statuses->count : 0; i-- > 0;) {
		const struct value *container = value_at(statuses, i);
		const struct value *state = value_get(container, "state");
		const struct value *terminated = value_get(state, "terminated");
		const char *waiting = value_text(value_path(state, "waiting.reason"));
		const char *ended = value_get_text(terminated, "reason");

		count_restarts(container, &pod->restarts, &pod->restarted);
		if (*waiting) {
			pod->reason = waiting;
		} else if (terminated) {
			pod->reason = *ended ? ended : exit_text(pod->arena, "", terminated);
		} else if (value_get_bool(container, "ready") && value_get(state, "running")) {
			running = true;
			pod->ready++;
		}
	}
	if (running && strcmp(pod->reason, "Completed") == 0)
		pod->reason = has_condition(pod->status, "Ready") ? "Running" : "NotReady";
}

/* From the phase on, each rule may say better what holds the pod. */
static void summarize(struct pod_summary *pod, const struct value *object)
{
	const char *phase = value_get_text(pod->status, "phase");
	const char *reason = value_get_text(pod->status, "reason");
	const struct value *scheduled =
		find_named(value_get(pod->status, "conditions"), "type", "PodScheduled");
	const struct value *containers = value_get(pod->spec, "containers");
	bool ended = strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;

	pod->reason = *reason ? reason : phase;
	pod->containers = containers ? containers->count : 0;
	if (value_string_is(value_get(scheduled, "reason"), "SchedulingGated"))
		pod->reason = "SchedulingGated";
	if (!summarize_init(pod) || has_condition(pod->status, "Initialized"))
		summarize_containers(pod);
	if (!*value_text(value_path(object, "metadata.deletionTimestamp")))
		return;
	if (strcmp(reason, "NodeLost") == 0)
		pod->reason = "Unknown";
	else if (!ended)
		pod->reason = "Terminating";
}

/* "4 (5m ago)": the age is that of the last end that is known. */
static void print_restarts(struct table_row *row, const struct pod_summary *pod)
{
	char age[16];

	if (pod->restarts == 0 || pod->restarted == 0) {
		cell_printf(row, "%" PRId64, pod->restarts);
		return;
	}
	table_age(row->now > pod->restarted ? row->now - pod->restarted : 0, age);
	cell_printf(row, "%" PRId64 " (%s ago)", pod->restarts, age);
}

static void print_readiness_gates(struct table_row *row, const struct pod_summary *pod)
{
	const struct value *gates = value_get(pod->spec, "readinessGates"), *gate;
	size_t passed = 0;

	if (!gates || gates->count == 0) {
		cell_text(row, "<none>");
		return;
	}
	for (size_t i = 0; (gate = value_at(gates, i)); i++)
		passed += has_condition(pod->status, value_get_text(gate, "conditionType"));
	cell_printf(row, "%zu/%u", passed, gates->count);
}

void print_pod(struct table_row *row)
{
	cox_autoarena arena = ARENA_INIT;
	struct pod_summary pod = {.arena = &arena,
				  .spec = value_get(row->object, "spec"),
				  .status = value_get(row->object, "status")};
	const struct value *address = value_at(value_get(pod.status, "podIPs"), 0);

	summarize(&pod, row->object);
	print_name(row);
	cell_printf(row, "%zu/%zu", pod.ready, pod.containers);
	cell_text(row, pod.reason);
	print_restarts(row, &pod);
	print_created(row);
	print_text_or(row, value_get_text(address, "ip"), "<none>");
	print_text_or(row, value_get_text(pod.spec, "nodeName"), "<none>");
	print_text_or(row, value_get_text(pod.status, "nominatedNodeName"), "<none>");
	print_readiness_gates(row, &pod);
}
