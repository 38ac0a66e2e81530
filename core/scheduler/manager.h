/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The personality kube-scheduler: opens the scheduler plugins, reads the
 * policy, connects to the API server, and schedules while it holds the lease.
 */
#ifndef COX_SCHEDULER_MANAGER_H
#define COX_SCHEDULER_MANAGER_H

#include "config/personality.h"

extern const struct personality scheduler_personality;

#endif
