/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox of a pod; see the header. */
#include "kubelet/sandbox.h"

#include "base/clock.h"
#include "base/log.h"
#include "kubelet/fields.h"
#include "kubelet/housekeeping.h"
#include "kubelet/names.h"
#include "kubelet/security.h"
#include "kubelet/volumes.h"

#include <coxswain/kit/alloc.h>
#include <string.h>

enum { PORTS_MAX = 1000 };

struct address_taker {
	struct cox_network_sink sink;
	char **ips;
};

static void take_address(const struct cox_network_sink *sink,
			 const struct cox_network_address *address)
{
	char **ips = ((const struct address_taker *)(const void *)sink)->ips;
	char **slot = ips[0] ? &ips[1] : &ips[0];

	if (!*slot)
		*slot = cox_strdup(address->address);
}

static void forget_addresses(struct pod *pod)
{
	free(pod->ips[0]);
	free(pod->ips[1]);
	pod->ips[0] = pod->ips[1] = NULL;
}

static bool has_own_network(struct kubelet *kubelet, const struct cox_object *object)
{
	return kubelet->network &&
	       !value_get_bool(object_path(object_root(object), "spec"), "hostNetwork");
}

/* hostPorts of all containers. */
static size_t port_mappings(const struct cox_object *object, struct arena *arena,
			    const struct cox_port_mapping **mappings)
{
	const struct value *containers = object_path(object_root(object), "spec.containers");
	struct cox_port_mapping *list = arena_calloc(arena, PORTS_MAX * sizeof(*list));
	const struct value *container, *port;
	size_t count = 0;

	for (size_t i = 0; (container = value_at(containers, i)); i++)
		for (size_t j = 0;
		     count < PORTS_MAX && (port = value_at(value_get(container, "ports"), j)); j++)
			if (value_get_int(port, "hostPort", 0))
				list[count++] = (struct cox_port_mapping){
					.protocol = value_get_text(port, "protocol"),
					.host_ip = value_get_text(port, "hostIP"),
					.host_port = (uint16_t)value_get_int(port, "hostPort", 0),
					.container_port =
						(uint16_t)value_get_int(port, "containerPort", 0),
				};
	*mappings = list;
	return count;
}

struct status_taker {
	struct cox_sandbox_sink sink;
	struct arena *arena;
	const char *network_namespace;
};

static int take_status(const struct cox_sandbox_sink *sink, const struct cox_sandbox_status *status)
{
	const struct status_taker *taker = (const struct status_taker *)(const void *)sink;

	((struct status_taker *)(uintptr_t)taker)->network_namespace =
		arena_strdup(taker->arena, status->network_namespace);
	return 1;
}

static int set_up_network(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
			  const char *id, struct arena *arena, struct cox_error *err)
{
	const struct cox_runtime_filter filter = {
		.struct_size = sizeof(filter), .state = -1, .id = id, .sandbox_id = ""};
	struct status_taker taker = {{sizeof(taker.sink), 0, take_status}, arena, NULL};
	const struct address_taker addresses = {{sizeof(addresses.sink), 0, take_address},
						pod->ips};
	struct cox_network_sandbox sandbox = {.struct_size = sizeof(sandbox),
					      .id = id,
					      .pod_name = pod->name,
					      .pod_namespace = pod->namespace,
					      .pod_uid = pod->uid};

	if (runtime_call(kubelet, 60 * CLOCK_SECOND, sandbox_list, &filter, &taker.sink, err))
		return -1;
	if (!taker.network_namespace)
		return error_set(err, COX_REASON_NOT_FOUND, "sandbox %s ended at once", id);
	sandbox.network_namespace = taker.network_namespace;
	sandbox.port_count = port_mappings(object, arena, &sandbox.ports);
	if (network_call(kubelet, 60 * CLOCK_SECOND, set_up, &sandbox, &addresses.sink, err)) {
		host_op_failed(kubelet->parts.network, "set_up", err);
		return error_wrap(err, "failed to setup network for sandbox \"%s\"", id);
	}
	return 0;
}

static struct cox_pairs copy_map(struct arena *arena, const struct value *map,
				 const struct cox_pair *more, size_t more_count)
{
	size_t count = value_is(map, VALUE_OBJECT) ? map->count : 0;
	struct cox_pair *pairs = arena_alloc(arena, (count + more_count + 1) * sizeof(*pairs));

	for (size_t i = 0; i < count; i++)
		pairs[i] = (struct cox_pair){map->object.members[i].key,
					     value_text(map->object.members[i].value)};
	for (size_t i = 0; i < more_count; i++)
		pairs[count + i] = more[i];
	return (struct cox_pairs){pairs, count + more_count};
}

static struct cox_pairs sysctls_of(struct arena *arena, const struct value *list)
{
	size_t count = value_is(list, VALUE_ARRAY) ? list->count : 0;
	struct cox_pair *pairs = arena_alloc(arena, (count + 1) * sizeof(*pairs));

	for (size_t i = 0; i < count; i++)
		pairs[i] = (struct cox_pair){value_get_text(value_at(list, i), "name"),
					     value_get_text(value_at(list, i), "value")};
	return (struct cox_pairs){pairs, count};
}

