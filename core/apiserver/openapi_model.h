/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenAPI documents as value trees, made of the schema tables and of what a
 * server serves. Versions 2 and 3 are one walk; where they differ (references,
 * parameters, bodies) a leaf asks which. Equal parts of a document are one
 * value that is linked many times, so a finished tree is only read.
 */
#ifndef COX_APISERVER_OPENAPI_MODEL_H
#define COX_APISERVER_OPENAPI_MODEL_H

#include "apiserver/server.h"
#include "machinery/value.h"

#include <coxswain/kit/buf.h>

struct openapi_model {
	struct arena *arena;
	const struct schema *schema;
	const struct api_resource *resources;
	size_t resource_count;
	bool v3; /* else version 2 */
	/* Types that something refers to, each once, in the order of their coming. */
	bool *wanted;
	uint32_t *queue;
	size_t queued;
	/* The parameters that many operations share, made once. */
	struct value *parameters;
};

/*
 * The whole document. Version 2 describes everything that is served; version 3
 * one group version, or NULL if nothing of it is served.
 */
struct value *openapi_build_v2(struct arena *arena, const struct apiserver *server);
struct value *openapi_build_v3(struct arena *arena, const struct apiserver *server,
			       const char *group, const char *version);

/* openapi_types.c */

/* "io.k8s.api.core.v1.Pod" */
const char *openapi_type_name(struct arena *arena, const struct schema *schema,
			      const struct schema_type *type);
/* {"$ref": …}; the type becomes part of the document. NULL type: any object. */
struct value *openapi_reference(struct openapi_model *model, const struct schema_type *type);
/* The schema of a field as a parameter of a query. */
struct value *openapi_field_schema(struct openapi_model *model, const struct schema_field *field);
/* Definitions of all types that are referred to, by name. */
struct value *openapi_definitions(struct openapi_model *model);

/* openapi_operations.c */

/* What a request does, as x-kubernetes-action says it. */
enum openapi_action {
	ACTION_GET,
	ACTION_LIST,
	ACTION_WATCH,
	ACTION_WATCHLIST,
	ACTION_POST,
	ACTION_PUT,
	ACTION_PATCH,
	ACTION_DELETE,
	ACTION_DELETE_COLLECTION,
	ACTION_CONNECT
};

/* What one operation is about. */
struct openapi_operation {
	const struct api_resource *resource;
	const struct schema_subresource *subresource; /* NULL: the object itself */
	enum openapi_action action;
	const char *scope;  /* "Namespaced" or "" */
	bool everywhere;    /* a list of all namespaces */
	bool rest;	    /* a proxy with a path behind it */
	const char *method; /* "get", … */
};

struct value *openapi_operation(struct openapi_model *model,
				const struct openapi_operation *operation);
/* VERB, group, version and WHAT as one word, as operationIds are made. */
const char *openapi_group_id(struct arena *arena, const char *verb,
			     const struct api_resource *resource, const char *what);
/* A path parameter, "name" or "namespace" or "path". */
struct value *openapi_path_parameter(struct openapi_model *model, const char *name);
struct value *openapi_query_parameter(struct openapi_model *model, const char *name);

/* openapi_paths.c */

/* Adds the paths of all resources of a group version; both NULL: of everything. */
struct value *openapi_paths(struct openapi_model *model, const char *group, const char *version);

/* openapi_protobuf.c */

/* A document of version 2 as the message openapi.v2.Document of gnostic. */
void openapi_write_protobuf(struct cox_buf *out, const struct value *document);

#endif
