/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the plugin ResourceQuota. */
#ifndef RESOURCEQUOTA_H
#define RESOURCEQUOTA_H

#include "amounts.h"
#include "lookup.h"

#include <coxswain/kit/map.h>
#include <pthread.h>
#include <stdbool.h>

/*
 * An attempt is made again within a few commits of the store, so few charges
 * need to be remembered; one takes about a kilobyte.
 */
enum { TURNS = 64, CHARGES_MAX = 512 };

/* What one request added to one quota. */
struct charged {
	char *uid;
	char *name;
	struct amounts amounts;
};

/* What one request added to all of them. */
struct charge {
	uint64_t id; /* of the request; 0: free */
	COX_VEC(struct charged) quotas;
};

/* Namespaces share turns: one request at a time checks and writes their quotas. */
struct turn {
	pthread_mutex_t mutex;
	pthread_cond_t over;
	bool taken;
};

struct quotas {
	const struct cox_host *host;
	const struct cox_objects *objects;
	struct lookup lookup;
	struct turn turns[TURNS];
	pthread_mutex_t mutex;	/* guards the rest; never held across a call */
	struct cox_map fresh;	/* "namespace/name": what was written and may not be listed yet */
	struct charge *charges; /* a ring of CHARGES_MAX, made at first use */
	size_t next_charge;
};

/* ---- usage.c: what an object uses ---- */

/* Whether requests like this one can change what a quota counts. */
bool usage_counts(const struct cox_admission_request *request);
/* Whether objects of that kind use the resource. */
bool usage_concerns(const struct cox_admission_request *request, const char *resource);
/*
 * Everything that `root`, of the request's kind, uses at the time `now`: a pod
 * that should have been gone by then, and is not because its node is lost,
 * takes no more room than one that has ended.
 */
void usage_of(const struct cox_objects *objects, const struct cox_admission_request *request,
	      const struct cox_value *root, uint64_t now, struct amounts *usage);
/*
 * Pods under a quota of cpu or memory must say how much each container takes.
 * What `root` leaves open goes into `missing`: "limits.cpu for: a,b".
 */
void usage_missing(const struct cox_objects *objects, const struct cox_admission_request *request,
		   const struct cox_value *root, const struct amounts *restricted,
		   struct cox_buf *missing);

/* ---- scope.c: which objects a quota is for ---- */

bool scope_matches(const struct cox_objects *objects, const struct cox_admission_request *request,
		   const struct cox_value *quota, const struct cox_value *root);

/* ---- evaluate.c: one quota and one request ---- */

/*
 * -1: refused, `err` says why. 0: nothing to be written. 1: `used` is what the
 * quota's status is to say of the resources that change, `added` by how much.
 * `after` and `before` are what the new and the old object use; each counts if
 * the quota is for it.
 * `credit` (may be NULL) was added by an earlier attempt of the same request.
 */
int evaluate(const struct quotas *self, const struct cox_admission_request *request,
	     const struct cox_object *quota, const struct amounts *after,
	     const struct amounts *before, const struct amounts *credit, struct amounts *used,
	     struct amounts *added, struct cox_error *err);

/* ---- charge.c: what requests were charged ---- */

/* What an earlier attempt of the request was charged; the caller's from here on. */
struct charge charge_take(struct quotas *self, uint64_t id);
/* Remembers it for another attempt. */
void charge_keep(struct quotas *self, struct charge *charge);
void charge_free(struct charge *charge);
void charge_free_all(struct quotas *self);
const struct amounts *charge_find(const struct charge *charge, const char *uid);
void charge_note(struct charge *charge, const char *uid, const char *name,
		 const struct amounts *added);

/* ---- store.c: quotas as they are, and their status written ---- */

/* The lister's, or what was written last: whichever is newer. A reference of the caller's. */
struct cox_object *fresh_or(struct quotas *self, const struct cox_object *listed);
void fresh_free(struct quotas *self);

enum written {
	WRITTEN,
	WRITTEN_NOT, /* `err` says why */
	WRITE_CONFLICT,
	QUOTA_GONE
};

/* `used` into the status, if the quota is still at the revision of `quota`. */
enum written write_used(struct quotas *self, const struct cox_call *call,
			const struct cox_object *quota, const struct amounts *used,
			struct cox_error *err);

#endif
