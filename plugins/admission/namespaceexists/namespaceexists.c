/* SPDX-License-Identifier: Apache-2.0 */
/* NamespaceExists: nothing is changed in a namespace that is not there. */
#include "lookup.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

struct exists {
	const struct cox_host *host;
	struct lookup namespaces;
};

static void *exists_create(const struct cox_host *host, struct cox_error *err)
{
	struct exists *self = cox_new(struct exists);

	(void)err;
	self->host = host;
	return self;
}

static int exists_setup(void *me, const struct cox_cluster *cluster, struct cox_error *err)
{
	struct exists *self = me;

	return lookup_open(&self->namespaces, self->host, cluster, "namespaces", err);
}

static int exists_ready(void *me)
{
	const struct exists *self = me;

	return lookup_is_ready(&self->namespaces);
}

static void exists_stop(void *me)
{
	struct exists *self = me;

	lookup_close(&self->namespaces);
}

static void exists_destroy(void *me)
{
	struct exists *self = me;

	lookup_close(&self->namespaces);
	free(self);
}

static int exists_handles(void *me, const struct cox_admission_request *request)
{
	(void)me;
	return request->operation != COX_OPERATION_CONNECT && *request->namespace_ &&
	       (*request->group || strcmp(request->resource, "namespaces") != 0);
}

static int exists_validate(void *me, const struct cox_call *call,
			   const struct cox_admission_request *request,
			   const struct cox_admission_changes *changes, struct cox_error *err)
{
	struct exists *self = me;
	lookup_auto_hold found = {self->namespaces.cluster->objects, NULL};
	int missing;

	(void)changes;
	found.object =
		lookup_find(&self->namespaces, call, NULL, request->namespace_, &missing, err);
	if (found.object)
		return 0;
	if (missing) {
		self->host->fail(err, COX_REASON_NOT_FOUND, "namespaces \"%s\" not found",
				 request->namespace_);
		self->host->fail_about(err, "", "namespaces", request->namespace_);
	}
	return -1;
}

static const struct cox_admission_ops exists_ops = {
	.setup = exists_setup,
	.ready = exists_ready,
	.handles = exists_handles,
	.validate = exists_validate,
};

COX_ADMISSION_PLUGIN(exists_ops, .name = "NamespaceExists", .version = COX_RELEASE,
		     .description = "refuses changes in namespaces that do not exist",
		     .thread_model = COX_THREADS_PARALLEL, .create = exists_create,
		     .stop = exists_stop, .destroy = exists_destroy);
