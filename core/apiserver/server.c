/* SPDX-License-Identifier: Apache-2.0 */
/* What a server consists of: resources and chains; see the header. */
#include "apiserver/server.h"

#include "apiserver/admission.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct api_resource *apiserver_resource(struct apiserver *server, const char *group,
					const char *version, const char *name)
{
	char key[512];
	int size = snprintf(key, sizeof(key), "%s/%s/%s", group, version, name);

	if (size < 0 || (size_t)size >= sizeof(key))
		return NULL;
	return cox_map_get(&server->resource_map, key, (size_t)size);
}

struct api_resource *apiserver_stored(struct apiserver *server, const char *group, const char *name)
{
	for (size_t i = 0; i < server->resource_count; i++) {
		struct api_resource *resource = &server->resources[i];

		if (strcmp(resource->group, group) == 0 && strcmp(resource->name, name) == 0 &&
		    resource->row == resource->stored_row)
			return resource;
	}
	return NULL;
}

struct api_chains *api_chains_new(void)
{
	struct api_chains *chains = cox_new(struct api_chains);

	atomic_init(&chains->references, 1);
	return chains;
}

static void chains_free(struct api_chains *chains)
{
	struct apiserver *server = chains->server;

	authenticators_unref(chains->authenticators);
	authorizers_unref(chains->authorizers);
	admission_free(chains->admission);
	free(chains);
	if (server)
		atomic_fetch_sub(&server->replaced, 1);
}

static bool is_last(struct api_chains *chains)
{
	return atomic_fetch_sub_explicit(&chains->references, 1, memory_order_acq_rel) == 1;
}

void api_chains_unref(struct api_chains *chains)
{
	if (chains && is_last(chains))
		chains_free(chains);
}

static void free_on_worker(void *chains)
{
	chains_free(chains);
}

void apiserver_release_chains(struct apiserver *server, struct api_chains *chains)
{
	if (!chains || !is_last(chains))
		return;
	if (workers_run(server->workers, WORKERS_ORDINARY, free_on_worker, chains) != 0)
		chains_free(chains);
}

struct api_chains *apiserver_chains(struct apiserver *server)
{
	cox_lock_scope(&server->chains_lock);
	atomic_fetch_add_explicit(&server->chains->references, 1, memory_order_relaxed);
	return server->chains;
}

void apiserver_swap_chains(struct apiserver *server, struct api_chains *chains)
{
	struct api_chains *old;

	pthread_mutex_lock(&server->chains_lock);
	old = server->chains;
	server->chains = chains;
	pthread_mutex_unlock(&server->chains_lock);
	if (old) {
		atomic_fetch_add(&server->replaced, 1);
		old->server = server;
	}
	api_chains_unref(old);
}

void apiserver_settle_chains(struct apiserver *server)
{
	static const struct timespec moment = {0, 1000000};

	while (atomic_load(&server->replaced))
		nanosleep(&moment, NULL);
}
