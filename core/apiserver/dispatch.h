/* SPDX-License-Identifier: Apache-2.0 */
/* From a permitted request to the part that does it. */
#ifndef COX_APISERVER_DISPATCH_H
#define COX_APISERVER_DISPATCH_H

#include "apiserver/call.h"

/* A request with a resource in its path. */
void dispatch_resource(struct api_call *call);

/*
 * The options of a list, for those who may ask: reads them into the call, or
 * fails. Whoever lists calls it first.
 */
int dispatch_list_options(struct api_call *call, struct cox_error *err) COX_MUST_CHECK;

#endif
