/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of authenticators. Built once from configured plugins and never
 * changed after; a reload builds another and swaps. Counted: a request keeps
 * the chain it began with. Any thread.
 */
#ifndef COX_ACCESS_AUTHENTICATE_H
#define COX_ACCESS_AUTHENTICATE_H

#include "access/identity.h"
#include "base/error.h"

struct host_plugin;
struct authenticators;

struct authenticators *authenticators_new(void);
/* In the order of asking; takes the plugin over. Only before first use. */
void authenticators_add(struct authenticators *chain, struct host_plugin *plugin);
/*
 * The chain takes over what its plugins were set up with: release(context) is
 * called when they are closed.
 */
void authenticators_keep(struct authenticators *chain, void *context,
			 void (*release)(void *context));
struct authenticators *authenticators_ref(struct authenticators *chain);
void authenticators_unref(struct authenticators *chain); /* the last one closes the plugins */

/*
 * An identity that the caller owns, from the chain or its cache. NULL is
 * Unauthorized: nobody said yes. The client is told no reason; it is logged at
 * -v=2.
 */
struct identity *authenticators_ask(struct authenticators *chain,
				    const struct cox_authn_request *request,
				    const struct cox_call *call, struct cox_error *err);
/* The same from the cache alone: never blocks; NULL if it has to be asked. */
struct identity *authenticators_recall(struct authenticators *chain,
				       const struct cox_authn_request *request);

#endif
