/* SPDX-License-Identifier: Apache-2.0 */
/* The client that a daemon talks to the API server through. */
#ifndef COX_CLIENT_CONNECT_H
#define COX_CLIENT_CONNECT_H

#include "client/client.h"
#include "config/personality.h"

/*
 * In the process of the API server a local one, and in the process that started
 * it one by their own socket, both as `who`; else one by HTTP, as the kubeconfig
 * says or, with `master` alone, to that address. Both texts may be NULL or "".
 * `who->user_agent` names the daemon in any case.
 */
struct client *client_connect(const struct daemon *daemon, const char *kubeconfig,
			      const char *master, const struct client_identity *who,
			      struct cox_error *err);

#endif
