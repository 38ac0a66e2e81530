/* SPDX-License-Identifier: Apache-2.0 */
/* AlwaysDeny: refuses every change. For tests of what a refusal does. */
#include <coxswain/admission.h>

/* All that there is to remember is the host. */
static void *alwaysdeny_create(const struct cox_host *host, struct cox_error *err)
{
	(void)err;
	return (void *)(uintptr_t)host;
}

/* Connections too: exec into a pod is a change of what runs there. */
static int alwaysdeny_handles(void *self, const struct cox_admission_request *request)
{
	(void)self;
	(void)request;
	return 1;
}

static int alwaysdeny_refuse(void *self, const struct cox_call *call,
			     const struct cox_admission_request *request,
			     const struct cox_admission_changes *changes, struct cox_error *err)
{
	const struct cox_host *host = self;

	(void)call;
	(void)request;
	(void)changes;
	return host->fail(err, COX_REASON_FORBIDDEN,
			  "Admission control is denying all modifications");
}

static const struct cox_admission_ops alwaysdeny_ops = {
	.handles = alwaysdeny_handles,
	.admit = alwaysdeny_refuse,
	.validate = alwaysdeny_refuse,
};

COX_ADMISSION_PLUGIN(alwaysdeny_ops, .name = "AlwaysDeny", .version = COX_RELEASE,
		     .description = "refuses every change", .thread_model = COX_THREADS_PARALLEL,
		     .flags = COX_FAST, .create = alwaysdeny_create);
