/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images of containers. A pull is a job; its result waits in the container's
 * record for the pod's worker.
 */
#include "kubelet/images.h"

#include "base/clock.h"
#include "kubelet/events.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <string.h>

#define PROGRESS_PERIOD (15 * CLOCK_SECOND)

struct image_taker {
	struct cox_image_sink sink;
	struct image_facts *facts;
};

static int take_image(const struct cox_image_sink *sink, const struct cox_image *image)
{
	struct image_facts *facts = ((const struct image_taker *)(const void *)sink)->facts;

	if (facts->id)
		return 1;
	facts->id = cox_strdup(image->id);
	facts->size = image->size;
	facts->uid = image->uid;
	facts->username = cox_strdup(image->username ? image->username : "");
	return 0;
}

int images_find(struct kubelet *kubelet, const char *name, struct image_facts *facts,
		struct cox_error *err)
{
	const struct image_taker taker = {{sizeof(taker.sink), 0, take_image}, facts};
	cox_autoerror why = COX_ERROR_INIT;

	*facts = (struct image_facts){.uid = -1};
	if (runtime_call(kubelet, 30 * CLOCK_SECOND, image_status, name, &taker.sink, &why) == 0)
		return facts->id ? 0 : 1;
	if (why.reason == COX_REASON_NOT_FOUND)
		return 1;
	error_move(err, &why);
	return -1;
}

void images_facts_free(struct image_facts *facts)
{
	free(facts->id);
	free(facts->username);
}

/* ---- pulls ---- */

struct pull {
	struct kubelet *kubelet;
	struct pod *pod; /* in use */
	struct cox_object *object;
	struct container_record *record;
	char *image;
	uint64_t asked;
};

/* Whether the pull that the record speaks of is one of this image. Lock held. */
static bool is_pulled(const struct container_record *record, const char *image)
{
	return record->pull_image && strcmp(record->pull_image, image) == 0;
}

static void pull_ended(struct pull *pull, const char *ref, const char *error)
{
	struct kubelet *kubelet = pull->kubelet;

	pthread_mutex_lock(&kubelet->lock);
	/* Unless the pod was given another image meanwhile. */
	if (is_pulled(pull->record, pull->image)) {
		free(pull->record->pull_ref);
		free(pull->record->pull_error);
		pull->record->pull_ref = ref ? cox_strdup(ref) : NULL;
		pull->record->pull_error = error ? cox_strdup(error) : NULL;
		pull->record->pull = ref ? PULL_DONE : PULL_FAILED;
	}
	pthread_mutex_unlock(&kubelet->lock);
	pods_wake(kubelet, pull->pod->uid);
}

static void tell_pulled(struct pull *pull, const char *ref, uint64_t begun)
{
	char took[32], waited[32];
	uint64_t now = clock_monotonic();
	struct image_facts facts = {0};

	/* Milliseconds are enough for people. */
	cox_format_duration((now - begun) / CLOCK_MILLISECOND * CLOCK_MILLISECOND, took);
	cox_format_duration((now - pull->asked) / CLOCK_MILLISECOND * CLOCK_MILLISECOND, waited);
	if (images_find(pull->kubelet, ref, &facts, NULL) != 0)
		facts.size = 0;
	events_container(pull->kubelet, pull->object, pull->record->name, "Normal", "Pulled",
			 "Successfully pulled image \"%s\" in %s (%s including waiting). Image "
			 "size: %llu bytes.",
			 pull->image, took, waited, (unsigned long long)facts.size);
	images_facts_free(&facts);
}

/* What a long pull has come to, said now and then. */
struct pull_progress {
	struct cox_progress_sink sink;
	struct pull *pull;
	uint64_t period, said;
};

static void tell_progress(const struct cox_progress_sink *sink,
			  const struct cox_pull_progress *progress)
{
	struct pull_progress *told = (struct pull_progress *)(uintptr_t)sink;
	struct pull *pull = told->pull;
	uint64_t now = clock_monotonic();

	if (progress->phase != COX_PULL_DOWNLOADING || now - told->said < told->period)
		return;
	told->said = now;
	events_container(pull->kubelet, pull->object, pull->record->name, "Normal", "Pulling",
			 "Pulling image \"%s\": layer %u of %u, %llu of %llu bytes", pull->image,
			 progress->layer, progress->layers, (unsigned long long)progress->done,
			 (unsigned long long)progress->total);
}

