/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to pods, for probes and hooks: short, bounded, no trust asked. */
#ifndef COX_KUBELET_DIAL_H
#define COX_KUBELET_DIAL_H

#include "base/error.h"

#include <coxswain/kit/buf.h>
#include <stdbool.h>

/* A connected, non-blocking socket, or -1. `host` is an address or a name. */
int dial_tcp(const char *host, uint16_t port, uint64_t deadline, struct cox_error *err);

/*
 * Sends `request` and returns the status of the answer, or -1. At most `limit`
 * bytes are read. `secure`: TLS, whatever the certificate says.
 */
int dial_http(const char *host, uint16_t port, bool secure, const struct cox_buf *request,
	      uint64_t deadline, size_t limit, struct cox_buf *answer, struct cox_error *err);

#endif
