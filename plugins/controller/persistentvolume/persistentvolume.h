/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The binder of volumes and claims: what its files share.
 *
 * Claims and volumes have a queue each. What an object's change means for the
 * other side goes into the other queue with the change itself, never from a
 * reconcile that wrote nothing, so that both come to rest.
 *
 * Lock: binder.mutex over `taken`, and nothing else.
 */
#ifndef CONTROLLER_PERSISTENTVOLUME_H
#define CONTROLLER_PERSISTENTVOLUME_H

#include <coxswain/controller.h>
#include <coxswain/kit/claims.h>
#include <coxswain/kit/map.h>
#include <pthread.h>
#include <stdbool.h>

#define CLAIM_QUEUE "claims"   /* keys: "ns/name", and the two below with a name */
#define VOLUME_QUEUE "volumes" /* keys: names; "ns/name": the volumes of that claim */
#define CLASS_KEY "/class/"    /* claims that wait for volumes of the class */
#define VOLUME_KEY "/volume/"  /* claims that may want the volume */

/* The index "is": of volumes without a claim and claims without a volume, by class. */
#define OF_CLASS "class/"
#define OF_CLAIM "claim/"   /* volumes, by "ns/name" of their claimRef */
#define OF_VOLUME "volume/" /* claims, by their volumeName */

enum recycled { RECYCLED_HOSTPATH, RECYCLED_NFS, RECYCLED_KINDS };

struct binder {
	const struct cox_host *host;
	const struct cox_cluster *cluster;
	const struct cox_objects *objects;
	const struct cox_controller_setup *setup;
	struct cox_lister *claims, *volumes, *classes, *nodes;
	struct cox_lister *pods; /* indexed "uses": "ns/name" of claims */
	int64_t workers;
	uint64_t resync;
	char *image;			   /* of the pods that empty volumes */
	char *room;			   /* their namespace */
	int64_t timeout[RECYCLED_KINDS];   /* seconds that emptying may take */
	int64_t increment[RECYCLED_KINDS]; /* and more for each GiB */
	pthread_mutex_t mutex;
	/*
	 * Volumes that were given away a moment ago: name → the revision that
	 * they had then. While the lister shows that one they are not free.
	 */
	struct cox_map taken;
};

/* ---- claims.c ---- */

int claims_reconcile(struct binder *binder, const struct cox_call *call, const char *key,
		     struct cox_error *err) COX_MUST_CHECK;

/* ---- volumes.c ---- */

int volumes_reconcile(struct binder *binder, const struct cox_call *call, const char *key,
		      uint64_t *again_ns, struct cox_error *err) COX_MUST_CHECK;
/* Whether it can be had; then it is the caller's until volumes_give_back, or until it changed. */
bool volumes_take(struct binder *binder, const struct cox_object *volume);
void volumes_give_back(struct binder *binder, const struct cox_object *volume);
bool volumes_is_taken(struct binder *binder, const struct cox_object *volume);

/* ---- write.c: every write is refused if the object has changed meanwhile ---- */

/* The volume becomes the claim's. `*after` is a reference to what it is now. */
int write_claim_ref(struct binder *binder, const struct cox_call *call,
		    const struct cox_object *volume, const struct cox_object *claim,
		    struct cox_object **after, struct cox_error *err) COX_MUST_CHECK;
/* It is nobody's any more; set aside by its owner, it waits for the next claim of the name. */
int write_unclaimed(struct binder *binder, const struct cox_call *call,
		    const struct cox_object *volume, struct cox_error *err) COX_MUST_CHECK;
int write_volume_phase(struct binder *binder, const struct cox_call *call,
		       const struct cox_object *volume, const char *phase, const char *message,
		       struct cox_error *err) COX_MUST_CHECK;
int write_claim_volume(struct binder *binder, const struct cox_call *call,
		       const struct cox_object *claim, const struct cox_object *volume,
		       struct cox_object **after, struct cox_error *err) COX_MUST_CHECK;
/* Bound, with what the volume has. */
int write_claim_bound(struct binder *binder, const struct cox_call *call,
		      const struct cox_object *claim, const struct cox_object *volume,
		      struct cox_error *err) COX_MUST_CHECK;
/* Pending or Lost. */
int write_claim_phase(struct binder *binder, const struct cox_call *call,
		      const struct cox_object *claim, const char *phase,
		      struct cox_error *err) COX_MUST_CHECK;
int write_claim_provisioner(struct binder *binder, const struct cox_call *call,
			    const struct cox_object *claim, const char *provisioner,
			    struct cox_error *err) COX_MUST_CHECK;

/* ---- reclaim.c ---- */

/* Does with a Released volume what its policy says. */
int reclaim(struct binder *binder, const struct cox_call *call, const struct cox_object *volume,
	    uint64_t *again_ns, struct cox_error *err) COX_MUST_CHECK;
/* Whether the pod empties a volume; then its name. NULL: not. */
const char *reclaim_volume_of(const struct cox_objects *objects, const struct cox_object *pod);

/* ---- remove.c ---- */

/* Whether it is a path below /tmp, without ways around. */
bool remove_is_allowed(const char *path);
/* Removes it and all below, never through a link. 0 or -1 with errno; gone already: 0. */
int remove_below_tmp(const char *path) COX_MUST_CHECK;

#endif
