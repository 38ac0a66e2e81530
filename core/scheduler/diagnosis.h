/* SPDX-License-Identifier: Apache-2.0 */
/* Why no node fits a pod: collected a node at a time, told in a sentence and in the log. */
#ifndef COX_SCHEDULER_DIAGNOSIS_H
#define COX_SCHEDULER_DIAGNOSIS_H

#include <coxswain/kit/buf.h>
#include <coxswain/kit/vec.h>
#include <stdint.h>

struct diagnosis_node {
	const char *node;
	const char *part; /* the filter that refused it */
	const char *why;  /* reasons, on a line each */
};

struct diagnosis {
	COX_VEC(struct diagnosis_node) nodes; /* its texts are borrowed */
};

void diagnosis_clear(struct diagnosis *diagnosis);
void diagnosis_add(struct diagnosis *diagnosis, const char *node, const char *part,
		   const char *why);
/*
 * "0/3 nodes are available: 1 Insufficient cpu, 2 …." into `message`, and a
 * line a node for the log, of which there is an end. `all` (may be NULL) is why
 * none of the `total` nodes was even looked at.
 */
void diagnosis_tell(const struct diagnosis *diagnosis, const char *pod, size_t total,
		    const char *all, struct cox_buf *message, struct cox_buf *log);

#endif
