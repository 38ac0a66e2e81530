/* SPDX-License-Identifier: Apache-2.0 */
/* This node as the API server knows it: registered, alive, and described. */
#ifndef COX_KUBELET_NODE_H
#define COX_KUBELET_NODE_H

#include "kubelet/kubelet.h"

/* Registers and keeps the lease and the status, in threads of its own. */
struct node *node_start(struct kubelet *kubelet, struct cox_error *err);
/* The runtime or something else changed: look at once. */
void node_wake(struct node *node);
void node_stop(struct node *node); /* NULL is fine */

/* The address by which others reach this machine; malloc'd, NULL: none. */
char *node_find_address(const struct kubelet_config *config);
/* --hostname-override or the host's name, in lower case; malloc'd. */
char *node_make_name(const struct kubelet_config *config, struct cox_error *err);

/* node_status.c: the whole Node; `old` (NULL: none) is what is registered. */
struct value *node_describe(struct kubelet *kubelet, const struct value *old, struct arena *arena);

/* The watcher of the node's own object: tells the network its ranges. */
void node_changed(void *kubelet, const struct cox_object *old, const struct cox_object *now);

#endif
