/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins' requests, listers and events, put into the client's terms. */
#include "client/cluster.h"

#include "base/clock.h"
#include "machinery/object.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>

static const struct {
	enum client_verb verb;
	const char *content_type;
} verbs[] = {
	[COX_GET] = {CLIENT_GET, NULL},
	[COX_LIST] = {CLIENT_LIST, NULL},
	[COX_CREATE] = {CLIENT_CREATE, CLIENT_JSON},
	[COX_UPDATE] = {CLIENT_UPDATE, CLIENT_JSON},
	[COX_PATCH_MERGE] = {CLIENT_PATCH, CLIENT_MERGE_PATCH},
	[COX_PATCH_STRATEGIC] = {CLIENT_PATCH, CLIENT_STRATEGIC_PATCH},
	[COX_PATCH_JSON] = {CLIENT_PATCH, CLIENT_JSON_PATCH},
	[COX_DELETE] = {CLIENT_DELETE, CLIENT_JSON},
	[COX_DELETE_COLLECTION] = {CLIENT_DELETE_COLLECTION, CLIENT_JSON},
};

static uint64_t call_deadline(const struct cox_call *call)
{
	uint64_t latest = clock_monotonic() + CLIENT_DEFAULT_TIMEOUT;

	if (call && call->deadline_ns && call->deadline_ns < latest)
		return call->deadline_ns;
	return latest;
}

static int call_server(struct cluster *cluster, const struct client_request *request,
		       struct cox_object **object, struct cox_error *err)
{
	cox_autoanswer answer = CLIENT_ANSWER_INIT;

	if (client_call(cluster->client, request, &answer, err))
		return -1;
	if (!object)
		return 0;
	*object = object_new(cox_buf_cstr(&answer.body), answer.body.size, err);
	return *object ? 0 : error_wrap(err, "answer of the server");
}

static bool asks_for_path(const struct cox_request *request)
{
	return request->struct_size > offsetof(struct cox_request, path) && request->path &&
	       request->verb == COX_GET && !request->resource;
}

static int cluster_request(void *context, const struct cox_call *call,
			   const struct cox_request *request, struct cox_object **object,
			   struct cox_error *err)
{
	struct cluster *cluster = context;
	struct client_option options[2];
	struct client_request made = {.deadline = call_deadline(call), .options = options};

	if (asks_for_path(request)) {
		made.verb = CLIENT_GET;
		made.path = request->path;
		return call_server(cluster, &made, object, err);
	}
	if (request->verb < COX_GET || request->verb > COX_DELETE_COLLECTION ||
	    !request->resource || !request->resource->resource || !request->resource->version)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "a request needs a verb, a version and a resource");
	made.verb = verbs[request->verb].verb;
	made.content_type = verbs[request->verb].content_type;
	made.group = request->resource->group;
	made.version = request->resource->version;
	made.resource = request->resource->resource;
	made.namespace = request->namespace_name;
	made.name = request->name;
	made.subresource = request->subresource;
	made.body = request->body;
	made.body_size = request->body_size;
	if (request->label_selector)
		options[made.option_count++] =
			(struct client_option){"labelSelector", request->label_selector};
	if (request->field_selector)
		options[made.option_count++] =
			(struct client_option){"fieldSelector", request->field_selector};
	return call_server(cluster, &made, object, err);
}

static enum cox_reason cluster_reason(const struct cox_error *err)
{
	return err ? err->reason : COX_REASON_NONE;
}

static const char *cluster_message(const struct cox_error *err)
{
	return error_text(err);
}

static struct cox_error *cluster_error_new(void)
{
	return cox_new(struct cox_error);
}

static void cluster_error_clear(struct cox_error *err)
{
	if (err)
		error_clear(err);
}

static void cluster_error_free(struct cox_error *err)
{
	cluster_error_clear(err);
	free(err);
}

static struct cox_lister *
cluster_lister_open(void *context, const struct cox_lister_options *options, struct cox_error *err)
{
	return lister_open(((struct cluster *)context)->informers, options, err);
}

static int cluster_lister_synced(const struct cox_lister *lister)
{
	return lister_synced(lister);
}

static void cluster_event(void *context, const struct cox_object *about, const char *type,
			  const char *reason, const char *format, ...) COX_PRINTF(5, 6);
static void cluster_event(void *context, const struct cox_object *about, const char *type,
			  const char *reason, const char *format, ...)
{
	const struct cluster *cluster = context;
	va_list args;

	va_start(args, format);
	recorder_vevent(cluster->recorder, cluster->component, about, type, reason, format, args);
	va_end(args);
}

void cluster_init(struct cluster *cluster, struct client *client, struct informers *informers,
		  struct recorder *recorder, const char *component)
{
	cluster->client = client;
	cluster->informers = informers;
	cluster->recorder = recorder;
	cluster->component = component;
	cluster->table = (struct cox_cluster){
		.struct_size = sizeof(struct cox_cluster),
		.context = cluster,
		.objects = &object_table,
		.request = cluster_request,
		.reason = cluster_reason,
		.message = cluster_message,
		.error_new = cluster_error_new,
		.error_clear = cluster_error_clear,
		.error_free = cluster_error_free,
		.lister_open = cluster_lister_open,
		.lister_close = lister_close,
		.lister_synced = cluster_lister_synced,
		.get = lister_get,
		.list = lister_list,
		.find = lister_find,
		.event = cluster_event,
	};
}
