/* SPDX-License-Identifier: Apache-2.0 */
/* The gRPC health protocol (grpc.health.v1), as much of it as a probe needs. */
#ifndef COX_KUBELET_GRPC_H
#define COX_KUBELET_GRPC_H

#include <coxswain/kit/buf.h>
#include <stdint.h>

/*
 * Asks the server at host:port, without TLS, how `service` ("": all of it) is.
 * 0: it is serving. 1: it is not, or did not answer; `output` says which.
 */
int grpc_check(const char *host, uint16_t port, const char *service, uint64_t deadline,
	       struct cox_buf *output);

#endif
