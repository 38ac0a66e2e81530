/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kube-controller-manager can be told: its flags as a struct.
 */
#ifndef COX_CONTROLLER_FLAGS_H
#define COX_CONTROLLER_FLAGS_H

#include "config/flags.h"

struct controller_manager_config {
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
	bool use_service_account_credentials;
	/* which controllers, and how many at a time */
	struct flag_list controllers;
	int64_t concurrent_endpoint_syncs;
	int64_t concurrent_rc_syncs;
	int64_t concurrent_replicaset_syncs;
	int64_t concurrent_deployment_syncs;
	int64_t concurrent_namespace_syncs;
	int64_t concurrent_service_syncs;
	int64_t concurrent_gc_syncs;
	int64_t concurrent_ephemeralvolume_syncs;
	/* how often */
	uint64_t service_sync_period;
	uint64_t node_sync_period;
	uint64_t resource_quota_sync_period;
	uint64_t namespace_sync_period;
	uint64_t pvclaimbinder_sync_period;
	uint64_t horizontal_pod_autoscaler_sync_period;
	uint64_t deployment_controller_sync_period;
	uint64_t min_resync_period;
	/* nodes and pods */
	uint64_t pod_eviction_timeout;
	double deleting_pods_qps;
	int64_t deleting_pods_burst;
	int64_t register_retry_count;
	uint64_t node_monitor_period;
	uint64_t node_monitor_grace_period;
	uint64_t node_startup_grace_period;
	int64_t terminated_pod_gc_threshold;
	bool allocate_node_cidrs;
	const char *cluster_cidr;
	int64_t node_cidr_mask_size;
	const char *service_cluster_ip_range;
	const char *cluster_name;
	const char *cloud_provider;
	const char *cloud_config;
	/* keys */
	const char *service_account_private_key_file;
	const char *root_ca_file;
	const char *cluster_signing_cert_file;
	const char *cluster_signing_key_file;
	uint64_t cluster_signing_duration;
	/* recycling of volumes */
	const char *pv_recycler_pod_template_filepath_hostpath;
	const char *pv_recycler_pod_template_filepath_nfs;
	int64_t pv_recycler_minimum_timeout_nfs;
	int64_t pv_recycler_increment_timeout_nfs;
	int64_t pv_recycler_minimum_timeout_hostpath;
	int64_t pv_recycler_timeout_increment_hostpath;
	bool enable_hostpath_provisioner;
	struct flag_list feature_gates;
	bool profiling;
};

extern const struct flag controller_manager_flags[];
extern const size_t controller_manager_flag_count;
/* The keys of the unit's files, for struct personality. */
extern const char *const controller_manager_env_keys[];
#define CONTROLLER_MANAGER_ENV_FILE "controller-manager"

#endif
