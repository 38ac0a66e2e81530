/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `coxswain up`: a whole cluster with one word. The control plane runs in a
 * process of its own without any rights, the node in this one; both read the
 * files of /etc/kubernetes as the daemons do that they stand for.
 */
#ifndef COX_UP_H
#define COX_UP_H

#include "compose.h"

/* Set for the control plane's process: it does not outlive the one that started it. */
#define UP_ENVIRONMENT "COXSWAIN_UP"

/* Like those of compose.h; they begin with the process of the control plane. */
int up_start(struct daemon *daemon, struct cox_error *err);
void up_stop(struct daemon *daemon);

#endif
