/* SPDX-License-Identifier: Apache-2.0 */
/* What a replication controller asks about pods; pure functions. */
#ifndef REPLICATION_PODS_H
#define REPLICATION_PODS_H

#include <coxswain/object.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Neither ended nor being deleted. */
bool pod_active(const struct cox_objects *objects, const struct cox_object *pod);
/*
 * Ready for at least `min_seconds` at `now` (nanoseconds since 1970); if it is
 * ready for less, `*wait_ns` is how long it still takes.
 */
bool pod_available(const struct cox_objects *objects, const struct cox_object *pod,
		   int64_t min_seconds, uint64_t now, uint64_t *wait_ns);
/*
 * Sorts so that those to be deleted first come first: not assigned to a node;
 * Pending, then Unknown, then Running; not ready; lower
 * controller.kubernetes.io/pod-deletion-cost; more of the same owner on the
 * node; ready for a shorter time; more restarts; younger. Times count by their
 * order of magnitude, so that a restart of everything does not always hit the
 * same ones.
 */
void pods_sort_for_deletion(const struct cox_objects *objects, struct cox_object **pods,
			    size_t count, uint64_t now);

#endif
