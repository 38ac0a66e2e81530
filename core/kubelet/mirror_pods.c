/* SPDX-License-Identifier: Apache-2.0 */
/* Mirror pods; see sources.h. */
#include "kubelet/sources.h"

#include "base/clock.h"
#include "base/log.h"
#include "kubelet/names.h"
#include "machinery/json.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/vec.h>
#include <string.h>

static const uint64_t request_limit = 10 * CLOCK_SECOND;

static const char *mirror_hash(const struct cox_object *object)
{
	return value_text(value_get(object_path(object_root(object), "metadata.annotations"),
				    ANNOTATION_MIRROR));
}

bool mirror_pod_is(const struct cox_object *object)
{
	return value_get(object_path(object_root(object), "metadata.annotations"),
			 ANNOTATION_MIRROR) != NULL;
}

struct cox_object *mirror_pod_get(struct kubelet *kubelet, const struct pod *pod)
{
	struct cox_object *object = NULL;

	if (kubelet->pod_lister)
		object = lister_get(kubelet->pod_lister, pod->namespace, pod->name);
	if (object && !strcmp(mirror_hash(object), pod->uid))
		return object;
	object_unref(object);
	return NULL;
}

static int delete_mirror(struct kubelet *kubelet, const struct cox_object *mirror,
			 struct cox_error *err)
{
	cox_autobuf body = COX_BUF_INIT;
	struct client_request request = {.verb = CLIENT_DELETE,
					 .version = "v1",
					 .resource = "pods",
					 .namespace = object_namespace(mirror),
					 .name = object_name(mirror),
					 .content_type = CLIENT_JSON,
					 .deadline = clock_monotonic() + request_limit};

	cox_buf_printf(&body,
		       "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"gracePeriodSeconds\":0,"
		       "\"preconditions\":{\"uid\":\"%s\"}}",
		       object_uid(mirror));
	request.body = body.data;
	request.body_size = body.size;
	return client_call(kubelet->parts.client, &request, NULL, err);
}

/* The node owns it, so that it goes with the node. */
static void add_owner(struct arena *arena, const struct cox_object *node, struct value *metadata)
{
	struct value *owner = value_object(arena);

	value_set_text(arena, owner, "apiVersion", "v1");
	value_set_text(arena, owner, "kind", "Node");
	value_set_text(arena, owner, "name", object_name(node));
	value_set_text(arena, owner, "uid", object_uid(node));
	value_set(arena, owner, "controller", value_bool(arena, true));
	value_push(arena, value_make_array(arena, metadata, "ownerReferences"), owner);
}

static int create_mirror(struct kubelet *kubelet, const struct cox_object *pod,
			 const struct cox_object *node, struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *copy = value_copy(&arena, object_root(pod));
	struct value *metadata = value_get(copy, "metadata");
	cox_autobuf body = COX_BUF_INIT;
	struct client_request request = {.verb = CLIENT_CREATE,
					 .version = "v1",
					 .resource = "pods",
					 .namespace = object_namespace(pod),
					 .content_type = CLIENT_JSON,
					 .deadline = clock_monotonic() + request_limit};

	value_set_text(&arena, value_make_object(&arena, metadata, "annotations"),
		       ANNOTATION_MIRROR, object_uid(pod));
	value_remove(metadata, "uid");
	add_owner(&arena, node, metadata);
	json_write(&body, copy, 0);
	request.body = body.data;
	request.body_size = body.size;
	return client_call(kubelet->parts.client, &request, NULL, err);
}

/* ---- what is wrong ---- */

struct wrong {
	struct kubelet *kubelet;
	COX_VEC(struct cox_object *) surplus; /* held */
};

/* A mirror of a pod that is not static here, or not any more, or not the same. */
static int look_at(void *context, const struct cox_object *object)
{
	struct wrong *wrong = context;
	struct kubelet *kubelet = wrong->kubelet;
	const char *hash = mirror_hash(object);
	const struct pod *pod;
	bool right;

	if (!mirror_pod_is(object))
		return 0;
	pthread_mutex_lock(&kubelet->lock);
	pod = cox_map_get(&kubelet->pods, hash, strlen(hash));
	right = pod && pod->is_static && !pod->gone && !strcmp(pod->name, object_name(object)) &&
		!strcmp(pod->namespace, object_namespace(object)) &&
		!object_path(object_root(object), "metadata.deletionTimestamp");
	pthread_mutex_unlock(&kubelet->lock);
	if (!right)
		cox_vec_push(&wrong->surplus, object_ref(object));
	return 0;
}

static bool remove_surplus(struct kubelet *kubelet)
{
	struct wrong wrong = {.kubelet = kubelet};
	const struct cox_object_sink sink = {look_at, &wrong};
	bool done = true;

	lister_list(kubelet->pod_lister, NULL, &sink);
	for (size_t i = 0; i < wrong.surplus.count; i++) {
		struct cox_object *mirror = wrong.surplus.items[i];
		cox_autoerror err = COX_ERROR_INIT;

		if (delete_mirror(kubelet, mirror, &err) && err.reason != COX_REASON_NOT_FOUND) {
			log_warning("remove mirror pod %s/%s: %s", object_namespace(mirror),
				    object_name(mirror), error_text(&err));
			done = false;
		}
		object_unref(mirror);
	}
	cox_vec_free(&wrong.surplus);
	return done;
}

/* The static pods there are, as readers. */
static void list_static(struct kubelet *kubelet, struct wrong *all)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	cox_lock_scope(&kubelet->lock);
	while (cox_map_next(&kubelet->pods, &at, &key, &size, &value)) {
		const struct pod *pod = value;

		if (pod->is_static && !pod->gone && pod->object)
			cox_vec_push(&all->surplus, object_ref(pod->object));
	}
}

static bool make_missing(struct kubelet *kubelet)
{
	cox_autoobject *node = lister_get(kubelet->node_lister, NULL, kubelet->parts.node_name);
	struct wrong all = {.kubelet = kubelet};
	bool done = true;

	list_static(kubelet, &all);
	for (size_t i = 0; i < all.surplus.count; i++) {
		struct cox_object *pod = all.surplus.items[i];
		cox_autoobject *there =
			lister_get(kubelet->pod_lister, object_namespace(pod), object_name(pod));
		cox_autoerror err = COX_ERROR_INIT;

		if (there && !mirror_pod_is(there))
			log_verbose(2, "static pod %s/%s has the name of another pod",
				    object_namespace(pod), object_name(pod));
		else if (!there && !node)
			done = false;
		else if (!there && create_mirror(kubelet, pod, node, &err) &&
			 err.reason != COX_REASON_ALREADY_EXISTS) {
			log_warning("create mirror pod %s/%s: %s", object_namespace(pod),
				    object_name(pod), error_text(&err));
			done = false;
		}
		object_unref(pod);
	}
	cox_vec_free(&all.surplus);
	return done;
}

bool mirror_pods_reconcile(struct kubelet *kubelet)
{
	bool removed;

	if (!kubelet->pod_lister || !lister_synced(kubelet->pod_lister))
		return !kubelet->pod_lister;
	removed = remove_surplus(kubelet);
	return make_missing(kubelet) && removed;
}
