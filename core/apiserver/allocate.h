/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and node ports of services. An address that is taken is an
 * IPAddress object, a port that is taken is a key; both are written in the same
 * transaction as the service, so that no crash leaves one without the other,
 * and two servers cannot give the same one away: the second one's transaction
 * finds the key there and is tried again.
 */
#ifndef COX_APISERVER_ALLOCATE_H
#define COX_APISERVER_ALLOCATE_H

#include "apiserver/write.h"

struct allocators;

struct allocator_options {
	const char *address_range; /* "10.254.0.0/16" */
	const char *port_range;	   /* "30000-32767"; "" is that */
};

/* NULL: a range cannot be understood, and why. */
struct allocators *allocators_new(const struct allocator_options *options, struct cox_error *err);
void allocators_free(struct allocators *allocators); /* NULL is fine */
/* Reads what is taken already. Blocks; before the server serves. */
int allocators_load(struct allocators *allocators, const struct store_backend *backend,
		    struct cox_error *err) COX_MUST_CHECK;
/* The first address of the range: that of the service `kubernetes`. */
const char *allocators_first_address(const struct allocators *allocators);

/* "30000-32767": both ends inclusive. */
int port_range_parse(const char *text, unsigned *low, unsigned *high,
		     struct cox_error *err) COX_MUST_CHECK;

/* The strategy of services: defaults that depend on the old object, addresses, ports. */
int allocate_prepare_create(struct write *write, struct value *service, struct cox_error *err);
int allocate_prepare_update(struct write *write, struct value *service, const struct value *old,
			    struct cox_error *err);
int allocate_service(struct write *write, struct value *service, const struct value *old,
		     struct cox_error *err);
void allocate_committed(struct write *write);
void allocate_refused(struct write *write, size_t index);

#endif
