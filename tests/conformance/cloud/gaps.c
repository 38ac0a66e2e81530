/* SPDX-License-Identifier: Apache-2.0 */
/* A cloud plugin that makes load balancers and never removes them: to be refused. */
#include <coxswain/cloud.h>
#include <stdlib.h>

static void *gaps_create(const struct cox_host *host, struct cox_error *err)
{
	void *self = malloc(1);

	if (!self)
		host->fail(err, COX_REASON_INTERNAL_ERROR, "no memory");
	return self;
}

static int gaps_ensure(void *self, const struct cox_call *call,
		       const struct cox_cloud_balancer *balancer,
		       const struct cox_cloud_ingress_sink *sink, struct cox_error *err)
{
	(void)self;
	(void)call;
	(void)balancer;
	(void)sink;
	(void)err;
	return 0;
}

static const struct cox_cloud_ops gaps_ops = {.balancer_ensure = gaps_ensure};

COX_CLOUD_PLUGIN(gaps_ops, .name = "gaps", .version = "1", .description = "to be refused",
		 .thread_model = COX_THREADS_PARALLEL, .create = gaps_create, .destroy = free);
