/* SPDX-License-Identifier: Apache-2.0 */
/* What of a service's spec belongs to its type. */
#ifndef COX_APISERVER_SERVICETYPE_H
#define COX_APISERVER_SERVICETYPE_H

#include "machinery/value.h"

/*
 * Removes from `service` what its type has no use for but that of `old` had,
 * as far as the update left it as it was: who changes a type to ClusterIP need
 * not clear the node ports that the server gave out. What the update itself
 * set stays, and is refused by validation.
 */
void service_drop_unused(struct value *service, const struct value *old);

#endif
