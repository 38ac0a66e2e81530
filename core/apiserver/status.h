/* SPDX-License-Identifier: Apache-2.0 */
/* Errors and successes as Kubernetes Status objects (meta/v1 Status). */
#ifndef COX_APISERVER_STATUS_H
#define COX_APISERVER_STATUS_H

#include "base/error.h"

#include <coxswain/kit/buf.h>
#include <stdbool.h>

/* A failure: code, reason, message, details and causes of `err`. */
void status_write_error(struct cox_buf *out, const struct cox_error *err);

/* Success of a request on one object, as delete answers it. */
void status_write_success(struct cox_buf *out, const char *group, const char *resource,
			  const char *name, const char *uid);

/* Standard errors, in the words that clients know. All return -1. */
int status_not_found(struct cox_error *err, const char *group, const char *resource,
		     const char *name);
int status_already_exists(struct cox_error *err, const char *group, const char *resource,
			  const char *name);
/* The object was changed by somebody else meanwhile. */
int status_conflict(struct cox_error *err, const char *group, const char *resource,
		    const char *name);
int status_forbidden(struct cox_error *err, const char *group, const char *resource,
		     const char *name, const char *why);

#endif
