/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoint slices of one service: what is wanted, in groups of equal ports and
 * address type, is laid over the slices that exist with as few writes as
 * possible.
 */
#ifndef ENDPOINTSLICE_SLICES_H
#define ENDPOINTSLICE_SLICES_H

#include <coxswain/cluster.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/expect.h>
#include <stdbool.h>

#define SLICE_SERVICE "kubernetes.io/service-name"
#define SLICE_MANAGED_BY "endpointslice.kubernetes.io/managed-by"
#define SLICE_TRIGGER_TIME "endpoints.kubernetes.io/last-change-trigger-time"

enum { SLICE_ENDPOINTS_MAX = 100, SLICE_FAMILIES = 2 };

extern const struct cox_resource slices_resource;

struct slice_group {
	const char *address_type; /* "IPv4", "IPv6" */
	char *ports;		  /* JSON array */
	char **endpoints;	  /* JSON objects */
	size_t count;
	size_t capacity;
};

struct slices {
	const struct cox_cluster *cluster;
	const struct cox_call *call;
	struct cox_expect *expect;
	const char *key; /* of the queue, for `expect` */
	const char *namespace_name;
	const char *name;	 /* of the service */
	const char *labels;	 /* JSON, as every slice must have them */
	const char *annotations; /* JSON, for slices that are written */
	const char *owners;	 /* JSON array of owner references */
	bool annotated;		 /* slices that exist must have the annotations, too */
	/* Address types, each with one empty slice if there is nothing else of it. */
	const char *placeholders[SLICE_FAMILIES];
	size_t placeholder_count;

	struct cox_object **existing; /* references; freed by slices_free */
	size_t existing_count, existing_capacity;
	struct slice_group *groups;
	size_t group_count, group_capacity;
};

/* The group of these; made if there is none. `ports` is copied. */
struct slice_group *slices_group(struct slices *self, const char *address_type, const char *ports);
/* Takes the text over. */
void slices_add(struct slice_group *group, char *endpoint);

int slices_reconcile(struct slices *self, struct cox_error *err) COX_MUST_CHECK;
void slices_free(struct slices *self);

#endif
