/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects that every cluster has: the namespaces default, kube-system,
 * kube-public and kube-node-lease, the range of service addresses, and the
 * service `kubernetes` with its endpoints. Made at the start, looked after
 * every 10 s by a thread of their own.
 */
#ifndef COX_APISERVER_INITIAL_H
#define COX_APISERVER_INITIAL_H

#include "base/error.h"

struct client;
struct initial;

struct initial_options {
	const char *address_range;   /* of services */
	const char *service_address; /* of the service `kubernetes` */
	const char *advertised;	     /* where this server is reached; "": nowhere */
	unsigned port;		     /* its secure port */
};

/*
 * Makes them now (blocks), then keeps them. Admission that refuses one is no
 * reason not to start: it is tried again until another configuration lets it
 * pass. Texts are copied.
 */
struct initial *initial_start(struct client *client, const struct initial_options *options,
			      struct cox_error *err);
void initial_stop(struct initial *initial); /* NULL is fine */

#endif