/* --registry-qps: a bucket of tokens, filled at that rate. */
static bool may_pull(struct kubelet *kubelet)
{
	double rate = kubelet->config->registry_qps, most = (double)kubelet->config->registry_burst;
	uint64_t now = clock_monotonic();

	if (rate <= 0)
		return true;
	cox_lock_scope(&kubelet->lock);
	if (!kubelet->pulls_at)
		kubelet->pull_tokens = most;
	else
		kubelet->pull_tokens +=
			(double)(now - kubelet->pulls_at) / (double)CLOCK_SECOND * rate;
	kubelet->pulls_at = now;
	if (kubelet->pull_tokens > most)
		kubelet->pull_tokens = most;
	if (kubelet->pull_tokens < 1)
		return false;
	kubelet->pull_tokens -= 1;
	return true;
}

static void run_pull(void *context)
{
	struct pull *pull = context;
	struct kubelet *kubelet = pull->kubelet;
	bool serial = kubelet->config->serialize_image_pulls;
	char ref[COX_IMAGE_REF_SIZE] = "";
	cox_autoerror err = COX_ERROR_INIT;
	cox_autoarena arena = ARENA_INIT;
	struct cox_registry_auth auth;
	bool known = images_auth(kubelet, pull->object, pull->image, &arena, &auth);
	uint64_t period = kubelet->parts.progress_period;
	struct pull_progress progress = {{sizeof(progress.sink), 0, tell_progress},
					 pull,
					 period ? period : PROGRESS_PERIOD,
					 0};
	uint64_t begun;
	int failed;

	events_container(kubelet, pull->object, pull->record->name, "Normal", "Pulling",
			 "Pulling image \"%s\"", pull->image);
	if (serial)
		pthread_mutex_lock(&kubelet->pull_lock);
	progress.said = begun = clock_monotonic();
	failed = may_pull(kubelet)
			 ? runtime_call(kubelet, 0, image_pull, pull->image, known ? &auth : NULL,
					&progress.sink, ref, &err)
			 : error_set(&err, COX_REASON_TOO_MANY_REQUESTS, "pull QPS exceeded");
	if (serial)
		pthread_mutex_unlock(&kubelet->pull_lock);
	if (!failed)
		tell_pulled(pull, ref, begun);
	pull_ended(pull, failed ? NULL : ref, error_text(&err));
	pods_put(kubelet, pull->pod);
	object_unref(pull->object);
	free(pull->image);
	free(pull);
}

static int start_pull(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		      struct container_record *record, const char *image)
{
	struct pull *pull = cox_new(struct pull);

	*pull = (struct pull){kubelet, pods_get(kubelet, pod->uid), object_ref(object),
			      record,  cox_strdup(image),	    clock_monotonic()};
	pthread_mutex_lock(&kubelet->lock);
	record->pull = PULL_RUNNING;
	free(record->pull_image);
	record->pull_image = cox_strdup(image);
	pthread_mutex_unlock(&kubelet->lock);
	if (jobs_run(kubelet->jobs, run_pull, pull) == 0)
		return 1;
	pthread_mutex_lock(&kubelet->lock);
	record->pull = PULL_NONE;
	pthread_mutex_unlock(&kubelet->lock);
	pods_put(kubelet, pull->pod);
	object_unref(pull->object);
	free(pull->image);
	free(pull);
	/* Too much is under way: soon again. */
	queue_add_after(kubelet->queue, pod->uid, CLOCK_SECOND);
	return 1;
}

/* ---- what a container waits for ---- */

static int pull_failed(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		       struct container_record *record, const char *image, const char *why)
{
	backoff_next(&record->pulls, clock_monotonic(), kubelet->parts.backoff_first,
		     kubelet->parts.backoff_last);
	events_container(kubelet, object, record->name, "Warning", "Failed",
			 "Failed to pull image \"%s\": %s", image, why);
	events_container(kubelet, object, record->name, "Warning", "Failed", "Error: ErrImagePull");
	pod_wait_for(record, "ErrImagePull", "%s", why);
	queue_add_after(kubelet->queue, pod->uid, record->pulls.delay);
	return 1;
}

