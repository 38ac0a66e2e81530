/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subresources: status and other writes of a part of the object, scale,
 * binding, eviction, finalize, token, and those that the node serves.
 */
#ifndef COX_APISERVER_SUBRESOURCE_H
#define COX_APISERVER_SUBRESOURCE_H

#include "apiserver/call.h"

/* call->subresource is set and allows the verb. */
void subresource_serve(struct api_call *call);

#endif
