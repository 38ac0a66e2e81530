/* SPDX-License-Identifier: Apache-2.0 */
/* AlwaysAdmit: has no objection to anything, and changes nothing. */
#include <coxswain/admission.h>

static int instance; /* nothing to remember; only its address counts */

static void *alwaysadmit_create(const struct cox_host *host, struct cox_error *err)
{
	(void)host;
	(void)err;
	return &instance;
}

static int alwaysadmit_handles(void *self, const struct cox_admission_request *request)
{
	(void)self;
	(void)request;
	return 0;
}

static const struct cox_admission_ops alwaysadmit_ops = {
	.handles = alwaysadmit_handles,
};

COX_ADMISSION_PLUGIN(alwaysadmit_ops, .name = "AlwaysAdmit", .version = COX_RELEASE,
		     .description = "admits every change", .thread_model = COX_THREADS_PARALLEL,
		     .flags = COX_FAST, .create = alwaysadmit_create);
