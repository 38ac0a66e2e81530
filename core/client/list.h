/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the answer to a list apart without a tree of the whole. */
#ifndef COX_CLIENT_LIST_H
#define COX_CLIENT_LIST_H

#include "client/mirror.h"

/*
 * Appends the items as readers; each has kind and apiVersion, put in from the
 * list's own ("PodList") where the server leaves them out. `revision` and
 * `next` get metadata.resourceVersion and metadata.continue ("" if unset).
 */
int list_parse(const void *body, size_t size, struct object_list *items, struct cox_buf *revision,
	       struct cox_buf *next, struct cox_error *err) COX_MUST_CHECK;

/* A reader of one item; kind and api_version are put in if it has no kind. */
struct cox_object *list_item(const char *data, size_t size, const char *kind,
			     const char *api_version, struct cox_error *err);

#endif
