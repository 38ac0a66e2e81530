/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subresource scale: an autoscaling/v1 Scale as a view of the number of
 * replicas of an object that has spec.replicas, spec.selector and
 * status.replicas.
 */
#ifndef COX_APISERVER_SCALE_H
#define COX_APISERVER_SCALE_H

#include "apiserver/call.h"

void scale_serve(struct api_call *call);

#endif
