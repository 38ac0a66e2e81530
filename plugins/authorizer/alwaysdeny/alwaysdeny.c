/* SPDX-License-Identifier: Apache-2.0 */
/* AlwaysDeny: nobody may do anything. For tests of what a refusal does. */
#include <coxswain/authorizer.h>

static int instance; /* nothing to remember; only its address counts */

static void *alwaysdeny_create(const struct cox_host *host, struct cox_error *err)
{
	(void)host;
	(void)err;
	return &instance;
}

static enum cox_decision alwaysdeny_authorize(void *self, const struct cox_call *call,
					      const struct cox_attributes *attributes,
					      const struct cox_reason_sink *sink,
					      struct cox_error *err)
{
	(void)self;
	(void)call;
	(void)attributes;
	(void)err;
	sink->reason(sink, "Everything is forbidden.");
	return COX_DECISION_DENY;
}

static int alwaysdeny_rules(void *self, const struct cox_call *call,
			    const struct cox_attributes *attributes,
			    const struct cox_rule_sink *sink, struct cox_error *err)
{
	(void)self;
	(void)call;
	(void)attributes;
	(void)sink;
	(void)err;
	return 0;
}

static const struct cox_authorizer_ops alwaysdeny_ops = {
	.authorize = alwaysdeny_authorize,
	.rules = alwaysdeny_rules,
};

COX_AUTHORIZER_PLUGIN(alwaysdeny_ops, .name = "AlwaysDeny", .version = COX_RELEASE,
		      .description = "denies every request", .thread_model = COX_THREADS_PARALLEL,
		      .flags = COX_FAST, .create = alwaysdeny_create);
