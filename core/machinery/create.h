/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What creating an object does to its content before it is validated: a status
 * that clients may not give is dropped, and the first status and the links
 * that each kind starts with are put in. Names, uid, time and allocated
 * addresses are not here.
 */
#ifndef COX_MACHINERY_CREATE_H
#define COX_MACHINERY_CREATE_H

#include "base/arena.h"
#include "machinery/schema.h"
#include "machinery/value.h"

/* `object` is decoded and defaulted; `now` is in nanoseconds since 1970. */
void schema_prepare_create(const struct schema *schema, const struct schema_resource *resource,
			   struct arena *arena, struct value *object, uint64_t now);

/* "Guaranteed", "Burstable" or "BestEffort", as the pod's amounts say. */
const char *pod_quality_class(const struct value *pod);

#endif
