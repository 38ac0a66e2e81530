/* SPDX-License-Identifier: Apache-2.0 */
/* The two halves of the plugin: slices of pods, and copies of Endpoints. */
#ifndef ENDPOINTSLICE_ENDPOINTSLICE_H
#define ENDPOINTSLICE_ENDPOINTSLICE_H

#include "../common/services.h"
#include "slices.h"

#define MANAGER "endpointslice-controller.k8s.io"
#define MIRROR_MANAGER "endpointslicemirroring-controller.k8s.io"

struct endpointslice {
	struct services services;
	const struct cox_controller_setup *setup;
	struct cox_lister *slice_lister; /* indexed "owner": "manager namespace/service" */
	struct cox_lister *node_lister;
	struct cox_lister *endpoints_lister;
	struct cox_expect *expect;	  /* slices of pods, by the service's key */
	struct cox_expect *mirror_expect; /* slices of Endpoints, by their key */
	uint32_t workers;
};

/* Adds the slices of `manager` for this service to `slices`. */
void endpointslice_existing(const struct endpointslice *self, const char *manager, const char *key,
			    struct slices *slices);
/* JSON of one endpoint port. */
struct cox_json;
void endpointslice_write_port(struct cox_json *json, const struct services_port *port);
/* The labels of `from` but for those with a meaning here, and those of a slice. */
void endpointslice_write_labels(const struct endpointslice *self, const struct cox_object *from,
				const char *manager, bool headless, struct cox_buf *out);

/* Endpoints of services without a selector, copied into slices. */
int mirror_reconcile(struct endpointslice *self, const struct cox_call *call, const char *key,
		     struct cox_error *err);

#endif
