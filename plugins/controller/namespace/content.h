/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting what is in a namespace, and saying what is left of it. */
#ifndef NAMESPACE_CONTENT_H
#define NAMESPACE_CONTENT_H

#include <coxswain/cluster.h>
#include <coxswain/kit/buf.h>

/* The texts of the namespace's conditions; empty: nothing to say. */
struct content {
	struct cox_buf undiscovered;
	struct cox_buf failures;
	struct cox_buf remaining;
	struct cox_buf finalizers;
};

#define CONTENT_INIT                                                                               \
	{                                                                                          \
		COX_BUF_INIT, COX_BUF_INIT, COX_BUF_INIT, COX_BUF_INIT                             \
	}

/* One pass: pods, and when none is left all the rest. */
void content_delete(struct content *content, const struct cox_cluster *cluster,
		    const struct cox_call *call, const char *namespace_name);
void content_free(struct content *content);

#endif
