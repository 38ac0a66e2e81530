/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pod asks of the machine itself: sysctls and namespaces of the host.
 * The flags of this node say who may have what.
 */
#include "kubelet/pod_worker.h"

#include "kubelet/names.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <string.h>

/* They reach nothing but their own namespace. */
static const char *const safe[] = {
	"kernel.shm_rmid_forced",	    "net.ipv4.ip_local_port_range",
	"net.ipv4.ip_local_reserved_ports", "net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ping_group_range",	    "net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl",	    "net.ipv4.tcp_keepalive_probes",
	"net.ipv4.tcp_keepalive_time",	    "net.ipv4.tcp_rmem",
	"net.ipv4.tcp_syncookies",	    "net.ipv4.tcp_wmem",
};

/* The beginnings of names that belong to a namespace at all. */
static const char *const of_ipc[] = {"kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."};

/* "a.b", or "a.*" for everything that begins so. */
static bool fits(const char *pattern, const char *name)
{
	size_t size = strlen(pattern);

	if (size && pattern[size - 1] == '*')
		return strncmp(pattern, name, size - 1) == 0;
	return strcmp(pattern, name) == 0;
}

static bool is_allowed(const struct kubelet_config *config, const char *name)
{
	for (size_t i = 0; i < sizeof(safe) / sizeof(safe[0]); i++)
		if (!strcmp(safe[i], name))
			return true;
	for (size_t i = 0; i < config->allowed_unsafe_sysctls.count; i++)
		if (fits(config->allowed_unsafe_sysctls.items[i], name))
			return true;
	return false;
}

/* Why this one may not be set; NULL: it may. "/" and "." separate alike. */
static const char *check_sysctl(struct kubelet *kubelet, const struct value *spec,
				const char *given)
{
	cox_autofree char *name = cox_strdup(given);
	bool net, ipc = false;

	for (char *at = name; *at; at++)
		*at = *at == '/' ? '.' : *at;
	net = cox_starts_with(name, "net.");
	for (size_t i = 0; i < sizeof(of_ipc) / sizeof(of_ipc[0]); i++)
		ipc |= cox_starts_with(name, of_ipc[i]);
	if (!is_allowed(kubelet->config, name))
		return "not allowlisted";
	if (net && value_get_bool(spec, "hostNetwork"))
		return "not allowed with host net enabled";
	if (ipc && value_get_bool(spec, "hostIPC"))
		return "not allowed with host ipc enabled";
	return net || ipc ? NULL : "not namespaced";
}

static bool comes_from(const struct flag_list *sources, const char *source)
{
	for (size_t i = 0; i < sources->count; i++)
		if (!strcmp(sources->items[i], "*") || !strcmp(sources->items[i], source))
			return true;
	return false;
}

char *pod_asks_too_much(struct kubelet *kubelet, const struct cox_object *object,
			const char **reason)
{
	const struct kubelet_config *config = kubelet->config;
	const struct value *root = object_root(object), *spec = value_get(root, "spec"), *item;
	const struct value *sysctls = value_path(spec, "securityContext.sysctls");
	const char *source =
		value_text(value_get(value_path(root, "metadata.annotations"), ANNOTATION_SOURCE));
	const struct {
		const char *field, *what, *reason;
		const struct flag_list *sources;
	} namespaces[] = {
		{"hostNetwork", "host networking", "HostNetworkForbidden",
		 &config->host_network_sources},
		{"hostPID", "host PID", "HostPIDForbidden", &config->host_pid_sources},
		{"hostIPC", "host IPC", "HostIPCForbidden", &config->host_ipc_sources},
	};
	cox_autobuf why = COX_BUF_INIT;

	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
		if (!value_get_bool(spec, namespaces[i].field) ||
		    comes_from(namespaces[i].sources, *source ? source : "api"))
			continue;
		*reason = namespaces[i].reason;
		cox_buf_printf(&why, "pod specified %s, but is disallowed", namespaces[i].what);
		return cox_buf_steal(&why);
	}
	for (size_t i = 0; (item = value_at(sysctls, i)); i++) {
		const char *name = value_get_text(item, "name");
		const char *problem = check_sysctl(kubelet, spec, name);

		if (!problem)
			continue;
		*reason = "SysctlForbidden";
		cox_buf_printf(&why, "forbidden sysctl: \"%s\" %s", name, problem);
		return cox_buf_steal(&why);
	}
	return NULL;
}
