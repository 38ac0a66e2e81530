/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kube-proxy can be told: its flags as a struct.
 */
#ifndef COX_PROXY_FLAGS_H
#define COX_PROXY_FLAGS_H

#include "config/flags.h"

struct proxy_config {
	/* where to listen */
	const char *bind_address;
	const char *healthz_bind_address;
	int64_t healthz_port;
	/* the apiserver */
	const char *master;
	const char *kubeconfig;
	double kube_api_qps;
	int64_t kube_api_burst;
	/* how to proxy */
	const char *proxy_mode;
	const char *hostname_override;
	const char *proxy_port_range;
	const char *cluster_cidr;
	uint64_t iptables_sync_period;
	uint64_t udp_timeout;
	bool masquerade_all;
	bool cleanup_iptables;
	struct flag_list nodeport_addresses;
	int64_t oom_score_adj;
	const char *resource_container;
	struct flag_list feature_gates;
};

extern const struct flag proxy_flags[];
extern const size_t proxy_flag_count;
/* The keys of the unit's files, for struct personality. */
extern const char *const proxy_env_keys[];
#define PROXY_ENV_FILE "proxy"

#endif
