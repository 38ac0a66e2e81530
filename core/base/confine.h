/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up rights, for a process that reads foreign bytes and has no need of
 * them. All threads of the process are meant, and none can get anything back.
 */
#ifndef COX_BASE_CONFINE_H
#define COX_BASE_CONFINE_H

#include "base/error.h"

#include <sys/types.h>

/* The user with that name; 0, or -1 if there is none (NotFound). */
int confine_find_user(const char *name, uid_t *user, gid_t *group, struct cox_error *err)
	COX_MUST_CHECK;
/* Becomes that user, without further groups and capabilities. Needs root. */
int confine_to_user(uid_t user, gid_t group, struct cox_error *err) COX_MUST_CHECK;
/*
 * From now on no program can be started, nothing mounted, no process looked
 * into, no kernel module loaded: those calls fail with EPERM (seccomp).
 */
int confine_calls(struct cox_error *err) COX_MUST_CHECK;

#endif
