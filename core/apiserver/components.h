/* SPDX-License-Identifier: Apache-2.0 */
/* componentstatuses: how the parts of the control plane are, asked right now. */
#ifndef COX_APISERVER_COMPONENTS_H
#define COX_APISERVER_COMPONENTS_H

#include "apiserver/call.h"

void components_serve(struct api_call *call); /* get and list */

#endif