/* One group for each pod, below the root that the flag names; "": the runtime's choice. */
static const char *cgroup_of(struct kubelet *kubelet, const struct pod *pod, struct arena *arena)
{
	const char *root = kubelet->config->cgroup_root;
	size_t length = root ? strlen(root) : 0;

	while (length && root[length - 1] == '/')
		length--;
	return length ? arena_printf(arena, "%.*s/pod%s", (int)length, root, pod->uid) : "";
}

static int run(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
	       uint32_t attempt, struct arena *arena, char *id, struct cox_error *err)
{
	const struct value *root = object_root(object), *spec = value_get(root, "spec");
	const struct cox_pair labels[] = {
		{LABEL_POD, pod->name}, {LABEL_NAMESPACE, pod->namespace}, {LABEL_UID, pod->uid}};
	const char *directory = volumes_pod_directory(kubelet, arena, pod->uid, NULL);
	const char *hostname = value_get_text(spec, "hostname");
	struct cox_sandbox_config config = {
		.struct_size = sizeof(config),
		.attempt = attempt,
		.name = pod->name,
		.uid = pod->uid,
		.namespace_name = pod->namespace,
		.hostname = *hostname ? hostname
				      : arena_strndup(arena, pod->name, strnlen(pod->name, 63)),
		.log_directory = arena_printf(arena, "%s/%s_%s_%s", kubelet->config->pod_logs_dir,
					      pod->namespace, pod->name, pod->uid),
		.cgroup_parent = cgroup_of(kubelet, pod, arena),
		.runtime_handler = "",
		.labels = copy_map(arena, value_path(root, "metadata.labels"), labels, 3),
		.annotations = copy_map(arena, value_path(root, "metadata.annotations"), NULL, 0),
		.sysctls = sysctls_of(arena, object_path(spec, "securityContext.sysctls")),
		.security = security_sandbox(kubelet, root, arena),
	};

	if (value_get_bool(spec, "hostNetwork"))
		config.hostname = "";
	dns_configure(kubelet, object, arena, &config);
	if (volumes_make_directory(config.log_directory, 0755, err) ||
	    volumes_make_directory(directory, 0750, err))
		return -1;
	housekeeping_mark(kubelet, config.log_directory);
	housekeeping_mark(kubelet, directory);
	if (runtime_call(kubelet, 240 * CLOCK_SECOND, sandbox_run, &config, id, err))
		return host_op_failed(kubelet->parts.runtime, "sandbox_run", err);
	return 0;
}

int sandbox_make(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		 uint32_t attempt, char id[COX_RUNTIME_ID_SIZE], struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;

	forget_addresses(pod);
	if (run(kubelet, pod, object, attempt, &arena, id, err))
		return -1;
	if (!has_own_network(kubelet, object)) {
		if (*fields_host_ip(kubelet))
			pod->ips[0] = cox_strdup(fields_host_ip(kubelet));
		return 0;
	}
	if (set_up_network(kubelet, pod, object, id, &arena, err) == 0)
		return 0;
	if (runtime_call(kubelet, 60 * CLOCK_SECOND, sandbox_remove, id, NULL))
		log_warning("remove sandbox %s, which has no network", id);
	return -1;
}

void sandbox_read_addresses(struct kubelet *kubelet, struct pod *pod,
			    const struct cox_object *object, const struct view_sandbox *sandbox)
{
	const struct address_taker addresses = {{sizeof(addresses.sink), 0, take_address},
						pod->ips};
	cox_autoerror err = COX_ERROR_INIT;

	if (pod->ips[0])
		return;
	if (!has_own_network(kubelet, object)) {
		if (*fields_host_ip(kubelet))
			pod->ips[0] = cox_strdup(fields_host_ip(kubelet));
	} else if (network_call(kubelet, 10 * CLOCK_SECOND, addresses, sandbox->id, &addresses.sink,
				&err)) {
		log_warning("addresses of pod %s/%s: %s", pod->namespace, pod->name,
			    error_text(&err));
	}
}

int sandbox_stop(struct kubelet *kubelet, struct pod *pod, const struct view_sandbox *sandbox,
		 struct cox_error *err)
{
	const struct cox_network_sandbox gone = {.struct_size = sizeof(gone),
						 .id = sandbox->id,
						 .network_namespace = sandbox->network_namespace,
						 .pod_name = pod->name,
						 .pod_namespace = pod->namespace,
						 .pod_uid = pod->uid};

	/* Tearing down one that was never set up is success. */
	if (kubelet->network && sandbox->network_mode != COX_NAMESPACE_NODE &&
	    network_call(kubelet, 60 * CLOCK_SECOND, tear_down, &gone, err))
		return host_op_failed(kubelet->parts.network, "tear_down", err);
	if (runtime_call(kubelet, 120 * CLOCK_SECOND, sandbox_stop, sandbox->id, err))
		return host_op_failed(kubelet->parts.runtime, "sandbox_stop", err);
	return 0;
}
