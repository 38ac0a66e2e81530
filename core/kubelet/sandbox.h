/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox of a pod and its network. */
#ifndef COX_KUBELET_SANDBOX_H
#define COX_KUBELET_SANDBOX_H

#include "kubelet/pod.h"

/* Makes one with its network; 0, or -1 and nothing is left. */
int sandbox_make(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		 uint32_t attempt, char id[COX_RUNTIME_ID_SIZE],
		 struct cox_error *err) COX_MUST_CHECK;
/* Learns the addresses of one that is there. */
void sandbox_read_addresses(struct kubelet *kubelet, struct pod *pod,
			    const struct cox_object *object, const struct view_sandbox *sandbox);
/* Ends one: network and processes; its containers' records stay. */
int sandbox_stop(struct kubelet *kubelet, struct pod *pod, const struct view_sandbox *sandbox,
		 struct cox_error *err) COX_MUST_CHECK;

/* dns.c: name servers of a pod, as its dnsPolicy and dnsConfig say. */
void dns_configure(struct kubelet *kubelet, const struct cox_object *object, struct arena *arena,
		   struct cox_sandbox_config *config);

#endif
