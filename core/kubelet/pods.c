/* SPDX-License-Identifier: Apache-2.0 */
/* The table of pods; see pod.h. */
#include "kubelet/claims.h"
#include "kubelet/pod.h"

#include "base/log.h"
#include "kubelet/names.h"
#include "kubelet/sources.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <stdlib.h>
#include <string.h>

static void free_container(struct container_record *container)
{
	free(container->name);
	free(container->waiting_message);
	free(container->pull_image);
	free(container->pull_ref);
	free(container->pull_error);
	free(container->probe_message);
	free(container);
}

static void free_pod(struct pod *pod)
{
	for (size_t i = 0; i < pod->containers.count; i++)
		free_container(pod->containers.items[i]);
	cox_vec_free(&pod->containers);
	for (size_t i = 0; i < pod->claims.count; i++)
		claims_free(&pod->claims.items[i]);
	cox_vec_free(&pod->claims);
	free(pod->uid);
	free(pod->namespace);
	free(pod->name);
	free(pod->rejected_message);
	free(pod->ips[0]);
	free(pod->ips[1]);
	free(pod->host_ports);
	free(pod->status);
	free(pod->reported);
	object_release(pod->object);
	free(pod);
}

struct pod *pods_get(struct kubelet *kubelet, const char *uid)
{
	struct pod *pod;

	cox_lock_scope(&kubelet->lock);
	pod = cox_map_get(&kubelet->pods, uid, strlen(uid));
	if (pod)
		pod->users++;
	return pod;
}

void pods_put(struct kubelet *kubelet, struct pod *pod)
{
	bool last;

	if (!pod)
		return;
	pthread_mutex_lock(&kubelet->lock);
	last = --pod->users == 0 && cox_map_get(&kubelet->pods, pod->uid, strlen(pod->uid)) != pod;
	pthread_mutex_unlock(&kubelet->lock);
	if (last)
		free_pod(pod);
}

struct pod *pods_find(struct kubelet *kubelet, const char *namespace, const char *name)
{
	struct pod *found = NULL;
	size_t at = 0, size;
	const char *key;
	void *value;

	cox_lock_scope(&kubelet->lock);
	while (cox_map_next(&kubelet->pods, &at, &key, &size, &value)) {
		struct pod *pod = value;

		if (strcmp(pod->namespace, namespace) || strcmp(pod->name, name))
			continue;
		if (!found || (pod->object && !pod->gone))
			found = pod;
	}
	if (found)
		found->users++;
	return found;
}

void pods_forget(struct kubelet *kubelet, struct pod *pod)
{
	cox_lock_scope(&kubelet->lock);
	cox_map_remove(&kubelet->pods, pod->uid, strlen(pod->uid));
	pthread_cond_broadcast(&kubelet->changed);
}

/* With the lock held. */
static struct pod *make(struct kubelet *kubelet, const char *uid, const char *namespace,
			const char *name)
{
	struct pod *pod = cox_map_get(&kubelet->pods, uid, strlen(uid));

	if (pod)
		return pod;
	pod = cox_new(struct pod);
	pod->uid = cox_strdup(uid);
	pod->namespace = cox_strdup(namespace);
	pod->name = cox_strdup(name);
	pod->orphan_grace = 30;
	cox_map_put(&kubelet->pods, uid, strlen(uid), pod);
	return pod;
}

void pods_adopt(struct kubelet *kubelet, const char *uid, const char *namespace, const char *name,
		const char *sandbox)
{
	struct pod *pod;

	cox_lock_scope(&kubelet->lock);
	pod = make(kubelet, uid, namespace, name);
	if (!pod->object)
		pod->adopted = true;
	if (sandbox && !*pod->sandbox && strlen(sandbox) < sizeof(pod->sandbox))
		memcpy(pod->sandbox, sandbox, strlen(sandbox) + 1);
	queue_add(kubelet->queue, uid);
}

struct cox_object *pods_object(struct kubelet *kubelet, struct pod *pod)
{
	cox_lock_scope(&kubelet->lock);
	return pod->gone ? NULL : object_ref(pod->object);
}

void pods_add_static(struct kubelet *kubelet, const struct cox_object *object)
{
	struct pod *pod;

	cox_lock_scope(&kubelet->lock);
	pod = make(kubelet, object_uid(object), object_namespace(object), object_name(object));
	object_release(pod->object);
	pod->object = object_hold(object);
	pod->is_static = true;
	pod->gone = false;
	(void)queue_add(kubelet->queue, pod->uid);
}

void pods_remove_static(struct kubelet *kubelet, const char *uid)
{
	struct pod *pod;

	cox_lock_scope(&kubelet->lock);
	pod = cox_map_get(&kubelet->pods, uid, strlen(uid));
	if (!pod)
		return;
	pod->gone = true;
	(void)queue_add(kubelet->queue, pod->uid);
}

