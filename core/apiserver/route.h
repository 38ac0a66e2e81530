/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request's path and method mean, before anybody looks at the tables:
 * the facts that authentication, authorization and dispatch share. Paths are
 * those of the Kubernetes API ("API concepts", resource URIs).
 */
#ifndef COX_APISERVER_ROUTE_H
#define COX_APISERVER_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

enum api_verb {
	VERB_NONE = 0, /* a method that the API does not know */
	VERB_GET,
	VERB_LIST,
	VERB_WATCH,
	VERB_CREATE,
	VERB_UPDATE,
	VERB_PATCH,
	VERB_DELETE,
	VERB_DELETECOLLECTION
};

struct api_route {
	bool is_resource;   /* else only the path counts */
	bool watch_prefix;  /* the old /api/v1/watch/… form */
	const char *group;  /* "" for /api */
	const char *version;
	const char *namespace_;  /* "" for cluster scope and all namespaces */
	const char *resource;    /* the plural */
	const char *name;        /* "" for the collection */
	const char *subresource; /* "" for the object itself */
	/* Segments behind the subresource, as for proxy. */
	const char *const *rest;
	size_t rest_count;
};

/*
 * Sorts decoded path segments into `route`, which borrows them. Anything that
 * is not below /api/VERSION or /apis/GROUP/VERSION with a resource is no
 * resource. Never fails: what no table knows is found out later.
 */
void route_parse(const char *const *segments, size_t count, struct api_route *route);

/* The verb of a method on that route; `watch` is the query parameter. */
enum api_verb route_verb(const struct api_route *route, const char *method, bool watch);
const char *route_verb_name(enum api_verb verb); /* "get", …; "" for none */

#endif
