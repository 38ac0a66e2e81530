/* SPDX-License-Identifier: Apache-2.0 */
/* The cancel flag of a call: set by whoever gave the call up, read by plugins
 * through host->cancelled(). Any thread. */
#ifndef COX_BASE_CANCEL_H
#define COX_BASE_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>

struct cox_cancel {
	atomic_bool requested;
};

static inline void cancel_request(struct cox_cancel *cancel)
{
	atomic_store_explicit(&cancel->requested, true, memory_order_release);
}

static inline bool cancel_requested(const struct cox_cancel *cancel)
{
	return atomic_load_explicit(&cancel->requested, memory_order_acquire);
}

#endif