bool pods_must_wait(struct kubelet *kubelet, const struct pod *pod)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	cox_lock_scope(&kubelet->lock);
	while (pod->is_static && cox_map_next(&kubelet->pods, &at, &key, &size, &value)) {
		const struct pod *other = value;

		if (other != pod && other->is_static && other->gone &&
		    !strcmp(other->name, pod->name) && !strcmp(other->namespace, pod->namespace))
			return true;
	}
	return false;
}

/* Whatever becomes of a mirror: it is put right, and told how the pod fares. */
static void mirror_changed(struct kubelet *kubelet, const struct cox_object *old,
			   const struct cox_object *now)
{
	const struct cox_object *any = now ? now : old;
	const char *hash = value_text(value_get(
		object_path(object_root(any), "metadata.annotations"), ANNOTATION_MIRROR));
	bool fresh = now && (!old || strcmp(object_uid(old), object_uid(now)) != 0);
	struct pod *pod;

	if (!now || !old || fresh || object_path(object_root(now), "metadata.deletionTimestamp"))
		sources_wake(kubelet->sources);
	if (!fresh)
		return;
	cox_lock_scope(&kubelet->lock);
	pod = cox_map_get(&kubelet->pods, hash, strlen(hash));
	if (!pod)
		return;
	free(pod->reported);
	pod->reported = NULL;
	(void)queue_add(kubelet->queue, pod->uid);
}

static bool same_marks(const struct cox_object *old, const struct cox_object *now)
{
	static const char *const marks[] = {"metadata.labels", "metadata.annotations"};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (!value_equal(object_path(object_root(old), marks[i]),
				 object_path(object_root(now), marks[i])))
			return false;
	return true;
}

void pods_changed(void *context, const struct cox_object *old, const struct cox_object *now)
{
	struct kubelet *kubelet = context;
	const struct cox_object *any = now ? now : old;
	struct pod *pod;

	if (old && now && strcmp(object_uid(old), object_uid(now)) != 0)
		pods_changed(context, old, NULL); /* another one of the same name */
	if (mirror_pod_is(any)) {
		mirror_changed(kubelet, old, now);
		return;
	}
	cox_lock_scope(&kubelet->lock);
	/* What comes to replace the pods that end here is for the next kubelet. */
	if (now && kubelet->emptying &&
	    !cox_map_has(&kubelet->pods, object_uid(now), strlen(object_uid(now))))
		return;
	if (now) {
		pod = make(kubelet, object_uid(now), object_namespace(now), object_name(now));
		/* What downward API volumes show of it. */
		if (old && !same_marks(old, now))
			atomic_store(&pod->volumes_due, true);
		object_release(pod->object);
		pod->object = object_hold(now);
		pod->gone = false;
	} else {
		pod = cox_map_get(&kubelet->pods, object_uid(old), strlen(object_uid(old)));
		if (!pod)
			return;
		pod->gone = true;
	}
	if (queue_add(kubelet->queue, pod->uid) && !kubelet->stopping)
		log_error("too many pods wait: \"%s\" is looked at later", pod->uid);
}

void pods_wake(struct kubelet *kubelet, const char *uid)
{
	/* A full queue is found by the keeper, which wakes everything. */
	(void)queue_add(kubelet->queue, uid);
}

void pods_wake_all(struct kubelet *kubelet)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	cox_lock_scope(&kubelet->lock);
	while (cox_map_next(&kubelet->pods, &at, &key, &size, &value))
		(void)queue_add(kubelet->queue, ((struct pod *)value)->uid);
}

void pods_free(struct kubelet *kubelet)
{
	size_t at = 0, size;
	const char *key;
	void *value;

	while (cox_map_next(&kubelet->pods, &at, &key, &size, &value))
		free_pod(value);
	cox_map_free(&kubelet->pods);
}

struct container_record *pod_container(struct pod *pod, const char *name, bool init)
{
	struct container_record *container;

	for (size_t i = 0; i < pod->containers.count; i++)
		if (!strcmp(pod->containers.items[i]->name, name))
			return pod->containers.items[i];
	container = cox_new(struct container_record);
	container->name = cox_strdup(name);
	container->init = init;
	cox_vec_push(&pod->containers, container);
	return container;
}

void pod_wait_for(struct container_record *container, const char *reason, const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	va_list args;

	if (format) {
		va_start(args, format);
		cox_buf_vprintf(&text, format, args);
		va_end(args);
	}
	free(container->waiting_message);
	container->waiting_message = format ? cox_buf_steal(&text) : NULL;
	container->waiting_reason = reason;
}
