/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of admission plugins; see the header. What a plugin wants changed
 * is collected as a JSON Patch and applied when it has said yes, so that a
 * refusal leaves nothing half done.
 */
#include "apiserver/admission.h"

#include "apiserver/body.h"
#include "apiserver/status.h"
#include "apiserver/write.h"
#include "base/log.h"
#include "client/cluster.h"
#include "host/host.h"
#include "machinery/json.h"
#include "machinery/jsonpatch.h"
#include "machinery/object.h"

#include <coxswain/admission.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/vec.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CHANGES_MAX = 1000 };

/* Numbers requests, so that plugins know the attempts of one. */
static _Atomic uint64_t last_id;

struct admission_plugin {
	struct host_plugin *plugin;
	const struct cox_admission_ops *ops;
	struct cluster cluster;
	struct client *client;
};

struct admission {
	COX_VEC(struct admission_plugin *) plugins;
};

/* What one plugin says during one call. */
struct change_taker {
	struct cox_admission_changes changes; /* first */
	struct write *write;
	const struct admission_plugin *plugin;
	struct value *patch; /* NULL: changes are not allowed */
};

struct admission *admission_new(void)
{
	return cox_new(struct admission);
}

static void plugin_free(struct admission_plugin *plugin)
{
	host_close(plugin->plugin);
	client_free(plugin->client);
	free(plugin);
}

int admission_add(struct admission *chain, struct host_plugin *opened, struct client *client,
		  struct informers *informers, struct recorder *recorder, struct cox_error *err)
{
	struct admission_plugin *plugin = cox_new(struct admission_plugin);
	int status = 0;

	plugin->plugin = opened;
	plugin->ops = host_ops(opened);
	plugin->client = client;
	cluster_init(&plugin->cluster, client, informers, recorder, NULL);
	if (plugin->ops->setup) {
		host_call_scope(opened);
		status = plugin->ops->setup(host_self(opened), &plugin->cluster.table, err);
	}
	if (status != 0)
		host_op_failed(opened, "setup", err);
	else
		status = host_start(opened, err);
	if (status != 0) {
		plugin_free(plugin);
		return -1;
	}
	cox_vec_push(&chain->plugins, plugin);
	return 0;
}

void admission_free(struct admission *chain)
{
	if (!chain)
		return;
	for (size_t i = chain->plugins.count; i-- > 0;)
		plugin_free(chain->plugins.items[i]);
	cox_vec_free(&chain->plugins);
	free(chain);
}

bool admission_is_ready(const struct admission *chain)
{
	for (size_t i = 0; chain && i < chain->plugins.count; i++) {
		struct admission_plugin *plugin = chain->plugins.items[i];
		int ready = 1;

		if (plugin->ops->ready) {
			host_call_scope(plugin->plugin);
			ready = plugin->ops->ready(host_self(plugin->plugin));
		}
		if (!ready)
			return false;
	}
	return true;
}

/* Changes */

static int add_change(const struct cox_admission_changes *changes, const char *op,
		      const char *path, struct value *value, struct cox_error *err)
{
	const struct change_taker *taker = (const struct change_taker *)(const void *)changes;
	struct arena *arena = taker->write->call->arena;
	struct value *entry;

	if (!taker->patch)
		return error_set(err, COX_REASON_INTERNAL_ERROR,
				 "admission plugin %s wants to change an object while it validates",
				 host_name(taker->plugin->plugin));
	if (taker->patch->count >= CHANGES_MAX)
		return error_set(err, COX_REASON_INTERNAL_ERROR,
				 "admission plugin %s wants more than %d changes",
				 host_name(taker->plugin->plugin), CHANGES_MAX);
	entry = value_object(arena);
	value_set_text(arena, entry, "op", op);
	value_set_text(arena, entry, "path", path);
	if (value)
		value_set(arena, entry, "value", value);
	value_push(arena, taker->patch, entry);
	return 0;
}

static int take_set(const struct cox_admission_changes *changes, const char *path, const char *json,
		    struct cox_error *err)
{
	const struct change_taker *taker = (const struct change_taker *)(const void *)changes;
	struct value *value =
		json_parse(taker->write->call->arena, json, strlen(json), NULL, err);

	if (!value)
		return error_wrap(err, "admission plugin %s, value for %s",
				  host_name(taker->plugin->plugin), path);
	return add_change(changes, "add", path, value, err);
}

static int take_remove(const struct cox_admission_changes *changes, const char *path,
		       struct cox_error *err)
{
	return add_change(changes, "remove", path, NULL, err);
}

static void take_warning(const struct cox_admission_changes *changes, const char *text)
{
	const struct change_taker *taker = (const struct change_taker *)(const void *)changes;

	call_warn(taker->write->call, "%s", text);
}

static void take_audit(const struct cox_admission_changes *changes, const char *key,
		       const char *value)
{
	const struct change_taker *taker = (const struct change_taker *)(const void *)changes;

	log_verbose(2, "audit %s: %s/%s=%s", taker->write->call->audit_id,
		    host_name(taker->plugin->plugin), key, value);
}

/* Requests */

static uint32_t operation_of(const struct write *write)
{
	return write->operation == WRITE_CREATE	  ? COX_OPERATION_CREATE
	       : write->operation == WRITE_UPDATE ? COX_OPERATION_UPDATE
						  : COX_OPERATION_DELETE;
}

