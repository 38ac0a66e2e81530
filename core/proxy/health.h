/* SPDX-License-Identifier: Apache-2.0 */
/* The port of kube-proxy for health, metrics and the proxy mode. */
#ifndef COX_PROXY_HEALTH_H
#define COX_PROXY_HEALTH_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct health;

struct health_config {
	const char *address;
	uint16_t port;
	const char *mode; /* "userspace" */
	bool (*ready)(void *context);
	void *context;
};

/* Strings stay with the caller. */
struct health *health_new(const struct health_config *config, struct cox_error *err);
void health_free(struct health *health);

#endif
