/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's HTTP server. The port with TLS takes nobody but who has a client
 * certificate of the cluster's CA that says kube-apiserver (or a member of
 * system:masters); the health port speaks plain HTTP and says one word.
 */
#ifndef COX_KUBELET_SERVER_H
#define COX_KUBELET_SERVER_H

#include "kubelet/kubelet.h"

struct kubelet_server;

/*
 * Opens the ports of the configuration, that with TLS later if it has to ask
 * the apiserver for the CA first. The kubelet outlives it.
 */
struct kubelet_server *kubelet_server_open(struct kubelet *kubelet, struct cox_error *err);
void kubelet_server_close(struct kubelet_server *server); /* NULL is fine */
/* The ports there are; 0: none. */
uint16_t kubelet_server_port(struct kubelet_server *server);
uint16_t kubelet_server_health_port(const struct kubelet_server *server);

#endif
