/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon around the proxy plugin. */
#include "proxy/proxy.h"

#include "base/clock.h"
#include "base/log.h"
#include "client/connect.h"
#include "host/host.h"
#include "net/health.h"
#include "proxy/flags.h"
#include "proxy/table.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct proxy {
	struct proxy_config *config;
	struct host_plugin *plugin;
	struct client *client;
	struct table *table;
	struct health *health;
	char *node_name;
};

/* ---- options ---- */

static char *name_of_node(const struct proxy_config *config)
{
	char name[HOST_NAME_MAX + 1] = "";

	if (config->hostname_override && *config->hostname_override)
		return cox_strdup(config->hostname_override);
	if (gethostname(name, sizeof(name) - 1))
		return cox_strdup("localhost");
	for (char *at = name; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return cox_strdup(name);
}

static void join(const struct flag_list *list, struct cox_buf *out)
{
	for (size_t i = 0; i < list->count; i++)
		cox_buf_printf(out, "%s%s", i ? "," : "", list->items[i]);
}

/* A flag reaches the plugin that has such an option; for others it is said to be lost. */
static int feed(struct daemon *daemon, const char *flag, const char *option, const char *value,
		struct cox_error *err)
{
	struct proxy *proxy = daemon->state;

	if (host_has_option(proxy->plugin, option))
		return host_set_option(proxy->plugin, option, value,
				       flags_origin(daemon->flags, flag), err);
	if (flags_given(daemon->flags, flag))
		log_warning("--%s has no effect with --proxy-mode=%s", flag,
			    proxy->config->proxy_mode);
	return 0;
}

static int feed_all(struct daemon *daemon, struct cox_error *err)
{
	struct proxy *proxy = daemon->state;
	const struct proxy_config *config = proxy->config;
	char period[32], udp[32];
	cox_autobuf addresses = COX_BUF_INIT;

	cox_format_duration(config->iptables_sync_period, period);
	cox_format_duration(config->udp_timeout, udp);
	join(&config->nodeport_addresses, &addresses);
	if (feed(daemon, "bind-address", "bind-address", config->bind_address, err) ||
	    feed(daemon, "hostname-override", "host-name", proxy->node_name, err) ||
	    feed(daemon, "iptables-sync-period", "sync-period", period, err) ||
	    feed(daemon, "udp-timeout", "udp-timeout", udp, err) ||
	    feed(daemon, "masquerade-all", "masquerade-all",
		 config->masquerade_all ? "true" : "false", err))
		return -1;
	if (config->proxy_port_range && *config->proxy_port_range &&
	    feed(daemon, "proxy-port-range", "port-range", config->proxy_port_range, err))
		return -1;
	if (config->cluster_cidr && *config->cluster_cidr &&
	    feed(daemon, "cluster-cidr", "cluster-cidr", config->cluster_cidr, err))
		return -1;
	if (addresses.size &&
	    feed(daemon, "nodeport-addresses", "node-port-addresses", addresses.data, err))
		return -1;
	return 0;
}

/* ---- the plugin ---- */

static int call_sync(void *context, const struct cox_call *call,
		     const struct cox_proxy_update *update, struct cox_error *err)
{
	struct proxy *proxy = context;
	const struct cox_proxy_ops *ops = host_ops(proxy->plugin);

	host_call_scope(proxy->plugin);
	if (!ops->sync(host_self(proxy->plugin), call, update, err))
		return 0;
	return host_op_failed(proxy->plugin, "sync", err);
}

static int call_cleanup(struct proxy *proxy, struct cox_error *err)
{
	const struct cox_call call = {.struct_size = sizeof(call),
				      .deadline_ns = clock_monotonic() + 60 * CLOCK_SECOND};
	const struct cox_proxy_ops *ops = host_ops(proxy->plugin);

	if (!ops->cleanup)
		return error_set(err, COX_REASON_INVALID,
				 "the proxy plugin \"%s\" has nothing to clean up",
				 host_name(proxy->plugin));
	host_call_scope(proxy->plugin);
	if (!ops->cleanup(host_self(proxy->plugin), &call, err))
		return 0;
	return host_op_failed(proxy->plugin, "cleanup", err);
}

/* ---- life ---- */

static int proxy_prepare(struct daemon *daemon, struct cox_error *err)
{
	struct proxy *proxy = cox_new(struct proxy);

	daemon->state = proxy;
	proxy->config = daemon->config;
	proxy->node_name = name_of_node(proxy->config);
	if (daemon_open_plugin(daemon, "proxy", proxy->config->proxy_mode, "proxy-mode",
			       &proxy->plugin, err))
		return -1;
	if (!proxy->plugin)
		return 0;
	if (feed_all(daemon, err))
		return -1;
	return host_configure(proxy->plugin, err);
}

/* The kernel ends others first when memory is short. Not allowed: then not. */
static void set_oom_score(int64_t score)
{
	cox_autoclose int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	char text[32];
	int size = snprintf(text, sizeof(text), "%lld", (long long)score);

	if (fd < 0 || write(fd, text, (size_t)size) != size)
		log_warning("Cannot set oom_score_adj to %s: %s", text, strerrordesc_np(errno));
}

static bool is_ready(void *context)
{
	const struct proxy *proxy = context;

	return table_synced(proxy->table);
}

static int open_health(struct proxy *proxy, struct cox_error *err)
{
	const struct health_config config = {.address = proxy->config->healthz_bind_address,
					     .port = (uint16_t)proxy->config->healthz_port,
					     .ready = is_ready,
					     .context = proxy,
					     .unready =
						     "services and endpoints are not known yet\n",
					     .mode = proxy->config->proxy_mode};

	if (!proxy->config->healthz_port)
		return 0;
	proxy->health = health_open(&config, err);
	return proxy->health ? 0 : error_wrap(err, "--healthz-bind-address and --healthz-port");
}

static int proxy_start(struct daemon *daemon, struct cox_error *err)
{
	static const struct client_identity who = {.user = "system:kube-proxy",
						   .user_agent = "kube-proxy"};
	struct proxy *proxy = daemon->state;
	const struct table_config config = {
		.node_name = proxy->node_name, .sync = call_sync, .context = proxy};
	struct table_config connected = config;

	if (!proxy->plugin) /* --allow-missing-plugins */
		return 0;
	if (proxy->config->cleanup_iptables) {
		if (call_cleanup(proxy, err))
			return -1;
		daemon_stop();
		return 0;
	}
	if (!daemon->local && !daemon->server_socket) {
		/* A process of its own: so netstat and ss name it, whatever it was started as. */
		prctl(PR_SET_NAME, "kube-proxy", 0, 0, 0);
		set_oom_score(proxy->config->oom_score_adj);
	}
	proxy->client =
		client_connect(daemon, proxy->config->kubeconfig, proxy->config->master, &who, err);
	if (!proxy->client || host_get_ready(proxy->plugin, err) || host_start(proxy->plugin, err))
		return -1;
	connected.client = proxy->client;
	proxy->table = table_new(&connected, err);
	return proxy->table ? open_health(proxy, err) : -1;
}

static void proxy_stop(struct daemon *daemon)
{
	struct proxy *proxy = daemon->state;

	if (!proxy)
		return;
	health_close(proxy->health);
	table_free(proxy->table);
	host_close(proxy->plugin);
	client_free(proxy->client);
	free(proxy->node_name);
	free(proxy);
	daemon->state = NULL;
}

const struct personality proxy_personality = {
	.name = "kube-proxy",
	.description = "brings what is sent to services to their endpoints",
	.flags = proxy_flags,
	.flag_count = &proxy_flag_count,
	.config_size = sizeof(struct proxy_config),
	.env_file = PROXY_ENV_FILE,
	.env_keys = proxy_env_keys,
	.prepare = proxy_prepare,
	.start = proxy_start,
	.stop = proxy_stop,
};
