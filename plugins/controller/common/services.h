/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the controllers of endpoints and of endpoint slices share: services and
 * their pods as sources, which pods serve a service and on which ports, and
 * when the last change of them happened.
 */
#ifndef CONTROLLER_COMMON_SERVICES_H
#define CONTROLLER_COMMON_SERVICES_H

#include <coxswain/controller.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/time.h>
#include <coxswain/kit/vec.h>
#include <pthread.h>
#include <stdbool.h>

/* First member of the plugin's instance, as the sources' callbacks find it there. */
struct services {
	const struct cox_host *host;
	const struct cox_cluster *cluster;
	const struct cox_objects *objects;
	struct cox_lister *service_lister;
	struct cox_lister *pod_lister;
	pthread_mutex_t mutex;	 /* over triggers, and nothing else */
	struct cox_map triggers; /* key of a service: struct services_trigger */
};

void services_init(struct services *self, const struct cox_host *host);
void services_destroy(struct services *self);
/* Opens the queue, and the sources that feed it with "namespace/service". */
int services_setup(struct services *self, const struct cox_controller_setup *setup,
		   const char *queue, uint32_t workers, struct cox_error *err);

/* A service that has a selector, so that pods are found by it. */
bool services_selects(const struct cox_objects *objects, const struct cox_object *service);
bool services_headless(const struct cox_objects *objects, const struct cox_object *service);
bool services_publishes_unready(const struct cox_objects *objects,
				const struct cox_object *service);

struct services_pods {
	struct cox_object **items; /* references */
	size_t count;
	size_t capacity;
};
/*
 * The pods that the selector finds, that have an address and have not ended, by
 * name; with those that are being deleted or without.
 */
void services_pods(const struct services *self, const struct cox_object *service,
		   bool with_terminating, struct services_pods *pods);
void services_pods_free(const struct services *self, struct services_pods *pods);

/* A port of a service as one pod has it. Texts are borrowed from the service. */
struct services_port {
	const char *name;
	const char *protocol;
	const char *app_protocol;
	int64_t number;
};
struct services_ports {
	struct services_port *items;
	size_t count;
	size_t capacity;
};
/* Appends the ports of the service that the pod has. */
void services_ports(const struct cox_objects *objects, const struct cox_object *service,
		    const struct cox_object *pod, struct services_ports *ports);
bool services_port_equal(const struct services_port *a, const struct services_port *b);

/*
 * The time of the oldest change not told of yet, among the service's creation
 * and the transitions of its pods' readiness; "" if there is none.
 */
void services_trigger_time(struct services *self, const char *key, const struct cox_object *service,
			   const struct services_pods *pods, char out[COX_TIME_SIZE]);
void services_forget(struct services *self, const char *key); /* the service is gone */

#endif
