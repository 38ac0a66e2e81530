/* SPDX-License-Identifier: Apache-2.0 */
/* NamespaceAutoProvision: makes the namespace of what is created in it. */
#include "lookup.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/json.h>
#include <stdlib.h>
#include <string.h>

struct provision {
	const struct cox_host *host;
	struct lookup namespaces;
};

static void *provision_create(const struct cox_host *host, struct cox_error *err)
{
	struct provision *self = cox_new(struct provision);

	(void)err;
	self->host = host;
	return self;
}

static int provision_setup(void *me, const struct cox_cluster *cluster, struct cox_error *err)
{
	struct provision *self = me;

	return lookup_open(&self->namespaces, self->host, cluster, "namespaces", err);
}

static int provision_ready(void *me)
{
	const struct provision *self = me;

	return lookup_is_ready(&self->namespaces);
}

static void provision_stop(void *me)
{
	struct provision *self = me;

	lookup_close(&self->namespaces);
}

static void provision_destroy(void *me)
{
	struct provision *self = me;

	lookup_close(&self->namespaces);
	free(self);
}

static int provision_handles(void *me, const struct cox_admission_request *request)
{
	(void)me;
	return request->operation == COX_OPERATION_CREATE &&
	       !(request->flags & COX_ADMISSION_DRY_RUN) && *request->namespace_ &&
	       (*request->group || strcmp(request->resource, "namespaces") != 0) &&
	       strcmp(request->resource, "localsubjectaccessreviews") != 0;
}

static int make_namespace(const struct provision *self, const struct cox_call *call,
			  const char *name, struct cox_error *err)
{
	const struct cox_cluster *cluster = self->namespaces.cluster;
	struct cox_error *why = cluster->error_new();
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);
	struct cox_request request = {.struct_size = sizeof(request),
				      .verb = COX_CREATE,
				      .resource = &self->namespaces.resource};
	int status;

	cox_json_object(&json, NULL);
	cox_json_text(&json, "apiVersion", "v1");
	cox_json_text(&json, "kind", "Namespace");
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "name", name);
	cox_json_end(&json);
	cox_json_end(&json);
	request.body = body.data;
	request.body_size = body.size;
	status = cluster->request(cluster->context, call, &request, NULL, why);
	/* Somebody else was faster: just as well. */
	if (status != 0 && cluster->reason(why) == COX_REASON_ALREADY_EXISTS)
		status = 0;
	if (status != 0)
		self->host->fail(err, COX_REASON_FORBIDDEN, "%s", cluster->message(why));
	cluster->error_free(why);
	return status;
}

static int provision_admit(void *me, const struct cox_call *call,
			   const struct cox_admission_request *request,
			   const struct cox_admission_changes *changes, struct cox_error *err)
{
	struct provision *self = me;
	lookup_auto_hold found = {self->namespaces.cluster->objects, NULL};
	int missing;

	(void)changes;
	found.object =
		lookup_find(&self->namespaces, call, NULL, request->namespace_, &missing, err);
	if (found.object)
		return 0;
	return missing ? make_namespace(self, call, request->namespace_, err) : -1;
}

static const struct cox_admission_ops provision_ops = {
	.setup = provision_setup,
	.ready = provision_ready,
	.handles = provision_handles,
	.admit = provision_admit,
};

COX_ADMISSION_PLUGIN(provision_ops, .name = "NamespaceAutoProvision", .version = COX_RELEASE,
		     .description = "makes namespaces that objects are created in",
		     .thread_model = COX_THREADS_PARALLEL, .create = provision_create,
		     .stop = provision_stop, .destroy = provision_destroy);
