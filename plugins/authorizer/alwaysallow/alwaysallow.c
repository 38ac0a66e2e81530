/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AlwaysAllow: everybody may do everything. For a single machine, for tests,
 * and for whoever names it in the configuration; never a default.
 */
#include <coxswain/authorizer.h>

static int instance; /* nothing to remember; only its address counts */

static void *alwaysallow_create(const struct cox_host *host, struct cox_error *err)
{
	(void)host;
	(void)err;
	return &instance;
}

static enum cox_decision alwaysallow_authorize(void *self, const struct cox_call *call,
					       const struct cox_attributes *attributes,
					       const struct cox_reason_sink *sink,
					       struct cox_error *err)
{
	(void)self;
	(void)call;
	(void)attributes;
	(void)sink;
	(void)err;
	return COX_DECISION_ALLOW;
}

static int alwaysallow_rules(void *self, const struct cox_call *call,
			     const struct cox_attributes *attributes,
			     const struct cox_rule_sink *sink, struct cox_error *err)
{
	static const char *const all[] = {"*"};
	struct cox_rule rule = {.struct_size = sizeof(rule),
				.is_resource = 1,
				.verbs = all,
				.verb_count = 1,
				.api_groups = all,
				.api_group_count = 1,
				.resources = all,
				.resource_count = 1};

	(void)self;
	(void)call;
	(void)attributes;
	(void)err;
	sink->rule(sink, &rule);
	rule.is_resource = 0;
	rule.api_group_count = 0;
	sink->rule(sink, &rule);
	return 0;
}

static const struct cox_authorizer_ops alwaysallow_ops = {
	.authorize = alwaysallow_authorize,
	.rules = alwaysallow_rules,
};

COX_AUTHORIZER_PLUGIN(alwaysallow_ops, .name = "AlwaysAllow", .version = COX_RELEASE,
		      .description = "allows every request", .thread_model = COX_THREADS_PARALLEL,
		      .flags = COX_FAST, .create = alwaysallow_create);
