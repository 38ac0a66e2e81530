/* SPDX-License-Identifier: Apache-2.0 */
/* From a permitted request to the part that does it; see the header. */
#include "apiserver/dispatch.h"

#include "apiserver/delete.h"
#include "apiserver/read.h"
#include "apiserver/status.h"
#include "apiserver/subresource.h"
#include "apiserver/virtual.h"
#include "apiserver/watch.h"
#include "apiserver/write.h"

#include <string.h>

static void fail_not_found(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;

	error_set(&err, COX_REASON_NOT_FOUND, "the server could not find the requested resource");
	call_fail(call, &err);
}

static void fail_method(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;

	error_set(&err, COX_REASON_METHOD_NOT_ALLOWED,
		  "the server does not allow this method on the requested resource");
	call_fail(call, &err);
}

/*
 * Whether the path has what the resource needs: a namespace if and only if it
 * is namespaced, except for reads and deletes across all of them.
 */
static bool path_fits(const struct api_call *call)
{
	bool namespace_given = *call->route.namespace_ != '\0';

	if (!call->resource->namespaced)
		return !namespace_given || strcmp(call->resource->name, "namespaces") == 0;
	if (namespace_given)
		return true;
	return call->verb == VERB_LIST || call->verb == VERB_WATCH ||
	       call->verb == VERB_DELETECOLLECTION;
}

/* Wrong options of lists were put off until somebody who may ask hears of them. */
int dispatch_list_options(struct api_call *call, struct cox_error *err)
{
	bool watch = false;

	list_options_clear(&call->list);
	if (param_bool(call->request->parameters, call->request->parameter_count, "watch", &watch,
		       NULL, err) != 0)
		return -1;
	return list_options_parse(call->request->parameters, call->request->parameter_count,
				  call->verb == VERB_WATCH, &call->list, err);
}

/* ?watch on one object, and /watch/…/NAME: a watch of that name, among what is selected. */
static void add_name_selector(struct api_call *call)
{
	struct http_parameter *more;
	size_t count = call->request->parameter_count;
	const char *given;

	if (call->verb != VERB_WATCH || !*call->route.name)
		return;
	given = param_get(call->request->parameters, count, "fieldSelector");
	more = arena_alloc(call->arena, (count + 1) * sizeof(*more));
	if (count)
		memcpy(more, call->request->parameters, count * sizeof(*more));
	/* The last of a name counts. */
	more[count] = (struct http_parameter){
		"fieldSelector", arena_printf(call->arena, "metadata.name=%s%s%s", call->route.name,
					      given && *given ? "," : "", given ? given : "")};
	call->request->parameters = more;
	call->request->parameter_count = count + 1;
}

static void serve_object(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;

	switch (call->verb) {
	case VERB_LIST:
	case VERB_WATCH:
	case VERB_DELETECOLLECTION:
		add_name_selector(call);
		if (dispatch_list_options(call, &err) != 0)
			call_fail(call, &err);
		else if (call->verb == VERB_LIST)
			read_list(call);
		else if (call->verb == VERB_WATCH)
			watch_serve(call);
		else
			delete_collection(call);
		break;
	case VERB_GET:
		read_get(call);
		break;
	case VERB_CREATE:
		write_create(call);
		break;
	case VERB_UPDATE:
		write_update(call);
		break;
	case VERB_PATCH:
		write_patch(call);
		break;
	case VERB_DELETE:
		delete_one(call);
		break;
	case VERB_NONE:
		fail_method(call);
		break;
	}
}

static bool verb_allowed(const struct api_call *call)
{
	unsigned bit = schema_verb_bit(route_verb_name(call->verb));
	unsigned verbs = call->subresource ? call->subresource->verbs : call->resource->row->verbs;

	return bit && (verbs & bit);
}

/* Objects are made in their collection, and changed under their name. */
static bool method_fits(const struct api_call *call)
{
	/* /watch/… only watches. */
	if (call->verb == VERB_NONE || (call->route.watch_prefix && call->verb != VERB_WATCH))
		return false;
	if (*call->route.subresource)
		return true;
	switch (call->verb) {
	case VERB_CREATE:
		return !*call->route.name &&
		       (!call->resource->namespaced || *call->route.namespace_);
	case VERB_UPDATE:
	case VERB_PATCH:
		return *call->route.name;
	default:
		return true;
	}
}

void dispatch_resource(struct api_call *call)
{
	const struct schema *schema = call->server->schema;

	if (!call->resource) {
		fail_not_found(call);
		return;
	}
	if (!method_fits(call)) {
		fail_method(call);
		return;
	}
	if (!path_fits(call)) {
		fail_not_found(call);
		return;
	}
	if (*call->route.subresource) {
		call->subresource = schema_subresource_get(schema, call->resource->row,
							   call->route.subresource);
		/* Only proxies have paths below them. */
		if (!call->subresource ||
		    (call->route.rest_count && strcmp(call->route.subresource, "proxy") != 0)) {
			fail_not_found(call);
			return;
		}
	}
	if (!verb_allowed(call)) {
		fail_method(call);
		return;
	}
	/* Parts of this process are not those who have to be told. */
	if (call->resource->row->deprecated && !call->local)
		call_warn(call, "%s", schema_text(schema, call->resource->row->deprecated));
	if (call->subresource)
		subresource_serve(call);
	else if (!call->resource->collection)
		virtual_serve(call);
	else
		serve_object(call);
}
