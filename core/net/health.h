/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port at which a daemon that is no API server says how it is: /healthz,
 * /livez, /readyz and /metrics, without TLS and for everybody.
 */
#ifndef COX_NET_HEALTH_H
#define COX_NET_HEALTH_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct health;

/* Strings stay with the caller until health_close. */
struct health_config {
	const char *address;
	uint16_t port;
	bool (*ready)(void *context); /* for /readyz; any thread. NULL: it always is */
	void *context;
	const char *unready; /* why it is not, with a newline */
	const char *mode;    /* what /proxyMode says; NULL: there is no such path */
};

/* NULL: `err` says why. */
struct health *health_open(const struct health_config *config, struct cox_error *err);
void health_close(struct health *health); /* NULL is fine */

#endif
