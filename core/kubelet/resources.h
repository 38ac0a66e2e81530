/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts: what this machine has, what pods ask for, and what containers get. */
#ifndef COX_KUBELET_RESOURCES_H
#define COX_KUBELET_RESOURCES_H

#include "kubelet/flags.h"
#include "machinery/quantity.h"
#include "machinery/value.h"

#include <coxswain/runtime.h>

int64_t resources_cpus(void);	/* that are online */
int64_t resources_memory(void); /* bytes of this machine, or of our cgroup if that is less */

/* "cpu", "memory", "pods", "ephemeral-storage"; others are zero. */
struct cox_quantity resources_capacity(const struct kubelet_config *config, const char *name);
/* Less what --system-reserved, --kube-reserved and eviction keep. */
struct cox_quantity resources_allocatable(const struct kubelet_config *config, const char *name);

/*
 * What a pod asks for: the larger of its containers together and each init
 * container with the sidecars before it, and its overhead.
 */
void resources_pod(const struct value *pod, int64_t *cpu_milli, int64_t *memory);

/* What the runtime is told of a container. `qos` is the pod's class. */
void resources_container(const struct value *container, const char *qos, bool quota,
			 struct cox_resources *out);
/* "Guaranteed", "Burstable" or "BestEffort". */
const char *resources_qos(const struct value *pod);

#endif
