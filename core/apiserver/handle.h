/* SPDX-License-Identifier: Apache-2.0 */
/* What later steps need of the first ones. */
#ifndef COX_APISERVER_HANDLE_H
#define COX_APISERVER_HANDLE_H

#include "apiserver/call.h"

/* Whether the caller may do this other thing to the same object, too: 0 or Forbidden. */
int handle_authorize_verb(struct api_call *call, enum api_verb verb,
			  struct cox_error *err) COX_MUST_CHECK;

#endif
