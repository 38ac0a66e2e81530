/* SPDX-License-Identifier: Apache-2.0 */
/* What controllers ask about pods. Pure functions; results are borrowed. */
#ifndef COXSWAIN_KIT_PODS_H
#define COXSWAIN_KIT_PODS_H

#include <coxswain/object.h>
#include <stdbool.h>

/* The condition Ready is True. */
bool cox_pod_ready(const struct cox_objects *objects, const struct cox_object *pod);
/* The phase is Succeeded or Failed. */
bool cox_pod_ended(const struct cox_objects *objects, const struct cox_object *pod);

/*
 * The number behind a targetPort of a service: a number as it is, a name as a
 * container of the pod has it with this protocol ("TCP"). 0: the pod has none.
 */
int64_t cox_pod_port(const struct cox_objects *objects, const struct cox_object *pod,
		     const struct cox_value *target, const char *protocol);

/* The pod's first address of the family (ipv6 or not); "" if there is none. */
const char *cox_pod_address(const struct cox_objects *objects, const struct cox_object *pod,
			    bool ipv6);

#endif
