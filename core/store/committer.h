/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that writes, and who waits for its results; of the store's parts only. */
#ifndef COX_STORE_COMMITTER_H
#define COX_STORE_COMMITTER_H

#include "store/submit.h"

struct result_list {
	struct store_txn *first, *last;
};

void *committer_run(void *store);
void result_push(struct result_list *list, struct store_txn *txn);
struct store_txn *result_pop(struct result_list *list);
/* lock held: those whose revision is visible now, or that waited too long */
void committer_take_visible(struct store *store, struct result_list *ready);
void committer_take_late(struct store *store, uint64_t now, struct result_list *late);
void committer_tell(struct store *store, struct result_list *ready); /* no lock */

#endif
