/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flags of kube-scheduler, with the defaults of the first release.
 */
#include "scheduler/flags.h"

#define ENTRY(kind, name, member, fallback, help, ...)                                             \
	FLAG_ENTRY(struct scheduler_config, kind, name, member, fallback, help, __VA_ARGS__)
#define PORT .low = 0, .high = 65535
#define NO_EFFECT .traits = FLAG_NO_EFFECT
#define RELOAD .traits = FLAG_RELOAD

/* clang-format off */
const struct flag scheduler_flags[] = {
	/* where to listen */
	ENTRY(STRING, "address", address, "127.0.0.1", "Address of the health and metrics port"),
	ENTRY(INT, "port", port, "10251", "Health and metrics port without TLS; 0: none", PORT),
	ENTRY(STRING, "bind-address", bind_address, "0.0.0.0", "Address of the secure port",
	      NO_EFFECT),
	ENTRY(INT, "secure-port", secure_port, "10259",
	      "Health and metrics port with TLS; 0: none", PORT, NO_EFFECT),
	ENTRY(STRING, "client-ca-file", client_ca_file, NULL,
	      "File with the CA of client certificates", NO_EFFECT),
	ENTRY(STRING, "tls-cert-file", tls_cert_file, NULL, "File with the server certificate",
	      NO_EFFECT),
	ENTRY(STRING, "tls-private-key-file", tls_private_key_file, NULL, "File with its key",
	      NO_EFFECT),
	/* the apiserver */
	ENTRY(STRING, "master", master, NULL, "URL of the apiserver; overrides the kubeconfig"),
	ENTRY(STRING, "kubeconfig", kubeconfig, NULL, "File that says how to reach the apiserver"),
	ENTRY(FLOAT, "kube-api-qps", kube_api_qps, "50", "Requests a second to the apiserver",
	      NO_EFFECT),
	ENTRY(INT, "kube-api-burst", kube_api_burst, "100", "Requests above the rate", NO_EFFECT),
	ENTRY(BOOL, "leader-elect", leader_elect, "true", "Work only while holding the lease"),
	ENTRY(DURATION, "leader-elect-lease-duration", leader_elect_lease_duration, "15s",
	      "How long a lease is respected"),
	ENTRY(DURATION, "leader-elect-renew-deadline", leader_elect_renew_deadline, "10s",
	      "How long the holder tries to renew"),
	ENTRY(DURATION, "leader-elect-retry-period", leader_elect_retry_period, "2s",
	      "Time between tries"),
	/* how to place pods */
	ENTRY(STRING, "algorithm-provider", algorithm_provider, "DefaultProvider",
	      "Named set of filters and scores", RELOAD),
	ENTRY(STRING, "policy-config-file", policy_config_file, NULL,
	      "File with a Policy; used instead of the provider if it exists", RELOAD),
	ENTRY(STRING, "scheduler-name", scheduler_name, "default-scheduler",
	      "schedulerName of the pods to place"),
	ENTRY(LIST, "scheduler-plugins", scheduler_plugins, "default",
	      "Scheduler plugins, whose filters and scores a provider or policy chooses", RELOAD),
	ENTRY(FLOAT, "bind-pods-qps", bind_pods_qps, "0",
	      "Bindings a second; 0: as many as can be made"),
	ENTRY(INT, "bind-pods-burst", bind_pods_burst, "100", "Bindings above the rate"),
	ENTRY(MAP, "feature-gates", feature_gates, NULL, "Features to turn on or off", NO_EFFECT),
	ENTRY(BOOL, "profiling", profiling, "true", "Offer /debug/pprof/", NO_EFFECT),
};
/* clang-format on */

const size_t scheduler_flag_count = FLAG_COUNT(scheduler_flags);

const char *const scheduler_env_keys[] = {
	"KUBE_LOGTOSTDERR", "KUBE_LOG_LEVEL", "KUBE_MASTER", "KUBE_SCHEDULER_ARGS", NULL,
};
