/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the API server how pods fare. The newest status of a pod waits in its
 * record; what was overtaken is never sent. A server that cannot be reached
 * holds up nothing but these threads.
 */
#include "kubelet/pod_worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "kubelet/sources.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <string.h>

void report_status(struct kubelet *kubelet, struct pod *pod, char *status)
{
	cox_autofree char *older = status;

	pthread_mutex_lock(&kubelet->lock);
	if (!pod->reported || strcmp(pod->reported, status) != 0 ||
	    (pod->status && strcmp(pod->status, status) != 0)) {
		older = pod->status;
		pod->status = status;
		(void)queue_add(kubelet->reports, pod->uid);
	}
	pthread_mutex_unlock(&kubelet->lock);
}

void report_finished(struct kubelet *kubelet, struct pod *pod)
{
	pthread_mutex_lock(&kubelet->lock);
	pod->finished = true;
	pthread_mutex_unlock(&kubelet->lock);
	(void)queue_add(kubelet->reports, pod->uid);
}

static int send_status(struct kubelet *kubelet, struct pod *pod, const char *uid,
		       const char *status, struct cox_error *err)
{
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);
	struct client_request request = {.verb = CLIENT_PATCH,
					 .version = "v1",
					 .resource = "pods",
					 .namespace = pod->namespace,
					 .name = pod->name,
					 .subresource = "status",
					 .content_type = CLIENT_MERGE_PATCH,
					 .deadline = clock_monotonic() + 10 * CLOCK_SECOND};

	/* The uid refuses a pod of the same name that came after this one. */
	cox_json_object(&json, NULL);
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "uid", uid);
	cox_json_end(&json);
	cox_json_raw(&json, "status", status, strlen(status));
	cox_json_end(&json);
	request.body = body.data;
	request.body_size = body.size;
	return client_call(kubelet->parts.client, &request, NULL, err);
}

static int delete_object(struct kubelet *kubelet, struct pod *pod, struct cox_error *err)
{
	cox_autobuf body = COX_BUF_INIT;
	struct client_request request = {.verb = CLIENT_DELETE,
					 .version = "v1",
					 .resource = "pods",
					 .namespace = pod->namespace,
					 .name = pod->name,
					 .content_type = CLIENT_JSON,
					 .deadline = clock_monotonic() + 10 * CLOCK_SECOND};

	cox_buf_printf(&body,
		       "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"gracePeriodSeconds\":0,"
		       "\"preconditions\":{\"uid\":\"%s\"}}",
		       pod->uid);
	request.body = body.data;
	request.body_size = body.size;
	return client_call(kubelet->parts.client, &request, NULL, err);
}

static bool is_gone(const struct cox_error *err)
{
	return err->reason == COX_REASON_NOT_FOUND || err->reason == COX_REASON_CONFLICT;
}

static void again(struct kubelet *kubelet, struct pod *pod, const char *what,
		  const struct cox_error *err)
{
	log_warning("%s of pod %s/%s: %s", what, pod->namespace, pod->name, error_text(err));
	queue_retry(kubelet->reports, pod->uid);
}

/* One pod. */
static void report(struct kubelet *kubelet, struct pod *pod)
{
	cox_autofree char *status = NULL;
	cox_autoobject *mirror = pod->is_static ? mirror_pod_get(kubelet, pod) : NULL;
	cox_autoerror err = COX_ERROR_INIT;
	bool finished;

	/* Without one nobody could be told; when it comes, the pod is looked at again. */
	if (kubelet->parts.standalone || (pod->is_static && !mirror)) {
		pthread_mutex_lock(&kubelet->lock);
		free(pod->status);
		pod->status = NULL;
		pthread_mutex_unlock(&kubelet->lock);
		queue_forget(kubelet->reports, pod->uid);
		return;
	}

	pthread_mutex_lock(&kubelet->lock);
	status = cox_steal(pod->status);
	finished = pod->finished && !pod->gone;
	pthread_mutex_unlock(&kubelet->lock);
	if (status &&
	    send_status(kubelet, pod, mirror ? object_uid(mirror) : pod->uid, status, &err) &&
	    !is_gone(&err)) {
		pthread_mutex_lock(&kubelet->lock);
		if (!pod->status)
			pod->status = cox_steal(status);
		pthread_mutex_unlock(&kubelet->lock);
		again(kubelet, pod, "status", &err);
		return;
	}
	if (status) {
		pthread_mutex_lock(&kubelet->lock);
		free(pod->reported);
		pod->reported = cox_steal(status);
		pthread_mutex_unlock(&kubelet->lock);
	}
	error_clear(&err);
	if (finished && delete_object(kubelet, pod, &err) && !is_gone(&err)) {
		again(kubelet, pod, "deletion", &err);
		return;
	}
	queue_forget(kubelet->reports, pod->uid);
}

void *report_run(void *context)
{
	struct kubelet *kubelet = context;
	char *uid;

	while ((uid = queue_take(kubelet->reports, 0))) {
		struct pod *pod = pods_get(kubelet, uid);

		if (pod)
			report(kubelet, pod);
		pods_put(kubelet, pod);
		queue_done(kubelet->reports, uid);
		free(uid);
	}
	return NULL;
}
