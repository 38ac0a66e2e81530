/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who holds a lease, said so that others on the same machine can tell whether it
 * still runs: HOST_PLACE-PID-START. PLACE is a digest of this boot of the machine
 * and of the namespaces that numbers of processes and times of starts are of, so
 * two processes with one PLACE mean the same by a PID.
 */
#ifndef COX_CLIENT_IDENTITY_H
#define COX_CLIENT_IDENTITY_H

#include <stdbool.h>

/* Of this process. If /proc does not tell: HOST_ and a random id, of which nobody knows more. */
char *identity_make(void);
/* True: it names a process of this place, and that has surely ended. */
bool identity_has_ended(const char *identity);

#endif
