/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ServiceAccount: every pod runs as an account of its namespace and finds that
 * account's token where programs look for it.
 *
 * The account `default` of a new namespace is made by a controller a moment
 * after the namespace; who creates a pod at once is waited for, a bounded time.
 */
#include "serviceaccount.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MIRROR "kubernetes.io/config.mirror"

static void *accounts_create(const struct cox_host *host, struct cox_error *err)
{
	struct accounts *self = cox_new(struct accounts);

	(void)err;
	self->host = host;
	return self;
}

/* Types and presence were checked by the host. */
static int accounts_config(void *me, const char *key, const char *value, struct cox_error *err)
{
	struct accounts *self = me;
	int64_t number = 0;

	if (strcmp(key, "token-signing") == 0) {
		self->token_signing = strcmp(value, "true") == 0;
		return 0;
	}
	if (strcmp(key, "default-attempts") == 0) {
		if (cox_parse_int(value, 1, 100, &self->attempts) != 0)
			return self->host->fail(err, COX_REASON_INVALID,
						"%s is not between 1 and 100", value);
		return 0;
	}
	if (cox_parse_int(value, 0, 10000000000, &number) != 0)
		return self->host->fail(err, COX_REASON_INVALID, "it is longer than 10s");
	self->interval_ns = (uint64_t)number;
	return 0;
}

static int accounts_setup(void *me, const struct cox_cluster *cluster, struct cox_error *err)
{
	struct accounts *self = me;

	self->objects = cluster->objects;
	return lookup_open(&self->lookup, self->host, cluster, "serviceaccounts", err);
}

static int accounts_ready(void *me)
{
	const struct accounts *self = me;

	return lookup_is_ready(&self->lookup);
}

static void accounts_stop(void *me)
{
	struct accounts *self = me;

	lookup_close(&self->lookup);
}

static void accounts_destroy(void *me)
{
	struct accounts *self = me;

	lookup_close(&self->lookup);
	free(self);
}

static int accounts_handles(void *me, const struct cox_admission_request *request)
{
	bool create = request->operation == COX_OPERATION_CREATE;
	bool update = request->operation == COX_OPERATION_UPDATE;

	(void)me;
	if (*request->group || strcmp(request->resource, "pods") != 0)
		return 0;
	return (create && !*request->subresource) ||
	       (update && strcmp(request->subresource, "ephemeralcontainers") == 0);
}

/* Between one interval and two, so that many who wait do not ask at once. */
static void pause_a_moment(const struct accounts *self)
{
	uint32_t random;
	uint64_t pause = self->interval_ns;
	struct timespec left;

	self->host->random(&random, sizeof(random));
	pause += (uint64_t)((double)pause * ((double)random / (double)UINT32_MAX));
	left = (struct timespec){(time_t)(pause / 1000000000), (long)(pause % 1000000000)};
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		continue;
}

/* NULL: `err` says why. */
static struct cox_object *find_account(const struct accounts *self, const struct cox_call *call,
				       const char *namespace_name, const char *name,
				       struct cox_error *err)
{
	int64_t attempts = strcmp(name, "default") == 0 ? self->attempts : 1;
	struct cox_object *account = NULL;
	int missing = 0;

	for (int64_t i = 0; i < attempts; i++) {
		if (i > 0)
			pause_a_moment(self);
		account = lookup_find(&self->lookup, call, namespace_name, name, &missing, err);
		if (account || !missing || self->host->cancelled(call))
			break;
	}
	if (!account && missing)
		self->host->fail(
			err, COX_REASON_FORBIDDEN,
			"error looking up service account %s/%s: serviceaccount \"%s\" not found",
			namespace_name, name, name);
	return account;
}

/* Pods that a kubelet shows to the server; they have nothing from the server. */
static bool is_mirror(const struct accounts *self, const struct cox_value *pod)
{
	return self->objects->member(self->objects->get(pod, "metadata.annotations"), MIRROR) !=
	       NULL;
}

static int check_mirror(const struct accounts *self, const struct cox_value *pod,
			struct cox_error *err)
{
	const char *why = NULL;

