/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to pods, for probes and hooks: short, bounded, no trust asked. */
#ifndef COX_KUBELET_DIAL_H
#define COX_KUBELET_DIAL_H

#include "base/error.h"

#include <coxswain/kit/buf.h>
#include <stdbool.h>
#include <sys/types.h>

/* A connected, non-blocking socket, or -1. `host` is an address or a name. */
int dial_tcp(const char *host, uint16_t port, uint64_t deadline, struct cox_error *err);

/* All of it, or -1. */
int dial_send(int fd, const struct cox_buf *data, uint64_t deadline) COX_MUST_CHECK;
/* Appends what comes: how many bytes, 0 at the end, -1: an error or too late. */
ssize_t dial_receive(int fd, uint64_t deadline, struct cox_buf *out) COX_MUST_CHECK;

/*
 * Sends `request` and returns the status of the answer, or -1. At most `limit`
 * bytes are read. `secure`: TLS, whatever the certificate says.
 */
int dial_http(const char *host, uint16_t port, bool secure, const struct cox_buf *request,
	      uint64_t deadline, size_t limit, struct cox_buf *answer, struct cox_error *err);

#endif
