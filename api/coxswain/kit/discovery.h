/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kinds of object the server has, asked from the server itself, so that
 * custom kinds count too.
 */
#ifndef COXSWAIN_KIT_DISCOVERY_H
#define COXSWAIN_KIT_DISCOVERY_H

#include <coxswain/cluster.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/vec.h>
#include <stdbool.h>

struct cox_discovered {
	struct cox_resource resource; /* its strings belong to the list */
	char *kind;
	char *api_version; /* "v1", "apps/v1" */
	bool namespaced;
	bool can_list, can_watch, can_delete, can_delete_collection;
};

struct cox_discovered_list {
	struct cox_discovered *items;
	size_t count;
	size_t capacity;
};

/*
 * Appends every kind, subresources apart, each in its group's preferred
 * version. -1: nothing could be asked. Groups that do not answer are left out;
 * `missing` (may be NULL) then has their names and why.
 */
int cox_discover(const struct cox_cluster *cluster, const struct cox_call *call,
		 struct cox_discovered_list *list, struct cox_buf *missing,
		 struct cox_error *err) COX_MUST_CHECK;
void cox_discovered_free(struct cox_discovered_list *list);

#endif
