/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DefaultStorageClass: a new claim that names no class gets the one that is
 * marked as the default; of several, the newest.
 */
#include <coxswain/admission.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/claims.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <stdlib.h>
#include <string.h>

#define IS_DEFAULT "storageclass.kubernetes.io/is-default-class"
#define IS_DEFAULT_BETA "storageclass.beta.kubernetes.io/is-default-class"
#define CLASS_BETA "volume.beta.kubernetes.io/storage-class"

struct defaults {
	const struct cox_cluster *cluster;
	struct cox_lister *classes;
};

static void *defaults_create(const struct cox_host *host, struct cox_error *err)
{
	(void)host;
	(void)err;
	return cox_new(struct defaults);
}

static int defaults_setup(void *me, const struct cox_cluster *cluster, struct cox_error *err)
{
	static const struct cox_resource classes = {"storage.k8s.io", "v1", "storageclasses"};
	const struct cox_lister_options options = {.struct_size = sizeof(options),
						   .resource = &classes};
	struct defaults *self = me;

	self->cluster = cluster;
	self->classes = cluster->lister_open(cluster->context, &options, err);
	return self->classes ? 0 : -1;
}

static int defaults_ready(void *me)
{
	const struct defaults *self = me;

	return self->cluster->lister_synced(self->classes);
}

static void defaults_stop(void *me)
{
	struct defaults *self = me;

	if (self->classes)
		self->cluster->lister_close(self->classes);
	self->classes = NULL;
}

static void defaults_destroy(void *me)
{
	defaults_stop(me);
	free(me);
}

static int defaults_handles(void *me, const struct cox_admission_request *request)
{
	(void)me;
	return request->operation == COX_OPERATION_CREATE && !*request->group &&
	       !*request->subresource && !strcmp(request->resource, "persistentvolumeclaims");
}

/* A class of "" is one, too: none, and no other in its place. */
static bool names_class(const struct cox_objects *objects, const struct cox_object *claim)
{
	const struct cox_value *root = objects->root(claim);

	return objects->kind(objects->get(root, "spec.storageClassName")) == COX_VALUE_STRING ||
	       objects->kind(objects->member(objects->get(root, "metadata.annotations"),
					     CLASS_BETA)) == COX_VALUE_STRING;
}

struct choice {
	const struct cox_objects *objects;
	struct cox_object *best; /* a reference */
};

static bool is_better(const struct choice *choice, const struct cox_object *class)
{
	uint64_t mine, best;

	if (!choice->best)
		return true;
	mine = cox_created_ns(choice->objects, class);
	best = cox_created_ns(choice->objects, choice->best);
	if (mine != best)
		return mine > best;
	return strcmp(choice->objects->name(class), choice->objects->name(choice->best)) < 0;
}

static int consider(void *to, const struct cox_object *class)
{
	struct choice *choice = to;

	if (strcmp(cox_annotation(choice->objects, class, IS_DEFAULT), "true") != 0 &&
	    strcmp(cox_annotation(choice->objects, class, IS_DEFAULT_BETA), "true") != 0)
		return 0;
	if (is_better(choice, class)) {
		choice->objects->unref(choice->best);
		choice->best = choice->objects->ref(class);
	}
	return 0;
}

static int defaults_admit(void *me, const struct cox_call *call,
			  const struct cox_admission_request *request,
			  const struct cox_admission_changes *changes, struct cox_error *err)
{
	const struct defaults *self = me;
	const struct cox_objects *objects = self->cluster->objects;
	struct choice choice = {.objects = objects};
	const struct cox_object_sink sink = {consider, &choice};
	struct cox_buf name = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&name);
	int failed = 0;

	(void)call;
	if (names_class(objects, request->object))
		return 0;
	self->cluster->list(self->classes, NULL, &sink);
	if (choice.best) {
		cox_json_text(&json, NULL, objects->name(choice.best));
		failed = changes->set(changes, "/spec/storageClassName", cox_buf_cstr(&name), err);
	}
	cox_buf_free(&name);
	objects->unref(choice.best);
	return failed;
}

static const struct cox_admission_ops defaults_ops = {
	.setup = defaults_setup,
	.ready = defaults_ready,
	.handles = defaults_handles,
	.admit = defaults_admit,
};

COX_ADMISSION_PLUGIN(defaults_ops, .name = "DefaultStorageClass", .version = COX_RELEASE,
		     .description = "gives claims that name no storage class the default one",
		     .thread_model = COX_THREADS_PARALLEL, .create = defaults_create,
		     .stop = defaults_stop, .destroy = defaults_destroy);
