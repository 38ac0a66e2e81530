/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kube-scheduler can be told: its flags as a struct.
 */
#ifndef COX_SCHEDULER_FLAGS_H
#define COX_SCHEDULER_FLAGS_H

#include "config/flags.h"

struct scheduler_config {
	/* where to listen */
	const char *address;
	int64_t port;
	const char *bind_address;
	int64_t secure_port;
	const char *client_ca_file;
	const char *tls_cert_file;
	const char *tls_private_key_file;
	/* the apiserver */
	const char *master;
	const char *kubeconfig;
	double kube_api_qps;
	int64_t kube_api_burst;
	bool leader_elect;
	uint64_t leader_elect_lease_duration;
	uint64_t leader_elect_renew_deadline;
	uint64_t leader_elect_retry_period;
	/* how to place pods */
	const char *algorithm_provider;
	const char *policy_config_file;
	const char *scheduler_name;
	struct flag_list scheduler_plugins;
	double bind_pods_qps;
	int64_t bind_pods_burst;
	struct flag_list feature_gates;
	bool profiling;
};

extern const struct flag scheduler_flags[];
extern const size_t scheduler_flag_count;
/* The keys of the unit's files, for struct personality. */
extern const char *const scheduler_env_keys[];
#define SCHEDULER_ENV_FILE "scheduler"

#endif
