/* SPDX-License-Identifier: Apache-2.0 */
/* What the runtime has of one pod, found by the labels that the kubelet sets. */
#include "kubelet/pod.h"

#include "base/clock.h"
#include "kubelet/container.h"
#include "kubelet/names.h"

#include <coxswain/kit/text.h>
#include <stdlib.h>
#include <string.h>

static const char *pair(const struct cox_pairs *pairs, const char *key)
{
	for (size_t i = 0; i < pairs->count; i++)
		if (!strcmp(pairs->items[i].key, key))
			return pairs->items[i].value;
	return "";
}

/* A sink that knows its view. */
struct sandbox_taker {
	struct cox_sandbox_sink sink;
	struct view *view;
};

struct container_taker {
	struct cox_container_sink sink;
	struct view *view;
	struct kubelet *kubelet;
	const char *uid;
};

static int take_sandbox(const struct cox_sandbox_sink *sink,
			const struct cox_sandbox_status *status)
{
	struct view *view = ((const struct sandbox_taker *)(const void *)sink)->view;
	struct view_sandbox sandbox = {
		.id = arena_strdup(&view->arena, status->id),
		.state = status->state,
		.attempt = status->attempt,
		.network_mode = status->network_mode,
		.created_at = status->created_at,
		.network_namespace = arena_strdup(&view->arena, status->network_namespace),
	};

	cox_vec_push(&view->sandboxes, sandbox);
	return 0;
}

static int take_container(const struct cox_container_sink *sink,
			  const struct cox_container_status *status)
{
	const struct container_taker *taker = (const struct container_taker *)(const void *)sink;
	struct view *view = taker->view;
	struct arena *arena = &view->arena;
	struct view_container container = {
		.id = arena_strdup(arena, status->id),
		.sandbox_id = arena_strdup(arena, status->sandbox_id),
		.name = arena_strdup(arena, pair(&status->labels, LABEL_CONTAINER)),
		.image = arena_strdup(arena, status->image),
		.image_ref = arena_strdup(arena, status->image_ref),
		.image_id = arena_strdup(arena, status->image_id),
		.reason = arena_strdup(arena, status->reason),
		.message = arena_strdup(arena, status->message),
		.log_path = arena_strdup(arena, status->log_path),
		.hash = arena_strdup(arena, pair(&status->annotations, ANNOTATION_HASH)),
		.state = status->state,
		.attempt = status->attempt,
		.exit_code = status->exit_code,
		.created_at = status->created_at,
		.started_at = status->started_at,
		.finished_at = status->finished_at,
		.grace = -1,
	};

	if (cox_parse_int(pair(&status->annotations, ANNOTATION_GRACE), 0, INT32_MAX,
			  &container.grace))
		container.grace = -1;
	container.interrupted = container.state == COX_CONTAINER_EXITED &&
				container_was_interrupted(taker->kubelet, taker->uid, &container);
	cox_vec_push(&view->containers, container);
	return 0;
}

static int newer_sandbox(const void *a, const void *b)
{
	const struct view_sandbox *one = a, *two = b;

	if (one->attempt != two->attempt)
		return one->attempt > two->attempt ? -1 : 1;
	return one->created_at > two->created_at ? -1 : one->created_at < two->created_at;
}

static int newer_container(const void *a, const void *b)
{
	const struct view_container *one = a, *two = b;

	if (one->created_at != two->created_at)
		return one->created_at > two->created_at ? -1 : 1;
	return one->attempt > two->attempt ? -1 : one->attempt < two->attempt;
}

int view_read(struct kubelet *kubelet, const char *uid, struct view *view, struct cox_error *err)
{
	const struct cox_pair label = {LABEL_UID, uid};
	const struct cox_runtime_filter filter = {.struct_size = sizeof(filter),
						  .state = -1,
						  .id = "",
						  .sandbox_id = "",
						  .labels = {&label, 1}};
	const struct sandbox_taker sandboxes = {{sizeof(sandboxes.sink), 0, take_sandbox}, view};
	const struct container_taker containers = {
		{sizeof(containers.sink), 0, take_container}, view, kubelet, uid};

	if (runtime_call(kubelet, 60 * CLOCK_SECOND, sandbox_list, &filter, &sandboxes.sink, err) ||
	    runtime_call(kubelet, 60 * CLOCK_SECOND, container_list, &filter, &containers.sink,
			 err))
		return error_wrap(err, "list what the runtime has");
	if (view->sandboxes.count)
		qsort(view->sandboxes.items, view->sandboxes.count, sizeof(*view->sandboxes.items),
		      newer_sandbox);
	if (view->containers.count)
		qsort(view->containers.items, view->containers.count,
		      sizeof(*view->containers.items), newer_container);
	return 0;
}

void view_free(struct view *view)
{
	cox_vec_free(&view->sandboxes);
	cox_vec_free(&view->containers);
	arena_free(&view->arena);
}

const struct view_container *view_container(const struct view *view, const char *name,
					    unsigned skip)
{
	for (size_t i = 0; i < view->containers.count; i++)
		if (!strcmp(view->containers.items[i].name, name) && skip-- == 0)
			return &view->containers.items[i];
	return NULL;
}

const struct view_sandbox *view_ready(const struct view *view)
{
	if (view->sandboxes.count && view->sandboxes.items[0].state == COX_SANDBOX_READY)
		return &view->sandboxes.items[0];
	return NULL;
}

bool view_running(const struct view *view)
{
	for (size_t i = 0; i < view->containers.count; i++)
		if (view->containers.items[i].state == COX_CONTAINER_RUNNING)
			return true;
	return false;
}
