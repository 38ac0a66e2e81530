/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flags of kube-controller-manager, with the defaults of the first release.
 */
#include "controller/flags.h"

#define ENTRY(kind, name, member, fallback, help, ...)                                             \
	FLAG_ENTRY(struct controller_manager_config, kind, name, member, fallback, help,           \
		   __VA_ARGS__)
#define PORT .low = 0, .high = 65535
#define NO_EFFECT .traits = FLAG_NO_EFFECT
#define RELOAD .traits = FLAG_RELOAD

/* clang-format off */
const struct flag controller_manager_flags[] = {
	/* where to listen */
	ENTRY(STRING, "address", address, "127.0.0.1", "Address of the health and metrics port"),
	ENTRY(INT, "port", port, "10252", "Health and metrics port without TLS; 0: none", PORT),
	ENTRY(STRING, "bind-address", bind_address, "0.0.0.0", "Address of the secure port"),
	ENTRY(INT, "secure-port", secure_port, "10257",
	      "Health and metrics port with TLS; 0: none", PORT),
	ENTRY(STRING, "client-ca-file", client_ca_file, NULL,
	      "File with the CA of client certificates", RELOAD),
	ENTRY(STRING, "tls-cert-file", tls_cert_file, NULL, "File with the server certificate"),
	ENTRY(STRING, "tls-private-key-file", tls_private_key_file, NULL, "File with its key"),
	/* the apiserver */
	ENTRY(STRING, "master", master, NULL, "URL of the apiserver; overrides the kubeconfig"),
	ENTRY(STRING, "kubeconfig", kubeconfig, NULL, "File that says how to reach the apiserver"),
	ENTRY(FLOAT, "kube-api-qps", kube_api_qps, "50", "Requests a second to the apiserver"),
	ENTRY(INT, "kube-api-burst", kube_api_burst, "100", "Requests above the rate"),
	ENTRY(BOOL, "leader-elect", leader_elect, "true", "Work only while holding the lease"),
	ENTRY(DURATION, "leader-elect-lease-duration", leader_elect_lease_duration, "15s",
	      "How long a lease is respected"),
	ENTRY(DURATION, "leader-elect-renew-deadline", leader_elect_renew_deadline, "10s",
	      "How long the holder tries to renew"),
	ENTRY(DURATION, "leader-elect-retry-period", leader_elect_retry_period, "2s",
	      "Time between tries"),
	ENTRY(BOOL, "use-service-account-credentials", use_service_account_credentials, "false",
	      "Give each controller an identity of its own"),
	/* which controllers, and how many at a time */
	ENTRY(LIST, "controllers", controllers, "*",
	      "Controllers to run: names, \"*\" for the usual ones, \"-name\" to leave one out"),
	ENTRY(INT, "concurrent-endpoint-syncs", concurrent_endpoint_syncs, "5",
	      "Endpoints worked on at a time", .low = 1, .high = 1000),
	ENTRY(INT, "concurrent-rc-syncs", concurrent_rc_syncs, "5",
	      "Replication controllers worked on at a time", .low = 1, .high = 1000),
	ENTRY(INT, "concurrent-replicaset-syncs", concurrent_replicaset_syncs, "5",
	      "Replica sets worked on at a time", .low = 1, .high = 1000),
	ENTRY(INT, "concurrent-deployment-syncs", concurrent_deployment_syncs, "5",
	      "Deployments worked on at a time", .low = 1, .high = 1000),
	ENTRY(INT, "concurrent-namespace-syncs", concurrent_namespace_syncs, "10",
	      "Namespaces worked on at a time", .low = 1, .high = 1000),
	ENTRY(INT, "concurrent-gc-syncs", concurrent_gc_syncs, "20",
	      "Objects collected at a time", .low = 1, .high = 1000),
	/* how often */
	ENTRY(DURATION, "service-sync-period", service_sync_period, "5m0s",
	      "Time between looks at services with load balancers"),
	ENTRY(DURATION, "node-sync-period", node_sync_period, "10s",
	      "Time between looks at the nodes of the cloud"),
	ENTRY(DURATION, "resource-quota-sync-period", resource_quota_sync_period, "10s",
	      "Time between full counts of quotas"),
	ENTRY(DURATION, "namespace-sync-period", namespace_sync_period, "5m0s",
	      "Time between looks at namespaces"),
	ENTRY(DURATION, "pvclaimbinder-sync-period", pvclaimbinder_sync_period, "10s",
	      "Time between looks at volumes and claims"),
	ENTRY(DURATION, "horizontal-pod-autoscaler-sync-period",
	      horizontal_pod_autoscaler_sync_period,
	      "15s",
	      "Time between looks at autoscalers"),
	ENTRY(DURATION, "deployment-controller-sync-period", deployment_controller_sync_period,
	      "30s",
	      "Time between looks at deployments; they are watched", NO_EFFECT),
	ENTRY(DURATION, "min-resync-period", min_resync_period, "12h0m0s",
	      "Shortest time between full looks at what is watched"),
	/* nodes and pods */
	ENTRY(DURATION, "pod-eviction-timeout", pod_eviction_timeout, "5m0s",
	      "How long pods stay on a node that is gone"),
	ENTRY(FLOAT, "deleting-pods-qps", deleting_pods_qps, "0.1",
	      "Nodes a second whose pods are deleted"),
	ENTRY(INT, "deleting-pods-burst", deleting_pods_burst, "10", "Nodes above the rate"),
	ENTRY(INT, "register-retry-count", register_retry_count, "10",
	      "Tries to register a node", NO_EFFECT),
	ENTRY(DURATION, "node-monitor-period", node_monitor_period, "5s",
	      "Time between looks at node status"),
	ENTRY(DURATION, "node-monitor-grace-period", node_monitor_grace_period, "40s",
	      "How long a node may be silent"),
	ENTRY(DURATION, "node-startup-grace-period", node_startup_grace_period, "1m0s",
	      "How long a new node may be silent"),
	ENTRY(INT, "terminated-pod-gc-threshold", terminated_pod_gc_threshold, "12500",
	      "Ended pods to keep; 0: all"),
	ENTRY(BOOL, "allocate-node-cidrs", allocate_node_cidrs, "false",
	      "Give each node a range of pod addresses"),
	ENTRY(STRING, "cluster-cidr", cluster_cidr, NULL, "Range of pod addresses"),
	ENTRY(INT, "node-cidr-mask-size", node_cidr_mask_size, "24",
	      "Prefix length of a node's range", .low = 8, .high = 128),
	ENTRY(STRING, "service-cluster-ip-range", service_cluster_ip_range, NULL,
	      "Range of the addresses of services"),
	ENTRY(STRING, "cluster-name", cluster_name, "kubernetes", "Name of the cluster"),
	ENTRY(STRING, "cloud-provider", cloud_provider, NULL, "Cloud plugin; empty: none"),
	ENTRY(STRING, "cloud-config", cloud_config, NULL,
	      "File with the settings of the cloud plugin"),
	/* keys */
	ENTRY(STRING, "service-account-private-key-file", service_account_private_key_file, NULL,
	      "File with the key to sign service account tokens"),
	ENTRY(STRING, "root-ca-file", root_ca_file, NULL,
	      "File with the CA that service accounts are given"),
	ENTRY(STRING, "cluster-signing-cert-file", cluster_signing_cert_file, NULL,
	      "File with the CA that signs certificate requests"),
	ENTRY(STRING, "cluster-signing-key-file", cluster_signing_key_file, NULL,
	      "File with its key"),
	ENTRY(DURATION, "cluster-signing-duration", cluster_signing_duration, "8760h0m0s",
	      "Longest life of a signed certificate"),
	/* recycling of volumes */
	ENTRY(STRING, "pv-recycler-pod-template-filepath-hostpath",
	      pv_recycler_pod_template_filepath_hostpath,
	      NULL,
	      "File with the pod that empties hostPath volumes"),
	ENTRY(STRING, "pv-recycler-pod-template-filepath-nfs",
	      pv_recycler_pod_template_filepath_nfs,
	      NULL,
	      "File with the pod that empties NFS volumes"),
	ENTRY(INT, "pv-recycler-minimum-timeout-nfs", pv_recycler_minimum_timeout_nfs, "300",
	      "Seconds that emptying an NFS volume may take"),
	ENTRY(INT, "pv-recycler-increment-timeout-nfs", pv_recycler_increment_timeout_nfs, "30",
	      "Seconds more for each GiB of an NFS volume"),
	ENTRY(INT, "pv-recycler-minimum-timeout-hostpath", pv_recycler_minimum_timeout_hostpath,
	      "60",
	      "Seconds that emptying a hostPath volume may take"),
	ENTRY(INT, "pv-recycler-timeout-increment-hostpath",
	      pv_recycler_timeout_increment_hostpath,
	      "30",
	      "Seconds more for each GiB of a hostPath volume"),
	ENTRY(BOOL, "enable-hostpath-provisioner", enable_hostpath_provisioner, "false",
	      "Make hostPath volumes for claims, on one node"),
	ENTRY(MAP, "feature-gates", feature_gates, NULL, "Features to turn on or off"),
	ENTRY(BOOL, "profiling", profiling, "true", "Offer /debug/pprof/", NO_EFFECT),
};
/* clang-format on */

const size_t controller_manager_flag_count = FLAG_COUNT(controller_manager_flags);

const char *const controller_manager_env_keys[] = {
	"KUBE_LOGTOSTDERR", "KUBE_LOG_LEVEL", "KUBE_MASTER", "KUBE_CONTROLLER_MANAGER_ARGS", NULL,
};
