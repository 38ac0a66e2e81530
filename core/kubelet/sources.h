/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods of this node that no API server gave: from files (--config) and from a
 * URL (--manifest-url). Such a static pod is called NAME-NODE and has a uid made
 * of what stands in its manifest, so that a change is another pod and a restart
 * of the kubelet finds its containers again.
 *
 * In the API each is shown by a mirror pod, which the kubelet makes, keeps and
 * removes; what anybody does to it changes nothing here.
 */
#ifndef COX_KUBELET_SOURCES_H
#define COX_KUBELET_SOURCES_H

#include "kubelet/pod.h"

struct sources;

struct sources *sources_new(struct kubelet *kubelet);
int sources_start(struct sources *sources, struct cox_error *err) COX_MUST_CHECK;
void sources_stop(struct sources *sources);	 /* waits for the thread; NULL is fine */
void sources_free(struct sources *sources);	 /* NULL is fine */
bool sources_any(const struct sources *sources); /* whether there is one to read */
/*
 * Whether every source that is configured was read once: before that nobody
 * knows which containers are orphans.
 */
bool sources_ready(struct sources *sources);
/* What the first look at all of them found. */
enum sources_state {
	SOURCES_UNREAD,
	SOURCES_READ,
	SOURCES_BROKEN /* a source or a pod of it cannot be used; the log has it */
};
enum sources_state sources_first_look(struct sources *sources);
/* Waits, so long, until the files were read once. */
void sources_wait(struct sources *sources, uint64_t deadline);
/* Something about a mirror pod is to be put right. Any thread. */
void sources_wake(struct sources *sources);

/* ---- manifest.c ---- */

/*
 * One manifest, JSON or YAML, a Pod or a PodList: each pod checked, with
 * defaults and all that makes it this node's, goes to `found`. -1: `err` says
 * what is wrong with it, and where. `origin` tells manifests apart.
 */
int manifest_read(const char *node, const char *source, const char *origin, struct cox_bytes text,
		  void (*found)(void *context, struct cox_object *pod), void *context,
		  struct cox_error *err) COX_MUST_CHECK;

/* ---- mirror_pods.c ---- */

/* The mirror of a static pod as the API has it; a reader, or NULL. */
struct cox_object *mirror_pod_get(struct kubelet *kubelet, const struct pod *pod);
bool mirror_pod_is(const struct cox_object *object);
/* Makes missing mirrors and removes wrong ones; false: again soon. */
bool mirror_pods_reconcile(struct kubelet *kubelet);

#endif
