/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SecurityContextDeny: nobody chooses users, groups or SELinux labels for a
 * pod or its containers. Privileged containers and capabilities are not its
 * business.
 */
#include <coxswain/admission.h>
#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

struct deny {
	const struct cox_host *host;
	const struct cox_objects *objects;
};

static void *deny_create(const struct cox_host *host, struct cox_error *err)
{
	struct deny *self = cox_new(struct deny);

	(void)err;
	self->host = host;
	return self;
}

static int deny_setup(void *me, const struct cox_cluster *cluster, struct cox_error *err)
{
	struct deny *self = me;

	(void)err;
	self->objects = cluster->objects;
	return 0;
}

static int deny_handles(void *me, const struct cox_admission_request *request)
{
	(void)me;
	return (request->operation & (COX_OPERATION_CREATE | COX_OPERATION_UPDATE)) &&
	       !*request->group && strcmp(request->resource, "pods") == 0 &&
	       (!*request->subresource || strcmp(request->subresource, "ephemeralcontainers") == 0);
}

static int is_set(const struct cox_objects *objects, const struct cox_value *from, const char *key)
{
	return objects->kind(objects->get(from, key)) > COX_VALUE_NULL;
}

static int check_pod(const struct deny *self, const struct cox_value *context,
		     struct cox_error *err)
{
	static const struct {
		const char *key, *told;
	} fields[] = {{"supplementalGroups", "SupplementalGroups"},
		      {"seLinuxOptions", "SELinuxOptions"},
		      {"runAsUser", "RunAsUser"},
		      {"fsGroup", "FSGroup"}};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (is_set(self->objects, context, fields[i].key))
			return self->host->fail(err, COX_REASON_FORBIDDEN,
						"pod.Spec.SecurityContext.%s is forbidden",
						fields[i].told);
	return 0;
}

static int check_containers(const struct deny *self, const struct cox_value *list,
			    struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *container;

	for (size_t i = 0; (container = objects->at(list, i, NULL)); i++) {
		const struct cox_value *context = objects->get(container, "securityContext");

		if (is_set(objects, context, "seLinuxOptions"))
			return self->host->fail(err, COX_REASON_FORBIDDEN,
						"SecurityContext.SELinuxOptions is forbidden");
		if (is_set(objects, context, "runAsUser"))
			return self->host->fail(err, COX_REASON_FORBIDDEN,
						"SecurityContext.RunAsUser is forbidden");
	}
	return 0;
}

static int deny_validate(void *me, const struct cox_call *call,
			 const struct cox_admission_request *request,
			 const struct cox_admission_changes *changes, struct cox_error *err)
{
	static const char *const lists[] = {"initContainers", "containers", "ephemeralContainers"};
	const struct deny *self = me;
	const struct cox_objects *objects = self->objects;
	const struct cox_value *spec;

	(void)call;
	(void)changes;
	spec = objects->get(objects->root(request->object), "spec");
	if (check_pod(self, objects->get(spec, "securityContext"), err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (check_containers(self, objects->get(spec, lists[i]), err) != 0)
			return -1;
	return 0;
}

static void deny_destroy(void *me)
{
	free(me);
}

static const struct cox_admission_ops deny_ops = {
	.setup = deny_setup,
	.handles = deny_handles,
	.validate = deny_validate,
};

COX_ADMISSION_PLUGIN(deny_ops, .name = "SecurityContextDeny", .version = COX_RELEASE,
		     .description = "refuses pods that choose users, groups or SELinux labels",
		     .thread_model = COX_THREADS_PARALLEL, .flags = COX_FAST, .create = deny_create,
		     .destroy = deny_destroy);
