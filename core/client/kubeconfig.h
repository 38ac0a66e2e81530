/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubeconfig files: which server, and as whom. Relative file names in it are
 * relative to the file. What it can say and this client cannot do (exec and
 * auth-provider plugins, impersonation, proxies) is refused with a sentence,
 * never left out.
 */
#ifndef COX_CLIENT_KUBECONFIG_H
#define COX_CLIENT_KUBECONFIG_H

#include "base/arena.h"
#include "client/client.h"

/*
 * Reads `path`; `context` NULL or "": its current-context. The strings of
 * `config` live in the arena.
 */
int kubeconfig_read(const char *path, const char *context, struct arena *arena,
		    struct client_http_config *config, struct cox_error *err) COX_MUST_CHECK;

/*
 * The configuration of a daemon: --kubeconfig (may be NULL), and --master or
 * the first of --api-servers (may be NULL), which wins over the file's server.
 * "host:port" and "host" mean http, as they always did.
 */
int kubeconfig_for_daemon(const char *path, const char *master, struct arena *arena,
			  struct client_http_config *config, struct cox_error *err) COX_MUST_CHECK;

#endif
