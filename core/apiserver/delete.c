/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deletes; see the header. A delete is a write whose new state is either
 * nothing, or the object marked as being deleted: because its kind knows a
 * grace period, because finalizers hold it, or because its dependents go
 * first.
 */
#include "apiserver/delete.h"

#include "apiserver/admission.h"
#include "apiserver/answer.h"
#include "apiserver/body.h"
#include "apiserver/metadata.h"
#include "apiserver/read.h"
#include "apiserver/select.h"
#include "apiserver/status.h"
#include "apiserver/strategy.h"
#include "base/clock.h"

#include <coxswain/kit/vec.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FINALIZER_FOREGROUND "foregroundDeletion"
#define FINALIZER_ORPHAN "orphan"

/* A lifetime, in seconds: no deletionTimestamp lies further ahead, or overflows. */
static const int64_t grace_most = INT64_C(100) * 365 * 24 * 3600;

static int precondition_failed(struct write *write, const char *what, const char *wanted,
			       const char *found, struct cox_error *err)
{
	const struct api_resource *resource = write->resource;

	error_set(err, COX_REASON_CONFLICT,
		  "Operation cannot be fulfilled on %s%s%s \"%s\": Precondition failed: %s in "
		  "precondition: %s, %s in object meta: %s",
		  resource->name, *resource->group ? "." : "", resource->group, write->name, what,
		  wanted, what, found);
	error_set_details(err, *resource->group ? resource->group : NULL, resource->name,
			  write->name);
	return -1;
}

static int check_preconditions(struct write *write, const struct delete_options *options,
			       struct cox_error *err)
{
	uint64_t revision = store_entry_revision(write->current);
	const char *uid = value_get_text(value_get(write->old, "metadata"), "uid");
	char wanted[24], found[24];

	if (*options->uid && strcmp(options->uid, uid) != 0)
		return precondition_failed(write, "UID", options->uid, uid, err);
	if (options->version_set && options->version != revision) {
		snprintf(wanted, sizeof(wanted), "%" PRIu64, options->version);
		snprintf(found, sizeof(found), "%" PRIu64, revision);
		return precondition_failed(write, "ResourceVersion", wanted, found, err);
	}
	return 0;
}

/* The finalizers that make the garbage collector do its part first. */
static void set_propagation(struct arena *arena, struct value *object, enum propagation propagation)
{
	switch (propagation) {
	case PROPAGATION_FOREGROUND:
		metadata_remove_finalizer(object, FINALIZER_ORPHAN);
		metadata_add_finalizer(arena, object, FINALIZER_FOREGROUND);
		break;
	case PROPAGATION_ORPHAN:
		metadata_remove_finalizer(object, FINALIZER_FOREGROUND);
		metadata_add_finalizer(arena, object, FINALIZER_ORPHAN);
		break;
	case PROPAGATION_BACKGROUND:
		metadata_remove_finalizer(object, FINALIZER_FOREGROUND);
		metadata_remove_finalizer(object, FINALIZER_ORPHAN);
		break;
	case PROPAGATION_UNSET:
		break;
	}
}

/*
 * Sets the time at which the object goes. A second delete can shorten the
 * grace period, never lengthen it.
 */
static void set_deletion(struct write *write, int64_t grace)
{
	struct arena *arena = write->call->arena;
	struct value *metadata = metadata_of(arena, write->object);
	int64_t generation = value_get_int(metadata, "generation", 0);
	uint64_t base = clock_realtime();
	char when[CLOCK_RFC3339_SIZE];

	if (grace > grace_most)
		grace = grace_most;
	if (metadata_deleting(write->object)) {
		int64_t before = value_get_int(metadata, "deletionGracePeriodSeconds", 0);
		const char *old = value_get_text(metadata, "deletionTimestamp");
		uint64_t set;

		if (grace >= before)
			return;
		/* The period counts from the first delete. */
		if (clock_parse(old, strlen(old), &set) == 0)
			base = set - (uint64_t)before * CLOCK_SECOND;
	} else if (generation > 0) {
		value_set_int(arena, metadata, "generation", generation + 1);
	}
	clock_format(base + (uint64_t)grace * CLOCK_SECOND, when);
	value_set_text(arena, metadata, "deletionTimestamp", when);
	value_set_int(arena, metadata, "deletionGracePeriodSeconds", grace);
}

static int make_deleted(struct write *write, struct cox_error *err)
{
	const struct delete_options *options = write->job;
	const struct strategy *strategy = write->resource->strategy;
	struct api_call *call = write->call;
	int64_t grace = 0;

	if (check_preconditions(write, options, err) != 0 ||
	    admission_admit(call->chains->admission, write, err) != 0 ||
	    admission_validate(call->chains->admission, write, err) != 0)
		return -1;
	write->object = value_copy(call->arena, write->old);
	if (store_entry_error(write->current)) {
		write->remove = true;
		return 0;
	}
	if (strategy->grace_seconds)
		grace = strategy->grace_seconds(write->old, options);
	set_propagation(call->arena, write->object, options->propagation);
	set_deletion(write, grace);
	value_remove(metadata_of(call->arena, write->object), "resourceVersion");
	if (strategy->begin_delete)
		strategy->begin_delete(write, write->object);
	write->remove = write_end_reached(write->resource, write->object);
	return 0;
}

