/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A controller plugin as it lives in the daemon, on a fake API server: loaded
 * by the host, run by the controllers' runner.
 */
#ifndef COX_TESTS_CONTROLLERS_H
#define COX_TESTS_CONTROLLERS_H

#include "controller/controller.h"
#include "host/host.h"
#include "lib/eventually.h"
#include "lib/fake_server.h"

struct fixture {
	struct fake_server *server;
	struct client *client;
	struct host *host;
	struct host_plugin *plugin;
	struct controllers *controllers;
	const struct cox_cloud *cloud; /* of the test, set before it runs; NULL: none */
};

/* Set-up and tear-down of a test; `*state` is a struct fixture. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);
#define with_server(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)

/* Starts the controller; then option names and values in turn, and NULL. */
void fixture_run(struct fixture *f, const char *name, ...) __attribute__((sentinel));

/* A text of an object, or other JSON; valid for three more calls; "": there is none. */
const char *field(struct fixture *f, const char *resource, const char *namespace, const char *name,
		  const char *path);
bool exists(struct fixture *f, const char *resource, const char *namespace, const char *name);
/* fake_put with a printf format in which ' stands for ". */
void put(struct fixture *f, const char *resource, const char *format, ...) COX_PRINTF(3, 4);
bool has_event(struct fixture *f, const char *reason, const char *message);
/* Serves discovery of these kinds: "pods/Pod services/Service"; "nodes/Node!": cluster-scoped. */
void serve_discovery(struct fixture *f, const char *kinds);

#endif
