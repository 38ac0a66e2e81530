/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kube-apiserver can be told: its flags as a struct. Names and defaults
 * are those of the first release where today's do not replace them.
 */
#ifndef COX_APISERVER_FLAGS_H
#define COX_APISERVER_FLAGS_H

#include "config/flags.h"

struct apiserver_config {
	/* where to listen */
	const char *insecure_bind_address;
	int64_t insecure_port;
	const char *bind_address;
	int64_t secure_port;
	const char *advertise_address;
	const char *external_hostname;
	const char *cert_dir;
	const char *tls_cert_file;
	const char *tls_private_key_file;
	const char *tls_min_version;
	struct flag_list tls_cipher_suites;
	struct flag_list cors_allowed_origins;
	/* what to store, and where */
	const char *storage_backend;
	const char *data_dir;
	struct flag_list etcd_servers;
	const char *etcd_config;
	const char *etcd_prefix;
	const char *etcd_cafile;
	const char *etcd_certfile;
	const char *etcd_keyfile;
	const char *storage_media_type;
	const char *encryption_provider_config;
	uint64_t event_ttl;
	struct flag_list watch_cache_sizes;
	bool watch_cache;
	const char *storage_versions;
	const char *old_etcd_prefix;
	struct flag_list etcd_servers_overrides;
	/* who may do what */
	const char *token_auth_file;
	const char *basic_auth_file;
	const char *client_ca_file;
	bool anonymous_auth;
	bool enable_bootstrap_token_auth;
	const char *authentication_token_webhook_config_file;
	uint64_t authentication_token_webhook_cache_ttl;
	struct flag_list service_account_key_file;
	const char *service_account_signing_key_file;
	struct flag_list service_account_issuer;
	struct flag_list api_audiences;
	uint64_t service_account_max_token_expiration;
	bool service_account_lookup;
	const char *requestheader_client_ca_file;
	struct flag_list requestheader_allowed_names;
	struct flag_list requestheader_username_headers;
	struct flag_list requestheader_group_headers;
	struct flag_list requestheader_extra_headers_prefix;
	const char *proxy_client_cert_file;
	const char *proxy_client_key_file;
	const char *oidc_issuer_url;
	const char *oidc_client_id;
	struct flag_list authorization_mode;
	const char *authorization_policy_file;
	const char *authorization_webhook_config_file;
	struct flag_list admission_control;
	struct flag_list enable_admission_plugins;
	struct flag_list disable_admission_plugins;
	const char *admission_control_config_file;
	const char *audit_policy_file;
	const char *audit_log_path;
	int64_t audit_log_maxage;
	int64_t audit_log_maxbackup;
	int64_t audit_log_maxsize;
	/* services and nodes */
	const char *service_cluster_ip_range;
	const char *service_node_port_range;
	const char *kubernetes_service_node_port;
	bool allow_privileged;
	bool kubelet_https;
	int64_t kubelet_port;
	uint64_t kubelet_timeout;
	const char *kubelet_client_certificate;
	const char *kubelet_client_key;
	const char *kubelet_certificate_authority;
	struct flag_list kubelet_preferred_address_types;
	const char *cluster_name;
	const char *master_service_namespace;
	const char *cloud_provider;
	const char *cloud_config;
	const char *ssh_user;
	const char *ssh_keyfile;
	/* limits */
	int64_t max_requests_inflight;
	int64_t max_mutating_requests_inflight;
	int64_t min_request_timeout;
	uint64_t request_timeout;
	int64_t http2_max_streams;
	int64_t max_connection_bytes_per_sec;
	double api_rate;
	int64_t api_burst;
	const char *long_running_request_regexp;
	uint64_t shutdown_delay_duration;
	/* the API itself */
	const char *api_prefix;
	struct flag_list runtime_config;
	struct flag_list feature_gates;
	bool profiling;
	bool enable_garbage_collector;
	const char *egress_selector_config_file;
};

extern const struct flag apiserver_flags[];
extern const size_t apiserver_flag_count;
/* The keys of the unit's files, for struct personality. */
extern const char *const apiserver_env_keys[];
#define APISERVER_ENV_FILE "apiserver"

#endif
