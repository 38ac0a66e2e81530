/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs controller plugins: gives each its queues, sources and timers, starts
 * its workers when its sources are complete, and stops them cleanly.
 */
#ifndef COX_CONTROLLER_CONTROLLER_H
#define COX_CONTROLLER_CONTROLLER_H

#include "client/client.h"
#include "host/host.h"

#include <coxswain/controller.h>

struct controllers;

/*
 * `client` reads for all controllers and writes their events as `component`.
 * It outlives the controllers.
 */
struct controllers *controllers_new(struct client *client, const char *component,
				    struct cox_error *err);

/* One plugin; `plugin` may be NULL where no host is (tests): then it is not guarded. */
struct controller_plugin {
	const char *name;
	const struct cox_controller_ops *ops;
	void *self;
	struct host_plugin *plugin;
	struct client *client;	       /* its own identity; NULL: that of the controllers */
	const struct cox_cloud *cloud; /* NULL: none; outlives the controllers */
};

/* Calls its setup(); before controllers_start. */
int controllers_add(struct controllers *controllers, const struct controller_plugin *plugin,
		    struct cox_error *err) COX_MUST_CHECK;

/* Begins work: each controller when its sources are complete. Call it once, as the leader. */
int controllers_start(struct controllers *controllers, struct cox_error *err) COX_MUST_CHECK;

/*
 * Ends workers, timers and sources; no plugin is called once it has returned.
 * The plugins' own stop() and destroy() are the caller's.
 */
void controllers_free(struct controllers *controllers);

#endif