	if (*self->objects->text(pod, "spec.serviceAccountName"))
		why = "a mirror pod may not reference service accounts";
	else if (refers_to_secrets(self->objects, pod))
		why = "a mirror pod may not reference secrets";
	else if (projects_token(self->objects, pod))
		why = "a mirror pod may not use ServiceAccountToken volume projections";
	return why ? self->host->fail(err, COX_REASON_FORBIDDEN, "%s", why) : 0;
}

/* In the words that users of the first release know, `Pod` and all. */
static int refuse_without_token(const struct accounts *self,
				const struct cox_admission_request *request, const char *account,
				struct cox_error *err)
{
	const char *name = *request->name ? request->name : "Unknown";

	self->host->fail(err, COX_REASON_FORBIDDEN,
			 "Pod \"%s\" is forbidden: no API token found for service account %s/%s, "
			 "retry after the token is automatically created and added to the service "
			 "account",
			 name, request->namespace_, account);
	self->host->fail_about(err, "", "pods", name);
	return -1;
}

static int accounts_admit(void *me, const struct cox_call *call,
			  const struct cox_admission_request *request,
			  const struct cox_admission_changes *changes, struct cox_error *err)
{
	const struct accounts *self = me;
	const struct cox_objects *objects = self->objects;
	const struct cox_value *pod = objects->root(request->object), *account;
	const char *name = objects->text(pod, "spec.serviceAccountName");
	lookup_auto_hold found = {objects, NULL};

	if (request->operation != COX_OPERATION_CREATE)
		return 0;
	if (is_mirror(self, pod))
		return check_mirror(self, pod, err);
	if (!*name) {
		name = "default";
		if (changes->set(changes, "/spec/serviceAccountName", "\"default\"", err) != 0)
			return -1;
	}
	found.object = find_account(self, call, request->namespace_, name, err);
	if (!found.object)
		return -1;
	account = objects->root(found.object);
	if (wants_token(self, pod, account) && lacks_token_mount(self, pod)) {
		if (!self->token_signing)
			return refuse_without_token(self, request, name, err);
		if (mount_token(self, pod, changes, err) != 0)
			return -1;
	}
	return copy_pull_secrets(self, pod, account, changes, err);
}

static int accounts_validate(void *me, const struct cox_call *call,
			     const struct cox_admission_request *request,
			     const struct cox_admission_changes *changes, struct cox_error *err)
{
	const struct accounts *self = me;
	const struct cox_value *pod = self->objects->root(request->object);
	const char *name = self->objects->text(pod, "spec.serviceAccountName");
	lookup_auto_hold found = {self->objects, NULL};

	(void)changes;
	if (is_mirror(self, pod))
		return check_mirror(self, pod, err);
	if (!*name)
		return self->host->fail(err, COX_REASON_FORBIDDEN,
					"no service account specified for pod %s/%s",
					request->namespace_, request->name);
	found.object = find_account(self, call, request->namespace_, name, err);
	if (!found.object)
		return -1;
	return check_secrets(self, pod, self->objects->root(found.object), err);
}

static const struct cox_admission_ops accounts_ops = {
	.setup = accounts_setup,
	.ready = accounts_ready,
	.handles = accounts_handles,
	.admit = accounts_admit,
	.validate = accounts_validate,
};

static const struct cox_option accounts_options[] = {
	{"token-signing", "true", "whether the server signs tokens; set by the server",
	 COX_OPT_BOOL, 0},
	{"default-attempts", "10", "how often a missing account named default is looked for",
	 COX_OPT_INT, 0},
	{"default-interval", "100ms", "pause between two looks, up to twice as long",
	 COX_OPT_DURATION, 0},
	{NULL, NULL, NULL, 0, 0},
};

COX_ADMISSION_PLUGIN(accounts_ops, .name = "ServiceAccount", .version = COX_RELEASE,
		     .description = "gives pods a service account and its token",
		     .thread_model = COX_THREADS_PARALLEL, .options = accounts_options,
		     .create = accounts_create, .config = accounts_config, .stop = accounts_stop,
		     .destroy = accounts_destroy);
