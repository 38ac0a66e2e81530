/* SPDX-License-Identifier: Apache-2.0 */
/* Containers of pods: made, started and stopped. */
#ifndef COX_KUBELET_CONTAINER_H
#define COX_KUBELET_CONTAINER_H

#include "kubelet/pod.h"

/* What is to be run where. Everything is borrowed. */
struct container_start {
	struct kubelet *kubelet;
	struct pod *pod;
	const struct cox_object *object;
	const struct value *container;
	struct container_record *record;
	const char *sandbox;
	const char *image_ref;
	uint32_t attempt;
};

/* Creates and starts it; -1: people were told and the record says why. */
int container_start(const struct container_start *start) COX_MUST_CHECK;

/*
 * Stops one in a job, its preStop hook first, and tells people `why`. Once
 * for a container, but again if the grace becomes shorter. Seconds.
 */
void container_stop(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		    const struct view_container *container, int64_t grace, const char *why);

/*
 * Writes down that a container is stopped with its node and not for a reason of
 * its own, so that the next kubelet does not take its end for what it wanted.
 */
void container_interrupt(struct kubelet *kubelet, const struct pod *pod,
			 const struct view_container *container);
bool container_was_interrupted(struct kubelet *kubelet, const char *uid,
			       const struct view_container *container);

/* Changes with everything that needs a new container. The arena's. */
const char *container_hash(struct arena *arena, const struct value *container);

/* container_config.c: the whole of what the runtime is told; texts are the arena's. */
int container_configure(const struct container_start *start, struct arena *arena,
			struct cox_container_config *config, struct cox_error *err) COX_MUST_CHECK;
/* Where the termination message of a container lies; the arena's. */
const char *container_message_path(struct kubelet *kubelet, struct arena *arena, const char *uid,
				   const char *name, uint32_t attempt);

/* hooks.c: a lifecycle handler, or a probe: exec, httpGet, tcpSocket, grpc. */
struct hook_target {
	struct kubelet *kubelet;
	const struct cox_object *object;
	const struct value *container; /* its ports may be named */
	const char *id;
	const char *pod_ip; /* "": none */
};

/*
 * 0: it went well. 1: it was done and failed. -1: it could not be done.
 * `output` says what came of it. `timeout` is in nanoseconds.
 */
int hook_run(const struct hook_target *target, const struct value *handler, uint64_t timeout,
	     struct cox_buf *output);

#endif
