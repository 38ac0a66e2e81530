/* SPDX-License-Identifier: Apache-2.0 */
/* The health and metrics port: /healthz, /livez, /readyz and /metrics. */
#ifndef COX_SCHEDULER_HEALTH_H
#define COX_SCHEDULER_HEALTH_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct health;

/* `ready` (with `context`) answers /readyz; any thread. NULL: `err` says why. */
struct health *health_open(const char *address, uint16_t port, bool (*ready)(void *context),
			   void *context, struct cox_error *err);
void health_close(struct health *health); /* NULL is fine */

#endif
