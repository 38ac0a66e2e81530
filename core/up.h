/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `coxswain up`: a whole cluster with one word. The control plane runs in a
 * process of its own without any rights, the node in this one, joined by a unix
 * socket that no other user may speak on; both read the files of /etc/kubernetes
 * as the daemons do that they stand for. Where megabytes count, all of it is one
 * process with --single-process.
 */
#ifndef COX_UP_H
#define COX_UP_H

#include "compose.h"

/* The one flag of its own. */
extern const struct flag up_flags[];
extern const size_t up_flag_count;

/*
 * Like those of compose.h; they begin with the process of the control plane,
 * unless all is to be one process.
 */
int up_start(struct daemon *daemon, struct cox_error *err);
int up_reload(struct daemon *daemon, struct cox_error *err);
void up_stop(struct daemon *daemon);

/*
 * In the process of the control plane: the listening socket that the node
 * connects to; -1: `up` has not started this process.
 */
int up_own_socket(void);
/* There, too: does not outlive the process that started it, if `up` did. */
void up_follow(void);

#endif
