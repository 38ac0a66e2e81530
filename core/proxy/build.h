/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes an update out of API objects. Texts are borrowed from the objects,
 * which the builder keeps until it is cleared.
 */
#ifndef COX_PROXY_BUILD_H
#define COX_PROXY_BUILD_H

#include "base/arena.h"
#include "machinery/object.h"

#include <coxswain/kit/vec.h>
#include <coxswain/proxy.h>

struct build {
	const char *node_name;
	struct arena arena;
	COX_VEC(struct cox_object *) kept;
	COX_VEC(struct cox_proxy_service) services;
	COX_VEC(struct cox_proxy_endpoints) endpoints;
	COX_VEC(struct cox_proxy_name) gone;
};

void build_clear(struct build *build);
/* Whether the service has an address that could be proxied. */
bool build_wants(const struct cox_object *service);
/*
 * Adds a service and the endpoints of its ports. `sources` are its slices, or
 * its Endpoints object alone. References are taken.
 */
void build_service(struct build *build, const struct cox_object *service,
		   struct cox_object *const *sources, size_t count);
void build_gone(struct build *build, const char *namespace_name, const char *name);
void build_update(const struct build *build, bool full, struct cox_proxy_update *update);

#endif
