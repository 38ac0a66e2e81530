/* SPDX-License-Identifier: Apache-2.0 */
/*
 * StorageObjectInUseProtection: new claims and volumes get the finalizer that
 * keeps them until nobody uses them any more. The controller volumeprotection
 * takes it away.
 */
#include <coxswain/admission.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/claims.h>
#include <coxswain/kit/meta.h>
#include <stdlib.h>
#include <string.h>

struct protection {
	const struct cox_objects *objects;
};

static void *protection_create(const struct cox_host *host, struct cox_error *err)
{
	(void)host;
	(void)err;
	return cox_new(struct protection);
}

static int protection_setup(void *me, const struct cox_cluster *cluster, struct cox_error *err)
{
	struct protection *self = me;

	(void)err;
	self->objects = cluster->objects;
	return 0;
}

/* Of this resource; NULL: it is not protected. */
static const char *finalizer_of(const char *resource)
{
	if (!strcmp(resource, "persistentvolumeclaims"))
		return COX_CLAIM_PROTECTION;
	return !strcmp(resource, "persistentvolumes") ? COX_VOLUME_PROTECTION : NULL;
}

static int protection_handles(void *me, const struct cox_admission_request *request)
{
	(void)me;
	return request->operation == COX_OPERATION_CREATE && !*request->group &&
	       !*request->subresource && finalizer_of(request->resource);
}

static int protection_admit(void *me, const struct cox_call *call,
			    const struct cox_admission_request *request,
			    const struct cox_admission_changes *changes, struct cox_error *err)
{
	const struct protection *self = me;
	const struct cox_objects *objects = self->objects;
	const bool claim = !strcmp(request->resource, "persistentvolumeclaims");

	(void)call;
	if (cox_has_finalizer(objects, request->object, finalizer_of(request->resource)))
		return 0;
	if (objects->count(objects->get(objects->root(request->object), "metadata.finalizers")))
		return changes->set(changes, "/metadata/finalizers/-",
				    claim ? "\"" COX_CLAIM_PROTECTION "\""
					  : "\"" COX_VOLUME_PROTECTION "\"",
				    err);
	return changes->set(
		changes, "/metadata/finalizers",
		claim ? "[\"" COX_CLAIM_PROTECTION "\"]" : "[\"" COX_VOLUME_PROTECTION "\"]", err);
}

static const struct cox_admission_ops protection_ops = {
	.setup = protection_setup,
	.handles = protection_handles,
	.admit = protection_admit,
};

COX_ADMISSION_PLUGIN(protection_ops, .name = "StorageObjectInUseProtection", .version = COX_RELEASE,
		     .description = "keeps claims and volumes until nobody uses them",
		     .thread_model = COX_THREADS_PARALLEL, .create = protection_create,
		     .destroy = free);