static int backing_off(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		       struct container_record *record, const char *image, uint64_t left)
{
	cox_autofree char *why = NULL;

	if (record->waiting_reason && !strcmp(record->waiting_reason, "ErrImagePull"))
		why = cox_strdup(record->waiting_message);
	if (!record->waiting_reason || strcmp(record->waiting_reason, "ImagePullBackOff") != 0) {
		events_container(kubelet, object, record->name, "Normal", "BackOff",
				 "Back-off pulling image \"%s\"", image);
		events_container(kubelet, object, record->name, "Warning", "Failed",
				 "Error: ImagePullBackOff");
	}
	if (why)
		pod_wait_for(record, "ImagePullBackOff",
			     "Back-off pulling image \"%s\": ErrImagePull: %s", image, why);
	else if (!record->waiting_reason || strcmp(record->waiting_reason, "ImagePullBackOff") != 0)
		pod_wait_for(record, "ImagePullBackOff", "Back-off pulling image \"%s\"", image);
	queue_add_after(kubelet->queue, pod->uid, left + CLOCK_MILLISECOND);
	return 1;
}

static int never_pulled(struct kubelet *kubelet, const struct cox_object *object,
			struct container_record *record, const char *image)
{
	if (!record->waiting_reason || strcmp(record->waiting_reason, "ErrImageNeverPull") != 0)
		events_container(kubelet, object, record->name, "Warning", "ErrImageNeverPull",
				 "Container image \"%s\" is not present with pull policy of Never",
				 image);
	pod_wait_for(record, "ErrImageNeverPull",
		     "Container image \"%s\" is not present with pull policy of Never", image);
	return -1;
}

/* It was of an image that the container is not to have any more. Lock held. */
static void forget_pull(struct container_record *record)
{
	free(cox_steal(record->pull_image));
	free(cox_steal(record->pull_ref));
	free(cox_steal(record->pull_error));
	record->pull = PULL_NONE;
	record->pulls = (struct backoff){0};
}

int images_ensure(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		  const struct value *container, struct container_record *record, char **ref)
{
	const char *image = value_get_text(container, "image");
	const char *policy = value_get_text(container, "imagePullPolicy");
	cox_autofree char *pulled = NULL, *why = NULL;
	struct image_facts facts;
	enum pull_state state;
	uint64_t left;
	int missing;

	pthread_mutex_lock(&kubelet->lock);
	if (record->pull_image && !is_pulled(record, image))
		forget_pull(record);
	state = record->pull;
	if (state == PULL_DONE)
		pulled = cox_steal(record->pull_ref);
	else if (state == PULL_FAILED)
		why = cox_steal(record->pull_error);
	if (state != PULL_RUNNING)
		record->pull = PULL_NONE;
	pthread_mutex_unlock(&kubelet->lock);
	if (state == PULL_RUNNING)
		return 1;
	if (state == PULL_DONE) {
		*ref = cox_steal(pulled);
		return 0;
	}
	if (state == PULL_FAILED)
		return pull_failed(kubelet, pod, object, record, image, why);
	missing = images_find(kubelet, image, &facts, NULL);
	if (missing == 0 && strcmp(policy, "Always") != 0) {
		events_container(kubelet, object, record->name, "Normal", "Pulled",
				 "Container image \"%s\" already present on machine and can be "
				 "accessed by the pod",
				 image);
		*ref = cox_steal(facts.id);
		images_facts_free(&facts);
		return 0;
	}
	images_facts_free(&facts);
	if (!strcmp(policy, "Never"))
		return never_pulled(kubelet, object, record, image);
	left = backoff_left(&record->pulls, record->pulls.since, clock_monotonic(),
			    kubelet->parts.backoff_last);
	if (left)
		return backing_off(kubelet, pod, object, record, image, left);
	return start_pull(kubelet, pod, object, record, image);
}
