/* SPDX-License-Identifier: Apache-2.0 */
/* What is served besides API objects: health, version, metrics, discovery. */
#ifndef COX_APISERVER_ENDPOINTS_H
#define COX_APISERVER_ENDPOINTS_H

#include "apiserver/call.h"

void endpoints_serve(struct api_call *call);
/* The text 404 of a path that nobody serves. */
void endpoints_not_found(struct api_call *call);

#endif
