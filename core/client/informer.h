/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Informers: local copies of collections, kept by one list and a watch each,
 * and shared by all listers that ask for the same resource, namespace and
 * selectors.
 *
 * A collection is filled by a watch with sendInitialEvents where the server
 * offers it, else by a paged list and a watch from its revision. A watch that
 * ends is resumed from the last revision seen; 410 fills the collection anew,
 * and what is gone meanwhile is told as deletions. Failures are retried with
 * growing, randomised pauses (0.8 s to 30 s), for ever.
 *
 * `changed` of a lister runs on the client's watch thread or on the informers'
 * own, one call at a time and in order; it must be quick and must not open or
 * close listers. Objects in it are borrowed; the caller of lister_get owns a
 * reader. Reading may be done by any thread, in `changed` too.
 */
#ifndef COX_CLIENT_INFORMER_H
#define COX_CLIENT_INFORMER_H

#include "client/client.h"

#include <coxswain/cluster.h>

struct informers;

/* The client must outlive the informers. NULL: no thread could be started. */
struct informers *informers_new(struct client *client, struct cox_error *err);
void informers_free(struct informers *informers); /* all listers are closed */

/*
 * Begins at once. What the collection has already is told as new objects
 * before this returns. `options` and indexes are copied; the watcher's context
 * is the caller's.
 */
struct cox_lister *lister_open(struct informers *informers,
			       const struct cox_lister_options *options, struct cox_error *err);
void lister_close(struct cox_lister *lister); /* `changed` does not run after it */

bool lister_synced(const struct cox_lister *lister);
/* Waits until it is complete; false at the deadline (monotonic). */
bool lister_wait(struct cox_lister *lister, uint64_t deadline);
/* Tells `changed` of every object, as old and now. */
void lister_repeat(struct cox_lister *lister);

struct cox_object *lister_get(const struct cox_lister *lister, const char *namespace,
			      const char *name);
void lister_list(const struct cox_lister *lister, const char *namespace,
		 const struct cox_object_sink *sink);
void lister_find(const struct cox_lister *lister, const char *index, const char *value,
		 const struct cox_object_sink *sink);
size_t lister_count(const struct cox_lister *lister);

#endif
