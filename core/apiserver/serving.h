/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ports. A port that cannot be opened, or a certificate that cannot be
 * made, is tried again every 15 s while the other port serves.
 */
#ifndef COX_APISERVER_SERVING_H
#define COX_APISERVER_SERVING_H

#include "apiserver/flags.h"
#include "apiserver/server.h"

struct serving;

/*
 * Starts serving; fails only for what waiting cannot mend. `own_socket` is the
 * listening socket of the process that started this one, which it takes, or -1.
 */
struct serving *serving_start(struct apiserver *server, const struct apiserver_config *config,
			      int own_socket, struct cox_error *err);
/* Ends streams and connections, then the ports. NULL is fine. */
void serving_stop(struct serving *serving);

/* This host's address for others: --advertise-address, --bind-address, or the first one. */
int serving_advertised(const struct apiserver_config *config, char *out, size_t size,
		       struct cox_error *err) COX_MUST_CHECK;

#endif
