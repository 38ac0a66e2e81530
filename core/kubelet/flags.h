/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kubelet can be told: its flags as a struct.
 */
#ifndef COX_KUBELET_FLAGS_H
#define COX_KUBELET_FLAGS_H

#include "config/flags.h"

struct kubelet_config {
	/* where to listen */
	const char *address;
	int64_t port;
	int64_t read_only_port;
	const char *healthz_bind_address;
	int64_t healthz_port;
	int64_t cadvisor_port;
	bool enable_server;
	bool enable_debugging_handlers;
	uint64_t streaming_connection_idle_timeout;
	const char *cert_dir;
	const char *client_ca_file;
	const char *tls_cert_file;
	const char *tls_private_key_file;
	/* the apiserver */
	struct flag_list api_servers;
	const char *kubeconfig;
	const char *bootstrap_kubeconfig;
	bool rotate_certificates;
	double kube_api_qps;
	int64_t kube_api_burst;
	double event_qps;
	int64_t event_burst;
	/* this node */
	const char *hostname_override;
	const char *node_ip;
	struct flag_list node_labels;
	struct flag_list register_with_taints;
	bool register_node;
	uint64_t node_status_update_frequency;
	int64_t max_pods;
	const char *pod_cidr;
	const char *provider_id;
	const char *cloud_provider;
	const char *cloud_config;
	struct flag_list system_reserved;
	struct flag_list kube_reserved;
	struct flag_list eviction_hard;
	struct flag_list feature_gates;
	/* pods from elsewhere */
	const char *config;
	uint64_t file_check_frequency;
	const char *manifest_url;
	const char *manifest_url_header;
	uint64_t http_check_frequency;
	uint64_t sync_frequency;
	/* running containers */
	const char *container_runtime;
	const char *container_runtime_endpoint;
	const char *docker_endpoint;
	const char *docker_exec_handler;
	const char *pod_infra_container_image;
	const char *root_dir;
	const char *pod_logs_dir;
	struct flag_list import_images;
	const char *network_plugin;
	const char *network_plugin_dir;
	const char *cni_conf_dir;
	const char *volume_plugin_dir;
	bool configure_cbr0;
	struct flag_list cluster_dns;
	const char *cluster_domain;
	const char *resolv_conf;
	const char *cgroup_root;
	const char *cgroup_driver;
	bool cpu_cfs_quota;
	const char *resource_container;
	const char *system_container;
	int64_t oom_score_adj;
	int64_t max_open_files;
	bool stop_pods_on_exit;
	bool runonce;
	bool fail_swap_on;
	/* what containers may do */
	bool allow_privileged;
	struct flag_list host_network_sources;
	struct flag_list host_pid_sources;
	struct flag_list host_ipc_sources;
	const char *master_service_namespace;
	const char *seccomp_profile_root;
	bool seccomp_default;
	struct flag_list allowed_unsafe_sysctls;
	int64_t pod_max_pids;
	/* images and old containers */
	double registry_qps;
	int64_t registry_burst;
	bool serialize_image_pulls;
	int64_t image_gc_high_threshold;
	int64_t image_gc_low_threshold;
	int64_t low_diskspace_threshold_mb;
	uint64_t minimum_container_ttl_duration;
	int64_t maximum_dead_containers_per_container;
	int64_t maximum_dead_containers;
	int64_t container_log_max_size_mb;
	int64_t container_log_max_files;
};

extern const struct flag kubelet_flags[];
extern const size_t kubelet_flag_count;
/* The keys of the unit's files, for struct personality. */
extern const char *const kubelet_env_keys[];
#define KUBELET_ENV_FILE "kubelet"

#endif
