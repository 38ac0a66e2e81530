/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services and endpoints as a proxy plugin wants them: watches the API server,
 * notes which services have changed, and hands updates to the plugin from a
 * thread of its own. A service's endpoints come from its endpoint slices; one
 * without slices, and every one where slices are not served, from its Endpoints.
 */
#ifndef COX_PROXY_TABLE_H
#define COX_PROXY_TABLE_H

#include "client/client.h"

#include <coxswain/proxy.h>
#include <stdbool.h>

struct table;

struct table_config {
	struct client *client; /* outlives the table */
	const char *node_name;
	/* Hands one update on; called by one thread at a time. */
	int (*sync)(void *context, const struct cox_call *call,
		    const struct cox_proxy_update *update, struct cox_error *err);
	void *context;
};

struct table *table_new(const struct table_config *config, struct cox_error *err);
void table_free(struct table *table);	/* `sync` is not called after it */
bool table_synced(struct table *table); /* the plugin has everything there was at the start */

#endif
