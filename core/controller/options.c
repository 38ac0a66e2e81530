/* SPDX-License-Identifier: Apache-2.0 */
/* The table of flags that are options of controllers. */
#include "controller/options.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/text.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS_MAX = 64 }; /* of a queue; the flags allow more */

static const struct {
	const char *controller;
	const char *option;
	const char *flag;
} feeds[] = {
	{"node", "monitor-period", "node-monitor-period"},
	{"node", "monitor-grace-period", "node-monitor-grace-period"},
	{"node", "startup-grace-period", "node-startup-grace-period"},
	{"node", "eviction-timeout", "pod-eviction-timeout"},
	{"node", "eviction-rate", "deleting-pods-qps"},
	{"node", "eviction-burst", "deleting-pods-burst"},
	{"node", "allocate-node-cidrs", "allocate-node-cidrs"},
	{"node", "cluster-cidr", "cluster-cidr"},
	{"node", "service-cluster-ip-range", "service-cluster-ip-range"},
	{"node", "node-cidr-mask-size", "node-cidr-mask-size"},
	{"persistentvolume", "resync", "pvclaimbinder-sync-period"},
	{"persistentvolume", "recycler-timeout-hostpath", "pv-recycler-minimum-timeout-hostpath"},
	{"persistentvolume", "recycler-increment-hostpath",
	 "pv-recycler-timeout-increment-hostpath"},
	{"persistentvolume", "recycler-timeout-nfs", "pv-recycler-minimum-timeout-nfs"},
	{"persistentvolume", "recycler-increment-nfs", "pv-recycler-increment-timeout-nfs"},
	{"podgc", "threshold", "terminated-pod-gc-threshold"},
	{"resourcequota", "resync", "resource-quota-sync-period"},
	{"replication", "workers", "concurrent-rc-syncs"},
	{"namespace", "workers", "concurrent-namespace-syncs"},
	{"namespace", "resync", "namespace-sync-period"},
	{"endpoints", "workers", "concurrent-endpoint-syncs"},
	{"endpointslice", "workers", "concurrent-endpoint-syncs"},
	{"garbagecollector", "workers", "concurrent-gc-syncs"},
	{"ephemeralvolume", "workers", "concurrent-ephemeralvolume-syncs"},
	{"cloudnode", "period", "node-sync-period"},
	{"service", "workers", "concurrent-service-syncs"},
	{"service", "resync", "service-sync-period"},
	{"service", "cluster-name", "cluster-name"},
	{"serviceaccount", "root-ca-file", "root-ca-file"},
	{"serviceaccount", "private-key-file", "service-account-private-key-file"},
};

static const struct flag *find_flag(const char *name)
{
	for (size_t i = 0; i < controller_manager_flag_count; i++) {
		if (!strcmp(controller_manager_flags[i].name, name))
			return &controller_manager_flags[i];
	}
	return NULL;
}

static void write_value(const struct flag *flag, const struct controller_manager_config *config,
			const char *option, struct cox_buf *out)
{
	const char *at = (const char *)config + flag->offset;
	char duration[32];
	int64_t number;

	switch (flag->type) {
	case FLAG_BOOL:
		cox_buf_str(out, *(const bool *)at ? "true" : "false");
		break;
	case FLAG_INT:
		number = *(const int64_t *)(const void *)at;
		if (!strcmp(option, "workers") && number > WORKERS_MAX)
			number = WORKERS_MAX;
		cox_buf_printf(out, "%" PRId64, number);
		break;
	case FLAG_FLOAT:
		cox_buf_printf(out, "%g", *(const double *)(const void *)at);
		break;
	case FLAG_DURATION:
		cox_format_duration(*(const uint64_t *)(const void *)at, duration);
		cox_buf_str(out, duration);
		break;
	case FLAG_STRING:
		if (*(const char *const *)(const void *)at)
			cox_buf_str(out, *(const char *const *)(const void *)at);
		break;
	default: /* lists and maps are options of no controller */
		break;
	}
}

int controller_options_set(struct host_plugin *plugin,
			   const struct controller_manager_config *config, struct cox_error *err)
{
	for (size_t i = 0; i < sizeof(feeds) / sizeof(feeds[0]); i++) {
		const struct flag *flag = find_flag(feeds[i].flag);
		cox_autobuf value = COX_BUF_INIT;
		cox_autobuf origin = COX_BUF_INIT;

		if (!flag || strcmp(feeds[i].controller, host_name(plugin)) != 0)
			continue;
		write_value(flag, config, feeds[i].option, &value);
		cox_buf_printf(&origin, "--%s", flag->name);
		if (strcmp(cox_buf_cstr(&value), flag->fallback ? flag->fallback : "") != 0 &&
		    host_set_option(plugin, feeds[i].option, cox_buf_cstr(&value), origin.data,
				    err))
			return -1;
	}
	return 0;
}
