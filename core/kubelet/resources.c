/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts of resources; see the header. */
#include "kubelet/resources.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

int64_t resources_cpus(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	return count > 0 ? count : 1;
}

/* A number from a file of one line; -1: there is none. */
static int64_t read_number(const char *path)
{
	cox_autofclose FILE *file = fopen(path, "re");
	char line[64];
	int64_t number;

	if (!file || !fgets(line, sizeof(line), file))
		return -1;
	line[strcspn(line, "\n")] = '\0';
	return cox_parse_int(line, 0, INT64_MAX, &number) ? -1 : number;
}

int64_t resources_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	int64_t all = (int64_t)pages * size;
	/* In a container the machine is as large as the container may grow. */
	int64_t limit = read_number("/sys/fs/cgroup/memory.max");

	if (limit < 0)
		limit = read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes");
	return limit > 0 && limit < all ? limit : all;
}

struct cox_quantity resources_capacity(const struct kubelet_config *config, const char *name)
{
	struct statvfs disk;

	if (!strcmp(name, "cpu"))
		return cox_quantity_from_int(resources_cpus(), COX_QUANTITY_DECIMAL_SI);
	if (!strcmp(name, "memory"))
		return cox_quantity_from_int(resources_memory() / 1024 * 1024,
					     COX_QUANTITY_BINARY_SI);
	if (!strcmp(name, "pods"))
		return cox_quantity_from_int(config->max_pods, COX_QUANTITY_DECIMAL_SI);
	if (!strcmp(name, "ephemeral-storage") && statvfs(config->root_dir, &disk) == 0)
		return cox_quantity_from_int((int64_t)(disk.f_blocks * disk.f_frsize) / 1024 * 1024,
					     COX_QUANTITY_BINARY_SI);
	return cox_quantity_from_int(0, COX_QUANTITY_DECIMAL_SI);
}

/* Takes off what a list of NAME=AMOUNT keeps of `name`. */
static void take_off(struct cox_quantity *amount, const struct flag_list *list, const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; i < list->count; i++) {
		const char *item = list->items[i];
		struct cox_quantity kept;

		if (strncmp(item, name, size) || item[size] != '=')
			continue;
		if (!quantity_parse(item + size + 1, strlen(item + size + 1), &kept, NULL) &&
		    cox_quantity_compare(&kept, amount) <= 0 && cox_quantity_sub(amount, &kept))
			continue; /* does not fit: left as it is */
	}
}

static void take_off_eviction(struct cox_quantity *amount, const struct flag_list *list,
			      const char *name)
{
	static const char signal[] = "memory.available<";

	for (size_t i = 0; !strcmp(name, "memory") && i < list->count; i++) {
		const char *item = list->items[i];
		struct cox_quantity kept;

		if (cox_starts_with(item, signal) &&
		    !quantity_parse(item + strlen(signal), strlen(item + strlen(signal)), &kept,
				    NULL) &&
		    cox_quantity_compare(&kept, amount) <= 0 && cox_quantity_sub(amount, &kept))
			continue;
	}
}

struct cox_quantity resources_allocatable(const struct kubelet_config *config, const char *name)
{
	struct cox_quantity amount = resources_capacity(config, name);

	take_off(&amount, &config->system_reserved, name);
	take_off(&amount, &config->kube_reserved, name);
	take_off_eviction(&amount, &config->eviction_hard, name);
	return amount;
}

static int64_t amount_of(const struct value *container, const char *list, const char *name,
			 bool milli)
{
	struct cox_quantity amount;
	const struct value *given =
		value_get(value_get(value_get(container, "resources"), list), name);

	if (quantity_from_value(given, &amount, NULL))
		return 0;
	return milli ? cox_quantity_milli(&amount) : cox_quantity_units(&amount);
}

static int64_t request_of(const struct value *container, const char *name, bool milli)
{
	int64_t request = amount_of(container, "requests", name, milli);

	return request ? request : amount_of(container, "limits", name, milli);
}

static bool is_sidecar(const struct value *container)
{
	return !strcmp(value_get_text(container, "restartPolicy"), "Always");
}

static int64_t pod_request(const struct value *pod, const char *name, bool milli)
{
	const struct value *spec = value_get(pod, "spec"), *item;
	const struct value *overhead = value_get(value_get(spec, "overhead"), name);
	int64_t sum = 0, sidecars = 0, most = 0;
	struct cox_quantity extra;

	for (size_t i = 0; (item = value_at(value_get(spec, "containers"), i)); i++)
		sum += request_of(item, name, milli);
	for (size_t i = 0; (item = value_at(value_get(spec, "initContainers"), i)); i++) {
		int64_t wanted = sidecars + request_of(item, name, milli);

		most = wanted > most ? wanted : most;
		if (is_sidecar(item))
			sidecars = wanted;
	}
	sum += sidecars;
	sum = most > sum ? most : sum;
	if (!quantity_from_value(overhead, &extra, NULL))
		sum += milli ? cox_quantity_milli(&extra) : cox_quantity_units(&extra);
	return sum;
}

void resources_pod(const struct value *pod, int64_t *cpu_milli, int64_t *memory)
{
	*cpu_milli = pod_request(pod, "cpu", true);
	*memory = pod_request(pod, "memory", false);
}

const char *resources_qos(const struct value *pod)
{
	static const char *const names[] = {"cpu", "memory"};
	static const char *const lists[] = {"containers", "initContainers"};
	const char *said = value_text(value_path(pod, "status.qosClass"));
	bool any = false, guaranteed = true;

	if (*said)
		return said;
	for (size_t l = 0; l < 2; l++) {
		const struct value *list = value_get(value_get(pod, "spec"), lists[l]), *item;

		for (size_t i = 0; (item = value_at(list, i)); i++)
			for (size_t n = 0; n < 2; n++) {
				int64_t limit = amount_of(item, "limits", names[n], true);
				int64_t request = request_of(item, names[n], true);

				any |= limit || request;
				guaranteed &= limit && limit == request;
			}
	}
	return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

static int64_t oom_score(const struct value *container, const char *qos)
{
	int64_t memory = resources_memory();
	int64_t score = 1000 - 1000 * (request_of(container, "memory", false) >> 10) /
				       ((memory >> 10) ? memory >> 10 : 1);

	if (!strcmp(qos, "Guaranteed"))
		return -997;
	if (!strcmp(qos, "BestEffort"))
		return 1000;
	/* Never before the daemons, always before those that asked for nothing. */
	return score < 3 ? 3 : score > 999 ? 999 : score;
}

void resources_container(const struct value *container, const char *qos, bool quota,
			 struct cox_resources *out)
{
	int64_t cpu = request_of(container, "cpu", true);
	int64_t limit = amount_of(container, "limits", "cpu", true);

	*out = (struct cox_resources){
		.struct_size = sizeof(*out), .cpuset_cpus = "", .cpuset_mems = ""};
	out->cpu_shares = cpu ? cpu * 1024 / 1000 : 2;
	if (out->cpu_shares < 2)
		out->cpu_shares = 2;
	if (out->cpu_shares > 262144)
		out->cpu_shares = 262144;
	if (limit && quota) {
		out->cpu_period = 100000;
		out->cpu_quota = limit * 100 > 1000 ? limit * 100 : 1000;
	}
	out->memory_limit = amount_of(container, "limits", "memory", false);
	out->memory_swap_limit = out->memory_limit;
	out->oom_score_adj = oom_score(container, qos);
}
