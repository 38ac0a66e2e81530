/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of one instance: create, options, config_complete, get_ready,
 * start, operations, stop, destroy; each step once, in this order, and stop
 * and destroy exactly when plugin.h promises them.
 */
#include "host/internal.h"

#include "base/log.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

int host_op_failed(const struct host_plugin *plugin, const char *op, struct cox_error *err)
{
	if (err && err->reason != COX_REASON_NONE)
		return -1;
	log_error("%s: bug in the plugin: \"%s\" failed without saying why", plugin->label, op);
	return error_set(err, COX_REASON_INTERNAL_ERROR, "%s: \"%s\" failed without saying why",
			 plugin->label, op);
}

static void instance_free(struct host_plugin *plugin)
{
	options_clear(plugin);
	cox_vec_free(&plugin->series);
	pthread_mutex_destroy(&plugin->one_call);
	pthread_mutex_destroy(&plugin->series_lock);
	free(plugin->label);
	free(plugin->ops);
	free(plugin);
}

struct host_plugin *instance_create(struct host *host, struct library *library,
				    struct cox_error *err)
{
	const struct cox_plugin *descriptor = &library->plugin;
	struct host_plugin *plugin = cox_new(struct host_plugin);
	size_t known = library->kind->ops_size;
	cox_autobuf label = COX_BUF_INIT;

	plugin->host = host;
	plugin->library = library;
	atomic_init(&plugin->threads, descriptor->thread_model);
	pthread_mutex_init(&plugin->one_call, NULL);
	pthread_mutex_init(&plugin->series_lock, NULL);
	cox_buf_printf(&label, "%s/%s", descriptor->kind, descriptor->name);
	plugin->label = cox_buf_steal(&label);
	plugin->ops = cox_calloc(1, known);
	memcpy(plugin->ops, descriptor->ops,
	       descriptor->ops_size < known ? descriptor->ops_size : known);
	table_fill(plugin);
	{
		host_call_scope(plugin);
		plugin->self = descriptor->create(&plugin->table, err);
	}
	if (!plugin->self) {
		host_op_failed(plugin, "create", err);
		instance_free(plugin);
		return NULL;
	}
	return plugin;
}

struct host_plugin *host_open(struct host *host, const char *kind, const char *name,
			      const char *origin, struct cox_error *err)
{
	struct library *library = loader_load(host, kind, name, origin, err);
	struct host_plugin *plugin;

	if (!library)
		return NULL;
	plugin = instance_create(host, library, err);
	if (!plugin)
		host_add_origin(err, origin);
	return plugin;
}

typedef int step_function(void *self, struct cox_error *err);

static int take_step(struct host_plugin *plugin, step_function *step, const char *name,
		     enum instance_state from, enum instance_state to, struct cox_error *err)
{
	if (plugin->state != from)
		return error_set(err, COX_REASON_INTERNAL_ERROR, "%s: \"%s\" is out of order",
				 plugin->label, name);
	if (step) {
		host_call_scope(plugin);
		if (step(plugin->self, err) < 0) {
			host_op_failed(plugin, name, err);
			return error_wrap(err, "%s plugin \"%s\"", host_kind(plugin),
					  host_name(plugin));
		}
	}
	plugin->state = to;
	return 0;
}

int host_configure(struct host_plugin *plugin, struct cox_error *err)
{
	if (plugin->state == INSTANCE_CREATED && options_hand_over(plugin, err) < 0)
		return -1;
	options_clear(plugin);
	return take_step(plugin, plugin->library->plugin.config_complete, "config_complete",
			 INSTANCE_CREATED, INSTANCE_CONFIGURED, err);
}

static void give_up_exclusive(struct host_plugin *plugin)
{
	if (plugin->holds_exclusive)
		atomic_store(&plugin->library->busy, false);
	plugin->holds_exclusive = false;
}

int host_get_ready(struct host_plugin *plugin, struct cox_error *err)
{
	bool free_one = false;

	if (plugin->state == INSTANCE_CONFIGURED && plugin->library->plugin.flags & COX_EXCLUSIVE) {
		if (!atomic_compare_exchange_strong(&plugin->library->busy, &free_one, true))
			return error_set(err, COX_REASON_CONFLICT,
					 "%s plugin \"%s\" is in use already, and two of it cannot "
					 "run at a time",
					 host_kind(plugin), host_name(plugin));
		plugin->holds_exclusive = true;
	}
	if (take_step(plugin, plugin->library->plugin.get_ready, "get_ready", INSTANCE_CONFIGURED,
		      INSTANCE_READY, err) == 0)
		return 0;
	if (plugin->state == INSTANCE_CONFIGURED)
		give_up_exclusive(plugin);
	return -1;
}

int host_start(struct host_plugin *plugin, struct cox_error *err)
{
	return take_step(plugin, plugin->library->plugin.start, "start", INSTANCE_READY,
			 INSTANCE_STARTED, err);
}

void host_stop(struct host_plugin *plugin)
{
	if (plugin->state != INSTANCE_STARTED)
		return;
	plugin->state = INSTANCE_STOPPED;
	if (plugin->library->plugin.stop) {
		host_call_scope(plugin);
		plugin->library->plugin.stop(plugin->self);
	}
}

void host_close(struct host_plugin *plugin)
{
	if (!plugin)
		return;
	host_stop(plugin);
	if (plugin->library->plugin.destroy) {
		host_call_scope(plugin);
		plugin->library->plugin.destroy(plugin->self);
	}
	give_up_exclusive(plugin);
	instance_free(plugin);
}

void *host_self(const struct host_plugin *plugin)
{
	return plugin->self;
}

const void *host_ops(const struct host_plugin *plugin)
{
	return plugin->ops;
}

const char *host_kind(const struct host_plugin *plugin)
{
	return plugin->library->plugin.kind;
}

uint32_t host_flags(const struct host_plugin *plugin)
{
	return plugin->library->plugin.flags;
}

const char *host_name(const struct host_plugin *plugin)
{
	return plugin->library->plugin.name;
}
