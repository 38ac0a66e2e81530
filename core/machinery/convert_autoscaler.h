/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HorizontalPodAutoscalers between autoscaling/v1 and v2. The old form knows
 * CPU utilization alone: everything else is kept in annotations of it, as JSON.
 */
#ifndef COX_MACHINERY_CONVERT_AUTOSCALER_H
#define COX_MACHINERY_CONVERT_AUTOSCALER_H

#include "base/arena.h"
#include "machinery/value.h"

/* In place; `up`: from v1 to v2. What an annotation says wrongly is passed over. */
void autoscaler_convert(struct arena *arena, struct value *object, bool up);

#endif
