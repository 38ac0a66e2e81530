/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping collections of records small; of the store's parts only. */
#ifndef COX_STORE_THIN_H
#define COX_STORE_THIN_H

#include "store/store.h"

#include <coxswain/kit/vec.h>

/* What is being deleted; the keeper's. */
struct thin_round {
	COX_VEC(struct store_entry *) entries; /* references from `next` on */
	size_t next;
};

/* Whether a collection of records takes too much; lock held. */
bool thin_is_due(const struct store_collection *collection);
void thin_all(struct store *store); /* begins to delete what is too much; no lock */
void thin_free(struct store_collection *collection);

#endif
