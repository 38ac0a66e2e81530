/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service controller: load balancers of the cloud plugin for services of the
 * type LoadBalancer.
 *
 *	service.c	the plugin: what wakes it, what a service needs now
 *	balancer.c	making and removing, and what is written and told about it
 *	known.c		what this process remembers of each service
 *	nodes.c		which nodes take the traffic
 *
 * Lock: known.mutex, over the map and, in its entries, over `retry_ns`, and over
 * `failures` for others than the worker that has the key. Everything else of an
 * entry is that worker's. service.restoring is over `restored`, and is held while the cloud is
 *told.
 */
#ifndef CONTROLLER_SERVICE_H
#define CONTROLLER_SERVICE_H

#include <coxswain/cloud.h>
#include <coxswain/controller.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>
#include <pthread.h>
#include <stdbool.h>

#define SERVICE_QUEUE "services"
#define SERVICE_FINALIZER "service.kubernetes.io/load-balancer-cleanup"

enum { BALANCER_NAME_SIZE = 33 };

/* ---- known.c ---- */

/*
 * A service that has, may have, or cannot get a load balancer. Text, since an
 * object that somebody holds is kept in memory as a tree, too.
 */
struct known {
	char balancer[BALANCER_NAME_SIZE];
	char *uid;
	struct cox_buf asked;	/* the service when the cloud was last asked: JSON */
	uint64_t wish;		/* fingerprint of what it asked for then */
	struct cox_buf ingress; /* what the cloud said: {"ingress": ...}; empty: nothing yet */
	uint64_t nodes;		/* fingerprint of those that the cloud was told */
	uint64_t ensured_ns;	/* when it last succeeded */
	unsigned failures;	/* in a row */
	uint64_t retry_ns;	/* not before that */
};

struct known_map {
	pthread_mutex_t mutex;
	struct cox_map entries; /* by "namespace/name" */
};

void known_init(struct known_map *known);
void known_destroy(struct known_map *known);
struct known *known_find(struct known_map *known, const char *key);
struct known *known_add(struct known_map *known, const char *key, const struct cox_objects *objects,
			const struct cox_object *service);
void known_forget(struct known_map *known, const char *key);
void known_asked(struct known *entry, const struct cox_objects *objects,
		 const struct cox_object *service);

/* Notes a failure at `now`; returns the time to the next try. */
uint64_t known_failed(struct known_map *known, struct known *entry, uint64_t now);
void known_succeeded(struct known_map *known, struct known *entry);
/* How long it has to wait yet; 0: it may try. */
uint64_t known_wait(struct known_map *known, const struct known *entry, uint64_t now);
/* Lets all that failed try again at once, and emits their keys. */
void known_retry_all(struct known_map *known, void (*emit)(void *context, const char *key),
		     void *context);

/* Fingerprint of all that a cloud is asked for by a service. */
uint64_t service_wish(const struct cox_objects *objects, const struct cox_object *service);
/* The name of the load balancer of a service. */
void balancer_name(const struct cox_objects *objects, const struct cox_object *service,
		   char out[BALANCER_NAME_SIZE]);

/* ---- nodes.c ---- */

struct node_list {
	struct cox_object **items; /* references, by name */
	size_t count;
	size_t capacity;
};

/* Whether this change of a node is one for load balancers. */
bool nodes_matter(const struct cox_objects *objects, const struct cox_object *old,
		  const struct cox_object *now);
void nodes_collect(const struct cox_cluster *cluster, const struct cox_lister *lister,
		   struct node_list *nodes);
void nodes_free(const struct cox_objects *objects, struct node_list *nodes);
uint64_t nodes_fingerprint(const struct cox_objects *objects, const struct node_list *nodes);

/* ---- the plugin ---- */

struct services {
	const struct cox_host *host;
	const struct cox_controller_setup *setup;
	const struct cox_cluster *cluster;
	const struct cox_objects *objects;
	const struct cox_cloud *cloud; /* NULL: none that has load balancers */
	struct cox_lister *lister;
	struct cox_lister *nodes;
	struct known_map known;
	uint32_t workers;
	uint64_t resync_ns; /* 0: never */
	char *cluster_name;
	pthread_mutex_t restoring;
	bool restored;
};

/* One look at one service. */
struct pass {
	struct services *self;
	const struct cox_call *call;
	const char *key;
	uint64_t now;
	uint64_t *again; /* as of reconcile() */
};

/* ---- balancer.c ---- */

/* Type LoadBalancer, and no class that says it is somebody else's. */
bool service_wants(const struct cox_objects *objects, const struct cox_object *service);
bool service_is_finalized(const struct cox_objects *objects, const struct cox_object *service);

/*
 * Each returns 0 if the work is done or waits for its next try, -1 with `err` if
 * the API server could not be written to.
 */
int balancer_make(struct pass *pass, const struct cox_object *service, struct cox_error *err);
int balancer_clean_up(struct pass *pass, const struct cox_object *service, struct cox_error *err);
/* Of a service that is not there any more. */
int balancer_drop(struct pass *pass, struct known *known, struct cox_error *err);

/* A balancer for calls that need no nodes. `name` outlives it. */
struct cox_cloud_balancer balancer_plain(const struct services *self, const char *name,
					 const struct cox_object *service);

#endif
