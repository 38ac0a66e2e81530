/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NamespaceLifecycle: nothing is created in a namespace that is not there or
 * on its way out, and the namespaces that the cluster lives on stay.
 *
 * The lister may be late. A namespace that it does not know is asked for, and
 * one that was deleted a moment ago is asked for as long as the lister still
 * says that it is active. `mutex` guards the list of those.
 */
#include "lookup.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

enum { DELETED_MAX = 256 };

static const uint64_t deleted_for_ns = UINT64_C(30000000000);

/* A namespace whose deletion went through here. */
struct deleted {
	char name[64]; /* "": free; names of namespaces are DNS labels */
	uint64_t until;
};

struct lifecycle {
	const struct cox_host *host;
	struct lookup namespaces;
	pthread_mutex_t mutex;
	struct deleted deleted[DELETED_MAX];
	size_t next;
};

static void *lifecycle_create(const struct cox_host *host, struct cox_error *err)
{
	struct lifecycle *self = cox_new(struct lifecycle);

	(void)err;
	self->host = host;
	pthread_mutex_init(&self->mutex, NULL);
	return self;
}

static int lifecycle_setup(void *me, const struct cox_cluster *cluster, struct cox_error *err)
{
	struct lifecycle *self = me;

	return lookup_open(&self->namespaces, self->host, cluster, "namespaces", err);
}

static int lifecycle_ready(void *me)
{
	const struct lifecycle *self = me;

	return lookup_is_ready(&self->namespaces);
}

static void lifecycle_stop(void *me)
{
	struct lifecycle *self = me;

	lookup_close(&self->namespaces);
}

static void lifecycle_destroy(void *me)
{
	struct lifecycle *self = me;

	lookup_close(&self->namespaces);
	pthread_mutex_destroy(&self->mutex);
	free(self);
}

static bool is_namespace(const struct cox_admission_request *request)
{
	return !*request->group && strcmp(request->resource, "namespaces") == 0;
}

static int lifecycle_handles(void *me, const struct cox_admission_request *request)
{
	(void)me;
	if (is_namespace(request))
		return request->operation == COX_OPERATION_DELETE;
	/* Asking what one may do in a namespace needs no namespace. */
	return (request->operation & (COX_OPERATION_CREATE | COX_OPERATION_UPDATE)) &&
	       *request->namespace_ && strcmp(request->resource, "localsubjectaccessreviews") != 0;
}

static void remember_deleted(struct lifecycle *self, const char *name)
{
	struct deleted *slot;

	cox_lock_scope(&self->mutex);
	slot = &self->deleted[self->next++ % DELETED_MAX];
	*slot = (struct deleted){.until = self->host->monotonic_ns() + deleted_for_ns};
	if (strlen(name) < sizeof(slot->name))
		memcpy(slot->name, name, strlen(name) + 1);
}

static bool was_deleted(struct lifecycle *self, const char *name)
{
	uint64_t now = self->host->monotonic_ns();

	cox_lock_scope(&self->mutex);
	for (size_t i = 0; i < DELETED_MAX; i++)
		if (self->deleted[i].until > now && strcmp(self->deleted[i].name, name) == 0)
			return true;
	return false;
}

static int admit_deletion(struct lifecycle *self, const struct cox_admission_request *request,
			  struct cox_error *err)
{
	static const char *const kept[] = {"default", "kube-system", "kube-public"};

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (strcmp(request->name, kept[i]) == 0)
			return self->host->fail(err, COX_REASON_FORBIDDEN,
						"this namespace may not be deleted");
	remember_deleted(self, request->name);
	return 0;
}

static bool is_active(const struct cox_objects *objects, const struct cox_object *namespace_)
{
	return strcmp(objects->text(objects->root(namespace_), "status.phase"), "Terminating") != 0;
}

static int refuse_terminating(const struct cox_host *host, const char *name, struct cox_error *err)
{
	host->fail(err, COX_REASON_FORBIDDEN,
		   "unable to create new content in namespace %s because it is being terminated",
		   name);
	host->fail_cause(err, "NamespaceTerminating", "metadata.namespace",
			 "namespace %s is being terminated", name);
	return -1;
}

static int lifecycle_admit(void *me, const struct cox_call *call,
			   const struct cox_admission_request *request,
			   const struct cox_admission_changes *changes, struct cox_error *err)
{
	struct lifecycle *self = me;
	const char *name = request->namespace_;
	lookup_auto_hold found = {self->namespaces.cluster->objects, NULL};
	int missing = 0;

	(void)changes;
	if (is_namespace(request))
		return admit_deletion(self, request, err);
	found.object = lookup_known(&self->namespaces, NULL, name);
	if (!found.object || (is_active(found.objects, found.object) && was_deleted(self, name))) {
		lookup_hold_end(&found);
		found.object = lookup_ask(&self->namespaces, call, NULL, name, &missing, err);
	}
	if (missing) {
		self->host->fail(err, COX_REASON_NOT_FOUND, "namespaces \"%s\" not found", name);
		self->host->fail_about(err, "", "namespaces", name);
		return -1;
	}
	if (!found.object)
		return -1;
	if (request->operation == COX_OPERATION_CREATE && !is_active(found.objects, found.object))
		return refuse_terminating(self->host, name, err);
	return 0;
}

static const struct cox_admission_ops lifecycle_ops = {
	.setup = lifecycle_setup,
	.ready = lifecycle_ready,
	.handles = lifecycle_handles,
	.admit = lifecycle_admit,
};

COX_ADMISSION_PLUGIN(lifecycle_ops, .name = "NamespaceLifecycle", .version = COX_RELEASE,
		     .description = "keeps new objects out of namespaces that are missing or go",
		     .thread_model = COX_THREADS_PARALLEL, .create = lifecycle_create,
		     .stop = lifecycle_stop, .destroy = lifecycle_destroy);
