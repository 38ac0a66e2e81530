/* SPDX-License-Identifier: Apache-2.0 */
/* The client of a daemon; see the header. */
#include "client/connect.h"

#include "base/arena.h"
#include "client/kubeconfig.h"
#include "client/local.h"
#include "client/module.h"
#include "host/host.h"

struct client *client_connect(const struct daemon *daemon, const char *kubeconfig,
			      const char *master, const struct client_identity *who,
			      struct cox_error *err)
{
	struct client_http_config config = {.user_agent = NULL};
	cox_autoarena arena = ARENA_INIT;

	if (daemon->local)
		return client_new_local(daemon->local, who);
	if (daemon->server_socket) {
		config.server = "http://coxswain";
		config.socket = daemon->server_socket;
		config.identity = who;
	} else if (kubeconfig_for_daemon(kubeconfig, master, &arena, &config, err) != 0) {
		return NULL;
	}
	config.user_agent = who->user_agent;
	client_module_directory(host_directory(daemon->host));
	return client_new_http(&config, err);
}
