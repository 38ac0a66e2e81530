/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subresource serviceaccounts/NAME/token: a TokenRequest answered with a
 * signed token that is bound to the account, and to a pod, secret or node if
 * the request names one, and ends by itself.
 */
#ifndef COX_APISERVER_TOKEN_H
#define COX_APISERVER_TOKEN_H

#include "apiserver/call.h"

void token_serve(struct api_call *call);

#endif
