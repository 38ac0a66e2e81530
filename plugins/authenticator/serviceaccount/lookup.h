/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether what a token lives and dies with is still there: the account, and the
 * pod, secret or node that it is bound to. Asked of the server each time (the
 * host remembers answers for some seconds), so nothing is ever behind.
 */
#ifndef COX_SERVICEACCOUNT_LOOKUP_H
#define COX_SERVICEACCOUNT_LOOKUP_H

#include "claims.h"

#include <coxswain/authenticator.h>

/* YES; BAD: gone or another one; ERROR: could not be asked. */
enum cox_authn_answer lookup_claims(const struct cox_host *host, const struct cox_cluster *cluster,
				    const struct cox_call *call, const struct claims *claims,
				    const char *token, struct cox_error *err);

#endif
