/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cloud plugin and its settings; see the header. Each operation that the
 * plugin has is lent as a function of the host that keeps the thread model and
 * names the plugin in a crash report.
 */
#include "controller/cloud.h"

#include "config/envfile.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- operations ---- */

#define CALL_CLOUD(op, self, ...)                                                                  \
	do {                                                                                       \
		struct host_plugin *plugin_ = ((struct cloud *)(self))->plugin;                    \
		const struct cox_cloud_ops *ops_ = host_ops(plugin_);                              \
		host_call_scope(plugin_);                                                          \
		if (!ops_->op(host_self(plugin_), __VA_ARGS__))                                    \
			return 0;                                                                  \
		return host_op_failed(plugin_, #op, err);                                          \
	} while (0)

static int balancer_get(void *self, const struct cox_call *call,
			const struct cox_cloud_balancer *balancer,
			const struct cox_cloud_ingress_sink *sink, struct cox_error *err)
{
	CALL_CLOUD(balancer_get, self, call, balancer, sink, err);
}

static int balancer_ensure(void *self, const struct cox_call *call,
			   const struct cox_cloud_balancer *balancer,
			   const struct cox_cloud_ingress_sink *sink, struct cox_error *err)
{
	CALL_CLOUD(balancer_ensure, self, call, balancer, sink, err);
}

static int balancer_update(void *self, const struct cox_call *call,
			   const struct cox_cloud_balancer *balancer, struct cox_error *err)
{
	CALL_CLOUD(balancer_update, self, call, balancer, err);
}

static int balancer_remove(void *self, const struct cox_call *call,
			   const struct cox_cloud_balancer *balancer, struct cox_error *err)
{
	CALL_CLOUD(balancer_remove, self, call, balancer, err);
}

static int balancer_restore(void *self, const struct cox_call *call,
			    const struct cox_cloud_balancer *balancers, size_t count,
			    struct cox_error *err)
{
	CALL_CLOUD(balancer_restore, self, call, balancers, count, err);
}

static int instance(void *self, const struct cox_call *call, const struct cox_cloud_node *node,
		    const struct cox_cloud_instance_sink *sink, struct cox_error *err)
{
	CALL_CLOUD(instance, self, call, node, sink, err);
}

int cloud_lend(struct cloud *cloud, struct host_plugin *plugin, struct cox_error *err)
{
	const struct cox_cloud_ops *has = host_ops(plugin);
	bool any = has->balancer_get || has->balancer_ensure || has->balancer_update ||
		   has->balancer_remove || has->balancer_restore;

	if (any && !(has->balancer_get && has->balancer_ensure && has->balancer_update &&
		     has->balancer_remove))
		return error_set(
			err, COX_REASON_INVALID,
			"cloud plugin \"%s\" has some of \"balancer_get\", "
			"\"balancer_ensure\", \"balancer_update\" and \"balancer_remove\"; "
			"it needs all of them, or none",
			host_name(plugin));
	cloud->plugin = plugin;
	if (any)
		cloud->ops = (struct cox_cloud_ops){
			.balancer_get = balancer_get,
			.balancer_ensure = balancer_ensure,
			.balancer_update = balancer_update,
			.balancer_remove = balancer_remove,
			.balancer_restore = has->balancer_restore ? balancer_restore : NULL,
		};
	cloud->ops.instance = has->instance ? instance : NULL;
	cloud->table = (struct cox_cloud){.struct_size = sizeof(cloud->table),
					  .name = host_name(plugin),
					  .self = cloud,
					  .ops = &cloud->ops};
	return 0;
}

const struct cox_cloud *cloud_table(const struct cloud *cloud)
{
	return cloud->plugin ? &cloud->table : NULL;
}

/* ---- settings ---- */

/* OPTION="VALUE"; a variable's name has no '-', so '_' stands for it, as in flags. */
static int apply_file(struct host_plugin *plugin, const char *path, struct cox_error *err)
{
	struct envfile file cox_auto(envfile_free) = ENVFILE_INIT;

	if (access(path, R_OK) != 0)
		return error_errno(err, errno, "--cloud-config: open %s", path);
	if (envfile_read(&file, path, err))
		return -1;
	for (size_t i = 0; i < file.entries.count; i++) {
		const struct envfile_entry *entry = &file.entries.items[i];
		cox_autofree char *name = cox_strdup(entry->key);

		for (char *at = name; *at; at++) {
			if (*at == '_')
				*at = '-';
		}
		if (host_set_option(plugin, name, entry->value, entry->origin, err))
			return -1;
	}
	return 0;
}

/* ---- life ---- */

int cloud_open(struct cloud *cloud, struct daemon *daemon,
	       const struct controller_manager_config *config, struct cox_error *err)
{
	const char *name = config->cloud_provider, *file = config->cloud_config;

	/* "external" is how newer flags say that somebody else looks after it. */
	if (!name || !*name || strcmp(name, "external") == 0) {
		if (file && *file)
			return error_set(err, COX_REASON_INVALID,
					 "--cloud-config=%s: nothing reads it without a cloud "
					 "plugin in --cloud-provider",
					 file);
		return 0;
	}
	if (daemon_open_plugin(daemon, "cloud", name, "cloud-provider", &cloud->plugin, err))
		return -1;
	if (!cloud->plugin)
		return 0;
	if ((file && *file && apply_file(cloud->plugin, file, err)) ||
	    cloud_lend(cloud, cloud->plugin, err))
		return -1;
	return host_configure(cloud->plugin, err);
}

int cloud_start(struct cloud *cloud, struct cox_error *err)
{
	if (!cloud->plugin)
		return 0;
	return host_get_ready(cloud->plugin, err) || host_start(cloud->plugin, err) ? -1 : 0;
}

void cloud_close(struct cloud *cloud)
{
	host_close(cloud->plugin);
	cloud->plugin = NULL;
}