/* What is gone is told by a Status, what is going by the object. */
static void answer_deleted(struct write *write, uint64_t revision)
{
	const struct api_resource *resource = write->resource;
	cox_autobuf body = COX_BUF_INIT;

	if (!write->remove) {
		read_answer_json(write->call, 200, &write->shape,
				 write_encode(write, write->object, revision));
		return;
	}
	status_write_success(&body, resource->group, resource->name, write->name,
			     value_get_text(value_get(write->old, "metadata"), "uid"));
	answer_json(write->call, 200, "meta.v1.Status", body.data, body.size);
}

void delete_prepare(struct write *write, const struct delete_options *options)
{
	write->operation = WRITE_DELETE;
	write->make = make_deleted;
	write->answer = answer_deleted;
	write->retry = !options->version_set;
	write->options.dry_run = options->dry_run;
	write->job = (void *)options;
	write->success_code = 200;
}

static struct delete_options *read_options(struct api_call *call, struct cox_error *err)
{
	struct delete_options *options = arena_new(call->arena, struct delete_options);
	struct value *body = body_delete_options(call, err);

	if ((!body && err->message) ||
	    delete_options_parse(call->request->parameters, call->request->parameter_count, body,
				 options, err) != 0)
		return NULL;
	return options;
}

static void delete_on_worker(struct api_call *call)
{
	struct write *write = write_new(call, call->resource, WRITE_DELETE);
	cox_autoerror err = COX_ERROR_INIT;
	struct delete_options *options = read_options(call, &err);

	if (!options || read_negotiate(call, call->resource, false, &write->shape, &err) != 0) {
		call_fail(call, &err);
		return;
	}
	delete_prepare(write, options);
	write_run(write);
}

void delete_one(struct api_call *call)
{
	call_work(call, delete_on_worker);
}

/* Collections */

/*
 * One after the other, each as a write of its own, so that the answer tells
 * what became of every one. Objects that vanish meanwhile are fine.
 */
struct collection_job {
	const struct delete_options *options;
	struct shape shape;
	struct selection *selection;
	struct store_snapshot *snapshot;
	struct store_iterator iterator;
	struct shape_list list;
	struct cox_buf out;
	bool begun;
	/* The memory of one delete, which is reused for the next. */
	struct arena scratch;
	struct call_cleanup *kept; /* cleanups that are not a delete's */
};

static void release_collection(void *what)
{
	struct collection_job *job = what;

	if (job->begun)
		shape_list_end(&job->list);
	selection_free(job->selection);
	store_snapshot_unref(job->snapshot);
	cox_buf_free(&job->out);
	arena_free(&job->scratch);
}

/* What the last delete leaves is not kept until the end of all. */
static void forget_last(struct api_call *call, struct collection_job *job)
{
	while (call->cleanups != job->kept) {
		struct call_cleanup *cleanup = call->cleanups;

		call->cleanups = cleanup->next;
		cleanup->release(cleanup->what);
	}
	arena_reset(&job->scratch);
}

static void collection_step(struct api_call *call);

static void collection_deleted(struct write *write, uint64_t revision)
{
	struct collection_job *job = write->call->job;
	cox_autoerror err = COX_ERROR_INIT;

	if (shape_list_add(&job->list, write_encode(write, write->object, revision), &err) != 0)
		call_fail(write->call, &err);
	else
		call_resume(write->call, collection_step);
}

static void collection_absent(struct write *write)
{
	call_resume(write->call, collection_step);
}

static void collection_done(struct api_call *call)
{
	struct collection_job *job = call->job;

	shape_list_end(&job->list);
	job->begun = false;
	call->arena = &call->request->arena;
	call_answer_buf(call, 200, negotiate_content_type(&call->media, false, call->arena),
			&job->out);
}

static void collection_step(struct api_call *call)
{
	struct collection_job *job = call->job;
	struct store_entry *entry;
	struct write *write;
	struct cox_bytes name, namespace_;

	forget_last(call, job);
	do {
		entry = store_iterator_next(&job->iterator);
	} while (entry && !store_entry_error(entry) && !selection_matches(job->selection, entry));
	if (!entry) {
		collection_done(call);
		return;
	}
	name = store_entry_name(entry);
	namespace_ = store_entry_namespace(entry);
	write = write_new(call, call->resource, WRITE_DELETE);
	write->name = arena_strndup(call->arena, name.data, name.size);
	write->namespace_ = arena_strndup(call->arena, namespace_.data, namespace_.size);
	write->shape = job->shape;
	delete_prepare(write, job->options);
	write->answer = collection_deleted;
	write->absent = collection_absent;
	write_run(write);
}

static void collection_on_worker(struct api_call *call)
{
	struct collection_job *job = arena_new(call->arena, struct collection_job);
	cox_autoerror err = COX_ERROR_INIT;
	struct list_meta meta = {.continue_ = "", .remaining = -1};

	call->job = job;
	call_on_end(call, release_collection, job);
	job->options = read_options(call, &err);
	if (!job->options || read_negotiate(call, call->resource, true, &job->shape, &err) != 0) {
		call_fail(call, &err);
		return;
	}
	job->selection = selection_new(call, &err);
	if (!job->selection) {
		call_fail(call, &err);
		return;
	}
	job->snapshot = store_snapshot(call->resource->collection);
	meta.version = store_snapshot_revision(job->snapshot);
	store_iterate(&job->iterator, job->snapshot, &job->selection->scope,
		      (struct cox_bytes){NULL, 0});
	shape_list_begin(&job->list, &job->shape, &meta, &job->out);
	job->begun = true;
	job->kept = call->cleanups;
	call->arena = &job->scratch;
	collection_step(call);
}

void delete_collection(struct api_call *call)
{
	call_work(call, collection_on_worker);
}