static void fill_request(const struct write *write, struct cox_admission_request *request)
{
	const struct identity *identity = write->call->identity;

	*request = (struct cox_admission_request){
		.struct_size = sizeof(*request),
		.attempt = write->attempts,
		.id = write->admission_id,
		.operation = operation_of(write),
		.flags = write->options.dry_run ? COX_ADMISSION_DRY_RUN : 0,
		.group = write->resource->group,
		.version = write->resource->version,
		.resource = write->resource->name,
		.subresource = write->subresource,
		.kind = write->resource->kind,
		.namespace_ = write->namespace_,
		.name = write->name,
		.user = identity->user,
		.uid = identity->uid,
		.groups = identity->groups,
		.group_count = identity->group_count};
}

static struct cox_object *object_of(const struct value *tree, struct cox_error *err)
{
	cox_autobuf json = COX_BUF_INIT;

	json_write(&json, tree, 0);
	return object_new(json.data, json.size, err);
}

static bool wants(const struct admission_plugin *plugin,
		  const struct cox_admission_request *request)
{
	if (!plugin->ops->handles)
		return true;
	host_call_scope(plugin->plugin);
	return plugin->ops->handles(host_self(plugin->plugin), request);
}

/* What the client is told: an Invalid as it is, everything else as forbidden. */
static int refused(const struct admission_plugin *plugin, const struct write *write, const char *op,
		   struct cox_error *err)
{
	cox_autoerror why = COX_ERROR_INIT;
	const char *name = write->name;

	host_op_failed(plugin->plugin, op, err);
	if (!err || err->reason != COX_REASON_FORBIDDEN || err->kind)
		return -1;
	if (!*name)
		name = value_get_text(value_get(write->object, "metadata"), "generateName");
	if (!*name)
		name = "Unknown";
	error_move(&why, err);
	status_forbidden(err, write->resource->group, write->resource->name, name,
			 error_text(&why));
	err->retry_after = why.retry_after;
	for (size_t i = 0; i < why.cause_count; i++)
		error_add_cause(err, why.causes[i].reason, why.causes[i].field, "%s",
				why.causes[i].message);
	return -1;
}

static int call_plugin(const struct admission_plugin *plugin, struct change_taker *taker,
		       const struct cox_admission_request *request, bool admit,
		       struct cox_error *err)
{
	struct cox_call context = call_context(taker->write->call);
	int (*op)(void *self, const struct cox_call *call,
		  const struct cox_admission_request *asked,
		  const struct cox_admission_changes *changes, struct cox_error *error) =
		admit ? plugin->ops->admit : plugin->ops->validate;
	int status;

	{
		host_call_scope(plugin->plugin);
		status = op(host_self(plugin->plugin), &context, request, &taker->changes, err);
	}
	return status == 0 ? 0
			   : refused(plugin, taker->write, admit ? "admit" : "validate", err);
}

static int apply_changes(struct change_taker *taker, struct cox_error *err)
{
	struct write *write = taker->write;
	struct value *changed;

	if (taker->patch->count == 0)
		return 0;
	changed = jsonpatch_apply(write->call->arena, write->object, taker->patch, err);
	if (!changed ||
	    body_check(write->call, write->resource->stored_type, changed, VALIDATION_IGNORE,
		       err) != 0)
		return error_wrap(err, "changes of admission plugin %s",
				  host_name(taker->plugin->plugin));
	write->object = changed;
	return 0;
}

static int run_chain(struct admission *chain, struct write *write, bool admit,
		     struct cox_error *err)
{
	struct cox_admission_request request;
	cox_autoobject *object = NULL;
	cox_autoobject *old = NULL;

	if (!write->admission_id)
		write->admission_id = atomic_fetch_add(&last_id, 1) + 1;
	fill_request(write, &request);
	for (size_t i = 0; i < chain->plugins.count; i++) {
		const struct admission_plugin *plugin = chain->plugins.items[i];
		struct change_taker taker = {
			.changes = {sizeof(taker.changes), 0, take_set, take_remove, take_warning,
				    take_audit},
			.write = write,
			.plugin = plugin};

		if (!(admit ? (void *)plugin->ops->admit : (void *)plugin->ops->validate) ||
		    !wants(plugin, &request))
			continue;
		if (!object && write->object) {
			object = object_of(write->object, err);
			if (!object)
				return -1;
		}
		if (!old && write->old && !(old = object_of(write->old, err)))
			return -1;
		request.object = object;
		request.old = old;
		taker.patch = admit && write->object ? value_array(write->call->arena) : NULL;
		if (call_plugin(plugin, &taker, &request, admit, err) != 0)
			return -1;
		if (taker.patch && taker.patch->count) {
			if (apply_changes(&taker, err) != 0)
				return -1;
			object_unref(object);
			object = NULL;
		}
	}
	return 0;
}

int admission_admit(struct admission *chain, struct write *write, struct cox_error *err)
{
	return chain ? run_chain(chain, write, true, err) : 0;
}

int admission_validate(struct admission *chain, struct write *write, struct cox_error *err)
{
	return chain ? run_chain(chain, write, false, err) : 0;
}
