/* SPDX-License-Identifier: Apache-2.0 */
/* What a Node object says of this machine. */
#include "kubelet/node.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "kubelet/images.h"
#include "kubelet/resources.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

enum { IMAGES_TOLD = 50, NAMES_TOLD = 5 };

static const char *architecture(const struct utsname *names)
{
	if (!strcmp(names->machine, "x86_64"))
		return "amd64";
	if (!strcmp(names->machine, "aarch64"))
		return "arm64";
	return names->machine;
}

/* The first line of a file, or what follows `key` there; "" if it is not there. */
static const char *line_of(struct arena *arena, const char *path, const char *key)
{
	cox_autofclose FILE *file = fopen(path, "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		size_t size = strlen(key);

		if (strncmp(line, key, size) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (line[size] == '"') {
			line[strlen(line) - 1] = '\0';
			size++;
		}
		return arena_strdup(arena, line + size);
	}
	return "";
}

static void add_labels(struct kubelet *kubelet, struct arena *arena, struct value *metadata)
{
	const struct flag_list *more = &kubelet->config->node_labels;
	struct value *labels = value_make_object(arena, metadata, "labels");
	struct utsname names;

	uname(&names);
	value_set_text(arena, labels, "beta.kubernetes.io/arch", architecture(&names));
	value_set_text(arena, labels, "beta.kubernetes.io/os", "linux");
	value_set_text(arena, labels, "kubernetes.io/arch", architecture(&names));
	value_set_text(arena, labels, "kubernetes.io/hostname", kubelet->parts.node_name);
	value_set_text(arena, labels, "kubernetes.io/os", "linux");
	for (size_t i = 0; i < more->count; i++) {
		const char *item = more->items[i], *equal = strchr(item, '=');

		if (equal)
			value_set_n(arena, labels, item, (size_t)(equal - item),
				    value_string(arena, equal + 1));
	}
}

/* Until a controller has asked the cloud about the machine. */
static void add_cloud_taint(struct kubelet *kubelet, struct arena *arena, struct value *spec)
{
	const char *cloud = kubelet->config->cloud_provider;
	struct value *taint = value_object(arena);

	if (!cloud || strcmp(cloud, "external") != 0)
		return;
	value_set_text(arena, taint, "key", "node.cloudprovider.kubernetes.io/uninitialized");
	value_set_text(arena, taint, "value", "true");
	value_set_text(arena, taint, "effect", "NoSchedule");
	value_push(arena, value_make_array(arena, spec, "taints"), taint);
}

/* KEY=VALUE:EFFECT, or KEY:EFFECT. */
static void add_taints(struct kubelet *kubelet, struct arena *arena, struct value *spec)
{
	const struct flag_list *list = &kubelet->config->register_with_taints;

	for (size_t i = 0; i < list->count; i++) {
		const char *item = list->items[i], *effect = strrchr(item, ':');
		size_t key = strcspn(item, "=:");
		struct value *taint = value_object(arena);

		if (!effect)
			continue;
		value_set(arena, taint, "key", value_string_n(arena, item, key));
		if (item[key] == '=')
			value_set(arena, taint, "value",
				  value_string_n(arena, item + key + 1,
						 (size_t)(effect - item) - key - 1));
		value_set_text(arena, taint, "effect", effect + 1);
		value_push(arena, value_make_array(arena, spec, "taints"), taint);
	}
}

static void add_amounts(struct kubelet *kubelet, struct arena *arena, struct value *status)
{
	static const char *const names[] = {"cpu", "ephemeral-storage", "memory", "pods"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct cox_quantity all = resources_capacity(kubelet->config, names[i]);
		struct cox_quantity free = resources_allocatable(kubelet->config, names[i]);

		value_set(arena, value_make_object(arena, status, "capacity"), names[i],
			  quantity_to_value(arena, &all));
		value_set(arena, value_make_object(arena, status, "allocatable"), names[i],
			  quantity_to_value(arena, &free));
	}
}

static void add_address(struct arena *arena, struct value *list, const char *type,
			const char *address)
{
	struct value *one = value_object(arena);

	if (!address)
		return;
	value_set_text(arena, one, "type", type);
	value_set_text(arena, one, "address", address);
	value_push(arena, list, one);
}

/* What a cloud says of the machine is not ours to take away. */
static void keep_addresses(struct arena *arena, const struct value *old, struct value *list)
{
	const struct value *have = value_path(old, "status.addresses");
	const struct value *one;

	for (size_t i = 0; (one = value_at(have, i)); i++) {
		const char *type = value_get_text(one, "type");

		if (strcmp(type, "InternalIP") != 0 && strcmp(type, "Hostname") != 0)
			value_push(arena, list, value_copy(arena, one));
	}
}

static void add_info(struct kubelet *kubelet, struct arena *arena, struct value *status)
{
	struct value *info = value_make_object(arena, status, "nodeInfo");
	struct cox_runtime_version version = {.struct_size = sizeof(version)};
	struct utsname names;

	uname(&names);
	if (runtime_call(kubelet, 10 * CLOCK_SECOND, version, &version, NULL))
		version.runtime_version[0] = '\0';
	value_set_text(arena, info, "machineID", line_of(arena, "/etc/machine-id", ""));
	value_set_text(arena, info, "systemUUID",
		       line_of(arena, "/sys/class/dmi/id/product_uuid", ""));
	value_set_text(arena, info, "bootID",
		       line_of(arena, "/proc/sys/kernel/random/boot_id", ""));
	value_set_text(arena, info, "kernelVersion", names.release);
	value_set_text(arena, info, "osImage", line_of(arena, "/etc/os-release", "PRETTY_NAME="));
	value_set(arena, info, "containerRuntimeVersion",
		  value_printf(arena, "%s://%s", kubelet->runtime_name, version.runtime_version));
	value_set_text(arena, info, "kubeletVersion", COX_KUBERNETES_VERSION);
	value_set_text(arena, info, "kubeProxyVersion", "");
	value_set_text(arena, info, "operatingSystem", "linux");
	value_set_text(arena, info, "architecture", architecture(&names));
}

/* ---- images ---- */

static int larger(const void *a, const void *b)
{
	const struct image_entry *one = a, *two = b;

	return one->size > two->size ? -1 : one->size < two->size;
}

/* The largest ones: the scheduler reckons with what need not be pulled. */
static void add_images(struct kubelet *kubelet, struct arena *arena, struct value *status)
{
	struct value *list = value_make_array(arena, status, "images");
	struct image_list images = {0};
	cox_autoerror err = COX_ERROR_INIT;

	if (images_list(kubelet, arena, &images, &err))
		log_warning("list the runtime's images: %s", error_text(&err));
	if (images.count)
		qsort(images.items, images.count, sizeof(*images.items), larger);
	for (size_t i = 0; i < images.count && list->count < IMAGES_TOLD; i++) {
		struct value *one = value_object(arena);
		struct value *names = value_make_array(arena, one, "names");

		for (size_t j = 0; j < images.items[i].names.count && j < NAMES_TOLD; j++)
			value_push(arena, names,
				   value_string(arena, images.items[i].names.items[j]));
		value_set_int(arena, one, "sizeBytes", (int64_t)images.items[i].size);
		if (names->count)
			value_push(arena, list, one);
	}
	images_list_free(&images);
}

/* ---- conditions ---- */

struct conditions {
	struct arena *arena;
	const struct value *old;
	struct value *list;
};

static void add_condition(struct conditions *all, const char *type, bool holds, const char *reason,
			  const char *message)
{
	const struct value *before;
	struct value *one = value_object(all->arena);
	const char *status = holds ? "True" : "False";
	char now[CLOCK_RFC3339_SIZE];
	size_t at = 0;

	clock_format(clock_realtime(), now);
	while ((before = value_at(all->old, at)) &&
	       strcmp(value_get_text(before, "type"), type) != 0)
		at++;
	value_set_text(all->arena, one, "type", type);
	value_set_text(all->arena, one, "status", status);
	value_set_text(all->arena, one, "lastHeartbeatTime", now);
	value_set_text(all->arena, one, "lastTransitionTime",
		       before && !strcmp(value_get_text(before, "status"), status)
			       ? value_get_text(before, "lastTransitionTime")
			       : now);
	value_set_text(all->arena, one, "reason", reason);
	value_set_text(all->arena, one, "message", message);
	value_push(all->arena, all->list, one);
}

static void keep_others(struct conditions *all)
{
	const struct value *one;

	for (size_t i = 0; (one = value_at(all->old, i)); i++) {
		const char *type = value_get_text(one, "type");

		if (strcmp(type, "MemoryPressure") && strcmp(type, "DiskPressure") &&
		    strcmp(type, "PIDPressure") && strcmp(type, "Ready"))
			value_push(all->arena, all->list, value_copy(all->arena, one));
	}
}

struct condition_taker {
	struct cox_condition_sink sink;
	struct cox_buf *why; /* what keeps the node from being ready */
};

static int take_condition(const struct cox_condition_sink *sink,
			  const struct cox_runtime_condition *condition)
{
	struct cox_buf *why = ((const struct condition_taker *)(const void *)sink)->why;

	if (!condition->status && !strcmp(condition->type, "RuntimeReady"))
		cox_buf_printf(why, "%scontainer runtime is down: %s", why->size ? ", " : "",
			       condition->message);
	return 0;
}

static void find_trouble(struct kubelet *kubelet, struct cox_buf *why)
{
	const struct condition_taker taker = {{sizeof(taker.sink), 0, take_condition}, why};
	cox_autoerror err = COX_ERROR_INIT;

	if (runtime_call(kubelet, 10 * CLOCK_SECOND, status, &taker.sink, &err))
		cox_buf_printf(why, "container runtime is down: %s", error_text(&err));
	error_clear(&err);
	if (kubelet->network) {
		struct cox_call call = kubelet_call(kubelet, 10 * CLOCK_SECOND);

		host_call_scope(kubelet->parts.network);
		if (kubelet->network->status(host_self(kubelet->parts.network), &call, &err))
			cox_buf_printf(why,
				       "%scontainer runtime network not ready: NetworkReady=false "
				       "reason:NetworkPluginNotReady message:%s",
				       why->size ? ", " : "", error_text(&err));
	}
}

static int64_t available_memory(struct arena *arena)
{
	const char *text = line_of(arena, "/proc/meminfo", "MemAvailable:");
	int64_t kilobytes = 0;

	while (*text == ' ')
		text++;
	text = arena_strndup(arena, text, strcspn(text, " "));
	return cox_parse_int(text, 0, INT64_MAX / 1024, &kilobytes) ? INT64_MAX : kilobytes * 1024;
}

/* Whether less is left than a limit "SIGNAL<AMOUNT" or "SIGNAL<PERCENT%" wants. */
static bool is_short(const struct flag_list *limits, const char *signal, uint64_t left,
		     uint64_t all)
{
	size_t size = strlen(signal);

	for (size_t i = 0; i < limits->count; i++) {
		const char *item = limits->items[i], *wanted = item + size + 1;
		struct cox_quantity amount;
		char *end;

		if (strncmp(item, signal, size) != 0 || item[size] != '<')
			continue;
		if (*wanted && wanted[strlen(wanted) - 1] == '%') {
			double percent = strtod(wanted, &end);

			if (!strcmp(end, "%") && (double)left < (double)all * percent / 100)
				return true;
		} else if (!quantity_parse(wanted, strlen(wanted), &amount, NULL) &&
			   cox_quantity_units(&amount) > 0 &&
			   left < (uint64_t)cox_quantity_units(&amount)) {
			return true;
		}
	}
	return false;
}

static bool disk_is_short(const struct kubelet_config *config)
{
	const struct flag_list *limits = &config->eviction_hard;
	struct statvfs disk;

	return statvfs(config->root_dir, &disk) == 0 &&
	       (is_short(limits, "nodefs.available", disk.f_bavail * disk.f_frsize,
			 disk.f_blocks * disk.f_frsize) ||
		(disk.f_files &&
		 is_short(limits, "nodefs.inodesFree", disk.f_favail, disk.f_files)) ||
		disk.f_bavail * disk.f_frsize >> 20 < (uint64_t)config->low_diskspace_threshold_mb);
}

static bool processes_are_short(struct arena *arena)
{
	const char *load = line_of(arena, "/proc/loadavg", "");
	const char *slash = strchr(load, '/');
	int64_t most, now;

	if (!slash ||
	    cox_parse_int(line_of(arena, "/proc/sys/kernel/pid_max", ""), 1, INT32_MAX, &most) ||
	    cox_parse_int(arena_strndup(arena, slash + 1, strcspn(slash + 1, " ")), 0, INT32_MAX,
			  &now))
		return false;
	return now > most - most / 20;
}

static void add_conditions(struct kubelet *kubelet, struct arena *arena, const struct value *old,
			   struct value *status)
{
	struct conditions all = {arena, value_path(old, "status.conditions"), value_array(arena)};
	bool memory = is_short(&kubelet->config->eviction_hard, "memory.available",
			       (uint64_t)available_memory(arena), (uint64_t)resources_memory());
	bool disk = disk_is_short(kubelet->config), processes = processes_are_short(arena);
	cox_autobuf why = COX_BUF_INIT;

	pthread_mutex_lock(&kubelet->lock);
	kubelet->memory_short = memory;
	kubelet->disk_short = disk;
	pthread_mutex_unlock(&kubelet->lock);
	find_trouble(kubelet, &why);
	keep_others(&all);
	add_condition(&all, "MemoryPressure", memory,
		      memory ? "KubeletHasInsufficientMemory" : "KubeletHasSufficientMemory",
		      memory ? "kubelet has insufficient memory available"
			     : "kubelet has sufficient memory available");
	add_condition(&all, "DiskPressure", disk,
		      disk ? "KubeletHasDiskPressure" : "KubeletHasNoDiskPressure",
		      disk ? "kubelet has disk pressure" : "kubelet has no disk pressure");
	add_condition(&all, "PIDPressure", processes,
		      processes ? "KubeletHasInsufficientPID" : "KubeletHasSufficientPID",
		      processes ? "kubelet has insufficient PID available"
				: "kubelet has sufficient PID available");
	add_condition(&all, "Ready", !why.size, why.size ? "KubeletNotReady" : "KubeletReady",
		      why.size ? why.data : "kubelet is posting ready status");
	value_set(arena, status, "conditions", all.list);
}

struct value *node_describe(struct kubelet *kubelet, const struct value *old, struct arena *arena)
{
	struct value *node = value_object(arena), *status, *spec, *addresses;

	value_set_text(arena, node, "kind", "Node");
	value_set_text(arena, node, "apiVersion", "v1");
	value_set_text(arena, value_make_object(arena, node, "metadata"), "name",
		       kubelet->parts.node_name);
	add_labels(kubelet, arena, value_make_object(arena, node, "metadata"));
	spec = value_make_object(arena, node, "spec");
	if (kubelet->config->provider_id && *kubelet->config->provider_id)
		value_set_text(arena, spec, "providerID", kubelet->config->provider_id);
	add_taints(kubelet, arena, spec);
	add_cloud_taint(kubelet, arena, spec);
	status = value_make_object(arena, node, "status");
	addresses = value_make_array(arena, status, "addresses");
	add_address(arena, addresses, "InternalIP", kubelet->node_ip);
	add_address(arena, addresses, "Hostname", kubelet->parts.node_name);
	keep_addresses(arena, old, addresses);
	add_amounts(kubelet, arena, status);
	add_conditions(kubelet, arena, old, status);
	value_set_int(arena,
		      value_make_object(arena, value_make_object(arena, status, "daemonEndpoints"),
					"kubeletEndpoint"),
		      "Port", kubelet->parts.port);
	add_images(kubelet, arena, status);
	add_info(kubelet, arena, status);
	return node;
}
