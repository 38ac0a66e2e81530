/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flags of kube-proxy, with the defaults of the first release and of 1.1.
 */
#include "proxy/flags.h"

#define ENTRY(kind, name, member, fallback, help, ...)                                             \
	FLAG_ENTRY(struct proxy_config, kind, name, member, fallback, help, __VA_ARGS__)
#define PORT .low = 0, .high = 65535
#define NO_EFFECT .traits = FLAG_NO_EFFECT

/* clang-format off */
const struct flag proxy_flags[] = {
	/* where to listen */
	ENTRY(STRING, "bind-address", bind_address, "0.0.0.0",
	      "Address that proxied ports listen on"),
	ENTRY(STRING, "healthz-bind-address", healthz_bind_address, "127.0.0.1",
	      "Address of the health port"),
	ENTRY(INT, "healthz-port",
	      healthz_port, "10249", "Health and metrics port; 0: none", PORT),
	/* the apiserver */
	ENTRY(STRING, "master", master, NULL, "URL of the apiserver; overrides the kubeconfig"),
	ENTRY(STRING, "kubeconfig", kubeconfig, NULL, "File that says how to reach the apiserver"),
	ENTRY(FLOAT, "kube-api-qps", kube_api_qps, "50", "Requests a second to the apiserver",
	      NO_EFFECT),
	ENTRY(INT, "kube-api-burst", kube_api_burst, "100", "Requests above the rate", NO_EFFECT),
	/* how to proxy */
	ENTRY(STRING, "proxy-mode", proxy_mode, "userspace",
	      "Proxy plugin: userspace, iptables or nftables"),
	ENTRY(STRING, "hostname-override", hostname_override, NULL,
	      "Name of the node; empty: the host name"),
	ENTRY(STRING, "proxy-port-range", proxy_port_range, NULL,
	      "Ports to proxy on, \"low-high\"; empty: any free one"),
	ENTRY(STRING, "cluster-cidr", cluster_cidr, NULL,
	      "Range of pod addresses; what comes from elsewhere is masqueraded"),
	ENTRY(DURATION, "iptables-sync-period", iptables_sync_period, "5s",
	      "Time between looks at the rules"),
	ENTRY(DURATION, "udp-timeout", udp_timeout, "250ms",
	      "How long a silent UDP client is remembered"),
	ENTRY(BOOL, "masquerade-all", masquerade_all, "false",
	      "Masquerade everything sent to services"),
	ENTRY(BOOL, "cleanup-iptables", cleanup_iptables, "false", "Remove the rules and end"),
	ENTRY(LIST, "nodeport-addresses", nodeport_addresses, NULL,
	      "Ranges of the addresses that node ports listen on; empty: all"),
	ENTRY(INT, "oom-score-adj", oom_score_adj, "-999",
	      "oom_score_adj of the proxy", .low = -1000, .high = 1000),
	ENTRY(STRING, "resource-container", resource_container, "/kube-proxy",
	      "Cgroup of the proxy itself", NO_EFFECT),
	ENTRY(MAP, "feature-gates", feature_gates, NULL, "Features to turn on or off", NO_EFFECT),
	/* other names */
	FLAG_ALIAS("healthz-address", "healthz-bind-address"),
	FLAG_ALIAS("cleanup", "cleanup-iptables"),
};
/* clang-format on */

const size_t proxy_flag_count = FLAG_COUNT(proxy_flags);

const char *const proxy_env_keys[] = {
	"KUBE_LOGTOSTDERR", "KUBE_LOG_LEVEL", "KUBE_MASTER", "KUBE_PROXY_ARGS", NULL,
};
