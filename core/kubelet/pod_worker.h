/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing a pod from what is to what is wanted; see pod_worker.c. */
#ifndef COX_KUBELET_POD_WORKER_H
#define COX_KUBELET_POD_WORKER_H

#include "kubelet/pod.h"

/* One look at one pod; by one thread at a time for a pod. */
void pod_sync(struct kubelet *kubelet, struct pod *pod);

/* ---- pod_containers.c: its part that starts and restarts containers ---- */

/* One look; what it changed shows in `changed`, so that the view is read again. */
struct pod_pass {
	struct kubelet *kubelet;
	struct pod *pod;
	const struct cox_object *object;
	const struct value *spec;
	const struct view *view;
	const char *sandbox; /* the ready one */
	bool changed;
	bool ended; /* it has nothing more to do: all ran and none is to run again */
};

void pod_start_containers(struct pod_pass *pass);
/* Whether all containers ran and none is to run again. */
bool pod_is_done(const struct value *spec, const struct view *view);
/* Removes ended containers that nobody will ask for. */
void pod_collect_garbage(struct pod_pass *pass);
bool pod_is_sidecar(const struct value *container);
/*
 * Whether this one, which has ended, is to run again: by the rules of the
 * container, its policy, or the pod's. `init`: it is an init container.
 */
bool pod_restarts(const struct value *spec, const struct value *container, bool init,
		  const struct view_container *ended);

/* ---- admit.c ---- */

/* Decides once: sets pod->admitted, or pod->rejected_reason and its message. */
void pod_admit(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object);

/* ---- admit_host.c ---- */

/* Why this node does not give it what it asks of the machine, to free; NULL: it does. */
char *pod_asks_too_much(struct kubelet *kubelet, const struct cox_object *object,
			const char **reason);

/* ---- pod_status.c ---- */

/* How it fares, as JSON of pod.status; free() it. */
char *pod_status_make(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		      const struct view *view);

/* ---- report.c ---- */

/* Has the status told to the API server, if it is another one than before. */
void report_status(struct kubelet *kubelet, struct pod *pod, char *status);
/* The pod has ended: its object is deleted for good once its status is told. */
void report_finished(struct kubelet *kubelet, struct pod *pod);
void *report_run(void *kubelet); /* a thread */

/* ---- probes.c ---- */

struct prober *prober_new(struct kubelet *kubelet, struct cox_error *err);
void prober_free(struct prober *prober);
/* Tells of a running container, so that it is probed. Cheap for a known one. */
void prober_add(struct prober *prober, struct pod *pod, const struct cox_object *object,
		const struct value *container, const struct view_container *running);
/* Its results: readiness and startup as a status shows them. */
enum probe_result prober_result(struct kubelet *kubelet, struct container_record *record,
				const char *id, enum probe_kind kind);
void prober_forget(struct prober *prober, const char *uid);

#endif
