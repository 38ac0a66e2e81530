/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two creates that change a pod: a Binding gives it its node, once and for
 * all; an Eviction deletes it if nothing forbids that.
 */
#ifndef COX_APISERVER_BINDING_H
#define COX_APISERVER_BINDING_H

#include "apiserver/call.h"

void binding_serve(struct api_call *call);	      /* pods/NAME/binding */
void binding_serve_collection(struct api_call *call); /* bindings */
void binding_serve_eviction(struct api_call *call);   /* pods/NAME/eviction */

#endif
