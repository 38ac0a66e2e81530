/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and methods; see the header. */
#include "apiserver/route.h"

#include <string.h>

/* namespaces/NAME/status and …/finalize belong to the namespace itself. */
static bool is_namespace_subresource(const char *segment)
{
	return strcmp(segment, "status") == 0 || strcmp(segment, "finalize") == 0;
}

void route_parse(const char *const *segments, size_t count, struct api_route *route)
{
	size_t at;

	*route = (struct api_route){.group = "",
				    .version = "",
				    .namespace_ = "",
				    .resource = "",
				    .name = "",
				    .subresource = ""};
	if (count >= 3 && strcmp(segments[0], "api") == 0) {
		route->version = segments[1];
		at = 2;
	} else if (count >= 4 && strcmp(segments[0], "apis") == 0) {
		route->group = segments[1];
		route->version = segments[2];
		at = 3;
	} else {
		return;
	}
	if (strcmp(segments[at], "watch") == 0 && at + 1 < count) {
		route->watch_prefix = true;
		at++;
	}
	route->is_resource = true;
	if (strcmp(segments[at], "namespaces") == 0 && at + 2 < count &&
	    !is_namespace_subresource(segments[at + 2])) {
		route->namespace_ = segments[at + 1];
		at += 2;
	}
	route->resource = segments[at++];
	if (at < count)
		route->name = segments[at++];
	if (at < count)
		route->subresource = segments[at++];
	route->rest = segments + at;
	route->rest_count = count - at;
	/* A namespace is asked for under its own name, too. */
	if (strcmp(route->resource, "namespaces") == 0 && *route->name && !*route->group)
		route->namespace_ = route->name;
}

enum api_verb route_verb(const struct api_route *route, const char *method, bool watch)
{
	bool one = *route->name != '\0';

	if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
		if (route->watch_prefix || (watch && !*route->subresource && !one))
			return VERB_WATCH;
		/* ?watch on one object is an old form of a watch by name. */
		if (one)
			return watch && !*route->subresource ? VERB_WATCH : VERB_GET;
		return VERB_LIST;
	}
	if (strcmp(method, "POST") == 0)
		return VERB_CREATE;
	if (strcmp(method, "PUT") == 0)
		return VERB_UPDATE;
	if (strcmp(method, "PATCH") == 0)
		return VERB_PATCH;
	if (strcmp(method, "DELETE") == 0)
		return one ? VERB_DELETE : VERB_DELETECOLLECTION;
	return VERB_NONE;
}

const char *route_verb_name(enum api_verb verb)
{
	static const char *const names[] = {
		[VERB_NONE] = "",
		[VERB_GET] = "get",
		[VERB_LIST] = "list",
		[VERB_WATCH] = "watch",
		[VERB_CREATE] = "create",
		[VERB_UPDATE] = "update",
		[VERB_PATCH] = "patch",
		[VERB_DELETE] = "delete",
		[VERB_DELETECOLLECTION] = "deletecollection",
	};

	return names[verb];
}
