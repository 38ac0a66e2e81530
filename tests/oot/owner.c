/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An authorizer outside of the tree: whoever a namespace is named after may do
 * everything in it. It is also the example of cox-plugin(3).
 */
#include <coxswain/authorizer.h>
#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

struct owner {
	const struct cox_host *host;
	char *prefix;
};

static void *owner_create(const struct cox_host *host, struct cox_error *err)
{
	struct owner *owner = cox_new(struct owner);

	(void)err;
	owner->host = host;
	return owner;
}

static int owner_config(void *self, const char *key, const char *value, struct cox_error *err)
{
	struct owner *owner = self;

	if (strchr(value, '/'))
		return owner->host->fail(err, COX_REASON_INVALID, "\"%s\" has a slash", key);
	owner->prefix = cox_strdup(value);
	return 0;
}

static void owner_destroy(void *self)
{
	struct owner *owner = self;

	free(owner->prefix);
	free(owner);
}

static enum cox_decision owner_authorize(void *self, const struct cox_call *call,
					 const struct cox_attributes *attributes,
					 const struct cox_reason_sink *sink, struct cox_error *err)
{
	const struct owner *owner = self;
	size_t size = strlen(owner->prefix);

	(void)call;
	(void)err;
	if (!attributes->is_resource || strncmp(attributes->namespace_, owner->prefix, size) != 0)
		return COX_DECISION_NO_OPINION;
	if (strcmp(attributes->namespace_ + size, attributes->user) == 0)
		return COX_DECISION_ALLOW;
	sink->reason(sink, "the namespace belongs to somebody else");
	return COX_DECISION_DENY;
}

static const struct cox_option owner_options[] = {
	{"prefix", "user-", "What the names of such namespaces begin with", COX_OPT_STRING, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_authorizer_ops owner_ops = {.authorize = owner_authorize};

COX_AUTHORIZER_PLUGIN(owner_ops, .name = "Owner", .version = "1",
		      .description = "Namespaces belong to those they are named after",
		      .thread_model = COX_THREADS_PARALLEL, .options = owner_options,
		      .create = owner_create, .config = owner_config, .destroy = owner_destroy);
